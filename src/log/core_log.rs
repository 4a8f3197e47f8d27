//! `CoreLog`: everything one core keeps on disk, sans-IO.
//!
//! Lives in that core's `Broker`, which alone mutates it. Calls and completions go in ([`CoreLog::append`], [`CoreLog::handle`], ...),
//! effects and notices come out ([`CoreLog::poll_effect`], [`CoreLog::poll_notice`]). This file holds the appending side; the other
//! verbs are in `opening` (state of a partition), `reading`, `segment_writer` (move, checkpoint, recycle), `deletion`, `retention` and
//! `recovery`.
//!
//! Invariants:
//! - C1 (S2, S3): an append is reported by `LogNotice::HighWatermark` only when its durability class allows it.
//! - C2 (S6): an append is taken only if ring, memory and file system have room for it.
//! - C3: every ticket issued is in `purposes` until its completion, and each completion is asked for once.
//! - C4: after a failed journal write or flush nothing is appended, moved or recycled any more (D3).

use crate::base::clock::Now;
use crate::base::ids::{TopicId, TopicPartition};
use crate::base::latency::Latency;
use crate::base::limits::PINNED_RING_MULTIPLE_MAX;
use crate::base::map::Map;
use crate::base::offset::{Durability, LeaderEpoch, Offset, Sequence};
use crate::log::cache_budget::CacheBudget;
pub use crate::log::contract::{
    Append, AppendError, Appendable, Appended, CoreIdentity, KnownTopics, LogSettings, Openness, PartitionOffsets,
    PartitionSettings, Read, Refusal, Retention,
};
use crate::log::deletion::Deletion;
use crate::log::effect::{LogEffect, LogInput, LogNotice, Ticket};
use crate::log::effect_queue::EffectQueue;
use crate::log::journal::Journal;
use crate::log::journal_frame::FrameBody;
use crate::log::log::{Log, LogState};
use crate::log::producer_state::{Producers, Verdict};
use crate::log::reading::{IndexCache, PendingRead};
use crate::log::retention::RetentionCheck;
use crate::log::search::{PendingSearch, Searches};
use crate::log::segment_move::Move;
use crate::log::segment_writer::SegmentWriter;
use crate::log::tail::{TailBatch, keep};
use crate::wire::record_batch::{self};
use std::collections::{BTreeSet, VecDeque};

/// Why a `Files` effect was issued.
#[derive(Debug)]
pub(super) enum Purpose {
    /// Read the state blocks of a partition, this one first.
    Open(TopicPartition),
    /// Write extents.
    Move(TopicPartition, Box<Move>),
    /// Make moves durable.
    Sync,
    /// Write a checkpoint slot.
    Checkpoint,
    /// Remove files that nothing names any more.
    Remove,
    /// Remove the directories of a deleted topic.
    RemoveTopic(TopicId),
    /// Remove what is left of a topic that all cores have forgotten.
    RemoveTopicDirectory(TopicId),
    /// A cold read.
    Read(Box<PendingRead>),
    /// A step of a search by time.
    Search(Box<PendingSearch>),
}

/// An append that waits for written and flushed prefix.
#[derive(Debug)]
struct Unflushed {
    sequence: Sequence,
    partition: TopicPartition,
    end: Offset,
}

/// See the module.
#[derive(Debug)]
pub struct CoreLog {
    pub(super) identity: CoreIdentity,
    pub(super) settings: LogSettings,
    pub(super) journal: Journal,
    pub(super) logs: Map<TopicPartition, Log>,
    /// Partitions with pinned batches.
    pub(super) dirty: BTreeSet<TopicPartition>,
    pub(super) effects: EffectQueue,
    pub(super) notices: VecDeque<LogNotice>,
    pub(super) purposes: Map<Ticket, Purpose>,
    pub(super) writer: SegmentWriter,
    pub(super) deletions: Vec<Deletion>,
    pub(super) indexes: IndexCache,
    pub(super) searches: Searches,
    pub(super) retention: RetentionCheck,
    unflushed: VecDeque<Unflushed>,
    /// The first this many of `unflushed` are written.
    unflushed_written: usize,
    /// Moved batches in memory, oldest move first: (partition, end, cost).
    cache: VecDeque<(TopicPartition, Offset, usize)>,
    pub(super) cache_cost: u64,
    cache_budget: CacheBudget,
    pub(super) pinned_bytes: u64,
    pub(super) pinned_cost: u64,
    free_bytes: u64,
    paused_bytes: Option<u64>,
    was_paused: bool,
    read_only_told: bool,
    stopping: bool,
}

