//! Topics: create, delete, more partitions. One verdict per topic, in the order asked.

use crate::client::cluster::{Cluster, topic_name, topic_words};
use crate::client::failure::Failure;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::{CreatePartitionsRequest, CreateTopicsRequest, DeleteTopicsRequest};
use kafka_protocol::protocol::StrBytes;

/// A topic to be.
#[derive(Clone, Debug)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// -1: the broker's default.
    pub partitions: i32,
    /// -1: the broker's default.
    pub replicas: i16,
    /// Configs to set.
    pub configs: Vec<(String, String)>,
}

/// What became of one topic.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// Its name.
    pub topic: String,
    /// Done, or why not.
    pub result: Result<(), Failure>,
}

fn verdict(topic: &str, code: i16, message: Option<&str>, broker: &str) -> Verdict {
    let failed = || Failure::code(code, message).about(topic_words(topic)).from_broker(broker);
    Verdict { topic: topic.to_string(), result: if code == 0 { Ok(()) } else { Err(failed()) } }
}

/// Text of a message's optional string.
pub(crate) fn text(message: Option<&StrBytes>) -> Option<&str> {
    message.map(StrBytes::as_str)
}

/// Text into a message.
pub(crate) fn bytes(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

/// Creates topics, or with `dry` only asks whether it could be done.
pub fn create(cluster: &mut Cluster, topics: &[NewTopic], dry: bool) -> Result<Vec<Verdict>, Failure> {
    let wanted: Vec<CreatableTopic> = topics
        .iter()
        .map(|topic| {
            let config = |(name, value): &(String, String)| {
                CreatableTopicConfig::default().with_name(bytes(name)).with_value(Some(bytes(value)))
            };
            CreatableTopic::default()
                .with_name(topic_name(&topic.name))
                .with_num_partitions(topic.partitions)
                .with_replication_factor(topic.replicas)
                .with_configs(topic.configs.iter().map(config).collect())
        })
        .collect();
    let timeout_ms = cluster.patience().timeout_ms();
    let (answer, broker) = cluster.ask_controller(
        |_| {
            CreateTopicsRequest::default()
                .with_topics(wanted.clone())
                .with_timeout_ms(timeout_ms)
                .with_validate_only(dry)
        },
        |answer| answer.topics.first().map_or(0, |topic| topic.error_code),
    )?;
    let verdicts = answer.topics.iter();
    Ok(verdicts
        .map(|topic| verdict(&topic.name, topic.error_code, text(topic.error_message.as_ref()), &broker))
        .collect())
}

/// Deletes topics.
pub fn delete(cluster: &mut Cluster, names: &[String]) -> Result<Vec<Verdict>, Failure> {
    let timeout_ms = cluster.patience().timeout_ms();
    let (answer, broker) = cluster.ask_controller(
        |_| {
            DeleteTopicsRequest::default()
                .with_topic_names(names.iter().map(|name| topic_name(name)).collect())
                .with_timeout_ms(timeout_ms)
        },
        |answer| answer.responses.first().map_or(0, |topic| topic.error_code),
    )?;
    let verdicts = answer.responses.iter().map(|topic| {
        let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
        verdict(&name, topic.error_code, text(topic.error_message.as_ref()), &broker)
    });
    Ok(verdicts.collect())
}

/// Grows topics to so many partitions each.
pub fn grow(cluster: &mut Cluster, wanted: &[(String, i32)], dry: bool) -> Result<Vec<Verdict>, Failure> {
    let timeout_ms = cluster.patience().timeout_ms();
    let (answer, broker) = cluster.ask_controller(
        |_| {
            let topics = wanted.iter().map(|(name, count)| {
                CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(*count).with_assignments(None)
            });
            CreatePartitionsRequest::default()
                .with_topics(topics.collect())
                .with_timeout_ms(timeout_ms)
                .with_validate_only(dry)
        },
        |answer| answer.results.first().map_or(0, |topic| topic.error_code),
    )?;
    let verdicts = answer.results.iter();
    Ok(verdicts
        .map(|topic| verdict(&topic.name, topic.error_code, text(topic.error_message.as_ref()), &broker))
        .collect())
}
