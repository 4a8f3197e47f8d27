//! Which partition a client means, and whether this core leads it.

use crate::base::error_code::ErrorCode;
use crate::base::ids::{BrokerId, CoreId, MachineId, TopicPartition};
use crate::base::offset::LeaderEpoch;
use crate::broker::api::Wait;
use crate::broker::broker::Broker;
use crate::log::core_log::Openness;
use crate::metadata::image::Image;
use crate::metadata::topics::Topic;
use crate::wire::leader_hint::LeaderHint;

/// Bits of Kafka's operations on the cluster: create, alter, describe, cluster action, describe and alter configs, idempotent write.
pub(super) const CLUSTER_OPERATIONS: i32 = 1 << 5 | 1 << 7 | 1 << 8 | 1 << 9 | 1 << 10 | 1 << 11 | 1 << 12;

/// Bits of Kafka's operations on a topic: read, write, create, delete, alter, describe, describe and alter configs.
pub(super) const TOPIC_OPERATIONS: i32 = 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 8 | 1 << 10 | 1 << 11;

/// Topics that Kafka's brokers write themselves.
pub(super) const INTERNAL_TOPICS: [&str; 2] = ["__consumer_offsets", "__transaction_state"];

/// What a client says that does not know the leader epoch, or a request that has no place for it.
pub(super) const ANY_EPOCH: i32 = -1;

/// A partition that this core leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Led {
    pub(super) id: TopicPartition,
    pub(super) leader_epoch: LeaderEpoch,
}

/// Why this core does not serve a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotLed {
    /// The topic has no such partition.
    Unknown,
    /// A sibling core leads it.
    Elsewhere { core: CoreId, hint: LeaderHint },
}

impl NotLed {
    pub(super) fn code(self) -> ErrorCode {
        match self {
            NotLed::Unknown => ErrorCode::UnknownTopicOrPartition,
            NotLed::Elsewhere { .. } => ErrorCode::NotLeaderOrFollower,
        }
    }
}

/// Finds a partition of a topic of `image`.
pub(super) fn find_led(image: &Image, here: CoreId, topic: &Topic, index: i32) -> Result<Led, NotLed> {
    let partition = topic.partition(index).ok_or(NotLed::Unknown)?;
    let leader_epoch = partition.leader_epoch(image.boot());
    let core = partition.core(image.cores());
    if core != here {
        let leader_id = broker_id(image, core).0;
        return Err(NotLed::Elsewhere { core, hint: LeaderHint { leader_id, leader_epoch: leader_epoch.0 } });
    }
    Ok(Led { id: TopicPartition { topic: topic.id, partition: index }, leader_epoch })
}

impl Broker {
    /// Starts loading every partition that a request names and this core leads, so that they load together; gives one to wait for
    /// before anything is done.
    pub(super) fn open_named<'a>(&mut self, named: impl Iterator<Item = (&'a str, i32)>) -> Option<Wait> {
        let Broker { core, image, log, .. } = self;
        let led = named.filter_map(|(topic, index)| find_led(image, *core, image.topic_by_name(topic)?, index).ok());
        led.filter(|led| log.open(led.id) == Openness::Opening).last().map(|led| Wait::Partition(led.id))
    }

    /// The partition that a request names, if this core leads it in the epoch that the client knows of, and it is open.
    pub(super) fn open_led(&mut self, topic: &str, index: i32, client_epoch: i32) -> Result<Led, ErrorCode> {
        let topic = self.image.topic_by_name(topic).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let led = find_led(&self.image, self.core, topic, index).map_err(NotLed::code)?;
        check_epoch(client_epoch, led.leader_epoch)?;
        match self.log.open(led.id) {
            Openness::Open => Ok(led),
            Openness::Opening | Openness::Unknown => Err(ErrorCode::UnknownTopicOrPartition),
            Openness::Offline => Err(ErrorCode::KafkaStorageError),
        }
    }
}

/// The broker of a core of this machine.
pub(super) fn broker_id(image: &Image, core: CoreId) -> BrokerId {
    BrokerId::new(image.machine().unwrap_or(MachineId(0)), core)
}

/// Compares a client's idea of the leader epoch with ours: -1 is not checked, an older one is fenced, a newer one unknown.
pub(super) fn check_epoch(asked: i32, current: LeaderEpoch) -> Result<(), ErrorCode> {
    match asked {
        // Kafka checks no negative epoch, -1 or not.
        ..0 => Ok(()),
        asked if asked < current.0 => Err(ErrorCode::FencedLeaderEpoch),
        asked if asked > current.0 => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn epochs_are_fenced_or_unknown() {
        let current = LeaderEpoch(4);
        assert_eq!(check_epoch(-1, current), Ok(()));
        assert_eq!(check_epoch(-2, current), Ok(()));
        assert_eq!(check_epoch(4, current), Ok(()));
        assert_eq!(check_epoch(3, current), Err(ErrorCode::FencedLeaderEpoch));
        assert_eq!(check_epoch(0, current), Err(ErrorCode::FencedLeaderEpoch));
        assert_eq!(check_epoch(5, current), Err(ErrorCode::UnknownLeaderEpoch));
    }
}
