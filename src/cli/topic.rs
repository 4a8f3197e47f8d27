//! `corelane topic ...`: topics and their configs.

mod alter;
mod create;
mod delete;
mod describe;
mod list;
pub(super) mod selection;
mod trim;

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::reach::Output;
use crate::cli::table::Table;
use crate::client::failure::{Cause, Failure, name_of};
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
fn pair(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("expected key=value")?;
    let key = key.trim();
    if key.is_empty() { Err("expected key=value".to_string()) } else { Ok((key.to_string(), value.to_string())) }
}

/// Broker ids in a cell.
fn join(nodes: &[i32]) -> String {
    nodes.iter().map(i32::to_string).collect::<Vec<_>>().join(",")
}

/// A failure for programs.
pub(super) fn failure_json(failure: &Failure) -> Json {
    let code = match &failure.cause {
        Cause::Code { code, .. } => [("code", Json::number(*code)), ("name", Json::text(name_of(*code)))],
        _ => [("code", Json::Null), ("name", Json::Null)],
    };
    let rest = [
        ("message", Json::text(failure.reason())),
        ("broker", Json::text(&failure.broker)),
        ("remedy", Json::optional(failure.remedy())),
    ];
    Json::Fields(code.into_iter().chain(rest).collect())
}

/// Prints what became of each topic; failures also in words on standard error. `done` is the word for success.
fn report(output: &Output, verdicts: &[Verdict], done: &str) -> Result<Ending, Trouble> {
    let failures: Vec<&Failure> = verdicts.iter().filter_map(|verdict| verdict.result.as_ref().err()).collect();
    let word = |verdict: &Verdict| verdict.result.as_ref().map_or_else(Failure::reason, |()| done.to_string());
    let table = || {
        let mut table = Table::new(["topic", "status"]);
        verdicts.iter().for_each(|verdict| table.row([verdict.topic.clone(), word(verdict)]));
        vec![table]
    };
    let json = || {
        Json::list(verdicts.iter().map(|verdict| {
            let error = verdict.result.as_ref().err().map_or(Json::Null, failure_json);
            let done = Json::Bool(verdict.result.is_ok());
            Json::Fields(vec![("topic", Json::text(&verdict.topic)), ("done", done), ("error", error)])
        }))
    };
    output.print(table, json)?;
    failures.iter().for_each(complain);
    Ok(Ending::of(verdicts.len() - failures.len(), failures.len()))
}
