//! The APIs that go through the generated crate on both sides: what is tested is the check before it and the fitting of answers.

use crate::client::{CORRELATION_ID, body, request, response, text, versions};
use crate::groups;
use corelane::wire::api::{APIS, ApiKey};
use corelane::wire::messages::{self, *};
use kafka_protocol::messages::api_versions_response::SupportedFeatureKey;
use kafka_protocol::protocol::Encodable;
use std::fmt::Debug;

#[track_caller]
pub fn arrives<R: Request + Encodable + PartialEq + Debug>(version: i16, sent: &R) {
    let body = body(R::KEY, version, request(R::KEY, version, sent));
    assert_eq!(corelane::wire::schema::check(R::KEY, version, &body), Ok(body.len()), "{:?} {version}", R::KEY);
    assert_eq!(messages::decode::<R>(body, version).as_ref(), Ok(sent), "{:?} {version}", R::KEY);
}

pub fn name(name: &str) -> TopicName {
    TopicName(text(name))
}

pub fn api_versions_request(version: i16) -> ApiVersionsRequest {
    match version {
        0..=2 => ApiVersionsRequest::default(),
        _ => ApiVersionsRequest::default()
            .with_client_software_name(text("kcat"))
            .with_client_software_version(text("1.7")),
    }
}

pub fn metadata_request(version: i16) -> MetadataRequest {
    let topic = |topic: &str| MetadataRequestTopic::default().with_name(Some(name(topic)));
    let mut sent = MetadataRequest::default().with_topics(Some(vec![topic("orders"), topic(""), topic("a/b")]));
    if version >= 4 {
        sent.allow_auto_topic_creation = false;
    }
    if version >= 8 {
        sent.include_cluster_authorized_operations = version <= 10;
        sent.include_topic_authorized_operations = true;
    }
    if version >= 10 {
        let by_id = MetadataRequestTopic::default().with_topic_id(Uuid::from_bytes([7; 16])).with_name(None);
        sent.topics.as_mut().expect("set").push(by_id);
    }
    sent
}

pub fn list_offsets_request(version: i16) -> ListOffsetsRequest {
    let partition = |index: i32| {
        let partition = ListOffsetsPartition::default().with_partition_index(index).with_timestamp(-2);
        if version >= 4 { partition.with_current_leader_epoch(3) } else { partition }
    };
    ListOffsetsRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_isolation_level(i8::from(version >= 2))
        .with_topics(vec![
            ListOffsetsTopic::default().with_name(name("orders")).with_partitions((0..4).map(partition).collect()),
            ListOffsetsTopic::default().with_name(name("empty")),
        ])
}

pub fn init_producer_id_request(version: i16) -> InitProducerIdRequest {
    let sent = InitProducerIdRequest::default()
        .with_transactional_id(Some(TransactionalId(text("payments"))))
        .with_transaction_timeout_ms(60_000);
    if version >= 3 { sent.with_producer_id(ProducerId(44)).with_producer_epoch(2) } else { sent }
}

pub fn create_topics_request(version: i16) -> CreateTopicsRequest {
    let config = |key: &str, value: Option<&str>| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(value.map(text))
    };
    let assignment = |index: i32| {
        CreatableReplicaAssignment::default()
            .with_partition_index(index)
            .with_broker_ids(vec![BrokerId(0), BrokerId(1)])
    };
    let automatic = if version >= 4 { -1 } else { 1 };
    CreateTopicsRequest::default().with_timeout_ms(1000).with_validate_only(true).with_topics(vec![
        CreatableTopic::default()
            .with_name(name("orders"))
            .with_num_partitions(automatic)
            .with_replication_factor(automatic as i16)
            .with_configs(vec![config("cleanup.policy", Some("compact")), config("retention.ms", None)]),
        CreatableTopic::default().with_name(name("placed")).with_assignments(vec![assignment(0), assignment(1)]),
    ])
}

