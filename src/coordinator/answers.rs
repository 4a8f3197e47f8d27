//! What the coordinator is asked and what it answers: wire messages, whole, with the place where the answer goes.

use crate::base::error_code::ErrorCode;
use crate::base::ids::TopicId;
use crate::wire::messages::{
    DeletableGroupResult, DeleteGroupsRequest, DeleteGroupsResponse, DescribeGroupsRequest, DescribeGroupsResponse,
    DescribedGroup, GroupId, HeartbeatRequest, HeartbeatResponse, JoinGroupRequest, JoinGroupResponse,
    LeaveGroupRequest, LeaveGroupResponse, ListGroupsRequest, ListGroupsResponse, OffsetCommitRequest,
    OffsetCommitRequestPartition, OffsetCommitResponse, OffsetCommitResponsePartition, OffsetCommitResponseTopic,
    OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics, StrBytes, SyncGroupRequest,
    SyncGroupResponse,
};

use std::collections::BTreeSet;

/// Names a request until its answer; chosen by who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Caller(pub u64);

/// Who a member is, beyond what its request says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClientName {
    /// What it calls itself.
    pub id: String,
    /// Its address, in Kafka's form: a slash in front.
    pub host: String,
}

/// A topic that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KnownTopic {
    /// Which of all that ever had its name.
    pub id: TopicId,
    /// How many partitions it has.
    pub partitions: usize,
}

impl KnownTopic {
    pub(super) fn has(self, partition: i32) -> bool {
        usize::try_from(partition).is_ok_and(|partition| partition < self.partitions)
    }
}

/// A committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedAt<'a> {
    /// The group.
    pub group: &'a str,
    /// The topic's name.
    pub topic: &'a str,
    /// The partition.
    pub partition: i32,
    /// What is read next.
    pub offset: i64,
    /// Of which topic with that name; `None`: it is not known.
    pub topic_id: Option<TopicId>,
}

/// Finds the topic of a name.
pub type Topics<'a> = &'a dyn Fn(&str) -> Option<KnownTopic>;

/// A request about groups.
#[derive(Clone, Debug)]
pub enum GroupRequest {
    /// JoinGroup.
    Join(JoinGroupRequest, ClientName),
    /// SyncGroup.
    Sync(SyncGroupRequest),
    /// Heartbeat.
    Heartbeat(HeartbeatRequest),
    /// LeaveGroup.
    Leave(LeaveGroupRequest),
    /// OffsetCommit, of partitions that exist.
    Commit(OffsetCommitRequest),
    /// OffsetFetch; all versions in the form of version 8.
    Fetch(OffsetFetchRequest),
    /// OffsetDelete, of partitions that exist.
    OffsetDelete(OffsetDeleteRequest),
    /// DescribeGroups.
    Describe(DescribeGroupsRequest),
    /// DeleteGroups.
    Delete(DeleteGroupsRequest),
    /// ListGroups: asked of every core.
    List(ListGroupsRequest),
}

/// The answer to a [`GroupRequest`], of the same kind.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs, reason = "see the requests")]
pub enum GroupResponse {
    Join(JoinGroupResponse),
    Sync(SyncGroupResponse),
    Heartbeat(HeartbeatResponse),
    Leave(LeaveGroupResponse),
    Commit(OffsetCommitResponse),
    Fetch(OffsetFetchResponse),
    OffsetDelete(OffsetDeleteResponse),
    Describe(DescribeGroupsResponse),
    Delete(DeleteGroupsResponse),
    List(ListGroupsResponse),
}

/// JoinGroup was refused.
pub fn join_refused(code: ErrorCode, member_id: &str) -> GroupResponse {
    let response = JoinGroupResponse::default().with_error_code(code.code()).with_generation_id(-1);
    let response = response.with_protocol_type(None).with_protocol_name(None);
    GroupResponse::Join(response.with_member_id(StrBytes::from_string(member_id.to_string())))
}

/// SyncGroup was refused.
pub fn sync_refused(code: ErrorCode) -> GroupResponse {
    let response = SyncGroupResponse::default().with_error_code(code.code());
    GroupResponse::Sync(response.with_protocol_type(None).with_protocol_name(None))
}

