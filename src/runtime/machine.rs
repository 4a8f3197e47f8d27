//! The process: checks, start of the brokers, one thread per core, stop. Runs on the main thread.
//!
//! ```text
//! probe ─> lock ─> bind ports ─> metadata ─> recover cores (a thread each) ─> core threads ─> ready
//!       ─> wait ─> signal: stop every core ─> all stopped: let them leave ─> exit 0
//! ```
//!
//! P1: a panic on any thread ends the process at once: a machine is never half alive.
//! P2: clients are refused until every core has recovered; a port in use is told before the disk is touched.
//! P3: the lock on the data directory is held from before the first read to the end of the process.

use crate::base::config::{Advertise, Config};
use crate::base::ids::CoreId;
use crate::base::limits;
use crate::broker::broker::Broker;
use crate::broker::settings::{Advertised, BrokerSettings};
use crate::broker::start::{Begun, Refusal, StartSettings, begin, recover_core};
use crate::log::core_log::{CoreLog, LogSettings};
use crate::runtime::allocator;
use crate::runtime::blocking::Blocking;
use crate::runtime::clock;
use crate::runtime::core_loop::{self, CoreParts, Letter, Report};
use crate::runtime::file_storage::FileStorage;
use crate::runtime::listener::bind;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::memory_limit;
use crate::runtime::mesh::Mesh;
use crate::runtime::probe;
use crate::runtime::sockets::SocketSettings;
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use socket2::Socket;
use std::io::ErrorKind;
use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// A port in use is tried again this often before the start is refused.
const BIND_RETRIES: u32 = 100;
/// Between two tries: 2 s in all, as long as for the lock.
const BIND_RETRY: Duration = Duration::from_millis(20);
/// A stop that takes longer is given up: recovery will do the rest.
const STOP_MAX: Duration = Duration::from_secs(60);
/// Exit code of a start that is refused or a run that failed.
const FAILED: i32 = 1;

const _: () = assert!(limits::JOURNAL_WRITE_BYTES_MAX * limits::JOURNAL_WRITES_IN_FLIGHT_MAX <= 4 * 1024 * 1024);

/// Runs a machine until it is stopped; the exit code. `ready` is called once clients can connect, with the addresses of
/// the listeners in core order (`advertise=per-machine`: the one).
pub fn run(config: &Config, cores: u16, ready: impl FnOnce(&[String])) -> i32 {
    allocator::keep_freed_memory_for_a_while();
    abort_on_panic();
    match start(config, cores) {
        Ok(machine) => machine.serve(ready),
        Err(text) => {
            eprintln!("corelane: cannot start: {text}");
            FAILED
        }
    }
}

/// P1. One line says what happened and where; `RUST_BACKTRACE` asks for more.
fn abort_on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let thread = std::thread::current();
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let what = panic.payload_as_str().unwrap_or("without a text").replace('\n', "; ");
        let name = thread.name().unwrap_or("without a name");
        eprintln!("corelane: a bug: thread {name} panicked at {place}: {what}; the process ends, a restart recovers");
        if std::env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0") {
            eprintln!("{}", std::backtrace::Backtrace::force_capture());
        }
        std::process::abort();
    }));
}

/// What was made before the first core thread.
struct Machine {
    parts: Vec<CoreParts>,
    mailboxes: Vec<Arc<Mailbox<Letter>>>,
    listeners: Vec<SocketAddr>,
    host: String,
    reports: Receiver<Report>,
}