pub fn delete_topics_request(version: i16) -> DeleteTopicsRequest {
    let sent = DeleteTopicsRequest::default().with_timeout_ms(1000);
    if version >= 6 {
        let by_id = DeleteTopicState::default().with_topic_id(Uuid::from_bytes([7; 16])).with_name(None);
        sent.with_topics(vec![DeleteTopicState::default().with_name(Some(name("orders"))), by_id])
    } else {
        sent.with_topic_names(vec![name("orders"), name("")])
    }
}

pub fn delete_records_request(_version: i16) -> DeleteRecordsRequest {
    let partition = |index: i32| DeleteRecordsPartition::default().with_partition_index(index).with_offset(-1);
    DeleteRecordsRequest::default().with_timeout_ms(1000).with_topics(vec![
        DeleteRecordsTopic::default().with_name(name("orders")).with_partitions((0..3).map(partition).collect()),
        DeleteRecordsTopic::default().with_name(name("none")),
    ])
}

pub fn offset_for_leader_epoch_request(version: i16) -> OffsetForLeaderEpochRequest {
    let partition = |index: i32| {
        OffsetForLeaderPartition::default().with_partition(index).with_current_leader_epoch(7).with_leader_epoch(5)
    };
    let topics = vec![
        OffsetForLeaderTopic::default().with_topic(name("orders")).with_partitions((0..3).map(partition).collect()),
        OffsetForLeaderTopic::default().with_topic(name("none")),
    ];
    let sent = OffsetForLeaderEpochRequest::default().with_topics(topics);
    if version >= 3 { sent.with_replica_id(BrokerId(-1)) } else { sent }
}

pub fn describe_configs_request(version: i16) -> DescribeConfigsRequest {
    let resource = |kind: i8, name: &str, keys: Option<Vec<&str>>| {
        let keys = keys.map(|keys| keys.into_iter().map(text).collect());
        DescribeConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configuration_keys(keys)
    };
    DescribeConfigsRequest::default()
        .with_include_synonyms(true)
        .with_include_documentation(version >= 3)
        .with_resources(vec![
            resource(2, "orders", None),
            resource(4, "0", Some(vec!["num.partitions", ""])),
            resource(4, "", Some(vec![])),
        ])
}

pub fn alter_configs_request(_version: i16) -> AlterConfigsRequest {
    let config = |key: &str, value: Option<&str>| {
        LegacyAlterableConfig::default().with_name(text(key)).with_value(value.map(text))
    };
    let resource = |kind: i8, name: &str, configs| {
        LegacyAlterConfigsResource::default()
            .with_resource_type(kind)
            .with_resource_name(text(name))
            .with_configs(configs)
    };
    AlterConfigsRequest::default().with_validate_only(true).with_resources(vec![
        resource(2, "orders", vec![config("retention.ms", Some("5")), config("segment.ms", None)]),
        resource(4, "", vec![]),
    ])
}

pub fn incremental_alter_configs_request(_version: i16) -> IncrementalAlterConfigsRequest {
    let config = |key: &str, operation: i8, value: Option<&str>| {
        AlterableConfig::default().with_name(text(key)).with_config_operation(operation).with_value(value.map(text))
    };
    let resource = |kind: i8, name: &str, configs| {
        AlterConfigsResource::default().with_resource_type(kind).with_resource_name(text(name)).with_configs(configs)
    };
    IncrementalAlterConfigsRequest::default().with_validate_only(true).with_resources(vec![
        resource(2, "orders", vec![config("cleanup.policy", 2, Some("compact")), config("segment.ms", 1, None)]),
        resource(4, "", vec![]),
    ])
}

pub fn create_partitions_request(_version: i16) -> CreatePartitionsRequest {
    let topic = |topic: &str| CreatePartitionsTopic::default().with_name(name(topic)).with_count(3);
    let assignment = |brokers: &[i32]| {
        CreatePartitionsAssignment::default().with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
    };
    CreatePartitionsRequest::default().with_timeout_ms(1000).with_validate_only(true).with_topics(vec![
        topic("orders").with_assignments(None),
        topic("placed").with_assignments(Some(vec![assignment(&[0, 1]), assignment(&[])])),
        topic("empty").with_assignments(Some(vec![])),
    ])
}

