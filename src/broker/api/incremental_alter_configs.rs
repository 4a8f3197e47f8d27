//! IncrementalAlterConfigs (key 44), versions 0-1: sets, deletes, appends to and subtracts from configs of topics (2) and brokers
//! (4). Any core takes it and passes it to core 0's controller; the answer leaves when the configs are durable and in force on
//! every core. What is decided, and how it is refused, is in `metadata::controller::alter_configs`.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::broker::altering::{AlteredName, ask, verdicts};
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
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
        ask(broker, context, resources, (request.validate_only, true), now)
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
    let result = |(name, code, message): (AlteredName, ErrorCode, Option<StrBytes>)| {
        AlterConfigsResourceResponse::default()
            .with_resource_type(name.kind)
            .with_resource_name(StrBytes::from_string(name.name))
            .with_error_code(code.code())
            .with_error_message(message)
    };
    let responses = verdicts(broker, names, outcomes).into_iter().map(result).collect();
    let response = IncrementalAlterConfigsResponse::default().with_responses(responses);
    let frame = encode(response, context.version, context.correlation_id);
    broker.conclude(context, Outcome::Answer(frame));
}
