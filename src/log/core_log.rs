//! `CoreLog`: everything one core keeps on disk. SIGNATURES FIRST; bodies follow.

use crate::base::clock::Now;
use crate::base::ids::{TopicId, TopicPartition};
use crate::base::gather::Gather;
use crate::base::offset::{Durability, LeaderEpoch, Offset, Sequence};
use crate::base::storage::Storage;
use crate::log::effect::{LogEffect, LogInput, LogNotice, Ticket};
use crate::wire::record_batch::BatchHeader;
use bytes::BytesMut;

/// Per-partition settings, from the topic's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionSettings {
    pub durability: Durability,
    pub segment_bytes: u64,
    pub segment_ms: u64,
}

/// Settings of a core's log. Sizes are multiples of the block.
#[derive(Clone, Debug)]
pub struct LogSettings {
    pub journal_files: usize,
    pub journal_file_bytes: u64,
    /// Write zeros into ring files in the background (else only allocate).
    pub journal_zeroed: bool,
    /// Bytes of batches kept in memory beyond what is pinned.
    pub tail_cache_bytes: u64,
}

/// What recovery has to know about the core and the metadata image.
pub struct CoreIdentity {
    pub generation: u32,
    pub core: u16,
    /// Number of this start, from the metadata log's Boot record (already durable).
    pub boot: u32,
    /// Seeds file salts.
    pub seed: u64,
}

/// The metadata image, seen from recovery.
pub struct KnownTopics {
    /// Partitions that live on this core.
    pub partitions: Vec<(TopicPartition, PartitionSettings)>,
    /// All live topics (also those without partitions here).
    pub live: std::collections::BTreeSet<TopicId>,
    /// Deleted, but still named by some journal, checkpoint or directory (S13).
    pub deleted: std::collections::BTreeSet<TopicId>,
}

/// Why a start is refused. One screen of text: file, offset, what is at stake, remedy.
#[derive(Debug)]
pub enum Refusal {
    Corrupt(String),
    Storage(crate::base::storage::StorageError),
}

/// The offsets of one partition. All ends are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    pub log_start: Offset,
    pub log_end: Offset,
    pub written_end: Offset,
    pub flushed_end: Offset,
    pub high_watermark: Offset,
    pub last_stable_offset: Offset,
}

/// May something be appended now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appendable {
    Yes,
    /// The ring is full: wait for `LogNotice::Writable` (S6).
    Paused,
    /// The file system is full: KAFKA_STORAGE_ERROR, reads go on (S6).
    DiskFull,
    /// The journal failed: KAFKA_STORAGE_ERROR until restart (D3).
    ReadOnly,
}

/// State of a partition for a caller who wants to append, read or ask for epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Openness {
    Open,
    /// Loading; `LogNotice::Opened` (or `Offline`) follows.
    Opening,
    Offline,
    /// No such partition on this core.
    Unknown,
}

/// One validated batch to append.
#[derive(Debug)]
pub struct Append {
    pub batch: BytesMut,
    pub header: BatchHeader,
    /// Size of the allocation that `batch` is a piece of (S12).
    pub buffer_bytes: usize,
}

/// Success of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    /// Answer when the high watermark has reached this (also for a duplicate, S3).
    pub end_offset: Offset,
    pub log_start: Offset,
    pub duplicate: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    NotOpen,
    Offline,
    NotAppendable(Appendable),
    OutOfOrderSequence,
    InvalidProducerEpoch,
    /// A frame with this batch does not fit a journal file.
    TooLarge,
}

/// Answer to a read.
#[derive(Debug)]
pub enum Read {
    Ready(Gather),
    Pending(Ticket),
    Offline,
}

/// See the module.
pub struct CoreLog {}

#[allow(unused_variables)]
impl CoreLog {
    /// First start of a generation's core: makes directory and empty checkpoint (durable on return).
    pub fn format(storage: &mut dyn Storage, generation: u32, core: u16) -> Result<(), Refusal> { unimplemented!() }
    /// Recovery (S13-S18), blocking. Ends with new journal files begun.
    pub fn recover(storage: &mut dyn Storage, identity: CoreIdentity, settings: LogSettings, topics: &KnownTopics, now: Now) -> Result<CoreLog, Refusal> { unimplemented!() }
    pub fn create_partition(&mut self, partition: TopicPartition, settings: PartitionSettings) { unimplemented!() }
    pub fn configure_partition(&mut self, partition: TopicPartition, settings: PartitionSettings) { unimplemented!() }
    /// The deletion is durable in metadata: drops the partitions, removes files, later `LogNotice::Forgotten`. Also called for topics this core holds nothing of.
    pub fn delete_topic(&mut self, topic: TopicId) { unimplemented!() }
    /// Asks for the partition's state; starts loading when it is not in memory.
    pub fn open(&mut self, partition: TopicPartition) -> Openness { unimplemented!() }
    pub fn appendable(&self) -> Appendable { unimplemented!() }
    /// Partition must be open. Stamps base offset and leader epoch.
    pub fn append(&mut self, partition: TopicPartition, append: Append, leader_epoch: LeaderEpoch, now: Now) -> Result<Appended, AppendError> { unimplemented!() }
    pub fn offsets(&self, partition: TopicPartition) -> Option<PartitionOffsets> { unimplemented!() }
    /// Whole batches from the one that contains `from` up to `until` (exclusive, at most the log end), at most `bytes_max`, but at least one batch if `at_least_one`.
    pub fn read(&mut self, partition: TopicPartition, from: Offset, until: Offset, bytes_max: usize, at_least_one: bool) -> Read { unimplemented!() }
    /// Bytes that `read` would find, without reading (for min_bytes); an estimate from the index.
    pub fn available_bytes(&self, partition: TopicPartition, from: Offset, until: Offset) -> u64 { unimplemented!() }
    /// (epoch, end offset) of the largest epoch <= `epoch`; partition open.
    pub fn end_offset_for_epoch(&self, partition: TopicPartition, epoch: LeaderEpoch) -> Option<(LeaderEpoch, Offset)> { unimplemented!() }
    /// DeleteRecords: `to` <= high watermark checked by the caller. Answer when `Flushed` reaches the sequence; then unlink.
    pub fn delete_records(&mut self, partition: TopicPartition, to: Offset) -> Result<Sequence, AppendError> { unimplemented!() }
    /// Removes everything at and above `to` (recovery of replicas, later). Not below the high watermark's promise: the caller decides.
    pub fn truncate(&mut self, partition: TopicPartition, to: Offset) -> Result<Sequence, AppendError> { unimplemented!() }
    pub fn handle(&mut self, input: LogInput, now: Now) { unimplemented!() }
    /// Marks (S4), rolls by time, retries. Every 10-50 ms.
    pub fn handle_tick(&mut self, now: Now, free_bytes: u64) { unimplemented!() }
    /// Called once per turn after all events of the turn: turns queued frames into writes.
    pub fn end_turn(&mut self, now: Now) { unimplemented!() }
    pub fn poll_effect(&mut self) -> Option<LogEffect> { unimplemented!() }
    pub fn poll_notice(&mut self) -> Option<LogNotice> { unimplemented!() }
    /// Graceful stop: flush all, final mark. True when done (poll after each completion).
    pub fn begin_stop(&mut self, now: Now) { unimplemented!() }
    pub fn is_stopped(&self) -> bool { unimplemented!() }
    /// Asserts the invariants of the whole structure; the simulator calls it after every event.
    pub fn check(&self) { unimplemented!() }
}
