//! Journal writes and flushes of one core through io_uring; file operations through the blocking pool. Lives on one core.
//!
//! A write or flush belongs to a task of its own from submission to completion, and is reported through the inbox exactly
//! once; nothing is ever cancelled.
//!
//! D1: a journal file is opened once; [`Disk::forget`] ends that, operations in flight keep the old descriptor.
//! D2: padding is zeroed: DMA buffers come with whatever was in them.
//! D3: offsets and lengths are multiples of the block; after a short write the rest is written from a block border.

use crate::base::gather::Gather;
use crate::base::storage::{BLOCK_BYTES, StorageError, block_ceil};
use crate::broker::event::Event;
use crate::log::effect::{LogEffect, LogInput, Ticket};
use crate::runtime::blocking::{Blocking, Reply};
use crate::runtime::core_loop::Letter;
use crate::runtime::file_storage::failed;
use crate::runtime::inbox::Inbox;
use crate::runtime::mailbox::Mailbox;
use glommio::io::{DmaBuffer, DmaFile, OpenOptions};
use glommio::{GlommioError, TaskQueueHandle, allocate_dma_buffer};
use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io::Error;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// What was done, for the statistics line.
#[derive(Default)]
pub struct DiskCounters {
    /// Journal writes completed.
    pub writes: Cell<u64>,
    /// Their bytes, padding included.
    pub written_bytes: Cell<u64>,
    /// Journal flushes completed.
    pub flushes: Cell<u64>,
    /// Jobs given to the blocking pool.
    pub file_jobs: Cell<u64>,
}

/// See the module.
pub struct Disk {
    root: PathBuf,
    inbox: Rc<Inbox>,
    queue: TaskQueueHandle,
    files: RefCell<BTreeMap<Arc<str>, Rc<JournalFile>>>,
    blocking: Blocking,
    mailbox: Arc<Mailbox<Letter>>,
    /// See [`DiskCounters`].
    pub counters: DiskCounters,
}

/// A journal file that is open or being opened by the first operation on it; the others wait.
#[derive(Default)]
struct JournalFile {
    opened: RefCell<Option<Result<Rc<DmaFile>, StorageError>>>,
    opening: Cell<bool>,
    waiters: RefCell<Vec<Waker>>,
}

impl Disk {
    /// For the executor that this is called on.
    pub fn new(root: PathBuf, inbox: Rc<Inbox>, blocking: Blocking, mailbox: Arc<Mailbox<Letter>>) -> Rc<Disk> {
        Rc::new(Disk {
            root,
            inbox,
            queue: glommio::executor().current_task_queue(),
            files: RefCell::default(),
            blocking,
            mailbox,
            counters: DiskCounters::default(),
        })
    }

    /// Starts what the log wants.
    pub fn perform(self: &Rc<Disk>, effect: LogEffect) {
        match effect {
            LogEffect::JournalWrite { ticket, path, offset, data } => {
                let disk = self.clone();
                self.spawn(async move {
                    let result = disk.write(&path, offset, data).await;
                    disk.report(LogInput::JournalWritten { ticket, result });
                });
            }
            LogEffect::JournalFlush { ticket, paths } => {
                let disk = self.clone();
                self.spawn(async move {
                    let result = disk.flush(&paths).await;
                    disk.report(LogInput::JournalFlushed { ticket, result });
                });
            }
            LogEffect::JournalClosed { path } => self.forget(&path),
            LogEffect::Files { ticket, ops } => self.files(FilesOwner::Log(ticket), ops),
            LogEffect::Scan { ticket, scan } => {
                let mailbox = self.mailbox.clone();
                let work = move || mailbox.post(Letter::Scanned(ticket, scan.perform()));
                self.blocking.compute(Box::new(work));
            }
        }
    }

    /// Performs file operations off the executor.
    pub fn files(&self, owner: FilesOwner, ops: Vec<crate::base::storage::FileOp>) {
        self.counters.file_jobs.set(self.counters.file_jobs.get() + 1);
        let mailbox = self.mailbox.clone();
        let reply: Reply = Box::new(move |done| mailbox.post(Letter::Files(owner, done)));
        self.blocking.submit(ops, reply);
    }

