//! ListOffsets (key 2), versions 1-9: the ends of a partition, and where a time is.
//!
//! | timestamp | from version | answer |
//! |---|---|---|
//! | -1 latest | 1 | high watermark; read_committed: last stable offset |
//! | -2 earliest | 1 | log start |
//! | -4 earliest local | 8 | log start: there is no tier |
//! | -5 latest tiered | 9 | -1: there is no tier |
//! | -3 largest timestamp | 7 | the first record that has it |
//! | 0 and above: by time | 1 | the first record, in order of offsets, that is not older |
//! | else, or below its version | | UNSUPPORTED_VERSION |
//!
//! By time the answer names a record, inside a compressed batch too, with its timestamp; offset and timestamp -1 without an error if
//! there is none. It may have to read and to decompress, so it is the log's effect and the request waits; answers keep their order.
//! The leader epoch in the answer (4 on) is the current one with -1, else that of the record. A partition named twice gets
//! INVALID_REQUEST, a topic without partitions is left out, as Kafka does. A replica id >= 0 is refused.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::offset::LeaderEpoch;
use crate::broker::api::{Api, Context, Held, Outcome};
use crate::broker::broker::Broker;
use crate::broker::delayed::search::{Awaited, SearchingListOffsets};
use crate::broker::forwarding::PartAnswer;
use crate::broker::partition::Led;
use crate::log::core_log::CoreLog;
use crate::log::effect::{ReadError, Ticket};
use crate::log::record_scan::{Aim, FoundRecord};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    ListOffsetsPartition, ListOffsetsPartitionResponse, ListOffsetsRequest, ListOffsetsResponse, ListOffsetsTopic,
    ListOffsetsTopicResponse, decode,
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
        let named = request
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|one| (&**topic.name, one.partition_index)));
        if let Some(wait) = broker.open_named(named) {
            return Outcome::Held(Held::ListOffsets(request), wait);
        }
        let repeated = repeated(&request.topics);
        let mut response = ListOffsetsResponse::default();
        let mut awaited = Vec::new();
        for topic in request.topics.iter().filter(|topic| !topic.partitions.is_empty()) {
            let mut answer = ListOffsetsTopicResponse::default().with_name(topic.name.clone());
            for partition in &topic.partitions {
                let twice = repeated.contains(&(topic.name.as_str(), partition.partition_index));
                let found = match twice || request.replica_id.0 >= 0 {
                    true => Err(ErrorCode::InvalidRequest),
                    false => find(broker, topic, partition, request.isolation_level, context.version),
                };
                let found = found.map(|found| match found {
                    Found::Here(offset, epoch) => (offset, -1, epoch),
                    Found::Searching(ticket) => {
                        awaited.push(Awaited { ticket, place: (response.topics.len(), answer.partitions.len()) });
                        NOTHING
                    }
                });
                let empty = ListOffsetsPartitionResponse::default().with_partition_index(partition.partition_index);
                answer.partitions.push(filled(empty, found));
            }
            response.topics.push(answer);
        }
        if awaited.is_empty() {
            return respond(broker, context, response);
        }
        broker.searches.wait(SearchingListOffsets { context: *context, response, awaited });
        Outcome::Parked
    }
}

fn respond(broker: &mut Broker, context: &Context, response: ListOffsetsResponse) -> Outcome {
    let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
    let failed = partitions.any(|partition| partition.error_code != ErrorCode::None.code());
    broker.counters.request_errors += u64::from(failed);
    context.respond(PartAnswer::ListOffsets(response))
}

/// A search ended; the answer leaves with the last one.
pub(in crate::broker) fn search_done(
    broker: &mut Broker,
    ticket: Ticket,
    found: Result<Option<FoundRecord>, ReadError>,
) {
    let found = match found {
        Ok(None) => Ok(NOTHING),
        Ok(Some(FoundRecord { offset, timestamp, leader_epoch })) => Ok((offset.0, timestamp, leader_epoch)),
        Err(ReadError::Offline) => Err(ErrorCode::KafkaStorageError),
        Err(ReadError::Gone) => Err(ErrorCode::UnknownTopicOrPartition),
    };
    let finished = broker.searches.done(ticket, |answer| *answer = filled(std::mem::take(answer), found));
    if let Some(SearchingListOffsets { context, response, .. }) = finished {
        let outcome = respond(broker, &context, response);
        broker.conclude(&context, outcome);
    }
}

fn repeated(topics: &[ListOffsetsTopic]) -> BTreeSet<(&str, i32)> {
    let mut seen = BTreeSet::new();
    let all =
        topics.iter().flat_map(|topic| topic.partitions.iter().map(|one| (topic.name.as_str(), one.partition_index)));
    all.filter(|name| !seen.insert(*name)).collect()
}

/// Offset, timestamp and leader epoch, -1 for none.
type Filling = (i64, i64, LeaderEpoch);

const UNKNOWN: LeaderEpoch = LeaderEpoch(-1);
/// No record is that young.
const NOTHING: Filling = (-1, -1, UNKNOWN);

/// One partition's answer.
enum Found {
    Here(i64, LeaderEpoch),
    Searching(Ticket),
}

fn find(
    broker: &mut Broker,
    topic: &ListOffsetsTopic,
    asked: &ListOffsetsPartition,
    isolation: i8,
    version: i16,
) -> Result<Found, ErrorCode> {
    let led = broker.open_led(&topic.name, asked.partition_index, asked.current_leader_epoch)?;
    find_in(&mut broker.log, led, asked.timestamp, isolation, version)
}

fn find_in(log: &mut CoreLog, led: Led, timestamp: i64, isolation: i8, version: i16) -> Result<Found, ErrorCode> {
    const READ_COMMITTED: i8 = 1;
    let offsets = log.offsets(led.id).expect("an open partition");
    let visible_end = if isolation == READ_COMMITTED { offsets.last_stable_offset } else { offsets.high_watermark };
    match timestamp {
        -1 => Ok(Found::Here(visible_end.0, led.leader_epoch)),
        -4 if version < 8 => Err(ErrorCode::UnsupportedVersion),
        -2 | -4 => {
            let epoch = log.epoch_at(led.id, offsets.log_start).unwrap_or(led.leader_epoch);
            Ok(Found::Here(offsets.log_start.0, epoch))
        }
        -5 if version >= 9 => Ok(Found::Here(-1, UNKNOWN)),
        -3 if version >= 7 => Ok(Found::Searching(log.search(led.id, Aim::Largest, visible_end))),
        0.. => Ok(Found::Searching(log.search(led.id, Aim::AtLeast(timestamp), visible_end))),
        _ => Err(ErrorCode::UnsupportedVersion),
    }
}

fn filled(answer: ListOffsetsPartitionResponse, found: Result<Filling, ErrorCode>) -> ListOffsetsPartitionResponse {
    let ((offset, timestamp, epoch), code) = match found {
        Ok(found) => (found, ErrorCode::None),
        Err(code) => (NOTHING, code),
    };
    answer.with_offset(offset).with_timestamp(timestamp).with_leader_epoch(epoch.0).with_error_code(code.code())
}
