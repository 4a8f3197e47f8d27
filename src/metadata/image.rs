//! The image: everything the metadata log says, as one immutable value.
//!
//! Lives on every core as `Arc<Image>`, replaced whole; a request reads one image from start to end. Only `apply` makes a new
//! one, and it copies what it touches only: with 10,000 topics the creation of one costs microseconds.
//!
//! Invariants: (I1) an image is a function of the records applied, so equal logs give equal images, through snapshots too;
//! (I2) the end offset counts every record ever applied, those that a snapshot stands for included; (I3) boot and generation
//! numbers only rise; (I4) a topic id is never live and deleted at once; (I5) `core_loads` counts the partitions of each core.

use crate::base::ids::{CoreId, MachineId, TopicId, TopicPartition};
use crate::base::offset::LeaderEpoch;
use crate::metadata::delta::Delta;
use crate::metadata::record::*;
use crate::metadata::topics::{Partition, Topic, Topics};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Image {
    end_offset: u64,
    format: Option<FormatRecord>,
    features: BTreeMap<String, i16>,
    machines: BTreeMap<MachineId, RegisterMachineRecord>,
    boot: Option<BootRecord>,
    clean_shutdown: Option<CleanShutdownRecord>,
    generation_begun: u32,
    layout: Option<LayoutRecord>,
    producer_id_next: i64,
    topics: Topics,
    deleted: Arc<BTreeSet<TopicId>>,
    broker_configs: Arc<BTreeMap<(String, String), String>>,
    core_loads: Vec<u32>,
}

/// Largest boot number, and largest leader epoch of a record: later epochs are their sum (see [`PartitionRecord`]).
const EPOCH_MAX: i32 = i32::MAX / 2;

/// A record that contradicts the image it is applied to: the log is damaged, or the controller has a bug.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApplyError {
    /// Which record of the batch, 0-based.
    pub index: usize,
    /// What it contradicts.
    pub why: String,
}

impl Image {
    /// The image of an empty log.
    pub fn new() -> Image {
        Image::default()
    }

    /// The image that a snapshot's records describe; `end_offset` is how many records of the log it stands for.
    pub fn from_snapshot(records: &[Record], end_offset: u64) -> Result<Image, ApplyError> {
        let (mut image, _) = Image::new().apply(records)?;
        image.end_offset = end_offset;
        Ok(image)
    }

    /// The image after `records`, and what they changed.
    pub fn apply(&self, records: &[Record]) -> Result<(Image, Delta), ApplyError> {
        let mut image = self.clone();
        let mut delta = Delta::default();
        for (index, record) in records.iter().enumerate() {
            image.apply_one(record, &mut delta).map_err(|why| ApplyError { index, why })?;
        }
        image.end_offset += records.len() as u64;
        delta.normalize();
        Ok((image, delta))
    }

    /// Records that make this image out of an empty one: a snapshot.
    pub fn to_records(&self) -> Vec<Record> {
        let mut records = Vec::with_capacity(16 + self.topics.len() + self.topics.partition_count());
        records.extend(self.format.clone().map(Record::Format));
        let features = self.features.iter();
        records.extend(
            features
                .map(|(name, level)| Record::FeatureLevel(FeatureLevelRecord { name: name.clone(), level: *level })),
        );
        records.extend(self.boot.clone().map(Record::Boot));
        records.extend(self.clean_shutdown.clone().map(Record::CleanShutdown));
        records.extend(self.machines.values().cloned().map(Record::RegisterMachine));
        if self.generation_begun > 0 {
            records.push(Record::GenerationBegun(GenerationBegunRecord { generation: self.generation_begun }));
        }
        records.extend(self.layout.map(Record::Layout));
        if self.producer_id_next > 0 {
            records.push(Record::ProducerIds(ProducerIdsRecord { next: self.producer_id_next }));
        }
        records.extend(self.broker_configs.iter().map(|((name, key), value)| {
            Record::Config(ConfigRecord {
                resource_type: ResourceType::Broker,
                resource_name: name.clone(),
                key: key.clone(),
                value: Some(value.clone()),
            })
        }));
        records.extend(self.deleted.iter().map(|id| Record::RemoveTopic(RemoveTopicRecord { id: *id })));
        self.topics.append_records(self.boot(), &mut records);
        records
    }

