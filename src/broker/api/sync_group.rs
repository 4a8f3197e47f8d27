//! SyncGroup (key 14), versions 0-5. The leader's assignments are stored, then every member gets its own, byte for byte.
//!
//! Followers wait for the leader; 27 when another rebalance begins, 22 for another generation, 25 for a member that is not one. 3 on:
//! static members (82 when fenced). 5 on: protocol type and name are compared (23) and told. A leader that forgets a member gives it
//! an empty assignment.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{SyncGroupRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct SyncGroup;

impl Api for SyncGroup {
    const KEY: ApiKey = ApiKey::SyncGroup;
    type Request = SyncGroupRequest;

    fn decode(body: BytesMut, version: i16) -> Result<SyncGroupRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: SyncGroupRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::Sync(request), now)
    }
}
