//! DeleteTopics (key 20), versions 1-6. Any core takes it and passes it to core 0's controller; the answer leaves when the
//! deletion is durable and no core serves the topic. Version 6 on: by id too. Parked requests of the topic end with an error.

use crate::base::clock::Now;
use crate::base::ids::TopicId;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::ControllerRequest;
use crate::broker::question::Question;
use crate::metadata::controller::Refused;
use crate::metadata::controller::delete_topics::{DeleteTopicResult, TopicSelector};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    DeletableTopicResult, DeleteTopicsRequest, DeleteTopicsResponse, StrBytes, TopicName, Uuid, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct DeleteTopics;

impl Api for DeleteTopics {
    const KEY: ApiKey = ApiKey::DeleteTopics;
    type Request = DeleteTopicsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DeleteTopicsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DeleteTopicsRequest, now: Now) -> Outcome {
        let by_name = |name: TopicName| TopicSelector { name: Some(name.to_string()), id: TopicId::ZERO };
        let topics: Vec<TopicSelector> = if context.version < 6 {
            request.topic_names.into_iter().map(by_name).collect()
        } else {
            let select = |topic: crate::wire::messages::DeleteTopicState| TopicSelector {
                name: topic.name.map(|name| name.to_string()),
                id: TopicId(topic.topic_id.into_bytes()),
            };
            request.topics.into_iter().map(select).collect()
        };
        let question = Question::DeleteTopics { context: *context, topics: topics.clone() };
        broker.ask_within(request.timeout_ms, question, ControllerRequest::DeleteTopics { topics }, now);
        Outcome::Parked
    }
}

/// The controller decided, or refused everything.
pub(in crate::broker) fn answered(
    broker: &mut Broker,
    context: &Context,
    topics: Vec<TopicSelector>,
    results: Result<Vec<DeleteTopicResult>, Refused>,
) {
    let results = results.unwrap_or_else(|refused| {
        let refuse = |TopicSelector { name, id }| DeleteTopicResult { name, id, outcome: Err(refused.clone()) };
        topics.into_iter().map(refuse).collect()
    });
    if results.iter().any(|result| result.outcome.is_err()) {
        broker.counters.request_errors += 1;
    }
    let response = DeleteTopicsResponse::default().with_responses(results.into_iter().map(topic_result).collect());
    let frame = encode(response, context.version, context.correlation_id);
    broker.conclude(context, Outcome::Answer(frame));
}

fn topic_result(result: DeleteTopicResult) -> DeletableTopicResult {
    let name = result.name.map(|name| TopicName(StrBytes::from_string(name)));
    let answer = DeletableTopicResult::default().with_name(name).with_topic_id(Uuid::from_bytes(result.id.0));
    match result.outcome {
        Ok(()) => answer.with_error_message(None),
        Err(Refused { code, message }) => {
            answer.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
        }
    }
}
