//! The topic configs that Kafka knows, and ours: type, default, bounds, and whether they are in force here.
//!
//! A config that is not in force yet (compaction, ...) is validated, stored and described; the broker warns about it
//! once. An override beats the broker-wide value, which beats Kafka's default.

use crate::base::offset::Durability;
use crate::metadata::broker_wide::BrokerWide;
use crate::metadata::topics::Topic;
use crate::wire::compression::Compression;
use std::collections::{BTreeMap, BTreeSet};

/// Values a config may have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Kind {
    /// A 32-bit integer within bounds.
    Int {
        /// Smallest legal value.
        min: i32,
        /// Largest legal value.
        max: i32,
    },
    /// A 32-bit integer within bounds, or -1.
    IntOrMinusOne {
        /// Smallest legal value but -1.
        min: i32,
        /// Largest legal value.
        max: i32,
    },
    /// A 64-bit integer within bounds.
    Long {
        /// Smallest legal value.
        min: i64,
        /// Largest legal value.
        max: i64,
    },
    /// A number within bounds.
    Double {
        /// Smallest legal value.
        min: f64,
        /// Largest legal value.
        max: f64,
    },
    /// `true` or `false`, in any case.
    Boolean,
    /// `true` is refused with these words: the machine has nothing that could do it.
    Never(&'static str),
    /// One of these words.
    OneOf(&'static [&'static str]),
    /// A comma-separated list of these words.
    ListOf(&'static [&'static str]),
    /// `*`, or a comma-separated list of `partition:broker`.
    ThrottledReplicas,
}

/// One line of the table.
#[derive(Clone, Copy, Debug)]
pub struct TopicConfig {
    /// Kafka's key of a topic.
    pub key: &'static str,
    /// The broker config that holds the broker-wide value; empty if there is none.
    pub broker_key: &'static str,
    /// Kafka's default.
    pub default: &'static str,
    /// What is legal.
    pub kind: Kind,
    /// True if a value other than the default changes what this broker does.
    pub in_force: bool,
    /// What it decides, for people.
    pub doc: &'static str,
}

const fn config(
    key: &'static str,
    broker_key: &'static str,
    default: &'static str,
    kind: Kind,
    doc: &'static str,
) -> TopicConfig {
    TopicConfig { key, broker_key, default, kind, in_force: false, doc }
}

const fn in_force(
    key: &'static str,
    broker_key: &'static str,
    default: &'static str,
    kind: Kind,
    doc: &'static str,
) -> TopicConfig {
    TopicConfig { in_force: true, ..config(key, broker_key, default, kind, doc) }
}

const LONG_MAX: &str = "9223372036854775807";
const TIMESTAMP_BEFORE_MAX_MS: i64 = i64::MAX;
const TIMESTAMP_AFTER_MAX_MS: i64 = 3_600_000;
const ANY: Kind = Kind::Long { min: i64::MIN, max: i64::MAX };
const NATURAL: Kind = Kind::Long { min: 0, max: i64::MAX };
const POSITIVE: Kind = Kind::Long { min: 1, max: i64::MAX };
const CODECS: Kind = Kind::OneOf(&["uncompressed", "zstd", "lz4", "snappy", "gzip", "producer"]);

/// Kafka's words for a machine without remote storage.
const NO_TIERS: Kind = Kind::Never(
    "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log storage.",
);
const SEGMENT_BYTES_MIN: i32 = 1024 * 1024;

/// Kafka's own way to tiny segments, for tests: beats `segment.bytes`, is described nowhere, and is as low as Kafka lets it be.
pub const INTERNAL_SEGMENT_BYTES: &TopicConfig = &in_force(
    "internal.segment.bytes",
    "",
    "1073741824",
    Kind::Int { min: 14, max: i32::MAX },
    "A segment file is closed at this size: for tests.",
);