impl CoreLog {
    /// Puts the parts together that recovery found.
    pub(super) fn assemble(identity: CoreIdentity, settings: LogSettings, journal: Journal, logs: Vec<Log>) -> CoreLog {
        let mut core = CoreLog {
            identity,
            settings,
            journal,
            logs: Map::default(),
            dirty: BTreeSet::new(),
            effects: EffectQueue::default(),
            notices: VecDeque::new(),
            purposes: Map::default(),
            writer: SegmentWriter::default(),
            deletions: Vec::new(),
            indexes: IndexCache::default(),
            searches: Searches::default(),
            retention: RetentionCheck::default(),
            unflushed: VecDeque::new(),
            unflushed_written: 0,
            cache: VecDeque::new(),
            cache_cost: 0,
            cache_budget: CacheBudget::new(),
            pinned_bytes: 0,
            pinned_cost: 0,
            free_bytes: u64::MAX,
            paused_bytes: None,
            was_paused: false,
            read_only_told: false,
            stopping: false,
        };
        for log in logs {
            core.pinned_bytes += log.tail.pinned_bytes();
            core.pinned_cost += log.tail.pinned_cost();
            if log.tail.has_pinned() && !log.is_offline() {
                core.dirty.insert(log.partition);
            }
            core.logs.insert(log.partition, log);
        }
        core
    }

    /// A new partition of this core: its topic is durable in metadata.
    pub fn create_partition(&mut self, partition: TopicPartition, settings: PartitionSettings) {
        self.logs.entry(partition).or_insert_with(|| Log::new(partition, settings));
    }

    /// Settings changed. The high watermark never falls by it (S3).
    pub fn configure_partition(&mut self, partition: TopicPartition, settings: PartitionSettings) {
        if let Some(log) = self.logs.get_mut(&partition) {
            log.settings = settings;
            if log.raise_high_watermark() {
                self.notices.push_back(LogNotice::HighWatermark { partition, high_watermark: log.high_watermark() });
            }
        }
    }

    /// `tail.cache.bytes` changed; the end of the turn acts on it.
    pub fn set_tail_cache_bytes(&mut self, bytes: u64) {
        self.settings.tail_cache_bytes = bytes;
    }

    /// May something be appended now?
    pub fn appendable(&self) -> Appendable {
        self.appendable_bytes(SMALL_APPEND_BYTES)
    }

    /// True if nothing will be appended any more before a restart.
    pub fn is_read_only(&self) -> bool {
        self.journal.failure().is_some() || self.stopping
    }

    /// May a batch of this size be appended now? After `Paused`, `LogNotice::Writable` says when it may.
    pub fn appendable_for(&mut self, bytes: u64) -> Appendable {
        let appendable = self.appendable_bytes(bytes);
        if appendable == Appendable::Paused {
            self.paused_bytes = self.paused_bytes.max(Some(bytes));
        }
        appendable
    }

    fn appendable_bytes(&self, bytes: u64) -> Appendable {
        if self.is_read_only() {
            return Appendable::ReadOnly;
        }
        let reserve = self.pinned_bytes + bytes + DISK_RESERVE_FILES * self.settings.journal_file_bytes;
        if self.free_bytes < reserve {
            return Appendable::DiskFull;
        }
        let ring_bytes = self.settings.journal_files as u64 * self.settings.journal_file_bytes;
        let memory_full = self.pinned_cost > PINNED_RING_MULTIPLE_MAX * ring_bytes;
        if memory_full || !self.journal.has_room_for_append(bytes) { Appendable::Paused } else { Appendable::Yes }
    }

