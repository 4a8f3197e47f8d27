//! What a core wants of the disk: journal operations through its ring, file operations through the blocking pool. Lives on one
//! core; ends are reported through the inbox and the mailbox.

use crate::base::ids::ConnectionId;
use crate::base::storage::FileOp;
use crate::broker::event::Event;
use crate::log::effect::{LogEffect, Ticket};
use crate::runtime::blocking::{Blocking, Reply};
use crate::runtime::core_loop::Letter;
use crate::runtime::inbox::Inbox;
use crate::runtime::journal_ring::JournalRing;
use crate::runtime::mailbox::Mailbox;
use crate::wire::inspection::Inspection;
use std::rc::Rc;
use std::sync::Arc;

/// See the module.
pub struct Disk {
    /// Journal files.
    pub journal: JournalRing,
    inbox: Rc<Inbox>,
    blocking: Blocking,
    mailbox: Arc<Mailbox<Letter>>,
    /// Jobs given to the blocking pool.
    pub file_jobs: u64,
}

/// Who asked for file operations.
#[derive(Clone, Copy, Debug)]
pub enum FilesOwner {
    /// The core's log.
    Log(Ticket),
    /// The metadata log.
    Metadata(u64),
}

impl Disk {
    /// Reports to `inbox` and, from other threads, to `mailbox`.
    pub fn new(journal: JournalRing, inbox: Rc<Inbox>, blocking: Blocking, mailbox: Arc<Mailbox<Letter>>) -> Disk {
        Disk { journal, inbox, blocking, mailbox, file_jobs: 0 }
    }

    /// Prepares what the log wants; [`Disk::submit`] begins it.
    pub fn perform(&mut self, effect: LogEffect) {
        match effect {
            LogEffect::JournalWrite { ticket, path, offset, data } => self.journal.write(ticket, path, offset, &data),
            LogEffect::JournalWriteThrough { ticket, path, offset, data } => {
                self.journal.write_through(ticket, path, offset, &data);
            }
            LogEffect::JournalFlush { ticket, paths } => self.journal.flush(ticket, paths),
            LogEffect::JournalClosed { path } => self.journal.forget(&path),
            LogEffect::Files { ticket, ops } => self.files(FilesOwner::Log(ticket), ops),
            LogEffect::Scan { ticket, scan } => {
                let mailbox = self.mailbox.clone();
                let work = move || mailbox.post(Letter::Scanned(ticket, scan.perform()));
                self.blocking.compute(Box::new(work));
            }
        }
    }

    /// Looks inside a batch off the core, on the thread that does so for searches.
    pub fn inspect(&mut self, connection: ConnectionId, inspection: Inspection) {
        let mailbox = self.mailbox.clone();
        let work = move || mailbox.post(Letter::Inspected(connection, inspection.perform()));
        self.blocking.compute(Box::new(work));
    }

    /// Performs file operations off the core.
    pub fn files(&mut self, owner: FilesOwner, ops: Vec<FileOp>) {
        self.file_jobs += 1;
        let mailbox = self.mailbox.clone();
        let reply: Reply = Box::new(move |done| mailbox.post(Letter::Files(owner, done)));
        self.blocking.submit(ops, reply);
    }

    /// Begins what was prepared.
    pub fn submit(&mut self) {
        self.journal.submit();
    }

    /// Turns what has ended into events, and begins what that lets go on: nothing of it may wait for a turn, since an opened
    /// file or the first of two flushes is no event.
    pub fn collect(&mut self) {
        for input in self.journal.take_ended() {
            self.inbox.push(Event::Log(input));
        }
        self.journal.submit();
    }
}

#[cfg(test)]
mod tests;
