//! Topics: create, delete, more partitions. One verdict per topic, in the order asked.

use crate::client::cluster::{Cluster, Topic, topic_name, topic_words};
use crate::client::failure::Failure;
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
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

/// In the order asked, whatever the order of the answer. Those that were done are waited for, until the metadata shows them.
fn conclude<'a>(
    cluster: &mut Cluster,
    asked: impl Iterator<Item = &'a str>,
    mut verdicts: Vec<Verdict>,
    shows: Option<impl Fn(&Topic) -> bool>,
) -> Result<Vec<Verdict>, Failure> {
    let asked: Vec<&str> = asked.collect();
    verdicts.sort_by_key(|verdict| asked.iter().position(|name| *name == verdict.topic));
    let done: Vec<&str> = verdicts.iter().filter(|one| one.result.is_ok()).map(|one| one.topic.as_str()).collect();
    if let Some(shows) = shows {
        cluster.settle(&done, shows)?;
    }
    Ok(verdicts)
}

/// Has leaders for this many partitions; -1: for whatever it has.
fn serves(topic: &Topic, partitions: i32) -> bool {
    let leaders = topic.partitions.iter().filter(|partition| partition.leader >= 0).count();
    topic.error == 0 && leaders == topic.partitions.len() && leaders as i64 >= i64::from(partitions.max(1))
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

/// First version of CreateTopics in which -1 asks for the broker's defaults.
const DEFAULTS_SINCE: i16 = 4;

/// Creates topics, or with `dry` only asks whether it could be done.
pub fn create(cluster: &mut Cluster, topics: &[NewTopic], dry: bool) -> Result<Vec<Verdict>, Failure> {
    let wanted = |topic: &NewTopic, version: i16| {
        let config = |(name, value): &(String, String)| {
            CreatableTopicConfig::default().with_name(bytes(name)).with_value(Some(bytes(value)))
        };
        // Brokers before Kafka 2.4 have no default to give (KIP-464).
        let one_of_old = if version < DEFAULTS_SINCE { 1 } else { -1 };
        let partitions = if topic.partitions == -1 { one_of_old } else { topic.partitions };
        let replicas = if topic.replicas == -1 { one_of_old as i16 } else { topic.replicas };
        CreatableTopic::default()
            .with_name(topic_name(&topic.name))
            .with_num_partitions(partitions)
            .with_replication_factor(replicas)
            .with_configs(topic.configs.iter().map(config).collect())
    };
    let timeout_ms = cluster.patience().timeout_ms();
    let (answer, broker) = cluster.ask_controller(
        |version| {
            CreateTopicsRequest::default()
                .with_topics(topics.iter().map(|topic| wanted(topic, version)).collect())
                .with_timeout_ms(timeout_ms)
                .with_validate_only(dry)
        },
        |answer| answer.topics.first().map_or(0, |topic| topic.error_code),
    )?;
    let told = |topic: &CreatableTopicResult| {
        verdict(&topic.name, topic.error_code, text(topic.error_message.as_ref()), &broker)
    };
    let verdicts = answer.topics.iter().map(told).collect();
    let shows = (!dry).then_some(|topic: &Topic| serves(topic, -1));
    conclude(cluster, topics.iter().map(|topic| topic.name.as_str()), verdicts, shows)
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
    let told = |topic: &DeletableTopicResult| {
        let name = topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default();
        verdict(&name, topic.error_code, text(topic.error_message.as_ref()), &broker)
    };
    let verdicts = answer.responses.iter().map(told).collect();
    conclude(cluster, names.iter().map(String::as_str), verdicts, Some(|topic: &Topic| topic.error != 0))
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
    let told = |topic: &CreatePartitionsTopicResult| {
        verdict(&topic.name, topic.error_code, text(topic.error_message.as_ref()), &broker)
    };
    let verdicts = answer.results.iter().map(told).collect();
    let count = |name: &str| wanted.iter().find(|(one, _)| one == name).map_or(-1, |(_, count)| *count);
    let shows = (!dry).then_some(|topic: &Topic| serves(topic, count(&topic.name)));
    conclude(cluster, wanted.iter().map(|(name, _)| name.as_str()), verdicts, shows)
}
