//! ListGroups (key 16), versions 0-5: the groups whose coordinators are on this broker. 4 on: filter by state, 5 on: by type, both without
//! regard to case.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{ListGroupsRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct ListGroups;

impl Api for ListGroups {
    const KEY: ApiKey = ApiKey::ListGroups;
    type Request = ListGroupsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<ListGroupsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: ListGroupsRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::List(request), now)
    }
}
