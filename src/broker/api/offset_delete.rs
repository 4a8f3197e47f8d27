//! OffsetDelete (key 47), version 0. Takes committed offsets away: of a group without members any, of a living "consumer" group those of
//! topics that no member subscribes to (else 86), of other living groups none (68). 69 for a group that is not there.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{OffsetDeleteRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct OffsetDelete;

impl Api for OffsetDelete {
    const KEY: ApiKey = ApiKey::OffsetDelete;
    type Request = OffsetDeleteRequest;

    fn decode(body: BytesMut, version: i16) -> Result<OffsetDeleteRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: OffsetDeleteRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::OffsetDelete(request), now)
    }
}
