//! A small disk in memory: what a process sees, what is flushed, and a crash after any number of operations.

use crate::base::prng::Prng;
use crate::base::storage::{DiskSpace, FileOp, FileOpResult, Storage, StorageError, block_ceil};
use bytes::Bytes;
use std::collections::BTreeMap;

const SECTOR: usize = 512;

#[derive(Clone, Default)]
struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<(usize, Vec<u8>)>,
}

#[derive(Clone)]
enum Change {
    Link(String, usize),
    Remove(String),
    Rename(String, String, usize),
}

/// How a machine dies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Death {
    /// Everything that was written stays.
    Kill,
    /// Any subset of what was not flushed stays.
    PowerCut,
}

/// See the module.
pub(super) struct TestDisk {
    inodes: Vec<Inode>,
    visible: BTreeMap<String, usize>,
    durable: BTreeMap<String, usize>,
    changes: Vec<Change>,
    prng: Prng,
    /// Operations until the machine dies.
    pub(super) crash_in: Option<u64>,
    /// Changing operations so far.
    pub(super) operations: u64,
    pub(super) capacity: u64,
    /// The next flush fails.
    pub(super) fail_flush: bool,
    /// A planted bug: these operations are reported done without being done.
    pub(super) left_out: fn(&FileOp) -> bool,
}

impl TestDisk {
    pub(super) fn new(seed: u64) -> TestDisk {
        TestDisk {
            inodes: Vec::new(),
            visible: BTreeMap::new(),
            durable: BTreeMap::new(),
            changes: Vec::new(),
            prng: Prng::new(seed),
            crash_in: None,
            operations: 0,
            capacity: u64::MAX,
            fail_flush: false,
            left_out: |_| false,
        }
    }

    /// The machine dies and comes back.
    pub(super) fn die(&mut self, death: Death) {
        self.crash_in = None;
        if death == Death::Kill {
            return;
        }
        for inode in &mut self.inodes {
            if inode.pending.is_empty() {
                continue;
            }
            for (offset, data) in std::mem::take(&mut inode.pending) {
                keep_some(&mut inode.durable, offset, &data, &mut self.prng);
            }
            inode.visible = inode.durable.clone();
        }
        for change in std::mem::take(&mut self.changes) {
            if self.prng.percent(50) {
                apply(&mut self.durable, &change);
            }
        }
        self.visible = self.durable.clone();
        for (number, inode) in self.inodes.iter_mut().enumerate() {
            if !self.visible.values().any(|named| *named == number) {
                *inode = Inode::default();
            }
        }
    }

    /// Bytes in all files.
    pub(super) fn used(&self) -> u64 {
        self.visible.values().map(|inode| self.inodes[*inode].visible.len() as u64).sum()
    }

    /// A file's content, to be damaged or looked at.
    pub(super) fn content(&mut self, path: &str) -> &mut Vec<u8> {
        let inode = self.visible[path];
        &mut self.inodes[inode].visible
    }

    fn inode(&mut self, path: &str) -> Result<&mut Inode, StorageError> {
        let inode = *self.visible.get(path).ok_or(StorageError::NotFound)?;
        Ok(&mut self.inodes[inode])
    }

    fn create(&mut self, path: &str, content: Vec<u8>, allocated: u64) -> Result<(), StorageError> {
        if self.visible.contains_key(path) {
            return Err(StorageError::Exists);
        }
        if self.used() + allocated > self.capacity {
            return Err(StorageError::Full);
        }
        self.visible.insert(path.to_string(), self.inodes.len());
        self.changes.push(Change::Link(path.to_string(), self.inodes.len()));
        // The space is zeros, durable or not; only content can be lost.
        let zeros = vec![0; allocated as usize];
        let mut inode = Inode { visible: zeros.clone(), durable: zeros, pending: Vec::new() };
        inode.visible[..content.len()].copy_from_slice(&content);
        if !content.is_empty() {
            inode.pending.push((0, content));
        }
        self.inodes.push(inode);
        Ok(())
    }

    fn sync_dir(&mut self, dir: &str) {
        let inside = |path: &str| path.rfind('/').map_or("", |at| &path[..at]) == dir;
        let (now, later) = std::mem::take(&mut self.changes).into_iter().partition(|change| match change {
            Change::Link(path, _) | Change::Remove(path) | Change::Rename(path, _, _) => inside(path),
        });
        self.changes = later;
        let now: Vec<Change> = now;
        now.iter().for_each(|change| apply(&mut self.durable, change));
    }

