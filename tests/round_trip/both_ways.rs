//! Every version of every API of the table, there and back. A new API does not compile without a line here, a new version that is
//! not sent in both directions is missed by the count.

use crate::client::{Half, take_arrived, versions};
use crate::{fetch, groups, messages, produce};
use corelane::wire::api::{APIS, ApiKey};
use std::collections::BTreeSet;

fn requests_arrive(key: ApiKey) {
    match key {
        ApiKey::Produce => produce::requests_arrive(),
        ApiKey::Fetch => fetch::requests_arrive(),
        key => messages::requests_arrive(key),
    }
}

fn answers_arrive(key: ApiKey) {
    match key {
        ApiKey::Produce => produce::responses_arrive(),
        ApiKey::Fetch => fetch::responses_arrive(),
        ApiKey::ListOffsets => messages::list_offsets_answers_arrive(),
        ApiKey::Metadata => messages::metadata_answers_arrive(),
        ApiKey::FindCoordinator => groups::find_coordinator_answers_arrive(),
        ApiKey::JoinGroup => groups::join_group_answers_arrive(),
        ApiKey::SyncGroup => groups::sync_group_answers_arrive(),
        ApiKey::Heartbeat => groups::heartbeat_answers_arrive(),
        ApiKey::LeaveGroup => groups::leave_group_answers_arrive(),
        ApiKey::OffsetCommit => groups::offset_commit_answers_arrive(),
        ApiKey::OffsetFetch => groups::offset_fetch_answers_arrive(),
        ApiKey::OffsetDelete => groups::offset_delete_answers_arrive(),
        ApiKey::ListGroups => groups::list_groups_answers_arrive(),
        ApiKey::DescribeGroups => groups::describe_groups_answers_arrive(),
        ApiKey::DeleteGroups => groups::delete_groups_answers_arrive(),
        ApiKey::ApiVersions => messages::api_versions_answers_arrive(),
        ApiKey::CreateTopics => messages::create_topics_answers_arrive(),
        ApiKey::DeleteTopics => messages::delete_topics_answers_arrive(),
        ApiKey::DeleteRecords => messages::delete_records_answers_arrive(),
        ApiKey::InitProducerId => messages::init_producer_id_answers_arrive(),
        ApiKey::OffsetForLeaderEpoch => messages::offset_for_leader_epoch_answers_arrive(),
        ApiKey::DescribeConfigs => messages::describe_configs_answers_arrive(),
        ApiKey::AlterConfigs => messages::alter_configs_answers_arrive(),
        ApiKey::IncrementalAlterConfigs => messages::incremental_alter_configs_answers_arrive(),
        ApiKey::CreatePartitions => messages::create_partitions_answers_arrive(),
        ApiKey::DescribeCluster => messages::describe_cluster_answers_arrive(),
        ApiKey::DescribeLogDirs => messages::describe_log_dirs_answers_arrive(),
        ApiKey::DescribeProducers => messages::describe_producers_answers_arrive(),
        ApiKey::ListPartitionReassignments => messages::list_partition_reassignments_answers_arrive(),
        ApiKey::DescribeTopicPartitions => messages::describe_topic_partitions_answers_arrive(),
    }
}

#[test]
fn every_version_of_every_api_goes_both_ways() {
    take_arrived();
    for api in &APIS {
        requests_arrive(api.key);
        answers_arrive(api.key);
    }
    let all = |half| APIS.iter().flat_map(move |api| versions(api.key).map(move |version| (half, api.key, version)));
    let expected: BTreeSet<_> = all(Half::Request).chain(all(Half::Response)).collect();
    assert_eq!(take_arrived(), expected);
}
