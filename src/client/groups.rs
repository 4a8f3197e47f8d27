//! Consumer groups: which there are, who is in them, what they have committed; and commits on behalf of a group without members.

use crate::client::cluster::{Cluster, topic_name};
use crate::client::failure::Failure;
use crate::client::topics::{bytes, text};
use bytes::{Buf, Bytes};
use kafka_protocol::messages::consumer_protocol_assignment::ConsumerProtocolAssignment;
use kafka_protocol::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use kafka_protocol::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use kafka_protocol::messages::offset_fetch_request::OffsetFetchRequestGroup;
use kafka_protocol::messages::{
    DeleteGroupsRequest, DescribeGroupsRequest, FindCoordinatorRequest, GroupId, ListGroupsRequest,
    OffsetCommitRequest, OffsetFetchRequest,
};
use kafka_protocol::protocol::Decodable;
use std::collections::BTreeMap;

/// A group as its coordinator lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub group: String,
    /// `consumer`, `connect`, ...; empty for a group that only commits.
    pub protocol_type: String,
    /// Kafka's word, if the broker tells.
    pub state: Option<String>,
    /// Broker id of its coordinator.
    pub coordinator: i32,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// As the coordinator named it.
    pub id: String,
    /// `group.instance.id` of a static member.
    pub instance: Option<String>,
    /// What the client calls itself.
    pub client: String,
    /// Where it comes from.
    pub host: String,
    /// Partitions by topic; none if the group's protocol is not that of consumers.
    pub assigned: Option<BTreeMap<String, Vec<i32>>>,
}

/// A group as its coordinator describes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// Its id.
    pub group: String,
    /// Kafka's word.
    pub state: String,
    /// `consumer`, `connect`, ...
    pub protocol_type: String,
    /// The assignor that was agreed on.
    pub protocol: String,
    /// Broker id of its coordinator.
    pub coordinator: i32,
    /// Its members.
    pub members: Vec<Member>,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The next record that the group reads.
    pub offset: i64,
    /// What the committer wrote to it.
    pub metadata: String,
}

/// What a group has committed, by topic and partition.
pub type Commits = BTreeMap<(String, i32), Committed>;

/// Words for a failure: a group.
pub fn group_words(group: &str) -> String {
    format!("group {group}")
}

fn group_id(group: &str) -> GroupId {
    GroupId(bytes(group))
}

/// Groups of all brokers, by id, and the brokers that did not answer.
pub fn list(cluster: &mut Cluster) -> (Vec<Listed>, Vec<Failure>) {
    let nodes: Vec<i32> = cluster.brokers().map(|broker| broker.node).collect();
    let (mut groups, mut failures) = (Vec::new(), Vec::new());
    for node in nodes {
        let listed = cluster.persist(|cluster| {
            let words = cluster.broker_words(node);
            let answer = cluster.ask::<ListGroupsRequest>(node, |_| ListGroupsRequest::default())?;
            refuse(answer.error_code, None).map_err(|failure| failure.about("groups").from_broker(&words))?;
            Ok(answer.groups)
        });
        match listed {
            Ok(listed) => groups.extend(listed.iter().map(|group| Listed {
                group: group.group_id.to_string(),
                protocol_type: group.protocol_type.to_string(),
                state: Some(group.group_state.to_string()).filter(|state| !state.is_empty()),
                coordinator: node,
            })),
            Err(failure) => failures.push(failure),
        }
    }
    groups.sort_by(|one, other| one.group.cmp(&other.group));
    (groups, failures)
}

fn refuse(code: i16, message: Option<&str>) -> Result<(), Failure> {
    if code == 0 { Ok(()) } else { Err(Failure::code(code, message)) }
}

/// Asks the group's coordinator, and finds it first; both again while it moves or loads.
fn at_coordinator<T>(
    cluster: &mut Cluster,
    group: &str,
    mut job: impl FnMut(&mut Cluster, i32) -> Result<T, Failure>,
) -> Result<T, Failure> {
    cluster.persist(|cluster| {
        let node = coordinator(cluster, group)?;
        let words = cluster.broker_words(node);
        job(cluster, node).map_err(|failure| failure.about(group_words(group)).from_broker(&words))
    })
}

