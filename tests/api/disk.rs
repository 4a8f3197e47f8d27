//! A disk in memory: every write is durable at once. Faults are the simulator's business.

use bytes::Bytes;
use corelane::base::gather::Gather;
use corelane::base::storage::{DiskSpace, FileOp, FileOpResult, FilesDone, Storage, StorageError, block_ceil};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Debug, Default)]
pub struct Disk {
    files: BTreeMap<String, Vec<u8>>,
    dirs: BTreeSet<String>,
}

impl Disk {
    /// Paths of all files.
    pub fn files(&self) -> impl Iterator<Item = &String> {
        self.files.keys()
    }

    /// Performs operations in order up to the first failure.
    pub fn perform_all(&mut self, ops: &[FileOp]) -> FilesDone {
        let mut results = Vec::new();
        for op in ops {
            results.push(self.perform(op));
            if results.last().is_some_and(Result::is_err) {
                break;
            }
        }
        FilesDone { results }
    }

    /// Bytes of all files below a directory.
    pub fn bytes_below(&self, dir: &str) -> u64 {
        let below = self.files.iter().filter(|(path, _)| path.starts_with(&format!("{dir}/")));
        below.map(|(_, file)| file.len() as u64).sum()
    }

    /// Writes whole blocks, padded with zeros.
    pub fn write(&mut self, path: &str, offset: u64, data: &Gather) -> Result<(), StorageError> {
        let file = self.files.get_mut(path).ok_or(StorageError::NotFound)?;
        let mut bytes = data.to_vec();
        bytes.resize(block_ceil(bytes.len() as u64) as usize, 0);
        let end = offset as usize + bytes.len();
        file.resize(file.len().max(end), 0);
        file[offset as usize..end].copy_from_slice(&bytes);
        Ok(())
    }

    fn create(&mut self, path: &str, data: Vec<u8>) -> Result<(), StorageError> {
        if self.files.contains_key(path) {
            return Err(StorageError::Exists);
        }
        let dir = path.rsplit_once('/').map_or(".", |(dir, _)| dir);
        assert!(dir == "." || self.dirs.contains(dir), "no directory for {path}");
        self.files.insert(path.to_string(), data);
        Ok(())
    }
}

impl Storage for Disk {
    fn perform(&mut self, op: &FileOp) -> FileOpResult {
        match op {
            FileOp::CreateDirs(dir) => {
                let mut path = String::new();
                for name in dir.split('/') {
                    path = if path.is_empty() { name.to_string() } else { format!("{path}/{name}") };
                    self.dirs.insert(path.clone());
                }
            }
            FileOp::CreateNew(path, data) => {
                self.create(path, Vec::new())?;
                self.write(path, 0, data)?;
            }
            FileOp::CreateSized { path, bytes, .. } => self.create(path, vec![0; *bytes as usize])?,
            FileOp::Write { path, offset, data } => self.write(path, *offset, data)?,
            FileOp::Flush(path) => drop(self.files.get(path).ok_or(StorageError::NotFound)?),
            FileOp::SyncDir(_) | FileOp::SyncAll => {}
            FileOp::Rename(from, to) => {
                let data = self.files.remove(from).ok_or(StorageError::NotFound)?;
                self.files.insert(to.clone(), data);
            }
            FileOp::Unlink(path) => drop(self.files.remove(path)),
            FileOp::UnlinkExcept { dir, suffix, keep } => {
                let direct = |path: &str| path.strip_prefix(&format!("{dir}/")).map(str::to_string);
                self.files.retain(|path, _| match direct(path) {
                    Some(name) => name.contains('/') || !name.ends_with(suffix) || keep.contains(&name),
                    None => true,
                });
            }
            FileOp::RemoveDirAll(dir) => {
                let below = format!("{dir}/");
                self.files.retain(|path, _| !path.starts_with(&below));
                self.dirs.retain(|path| path != dir && !path.starts_with(&below));
            }
            FileOp::Read { path, offset, bytes } => {
                let file = self.files.get(path).ok_or(StorageError::NotFound)?;
                let from = (*offset as usize).min(file.len());
                let to = (*offset as usize + *bytes as usize).min(file.len());
                return Ok(Some(Bytes::copy_from_slice(&file[from..to])));
            }
        }
        Ok(None)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError> {
        let prefix = if dir == "." { String::new() } else { format!("{dir}/") };
        let name = |path: &String| {
            let rest = path.strip_prefix(&prefix)?;
            Some(rest.split('/').next().expect("a name").to_string())
        };
        let names: BTreeSet<String> = self.files.keys().chain(&self.dirs).filter_map(name).collect();
        Ok(names.into_iter().collect())
    }

    fn size(&mut self, path: &str) -> Result<u64, StorageError> {
        self.files.get(path).map(|file| file.len() as u64).ok_or(StorageError::NotFound)
    }

    fn space(&mut self) -> Result<DiskSpace, StorageError> {
        Ok(DiskSpace { total_bytes: 1 << 41, free_bytes: 1 << 40 })
    }
}
