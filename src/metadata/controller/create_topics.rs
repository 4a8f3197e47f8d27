//! CreateTopics and automatic creation.

use crate::base::error_code::ErrorCode;
use crate::base::ids::{CoreId, TopicId};
use crate::base::limits;
use crate::base::prng::Prng;
use crate::metadata::controller::new_partition::{assigned_core, check_partition_bounds, new_partition};
use crate::metadata::controller::topic_name::validate_topic_name;
use crate::metadata::controller::{ControllerSettings, Decision, Refused};
use crate::metadata::image::Image;
use crate::metadata::placement::Placer;
use crate::metadata::record::*;
use crate::metadata::topic_config::*;
use crate::metadata::topics::collision_key;
use std::collections::{BTreeMap, BTreeSet};

/// A topic to be made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// Number of partitions; -1 for the broker's default, and with assignments.
    pub partitions: i32,
    /// Replication factor; -1 for the broker's default, and with assignments.
    pub replication_factor: i16,
    /// Manual assignment; empty: the controller places.
    pub assignments: Vec<Assignment>,
    /// Config overrides.
    pub configs: Vec<(String, Option<String>)>,
}

/// Who shall hold a partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Assignment {
    /// Partition index.
    pub partition: i32,
    /// Broker ids, preferred leader first.
    pub brokers: Vec<i32>,
}

/// What became of one topic of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreateTopicResult {
    /// Its name.
    pub name: String,
    /// The topic, or why there is none.
    pub outcome: Result<CreatedTopic, Refused>,
}

/// A topic that was made (or would be, when only validated).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CreatedTopic {
    /// Its id; zero when only validated.
    pub id: TopicId,
    /// Number of partitions.
    pub partitions: i32,
    /// Replication factor.
    pub replication_factor: i16,
    /// All its configs.
    pub configs: Vec<ConfigEntry>,
}

/// Decides about a CreateTopics request. `entropy` gives the topic ids.
pub fn create_topics(
    image: &Image,
    settings: &ControllerSettings,
    topics: &[NewTopic],
    validate_only: bool,
    entropy: &mut Prng,
) -> Decision<Vec<CreateTopicResult>> {
    let mut creation = Creation::new(image, settings, entropy);
    let mut answer = Vec::new();
    for (index, topic) in topics.iter().enumerate() {
        let outcome = match creation.duplicate(topics, index) {
            Duplicate::Later => continue,
            Duplicate::First => {
                Err(Refused::new(ErrorCode::InvalidRequest, format!("Duplicate topic name {}.", topic.name)))
            }
            Duplicate::None => creation.create(topic, validate_only),
        };
        answer.push(CreateTopicResult { name: topic.name.clone(), outcome });
    }
    let records = if validate_only { Vec::new() } else { creation.records };
    Decision { records, answer }
}

/// Makes topics that somebody asked Metadata for, with the broker's defaults. A topic that exists already is a success.
pub fn auto_create_topics(
    image: &Image,
    settings: &ControllerSettings,
    names: &[String],
    entropy: &mut Prng,
) -> Decision<Vec<(String, Result<TopicId, Refused>)>> {
    let mut creation = Creation::new(image, settings, entropy);
    let mut answer = Vec::new();
    let names: BTreeSet<&String> = names.iter().collect();
    for name in names {
        let outcome = match image.topic_by_name(name) {
            Some(topic) => Ok(topic.id),
            None => {
                let topic =
                    NewTopic { name: name.clone(), partitions: -1, replication_factor: -1, ..NewTopic::default() };
                creation.create(&topic, false).map(|created| created.id)
            }
        };
        answer.push((name.clone(), outcome));
    }
    Decision { records: creation.records, answer }
}

enum Duplicate {
    None,
    First,
    Later,
}

/// One request's work. Topics see the ones before them in the request.
struct Creation<'a> {
    image: &'a Image,
    settings: &'a ControllerSettings,
    entropy: &'a mut Prng,
    placer: Placer,
    records: Vec<Record>,
    config_bytes: usize,
    partitions: usize,
    /// Collision keys of the topics made by this request.
    collisions: BTreeMap<String, String>,
    /// Names in the request, with how often they are there.
    names: Option<BTreeMap<String, usize>>,
}

