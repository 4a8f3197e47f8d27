//! JoinGroup (key 11), versions 0-9. Answered when all members of the group have joined, or the time for it is over.
//!
//! - A new member without instance id gets its id first, with MEMBER_ID_REQUIRED, and joins with it (4 on); before version 4 it is let
//!   in at once. Version 0 has no rebalance timeout: the session timeout is it.
//! - The first rebalance of an empty group waits `group.initial.rebalance.delay.ms` for more members.
//! - The leader alone gets the members' metadata. The protocol is what most members like best of what all have; 23 if there is none.
//! - A static member (5 on) that comes back with the same protocols gets a new id and no rebalance; the old id is fenced (82). 9 on: if
//!   it leads, it is told to leave the assignments as they are.
//! - 26 for a session timeout out of bounds, 81 for a full group, 24 for a group without a name. A protocol named twice gets 23 (Kafka never answers it).

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::{ClientName, GroupRequest};
use crate::wire::api::ApiKey;
use crate::wire::messages::{JoinGroupRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct JoinGroup;

impl Api for JoinGroup {
    const KEY: ApiKey = ApiKey::JoinGroup;
    type Request = JoinGroupRequest;

    fn decode(body: BytesMut, version: i16) -> Result<JoinGroupRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: JoinGroupRequest, now: Now) -> Outcome {
        let host = match broker.sessions.peer(context.answer.connection) {
            Some(peer) => format!("/{}", peer.ip().to_canonical()),
            None => String::new(),
        };
        let client = ClientName { id: std::mem::take(&mut broker.client_id), host };
        broker.coordinate(context, GroupRequest::Join(request, client), now)
    }
}
