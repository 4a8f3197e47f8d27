//! Writes and flushes of one core's journal files on its own io_uring. Lives on one core.
//!
//! An operation belongs to the ring from submission to completion; it is reported exactly once, and nothing is ever cancelled.
//!
//! D1: a journal file is opened once; [`JournalRing::forget`] ends that, operations in flight keep the old descriptor.
//! D2: padding is zeroed: buffers come with whatever was in them.
//! D3: offsets and lengths are multiples of the block; after a short write the rest is written from a block border.
//! D4: memory that the kernel reads is owned by its operation in `running`, which loses it at the completion only. When the
//!     ring is dropped, it first waits for what is in flight.

use crate::base::gather::Gather;
use crate::base::limits::{JOURNAL_WRITE_BYTES_MAX, JOURNAL_WRITES_IN_FLIGHT_MAX};
use crate::base::map::Map;
use crate::base::storage::{BLOCK_BYTES, StorageError};
use crate::log::effect::{LogInput, Ticket};
use crate::runtime::aligned::AlignedBuffer;
use crate::runtime::block_write::{self, BlockWrite};
use crate::runtime::file_storage::failed;
use io_uring::{IoUring, opcode, squeue, types};
use std::collections::{BTreeMap, VecDeque};
use std::ffi::CString;
use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

/// Room for operations that are submitted together; more wait for the next submission.
const ENTRIES: u32 = 64;
/// Buffers kept for the next writes.
const SPARE_BUFFERS_MAX: usize = JOURNAL_WRITES_IN_FLIGHT_MAX;

/// What was done, for the statistics line.
#[derive(Debug, Default)]
pub struct JournalCounters {
    /// Journal writes completed.
    pub writes: u64,
    /// Their bytes, padding included.
    pub written_bytes: u64,
    /// Journal flushes completed, alone or with a write.
    pub flushes: u64,
}

/// See the module.
pub struct JournalRing {
    root: PathBuf,
    ring: IoUring,
    files: BTreeMap<Arc<str>, JournalFile>,
    running: Map<u64, Running>,
    next_id: u64,
    /// Prepared, not yet submitted.
    prepared: usize,
    spare: Vec<AlignedBuffer>,
    ended: Vec<LogInput>,
    /// See [`JournalCounters`].
    pub counters: JournalCounters,
}

enum JournalFile {
    /// Operations wait until it is open.
    Opening(Vec<Operation>),
    Open(Rc<OwnedFd>),
    Failed(StorageError),
}

/// What the log asked for, as far as it is not done.
enum Operation {
    Write {
        ticket: Ticket,
        path: Arc<str>,
        offset: u64,
        data: BlockWrite,
        /// What is left to write, as the kernel wants to be told of more than one piece.
        pieces: Vec<libc::iovec>,
        done: usize,
        /// Flushed with the write (O_DSYNC).
        through: bool,
    },
    /// Flushes the first of `paths`, then the rest.
    Flush { ticket: Ticket, paths: VecDeque<Arc<str>> },
}

/// What the kernel works on.
enum Running {
    Open { path: Arc<str>, _name: CString },
    Operation { operation: Operation, _file: Rc<OwnedFd> },
}

impl JournalRing {
    /// For files below `root`; an error if the kernel has no ring for us.
    pub fn new(root: PathBuf) -> Result<JournalRing, Error> {
        Ok(JournalRing {
            root,
            ring: IoUring::new(ENTRIES)?,
            files: BTreeMap::new(),
            running: Map::default(),
            next_id: 0,
            prepared: 0,
            spare: Vec::new(),
            ended: Vec::new(),
            counters: JournalCounters::default(),
        })
    }

    /// Becomes readable when operations have ended.
    pub fn descriptor(&self) -> RawFd {
        self.ring.as_raw_fd()
    }

    /// Prepares a write of `data`, padded to the block, at a multiple of the block.
    pub fn write(&mut self, ticket: Ticket, path: Arc<str>, offset: u64, data: &Gather) {
        self.start_write(ticket, path, offset, data, false);
    }

    /// Prepares a write that has ended when it is flushed too.
    pub fn write_through(&mut self, ticket: Ticket, path: Arc<str>, offset: u64, data: &Gather) {
        self.start_write(ticket, path, offset, data, true);
    }