    fn change(&mut self, op: &FileOp) -> Result<(), StorageError> {
        match op {
            FileOp::CreateDirs(_) => {}
            FileOp::CreateNew(path, data) => {
                self.create(path, data.to_vec(), block_ceil(data.len() as u64))?;
            }
            FileOp::CreateSized { path, bytes, zeroed: _ } => self.create(path, Vec::new(), *bytes)?,
            FileOp::Write { path, offset, data } => {
                let mut data = data.to_vec();
                data.resize(block_ceil(data.len() as u64) as usize, 0);
                let inode = self.inode(path)?;
                let at = *offset as usize;
                assert!(at + data.len() <= inode.visible.len(), "a write beyond the space of {path}");
                inode.visible[at..at + data.len()].copy_from_slice(&data);
                inode.pending.push((at, data));
            }
            FileOp::Flush(path) => {
                if std::mem::take(&mut self.fail_flush) {
                    return Err(StorageError::Failed("planted".to_string()));
                }
                let inode = self.inode(path)?;
                for (offset, data) in std::mem::take(&mut inode.pending) {
                    inode.durable[offset..offset + data.len()].copy_from_slice(&data);
                }
            }
            FileOp::SyncDir(dir) => self.sync_dir(dir),
            FileOp::Rename(from, to) => {
                let inode = self.visible.remove(from).ok_or(StorageError::NotFound)?;
                self.visible.insert(to.clone(), inode);
                self.changes.push(Change::Rename(from.clone(), to.clone(), inode));
            }
            FileOp::Unlink(path) => {
                if self.visible.remove(path).is_some() {
                    self.changes.push(Change::Remove(path.clone()));
                }
            }
            other => panic!("the metadata log needs no {other:?}"),
        }
        Ok(())
    }
}

impl Storage for TestDisk {
    fn perform(&mut self, op: &FileOp) -> FileOpResult {
        if let FileOp::Read { path, offset, bytes } = op {
            let content = &self.inode(path)?.visible;
            let start = (*offset as usize).min(content.len());
            let end = ((offset + bytes) as usize).min(content.len());
            return Ok(Some(Bytes::copy_from_slice(&content[start..end])));
        }
        self.operations += 1;
        match &mut self.crash_in {
            Some(0) => return Err(StorageError::Crashed),
            Some(1) => {
                // The last call has happened or not.
                self.crash_in = Some(0);
                if self.prng.percent(50) {
                    let _ = self.change(op);
                }
                return Err(StorageError::Crashed);
            }
            Some(operations) => *operations -= 1,
            None => {}
        }
        if (self.left_out)(op) {
            return Ok(None);
        }
        self.change(op).map(|()| None)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError> {
        let prefix = if dir.is_empty() { String::new() } else { format!("{dir}/") };
        let names = self.visible.keys().filter_map(|path| path.strip_prefix(&prefix));
        let mut names: Vec<String> = names.map(|name| name.split('/').next().unwrap_or(name).to_string()).collect();
        names.dedup();
        Ok(names)
    }

    fn size(&mut self, path: &str) -> Result<u64, StorageError> {
        Ok(self.inode(path)?.visible.len() as u64)
    }

    fn space(&mut self) -> Result<DiskSpace, StorageError> {
        Ok(DiskSpace { total_bytes: self.capacity, free_bytes: self.capacity - self.used() })
    }
}

/// Each sector of an unflushed write reaches the disk or not.
fn keep_some(durable: &mut [u8], offset: usize, data: &[u8], prng: &mut Prng) {
    let share = [0, 50, 100][prng.below(3) as usize];
    for (index, sector) in data.chunks(SECTOR).enumerate() {
        if prng.percent(share) {
            let at = offset + index * SECTOR;
            durable[at..at + sector.len()].copy_from_slice(sector);
        }
    }
}

fn apply(names: &mut BTreeMap<String, usize>, change: &Change) {
    match change {
        Change::Link(path, inode) => drop(names.insert(path.clone(), *inode)),
        Change::Remove(path) => drop(names.remove(path)),
        Change::Rename(from, to, inode) => {
            names.remove(from);
            names.insert(to.clone(), *inode);
        }
    }
}
