//! The APIs of consumer groups, there and back.

use crate::client::{text, versions};
use crate::messages::{answered, arrives, name};
use bytes::Bytes;
use corelane::wire::api::ApiKey;
use corelane::wire::messages::*;

fn group(id: &str) -> GroupId {
    GroupId(text(id))
}

pub fn find_coordinator_request(version: i16) -> FindCoordinatorRequest {
    let sent = FindCoordinatorRequest::default().with_key_type(i8::from(version >= 1));
    if version >= 4 {
        sent.with_coordinator_keys(vec![text("readers"), text(""), text("writers")])
    } else {
        sent.with_key(text("readers"))
    }
}

pub fn join_group_request(version: i16) -> JoinGroupRequest {
    let protocol = |name: &str, metadata: &'static [u8]| {
        JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(Bytes::from_static(metadata))
    };
    let mut sent = JoinGroupRequest::default()
        .with_group_id(group("readers"))
        .with_session_timeout_ms(45_000)
        .with_member_id(text("member-1"))
        .with_protocol_type(text("consumer"))
        .with_protocols(vec![protocol("range", b"\x00\x01"), protocol("sticky", b"")]);
    if version >= 1 {
        sent.rebalance_timeout_ms = 300_000;
    }
    if version >= 5 {
        sent.group_instance_id = Some(text("rack-7"));
    }
    if version >= 8 {
        sent.reason = Some(text("because"));
    }
    sent
}

pub fn sync_group_request(version: i16) -> SyncGroupRequest {
    let assignment = |member: &str, bytes: &'static [u8]| {
        SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(Bytes::from_static(bytes))
    };
    let mut sent = SyncGroupRequest::default()
        .with_group_id(group("readers"))
        .with_generation_id(7)
        .with_member_id(text("member-1"))
        .with_assignments(vec![assignment("member-1", b"\x00\x01\x02"), assignment("member-2", b"")]);
    if version >= 3 {
        sent.group_instance_id = Some(text("rack-7"));
    }
    if version >= 5 {
        (sent.protocol_type, sent.protocol_name) = (Some(text("consumer")), Some(text("range")));
    }
    sent
}

pub fn heartbeat_request(version: i16) -> HeartbeatRequest {
    let sent = HeartbeatRequest::default().with_group_id(group("readers")).with_generation_id(7);
    let sent = sent.with_member_id(text("member-1"));
    if version >= 3 { sent.with_group_instance_id(Some(text("rack-7"))) } else { sent }
}

pub fn leave_group_request(version: i16) -> LeaveGroupRequest {
    let sent = LeaveGroupRequest::default().with_group_id(group("readers"));
    if version < 3 {
        return sent.with_member_id(text("member-1"));
    }
    let member = |id: &str| {
        let member = MemberIdentity::default().with_member_id(text(id)).with_group_instance_id(Some(text("rack-7")));
        if version >= 5 { member.with_reason(Some(text("because"))) } else { member }
    };
    sent.with_members(vec![member("member-1"), member("")])
}

pub fn offset_commit_request(version: i16) -> OffsetCommitRequest {
    let partition = |index: i32, metadata: Option<&str>| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(index)
            .with_committed_offset(1 << 40)
            .with_committed_metadata(metadata.map(text));
        if version >= 6 { partition.with_committed_leader_epoch(5) } else { partition }
    };
    let topic = OffsetCommitRequestTopic::default()
        .with_name(name("orders"))
        .with_partitions(vec![partition(0, Some("žába")), partition(1, None)]);
    let mut sent = OffsetCommitRequest::default()
        .with_group_id(group("readers"))
        .with_generation_id_or_member_epoch(7)
        .with_member_id(text("member-1"))
        .with_topics(vec![topic, OffsetCommitRequestTopic::default().with_name(name("empty"))]);
    if version >= 7 {
        sent.group_instance_id = Some(text("rack-7"));
    }
    if version <= 4 {
        sent.retention_time_ms = 60_000;
    }
    sent
}

pub fn offset_fetch_request(version: i16) -> OffsetFetchRequest {
    let mut sent = OffsetFetchRequest::default().with_require_stable(version >= 7);
    if version < 8 {
        let topic = OffsetFetchRequestTopic::default().with_name(name("orders")).with_partition_indexes(vec![0, 1]);
        sent.group_id = group("readers");
        sent.topics = Some(vec![topic]);
        return sent;
    }
    let topic = OffsetFetchRequestTopics::default().with_name(name("orders")).with_partition_indexes(vec![0, 1]);
    let asked = |id: &str, topics| {
        let asked = OffsetFetchRequestGroup::default().with_group_id(group(id)).with_topics(topics);
        if version >= 9 { asked.with_member_id(Some(text("member-1"))).with_member_epoch(7) } else { asked }
    };
    sent.groups = vec![asked("readers", Some(vec![topic])), asked("writers", None)];
    sent
}

