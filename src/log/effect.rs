//! What a core's log asks of the disk, and what it is told back. The runtime and the simulator are the two performers.

use crate::base::gather::Gather;
use crate::base::ids::{TopicId, TopicPartition};
use crate::base::offset::{Offset, Sequence};
use crate::base::storage::{FileOp, FilesDone, StorageError};
use crate::log::record_scan::{FoundRecord, RecordScan};
use crate::wire::record_heads::Unreadable;
use std::sync::Arc;

/// Names one journal write, flush or batch of file operations until its completion.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the log wants done. Effects are performed concurrently unless one waits for another's completion by itself.
#[derive(Clone, Debug)]
pub enum LogEffect {
    /// Write `data`, padded with zeros to the block, at the aligned `offset` of a journal file (O_DIRECT). Mostly below 512 KiB, but
    /// one large batch makes one large write (up to a whole file): the performer splits it as its buffers need.
    JournalWrite {
        /// Names the completion.
        ticket: Ticket,
        /// Below the data directory.
        path: Arc<str>,
        /// Aligned byte offset.
        offset: u64,
        /// What to write, or what was read.
        data: Gather,
    },
    /// Like `JournalWrite`, and flushed (O_DSYNC): ended by `JournalFlushed`. Success means that it is on disk.
    JournalWriteThrough {
        /// Names the completion.
        ticket: Ticket,
        /// Below the data directory.
        path: Arc<str>,
        /// Aligned byte offset.
        offset: u64,
        /// What to write.
        data: Gather,
    },
    /// fdatasync these journal files; success means all of them.
    JournalFlush {
        /// Names the completion.
        ticket: Ticket,
        /// All of them.
        paths: Vec<Arc<str>>,
    },
    /// This journal file is about to be reused or was removed: forget open handles.
    JournalClosed {
        /// Below the data directory.
        path: Arc<str>,
    },
    /// Perform in order, off the core.
    Files {
        /// Names the completion.
        ticket: Ticket,
        /// In this order.
        ops: Vec<FileOp>,
    },
    /// Look inside a batch ([`RecordScan::perform`]), off the core.
    Scan {
        /// Names the completion.
        ticket: Ticket,
        /// At what.
        scan: RecordScan,
    },
}

/// A completion.
#[derive(Clone, Debug)]
pub enum LogInput {
    /// A `JournalWrite` ended.
    JournalWritten {
        /// Names the completion.
        ticket: Ticket,
        /// How it ended.
        result: Result<(), StorageError>,
    },
    /// A `JournalFlush` or a `JournalWriteThrough` ended.
    JournalFlushed {
        /// Names the completion.
        ticket: Ticket,
        /// How it ended.
        result: Result<(), StorageError>,
    },
    /// A `Files` effect ended.
    Files {
        /// Names the completion.
        ticket: Ticket,
        /// How it ended.
        done: FilesDone,
    },
    /// A `Scan` effect ended.
    Scanned {
        /// Names the completion.
        ticket: Ticket,
        /// What was found.
        found: Result<Option<FoundRecord>, Unreadable>,
    },
}

/// What the log tells the broker above it.
#[derive(Clone, Debug)]
pub enum LogNotice {
    /// The high watermark of a partition rose (it never falls, S3).
    HighWatermark {
        /// Which one.
        partition: TopicPartition,
        /// Its new value.
        high_watermark: Offset,
    },
    /// The state of a partition is in memory: requests that waited for `open` may go on.
    Opened {
        /// Which one.
        partition: TopicPartition,
    },
    /// The partition is offline until restart (S7, S16, S18).
    Offline {
        /// Which one.
        partition: TopicPartition,
        /// For the operator.
        why: String,
    },
    /// All control frames (truncate, log start) up to this sequence are flushed.
    Flushed {
        /// Inclusive.
        sequence: Sequence,
    },
    /// Retention moved a log start.
    Retained {
        /// Which one.
        partition: TopicPartition,
        /// Records below are gone.
        log_start: Offset,
        /// Durable once all control frames up to this one are flushed.
        sequence: Sequence,
    },
    /// A read that was pending has ended.
    ReadDone {
        /// Names the completion.
        ticket: Ticket,
        /// What to write, or what was read.
        data: Result<Gather, ReadError>,
    },
    /// A search by time has ended.
    SearchDone {
        /// Names the completion.
        ticket: Ticket,
        /// The record, if there is one.
        found: Result<Option<FoundRecord>, ReadError>,
    },
    /// Appends were paused by a full ring and may go on.
    Writable,
    /// The journal failed: this core is read-only until restart (D3).
    ReadOnly {
        /// For the operator.
        why: String,
    },
    /// Nothing in this core's journal and checkpoint names the deleted topic any more, its partition directories on this core are
    /// gone (S13). When all cores say so: `CoreLog::remove_topic_directory` on one of them, then the TopicForgotten record.
    Forgotten {
        /// Which one.
        topic: TopicId,
    },
    /// Answer to `CoreLog::remove_topic_directory`: `topics/<id>` is gone, durably.
    DirectoryGone {
        /// Which one.
        topic: TopicId,
    },
}

/// Why a read gave nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadError {
    /// The partition is offline (rot, failed disk).
    Offline,
    /// The partition was deleted meanwhile.
    Gone,
}