    /// Bytes of the largest batch that can ever be appended.
    pub fn batch_bytes_max(&self) -> u64 {
        Journal::batch_bytes_max(self.settings.journal_file_bytes)
    }

    /// Appends one batch to an open partition: stamps base offset and leader epoch, queues the frame, keeps the batch in the tail.
    pub fn append(
        &mut self,
        partition: TopicPartition,
        append: Append,
        leader_epoch: LeaderEpoch,
        now: Now,
    ) -> Result<Appended, AppendError> {
        let bytes = append.batch.len() as u64;
        if bytes > self.batch_bytes_max() {
            return Err(AppendError::TooLarge);
        }
        let appendable = self.appendable_bytes(bytes);
        let log = self.logs.get_mut(&partition).ok_or(AppendError::Offline)?;
        let (base, log_start) = (log.log_end(), log.log_start);
        let state = match &mut log.state {
            LogState::Open(state) => state,
            LogState::Offline { .. } => return Err(AppendError::Offline),
            _ => return Err(AppendError::NotOpen),
        };
        match state.producers.judge(&append.header) {
            Verdict::Append => {}
            Verdict::Duplicate(batch) => {
                return Ok(Appended { base_offset: batch.base, end_offset: batch.end, log_start, duplicate: true });
            }
            Verdict::OutOfOrder => return Err(AppendError::OutOfOrderSequence),
            Verdict::OldEpoch => return Err(AppendError::InvalidProducerEpoch),
        }
        if appendable != Appendable::Yes {
            if appendable == Appendable::Paused {
                self.paused_bytes = self.paused_bytes.max(Some(bytes));
                self.journal.want_room();
            }
            return Err(AppendError::NotAppendable(appendable));
        }
        state.producers.note(&append.header, base);
        state.epochs.note(leader_epoch, base);
        let end = base.plus(i64::from(append.header.last_offset_delta) + 1);
        assert!(end > base, "validated: at least one record");
        let mut batch = append.batch;
        record_batch::stamp(&mut batch, base.0, leader_epoch.0);
        let (bytes, cost) = keep(batch, append.buffer_bytes);
        let body = FrameBody::Append { partition, leader_epoch, base, end, batch: bytes.clone(), again: false };
        let sequence = self.journal.push(body, now).expect("room was checked (C2)");
        self.pinned_bytes += bytes.len() as u64;
        self.pinned_cost += cost as u64;
        self.free_bytes = self.free_bytes.saturating_sub(bytes.len() as u64);
        let max_timestamp = append.header.max_timestamp;
        log.push(TailBatch { base, end, sequence, again: false, bytes, cost, max_timestamp });
        if !log.tail.has_earlier_pinned() {
            self.dirty.insert(partition);
        }
        match log.settings.durability {
            Durability::Disk => {}
            Durability::Device => self.journal.want_write(),
            Durability::Memory => {
                if log.raise_high_watermark() {
                    self.notices.push_back(LogNotice::HighWatermark { partition, high_watermark: end });
                }
            }
        }
        self.unflushed.push_back(Unflushed { sequence, partition, end });
        Ok(Appended { base_offset: base, end_offset: end, log_start, duplicate: false })
    }

    /// The offsets of a partition, open or not.
    pub fn offsets(&self, partition: TopicPartition) -> Option<PartitionOffsets> {
        self.logs.get(&partition).map(Log::offsets)
    }

    /// What a partition takes on the disk, open or not: segments that hold something at or above the log start, and what of the
    /// rest only the journal has.
    pub fn disk_bytes(&self, partition: TopicPartition) -> Option<u64> {
        self.logs.get(&partition).map(Log::disk_bytes)
    }

    /// The idempotent producers of a partition, by id in no order. The partition is open.
    pub fn producers(&self, partition: TopicPartition) -> Option<&Producers> {
        Some(&self.logs.get(&partition)?.open_state()?.producers)
    }

