//! The disk: the one implementation of [`Storage`] over system calls, O_DIRECT throughout.
//!
//! Cloning gives another handle on the same directory; handles may be used on several threads at once. Callers keep
//! operations on one file in order themselves.
//!
//! F1: data is written by O_DIRECT only, so that a completed write is on the device (its cache at least) and kill -9 loses nothing.
//! F2: a descriptor in the cache belongs to the file that has the name now: whatever removes or replaces a name forgets it,
//!     and an open that raced with that is not kept.
//! F3: a creation that fails leaves no file behind.
//! F4: after a failed `syncfs` none succeeds any more: the kernel tells of lost pages once, and every core relies on the answer.

use crate::base::gather::Gather;
use crate::base::storage::{BLOCK_BYTES, DiskSpace, FileOp, FileOpResult, Storage, StorageError};
use crate::runtime::aligned::AlignedBuffer;
use crate::runtime::block_write::{self, BlockWrite};
use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{Error, ErrorKind, IoSlice};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

/// Descriptors kept open.
const OPEN_FILES_MAX: usize = 128;
/// One write of zeros.
const ZERO_BYTES: usize = 1024 * 1024;
/// One direct read; larger ones are split, so that a single system call stays short.
const READ_BYTES_MAX: usize = 4 * 1024 * 1024;
/// One direct write: a chunk of a segment with its header and block of state.
const PIECE_BYTES: usize = 2 * 1024 * 1024;

/// See the module.
pub struct FileStorage {
    shared: Arc<Shared>,
    /// What is not written from where it lies passes through here; made at the first write, kept for the next.
    pieces: Option<AlignedBuffer>,
}

impl Clone for FileStorage {
    fn clone(&self) -> FileStorage {
        FileStorage { shared: self.shared.clone(), pieces: None }
    }
}

struct Shared {
    root: PathBuf,
    root_dir: File,
    open: Mutex<OpenFiles>,
    /// See F4.
    sync_failed: AtomicBool,
}

/// The descriptor cache; forgets the longest unused.
#[derive(Default)]
struct OpenFiles {
    files: BTreeMap<String, (Arc<File>, u64)>,
    uses: u64,
    /// Raised by whatever changes which file a name stands for (F2).
    changes: u64,
}

impl FileStorage {
    /// A handle on an existing directory.
    pub fn open(root: &Path) -> Result<FileStorage, StorageError> {
        let root_dir = File::open(root).map_err(|error| failed("open", &root.display().to_string(), &error))?;
        let shared =
            Shared { root: root.to_path_buf(), root_dir, open: Mutex::default(), sync_failed: AtomicBool::new(false) };
        Ok(FileStorage { shared: Arc::new(shared), pieces: None })
    }

    /// The directory.
    pub fn root(&self) -> &Path {
        &self.shared.root
    }

    fn full_path(&self, path: &str) -> PathBuf {
        let plain = !path.is_empty() && path.split('/').all(|name| !matches!(name, "" | "." | ".."));
        assert!(plain, "not a path inside the data directory: {path:?}");
        self.shared.root.join(path)
    }

    fn file(&self, path: &str) -> Result<Arc<File>, StorageError> {
        let changes = {
            let mut open = self.shared.open.lock().expect("no panic under the lock");
            open.uses += 1;
            let uses = open.uses;
            if let Some((file, used)) = open.files.get_mut(path) {
                *used = uses;
                return Ok(file.clone());
            }
            open.changes
        };
        let file = direct(OpenOptions::new().read(true).write(true)).open(self.full_path(path));
        let file = Arc::new(file.map_err(|error| failed("open", path, &error))?);
        let mut open = self.shared.open.lock().expect("no panic under the lock");
        if open.changes == changes {
            open.keep(path, file.clone());
        }
        Ok(file)
    }

    fn forget(&self, forgotten: impl Fn(&str) -> bool) {
        let mut open = self.shared.open.lock().expect("no panic under the lock");
        open.changes += 1;
        open.files.retain(|path, _| !forgotten(path));
    }

