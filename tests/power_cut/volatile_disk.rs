//! A disk with a volatile write cache: a FUSE program that serves one file, which a loop device turns into a block device.
//!
//! Writes reach the `current` picture at once and the `durable` one at the next flush (FSYNC, which is what the loop device
//! makes of a flush). A power cut takes the unflushed writes in their order and lets each sector of each survive
//! with a chosen probability, so that a sector can keep any of its versions; then the disk is dead (EIO) until the power
//! returns. Lives in a process of its own, which the test starts by running itself again.
//!
//! Orders come over a socket, one line each, with one line as the answer:
//! `cut SEED KEEP` (percent) | `lie` (acknowledge flushes, do nothing) | `fail` (flushes give EIO) | `power` (on
//! again, honest) | `undo COMMAND...` (run
//! this when the order socket closes, newest first: so nothing stays mounted when the test is killed).

use fuser::{
    Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, LockOwner, MountOption,
    OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen, ReplyWrite, Request, WriteFlags,
};
use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::UnixStream;
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant, UNIX_EPOCH};

/// Name of the one file.
pub const FILE: &str = "disk";
const ROOT: u64 = 1;
const DISK: u64 = 2;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Power {
    On,
    /// Flushes are acknowledged and ignored.
    Lying,
    /// Flushes fail, and what they should have kept stays volatile.
    Failing,
    Off,
}

struct Platter {
    sector_bytes: usize,
    current: Vec<u8>,
    durable: Vec<u8>,
    /// Writes since the last flush.
    unflushed: Vec<(usize, Vec<u8>)>,
    power: Power,
    writes: u64,
    flushes: u64,
}

impl Platter {
    fn new(bytes: usize, sector_bytes: usize) -> Platter {
        let (current, durable) = (vec![0; bytes], vec![0; bytes]);
        Platter { sector_bytes, current, durable, unflushed: Vec::new(), power: Power::On, writes: 0, flushes: 0 }
    }

    fn write(&mut self, at: usize, data: &[u8]) -> Result<(), Errno> {
        if self.power == Power::Off || at + data.len() > self.current.len() {
            return Err(Errno::EIO);
        }
        self.writes += 1;
        self.current[at..at + data.len()].copy_from_slice(data);
        self.unflushed.push((at, data.to_vec()));
        Ok(())
    }

    fn flush(&mut self) -> Result<(), Errno> {
        match self.power {
            Power::Off | Power::Failing => return Err(Errno::EIO),
            Power::Lying => return Ok(()),
            Power::On => self.flushes += 1,
        }
        for (at, data) in self.unflushed.drain(..) {
            self.durable[at..at + data.len()].copy_from_slice(&data);
        }
        Ok(())
    }

    /// Gives sectors kept and lost.
    fn cut(&mut self, seed: u64, keep_percent: u64) -> (u64, u64) {
        let mut random = super::support::Random::new(seed);
        let (mut kept, mut lost) = (0, 0);
        let unflushed = std::mem::take(&mut self.unflushed);
        for (at, data) in &unflushed {
            for (index, sector) in data.chunks(self.sector_bytes).enumerate() {
                if random.below(100) < keep_percent {
                    let start = at + index * self.sector_bytes;
                    self.durable[start..start + sector.len()].copy_from_slice(sector);
                    kept += 1;
                } else {
                    lost += 1;
                }
            }
        }
        for (at, data) in &unflushed {
            let range = *at..at + data.len();
            self.current[range.clone()].copy_from_slice(&self.durable[range]);
        }
        self.power = Power::Off;
        (kept, lost)
    }

    fn order(&mut self, line: &str) -> String {
        let words: Vec<&str> = line.split_whitespace().collect();
        match words[..] {
            ["cut", seed, keep] => {
                let (seed, keep) = (seed.parse().expect("seed"), keep.parse().expect("percent"));
                let (kept, lost) = self.cut(seed, keep);
                format!("kept={kept} lost={lost} writes={} flushes={}", self.writes, self.flushes)
            }
            ["lie"] => {
                self.power = Power::Lying;
                "lying".to_string()
            }
            ["fail"] => {
                self.power = Power::Failing;
                "failing".to_string()
            }
            ["power"] => {
                self.power = Power::On;
                "on".to_string()
            }
            _ => format!("unknown order {line}"),
        }
    }
}

