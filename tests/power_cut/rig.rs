//! The rig: volatile disk, loop device, file system, and the steps of a power cut.

use super::support::Scratch;
use super::volatile_disk::FILE;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// xfs refuses less than 300 MiB.
const DISK_BYTES: usize = 1 << 30;
/// Tells the re-executed test binary that it is the disk: mount point, socket, bytes, bytes of a sector, separated by commas.
pub const DISK_VARIABLE: &str = "POWER_CUT_DISK";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileSystem {
    Ext4,
    Xfs,
}

impl FileSystem {
    pub fn name(self) -> &'static str {
        match self {
            FileSystem::Ext4 => "ext4",
            FileSystem::Xfs => "xfs",
        }
    }
}

impl FileSystem {
    /// What a power cut leaves whole. xfs does not survive a directory block that is torn inside while its own recovery writes
    /// it (its sequence number is in the first part, so that the next recovery takes the block for written: CRC error at
    /// mount), hence it gets the 4096-byte sectors of a newer drive.
    fn sector_bytes(self) -> usize {
        match self {
            FileSystem::Ext4 => 512,
            FileSystem::Xfs => 4096,
        }
    }
}

/// Why no power can be cut here; `None` if it can.
pub fn obstacle(file_system: FileSystem) -> Option<String> {
    // SAFETY: a system call without arguments.
    if unsafe { libc::geteuid() } != 0 {
        return Some("not root".to_string());
    }
    for device in ["/dev/fuse", "/dev/loop-control"] {
        if !Path::new(device).exists() {
            return Some(format!("there is no {device}"));
        }
    }
    let tools = ["losetup", "mount", "umount", &format!("mkfs.{}", file_system.name())].map(str::to_string);
    for tool in tools {
        let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Some(format!("{tool} is not installed"));
        }
    }
    None
}

/// Runs a command; the error has all that it printed.
fn run(program: &str, arguments: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(arguments).output().map_err(|error| format!("{program}: {error}"))?;
    let text = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if output.status.success() {
        return Ok(text);
    }
    let code = output.status.code();
    Err(format!("{program} {arguments:?} gave {code:?}: {text} {}", String::from_utf8_lossy(&output.stderr).trim()))
}

pub struct Rig {
    pub file_system: FileSystem,
    disk_process: Child,
    orders: UnixStream,
    answers: BufReader<UnixStream>,
    loop_device: Option<String>,
    mounted: bool,
    scratch: Scratch,
    _turn: MutexGuard<'static, ()>,
}

static TURN: Mutex<()> = Mutex::new(());

impl Rig {
    /// A mounted, empty file system on a volatile disk; one at a time in a process, so that no test waits for another's disk. The error is an obstacle (a kernel without FUSE mounts or loop
    /// devices, as in many containers): a reason to skip, with a word.
    pub fn new(file_system: FileSystem) -> Result<Rig, String> {
        if let Some(obstacle) = obstacle(file_system) {
            return Err(obstacle);
        }
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        let scratch = Scratch::new("power-cut");
        let (fuse, mount) = (scratch.path().join("fuse"), scratch.path().join("mount"));
        std::fs::create_dir_all(&fuse).map_err(|error| error.to_string())?;
        std::fs::create_dir_all(&mount).map_err(|error| error.to_string())?;
        let socket = scratch.path().join("orders");
        let listener = UnixListener::bind(&socket).map_err(|error| error.to_string())?;
        listener.set_nonblocking(true).map_err(|error| error.to_string())?;
        let sector_bytes = file_system.sector_bytes();
        let variable = format!("{},{},{DISK_BYTES},{sector_bytes}", fuse.display(), socket.display());
        let itself = std::env::current_exe().map_err(|error| error.to_string())?;
        let mut disk_process = Command::new(itself)
            .args(["volatile_disk_process", "--exact", "--nocapture"])
            .env(DISK_VARIABLE, variable)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(|error| error.to_string())?;
        let orders = match accept(&listener, &mut disk_process) {
            Ok(orders) => orders,
            Err(problem) => {
                let _ = disk_process.kill();
                let _ = disk_process.wait();
                return Err(problem);
            }
        };
        let answers = BufReader::new(orders.try_clone().map_err(|error| error.to_string())?);
        let mut rig =
            Rig { file_system, disk_process, orders, answers, loop_device: None, mounted: false, scratch, _turn: turn };
        rig.attach()?;
        rig.format()?;
        rig.mount()?;
        Ok(rig)
    }

    pub fn mount_point(&self) -> PathBuf {
        self.scratch.path().join("mount")
    }

    /// A directory on the machine's ordinary disk, for configuration and logs.
    pub fn work(&self) -> &Path {
        self.scratch.path()
    }

    fn order(&mut self, line: &str) -> String {
        writeln!(self.orders, "{line}").expect("the disk process lives");
        let mut answer = String::new();
        self.answers.read_line(&mut answer).expect("the disk process answers");
        answer.trim().to_string()
    }

    /// From now on flushes are acknowledged and ignored.
    pub fn lie(&mut self) {
        assert_eq!(self.order("lie"), "lying");
    }

