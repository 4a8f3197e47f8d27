//! The commands that run no broker.

use crate::cli::bench::BenchVerb;
use crate::cli::cluster::ClusterVerb;
use crate::cli::consume::Consume;
use crate::cli::definition;
use crate::cli::ending::{Ending, Trouble};
use crate::cli::group::GroupVerb;
use crate::cli::log::LogVerb;
use crate::cli::pages::{Completions, ManualPages};
use crate::cli::produce::Produce;
use crate::cli::topic::TopicVerb;
use clap::Subcommand;

/// What to do as a client.
#[derive(Debug, Subcommand)]
pub enum Work {
    /// Creates, lists, shows, changes and deletes topics
    #[command(subcommand)]
    Topic(TopicVerb),
    /// Sends records to a topic: lines of standard input or of files
    Produce(Produce),
    /// Reads records of a topic
    Consume(Consume),
    /// Shows the cluster: id, controller, brokers
    #[command(subcommand)]
    Cluster(ClusterVerb),
    /// Lists, shows, moves and deletes consumer groups
    #[command(subcommand)]
    Group(GroupVerb),
    /// Looks into the files of a data directory, offline
    #[command(subcommand)]
    Log(LogVerb),
    /// Measures a broker under load: any that speaks Kafka's protocol
    #[command(subcommand)]
    Bench(Box<BenchVerb>),
    /// Prints completions for a shell
    Completions(Completions),
    /// Prints the manual page, or writes one for every command
    Man(ManualPages),
}

impl Work {
    /// Does it. `environment` is that of the process.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        match self {
            Work::Topic(verb) => verb.run(environment),
            Work::Produce(produce) => produce.run(environment),
            Work::Consume(consume) => consume.run(environment),
            Work::Cluster(verb) => verb.run(environment),
            Work::Group(verb) => verb.run(environment),
            Work::Log(verb) => verb.run(),
            Work::Bench(verb) => verb.run(environment),
            Work::Completions(completions) => completions.run(definition()),
            Work::Man(pages) => pages.run(definition()),
        }
    }
}
