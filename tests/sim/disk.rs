//! A byte-accurate disk in memory: what a process sees, what a power cut leaves, and everything in between.
//!
//! Per inode there is a visible content (what reads return) and a durable one (what survives a power cut); writes that
//! completed but were not flushed wait in `pending`, writes that were submitted but have not completed are `inflight`.
//! Directory entries have the same two states and become durable by `SyncDir` or `SyncAll` only. Flushes are two-phased:
//! a flush covers what was pending when it began, whatever completes while it runs (S2).

use crate::plant::Plant;
use bytes::Bytes;
use corelane::base::prng::Prng;
use corelane::base::storage::{BLOCK_BYTES, DiskSpace, FileOp, FileOpResult, Storage, StorageError, block_ceil};
use std::collections::{BTreeMap, BTreeSet};

/// What a disk tears at.
pub const SECTOR: usize = 512;

/// An inode; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct InodeId(u64);

/// A submitted write.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct WriteId(u64);

/// Everything that completed before this moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Horizon(u64);

/// First half of an operation; the caller finishes it later.
pub enum Step {
    Done(Option<Bytes>),
    Writing(WriteId),
    Syncing(Horizon),
}

/// A single failure that the next matching operation suffers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    JournalWrite,
    JournalFlush,
    SegmentWrite,
    SegmentFlush,
    SegmentRead,
    CheckpointWrite,
    SyncAll,
    MetadataWrite,
    MetadataFlush,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Entry {
    Dir,
    File(InodeId),
}

#[derive(Clone, Debug)]
enum Pending {
    Length { id: u64, bytes: usize },
    Bytes { id: u64, offset: usize, data: Vec<u8> },
}

impl Pending {
    fn id(&self) -> u64 {
        match self {
            Pending::Length { id, .. } | Pending::Bytes { id, .. } => *id,
        }
    }
}

#[derive(Clone, Default)]
struct Inode {
    /// Pages were lost and nobody who flushes this file has been told: the next flush tells.
    poisoned: bool,
    visible: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
}

struct Inflight {
    id: WriteId,
    inode: InodeId,
    offset: usize,
    data: Vec<u8>,
}

struct Late {
    countdown: u64,
    /// Directory of the file that it was meant for.
    dir: String,
    inode: InodeId,
    offset: usize,
    data: Vec<u8>,
}

#[derive(Clone, Debug)]
enum Change {
    Link(String, Entry),
    Remove(String),
    Rename(String, String, Entry),
}

struct DirOp {
    id: u64,
    change: Change,
}

/// How often things happened to the disk.
#[derive(Clone, Debug, Default)]
pub struct DiskCounts {
    pub late_writes: u64,
    pub torn_writes: u64,
    pub lost_sectors: u64,
    pub lost_entries: u64,
    pub refused_full: u64,
    pub phantom_flushes: u64,
    pub failed: BTreeMap<Fault, u64>,
}

/// See the module.
pub struct Disk {
    inodes: BTreeMap<InodeId, Inode>,
    visible: BTreeMap<String, Entry>,
    durable: BTreeMap<String, Entry>,
    dir_ops: Vec<DirOp>,
    inflight: Vec<Inflight>,
    late: Vec<Late>,
    next: u64,
    prng: Prng,
    /// Operations until the machine dies; 0 = never.
    pub crash_in: u64,
    pub crashed: bool,
    pub operations: u64,
    pub armed: BTreeSet<Fault>,
    pub capacity: u64,
    sync_failed: bool,
    /// Largest delay, in operations, of a write that a killed process left behind.
    pub late_operations_max: u64,
    pub counts: DiskCounts,
    pub plant: Plant,
    /// The machine is starting.
    pub starting: bool,
    pub trace: bool,
}

fn parent(path: &str) -> &str {
    path.rfind('/').map_or("", |at| &path[..at])
}

/// The role of a file, told by its name.
pub fn is_segment(path: &str) -> bool {
    path.ends_with(".segment")
}

pub fn is_journal(path: &str) -> bool {
    path.ends_with(".journal")
}

pub fn is_checkpoint(path: &str) -> bool {
    path.starts_with("journal/") && path.contains("/checkpoint")
}

