//! CreateTopics (key 19), versions 2-7. Any core takes it and passes it to core 0's controller; the answer leaves when the
//! topics are durable and every core serves them.
//!
//! Version 4 on: -1 partitions or replication factor mean the broker's default. 5 on: counts and configs in the answer. 7 on:
//! the topic's id. A name that comes twice is answered once, with INVALID_REQUEST.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::ControllerRequest;
use crate::broker::question::Question;
use crate::metadata::controller::Refused;
use crate::metadata::controller::create_topics::{Assignment, CreateTopicResult, CreatedTopic, NewTopic};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    CreatableTopic, CreatableTopicConfigs, CreatableTopicResult, CreateTopicsRequest, CreateTopicsResponse, StrBytes,
    TopicName, Uuid, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct CreateTopics;

impl Api for CreateTopics {
    const KEY: ApiKey = ApiKey::CreateTopics;
    type Request = CreateTopicsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<CreateTopicsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: CreateTopicsRequest, now: Now) -> Outcome {
        let names = request.topics.iter().map(|topic| topic.name.to_string()).collect();
        let validate_only = request.validate_only;
        let topics = request.topics.into_iter().map(new_topic).collect();
        let question = Question::CreateTopics { context: *context, names };
        broker.ask_within(request.timeout_ms, question, ControllerRequest::CreateTopics { topics, validate_only }, now);
        Outcome::Parked
    }
}

fn new_topic(topic: CreatableTopic) -> NewTopic {
    let assignment = |assignment: crate::wire::messages::CreatableReplicaAssignment| Assignment {
        partition: assignment.partition_index,
        brokers: assignment.broker_ids.into_iter().map(|broker| broker.0).collect(),
    };
    let configs = topic.configs.into_iter();
    NewTopic {
        name: topic.name.to_string(),
        partitions: topic.num_partitions,
        replication_factor: topic.replication_factor,
        assignments: topic.assignments.into_iter().map(assignment).collect(),
        configs: configs.map(|config| (config.name.to_string(), config.value.map(|value| value.to_string()))).collect(),
    }
}

/// The controller decided, or refused everything.
pub(in crate::broker) fn answered(
    broker: &mut Broker,
    context: &Context,
    names: Vec<String>,
    results: Result<Vec<CreateTopicResult>, Refused>,
) {
    let results = results.unwrap_or_else(|refused| {
        let refuse = |name| CreateTopicResult { name, outcome: Err(refused.clone()) };
        names.into_iter().map(refuse).collect()
    });
    if results.iter().any(|result| result.outcome.is_err()) {
        broker.counters.request_errors += 1;
    }
    let response = CreateTopicsResponse::default().with_topics(results.into_iter().map(topic_result).collect());
    let frame = encode(response, context.version, context.correlation_id);
    broker.conclude(context, Outcome::Answer(frame));
}

fn topic_result(result: CreateTopicResult) -> CreatableTopicResult {
    let answer = CreatableTopicResult::default().with_name(TopicName(StrBytes::from_string(result.name)));
    match result.outcome {
        Err(Refused { code, message }) => answer
            .with_error_code(code.code())
            .with_error_message(Some(StrBytes::from_string(message)))
            .with_num_partitions(-1)
            .with_replication_factor(-1),
        Ok(CreatedTopic { id, partitions, replication_factor, configs }) => {
            let config = |entry: crate::metadata::topic_config::ConfigEntry| {
                CreatableTopicConfigs::default()
                    .with_name(StrBytes::from_static_str(entry.key))
                    .with_value(Some(StrBytes::from_string(entry.value)))
                    .with_config_source(entry.source as i8)
            };
            answer
                .with_error_message(None)
                .with_topic_id(Uuid::from_bytes(id.0))
                .with_num_partitions(partitions)
                .with_replication_factor(replication_factor)
                .with_configs(Some(configs.into_iter().map(config).collect()))
        }
    }
}
