//! What this machine must be able to do, checked before anything is touched. Each refusal is one screen with a remedy.

use crate::base::storage::BLOCK_BYTES;
use crate::runtime::aligned::AlignedBuffer;
use std::fs::{File, OpenOptions};
use std::io::{Error, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::time::Duration;

/// What a killed process held (lock, ports, locked memory) stays held a moment: the kernel takes its rings down in the background.
const RETRIES: u32 = 40;
/// Between two tries: 2 s in all.
const RETRY: Duration = Duration::from_millis(50);

/// io_uring must be allowed.
pub fn io_uring() -> Result<(), String> {
    // Linux before 5.12 counts the memory of rings.
    raise(libc::RLIMIT_MEMLOCK);
    let mut result = make_ring();
    for _ in 0..RETRIES {
        match &result {
            // Locked memory is counted per user: the rings of a process just ended may still be in it.
            Err(error) if error.raw_os_error() == Some(libc::ENOMEM) => std::thread::sleep(RETRY),
            _ => break,
        }
        result = make_ring();
    }
    result.map_err(|error| io_uring_refused(&error))
}

/// Makes a small ring and throws it away.
fn make_ring() -> Result<(), Error> {
    let mut params = [0_u8; 120];
    // SAFETY: `params` is zeroed and as large as the kernel's structure; the call changes nothing else.
    let result = unsafe { libc::syscall(libc::SYS_io_uring_setup, 4_u32, params.as_mut_ptr()) };
    if result < 0 {
        return Err(Error::last_os_error());
    }
    // SAFETY: a descriptor that was made just now and belongs to nobody else.
    drop(unsafe { OwnedFd::from_raw_fd(result as i32) });
    Ok(())
}

fn io_uring_refused(error: &Error) -> String {
    let setting = std::fs::read_to_string("/proc/sys/kernel/io_uring_disabled").unwrap_or_default();
    let cause = match (error.raw_os_error(), setting.trim()) {
        (_, "1" | "2") => format!("the setting kernel.io_uring_disabled is {}", setting.trim()),
        (Some(libc::ENOSYS), _) => {
            "the kernel has no io_uring (Linux 5.8 or newer is needed), or a sandbox hides it".to_string()
        }
        (Some(libc::ENOMEM), _) => "the limit of locked memory is used up".to_string(),
        _ => "a seccomp profile forbids it, as the default one of Docker does".to_string(),
    };
    format!(
        "io_uring cannot be used: {error}\n\
         Probable cause: {cause}.\n\
         Remedy, whichever applies:\n\
         - container: --security-opt seccomp=FILE with the profile in scripts/container/seccomp.json, or another one that\n  \
           allows io_uring_setup, io_uring_enter and io_uring_register\n\
         - host: sysctl -w kernel.io_uring_disabled=0\n\
         - locked memory: ulimit -l unlimited (container: --ulimit memlock=-1)"
    )
}

/// Raises a soft limit to the hard one; what it is then.
fn raise(resource: libc::__rlimit_resource_t) -> u64 {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the result.
    if unsafe { libc::getrlimit(resource, &mut limit) } != 0 {
        return 0;
    }
    let raised = libc::rlimit { rlim_cur: limit.rlim_max, rlim_max: limit.rlim_max };
    // SAFETY: `raised` is a valid limit.
    let done = unsafe { libc::setrlimit(resource, &raised) } == 0;
    if done { raised.rlim_cur } else { limit.rlim_cur }
}

/// Raises the limit of open files; what it is then.
pub fn open_files() -> u64 {
    raise(libc::RLIMIT_NOFILE)
}

/// Things that work but may surprise later.
pub fn notices() -> Vec<String> {
    let mut notices = Vec::new();
    let overcommit = std::fs::read_to_string("/proc/sys/vm/overcommit_memory").unwrap_or_default();
    if overcommit.trim() == "2" {
        notices.push(
            "vm.overcommit_memory is 2: reserved memory counts as used, an allocation may fail early".to_string(),
        );
    }
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is a valid place for the result.
    if unsafe { libc::getrlimit(libc::RLIMIT_AS, &mut limit) } == 0 && limit.rlim_cur != libc::RLIM_INFINITY {
        notices.push(format!(
            "the address space is limited to {} MiB: an allocation may fail early",
            limit.rlim_cur >> 20
        ));
    }
    notices
}

/// The data directory: made if missing, locked for this process, on a file system that writes past the page cache.
/// The lock holds until the file is dropped.
pub fn data_dir(path: &Path) -> Result<File, String> {
    let shown = path.display();
    std::fs::create_dir_all(path).map_err(|error| format!("cannot make the data directory {shown}: {error}"))?;
    let lock = lock(path)?;
    direct_io(path)?;
    Ok(lock)
}

fn lock(path: &Path) -> Result<File, String> {
    let shown = path.join("lock").display().to_string();
    let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path.join("lock"));
    let mut file = opened.map_err(|error| {
        format!("cannot open {shown}: {error}\nRemedy: the user of this process must own the data directory")
    })?;
    for _ in 0..RETRIES {
        // SAFETY: the descriptor is open as long as `file` lives.
        if unsafe { libc::flock(file.as_raw_fd(), libc::LOCK_EX | libc::LOCK_NB) } == 0 {
            // For whoever is refused; nothing depends on it.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            return Ok(file);
        }
        std::thread::sleep(RETRY);
    }
    let owner = std::fs::read_to_string(path.join("lock")).unwrap_or_default();
    let owner = if owner.trim().is_empty() { String::new() } else { format!(" (process {})", owner.trim()) };
    Err(format!(
        "the data directory {} is in use by another process{owner}\n\
         Remedy: stop that process, or give this one a directory of its own (log.dirs, --data-dir)",
        path.display()
    ))
}

