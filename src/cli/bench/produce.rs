//! `corelane bench produce`.

use crate::cli::bench::flags::Flags;
use crate::cli::bench::measures::Subject;
use crate::cli::bench::quantity::Throughput;
use crate::cli::bench::session::Session;
use crate::cli::ending::{Ending, Trouble};
use clap::Args;

/// How fast records are acknowledged
#[derive(Args, Debug)]
pub struct Produce {
    #[command(flatten)]
    flags: Flags,
}

impl Produce {
    /// Does it.
    pub(super) fn run(mut self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let workload = self.flags.workload(Throughput::Max)?;
        let session = Session::open(self.flags, environment, workload, "produce", Subject::Produce)?;
        let plan = session.plan(Some(session.workload.writing()), None);
        session.run(&plan)
    }
}
