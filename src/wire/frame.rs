//! Request and response headers. The length prefix of requests is cut by the runtime.
//!
//! ```text
//! request   api key i16 | api version i16 | correlation id i32 | client id string? | tag section in flexible versions
//! response  length i32 | correlation id i32 | tag section in flexible versions, but never for ApiVersions | body
//! ```

use crate::wire::api::{Api, ApiKey, find};
use crate::wire::reader::{DecodeError, FrameReader, Primitives};
use crate::wire::writer::Writer;
use bytes::BytesMut;
use kafka_protocol::protocol::StrBytes;

/// The header of a request whose API and version are served.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// Row of the API.
    pub api: &'static Api,
    /// Version, within the row's served range.
    pub version: i16,
    /// Comes back in the answer.
    pub correlation_id: i32,
    /// What the client calls itself; clients may send null.
    pub client_id: Option<StrBytes>,
}

impl RequestHeader {
    /// Cuts the header off a frame and returns the body. The answer to [`DecodeError::UnsupportedVersion`] of ApiVersions is
    /// `messages::unsupported_api_versions`; every other error closes the connection.
    pub fn parse(frame: BytesMut) -> Result<(RequestHeader, BytesMut), DecodeError> {
        let mut reader = FrameReader::new(frame);
        let key = reader.i16()?;
        let version = reader.i16()?;
        let correlation_id = reader.i32()?;
        let api = find(key).ok_or(DecodeError::UnknownApi { key })?;
        if !api.serves(version) {
            return Err(DecodeError::UnsupportedVersion { key, version, correlation_id });
        }
        let client_id = reader.nullable_text(false)?;
        if api.is_flexible(version) {
            reader.skip_tags()?;
        }
        Ok((RequestHeader { api, version, correlation_id, client_id }, reader.into_rest()))
    }

    /// Which API.
    pub fn key(&self) -> ApiKey {
        self.api.key
    }
}

/// Begins a response frame: length prefix and header. `capacity` is for the body.
pub(crate) fn begin_response(key: ApiKey, version: i16, correlation_id: i32, capacity: usize) -> Writer {
    let api = key.api();
    let mut writer = Writer::frame(capacity, api.is_flexible(version));
    writer.i32(correlation_id);
    if api.has_flexible_response_header(version) {
        writer.no_tags();
    }
    writer
}

#[cfg(test)]
mod tests {
    use super::*;
    use kafka_protocol::messages::RequestHeader as Generated;
    use kafka_protocol::protocol::encode_request_header_into_buffer;

    #[test]
    fn headers_of_all_versions_parse() {
        for api in &crate::wire::api::APIS {
            for version in api.min..=api.max {
                for client_id in [None, Some(StrBytes::from_static_str("")), Some(StrBytes::from_static_str("kcat"))] {
                    let header = Generated::default()
                        .with_request_api_key(api.key.number())
                        .with_request_api_version(version)
                        .with_correlation_id(77)
                        .with_client_id(client_id.clone());
                    let mut frame = BytesMut::new();
                    encode_request_header_into_buffer(&mut frame, &header).expect("encodes");
                    for cut in 0..frame.len() {
                        assert!(RequestHeader::parse(BytesMut::from(&frame[..cut])).is_err());
                    }
                    frame.extend_from_slice(b"body");
                    let (parsed, body) = RequestHeader::parse(frame).expect("parses");
                    assert_eq!(parsed, RequestHeader { api, version, correlation_id: 77, client_id });
                    assert_eq!(&body[..], b"body");
                }
            }
        }
    }

    #[test]
    fn unknown_keys_and_versions_are_told_apart() {
        let frame = |key: i16, version: i16| {
            let mut frame = BytesMut::new();
            frame.extend_from_slice(&key.to_be_bytes());
            frame.extend_from_slice(&version.to_be_bytes());
            frame.extend_from_slice(&5i32.to_be_bytes());
            RequestHeader::parse(frame).expect_err("refused")
        };
        assert_eq!(frame(99, 0), DecodeError::UnknownApi { key: 99 });
        assert_eq!(frame(18, 99), DecodeError::UnsupportedVersion { key: 18, version: 99, correlation_id: 5 });
        assert_eq!(frame(0, 2), DecodeError::UnsupportedVersion { key: 0, version: 2, correlation_id: 5 });
        assert_eq!(frame(3, -1), DecodeError::UnsupportedVersion { key: 3, version: -1, correlation_id: 5 });
    }
}
