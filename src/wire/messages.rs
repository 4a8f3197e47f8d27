//! All messages but Produce and Fetch: a facade over the `kafka-protocol` crate.
//!
//! [`decode`] checks a body with `schema` before the crate sees it. [`encode`] first lets the message forget what its version
//! cannot say ([`Response::fit`]), because the crate fails on such fields; so a handler fills in all it knows, once for all versions.
//! To add an API: a row in `api`, its shape in `schema`, one line each under `Request` and `Response` here.

use crate::base::error_code::ErrorCode;
use crate::base::gather::Gather;
use crate::wire::api::{APIS, ApiKey};
use crate::wire::frame::begin_response;
use crate::wire::reader::DecodeError;
use crate::wire::schema;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::{Decodable, Encodable};

pub use kafka_protocol::messages::alter_configs_request::{
    AlterConfigsResource as LegacyAlterConfigsResource, AlterableConfig as LegacyAlterableConfig,
};
pub use kafka_protocol::messages::alter_configs_response::AlterConfigsResourceResponse as LegacyAlterConfigsResourceResponse;
pub use kafka_protocol::messages::api_versions_response::{ApiVersion, FinalizedFeatureKey, SupportedFeatureKey};
pub use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
pub use kafka_protocol::messages::create_partitions_response::CreatePartitionsTopicResult;
pub use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
pub use kafka_protocol::messages::create_topics_response::{CreatableTopicConfigs, CreatableTopicResult};
pub use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
pub use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
pub use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
pub use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
pub use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
pub use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
pub use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
pub use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
pub use kafka_protocol::messages::describe_log_dirs_response::{
    DescribeLogDirsPartition, DescribeLogDirsResult, DescribeLogDirsTopic,
};
pub use kafka_protocol::messages::describe_producers_request::TopicRequest as DescribeProducersTopic;
pub use kafka_protocol::messages::describe_producers_response::{
    PartitionResponse as DescribedPartition, ProducerState, TopicResponse as DescribedTopic,
};
pub use kafka_protocol::messages::describe_topic_partitions_request::{Cursor as AskedCursor, TopicRequest};
pub use kafka_protocol::messages::describe_topic_partitions_response::{
    Cursor as NextCursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
pub use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
pub use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
pub use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
pub use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
pub use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
pub use kafka_protocol::messages::list_partition_reassignments_response::{
    OngoingPartitionReassignment, OngoingTopicReassignment,
};
pub use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
pub use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
pub use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
pub use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
pub use kafka_protocol::messages::{
    AlterConfigsRequest, AlterConfigsResponse, ApiVersionsRequest, ApiVersionsResponse, BrokerId,
    CreatePartitionsRequest, CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse, DescribeClusterRequest, DescribeClusterResponse,
    DescribeConfigsRequest, DescribeConfigsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeProducersRequest, DescribeProducersResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, FindCoordinatorRequest, FindCoordinatorResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, InitProducerIdRequest, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse, MetadataRequest,
    MetadataResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, ProducerId, TopicName,
    TransactionalId,
};
pub use kafka_protocol::protocol::StrBytes;
pub use uuid::Uuid;

/// A request that [`decode`] understands.
pub trait Request: Decodable {
    /// Its API.
    const KEY: ApiKey;
}

/// A response that [`encode`] understands.
pub trait Response: Encodable {
    /// Its API.
    const KEY: ApiKey;

    /// Resets every field that `version` has no place for.
    fn fit(&mut self, version: i16);
}

impl Request for FindCoordinatorRequest {
    const KEY: ApiKey = ApiKey::FindCoordinator;
}

impl Request for OffsetForLeaderEpochRequest {
    const KEY: ApiKey = ApiKey::OffsetForLeaderEpoch;
}

impl Request for DescribeConfigsRequest {
    const KEY: ApiKey = ApiKey::DescribeConfigs;
}

impl Request for AlterConfigsRequest {
    const KEY: ApiKey = ApiKey::AlterConfigs;
}

impl Request for IncrementalAlterConfigsRequest {
    const KEY: ApiKey = ApiKey::IncrementalAlterConfigs;
}

impl Request for CreatePartitionsRequest {
    const KEY: ApiKey = ApiKey::CreatePartitions;
}

impl Request for DescribeClusterRequest {
    const KEY: ApiKey = ApiKey::DescribeCluster;
}

impl Request for DescribeLogDirsRequest {
    const KEY: ApiKey = ApiKey::DescribeLogDirs;
}

impl Request for DescribeProducersRequest {
    const KEY: ApiKey = ApiKey::DescribeProducers;
}

impl Request for ListPartitionReassignmentsRequest {
    const KEY: ApiKey = ApiKey::ListPartitionReassignments;
}

impl Request for DescribeTopicPartitionsRequest {
    const KEY: ApiKey = ApiKey::DescribeTopicPartitions;
}

impl Request for ApiVersionsRequest {
    const KEY: ApiKey = ApiKey::ApiVersions;
}

impl Request for MetadataRequest {
    const KEY: ApiKey = ApiKey::Metadata;
}

impl Request for ListOffsetsRequest {
    const KEY: ApiKey = ApiKey::ListOffsets;
}

impl Request for InitProducerIdRequest {
    const KEY: ApiKey = ApiKey::InitProducerId;
}

impl Request for CreateTopicsRequest {
    const KEY: ApiKey = ApiKey::CreateTopics;
}

impl Request for DeleteTopicsRequest {
    const KEY: ApiKey = ApiKey::DeleteTopics;
}

impl Request for DeleteRecordsRequest {
    const KEY: ApiKey = ApiKey::DeleteRecords;
}

/// Decodes a body of a served version. Bytes after it are ignored, as Kafka does.
pub fn decode<R: Request>(body: BytesMut, version: i16) -> Result<R, DecodeError> {
    schema::check(R::KEY, version, &body)?;
    // The crate's strings are slices of what it decodes: of a copy, so that none of them pins the read buffer.
    let mut body = Bytes::copy_from_slice(&body);
    R::decode(&mut body, version).map_err(|error| DecodeError::Refused(error.to_string()))
}

/// The whole response frame, length prefix included.
///
/// Panics if the message cannot be encoded: `fit` has taken out what the version lacks, so what remains is a string or an array
/// beyond the protocol's limits, which no handler may build.
pub fn encode<R: Response>(mut response: R, version: i16, correlation_id: i32) -> Gather {
    response.fit(version);
    let bytes = response.compute_size(version).expect("a response of the protocol");
    let mut writer = begin_response(R::KEY, version, correlation_id, bytes);
    response.encode(writer.buffer(), version).expect("a response of the protocol");
    writer.finish()
}

/// The rows of the API table as ApiVersions lists them.
pub fn listed_versions() -> Vec<ApiVersion> {
    let listed = |api: &crate::wire::api::Api| {
        ApiVersion::default().with_api_key(api.key.number()).with_min_version(api.listed_min).with_max_version(api.max)
    };
    APIS.iter().map(listed).collect()
}

/// The answer to ApiVersions of a version that is not served: version 0 whatever was asked, naming only ApiVersions itself, from
/// which clients pick a version to ask again with (KIP-511).
pub fn unsupported_api_versions(correlation_id: i32) -> Gather {
    let mut response = ApiVersionsResponse::default().with_error_code(ErrorCode::UnsupportedVersion.code());
    response.api_keys = listed_versions();
    response.api_keys.retain(|listed| listed.api_key == ApiKey::ApiVersions.number());
    encode(response, 0, correlation_id)
}

impl Response for ApiVersionsResponse {
    const KEY: ApiKey = ApiKey::ApiVersions;

    /// Tagged fields and the throttle time are left out by the crate itself. Features from version 0 on are unknown to clients
    /// before version 4, which fail on them.
    fn fit(&mut self, version: i16) {
        if version <= 3 {
            self.supported_features.retain(|feature| feature.min_version > 0);
        }
    }
}

impl Response for MetadataResponse {
    const KEY: ApiKey = ApiKey::Metadata;

    fn fit(&mut self, version: i16) {
        const UNKNOWN_OPERATIONS: i32 = i32::MIN;
        if !(8..=10).contains(&version) {
            self.cluster_authorized_operations = UNKNOWN_OPERATIONS;
        }
        for topic in &mut self.topics {
            if version < 8 {
                topic.topic_authorized_operations = UNKNOWN_OPERATIONS;
            }
            if version < 12 && topic.name.is_none() {
                topic.name = Some(TopicName::default());
            }
        }
    }
}

impl Response for ListOffsetsResponse {
    const KEY: ApiKey = ApiKey::ListOffsets;

    fn fit(&mut self, version: i16) {
        if version < 4 {
            for partition in self.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                partition.leader_epoch = -1;
            }
        }
    }
}

