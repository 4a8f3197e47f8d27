//! What the processes and the machine used between two borders.

use crate::cli::ending::Trouble;
use crate::client::cluster::Cluster;
use crate::client::load::process::{Machine, Process, Usage};
use std::time::Instant;

/// The broker's processes, and how they were found.
#[derive(Clone, Debug)]
pub(super) struct Observed {
    /// None: the broker cannot be seen.
    pub(super) processes: Vec<Process>,
    /// `given`, `by port`, or why there is none.
    pub(super) how: String,
}

/// At one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sample {
    pub(super) at: Instant,
    /// Of all processes of the broker together.
    pub(super) broker: Option<Usage>,
    /// Of this process.
    pub(super) client: Usage,
    pub(super) machine: Machine,
}

/// A proxy in front of the broker is not the broker.
const PROXIES: [&str; 2] = ["docker-proxy", "rootlessport"];

impl Observed {
    /// By number, or by the ports of the brokers that are on this machine.
    pub(super) fn find(pids: &[u32], cluster: &mut Cluster) -> Result<Observed, Trouble> {
        if !pids.is_empty() {
            let process = |pid: &u32| {
                let readable = Process::of(*pid).filter(|process| process.usage().cpu_seconds.is_some());
                readable.ok_or_else(|| Trouble::Usage(format!("--pid {pid}: there is no such process on this machine")))
            };
            let processes = pids.iter().map(process).collect::<Result<Vec<Process>, Trouble>>()?;
            return Ok(Observed { processes, how: "given".to_string() });
        }
        let nodes: Vec<(i32, u16)> = cluster.brokers().map(|broker| (broker.node, broker.address.port)).collect();
        let mut processes: Vec<Process> = Vec::new();
        for (node, port) in nodes {
            if !cluster.at(node).is_ok_and(|connection| connection.is_local()) {
                continue;
            }
            for process in Process::listening_on(port) {
                if !processes.contains(&process) && !PROXIES.contains(&process.name.as_str()) {
                    processes.push(process);
                }
            }
        }
        let how = match processes.is_empty() {
            true => "no process of this machine that we may look into listens on the ports of the brokers",
            false => "by port",
        };
        Ok(Observed { processes, how: how.to_string() })
    }

    /// Now, which was meant to be at this time.
    pub(super) fn sample(&self, at: Instant) -> Sample {
        let usages = self.processes.iter().map(Process::usage);
        let broker = usages.reduce(Usage::with).filter(|usage| usage.cpu_seconds.is_some());
        Sample { at, broker, client: Process::own().usage(), machine: Machine::usage() }
    }
}
