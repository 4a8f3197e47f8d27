//! ListOffsets (key 2), versions 1-9: the ends of a partition.
//!
//! | timestamp | from version | answer |
//! |---|---|---|
//! | -1 latest | 1 | high watermark; read_committed: last stable offset |
//! | -2 earliest | 1 | log start |
//! | -4 earliest local | 8 | log start: there is no tier |
//! | -5 latest tiered | 9 | -1: there is no tier |
//! | -3 largest timestamp | 7 | UNSUPPORTED_VERSION: in a later release |
//! | 0 and above: by time | 1 | UNSUPPORTED_FOR_MESSAGE_FORMAT: in a later release |
//! | else, or below its version | | UNSUPPORTED_VERSION |
//!
//! Kafka's own error for "this log cannot be searched by time" is UNSUPPORTED_FOR_MESSAGE_FORMAT: librdkafka reports it, the Java
//! consumer leaves the partition out of its answer; UNSUPPORTED_VERSION there would be retried until the timeout.
//! The leader epoch in the answer (4 on) is the current one with -1, else unknown. A partition named twice gets INVALID_REQUEST,
//! a topic without partitions is left out, as Kafka does. A replica id >= 0 is refused.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::offset::LeaderEpoch;
use crate::broker::api::{Api, Context, Held, Outcome, Wait};
use crate::broker::broker::Broker;
use crate::broker::partition::{Led, NotLed, check_epoch, find_led};
use crate::log::core_log::{Openness, PartitionOffsets};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
    ListOffsetsTopicResponse, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::collections::BTreeSet;

/// See the module.
pub(super) struct ListOffsets;

impl Api for ListOffsets {
    const KEY: ApiKey = ApiKey::ListOffsets;
    type Request = ListOffsetsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<ListOffsetsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: ListOffsetsRequest, _: Now) -> Outcome {
        if let Some(wait) = opening(broker, &request) {
            return Outcome::Held(Held::ListOffsets(request), wait);
        }
        let repeated = repeated(&request.topics);
        let mut response = ListOffsetsResponse::default();
        let mut failed = false;
        for topic in request.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
            let mut answer = ListOffsetsTopicResponse::default().with_name(topic.name.clone());
            for partition in &topic.partitions {
                let twice = repeated.contains(&(topic.name.as_str(), partition.partition_index));
                let found = match twice || request.replica_id.0 >= 0 {
                    true => Err(ErrorCode::InvalidRequest),
                    false => find(broker, topic, partition, request.isolation_level, context.version),
                };
                failed |= found.is_err();
                answer.partitions.push(partition_answer(partition.partition_index, found));
            }
            response.topics.push(answer);
        }
        broker.counters.request_errors += u64::from(failed);
        Outcome::Answer(encode(response, context.version, context.correlation_id))
    }
}

/// A partition that is being loaded. Loads all of them at once.
fn opening(broker: &mut Broker, request: &ListOffsetsRequest) -> Option<Wait> {
    let Broker { core, image, log, .. } = broker;
    let mut wait = None;
    for topic in &request.topics {
        let Some(known) = image.topic_by_name(&topic.name) else { continue };
        for partition in &topic.partitions {
            let Ok(led) = find_led(image, *core, known, partition.partition_index) else { continue };
            if log.open(led.id) == Openness::Opening {
                wait = Some(Wait::Partition(led.id));
            }
        }
    }
    wait
}

fn repeated(topics: &[ListOffsetsTopic]) -> BTreeSet<(&str, i32)> {
    let mut seen = BTreeSet::new();
    let all =
        topics.iter().flat_map(|topic| topic.partitions.iter().map(|one| (topic.name.as_str(), one.partition_index)));
    all.filter(|name| !seen.insert(*name)).collect()
}

/// Offset and leader epoch, -1 for none.
type Found = Result<(i64, LeaderEpoch), ErrorCode>;

fn find(
    broker: &mut Broker,
    topic: &ListOffsetsTopic,
    asked: &ListOffsetsPartition,
    isolation: i8,
    version: i16,
) -> Found {
    let Broker { core, image, log, .. } = broker;
    let known = image.topic_by_name(&topic.name).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let led = find_led(image, *core, known, asked.partition_index).map_err(NotLed::code)?;
    check_epoch(asked.current_leader_epoch, led.leader_epoch)?;
    match log.open(led.id) {
        Openness::Open => {}
        Openness::Opening | Openness::Unknown => return Err(ErrorCode::UnknownTopicOrPartition),
        Openness::Offline => return Err(ErrorCode::KafkaStorageError),
    }
    let offsets = log.offsets(led.id).expect("an open partition");
    offset_at(asked.timestamp, version, isolation, led, offsets)
}

fn offset_at(timestamp: i64, version: i16, isolation: i8, led: Led, offsets: PartitionOffsets) -> Found {
    const READ_COMMITTED: i8 = 1;
    const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);
    match timestamp {
        -1 if isolation == READ_COMMITTED => Ok((offsets.last_stable_offset.0, led.leader_epoch)),
        -1 => Ok((offsets.high_watermark.0, led.leader_epoch)),
        -2 => Ok((offsets.log_start.0, UNKNOWN)),
        -4 if version >= 8 => Ok((offsets.log_start.0, UNKNOWN)),
        -5 if version >= 9 => Ok((-1, UNKNOWN)),
        0.. => Err(ErrorCode::UnsupportedForMessageFormat),
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

fn partition_answer(index: i32, found: Found) -> ListOffsetsPartitionResponse {
    let answer = ListOffsetsPartitionResponse::default().with_partition_index(index).with_timestamp(-1);
    match found {
        Ok((offset, epoch)) => answer.with_offset(offset).with_leader_epoch(epoch.0),
        Err(code) => answer.with_offset(-1).with_leader_epoch(-1).with_error_code(code.code()),
    }
}