    /// Largest epoch at or below `asked` and its end offset ([`end_offset`](crate::log::leader_epochs::LeaderEpochs::end_offset)). The partition is open.
    pub fn end_offset_for_epoch(
        &self,
        partition: TopicPartition,
        asked: LeaderEpoch,
        current: LeaderEpoch,
    ) -> Option<(LeaderEpoch, Offset)> {
        let log = self.logs.get(&partition)?;
        log.open_state()?.epochs.end_offset(asked, current, log.log_end())
    }

    /// The leader epoch of the record at `offset`, if there is one. The partition is open.
    pub fn epoch_at(&self, partition: TopicPartition, offset: Offset) -> Option<LeaderEpoch> {
        let log = self.logs.get(&partition).filter(|log| offset < log.log_end())?;
        log.open_state()?.epochs.at(offset)
    }

    /// Moves the log start. `to` is at most the high watermark. The answer may leave once `LogNotice::Flushed` reaches the
    /// sequence; files are removed after checkpoints that no longer name them (S10).
    pub fn delete_records(&mut self, partition: TopicPartition, to: Offset, now: Now) -> Result<Sequence, AppendError> {
        let failed = self.journal.failure().is_some();
        let log = self.logs.get_mut(&partition).filter(|log| !log.is_offline()).ok_or(AppendError::Offline)?;
        if failed {
            return Err(AppendError::NotAppendable(Appendable::ReadOnly));
        }
        assert!(to <= log.high_watermark(), "checked by the caller");
        if to <= log.log_start {
            // Repeated: an earlier move of the log start covers it; wait for everything pushed so far.
            return Ok(self.journal.last());
        }
        let body = FrameBody::LogStart { partition, start: to };
        let Ok(sequence) = self.journal.push(body, now) else {
            self.paused_bytes = self.paused_bytes.max(Some(SMALL_APPEND_BYTES));
            self.journal.want_room();
            return Err(AppendError::NotAppendable(Appendable::Paused));
        };
        log.log_start = to;
        self.writer.want_housekeeping(now.monotonic_ms());
        Ok(sequence)
    }

    /// Removes every batch that holds anything at or above `to`, which must not be below the high watermark.
    pub fn truncate(&mut self, partition: TopicPartition, to: Offset, now: Now) -> Result<Sequence, AppendError> {
        let log = self.logs.get_mut(&partition).filter(|log| !log.is_offline()).ok_or(AppendError::Offline)?;
        if to < log.high_watermark() {
            return Err(AppendError::BelowHighWatermark);
        }
        let body = FrameBody::Truncate { partition, end: to };
        let sequence = self.journal.push(body, now).map_err(|_| AppendError::NotAppendable(Appendable::Paused))?;
        let (bytes, cost) = (log.tail.pinned_bytes(), log.tail.pinned_cost());
        let end = log.truncate(to, sequence);
        self.pinned_bytes -= bytes - log.tail.pinned_bytes();
        self.pinned_cost -= cost - log.tail.pinned_cost();
        for waiting in self.unflushed.iter_mut().filter(|waiting| waiting.partition == partition) {
            waiting.end = waiting.end.min(end);
        }
        Ok(sequence)
    }

    /// A completion.
    pub fn handle(&mut self, input: LogInput, now: Now) {
        match input {
            LogInput::JournalWritten { ticket, result } => {
                if self.journal.handle_written(ticket, result) {
                    self.note_written();
                }
            }
            LogInput::JournalFlushed { ticket, result } => {
                if self.journal.handle_flushed(ticket, result, now) {
                    self.note_flushed();
                }
            }
            LogInput::Scanned { ticket, found } => self.handle_scanned(ticket, found),
            LogInput::Files { ticket, done } => {
                if !self.journal.handle_files(ticket, &done) {
                    self.handle_files(ticket, done, now);
                }
            }
        }
    }

