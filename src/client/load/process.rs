//! What the kernel says about a process: processor time, bytes read and written, memory. Linux, through `/proc`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// A process on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its program.
    pub name: String,
}

/// What it has used since it began, and has now. What cannot be read (another user's) is absent.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Usage {
    /// Processor time of all its threads, in and out of the kernel.
    pub cpu_seconds: Option<f64>,
    /// That reached the block layer.
    pub written_bytes: Option<u64>,
    /// That came from the block layer.
    pub read_bytes: Option<u64>,
    /// Resident.
    pub resident_bytes: Option<u64>,
    /// Resident at most, ever.
    pub resident_bytes_max: Option<u64>,
}

impl Usage {
    /// Of two processes together.
    pub fn with(self, other: Usage) -> Usage {
        let sum = |left: Option<u64>, right: Option<u64>| left.zip(right).map(|(left, right)| left + right);
        Usage {
            cpu_seconds: self.cpu_seconds.zip(other.cpu_seconds).map(|(left, right)| left + right),
            written_bytes: sum(self.written_bytes, other.written_bytes),
            read_bytes: sum(self.read_bytes, other.read_bytes),
            resident_bytes: sum(self.resident_bytes, other.resident_bytes),
            resident_bytes_max: sum(self.resident_bytes_max, other.resident_bytes_max),
        }
    }
}

impl Process {
    /// By its number; none if there is no such process.
    pub fn of(pid: u32) -> Option<Process> {
        let name = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?.trim().to_string();
        Some(Process { pid, name })
    }

    /// This one.
    pub fn own() -> Process {
        Process { pid: std::process::id(), name: "corelane".to_string() }
    }

    /// Those that listen on a TCP port of this machine, as far as we may see.
    pub fn listening_on(port: u16) -> Vec<Process> {
        let inodes: BTreeSet<u64> = ["/proc/net/tcp", "/proc/net/tcp6"]
            .iter()
            .filter_map(|path| fs::read_to_string(path).ok())
            .flat_map(|text| listeners(&text, port))
            .collect();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok) {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else { continue };
            if !inodes.is_empty() && has_socket(&entry.path(), &inodes) {
                found.extend(Process::of(pid));
            }
        }
        found
    }

    /// What it has used up to now.
    pub fn usage(&self) -> Usage {
        let read = |name: &str| fs::read_to_string(format!("/proc/{}/{name}", self.pid)).unwrap_or_default();
        let (io, status) = (read("io"), read("status"));
        let kilobytes = |name: &str| field(&status, name).map(|kilobytes| kilobytes * 1024);
        Usage {
            cpu_seconds: cpu_ticks(&read("stat"))
                .map(|ticks| ticks as f64 / rustix::param::clock_ticks_per_second() as f64),
            written_bytes: field(&io, "write_bytes:"),
            read_bytes: field(&io, "read_bytes:"),
            resident_bytes: kilobytes("VmRSS:"),
            resident_bytes_max: kilobytes("VmHWM:"),
        }
    }
}

/// The machine as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Machine {
    /// Processor time of all CPUs, whatever they did, in ticks.
    pub ticks: u64,
    /// Of them, those that the host gave to others.
    pub stolen_ticks: u64,
}

impl Machine {
    /// Up to now.
    pub fn usage() -> Machine {
        let text = fs::read_to_string("/proc/stat").unwrap_or_default();
        let first = text.lines().next().unwrap_or_default();
        let ticks: Vec<u64> = first.split_whitespace().skip(1).filter_map(|word| word.parse().ok()).collect();
        // The eighth is steal; those behind it are counted elsewhere already.
        Machine { ticks: ticks.iter().take(8).sum(), stolen_ticks: ticks.get(7).copied().unwrap_or(0) }
    }
}

/// Load averages of the last minute, or none.
pub fn load_average() -> Option<f64> {
    fs::read_to_string("/proc/loadavg").ok()?.split_whitespace().next()?.parse().ok()
}

/// The kernel's release.
pub fn kernel() -> Option<String> {
    Some(fs::read_to_string("/proc/sys/kernel/osrelease").ok()?.trim().to_string())
}

/// Model of the processors, as they call themselves.
pub fn processor() -> Option<String> {
    let text = fs::read_to_string("/proc/cpuinfo").ok()?;
    let line = text.lines().find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_string())
}

/// Memory of the machine.
pub fn memory_bytes() -> Option<u64> {
    field(&fs::read_to_string("/proc/meminfo").ok()?, "MemTotal:").map(|kilobytes| kilobytes * 1024)
}

/// The number behind a name at the beginning of a line.
fn field(text: &str, name: &str) -> Option<u64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

/// User and system time. The program's name may hold blanks and parentheses; it ends with the last one.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, rest) = stat.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    Some(fields.get(11)?.parse::<u64>().ok()? + fields.get(12)?.parse::<u64>().ok()?)
}

/// Inodes of sockets that listen on the port, from the kernel's table.
fn listeners(table: &str, port: u16) -> Vec<u64> {
    const LISTEN: &str = "0A";
    let wanted = format!(":{port:04X}");
    let inode = |line: &str| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = fields.get(1)?.ends_with(&wanted) && *fields.get(3)? == LISTEN;
        if is_it { fields.get(9)?.parse().ok() } else { None }
    };
    table.lines().skip(1).filter_map(inode).collect()
}

fn has_socket(process: &Path, inodes: &BTreeSet<u64>) -> bool {
    let inode =
        |target: std::path::PathBuf| target.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.parse::<u64>().ok();
    let links = fs::read_dir(process.join("fd")).into_iter().flatten().filter_map(Result::ok);
    links.filter_map(|link| inode(fs::read_link(link.path()).ok()?)).any(|inode| inodes.contains(&inode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    #[test]
    fn a_listening_process_is_found_and_read() {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let found = Process::listening_on(port);
        assert!(found.iter().any(|process| process.pid == std::process::id()), "{found:?}");
        drop(listener);
        assert_eq!(Process::listening_on(port), []);
        let own = Process::own();
        let before = own.usage();
        let mut sum = 0u64;
        while own.usage().cpu_seconds <= before.cpu_seconds {
            sum = (0..1_000_000).fold(sum, |sum, number| sum.wrapping_mul(31).wrapping_add(number));
        }
        assert!(before.resident_bytes.is_some_and(|bytes| bytes > 1 << 20), "{before:?}, {sum}");
        assert!(before.resident_bytes <= before.resident_bytes_max);
    }

    #[test]
    fn the_kernels_words() {
        let stat = "12 (a) b) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20";
        assert_eq!(cpu_ticks(stat), Some(300));
        assert_eq!(cpu_ticks("12 (a) S 1"), None);
        let table = "head\n 0: 0100007F:2384 00000000:0000 0A 0:0 0:0 0 0 0 777 1\n \
                     1: 0100007F:2384 0100007F:9999 01 0:0 0:0 0 0 0 778 1\n";
        assert_eq!(listeners(table, 9092), [777]);
        assert_eq!(listeners(table, 9093), Vec::<u64>::new());
        let both = Usage { cpu_seconds: Some(1.5), written_bytes: Some(2), ..Usage::default() };
        assert_eq!(both.with(both), Usage { cpu_seconds: Some(3.0), written_bytes: Some(4), ..Usage::default() });
    }
}
