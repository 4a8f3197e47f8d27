//! What a batch of records changed, so that a core creates, deletes and configures its partitions without comparing images.

use crate::base::ids::{TopicId, TopicPartition};

/// Changes from one image to the next. A topic that was created and deleted in between is only among the deleted ones.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Delta {
    /// Topics that are new.
    pub topics_created: Vec<TopicId>,
    /// Topics that are gone; their ids are in [`Image::deleted`](crate::metadata::image::Image::deleted).
    pub topics_deleted: Vec<TopicId>,
    /// Deleted ids of which no trace is left (S13).
    pub topics_forgotten: Vec<TopicId>,
    /// Partitions that are new, those of new topics included.
    pub partitions_created: Vec<TopicPartition>,
    /// Partitions whose record changed (leader, replicas).
    pub partitions_changed: Vec<TopicPartition>,
    /// Live topics whose configs changed, new topics with configs included; each once.
    pub configs_changed: Vec<TopicId>,
    /// A broker config changed.
    pub broker_configs_changed: bool,
    /// Boot, generation or number of cores changed (at start only).
    pub layout_changed: bool,
}

impl Delta {
    /// Nothing for a core to do.
    pub fn is_empty(&self) -> bool {
        *self == Delta::default()
    }

    /// The changes of all, one after the other, as one.
    pub fn merge(deltas: impl IntoIterator<Item = Delta>) -> Delta {
        let mut sum = Delta::default();
        for delta in deltas {
            sum.topics_created.extend(delta.topics_created);
            sum.topics_deleted.extend(delta.topics_deleted);
            sum.topics_forgotten.extend(delta.topics_forgotten);
            sum.partitions_created.extend(delta.partitions_created);
            sum.partitions_changed.extend(delta.partitions_changed);
            sum.configs_changed.extend(delta.configs_changed);
            sum.broker_configs_changed |= delta.broker_configs_changed;
            sum.layout_changed |= delta.layout_changed;
        }
        sum.normalize();
        sum
    }

    /// Drops what a deletion made pointless, and repetitions.
    pub(super) fn normalize(&mut self) {
        let deleted: std::collections::BTreeSet<TopicId> = self.topics_deleted.iter().copied().collect();
        if !deleted.is_empty() {
            self.topics_created.retain(|id| !deleted.contains(id));
            self.partitions_created.retain(|partition| !deleted.contains(&partition.topic));
            self.partitions_changed.retain(|partition| !deleted.contains(&partition.topic));
            self.configs_changed.retain(|id| !deleted.contains(id));
        }
        self.configs_changed.sort_unstable();
        self.configs_changed.dedup();
        self.partitions_changed.sort_unstable();
        self.partitions_changed.dedup();
    }
}