struct Disk(Arc<Mutex<Platter>>, u64);

impl Disk {
    fn attributes(&self, inode: u64) -> FileAttr {
        let directory = inode == ROOT;
        let size = if directory { 0 } else { self.1 };
        FileAttr {
            ino: INodeNo(inode),
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if directory { FileType::Directory } else { FileType::RegularFile },
            perm: if directory { 0o755 } else { 0o600 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

/// How long the end of the disk process waits for those who still use the disk.
const UNMOUNT_MAX: Duration = Duration::from_secs(10);
const ATTRIBUTES_VALID: Duration = Duration::from_secs(3600);

impl Filesystem for Disk {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == FILE {
            reply.entry(&ATTRIBUTES_VALID, &self.attributes(DISK), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, inode: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&ATTRIBUTES_VALID, &self.attributes(u64::from(inode)));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        // Without direct I/O the kernel would keep pages of the file, which no power cut empties.
        reply.opened(FileHandle(1), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        let platter = self.0.lock().expect("platter");
        if platter.power == Power::Off {
            return reply.error(Errno::EIO);
        }
        let start = (offset as usize).min(platter.current.len());
        let end = (start + size as usize).min(platter.current.len());
        reply.data(&platter.current[start..end]);
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.0.lock().expect("platter").write(offset as usize, data) {
            Ok(()) => reply.written(data.len() as u32),
            Err(error) => reply.error(error),
        }
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        match self.0.lock().expect("platter").flush() {
            Ok(()) => reply.ok(),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // close(2), not a flush of the device.
        reply.ok();
    }

    fn fallocate(&self, _: &Request, _: INodeNo, _: FileHandle, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        // No discard and no hole punching: the loop device then offers neither.
        reply.error(Errno::EOPNOTSUPP);
    }
}

/// A cut between a write and its flush is the one that tells; it comes soon under load.
fn wait_for_unflushed(platter: &Mutex<Platter>) {
    let deadline = Instant::now() + Duration::from_millis(300);
    while platter.lock().expect("platter").unflushed.is_empty() && Instant::now() < deadline {
        std::thread::yield_now();
    }
}

/// The life of the disk process: mount, obey orders until the socket closes, undo, unmount.
pub fn run(mount_point: &str, socket: &str, bytes: usize, sector_bytes: usize) {
    let platter = Arc::new(Mutex::new(Platter::new(bytes, sector_bytes)));
    let mut config = Config::default();
    config.mount_options = vec![MountOption::FSName("volatile-disk".into()), MountOption::RW];
    let session = match fuser::spawn_mount(Disk(Arc::clone(&platter), bytes as u64), mount_point, &config) {
        Ok(session) => session,
        Err(error) => {
            eprintln!("volatile disk: cannot mount at {mount_point}: {error}");
            return;
        }
    };
    let mut orders = UnixStream::connect(socket).expect("order socket");
    let mut undo: Vec<String> = Vec::new();
    for line in BufReader::new(orders.try_clone().expect("socket")).lines().map_while(Result::ok) {
        let answer = match line.strip_prefix("undo ") {
            Some(command) => {
                undo.push(command.to_string());
                "noted".to_string()
            }
            None => {
                if line.starts_with("cut") {
                    wait_for_unflushed(&platter);
                }
                platter.lock().expect("platter").order(&line)
            }
        };
        if writeln!(orders, "{answer}").is_err() {
            break;
        }
    }
    let succeeds =
        |command: &str| Command::new("sh").args(["-c", command]).output().is_ok_and(|output| output.status.success());
    for command in undo.iter().rev() {
        succeeds(command);
    }
    // The loop device lets go of the file when its last user (a mkfs of a killed test, say) is gone.
    let deadline = Instant::now() + UNMOUNT_MAX;
    while !succeeds(&format!("umount '{mount_point}'")) {
        if Instant::now() > deadline {
            succeeds(&format!("umount -l '{mount_point}'"));
            break;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    let _ = session.join();
}
