//! The data directory of the corpus, in memory.

use bytes::Bytes;
use corelane::base::storage::{DiskSpace, FileOp, FileOpResult, Storage, StorageError};
use std::collections::BTreeMap;

/// Files by path; a directory exists when a file is in it.
#[derive(Clone, Debug)]
pub struct Directory {
    pub files: BTreeMap<String, Vec<u8>>,
}

fn cut<'a>(from: &mut &'a [u8], count: usize) -> &'a [u8] {
    let (taken, rest) = from.split_at(count);
    *from = rest;
    taken
}

fn number<const N: usize>(from: &mut &[u8]) -> usize {
    cut(from, N).iter().fold(0, |number, byte| number << 8 | usize::from(*byte))
}

impl Directory {
    /// See `corpus/README.md` for the form of the pack.
    pub fn of_corpus() -> Directory {
        let mut pack = &include_bytes!("corpus/data_directory.pack")[..];
        let mut files = BTreeMap::new();
        while !pack.is_empty() {
            let (path_bytes, bytes, blocks) = (number::<2>(&mut pack), number::<4>(&mut pack), number::<4>(&mut pack));
            let path = String::from_utf8(cut(&mut pack, path_bytes).to_vec()).expect("a path");
            let mut data = vec![0; bytes];
            for block in 0..blocks {
                let length = number::<2>(&mut pack);
                data[block * 4096..block * 4096 + length].copy_from_slice(cut(&mut pack, length));
            }
            files.insert(path, data);
        }
        Directory { files }
    }

    /// Paths that begin with `start` and end with `end`.
    pub fn paths(&self, start: &str, end: &str) -> Vec<String> {
        self.files.keys().filter(|path| path.starts_with(start) && path.ends_with(end)).cloned().collect()
    }

    fn file(&mut self, path: &str) -> Result<&mut Vec<u8>, StorageError> {
        self.files.get_mut(path).ok_or(StorageError::NotFound)
    }
}

impl Storage for Directory {
    fn perform(&mut self, op: &FileOp) -> FileOpResult {
        match op {
            FileOp::CreateDirs(_) | FileOp::Flush(_) | FileOp::SyncDir(_) | FileOp::SyncAll => {}
            FileOp::CreateNew(path, data) => {
                if self.files.insert(path.clone(), data.to_vec()).is_some() {
                    return Err(StorageError::Exists);
                }
            }
            FileOp::CreateSized { path, bytes, .. } => {
                if self.files.insert(path.clone(), vec![0; *bytes as usize]).is_some() {
                    return Err(StorageError::Exists);
                }
            }
            FileOp::Write { path, offset, data } => {
                let file = self.file(path)?;
                let data = data.to_vec();
                let end = *offset as usize + data.len();
                file.resize(file.len().max(end), 0);
                file[*offset as usize..end].copy_from_slice(&data);
            }
            FileOp::Rename(from, to) => {
                let file = self.files.remove(from).ok_or(StorageError::NotFound)?;
                self.files.insert(to.clone(), file);
            }
            FileOp::Unlink(path) => drop(self.files.remove(path)),
            FileOp::UnlinkExcept { dir, suffix, keep } => {
                let keeps = |path: &String| {
                    let name = path.strip_prefix(dir.as_str()).and_then(|rest| rest.strip_prefix('/'));
                    name.is_none_or(|name| !name.ends_with(suffix) || keep.iter().any(|kept| kept == name))
                };
                self.files.retain(|path, _| keeps(path));
            }
            FileOp::RemoveDirAll(dir) => self.files.retain(|path, _| !path.starts_with(&format!("{dir}/"))),
            FileOp::Read { path, offset, bytes } => {
                let file = self.file(path)?;
                let start = (*offset).min(file.len() as u64) as usize;
                let end = offset.saturating_add(*bytes).min(file.len() as u64) as usize;
                return Ok(Some(Bytes::copy_from_slice(&file[start..end])));
            }
        }
        Ok(None)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError> {
        let prefix = format!("{dir}/");
        let mut names: Vec<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(|rest| rest.split('/').next().expect("a name").to_string())
            .collect();
        names.dedup();
        Ok(names)
    }

    fn size(&mut self, path: &str) -> Result<u64, StorageError> {
        self.file(path).map(|file| file.len() as u64)
    }

    fn space(&mut self) -> Result<DiskSpace, StorageError> {
        Ok(DiskSpace { total_bytes: 1 << 40, free_bytes: 1 << 39 })
    }
}