    /// The name of a journal file stands for another file from now on.
    fn forget(&self, path: &Arc<str>) {
        self.files.borrow_mut().remove(path);
    }

    fn report(&self, input: LogInput) {
        self.inbox.push(Event::Log(input));
    }

    fn spawn(&self, task: impl Future<Output = ()> + 'static) {
        // Queued, never run inside this call: effects are performed in the middle of a turn.
        glommio::spawn_local_into(task, self.queue).expect("the queue exists").detach();
    }

    async fn write(&self, path: &Arc<str>, offset: u64, data: Gather) -> Result<(), StorageError> {
        assert!(offset.is_multiple_of(BLOCK_BYTES) && !data.is_empty(), "journal write to {path} at {offset}");
        let file = self.open(path).await?;
        let mut buffer = fill(&data);
        drop(data);
        let bytes = buffer.len();
        let mut done = 0;
        loop {
            let rest = Rc::new(buffer);
            let written = file.write_rc_at(rest.clone(), offset + done as u64).await;
            let written = written.map_err(|error| journal_failed("write", path, error))?;
            if done + written >= bytes {
                break;
            }
            let whole = written / BLOCK_BYTES as usize * BLOCK_BYTES as usize;
            if whole == 0 {
                return Err(StorageError::Failed(format!("write {path}: short, {written} of {bytes} bytes")));
            }
            done += whole;
            buffer = copy(&rest.as_bytes()[whole..]);
        }
        self.counters.writes.set(self.counters.writes.get() + 1);
        self.counters.written_bytes.set(self.counters.written_bytes.get() + bytes as u64);
        Ok(())
    }

    async fn flush(&self, paths: &[Arc<str>]) -> Result<(), StorageError> {
        for path in paths {
            let file = self.open(path).await?;
            file.fdatasync().await.map_err(|error| journal_failed("fdatasync", path, error))?;
        }
        self.counters.flushes.set(self.counters.flushes.get() + 1);
        Ok(())
    }

    async fn open(&self, path: &Arc<str>) -> Result<Rc<DmaFile>, StorageError> {
        let slot = self.files.borrow_mut().entry(path.clone()).or_default().clone();
        if !slot.opening.replace(true) {
            let opened = OpenOptions::new().read(true).write(true).dma_open(self.root.join(&**path)).await;
            let opened = opened.map(Rc::new).map_err(|error| journal_failed("open", path, error));
            *slot.opened.borrow_mut() = Some(opened);
            let waiters = std::mem::take(&mut *slot.waiters.borrow_mut());
            waiters.into_iter().for_each(Waker::wake);
        }
        std::future::poll_fn(|context| match &*slot.opened.borrow() {
            Some(opened) => Poll::Ready(opened.clone()),
            None => {
                slot.waiters.borrow_mut().push(context.waker().clone());
                Poll::Pending
            }
        })
        .await
    }
}

/// Who asked for file operations.
#[derive(Clone, Copy, Debug)]
pub enum FilesOwner {
    /// The core's log.
    Log(Ticket),
    /// The metadata log.
    Metadata(u64),
}

/// A DMA buffer with the bytes of the list and zeros up to the block (D2).
fn fill(data: &Gather) -> DmaBuffer {
    let mut buffer = allocate_dma_buffer(block_ceil(data.len() as u64) as usize);
    let bytes = buffer.as_bytes_mut();
    let mut at = 0;
    for slice in data.slices() {
        bytes[at..at + slice.len()].copy_from_slice(slice);
        at += slice.len();
    }
    bytes[at..].fill(0);
    buffer
}

fn copy(bytes: &[u8]) -> DmaBuffer {
    let mut buffer = allocate_dma_buffer(bytes.len());
    buffer.as_bytes_mut().copy_from_slice(bytes);
    buffer
}

fn journal_failed(operation: &str, path: &str, error: GlommioError<()>) -> StorageError {
    match error.raw_os_error() {
        Some(errno) => failed(operation, path, &Error::from_raw_os_error(errno)),
        None => StorageError::Failed(format!("{operation} {path}: {error}")),
    }
}

#[cfg(test)]
mod tests;
