//! How many system calls the broker makes: counted by `perf stat` if it is installed and may look, else not at all.

use crate::client::load::process::Process;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

const EVENT: &str = "raw_syscalls:sys_enter";

/// A `perf stat` per round.
pub(super) struct SystemCalls {
    pids: String,
    rounds: Vec<Option<Child>>,
    /// Why they could not be counted.
    pub(super) why_not: Option<String>,
}

impl SystemCalls {
    /// Of these processes.
    pub(super) fn new(processes: &[Process]) -> SystemCalls {
        let pids: Vec<String> = processes.iter().map(|process| process.pid.to_string()).collect();
        let why_not = pids.is_empty().then(|| "the broker's process is not seen".to_string());
        SystemCalls { pids: pids.join(","), rounds: Vec::new(), why_not }
    }

    /// Counts for so long, beside whatever else happens.
    pub(super) fn begin(&mut self, round: Duration) {
        if self.why_not.is_some() {
            return;
        }
        let child = Command::new("perf")
            .args(["stat", "-x", ",", "-e", EVENT, "-p", &self.pids, "--", "sleep"])
            .arg(round.as_secs_f64().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn();
        match child {
            Ok(child) => self.rounds.push(Some(child)),
            Err(error) => self.why_not = Some(format!("perf: {error}")),
        }
    }

    /// Of each round that came to its end.
    pub(super) fn counts(&mut self) -> Vec<Option<f64>> {
        let mut counts = Vec::new();
        for round in &mut self.rounds {
            let output = round.take().and_then(|child| child.wait_with_output().ok());
            let text = output.map(|output| String::from_utf8_lossy(&output.stderr).to_string()).unwrap_or_default();
            let count = count_in(&text);
            if count.is_none() && self.why_not.is_none() {
                let first = text.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing");
                self.why_not = Some(format!("perf: {}", first.trim()));
            }
            counts.push(count);
        }
        counts
    }
}

/// `12345,,raw_syscalls:sys_enter,...`
fn count_in(text: &str) -> Option<f64> {
    let line = text.lines().find(|line| line.contains(EVENT))?;
    line.split(',').next()?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_perf_says() {
        assert_eq!(count_in("12345,,raw_syscalls:sys_enter,2002,100.00,,\n"), Some(12_345.0));
        assert_eq!(count_in("<not counted>,,raw_syscalls:sys_enter,0,100.00,,\n"), None);
        assert_eq!(count_in("event syntax error: unknown tracepoint\n"), None);
    }

    #[test]
    fn without_a_process_nothing_is_counted() {
        let mut calls = SystemCalls::new(&[]);
        calls.begin(Duration::from_secs(1));
        assert_eq!(calls.counts(), []);
        assert!(calls.why_not.is_some());
    }
}
