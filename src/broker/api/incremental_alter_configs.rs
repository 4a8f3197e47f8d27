//! IncrementalAlterConfigs (key 44), versions 0-1: sets, deletes, appends to and subtracts from configs of topics (2) and brokers
//! (4). Any core takes it and passes it to core 0's controller; the answer leaves when the configs are durable and in force on
//! every core. What is decided, and how it is refused, is in `metadata::controller::alter_configs`.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::ControllerRequest;
use crate::broker::question::{AlteredName, Question};
use crate::metadata::controller::Refused;
use crate::metadata::controller::alter_configs::{AlterOutcome, AlteredResource, ConfigChange};
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    AlterConfigsResource, AlterConfigsResourceResponse, AlterableConfig, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, StrBytes, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct IncrementalAlterConfigs;

impl Api for IncrementalAlterConfigs {
    const KEY: ApiKey = ApiKey::IncrementalAlterConfigs;
    type Request = IncrementalAlterConfigsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<IncrementalAlterConfigsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: IncrementalAlterConfigsRequest, now: Now) -> Outcome {
        let resources: Vec<AlteredResource> = request.resources.into_iter().map(altered).collect();
        let names = resources.iter().map(AlteredName::of).collect();
        let question = Question::AlterConfigs { context: *context, names, incremental: true };
        let validate_only = request.validate_only;
        broker.ask(question, ControllerRequest::AlterConfigs { resources, validate_only }, now);
        Outcome::Parked
    }
}

fn altered(resource: AlterConfigsResource) -> AlteredResource {
    let change = |config: AlterableConfig| ConfigChange {
        key: config.name.to_string(),
        operation: config.config_operation,
        value: config.value.map(|value| value.to_string()),
    };
    AlteredResource {
        kind: resource.resource_type,
        name: resource.resource_name.to_string(),
        changes: resource.configs.into_iter().map(change).collect(),
        replace: false,
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
        let answer = AlterConfigsResourceResponse::default()
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
    let response = IncrementalAlterConfigsResponse::default().with_responses(responses);
    let frame = encode(response, context.version, context.correlation_id);
    broker.conclude(context, Outcome::Answer(frame));
}
