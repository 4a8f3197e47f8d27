//! `Log`: one partition's log on the core that leads it.
//!
//! Lives in that core's `CoreLog`, which alone mutates it. The state that costs memory (producers, epochs, index) is loaded when it
//! is first needed: `Closed` -> `Opening` -> `Open`; `Offline` is final until restart.
//!
//! Invariants:
//! - L1: `log_start <= log_end`, `segment_end <= flushed_end <= written_end <= log_end`, `high_watermark <= log_end`.
//! - L2 (S3): `high_watermark` never falls; by durability it follows `flushed_end`, `written_end` or `log_end`.
//! - L3: only batches below `flushed_end` and `high_watermark` are moved, so truncation never reaches into a segment.
//! - L4: the tail's pinned batches are exactly `[segment_end, log_end)`.
//! - L5 (S10): `moved` is the producer state at `segment_end`, `producers` the one at `log_end`.

use crate::base::ids::TopicPartition;
use crate::base::offset::{Durability, LeaderEpoch, Offset, Sequence};
use crate::log::core_log::{PartitionOffsets, PartitionSettings};
use crate::log::journal::HeldRange;
use crate::log::leader_epochs::LeaderEpochs;
use crate::log::producer_state::Producers;
use crate::log::segment::{Segment, StateBlock};
use crate::log::tail::{Tail, TailBatch};
use crate::wire::record_batch;

/// State of an open partition.
#[derive(Debug, Default)]
pub struct OpenState {
    /// As of the log's end.
    pub producers: Producers,
    /// As of the end of the newest segment (L5).
    pub moved: Producers,
    /// Epoch cache up to the log's end.
    pub epochs: LeaderEpochs,
}

/// Whether the state is in memory.
#[derive(Debug)]
pub enum LogState {
    /// Not in memory, nobody asked.
    Closed,
    /// Being read: the chain of state blocks so far, newest first.
    Opening(Vec<StateBlock>),
    /// In memory.
    Open(Box<OpenState>),
    /// Unusable until restart; `held` are the journal frames that must survive (S11).
    Offline {
        /// For the operator.
        why: String,
        /// Sequences, inclusive.
        held: Option<HeldRange>,
    },
}

/// See the module.
#[derive(Debug)]
pub struct Log {
    /// Which partition.
    pub partition: TopicPartition,
    /// From the topic's configuration.
    pub settings: PartitionSettings,
    /// First offset that is served.
    pub log_start: Offset,
    /// Segments, oldest first, contiguous; each with what the checkpoint has to know.
    pub segments: Vec<Segment>,
    /// Newest batches.
    pub tail: Tail,
    /// See [`LogState`].
    pub state: LogState,
    /// Newest truncate frame: without it, frames before it would bring back what it cut.
    pub truncated_at: Sequence,
    /// Unnamed segment files were removed in this boot (S18), and nothing went wrong since.
    pub cleaned: bool,
    log_end: Offset,
    written_end: Offset,
    flushed_end: Offset,
    high_watermark: Offset,
}

impl Log {
    /// A partition without any record.
    pub fn new(partition: TopicPartition, settings: PartitionSettings) -> Log {
        Log {
            partition,
            settings,
            log_start: Offset::ZERO,
            segments: Vec::new(),
            tail: Tail::default(),
            state: LogState::Closed,
            truncated_at: Sequence(0),
            cleaned: false,
            log_end: Offset::ZERO,
            written_end: Offset::ZERO,
            flushed_end: Offset::ZERO,
            high_watermark: Offset::ZERO,
        }
    }

    /// A partition as recovery found it: everything is flushed.
    pub fn recovered(
        partition: TopicPartition,
        settings: PartitionSettings,
        log_start: Offset,
        segments: Vec<Segment>,
        batches: Vec<TailBatch>,
    ) -> Log {
        let mut log = Log { log_start, segments, ..Log::new(partition, settings) };
        log.log_end = log.segment_end();
        for batch in batches {
            assert_eq!(batch.base, log.log_end, "recovery checked that the tail is contiguous (S16)");
            log.log_end = batch.end;
            log.tail.push(batch);
        }
        (log.written_end, log.flushed_end, log.high_watermark) = (log.log_end, log.log_end, log.log_end);
        log
    }

    /// End of the newest segment: everything below is on its own file, everything from it on is pinned in the tail. A log that
    /// never moved anything starts at zero.
    pub fn segment_end(&self) -> Offset {
        self.segments.last().map_or(Offset::ZERO, |segment| segment.end)
    }

    /// All ends at once. Without transactions the last stable offset is the high watermark.
    pub fn offsets(&self) -> PartitionOffsets {
        PartitionOffsets {
            log_start: self.log_start,
            log_end: self.log_end,
            written_end: self.written_end,
            flushed_end: self.flushed_end,
            high_watermark: self.high_watermark,
            last_stable_offset: self.high_watermark,
        }
    }

    /// Offset behind the last record.
    pub fn log_end(&self) -> Offset {
        self.log_end
    }

    /// First offset that consumers may not see yet.
    pub fn high_watermark(&self) -> Offset {
        self.high_watermark
    }

    /// Everything below may be moved (L3).
    pub fn movable_end(&self) -> Offset {
        self.flushed_end.min(self.high_watermark)
    }

    /// Bytes of segments and of pinned batches, without those that lie wholly below the log start: they are on their way out.
    pub fn disk_bytes(&self) -> u64 {
        let segments = self.segments.iter().filter(|segment| segment.end > self.log_start);
        segments.map(|segment| segment.file_bytes).sum::<u64>() + self.tail.pinned_bytes_from(self.log_start)
    }

