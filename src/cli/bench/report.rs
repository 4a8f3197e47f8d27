//! What a run has shown, before it becomes a table or a file.

use crate::cli::bench::flags::Workload;
use crate::cli::bench::measures::{KINDS, Spread, Subject};
use crate::cli::bench::observed::Observed;
use crate::cli::table::Table;
use crate::client::failure::name_of;
use crate::client::load::tally::{Interval, Round};
use std::collections::BTreeMap;
use std::time::Duration;

/// One round.
#[derive(Clone, Debug)]
pub(super) struct RoundReport {
    pub(super) seconds: f64,
    /// It lasted as long as it was meant to.
    pub(super) complete: bool,
    /// In the order of [`KINDS`].
    pub(super) figures: Vec<Option<f64>>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Report {
    pub(super) mode: &'static str,
    pub(super) subject: Subject,
    pub(super) label: String,
    /// RFC 3339.
    pub(super) started: String,
    pub(super) topics: Vec<String>,
    pub(super) workload: Workload,
    pub(super) brokers: Vec<String>,
    pub(super) cluster_id: Option<String>,
    pub(super) observed: Observed,
    /// Why system calls that were to be counted were not.
    pub(super) uncounted_calls: Option<String>,
    pub(super) load_average: Option<f64>,
    pub(super) rounds: Vec<RoundReport>,
    /// All rounds together.
    pub(super) whole: Round,
    pub(super) interval: Duration,
    pub(super) intervals: Vec<Interval>,
    pub(super) codes: BTreeMap<i16, u64>,
    pub(super) connections: usize,
    pub(super) batch_bytes: usize,
    /// Acknowledged batches that nobody received.
    pub(super) missing: u64,
    pub(super) caught_up: Option<Duration>,
    /// Why it ended before its time.
    pub(super) ended_early: Option<String>,
}

impl Report {
    /// Over the whole rounds; over the cut one if there is no other.
    pub(super) fn spread(&self, kind: usize) -> Option<Spread> {
        let whole = self.rounds.iter().any(|round| round.complete);
        let counted = self.rounds.iter().filter(|round| round.complete || !whole);
        Spread::of(counted.filter_map(|round| round.figures[kind]))
    }

    /// Everything is as it was meant to be.
    pub(super) fn is_complete(&self) -> bool {
        self.ended_early.is_none() && self.missing == 0 && self.codes.is_empty() && self.whole.unanswered == 0
    }

    /// Something was measured at all.
    pub(super) fn has_figures(&self) -> bool {
        self.whole.produced.requests + self.whole.consumed.requests > 0
    }

    /// For the screen.
    pub(super) fn tables(&self) -> Vec<Table> {
        let mut table = Table::new(["figure", "unit", "median", "min", "max"]);
        for (number, kind) in KINDS.iter().enumerate() {
            let Some(spread) = self.spread(number) else { continue };
            // What is always nothing says nothing.
            if spread.max == 0.0 && ["errors", "unsent", "unanswered", "steal_percent"].contains(&kind.name) {
                continue;
            }
            let [median, min, max] = [spread.median, spread.min, spread.max].map(short);
            table.row([kind.words.to_string(), kind.unit.to_string(), median, min, max]);
        }
        vec![table]
    }

    /// Above the table: what was measured.
    pub(super) fn headline(&self) -> String {
        let rounds = self.rounds.iter().filter(|round| round.complete).count();
        let seconds = self.rounds.first().map_or(0.0, |round| round.seconds);
        let processes = self.observed.processes.iter().map(|process| format!("{} {}", process.name, process.pid));
        let seen = processes.collect::<Vec<_>>().join(", ");
        let seen = if seen.is_empty() { format!("not seen: {}", self.observed.how) } else { seen };
        format!(
            "{}: {rounds} rounds of {seconds:.1} s, {} connections, {} partitions; broker {} ({seen})",
            self.label,
            self.connections,
            self.workload.partitions as usize * self.topics.len(),
            self.brokers.join(", "),
        )
    }

    /// What has to be said besides, a line each.
    pub(super) fn remarks(&self) -> Vec<String> {
        let mut remarks = Vec::new();
        for (code, count) in &self.codes {
            remarks.push(format!("{} ({code}): {count} times a partition was answered so", name_of(*code)));
        }
        if self.missing > 0 {
            remarks.push(format!(
                "{} acknowledged batches were not received; they count with the time until the end",
                self.missing
            ));
        }
        if self.whole.unanswered > 0 {
            remarks.push(format!(
                "{} requests had no answer when the waiting ended; they count with the time until then",
                self.whole.unanswered
            ));
        }
        if let Some(why) = &self.uncounted_calls {
            remarks.push(format!("system calls were not counted: {why}"));
        }
        if self.whole.unsent > 0 {
            remarks.push(format!(
                "the rate was not reached: {} requests were never sent; they count with the time that they had waited",
                self.whole.unsent
            ));
        }
        remarks
    }
}

/// Four digits that matter.
pub(super) fn short(number: f64) -> String {
    let digits = match number.abs() {
        large if large >= 1000.0 => 0,
        large if large >= 100.0 => 1,
        large if large >= 10.0 => 2,
        large if large >= 0.01 || large == 0.0 => 3,
        _ => 5,
    };
    let text = format!("{number:.digits$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_string() } else { text }
}

#[cfg(test)]
mod tests {
    use super::short;

    #[test]
    fn short_numbers() {
        let texts = [0.0, 0.00012, 0.5, 1.2345, 12.3456, 123.456, 12_345.6, 100.0, 1e7].map(short);
        assert_eq!(texts, ["0", "0.00012", "0.5", "1.234", "12.35", "123.5", "12346", "100", "10000000"]);
    }
}
