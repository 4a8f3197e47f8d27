//! Metadata (key 3), versions 0-12. Every core is a broker of its own here: broker id `machine * 1000 + core`, port of that core,
//! leader of the partitions placed on it. The controller is core 0's broker. With `advertise=per-machine` there is one broker,
//! that of core 0, which leads everything.
//!
//! - Null topics (version 0: the empty list) mean all, an empty list none.
//! - A missing topic is created if the request names it, allows it (4 on) and `auto.create.topics.enable` is set; the answer then
//!   waits until every core serves it. Kafka's internal topics are never created by asking.
//! - Unknown name 3, illegal name 17; 10 on: topic ids in answers; 12 on: by id whatever the name beside it (Java sends an empty
//!   one), unknown id 100, zero id without name INVALID_REQUEST (Kafka: -1). A topic named twice is answered once.
//! - Without an authorizer, all operations are allowed: 8 on, when asked for.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{CoreId, TopicId};
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::{AutoCreateResult, ControllerRequest};
use crate::broker::partition::{CLUSTER_OPERATIONS, INTERNAL_TOPICS, TOPIC_OPERATIONS};
use crate::broker::question::Question;
use crate::metadata::controller::topic_name::validate_topic_name;
use crate::metadata::topics::Topic;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    BrokerId, MetadataRequest, MetadataRequestTopic, MetadataResponse, MetadataResponseBroker,
    MetadataResponsePartition, MetadataResponseTopic, StrBytes, TopicName, Uuid, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::collections::{BTreeMap, BTreeSet};

/// See the module.
pub(super) struct Metadata;

impl Api for Metadata {
    const KEY: ApiKey = ApiKey::Metadata;
    type Request = MetadataRequest;

    fn decode(body: BytesMut, version: i16) -> Result<MetadataRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: MetadataRequest, now: Now) -> Outcome {
        let names = missing_topics(broker, context, &request);
        if names.is_empty() {
            return respond(broker, context, &request, &BTreeMap::new());
        }
        let question = Question::Metadata { context: *context, request: Box::new(request) };
        broker.ask(question, ControllerRequest::AutoCreateTopics { names }, now);
        Outcome::Parked
    }
}

/// The controller made the missing topics, or refused some of them.
pub(in crate::broker) fn answered(
    broker: &mut Broker,
    context: &Context,
    request: MetadataRequest,
    results: Result<Vec<AutoCreateResult>, ErrorCode>,
) {
    let refusals = match results {
        Ok(results) => {
            let refused = |result: AutoCreateResult| Some((result.name, result.outcome.err()?.code));
            results.into_iter().filter_map(refused).collect()
        }
        // Clients ask again after this one, and may find the topic or another try.
        Err(_) => {
            let names = missing_topics(broker, context, &request).into_iter();
            names.map(|name| (name, ErrorCode::LeaderNotAvailable)).collect()
        }
    };
    let outcome = respond(broker, context, &request, &refusals);
    broker.conclude(context, outcome);
}

/// Names to be created first.
fn missing_topics(broker: &Broker, context: &Context, request: &MetadataRequest) -> Vec<String> {
    let allowed = broker.settings.auto_create_topics && (context.version < 4 || request.allow_auto_topic_creation);
    let named = request.topics.iter().flatten().filter(|topic| allowed && asked_id(context.version, topic).is_none());
    let missing: BTreeSet<&str> = named
        .filter_map(|topic| topic.name.as_deref().map(|name| name.as_str()))
        .filter(|name| !INTERNAL_TOPICS.contains(name) && validate_topic_name(name).is_ok())
        .filter(|name| broker.image.topic_by_name(name).is_none())
        .collect();
    missing.into_iter().map(str::to_string).collect()
}

