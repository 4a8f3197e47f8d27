//! ApiVersions (key 18), versions 0-4. Lists `wire::api`; versions above are answered in `Broker` with UNSUPPORTED_VERSION in
//! the shape of version 0 (KIP-511).
//!
//! From version 3 on the client names itself; a name or version outside Kafka's pattern is INVALID_REQUEST, upon which
//! librdkafka asks again with version 0. Finalized features are those of the metadata log, their epoch its end offset.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    ApiVersionsRequest, ApiVersionsResponse, FinalizedFeatureKey, StrBytes, SupportedFeatureKey, decode, encode,
    listed_versions,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// See the module.
pub(super) struct ApiVersions;

impl Api for ApiVersions {
    const KEY: ApiKey = ApiKey::ApiVersions;
    type Request = ApiVersionsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<ApiVersionsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: ApiVersionsRequest, _: Now) -> Outcome {
        let mut response = ApiVersionsResponse::default();
        let named = [&request.client_software_name, &request.client_software_version];
        if context.version >= 3 && !named.into_iter().all(|name| is_legal_name(name)) {
            broker.counters.request_errors += 1;
            response.error_code = ErrorCode::InvalidRequest.code();
            return Outcome::Answer(encode(response, context.version, context.correlation_id));
        }
        response.api_keys = listed_versions();
        response.finalized_features_epoch = broker.image.end_offset() as i64;
        for (name, level) in broker.image.features() {
            let name = StrBytes::from_string(name.clone());
            let supported = SupportedFeatureKey::default().with_name(name.clone());
            response.supported_features.push(supported.with_min_version(1).with_max_version(*level));
            let finalized = FinalizedFeatureKey::default().with_name(name);
            response.finalized_features.push(finalized.with_min_version_level(*level).with_max_version_level(*level));
        }
        Outcome::Answer(encode(response, context.version, context.correlation_id))
    }
}

/// Kafka's pattern: letters and digits, with dots and hyphens in between.
fn is_legal_name(name: &str) -> bool {
    let bytes = name.as_bytes();
    let edge = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    edge(bytes.first())
        && edge(bytes.last())
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::is_legal_name;

    #[test]
    fn names_follow_kafkas_pattern() {
        for name in ["a", "librdkafka", "2.11.1", "apache-kafka-java", "3.9.1-rc.2"] {
            assert!(is_legal_name(name), "{name}");
        }
        for name in ["", "-a", "a-", ".", "a b", "a_b", "\u{e4}"] {
            assert!(!is_legal_name(name), "{name}");
        }
    }
}
