//! CreatePartitions (key 37), versions 0-3. Any core takes it and passes it to core 0's controller; the answer leaves when the
//! partitions are durable and every core serves them.
//!
//! `count` is the new total: INVALID_PARTITIONS unless it grows. A topic that comes twice is answered once, with
//! INVALID_REQUEST.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::ControllerRequest;
use crate::broker::question::Question;
use crate::metadata::controller::Refused;
use crate::metadata::controller::create_partitions::{CreatePartitionsOutcome, MorePartitions};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    CreatePartitionsRequest, CreatePartitionsResponse, CreatePartitionsTopic, CreatePartitionsTopicResult, StrBytes,
    TopicName, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct CreatePartitions;

impl Api for CreatePartitions {
    const KEY: ApiKey = ApiKey::CreatePartitions;
    type Request = CreatePartitionsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<CreatePartitionsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: CreatePartitionsRequest, now: Now) -> Outcome {
        let names = request.topics.iter().map(|topic| topic.name.to_string()).collect();
        let validate_only = request.validate_only;
        let topics = request.topics.into_iter().map(more_partitions).collect();
        let question = Question::CreatePartitions { context: *context, names };
        broker.ask_within(
            request.timeout_ms,
            question,
            ControllerRequest::CreatePartitions { topics, validate_only },
            now,
        );
        Outcome::Parked
    }
}

fn more_partitions(topic: CreatePartitionsTopic) -> MorePartitions {
    let brokers = |assignment: crate::wire::messages::CreatePartitionsAssignment| {
        assignment.broker_ids.into_iter().map(|broker| broker.0).collect()
    };
    MorePartitions {
        name: topic.name.to_string(),
        count: topic.count,
        assignments: topic.assignments.map(|assignments| assignments.into_iter().map(brokers).collect()),
    }
}

/// The controller decided, or refused everything.
pub(in crate::broker) fn answered(
    broker: &mut Broker,
    context: &Context,
    names: Vec<String>,
    results: Result<Vec<CreatePartitionsOutcome>, Refused>,
) {
    let results = results.unwrap_or_else(|refused| {
        let refuse = |name| (name, Err(refused.clone()));
        names.into_iter().map(refuse).collect()
    });
    broker.counters.request_errors += u64::from(results.iter().any(|(_, outcome)| outcome.is_err()));
    let result = |(name, outcome): CreatePartitionsOutcome| {
        let answer = CreatePartitionsTopicResult::default().with_name(TopicName(StrBytes::from_string(name)));
        match outcome {
            Ok(()) => answer,
            Err(Refused { code, message }) => {
                answer.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    };
    let response = CreatePartitionsResponse::default().with_results(results.into_iter().map(result).collect());
    let frame = encode(response, context.version, context.correlation_id);
    broker.conclude(context, Outcome::Answer(frame));
}
