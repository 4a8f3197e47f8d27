//! The configs in force of the topics that this core's requests touch, parsed once.

use crate::base::ids::TopicId;
use crate::base::map::Map;
use crate::base::offset::Durability;
use crate::broker::partition::INTERNAL_TOPICS;
use crate::log::core_log::{PartitionSettings, Retention};
use crate::metadata::broker_wide::BrokerWide;
use crate::metadata::topic_config::TopicSettings;
use crate::metadata::topics::Topic;

/// See the module. Lives on its core; entries go when the topic's configs change or the topic is deleted.
#[derive(Debug)]
pub(super) struct TopicCache {
    broker_wide: BrokerWide,
    settings: Map<TopicId, TopicSettings>,
}

impl TopicCache {
    pub(super) fn new(broker_wide: BrokerWide) -> TopicCache {
        TopicCache { broker_wide, settings: Map::default() }
    }

    /// The broker's values of topic configs.
    pub(super) fn broker_wide(&self) -> &BrokerWide {
        &self.broker_wide
    }

    /// They changed, and with them any topic's configs.
    pub(super) fn set_broker_wide(&mut self, broker_wide: BrokerWide) {
        self.broker_wide = broker_wide;
        self.settings.clear();
    }

    /// A topic's configs in force.
    pub(super) fn settings(&mut self, topic: &Topic) -> TopicSettings {
        *self.settings.entry(topic.id).or_insert_with(|| TopicSettings::of(topic, &self.broker_wide))
    }

    /// What the log has to know of them.
    pub(super) fn partition_settings(&mut self, topic: &Topic) -> PartitionSettings {
        partition_settings(topic, self.settings(topic))
    }

    /// The topic changed or is gone.
    pub(super) fn forget(&mut self, topic: TopicId) {
        self.settings.remove(&topic);
    }
}

/// What the log has to know of a topic's configs.
pub(super) fn partition_settings(topic: &Topic, settings: TopicSettings) -> PartitionSettings {
    let TopicSettings { mut durability, segment_bytes, segment_ms, retention_ms, retention_bytes, deleted, .. } =
        settings;
    let retention = match deleted {
        true => Retention { ms: retention_ms, bytes: retention_bytes },
        false => Retention::default(),
    };
    if INTERNAL_TOPICS.contains(&topic.name.as_str()) {
        // What coordinators answer is stored for good, whatever anybody set.
        durability = Durability::Disk;
    }
    PartitionSettings { durability, segment_bytes, segment_ms, retention }
}
