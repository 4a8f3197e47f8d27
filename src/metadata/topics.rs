//! The topics of an image: by id, by name, and what they may collide with.

use crate::base::ids::{CoreId, MachineId, TopicId, TopicPartition};
use crate::base::offset::LeaderEpoch;
use crate::metadata::bucket_map::{BucketKey, BucketMap};
use crate::metadata::record::{ConfigRecord, LeaderRecoveryState, PartitionRecord, Record, ResourceType, TopicRecord};
use std::collections::BTreeMap;
use std::sync::Arc;

/// One partition as the image knows it; see [`PartitionRecord`] for the fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Machines that hold a copy, preferred leader first.
    pub replicas: Vec<MachineId>,
    /// In-sync replicas.
    pub isr: Vec<MachineId>,
    /// Eligible leader replicas.
    pub elr: Vec<MachineId>,
    /// Eligible before the last unclean shutdown.
    pub last_known_elr: Vec<MachineId>,
    /// The leader.
    pub leader: MachineId,
    /// Rises with every change of the record.
    pub partition_epoch: i32,
    /// See [`LeaderRecoveryState`].
    pub recovery_state: LeaderRecoveryState,
    /// Data directory of each replica; empty: the only one.
    pub directories: Vec<[u8; 16]>,
    /// Core = placement mod cores.
    pub placement: u32,
    /// Leader epoch minus the number of the boot in force: a Boot record raises all leader epochs without touching any.
    epoch_less_boot: i32,
}

impl Partition {
    fn from_record(record: &PartitionRecord, boot: u32) -> Partition {
        Partition {
            replicas: record.replicas.clone(),
            isr: record.isr.clone(),
            elr: record.elr.clone(),
            last_known_elr: record.last_known_elr.clone(),
            leader: record.leader,
            partition_epoch: record.partition_epoch,
            recovery_state: record.recovery_state,
            directories: record.directories.clone(),
            placement: record.placement,
            epoch_less_boot: record.leader_epoch - boot as i32,
        }
    }

    fn to_record(&self, topic: TopicId, partition: i32, boot: u32) -> PartitionRecord {
        PartitionRecord {
            topic,
            partition,
            replicas: self.replicas.clone(),
            isr: self.isr.clone(),
            elr: self.elr.clone(),
            last_known_elr: self.last_known_elr.clone(),
            leader: self.leader,
            leader_epoch: self.leader_epoch(boot).0,
            partition_epoch: self.partition_epoch,
            recovery_state: self.recovery_state,
            directories: self.directories.clone(),
            placement: self.placement,
        }
    }

    /// The leader epoch during `boot`: the stored epoch plus the boots since it was stored.
    pub fn leader_epoch(&self, boot: u32) -> LeaderEpoch {
        LeaderEpoch(self.epoch_less_boot + boot as i32)
    }

    /// The core that leads it on a machine of `cores` cores.
    pub fn core(&self, cores: u16) -> CoreId {
        assert!(cores > 0, "a partition without a layout");
        CoreId((self.placement % u32::from(cores)) as u16)
    }
}

/// One incarnation of a topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// This incarnation.
    pub id: TopicId,
    /// The name that clients use.
    pub name: String,
    /// By partition index.
    pub partitions: Vec<Partition>,
    /// Overrides only, by Kafka's key; see `topic_config` for defaults.
    pub configs: BTreeMap<String, String>,
}

impl Topic {
    /// Its partitions with their names.
    pub fn partition_ids(&self) -> impl Iterator<Item = TopicPartition> + use<> {
        let topic = self.id;
        (0..self.partitions.len() as i32).map(move |partition| TopicPartition { topic, partition })
    }

    /// A partition by index, which may come from a client.
    pub fn partition(&self, partition: i32) -> Option<&Partition> {
        usize::try_from(partition).ok().and_then(|index| self.partitions.get(index))
    }
}

impl BucketKey for TopicId {
    fn bucket_hash(&self) -> u64 {
        u64::from(self.0[15])
    }
}

/// See the module. Invariant: `names` and `collisions` name exactly the topics in `by_id`.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Topics {
    by_id: BucketMap<TopicId, Arc<Topic>>,
    names: BucketMap<String, TopicId>,
    /// Names in which a period became an underscore, for names with either: Kafka's metric names cannot tell them apart.
    collisions: BucketMap<String, TopicId>,
    partitions: usize,
}

