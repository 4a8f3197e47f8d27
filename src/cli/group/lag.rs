//! How far a group is behind: its offsets beside the ends of the partitions.

use crate::client::cluster::Cluster;
use crate::client::failure::Failure;
use crate::client::groups::{Commits, Described};
use crate::client::offsets::{self, Asked, PerPartition};
use std::collections::{BTreeMap, BTreeSet};

/// A partition that a group reads, or has committed to.
#[derive(Clone, Debug)]
pub(super) struct Position {
    pub(super) topic: String,
    pub(super) partition: i32,
    /// The next record that the group reads; none before its first commit.
    pub(super) committed: Option<i64>,
    pub(super) metadata: String,
    /// Where the partition ends, or why that is unknown.
    pub(super) end: Result<i64, Failure>,
    /// Index of the member that reads it.
    pub(super) member: Option<usize>,
}

impl Position {
    /// Records that the group has not read; none without a commit.
    pub(super) fn lag(&self) -> Option<i64> {
        let end = self.end.as_ref().ok()?;
        self.committed.map(|committed| (end - committed).max(0))
    }
}

/// Every partition that is assigned or has a commit, by topic and number.
pub(super) fn positions(cluster: &mut Cluster, group: &Described, commits: &Commits) -> Result<Vec<Position>, Failure> {
    let mut readers: BTreeMap<(String, i32), usize> = BTreeMap::new();
    for (index, member) in group.members.iter().enumerate() {
        for (topic, partitions) in member.assigned.iter().flatten() {
            readers.extend(partitions.iter().map(|partition| ((topic.clone(), *partition), index)));
        }
    }
    let all: BTreeSet<&(String, i32)> = commits.keys().chain(readers.keys()).collect();
    let mut ends: BTreeMap<&str, PerPartition> = BTreeMap::new();
    for (topic, _) in &all {
        if !ends.contains_key(topic.as_str()) {
            let partitions: Vec<i32> = all.iter().filter(|one| one.0 == *topic).map(|one| one.1).collect();
            ends.insert(topic, topic_ends(cluster, topic, &partitions));
        }
    }
    let position = |one: &&(String, i32)| {
        let commit = commits.get(*one);
        let end = ends.get(one.0.as_str()).and_then(|ends| ends.get(&one.1)).cloned();
        Position {
            topic: one.0.clone(),
            partition: one.1,
            committed: commit.map(|commit| commit.offset),
            metadata: commit.map(|commit| commit.metadata.clone()).unwrap_or_default(),
            end: end.unwrap_or_else(|| Err(Failure::here("the broker says nothing about it"))),
            member: readers.get(*one).copied(),
        }
    };
    Ok(all.iter().map(position).collect())
}

/// Ends of partitions of a topic; a topic that is gone fails for each of them.
fn topic_ends(cluster: &mut Cluster, topic: &str, partitions: &[i32]) -> PerPartition {
    let wanted: Vec<(i32, Asked)> = partitions.iter().map(|partition| (*partition, Asked::End)).collect();
    let ends = cluster.topic(topic, false).and_then(|topic| offsets::list(cluster, &topic, &wanted));
    ends.unwrap_or_else(|failure| partitions.iter().map(|partition| (*partition, Err(failure.clone()))).collect())
}