fn start(config: &Config, cores: u16) -> Result<Machine, String> {
    probe::io_uring()?;
    probe::notices().iter().for_each(|notice| tracing::warn!("{notice}"));
    let open_files = probe::open_files();
    let data_dir = Path::new(&config.data_dir);
    // P3: the cores may still write when this function's caller is long gone.
    std::mem::forget(probe::data_dir(data_dir)?);
    let bound = bind_all(config, cores)?;
    let mut listeners: Vec<SocketAddr> = bound.iter().map(|(_, address)| *address).collect();
    if config.advertise == Advertise::PerMachine {
        listeners.truncate(1);
    }
    let storage =
        FileStorage::open(data_dir).map_err(|error| format!("cannot open {}: {error:?}", data_dir.display()))?;
    let brokers = start_brokers(config, cores, &storage, &listeners)?;
    let blocking = Blocking::start(&storage, usize::from(cores));
    let mailboxes: Result<Vec<_>, _> = (0..cores).map(|_| Mailbox::new().map(Arc::new)).collect();
    let mailboxes = mailboxes.map_err(|error| format!("cannot make an eventfd: {error}"))?;
    let (sender, reports) = channel();
    let sockets = SocketSettings::new(config, cores, open_files);
    let mut parts = Vec::new();
    let with_sockets = brokers.into_iter().zip(bound).zip(Mesh::new(&mailboxes));
    for ((broker, (listener, _)), mesh) in with_sockets {
        let core = broker.core();
        parts.push(CoreParts {
            core,
            broker,
            listener,
            sockets,
            storage: storage.clone(),
            blocking: blocking.clone(),
            mailbox: mailboxes[usize::from(core.0)].clone(),
            mesh,
            reports: sender.clone(),
        });
    }
    let host = config.listener.host.clone();
    Ok(Machine { parts, mailboxes, listeners, host, reports })
}

fn bind_all(config: &Config, cores: u16) -> Result<Vec<(Socket, SocketAddr)>, String> {
    let host = &config.listener.host;
    let resolved = (host.as_str(), 0).to_socket_addrs().ok().and_then(|mut addresses| addresses.next());
    let resolved = resolved.ok_or_else(|| format!("listeners: {host} is no address of this machine"))?;
    let mut bound: Vec<(Socket, SocketAddr)> = Vec::new();
    for core in 0..cores {
        if config.advertise == Advertise::PerMachine
            && let Some((first, address)) = bound.first()
        {
            // One queue of clients for all cores: whichever is awake first takes the next.
            let shared = first.try_clone().map_err(|error| format!("cannot share the listener: {error}"))?;
            bound.push((shared, *address));
            continue;
        }
        let port = config.listener.port_of(CoreId(core)).expect("checked with the configuration");
        let address = SocketAddr::new(resolved.ip(), port);
        bound.push(bind_patiently(address).map_err(|error| port_refused(address, core, &error))?);
    }
    Ok(bound)
}

/// The kernel can hold the ring of a killed process, and with it the listener, a moment longer than the process.
fn bind_patiently(address: SocketAddr) -> Result<(Socket, SocketAddr), std::io::Error> {
    for _ in 0..BIND_RETRIES {
        match bind(address) {
            Err(error) if error.kind() == ErrorKind::AddrInUse => std::thread::sleep(BIND_RETRY),
            result => return result,
        }
    }
    bind(address)
}

fn port_refused(address: SocketAddr, core: u16, error: &std::io::Error) -> String {
    let remedy = match error.kind() {
        ErrorKind::AddrInUse => {
            "another process listens there (ss -ltnp shows which); stop it, or choose another port (listeners, --port).\n\
             Core c listens on port + c, so a machine needs as many free ports in a row as it has cores"
        }
        ErrorKind::PermissionDenied => {
            "ports below 1024 need CAP_NET_BIND_SERVICE; choose a higher one (listeners, --port)"
        }
        ErrorKind::AddrNotAvailable => "the address does not belong to this machine (listeners, --host)",
        _ => "check listeners",
    };
    format!("core {core} cannot listen on {address}: {error}\nRemedy: {remedy}")
}

/// As clients are told of it, whatever directory the process was started in.
fn absolute(data_dir: &str) -> String {
    std::path::absolute(data_dir).map_or_else(|_| data_dir.to_string(), |path| path.display().to_string())
}

/// What `tail.cache.bytes=auto` is for one core.
fn tail_cache_bytes_auto(cores: u16) -> u64 {
    let share = memory_limit::bytes().map_or(0, |bytes| bytes / limits::TAIL_CACHE_MEMORY_DIVISOR / u64::from(cores));
    share.max(limits::TAIL_CACHE_BYTES_LEAST)
}

/// What a start with this configuration is told.
pub fn start_settings(config: &Config, cores: u16) -> StartSettings {
    let tail_cache_bytes_auto = tail_cache_bytes_auto(cores);
    StartSettings {
        machine: config.machine,
        cluster_id: config.cluster_id.clone(),
        cores,
        seed: uuid::Uuid::new_v4().as_u64_pair().0,
        log: LogSettings::of(config, tail_cache_bytes_auto),
        broker: BrokerSettings {
            log_dir: absolute(&config.data_dir),
            tail_cache_bytes_auto,
            ..BrokerSettings::of(config)
        },
    }
}

