//! `corelane bench produce`.

use crate::cli::bench::flags::{Defaults, RecordFlags, ResultFlags, TimeFlags, TopicFlags, Workload, WriteFlags};
use crate::cli::bench::measures::Subject;
use crate::cli::bench::quantity::Throughput;
use crate::cli::bench::session::{Session, Topics};
use crate::cli::ending::{Ending, Trouble};
use crate::cli::reach::{Form, Reach};
use crate::client::load::run::Plan;
use clap::Args;

/// How fast records are acknowledged
#[derive(Args, Debug)]
pub struct Produce {
    #[command(flatten)]
    topics: TopicFlags,
    #[command(flatten)]
    records: RecordFlags,
    #[command(flatten)]
    writes: WriteFlags,
    #[command(flatten)]
    times: TimeFlags,
    #[command(flatten)]
    results: ResultFlags,
    /// Form of the results on standard output
    #[arg(short = 'o', long = "output", value_enum, value_name = "FORM", default_value_t = Form::Table)]
    form: Form,
    #[command(flatten)]
    reach: Reach,
}

impl Produce {
    /// Does it.
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let defaults = Defaults { throughput: Throughput::Max, batch_records: None };
        let workload = Workload::resolve(&self.topics, self.records, self.writes, &self.times, &defaults)?;
        let mut cluster = self.reach.cluster(environment)?;
        let topics = Topics::prepare(&mut cluster, &self.topics, &workload, "produce")?;
        let plan = Plan {
            topics: topics.all.clone(),
            records: workload.records,
            writing: Some(workload.writing()),
            reading: None,
            end_to_end: false,
            threads: workload.threads,
            warmup: workload.warmup,
            round: workload.duration,
            rounds: workload.rounds,
            grace: self.reach.timeout(),
        };
        let label = self.results.label.clone().unwrap_or_else(|| "produce".to_string());
        let session = Session {
            mode: "produce",
            subject: Subject::Produce,
            workload,
            results: self.results,
            form: self.form,
            label,
        };
        let result = session.run(&mut cluster, &topics, &plan);
        topics.clear(&mut cluster);
        result
    }
}
