//! Configuration: one table of keys ([`table`]), four sources ([`Inputs`]), one typed result ([`Config`]).
//!
//! Pure: text in, values out. The command line reads the file and the environment. Every refusal is one line that names
//! where the value stood, the key, the value and what is expected.

pub mod kafka_keys;
pub mod listeners;
pub mod properties;
pub mod sources;
pub mod table;
#[cfg(test)]
mod tests;

use crate::base::ids::{CoreId, MachineId};
use crate::base::limits::JOURNAL_FRAME_OVERHEAD_BYTES_MAX;
use crate::base::offset::Durability;
use crate::base::storage::BLOCK_BYTES;
use listeners::{Endpoint, ListenerNames};
use sources::{Given, Rank, Setting};
use std::collections::BTreeMap;
use std::fmt;

pub use sources::Inputs;

/// Why a configuration is refused: one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigError(pub String);

impl fmt::Display for ConfigError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl std::error::Error for ConfigError {}

/// `advertise`: what clients see of a machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Advertise {
    /// A broker per core, each with a port of its own.
    PerCore,
    /// One broker with one port; whichever core a client reaches answers for all.
    PerMachine,
}

/// The configuration of one machine. Each field is one row of the table (or a pair of Kafka synonyms), checked.
#[derive(Clone, Debug)]
pub struct Config {
    /// `node.id`.
    pub machine: MachineId,
    /// `cluster.id`; `None`: made at the first start and kept.
    pub cluster_id: Option<String>,
    /// `cores`; `None`: the CPUs that this process may use.
    pub cores: Option<u16>,
    /// `listeners`.
    pub listener: Endpoint,
    /// `advertised.listeners`; `None`: the listener's host, or the address that the client used when that is a wildcard.
    pub advertised: Option<Endpoint>,
    /// `advertise`.
    pub advertise: Advertise,
    /// `max.connections`, per core.
    pub connections_max: usize,
    /// `connections.max.idle.ms`.
    pub connection_idle_ms_max: u64,
    /// `socket.request.max.bytes`.
    pub request_bytes_max: usize,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// What topics get that do not say otherwise.
    pub topic_defaults: TopicDefaults,
    /// `log.dirs`.
    pub data_dir: String,
    /// `journal.files`, per core.
    pub journal_files: usize,
    /// `journal.file.bytes`.
    pub journal_file_bytes: u64,
    /// `journal.accept.loss`.
    pub journal_accept_loss: bool,
    /// `journal.zeroed`.
    pub journal_zeroed: bool,
    /// `tail.cache.bytes`, per core; `None` for a share of the memory.
    pub tail_cache_bytes: Option<u64>,
    /// `log.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// `fetch.memory.bytes`, per core.
    pub fetch_memory_bytes: u64,
    /// What concerns consumer groups.
    pub groups: GroupSettings,
    /// Every row of the table as text, for clients that ask.
    pub values: Vec<ConfigValue>,
}

/// The rows that concern consumer groups.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupSettings {
    /// `group.initial.rebalance.delay.ms`.
    pub initial_delay_ms: u64,
    /// `group.min.session.timeout.ms`.
    pub session_ms_min: i32,
    /// `group.max.session.timeout.ms`.
    pub session_ms_max: i32,
    /// `group.max.size`.
    pub members_max: usize,
    /// `offset.metadata.max.bytes`.
    pub metadata_bytes_max: usize,
    /// `offsets.retention.minutes`.
    pub retention_ms: i64,
    /// `offsets.retention.check.interval.ms`.
    pub retention_check_ms: u64,
    /// `offsets.topic.num.partitions`.
    pub topic_partitions: i32,
    /// `offsets.topic.segment.bytes`.
    pub topic_segment_bytes: u64,
}

/// The value in force of one row of the table.
#[derive(Clone, Debug)]
pub struct ConfigValue {
    /// The row.
    pub key: &'static table::Key,
    /// Empty for none.
    pub value: String,
    /// Somebody set it: a file, the environment or a flag.
    pub given: bool,
}

/// The rows of scope `Topics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TopicDefaults {
    /// `num.partitions`.
    pub partitions: i32,
    /// `default.replication.factor`.
    pub replication_factor: i16,
    /// `min.insync.replicas`.
    pub min_insync_replicas: i32,
    /// `message.max.bytes`.
    pub message_bytes_max: usize,
    /// `durability`.
    pub durability: Durability,
    /// `log.message.timestamp.type` is LogAppendTime.
    pub log_append_time: bool,
    /// `log.segment.bytes`.
    pub segment_bytes: u64,
    /// `log.roll.ms` or `log.roll.hours`.
    pub segment_ms: u64,
    /// `log.retention.ms`, `log.retention.minutes` or `log.retention.hours`; -1: without bound.
    pub retention_ms: i64,
    /// `log.retention.bytes`; -1: without bound.
    pub retention_bytes: i64,
}

/// A configuration and what to tell the operator about it, once.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The values.
    pub config: Config,
    /// One line each.
    pub notices: Vec<String>,
}