impl Response for FindCoordinatorResponse {
    const KEY: ApiKey = ApiKey::FindCoordinator;

    fn fit(&mut self, _version: i16) {}
}

impl Response for InitProducerIdResponse {
    const KEY: ApiKey = ApiKey::InitProducerId;

    fn fit(&mut self, _version: i16) {}
}

impl Response for CreateTopicsResponse {
    const KEY: ApiKey = ApiKey::CreateTopics;

    /// All fields that appear later are ones that the crate leaves out by itself.
    fn fit(&mut self, _version: i16) {}
}

impl Response for DeleteTopicsResponse {
    const KEY: ApiKey = ApiKey::DeleteTopics;

    fn fit(&mut self, version: i16) {
        for topic in &mut self.responses {
            if version < 6 && topic.name.is_none() {
                topic.name = Some(TopicName::default());
            }
        }
    }
}

impl Response for DeleteRecordsResponse {
    const KEY: ApiKey = ApiKey::DeleteRecords;

    fn fit(&mut self, _version: i16) {}
}

impl Response for OffsetForLeaderEpochResponse {
    const KEY: ApiKey = ApiKey::OffsetForLeaderEpoch;

    fn fit(&mut self, _version: i16) {}
}

impl Response for DescribeConfigsResponse {
    const KEY: ApiKey = ApiKey::DescribeConfigs;