/// All topic configs, ascending by key.
#[rustfmt::skip] // one row a line
pub const TOPIC_CONFIGS: &[TopicConfig] = &[
    config("cleanup.policy", "log.cleanup.policy", "delete", Kind::ListOf(&["compact", "delete"]), "What happens to old records: delete them by time and size, keep the newest of each key (compact), or both."),
    in_force("compression.gzip.level", "compression.gzip.level", "-1", Kind::IntOrMinusOne { min: 1, max: 9 }, "Level when the broker compresses with gzip."),
    config("compression.lz4.level", "compression.lz4.level", "9", Kind::Int { min: 1, max: 17 }, "Level when the broker compresses with lz4."),
    in_force("compression.type", "compression.type", "producer", CODECS, "The codec that batches are kept in; producer: as they came."),
    config("compression.zstd.level", "compression.zstd.level", "3", Kind::Int { min: -131_072, max: 22 }, "Level when the broker compresses with zstd."),
    config("delete.retention.ms", "log.cleaner.delete.retention.ms", "86400000", NATURAL, "How long the marker of a deleted key stays in a compacted topic, milliseconds."),
    in_force("durability", "durability", "disk", Kind::OneOf(&["disk", "device", "memory"]), "When acks=1 and acks=all are answered: after the flush (disk), after the write (device), or once appended (memory)."),
    config("file.delete.delay.ms", "log.segment.delete.delay.ms", "60000", NATURAL, "Time between dropping a segment and removing its file, milliseconds."),
    config("flush.messages", "log.flush.interval.messages", LONG_MAX, POSITIVE, "Records between two forced flushes; durability decides here."),
    config("flush.ms", "log.flush.interval.ms", LONG_MAX, NATURAL, "Time between two forced flushes, milliseconds; durability decides here."),
    config("follower.replication.throttled.replicas", "", "", Kind::ThrottledReplicas, "Replicas whose reading from the leader is throttled."),
    config("index.interval.bytes", "log.index.interval.bytes", "4096", Kind::Int { min: 0, max: i32::MAX }, "Bytes of records between two index entries."),
    config("leader.replication.throttled.replicas", "", "", Kind::ThrottledReplicas, "Replicas that the leader sends to at a throttled rate."),
    config("local.retention.bytes", "log.local.retention.bytes", "-2", Kind::Long { min: -2, max: i64::MAX }, "Bytes kept on local disks when older segments are in remote storage; -2: retention.bytes."),
    config("local.retention.ms", "log.local.retention.ms", "-2", Kind::Long { min: -2, max: i64::MAX }, "Time that segments stay on local disks when they are in remote storage, milliseconds; -2: retention.ms."),
    config("max.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms", LONG_MAX, POSITIVE, "A record is compacted after this long at the latest, milliseconds."),
    in_force("max.message.bytes", "message.max.bytes", "1048588", Kind::Int { min: 0, max: i32::MAX }, "Largest record batch that is accepted, as it comes (compressed)."),
    in_force("message.timestamp.after.max.ms", "log.message.timestamp.after.max.ms", "3600000", NATURAL, "How far a record's timestamp may be ahead of the broker's clock, milliseconds."),
    in_force("message.timestamp.before.max.ms", "log.message.timestamp.before.max.ms", LONG_MAX, NATURAL, "How far a record's timestamp may be behind the broker's clock, milliseconds."),
    in_force("message.timestamp.type", "log.message.timestamp.type", "CreateTime", Kind::OneOf(&["CreateTime", "LogAppendTime"]), "Whose clock a record carries: its producer's (CreateTime), or the broker's at the append (LogAppendTime)."),
    config("min.cleanable.dirty.ratio", "log.cleaner.min.cleanable.ratio", "0.5", Kind::Double { min: 0.0, max: 1.0 }, "Share of the log that must be uncompacted before it is compacted."),
    config("min.compaction.lag.ms", "log.cleaner.min.compaction.lag.ms", "0", NATURAL, "A record stays uncompacted for this long at least, milliseconds."),
    in_force("min.insync.replicas", "min.insync.replicas", "1", Kind::Int { min: 1, max: i32::MAX }, "Copies that acks=all waits for, at most the replication factor."),
    config("preallocate", "log.preallocate", "false", Kind::Boolean, "Whether a new segment file gets its whole size at once."),
    config("remote.log.copy.disable", "", "false", Kind::Boolean, "Whether copying to remote storage is switched off."),
    config("remote.log.delete.on.disable", "", "false", Kind::Boolean, "Whether remote segments are deleted when remote storage is switched off."),
    config("remote.storage.enable", "", "false", NO_TIERS, "Whether older segments are kept in remote storage."),
    in_force("retention.bytes", "log.retention.bytes", "-1", ANY, "Bytes of a partition beyond which its oldest segments are deleted; -1: no bound."),
    in_force("retention.ms", "log.retention.ms", "604800000", Kind::Long { min: -1, max: i64::MAX }, "Age beyond which segments are deleted, milliseconds; -1: no bound."),
    in_force("segment.bytes", "log.segment.bytes", "1073741824", Kind::Int { min: SEGMENT_BYTES_MIN, max: i32::MAX }, "A segment file is closed at this size."),
    config("segment.index.bytes", "log.index.size.max.bytes", "10485760", Kind::Int { min: 4, max: i32::MAX }, "Largest size of a segment's index."),
    config("segment.jitter.ms", "log.roll.jitter.ms", "0", NATURAL, "Spread of the age at which segments are closed, milliseconds."),
    in_force("segment.ms", "log.roll.ms", "604800000", POSITIVE, "A segment file is closed at this age, milliseconds."),
    config("unclean.leader.election.enable", "unclean.leader.election.enable", "false", Kind::Boolean, "Whether a replica that lacks records may become leader."),
];

