//! A legal frame of every version of every API, and what the broker does with a frame. Shared with the fuzzer.

use crate::client::{request, versions};
use crate::{fetch, groups, messages as samples, produce};
use bytes::{Bytes, BytesMut};
use corelane::wire::api::{APIS, ApiKey};
use corelane::wire::fetch::FetchRequest;
use corelane::wire::frame::RequestHeader;
use corelane::wire::messages::{self, *};
use corelane::wire::produce::ProduceRequest;
use corelane::wire::reader::DecodeError;
use corelane::wire::record_batch::validate_for_produce;
use corelane::wire::schema;
use kafka_protocol::protocol::Decodable;

/// A legal frame of each version of each API.
pub fn corpus() -> Vec<BytesMut> {
    let mut frames = Vec::new();
    for api in &APIS {
        for version in versions(api.key) {
            frames.push(match api.key {
                ApiKey::Produce => request(api.key, version, &small_produce_request()),
                ApiKey::Fetch => request(api.key, version, &fetch::full_request(version)),
                ApiKey::ListOffsets => request(api.key, version, &samples::list_offsets_request(version)),
                ApiKey::Metadata => request(api.key, version, &samples::metadata_request(version)),
                ApiKey::ApiVersions => request(api.key, version, &samples::api_versions_request(version)),
                ApiKey::CreateTopics => request(api.key, version, &samples::create_topics_request(version)),
                ApiKey::DeleteTopics => request(api.key, version, &samples::delete_topics_request(version)),
                ApiKey::DeleteRecords => request(api.key, version, &samples::delete_records_request(version)),
                ApiKey::FindCoordinator => request(api.key, version, &groups::find_coordinator_request(version)),
                ApiKey::JoinGroup => request(api.key, version, &groups::join_group_request(version)),
                ApiKey::SyncGroup => request(api.key, version, &groups::sync_group_request(version)),
                ApiKey::Heartbeat => request(api.key, version, &groups::heartbeat_request(version)),
                ApiKey::LeaveGroup => request(api.key, version, &groups::leave_group_request(version)),
                ApiKey::OffsetCommit => request(api.key, version, &groups::offset_commit_request(version)),
                ApiKey::OffsetFetch => request(api.key, version, &groups::offset_fetch_request(version)),
                ApiKey::OffsetDelete => request(api.key, version, &groups::offset_delete_request()),
                ApiKey::ListGroups => request(api.key, version, &groups::list_groups_request(version)),
                ApiKey::DescribeGroups => request(api.key, version, &groups::describe_groups_request(version)),
                ApiKey::DeleteGroups => request(api.key, version, &groups::delete_groups_request()),
                ApiKey::InitProducerId => request(api.key, version, &samples::init_producer_id_request(version)),
                ApiKey::OffsetForLeaderEpoch => {
                    request(api.key, version, &samples::offset_for_leader_epoch_request(version))
                }
                ApiKey::DescribeConfigs => request(api.key, version, &samples::describe_configs_request(version)),
                ApiKey::AlterConfigs => request(api.key, version, &samples::alter_configs_request(version)),
                ApiKey::CreatePartitions => request(api.key, version, &samples::create_partitions_request(version)),
                ApiKey::IncrementalAlterConfigs => {
                    request(api.key, version, &samples::incremental_alter_configs_request(version))
                }
                ApiKey::DescribeCluster => request(api.key, version, &samples::describe_cluster_request(version)),
                ApiKey::DescribeLogDirs => request(api.key, version, &samples::describe_log_dirs_request(version)),
                ApiKey::DescribeProducers => request(api.key, version, &samples::describe_producers_request(version)),
                ApiKey::ListPartitionReassignments => {
                    request(api.key, version, &samples::list_partition_reassignments_request(version))
                }
                ApiKey::DescribeTopicPartitions => {
                    request(api.key, version, &samples::describe_topic_partitions_request(version))
                }
            });
        }
    }
    frames
}

