//! The real binary as a child process: configuration file, ready line, logs, kill.

use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a start may take before the test fails.
pub const READY_LIMIT: Duration = Duration::from_secs(40);

/// The binary under test: built by cargo, or the one that `CORELANE_BINARY` names.
pub fn binary() -> PathBuf {
    std::env::var_os("CORELANE_BINARY").map_or_else(|| PathBuf::from(env!("CARGO_BIN_EXE_corelane")), PathBuf::from)
}

/// What a broker is started with. The log file is kept over restarts.
#[derive(Clone, Debug)]
pub struct Machine {
    pub data: PathBuf,
    /// Configuration file and logs are written here, so that they survive the data directory.
    pub work: PathBuf,
    pub cores: usize,
    /// Port of core 0; 0 lets the kernel choose.
    pub port: u16,
    /// Further configuration keys.
    pub keys: Vec<(String, String)>,
}

impl Machine {
    pub fn new(data: &Path, work: &Path, cores: usize) -> Machine {
        Machine { data: data.into(), work: work.into(), cores, port: free_ports(), keys: Vec::new() }
    }

    pub fn with(mut self, key: &str, value: impl ToString) -> Machine {
        self.keys.push((key.to_string(), value.to_string()));
        self
    }

    /// For the next starts.
    pub fn set(&mut self, key: &str, value: impl ToString) {
        self.keys.retain(|(other, _)| other != key);
        self.keys.push((key.to_string(), value.to_string()));
    }

    /// How clients see the machine, for the next starts: as one broker, or each core as one.
    pub fn advertise(&mut self, per_machine: bool) {
        self.set("advertise", if per_machine { "per-machine" } else { "per-core" });
    }

    pub fn log_path(&self) -> PathBuf {
        self.work.join("broker.log")
    }

    fn write_configuration(&self) -> PathBuf {
        let mut text = format!(
            "node.id=0\nlisteners=PLAINTEXT://127.0.0.1:{}\nlog.dirs={}\ncores={}\n",
            self.port,
            self.data.display(),
            self.cores
        );
        for (key, value) in &self.keys {
            text.push_str(&format!("{key}={value}\n"));
        }
        let path = self.work.join("broker.properties");
        std::fs::write(&path, text).expect("configuration file");
        path
    }

    /// Starts the binary and returns at once.
    pub fn spawn(&self) -> Broker {
        let configuration = self.write_configuration();
        let log = OpenOptions::new().create(true).append(true).open(self.log_path()).expect("log file");
        let mut command = Command::new(binary());
        command.args(["start", "--log-format", "json", "--config"]).arg(configuration);
        // What the surrounding environment says must not reach the broker.
        for (key, _) in std::env::vars_os() {
            let name = key.to_string_lossy().to_string();
            if name.starts_with("CORELANE_") || name.starts_with("KAFKA_") {
                command.env_remove(key);
            }
        }
        Broker::from_command(command, log)
    }

    /// Starts the binary and waits until clients can connect.
    pub fn start(&self) -> Broker {
        let mut broker = self.spawn();
        if let Err(problem) = broker.wait_ready(READY_LIMIT) {
            panic!("{problem}\n--- end of the log:\n{}", self.log_end(30));
        }
        broker
    }

    /// A number from the line that each core logs when it stops, of the last run, in core order.
    pub fn statistic(&self, name: &str) -> Vec<u64> {
        self.last_words("stats", |line| number_in(line, name))
    }

    /// How often each core took the time of this stage, in the last run, in core order.
    #[allow(dead_code, reason = "not every test program asks")]
    pub fn latency_count(&self, stage: &str) -> Vec<u64> {
        let count = |line: &str| {
            let (_, rest) = line.split_once(&format!("\"{stage}\":\""))?;
            let (latency, _) = rest.split_once('"')?;
            latency.rsplit_once(" us of ")?.1.parse().ok()
        };
        self.last_words("stages", count)
    }

    fn last_words(&self, target: &str, number: impl Fn(&str) -> Option<u64>) -> Vec<u64> {
        let text = std::fs::read_to_string(self.log_path()).expect("log");
        let lines: Vec<&str> = text.lines().filter(|line| line.contains(&format!("\"target\":\"{target}\""))).collect();
        let mut found: Vec<(u64, u64)> = lines[lines.len() - self.cores..]
            .iter()
            .map(|line| (number_in(line, "core").expect("core"), number(line).expect("the line has the number")))
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, number)| number).collect()
    }

    /// True if any run so far panicked.
    pub fn panicked(&self) -> bool {
        std::fs::read_to_string(self.log_path()).is_ok_and(|text| text.contains("panicked at"))
    }

    /// The last lines of the log.
    pub fn log_end(&self, lines: usize) -> String {
        let text = std::fs::read_to_string(self.log_path()).unwrap_or_default();
        let all: Vec<&str> = text.lines().collect();
        all[all.len().saturating_sub(lines)..].join("\n")
    }
}

/// The number behind a name in a line of JSON.
fn number_in(line: &str, name: &str) -> Option<u64> {
    let (_, rest) = line.split_once(&format!("\"{name}\":"))?;
    let digits: String = rest.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok()
}

/// The line `ready node=0 cores=2 listeners=127.0.0.1:9092,127.0.0.1:9093`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ready {
    pub node: u32,
    pub cores: usize,
    pub listeners: Vec<String>,
}