/// Broker id of the group's coordinator.
fn coordinator(cluster: &mut Cluster, group: &str) -> Result<i32, Failure> {
    let answer = cluster.anyone(|version| {
        let request = FindCoordinatorRequest::default().with_key_type(0);
        // From version 4 on several are asked for at once.
        if version >= 4 { request.with_coordinator_keys(vec![bytes(group)]) } else { request.with_key(bytes(group)) }
    })?;
    let (node, code, message) = match answer.coordinators.first() {
        Some(found) => (found.node_id.0, found.error_code, text(found.error_message.as_ref())),
        None => (answer.node_id.0, answer.error_code, text(answer.error_message.as_ref())),
    };
    refuse(code, message).map_err(|failure| failure.about(group_words(group)))?;
    if cluster.brokers().all(|broker| broker.node != node) {
        // It came after our last look.
        cluster.metadata(Some(&[]), false)?;
    }
    Ok(node)
}

/// State and members of a group. One that is not there is an error, whatever version of the request says so.
pub fn describe(cluster: &mut Cluster, group: &str) -> Result<Described, Failure> {
    at_coordinator(cluster, group, |cluster, node| {
        let answer = cluster.ask::<DescribeGroupsRequest>(node, |_| {
            DescribeGroupsRequest::default().with_groups(vec![group_id(group)])
        })?;
        let described = answer.groups.first().ok_or_else(|| Failure::here("the broker says nothing about it"))?;
        refuse(described.error_code, text(described.error_message.as_ref()))?;
        // Before version 6 an unknown group is described as a dead one.
        if described.group_state.as_str() == "Dead" {
            return Err(Failure::code(GROUP_ID_NOT_FOUND, None));
        }
        Ok(read(described, node))
    })
}

const GROUP_ID_NOT_FOUND: i16 = 69;

fn read(described: &DescribedGroup, coordinator: i32) -> Described {
    let consumers = described.protocol_type.as_str() == "consumer";
    let member = |member: &DescribedGroupMember| Member {
        id: member.member_id.to_string(),
        instance: member.group_instance_id.as_ref().map(ToString::to_string),
        client: member.client_id.to_string(),
        host: member.client_host.trim_start_matches('/').to_string(),
        assigned: consumers.then(|| assignment(member.member_assignment.clone())).flatten(),
    };
    Described {
        group: described.group_id.to_string(),
        state: described.group_state.to_string(),
        protocol_type: described.protocol_type.to_string(),
        protocol: described.protocol_data.to_string(),
        coordinator,
        members: described.members.iter().map(member).collect(),
    }
}

/// What consumers agree on among themselves; nothing before the first assignment. Later versions only add to the first.
fn assignment(mut from: Bytes) -> Option<BTreeMap<String, Vec<i32>>> {
    if from.is_empty() {
        return Some(BTreeMap::new());
    }
    let version = from.try_get_i16().ok()?;
    let decoded = ConsumerProtocolAssignment::decode(&mut from, version.clamp(0, 3)).ok()?;
    let topics = decoded.assigned_partitions.into_iter();
    Some(topics.map(|topic| (topic.topic.to_string(), topic.partitions)).collect())
}

/// All that a group has committed.
pub fn committed(cluster: &mut Cluster, group: &str) -> Result<Commits, Failure> {
    at_coordinator(cluster, group, |cluster, node| {
        let answer = cluster.ask::<OffsetFetchRequest>(node, |version| {
            let request = OffsetFetchRequest::default();
            if version >= 8 {
                let one = OffsetFetchRequestGroup::default().with_group_id(group_id(group)).with_topics(None);
                request.with_groups(vec![one])
            } else {
                request.with_group_id(group_id(group)).with_topics(None)
            }
        })?;
        let mut commits = Commits::new();
        let mut note = |topic: &str, partition: i32, code: i16, offset: i64, metadata: Option<&str>| {
            refuse(code, None)?;
            if offset >= 0 {
                let metadata = metadata.unwrap_or_default().to_string();
                commits.insert((topic.to_string(), partition), Committed { offset, metadata });
            }
            Ok::<(), Failure>(())
        };
        match answer.groups.first() {
            Some(one) => {
                refuse(one.error_code, None)?;
                for topic in &one.topics {
                    for partition in &topic.partitions {
                        let metadata = text(partition.metadata.as_ref());
                        let (index, code) = (partition.partition_index, partition.error_code);
                        note(&topic.name, index, code, partition.committed_offset, metadata)?;
                    }
                }
            }
            None => {
                refuse(answer.error_code, None)?;
                for topic in &answer.topics {
                    for partition in &topic.partitions {
                        let metadata = text(partition.metadata.as_ref());
                        let (index, code) = (partition.partition_index, partition.error_code);
                        note(&topic.name, index, code, partition.committed_offset, metadata)?;
                    }
                }
            }
        }
        Ok(commits)
    })
}