    fn create(&self, path: &str, fill: impl FnOnce(&File) -> Result<(), Error>) -> Result<(), StorageError> {
        let full_path = self.full_path(path);
        let created = direct(OpenOptions::new().read(true).write(true).create_new(true)).open(&full_path);
        let file = created.map_err(|error| failed("create", path, &error))?;
        self.forget(|known| known == path);
        fill(&file).map_err(|error| {
            // F3; if even this fails the name stays taken, which the next creation reports.
            let _ = std::fs::remove_file(&full_path);
            failed("write", path, &error)
        })
    }

    fn sync_all(&self) -> Result<(), StorageError> {
        // SAFETY: the descriptor is open as long as `shared` lives.
        let result = unsafe { libc::syncfs(self.shared.root_dir.as_raw_fd()) };
        if result != 0 {
            let error = failed("syncfs", ".", &Error::last_os_error());
            self.shared.sync_failed.store(true, Ordering::SeqCst);
            return Err(error);
        }
        if self.shared.sync_failed.load(Ordering::SeqCst) {
            return Err(StorageError::Failed(
                "an earlier syncfs failed: restart after the disk was checked".to_string(),
            ));
        }
        Ok(())
    }

    fn sync_dir(&self, path: &str) -> Result<(), StorageError> {
        let full_path = if path == "." || path.is_empty() { self.shared.root.clone() } else { self.full_path(path) };
        match File::open(full_path).and_then(|dir| dir.sync_all()) {
            // A removed directory is an entry of its parent.
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| failed("fsync of directory", path, &error)),
        }
    }

    fn unlink_except(&mut self, dir: &str, suffix: &str, keep: &[String]) -> Result<(), StorageError> {
        for name in self.list(dir)? {
            if name.ends_with(suffix) && !keep.contains(&name) {
                self.remove(&format!("{dir}/{name}"), |full_path| std::fs::remove_file(full_path))?;
            }
        }
        Ok(())
    }

    fn remove(&self, path: &str, remove: impl FnOnce(&Path) -> Result<(), Error>) -> Result<(), StorageError> {
        let below = format!("{path}/");
        let result = match remove(&self.full_path(path)) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            other => other.map_err(|error| failed("remove", path, &error)),
        };
        self.forget(|known| known == path || known.starts_with(&below));
        result
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), StorageError> {
        let result = std::fs::rename(self.full_path(from), self.full_path(to));
        self.forget(|known| known == from || known == to);
        result.map_err(|error| failed("rename", from, &error))
    }

    fn read(&self, path: &str, offset: u64, bytes: u64) -> FileOpResult {
        assert!(offset.is_multiple_of(BLOCK_BYTES) && bytes.is_multiple_of(BLOCK_BYTES), "unaligned read of {path}");
        if bytes == 0 {
            return Ok(Some(bytes::Bytes::new()));
        }
        let file = self.file(path)?;
        let mut buffer = AlignedBuffer::with_capacity(bytes as usize);
        while !buffer.spare().is_empty() {
            let at = offset + buffer.as_slice().len() as u64;
            match read_once(&file, at, &mut buffer) {
                // Only the end of the file gives nothing or cuts a direct read inside a block.
                Ok(0) => break,
                Ok(_) if !buffer.as_slice().len().is_multiple_of(BLOCK_BYTES as usize) => break,
                Ok(_) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(failed("read", path, &error)),
            }
        }
        Ok(Some(buffer.into_bytes()))
    }
}

impl OpenFiles {
    fn keep(&mut self, path: &str, file: Arc<File>) {
        if self.files.len() >= OPEN_FILES_MAX {
            let oldest = self.files.iter().min_by_key(|(_, (_, used))| *used).map(|(path, _)| path.clone());
            self.files.remove(&oldest.expect("not empty"));
        }
        self.files.insert(path.to_string(), (file, self.uses));
    }
}