pub fn is_metadata(path: &str) -> bool {
    path.starts_with("metadata/")
}

impl Disk {
    pub fn new(seed: u64) -> Disk {
        Disk {
            inodes: BTreeMap::new(),
            visible: BTreeMap::new(),
            durable: BTreeMap::new(),
            dir_ops: Vec::new(),
            inflight: Vec::new(),
            late: Vec::new(),
            next: 1,
            prng: Prng::new(seed),
            crash_in: 0,
            crashed: false,
            operations: 0,
            armed: BTreeSet::new(),
            capacity: u64::MAX,
            sync_failed: false,
            late_operations_max: 600,
            counts: DiskCounts::default(),
            plant: Plant::None,
            starting: false,
            trace: false,
        }
    }

    /// Opens a file as the runtime does: later writes go to the inode, whatever happens to the name.
    pub fn open(&self, path: &str) -> Result<InodeId, StorageError> {
        match self.visible.get(path) {
            Some(Entry::File(inode)) => Ok(*inode),
            _ => Err(StorageError::NotFound),
        }
    }

    /// Submits an aligned write; it completes, fails or is lost later.
    pub fn submit(&mut self, inode: InodeId, offset: u64, data: Vec<u8>) -> Result<WriteId, StorageError> {
        self.tick()?;
        Ok(self.begin_write(inode, offset, data))
    }

    fn begin_write(&mut self, inode: InodeId, offset: u64, mut data: Vec<u8>) -> WriteId {
        assert_eq!(offset % BLOCK_BYTES, 0, "unaligned offset {offset}");
        data.resize(block_ceil(data.len() as u64) as usize, 0);
        assert!(!data.is_empty(), "empty write");
        let id = WriteId(self.number());
        self.inflight.push(Inflight { id, inode, offset: offset as usize, data });
        id
    }

    /// The write ends; `fault` makes it fail, with any part of it on the disk.
    pub fn complete(&mut self, id: WriteId, fault: Option<Fault>) -> Result<(), StorageError> {
        self.tick()?;
        let at = self.inflight.iter().position(|write| write.id == id).expect("a write completes once");
        let write = self.inflight.remove(at);
        if let Some(fault) = fault
            && self.armed.remove(&fault)
        {
            *self.counts.failed.entry(fault).or_default() += 1;
            self.land_torn(write.inode, write.offset, &write.data);
            return Err(StorageError::Failed(format!("simulated {fault:?}")));
        }
        self.land(write.inode, write.offset, &write.data)
    }

    /// What a flush that begins now will cover.
    pub fn horizon(&mut self) -> Horizon {
        Horizon(self.number())
    }

    /// Ends a flush of one inode; a failed one loses any part of what it covered, and a later one will not notice.
    pub fn flush(&mut self, inode: InodeId, horizon: Horizon, fault: Fault) -> Result<(), StorageError> {
        self.tick()?;
        let poisoned = self.inodes.get_mut(&inode).is_some_and(|file| std::mem::replace(&mut file.poisoned, false));
        if self.armed.remove(&fault) || poisoned {
            *self.counts.failed.entry(fault).or_default() += 1;
            self.lose(inode, horizon);
            if let Some(file) = self.inodes.get_mut(&inode) {
                file.poisoned = false;
            }
            return Err(StorageError::Failed(format!("simulated {fault:?}")));
        }
        if self.plant.lies_about_flush(fault, self.starting) {
            return Ok(());
        }
        self.make_durable(inode, horizon);
        Ok(())
    }

    /// First half of an operation.
    pub fn begin(&mut self, op: &FileOp) -> Result<Step, StorageError> {
        if self.trace {
            println!("      disk {}", describe(op));
        }
        if matches!(op, FileOp::RemoveDirAll(_) | FileOp::UnlinkExcept { .. }) {
            return self.begin_inner(op);
        }
        match self.tick() {
            Ok(()) => self.begin_inner(op),
            // The call that the crash interrupts has happened or not; nobody hears of it.
            Err(error) => {
                if self.prng.percent(50) {
                    let _ = self.begin_inner(op);
                }
                Err(error)
            }
        }
    }