pub fn describe_log_dirs_request(_version: i16) -> DescribeLogDirsRequest {
    let topic = |topic: &str, partitions: &[i32]| {
        DescribableLogDirTopic::default().with_topic(name(topic)).with_partitions(partitions.to_vec())
    };
    DescribeLogDirsRequest::default().with_topics(Some(vec![topic("orders", &[0, 1, -1]), topic("", &[])]))
}

pub fn describe_producers_request(_version: i16) -> DescribeProducersRequest {
    let topic = |topic: &str, partitions: &[i32]| {
        DescribeProducersTopic::default().with_name(name(topic)).with_partition_indexes(partitions.to_vec())
    };
    DescribeProducersRequest::default().with_topics(vec![topic("orders", &[0, 1, -1]), topic("", &[])])
}

pub fn list_partition_reassignments_request(_version: i16) -> ListPartitionReassignmentsRequest {
    let topic = |topic: &str, partitions: &[i32]| {
        ListPartitionReassignmentsTopics::default().with_name(name(topic)).with_partition_indexes(partitions.to_vec())
    };
    let topics = vec![topic("orders", &[0, 1, -1]), topic("", &[])];
    ListPartitionReassignmentsRequest::default().with_timeout_ms(1000).with_topics(Some(topics))
}

pub fn describe_topic_partitions_request(_version: i16) -> DescribeTopicPartitionsRequest {
    let topic = |topic: &str| TopicRequest::default().with_name(name(topic));
    DescribeTopicPartitionsRequest::default()
        .with_topics(vec![topic("orders"), topic("")])
        .with_response_partition_limit(7)
        .with_cursor(Some(AskedCursor::default().with_topic_name(name("orders")).with_partition_index(3)))
}

pub fn describe_cluster_request(version: i16) -> DescribeClusterRequest {
    let sent = DescribeClusterRequest::default().with_include_cluster_authorized_operations(true);
    if version >= 1 { sent.with_endpoint_type(2) } else { sent }
}

/// Sends the requests of an API in all its versions.
pub fn requests_arrive(key: ApiKey) {
    for version in versions(key) {
        match key {
            ApiKey::Produce | ApiKey::Fetch => unreachable!("they have codecs of their own"),
            ApiKey::ListOffsets => arrives(version, &list_offsets_request(version)),
            ApiKey::Metadata => {
                arrives(version, &metadata_request(version));
                arrives(version, &MetadataRequest::default().with_topics(Some(vec![])));
                if version >= 1 {
                    arrives(version, &MetadataRequest::default().with_topics(None));
                }
            }
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
            | ApiKey::DeleteGroups => groups::request_arrives(key, version),
            ApiKey::ApiVersions => arrives(version, &api_versions_request(version)),
            ApiKey::CreateTopics => arrives(version, &create_topics_request(version)),
            ApiKey::DeleteTopics => arrives(version, &delete_topics_request(version)),
            ApiKey::DeleteRecords => arrives(version, &delete_records_request(version)),
            ApiKey::InitProducerId => {
                arrives(version, &init_producer_id_request(version));
                arrives(version, &InitProducerIdRequest::default().with_transactional_id(None));
            }
            ApiKey::OffsetForLeaderEpoch => arrives(version, &offset_for_leader_epoch_request(version)),
            ApiKey::DescribeConfigs => arrives(version, &describe_configs_request(version)),
            ApiKey::AlterConfigs => arrives(version, &alter_configs_request(version)),
            ApiKey::IncrementalAlterConfigs => arrives(version, &incremental_alter_configs_request(version)),
            ApiKey::CreatePartitions => arrives(version, &create_partitions_request(version)),
            ApiKey::DescribeCluster => arrives(version, &describe_cluster_request(version)),
            ApiKey::DescribeLogDirs => {
                arrives(version, &describe_log_dirs_request(version));
                arrives(version, &DescribeLogDirsRequest::default().with_topics(None));
            }
            ApiKey::DescribeProducers => arrives(version, &describe_producers_request(version)),
            ApiKey::ListPartitionReassignments => {
                arrives(version, &list_partition_reassignments_request(version));
                arrives(version, &ListPartitionReassignmentsRequest::default().with_topics(None));
            }
            ApiKey::DescribeTopicPartitions => {
                arrives(version, &describe_topic_partitions_request(version));
                arrives(version, &DescribeTopicPartitionsRequest::default());
            }
        }
    }
}

