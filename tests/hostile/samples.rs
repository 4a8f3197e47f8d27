//! One legal request of every version of every API that the broker lists. They ask for a topic that exists, and change
//! nothing that the rest of the test looks at.

use crate::group_samples;
use crate::support::batch;
use bytes::{Bytes, BytesMut};
use corelane::wire::api::{APIS, ApiKey};
use kafka_protocol::messages::create_partitions_request::CreatePartitionsTopic;
use kafka_protocol::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig,
};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::list_partition_reassignments_request::ListPartitionReassignmentsTopics;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::offset_for_leader_epoch_request::{OffsetForLeaderPartition, OffsetForLeaderTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};
use uuid::Uuid;

/// Correlation id of every sample.
pub const CORRELATION_ID: i32 = 0x0102_0304;
/// The topic that the samples ask for.
pub const TOPIC: &str = "target";
const ABSENT: &str = "absent";

/// A whole frame, length prefix included.
pub struct Sample {
    pub key: ApiKey,
    pub version: i16,
    pub frame: Vec<u8>,
}

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_owned())
}

pub fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// A frame of any key and version, known or not.
pub fn frame(key: i16, version: i16, correlation_id: i32, flexible_body: impl FnOnce(&mut BytesMut)) -> Vec<u8> {
    let mut bytes = BytesMut::new();
    bytes.extend_from_slice(&[0; 4]);
    let header = RequestHeader::default()
        .with_request_api_key(key)
        .with_request_api_version(version)
        .with_correlation_id(correlation_id)
        .with_client_id(Some(text("hostile")));
    encode_request_header_into_buffer(&mut bytes, &header).expect("the header encodes");
    flexible_body(&mut bytes);
    with_length(bytes.to_vec())
}

/// Sets the length before a frame to what follows it.
pub fn with_length(mut frame: Vec<u8>) -> Vec<u8> {
    let length = frame.len() as i32 - 4;
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}

pub fn request<R: Encodable>(key: ApiKey, version: i16, body: &R) -> Vec<u8> {
    frame(key.number(), version, CORRELATION_ID, |bytes| body.encode(bytes, version).expect("the body encodes"))
}

/// Samples of everything that the broker serves. `topic_id`: of [`TOPIC`].
pub fn all(topic_id: Uuid) -> Vec<Sample> {
    let mut samples = Vec::new();
    for api in &APIS {
        for version in api.min..=api.max {
            samples.push(Sample { key: api.key, version, frame: sample(api.key, version, topic_id) });
        }
    }
    samples
}

fn sample(key: ApiKey, version: i16, topic_id: Uuid) -> Vec<u8> {
    match key {
        ApiKey::Produce => request(key, version, &produce()),
        ApiKey::Fetch => request(key, version, &fetch(version, topic_id)),
        ApiKey::ListOffsets => request(key, version, &list_offsets(version)),
        ApiKey::Metadata => request(key, version, &metadata(version)),
        ApiKey::FindCoordinator
        | ApiKey::JoinGroup
        | ApiKey::SyncGroup
        | ApiKey::Heartbeat
        | ApiKey::LeaveGroup
        | ApiKey::OffsetCommit
        | ApiKey::OffsetFetch
        | ApiKey::OffsetDelete
        | ApiKey::ListGroups
        | ApiKey::DescribeGroups
        | ApiKey::DeleteGroups => group_samples::sample(key, version),
        ApiKey::ApiVersions => request(key, version, &api_versions(version)),
        ApiKey::CreateTopics => request(key, version, &create_topics()),
        ApiKey::DeleteTopics => request(key, version, &delete_topics(version)),
        ApiKey::DeleteRecords => request(key, version, &delete_records()),
        ApiKey::InitProducerId => {
            let sent = InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(1000);
            request(key, version, &sent)
        }
        ApiKey::OffsetForLeaderEpoch => request(key, version, &offset_for_leader_epoch(version)),
        ApiKey::DescribeConfigs => request(key, version, &describe_configs(version)),
        ApiKey::AlterConfigs => request(key, version, &alter_configs()),
        ApiKey::CreatePartitions => request(key, version, &create_partitions()),
        ApiKey::IncrementalAlterConfigs => request(key, version, &incremental_alter_configs()),
        ApiKey::DescribeCluster => {
            let sent = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
            request(key, version, &sent)
        }
        ApiKey::DescribeLogDirs => request(key, version, &describe_log_dirs()),
        ApiKey::DescribeProducers => request(key, version, &describe_producers()),
        ApiKey::ListPartitionReassignments => request(key, version, &list_partition_reassignments()),
        ApiKey::DescribeTopicPartitions => request(key, version, &describe_topic_partitions()),
    }
}