fn respond(
    broker: &mut Broker,
    context: &Context,
    request: &MetadataRequest,
    refusals: &BTreeMap<String, ErrorCode>,
) -> Outcome {
    let image = &broker.image;
    let mut response = MetadataResponse::default()
        .with_cluster_id(Some(StrBytes::from_string(image.cluster_id().to_string())))
        .with_controller_id(BrokerId(broker.shown_id(CoreId(0)).0));
    for core in broker.settings.shown_brokers(image.cores()) {
        let (host, port) = broker.endpoint(core, context);
        let answer = MetadataResponseBroker::default().with_node_id(BrokerId(broker.shown_id(core).0));
        response.brokers.push(answer.with_host(StrBytes::from_string(host)).with_port(port));
    }
    let all = match &request.topics {
        None => true,
        Some(topics) => context.version == 0 && topics.is_empty(),
    };
    response.topics = match all {
        true => image.topics().iter().map(|topic| known_topic(broker, topic)).collect(),
        false => named_topics(broker, context.version, request.topics.as_deref().unwrap_or_default(), refusals),
    };
    if request.include_topic_authorized_operations {
        for topic in response.topics.iter_mut().filter(|topic| topic.error_code == ErrorCode::None.code()) {
            topic.topic_authorized_operations = TOPIC_OPERATIONS;
        }
    }
    if request.include_cluster_authorized_operations {
        response.cluster_authorized_operations = CLUSTER_OPERATIONS;
    }
    if response.topics.iter().any(|topic| topic.error_code != ErrorCode::None.code()) {
        broker.counters.request_errors += 1;
    }
    Outcome::Answer(encode(response, context.version, context.correlation_id))
}

fn named_topics(
    broker: &Broker,
    version: i16,
    topics: &[MetadataRequestTopic],
    refusals: &BTreeMap<String, ErrorCode>,
) -> Vec<MetadataResponseTopic> {
    let image = &broker.image;
    let mut seen = BTreeSet::new();
    let mut answers = Vec::with_capacity(topics.len());
    for topic in topics {
        let id = asked_id(version, topic);
        let name = topic.name.as_deref().filter(|_| id.is_none());
        if !seen.insert((name, id)) {
            continue;
        }
        let known = match (id, name) {
            (Some(id), _) => image.topic(id).ok_or(ErrorCode::UnknownTopicId),
            (None, Some(name)) => image.topic_by_name(name).ok_or_else(|| match validate_topic_name(name) {
                Err(_) => ErrorCode::InvalidTopicException,
                Ok(_) => refusals.get(name.as_str()).copied().unwrap_or(ErrorCode::UnknownTopicOrPartition),
            }),
            (None, None) => Err(ErrorCode::InvalidRequest),
        };
        answers.push(match known {
            Ok(known) => known_topic(broker, known),
            Err(code) => MetadataResponseTopic::default()
                .with_name(topic.name.clone().filter(|_| id.is_none()))
                .with_topic_id(Uuid::from_bytes(id.unwrap_or(TopicId::ZERO).0))
                .with_error_code(code.code()),
        });
    }
    answers
}

/// The id that a topic is asked by, if it is.
fn asked_id(version: i16, topic: &MetadataRequestTopic) -> Option<TopicId> {
    let id = TopicId(topic.topic_id.into_bytes());
    (version >= 12 && id != TopicId::ZERO).then_some(id)
}

fn known_topic(broker: &Broker, topic: &Topic) -> MetadataResponseTopic {
    let image = &broker.image;
    let partition = |(partition, index): (&crate::metadata::topics::Partition, i32)| {
        let leader = BrokerId(broker.shown_id(partition.core(image.cores())).0);
        MetadataResponsePartition::default()
            .with_partition_index(index)
            .with_leader_id(leader)
            .with_leader_epoch(partition.leader_epoch(image.boot()).0)
            .with_replica_nodes(vec![leader])
            .with_isr_nodes(vec![leader])
    };
    MetadataResponseTopic::default()
        .with_name(Some(TopicName(StrBytes::from_string(topic.name.clone()))))
        .with_topic_id(Uuid::from_bytes(topic.id.0))
        .with_is_internal(INTERNAL_TOPICS.contains(&topic.name.as_str()))
        .with_partitions(topic.partitions.iter().zip(0..).map(partition).collect())
}