/// Heartbeat's answer.
pub fn heartbeat_answer(code: ErrorCode) -> GroupResponse {
    GroupResponse::Heartbeat(HeartbeatResponse::default().with_error_code(code.code()))
}

impl GroupRequest {
    /// The group that a piece is about; `None`: it is about all.
    pub fn group(&self) -> Option<&str> {
        Some(match self {
            GroupRequest::Join(request, _) => &request.group_id,
            GroupRequest::Sync(request) => &request.group_id,
            GroupRequest::Heartbeat(request) => &request.group_id,
            GroupRequest::Leave(request) => &request.group_id,
            GroupRequest::Commit(request) => &request.group_id,
            GroupRequest::OffsetDelete(request) => &request.group_id,
            GroupRequest::Fetch(request) => &request.groups.first()?.group_id,
            GroupRequest::Describe(request) => request.groups.first()?,
            GroupRequest::Delete(request) => request.groups_names.first()?,
            GroupRequest::List(_) => return None,
        })
    }

    /// True if it may make a coordinator take more memory.
    pub fn grows(&self) -> bool {
        matches!(self, GroupRequest::Join(..) | GroupRequest::Sync(_) | GroupRequest::Commit(_))
    }

    /// The same request, in pieces of one group each.
    pub fn pieces(self) -> Vec<GroupRequest> {
        match self {
            GroupRequest::Fetch(request) => {
                let piece = |group| GroupRequest::Fetch(request.clone().with_groups(vec![group]));
                request.groups.iter().cloned().map(piece).collect()
            }
            GroupRequest::Describe(request) => {
                let piece = |group| GroupRequest::Describe(request.clone().with_groups(vec![group]));
                request.groups.iter().cloned().map(piece).collect()
            }
            GroupRequest::Delete(request) => {
                // A group that is named twice is deleted, and answered, once.
                let piece =
                    |group: &GroupId| GroupRequest::Delete(request.clone().with_groups_names(vec![group.clone()]));
                let names: BTreeSet<&GroupId> = request.groups_names.iter().collect();
                names.into_iter().map(piece).collect()
            }
            one => vec![one],
        }
    }

    /// Pieces of one request as one request again.
    pub fn unite(pieces: Vec<GroupRequest>) -> Option<GroupRequest> {
        pieces.into_iter().reduce(|mut all, piece| {
            match (&mut all, piece) {
                (GroupRequest::Fetch(all), GroupRequest::Fetch(piece)) => all.groups.extend(piece.groups),
                (GroupRequest::Describe(all), GroupRequest::Describe(piece)) => all.groups.extend(piece.groups),
                (GroupRequest::Delete(all), GroupRequest::Delete(piece)) => {
                    all.groups_names.extend(piece.groups_names);
                }
                (all, piece) => unreachable!("no pieces of one request: {all:?}, {piece:?}"),
            }
            all
        })
    }

    /// The answer when it names no group.
    pub fn nothing(&self) -> GroupResponse {
        match self {
            GroupRequest::Fetch(_) => GroupResponse::Fetch(OffsetFetchResponse::default()),
            GroupRequest::Describe(_) => GroupResponse::Describe(DescribeGroupsResponse::default()),
            GroupRequest::Delete(_) => GroupResponse::Delete(DeleteGroupsResponse::default()),
            GroupRequest::List(_) => GroupResponse::List(ListGroupsResponse::default()),
            other => unreachable!("it names a group: {other:?}"),
        }
    }

