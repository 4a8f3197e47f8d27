//! The seam to the disk: ordered file operations, the same for the real disk (`runtime`) and the simulated one (`tests/sim`).
//!
//! Two users. At start, metadata and journal recovery are straight-line code over [`Storage`]. While running, the state
//! machines return a [`Vec<FileOp>`] as an effect; the runtime performs it in order off the executor and reports
//! [`FilesDone`]. Journal writes and flushes are effects of their own (`log::effect`), since they are the hot path.
//!
//! Paths are relative to the data directory, with `/` between names.

use crate::base::gather::Gather;
use crate::base::limits::DIRECT_BYTES_MIN;
use bytes::Bytes;

/// Block to which every write is aligned and padded (O_DIRECT, D7).
pub const BLOCK_BYTES: u64 = 4096;

/// `bytes` rounded up to whole blocks.
pub fn block_ceil(bytes: u64) -> u64 {
    bytes.div_ceil(BLOCK_BYTES) * BLOCK_BYTES
}

/// Bytes to leave out before `slice`, whose place in its file would be `position`, so that it comes to lie as far behind a block border
/// there as in memory: the runtime writes it without a copy then. None before slices that are not worth it; less than a block.
pub fn filler(slice: &[u8], position: u64) -> usize {
    if slice.len() < DIRECT_BYTES_MIN {
        return 0;
    }
    let block = BLOCK_BYTES as usize;
    (slice.as_ptr() as usize % block + block - position as usize % block) % block
}

/// Why an operation failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StorageError {
    /// There is no such file or directory.
    NotFound,
    /// An exclusive creation found the name taken.
    Exists,
    /// No space left: nothing was broken, writers are refused (D3).
    Full,
    /// Anything else; text for the operator (operation, path, errno).
    Failed(String),
    /// Simulation only: the machine died here. Never a reason to act.
    Crashed,
}

/// One operation. Offsets and lengths of writes are multiples of [`BLOCK_BYTES`]; a gather list is padded with zeros to the block.
#[derive(Clone, Debug)]
pub enum FileOp {
    /// Makes the directory and its missing parents; existing ones are fine. Their entries are NOT yet durable.
    CreateDirs(String),
    /// Creates a file exclusively (an existing name is `Exists`) and writes `data` at 0. Parents must exist.
    CreateNew(String, Gather),
    /// Creates a file exclusively, gives it `bytes` bytes; when `zeroed`, by writing zeros (else the space is only allocated).
    CreateSized {
        /// Below the data directory.
        path: String,
        /// Multiple of the block.
        bytes: u64,
        /// Write zeros, do not only allocate.
        zeroed: bool,
    },
    /// Writes at an aligned offset of an existing file.
    Write {
        /// Below the data directory.
        path: String,
        /// Multiple of the block.
        offset: u64,
        /// Padded with zeros to the block.
        data: Gather,
    },
    /// fdatasync of one file.
    Flush(String),
    /// fsync of one directory: entries made or removed in it become durable. A missing one is fine (its removal is its parent's entry).
    SyncDir(String),
    /// syncfs: all completed writes and directory entries of the whole data directory become durable.
    SyncAll,
    /// Atomic rename within a directory; replaces the target.
    Rename(String, String),
    /// Removes a file; a missing one is fine.
    Unlink(String),
    /// Removes every file directly inside the directory whose name ends with `suffix` and is not in `keep`; a missing directory is fine.
    UnlinkExcept {
        /// Below the data directory.
        dir: String,
        /// Of the names that may go.
        suffix: &'static str,
        /// Names that stay.
        keep: Vec<String>,
    },
    /// Removes a directory with everything in it; a missing one is fine.
    RemoveDirAll(String),
    /// Reads `bytes` bytes at an offset, both aligned; the result is shorter at the end of the file.
    Read {
        /// Below the data directory.
        path: String,
        /// Multiple of the block.
        offset: u64,
        /// Multiple of the block.
        bytes: u64,
    },
}

/// What one operation gave: bytes for `Read`, nothing for the others.
pub type FileOpResult = Result<Option<Bytes>, StorageError>;

/// Result of an effect's operations, performed in order up to the first failure (the last element).
#[derive(Clone, Debug)]
pub struct FilesDone {
    /// One result per performed operation.
    pub results: Vec<FileOpResult>,
}

impl FilesDone {
    /// The first failure, if any.
    pub fn failure(&self) -> Option<&StorageError> {
        self.results.iter().find_map(|result| result.as_ref().err())
    }
}

/// Room of the file system that a directory lies on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskSpace {
    /// All of it, in bytes.
    pub total_bytes: u64,
    /// What this process may still fill.
    pub free_bytes: u64,
}

/// A disk, synchronous. One real implementation (runtime), one simulated (tests).
pub trait Storage {
    /// Performs one operation.
    fn perform(&mut self, op: &FileOp) -> FileOpResult;

    /// Names directly inside a directory, sorted; files and directories alike. A missing directory is empty.
    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError>;

    /// Size of a file in bytes, `NotFound` if it does not exist.
    fn size(&mut self, path: &str) -> Result<u64, StorageError>;

    /// How large the file system is, and what is left.
    fn space(&mut self) -> Result<DiskSpace, StorageError>;
}

/// Reads a whole file.
pub fn read_file(storage: &mut dyn Storage, path: &str) -> Result<Bytes, StorageError> {
    let bytes = storage.size(path)?;
    let op = FileOp::Read { path: path.to_string(), offset: 0, bytes: block_ceil(bytes) };
    let mut data = storage.perform(&op)?.expect("a read gives bytes");
    data.truncate(bytes as usize);
    Ok(data)
}

/// Writes a file anew so that the old content or the new one survives any crash, never a mixture: temporary name, flush,
/// rename, directory sync. Also gives the file a fresh inode, which late writes of a killed process cannot reach (S5).
pub fn replace_file_ops(dir: &str, name: &str, data: Gather) -> Vec<FileOp> {
    let temporary = format!("{dir}/{name}.tmp");
    vec![
        FileOp::Unlink(temporary.clone()),
        FileOp::CreateNew(temporary.clone(), data),
        FileOp::Flush(temporary.clone()),
        FileOp::Rename(temporary, format!("{dir}/{name}")),
        FileOp::SyncDir(dir.to_string()),
    ]
}

/// Performs operations in order; stops at the first failure.
pub fn perform_all(storage: &mut dyn Storage, ops: &[FileOp]) -> Result<(), StorageError> {
    for op in ops {
        storage.perform(op)?;
    }
    Ok(())
}