fn start_brokers(
    config: &Config,
    cores: u16,
    storage: &FileStorage,
    listeners: &[SocketAddr],
) -> Result<Vec<Broker>, String> {
    let settings = start_settings(config, cores);
    let mut progress = |text: &str| tracing::info!("{text}");
    let refused = |refusal: Refusal| refusal.to_string();
    let begun = begin(&mut storage.clone(), settings, clock::read(), &mut progress).map_err(refused)?;
    let logs = recover_all(&begun, cores, storage).map_err(refused)?;
    Ok(begun.into_brokers(logs, advertised(config, listeners), clock::read()))
}

/// Each core on a thread of its own: recovery is bounded by one ring, not by all.
fn recover_all(begun: &Begun, cores: u16, storage: &FileStorage) -> Result<Vec<CoreLog>, Refusal> {
    std::thread::scope(|scope| {
        let recover = |core| {
            let mut storage = storage.clone();
            scope.spawn(move || recover_core(begun, &mut storage, CoreId(core), clock::read()))
        };
        let threads: Vec<_> = (0..cores).map(recover).collect();
        threads.into_iter().map(|thread| thread.join().expect("a panic would have ended the process")).collect()
    })
}

fn advertised(config: &Config, listeners: &[SocketAddr]) -> Vec<Advertised> {
    let endpoint = config.advertised.as_ref();
    let host = match endpoint {
        Some(endpoint) => Some(endpoint.host.clone()),
        None => (!config.listener.is_wildcard()).then(|| config.listener.host.clone()),
    };
    // One for each broker that clients see: the listeners that are different ones.
    let port = |(core, listener): (usize, &SocketAddr)| match endpoint
        .and_then(|endpoint| endpoint.port_of(CoreId(core as u16)))
    {
        Some(port) if port != 0 => port,
        _ => listener.port(),
    };
    listeners.iter().enumerate().map(|at| Advertised { host: host.clone(), port: port(at) }).collect()
}

impl Machine {
    fn serve(mut self, ready: impl FnOnce(&[String])) -> i32 {
        let threads = match self.start_cores() {
            Ok(threads) => threads,
            Err(text) => return failed(&text),
        };
        for _ in 0..threads.len() {
            match self.reports.recv() {
                Ok(Report::Ready(_)) => {}
                Ok(Report::Failed(core, why)) => return failed(&format!("core {}: {why}", core.0)),
                other => return failed(&format!("a core ended before it was ready: {other:?}")),
            }
        }
        let signals = on_signals(self.mailboxes.clone());
        ready(&self.addresses());
        let result = self.wait(&signals);
        if let Err(text) = result {
            return failed(&text);
        }
        for mailbox in &self.mailboxes {
            mailbox.post(Letter::End);
        }
        for thread in threads {
            thread.join().expect("a panic would have ended the process");
        }
        0
    }

    fn addresses(&self) -> Vec<String> {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        self.listeners.iter().map(|address| format!("{host}:{}", address.port())).collect()
    }

    fn start_cores(&mut self) -> Result<Vec<JoinHandle<()>>, String> {
        let cpus = allowed_cpus();
        let parts = std::mem::take(&mut self.parts);
        let pinned = parts.len() <= cpus.len();
        // Machines with fewer cores than CPUs (tests) do not pile up on the first one.
        let first = std::process::id() as usize;
        let mut threads = Vec::new();
        for (index, part) in parts.into_iter().enumerate() {
            let cpu = pinned.then(|| cpus[(first + index) % cpus.len()]);
            let thread = std::thread::Builder::new().name(format!("core-{}", part.core.0));
            let run = move || {
                if let Some(cpu) = cpu {
                    pin(cpu);
                }
                core_loop::run(part);
            };
            threads.push(thread.spawn(run).map_err(|error| format!("cannot start a thread: {error}"))?);
        }
        Ok(threads)
    }