    fn begin_inner(&mut self, op: &FileOp) -> Result<Step, StorageError> {
        if self.plant.skips_op(op, self.starting) {
            return Ok(Step::Done(None));
        }
        match op {
            FileOp::CreateDirs(path) => {
                self.plant_other_generations_gone(path);
                self.create_dirs(path);
                Ok(Step::Done(None))
            }
            FileOp::CreateNew(path, data) => {
                let inode = self.create(path, block_ceil(data.len() as u64))?;
                if data.is_empty() {
                    return Ok(Step::Done(None));
                }
                Ok(Step::Writing(self.begin_write(inode, 0, self.plant.data_to_write(path, data))))
            }
            FileOp::CreateSized { path, bytes, zeroed } => {
                assert_eq!(bytes % BLOCK_BYTES, 0, "unaligned size {bytes}");
                let inode = self.create(path, *bytes)?;
                if *zeroed {
                    return Ok(Step::Writing(self.begin_write(inode, 0, vec![0; *bytes as usize])));
                }
                self.set_length(inode, *bytes as usize);
                Ok(Step::Done(None))
            }
            FileOp::Write { path, offset, data } => {
                let inode = self.open(path)?;
                let end = offset + block_ceil(data.len() as u64);
                let grows = end.saturating_sub(self.inodes[&inode].visible.len() as u64);
                self.reserve(grows)?;
                Ok(Step::Writing(self.begin_write(inode, *offset, self.plant.data_to_write(path, data))))
            }
            FileOp::Flush(path) => {
                self.open(path)?;
                Ok(Step::Syncing(self.horizon()))
            }
            FileOp::SyncDir(path) => match self.visible.get(path) {
                Some(Entry::Dir) => Ok(Step::Syncing(self.horizon())),
                _ if path.is_empty() || path == "." => Ok(Step::Syncing(self.horizon())),
                // The removal of a directory is its parent's entry.
                _ => Ok(Step::Done(None)),
            },
            FileOp::SyncAll => Ok(Step::Syncing(self.horizon())),
            FileOp::Rename(from, to) => self.rename(from, to).map(|()| Step::Done(None)),
            FileOp::Unlink(path) => {
                self.unlink(path);
                Ok(Step::Done(None))
            }
            FileOp::UnlinkExcept { dir, suffix, keep } => {
                self.unlink_except(dir, suffix, keep).map(|()| Step::Done(None))
            }
            FileOp::RemoveDirAll(path) => self.remove_dir_all(path).map(|()| Step::Done(None)),
            FileOp::Read { path, offset, bytes } => self.read(path, *offset, *bytes).map(|data| Step::Done(Some(data))),
        }
    }

    /// Second half of an operation.
    pub fn finish(&mut self, op: &FileOp, step: Step) -> FileOpResult {
        match step {
            Step::Done(data) => Ok(data),
            Step::Writing(id) => self.complete(id, write_fault(op)).map(|()| None),
            Step::Syncing(horizon) => self.finish_sync(op, horizon).map(|()| None),
        }
    }

    fn finish_sync(&mut self, op: &FileOp, horizon: Horizon) -> Result<(), StorageError> {
        match op {
            FileOp::Flush(path) => {
                let inode = self.open(path)?;
                self.flush(inode, horizon, flush_fault(path))
            }
            FileOp::SyncDir(path) => {
                self.tick()?;
                if !self.plant.drops_sync_dir(path) {
                    self.sync_dir(path, horizon);
                }
                Ok(())
            }
            FileOp::SyncAll => self.sync_all(horizon),
            _ => unreachable!("not a sync"),
        }
    }

    fn create(&mut self, path: &str, bytes: u64) -> Result<InodeId, StorageError> {
        if self.visible.contains_key(path) {
            return Err(StorageError::Exists);
        }
        if !self.is_dir(parent(path)) {
            return Err(StorageError::NotFound);
        }
        self.reserve(bytes)?;
        let inode = InodeId(self.number());
        self.inodes.insert(inode, Inode::default());
        self.visible.insert(path.to_string(), Entry::File(inode));
        self.note(Change::Link(path.to_string(), Entry::File(inode)));
        Ok(inode)
    }