    fn handle_files(&mut self, ticket: Ticket, done: crate::base::storage::FilesDone, now: Now) {
        // Removals of journal files carry tickets of their own, which nobody waits for.
        let Some(purpose) = self.purposes.remove(&ticket) else { return };
        match purpose {
            Purpose::Open(partition) => self.handle_state_read(partition, done),
            Purpose::Move(partition, plan) => self.handle_moved(partition, *plan, done),
            Purpose::Sync => self.handle_synced(done),
            Purpose::Checkpoint => self.handle_checkpoint(done, now),
            Purpose::Remove => {}
            Purpose::RemoveTopic(topic) => self.handle_topic_removed(topic, done),
            Purpose::RemoveTopicDirectory(topic) => self.handle_directory_removed(topic, done),
            Purpose::Read(read) => self.handle_read(ticket, *read, done),
            Purpose::Search(search) => self.handle_search(ticket, *search, done),
        }
    }

    fn note_written(&mut self) {
        let written = self.journal.written();
        let from = self.unflushed_written;
        while self.unflushed.get(self.unflushed_written).is_some_and(|waiting| waiting.sequence <= written) {
            self.unflushed_written += 1;
        }
        for index in from..self.unflushed_written {
            let Unflushed { partition, end, .. } = self.unflushed[index];
            if let Some(log) = self.logs.get_mut(&partition)
                && log.set_written(end)
            {
                note_high_watermark(&mut self.notices, partition, log.high_watermark());
            }
        }
    }

    fn note_flushed(&mut self) {
        self.note_written();
        let flushed = self.journal.flushed();
        self.notices.push_back(LogNotice::Flushed { sequence: flushed });
        while let Some(waiting) = self.unflushed.pop_front_if(|waiting| waiting.sequence <= flushed) {
            self.unflushed_written -= 1;
            if let Some(log) = self.logs.get_mut(&waiting.partition)
                && log.set_flushed(waiting.end)
            {
                note_high_watermark(&mut self.notices, waiting.partition, log.high_watermark());
            }
        }
    }

    /// Marks (S4), retention, what the file system has left.
    pub fn handle_tick(&mut self, now: Now, free_bytes: u64) {
        self.free_bytes = free_bytes;
        self.journal.handle_tick();
        self.journal.mark_if_due(now, self.stopping);
        self.check_retention(now);
    }

