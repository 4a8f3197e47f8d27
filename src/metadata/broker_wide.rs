//! Values of broker configs that hold for all topics, layer over layer, as Kafka ranks them.
//!
//! | layer | set by | source |
//! |---|---|---|
//! | this machine's own | AlterConfigs on one broker: the brokers of a machine share a configuration | 2 |
//! | all machines' | AlterConfigs on the broker "" | 3 |
//! | fixed at the start | file, flag or environment | 4 |
//!
//! What no layer holds is left to the table of topic configs. A topic's own value beats them all.

use crate::base::config::TopicDefaults;
use crate::base::config::table;
use crate::base::ids::MachineId;
use crate::metadata::image::Image;
use crate::metadata::topic_config::{ConfigSource, TOPIC_CONFIGS, TopicConfig, topic_config};
use std::collections::BTreeMap;

/// See the module. Keys are broker configs' (`log.segment.bytes`, not `segment.bytes`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerWide {
    machine: BTreeMap<String, String>,
    cluster: BTreeMap<String, String>,
    fixed: BTreeMap<String, String>,
}

impl BrokerWide {
    /// Of the configuration alone. A value that is Kafka's default is left to the table.
    pub fn new(defaults: &TopicDefaults) -> BrokerWide {
        let time = if defaults.log_append_time { "LogAppendTime" } else { "CreateTime" };
        let values = [
            ("durability", defaults.durability.name().to_string()),
            ("max.message.bytes", defaults.message_bytes_max.to_string()),
            ("message.timestamp.type", time.to_string()),
            ("min.insync.replicas", defaults.min_insync_replicas.to_string()),
            ("retention.bytes", defaults.retention_bytes.to_string()),
            ("retention.ms", defaults.retention_ms.to_string()),
            ("segment.bytes", defaults.segment_bytes.to_string()),
            ("segment.ms", defaults.segment_ms.to_string()),
        ];
        let line = |key| topic_config(key).expect("a key of the table");
        let differs =
            values.into_iter().map(|(key, value)| (line(key), value)).filter(|(line, value)| line.default != value);
        BrokerWide {
            fixed: differs.map(|(line, value)| (line.broker_key.to_string(), value)).collect(),
            ..BrokerWide::default()
        }
    }

    /// The same configuration with what `image` says of this machine.
    pub fn of_image(&self, image: &Image) -> BrokerWide {
        let machine = image.machine().unwrap_or(MachineId(0));
        BrokerWide {
            machine: image.broker_configs(&resource_name(Some(machine))),
            cluster: image.broker_configs(&resource_name(None)),
            fixed: self.fixed.clone(),
        }
    }

    /// The value in force of a topic config for topics without their own, unless it is the table's default.
    pub fn get(&self, line: &TopicConfig) -> Option<&str> {
        self.layers(line.broker_key).map(|(value, _)| value).next()
    }

    /// Every layer's value of a broker config, the one in force first.
    pub fn layers(&self, broker_key: &str) -> impl Iterator<Item = (&str, ConfigSource)> + use<'_> {
        let layers = [
            (&self.machine, ConfigSource::DynamicBroker),
            (&self.cluster, ConfigSource::DynamicDefaultBroker),
            (&self.fixed, ConfigSource::StaticBroker),
        ];
        let found = layers.map(|(values, source)| values.get(broker_key).map(|value| (value.as_str(), source)));
        found.into_iter().flatten()
    }

    /// What was set for all machines while they run.
    pub fn cluster(&self) -> &BTreeMap<String, String> {
        &self.cluster
    }
}

/// Name under which records keep the configs of one machine, or of all.
pub fn resource_name(machine: Option<MachineId>) -> String {
    machine.map_or(String::new(), |machine| machine.0.to_string())
}

/// A broker config by its key, as far as it may change while the machine runs.
#[derive(Clone, Copy, Debug)]
pub enum Changeable {
    /// It holds for all topics that do not say otherwise.
    Topics(&'static TopicConfig),
    /// It concerns the machine itself.
    Machine(&'static table::Key),
}

/// Finds a broker config that may change while the machine runs.
pub fn changeable(broker_key: &str) -> Option<Changeable> {
    let line = TOPIC_CONFIGS.iter().find(|line| !line.broker_key.is_empty() && line.broker_key == broker_key);
    let own = || table::find(broker_key).filter(|key| key.live).map(Changeable::Machine);
    line.map(Changeable::Topics).or_else(own)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::record::*;
    use crate::metadata::topic_config::effective;

    fn image(configs: &[(&str, &str, &str)]) -> Image {
        let format = FormatRecord { cluster_id: "cluster".into(), machine: MachineId(3), directory_id: [1; 16] };
        let config = |(name, key, value): &(&str, &str, &str)| {
            Record::Config(ConfigRecord {
                resource_type: ResourceType::Broker,
                resource_name: name.to_string(),
                key: key.to_string(),
                value: Some(value.to_string()),
            })
        };
        let records: Vec<Record> = [Record::Format(format)].into_iter().chain(configs.iter().map(config)).collect();
        Image::new().apply(&records).expect("legal").0
    }

    #[test]
    fn the_machine_beats_the_cluster_and_the_cluster_the_file() {
        let fixed = BrokerWide { fixed: [("log.segment.bytes".into(), "1".into())].into(), ..BrokerWide::default() };
        let none = BTreeMap::new();
        let segment_bytes = |configs: &[(&str, &str, &str)]| {
            let wide = fixed.of_image(&image(configs));
            let layers: Vec<ConfigSource> = wide.layers("log.segment.bytes").map(|(_, source)| source).collect();
            (effective("segment.bytes", &none, &wide).to_string(), layers)
        };
        let (machine, cluster, file) =
            (ConfigSource::DynamicBroker, ConfigSource::DynamicDefaultBroker, ConfigSource::StaticBroker);
        let own = ("3", "log.segment.bytes", "3");
        let all = ("", "log.segment.bytes", "2");
        assert_eq!(segment_bytes(&[]), ("1".into(), vec![file]));
        assert_eq!(segment_bytes(&[all]), ("2".into(), vec![cluster, file]));
        assert_eq!(segment_bytes(&[own, all]), ("3".into(), vec![machine, cluster, file]));
        assert_eq!(segment_bytes(&[("4", "log.segment.bytes", "5")]), ("1".into(), vec![file]), "another machine's");
    }

    #[test]
    fn what_may_change() {
        assert!(matches!(changeable("log.retention.ms"), Some(Changeable::Topics(line)) if line.key == "retention.ms"));
        assert!(matches!(changeable("tail.cache.bytes"), Some(Changeable::Machine(_))));
        for fixed in ["num.partitions", "listeners", "log.dirs", "retention.ms", "", "no.such.key"] {
            assert!(changeable(fixed).is_none(), "{fixed}");
        }
    }
}
