//! DeleteRecords (key 21), versions 0-2. Moves the log start; answered once that is flushed (S10).
//!
//! Offset -1 means the high watermark. Beyond it: OFFSET_OUT_OF_RANGE. Below the log start: success with the log start as it is.
//! A topic that is compacted and not deleted from gets POLICY_VIOLATION, as Kafka does.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::offset::{Offset, Sequence};
use crate::broker::api::{Api, Context, Held, Outcome, Wait};
use crate::broker::broker::Broker;
use crate::broker::delayed::flush::ParkedDelete;
use crate::broker::forwarding::PartAnswer;
use crate::broker::partition::{ANY_EPOCH, Led};
use crate::log::core_log::{AppendError, Appendable, CoreLog};
use crate::metadata::topic_config::TopicSettings;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    DeleteRecordsPartitionResult, DeleteRecordsRequest, DeleteRecordsResponse, DeleteRecordsTopicResult, decode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct DeleteRecords;

impl Api for DeleteRecords {
    const KEY: ApiKey = ApiKey::DeleteRecords;
    type Request = DeleteRecordsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DeleteRecordsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DeleteRecordsRequest, now: Now) -> Outcome {
        let named = request
            .topics
            .iter()
            .flat_map(|topic| topic.partitions.iter().map(|one| (&**topic.name, one.partition_index)));
        if let Some(wait) = broker.open_named(named) {
            return Outcome::Held(Held::DeleteRecords(request), wait);
        }
        let mut response = DeleteRecordsResponse::default();
        let mut last = Sequence::default();
        for topic in &request.topics {
            let mut answer = DeleteRecordsTopicResult::default().with_name(topic.name.clone());
            for partition in &topic.partitions {
                let result = delete(broker, &topic.name, partition.partition_index, partition.offset, now);
                let (low_watermark, code) = match result {
                    Ok((log_start, sequence)) => {
                        last = last.max(sequence);
                        (log_start.0, ErrorCode::None)
                    }
                    // All of it again then: what was moved already is not moved twice.
                    Err(Refusal::NoRoom) => return Outcome::Held(Held::DeleteRecords(request), Wait::Ring),
                    Err(Refusal::Code(code)) => (-1, code),
                };
                let result = DeleteRecordsPartitionResult::default().with_partition_index(partition.partition_index);
                answer.partitions.push(result.with_low_watermark(low_watermark).with_error_code(code.code()));
            }
            response.topics.push(answer);
        }
        let wait_ms = u64::try_from(request.timeout_ms).unwrap_or(0);
        let parked = ParkedDelete { response, context: *context, deadline_ns: now.monotonic_ns + wait_ms * 1_000_000 };
        match broker.deletes.park(context.answer, last, parked) {
            Some(parked) => context.respond(PartAnswer::DeleteRecords(parked.response)),
            None => Outcome::Parked,
        }
    }
}

/// Why a log start is not moved.
enum Refusal {
    Code(ErrorCode),
    /// The journal takes not even a control frame at the moment.
    NoRoom,
}

impl From<ErrorCode> for Refusal {
    fn from(code: ErrorCode) -> Refusal {
        Refusal::Code(code)
    }
}

fn delete(broker: &mut Broker, topic: &str, index: i32, offset: i64, now: Now) -> Result<(Offset, Sequence), Refusal> {
    let led = broker.open_led(topic, index, ANY_EPOCH)?;
    let topic = broker.image.topic(led.id.topic).expect("the topic of a partition");
    let TopicSettings { compacted, deleted, .. } = broker.topics.settings(topic);
    if compacted && !deleted {
        return Err(ErrorCode::PolicyViolation.into());
    }
    move_log_start(&mut broker.log, led, offset, now)
}

fn move_log_start(log: &mut CoreLog, led: Led, offset: i64, now: Now) -> Result<(Offset, Sequence), Refusal> {
    let offsets = log.offsets(led.id).expect("an open partition");
    let to = if offset == -1 { offsets.high_watermark } else { Offset(offset) };
    if to < Offset::ZERO || to > offsets.high_watermark {
        return Err(ErrorCode::OffsetOutOfRange.into());
    }
    let sequence = log.delete_records(led.id, to, now).map_err(|error| match error {
        AppendError::NotAppendable(Appendable::Paused) => Refusal::NoRoom,
        _ => Refusal::Code(ErrorCode::KafkaStorageError),
    })?;
    Ok((to.max(offsets.log_start), sequence))
}
