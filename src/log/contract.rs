//! What callers of a core's log give and get.

use crate::base::config::Config;
use crate::base::gather::Gather;
use crate::base::ids::{TopicId, TopicPartition};
use crate::base::offset::{Durability, Offset};
use crate::base::storage::StorageError;
use crate::log::effect::Ticket;
use crate::wire::record_batch::BatchHeader;
use bytes::BytesMut;
use std::collections::BTreeSet;

/// Per-partition settings, from the topic's configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionSettings {
    /// When acknowledgements leave.
    pub durability: Durability,
    /// A segment file ends at about this size (at most 2^31).
    pub segment_bytes: u64,
    /// A segment takes no more data after this time.
    pub segment_ms: u64,
    /// What is kept.
    pub retention: Retention,
}

/// What is kept of a partition, by whole segments; `None`: without bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// For this long after a segment's largest timestamp.
    pub ms: Option<u64>,
    /// So many bytes at least.
    pub bytes: Option<u64>,
}

/// Settings of a core's log. Sizes are multiples of the block.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// Files of the ring.
    pub journal_files: usize,
    /// Bytes of each.
    pub journal_file_bytes: u64,
    /// Write zeros into ring files in the background (else only allocate).
    pub journal_zeroed: bool,
    /// `journal.accept.loss`: see [`CoreIdentity::accept_loss`].
    pub journal_accept_loss: bool,
    /// Bytes of batches kept in memory beyond what is pinned.
    pub tail_cache_bytes: u64,
    /// Milliseconds between two looks for what need not be kept any more.
    pub retention_check_ms: u64,
}

impl LogSettings {
    /// As configured; `tail_cache_bytes_auto` is what `tail.cache.bytes=auto` stands for.
    pub fn of(config: &Config, tail_cache_bytes_auto: u64) -> LogSettings {
        LogSettings {
            journal_files: config.journal_files,
            journal_file_bytes: config.journal_file_bytes,
            journal_zeroed: config.journal_zeroed,
            journal_accept_loss: config.journal_accept_loss,
            tail_cache_bytes: config.tail_cache_bytes.unwrap_or(tail_cache_bytes_auto),
            retention_check_ms: config.retention_check_ms,
        }
    }
}

/// What recovery has to know about the core.
#[derive(Clone, Debug)]
pub struct CoreIdentity {
    /// Generation of the journals (S19).
    pub generation: u32,
    /// Which core.
    pub core: u16,
    /// Number of this start, from the metadata log's Boot record (already durable).
    pub boot: u32,
    /// Seeds file salts.
    pub seed: u64,
    /// A damaged journal is cut at its first bad frame, whatever its marks say (S15's override).
    pub accept_loss: bool,
}

/// The metadata image, seen from recovery.
#[derive(Clone, Debug, Default)]
pub struct KnownTopics {
    /// Partitions that live on this core.
    pub partitions: Vec<(TopicPartition, PartitionSettings)>,
    /// All live topics (also those without partitions here).
    pub live: BTreeSet<TopicId>,
    /// Deleted, but still named by some journal, checkpoint or directory (S13).
    pub deleted: BTreeSet<TopicId>,
}

/// Why a start is refused. One screen of text: file, offset, what is at stake, remedy.
#[derive(Debug)]
pub enum Refusal {
    /// What lies on the disk contradicts itself.
    Corrupt(String),
    /// The disk failed.
    Storage(StorageError),
}

/// The offsets of one partition. All ends are exclusive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PartitionOffsets {
    /// First offset that is served.
    pub log_start: Offset,
    /// Behind the last appended record.
    pub log_end: Offset,
    /// Behind the last written record.
    pub written_end: Offset,
    /// Behind the last flushed record.
    pub flushed_end: Offset,
    /// First offset that consumers may not see yet.
    pub high_watermark: Offset,
    /// First offset that read_committed consumers may not see yet.
    pub last_stable_offset: Offset,
}

/// May something be appended now?
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appendable {
    /// Yes.
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
    /// Go on.
    Open,
    /// Loading; `LogNotice::Opened` (or `Offline`) follows.
    Opening,
    /// Unusable until restart.
    Offline,
    /// No such partition on this core.
    Unknown,
}

/// One validated batch to append.
#[derive(Debug)]
pub struct Append {
    /// The batch, uniquely owned, stamped in place.
    pub batch: BytesMut,
    /// Its header, validated.
    pub header: BatchHeader,
    /// Size of the allocation that `batch` is a piece of (S12).
    pub buffer_bytes: usize,
}

/// Success of an append.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Offset of its first record.
    pub base_offset: Offset,
    /// Answer when the high watermark has reached this (also for a duplicate, S3).
    pub end_offset: Offset,
    /// First offset of the log.
    pub log_start: Offset,
    /// It was in the log before.
    pub duplicate: bool,
}

/// Why an append was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendError {
    /// `open` first.
    NotOpen,
    /// Unusable until restart.
    Offline,
    /// No room, or read-only.
    NotAppendable(Appendable),
    /// OUT_OF_ORDER_SEQUENCE_NUMBER.
    OutOfOrderSequence,
    /// INVALID_PRODUCER_EPOCH.
    InvalidProducerEpoch,
    /// Truncation below the high watermark.
    BelowHighWatermark,
    /// A frame with this batch does not fit a journal file.
    TooLarge,
}

/// Answer to a read.
#[derive(Debug)]
pub enum Read {
    /// From memory; may be empty.
    Ready(Gather),
    /// `LogNotice::ReadDone` follows.
    Pending(Ticket),
    /// The partition is offline, unknown or not open.
    Offline,
}
