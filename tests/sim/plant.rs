//! Planted bugs: how each rule of the storage contract is broken at the seam between the log and the disk or the clients, to
//! prove that the checks can fail. The product's code stays as it is.

use crate::disk::{Fault, is_checkpoint, is_journal, is_segment};
use bytes::{Bytes, BytesMut};
use corelane::base::gather::Gather;
use corelane::base::offset::Sequence;
use corelane::base::storage::FileOp;
use corelane::log::checkpoint::Checkpoint;
use corelane::log::core_log::{PartitionSettings, Retention};
use corelane::log::journal_frame::{FrameBody, encode_prefix, scan};

/// One planted bug, named after the rule that it breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// The product as it is.
    #[default]
    None,
    /// S1: a boot's sequences jump by one after its first file.
    S01SequenceGap,
    /// S2: flushes of the journal do nothing and report success.
    S02LyingFlush,
    /// S2: a journal write is reported complete while it is in flight.
    S02EarlyCompletion,
    /// S2: directories of the journal are never synced.
    S02NoSyncDir,
    /// S3: a duplicate is answered before the high watermark has passed it.
    S03DuplicateAtOnce,
    /// S4: no frame carries a durable mark.
    S04NoMarks,
    /// S5: late writes of a killed process land in the journal file that the next boot fills.
    S05LateWritesFollow,
    /// S6: the log is told that the disk is never full.
    S06DiskNeverFull,
    /// S7: `syncfs` does nothing and reports success.
    S07LyingSyncAll,
    /// S7: the checkpoint is not flushed before files are reused.
    S07CheckpointNotFlushed,
    /// S8: segment writes never end: the ring does not drain.
    S08MovesNeverEnd,
    /// S9: what a move wrote is not in the file.
    S09MovedBytesLost,
    /// S10: DeleteRecords is answered before its frame is flushed.
    S10LogStartAtOnce,
    /// S11: checkpoints do not name the frames of offline partitions.
    S11HeldForgotten,
    /// S12: journal files of earlier boots are never removed.
    S12JournalFilesStay,
    /// S13: a deleted topic is forgotten while the journal still names it.
    S13ForgottenEarly,
    /// S14: recovery is handed the older slot of the checkpoint.
    S14OlderSlot,
    /// S15: a scan stops at the first frame that does not follow its predecessor.
    S15ScanStops,
    /// S16: truncations are not replayed.
    S16TruncationForgotten,
    /// S17: what a start accepts is not made durable before it acts on it.
    S17AcceptedNotDurable,
    /// S18: segment files that no checkpoint names stay.
    S18UnnamedStay,
    /// S19: a change of cores removes the old generation first.
    S19OldGenerationFirst,
    /// S20: kill -9 loses what was written and not flushed.
    S20KillLosesWrites,
    /// R2: half of the time and bytes that a topic keeps are kept.
    R2KeptTooShort,
    /// R2: a changed retention never reaches the log.
    R2ChangeForgotten,
}

impl Plant {
    /// What a core's log is told of a topic's retention.
    pub fn retention(self, mut settings: PartitionSettings, changed: bool) -> PartitionSettings {
        let Retention { ms, bytes } = settings.retention;
        match self {
            Plant::R2KeptTooShort => {
                settings.retention = Retention { ms: ms.map(|ms| ms / 2), bytes: bytes.map(|bytes| bytes / 2) };
            }
            Plant::R2ChangeForgotten if changed => settings.retention = Retention::default(),
            _ => {}
        }
        settings
    }

    /// A flush (or `SyncAll`) that reports success without having done anything.
    pub fn lies_about_flush(self, kind: Fault, starting: bool) -> bool {
        match self {
            Plant::S02LyingFlush => kind == Fault::JournalFlush,
            Plant::S07LyingSyncAll => kind == Fault::SyncAll,
            Plant::S07CheckpointNotFlushed => kind == Fault::CheckpointWrite,
            Plant::S17AcceptedNotDurable => starting && kind == Fault::JournalFlush,
            _ => false,
        }
    }