fn produce() -> ProduceRequest {
    let records = Bytes::from(batch::encode(None, &[vec![1; 10], vec![2; 20]]));
    let partition = |index: i32| PartitionProduceData::default().with_index(index).with_records(Some(records.clone()));
    let topic =
        TopicProduceData::default().with_name(name(TOPIC)).with_partition_data(vec![partition(0), partition(1)]);
    ProduceRequest::default()
        .with_transactional_id(None)
        .with_acks(-1)
        .with_timeout_ms(1000)
        .with_topic_data(vec![topic])
}

fn fetch(version: i16, topic_id: Uuid) -> FetchRequest {
    let partition = |index: i32| {
        FetchPartition::default()
            .with_partition(index)
            .with_current_leader_epoch(-1)
            .with_last_fetched_epoch(-1)
            .with_log_start_offset(-1)
            .with_partition_max_bytes(1 << 10)
    };
    let mut topic = FetchTopic::default().with_partitions(vec![partition(0), partition(1)]);
    let mut forgotten = ForgottenTopic::default().with_partitions(vec![1]);
    if version >= 13 {
        (topic.topic_id, forgotten.topic_id) = (topic_id, topic_id);
    } else {
        (topic.topic, forgotten.topic) = (name(TOPIC), name(TOPIC));
    }
    let mut sent = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(0)
        .with_min_bytes(0)
        .with_max_bytes(1 << 20)
        .with_topics(vec![topic]);
    if version >= 7 {
        sent.session_epoch = -1;
        sent.forgotten_topics_data = vec![forgotten];
    }
    if version >= 11 {
        sent.rack_id = text("rack-a");
    }
    sent
}

fn list_offsets(version: i16) -> ListOffsetsRequest {
    let partition = |(index, timestamp): (i32, i64)| {
        let partition = ListOffsetsPartition::default().with_partition_index(index).with_timestamp(timestamp);
        if version >= 4 { partition.with_current_leader_epoch(-1) } else { partition }
    };
    let partitions = [(0, -2), (1, -1)].into_iter().map(partition).collect();
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_topics(vec![ListOffsetsTopic::default().with_name(name(TOPIC)).with_partitions(partitions)])
}

fn metadata(version: i16) -> MetadataRequest {
    let topic = |topic: &str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    let mut sent = MetadataRequest::default().with_topics(Some(vec![topic(TOPIC), topic("a/b")]));
    if version >= 4 {
        sent.allow_auto_topic_creation = false;
    }
    if version >= 8 {
        sent.include_topic_authorized_operations = true;
    }
    sent
}

fn api_versions(version: i16) -> ApiVersionsRequest {
    match version {
        0..=2 => ApiVersionsRequest::default(),
        _ => ApiVersionsRequest::default()
            .with_client_software_name(text("hostile"))
            .with_client_software_version(text("1.0")),
    }
}

fn create_topics() -> CreateTopicsRequest {
    let config = CreatableTopicConfig::default().with_name(text("cleanup.policy")).with_value(Some(text("compact")));
    let assignment = CreatableReplicaAssignment::default().with_broker_ids(vec![BrokerId(0)]);
    CreateTopicsRequest::default().with_timeout_ms(1000).with_validate_only(true).with_topics(vec![
        CreatableTopic::default()
            .with_name(name("made"))
            .with_num_partitions(1)
            .with_replication_factor(1)
            .with_configs(vec![config]),
        CreatableTopic::default()
            .with_name(name("placed"))
            .with_num_partitions(-1)
            .with_replication_factor(-1)
            .with_assignments(vec![assignment]),
    ])
}

