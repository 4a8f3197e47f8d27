//! Heartbeat (key 12), versions 0-4. 27 while members join, else 0; 22 for another generation, 25 for a member that is not one. 3 on: 82
//! for a static member that another has replaced. While the coordinator loads, 0: the member is asked to go on.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{HeartbeatRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct Heartbeat;

impl Api for Heartbeat {
    const KEY: ApiKey = ApiKey::Heartbeat;
    type Request = HeartbeatRequest;

    fn decode(body: BytesMut, version: i16) -> Result<HeartbeatRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: HeartbeatRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::Heartbeat(request), now)
    }
}