    /// Type and documentation, which come later, are left out by the crate itself.
    fn fit(&mut self, _version: i16) {}
}

impl Response for AlterConfigsResponse {
    const KEY: ApiKey = ApiKey::AlterConfigs;

    fn fit(&mut self, _version: i16) {}
}

impl Response for IncrementalAlterConfigsResponse {
    const KEY: ApiKey = ApiKey::IncrementalAlterConfigs;

    fn fit(&mut self, _version: i16) {}
}

impl Response for CreatePartitionsResponse {
    const KEY: ApiKey = ApiKey::CreatePartitions;

    fn fit(&mut self, _version: i16) {}
}

impl Response for DescribeLogDirsResponse {
    const KEY: ApiKey = ApiKey::DescribeLogDirs;

    fn fit(&mut self, version: i16) {
        if version < 3 {
            self.error_code = ErrorCode::None.code();
        }
        for dir in self.results.iter_mut().filter(|_| version < 4) {
            (dir.total_bytes, dir.usable_bytes) = (-1, -1);
        }
    }
}

impl Response for DescribeProducersResponse {
    const KEY: ApiKey = ApiKey::DescribeProducers;

    fn fit(&mut self, _version: i16) {}
}

impl Response for ListPartitionReassignmentsResponse {
    const KEY: ApiKey = ApiKey::ListPartitionReassignments;

    fn fit(&mut self, _version: i16) {}
}

impl Response for DescribeTopicPartitionsResponse {
    const KEY: ApiKey = ApiKey::DescribeTopicPartitions;

    fn fit(&mut self, _version: i16) {}
}

impl Response for DescribeClusterResponse {
    const KEY: ApiKey = ApiKey::DescribeCluster;

    fn fit(&mut self, version: i16) {
        const BROKERS: i8 = 1;
        if version < 1 {
            self.endpoint_type = BROKERS;
        }
    }
}
