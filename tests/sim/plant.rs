//! Planted bugs: how each rule of the storage contract is broken at the seam, to prove that the checks can fail.

use crate::disk::Fault;
use corelane::base::prng::Prng;
use corelane::base::storage::FileOp;

/// One planted bug, named after the rule that it breaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// The product as it is.
    #[default]
    None,
    /// Flushes of the journal do nothing and report success.
    S02LyingFlush,
    /// Directories are never synced.
    S02NoSyncDir,
    /// `syncfs` does nothing and reports success.
    S07LyingSyncAll,
    /// Files that the log removes stay.
    S18SkippedUnlink,
}

impl Plant {
    /// A flush (or `SyncAll`) that reports success without having done anything.
    pub fn lies_about_flush(self, kind: Fault, _prng: &mut Prng) -> bool {
        match self {
            Plant::S02LyingFlush => kind == Fault::JournalFlush,
            Plant::S07LyingSyncAll => kind == Fault::SyncAll,
            _ => false,
        }
    }

    /// A `SyncDir` that does nothing.
    pub fn drops_sync_dir(self, path: &str) -> bool {
        self == Plant::S02NoSyncDir && path.starts_with("journal/")
    }

    /// An `Unlink` that does nothing.
    pub fn skips_unlink(self, path: &str) -> bool {
        self == Plant::S18SkippedUnlink && path.ends_with(".segment")
    }

    /// What a journal write really writes.
    pub fn rewrite_frames(self, bytes: Vec<u8>) -> Vec<u8> {
        bytes
    }

    /// Which operation of an effect is performed as its `index`th.
    pub fn op_to_perform(self, ops: &[FileOp], index: usize) -> &FileOp {
        &ops[index]
    }
}