    /// The answer to a piece that no coordinator takes.
    pub fn refused(&self, code: ErrorCode) -> GroupResponse {
        let loading = code == ErrorCode::CoordinatorLoadInProgress;
        match self {
            GroupRequest::Join(request, _) => join_refused(code, &request.member_id),
            // Neither can be tried again; the client joins anew, or goes on.
            GroupRequest::Sync(_) => sync_refused(if loading { ErrorCode::RebalanceInProgress } else { code }),
            GroupRequest::Heartbeat(_) => heartbeat_answer(if loading { ErrorCode::None } else { code }),
            GroupRequest::Leave(_) => GroupResponse::Leave(LeaveGroupResponse::default().with_error_code(code.code())),
            GroupRequest::Commit(request) => GroupResponse::Commit(commit_answer(request, |_, _| code)),
            GroupRequest::Fetch(request) => {
                let groups = request.groups.iter().map(|group| fetch_refused(group, code)).collect();
                GroupResponse::Fetch(OffsetFetchResponse::default().with_groups(groups))
            }
            GroupRequest::OffsetDelete(_) => {
                GroupResponse::OffsetDelete(OffsetDeleteResponse::default().with_error_code(code.code()))
            }
            GroupRequest::Describe(request) => {
                let groups = request.groups.iter().map(|id| dead_group(id, code)).collect();
                GroupResponse::Describe(DescribeGroupsResponse::default().with_groups(groups))
            }
            GroupRequest::Delete(request) => {
                let result = |id: &GroupId| {
                    DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code.code())
                };
                let results = request.groups_names.iter().map(result).collect();
                GroupResponse::Delete(DeleteGroupsResponse::default().with_results(results))
            }
            GroupRequest::List(_) => GroupResponse::List(ListGroupsResponse::default().with_error_code(code.code())),
        }
    }
}

/// The answers to the pieces of one request, as one; there is one at least.
pub fn merge(answers: Vec<GroupResponse>) -> GroupResponse {
    let merged = answers.into_iter().reduce(|mut all, answer| {
        match (&mut all, answer) {
            (GroupResponse::Fetch(all), GroupResponse::Fetch(one)) => all.groups.extend(one.groups),
            (GroupResponse::Describe(all), GroupResponse::Describe(one)) => all.groups.extend(one.groups),
            (GroupResponse::Delete(all), GroupResponse::Delete(one)) => all.results.extend(one.results),
            (GroupResponse::List(all), GroupResponse::List(one)) => {
                all.groups.extend(one.groups);
                if all.error_code == ErrorCode::None.code() {
                    all.error_code = one.error_code;
                }
            }
            (all, answer) => unreachable!("no answers to one request: {all:?}, {answer:?}"),
        }
        all
    });
    merged.expect("an answer")
}

/// The answer to a commit, with a code for each partition.
pub(super) fn commit_answer(
    request: &OffsetCommitRequest,
    mut code: impl FnMut(&str, &OffsetCommitRequestPartition) -> ErrorCode,
) -> OffsetCommitResponse {
    let topics = request.topics.iter().map(|topic| {
        let partition = |one: &OffsetCommitRequestPartition| {
            let code = code(&topic.name, one).code();
            OffsetCommitResponsePartition::default().with_partition_index(one.partition_index).with_error_code(code)
        };
        let partitions = topic.partitions.iter().map(partition).collect();
        OffsetCommitResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    OffsetCommitResponse::default().with_topics(topics.collect())
}

/// A group whose offsets cannot be told. Versions that have a code for the group leave the partitions out.
fn fetch_refused(group: &OffsetFetchRequestGroup, code: ErrorCode) -> OffsetFetchResponseGroup {
    let topics = group.topics.iter().flatten().map(|topic| {
        let partition = |index: &i32| {
            OffsetFetchResponsePartitions::default()
                .with_partition_index(*index)
                .with_committed_offset(-1)
                .with_committed_leader_epoch(-1)
                .with_metadata(Some(StrBytes::default()))
                .with_error_code(code.code())
        };
        let partitions = topic.partition_indexes.iter().map(partition).collect();
        OffsetFetchResponseTopics::default().with_name(topic.name.clone()).with_partitions(partitions)
    });
    OffsetFetchResponseGroup::default()
        .with_group_id(group.group_id.clone())
        .with_topics(topics.collect())
        .with_error_code(code.code())
}

/// A group that is not there, or cannot be asked.
pub(super) fn dead_group(id: &GroupId, code: ErrorCode) -> DescribedGroup {
    let state = if code == ErrorCode::None { "Dead" } else { "" };
    DescribedGroup::default()
        .with_group_id(id.clone())
        .with_error_code(code.code())
        .with_group_state(StrBytes::from_static_str(state))
}