    /// Until every core has stopped, or something failed.
    fn wait(&self, stopping: &Receiver<()>) -> Result<(), String> {
        let mut stopped = 0;
        let mut since_signal = None;
        while stopped < self.mailboxes.len() {
            match self.reports.recv_timeout(Duration::from_millis(100)) {
                Ok(Report::Stopped(core)) => {
                    tracing::debug!(core = core.0, "stopped");
                    stopped += 1;
                }
                Ok(Report::Failed(core, why)) => return Err(format!("core {}: {why}", core.0)),
                Ok(Report::Ready(_)) => {}
                Err(_) => {}
            }
            if since_signal.is_none() && stopping.try_recv().is_ok() {
                since_signal = Some(clock::read().monotonic_ns);
            }
            let waited = since_signal.map_or(0, |since| clock::read().monotonic_ns - since);
            if Duration::from_nanos(waited) > STOP_MAX {
                return Err("a core does not stop; recovery will take care of the rest at the next start".to_string());
            }
        }
        Ok(())
    }
}

fn failed(text: &str) -> i32 {
    tracing::error!("{text}");
    eprintln!("corelane: {text}");
    FAILED
}

/// The first signal stops every core and is told to the receiver; the second ends the process at once.
fn on_signals(mailboxes: Vec<Arc<Mailbox<Letter>>>) -> Receiver<()> {
    let (sender, receiver): (Sender<()>, Receiver<()>) = channel();
    let mut signals = Signals::new([SIGTERM, SIGINT]).expect("signals can be caught");
    let thread = std::thread::Builder::new().name("signals".to_string());
    let wait = move || {
        let mut waiting = signals.forever();
        let first = waiting.next();
        tracing::info!(signal = ?first, "stopping; a second signal ends the process at once");
        let _ = sender.send(());
        mailboxes.iter().for_each(|mailbox| mailbox.post(Letter::Stop));
        waiting.next();
        // SAFETY: ends the process without destructors, which is the point: the cores may hold anything now.
        unsafe { libc::_exit(FAILED) }
    };
    thread.spawn(wait).expect("a thread can be started");
    receiver
}

/// Keeps the calling thread on one CPU.
fn pin(cpu: usize) {
    // SAFETY: all-zero bytes are a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: the index came out of such a set.
    unsafe { libc::CPU_SET(cpu, &mut set) };
    // SAFETY: `set` is as large as told; 0 means this thread.
    let result = unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), &set) };
    if result != 0 {
        tracing::warn!(cpu, "a core's thread cannot be pinned: {}", std::io::Error::last_os_error());
    }
}

/// The CPUs that this process may use.
fn allowed_cpus() -> Vec<usize> {
    // SAFETY: all-zero bytes are a valid empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is as large as told; 0 means this thread.
    let result = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &mut set) };
    if result != 0 {
        return Vec::new();
    }
    // SAFETY: every index is below the set's size.
    (0..libc::CPU_SETSIZE as usize).filter(|cpu| unsafe { libc::CPU_ISSET(*cpu, &set) }).collect()
}

#[cfg(test)]
mod tests {
    use super::abort_on_panic;
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// The test calls itself as another process, which panics.
    #[test]
    fn p1_a_panic_on_any_thread_ends_the_process_with_one_line() {
        const CHILD: &str = "PANIC_ON_A_THREAD";
        if std::env::var_os(CHILD).is_some() {
            abort_on_panic();
            let core = std::thread::Builder::new().name("core-7".to_string()).spawn(|| panic!("two\nlines"));
            assert!(core.expect("a thread can be started").join().is_ok(), "the process goes on after a panic");
            return;
        }
        let own = std::env::current_exe().expect("the path of this program");
        let test = "runtime::machine::tests::p1_a_panic_on_any_thread_ends_the_process_with_one_line";
        let mut command = Command::new(own);
        command.args(["--exact", test, "--nocapture"]).env(CHILD, "1").env_remove("RUST_BACKTRACE");
        let output = command.output().expect("runs");
        assert_eq!(output.status.signal(), Some(libc::SIGABRT), "{output:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        let lines: Vec<&str> = said.lines().filter(|line| !line.is_empty()).collect();
        let [line] = lines[..] else { panic!("one line is said, not {lines:?}") };
        for part in ["corelane: ", "thread core-7 panicked at src/runtime/machine.rs:", ": two; lines;"] {
            assert!(line.contains(part), "{line}");
        }
    }
}
