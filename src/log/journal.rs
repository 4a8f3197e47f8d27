//! `Journal`: one core's ring of journal files, sans-IO.
//!
//! Lives in a core's `CoreLog`; nobody else touches it. Frames are pushed during a turn, cut into few aligned writes at its end,
//! and flushed as soon as writes have completed: one flush answers everything before it (group commit). A little that comes alone is
//! written and flushed by one operation. Waiting for more is the caller's decision (`broker::returning`).
//!
//! A file goes: *creating* (zeroed in the background) -> *spare* -> *ring* (the last one is being filled) -> after a checkpoint
//! that no longer needs it: *spare* again, or unlinked if an earlier boot wrote it, or *held* for an offline partition.
//!
//! Invariants:
//! - J1 (S1): sequences are consecutive over files and boots; each use of a file has a fresh salt and starts with a boot frame.
//! - J2 (S2): `flushed` only moves to the end of a prefix of writes that had completed before the flush was issued, and that
//!   flush named every file of the prefix; or to the end of a write that was flushed by itself (write-through) and issued when all
//!   before it was flushed. `flushed <= written < next`.
//! - J3 (S5): files of earlier boots are never written again.
//! - J4 (S6): appends stop at [`RING_APPEND_PERCENT_MAX`] of the ring; control frames may fill it.
//! - J5: nothing is appended before this boot's first frame is flushed. Without that, a write of the previous boot that lands
//!   late could come to light again at the next start, in the place of what class device or memory had acknowledged meanwhile.
//! - J6 (D3): after a failed write or flush nothing is written any more and `flushed` stands still.

use crate::base::clock::Now;
use crate::base::latency::Latency;
use crate::base::limits::{
    JOURNAL_WRITE_EAGER_BYTES, JOURNAL_WRITES_IN_FLIGHT_MAX, MARK_AFTER_MS, RING_APPEND_PERCENT_MAX,
};
use crate::base::offset::Sequence;
use crate::base::storage::{FileOp, FilesDone, StorageError, block_ceil};
use crate::log::effect::{LogEffect, Ticket};
use crate::log::effect_queue::EffectQueue;
use crate::log::group_time::GroupTime;
use crate::log::journal_frame::{FrameBody, FramePlace, encode, salt};
use crate::log::journal_group::Group;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::sync::Arc;

/// While there is no spare file, appends leave this share of the file being filled to control frames.
const CONTROL_FILE_DIVISOR: u64 = 10;

/// A journal file with frames in it.
#[derive(Clone, Debug)]
pub struct JournalFile {
    /// Path below the data directory.
    pub path: Arc<str>,
    /// Boot that filled it.
    pub boot: u32,
    /// First sequence in it.
    pub first: Sequence,
    /// Last sequence in it.
    pub last: Sequence,
    /// Salt of this use.
    salt: u64,
    /// Bytes given out, up to the end of the last closed group.
    used: u64,
}

#[derive(Debug)]
struct Write {
    ticket: Ticket,
    last: Sequence,
    done: bool,
}

/// Sequences of frames that an offline partition still needs (S11); bounds inclusive.
pub type HeldRange = (Sequence, Sequence);

/// What a journal starts from.
#[derive(Debug)]
pub struct JournalStart {
    /// Directory of the core's journal.
    pub dir: String,
    /// Generation (S19).
    pub generation: u32,
    /// Number of this boot.
    pub boot: u32,
    /// End of what recovery accepted; this boot's frames follow it.
    pub accepted_end: Sequence,
    /// Files of earlier boots that are still needed, oldest first.
    pub dead_files: Vec<JournalFile>,
    /// The file created for this boot's first frames.
    pub first_file: String,
    /// Number for the next file to be created.
    pub next_number: u64,
    /// Newest durable checkpoint.
    pub checkpoint: u64,
    /// Files of a ring.
    pub ring_files: usize,
    /// Bytes of a file.
    pub file_bytes: u64,
    /// Fill new files with zeros.
    pub zeroed: bool,
    /// Secret that salts follow from (see `journal_frame::salt`).
    pub key: u64,
}

/// There is no room for the frame now (ring full, or the next file is not ready yet).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NoRoom;