    fn start_write(&mut self, ticket: Ticket, path: Arc<str>, offset: u64, data: &Gather, through: bool) {
        assert!(offset.is_multiple_of(BLOCK_BYTES) && !data.is_empty(), "journal write to {path} at {offset}");
        let data = self.put_together(data);
        self.start(path.clone(), Operation::Write { ticket, path, offset, data, pieces: Vec::new(), done: 0, through });
    }

    /// Prepares a flush of each file.
    pub fn flush(&mut self, ticket: Ticket, paths: Vec<Arc<str>>) {
        let first = paths.first().expect("a flush names its files").clone();
        self.start(first, Operation::Flush { ticket, paths: paths.into() });
    }

    /// The name of a journal file stands for another file from now on.
    pub fn forget(&mut self, path: &Arc<str>) {
        let forgotten = self.files.remove(path);
        assert!(!matches!(forgotten, Some(JournalFile::Opening(_))), "{path} is forgotten when it is used no more");
    }

    /// Hands over to the kernel what was prepared.
    pub fn submit(&mut self) {
        while self.prepared > 0 {
            match self.ring.submit() {
                Ok(submitted) => self.prepared -= submitted,
                Err(error) => assert!(is_passing(&error), "io_uring_enter: {error}"),
            }
        }
    }

    /// What has ended since the last call.
    pub fn take_ended(&mut self) -> impl Iterator<Item = LogInput> {
        loop {
            let completion = self.ring.completion().next();
            let Some(completion) = completion else { break };
            let running = self.running.remove(&completion.user_data()).expect("an operation of ours");
            let result = completion.result();
            let result = if result < 0 { Err(Error::from_raw_os_error(-result)) } else { Ok(result as usize) };
            match running {
                Running::Open { path, .. } => self.opened(path, result),
                Running::Operation { operation, .. } => self.went_on(operation, result),
            }
        }
        self.ended.drain(..)
    }

    /// The bytes of the list and zeros up to the block (D2).
    fn put_together(&mut self, data: &Gather) -> BlockWrite {
        let joined = match block_write::joined_bytes(data) {
            bytes if bytes <= JOURNAL_WRITE_BYTES_MAX => self.spare.pop(),
            bytes => Some(AlignedBuffer::with_capacity(bytes)),
        };
        BlockWrite::new(data, joined.unwrap_or_else(|| AlignedBuffer::with_capacity(JOURNAL_WRITE_BYTES_MAX)))
    }

    /// Begins an operation whose next file is `path`, or lets it wait until that is open.
    fn start(&mut self, path: Arc<str>, operation: Operation) {
        match self.files.get_mut(&path) {
            Some(JournalFile::Open(file)) => {
                let file = file.clone();
                self.run(file, operation);
            }
            Some(JournalFile::Opening(waiting)) => waiting.push(operation),
            Some(JournalFile::Failed(error)) => {
                let error = error.clone();
                self.end(operation, Err(error));
            }
            None => {
                self.open(path.clone());
                self.files.insert(path, JournalFile::Opening(vec![operation]));
            }
        }
    }

    fn open(&mut self, path: Arc<str>) {
        use std::os::unix::ffi::OsStrExt;
        let name = CString::new(self.root.join(&*path).as_os_str().as_bytes()).expect("no zero byte in a path");
        let flags = libc::O_RDWR | libc::O_DIRECT | libc::O_CLOEXEC;
        let entry = opcode::OpenAt::new(types::Fd(libc::AT_FDCWD), name.as_ptr()).flags(flags).build();
        self.prepare(entry, Running::Open { path, _name: name });
    }

    fn opened(&mut self, path: Arc<str>, result: Result<usize, Error>) {
        let file = match result {
            // SAFETY: a descriptor that the kernel made for this operation and that belongs to nobody else.
            Ok(descriptor) => JournalFile::Open(Rc::new(unsafe { OwnedFd::from_raw_fd(descriptor as RawFd) })),
            Err(error) => JournalFile::Failed(failed("open", &path, &error)),
        };
        let opening = self.files.insert(path.clone(), file);
        let Some(JournalFile::Opening(waiting)) = opening else { panic!("{path} was being opened") };
        waiting.into_iter().for_each(|operation| self.start(path.clone(), operation));
    }

