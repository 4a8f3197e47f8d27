//! `corelane bench`: load on a broker, and what it costs. The generator is [`crate::client::load`].

mod compare;
mod consume;
mod end_to_end;
mod files;
mod flags;
mod html_report;
mod json_report;
mod measures;
mod observed;
mod plot;
mod preset;
mod produce;
mod quantity;
mod report;
mod run_topics;
mod session;
mod system_calls;

use crate::cli::ending::{Ending, Trouble};
use clap::Subcommand;
use compare::Compare;
use consume::Consume;
use end_to_end::EndToEnd;
use preset::Preset;
use produce::Produce;
use std::io::Write;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchVerb {
    /// How fast records are acknowledged
    Produce(Produce),
    /// How fast records are read: what is there, what comes, or a backlog
    Consume(Consume),
    /// How long records take from a producer to a consumer
    EndToEnd(EndToEnd),
    /// Whether two runs differ by more than their rounds do
    Compare(Compare),
    /// Lists the workloads that --preset knows
    Presets,
}

impl BenchVerb {
    /// Does it.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        match self {
            BenchVerb::Produce(produce) => produce.run(environment),
            BenchVerb::Consume(consume) => consume.run(environment),
            BenchVerb::EndToEnd(end_to_end) => end_to_end.run(environment),
            BenchVerb::Compare(compare) => compare.run(),
            BenchVerb::Presets => {
                std::io::stdout().lock().write_all(Preset::table().text().as_bytes())?;
                Ok(Ending::Done)
            }
        }
    }
}