/// See the module.
#[derive(Debug)]
pub struct Journal {
    dir: String,
    generation: u32,
    boot: u32,
    boot_first: Sequence,
    ring_files: usize,
    file_bytes: u64,
    zeroed: bool,
    key: u64,
    next: Sequence,
    written: Sequence,
    flushed: Sequence,
    files: VecDeque<JournalFile>,
    held: Vec<JournalFile>,
    spares: VecDeque<Arc<str>>,
    creating: Option<(Ticket, Arc<str>)>,
    /// Somebody waits for room that only another file can give.
    room_wanted: bool,
    /// The last creation found the disk full: the next one waits for a tick.
    disk_full: bool,
    next_number: u64,
    checkpoint: u64,
    accepted_end: Option<Sequence>,
    groups: VecDeque<Group>,
    writes: VecDeque<Write>,
    flush: Option<(Ticket, Sequence)>,
    group_time: GroupTime,
    is_gathering: bool,
    failed: Option<String>,
    headers: BytesMut,
    last_content: Sequence,
    last_mark: Sequence,
    last_push_ms: u64,
}

impl JournalFile {
    /// A file of an earlier boot, found by recovery.
    pub fn dead(path: Arc<str>, boot: u32, first: Sequence, last: Sequence) -> JournalFile {
        JournalFile { path, boot, first, last, salt: 0, used: 0 }
    }
}

impl Journal {
    /// Begins this boot's journal: its first frame goes into `first_file`.
    pub fn start(start: JournalStart) -> Journal {
        let boot_first = start.accepted_end.next();
        let mut journal = Journal {
            dir: start.dir,
            generation: start.generation,
            boot: start.boot,
            boot_first,
            ring_files: start.ring_files,
            file_bytes: start.file_bytes,
            zeroed: start.zeroed,
            key: start.key,
            next: boot_first,
            written: start.accepted_end,
            flushed: start.accepted_end,
            files: start.dead_files.into(),
            held: Vec::new(),
            spares: VecDeque::from([Arc::from(start.first_file)]),
            creating: None,
            room_wanted: false,
            disk_full: false,
            next_number: start.next_number,
            checkpoint: start.checkpoint,
            accepted_end: Some(start.accepted_end),
            groups: VecDeque::new(),
            writes: VecDeque::new(),
            flush: None,
            group_time: GroupTime::after(start.accepted_end),
            is_gathering: false,
            failed: None,
            headers: BytesMut::new(),
            last_content: boot_first,
            last_mark: Sequence(0),
            last_push_ms: 0,
        };
        journal.roll(None).expect("the first file is a spare");
        journal
    }

    /// Sequence of the last frame pushed.
    pub fn last(&self) -> Sequence {
        self.next.previous()
    }

    /// End of the contiguous prefix of completed writes.
    pub fn written(&self) -> Sequence {
        self.written
    }

    /// End of the flushed prefix.
    pub fn flushed(&self) -> Sequence {
        self.flushed
    }

    /// Why the journal failed, if it did (J6).
    pub fn failure(&self) -> Option<&str> {
        self.failed.as_deref()
    }

    /// Ring files in use, oldest first; the last one is being filled.
    pub fn files(&self) -> &VecDeque<JournalFile> {
        &self.files
    }

    /// Files kept outside the ring for offline partitions (S11).
    pub fn held_files(&self) -> &[JournalFile] {
        &self.held
    }

    /// Bytes of one file.
    pub fn file_bytes(&self) -> u64 {
        self.file_bytes
    }

    /// This boot's share of the ring that is in use, in percent; files of earlier boots count beside it, see [`Journal::dead_files`].
    pub fn used_percent(&self) -> u64 {
        self.used_bytes() * 100 / self.ring_bytes()
    }

    /// Files of earlier boots that are still needed.
    pub fn dead_files(&self) -> usize {
        self.files.len() - self.own_files()
    }

    /// They are behind those of earlier boots.
    fn own_files(&self) -> usize {
        self.files.iter().rev().take_while(|file| file.boot == self.boot).count()
    }

    fn ring_bytes(&self) -> u64 {
        self.ring_files as u64 * self.file_bytes
    }

    fn used_bytes(&self) -> u64 {
        (self.own_files() as u64 - 1) * self.file_bytes + self.position()
    }

    /// Where the next frame would go in the file being filled.
    fn position(&self) -> u64 {
        let file = self.files.back().expect("there is always a file being filled");
        match self.groups.back() {
            Some(group) if Arc::ptr_eq(&group.path, &file.path) => group.end(),
            _ => file.used,
        }
    }

    /// Largest batch that fits a file together with its frame and the boot frame (S6).
    pub fn batch_bytes_max(file_bytes: u64) -> u64 {
        file_bytes.saturating_sub(4096 + 256)
    }

    /// Without a spare (it is being zeroed) the rest of this file is all there is, for control frames too.
    fn kept_free(&self) -> u64 {
        if self.spares.is_empty() { self.file_bytes / CONTROL_FILE_DIVISOR } else { 0 }
    }