pub fn offset_delete_request() -> OffsetDeleteRequest {
    let partition = kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestPartition::default();
    let topic = kafka_protocol::messages::offset_delete_request::OffsetDeleteRequestTopic::default();
    let topic = topic.with_name(name("orders")).with_partitions(vec![partition.with_partition_index(3)]);
    OffsetDeleteRequest::default().with_group_id(group("readers")).with_topics(vec![topic])
}

pub fn list_groups_request(version: i16) -> ListGroupsRequest {
    let mut sent = ListGroupsRequest::default();
    if version >= 4 {
        sent.states_filter = vec![text("Stable"), text("empty")];
    }
    if version >= 5 {
        sent.types_filter = vec![text("classic")];
    }
    sent
}

pub fn describe_groups_request(version: i16) -> DescribeGroupsRequest {
    let groups = vec![group("readers"), group("")];
    DescribeGroupsRequest::default().with_groups(groups).with_include_authorized_operations(version >= 3)
}

pub fn delete_groups_request() -> DeleteGroupsRequest {
    DeleteGroupsRequest::default().with_groups_names(vec![group("readers"), group("writers")])
}

/// Sends one request of an API of groups.
pub fn request_arrives(key: ApiKey, version: i16) {
    match key {
        ApiKey::FindCoordinator => arrives(version, &find_coordinator_request(version)),
        ApiKey::JoinGroup => {
            arrives(version, &join_group_request(version));
            arrives(version, &join_group_request(version).with_group_instance_id(None).with_reason(None));
        }
        ApiKey::SyncGroup => {
            arrives(version, &sync_group_request(version));
            arrives(version, &sync_group_request(version).with_protocol_type(None).with_protocol_name(None));
        }
        ApiKey::Heartbeat => arrives(version, &heartbeat_request(version)),
        ApiKey::LeaveGroup => arrives(version, &leave_group_request(version)),
        ApiKey::OffsetCommit => arrives(version, &offset_commit_request(version)),
        ApiKey::OffsetFetch => {
            arrives(version, &offset_fetch_request(version));
            if (2..8).contains(&version) {
                arrives(version, &offset_fetch_request(version).with_topics(None));
            }
        }
        ApiKey::OffsetDelete => arrives(version, &offset_delete_request()),
        ApiKey::ListGroups => arrives(version, &list_groups_request(version)),
        ApiKey::DescribeGroups => arrives(version, &describe_groups_request(version)),
        ApiKey::DeleteGroups => arrives(version, &delete_groups_request()),
        other => unreachable!("{other:?} is not about groups"),
    }
}

pub fn find_coordinator_answers_arrive() {
    let one = Coordinator::default()
        .with_key(text("readers"))
        .with_node_id(BrokerId(1001))
        .with_host(text("host"))
        .with_port(9093)
        .with_error_code(15)
        .with_error_message(None);
    let sent = FindCoordinatorResponse::default().with_coordinators(vec![one.clone()]);
    for version in versions(ApiKey::FindCoordinator) {
        let answer = answered(version, &sent);
        if version >= 4 {
            assert_eq!(answer, sent, "version {version}");
            continue;
        }
        let top = (answer.node_id, answer.host.as_str(), answer.port, answer.error_code);
        assert_eq!(top, (BrokerId(1001), "host", 9093, 15), "version {version}");
        assert!(answer.coordinators.is_empty());
    }
}

pub fn join_group_answers_arrive() {
    let member = JoinGroupResponseMember::default()
        .with_member_id(text("member-1"))
        .with_group_instance_id(Some(text("rack-7")))
        .with_metadata(Bytes::from_static(b"meta"));
    let sent = JoinGroupResponse::default()
        .with_generation_id(3)
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_leader(text("member-1"))
        .with_skip_assignment(true)
        .with_member_id(text("member-1"))
        .with_members(vec![member]);
    for version in versions(ApiKey::JoinGroup) {
        let mut expected = sent.clone();
        if version < 5 {
            expected.members[0].group_instance_id = None;
        }
        if version < 7 {
            expected.protocol_type = None;
        }
        expected.skip_assignment = version >= 9;
        assert_eq!(answered(version, &sent), expected, "version {version}");
        let refused = JoinGroupResponse::default().with_protocol_name(None).with_error_code(25);
        let answer = answered(version, &refused);
        assert_eq!(answer.error_code, 25);
        let name = answer.protocol_name.map(|name| name.to_string());
        assert_eq!(name, (version < 7).then(String::new), "null only where it may be, version {version}");
    }
}

