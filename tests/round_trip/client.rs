//! The client's half of a conversation, by the generated crate.

use bytes::{Buf, Bytes, BytesMut};
use corelane::base::gather::Gather;
use corelane::wire::api::{Api, ApiKey};
use corelane::wire::frame::RequestHeader;
use kafka_protocol::messages::{self as generated, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes, encode_request_header_into_buffer};
use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fmt::Debug;

pub const CORRELATION_ID: i32 = 0x0102_0304;

/// Which half of a conversation arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Half {
    Request,
    Response,
}

thread_local! {
    /// What went over the wire in this thread, and was understood on the other side.
    static ARRIVED: RefCell<BTreeSet<(Half, ApiKey, i16)>> = const { RefCell::new(BTreeSet::new()) };
}

/// What arrived since the last call.
pub fn take_arrived() -> BTreeSet<(Half, ApiKey, i16)> {
    ARRIVED.take()
}

/// A string of the protocol.
pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

/// All served versions of an API.
pub fn versions(key: ApiKey) -> std::ops::RangeInclusive<i16> {
    let api: &Api = key.api();
    api.min..=api.max
}

/// A request frame without its length prefix.
pub fn request<R: Encodable>(key: ApiKey, version: i16, body: &R) -> BytesMut {
    let mut frame = BytesMut::new();
    let header = generated::RequestHeader::default()
        .with_request_api_key(key.number())
        .with_request_api_version(version)
        .with_correlation_id(CORRELATION_ID)
        .with_client_id(Some(text("round-trip")));
    encode_request_header_into_buffer(&mut frame, &header).expect("the header encodes");
    body.encode(&mut frame, version).expect("the body encodes");
    frame
}

/// The body of a request frame, its header checked.
pub fn body(key: ApiKey, version: i16, frame: BytesMut) -> BytesMut {
    let (header, body) = RequestHeader::parse(frame).expect("the header parses");
    assert_eq!((header.key(), header.version, header.correlation_id), (key, version, CORRELATION_ID));
    assert_eq!(header.client_id.as_deref(), Some("round-trip"));
    ARRIVED.with_borrow_mut(|arrived| arrived.insert((Half::Request, key, version)));
    body
}

/// Decodes a response frame and insists on its last byte.
pub fn response<R: Decodable + Debug>(key: ApiKey, version: i16, frame: Gather) -> R {
    let mut bytes = Bytes::from(frame.to_vec());
    assert_eq!(bytes.get_i32() as usize, bytes.len(), "length prefix");
    let api = generated::ApiKey::try_from(key.number()).expect("known");
    let header = ResponseHeader::decode(&mut bytes, api.response_header_version(version)).expect("the header decodes");
    assert_eq!(header.correlation_id, CORRELATION_ID);
    let response = R::decode(&mut bytes, version).expect("the body decodes");
    assert!(bytes.is_empty(), "{key:?} {version}: {} bytes too many after {response:?}", bytes.len());
    ARRIVED.with_borrow_mut(|arrived| arrived.insert((Half::Response, key, version)));
    response
}