/// The line of a key.
pub fn topic_config(key: &str) -> Option<&'static TopicConfig> {
    let listed = TOPIC_CONFIGS.binary_search_by(|line| line.key.cmp(key)).ok().map(|index| &TOPIC_CONFIGS[index]);
    listed.or_else(|| (key == INTERNAL_SEGMENT_BYTES.key).then_some(INTERNAL_SEGMENT_BYTES))
}

/// Why an override is not legal: names key, value and what would be.
pub fn validate_topic_config(key: &str, value: Option<&str>) -> Result<&'static TopicConfig, String> {
    let Some(line) = topic_config(key) else {
        let known = TOPIC_CONFIGS.iter().map(|line| (strsim::damerau_levenshtein(key, line.key), line.key));
        let nearest = known.min().filter(|(distance, _)| *distance <= 5);
        let hint = nearest.map_or(String::new(), |(_, nearest)| format!(" (nearest: {nearest})"));
        return Err(format!("Unknown topic config name: {}{hint}", key.chars().take(60).collect::<String>()));
    };
    let Some(value) = value else {
        return Err(format!("Null value not supported for topic configs: {key}"));
    };
    match line.kind.fault(value) {
        None => Ok(line),
        Some(why) if matches!(line.kind, Kind::Never(words) if words == why) => Err(why),
        Some(why) => {
            let shown: String = value.chars().take(60).collect();
            Err(format!("Invalid value {shown} for configuration {key}: {why}"))
        }
    }
}

/// Faults between overrides, each of which is legal by itself.
pub fn validate_topic_configs_together(
    overrides: &BTreeMap<String, String>,
    broker: &BrokerWide,
) -> Result<(), String> {
    let number = |key| effective(key, overrides, broker).trim().parse::<i64>().unwrap_or(0);
    let (min, max) = (number("min.compaction.lag.ms"), number("max.compaction.lag.ms"));
    if min > max {
        return Err(format!("conflict: min.compaction.lag.ms ({min}) is above max.compaction.lag.ms ({max})"));
    }
    Ok(())
}

/// A config's value in force: the override, else the broker-wide value, else Kafka's default. The key must be in the table.
pub fn effective<'a>(key: &str, overrides: &'a BTreeMap<String, String>, broker: &'a BrokerWide) -> &'a str {
    let line = topic_config(key).expect("a key of the table");
    overrides.get(key).map(String::as_str).or_else(|| broker.get(line)).unwrap_or(line.default)
}

