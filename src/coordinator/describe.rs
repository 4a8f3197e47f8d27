//! ListGroups, DescribeGroups and DeleteGroups.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::coordinator::answers::{Caller, GroupResponse, dead_group};
use crate::coordinator::group::{Group, State, wire_text};
use crate::coordinator::groups::Groups;
use crate::coordinator::member::Member;
use crate::coordinator::offsets::tombstone;
use crate::coordinator::outbox::Then;
use crate::wire::messages::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    DescribedGroup, DescribedGroupMember, GroupId, ListGroupsRequest, ListGroupsResponse, ListedGroup, StrBytes,
};
use bytes::Bytes;

/// Bits of Kafka's operations on a group: read, delete, describe, describe and alter configs.
const GROUP_OPERATIONS: i32 = 1 << 3 | 1 << 6 | 1 << 8 | 1 << 10 | 1 << 11;
/// No operations were asked for.
const UNKNOWN_OPERATIONS: i32 = i32::MIN;

impl Groups {
    pub(super) fn list(&mut self, caller: Caller, request: &ListGroupsRequest) {
        let wanted = |filter: &[StrBytes], what: &str| {
            filter.is_empty() || filter.iter().any(|one| one.as_str().eq_ignore_ascii_case(what))
        };
        let states = self.groups.values().filter(|group| !group.is_only_promised());
        let groups = states.filter(|group| {
            wanted(&request.states_filter, group.state.name()) && wanted(&request.types_filter, "classic")
        });
        let listed = |group: &Group| {
            ListedGroup::default()
                .with_group_id(GroupId(wire_text(&group.id)))
                .with_protocol_type(wire_text(group.protocol_type.as_deref().unwrap_or_default()))
                .with_group_state(StrBytes::from_static_str(group.state.name()))
                .with_group_type(StrBytes::from_static_str("classic"))
        };
        let response = ListGroupsResponse::default().with_groups(groups.map(listed).collect());
        self.outbox.reply(caller, GroupResponse::List(response));
    }

    pub(super) fn describe(&mut self, caller: Caller, request: &DescribeGroupsRequest) {
        let operations = if request.include_authorized_operations { GROUP_OPERATIONS } else { UNKNOWN_OPERATIONS };
        let groups = request.groups.iter().map(|id| match self.groups.get(id.as_str()) {
            Some(group) if !group.is_only_promised() => described(id, group).with_authorized_operations(operations),
            _ => dead_group(id, ErrorCode::None).with_authorized_operations(operations),
        });
        let response = DescribeGroupsResponse::default().with_groups(groups.collect());
        self.outbox.reply(caller, GroupResponse::Describe(response));
    }

    /// One group; the others of the client's request are asked for by themselves.
    pub(super) fn delete(&mut self, caller: Caller, request: &DeleteGroupsRequest, now: Now) {
        let id = request.groups_names.first().cloned().unwrap_or_default();
        let keys = self.keys_of(&id);
        let code = match self.groups.get(id.as_str()) {
            Some(group) if !group.is_only_promised() => match group.state {
                State::Empty if keys.is_empty() => ErrorCode::GroupIdNotFound,
                State::Empty => ErrorCode::None,
                _ => ErrorCode::NonEmptyGroup,
            },
            _ => ErrorCode::GroupIdNotFound,
        };
        if code != ErrorCode::None {
            let result = DeletableGroupResult::default().with_group_id(id).with_error_code(code.code());
            let response = DeleteGroupsResponse::default().with_results(vec![result]);
            return self.outbox.reply(caller, GroupResponse::Delete(response));
        }
        let records = keys.iter().map(tombstone).collect();
        self.with(&id.clone(), now, |group, turn| turn.write(group, records, Then::Deleted(caller, id)));
    }
}

fn described(id: &GroupId, group: &Group) -> DescribedGroup {
    // What members do in a rebalance is theirs alone, as in Kafka.
    let stable = group.state == State::Stable;
    let protocol = group.protocol.as_deref().filter(|_| stable).unwrap_or_default();
    let member = |member: &Member| {
        let (metadata, assignment) = match stable {
            true => (member.metadata(protocol), member.assignment.clone()),
            false => (Bytes::new(), Bytes::new()),
        };
        DescribedGroupMember::default()
            .with_member_id(wire_text(&member.id))
            .with_group_instance_id(member.instance_id.as_deref().map(wire_text))
            .with_client_id(wire_text(&member.client_id))
            .with_client_host(wire_text(&member.client_host))
            .with_member_metadata(metadata)
            .with_member_assignment(assignment)
    };
    DescribedGroup::default()
        .with_group_id(id.clone())
        .with_group_state(StrBytes::from_static_str(group.state.name()))
        .with_protocol_type(wire_text(group.protocol_type.as_deref().unwrap_or_default()))
        .with_protocol_data(wire_text(protocol))
        .with_members(group.members.values().map(member).collect())
}
