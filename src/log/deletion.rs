//! Deleting topics: data goes at once, the id is forgotten when nothing on this core's disk names it any more (S13).
//!
//! Frames of a deleted topic stay in the journal until their file is recycled, and the older checkpoint slot may name it, so
//! metadata keeps the id until every core has said `Forgotten`. A deletion that recovery finds unfinished starts over here.

use crate::base::ids::{TopicId, TopicPartition};
use crate::base::offset::Sequence;
use crate::base::storage::FileOp;
use crate::log::core_log::{CoreLog, Purpose};
use crate::log::effect::{LogEffect, LogNotice};
use crate::log::segment;

/// A deleted topic that is not forgotten yet.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deletion {
    topic: TopicId,
    /// No later frame names it.
    last_sequence: Sequence,
    /// Newest checkpoint when it was deleted.
    checkpoint: u64,
}

impl CoreLog {
    /// The deletion is durable in metadata: drops the topic's partitions and their files; `LogNotice::Forgotten` follows. Every
    /// core is told, also one that holds nothing of the topic.
    pub fn delete_topic(&mut self, topic: TopicId, now_ms: u64) {
        if self.deletions.iter().any(|deletion| deletion.topic == topic) {
            return;
        }
        let partitions: Vec<TopicPartition> = self.logs.keys().copied().filter(|one| one.topic == topic).collect();
        for partition in &partitions {
            let log = self.logs.remove(partition).expect("just listed");
            self.forget_memory(&log);
            self.indexes.forget(*partition);
            let ops = vec![FileOp::RemoveDirAll(segment::dir(*partition)), FileOp::SyncDir(format!("topics/{topic}"))];
            let ticket = self.effects.ticket();
            self.purposes.insert(ticket, Purpose::Remove);
            self.effects.push(LogEffect::Files { ticket, ops });
        }
        self.note_deletion(topic);
        self.writer.want_housekeeping(now_ms);
    }

    pub(super) fn note_deletion(&mut self, topic: TopicId) {
        let deletion =
            Deletion { topic, last_sequence: self.journal.last(), checkpoint: self.writer.checkpoint_number() };
        self.deletions.push(deletion);
    }

    /// Highest sequence that may name a deleted topic: housekeeping moves what is pinned below it.
    pub(super) fn deletion_sequence(&self) -> Option<Sequence> {
        self.deletions.iter().map(|deletion| deletion.last_sequence).max()
    }

    /// Checkpoint `number` is durable. Two checkpoints after the deletion neither slot names the topic; above its last
    /// sequence no live frame does.
    pub(super) fn forget_deleted(&mut self, number: u64, first_live: Sequence) {
        let notices = &mut self.notices;
        self.deletions.retain(|deletion| {
            let forgotten = number >= deletion.checkpoint + 2 && first_live > deletion.last_sequence;
            if forgotten {
                notices.push_back(LogNotice::Forgotten { topic: deletion.topic });
            }
            !forgotten
        });
    }
}