impl Topics {
    /// A topic by name.
    pub fn by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.names.get(name).map(|id| self.by_id.get(id).expect("a name of a live topic"))
    }

    /// A topic by id.
    pub fn by_id(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.by_id.get(&id)
    }

    /// A live topic whose name differs from `name` in periods and underscores only.
    pub fn collision(&self, name: &str) -> Option<&Arc<Topic>> {
        let key = collision_key(name)?;
        let topic = self.by_id(*self.collisions.get(key.as_str())?).expect("a collision with a live topic");
        (topic.name != name).then_some(topic)
    }

    /// All topics, in an order that depends on nothing but which they are.
    pub fn iter(&self) -> impl Iterator<Item = &Arc<Topic>> {
        self.by_id.iter().map(|(_, topic)| topic)
    }

    /// Number of topics.
    pub fn len(&self) -> usize {
        self.by_id.count()
    }

    /// True without topics.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Number of partitions of all topics.
    pub fn partition_count(&self) -> usize {
        self.partitions
    }

    pub(super) fn create(&mut self, record: &TopicRecord) -> Result<(), String> {
        if self.by_name(&record.name).is_some() || self.by_id(record.id).is_some() {
            return Err(format!("topic {} ({}) exists already", record.name, record.id));
        }
        let topic =
            Topic { id: record.id, name: record.name.clone(), partitions: Vec::new(), configs: BTreeMap::new() };
        self.by_id.insert(record.id, Arc::new(topic));
        self.names.insert::<str>(record.name.clone(), record.id);
        if let Some(key) = collision_key(&record.name) {
            self.collisions.insert::<str>(key, record.id);
        }
        Ok(())
    }

    /// True if the partition is new. Gives the placement that it had before, if any.
    pub(super) fn set_partition(&mut self, record: &PartitionRecord, boot: u32) -> Result<Option<u32>, String> {
        let Some(topic) = self.by_id.get_mut(&record.topic) else {
            return Err(format!("a partition of the unknown topic {}", record.topic));
        };
        let topic = Arc::make_mut(topic);
        let partition = Partition::from_record(record, boot);
        let index = usize::try_from(record.partition).unwrap_or(usize::MAX);
        if index == topic.partitions.len() {
            topic.partitions.push(partition);
            self.partitions += 1;
            return Ok(None);
        }
        let Some(slot) = topic.partitions.get_mut(index) else {
            return Err(format!("partition {} of topic {} leaves a gap", record.partition, record.topic));
        };
        Ok(Some(std::mem::replace(slot, partition).placement))
    }

    pub(super) fn set_config(&mut self, record: &ConfigRecord) -> Result<TopicId, String> {
        let Some(id) = self.names.get(record.resource_name.as_str()).copied() else {
            return Err(format!("a config of the unknown topic {}", record.resource_name));
        };
        let topic = Arc::make_mut(self.by_id.get_mut(&id).expect("a name of a live topic"));
        match &record.value {
            Some(value) => topic.configs.insert(record.key.clone(), value.clone()),
            None => topic.configs.remove(&record.key),
        };
        Ok(id)
    }

    pub(super) fn remove(&mut self, id: TopicId) -> Option<Arc<Topic>> {
        let topic = self.by_id.remove(&id)?;
        self.names.remove(topic.name.as_str()).expect("every topic has a name");
        if let Some(key) = collision_key(&topic.name) {
            self.collisions.remove(key.as_str());
        }
        self.partitions -= topic.partitions.len();
        Some(topic)
    }

    pub(super) fn append_records(&self, boot: u32, records: &mut Vec<Record>) {
        for topic in self.iter() {
            records.push(Record::Topic(TopicRecord { name: topic.name.clone(), id: topic.id }));
            let partitions = topic.partitions.iter().zip(0..);
            records.extend(
                partitions.map(|(partition, index)| Record::Partition(partition.to_record(topic.id, index, boot))),
            );
            records.extend(topic.configs.iter().map(|(key, value)| {
                Record::Config(ConfigRecord {
                    resource_type: ResourceType::Topic,
                    resource_name: topic.name.clone(),
                    key: key.clone(),
                    value: Some(value.clone()),
                })
            }));
        }
    }
}

/// The form in which two colliding names are equal; `None` for names that cannot collide.
pub(super) fn collision_key(name: &str) -> Option<String> {
    name.contains(['.', '_']).then(|| name.replace('.', "_"))
}