fn direct_io(path: &Path) -> Result<(), String> {
    let refused = |why: String| {
        format!(
            "the data directory {} is on a file system that cannot be written past the page cache: {why}\n\
             Remedy: put it on a disk with ext4 or xfs (log.dirs, --data-dir); tmpfs and ramfs lose everything at a power cut",
            path.display()
        )
    };
    if is_memory(path) {
        return Err(refused("it is in memory (tmpfs or ramfs)".to_string()));
    }
    let probe = path.join("lock.probe");
    let result = write_directly(&probe);
    let _ = std::fs::remove_file(&probe);
    result.map_err(|error| match error.raw_os_error() {
        Some(libc::EINVAL | libc::EOPNOTSUPP) => refused(error.to_string()),
        _ => format!("cannot write into the data directory {}: {error}", path.display()),
    })
}

fn write_directly(path: &Path) -> Result<(), Error> {
    let options = &mut OpenOptions::new();
    let options = options.read(true).write(true).create(true).truncate(true).custom_flags(libc::O_DIRECT);
    let file = options.open(path)?;
    let buffer = AlignedBuffer::zeroed(BLOCK_BYTES as usize);
    file.write_all_at(buffer.as_slice(), 0)?;
    Ok(())
}

/// Newer kernels take O_DIRECT on tmpfs, which changes nothing about where the bytes are.
pub fn is_memory(path: &Path) -> bool {
    const RAMFS_MAGIC: u64 = 0x8584_58f6;
    let Ok(dir) = File::open(path) else { return false };
    // SAFETY: all-zero bytes are a valid `statfs`, a plain structure of integers.
    let mut found: libc::statfs = unsafe { std::mem::zeroed() };
    // SAFETY: the descriptor is open; `found` is a valid place for the result.
    let result = unsafe { libc::fstatfs(dir.as_raw_fd(), &mut found) };
    result == 0 && [libc::TMPFS_MAGIC as u64, RAMFS_MAGIC].contains(&(found.f_type as u64))
}

#[cfg(test)]
mod tests {
    use super::{data_dir, io_uring, is_memory};
    use std::path::Path;

    #[test]
    fn this_machine_is_fit() {
        io_uring().expect("io_uring");
        let dir = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).expect("a directory");
        let lock = data_dir(&dir.path().join("new/data")).expect("fit");
        let refused = data_dir(&dir.path().join("new/data")).expect_err("locked");
        assert!(
            refused.contains("in use by another process") && refused.contains(&std::process::id().to_string()),
            "{refused}"
        );
        drop(lock);
        drop(data_dir(&dir.path().join("new/data")).expect("free again"));
    }

    #[test]
    fn memory_is_no_disk() {
        if is_memory(Path::new("/dev/shm")) {
            let dir = tempfile::tempdir_in("/dev/shm").expect("a directory");
            assert!(data_dir(dir.path()).expect_err("refused").contains("in memory"));
        }
    }
}