impl<'a> Creation<'a> {
    fn new(image: &'a Image, settings: &'a ControllerSettings, entropy: &'a mut Prng) -> Creation<'a> {
        Creation {
            image,
            settings,
            entropy,
            placer: Placer::new(image),
            records: Vec::new(),
            config_bytes: 0,
            partitions: 0,
            collisions: BTreeMap::new(),
            names: None,
        }
    }

    /// Kafka answers a repeated name once, with an error.
    fn duplicate(&mut self, topics: &[NewTopic], index: usize) -> Duplicate {
        let names = self.names.get_or_insert_with(|| {
            let mut names = BTreeMap::new();
            topics.iter().for_each(|topic| *names.entry(topic.name.clone()).or_default() += 1);
            names
        });
        let count = names.get_mut(&topics[index].name).expect("counted");
        match *count {
            0 => Duplicate::Later,
            1 => Duplicate::None,
            _ => {
                *count = 0;
                Duplicate::First
            }
        }
    }

    fn create(&mut self, topic: &NewTopic, validate_only: bool) -> Result<CreatedTopic, Refused> {
        self.check_name(&topic.name)?;
        let configs = self.check_configs(topic)?;
        let (placements, replication_factor) =
            if topic.assignments.is_empty() { self.check_counts(topic)? } else { (self.check_assignments(topic)?, 1) };
        self.check_bounds(topic, placements.len())?;
        let id = if validate_only { TopicId::ZERO } else { self.new_topic_id() };
        let partitions = placements.len() as i32;
        self.partitions += placements.len();
        if let Some(key) = collision_key(&topic.name) {
            self.collisions.insert(key, topic.name.clone());
        }
        self.push_records(topic, id, &placements);
        let broker_wide = &self.settings.broker_wide;
        Ok(CreatedTopic { id, partitions, replication_factor, configs: describe_topic_configs(&configs, broker_wide) })
    }

    fn check_name(&self, name: &str) -> Result<(), Refused> {
        validate_topic_name(name).map_err(|why| Refused::new(ErrorCode::InvalidTopicException, why))?;
        if name == CLUSTER_METADATA_TOPIC {
            let why = format!("Creation of internal topic {name} is prohibited.");
            return Err(Refused::new(ErrorCode::InvalidRequest, why));
        }
        if self.image.topic_by_name(name).is_some() {
            return Err(Refused::new(ErrorCode::TopicAlreadyExists, format!("Topic '{name}' already exists.")));
        }
        let existing = self.image.topics().collision(name).map(|topic| topic.name.as_str());
        let requested = collision_key(name).and_then(|key| self.collisions.get(&key)).map(String::as_str);
        if let Some(other) = existing.or(requested) {
            let why = format!("Topic '{name}' collides with existing topic: {other}");
            return Err(Refused::new(ErrorCode::InvalidTopicException, why));
        }
        Ok(())
    }

    fn check_configs(&self, topic: &NewTopic) -> Result<BTreeMap<String, String>, Refused> {
        let invalid = |why| Refused::new(ErrorCode::InvalidConfig, why);
        let mut configs = BTreeMap::new();
        for (key, value) in &topic.configs {
            validate_topic_config(key, value.as_deref()).map_err(invalid)?;
            configs.insert(key.clone(), value.clone().expect("validated"));
        }
        validate_topic_configs_together(&configs, &self.settings.broker_wide).map_err(invalid)?;
        Ok(configs)
    }

    /// Number of partitions and replication factor without assignments; gives a core for each partition.
    fn check_counts(&self, topic: &NewTopic) -> Result<(Vec<Option<CoreId>>, i16), Refused> {
        let partitions = match topic.partitions {
            -1 => self.settings.num_partitions,
            count => count,
        };
        if partitions < 1 {
            let why = "Number of partitions was set to an invalid non-positive value.";
            return Err(Refused::new(ErrorCode::InvalidPartitions, why));
        }
        let machines = self.image.machines().len().max(1);
        let factor = match topic.replication_factor {
            -1 if self.settings.default_replication_factor == -1 => machines.min(3) as i16,
            -1 => self.settings.default_replication_factor,
            factor => factor,
        };
        if factor < 1 {
            let why = "Replication factor must be larger than 0, or -1 to use the default value.";
            return Err(Refused::new(ErrorCode::InvalidReplicationFactor, why));
        }
        if factor as usize > machines {
            let why = format!(
                "Unable to replicate the partition {factor} time(s): only {machines} machine(s) are registered, and \
                 each copy needs a machine of its own (the brokers of one machine are its cores)."
            );
            return Err(Refused::new(ErrorCode::InvalidReplicationFactor, why));
        }
        let room = limits::PARTITIONS_PER_REQUEST_MAX + 1;
        Ok((vec![None; (partitions as usize).min(room)], factor))
    }

    /// A manual assignment; gives the core of each partition's only replica.
    fn check_assignments(&self, topic: &NewTopic) -> Result<Vec<Option<CoreId>>, Refused> {
        for (wrong, name) in
            [(topic.replication_factor != -1, "replication factor"), (topic.partitions != -1, "numPartitions")]
        {
            if wrong {
                let why = format!("A manual partition assignment was specified, but {name} was not set to -1.");
                return Err(Refused::new(ErrorCode::InvalidRequest, why));
            }
        }
        let invalid = |why: String| Err(Refused::new(ErrorCode::InvalidReplicaAssignment, why));
        let mut cores = BTreeMap::new();
        for Assignment { partition, brokers } in &topic.assignments {
            let core = assigned_core(self.image, brokers)?;
            if cores.insert(*partition, Some(core)).is_some() {
                return invalid(format!("Found multiple manual partition assignments for partition {partition}"));
            }
        }
        if cores.keys().zip(0..).any(|(partition, expected)| *partition != expected) {
            return invalid("partitions should be a consecutive 0-based integer sequence".to_string());
        }
        Ok(cores.into_values().collect())
    }

    fn check_bounds(&self, topic: &NewTopic, partitions: usize) -> Result<(), Refused> {
        check_partition_bounds(self.image, self.partitions + partitions)?;
        let refuse = |why| Err(Refused::new(ErrorCode::PolicyViolation, why));
        if self.config_bytes + config_bytes(topic) > limits::METADATA_REQUEST_CONFIG_BYTES_MAX {
            let max = limits::METADATA_REQUEST_CONFIG_BYTES_MAX;
            return refuse(format!("The configs of one request may have {max} bytes in all."));
        }
        Ok(())
    }

    fn new_topic_id(&mut self) -> TopicId {
        loop {
            let mut bytes = [0; 16];
            bytes[..8].copy_from_slice(&self.entropy.next_u64().to_be_bytes());
            bytes[8..].copy_from_slice(&self.entropy.next_u64().to_be_bytes());
            // A version 4 UUID; in Kafka's base64 form it shall not look like an option of a command line ("-...").
            bytes[6] = bytes[6] & 0x0F | 0x40;
            bytes[8] = bytes[8] & 0x3F | 0x80;
            let id = TopicId(bytes);
            if bytes[0] >> 2 != 62 && self.image.topic(id).is_none() && !self.image.deleted().contains(&id) {
                return id;
            }
        }
    }

    fn push_records(&mut self, topic: &NewTopic, id: TopicId, cores: &[Option<CoreId>]) {
        self.records.push(Record::Topic(TopicRecord { name: topic.name.clone(), id }));
        for (core, partition) in cores.iter().zip(0..) {
            self.records.push(new_partition(self.image, &mut self.placer, id, partition, *core));
        }
        self.config_bytes += config_bytes(topic);
        for (key, value) in &topic.configs {
            self.records.push(Record::Config(ConfigRecord {
                resource_type: ResourceType::Topic,
                resource_name: topic.name.clone(),
                key: key.clone(),
                value: value.clone(),
            }));
        }
    }
}

/// About what the configs of a topic take in the log; a key may be repeated.
fn config_bytes(topic: &NewTopic) -> usize {
    let value_bytes = |value: &Option<String>| value.as_ref().map_or(0, String::len);
    topic.configs.iter().map(|(key, value)| topic.name.len() + key.len() + value_bytes(value)).sum()
}

/// The name of KRaft's own log, which no topic may have.
const CLUSTER_METADATA_TOPIC: &str = "__cluster_metadata";

#[cfg(test)]
mod tests;
