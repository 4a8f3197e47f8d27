//! A data directory that can be written to without being changed: reads come from the disk, writes stay in memory.
//!
//! With it a start can be rehearsed by the very code that starts a broker, on files that nobody may touch.

use crate::base::gather::Gather;
use crate::base::storage::{BLOCK_BYTES, DiskSpace, FileOp, FileOpResult, Storage, StorageError, block_ceil};
use bytes::{Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::ErrorKind;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// See the module. A file of it is as long as what was written says; blocks that nobody wrote are the disk's, or zeros.
pub(super) struct Overlay {
    root: PathBuf,
    /// Files made, changed or removed (none) here, by path.
    files: BTreeMap<String, Option<Changed>>,
    /// Directories that were removed with all that the disk has in them.
    removed: Vec<String>,
}

/// A file that is not, or not only, the disk's.
#[derive(Clone, Default)]
struct Changed {
    bytes: u64,
    /// Path on the disk of what lies below.
    below: Option<String>,
    blocks: BTreeMap<u64, Bytes>,
}

impl Overlay {
    pub(super) fn new(root: &Path) -> Overlay {
        Overlay { root: root.to_path_buf(), files: BTreeMap::new(), removed: Vec::new() }
    }

    fn on_disk(&self, path: &str) -> Option<PathBuf> {
        let is_removed = |dir: &String| path == dir || path.starts_with(&format!("{dir}/"));
        let full = if matches!(path, "" | ".") { self.root.clone() } else { self.root.join(path) };
        (!self.removed.iter().any(is_removed)).then_some(full)
    }

    fn disk_size(&self, path: &str) -> Result<u64, StorageError> {
        let full = self.on_disk(path).ok_or(StorageError::NotFound)?;
        std::fs::metadata(full).map(|found| found.len()).map_err(|error| failed(path, &error))
    }

    fn find(&self, path: &str) -> Result<Changed, StorageError> {
        match self.files.get(path) {
            Some(Some(changed)) => Ok(changed.clone()),
            Some(None) => Err(StorageError::NotFound),
            None => {
                Ok(Changed { bytes: self.disk_size(path)?, below: Some(path.to_string()), blocks: BTreeMap::new() })
            }
        }
    }

    fn create(&mut self, path: &str, bytes: u64) -> Result<(), StorageError> {
        match self.find(path) {
            Ok(_) => return Err(StorageError::Exists),
            Err(StorageError::NotFound) => {}
            Err(error) => return Err(error),
        }
        self.files.insert(path.to_string(), Some(Changed { bytes, ..Changed::default() }));
        Ok(())
    }

    fn write(&mut self, path: &str, offset: u64, data: &Gather) -> Result<(), StorageError> {
        let mut changed = self.find(path)?;
        let mut all = BytesMut::with_capacity(data.len());
        data.slices().iter().for_each(|slice| all.extend_from_slice(slice));
        all.resize(block_ceil(all.len() as u64) as usize, 0);
        let all = all.freeze();
        for (index, at) in (0..all.len()).step_by(BLOCK_BYTES as usize).enumerate() {
            let block = all.slice(at..at + BLOCK_BYTES as usize);
            changed.blocks.insert(offset + index as u64 * BLOCK_BYTES, block);
        }
        changed.bytes = changed.bytes.max(offset + all.len() as u64);
        self.files.insert(path.to_string(), Some(changed));
        Ok(())
    }

    fn read(&self, path: &str, offset: u64, bytes: u64) -> Result<Bytes, StorageError> {
        let changed = self.find(path)?;
        let end = changed.bytes.min(offset + bytes).max(offset);
        let mut out = vec![0; (end - offset) as usize];
        if let Some(below) = changed.below.as_deref().and_then(|below| self.on_disk(below)) {
            let file = File::open(below).map_err(|error| failed(path, &error))?;
            read_into(&file, offset, &mut out).map_err(|error| failed(path, &error))?;
        }
        for (at, block) in changed.blocks.range(offset..end) {
            let (from, length) = ((at - offset) as usize, block.len().min((end - at) as usize));
            out[from..from + length].copy_from_slice(&block[..length]);
        }
        Ok(Bytes::from(out))
    }

    fn unlink_except(&mut self, dir: &str, suffix: &str, keep: &[String]) -> Result<(), StorageError> {
        for name in self.list(dir)? {
            if name.ends_with(suffix) && !keep.contains(&name) {
                self.files.insert(format!("{dir}/{name}"), None);
            }
        }
        Ok(())
    }
}

impl Storage for Overlay {
    fn perform(&mut self, op: &FileOp) -> FileOpResult {
        match op {
            FileOp::CreateNew(path, data) => {
                self.create(path, 0)?;
                self.write(path, 0, data)?;
            }
            FileOp::CreateSized { path, bytes, .. } => self.create(path, *bytes)?,
            FileOp::Write { path, offset, data } => self.write(path, *offset, data)?,
            FileOp::Rename(from, to) => {
                let moved = self.find(from)?;
                self.files.insert(from.clone(), None);
                self.files.insert(to.clone(), Some(moved));
            }
            FileOp::Unlink(path) => drop(self.files.insert(path.clone(), None)),
            FileOp::UnlinkExcept { dir, suffix, keep } => self.unlink_except(dir, suffix, keep)?,
            FileOp::RemoveDirAll(path) => {
                let below = format!("{path}/");
                self.files.retain(|known, _| !known.starts_with(&below));
                self.removed.push(path.clone());
            }
            FileOp::Read { path, offset, bytes } => return self.read(path, *offset, *bytes).map(Some),
            // Nothing has to last, and a directory is there when something in it is.
            FileOp::CreateDirs(_) | FileOp::Flush(_) | FileOp::SyncDir(_) | FileOp::SyncAll => {}
        }
        Ok(None)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError> {
        let mut names = BTreeSet::new();
        let prefix = if matches!(dir, "" | ".") { String::new() } else { format!("{dir}/") };
        match self.on_disk(dir).map(std::fs::read_dir) {
            None => {}
            Some(Err(error)) if error.kind() == ErrorKind::NotFound => {}
            Some(entries) => {
                for entry in entries.map_err(|error| failed(dir, &error))? {
                    let name = entry.map_err(|error| failed(dir, &error))?.file_name();
                    names.insert(name.to_string_lossy().into_owned());
                }
            }
        }
        names.retain(|name| {
            let path = format!("{prefix}{name}");
            self.on_disk(&path).is_some() && !matches!(self.files.get(&path), Some(None))
        });
        let made = self.files.iter().filter(|(_, changed)| changed.is_some());
        let inside = made.filter_map(|(path, _)| path.strip_prefix(&prefix)?.split('/').next().map(str::to_string));
        names.extend(inside);
        Ok(names.into_iter().collect())
    }

    fn size(&mut self, path: &str) -> Result<u64, StorageError> {
        self.find(path).map(|changed| changed.bytes)
    }

    fn space(&mut self) -> Result<DiskSpace, StorageError> {
        Ok(DiskSpace { total_bytes: u64::MAX / 2, free_bytes: u64::MAX / 2 })
    }
}

fn read_into(file: &File, offset: u64, out: &mut [u8]) -> std::io::Result<()> {
    let mut done = 0;
    while done < out.len() {
        match file.read_at(&mut out[done..], offset + done as u64) {
            // What lies behind the end of the file below are zeros.
            Ok(0) => break,
            Ok(read) => done += read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

fn failed(path: &str, error: &std::io::Error) -> StorageError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::NotADirectory => StorageError::NotFound,
        _ => StorageError::Failed(format!("{path}: {error}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::storage::{perform_all, read_file, replace_file_ops};

    #[test]
    fn the_disk_stays_as_it_was() {
        let dir = tempfile::tempdir().expect("a directory");
        let at = |path: &str| dir.path().join(path);
        std::fs::create_dir_all(at("a/b")).expect("made");
        std::fs::write(at("a/one"), vec![1; 5000]).expect("written");
        std::fs::write(at("a/b/two"), b"two").expect("written");
        let mut overlay = Overlay::new(dir.path());
        assert_eq!(overlay.list("a"), Ok(vec!["b".to_string(), "one".to_string()]));
        perform_all(&mut overlay, &replace_file_ops("a", "one", Gather::from(Bytes::from_static(b"new"))))
            .expect("done");
        assert_eq!(read_file(&mut overlay, "a/one").expect("there")[..4], *b"new\0");
        let change = FileOp::Write { path: "a/b/two".into(), offset: 4096, data: Bytes::from_static(b"x").into() };
        overlay.perform(&change).expect("done");
        let two = read_file(&mut overlay, "a/b/two").expect("there");
        assert_eq!((two.len(), &two[..4], two[4096]), (8192, &b"two\0"[..], b'x'));
        overlay.perform(&FileOp::RemoveDirAll("a/b".into())).expect("done");
        assert_eq!(overlay.list("a"), Ok(vec!["one".to_string()]));
        assert_eq!(overlay.size("a/b/two"), Err(StorageError::NotFound));
        let sized = FileOp::CreateSized { path: "c/three".into(), bytes: 1 << 20, zeroed: true };
        overlay.perform(&sized).expect("done");
        assert_eq!(overlay.perform(&sized), Err(StorageError::Exists));
        assert_eq!(overlay.list(""), Ok(vec!["a".to_string(), "c".to_string()]));
        assert!(!at("c").exists());
        assert_eq!(std::fs::read(at("a/one")).expect("there"), vec![1; 5000]);
        assert_eq!(std::fs::read(at("a/b/two")).expect("there"), b"two");
    }
}
