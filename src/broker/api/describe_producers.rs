//! DescribeProducers (key 61), version 0: the idempotent producers that a partition remembers (KIP-664), by id.
//!
//! Each with its epoch, the sequence number of its last record and the largest timestamp of its newest batch. Without transactions
//! there is neither a coordinator epoch nor a start of an open transaction: -1. A producer is remembered until so many others have
//! written after it ([`PRODUCERS_PER_PARTITION_MAX`](crate::base::limits::PRODUCERS_PER_PARTITION_MAX)), not for a time as in Kafka.
//! Unknown 3, illegal name 17, another core's partition 6, offline 56. An answer holds [`DESCRIBED_PRODUCERS_MAX`] producers;
//! partitions beyond that get INVALID_REQUEST and are to be asked for by themselves.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::limits::DESCRIBED_PRODUCERS_MAX;
use crate::broker::api::{Api, Context, Held, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::PartAnswer;
use crate::broker::partition::ANY_EPOCH;
use crate::log::producer_state::Producer;
use crate::metadata::controller::Refused;
use crate::metadata::controller::topic_name::validate_topic_name;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    DescribeProducersRequest, DescribeProducersResponse, DescribedPartition, DescribedTopic, ProducerId, ProducerState,
    StrBytes, decode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct DescribeProducers;

impl Api for DescribeProducers {
    const KEY: ApiKey = ApiKey::DescribeProducers;
    type Request = DescribeProducersRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DescribeProducersRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DescribeProducersRequest, _: Now) -> Outcome {
        let named = request
            .topics
            .iter()
            .flat_map(|topic| topic.partition_indexes.iter().map(|index| (topic.name.as_str(), *index)));
        if let Some(wait) = broker.open_named(named) {
            return Outcome::Held(Held::DescribeProducers(request), wait);
        }
        let mut response = DescribeProducersResponse::default();
        let mut room = DESCRIBED_PRODUCERS_MAX;
        let mut failed = false;
        for topic in request.topics {
            let mut answer = DescribedTopic::default().with_name(topic.name.clone());
            for index in topic.partition_indexes {
                let empty = DescribedPartition::default().with_partition_index(index).with_error_message(None);
                let found = describe(broker, topic.name.as_str(), index, room);
                failed |= found.is_err();
                answer.partitions.push(match found {
                    Ok(producers) => {
                        room -= producers.len();
                        empty.with_active_producers(producers)
                    }
                    Err(Refused { code, message }) => {
                        empty.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
                    }
                });
            }
            response.topics.push(answer);
        }
        broker.counters.request_errors += u64::from(failed);
        context.respond(PartAnswer::DescribeProducers(response))
    }
}

fn describe(broker: &mut Broker, topic: &str, index: i32, room: usize) -> Result<Vec<ProducerState>, Refused> {
    validate_topic_name(topic).map_err(|why| Refused::new(ErrorCode::InvalidTopicException, why))?;
    let not_served = |code| Refused::new(code, format!("This broker does not serve partition {index} of '{topic}'."));
    let led = broker.open_led(topic, index, ANY_EPOCH).map_err(not_served)?;
    let producers = broker.log.producers(led.id).expect("an open partition");
    if producers.len() > room {
        let why = format!("An answer holds {DESCRIBED_PRODUCERS_MAX} producers: ask for fewer partitions at once.");
        return Err(Refused::new(ErrorCode::InvalidRequest, why));
    }
    let mut states: Vec<_> = producers.iter().map(|(id, producer)| state(id, producer)).collect();
    states.sort_unstable_by_key(|state| state.producer_id.0);
    Ok(states)
}

fn state(id: i64, producer: &Producer) -> ProducerState {
    ProducerState::default()
        .with_producer_id(ProducerId(id))
        .with_producer_epoch(i32::from(producer.epoch))
        .with_last_sequence(producer.batches.back().map_or(-1, |batch| batch.last_sequence))
        .with_last_timestamp(producer.last_timestamp)
        .with_coordinator_epoch(-1)
        .with_current_txn_start_offset(-1)
}