    /// The open state, if it is in memory.
    pub fn open_state(&self) -> Option<&OpenState> {
        match &self.state {
            LogState::Open(state) => Some(state),
            _ => None,
        }
    }

    /// The open state, if it is in memory.
    pub fn open_state_mut(&mut self) -> Option<&mut OpenState> {
        match &mut self.state {
            LogState::Open(state) => Some(state),
            _ => None,
        }
    }

    /// True if the partition is unusable until restart.
    pub fn is_offline(&self) -> bool {
        matches!(self.state, LogState::Offline { .. })
    }

    /// Builds the open state: the chain of state blocks (newest first, the last one full), then the pinned batches in order.
    /// Hidden batches (below the log start) count too (S16).
    pub fn finish_opening(&mut self, chain: Vec<StateBlock>) {
        let mut state = OpenState::default();
        let mut runs = Vec::new();
        if let Some(newest) = chain.first() {
            state.epochs = newest.epochs.clone();
        }
        for block in chain.into_iter().rev() {
            runs.extend(block.runs);
            for (id, producer) in block.producers {
                state.moved.insert(id, producer);
            }
        }
        if let Some(segment) = self.segments.last_mut() {
            segment.runs = Some(runs);
        }
        state.producers = state.moved.clone();
        for batch in self.tail.pinned() {
            let header = record_batch::parse_header(&batch.bytes).expect("checked when it was appended or replayed");
            state.producers.note(&header, batch.base);
            state.epochs.note(LeaderEpoch(header.leader_epoch), batch.base);
        }
        self.state = LogState::Open(Box::new(state));
    }

    /// Adds a batch that is in the journal's queue now.
    pub fn push(&mut self, batch: TailBatch) {
        assert_eq!(batch.base, self.log_end);
        self.log_end = batch.end;
        self.tail.push(batch);
    }

    /// The journal's written prefix covers this partition up to `end`. True if the high watermark rose.
    pub fn set_written(&mut self, end: Offset) -> bool {
        self.written_end = self.written_end.max(end.min(self.log_end));
        self.raise_high_watermark()
    }

    /// The journal's flushed prefix covers this partition up to `end`. True if the high watermark rose.
    pub fn set_flushed(&mut self, end: Offset) -> bool {
        self.flushed_end = self.flushed_end.max(end.min(self.log_end));
        self.written_end = self.written_end.max(self.flushed_end);
        self.raise_high_watermark()
    }

    /// Applies the durability class. True if the high watermark rose (L2).
    pub fn raise_high_watermark(&mut self) -> bool {
        let end = match self.settings.durability {
            Durability::Disk => self.flushed_end,
            Durability::Device => self.written_end,
            Durability::Memory => self.log_end,
        };
        let rose = end > self.high_watermark;
        self.high_watermark = self.high_watermark.max(end);
        rose
    }

    /// Drops every batch that holds anything at or above `end`, which is not below the high watermark; gives the new log end.
    pub fn truncate(&mut self, end: Offset, sequence: Sequence) -> Offset {
        self.truncated_at = sequence;
        assert!(end >= self.high_watermark && end >= self.segment_end(), "L3");
        self.tail.truncate(end);
        self.log_end = self.tail.pinned().last().map_or(self.segment_end(), |batch| batch.end);
        self.written_end = self.written_end.min(self.log_end);
        self.flushed_end = self.flushed_end.min(self.log_end);
        assert!(self.high_watermark <= self.log_end, "batches below the high watermark stay");
        let log_end = self.log_end;
        let pinned: Vec<TailBatch> = self.tail.pinned().cloned().collect();
        if let Some(state) = self.open_state_mut() {
            state.epochs.truncate(log_end);
            state.producers = state.moved.clone();
            for batch in pinned {
                let header = record_batch::parse_header(&batch.bytes).expect("checked when it was appended");
                state.producers.note(&header, batch.base);
            }
        }
        log_end
    }

    /// Takes the partition offline; its unmoved frames must survive in the journal (S11).
    pub fn take_offline(&mut self, why: String) {
        let held = self.range_of(self.tail.pinned().map(|batch| batch.sequence));
        self.take_offline_holding(why, held);
    }

    /// The frames that replay needs for these sequences: up to the last one, and a later truncation.
    pub fn range_of(&self, sequences: impl Iterator<Item = Sequence>) -> Option<HeldRange> {
        let extend = |range: Option<HeldRange>, sequence: Sequence| {
            Some(range.map_or((sequence, sequence), |(first, last)| (first.min(sequence), last.max(sequence))))
        };
        sequences.fold(None, extend).map(|(first, last)| (first, last.max(self.truncated_at)))
    }

    /// Takes the partition offline, with the journal frames that must survive. Its batches leave memory: the journal has them.
    pub fn take_offline_holding(&mut self, why: String, held: Option<HeldRange>) {
        self.tail = Tail::default();
        self.state = LogState::Offline { why, held };
    }

    /// Journal frames that must survive because the partition is offline.
    pub fn held(&self) -> Option<HeldRange> {
        match &self.state {
            LogState::Offline { held, .. } => *held,
            _ => None,
        }
    }

    /// Asserts L1 to L4.
    pub fn check(&self) {
        assert!(self.log_start <= self.log_end, "L1");
        assert!(self.segment_end() <= self.flushed_end && self.flushed_end <= self.written_end, "L1");
        assert!(self.written_end <= self.log_end && self.high_watermark <= self.log_end, "L1");
        self.tail.check();
        let first = self.tail.pinned().next().map_or(self.log_end, |batch| batch.base);
        assert!(first == self.segment_end() || self.is_offline(), "L4");
        for (older, newer) in self.segments.iter().zip(self.segments.iter().skip(1)) {
            assert_eq!(older.end, newer.base);
        }
    }
}
