//! DescribeGroups (key 15), versions 0-5. A group that is not there is Dead, without an error. What members have is told while the group is
//! stable only. 3 on: the operations allowed, when asked for; without an authorizer all of them.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{DescribeGroupsRequest, decode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct DescribeGroups;

impl Api for DescribeGroups {
    const KEY: ApiKey = ApiKey::DescribeGroups;
    type Request = DescribeGroupsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DescribeGroupsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DescribeGroupsRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::Describe(request), now)
    }
}
