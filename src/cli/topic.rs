//! `corelane topic ...`: topics and their configs.

mod alter;
mod create;
mod delete;
mod describe;
mod list;
pub(super) mod selection;
mod trim;

use crate::cli::ending::{Ending, Trouble};
use crate::cli::reach::Output;
use crate::cli::verdicts;
use crate::client::topics::Verdict;
use clap::Subcommand;

/// What to do with topics.
#[derive(Debug, Subcommand)]
pub enum TopicVerb {
    /// Creates topics
    Create(create::Create),
    /// Lists topics
    List(list::List),
    /// Shows topics: partitions, leaders, offsets, configs
    Describe(describe::Describe),
    /// Changes configs of topics; those that are not named stay
    Alter(alter::Alter),
    /// Gives topics more partitions; keys go to other partitions from then on
    AddPartitions(alter::AddPartitions),
    /// Removes the oldest records of a topic: all before an offset
    Trim(trim::Trim),
    /// Deletes topics with all their records
    Delete(delete::Delete),
}

impl TopicVerb {
    /// Does it.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        match self {
            TopicVerb::Create(create) => create.run(environment),
            TopicVerb::List(list) => list.run(environment),
            TopicVerb::Describe(describe) => describe.run(environment),
            TopicVerb::Alter(alter) => alter.run(environment),
            TopicVerb::AddPartitions(add) => add.run(environment),
            TopicVerb::Trim(trim) => trim.run(environment),
            TopicVerb::Delete(delete) => delete.run(environment),
        }
    }
}

/// Reads `key=value`.
pub(crate) fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value")?;
    let key = key.trim();
    if key.is_empty() { Err("expected key=value".to_string()) } else { Ok((key.to_string(), value.to_string())) }
}

/// Broker ids in a cell.
fn join(nodes: &[i32]) -> String {
    nodes.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// Prints what became of each topic. `done` is the word for success.
fn report(output: &Output, verdicts: &[Verdict], done: &str) -> Result<Ending, Trouble> {
    verdicts::report(output, "topic", verdicts.iter().map(|verdict| (verdict.topic.as_str(), &verdict.result)), done)
}