    /// May a batch of `bytes` be appended now (J4)?
    pub fn has_room_for_append(&self, bytes: u64) -> bool {
        let frame = bytes + 256;
        let kept_free = self.kept_free();
        let (own_files, position) = (self.own_files() as u64, self.position());
        let fits_file = block_ceil(position) + frame + kept_free <= self.file_bytes;
        let used = if fits_file { (own_files - 1) * self.file_bytes + position } else { own_files * self.file_bytes };
        let used_after = used + frame;
        self.failed.is_none()
            && self.flushed >= self.boot_first
            && used_after * 100 <= self.ring_bytes() * RING_APPEND_PERCENT_MAX
            && (fits_file || !self.spares.is_empty())
    }

    /// Gives the frame a sequence and a place.
    pub fn push(&mut self, body: FrameBody, now: Now) -> Result<Sequence, NoRoom> {
        if self.failed.is_some() {
            return Err(NoRoom);
        }
        let bytes = body.padded_bytes();
        assert!(bytes + 256 <= self.file_bytes, "a frame fits a journal file (S6)");
        if block_ceil(self.position()) + bytes > self.file_bytes {
            self.roll(Some(now))?;
        }
        let is_content = !matches!(body, FrameBody::Mark);
        let sequence = self.place(body, Some(now));
        self.last_content = if is_content { sequence } else { self.last_content };
        self.last_push_ms = now.monotonic_ms();
        Ok(sequence)
    }

    fn roll(&mut self, now: Option<Now>) -> Result<(), NoRoom> {
        if self.own_files() >= self.ring_files {
            return Err(NoRoom);
        }
        let path = self.spares.pop_front().ok_or(NoRoom)?;
        if !self.files.is_empty() {
            let used = block_ceil(self.position());
            self.files.back_mut().expect("not empty").used = used;
        }
        let first = self.next;
        let salt = salt(self.key, self.generation, self.boot, first);
        self.files.push_back(JournalFile { path, boot: self.boot, first, last: first, salt, used: 0 });
        let accepted_end = self.accepted_end.take();
        self.place(FrameBody::Boot { checkpoint: self.checkpoint, accepted_end }, now);
        Ok(())
    }

    /// Puts the frame behind the last one of the file being filled; it fits.
    fn place(&mut self, body: FrameBody, now: Option<Now>) -> Sequence {
        let sequence = self.next;
        self.next = sequence.next();
        let position = self.position();
        let kept_free = self.kept_free();
        let file = self.files.back_mut().expect("there is always a file being filled");
        file.last = sequence;
        let path = file.path.clone();
        let bytes = body.padded_bytes();
        let fits = self.groups.back().is_some_and(|group| group.takes(&path, bytes));
        let at = if fits { position } else { block_ceil(position) };
        // Room for it is not asked for anywhere, so it takes none that is scarce.
        let filler = body.filler(at);
        let has_room = at + bytes + u64::from(filler) + kept_free <= self.file_bytes;
        let place = FramePlace {
            generation: self.generation,
            boot: self.boot,
            boot_first: self.boot_first,
            salt: file.salt,
            file_first: file.first,
            sequence,
            durable_mark: self.flushed,
            filler: if has_room { filler } else { 0 },
        };
        self.last_mark = self.last_mark.max(self.flushed);
        if !fits {
            self.groups.push_back(Group::at(path, at, sequence, now));
        }
        let (prefix, batch) = encode(&mut self.headers, &place, body);
        self.groups.back_mut().expect("just made").push(sequence, prefix, batch);
        sequence
    }

    /// Somebody waits for the write of the frame that was pushed last, not for its flush.
    pub fn want_write(&mut self) {
        self.groups.back_mut().expect("a frame was pushed in this turn").ends_with_write = true;
    }

    /// Frames wait for more to be written with them.
    pub fn is_gathering(&self) -> bool {
        self.is_gathering
    }

    /// How long frames wait to be written, and then to be flushed.
    pub fn latencies(&self) -> (&Latency, &Latency) {
        (&self.group_time.journal, &self.group_time.flush)
    }

    /// Nanoseconds that a write and its flush take lately.
    pub fn group_ns(&self) -> u64 {
        self.group_time.average_ns()
    }

    /// Turns waiting frames into writes, completed writes into a flush, and keeps a spare file coming. With `gather`, little
    /// waits for more (at most [`JOURNAL_WRITE_EAGER_BYTES`] of it).
    pub fn submit(&mut self, effects: &mut EffectQueue, gather: bool, now: Now) {
        if self.failed.is_some() {
            return;
        }
        let is_little = self.groups.len() == 1 && self.groups[0].data.len() < JOURNAL_WRITE_EAGER_BYTES;
        self.is_gathering = gather && is_little;
        if !self.is_gathering {
            self.write_groups(effects, is_little, now);
        }
        self.flush_written(effects);
        self.keep_spare(effects);
    }