/// What a client reads of an answer.
pub fn answered<R: messages::Response + Clone + kafka_protocol::protocol::Decodable + Debug>(
    version: i16,
    sent: &R,
) -> R {
    response(R::KEY, version, messages::encode(sent.clone(), version, CORRELATION_ID))
}

pub fn api_versions_answers_arrive() {
    let feature = |name: &str, min: i16| {
        SupportedFeatureKey::default().with_name(text(name)).with_min_version(min).with_max_version(2)
    };
    for version in versions(ApiKey::ApiVersions) {
        let sent = ApiVersionsResponse::default()
            .with_api_keys(messages::listed_versions())
            .with_throttle_time_ms(4)
            .with_supported_features(vec![feature("from.zero", 0), feature("from.one", 1)])
            .with_finalized_features_epoch(9);
        let got = answered(version, &sent);
        assert_eq!(got.api_keys, sent.api_keys);
        assert_eq!(got.throttle_time_ms, if version >= 1 { 4 } else { 0 });
        assert_eq!(got.finalized_features_epoch, if version >= 3 { 9 } else { -1 });
        let features: Vec<_> = got.supported_features.iter().map(|feature| &*feature.name).collect();
        let expected: &[&str] = match version {
            0..=2 => &[],
            3 => &["from.one"],
            _ => &["from.zero", "from.one"],
        };
        assert_eq!(features, expected);
    }
}

#[test]
fn the_downgrade_answer_is_version_0_and_names_one_key() {
    let got: ApiVersionsResponse = response(ApiKey::ApiVersions, 0, messages::unsupported_api_versions(CORRELATION_ID));
    assert_eq!(got.error_code, 35);
    assert_eq!(got.api_keys, [ApiVersion::default().with_api_key(18).with_min_version(0).with_max_version(4)]);
}

#[test]
fn the_listed_versions_are_those_of_the_table() {
    let listed = messages::listed_versions();
    assert_eq!(listed.len(), APIS.len());
    assert_eq!(listed[0], ApiVersion::default().with_api_key(0).with_min_version(0).with_max_version(11));
    assert_eq!(listed[1], ApiVersion::default().with_api_key(1).with_min_version(4).with_max_version(17));
}