    fn create_dirs(&mut self, path: &str) {
        let mut at = 0;
        while at < path.len() {
            at = path[at..].find('/').map_or(path.len(), |found| at + found);
            let dir = path[..at].to_string();
            if !self.visible.contains_key(&dir) {
                self.visible.insert(dir.clone(), Entry::Dir);
                self.note(Change::Link(dir, Entry::Dir));
            }
            at += 1;
        }
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<(), StorageError> {
        assert_eq!(parent(from), parent(to), "renames stay within a directory");
        let entry = self.visible.remove(from).ok_or(StorageError::NotFound)?;
        self.visible.insert(to.to_string(), entry);
        self.note(Change::Rename(from.to_string(), to.to_string(), entry));
        Ok(())
    }

    fn unlink(&mut self, path: &str) {
        assert!(self.visible.get(path) != Some(&Entry::Dir), "unlink of directory {path}");
        if self.plant.skips_unlink(path) {
            return;
        }
        if self.visible.remove(path).is_some() {
            self.note(Change::Remove(path.to_string()));
        }
    }

    fn unlink_except(&mut self, dir: &str, suffix: &str, keep: &[String]) -> Result<(), StorageError> {
        let prefix = format!("{dir}/");
        let doomed = |path: &&String| {
            let name = path.strip_prefix(&prefix);
            name.is_some_and(|name| {
                !name.contains('/') && name.ends_with(suffix) && !keep.iter().any(|kept| kept == name)
            })
        };
        let paths: Vec<String> = self.visible.keys().filter(doomed).cloned().collect();
        for path in paths {
            self.tick()?;
            self.unlink(&path);
        }
        self.tick()
    }

    fn remove_dir_all(&mut self, path: &str) -> Result<(), StorageError> {
        let prefix = format!("{path}/");
        let mut inside: Vec<String> = self.visible.keys().filter(|name| name.starts_with(&prefix)).cloned().collect();
        // Longest first: a directory goes after what is in it.
        inside.reverse();
        if self.visible.contains_key(path) {
            inside.push(path.to_string());
        }
        for name in inside {
            self.tick()?;
            self.visible.remove(&name);
            self.note(Change::Remove(name));
        }
        self.tick()
    }

    fn read(&mut self, path: &str, offset: u64, bytes: u64) -> Result<Bytes, StorageError> {
        assert_eq!(offset % BLOCK_BYTES, 0, "unaligned read at {offset}");
        assert_eq!(bytes % BLOCK_BYTES, 0, "unaligned read of {bytes}");
        let inode = self.open(path)?;
        if is_segment(path) && self.armed.remove(&Fault::SegmentRead) {
            *self.counts.failed.entry(Fault::SegmentRead).or_default() += 1;
            return Err(StorageError::Failed("simulated read error".to_string()));
        }
        let content = &self.inodes[&inode].visible;
        let from = (offset as usize).min(content.len());
        let until = ((offset + bytes) as usize).min(content.len());
        Ok(self.plant.data_read(path, Bytes::copy_from_slice(&content[from..until])))
    }

    fn reserve(&mut self, bytes: u64) -> Result<(), StorageError> {
        if bytes > 0 && self.used() + bytes > self.capacity {
            self.counts.refused_full += 1;
            return Err(StorageError::Full);
        }
        Ok(())
    }

    /// Bytes of all files that have a name.
    pub fn used(&self) -> u64 {
        self.visible
            .values()
            .map(|entry| if let Entry::File(inode) = entry { self.inodes[inode].visible.len() as u64 } else { 0 })
            .sum()
    }

    fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.visible.get(path) == Some(&Entry::Dir)
    }

