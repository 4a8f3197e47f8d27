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
pub use kafka_protocol::messages::delete_groups_response::DeletableGroupResult;
pub use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
pub use kafka_protocol::messages::delete_records_response::{DeleteRecordsPartitionResult, DeleteRecordsTopicResult};
pub use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
pub use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
pub use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
pub use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
pub use kafka_protocol::messages::describe_configs_response::{
    DescribeConfigsResourceResult, DescribeConfigsResult, DescribeConfigsSynonym,
};
pub use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
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
pub use kafka_protocol::messages::find_coordinator_response::Coordinator;
pub use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
pub use kafka_protocol::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
pub use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
pub use kafka_protocol::messages::join_group_response::JoinGroupResponseMember;
pub use kafka_protocol::messages::leave_group_request::MemberIdentity;
pub use kafka_protocol::messages::leave_group_response::MemberResponse;
pub use kafka_protocol::messages::list_groups_response::ListedGroup;
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
pub use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
pub use kafka_protocol::messages::offset_commit_response::{OffsetCommitResponsePartition, OffsetCommitResponseTopic};
pub use kafka_protocol::messages::offset_delete_response::{OffsetDeleteResponsePartition, OffsetDeleteResponseTopic};
pub use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
pub use kafka_protocol::messages::offset_fetch_response::{
    OffsetFetchResponseGroup, OffsetFetchResponsePartition, OffsetFetchResponsePartitions, OffsetFetchResponseTopic,
    OffsetFetchResponseTopics,
};
pub use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
pub use kafka_protocol::messages::offset_for_leader_epoch_response::{EpochEndOffset, OffsetForLeaderTopicResult};
pub use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
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
pub use kafka_protocol::messages::{
    DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse, GroupId,
    HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
    ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest,
    OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchResponse, SyncGroupRequest, SyncGroupResponse,
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

impl Request for JoinGroupRequest {
    const KEY: ApiKey = ApiKey::JoinGroup;
}

impl Request for SyncGroupRequest {
    const KEY: ApiKey = ApiKey::SyncGroup;
}

impl Request for HeartbeatRequest {
    const KEY: ApiKey = ApiKey::Heartbeat;
}

impl Request for LeaveGroupRequest {
    const KEY: ApiKey = ApiKey::LeaveGroup;
}

impl Request for OffsetCommitRequest {
    const KEY: ApiKey = ApiKey::OffsetCommit;
}

impl Request for OffsetFetchRequest {
    const KEY: ApiKey = ApiKey::OffsetFetch;
}

impl Request for OffsetDeleteRequest {
    const KEY: ApiKey = ApiKey::OffsetDelete;
}

impl Request for ListGroupsRequest {
    const KEY: ApiKey = ApiKey::ListGroups;
}

impl Request for DescribeGroupsRequest {
    const KEY: ApiKey = ApiKey::DescribeGroups;
}

impl Request for DeleteGroupsRequest {
    const KEY: ApiKey = ApiKey::DeleteGroups;
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

    /// Handlers fill in `coordinators`; before version 4 the only one of them is the answer itself.
    fn fit(&mut self, version: i16) {
        if version < 4
            && let Some(one) = self.coordinators.pop()
        {
            (self.error_code, self.error_message) = (one.error_code, one.error_message);
            (self.node_id, self.host, self.port) = (one.node_id, one.host, one.port);
        }
    }
}

impl Response for JoinGroupResponse {
    const KEY: ApiKey = ApiKey::JoinGroup;

    fn fit(&mut self, version: i16) {
        if version < 7 {
            self.protocol_name.get_or_insert_default();
        }
        if version < 9 {
            self.skip_assignment = false;
        }
    }
}

impl Response for SyncGroupResponse {
    const KEY: ApiKey = ApiKey::SyncGroup;

    fn fit(&mut self, _version: i16) {}
}

impl Response for HeartbeatResponse {
    const KEY: ApiKey = ApiKey::Heartbeat;

    fn fit(&mut self, _version: i16) {}
}

impl Response for LeaveGroupResponse {
    const KEY: ApiKey = ApiKey::LeaveGroup;

    /// Before version 3 one member leaves, and what became of it is the whole answer.
    fn fit(&mut self, version: i16) {
        if version < 3 {
            let member = self.members.pop().map_or(0, |member| member.error_code);
            if self.error_code == ErrorCode::None.code() {
                self.error_code = member;
            }
            self.members.clear();
        }
    }
}

impl Response for OffsetCommitResponse {
    const KEY: ApiKey = ApiKey::OffsetCommit;

    fn fit(&mut self, _version: i16) {}
}

impl Response for OffsetFetchResponse {
    const KEY: ApiKey = ApiKey::OffsetFetch;

    /// Handlers fill in `groups`; before version 8 the only one of them is the answer itself. A group that is refused has its code, but
    /// in version 1, where its partitions have it.
    fn fit(&mut self, version: i16) {
        for group in self.groups.iter_mut().filter(|group| version >= 2 && group.error_code != 0) {
            group.topics.clear();
        }
        if version >= 8 {
            return;
        }
        let Some(group) = self.groups.pop() else { return };
        self.error_code = group.error_code;
        let partition = |one: OffsetFetchResponsePartitions| {
            OffsetFetchResponsePartition::default()
                .with_partition_index(one.partition_index)
                .with_committed_offset(one.committed_offset)
                .with_committed_leader_epoch(one.committed_leader_epoch)
                .with_metadata(one.metadata)
                .with_error_code(one.error_code)
        };
        let topic = |one: OffsetFetchResponseTopics| {
            let partitions = one.partitions.into_iter().map(partition).collect();
            OffsetFetchResponseTopic::default().with_name(one.name).with_partitions(partitions)
        };
        self.topics = group.topics.into_iter().map(topic).collect();
    }
}

impl Response for OffsetDeleteResponse {
    const KEY: ApiKey = ApiKey::OffsetDelete;

    fn fit(&mut self, _version: i16) {}
}

impl Response for ListGroupsResponse {
    const KEY: ApiKey = ApiKey::ListGroups;

    fn fit(&mut self, _version: i16) {}
}

impl Response for DescribeGroupsResponse {
    const KEY: ApiKey = ApiKey::DescribeGroups;

    fn fit(&mut self, version: i16) {
        const UNKNOWN_OPERATIONS: i32 = i32::MIN;
        for group in self.groups.iter_mut().filter(|_| version < 3) {
            group.authorized_operations = UNKNOWN_OPERATIONS;
        }
    }
}

impl Response for DeleteGroupsResponse {
    const KEY: ApiKey = ApiKey::DeleteGroups;

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
