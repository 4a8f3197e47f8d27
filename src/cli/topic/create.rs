//! `corelane topic create`.

use crate::cli::ending::{Ending, Trouble};
use crate::cli::reach::{Output, Reach};
use crate::cli::topic::{pair, report};
use crate::client::topics::{self, NewTopic};
use clap::Args;

/// Creates topics.
#[derive(Args, Debug)]
pub struct Create {
    /// Names
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Partitions of each; -1 for the broker's default
    #[arg(short, long, value_name = "N", default_value_t = -1, allow_hyphen_values = true)]
    partitions: i32,
    /// Replicas of each; -1 for the broker's default
    #[arg(short, long, value_name = "N", default_value_t = -1, allow_hyphen_values = true)]
    replicas: i16,
    /// Sets a config of each; may be repeated
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = pair)]
    configs: Vec<(String, String)>,
    /// Topics that exist already are no failure
    #[arg(long)]
    if_not_exists: bool,
    /// Only asks the broker whether it would do it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

const TOPIC_ALREADY_EXISTS: i16 = 36;

impl Create {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let (partitions, replicas, configs) = (self.partitions, self.replicas, self.configs);
        let new = |name: String| NewTopic { name, partitions, replicas, configs: configs.clone() };
        let wanted: Vec<NewTopic> = self.topics.into_iter().map(new).collect();
        let mut verdicts = topics::create(&mut cluster, &wanted, self.dry_run)?;
        for verdict in verdicts.iter_mut().filter(|_| self.if_not_exists) {
            if verdict.result.as_ref().is_err_and(|failure| failure.number() == Some(TOPIC_ALREADY_EXISTS)) {
                verdict.result = Ok(());
            }
        }
        report(&self.output, &verdicts, if self.dry_run { "would be created" } else { "created" })
    }
}
