//! `corelane bench`: load on a broker, and what it costs. The generator is [`crate::client::load`].

mod flags;
mod json_report;
mod measures;
mod observed;
mod produce;
mod quantity;
mod report;
mod session;

use crate::cli::ending::{Ending, Trouble};
use clap::Subcommand;
use produce::Produce;

/// What to measure.
#[derive(Debug, Subcommand)]
pub enum BenchVerb {
    /// How fast records are acknowledged
    Produce(Produce),
}

impl BenchVerb {
    /// Does it.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        match self {
            BenchVerb::Produce(produce) => produce.run(environment),
        }
    }
}
