//! FindCoordinator (key 10), version 0. There are no coordinators yet: every lookup is refused with UNSUPPORTED_VERSION, which
//! clients report at once, while COORDINATOR_NOT_AVAILABLE would make them ask for ever.
//!
//! Listed all the same, like Produce 0-2: librdkafka before 2.11.1 takes a broker without it for one that is too old for lz4, and
//! then sends batches uncompressed without a word.

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

    fn handle(broker: &mut Broker, context: &Context, _: FindCoordinatorRequest, _: Now) -> Outcome {
        broker.counters.request_errors += 1;
        let none = FindCoordinatorResponse::default().with_node_id(BrokerId(-1)).with_port(-1);
        let refused = none.with_error_code(ErrorCode::UnsupportedVersion.code());
        Outcome::Answer(encode(refused, context.version, context.correlation_id))
    }
}
