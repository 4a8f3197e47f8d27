//! LeaveGroup (key 13), versions 0-5. Before version 3 one member leaves, from then on any number, by member id or by instance id; each has
//! a code of its own. An id that was given out and not used may leave too.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{LeaveGroupRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct LeaveGroup;

impl Api for LeaveGroup {
    const KEY: ApiKey = ApiKey::LeaveGroup;
    type Request = LeaveGroupRequest;

    fn decode(body: BytesMut, version: i16) -> Result<LeaveGroupRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: LeaveGroupRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::Leave(request), now)
    }
}