pub fn sync_group_answers_arrive() {
    let sent = SyncGroupResponse::default()
        .with_protocol_type(Some(text("consumer")))
        .with_protocol_name(Some(text("range")))
        .with_assignment(Bytes::from_static(b"assigned"));
    for version in versions(ApiKey::SyncGroup) {
        let mut expected = sent.clone();
        if version < 5 {
            (expected.protocol_type, expected.protocol_name) = (None, None);
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn heartbeat_answers_arrive() {
    let sent = HeartbeatResponse::default().with_error_code(27);
    for version in versions(ApiKey::Heartbeat) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn leave_group_answers_arrive() {
    let member = MemberResponse::default()
        .with_member_id(text("member-1"))
        .with_group_instance_id(Some(text("rack-7")))
        .with_error_code(82);
    let sent = LeaveGroupResponse::default().with_members(vec![member]);
    for version in versions(ApiKey::LeaveGroup) {
        let expected = match version {
            0..=2 => LeaveGroupResponse::default().with_error_code(82),
            _ => sent.clone(),
        };
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn offset_commit_answers_arrive() {
    let partition = OffsetCommitResponsePartition::default().with_partition_index(2).with_error_code(12);
    let topic = OffsetCommitResponseTopic::default().with_name(name("orders")).with_partitions(vec![partition]);
    let sent = OffsetCommitResponse::default().with_topics(vec![topic]);
    for version in versions(ApiKey::OffsetCommit) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn offset_fetch_answers_arrive() {
    let partition = |code: i16| {
        OffsetFetchResponsePartitions::default()
            .with_partition_index(2)
            .with_committed_offset(1 << 40)
            .with_committed_leader_epoch(5)
            .with_metadata(Some(text("žába")))
            .with_error_code(code)
    };
    let topic = |code: i16| {
        OffsetFetchResponseTopics::default().with_name(name("orders")).with_partitions(vec![partition(code)])
    };
    let told = |code: i16| {
        let group = OffsetFetchResponseGroup::default().with_group_id(group("readers")).with_error_code(code);
        OffsetFetchResponse::default().with_groups(vec![group.with_topics(vec![topic(code)])])
    };
    for version in versions(ApiKey::OffsetFetch) {
        for code in [0, 14] {
            let answer = answered(version, &told(code));
            if version >= 8 {
                let mut expected = told(code);
                if code != 0 {
                    expected.groups[0].topics.clear();
                }
                assert_eq!(answer, expected, "version {version}");
                continue;
            }
            assert_eq!(answer.error_code, if version >= 2 { code } else { 0 }, "version {version}");
            assert_eq!(answer.topics.len(), usize::from(code == 0 || version < 2), "version {version}");
            for topic in &answer.topics {
                let one = &topic.partitions[0];
                let epoch = if version >= 5 { 5 } else { -1 };
                assert_eq!((one.partition_index, one.committed_offset, one.error_code), (2, 1 << 40, code));
                assert_eq!((one.committed_leader_epoch, one.metadata.as_deref()), (epoch, Some("žába")));
            }
        }
    }
}

pub fn offset_delete_answers_arrive() {
    let partition = OffsetDeleteResponsePartition::default().with_partition_index(2).with_error_code(86);
    let topic = OffsetDeleteResponseTopic::default().with_name(name("orders")).with_partitions(vec![partition]);
    let sent = OffsetDeleteResponse::default().with_topics(vec![topic]);
    for version in versions(ApiKey::OffsetDelete) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}

pub fn list_groups_answers_arrive() {
    let listed = ListedGroup::default()
        .with_group_id(group("readers"))
        .with_protocol_type(text("consumer"))
        .with_group_state(text("Stable"))
        .with_group_type(text("classic"));
    let sent = ListGroupsResponse::default().with_error_code(14).with_groups(vec![listed]);
    for version in versions(ApiKey::ListGroups) {
        let mut expected = sent.clone();
        if version < 4 {
            expected.groups[0].group_state = text("");
        }
        if version < 5 {
            expected.groups[0].group_type = text("");
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn describe_groups_answers_arrive() {
    let member = DescribedGroupMember::default()
        .with_member_id(text("member-1"))
        .with_group_instance_id(Some(text("rack-7")))
        .with_client_id(text("client"))
        .with_client_host(text("/127.0.0.1"))
        .with_member_metadata(Bytes::from_static(b"meta"))
        .with_member_assignment(Bytes::from_static(b"assigned"));
    let described = DescribedGroup::default()
        .with_group_id(group("readers"))
        .with_group_state(text("Stable"))
        .with_protocol_type(text("consumer"))
        .with_protocol_data(text("range"))
        .with_members(vec![member])
        .with_authorized_operations(328);
    let sent = DescribeGroupsResponse::default().with_groups(vec![described]);
    for version in versions(ApiKey::DescribeGroups) {
        let mut expected = sent.clone();
        if version < 3 {
            expected.groups[0].authorized_operations = i32::MIN;
        }
        if version < 4 {
            expected.groups[0].members[0].group_instance_id = None;
        }
        assert_eq!(answered(version, &sent), expected, "version {version}");
    }
}

pub fn delete_groups_answers_arrive() {
    let result = DeletableGroupResult::default().with_group_id(group("readers")).with_error_code(68);
    let sent = DeleteGroupsResponse::default().with_results(vec![result]);
    for version in versions(ApiKey::DeleteGroups) {
        assert_eq!(answered(version, &sent), sent, "version {version}");
    }
}