    /// When [`CoreLog::handle_tick`] has something to do at the latest, monotonic milliseconds.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        let active = self.journal.failure().is_none() && !self.stopping;
        let housekeeping = self.writer.housekeeping_ms().filter(|_| active);
        let retention = self.retention.due_ms().filter(|_| active);
        [self.journal.mark_deadline_ms(), housekeeping, retention].into_iter().flatten().min()
    }

    /// Appends wait for more to be written with them.
    pub fn is_gathering(&self) -> bool {
        self.journal.is_gathering()
    }

    /// How long journal frames wait to be written, and then to be flushed.
    pub fn journal_latencies(&self) -> (&Latency, &Latency) {
        self.journal.latencies()
    }

    /// Nanoseconds that a journal write and its flush take lately.
    pub fn group_ns(&self) -> u64 {
        self.journal.group_ns()
    }

    /// Ends a turn: queued frames become writes, the segment writer takes its next step. With `gather` little waits for more.
    pub fn end_turn(&mut self, now: Now, gather: bool) {
        if self.stopping {
            self.journal.mark_if_due(now, true);
        }
        self.remove_deleted();
        self.step_writer(now);
        self.journal.submit(&mut self.effects, gather && !self.stopping, now);
        self.shrink_cache(now);
        if let Some(why) = self.journal.failure().filter(|_| !self.read_only_told) {
            self.notices.push_back(LogNotice::ReadOnly { why: why.to_string() });
            self.read_only_told = true;
        }
        let room = self.appendable_bytes(self.paused_bytes.unwrap_or(SMALL_APPEND_BYTES));
        let paused = room == Appendable::Paused;
        if !paused && (self.was_paused || self.paused_bytes.is_some()) {
            // Also when the disk is full or the core read-only: who waits gets that answer now.
            self.paused_bytes = None;
            self.notices.push_back(LogNotice::Writable);
        }
        self.was_paused = paused;
    }

    /// Memory that batches keep alive: pinned ones and the cache (S12).
    pub fn memory_bytes(&self) -> u64 {
        self.pinned_cost + self.cache_cost
    }

    /// The oldest effect not yet taken.
    pub fn poll_effect(&mut self) -> Option<LogEffect> {
        self.effects.pop()
    }

    /// The oldest notice not yet taken.
    pub fn poll_notice(&mut self) -> Option<LogNotice> {
        self.notices.pop_front()
    }

    /// Graceful stop: nothing is taken any more; everything is flushed, then marked.
    pub fn begin_stop(&mut self, now: Now) {
        self.stopping = true;
        self.journal.mark_if_due(now, true);
    }

    /// True when everything is flushed and marked and no effect is out.
    pub fn is_stopped(&self) -> bool {
        self.stopping && self.journal.is_quiet() && self.purposes.is_empty()
    }

    /// An append was refused for want of room.
    pub(super) fn is_waiting_for_room(&self) -> bool {
        self.paused_bytes.is_some()
    }

    pub(super) fn is_stopping(&self) -> bool {
        self.stopping
    }

    /// Directory of this core's journal.
    pub(super) fn journal_dir(&self) -> String {
        journal_dir(self.identity.generation, self.identity.core)
    }

    /// Batches of the partition up to `end` are a cache now.
    pub(super) fn note_cached(&mut self, partition: TopicPartition, moved: Vec<(Offset, usize)>) {
        for (end, cost) in moved {
            self.cache_cost += cost as u64;
            self.cache.push_back((partition, end, cost));
        }
    }

    /// A partition that is deleted or goes offline leaves pinned and cached memory.
    pub(super) fn forget_memory(&mut self, log: &Log) {
        self.pinned_bytes -= log.tail.pinned_bytes();
        self.pinned_cost -= log.tail.pinned_cost();
        self.cache_cost -= log.tail.cached_cost();
        self.dirty.remove(&log.partition);
    }

    fn shrink_cache(&mut self, now: Now) {
        let budget = self.cache_budget.allow(self.cache_cost, self.settings.tail_cache_bytes, now);
        while self.cache_cost > budget || self.cache.len() > CACHE_ENTRIES_MAX {
            // The queue can hold entries of deleted or truncated batches: they free nothing.
            let Some((partition, end, _)) = self.cache.pop_front() else { break };
            if let Some(log) = self.logs.get_mut(&partition) {
                self.cache_cost -= log.tail.evict(end);
            }
        }
    }

    /// Asserts the invariants of the whole structure; the simulator calls it after every event.
    pub fn check(&self) {
        self.journal.check();
        let (mut pinned, mut cached) = (0, 0);
        for log in self.logs.values() {
            log.check();
            pinned += log.tail.pinned_bytes();
            cached += log.tail.cached_cost();
            assert!(!log.tail.has_pinned() || log.is_offline() || self.dirty.contains(&log.partition));
        }
        assert_eq!(self.pinned_bytes, pinned);
        assert_eq!(self.cache_cost, cached);
        assert!(self.unflushed_written <= self.unflushed.len());
    }
}

/// One notice per partition where appends of it lie side by side: a flush covers many batches.
fn note_high_watermark(notices: &mut VecDeque<LogNotice>, of: TopicPartition, rose_to: Offset) {
    match notices.back_mut() {
        Some(LogNotice::HighWatermark { partition, high_watermark }) if *partition == of => *high_watermark = rose_to,
        _ => notices.push_back(LogNotice::HighWatermark { partition: of, high_watermark: rose_to }),
    }
}

/// Directory of a core's journal in a generation.
pub fn journal_dir(generation: u32, core: u16) -> String {
    format!("journal/{generation}/{core}")
}

/// Room that `appendable` asks for.
const SMALL_APPEND_BYTES: u64 = 4096;
/// Free space that is left to the journal, in journal files.
const DISK_RESERVE_FILES: u64 = 4;
/// Cached batches, so that tiny batches cannot make the queue larger than what it describes.
const CACHE_ENTRIES_MAX: usize = 1 << 20;