    /// Names of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        self.visible.iter().filter(|(_, entry)| **entry != Entry::Dir).map(|(path, _)| path.clone()).collect()
    }

    /// True if a file or directory with this prefix would survive a power cut or is seen now.
    pub fn names_anything(&self, prefix: &str) -> bool {
        self.visible.keys().any(|path| path.starts_with(prefix))
    }

    /// The bytes that a process would read.
    pub fn content(&self, path: &str) -> Option<&[u8]> {
        self.open(path).ok().map(|inode| self.inodes[&inode].visible.as_slice())
    }

    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn note(&mut self, change: Change) {
        let id = self.number();
        self.dir_ops.push(DirOp { id, change });
    }

    /// One operation passes: late writes come nearer, and so does the crash.
    fn tick(&mut self) -> Result<(), StorageError> {
        if self.crashed {
            return Err(StorageError::Crashed);
        }
        self.operations += 1;
        if !self.late.is_empty() {
            self.land_late();
        }
        if self.operations.is_multiple_of(2048) {
            self.forget_inodes();
        }
        if self.crash_in > 0 {
            self.crash_in -= 1;
            if self.crash_in == 0 {
                self.crashed = true;
                return Err(StorageError::Crashed);
            }
        }
        Ok(())
    }

    fn land_late(&mut self) {
        let mut due = Vec::new();
        self.late.retain_mut(|late| {
            late.countdown = late.countdown.saturating_sub(1);
            if late.countdown > 0 {
                return true;
            }
            due.push((std::mem::take(&mut late.dir), late.inode, late.offset, std::mem::take(&mut late.data)));
            false
        });
        for (dir, mut inode, offset, data) in due {
            if self.plant == Plant::S05LateWritesFollow {
                inode = self.newest_journal(&dir, offset + data.len()).unwrap_or(inode);
            }
            self.counts.late_writes += 1;
            if self.trace {
                println!("      disk LATE WRITE lands: {inode:?} at {offset}, {} bytes", data.len());
            }
            if self.prng.percent(80) {
                let _ = self.land(inode, offset, &data);
            } else {
                self.land_torn(inode, offset, &data);
            }
        }
    }

    fn set_length(&mut self, inode: InodeId, bytes: usize) {
        let id = self.number();
        let file = self.inodes.get_mut(&inode).expect("inode exists");
        if file.visible.len() < bytes {
            file.visible.resize(bytes, 0);
            file.pending.push(Pending::Length { id, bytes });
        }
    }

    fn land(&mut self, inode: InodeId, offset: usize, data: &[u8]) -> Result<(), StorageError> {
        if !self.inodes.contains_key(&inode) {
            return Ok(());
        }
        self.set_length(inode, offset + data.len());
        let id = self.number();
        let file = self.inodes.get_mut(&inode).expect("inode exists");
        file.visible[offset..offset + data.len()].copy_from_slice(data);
        file.pending.push(Pending::Bytes { id, offset, data: data.to_vec() });
        Ok(())
    }

    fn land_torn(&mut self, inode: InodeId, offset: usize, data: &[u8]) {
        self.counts.torn_writes += 1;
        for (index, sector) in data.chunks(SECTOR).enumerate() {
            if self.prng.percent(50) {
                let _ = self.land(inode, offset + index * SECTOR, sector);
            }
        }
    }

    fn make_durable(&mut self, inode: InodeId, horizon: Horizon) {
        let Some(file) = self.inodes.get_mut(&inode) else { return };
        for pending in std::mem::take(&mut file.pending) {
            if pending.id() > horizon.0 {
                file.pending.push(pending);
                continue;
            }
            apply(&mut file.durable, &pending);
        }
    }

    fn lose(&mut self, inode: InodeId, horizon: Horizon) {
        let Some(file) = self.inodes.get_mut(&inode) else { return };
        for pending in std::mem::take(&mut file.pending) {
            if pending.id() > horizon.0 {
                file.pending.push(pending);
            } else if self.prng.percent(50) || matches!(pending, Pending::Length { .. }) {
                apply(&mut file.durable, &pending);
            } else {
                self.counts.phantom_flushes += 1;
                file.poisoned = true;
            }
        }
    }

    fn sync_dir(&mut self, dir: &str, horizon: Horizon) {
        let dir = if dir == "." { "" } else { dir };
        let mut rest = Vec::new();
        for op in std::mem::take(&mut self.dir_ops) {
            let path = match &op.change {
                Change::Link(path, _) | Change::Remove(path) | Change::Rename(path, _, _) => path,
            };
            if op.id <= horizon.0 && parent(path) == dir {
                apply_entry(&mut self.durable, &op.change);
            } else {
                rest.push(op);
            }
        }
        self.dir_ops = rest;
    }

    fn sync_all(&mut self, horizon: Horizon) -> Result<(), StorageError> {
        self.tick()?;
        let inodes: Vec<InodeId> = self.inodes.keys().copied().collect();
        if self.armed.remove(&Fault::SyncAll) {
            *self.counts.failed.entry(Fault::SyncAll).or_default() += 1;
            for inode in inodes {
                self.lose(inode, horizon);
            }
            self.sync_failed = true;
            return Err(StorageError::Failed("simulated SyncAll".to_string()));
        }
        if self.sync_failed {
            // The runtime latches it: the kernel would tell only once.
            return Err(StorageError::Failed("an earlier SyncAll failed".to_string()));
        }
        if self.plant.lies_about_flush(Fault::SyncAll, self.starting) {
            return Ok(());
        }
        for inode in inodes {
            self.make_durable(inode, horizon);
        }
        let mut rest = Vec::new();
        for op in std::mem::take(&mut self.dir_ops) {
            if op.id <= horizon.0 {
                apply_entry(&mut self.durable, &op.change);
            } else {
                rest.push(op);
            }
        }
        self.dir_ops = rest;
        Ok(())
    }

    fn dir_of(&self, inode: InodeId) -> String {
        let found = self.visible.iter().find(|(_, entry)| **entry == Entry::File(inode));
        found.map_or_else(String::new, |(path, _)| parent(path).to_string())
    }

    fn newest_journal(&self, dir: &str, bytes: usize) -> Option<InodeId> {
        let here = self.visible.iter().rev().filter(|(path, _)| is_journal(path) && parent(path) == dir);
        let inodes = here.filter_map(|(_, entry)| if let Entry::File(inode) = entry { Some(*inode) } else { None });
        inodes.into_iter().find(|inode| self.inodes[inode].visible.len() >= bytes)
    }

    /// For [`Plant::S19OldGenerationFirst`]: the first directory of a generation lets the others go.
    fn plant_other_generations_gone(&mut self, path: &str) {
        let Some(generation) = path.strip_prefix("journal/").and_then(|rest| rest.split('/').next()) else { return };
        if self.plant == Plant::S19OldGenerationFirst {
            let keep = format!("journal/{generation}/");
            let gone = |name: &String| name.starts_with("journal/") && !format!("{name}/").starts_with(&keep);
            self.visible.retain(|name, _| !gone(name));
            self.durable.retain(|name, _| !gone(name));
        }
    }

    /// For [`Plant::S14OlderSlot`]: the newer slot of some core's checkpoint is not there.
    pub fn plant_lose_newest_slot(&mut self, newer: &str) {
        self.visible.remove(newer);
        self.durable.remove(newer);
    }

    /// kill -9: what was written stays; what was in flight is lost, lands (perhaps torn), or lands late.
    pub fn kill(&mut self) {
        for write in std::mem::take(&mut self.inflight) {
            match self.prng.below(4) {
                0 => {}
                1..=2 => {
                    let countdown = 1 + self.prng.below(self.late_operations_max);
                    let dir = self.dir_of(write.inode);
                    self.late.push(Late { countdown, dir, inode: write.inode, offset: write.offset, data: write.data });
                }
                _ if self.prng.percent(15) => self.land_torn(write.inode, write.offset, &write.data),
                _ => {
                    let _ = self.land(write.inode, write.offset, &write.data);
                }
            }
        }
        if self.plant == Plant::S20KillLosesWrites {
            let journals = self.visible.iter().filter(|(path, _)| is_journal(path)).map(|(_, entry)| *entry);
            for entry in journals.collect::<Vec<_>>() {
                if let Entry::File(inode) = entry {
                    self.cut_file(inode, 0, 0);
                }
            }
        }
        self.restart();
    }

    /// Power cut: any subset of what was not flushed survives, by sector; of directory entries, any prefix per name.
    pub fn power_cut(&mut self) {
        for write in std::mem::take(&mut self.inflight) {
            let _ = self.land(write.inode, write.offset, &write.data);
        }
        for late in std::mem::take(&mut self.late) {
            let _ = self.land(late.inode, late.offset, &late.data);
        }
        let keep = [0, 30, 60, 95, 100][self.prng.below(5) as usize];
        let torn = if self.prng.percent(50) { 25 } else { 0 };
        let inodes: Vec<InodeId> = self.inodes.keys().copied().collect();
        for inode in inodes {
            self.cut_file(inode, keep, torn);
        }
        self.cut_entries();
        self.restart();
    }

    fn cut_file(&mut self, inode: InodeId, keep: u64, torn: u64) {
        let pendings = std::mem::take(&mut self.inodes.get_mut(&inode).expect("inode exists").pending);
        for pending in pendings {
            let prng = &mut self.prng;
            let file = self.inodes.get_mut(&inode).expect("inode exists");
            let Pending::Bytes { id, offset, data } = &pending else {
                if prng.percent(keep.max(30)) {
                    apply(&mut file.durable, &pending);
                }
                continue;
            };
            if prng.percent(torn) {
                self.counts.torn_writes += 1;
                for (index, sector) in data.chunks(SECTOR).enumerate() {
                    if prng.percent(50) {
                        let part = Pending::Bytes { id: *id, offset: offset + index * SECTOR, data: sector.to_vec() };
                        apply(&mut file.durable, &part);
                    }
                }
            } else if prng.percent(keep) {
                apply(&mut file.durable, &pending);
            } else {
                self.counts.lost_sectors += (data.len() / SECTOR) as u64;
            }
        }
        let file = self.inodes.get_mut(&inode).expect("inode exists");
        file.visible = file.durable.clone();
    }

    fn cut_entries(&mut self) {
        let keep = [0, 50, 100][self.prng.below(3) as usize];
        let mut stopped: BTreeSet<String> = BTreeSet::new();
        for op in std::mem::take(&mut self.dir_ops) {
            let names: Vec<String> = match &op.change {
                Change::Link(path, _) | Change::Remove(path) => vec![path.clone()],
                Change::Rename(from, to, _) => vec![from.clone(), to.clone()],
            };
            if names.iter().any(|name| stopped.contains(name)) || !self.prng.percent(keep) {
                self.counts.lost_entries += 1;
                stopped.extend(names);
            } else {
                apply_entry(&mut self.durable, &op.change);
            }
        }
        // What lies in a directory that is not there cannot be reached.
        let names: Vec<String> = self.durable.keys().cloned().collect();
        for name in names {
            let up = parent(&name);
            if !up.is_empty() && self.durable.get(up) != Some(&Entry::Dir) {
                self.durable.remove(&name);
            }
        }
        self.visible = self.durable.clone();
    }

    fn restart(&mut self) {
        self.crashed = false;
        self.crash_in = 0;
        self.sync_failed = false;
        self.armed.clear();
        for file in self.inodes.values_mut() {
            file.poisoned = false;
        }
        self.forget_inodes();
        if self.late.len() > 64 {
            self.late.truncate(64);
        }
    }

    #[cfg(test)]
    pub fn prng_for_tests(&mut self, seed: u64) {
        self.prng = Prng::new(seed);
    }

    #[cfg(test)]
    pub fn duplicate_for_tests(&self) -> Disk {
        let mut copy = Disk::new(0);
        copy.inodes = self.inodes.clone();
        copy.visible = self.visible.clone();
        copy.durable = self.durable.clone();
        copy.next = self.next;
        copy
    }

    /// Drops the content of files that nothing can reach any more.
    fn forget_inodes(&mut self) {
        let mut reachable: BTreeSet<InodeId> = BTreeSet::new();
        let changes = self.dir_ops.iter().filter_map(|op| match &op.change {
            Change::Link(_, entry) | Change::Rename(_, _, entry) => Some(entry),
            Change::Remove(_) => None,
        });
        for entry in self.visible.values().chain(self.durable.values()).chain(changes) {
            if let Entry::File(inode) = entry {
                reachable.insert(*inode);
            }
        }
        self.inodes.retain(|inode, _| reachable.contains(inode));
    }

    /// Bits rot under the file system: the sector is zeroed or a bit flips, in what is read and in what is durable.
    pub fn rot(&mut self, path: &str, sector: usize) {
        let Ok(inode) = self.open(path) else { return };
        let zero = self.prng.percent(40);
        let bit = self.prng.below((SECTOR * 8) as u64) as usize;
        let file = self.inodes.get_mut(&inode).expect("inode exists");
        for pending in std::mem::take(&mut file.pending) {
            apply(&mut file.durable, &pending);
        }
        let range = sector * SECTOR..(sector + 1) * SECTOR;
        for content in [&mut file.visible, &mut file.durable] {
            let Some(bytes) = content.get_mut(range.clone()) else { continue };
            if zero {
                bytes.fill(0);
            } else {
                bytes[bit / 8] ^= 1 << (bit % 8);
            }
        }
    }
}