    fn run(&mut self, file: Rc<OwnedFd>, mut operation: Operation) {
        let descriptor = types::Fd(file.as_raw_fd());
        let entry = match &mut operation {
            Operation::Write { offset, data, pieces, done, through, .. } => {
                let flags = if *through { libc::RWF_DSYNC } else { 0 };
                let at = *offset + *done as u64;
                let mut rest = data.io_slices(*done);
                let first = rest.next().expect("not all is written");
                match rest.next() {
                    None => {
                        let bytes = u32::try_from(first.len()).expect("a journal file is smaller");
                        opcode::Write::new(descriptor, first.as_ptr(), bytes).offset(at).rw_flags(flags).build()
                    }
                    Some(second) => {
                        pieces.clear();
                        pieces.extend([first, second].into_iter().chain(rest).map(io_vector));
                        let count = u32::try_from(pieces.len()).expect("few large batches fit a write");
                        opcode::Writev::new(descriptor, pieces.as_ptr(), count).offset(at).rw_flags(flags).build()
                    }
                }
            }
            Operation::Flush { .. } => opcode::Fsync::new(descriptor).flags(types::FsyncFlags::DATASYNC).build(),
        };
        self.prepare(entry, Running::Operation { operation, _file: file });
    }

    fn prepare(&mut self, entry: squeue::Entry, running: Running) {
        let id = self.next_id;
        self.next_id += 1;
        self.running.insert(id, running);
        let entry = entry.user_data(id);
        // SAFETY: what the entry points to is owned by `running`: heap memory that does not move with it (D4).
        while unsafe { self.ring.submission().push(&entry) }.is_err() {
            self.submit();
        }
        self.prepared += 1;
    }

    /// The kernel did one step of an operation.
    fn went_on(&mut self, operation: Operation, result: Result<usize, Error>) {
        match (operation, result) {
            (operation, Err(error)) => {
                let (name, path) = match &operation {
                    Operation::Write { path, .. } => ("write", path),
                    Operation::Flush { paths, .. } => ("fdatasync", &paths[0]),
                };
                let error = failed(name, path, &error);
                self.end(operation, Err(error));
            }
            (operation @ Operation::Write { .. }, Ok(written)) => self.wrote(operation, written),
            (Operation::Flush { ticket, mut paths }, Ok(_)) => {
                paths.pop_front();
                match paths.front().cloned() {
                    Some(next) => self.start(next, Operation::Flush { ticket, paths }),
                    None => self.end(Operation::Flush { ticket, paths }, Ok(())),
                }
            }
        }
    }

    fn wrote(&mut self, mut operation: Operation, written: usize) {
        let Operation::Write { path, data, done, through, .. } = &mut operation else { panic!("not a write") };
        let (path, all) = (path.clone(), data.bytes());
        if *done + written >= all {
            self.counters.writes += 1;
            self.counters.flushes += u64::from(*through);
            self.counters.written_bytes += all as u64;
            return self.end(operation, Ok(()));
        }
        let whole = written / BLOCK_BYTES as usize * BLOCK_BYTES as usize;
        if whole == 0 {
            let error = StorageError::Failed(format!("write {path}: short, {written} of {all} bytes"));
            return self.end(operation, Err(error));
        }
        *done += whole;
        self.start(path, operation);
    }

    fn end(&mut self, operation: Operation, result: Result<(), StorageError>) {
        self.ended.push(match operation {
            Operation::Write { ticket, data, through, .. } => {
                let joined = data.into_joined();
                if self.spare.len() < SPARE_BUFFERS_MAX && joined.capacity() == JOURNAL_WRITE_BYTES_MAX {
                    self.spare.push(joined);
                }
                match through {
                    true => LogInput::JournalFlushed { ticket, result },
                    false => LogInput::JournalWritten { ticket, result },
                }
            }
            Operation::Flush { ticket, .. } => {
                self.counters.flushes += u64::from(result.is_ok());
                LogInput::JournalFlushed { ticket, result }
            }
        });
    }
}

impl Drop for JournalRing {
    fn drop(&mut self) {
        self.submit();
        while !self.running.is_empty() {
            if let Err(error) = self.ring.submit_and_wait(1) {
                assert!(is_passing(&error), "io_uring_enter: {error}");
            }
            for completion in self.ring.completion() {
                self.running.remove(&completion.user_data());
            }
        }
    }
}

fn io_vector(piece: &[u8]) -> libc::iovec {
    libc::iovec { iov_base: piece.as_ptr().cast_mut().cast(), iov_len: piece.len() }
}

/// A signal, or a kernel short of memory: what is submitted stays submitted, the rest is tried again.
pub fn is_passing(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EINTR | libc::EAGAIN | libc::EBUSY))
}
