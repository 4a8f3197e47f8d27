//! The segment writer of a core: moves tails into segments, writes checkpoints, gives journal files back.
//!
//! One round at a time, each step complete before the next (S7):
//!
//! ```text
//! Idle -> Opening (state of the chosen partitions) -> Writing (1: extents and state blocks, of flushed data only)
//!      -> Syncing (2: one syncfs issued after the writes completed) -> Flushing (3: re-appended frames are flushed)
//!      -> Checkpointing (4: slot written and flushed) -> (5) journal files recycled, (6) unnamed files unlinked -> Idle
//! ```
//!
//! Lives in `CoreLog`. A failed step releases nothing: a failed sync or checkpoint makes the core read-only, a failed extent takes
//! its partition offline, a full disk leaves the partition for a later round.

use crate::base::clock::Now;
use crate::base::ids::TopicPartition;
use crate::base::limits::{
    HOUSEKEEPING_EVERY_MS, MOVES_PER_ROUND_MAX, OFFLINE_JOURNAL_FILES_MAX, REAPPEND_FILE_DIVISOR,
    REAPPEND_TAIL_BYTES_MAX, RING_MOVE_PERCENT,
};
use crate::base::offset::{Offset, Sequence};
use crate::base::storage::{FileOp, FilesDone};
use crate::log::checkpoint::{Checkpoint, CheckpointPartition, CheckpointSegment};
use crate::log::core_log::{CoreLog, Openness, Purpose};
use crate::log::effect::LogEffect;
use crate::log::journal::HeldRange;
use crate::log::journal_frame::FrameBody;
use crate::log::reading::is_full;
use crate::log::segment;
use crate::log::segment_move::{self, Move, MoveContext};
use std::collections::BTreeSet;

/// Which step is under way.
#[derive(Debug, Default)]
enum Phase {
    #[default]
    Idle,
    Opening,
    Writing {
        outstanding: usize,
        written: bool,
    },
    Syncing,
    Flushing,
    Checkpointing(Box<Checkpoint>, Vec<HeldRange>),
}

/// A segment file that the checkpoints from `number` on do not name.
#[derive(Debug)]
struct Doomed {
    number: u64,
    partition: TopicPartition,
    base: Offset,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct SegmentWriter {
    phase: Phase,
    /// Partitions of this round that are to be moved.
    chosen: Vec<TopicPartition>,
    /// Newest re-appended frame of this round.
    reappended: Sequence,
    /// Number of the newest durable checkpoint.
    number: u64,
    /// Its first live sequence: never falls, since files below it are gone.
    first_live: Sequence,
    /// See [`Checkpoint::key`].
    key: u64,
    /// Slots that exist as files of this boot: written in place from then on.
    slot_exists: [bool; 2],
    doomed: Vec<Doomed>,
    /// Partitions whose segments hold nothing that is still wanted.
    spent: BTreeSet<TopicPartition>,
    housekeeping_ms: Option<u64>,
    /// The last finished round could not write everything: the disk was full.
    disk_full: bool,
    /// So it is in the round under way.
    disk_full_now: bool,
}

impl SegmentWriter {
    /// Recovery found (or wrote) this checkpoint, and its slot is a file of this boot.
    pub(super) fn starting_at(checkpoint: &Checkpoint) -> SegmentWriter {
        let (number, key, first_live) = (checkpoint.number, checkpoint.key, checkpoint.first_live);
        let mut writer = SegmentWriter { number, key, first_live, ..SegmentWriter::default() };
        writer.slot_exists[(number % 2) as usize] = true;
        writer
    }

    /// Number of the newest checkpoint, one that is being written included.
    pub(super) fn newest_checkpoint(&self) -> u64 {
        self.number + u64::from(matches!(self.phase, Phase::Checkpointing(..)))
    }

    /// Something is to be removed or forgotten: a round is due within [`HOUSEKEEPING_EVERY_MS`] even if the ring is empty.
    pub(super) fn want_housekeeping(&mut self, now_ms: u64) {
        self.housekeeping_ms.get_or_insert(now_ms + HOUSEKEEPING_EVERY_MS);
    }

    /// A round is to put a segment of nothing but state in the place of this partition's.
    pub(super) fn note_spent(&mut self, partition: TopicPartition, now_ms: u64) {
        self.spent.insert(partition);
        self.want_housekeeping(now_ms);
    }