fn small_produce_request() -> kafka_protocol::messages::ProduceRequest {
    let mut sent = produce::full_request();
    sent.topic_data[2].partition_data[0].records = Some(Bytes::from(vec![0xab; 200]));
    sent
}

/// What the broker does with a frame. The bodies of the crate's messages are compared with the walk before them.
pub fn receive(frame: BytesMut) -> Result<(), DecodeError> {
    let (header, body) = RequestHeader::parse(frame)?;
    let version = header.version;
    match header.key() {
        ApiKey::Produce => {
            let request = ProduceRequest::decode(body, version)?;
            for records in
                request.topics.iter().flat_map(|topic| &topic.partitions).filter_map(|part| part.records.as_deref())
            {
                let _ = validate_for_produce(records, version, 1 << 20);
            }
            Ok(())
        }
        ApiKey::Fetch => FetchRequest::decode(body, version).map(drop),
        ApiKey::ListOffsets => receive_message::<ListOffsetsRequest>(body, version),
        ApiKey::Metadata => receive_message::<MetadataRequest>(body, version),
        ApiKey::ApiVersions => receive_message::<ApiVersionsRequest>(body, version),
        ApiKey::CreateTopics => receive_message::<CreateTopicsRequest>(body, version),
        ApiKey::DeleteTopics => receive_message::<DeleteTopicsRequest>(body, version),
        ApiKey::DeleteRecords => receive_message::<DeleteRecordsRequest>(body, version),
        ApiKey::FindCoordinator => receive_message::<FindCoordinatorRequest>(body, version),
        ApiKey::JoinGroup => receive_message::<JoinGroupRequest>(body, version),
        ApiKey::SyncGroup => receive_message::<SyncGroupRequest>(body, version),
        ApiKey::Heartbeat => receive_message::<HeartbeatRequest>(body, version),
        ApiKey::LeaveGroup => receive_message::<LeaveGroupRequest>(body, version),
        ApiKey::OffsetCommit => receive_message::<OffsetCommitRequest>(body, version),
        ApiKey::OffsetFetch => receive_message::<OffsetFetchRequest>(body, version),
        ApiKey::OffsetDelete => receive_message::<OffsetDeleteRequest>(body, version),
        ApiKey::ListGroups => receive_message::<ListGroupsRequest>(body, version),
        ApiKey::DescribeGroups => receive_message::<DescribeGroupsRequest>(body, version),
        ApiKey::DeleteGroups => receive_message::<DeleteGroupsRequest>(body, version),
        ApiKey::InitProducerId => receive_message::<InitProducerIdRequest>(body, version),
        ApiKey::OffsetForLeaderEpoch => receive_message::<OffsetForLeaderEpochRequest>(body, version),
        ApiKey::DescribeConfigs => receive_message::<DescribeConfigsRequest>(body, version),
        ApiKey::AlterConfigs => receive_message::<AlterConfigsRequest>(body, version),
        ApiKey::CreatePartitions => receive_message::<CreatePartitionsRequest>(body, version),
        ApiKey::IncrementalAlterConfigs => receive_message::<IncrementalAlterConfigsRequest>(body, version),
        ApiKey::DescribeCluster => receive_message::<DescribeClusterRequest>(body, version),
        ApiKey::DescribeLogDirs => receive_message::<DescribeLogDirsRequest>(body, version),
        ApiKey::DescribeProducers => receive_message::<DescribeProducersRequest>(body, version),
        ApiKey::ListPartitionReassignments => receive_message::<ListPartitionReassignmentsRequest>(body, version),
        ApiKey::DescribeTopicPartitions => receive_message::<DescribeTopicPartitionsRequest>(body, version),
    }
}

fn receive_message<R: Request>(body: BytesMut, version: i16) -> Result<(), DecodeError> {
    messages::decode::<R>(body, version).map(drop)
}

