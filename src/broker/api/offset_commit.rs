//! OffsetCommit (key 8), versions 2-9. Answered when the offsets are durable.
//!
//! - Generation -1 (a client that assigns itself, or an administrator) is taken only while the group is empty, else 25.
//! - 22 for another generation; 27 between join and sync; 22, from version 9 on 69, for a group that is not there.
//! - A partition that does not exist gets 3, metadata beyond `offset.metadata.max.bytes` 12; the others are committed all the same.
//! - Versions 2-4: a commit may say how long it is kept. 6 on: leader epochs, kept as they are.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{OffsetCommitRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct OffsetCommit;

impl Api for OffsetCommit {
    const KEY: ApiKey = ApiKey::OffsetCommit;
    type Request = OffsetCommitRequest;

    fn decode(body: BytesMut, version: i16) -> Result<OffsetCommitRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: OffsetCommitRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::Commit(request), now)
    }
}
