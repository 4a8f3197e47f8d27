//! One legal request of every version of the APIs of consumer groups. None of them comes to be a member: a JoinGroup that is
//! refused is answered at once.

use crate::samples::{TOPIC, name, request, text};
use bytes::Bytes;
use corelane::wire::api::ApiKey;
use kafka_protocol::messages::join_group_request::JoinGroupRequestProtocol;
use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use kafka_protocol::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use kafka_protocol::messages::sync_group_request::SyncGroupRequestAssignment;
use kafka_protocol::messages::*;

fn group() -> GroupId {
    GroupId(text("readers"))
}

pub fn sample(key: ApiKey, version: i16) -> Vec<u8> {
    match key {
        ApiKey::FindCoordinator => {
            let sent = FindCoordinatorRequest::default();
            let several = vec![text("readers"), text("writers")];
            let one = sent.clone().with_key(text("readers"));
            request(key, version, &if version >= 4 { sent.with_coordinator_keys(several) } else { one })
        }
        ApiKey::JoinGroup => request(key, version, &join(version)),
        ApiKey::SyncGroup => {
            let assignment = SyncGroupRequestAssignment::default().with_member_id(text("nobody"));
            let assignment = assignment.with_assignment(Bytes::from_static(b"all"));
            let sent = SyncGroupRequest::default().with_group_id(group()).with_member_id(text("nobody"));
            request(key, version, &sent.with_generation_id(1).with_assignments(vec![assignment]))
        }
        ApiKey::Heartbeat => {
            let sent = HeartbeatRequest::default().with_group_id(group()).with_member_id(text("nobody"));
            request(key, version, &sent.with_generation_id(1))
        }
        ApiKey::LeaveGroup => {
            let sent = LeaveGroupRequest::default().with_group_id(group());
            let members = vec![MemberIdentity::default().with_member_id(text("nobody"))];
            let one = sent.clone().with_member_id(text("nobody"));
            request(key, version, &if version >= 3 { sent.with_members(members) } else { one })
        }
        ApiKey::OffsetCommit => {
            let partition = OffsetCommitRequestPartition::default().with_committed_offset(5);
            let partition = partition.with_committed_metadata(Some(text("words")));
            let topic = OffsetCommitRequestTopic::default().with_name(name(TOPIC)).with_partitions(vec![partition]);
            let sent = OffsetCommitRequest::default().with_group_id(group()).with_topics(vec![topic]);
            request(key, version, &sent.with_generation_id_or_member_epoch(-1))
        }
        ApiKey::OffsetFetch => request(key, version, &offset_fetch(version)),
        ApiKey::OffsetDelete => {
            let partitions = vec![OffsetDeleteRequestPartition::default().with_partition_index(1)];
            let topic = OffsetDeleteRequestTopic::default().with_name(name(TOPIC)).with_partitions(partitions);
            request(key, version, &OffsetDeleteRequest::default().with_group_id(group()).with_topics(vec![topic]))
        }
        ApiKey::ListGroups => {
            let sent = ListGroupsRequest::default();
            request(key, version, &if version >= 4 { sent.with_states_filter(vec![text("Stable")]) } else { sent })
        }
        ApiKey::DescribeGroups => {
            request(key, version, &DescribeGroupsRequest::default().with_groups(vec![group(), group()]))
        }
        ApiKey::DeleteGroups => {
            request(key, version, &DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text("absent"))]))
        }
        other => unreachable!("{other:?} is not about groups"),
    }
}

/// Its session is shorter than any that is allowed.
fn join(version: i16) -> JoinGroupRequest {
    let protocol = JoinGroupRequestProtocol::default().with_name(text("range")).with_metadata(Bytes::from_static(b"m"));
    let sent = JoinGroupRequest::default()
        .with_group_id(group())
        .with_session_timeout_ms(1)
        .with_member_id(text("nobody"))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol]);
    if version >= 1 { sent.with_rebalance_timeout_ms(1_000) } else { sent }
}

fn offset_fetch(version: i16) -> OffsetFetchRequest {
    let sent = OffsetFetchRequest::default();
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default().with_name(name(TOPIC)).with_partition_indexes(vec![0, 1]);
        return sent.with_group_id(group()).with_topics(Some(vec![topic]));
    }
    let topic = OffsetFetchRequestTopics::default().with_name(name(TOPIC)).with_partition_indexes(vec![0, 1]);
    let asked = OffsetFetchRequestGroup::default().with_group_id(group()).with_topics(Some(vec![topic]));
    sent.with_groups(vec![asked.clone(), asked.with_topics(None)])
}