    fn apply_one(&mut self, record: &Record, delta: &mut Delta) -> Result<(), String> {
        match record {
            Record::Format(record) => self.apply_format(record)?,
            Record::FeatureLevel(record) if record.level == 0 => drop(self.features.remove(&record.name)),
            Record::FeatureLevel(record) => drop(self.features.insert(record.name.clone(), record.level)),
            Record::Boot(record) => self.apply_boot(record, delta)?,
            Record::CleanShutdown(record) => {
                if record.boot > self.boot() {
                    return Err(format!("clean shutdown of the unknown boot {}", record.boot));
                }
                self.clean_shutdown = Some(record.clone());
            }
            Record::RegisterMachine(record) => drop(self.machines.insert(record.machine, record.clone())),
            Record::GenerationBegun(record) => {
                if record.generation <= self.generation_begun {
                    return Err(format!("generation {} begun twice", record.generation));
                }
                self.generation_begun = record.generation;
            }
            Record::Layout(record) => self.apply_layout(record, delta)?,
            Record::Topic(record) => self.apply_topic(record, delta)?,
            Record::Partition(record) => self.apply_partition(record, delta)?,
            Record::RemoveTopic(record) => self.apply_remove_topic(record.id, delta)?,
            Record::TopicForgotten(record) => {
                if !Arc::make_mut(&mut self.deleted).remove(&record.id) {
                    return Err(format!("topic {} is forgotten, but was not deleted", record.id));
                }
                delta.topics_forgotten.push(record.id);
            }
            Record::Config(record) => self.apply_config(record, delta)?,
            Record::ProducerIds(record) => {
                if record.next <= self.producer_id_next {
                    return Err(format!("producer ids up to {} were given away before", self.producer_id_next));
                }
                self.producer_id_next = record.next;
            }
        }
        Ok(())
    }

    fn apply_format(&mut self, record: &FormatRecord) -> Result<(), String> {
        if self.format.is_some() {
            return Err("formatted twice".to_string());
        }
        self.format = Some(record.clone());
        Ok(())
    }

    fn apply_boot(&mut self, record: &BootRecord, delta: &mut Delta) -> Result<(), String> {
        if record.boot <= self.boot() || record.boot > EPOCH_MAX as u32 {
            return Err(format!("boot {} after boot {}", record.boot, self.boot()));
        }
        if Some(record.machine) != self.machine() {
            return Err(format!("boot of machine {}, which is not this one", record.machine.0));
        }
        self.boot = Some(record.clone());
        delta.layout_changed = true;
        Ok(())
    }

    fn apply_layout(&mut self, record: &LayoutRecord, delta: &mut Delta) -> Result<(), String> {
        if record.generation > self.generation_begun || record.cores == 0 || record.generation < self.generation() {
            return Err(format!("layout of generation {} with {} cores", record.generation, record.cores));
        }
        self.layout = Some(*record);
        self.core_loads = vec![0; usize::from(record.cores)];
        for partition in self.topics.iter().flat_map(|topic| &topic.partitions) {
            self.core_loads[usize::from(partition.core(record.cores).0)] += 1;
        }
        delta.layout_changed = true;
        Ok(())
    }

    fn apply_topic(&mut self, record: &TopicRecord, delta: &mut Delta) -> Result<(), String> {
        if self.deleted.contains(&record.id) {
            return Err(format!("topic {} ({}) was deleted before", record.name, record.id));
        }
        self.topics.create(record)?;
        delta.topics_created.push(record.id);
        Ok(())
    }

    fn apply_partition(&mut self, record: &PartitionRecord, delta: &mut Delta) -> Result<(), String> {
        let cores = self.layout.map(|layout| layout.cores).ok_or("a partition before the first layout")?;
        let name = TopicPartition { topic: record.topic, partition: record.partition };
        if !(0..=EPOCH_MAX).contains(&record.leader_epoch) {
            return Err(format!("leader epoch {} of partition {name}", record.leader_epoch));
        }
        match self.topics.set_partition(record, self.boot())? {
            None => delta.partitions_created.push(name),
            Some(placement) => {
                self.core_loads[(placement % u32::from(cores)) as usize] -= 1;
                delta.partitions_changed.push(name);
            }
        }
        self.core_loads[(record.placement % u32::from(cores)) as usize] += 1;
        Ok(())
    }

    fn apply_remove_topic(&mut self, id: TopicId, delta: &mut Delta) -> Result<(), String> {
        if let Some(topic) = self.topics.remove(id) {
            let cores = self.cores();
            for partition in &topic.partitions {
                self.core_loads[usize::from(partition.core(cores).0)] -= 1;
            }
        }
        if !Arc::make_mut(&mut self.deleted).insert(id) {
            return Err(format!("topic {id} deleted twice"));
        }
        delta.topics_deleted.push(id);
        Ok(())
    }

    fn apply_config(&mut self, record: &ConfigRecord, delta: &mut Delta) -> Result<(), String> {
        if record.resource_type == ResourceType::Topic {
            delta.configs_changed.push(self.topics.set_config(record)?);
            return Ok(());
        }
        let configs = Arc::make_mut(&mut self.broker_configs);
        let key = (record.resource_name.clone(), record.key.clone());
        match &record.value {
            Some(value) => configs.insert(key, value.clone()),
            None => configs.remove(&key),
        };
        delta.broker_configs_changed = true;
        Ok(())
    }