    /// When a round is due, if none is under way.
    pub(super) fn housekeeping_ms(&self) -> Option<u64> {
        self.housekeeping_ms.filter(|_| matches!(self.phase, Phase::Idle))
    }
}

impl CoreLog {
    /// Goes on with the round as far as it can without waiting; starts one when it is due.
    pub(super) fn step_writer(&mut self, now: Now) {
        if self.journal.failure().is_some() || self.is_stopping() {
            return;
        }
        if matches!(self.writer.phase, Phase::Idle) && !self.begin_round(now) {
            return;
        }
        if matches!(self.writer.phase, Phase::Opening) && !self.chosen_are_open() {
            return;
        }
        if matches!(self.writer.phase, Phase::Opening) {
            self.issue_moves(now);
        }
        if let Phase::Writing { outstanding: 0, written } = self.writer.phase {
            if written {
                self.writer.phase = Phase::Syncing;
                self.issue(Purpose::Sync, vec![FileOp::SyncAll]);
            } else {
                self.writer.phase = Phase::Flushing;
            }
        }
        if matches!(self.writer.phase, Phase::Flushing) && self.journal.flushed() >= self.writer.reappended {
            self.issue_checkpoint();
        }
    }

    fn issue(&mut self, purpose: Purpose, ops: Vec<FileOp>) {
        let ticket = self.effects.ticket();
        self.purposes.insert(ticket, purpose);
        self.effects.push(LogEffect::Files { ticket, ops });
    }

    /// The newest sequence whose frames this round wants out of the journal; `None` if there is nothing to do.
    fn round_target(&self, now: Now) -> Option<Sequence> {
        let files = self.journal.files();
        let own_closed = |limit: usize| files.iter().take(files.len() - 1).nth(limit).map(|file| file.last);
        let dead = self.journal.dead_files();
        let ring_bytes = self.settings.journal_files as u64 * self.settings.journal_file_bytes;
        if dead > 0 {
            return own_closed(dead - 1);
        }
        let crowded = self.journal.used_percent() >= RING_MOVE_PERCENT || self.pinned_cost > ring_bytes;
        if crowded || self.is_waiting_for_room() {
            return own_closed(0);
        }
        let due = self.writer.housekeeping_ms.is_some_and(|due| due <= now.monotonic_ms());
        due.then(|| self.deletion_sequence().unwrap_or_default())
    }

    fn begin_round(&mut self, now: Now) -> bool {
        if self.writer.disk_full && self.writer.housekeeping_ms.is_some_and(|due| due > now.monotonic_ms()) {
            return false;
        }
        let Some(target) = self.round_target(now).filter(|target| *target <= self.journal.flushed()) else {
            return false;
        };
        self.writer.housekeeping_ms = None;
        self.writer.disk_full_now = false;
        self.writer.reappended = Sequence(0);
        let mut candidates: Vec<(u64, TopicPartition)> = Vec::new();
        for partition in &self.dirty {
            let tail = &self.logs[partition].tail;
            if tail.first_pinned_sequence().is_some_and(|first| first <= target) {
                candidates.push((tail.pinned_bytes(), *partition));
            }
        }
        candidates.sort_by_key(|(bytes, partition)| (std::cmp::Reverse(*bytes), *partition));
        let recycled = self.journal.files().iter().filter(|file| file.last <= target).count() as u64;
        let mut budget = self.journal.file_bytes() / REAPPEND_FILE_DIVISOR * recycled;
        self.writer.chosen.clear();
        while self.writer.chosen.len() < MOVES_PER_ROUND_MAX / 2
            && let Some(partition) = self.writer.spent.pop_first()
        {
            if self.logs.get(&partition).is_some_and(segment_move::is_spent) {
                self.writer.chosen.push(partition);
            }
        }
        candidates.retain(|(_, partition)| !self.writer.chosen.contains(partition));
        for (bytes, partition) in candidates {
            let small = bytes < REAPPEND_TAIL_BYTES_MAX && bytes <= budget;
            if small && self.reappend(partition, target, now) {
                budget -= bytes;
            } else if self.writer.chosen.len() < MOVES_PER_ROUND_MAX {
                self.writer.chosen.push(partition);
            }
        }
        for index in 0..self.writer.chosen.len() {
            self.open(self.writer.chosen[index]);
        }
        self.writer.phase = Phase::Opening;
        true
    }