    fn write_groups(&mut self, effects: &mut EffectQueue, is_little: bool, now: Now) {
        let all_flushed = self.writes.is_empty() && self.flush.is_none() && self.written == self.flushed;
        while let Some(group) = self.groups.front() {
            let may_wait = is_little && !self.writes.is_empty();
            if self.writes.len() >= JOURNAL_WRITES_IN_FLIGHT_MAX || may_wait {
                break;
            }
            let through = is_little && all_flushed && !group.ends_with_write;
            let Group { path, offset, data, last, pushed, .. } = self.groups.pop_front().expect("looked at");
            let used = block_ceil(offset + data.len() as u64);
            if let Some(file) = self.files.iter_mut().find(|file| file.path == path) {
                file.used = file.used.max(used);
            }
            let ticket = effects.ticket();
            self.writes.push_back(Write { ticket, last, done: false });
            self.group_time.begin(last, pushed.unwrap_or(now), now);
            if through {
                // One operation instead of two, one wake-up instead of two.
                self.flush = Some((ticket, last));
                effects.push(LogEffect::JournalWriteThrough { ticket, path, offset, data });
            } else {
                effects.push(LogEffect::JournalWrite { ticket, path, offset, data });
            }
        }
    }

    fn flush_written(&mut self, effects: &mut EffectQueue) {
        if self.flush.is_some() || self.written <= self.flushed {
            return;
        }
        let target = self.written;
        let covers = |file: &&JournalFile| file.boot == self.boot && file.first <= target && file.last > self.flushed;
        let paths: Vec<Arc<str>> = self.files.iter().filter(covers).map(|file| file.path.clone()).collect();
        assert!(!paths.is_empty(), "unflushed frames lie in some file");
        let ticket = effects.ticket();
        self.flush = Some((ticket, target));
        effects.push(LogEffect::JournalFlush { ticket, paths });
    }

    /// The next file is begun once a quarter of the current one is used, so that a start writes nothing that it may not need.
    fn keep_spare(&mut self, effects: &mut EffectQueue) {
        let due = self.position() * 4 >= self.file_bytes || self.room_wanted;
        if !due
            || self.disk_full
            || !self.spares.is_empty()
            || self.creating.is_some()
            || self.own_files() >= self.ring_files
        {
            return;
        }
        let path = file_path(&self.dir, self.next_number);
        self.next_number += 1;
        let ticket = effects.ticket();
        self.creating = Some((ticket, Arc::from(path.as_str())));
        let create = FileOp::CreateSized { path, bytes: self.file_bytes, zeroed: self.zeroed };
        effects.push(LogEffect::Files { ticket, ops: vec![create, FileOp::SyncDir(self.dir.clone())] });
    }

    /// A write ended. True if the written prefix grew.
    pub fn handle_written(&mut self, ticket: Ticket, result: Result<(), StorageError>) -> bool {
        let write = self.writes.iter_mut().find(|write| write.ticket == ticket).expect("a write of ours");
        write.done = true;
        if let Err(error) = result {
            self.fail(format!("journal write failed: {error:?}"));
        }
        if self.failed.is_some() {
            return false;
        }
        let before = self.written;
        while self.writes.front().is_some_and(|write| write.done) {
            self.written = self.writes.pop_front().expect("looked at").last;
        }
        self.written > before
    }

    /// A flush ended, or a write and its flush in one. True if the flushed prefix grew.
    pub fn handle_flushed(&mut self, ticket: Ticket, result: Result<(), StorageError>, now: Now) -> bool {
        let (issued, target) = self.flush.take().expect("a flush was issued");
        assert_eq!(issued, ticket);
        if self.writes.iter().any(|write| write.ticket == ticket) {
            self.handle_written(ticket, result.clone());
        }
        if let Err(error) = result {
            self.fail(format!("journal flush failed: {error:?}"));
        }
        if self.failed.is_some() {
            return false;
        }
        assert!(target > self.flushed && target <= self.written, "J2");
        self.flushed = target;
        self.group_time.end(target, now);
        true
    }