    /// Number of records applied: the offset of the next one. The last applied record is one below.
    pub fn end_offset(&self) -> u64 {
        self.end_offset
    }

    /// Kafka's cluster id; empty before the log is formatted.
    pub fn cluster_id(&self) -> &str {
        self.format.as_ref().map_or("", |format| &format.cluster_id)
    }

    /// The machine whose log this is.
    pub fn machine(&self) -> Option<MachineId> {
        self.format.as_ref().map(|format| format.machine)
    }

    /// The data directory's identity.
    pub fn directory_id(&self) -> Option<[u8; 16]> {
        self.format.as_ref().map(|format| format.directory_id)
    }

    /// Finalized features, by Kafka's name.
    pub fn features(&self) -> &BTreeMap<String, i16> {
        &self.features
    }

    /// Machines that registered.
    pub fn machines(&self) -> &BTreeMap<MachineId, RegisterMachineRecord> {
        &self.machines
    }

    /// Number of this start, 0 before the first.
    pub fn boot(&self) -> u32 {
        self.boot.as_ref().map_or(0, |boot| boot.boot)
    }

    /// True if the boot before this one ended with everything flushed (or there was none).
    pub fn previous_shutdown_clean(&self) -> bool {
        let previous = self.boot().saturating_sub(1);
        previous == 0 || self.clean_shutdown.as_ref().is_some_and(|shutdown| shutdown.boot == previous)
    }

    /// The generation in force, 0 before the first layout.
    pub fn generation(&self) -> u32 {
        self.layout.map_or(0, |layout| layout.generation)
    }

    /// Highest generation number ever used; a new one is one above (S19).
    pub fn generation_begun(&self) -> u32 {
        self.generation_begun
    }

    /// Number of cores of the generation in force, 0 before the first layout.
    pub fn cores(&self) -> u16 {
        self.layout.map_or(0, |layout| layout.cores)
    }

    /// First producer id that nobody was given.
    pub fn producer_id_next(&self) -> i64 {
        self.producer_id_next
    }

    /// All topics.
    pub fn topics(&self) -> &Topics {
        &self.topics
    }

    /// A live topic by name.
    pub fn topic_by_name(&self, name: &str) -> Option<&Arc<Topic>> {
        self.topics.by_name(name)
    }

    /// A live topic by id.
    pub fn topic(&self, id: TopicId) -> Option<&Arc<Topic>> {
        self.topics.by_id(id)
    }

    /// A partition of a live topic.
    pub fn partition(&self, partition: TopicPartition) -> Option<&Partition> {
        self.topic(partition.topic)?.partition(partition.partition)
    }

    /// The core of this machine on which a partition lives.
    pub fn core_of(&self, partition: TopicPartition) -> Option<CoreId> {
        self.partition(partition).map(|partition| partition.core(self.cores()))
    }

    /// A partition's leader epoch in this boot.
    pub fn leader_epoch(&self, partition: TopicPartition) -> Option<LeaderEpoch> {
        self.partition(partition).map(|partition| partition.leader_epoch(self.boot()))
    }

    /// Ids of topics that are gone, but may still be named by a frame, a checkpoint slot or a directory (S13).
    pub fn deleted(&self) -> &BTreeSet<TopicId> {
        &self.deleted
    }

    /// All broker configs of one machine (its id as text) or of all (empty name).
    pub fn broker_configs(&self, resource_name: &str) -> BTreeMap<String, String> {
        let from = (resource_name.to_string(), String::new());
        let named = self.broker_configs.range(from..).take_while(|((name, _), _)| name == resource_name);
        named.map(|((_, key), value)| (key.clone(), value.clone())).collect()
    }

    /// Partitions on each core.
    pub fn core_loads(&self) -> &[u32] {
        &self.core_loads
    }

    /// Asserts the invariants (simulator, tests).
    pub fn check(&self) {
        let mut loads = vec![0; usize::from(self.cores())];
        for topic in self.topics.iter() {
            assert!(!self.deleted.contains(&topic.id), "I4: {} is live and deleted", topic.id);
            assert_eq!(self.topic_by_name(&topic.name).map(|found| found.id), Some(topic.id));
            for partition in &topic.partitions {
                loads[usize::from(partition.core(self.cores()).0)] += 1;
                assert!(partition.leader_epoch(self.boot()).0 >= 0);
            }
        }
        assert_eq!(loads, self.core_loads, "I5");
        assert!(self.generation() <= self.generation_begun, "I3");
    }
}

#[cfg(test)]
mod tests;
