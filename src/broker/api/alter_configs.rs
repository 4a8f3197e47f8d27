//! AlterConfigs (key 33), versions 0-2, the older way: each resource's whole set is replaced, so what a request does not name goes
//! back to its default. Else like IncrementalAlterConfigs.
//!
//! Kafka 4.3 never answers a request that names a resource twice; here each mention gets INVALID_REQUEST.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::broker::altering::{AlteredName, ask, verdicts};
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
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
        ask(broker, context, resources, (request.validate_only, false), now)
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
    let result = |(name, code, message): (AlteredName, ErrorCode, Option<StrBytes>)| {
        LegacyAlterConfigsResourceResponse::default()
            .with_resource_type(name.kind)
            .with_resource_name(StrBytes::from_string(name.name))
            .with_error_code(code.code())
            .with_error_message(message)
    };
    let responses = verdicts(broker, names, outcomes).into_iter().map(result).collect();
    let response = AlterConfigsResponse::default().with_responses(responses);
    let frame = encode(response, context.version, context.correlation_id);
    broker.conclude(context, Outcome::Answer(frame));
}
