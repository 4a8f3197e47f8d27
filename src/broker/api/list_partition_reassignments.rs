//! ListPartitionReassignments (key 46), version 0: replicas on the move between machines. There is one machine, so there are none.
//!
//! As in Kafka, a topic or partition that does not exist is no error here: it has no reassignment either.

use crate::base::clock::Now;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::wire::api::ApiKey;
use crate::wire::messages::{ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, decode, encode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct ListPartitionReassignments;

impl Api for ListPartitionReassignments {
    const KEY: ApiKey = ApiKey::ListPartitionReassignments;
    type Request = ListPartitionReassignmentsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<ListPartitionReassignmentsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(_: &mut Broker, context: &Context, _: ListPartitionReassignmentsRequest, _: Now) -> Outcome {
        // The generated default of the message is an empty text, Kafka's is null.
        let response = ListPartitionReassignmentsResponse::default().with_error_message(None);
        Outcome::Answer(encode(response, context.version, context.correlation_id))
    }
}
