//! FindCoordinator (key 10), versions 0-6: the broker of the core that leads the group's partition of `__consumer_offsets`.
//!
//! The topic is made when somebody first asks; the answer waits for it. 4 on: several keys, each answered once. Transactional ids have no
//! coordinators in this release: INVALID_REQUEST, which says so at once, where COORDINATOR_NOT_AVAILABLE would be asked again for ever.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::coordinators::OFFSETS_TOPIC;
use crate::broker::message::ControllerRequest;
use crate::broker::question::Question;
use crate::metadata::controller::create_topics::NewTopic;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    BrokerId, Coordinator, FindCoordinatorRequest, FindCoordinatorResponse, StrBytes, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::collections::BTreeSet;

/// First version with several keys.
const SEVERAL: i16 = 4;
const GROUP: i8 = 0;
const TRANSACTION: i8 = 1;

/// See the module.
pub(super) struct FindCoordinator;

impl Api for FindCoordinator {
    const KEY: ApiKey = ApiKey::FindCoordinator;
    type Request = FindCoordinatorRequest;

    fn decode(body: BytesMut, version: i16) -> Result<FindCoordinatorRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: FindCoordinatorRequest, now: Now) -> Outcome {
        if request.key_type != GROUP || broker.image.topic_by_name(OFFSETS_TOPIC).is_some() {
            return respond(broker, context, &request);
        }
        let groups = broker.settings.groups;
        let configs = [
            ("cleanup.policy", "compact".to_string()),
            ("compression.type", "producer".to_string()),
            ("durability", "disk".to_string()),
            ("segment.bytes", groups.topic_segment_bytes.to_string()),
        ];
        let topic = NewTopic {
            name: OFFSETS_TOPIC.to_string(),
            partitions: groups.topic_partitions,
            replication_factor: -1,
            configs: configs.map(|(key, value)| (key.to_string(), Some(value))).to_vec(),
            ..NewTopic::default()
        };
        let question = Question::FindCoordinator { context: *context, request: Box::new(request) };
        broker.ask(question, ControllerRequest::CreateTopics { topics: vec![topic], validate_only: false }, now);
        Outcome::Parked
    }
}

/// The topic is there now (somebody else may have asked for it too), or could not be made.
pub(in crate::broker) fn answered(broker: &mut Broker, context: &Context, request: &FindCoordinatorRequest) {
    let outcome = respond(broker, context, request);
    broker.conclude(context, outcome);
}

fn respond(broker: &mut Broker, context: &Context, request: &FindCoordinatorRequest) -> Outcome {
    let single;
    let keys = if context.version >= SEVERAL {
        &request.coordinator_keys[..]
    } else {
        single = [request.key.clone()];
        &single[..]
    };
    let mut seen = BTreeSet::new();
    let keys = keys.iter().filter(|key| seen.insert(key.as_str()));
    let coordinators: Vec<Coordinator> = keys.map(|key| found(broker, context, request.key_type, key)).collect();
    if coordinators.iter().any(|one| one.error_code != ErrorCode::None.code()) {
        broker.counters.request_errors += 1;
    }
    let response = FindCoordinatorResponse::default().with_coordinators(coordinators);
    Outcome::Answer(encode(response, context.version, context.correlation_id))
}

fn found(broker: &Broker, context: &Context, kind: i8, key: &StrBytes) -> Coordinator {
    let refused = |code: ErrorCode| {
        let none = Coordinator::default().with_node_id(BrokerId(-1)).with_port(-1).with_error_code(code.code());
        none.with_error_message(None)
    };
    let answer = match kind {
        GROUP => match broker.coordinator_of(key) {
            None => refused(ErrorCode::CoordinatorNotAvailable),
            Some(core) => {
                let (host, port) = broker.endpoint(core, context);
                let node = BrokerId(broker.shown_id(core).0);
                let host = StrBytes::from_string(host);
                Coordinator::default().with_node_id(node).with_host(host).with_port(port).with_error_message(None)
            }
        },
        kind => {
            let what = if kind == TRANSACTION { "transactions are not in this release" } else { "unknown key type" };
            refused(ErrorCode::InvalidRequest).with_error_message(Some(StrBytes::from_static_str(what)))
        }
    };
    answer.with_key(key.clone())
}