    /// A `SyncDir` that does nothing.
    pub fn drops_sync_dir(self, path: &str) -> bool {
        self == Plant::S02NoSyncDir && path.starts_with("journal/")
    }

    /// A removal of a file that does nothing.
    pub fn skips_unlink(self, path: &str) -> bool {
        match self {
            Plant::S12JournalFilesStay => is_journal(path),
            Plant::S18UnnamedStay => is_segment(path),
            _ => false,
        }
    }

    /// An operation that is not performed, and reported as a success.
    pub fn skips_op(self, op: &FileOp, starting: bool) -> bool {
        match op {
            FileOp::Write { path, .. } => self == Plant::S17AcceptedNotDurable && starting && is_journal(path),
            _ => false,
        }
    }

    /// Effects of these operations never end.
    pub fn never_ends(self, ops: &[FileOp]) -> bool {
        let writes_segment =
            |op: &FileOp| matches!(op, FileOp::CreateNew(path, _) | FileOp::Write { path, .. } if is_segment(path));
        self == Plant::S08MovesNeverEnd && ops.iter().any(writes_segment)
    }

    /// What a write to a file really writes.
    pub fn data_to_write(self, path: &str, data: &Gather) -> Vec<u8> {
        let bytes = data.to_vec();
        if self == Plant::S09MovedBytesLost && is_segment(path) && bytes.len().is_multiple_of(7) {
            return vec![0; bytes.len()];
        }
        if self == Plant::S11HeldForgotten
            && is_checkpoint(path)
            && let Some(mut checkpoint) = Checkpoint::decode(&bytes)
        {
            for partition in &mut checkpoint.partitions {
                partition.held = None;
            }
            return checkpoint.encode().to_vec();
        }
        bytes
    }

    /// What a read of a file really gives.
    pub fn data_read(self, path: &str, bytes: Bytes) -> Bytes {
        if self != Plant::S15ScanStops || !is_journal(path) {
            return bytes;
        }
        let found = scan(&bytes, None);
        let follows = |pair: &[corelane::log::journal_frame::Found]| {
            pair[1].frame.place.sequence == pair[0].frame.place.sequence.next()
                && pair[1].frame.place.salt == pair[0].frame.place.salt
        };
        let whole = 1 + found.windows(2).take_while(|pair| follows(pair)).count();
        let Some(last) = found.get(whole - 1) else { return bytes };
        let mut cut = bytes.to_vec();
        cut[last.position + last.padded_bytes..].fill(0);
        Bytes::from(cut)
    }

    /// What a journal write really writes.
    pub fn rewrite_frames(self, mut bytes: Vec<u8>) -> Vec<u8> {
        if !matches!(self, Plant::S01SequenceGap | Plant::S04NoMarks | Plant::S16TruncationForgotten) {
            return bytes;
        }
        for found in scan(&Bytes::copy_from_slice(&bytes), None) {
            let (mut place, mut body) = (found.frame.place, found.frame.body);
            match (self, &body) {
                (Plant::S01SequenceGap, _) if place.file_first > place.boot_first => {
                    place.sequence = place.sequence.next()
                }
                (Plant::S04NoMarks, _) => place.durable_mark = Sequence(0),
                (Plant::S16TruncationForgotten, FrameBody::Truncate { partition, .. }) => {
                    body = FrameBody::LogStart { partition: *partition, start: corelane::base::offset::Offset::ZERO };
                }
                _ => continue,
            }
            let mut frame = BytesMut::new();
            encode_prefix(&place, &body, &mut frame);
            if let FrameBody::Append { batch, .. } = &body {
                frame.extend_from_slice(batch);
            }
            bytes[found.position..found.position + frame.len()].copy_from_slice(&frame);
        }
        bytes
    }
}
