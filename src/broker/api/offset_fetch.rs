//! OffsetFetch (key 9), versions 1-9. What was committed last and is durable; offset -1, epoch -1 and no metadata where nothing was.
//!
//! Topics null (2 on) means all. 8 on: several groups, each named in the answer; its error is the group's, before version 2 the
//! partitions'. `require_stable` changes nothing: there are no transactions yet.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::coordinator::answers::GroupRequest;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics, decode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// First version about several groups.
const SEVERAL: i16 = 8;

/// See the module.
pub(super) struct OffsetFetch;

impl Api for OffsetFetch {
    const KEY: ApiKey = ApiKey::OffsetFetch;
    type Request = OffsetFetchRequest;

    /// All versions in the form of version 8.
    fn decode(body: BytesMut, version: i16) -> Result<OffsetFetchRequest, DecodeError> {
        let mut request: OffsetFetchRequest = decode(body, version)?;
        if version < SEVERAL {
            let topic = |topic: OffsetFetchRequestTopic| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic.name)
                    .with_partition_indexes(topic.partition_indexes)
            };
            let topics = request.topics.take().map(|topics| topics.into_iter().map(topic).collect());
            let group = OffsetFetchRequestGroup::default().with_group_id(std::mem::take(&mut request.group_id));
            request.groups = vec![group.with_topics(topics)];
        }
        Ok(request)
    }

    fn handle(broker: &mut Broker, context: &Context, request: OffsetFetchRequest, now: Now) -> Outcome {
        broker.coordinate(context, GroupRequest::Fetch(request), now)
    }
}
