//! `corelane bench consume`.

use crate::cli::bench::end_to_end::follow;
use crate::cli::bench::flags::{Flags, ReadFlags};
use crate::cli::bench::measures::Subject;
use crate::cli::bench::quantity::{Throughput, bytes};
use crate::cli::bench::session::Session;
use crate::cli::ending::{Ending, Trouble, complain};
use crate::client::cluster::topic_words;
use crate::client::failure::Failure;
use crate::client::load::run::Plan;
use crate::client::offsets::Asked;
use clap::{Args, ValueEnum};
use std::time::Duration;

/// How fast records are read
#[derive(Args, Debug)]
pub struct Consume {
    /// What is read
    #[arg(long, value_enum, value_name = "PATTERN", default_value_t = Pattern::CatchUp)]
    pattern: Pattern,
    /// Before anybody reads, writes so much more if the topic holds less [default: 1GB into a new topic]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    fill: Option<u64>,
    /// Reads everything once, instead of beginning anew at the end
    #[arg(long)]
    once: bool,
    /// Drops the kernel's caches before reading begins; for root only. Brokers may have caches of their own
    #[arg(long)]
    drop_caches: bool,
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    reads: ReadFlags,
}

/// `--pattern`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Pattern {
    /// What is there, from the start, as fast as it comes
    CatchUp,
    /// What producers write meanwhile, as it comes
    Tail,
    /// What is there, while producers go on writing
    Backlog,
}

/// Written into a new topic.
const FILL_BYTES: u64 = 1_000_000_000;
/// Beside the drain of a backlog.
const RATE: Throughput = Throughput::Bytes(10e6);

impl Consume {
    /// Does it.
    pub(super) fn run(mut self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        if self.pattern == Pattern::Tail {
            return follow(self.flags, &self.reads, environment, "consume");
        }
        if self.pattern == Pattern::CatchUp && self.flags.has_throughput() {
            complain("--throughput: nobody writes while a consumer catches up; --pattern backlog does that");
        }
        let workload = self.flags.workload(RATE)?;
        if self.pattern == Pattern::Backlog && workload.num_records.is_some() {
            return Err(Trouble::Usage("--num-records: a backlog ends by --duration and --rounds".to_string()));
        }
        let once = self.once || workload.num_records.is_some();
        let mut session = Session::open(self.flags, environment, workload, "consume", Subject::Fetch)?;
        let prepared = prepare(&mut session, self.pattern, self.fill).and_then(|spans| {
            if self.drop_caches {
                drop_caches()?;
            }
            Ok(spans)
        });
        let spans = match prepared {
            Ok(spans) => spans,
            Err(trouble) => return session.give_up(trouble),
        };
        let backlog = self.pattern == Pattern::Backlog;
        let reading = self.reads.reading(&session.workload, spans, !once && !backlog);
        let writing = backlog.then(|| session.workload.writing());
        let plan = session.plan(writing, Some(reading));
        session.run(&plan)
    }
}

/// Sees to it that there is something to read: first offsets, and ends unless producers go on.
fn prepare(session: &mut Session, pattern: Pattern, fill: Option<u64>) -> Result<Vec<(i64, Option<i64>)>, Trouble> {
    let (starts, mut ends) = (session.offsets(Asked::Start)?, session.offsets(Asked::End)?);
    let records: i64 = starts.iter().zip(&ends).map(|(start, end)| end - start).sum();
    let shape = session.workload.records;
    let held = records as u64 * (shape.record_bytes + shape.key_bytes) as u64;
    let wanted = fill.or(session.workload.backlog_bytes).unwrap_or(if session.is_new() { FILL_BYTES } else { 0 });
    if held < wanted {
        let records = (wanted - held).div_ceil((shape.record_bytes + shape.key_bytes).max(1) as u64);
        let mut writing = session.workload.writing();
        (writing.records_per_second, writing.records_max) = (None, Some(records));
        let plan = Plan { warmup: Duration::ZERO, round: NO_END, rounds: 1, ..session.plan(Some(writing), None) };
        session.fill(&plan)?;
        ends = session.offsets(Asked::End)?;
    }
    if starts.iter().zip(&ends).all(|(start, end)| start == end) {
        let failure = Failure::here("nothing is there to be read; --fill 1GB writes something");
        return Err(failure.about(topic_words(&session.topics()[0].name)).into());
    }
    if let Some(records) = session.workload.num_records {
        shorten(&starts, &mut ends, records);
    }
    let span = |(start, end)| (start, (pattern == Pattern::CatchUp).then_some(end));
    Ok(starts.into_iter().zip(ends).map(span).collect())
}

/// So many records in all, as evenly from all partitions as they have them.
fn shorten(starts: &[i64], ends: &mut [i64], records: u64) {
    let mut order: Vec<usize> = (0..starts.len()).collect();
    order.sort_by_key(|at| ends[*at] - starts[*at]);
    let mut left = i64::try_from(records).unwrap_or(i64::MAX);
    for (taken, at) in order.iter().enumerate() {
        let share = left / (order.len() - taken) as i64;
        let held = ends[*at] - starts[*at];
        ends[*at] = starts[*at] + held.min(share);
        left -= held.min(share);
    }
}

/// The filling ends with its last record.
const NO_END: Duration = Duration::from_secs(604_800);

fn drop_caches() -> Result<(), Trouble> {
    const FILE: &str = "/proc/sys/vm/drop_caches";
    // Only what is written already can be dropped.
    rustix::fs::sync();
    std::fs::write(FILE, "3")
        .map_err(|error| Failure::here(format!("--drop-caches: {FILE}: {error}; it takes root")).into())
}

#[cfg(test)]
mod tests {
    use super::shorten;

    #[test]
    fn so_many_records_and_no_more() {
        let cut = |records| {
            let mut ends = [10, 105, 50];
            shorten(&[0, 5, 0], &mut ends, records);
            ends
        };
        assert_eq!(cut(1000), [10, 105, 50]);
        assert_eq!(cut(9), [3, 8, 3]);
        assert_eq!(cut(100), [10, 50, 45]);
        assert_eq!(cut(0), [0, 5, 0]);
    }
}