impl Config {
    /// Reads all sources. The first thing that is wrong is the error.
    pub fn load(inputs: &Inputs) -> Result<Loaded, ConfigError> {
        let given = Given::collect(inputs)?;
        let resolved = Resolved { settings: given.settings, dev: inputs.dev };
        let config = resolved.config()?;
        let mut notices = given.notices;
        if config.listener.is_exposed() {
            notices.push(format!("listener {} is not loopback: anyone who reaches it may read and write, since this release has no authentication", config.listener));
        }
        Ok(Loaded { config, notices })
    }

    /// The defaults of `corelane dev`, for tests: `data_dir` and whatever `set` says.
    pub fn for_tests(data_dir: &str, set: &[(&str, &str)]) -> Config {
        let data_dir = [("log.dirs", data_dir)];
        let flags =
            data_dir.iter().chain(set).map(|(key, value)| (key.to_string(), key.to_string(), value.to_string()));
        let inputs = Inputs { flags: flags.collect(), dev: true, ..Inputs::default() };
        Config::load(&inputs).expect("a test's configuration is valid").config
    }

    /// Asks that ports exist for `cores` cores, once their number is known.
    pub fn check_cores(&self, cores: u16) -> Result<(), ConfigError> {
        assert!(cores > 0);
        if self.advertise == Advertise::PerMachine {
            return Ok(());
        }
        for endpoint in [Some(&self.listener), self.advertised.as_ref()].into_iter().flatten() {
            if endpoint.port_of(CoreId(cores - 1)).is_none() {
                return Err(ConfigError(format!(
                    "cores={cores}: core {} would listen on port {} + {}, above 65535",
                    cores - 1,
                    endpoint.port,
                    cores - 1
                )));
            }
        }
        Ok(())
    }
}

/// Given values over defaults.
struct Resolved {
    settings: BTreeMap<&'static str, Setting>,
    dev: bool,
}

impl Resolved {
    fn config(&self) -> Result<Config, ConfigError> {
        let names =
            ListenerNames::parse(self.text("controller.listener.names"), self.text("listener.security.protocol.map"));
        let names = names.map_err(|why| self.wrong("listener.security.protocol.map", &why))?;
        let endpoint = |key| names.client_endpoint(self.text(key)).map_err(|why| self.wrong(key, &why));
        let advertise = match self.text("advertise") {
            "per-machine" => Advertise::PerMachine,
            _ => Advertise::PerCore,
        };
        let config = Config {
            machine: MachineId(self.whole(self.stronger("node.id", "broker.id")) as i32),
            cluster_id: self.given("cluster.id").map(str::to_string),
            cores: self.text("cores").parse().ok(),
            listener: endpoint("listeners")?,
            advertised: self.given("advertised.listeners").map(|_| endpoint("advertised.listeners")).transpose()?,
            advertise,
            connections_max: self.whole("max.connections") as usize,
            connection_idle_ms_max: self.whole("connections.max.idle.ms"),
            request_bytes_max: self.whole("socket.request.max.bytes") as usize,
            fetch_bytes_max: self.whole("fetch.max.bytes") as usize,
            auto_create_topics: self.flag("auto.create.topics.enable"),
            topic_defaults: self.topic_defaults()?,
            data_dir: self.data_dir()?,
            journal_files: self.whole("journal.files") as usize,
            journal_file_bytes: self.whole("journal.file.bytes"),
            journal_accept_loss: self.flag("journal.accept.loss"),
            journal_zeroed: self.flag("journal.zeroed"),
            tail_cache_bytes: self.text("tail.cache.bytes").parse().ok(),
            retention_check_ms: self.whole("log.retention.check.interval.ms"),
            fetch_memory_bytes: self.whole("fetch.memory.bytes"),
            groups: self.groups(),
            values: table::KEYS.iter().map(|key| self.value(key)).collect(),
        };
        self.check_relations(&config)?;
        Ok(config)
    }

    fn topic_defaults(&self) -> Result<TopicDefaults, ConfigError> {
        let hours = self.whole("log.roll.hours");
        let roll = self.stronger("log.roll.ms", "log.roll.hours");
        let durability = Durability::parse(self.text("durability")).expect("the table lists the classes");
        Ok(TopicDefaults {
            partitions: self.whole("num.partitions") as i32,
            replication_factor: self.whole("default.replication.factor") as i16,
            min_insync_replicas: self.whole("min.insync.replicas") as i32,
            message_bytes_max: self.whole("message.max.bytes") as usize,
            durability,
            log_append_time: self.text("log.message.timestamp.type") == "LogAppendTime",
            segment_bytes: self.whole("log.segment.bytes"),
            segment_ms: if roll == "log.roll.ms" { self.whole(roll) } else { hours * 3_600_000 },
            retention_ms: self.retention_ms(),
            retention_bytes: self.signed("log.retention.bytes"),
        })
    }

