//! DescribeLogDirs (key 35), versions 1-4: what the partitions of this core take on the disk. Each core is a broker and answers for
//! its own; they share one data directory. With `advertise=per-machine` all cores are asked.
//!
//! The size of a partition is that of its segment files and of what only the journal has of it (`CoreLog::disk_bytes`). Null topics
//! mean all; unknown topics and partitions, and those of other cores, are left out, as in Kafka. Version 4 on: size and free space of
//! the file system, -1 until they are known. A core whose journal has failed says KAFKA_STORAGE_ERROR, with the sizes. No replica is
//! ever behind or on its way to another directory: lag 0, never a future one.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::TopicPartition;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::{PartAnswer, PartRequest};
use crate::metadata::topics::Topic;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    DescribableLogDirTopic, DescribeLogDirsPartition, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeLogDirsResult, DescribeLogDirsTopic, StrBytes, TopicName, decode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub(super) struct DescribeLogDirs;

impl Api for DescribeLogDirs {
    const KEY: ApiKey = ApiKey::DescribeLogDirs;
    type Request = DescribeLogDirsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DescribeLogDirsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DescribeLogDirsRequest, now: Now) -> Outcome {
        if broker.answers_for_machine(context) {
            return broker.ask_every_core(context, || PartRequest::DescribeLogDirs(request.clone()), now);
        }
        let mut dir = DescribeLogDirsResult::default()
            .with_log_dir(StrBytes::from_string(broker.settings.log_dir.clone()))
            .with_topics(match &request.topics {
                None => all_topics(broker),
                Some(topics) => named_topics(broker, topics),
            });
        if let Some(space) = broker.space {
            dir.total_bytes = space.total_bytes as i64;
            dir.usable_bytes = space.free_bytes as i64;
        }
        if broker.log.is_read_only() {
            dir.error_code = ErrorCode::KafkaStorageError.code();
        }
        let response = DescribeLogDirsResponse::default().with_results(vec![dir]);
        context.respond(PartAnswer::DescribeLogDirs(response))
    }
}

fn all_topics(broker: &Broker) -> Vec<DescribeLogDirsTopic> {
    let topics = broker.image.topics().iter();
    topics.filter_map(|topic| described(broker, topic, 0..topic.partitions.len() as i32)).collect()
}

/// Each topic and partition once, however often it is named.
fn named_topics(broker: &Broker, named: &[DescribableLogDirTopic]) -> Vec<DescribeLogDirsTopic> {
    let mut asked: BTreeMap<&str, BTreeSet<i32>> = BTreeMap::new();
    for topic in named {
        asked.entry(topic.topic.as_str()).or_default().extend(&topic.partitions);
    }
    let known = asked.into_iter().filter_map(|(name, indexes)| Some((broker.image.topic_by_name(name)?, indexes)));
    known.filter_map(|(topic, indexes)| described(broker, topic, indexes.into_iter())).collect()
}

/// `None` if this core has none of the partitions.
fn described(broker: &Broker, topic: &Topic, indexes: impl Iterator<Item = i32>) -> Option<DescribeLogDirsTopic> {
    let size = |index: i32| {
        let bytes = broker.log.disk_bytes(TopicPartition { topic: topic.id, partition: index })?;
        Some(DescribeLogDirsPartition::default().with_partition_index(index).with_partition_size(bytes as i64))
    };
    let partitions: Vec<_> = indexes.filter_map(size).collect();
    let name = TopicName(StrBytes::from_string(topic.name.clone()));
    (!partitions.is_empty()).then(|| DescribeLogDirsTopic::default().with_name(name).with_partitions(partitions))
}
