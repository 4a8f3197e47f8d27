//! Deleting topics: data goes at once, the id is forgotten when nothing on this core's disk names it any more (S13).
//!
//! Frames of a deleted topic stay in the journal until their file is recycled, and the older checkpoint slot may name it, so
//! metadata keeps the id until every core has said `Forgotten`. A deletion that recovery finds unfinished starts over here.

use crate::base::ids::{TopicId, TopicPartition};
use crate::base::offset::Sequence;
use crate::base::storage::{FileOp, FilesDone};
use crate::log::core_log::{CoreLog, Purpose};
use crate::log::effect::{LogEffect, LogNotice};
use crate::log::segment;

/// A deleted topic that is not forgotten yet.
#[derive(Clone, Debug)]
pub(super) struct Deletion {
    topic: TopicId,
    /// Partitions whose directories wait for their removal: until no read or move of the topic is out.
    waiting: Vec<TopicPartition>,
    /// Their removal is under way.
    removing: bool,
    /// The removal failed: the topic is not forgotten in this run, and nothing waits for it.
    failed: bool,
    /// No later frame names it.
    last_sequence: Sequence,
    /// Newest checkpoint when it was deleted.
    checkpoint: u64,
}

impl Purpose {
    /// Topic whose files the effect may read or write.
    fn topic(&self) -> Option<TopicId> {
        match self {
            Purpose::Open(partition) | Purpose::Move(partition, _) => Some(partition.topic),
            Purpose::Read(read) => Some(read.partition().topic),
            Purpose::Search(search) => Some(search.partition().topic),
            Purpose::Sync | Purpose::Checkpoint | Purpose::Remove => None,
            Purpose::RemoveTopic(_) | Purpose::RemoveTopicDirectory(_) => None,
        }
    }
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
        }
        self.note_deletion(topic, partitions);
        self.writer.want_housekeeping(now_ms);
    }

    pub(super) fn note_deletion(&mut self, topic: TopicId, waiting: Vec<TopicPartition>) {
        // A checkpoint that is being written still names the topic.
        let (last_sequence, checkpoint) = (self.journal.last(), self.writer.newest_checkpoint());
        self.deletions.push(Deletion { topic, waiting, removing: false, failed: false, last_sequence, checkpoint });
    }

    /// Removes the directories of deleted topics that nothing under way can touch any more.
    pub(super) fn remove_deleted(&mut self) {
        for deletion in self.deletions.iter_mut().filter(|deletion| !deletion.waiting.is_empty()) {
            let topic = deletion.topic;
            let busy = self.purposes.values().any(|purpose| purpose.topic() == Some(topic));
            if busy {
                continue;
            }
            let mut ops: Vec<FileOp> =
                deletion.waiting.drain(..).map(|one| FileOp::RemoveDirAll(segment::dir(one))).collect();
            ops.push(FileOp::SyncDir(format!("topics/{topic}")));
            deletion.removing = true;
            let ticket = self.effects.ticket();
            self.purposes.insert(ticket, Purpose::RemoveTopic(topic));
            self.effects.push(LogEffect::Files { ticket, ops });
        }
    }

    /// The directories are gone. If not, the topic is not forgotten in this run, and the next start removes them.
    pub(super) fn handle_topic_removed(&mut self, topic: TopicId, done: FilesDone) {
        if let Some(deletion) = self.deletions.iter_mut().find(|deletion| deletion.topic == topic) {
            deletion.removing = false;
            deletion.failed = done.failure().is_some();
        }
    }

    /// Some deleted topic may be forgotten in this run.
    pub(super) fn has_deletions(&self) -> bool {
        self.deletions.iter().any(|deletion| !deletion.failed)
    }

    /// Highest sequence that may name a deleted topic: housekeeping moves what is pinned below it.
    pub(super) fn deletion_sequence(&self) -> Option<Sequence> {
        self.deletions.iter().filter(|deletion| !deletion.failed).map(|deletion| deletion.last_sequence).max()
    }

    /// Every core has said `Forgotten`: removes what is left of the topic's directory; `LogNotice::DirectoryGone` follows unless
    /// that fails, and then the next start tries again.
    pub fn remove_topic_directory(&mut self, topic: TopicId) {
        let ops = vec![FileOp::RemoveDirAll(format!("topics/{topic}")), FileOp::SyncDir("topics".to_string())];
        let ticket = self.effects.ticket();
        self.purposes.insert(ticket, Purpose::RemoveTopicDirectory(topic));
        self.effects.push(LogEffect::Files { ticket, ops });
    }

    pub(super) fn handle_directory_removed(&mut self, topic: TopicId, done: FilesDone) {
        if done.failure().is_none() {
            self.notices.push_back(LogNotice::DirectoryGone { topic });
        }
    }

    /// Checkpoint `number` is durable. Two checkpoints after the deletion neither slot names the topic; above its last
    /// sequence no live frame does.
    pub(super) fn forget_deleted(&mut self, number: u64, first_live: Sequence) {
        let notices = &mut self.notices;
        self.deletions.retain(|deletion| {
            let removed = deletion.waiting.is_empty() && !deletion.removing && !deletion.failed;
            let forgotten = removed && number >= deletion.checkpoint + 2 && first_live > deletion.last_sequence;
            if forgotten {
                notices.push_back(LogNotice::Forgotten { topic: deletion.topic });
            }
            !forgotten
        });
    }
}