    fn groups(&self) -> GroupSettings {
        GroupSettings {
            initial_delay_ms: self.whole("group.initial.rebalance.delay.ms"),
            session_ms_min: self.whole("group.min.session.timeout.ms") as i32,
            session_ms_max: self.whole("group.max.session.timeout.ms") as i32,
            members_max: self.whole("group.max.size") as usize,
            metadata_bytes_max: self.whole("offset.metadata.max.bytes") as usize,
            retention_ms: self.signed("offsets.retention.minutes") * 60_000,
            retention_check_ms: self.whole("offsets.retention.check.interval.ms"),
            topic_partitions: self.whole("offsets.topic.num.partitions") as i32,
            topic_segment_bytes: self.whole("offsets.topic.segment.bytes"),
        }
    }

    /// Kafka's three synonyms: the finer one counts when both come from the same source.
    fn retention_ms(&self) -> i64 {
        let coarser = self.stronger("log.retention.minutes", "log.retention.hours");
        let (key, unit) = match self.stronger("log.retention.ms", coarser) {
            "log.retention.ms" => ("log.retention.ms", 1),
            _ if coarser == "log.retention.minutes" => (coarser, 60_000),
            _ => ("log.retention.hours", 3_600_000),
        };
        match self.signed(key) {
            ..0 => -1,
            time => time * unit,
        }
    }

    fn data_dir(&self) -> Result<String, ConfigError> {
        let key = self.stronger("log.dirs", "log.dir");
        match self.given(key) {
            None => Err(ConfigError(
                "log.dirs is not set: name the data directory, e.g. log.dirs=/var/lib/corelane".to_string(),
            )),
            Some(list) if list.contains(',') => Err(self.wrong(key, "more than one data directory is not supported")),
            Some(path) => Ok(path.to_string()),
        }
    }

    /// Bounds between keys. The message names both.
    fn check_relations(&self, config: &Config) -> Result<(), ConfigError> {
        let batch = config.topic_defaults.message_bytes_max as u64;
        let needed = batch + JOURNAL_FRAME_OVERHEAD_BYTES_MAX;
        if !config.journal_file_bytes.is_multiple_of(BLOCK_BYTES) {
            return Err(self.wrong("journal.file.bytes", &format!("must be a multiple of {BLOCK_BYTES}")));
        }
        if needed > config.journal_file_bytes {
            let file = config.journal_file_bytes;
            let key = if self.settings.contains_key("journal.file.bytes") {
                "journal.file.bytes"
            } else {
                "message.max.bytes"
            };
            return Err(self.wrong(
                key,
                &format!("message.max.bytes={batch} and its frame ({needed} bytes) must fit journal.file.bytes={file}"),
            ));
        }
        if config.topic_defaults.message_bytes_max > config.request_bytes_max {
            return Err(self.wrong(
                "message.max.bytes",
                &format!("must be at most socket.request.max.bytes={}", config.request_bytes_max),
            ));
        }
        if config.advertised.as_ref().is_some_and(|advertised| advertised.is_wildcard()) {
            return Err(self.wrong("advertised.listeners", "clients cannot connect to a wildcard address; name a host"));
        }
        config.check_cores(config.cores.unwrap_or(1))
    }

    fn value(&self, key: &'static table::Key) -> ConfigValue {
        let given = self.settings.contains_key(key.name);
        ConfigValue { key, value: self.text(key.name).to_string(), given }
    }

    fn text(&self, name: &'static str) -> &str {
        let row = table::row(name);
        match self.settings.get(name) {
            Some(setting) => &setting.value,
            None if self.dev => row.dev_default.unwrap_or(row.default),
            None => row.default,
        }
    }

    /// The value, unless it is empty.
    fn given(&self, name: &'static str) -> Option<&str> {
        Some(self.text(name)).filter(|value| !value.is_empty())
    }

    /// The table's bounds were checked when the value was taken.
    fn whole(&self, name: &'static str) -> u64 {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name} has a checked value"))
    }

    /// The same for a key that may be negative.
    fn signed(&self, name: &'static str) -> i64 {
        self.text(name).parse().unwrap_or_else(|_| panic!("{name} has a checked value"))
    }

    fn flag(&self, name: &'static str) -> bool {
        self.text(name).eq_ignore_ascii_case("true")
    }

    /// Of two synonyms the one from the stronger source; `first` counts when both come from the same one.
    fn stronger(&self, first: &'static str, second: &'static str) -> &'static str {
        let rank = |name| match self.settings.get(name) {
            Some(setting) if !setting.value.is_empty() => setting.rank,
            _ => Rank::Default,
        };
        let first_is_empty = self.given(first).is_none();
        if rank(second) > rank(first) || (first_is_empty && rank(first) == rank(second)) { second } else { first }
    }

    fn wrong(&self, name: &'static str, why: &str) -> ConfigError {
        let origin = self.settings.get(name).map_or(name, |setting| setting.origin.as_str());
        ConfigError(format!("{origin}={}: {why}", self.text(name)))
    }
}
