//! FindCoordinator (key 10), version 0. There are no coordinators yet: every lookup is answered COORDINATOR_NOT_AVAILABLE.
//!
//! ApiVersions lists it to librdkafka only: that library takes a broker without it for one that is too old for lz4, and sends
//! batches uncompressed without a word. Its consumers look for a coordinator even if they join no group, and take any other
//! error for a failure. Other clients shall rather learn that there are no groups at all than ask for ever.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::wire::api::ApiKey;
use crate::wire::messages::{BrokerId, FindCoordinatorRequest, FindCoordinatorResponse, decode, encode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct FindCoordinator;

impl Api for FindCoordinator {
    const KEY: ApiKey = ApiKey::FindCoordinator;
    type Request = FindCoordinatorRequest;

    fn decode(body: BytesMut, version: i16) -> Result<FindCoordinatorRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(_: &mut Broker, context: &Context, _: FindCoordinatorRequest, _: Now) -> Outcome {
        let none = FindCoordinatorResponse::default().with_node_id(BrokerId(-1)).with_port(-1);
        let refused = none.with_error_code(ErrorCode::CoordinatorNotAvailable.code());
        Outcome::Answer(encode(refused, context.version, context.correlation_id))
    }
}
