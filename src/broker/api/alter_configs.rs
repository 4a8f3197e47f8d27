//! AlterConfigs (key 33), versions 0-2, the older way: each resource's whole set is replaced, so what a request does not name goes
//! back to its default. Else like IncrementalAlterConfigs.
//!
//! Kafka 4.3 never answers a request that names a resource twice; here each mention gets INVALID_REQUEST.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::ControllerRequest;
use crate::broker::question::{AlteredName, Question};
use crate::metadata::controller::Refused;
use crate::metadata::controller::alter_configs::{AlterOutcome, AlteredResource, ConfigChange};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    AlterConfigsRequest, AlterConfigsResponse, LegacyAlterConfigsResource, LegacyAlterConfigsResourceResponse,
    LegacyAlterableConfig, StrBytes, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct AlterConfigs;

impl Api for AlterConfigs {
    const KEY: ApiKey = ApiKey::AlterConfigs;
    type Request = AlterConfigsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<AlterConfigsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: AlterConfigsRequest, now: Now) -> Outcome {
        let resources: Vec<AlteredResource> = request.resources.into_iter().map(altered).collect();
        let names = resources.iter().map(AlteredName::of).collect();
        let question = Question::AlterConfigs { context: *context, names, incremental: false };
        let validate_only = request.validate_only;
        broker.ask(question, ControllerRequest::AlterConfigs { resources, validate_only }, now);
        Outcome::Parked
    }
}

fn altered(resource: LegacyAlterConfigsResource) -> AlteredResource {
    let change = |config: LegacyAlterableConfig| ConfigChange {
        key: config.name.to_string(),
        operation: 0,
        value: config.value.map(|value| value.to_string()),
    };
    AlteredResource {
        kind: resource.resource_type,
        name: resource.resource_name.to_string(),
        changes: resource.configs.into_iter().map(change).collect(),
        replace: true,
    }
}

/// The controller decided, or refused everything.
pub(in crate::broker) fn answered(
    broker: &mut Broker,
    context: &Context,
    names: Vec<AlteredName>,
    outcomes: Result<Vec<AlterOutcome>, Refused>,
) {
    let refuse = |refused: Refused| names.iter().map(|_| Err(refused.clone())).collect();
    let outcomes = outcomes.unwrap_or_else(refuse);
    broker.counters.request_errors += u64::from(outcomes.iter().any(Result::is_err));
    let result = |(name, outcome): (AlteredName, AlterOutcome)| {
        let answer = LegacyAlterConfigsResourceResponse::default()
            .with_resource_type(name.kind)
            .with_resource_name(StrBytes::from_string(name.name))
            .with_error_message(None);
        match outcome {
            Ok(()) => answer,
            Err(Refused { code, message }) => {
                answer.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
            }
        }
    };
    let responses = names.into_iter().zip(outcomes).map(result).collect();
    let response = AlterConfigsResponse::default().with_responses(responses);
    let frame = encode(response, context.version, context.correlation_id);
    broker.conclude(context, Outcome::Answer(frame));
}