    /// Carries a small tail on to the journal's head: what lies at or below `target`, each batch at most once (S8). False if it
    /// has to be moved instead.
    fn reappend(&mut self, partition: TopicPartition, target: Sequence, now: Now) -> bool {
        let log = &self.logs[&partition];
        let old: Vec<_> = log.tail.pinned().filter(|batch| batch.sequence <= target).cloned().collect();
        if old.iter().any(|batch| batch.again) {
            return false;
        }
        for batch in old {
            let header = crate::wire::record_batch::parse_header(&batch.bytes).expect("checked when it was appended");
            let leader_epoch = crate::base::offset::LeaderEpoch(header.leader_epoch);
            let (base, end) = (batch.base, batch.end);
            let body = FrameBody::Append { partition, leader_epoch, base, end, batch: batch.bytes, again: true };
            let Ok(sequence) = self.journal.push(body, now) else { return false };
            let log = self.logs.get_mut(&partition).expect("just looked at");
            log.tail.reappended(base, sequence);
            self.writer.reappended = sequence;
        }
        true
    }

    fn chosen_are_open(&mut self) -> bool {
        let chosen = std::mem::take(&mut self.writer.chosen);
        let open = chosen.iter().all(|partition| self.open(*partition) != Openness::Opening);
        self.writer.chosen = chosen;
        open
    }

    fn issue_moves(&mut self, now: Now) {
        let context = MoveContext { boot: self.identity.boot, now_ms: now.monotonic_ms() };
        let mut outstanding = 0;
        for partition in std::mem::take(&mut self.writer.chosen) {
            let Some(log) = self.logs.get(&partition) else { continue };
            let is_spent = segment_move::is_spent(log);
            if log.open_state().is_none() || (log.movable_end() <= log.segment_end() && !is_spent) {
                continue;
            }
            let doomed: Vec<String> = self
                .writer
                .doomed
                .iter()
                .filter(|one| one.partition == partition)
                .map(|one| segment::name(one.base))
                .collect();
            let plan = if is_spent { segment_move::plan_replacement } else { segment_move::plan };
            let mut plan = plan(log, context, &doomed);
            let ops = std::mem::take(&mut plan.ops);
            self.issue(Purpose::Move(partition, Box::new(plan)), ops);
            outstanding += 1;
        }
        self.writer.phase = Phase::Writing { outstanding, written: outstanding > 0 };
    }

    /// Extents of one partition are written, or not.
    pub(super) fn handle_moved(&mut self, partition: TopicPartition, plan: Move, done: FilesDone) {
        let Phase::Writing { outstanding, .. } = &mut self.writer.phase else {
            unreachable!("moves end in their phase")
        };
        *outstanding -= 1;
        let Some(log) = self.logs.get_mut(&partition) else { return };
        if is_full(&done) {
            log.cleaned = false;
            (self.writer.disk_full, self.writer.disk_full_now) = (true, true);
            return;
        }
        if let Some(error) = done.failure() {
            let why = format!("writing a segment of {partition} failed: {error:?}");
            return self.take_offline(partition, why);
        }
        if log.is_offline() {
            return;
        }
        let newest = log.segments.len().saturating_sub(1);
        let (bytes, cost) = (log.tail.pinned_bytes(), log.tail.pinned_cost());
        let mut moved = Vec::new();
        let replaced = segment_move::apply(log, plan, |end, cost| moved.push((end, cost)));
        self.pinned_bytes -= bytes - log.tail.pinned_bytes();
        self.pinned_cost -= cost - log.tail.pinned_cost();
        if !log.tail.has_pinned() {
            self.dirty.remove(&partition);
        }
        let sealed = log.segments.iter().take(log.segments.len() - 1).skip(newest);
        let sealed: Vec<Offset> = sealed.filter(|one| one.runs.is_some()).map(|one| one.base).collect();
        for base in sealed {
            self.note_loaded(partition, base);
        }
        // The checkpoint of this round is the first that does not name them.
        let number = self.writer.number + 1;
        self.writer.doomed.extend(replaced.into_iter().map(|base| Doomed { number, partition, base }));
        self.note_cached(partition, moved);
    }

    /// The moves are durable, or the core is done for.
    pub(super) fn handle_synced(&mut self, done: FilesDone) {
        match done.failure() {
            None => self.writer.phase = Phase::Flushing,
            Some(error) => self.journal.fail(format!("syncing the segments failed: {error:?}")),
        }
    }