/// What our decoders accept, the generated ones read alike (but for tags with false sizes, which Kafka does not look at either).
pub fn assert_agreement(frame: &[u8]) {
    let Ok((header, body)) = RequestHeader::parse(BytesMut::from(frame)) else { return };
    let version = header.version;
    match header.key() {
        ApiKey::Produce => {
            let mut theirs = body.clone().freeze();
            if let (Ok(ours), Ok(theirs)) = (
                ProduceRequest::decode(body, version),
                kafka_protocol::messages::ProduceRequest::decode(&mut theirs, version),
            ) {
                produce::assert_same(&ours, &theirs);
            }
        }
        ApiKey::Fetch => {
            let mut theirs = body.clone().freeze();
            if let (Ok(ours), Ok(theirs)) = (
                FetchRequest::decode(body, version),
                kafka_protocol::messages::FetchRequest::decode(&mut theirs, version),
            ) {
                fetch::assert_same(&ours, &theirs);
            }
        }
        ApiKey::ListOffsets => assert_walk::<ListOffsetsRequest>(body, version),
        ApiKey::Metadata => assert_walk::<MetadataRequest>(body, version),
        ApiKey::ApiVersions => assert_walk::<ApiVersionsRequest>(body, version),
        ApiKey::CreateTopics => assert_walk::<CreateTopicsRequest>(body, version),
        ApiKey::DeleteTopics => assert_walk::<DeleteTopicsRequest>(body, version),
        ApiKey::DeleteRecords => assert_walk::<DeleteRecordsRequest>(body, version),
        ApiKey::FindCoordinator => assert_walk::<FindCoordinatorRequest>(body, version),
        ApiKey::JoinGroup => assert_walk::<JoinGroupRequest>(body, version),
        ApiKey::SyncGroup => assert_walk::<SyncGroupRequest>(body, version),
        ApiKey::Heartbeat => assert_walk::<HeartbeatRequest>(body, version),
        ApiKey::LeaveGroup => assert_walk::<LeaveGroupRequest>(body, version),
        ApiKey::OffsetCommit => assert_walk::<OffsetCommitRequest>(body, version),
        ApiKey::OffsetFetch => assert_walk::<OffsetFetchRequest>(body, version),
        ApiKey::OffsetDelete => assert_walk::<OffsetDeleteRequest>(body, version),
        ApiKey::ListGroups => assert_walk::<ListGroupsRequest>(body, version),
        ApiKey::DescribeGroups => assert_walk::<DescribeGroupsRequest>(body, version),
        ApiKey::DeleteGroups => assert_walk::<DeleteGroupsRequest>(body, version),
        ApiKey::InitProducerId => assert_walk::<InitProducerIdRequest>(body, version),
        ApiKey::OffsetForLeaderEpoch => assert_walk::<OffsetForLeaderEpochRequest>(body, version),
        ApiKey::DescribeConfigs => assert_walk::<DescribeConfigsRequest>(body, version),
        ApiKey::AlterConfigs => assert_walk::<AlterConfigsRequest>(body, version),
        ApiKey::CreatePartitions => assert_walk::<CreatePartitionsRequest>(body, version),
        ApiKey::IncrementalAlterConfigs => assert_walk::<IncrementalAlterConfigsRequest>(body, version),
        ApiKey::DescribeCluster => assert_walk::<DescribeClusterRequest>(body, version),
        ApiKey::DescribeLogDirs => assert_walk::<DescribeLogDirsRequest>(body, version),
        ApiKey::DescribeProducers => assert_walk::<DescribeProducersRequest>(body, version),
        ApiKey::ListPartitionReassignments => assert_walk::<ListPartitionReassignmentsRequest>(body, version),
        ApiKey::DescribeTopicPartitions => assert_walk::<DescribeTopicPartitionsRequest>(body, version),
    }
}

fn assert_walk<R: Request>(body: BytesMut, version: i16) {
    let length = body.len();
    let Ok(walked) = schema::check(R::KEY, version, &body) else { return };
    let mut rest = body.freeze();
    match R::decode(&mut rest, version) {
        Ok(_) => assert_eq!(length - rest.len(), walked, "{:?} {version}", R::KEY),
        Err(why) => assert!(why.to_string().contains("utf-8"), "{:?} {version}: the walk let pass: {why}", R::KEY),
    }
}
