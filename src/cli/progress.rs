//! How far a long job is, on standard error: on a terminal one line that is written over, elsewhere a line now and then.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

/// See the module.
pub(crate) struct Progress {
    began: Instant,
    next: Instant,
    terminal: bool,
    /// The line on the terminal is ours to wipe.
    shown: bool,
    silent: bool,
    records: u64,
    bytes: u64,
}

const TERMINAL_AFTER: Duration = Duration::from_secs(1);
const TERMINAL_EVERY: Duration = Duration::from_millis(500);
/// Where nobody watches, only what is really slow is worth a line.
const LOG_EVERY: Duration = Duration::from_secs(30);

impl Progress {
    /// Nothing is shown if `silent`, or if records go to the terminal on which it would stand.
    pub(crate) fn new(silent: bool) -> Progress {
        let terminal = std::io::stderr().is_terminal();
        let began = Instant::now();
        let next = began + if terminal { TERMINAL_AFTER } else { LOG_EVERY };
        Progress { began, next, terminal, shown: false, silent, records: 0, bytes: 0 }
    }

    /// Counts, and shows if it is time.
    pub(crate) fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
    }

    /// Shows if it is time. `verb`: what is done to the records.
    pub(crate) fn show(&mut self, verb: &str) {
        let now = Instant::now();
        if !self.silent && now >= self.next {
            let line = self.line(verb, now);
            self.show_line(|| line);
        }
    }

    /// Shows this if it is time.
    pub(crate) fn show_line(&mut self, line: impl FnOnce() -> String) {
        let now = Instant::now();
        if self.silent || now < self.next {
            return;
        }
        let line = line();
        let mut err = std::io::stderr().lock();
        let written = if self.terminal { write!(err, "\r{line}\x1b[K") } else { writeln!(err, "{line}") };
        // Progress that cannot be shown is no reason to stop.
        let _ = written.and_then(|()| err.flush());
        self.shown = self.terminal;
        self.next = now + if self.terminal { TERMINAL_EVERY } else { LOG_EVERY };
    }

    /// Records counted so far.
    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// Wipes the line on the terminal.
    pub(crate) fn end(&mut self) {
        if std::mem::take(&mut self.shown) {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }

    fn line(&self, verb: &str, now: Instant) -> String {
        let seconds = now.duration_since(self.began).as_secs_f64();
        let (records, megabytes) = (self.records as f64 / seconds, self.bytes as f64 / 1e6);
        format!(
            "{} records {verb}, {megabytes:.1} MB in {seconds:.0} s ({records:.0} records/s, {:.1} MB/s)",
            self.records,
            megabytes / seconds
        )
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}