impl Storage for Disk {
    fn perform(&mut self, op: &FileOp) -> FileOpResult {
        let step = self.begin(op)?;
        self.finish(op, step)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError> {
        self.tick()?;
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let inside = self.visible.keys().filter_map(|path| path.strip_prefix(&prefix));
        Ok(inside.filter(|name| !name.is_empty() && !name.contains('/')).map(str::to_string).collect())
    }

    fn size(&mut self, path: &str) -> Result<u64, StorageError> {
        self.tick()?;
        let inode = self.open(path)?;
        Ok(self.inodes[&inode].visible.len() as u64)
    }

    fn space(&mut self) -> Result<DiskSpace, StorageError> {
        self.tick()?;
        let free_bytes = self.capacity.saturating_sub(self.used()).min(1 << 40);
        Ok(DiskSpace { total_bytes: self.capacity, free_bytes })
    }
}

/// The fault that an operation's write can suffer.
fn write_fault(op: &FileOp) -> Option<Fault> {
    let (FileOp::Write { path, .. } | FileOp::CreateNew(path, _) | FileOp::CreateSized { path, .. }) = op else {
        return None;
    };
    if is_segment(path) {
        Some(Fault::SegmentWrite)
    } else if is_checkpoint(path) {
        Some(Fault::CheckpointWrite)
    } else if is_metadata(path) {
        Some(Fault::MetadataWrite)
    } else {
        None
    }
}

fn flush_fault(path: &str) -> Fault {
    if is_segment(path) {
        Fault::SegmentFlush
    } else if is_metadata(path) {
        Fault::MetadataFlush
    } else if is_checkpoint(path) {
        Fault::CheckpointWrite
    } else {
        Fault::JournalFlush
    }
}

fn apply(content: &mut Vec<u8>, pending: &Pending) {
    match pending {
        Pending::Length { bytes, .. } => {
            if content.len() < *bytes {
                content.resize(*bytes, 0);
            }
        }
        Pending::Bytes { offset, data, .. } => {
            // A write beyond a size that did not become durable is lost with it.
            let until = (offset + data.len()).min(content.len());
            if *offset < until {
                content[*offset..until].copy_from_slice(&data[..until - offset]);
            }
        }
    }
}

fn apply_entry(entries: &mut BTreeMap<String, Entry>, change: &Change) {
    match change {
        Change::Link(path, entry) => {
            entries.insert(path.clone(), *entry);
        }
        Change::Remove(path) => {
            if entries.remove(path) == Some(Entry::Dir) {
                let prefix = format!("{path}/");
                entries.retain(|name, _| !name.starts_with(&prefix));
            }
        }
        Change::Rename(from, to, entry) => {
            entries.remove(from);
            entries.insert(to.clone(), *entry);
        }
    }
}

/// One line for a trace.
pub fn describe(op: &FileOp) -> String {
    match op {
        FileOp::CreateDirs(path) => format!("create dirs {path}"),
        FileOp::CreateNew(path, data) => format!("create new {path} {} bytes", data.len()),
        FileOp::CreateSized { path, bytes, zeroed } => format!("create sized {path} {bytes} zeroed {zeroed}"),
        FileOp::Write { path, offset, data } => format!("write {path} at {offset} {} bytes", data.len()),
        FileOp::Flush(path) => format!("flush {path}"),
        FileOp::SyncDir(path) => format!("sync dir {path}"),
        FileOp::SyncAll => "sync all".to_string(),
        FileOp::Rename(from, to) => format!("rename {from} to {to}"),
        FileOp::Unlink(path) => format!("unlink {path}"),
        FileOp::UnlinkExcept { dir, suffix, keep } => format!("unlink all {suffix} of {dir} except {keep:?}"),
        FileOp::RemoveDirAll(path) => format!("remove dir {path}"),
        FileOp::Read { path, offset, bytes } => format!("read {path} at {offset} {bytes} bytes"),
    }
}
