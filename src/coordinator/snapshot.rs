//! The log of a coordinator is bounded: when it has grown to a few times of what it says, everything is said anew and what lies
//! before is given up.
//!
//! ```text
//! Idle -- the log is large --> Draining -- nothing is on its way to the disk --> Saying -- all appended --> Flushing -- durable --> Idle
//! ```
//! In Draining and Saying no other records are appended, so that none of those said anew comes behind a newer one of its key. A
//! crash in between finds the old records and some of them twice. Only after Flushing the log start moves.

use crate::base::limits::{GROUP_LOG_BYTES_MIN, GROUP_LOG_LIVE_MULTIPLE};
use crate::base::offset::Offset;
use crate::coordinator::groups::Groups;
use crate::wire::group_records::{GroupRecordKey, OffsetValue};
use crate::wire::keyed_batch::KeyedRecord;
use std::collections::VecDeque;

#[derive(Debug, Default)]
enum Step {
    #[default]
    Idle,
    Draining,
    Saying {
        left: VecDeque<KeyedRecord>,
        /// Taken out of `left`, not reported as appended.
        taken: usize,
        first: Option<Offset>,
        end: Offset,
    },
    Flushing {
        first: Offset,
        end: Offset,
    },
}

/// See the module.
#[derive(Debug)]
pub(super) struct Snapshot {
    step: Step,
    /// The log may grow to this size, whatever it says.
    log_bytes_min: usize,
    /// Appended since the log start.
    log_bytes: usize,
    /// The log may begin here.
    trim_to: Option<Offset>,
}

impl Default for Snapshot {
    fn default() -> Snapshot {
        Snapshot { step: Step::Idle, log_bytes_min: GROUP_LOG_BYTES_MIN, log_bytes: 0, trim_to: None }
    }
}

impl Snapshot {
    /// Bytes of the log that a load has seen.
    pub(super) fn note_loaded(&mut self, bytes: usize) {
        self.log_bytes += bytes;
    }

    pub(super) fn note_appended(&mut self, base: Offset, end_now: Offset, bytes: usize) {
        self.log_bytes += bytes;
        if let Step::Saying { taken, first, end, .. } = &mut self.step
            && *taken > 0
        {
            (*taken, *end) = (0, end_now);
            if first.is_none() {
                *first = Some(base);
                self.log_bytes = bytes;
            }
        }
    }

    /// What was to be said anew was not appended: the next time is soon enough.
    pub(super) fn refused(&mut self) {
        if matches!(self.step, Step::Saying { .. } | Step::Draining) {
            self.step = Step::Idle;
        }
    }

    pub(super) fn holds_writes(&self) -> bool {
        matches!(self.step, Step::Draining | Step::Saying { .. })
    }

    /// Of the next record to be said anew.
    pub(super) fn next_bytes(&self) -> Option<usize> {
        match &self.step {
            Step::Saying { left, .. } => left.front().map(KeyedRecord::bytes),
            _ => None,
        }
    }
}

impl Groups {
    /// Where the log may begin, told once.
    pub fn take_trim(&mut self) -> Option<Offset> {
        self.snapshot.trim_to.take()
    }

    /// Lets the log grow to this size whatever it says, instead of to the usual one (simulations are short).
    pub fn set_log_bytes_min(&mut self, bytes: usize) {
        self.snapshot.log_bytes_min = bytes;
    }

    /// The log start could not be moved: it is to be tried again.
    pub fn retry_trim(&mut self, to: Offset) {
        self.snapshot.trim_to.get_or_insert(to);
    }

    /// Takes the next step that is due.
    pub(super) fn step_snapshot(&mut self, high_watermark: Offset) {
        let bound = self.snapshot.log_bytes_min.max(GROUP_LOG_LIVE_MULTIPLE * self.live_bytes);
        let quiet = self.outbox.pending.is_empty() && self.outbox.taken.is_empty();
        match &self.snapshot.step {
            Step::Idle if self.snapshot.log_bytes > bound => self.snapshot.step = Step::Draining,
            Step::Saying { left, taken: 0, first: Some(first), end } if left.is_empty() => {
                self.snapshot.step = Step::Flushing { first: *first, end: *end };
            }
            _ => {}
        }
        if matches!(self.snapshot.step, Step::Draining) && quiet {
            let left = self.live_records();
            self.snapshot.step = match left.is_empty() {
                // Nothing is worth keeping: everything that is durable may go.
                true => Step::Flushing { first: high_watermark, end: high_watermark },
                false => Step::Saying { left, taken: 0, first: None, end: high_watermark },
            };
        }
        if let Step::Flushing { first, end } = self.snapshot.step
            && end <= high_watermark
        {
            if first == end {
                self.snapshot.log_bytes = 0;
            }
            self.snapshot.trim_to = Some(first);
            self.snapshot.step = Step::Idle;
        }
    }

    /// The next records of what is said anew.
    pub(super) fn next_of_snapshot(&mut self) -> Option<Vec<KeyedRecord>> {
        let batch_bytes_max = self.batch_bytes_max;
        let Step::Saying { left, taken, .. } = &mut self.snapshot.step else { return None };
        let mut records = Vec::new();
        let mut bytes = 0;
        while let Some(record) = left.front() {
            bytes += record.bytes();
            if !records.is_empty() && bytes > batch_bytes_max {
                break;
            }
            records.extend(left.pop_front());
        }
        *taken = records.len();
        (!records.is_empty()).then_some(records)
    }

    /// Everything that the log says, in as few records as can be.
    pub fn live_records(&self) -> VecDeque<KeyedRecord> {
        let mut records = VecDeque::new();
        for group in self.groups.values() {
            if let Some(value) = &group.stored {
                let key = GroupRecordKey::Group { group: group.id.to_string() }.encode();
                records.push_back(KeyedRecord { key, value: Some(value.clone()) });
            }
            for (topic, partitions) in &group.offsets {
                for (partition, committed) in partitions {
                    let key = group.offset_key(topic, *partition).encode();
                    let value = OffsetValue {
                        offset: committed.offset,
                        leader_epoch: committed.leader_epoch,
                        metadata: committed.metadata.to_string(),
                        committed_ms: committed.committed_ms,
                        expire_ms: committed.expire_ms,
                        topic_id: committed.topic_id,
                    };
                    records.push_back(KeyedRecord { key, value: Some(value.encode()) });
                }
            }
        }
        records
    }
}