impl Storage for FileStorage {
    fn perform(&mut self, op: &FileOp) -> FileOpResult {
        match op {
            FileOp::CreateDirs(path) => {
                let made = std::fs::create_dir_all(self.full_path(path));
                made.map_err(|error| failed("create directory", path, &error))?;
            }
            FileOp::CreateNew(path, data) => {
                let pieces = &mut self.pieces.take();
                let result = self.create(path, |file| write_padded(file, 0, data, pieces));
                self.pieces = pieces.take();
                result?;
            }
            FileOp::CreateSized { path, bytes, zeroed } => {
                assert!(bytes.is_multiple_of(BLOCK_BYTES), "unaligned size of {path}");
                self.create(path, |file| give_space(file, *bytes, *zeroed))?;
            }
            FileOp::Write { path, offset, data } => {
                assert!(offset.is_multiple_of(BLOCK_BYTES), "unaligned write to {path}");
                let file = self.file(path)?;
                let result = write_padded(&file, *offset, data, &mut self.pieces);
                result.map_err(|error| failed("write", path, &error))?;
            }
            FileOp::Flush(path) => self.file(path)?.sync_data().map_err(|error| failed("fdatasync", path, &error))?,
            FileOp::SyncDir(path) => self.sync_dir(path)?,
            FileOp::SyncAll => self.sync_all()?,
            FileOp::Rename(from, to) => self.rename(from, to)?,
            FileOp::Unlink(path) => self.remove(path, |full_path| std::fs::remove_file(full_path))?,
            FileOp::UnlinkExcept { dir, suffix, keep } => self.unlink_except(dir, suffix, keep)?,
            FileOp::RemoveDirAll(path) => self.remove(path, |full_path| std::fs::remove_dir_all(full_path))?,
            FileOp::Read { path, offset, bytes } => return self.read(path, *offset, *bytes),
        }
        Ok(None)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError> {
        let full_path = if dir.is_empty() || dir == "." { self.shared.root.clone() } else { self.full_path(dir) };
        let entries = match std::fs::read_dir(full_path) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            other => other.map_err(|error| failed("list", dir, &error))?,
        };
        let mut names = Vec::new();
        for entry in entries {
            let name = entry.map_err(|error| failed("list", dir, &error))?.file_name();
            names.push(name.to_string_lossy().into_owned());
        }
        names.sort();
        Ok(names)
    }

    fn size(&mut self, path: &str) -> Result<u64, StorageError> {
        std::fs::metadata(self.full_path(path)).map(|found| found.len()).map_err(|error| failed("stat", path, &error))
    }

    fn space(&mut self) -> Result<DiskSpace, StorageError> {
        // SAFETY: all-zero bytes are a valid `statvfs`, a plain structure of integers.
        let mut found: libc::statvfs = unsafe { std::mem::zeroed() };
        // SAFETY: the descriptor is open as long as `shared` lives; `found` is a valid place for the result.
        let result = unsafe { libc::fstatvfs(self.shared.root_dir.as_raw_fd(), &mut found) };
        if result != 0 {
            return Err(failed("statvfs", ".", &Error::last_os_error()));
        }
        let (total_bytes, free_bytes) = (found.f_blocks * found.f_frsize, found.f_bavail * found.f_frsize);
        Ok(DiskSpace { total_bytes, free_bytes })
    }
}

fn direct(options: &mut OpenOptions) -> &mut OpenOptions {
    options.custom_flags(libc::O_DIRECT | libc::O_CLOEXEC)
}

/// Writes the list at an aligned offset, padded with zeros: large slices that lie right from where they are, the rest through `pieces`.
fn write_padded(file: &File, offset: u64, data: &Gather, pieces: &mut Option<AlignedBuffer>) -> Result<(), Error> {
    let joined = pieces.take().unwrap_or_else(|| AlignedBuffer::with_capacity(PIECE_BYTES));
    if block_write::joined_bytes(data) > PIECE_BYTES {
        let joined = pieces.insert(joined);
        return write_by_pieces(file, offset, data, joined);
    }
    let write = BlockWrite::new(data, joined);
    let result = write_vectored(file, offset, &write);
    *pieces = Some(write.into_joined());
    result
}

/// The same for what is larger than the buffer, all of it copied.
fn write_by_pieces(file: &File, offset: u64, data: &Gather, pieces: &mut AlignedBuffer) -> Result<(), Error> {
    let mut at = offset;
    pieces.clear();
    for slice in data.slices() {
        let mut rest = &slice[..];
        while !rest.is_empty() {
            let taken = pieces.push(rest);
            rest = &rest[taken..];
            if pieces.spare().is_empty() {
                write_all(file, at, pieces.as_slice())?;
                at += pieces.as_slice().len() as u64;
                pieces.clear();
            }
        }
    }
    pieces.pad();
    write_all(file, at, pieces.as_slice())
}