    /// The checkpoint of this moment: what it says of log starts and segments and the first live sequence belong together.
    fn build_checkpoint(&mut self) -> (Checkpoint, Vec<HeldRange>) {
        let number = self.writer.number + 1;
        let mut first_live = self.journal.flushed().next();
        let mut held = Vec::new();
        let mut partitions = Vec::new();
        for log in self.logs.values_mut() {
            // Frames below the last first live sequence were held for a partition that is online again.
            let floor = self.writer.first_live;
            let first = log.tail.first_pinned_sequence().filter(|_| !log.is_offline());
            let held_here = match first.is_some_and(|first| first < floor) {
                false => log.held(),
                true => {
                    log.range_of(log.tail.pinned().map(|batch| batch.sequence).filter(|sequence| *sequence < floor))
                }
            };
            let live = match held_here.is_some() && !log.is_offline() {
                false => first,
                true => log.tail.pinned().map(|batch| batch.sequence).filter(|sequence| *sequence >= floor).min(),
            };
            first_live = live.map_or(first_live, |live| live.min(first_live));
            held.extend(held_here);
            // Only what a power cut leaves: a log start above it would be a hole.
            let log_start = log.log_start.min(log.offsets().flushed_end);
            // The newest segment stays: its state blocks are the partition's state (S10).
            let gone = log.segments.iter().take(log.segments.len().saturating_sub(1));
            let gone = gone.take_while(|segment| segment.end <= log_start).count();
            for segment in log.segments.drain(..gone) {
                self.writer.doomed.push(Doomed { number, partition: log.partition, base: segment.base });
            }
            if !log.segments.is_empty() || log_start > Offset::ZERO || held_here.is_some() {
                partitions.push(CheckpointPartition {
                    partition: log.partition,
                    log_start,
                    held: held_here,
                    segments: log.segments.iter().map(CheckpointSegment::from).collect(),
                });
            }
        }
        assert!(first_live >= self.writer.first_live, "files below are gone");
        partitions.sort_by_key(|one| one.partition);
        let identity = &self.identity;
        let (generation, core, boot) = (identity.generation, identity.core, identity.boot);
        let key = self.writer.key;
        (Checkpoint { number, generation, core, boot, key, first_live, partitions }, held)
    }

    fn issue_checkpoint(&mut self) {
        let (checkpoint, held) = self.build_checkpoint();
        let slot_exists = self.writer.slot_exists[(checkpoint.number % 2) as usize];
        let ops = checkpoint.write_ops(&self.journal_dir(), slot_exists);
        self.writer.phase = Phase::Checkpointing(Box::new(checkpoint), held);
        self.issue(Purpose::Checkpoint, ops);
    }

    /// Step 4 ended: what it no longer needs is given back.
    pub(super) fn handle_checkpoint(&mut self, done: FilesDone, now: Now) {
        if is_full(&done) {
            // Nothing is released; the slot is tried again when there is room (D3).
            self.writer.phase = Phase::Idle;
            self.writer.disk_full = true;
            return self.writer.want_housekeeping(now.monotonic_ms());
        }
        if let Some(error) = done.failure() {
            return self.journal.fail(format!("writing the checkpoint failed: {error:?}"));
        }
        let Phase::Checkpointing(checkpoint, held) = std::mem::take(&mut self.writer.phase) else {
            unreachable!("one checkpoint at a time")
        };
        self.writer.number = checkpoint.number;
        self.writer.first_live = checkpoint.first_live;
        self.writer.disk_full = self.writer.disk_full_now;
        self.writer.slot_exists[(checkpoint.number % 2) as usize] = true;
        self.journal.recycle(checkpoint.number, checkpoint.first_live, &held, &mut self.effects);
        if self.journal.held_files().len() > OFFLINE_JOURNAL_FILES_MAX {
            self.journal.fail("offline partitions hold too many journal files".to_string());
        }
        self.unlink_doomed(checkpoint.number);
        self.forget_deleted(checkpoint.number, checkpoint.first_live);
        if !self.writer.doomed.is_empty() || self.has_deletions() || self.writer.disk_full {
            self.writer.want_housekeeping(now.monotonic_ms());
        }
    }

    /// Step 6: the slot before does not name them either any more.
    fn unlink_doomed(&mut self, number: u64) {
        let (gone, waiting): (Vec<_>, Vec<_>) =
            std::mem::take(&mut self.writer.doomed).into_iter().partition(|doomed| doomed.number < number);
        self.writer.doomed = waiting;
        let paths = gone.iter().filter(|doomed| self.logs.contains_key(&doomed.partition));
        let ops: Vec<FileOp> =
            paths.map(|doomed| FileOp::Unlink(segment::path(doomed.partition, doomed.base))).collect();
        if !ops.is_empty() {
            self.issue(Purpose::Remove, ops);
        }
    }
}