    /// A `Files` effect ended; true if it was the creation of a journal file.
    pub fn handle_files(&mut self, ticket: Ticket, done: &FilesDone) -> bool {
        if self.creating.as_ref().is_none_or(|(creating, _)| *creating != ticket) {
            return false;
        }
        let (_, path) = self.creating.take().expect("looked at");
        match done.failure() {
            None => {
                self.spares.push_back(path);
                self.room_wanted = false;
            }
            // A full disk is no failure of the journal: the next number is tried again while there is need (S6).
            Some(StorageError::Full) => self.disk_full = true,
            Some(error) => self.fail(format!("creating journal file {path} failed: {error:?}")),
        }
        true
    }

    /// An append found no room: the next file is made even if the current one is nearly empty.
    pub fn want_room(&mut self) {
        self.room_wanted = true;
    }

    /// Latches a failure (J6).
    pub fn fail(&mut self, why: String) {
        self.failed.get_or_insert(why);
    }

    /// Pushes a mark frame if the flushed end is not on disk yet and nothing was pushed for a while, or at once when `now_or_never` (S4).
    pub fn mark_if_due(&mut self, now: Now, now_or_never: bool) {
        let due = self.last_mark < self.last_content && self.flushed >= self.last_content;
        let idle = now.monotonic_ms().saturating_sub(self.last_push_ms) >= MARK_AFTER_MS;
        if due && (idle || now_or_never) {
            // A full ring may refuse; the next frame carries the mark then.
            let _ = self.push(FrameBody::Mark, now);
        }
    }

    /// Some time has passed: a creation that a full disk refused may be tried again.
    pub fn handle_tick(&mut self) {
        self.disk_full = false;
    }

    /// A mark can be written, now or after a creation that is under way.
    fn may_mark(&self) -> bool {
        let fits = block_ceil(self.position()) + FrameBody::Mark.padded_bytes() <= self.file_bytes;
        fits || (self.own_files() < self.ring_files && (!self.spares.is_empty() || !self.disk_full))
    }

    /// When [`Journal::mark_if_due`] has something to do at the latest.
    pub fn mark_deadline_ms(&self) -> Option<u64> {
        // While the flush is under way its completion is a turn of its own.
        let due = self.last_mark < self.last_content && self.flushed >= self.last_content;
        (due && self.failed.is_none() && self.may_mark()).then_some(self.last_push_ms + MARK_AFTER_MS)
    }

    /// True if all frames are flushed and a mark says so (or nothing can be done any more: the journal failed, or there is no room).
    pub fn is_quiet(&self) -> bool {
        let busy = !self.groups.is_empty() || !self.writes.is_empty() || self.flush.is_some();
        let settled = self.flushed == self.last() && (self.last_mark >= self.last_content || !self.may_mark());
        (self.failed.is_some() && self.writes.iter().all(|write| write.done) && self.flush.is_none())
            || (!busy && settled && self.creating.is_none())
    }

    /// Checkpoint `number` is durable and needs nothing below `first_live` but `held`: gives the files up (S7 step 5).
    pub fn recycle(&mut self, number: u64, first_live: Sequence, held: &[HeldRange], effects: &mut EffectQueue) {
        self.checkpoint = number;
        let needed = |file: &JournalFile| held.iter().any(|(first, last)| *first <= file.last && file.first <= *last);
        let (keep, give): (Vec<_>, Vec<_>) = std::mem::take(&mut self.held).into_iter().partition(needed);
        self.held = keep;
        for file in give {
            unlink(&file, effects);
        }
        while self.files.len() > 1 && self.files[0].last < first_live {
            let file = self.files.pop_front().expect("looked at");
            assert!(file.last <= self.flushed, "only flushed files are given up");
            if needed(&file) {
                self.held.push(file);
            } else if file.boot == self.boot && self.own_files() + self.spares.len() < self.ring_files {
                self.spares.push_back(file.path);
            } else {
                unlink(&file, effects);
            }
        }
    }

    /// Asserts J1, J2 and the bounds.
    pub fn check(&self) {
        assert!(self.flushed <= self.written && self.written < self.next, "J2");
        assert!(self.own_files() >= 1 && self.own_files() <= self.ring_files);
        assert!(self.writes.len() <= JOURNAL_WRITES_IN_FLIGHT_MAX);
        for (older, newer) in self.files.iter().zip(self.files.iter().skip(1)) {
            assert!(older.last < newer.first, "J1");
        }
    }
}

/// Path of the `number`th file of a journal directory.
pub fn file_path(dir: &str, number: u64) -> String {
    format!("{dir}/{number:08}.journal")
}

fn unlink(file: &JournalFile, effects: &mut EffectQueue) {
    effects.push(LogEffect::JournalClosed { path: file.path.clone() });
    let ticket = effects.ticket();
    effects.push(LogEffect::Files { ticket, ops: vec![FileOp::Unlink(file.path.to_string())] });
}