    /// From now on flushes fail.
    pub fn fail_flushes(&mut self) {
        assert_eq!(self.order("fail"), "failing");
    }

    /// Flushes work again.
    pub fn heal(&mut self) {
        assert_eq!(self.order("power"), "on");
    }

    /// Fills the file system with one file until about `left` bytes are free.
    pub fn fill(&self, file: &Path, left: u64) {
        let point = self.mount_point();
        let free = run("df", &["--output=avail", "-B1", point.to_str().expect("utf-8")]).expect("df");
        let free: u64 = free.lines().last().expect("a number").trim().parse().expect("a number");
        let length = (free - left).to_string();
        run("fallocate", &["-l", &length, file.to_str().expect("utf-8")]).expect("fallocate");
    }

    /// The power fails: each unflushed sector survives with `keep_percent`; the disk is dead from here on. Gives what the
    /// disk counted.
    pub fn cut(&mut self, seed: u64, keep_percent: u64) -> String {
        self.order(&format!("cut {seed} {keep_percent}"))
    }

    /// The machine comes up again: whoever used the file system must be dead by now. Checks and mounts it.
    pub fn power_on(&mut self) -> Result<(), String> {
        self.unmount()?;
        self.detach()?;
        assert_eq!(self.order("power"), "on");
        self.attach()?;
        if self.file_system == FileSystem::Ext4 {
            // Replays the journal and checks; 1 means "errors corrected", which a replay may count as.
            let device = self.loop_device.clone().expect("attached");
            let status = Command::new("e2fsck").args(["-p", &device]).output().map_err(|error| error.to_string())?;
            if status.status.code().is_none_or(|code| code > 1) {
                return Err(format!("e2fsck: {}", String::from_utf8_lossy(&status.stdout)));
            }
        }
        self.mount()
    }

    fn attach(&mut self) -> Result<(), String> {
        let file = self.scratch.path().join("fuse").join(FILE);
        let file = file.to_str().expect("utf-8");
        let sector_bytes = self.file_system.sector_bytes().to_string();
        let device = run("losetup", &["--find", "--show", "--direct-io=on", "--sector-size", &sector_bytes, file])?;
        // By file, not by device: that may be somebody else's by then.
        self.order(&format!("undo losetup -n -O NAME -j '{file}' | xargs -r losetup -d"));
        self.loop_device = Some(device);
        Ok(())
    }

    fn detach(&mut self) -> Result<(), String> {
        let Some(device) = self.loop_device.take() else { return Ok(()) };
        run("losetup", &["-d", &device])?;
        // The device lets go of its file a moment later; until then the old state would be served again.
        let file = self.scratch.path().join("fuse").join(FILE);
        let file = file.to_str().expect("utf-8").to_string();
        let deadline = Instant::now() + Duration::from_secs(10);
        while run("losetup", &["-n", "-O", "NAME", "-j", &file]).is_ok_and(|devices| !devices.is_empty()) {
            if Instant::now() > deadline {
                return Err(format!("{device} stays attached"));
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    fn format(&mut self) -> Result<(), String> {
        let device = self.loop_device.clone().expect("attached");
        match self.file_system {
            FileSystem::Ext4 => {
                let lazy = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
                run("mkfs.ext4", &["-q", "-F", "-E", lazy, &device])?;
            }
            FileSystem::Xfs => {
                run("mkfs.xfs", &["-q", "-f", "-K", &device])?;
            }
        }
        Ok(())
    }

    fn mount(&mut self) -> Result<(), String> {
        let device = self.loop_device.clone().expect("attached");
        let point = self.mount_point();
        let point = point.to_str().expect("utf-8");
        run("mount", &["-t", self.file_system.name(), &device, point])?;
        self.mounted = true;
        self.order(&format!("undo umount -l {point}"));
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        if !self.mounted {
            return Ok(());
        }
        let point = self.mount_point();
        let point = point.to_str().expect("utf-8").to_string();
        // The kernel may hold a killed process's files a moment longer.
        let deadline = Instant::now() + Duration::from_secs(10);
        while let Err(problem) = run("umount", &[&point]) {
            if Instant::now() > deadline {
                return Err(problem);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        self.mounted = false;
        Ok(())
    }
}

fn accept(listener: &UnixListener, disk_process: &mut Child) -> Result<UnixStream, String> {
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        if let Ok((stream, _)) = listener.accept() {
            stream.set_nonblocking(false).map_err(|error| error.to_string())?;
            return Ok(stream);
        }
        if Instant::now() > deadline || disk_process.try_wait().is_ok_and(|ended| ended.is_some()) {
            return Err("FUSE cannot be mounted here".to_string());
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

impl Drop for Rig {
    fn drop(&mut self) {
        if let Err(problem) = self.unmount().and_then(|()| self.detach()) {
            println!("power-cut rig: {problem}");
        }
        // With the orders at their end the disk process undoes what is left and ends.
        let _ = self.orders.shutdown(std::net::Shutdown::Both);
        let deadline = Instant::now() + Duration::from_secs(10);
        while self.disk_process.try_wait().is_ok_and(|ended| ended.is_none()) {
            if Instant::now() > deadline {
                let _ = self.disk_process.kill();
                let _ = self.disk_process.wait();
                break;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}
