//! DeleteGroups (key 42), versions 0-2. 68 for a group with members, 69 for one that is not there. Answered when it is durable.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{DeleteGroupsRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct DeleteGroups;

impl Api for DeleteGroups {
    const KEY: ApiKey = ApiKey::DeleteGroups;
    type Request = DeleteGroupsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DeleteGroupsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DeleteGroupsRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::Delete(request), now)
    }
}