pub fn metadata_answers_arrive() {
    let partition = MetadataResponsePartition::default()
        .with_error_code(5)
        .with_partition_index(2)
        .with_leader_id(BrokerId(1))
        .with_leader_epoch(3)
        .with_replica_nodes(vec![BrokerId(1)])
        .with_isr_nodes(vec![BrokerId(1)])
        .with_offline_replicas(vec![BrokerId(9)]);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(name("orders")))
        .with_topic_id(Uuid::from_bytes([7; 16]))
        .with_is_internal(true)
        .with_topic_authorized_operations(6)
        .with_partitions(vec![partition]);
    let unknown =
        MetadataResponseTopic::default().with_error_code(100).with_name(None).with_topic_id(Uuid::from_bytes([8; 16]));
    let broker = MetadataResponseBroker::default()
        .with_node_id(BrokerId(1))
        .with_host(text("localhost"))
        .with_port(9093)
        .with_rack(Some(text("r1")));
    let sent = MetadataResponse::default()
        .with_throttle_time_ms(4)
        .with_brokers(vec![broker])
        .with_cluster_id(Some(text("cluster")))
        .with_controller_id(BrokerId(0))
        .with_cluster_authorized_operations(5)
        .with_topics(vec![topic, unknown]);
    for version in versions(ApiKey::Metadata) {
        let mut expected = sent.clone();
        if version < 3 {
            expected.throttle_time_ms = 0;
        }
        if version < 2 {
            expected.cluster_id = None;
        }
        if version < 1 {
            expected.controller_id = BrokerId(-1);
            expected.brokers[0].rack = None;
        }
        if !(8..=10).contains(&version) {
            expected.cluster_authorized_operations = i32::MIN;
        }
        if version < 12 {
            expected.topics[1].name = Some(name(""));
        }
        for topic in &mut expected.topics {
            fit_topic(topic, version);
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

fn fit_topic(topic: &mut MetadataResponseTopic, version: i16) {
    if version < 10 {
        topic.topic_id = Uuid::nil();
    }
    if version < 8 {
        topic.topic_authorized_operations = i32::MIN;
    }
    if version < 1 {
        topic.is_internal = false;
    }
    for partition in &mut topic.partitions {
        if version < 7 {
            partition.leader_epoch = -1;
        }
        if version < 5 {
            partition.offline_replicas.clear();
        }
    }
}

pub fn list_offsets_answers_arrive() {
    let partition = ListOffsetsPartitionResponse::default()
        .with_partition_index(2)
        .with_error_code(6)
        .with_timestamp(-1)
        .with_offset(1 << 40)
        .with_leader_epoch(3);
    let topic = ListOffsetsTopicResponse::default().with_name(name("orders")).with_partitions(vec![partition]);
    let sent = ListOffsetsResponse::default().with_throttle_time_ms(4).with_topics(vec![topic]);
    for version in versions(ApiKey::ListOffsets) {
        let mut expected = sent.clone();
        if version < 4 {
            expected.topics[0].partitions[0].leader_epoch = -1;
        }
        if version < 2 {
            expected.throttle_time_ms = 0;
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn offset_for_leader_epoch_answers_arrive() {
    let partition =
        EpochEndOffset::default().with_partition(2).with_error_code(74).with_leader_epoch(3).with_end_offset(1 << 40);
    let topic = OffsetForLeaderTopicResult::default().with_topic(name("orders")).with_partitions(vec![partition]);
    let sent = OffsetForLeaderEpochResponse::default().with_throttle_time_ms(4).with_topics(vec![topic]);
    for version in versions(ApiKey::OffsetForLeaderEpoch) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn describe_configs_answers_arrive() {
    let synonym =
        DescribeConfigsSynonym::default().with_name(text("log.segment.bytes")).with_value(None).with_source(5);
    let config = DescribeConfigsResourceResult::default()
        .with_name(text("segment.bytes"))
        .with_value(Some(text("1")))
        .with_read_only(true)
        .with_config_source(1)
        .with_is_sensitive(true)
        .with_synonyms(vec![synonym])
        .with_config_type(3)
        .with_documentation(Some(text("size")));
    let undocumented = config.clone().with_documentation(None).with_value(None).with_synonyms(vec![]);
    let result = DescribeConfigsResult::default()
        .with_error_code(3)
        .with_error_message(Some(text("unknown")))
        .with_resource_type(2)
        .with_resource_name(text("orders"))
        .with_configs(vec![config, undocumented]);
    let sent = DescribeConfigsResponse::default().with_throttle_time_ms(4).with_results(vec![result]);
    for version in versions(ApiKey::DescribeConfigs) {
        let mut expected = sent.clone();
        if version < 3 {
            for config in &mut expected.results[0].configs {
                (config.config_type, config.documentation) = (0, Some(text("")));
            }
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn alter_configs_answers_arrive() {
    let resource = LegacyAlterConfigsResourceResponse::default()
        .with_error_code(40)
        .with_resource_type(2)
        .with_resource_name(text("t"));
    let responses = vec![resource.clone().with_error_message(Some(text("no"))), resource.with_error_message(None)];
    let sent = AlterConfigsResponse::default().with_throttle_time_ms(4).with_responses(responses);
    for version in versions(ApiKey::AlterConfigs) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn incremental_alter_configs_answers_arrive() {
    let resource =
        AlterConfigsResourceResponse::default().with_error_code(40).with_resource_type(2).with_resource_name(text("t"));
    let responses = vec![resource.clone().with_error_message(Some(text("no"))), resource.with_error_message(None)];
    let sent = IncrementalAlterConfigsResponse::default().with_throttle_time_ms(4).with_responses(responses);
    for version in versions(ApiKey::IncrementalAlterConfigs) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn create_partitions_answers_arrive() {
    let result = CreatePartitionsTopicResult::default().with_name(name("orders")).with_error_code(37);
    let results = vec![result.clone().with_error_message(Some(text("no"))), result.with_error_message(None)];
    let sent = CreatePartitionsResponse::default().with_throttle_time_ms(4).with_results(results);
    for version in versions(ApiKey::CreatePartitions) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn describe_cluster_answers_arrive() {
    let broker = DescribeClusterBroker::default()
        .with_broker_id(BrokerId(1001))
        .with_host(text("localhost"))
        .with_port(9093)
        .with_rack(None);
    let sent = DescribeClusterResponse::default()
        .with_throttle_time_ms(4)
        .with_error_code(114)
        .with_error_message(Some(text("no")))
        .with_endpoint_type(2)
        .with_cluster_id(text("cluster"))
        .with_controller_id(BrokerId(1000))
        .with_brokers(vec![broker])
        .with_cluster_authorized_operations(5);
    for version in versions(ApiKey::DescribeCluster) {
        let mut expected = sent.clone();
        if version < 1 {
            expected.endpoint_type = 1;
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn describe_log_dirs_answers_arrive() {
    let partition = DescribeLogDirsPartition::default()
        .with_partition_index(2)
        .with_partition_size(1 << 40)
        .with_offset_lag(7)
        .with_is_future_key(true);
    let topic = DescribeLogDirsTopic::default().with_name(name("orders")).with_partitions(vec![partition]);
    let dir = DescribeLogDirsResult::default()
        .with_error_code(56)
        .with_log_dir(text("/var/lib/corelane"))
        .with_topics(vec![topic])
        .with_total_bytes(1 << 50)
        .with_usable_bytes(1 << 49);
    let sent = DescribeLogDirsResponse::default().with_throttle_time_ms(4).with_error_code(31).with_results(vec![dir]);
    for version in versions(ApiKey::DescribeLogDirs) {
        let mut expected = sent.clone();
        if version < 4 {
            (expected.results[0].total_bytes, expected.results[0].usable_bytes) = (-1, -1);
        }
        if version < 3 {
            expected.error_code = 0;
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn describe_producers_answers_arrive() {
    let producer = ProducerState::default()
        .with_producer_id(ProducerId(1 << 40))
        .with_producer_epoch(3)
        .with_last_sequence(9)
        .with_last_timestamp(1 << 41)
        .with_coordinator_epoch(2)
        .with_current_txn_start_offset(1 << 42);
    let known = DescribedPartition::default()
        .with_partition_index(2)
        .with_error_message(None)
        .with_active_producers(vec![producer]);
    let unknown = DescribedPartition::default().with_error_code(3).with_error_message(Some(text("no")));
    let topic = DescribedTopic::default().with_name(name("orders")).with_partitions(vec![known, unknown]);
    let sent = DescribeProducersResponse::default().with_throttle_time_ms(4).with_topics(vec![topic]);
    for version in versions(ApiKey::DescribeProducers) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn list_partition_reassignments_answers_arrive() {
    let nodes = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
    let partition = OngoingPartitionReassignment::default()
        .with_partition_index(2)
        .with_replicas(nodes(&[0, 1]))
        .with_adding_replicas(nodes(&[1]))
        .with_removing_replicas(nodes(&[0]));
    let topic = OngoingTopicReassignment::default().with_name(name("orders")).with_partitions(vec![partition]);
    let sent = ListPartitionReassignmentsResponse::default().with_throttle_time_ms(4).with_error_code(41);
    for sent in
        [sent.clone().with_error_message(Some(text("no"))).with_topics(vec![topic]), sent.with_error_message(None)]
    {
        for version in versions(ApiKey::ListPartitionReassignments) {
            assert_eq!(answered(version, &sent), sent, "version {version}");
        }
    }
}

pub fn describe_topic_partitions_answers_arrive() {
    let nodes = |ids: &[i32]| ids.iter().copied().map(BrokerId).collect::<Vec<_>>();
    let partition = DescribeTopicPartitionsResponsePartition::default()
        .with_error_code(5)
        .with_partition_index(2)
        .with_leader_id(BrokerId(1))
        .with_leader_epoch(3)
        .with_replica_nodes(nodes(&[1, 2]))
        .with_isr_nodes(nodes(&[1]))
        .with_eligible_leader_replicas(Some(nodes(&[2])))
        .with_last_known_elr(None)
        .with_offline_replicas(nodes(&[2]));
    let topic = DescribeTopicPartitionsResponseTopic::default()
        .with_name(Some(name("orders")))
        .with_topic_id(Uuid::from_bytes([7; 16]))
        .with_is_internal(true)
        .with_topic_authorized_operations(6)
        .with_partitions(vec![partition]);
    let unknown = DescribeTopicPartitionsResponseTopic::default().with_error_code(3).with_name(None);
    let cursor = NextCursor::default().with_topic_name(name("orders")).with_partition_index(3);
    let sent = DescribeTopicPartitionsResponse::default().with_throttle_time_ms(4).with_topics(vec![topic, unknown]);
    for sent in [sent.clone(), sent.with_next_cursor(Some(cursor))] {
        for version in versions(ApiKey::DescribeTopicPartitions) {
            assert_eq!(answered(version, &sent), sent, "version {version}");
        }
    }
}

pub fn init_producer_id_answers_arrive() {
    let sent = InitProducerIdResponse::default()
        .with_throttle_time_ms(4)
        .with_error_code(42)
        .with_producer_id(ProducerId(1 << 40))
        .with_producer_epoch(3);
    for version in versions(ApiKey::InitProducerId) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn create_topics_answers_arrive() {
    let config = CreatableTopicConfigs::default()
        .with_name(text("cleanup.policy"))
        .with_value(Some(text("delete")))
        .with_read_only(true)
        .with_config_source(5)
        .with_is_sensitive(true);
    let topic = CreatableTopicResult::default()
        .with_name(name("orders"))
        .with_topic_id(Uuid::from_bytes([7; 16]))
        .with_error_code(36)
        .with_error_message(Some(text("exists")))
        .with_topic_config_error_code(29)
        .with_num_partitions(3)
        .with_replication_factor(1)
        .with_configs(Some(vec![config]));
    let sent =
        CreateTopicsResponse::default().with_throttle_time_ms(4).with_topics(vec![topic.with_error_message(None)]);
    for version in versions(ApiKey::CreateTopics) {
        let mut expected = sent.clone();
        let topic = &mut expected.topics[0];
        if version < 7 {
            topic.topic_id = Uuid::nil();
        }
        if version < 5 {
            (topic.num_partitions, topic.replication_factor, topic.topic_config_error_code) = (-1, -1, 0);
            topic.configs = Some(vec![]);
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn delete_topics_answers_arrive() {
    let topic = DeletableTopicResult::default()
        .with_name(Some(name("orders")))
        .with_topic_id(Uuid::from_bytes([7; 16]))
        .with_error_code(3)
        .with_error_message(Some(text("unknown")));
    let sent = DeleteTopicsResponse::default()
        .with_throttle_time_ms(4)
        .with_responses(vec![topic.clone(), topic.with_name(None)]);
    for version in versions(ApiKey::DeleteTopics) {
        let mut expected = sent.clone();
        for topic in &mut expected.responses {
            if version < 6 {
                topic.topic_id = Uuid::nil();
                topic.name.get_or_insert_default();
            }
            if version < 5 {
                topic.error_message = None;
            }
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn delete_records_answers_arrive() {
    let partition =
        DeleteRecordsPartitionResult::default().with_partition_index(1).with_low_watermark(1 << 40).with_error_code(1);
    let topic = DeleteRecordsTopicResult::default().with_name(name("orders")).with_partitions(vec![partition]);
    let sent = DeleteRecordsResponse::default().with_throttle_time_ms(4).with_topics(vec![topic]);
    for version in versions(ApiKey::DeleteRecords) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}
