//! What a broker is told at construction. The runtime fills it from the configuration; nothing here changes later.

use crate::base::config::{Advertise, Config, ConfigValue, GroupSettings, TopicDefaults};
use crate::base::ids::CoreId;
use crate::base::limits::TAIL_CACHE_BYTES_LEAST;

/// Settings that every core of a machine shares.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// What topics get that do not say otherwise.
    pub topic_defaults: TopicDefaults,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// The data directory as clients are told of it; the runtime makes it absolute.
    pub log_dir: String,
    /// `fetch.max.bytes`.
    pub fetch_bytes_max: usize,
    /// What `tail.cache.bytes=auto` is; the runtime knows the memory.
    pub tail_cache_bytes_auto: u64,
    /// `fetch.memory.bytes`.
    pub fetch_memory_bytes: u64,
    /// What concerns consumer groups.
    pub groups: GroupSettings,
    /// What clients see of this machine.
    pub advertise: Advertise,
    /// The whole configuration as text, for clients that ask.
    pub values: Vec<ConfigValue>,
}

impl BrokerSettings {
    /// What the brokers need of a configuration.
    pub fn of(config: &Config) -> BrokerSettings {
        BrokerSettings {
            topic_defaults: config.topic_defaults,
            auto_create_topics: config.auto_create_topics,
            log_dir: config.data_dir.clone(),
            fetch_bytes_max: config.fetch_bytes_max,
            tail_cache_bytes_auto: TAIL_CACHE_BYTES_LEAST,
            fetch_memory_bytes: config.fetch_memory_bytes,
            groups: config.groups,
            advertise: config.advertise,
            values: config.values.clone(),
        }
    }

    /// The core whose broker clients are told of when a partition or the controller lives on `core`.
    pub(super) fn shown(&self, core: CoreId) -> CoreId {
        match self.advertise {
            Advertise::PerCore => core,
            Advertise::PerMachine => CoreId(0),
        }
    }

    /// Brokers that clients see.
    pub(super) fn shown_brokers(&self, cores: u16) -> impl Iterator<Item = CoreId> + use<> {
        let count = if self.advertise == Advertise::PerCore { cores } else { 1 };
        (0..count).map(CoreId)
    }
}

/// Where clients find a broker.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Host name or address; `None`: the local address that the client's connection arrived at.
    pub host: Option<String>,
    /// Its port.
    pub port: u16,
}
