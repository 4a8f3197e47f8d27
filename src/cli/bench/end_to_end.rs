//! `corelane bench end-to-end`.

use crate::cli::bench::flags::{Flags, ReadFlags};
use crate::cli::bench::measures::Subject;
use crate::cli::bench::quantity::Throughput;
use crate::cli::bench::session::Session;
use crate::cli::ending::{Ending, Trouble};
use crate::client::load::run::Plan;
use crate::client::offsets::Asked;
use clap::Args;

/// How long records take from a producer to a consumer
#[derive(Args, Debug)]
pub struct EndToEnd {
    #[command(flatten)]
    flags: Flags,
    #[command(flatten)]
    reads: ReadFlags,
}

/// When nothing is typed: records that come faster than they can be read have no latency, only a queue.
const RATE: Throughput = Throughput::Bytes(10e6);

impl EndToEnd {
    /// Does it.
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        follow(self.flags, &self.reads, environment, "end-to-end")
    }
}

/// Producers, and consumers at the ends of the partitions.
pub(super) fn follow(
    mut flags: Flags,
    reads: &ReadFlags,
    environment: &[(String, String)],
    mode: &'static str,
) -> Result<Ending, Trouble> {
    let workload = flags.workload(RATE)?;
    if workload.acks == 0 {
        let why = "--acks 0: without acknowledgements nobody knows which record is which; use 1 or all";
        return Err(Trouble::Usage(why.to_string()));
    }
    let mut session = Session::open(flags, environment, workload, mode, Subject::Delivery)?;
    let result = session.offsets(Asked::End).map(|ends| {
        let spans = ends.into_iter().map(|end| (end, None)).collect();
        let reading = reads.reading(&session.workload, spans, false);
        Plan { end_to_end: true, ..session.plan(Some(session.workload.writing()), Some(reading)) }
    });
    match result {
        Ok(plan) => session.run(&plan),
        Err(failure) => session.give_up(failure),
    }
}