fn delete_topics(version: i16) -> DeleteTopicsRequest {
    let sent = DeleteTopicsRequest::default().with_timeout_ms(1000);
    if version >= 6 {
        let by_id = DeleteTopicState::default().with_topic_id(Uuid::from_bytes([7; 16])).with_name(None);
        sent.with_topics(vec![DeleteTopicState::default().with_name(Some(name(ABSENT))), by_id])
    } else {
        sent.with_topic_names(vec![name(ABSENT), name("")])
    }
}

fn delete_records() -> DeleteRecordsRequest {
    let partition = DeleteRecordsPartition::default().with_offset(0);
    let topic =
        |topic: &str| DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![partition.clone()]);
    DeleteRecordsRequest::default().with_timeout_ms(1000).with_topics(vec![topic(TOPIC), topic(ABSENT)])
}

fn offset_for_leader_epoch(version: i16) -> OffsetForLeaderEpochRequest {
    let partition = OffsetForLeaderPartition::default().with_current_leader_epoch(-1).with_leader_epoch(1);
    let topic = OffsetForLeaderTopic::default().with_topic(name(TOPIC)).with_partitions(vec![partition]);
    let sent = OffsetForLeaderEpochRequest::default().with_topics(vec![topic]);
    if version >= 3 { sent.with_replica_id(BrokerId(-1)) } else { sent }
}

fn describe_configs(version: i16) -> DescribeConfigsRequest {
    let resource = |kind: i8, name: &str, keys: Option<Vec<StrBytes>>| {
        let resource = DescribeConfigsResource::default().with_resource_type(kind).with_resource_name(text(name));
        resource.with_configuration_keys(keys)
    };
    DescribeConfigsRequest::default()
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3)
        .with_resources(vec![resource(2, TOPIC, None), resource(4, "0", Some(vec![text("num.partitions")]))])
}

fn alter_configs() -> AlterConfigsRequest {
    let config =
        alter_configs_request::AlterableConfig::default().with_name(text("flush.ms")).with_value(Some(text("9")));
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(2)
        .with_resource_name(text(ABSENT))
        .with_configs(vec![config]);
    AlterConfigsRequest::default().with_validate_only(true).with_resources(vec![resource])
}

fn incremental_alter_configs() -> IncrementalAlterConfigsRequest {
    let config = incremental_alter_configs_request::AlterableConfig::default()
        .with_name(text("flush.ms"))
        .with_value(Some(text("9")));
    let resource = |kind: i8, name: &str| {
        incremental_alter_configs_request::AlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(vec![config.clone()])
    };
    let resources = vec![resource(2, ABSENT), resource(2, TOPIC)];
    IncrementalAlterConfigsRequest::default().with_validate_only(true).with_resources(resources)
}

fn describe_log_dirs() -> DescribeLogDirsRequest {
    let topic = DescribableLogDirTopic::default().with_topic(name(TOPIC)).with_partitions(vec![0, 1]);
    DescribeLogDirsRequest::default().with_topics(Some(vec![topic]))
}

fn describe_producers() -> DescribeProducersRequest {
    let topic = describe_producers_request::TopicRequest::default().with_name(name(TOPIC));
    DescribeProducersRequest::default().with_topics(vec![topic.with_partition_indexes(vec![0, 1])])
}

fn list_partition_reassignments() -> ListPartitionReassignmentsRequest {
    let topic = ListPartitionReassignmentsTopics::default().with_name(name(TOPIC)).with_partition_indexes(vec![0, 1]);
    ListPartitionReassignmentsRequest::default().with_timeout_ms(1000).with_topics(Some(vec![topic]))
}

fn describe_topic_partitions() -> DescribeTopicPartitionsRequest {
    let topic = |topic: &str| describe_topic_partitions_request::TopicRequest::default().with_name(name(topic));
    let cursor = describe_topic_partitions_request::Cursor::default().with_topic_name(name(TOPIC));
    DescribeTopicPartitionsRequest::default()
        .with_topics(vec![topic(TOPIC), topic(ABSENT)])
        .with_response_partition_limit(1)
        .with_cursor(Some(cursor))
}

fn create_partitions() -> CreatePartitionsRequest {
    let topic = CreatePartitionsTopic::default().with_name(name(TOPIC)).with_count(3).with_assignments(None);
    CreatePartitionsRequest::default().with_timeout_ms(1000).with_validate_only(true).with_topics(vec![topic])
}
