//! What groups amount to, for whoever watches: how far they are behind, from what is in memory: nothing is read, asked or waited for.
//!
//! A group's offsets are on the core that coordinates it, the ends of what it reads on the cores that lead those partitions. So each
//! core gives what it has, [`Broker::committed_offsets`] and [`Broker::consumable_end`], copied out like its
//! [`counters`](crate::broker::counters), and [`lags`] joins them wherever all of it has arrived: no core waits for another one, and no
//! message crosses the mesh. The cost is the number of committed offsets, whatever the partitions hold.

use crate::base::ids::TopicPartition;
use crate::base::offset::Offset;
use crate::broker::broker::Broker;
use crate::coordinator::groups::Groups;

/// What a group has committed for a partition that exists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommittedOffset<'a> {
    /// The group.
    pub group: &'a str,
    /// The topic's name.
    pub topic: &'a str,
    /// Its incarnation and the partition.
    pub partition: TopicPartition,
    /// What the group reads next.
    pub committed: Offset,
}

/// How far a group is behind in one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GroupLag<'a> {
    /// What was committed.
    pub at: CommittedOffset<'a>,
    /// Records that consumers may see and the group has not committed; `None`: the partition's end is not known.
    pub records: Option<u64>,
}

/// Joins what groups have committed with the ends of the partitions. An offset beyond the end is no lag.
pub fn lags<'a>(
    committed: impl Iterator<Item = CommittedOffset<'a>>,
    end: impl Fn(TopicPartition) -> Option<Offset>,
) -> impl Iterator<Item = GroupLag<'a>> {
    committed.map(move |at| {
        let behind = |end: Offset| u64::try_from(end.0 - at.committed.0).unwrap_or(0);
        GroupLag { at, records: end(at.partition).map(behind) }
    })
}

impl Broker {
    /// What the groups that this core coordinates have committed, group by group; nothing of groups that are being loaded.
    pub fn committed_offsets(&self) -> impl Iterator<Item = CommittedOffset<'_>> {
        self.serving_groups().flat_map(|groups| groups.committed_offsets()).filter_map(|one| {
            let topic = self.image.topic_by_name(one.topic)?;
            let is_current = one.topic_id.is_none_or(|id| id == topic.id) && topic.partition(one.partition).is_some();
            is_current.then_some(CommittedOffset {
                group: one.group,
                topic: one.topic,
                partition: TopicPartition { topic: topic.id, partition: one.partition },
                committed: Offset(one.offset),
            })
        })
    }

    /// What the groups that this core coordinates keep in memory, about: members and what is stored.
    pub fn group_memory_bytes(&self) -> usize {
        self.serving_groups().map(Groups::memory_bytes).map(|(members, stored)| members + stored).sum()
    }

    /// Where consumers stand when they have read all that they may see; `None`: another core leads the partition.
    pub fn consumable_end(&self, partition: TopicPartition) -> Option<Offset> {
        self.log.offsets(partition).map(|offsets| offsets.high_watermark)
    }
}
