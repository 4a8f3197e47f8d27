//! OffsetForLeaderEpoch (key 23), versions 2-4: where a leader epoch ended, so that consumers notice when what they read is gone
//! (KIP-320).
//!
//! The largest epoch at or below the asked one, and the offset where the next one starts; the current one ends at the log's end.
//! An epoch before all known ones ended where the first of them starts. -1/-1 without an error if nothing is known: the asked
//! epoch is negative or above the current one. Version 3 on: the replica id; 0 and above is refused.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::offset::{LeaderEpoch, Offset};
use crate::broker::api::{Api, Context, Held, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::PartAnswer;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    EpochEndOffset, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopicResult, decode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct OffsetForLeaderEpoch;

/// In version 2 the field is missing, and the decoder gives Kafka's word for a debugging consumer.
const REPLICA_ID_SINCE: i16 = 3;

impl Api for OffsetForLeaderEpoch {
    const KEY: ApiKey = ApiKey::OffsetForLeaderEpoch;
    type Request = OffsetForLeaderEpochRequest;

    fn decode(body: BytesMut, version: i16) -> Result<OffsetForLeaderEpochRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: OffsetForLeaderEpochRequest, _: Now) -> Outcome {
        let named =
            request.topics.iter().flat_map(|topic| topic.partitions.iter().map(|one| (&**topic.topic, one.partition)));
        if let Some(wait) = broker.open_named(named) {
            return Outcome::Held(Held::OffsetForLeaderEpoch(request), wait);
        }
        let from_replica = context.version >= REPLICA_ID_SINCE && request.replica_id.0 >= 0;
        let mut response = OffsetForLeaderEpochResponse::default();
        let mut failed = false;
        for topic in request.topics {
            let mut answer = OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone());
            for asked in &topic.partitions {
                let end = match from_replica {
                    true => Err(ErrorCode::InvalidRequest),
                    false => find(broker, &topic.topic, asked),
                };
                failed |= end.is_err();
                let empty = EpochEndOffset::default().with_partition(asked.partition);
                answer.partitions.push(match end {
                    Ok(Some((epoch, end))) => empty.with_leader_epoch(epoch.0).with_end_offset(end.0),
                    Ok(None) => empty,
                    Err(code) => empty.with_error_code(code.code()),
                });
            }
            response.topics.push(answer);
        }
        broker.counters.request_errors += u64::from(failed);
        context.respond(PartAnswer::OffsetForLeaderEpoch(response))
    }
}

fn find(
    broker: &mut Broker,
    topic: &str,
    asked: &OffsetForLeaderPartition,
) -> Result<Option<(LeaderEpoch, Offset)>, ErrorCode> {
    let led = broker.open_led(topic, asked.partition, asked.current_leader_epoch)?;
    Ok(broker.log.end_offset_for_epoch(led.id, LeaderEpoch(asked.leader_epoch), led.leader_epoch))
}