impl Ready {
    /// Others script against this line, so its form is exact.
    pub fn parse(line: &str) -> Option<Ready> {
        let mut words = line.split(' ');
        if words.next() != Some("ready") {
            return None;
        }
        let node = words.next()?.strip_prefix("node=")?.parse().ok()?;
        let cores = words.next()?.strip_prefix("cores=")?.parse().ok()?;
        let listeners: Vec<String> = words.next()?.strip_prefix("listeners=")?.split(',').map(str::to_string).collect();
        // One per core, or one for the machine (advertise=per-machine).
        (words.next().is_none() && (listeners.len() == cores || listeners.len() == 1)).then_some(Ready {
            node,
            cores,
            listeners,
        })
    }
}

/// A running broker; killed when dropped.
pub struct Broker {
    child: Child,
    lines: Receiver<String>,
    seen: Vec<String>,
    ready: Option<Ready>,
    spawned: Instant,
}

impl Broker {
    /// Runs the command with its standard output watched and its standard error in `log`.
    pub fn from_command(mut command: Command, log: File) -> Broker {
        let spawned = Instant::now();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log);
        let mut child = command.spawn().expect("the binary starts");
        let stdout = child.stdout.take().expect("piped");
        let (sender, lines) = channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Broker { child, lines, seen: Vec::new(), ready: None, spawned }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// When the process was started.
    pub fn spawned(&self) -> Instant {
        self.spawned
    }

    /// Waits for the ready line. The error says what came instead.
    pub fn wait_ready(&mut self, limit: Duration) -> Result<Ready, String> {
        let deadline = Instant::now() + limit;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.seen.push(line.clone());
                    if let Some(ready) = Ready::parse(&line) {
                        self.ready = Some(ready.clone());
                        return Ok(ready);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {
                    let (limit, threads) = (limit.as_millis(), self.threads());
                    return Err(format!("not ready after {limit} ms; printed {:?}; threads:\n{threads}", self.seen));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.child.wait().expect("wait");
                    return Err(format!("ended ({status}) before it was ready; printed {:?}", self.seen));
                }
            }
        }
    }

    /// Where each thread is in the kernel (as far as we may look): what a start that hangs waits for.
    fn threads(&self) -> String {
        let mut text = String::new();
        let tasks = std::fs::read_dir(format!("/proc/{}/task", self.pid()));
        for task in tasks.into_iter().flatten().filter_map(Result::ok) {
            let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let (name, wait, stack) = (read("comm"), read("wchan"), read("stack"));
            text.push_str(&format!("{} in {wait}\n{stack}", name.trim()));
        }
        text
    }

    pub fn ready(&self) -> &Ready {
        self.ready.as_ref().expect("wait_ready came first")
    }

    /// Address of core 0.
    pub fn address(&self) -> &str {
        &self.ready().listeners[0]
    }

    /// Lines of standard output so far.
    pub fn output(&mut self) -> &[String] {
        self.seen.extend(self.lines.try_iter());
        &self.seen
    }

    pub fn is_running(&mut self) -> bool {
        self.child.try_wait().expect("wait").is_none()
    }

    /// kill -9, and waits until the process is gone.
    pub fn kill(mut self) {
        self.kill_in_place();
    }

    fn kill_in_place(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: plain system call on our own child, which has not been waited for.
        let result = unsafe { libc::kill(self.child.id() as i32, signal) };
        assert_eq!(result, 0, "signal {signal} to the broker");
    }

    /// Waits for the end of the process.
    pub fn wait_end(&mut self, limit: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + limit;
        while Instant::now() < deadline {
            if let Some(status) = self.child.try_wait().expect("wait") {
                return Some(status);
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        None
    }

    /// SIGTERM; the broker must end by itself with code 0.
    pub fn stop(mut self) {
        self.signal(libc::SIGTERM);
        let status = self.wait_end(Duration::from_secs(30)).expect("ends within 30 s of SIGTERM");
        assert!(status.success(), "a stop ends with code 0, not {status} (signal {:?})", status.signal());
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        self.kill_in_place();
    }
}

/// Ports that one machine may use.
const PORTS_PER_MACHINE: u16 = 8;
/// Below the ephemeral range, so that no client takes them.
const PORT_FIRST: u16 = 12_000;
const PORT_BLOCKS: u16 = 2_000;

/// First of a block of free ports. The block stays this process's own (a lock on a file named after it), so that tests that
/// run at the same time do not try each other's ports while a broker is down.
pub fn free_ports() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let directory = std::env::temp_dir().join("corelane-test-ports");
    std::fs::create_dir_all(&directory).expect("a directory for port locks");
    let own = (std::process::id() % u32::from(PORT_BLOCKS)) as u16;
    loop {
        let block = (own + NEXT.fetch_add(1, Ordering::Relaxed)) % PORT_BLOCKS;
        let base = PORT_FIRST + block * PORTS_PER_MACHINE;
        let lock = File::create(directory.join(base.to_string())).expect("a port lock");
        let is_own = lock.try_lock().is_ok();
        if is_own && (base..base + PORTS_PER_MACHINE).all(|port| TcpListener::bind(("127.0.0.1", port)).is_ok()) {
            // Held until the process ends.
            std::mem::forget(lock);
            return base;
        }
    }
}
