//! The commands that run no broker.

use crate::cli::consume::Consume;
use crate::cli::ending::{Ending, Trouble};
use crate::cli::produce::Produce;
use crate::cli::topic::TopicVerb;
use clap::Subcommand;

/// What to do as a client.
#[derive(Debug, Subcommand)]
pub enum Work {
    /// Creates, lists and changes topics
    #[command(subcommand)]
    Topic(TopicVerb),
    /// Sends records to a topic: lines of standard input or of files
    Produce(Produce),
    /// Reads records of a topic
    Consume(Consume),
}

impl Work {
    /// Does it. `environment` is that of the process.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        match self {
            Work::Topic(verb) => verb.run(environment),
            Work::Produce(produce) => produce.run(environment),
            Work::Consume(consume) => consume.run(environment),
        }
    }
}