impl Kind {
    fn fault(self, value: &str) -> Option<String> {
        let trimmed = value.trim();
        match self {
            Kind::Int { min, max } => number_fault(trimmed, min, max),
            Kind::IntOrMinusOne { min, max } => match trimmed.parse() {
                Ok(-1) => None,
                Ok(number) if (min..=max).contains(&number) => None,
                _ => Some(format!("Value must be between {min} and {max} or equal to -1")),
            },
            Kind::Long { min, max } => number_fault(trimmed, min, max),
            Kind::Double { min, max } => number_fault(trimmed, min, max),
            Kind::Boolean => {
                let legal = trimmed.eq_ignore_ascii_case("true") || trimmed.eq_ignore_ascii_case("false");
                (!legal).then(|| "Expected value to be either true or false".to_string())
            }
            Kind::Never(words) if trimmed.eq_ignore_ascii_case("true") => Some(words.to_string()),
            Kind::Never(_) => Kind::Boolean.fault(value),
            Kind::OneOf(words) => {
                (!words.contains(&value)).then(|| format!("String must be one of: {}", words.join(", ")))
            }
            Kind::ListOf(words) => {
                let legal = trimmed.is_empty() || trimmed.split(',').all(|word| words.contains(&word.trim()));
                (!legal).then(|| format!("String must be one of: {}", words.join(", ")))
            }
            Kind::ThrottledReplicas => {
                let pair = |text: &str| {
                    text.trim().split_once(':').is_some_and(|(partition, broker)| {
                        partition.trim().parse::<u32>().is_ok() && broker.trim().parse::<u32>().is_ok()
                    })
                };
                let legal = trimmed.is_empty() || trimmed == "*" || trimmed.split(',').all(pair);
                (!legal).then(|| "must be the literal '*' or a list of partition:broker".to_string())
            }
        }
    }
}

fn number_fault<T: std::str::FromStr + PartialOrd + std::fmt::Display>(value: &str, min: T, max: T) -> Option<String> {
    match value.parse::<T>() {
        Err(_) => Some(format!("Not a number between {min} and {max}")),
        Ok(number) if number < min => Some(format!("Value must be at least {min}")),
        Ok(number) if number > max => Some(format!("Value must be no more than {max}")),
        Ok(number) => (!(number >= min && number <= max)).then(|| format!("Not a number between {min} and {max}")),
    }
}

/// Which time a topic's batches carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimestampType {
    /// The producer's.
    CreateTime,
    /// The broker's, of the append.
    LogAppendTime,
}

/// The configs in force of one topic, as values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicSettings {
    /// When an append is acknowledged.
    pub durability: Durability,
    /// Largest batch accepted.
    pub max_message_bytes: usize,
    /// Size at which a segment is rolled.
    pub segment_bytes: u64,
    /// Age at which a segment is rolled.
    pub segment_ms: u64,
    /// Segments older than this go; `None`: none do.
    pub retention_ms: Option<u64>,
    /// Bytes that stay at least; `None`: all do.
    pub retention_bytes: Option<u64>,
    /// Whose time counts.
    pub timestamp_type: TimestampType,
    /// How far a record's timestamp may be behind the broker's clock, milliseconds.
    pub timestamp_before_max_ms: i64,
    /// How far it may be ahead.
    pub timestamp_after_max_ms: i64,
    /// What records are kept in; `None`: as they came.
    pub compression: Option<Compression>,
    /// Compared as the smaller of this and the replication factor.
    pub min_insync_replicas: i32,
    /// `cleanup.policy` names `compact`: null keys are refused.
    pub compacted: bool,
    /// `cleanup.policy` names `delete`: records may be deleted.
    pub deleted: bool,
}

impl TopicSettings {
    /// Of a topic with its overrides. Values were validated on the way in.
    pub fn new(overrides: &BTreeMap<String, String>, broker: &BrokerWide) -> TopicSettings {
        let text = |key| effective(key, overrides, broker).trim();
        let number = |key| text(key).parse::<i64>().expect("a validated number");
        TopicSettings {
            durability: Durability::parse(text("durability")).expect("a validated durability"),
            max_message_bytes: number("max.message.bytes") as usize,
            segment_bytes: match overrides.get(INTERNAL_SEGMENT_BYTES.key) {
                Some(bytes) => bytes.trim().parse().expect("a validated number"),
                None => number("segment.bytes") as u64,
            },
            segment_ms: number("segment.ms") as u64,
            retention_ms: u64::try_from(number("retention.ms")).ok(),
            retention_bytes: u64::try_from(number("retention.bytes")).ok(),
            timestamp_type: match text("message.timestamp.type") {
                "LogAppendTime" => TimestampType::LogAppendTime,
                _ => TimestampType::CreateTime,
            },
            timestamp_before_max_ms: number("message.timestamp.before.max.ms"),
            timestamp_after_max_ms: number("message.timestamp.after.max.ms"),
            compression: Compression::named(text("compression.type"), number("compression.gzip.level") as i32),
            min_insync_replicas: number("min.insync.replicas") as i32,
            compacted: text("cleanup.policy").split(',').any(|word| word.trim() == "compact"),
            deleted: text("cleanup.policy").split(',').any(|word| word.trim() == "delete"),
        }
    }

