//! Configs of topics: what they are and where they come from, and changes to single ones.

use crate::client::cluster::{Cluster, topic_words};
use crate::client::failure::Failure;
use crate::client::topics::{Verdict, bytes, text};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::{DescribeConfigsRequest, IncrementalAlterConfigsRequest};

/// A config as a broker describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Its key.
    pub name: String,
    /// Its value; none if it is secret, or has none.
    pub value: Option<String>,
    /// Kafka's number of where it comes from.
    pub source: i8,
    /// It cannot be changed.
    pub read_only: bool,
    /// Its value is not told.
    pub sensitive: bool,
}

impl Config {
    /// Set on the topic itself.
    pub fn is_own(&self) -> bool {
        self.source == DYNAMIC_TOPIC
    }

    /// Where it comes from, in Kafka's words.
    pub fn source_name(&self) -> &'static str {
        match self.source {
            DYNAMIC_TOPIC => "DYNAMIC_TOPIC_CONFIG",
            2 => "DYNAMIC_BROKER_CONFIG",
            3 => "DYNAMIC_DEFAULT_BROKER_CONFIG",
            4 => "STATIC_BROKER_CONFIG",
            5 => "DEFAULT_CONFIG",
            6 => "DYNAMIC_BROKER_LOGGER_CONFIG",
            _ => "UNKNOWN",
        }
    }

    /// Where it comes from, in short.
    pub fn source_word(&self) -> &'static str {
        match self.source {
            DYNAMIC_TOPIC => "topic",
            2 => "broker",
            3 => "all brokers",
            4 => "broker's file",
            5 => "default",
            _ => "unknown",
        }
    }
}

const DYNAMIC_TOPIC: i8 = 1;
const RESOURCE_TOPIC: i8 = 2;

/// What to do with a config.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// To this value.
    Set(String, String),
    /// Back to what brokers say.
    Delete(String),
    /// One more entry of a list.
    Append(String, String),
    /// One less.
    Subtract(String, String),
}

/// All configs of a topic, by name.
pub fn describe(cluster: &mut Cluster, topic: &str) -> Result<Vec<Config>, Failure> {
    let node = any_broker(cluster)?;
    let broker = cluster.broker_words(node);
    let answer = cluster.ask::<DescribeConfigsRequest>(node, |_| {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(RESOURCE_TOPIC)
            .with_resource_name(bytes(topic))
            .with_configuration_keys(None);
        DescribeConfigsRequest::default().with_resources(vec![resource])
    })?;
    let result =
        answer.results.into_iter().next().ok_or_else(|| Failure::protocol(&broker, "no answer for the topic"))?;
    if result.error_code != 0 {
        let failure = Failure::code(result.error_code, text(result.error_message.as_ref()));
        return Err(failure.about(topic_words(topic)).from_broker(&broker));
    }
    let read = |config: &kafka_protocol::messages::describe_configs_response::DescribeConfigsResourceResult| Config {
        name: config.name.to_string(),
        value: config.value.as_ref().map(ToString::to_string),
        source: config.config_source,
        read_only: config.read_only,
        sensitive: config.is_sensitive,
    };
    let mut configs: Vec<Config> = result.configs.iter().map(read).collect();
    configs.sort_by(|one, other| one.name.cmp(&other.name));
    Ok(configs)
}

/// Changes single configs of topics; the others stay. With `dry` the broker only checks.
pub fn alter(cluster: &mut Cluster, topics: &[String], changes: &[Change], dry: bool) -> Result<Vec<Verdict>, Failure> {
    let configs: Vec<AlterableConfig> = changes
        .iter()
        .map(|change| {
            let (operation, name, value) = match change {
                Change::Set(name, value) => (0, name, Some(value)),
                Change::Delete(name) => (1, name, None),
                Change::Append(name, value) => (2, name, Some(value)),
                Change::Subtract(name, value) => (3, name, Some(value)),
            };
            AlterableConfig::default()
                .with_name(bytes(name))
                .with_config_operation(operation)
                .with_value(value.map(|value| bytes(value)))
        })
        .collect();
    let resources = || {
        let resource = |topic: &String| {
            AlterConfigsResource::default()
                .with_resource_type(RESOURCE_TOPIC)
                .with_resource_name(bytes(topic))
                .with_configs(configs.clone())
        };
        topics.iter().map(resource).collect()
    };
    let (answer, broker) = cluster.ask_controller(
        |_| IncrementalAlterConfigsRequest::default().with_resources(resources()).with_validate_only(dry),
        |answer| answer.responses.first().map_or(0, |response| response.error_code),
    )?;
    let verdict =
        |response: &kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse| {
            let failure = Failure::code(response.error_code, text(response.error_message.as_ref()));
            let failure = failure.about(topic_words(&response.resource_name)).from_broker(&broker);
            let result = if response.error_code == 0 { Ok(()) } else { Err(failure) };
            Verdict { topic: response.resource_name.to_string(), result }
        };
    Ok(answer.responses.iter().map(verdict).collect())
}

fn any_broker(cluster: &Cluster) -> Result<i32, Failure> {
    cluster.brokers().next().map(|broker| broker.node).ok_or_else(|| Failure::here("the cluster lists no broker"))
}