/// Deletes a group and its commits; it must be without members.
pub fn delete(cluster: &mut Cluster, group: &str) -> Result<(), Failure> {
    at_coordinator(cluster, group, |cluster, node| {
        let answer = cluster.ask::<DeleteGroupsRequest>(node, |_| {
            DeleteGroupsRequest::default().with_groups_names(vec![group_id(group)])
        })?;
        refuse(answer.results.first().map_or(0, |result| result.error_code), None)
    })
}

/// Commits offsets on behalf of a group without members; a verdict for each partition, in the order asked.
pub fn commit(
    cluster: &mut Cluster,
    group: &str,
    offsets: &[(String, i32, i64)],
) -> Result<Vec<Result<(), Failure>>, Failure> {
    at_coordinator(cluster, group, |cluster, node| {
        let words = cluster.broker_words(node);
        let answer = cluster.ask::<OffsetCommitRequest>(node, |_| {
            let mut topics: BTreeMap<&str, Vec<OffsetCommitRequestPartition>> = BTreeMap::new();
            for (topic, partition, offset) in offsets {
                let one = OffsetCommitRequestPartition::default()
                    .with_partition_index(*partition)
                    .with_committed_offset(*offset)
                    .with_committed_leader_epoch(-1)
                    .with_committed_metadata(Some(bytes("")));
                topics.entry(topic).or_default().push(one);
            }
            let topics = topics.into_iter().map(|(topic, partitions)| {
                OffsetCommitRequestTopic::default().with_name(topic_name(topic)).with_partitions(partitions)
            });
            // No generation and no member: a commit from outside, which only a group without members takes.
            OffsetCommitRequest::default()
                .with_group_id(group_id(group))
                .with_generation_id_or_member_epoch(-1)
                .with_topics(topics.collect())
        })?;
        let mut codes = BTreeMap::new();
        for topic in &answer.topics {
            for partition in &topic.partitions {
                codes.insert((topic.name.to_string(), partition.partition_index), partition.error_code);
            }
        }
        let code_of = |topic: &str, partition: i32| codes.get(&(topic.to_string(), partition)).copied().unwrap_or(-1);
        // While the coordinator loads or moves, all of them say so.
        if let Some((topic, partition, _)) = offsets.first() {
            let first = Failure::code(code_of(topic, *partition), None);
            if first.may_pass() {
                return Err(first);
            }
        }
        let verdict = |(topic, partition, _): &(String, i32, i64)| {
            let about = format!("{}, topic {topic}, partition {partition}", group_words(group));
            refuse(code_of(topic, *partition), None).map_err(|failure| failure.about(about).from_broker(&words))
        };
        Ok(offsets.iter().map(verdict).collect())
    })
}

#[cfg(test)]
mod tests {
    use super::assignment;
    use bytes::Bytes;

    #[test]
    fn an_assignment_is_read_in_every_version() {
        for version in [0, 1, 3, 9] {
            let mut from = vec![0, version];
            from.extend_from_slice(&[
                0, 0, 0, 1, 0, 2, b't', b'1', 0, 0, 0, 2, 0, 0, 0, 4, 0, 0, 0, 5, 255, 255, 255, 255,
            ]);
            let read = assignment(Bytes::from(from)).expect("readable");
            assert_eq!(read.into_iter().collect::<Vec<_>>(), [("t1".to_string(), vec![4, 5])], "version {version}");
        }
        assert_eq!(assignment(Bytes::new()).map(|topics| topics.len()), Some(0));
        assert!(assignment(Bytes::from_static(&[0, 0, 0, 0, 0, 9])).is_none(), "cut off");
    }
}
