//! DescribeTopicPartitions (key 75), version 0: topics and their partitions, page by page (KIP-966). Any core answers for all.
//!
//! - No topics mean all. Topics come by name, ascending, each once; those before the cursor's topic are left out.
//! - A page holds `response_partition_limit` partitions, 1 to [`DESCRIBED_PARTITIONS_MAX`]; the next cursor names the first
//!   partition that did not fit. A page that is full at the end of a topic names the next topic, existing or not.
//! - Named topics: unknown 3, illegal 17. With a cursor whose partition is negative, or whose topic is not among those named, each
//!   named topic gets INVALID_REQUEST (the answer has no error of its own, so with no topics it is empty, as in Kafka). A cursor
//!   beyond the last partition gives the topic without partitions.
//! - Topics are never created. Without an authorizer all operations are allowed.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::limits::DESCRIBED_PARTITIONS_MAX;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::partition::{INTERNAL_TOPICS, TOPIC_OPERATIONS};
use crate::metadata::controller::topic_name::validate_topic_name;
use crate::metadata::topics::{Partition, Topic};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    BrokerId, DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse,
    DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic, NextCursor, StrBytes, TopicName,
    Uuid, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::collections::BTreeSet;

/// See the module.
pub(super) struct DescribeTopicPartitions;

impl Api for DescribeTopicPartitions {
    const KEY: ApiKey = ApiKey::DescribeTopicPartitions;
    type Request = DescribeTopicPartitionsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DescribeTopicPartitionsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DescribeTopicPartitionsRequest, _: Now) -> Outcome {
        let response = match is_legal(&request) {
            true => describe(broker, &request),
            false => refused(&request),
        };
        let failed = response.topics.iter().any(|topic| topic.error_code != ErrorCode::None.code());
        broker.counters.request_errors += u64::from(failed);
        Outcome::Answer(encode(response, context.version, context.correlation_id))
    }
}

fn is_legal(request: &DescribeTopicPartitionsRequest) -> bool {
    let named = |name: &TopicName| request.topics.is_empty() || request.topics.iter().any(|topic| topic.name == *name);
    request.cursor.as_ref().is_none_or(|cursor| cursor.partition_index >= 0 && named(&cursor.topic_name))
}

fn refused(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let refuse = |name: &TopicName| {
        DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(name.clone()))
            .with_error_code(ErrorCode::InvalidRequest.code())
    };
    let topics = request.topics.iter().map(|topic| refuse(&topic.name)).collect();
    DescribeTopicPartitionsResponse::default().with_topics(topics)
}

fn describe(broker: &Broker, request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let image = &broker.image;
    let (from_topic, from_partition) = match &request.cursor {
        Some(cursor) => (cursor.topic_name.as_str(), cursor.partition_index as usize),
        None => ("", 0),
    };
    let names: BTreeSet<&str> = match request.topics.is_empty() {
        true => image.topics().iter().map(|topic| topic.name.as_str()).filter(|name| *name >= from_topic).collect(),
        false => request.topics.iter().map(|topic| topic.name.as_str()).filter(|name| *name >= from_topic).collect(),
    };
    let mut left = (request.response_partition_limit.max(1) as usize).min(DESCRIBED_PARTITIONS_MAX);
    let mut response = DescribeTopicPartitionsResponse::default();
    for name in names {
        if left == 0 {
            response.next_cursor = Some(cursor(name, 0));
            break;
        }
        let answer = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(TopicName(StrBytes::from_string(name.to_string()))))
            .with_is_internal(INTERNAL_TOPICS.contains(&name))
            .with_topic_authorized_operations(TOPIC_OPERATIONS);
        let Some(topic) = image.topic_by_name(name) else {
            let code = match validate_topic_name(name) {
                Ok(_) => ErrorCode::UnknownTopicOrPartition,
                Err(_) => ErrorCode::InvalidTopicException,
            };
            response.topics.push(answer.with_error_code(code.code()));
            continue;
        };
        let from = if name == from_topic { from_partition } else { 0 };
        let partitions = partitions(broker, topic, from, left);
        let next = from + partitions.len();
        left -= partitions.len();
        response.topics.push(answer.with_topic_id(Uuid::from_bytes(topic.id.0)).with_partitions(partitions));
        if next < topic.partitions.len() {
            response.next_cursor = Some(cursor(name, next));
            break;
        }
    }
    response
}

fn cursor(topic: &str, partition: usize) -> NextCursor {
    let name = TopicName(StrBytes::from_string(topic.to_string()));
    NextCursor::default().with_topic_name(name).with_partition_index(partition as i32)
}

fn partitions(
    broker: &Broker,
    topic: &Topic,
    from: usize,
    max: usize,
) -> Vec<DescribeTopicPartitionsResponsePartition> {
    let image = &broker.image;
    let one = |(index, partition): (usize, &Partition)| {
        let leader = BrokerId(broker.shown_id(partition.core(image.cores())).0);
        DescribeTopicPartitionsResponsePartition::default()
            .with_partition_index(index as i32)
            .with_leader_id(leader)
            .with_leader_epoch(partition.leader_epoch(image.boot()).0)
            .with_replica_nodes(vec![leader])
            .with_isr_nodes(vec![leader])
            .with_eligible_leader_replicas(Some(vec![]))
            .with_last_known_elr(Some(vec![]))
    };
    topic.partitions.iter().enumerate().skip(from).take(max).map(one).collect()
}