    /// Each batch's records have to be looked at for their timestamps. With Kafka's defaults the header's largest one will do: nobody
    /// sends records a day ahead in a batch that denies it.
    pub fn looks_at_timestamps(&self) -> bool {
        let defaults = (TIMESTAMP_BEFORE_MAX_MS, TIMESTAMP_AFTER_MAX_MS);
        (self.timestamp_before_max_ms, self.timestamp_after_max_ms) != defaults
    }

    /// Of a topic of the image.
    pub fn of(topic: &Topic, broker: &BrokerWide) -> TopicSettings {
        TopicSettings::new(&topic.configs, broker)
    }
}

/// Where a config's value comes from; the numbers are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum ConfigSource {
    /// An override of the topic.
    Topic = 1,
    /// Set for one broker while it runs.
    DynamicBroker = 2,
    /// Set for all brokers while they run.
    DynamicDefaultBroker = 3,
    /// Broker-wide, from file, flag or environment.
    StaticBroker = 4,
    /// Kafka's default.
    Default = 5,
}

/// One config of a topic as clients see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigEntry {
    /// Key.
    pub key: &'static str,
    /// Value in force.
    pub value: String,
    /// Where the value comes from.
    pub source: ConfigSource,
}

/// All configs of a topic with these overrides, ascending by key.
pub fn describe_topic_configs(overrides: &BTreeMap<String, String>, broker: &BrokerWide) -> Vec<ConfigEntry> {
    let entry = |line: &TopicConfig| ConfigEntry {
        key: line.key,
        value: effective(line.key, overrides, broker).to_string(),
        source: match overrides.contains_key(line.key) {
            true => ConfigSource::Topic,
            false => broker.layers(line.broker_key).next().map_or(ConfigSource::Default, |(_, source)| source),
        },
    };
    TOPIC_CONFIGS.iter().map(entry).collect()
}

/// Which configs the operator was told of because they are stored, but not in force in this release: each once in a run.
#[derive(Debug, Default)]
pub struct IdleConfigs {
    told: BTreeSet<&'static str>,
}

impl IdleConfigs {
    /// Those of these overrides that are idle, differ from their default, and were not told before.
    pub fn news<'a>(&mut self, overrides: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<&'static str> {
        let idle = |(key, value): (&str, &str)| {
            topic_config(key).filter(|line| !line.in_force && line.default != value).map(|line| line.key)
        };
        overrides.filter_map(idle).filter(|key| self.told.insert(key)).collect()
    }
}

const _: () = {
    let mut index = 1;
    while index < TOPIC_CONFIGS.len() {
        assert!(ascending(TOPIC_CONFIGS[index - 1].key.as_bytes(), TOPIC_CONFIGS[index].key.as_bytes()));
        index += 1;
    }
};

