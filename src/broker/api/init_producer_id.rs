//! InitProducerId (key 22), versions 0-5. Without a transactional id: a new producer id, epoch 0, out of this core's block.
//!
//! Transactions do not exist yet: a transactional id, the empty one included, gets INVALID_REQUEST. A producer id and epoch in
//! the request (3 on: recovery of an idempotent producer) are answered with a new id, as Kafka does.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::gather::Gather;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::message::ControllerRequest;
use crate::broker::question::Question;
use crate::wire::api::ApiKey;
use crate::wire::messages::{InitProducerIdRequest, InitProducerIdResponse, ProducerId, decode, encode};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::ops::Range;

/// See the module.
pub(super) struct InitProducerId;

impl Api for InitProducerId {
    const KEY: ApiKey = ApiKey::InitProducerId;
    type Request = InitProducerIdRequest;

    fn decode(body: BytesMut, version: i16) -> Result<InitProducerIdRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: InitProducerIdRequest, now: Now) -> Outcome {
        if request.transactional_id.is_some() {
            return Outcome::Answer(refused(broker, context, ErrorCode::InvalidRequest));
        }
        give(broker, context, now)
    }
}

fn give(broker: &mut Broker, context: &Context, now: Now) -> Outcome {
    if let Some(id) = broker.producer_ids.next() {
        let response = InitProducerIdResponse::default().with_producer_id(ProducerId(id)).with_producer_epoch(0);
        return Outcome::Answer(encode(response, context.version, context.correlation_id));
    }
    if broker.producer_ids.wait(*context) {
        broker.ask(Question::ProducerIds, ControllerRequest::ProducerIds, now);
    }
    Outcome::Parked
}

fn refused(broker: &mut Broker, context: &Context, code: ErrorCode) -> Gather {
    broker.counters.request_errors += 1;
    let none = InitProducerIdResponse::default().with_producer_id(ProducerId(-1)).with_producer_epoch(-1);
    encode(none.with_error_code(code.code()), context.version, context.correlation_id)
}

/// The controller gave a block, or none.
pub(in crate::broker) fn answered(broker: &mut Broker, block: Result<Range<i64>, ErrorCode>, now: Now) {
    let failed = block.as_ref().err().copied();
    for context in broker.producer_ids.answered(block.ok()) {
        let outcome = match failed {
            None => give(broker, &context, now),
            Some(code) => Outcome::Answer(refused(broker, &context, code)),
        };
        broker.conclude(&context, outcome);
    }
}