fn write_vectored(file: &File, offset: u64, data: &BlockWrite) -> Result<(), Error> {
    let mut done = 0;
    while done < data.bytes() {
        let pieces: Vec<IoSlice<'_>> = data.io_slices(done).take(libc::UIO_MAXIOV as usize).map(IoSlice::new).collect();
        // SAFETY: `IoSlice` is laid out like `iovec`; what the pieces point to is borrowed from `data`, the descriptor from `file`.
        let written = unsafe {
            let at = (offset + done as u64) as libc::off_t;
            libc::pwritev(file.as_raw_fd(), pieces.as_ptr().cast(), pieces.len() as libc::c_int, at)
        };
        match usize::try_from(written) {
            Ok(0) => return Err(Error::other("wrote nothing")),
            Ok(written) => done += whole_blocks(written)?,
            Err(_) => match Error::last_os_error() {
                error if error.kind() == ErrorKind::Interrupted => {}
                error => return Err(error),
            },
        }
    }
    Ok(())
}

/// After a short write it goes on at a block border: the rest must stay aligned.
fn whole_blocks(written: usize) -> Result<usize, Error> {
    let whole = written / BLOCK_BYTES as usize * BLOCK_BYTES as usize;
    if whole == 0 { Err(Error::from_raw_os_error(libc::ENOSPC)) } else { Ok(whole) }
}

/// One direct read into the room that is left.
fn read_once(file: &File, offset: u64, buffer: &mut AlignedBuffer) -> Result<usize, Error> {
    let spare = buffer.spare();
    let wanted = spare.len().min(READ_BYTES_MAX);
    // SAFETY: `spare` is writable for `wanted` bytes; the descriptor is open as long as `file` is borrowed.
    let read = unsafe { libc::pread(file.as_raw_fd(), spare.as_mut_ptr().cast(), wanted, offset as libc::off_t) };
    let read = usize::try_from(read).map_err(|_| Error::last_os_error())?;
    // SAFETY: the kernel has written that many bytes at the start of the spare room.
    unsafe { buffer.note_filled(read) };
    Ok(read)
}

fn write_all(file: &File, offset: u64, bytes: &[u8]) -> Result<(), Error> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(Error::other("wrote nothing")),
            Ok(written) if done + written < bytes.len() => done += whole_blocks(written)?,
            Ok(written) => done += written,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Gives a new file its space: always allocated in one piece first, so that a full disk shows before half of it is zeroed.
fn give_space(file: &File, bytes: u64, zeroed: bool) -> Result<(), Error> {
    if bytes == 0 {
        return Ok(());
    }
    allocate(file, bytes)?;
    if !zeroed {
        return Ok(());
    }
    let zeros = AlignedBuffer::zeroed(ZERO_BYTES);
    let mut done = 0;
    while done < bytes {
        let length = (bytes - done).min(ZERO_BYTES as u64);
        write_all(file, done, &zeros.as_slice()[..length as usize])?;
        done += length;
    }
    Ok(())
}

fn allocate(file: &File, bytes: u64) -> Result<(), Error> {
    loop {
        // SAFETY: the descriptor is open as long as `file` is borrowed.
        let result = unsafe { libc::fallocate(file.as_raw_fd(), 0, 0, bytes as libc::off_t) };
        if result == 0 {
            return Ok(());
        }
        let error = Error::last_os_error();
        match error.raw_os_error() {
            Some(libc::EINTR) => {}
            // File systems without preallocation: the size alone has to do.
            Some(libc::EOPNOTSUPP | libc::ENOSYS) => return file.set_len(bytes),
            _ => return Err(error),
        }
    }
}

/// Maps an errno to what callers tell apart.
pub fn failed(operation: &str, path: &str, error: &Error) -> StorageError {
    match error.raw_os_error() {
        Some(libc::ENOENT) => StorageError::NotFound,
        Some(libc::EEXIST) => StorageError::Exists,
        Some(libc::ENOSPC | libc::EDQUOT) => StorageError::Full,
        _ => StorageError::Failed(format!("{operation} {path}: {error}")),
    }
}

#[cfg(test)]
mod tests;