const fn ascending(lower: &[u8], upper: &[u8]) -> bool {
    let mut index = 0;
    while index < lower.len() && index < upper.len() {
        if lower[index] != upper[index] {
            return lower[index] < upper[index];
        }
        index += 1;
    }
    lower.len() < upper.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::config::Config;

    fn overrides(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn every_default_is_legal_and_of_the_expected_type() {
        for line in TOPIC_CONFIGS {
            assert!(validate_topic_config(line.key, Some(line.default)).is_ok(), "{}", line.key);
        }
        let settings = TopicSettings::new(&BTreeMap::new(), &BrokerWide::default());
        assert_eq!(settings.durability, Durability::Disk);
        assert_eq!(settings.max_message_bytes, 1_048_588);
        assert_eq!((settings.segment_bytes, settings.segment_ms), (1 << 30, 604_800_000));
        assert_eq!((settings.retention_ms, settings.retention_bytes), (Some(604_800_000), None));
        assert_eq!((settings.min_insync_replicas, settings.compacted), (1, false));
        assert_eq!(settings.timestamp_type, TimestampType::CreateTime);
    }

    #[test]
    fn faults_name_key_value_and_bounds() {
        let fault = |key, value| validate_topic_config(key, Some(value)).expect_err(value);
        assert_eq!(
            fault("segment.bytes", "1048575"),
            "Invalid value 1048575 for configuration segment.bytes: Value must be at least 1048576"
        );
        assert_eq!(
            fault("compression.gzip.level", "0"),
            "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"
        );
        assert!(fault("remote.storage.enable", "TRUE").starts_with("Tiered Storage functionality is disabled"));
        assert!(fault("remote.storage.enable", "perhaps").contains("true or false"));
        assert_eq!(
            fault("message.downconversion.enable", "true"),
            "Unknown topic config name: message.downconversion.enable"
        );
        for (key, value) in [("compression.gzip.level", "-1"), ("compression.gzip.level", "9")] {
            assert!(validate_topic_config(key, Some(value)).is_ok());
        }
        assert_eq!(
            fault("min.cleanable.dirty.ratio", "1.5"),
            "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"
        );
        assert!(fault("min.cleanable.dirty.ratio", "NaN").contains("Not a number"));
        assert!(fault("segment.bytes", "2147483648").contains("Not a number between 1048576 and 2147483647"));
        assert!(fault("max.compaction.lag.ms", "0").contains("at least 1"));
        assert!(fault("cleanup.policy", "compact,shred").contains("one of: compact, delete"));
        assert!(fault("durability", "paper").contains("one of: disk, device, memory"));
        assert!(fault("preallocate", "yes").contains("true or false"));
        assert!(fault("leader.replication.throttled.replicas", "1-2").contains("partition:broker"));
        assert_eq!(fault("segment.byte", "1"), "Unknown topic config name: segment.byte (nearest: segment.bytes)");
        assert_eq!(fault("no.such.thing.at.all", "1"), "Unknown topic config name: no.such.thing.at.all");
        assert!(validate_topic_config("internal.segment.bytes", Some("14")).is_ok());
        assert_eq!(
            TopicSettings::new(&overrides(&[("internal.segment.bytes", "14")]), &BrokerWide::default()).segment_bytes,
            14
        );
        assert!(validate_topic_config("segment.ms", None).expect_err("null").contains("Null value"));
        let pair = overrides(&[("min.compaction.lag.ms", "5"), ("max.compaction.lag.ms", "4")]);
        assert!(validate_topic_configs_together(&pair, &BrokerWide::default()).is_err());
    }

    #[test]
    fn an_override_beats_the_broker_and_the_broker_beats_kafka() {
        let defaults = Config::for_tests("data", &[("log.segment.bytes", "1000000"), ("log.roll.ms", "1000")]);
        let defaults = BrokerWide::new(&defaults.topic_defaults);
        let topic = overrides(&[("segment.bytes", "2000000"), ("cleanup.policy", "delete, compact")]);
        let settings = TopicSettings::new(&topic, &defaults);
        assert_eq!((settings.segment_bytes, settings.segment_ms, settings.compacted), (2_000_000, 1000, true));
        let entries = describe_topic_configs(&topic, &defaults);
        let source = |key| entries.iter().find(|entry| entry.key == key).map(|entry| entry.source);
        assert_eq!(source("segment.bytes"), Some(ConfigSource::Topic));
        assert_eq!(source("segment.ms"), Some(ConfigSource::StaticBroker));
        assert_eq!(source("retention.ms"), Some(ConfigSource::Default));
        let mut idle = IdleConfigs::default();
        let mut news = || idle.news(topic.iter().map(|(key, value)| (key.as_str(), value.as_str())));
        assert_eq!(news(), ["cleanup.policy"]);
        assert!(news().is_empty(), "once");
    }
}
