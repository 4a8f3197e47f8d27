//! `corelane group seek`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::place::{OutOfRange, Place};
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::cli::verdicts::failure_json;
use crate::client::cluster::{Cluster, Topic, partition_words};
use crate::client::failure::Failure;
use crate::client::groups::{self, Commits, group_words};
use crate::client::offsets::{self, Asked};
use clap::Args;
use std::collections::BTreeSet;

/// Moves the offsets of a group that has no members.
#[derive(Args, Debug)]
pub struct Seek {
    /// Name
    group: String,
    /// The next record to read: start, end, N, +N (from the start), -N (before the end), @TIME
    #[arg(short, long, value_name = "PLACE", required = true, allow_hyphen_values = true)]
    to: String,
    /// Only these topics; may be repeated. Without it, all to which the group has committed; with it also topics that are new to it
    #[arg(short = 'T', long = "topic", value_name = "TOPIC")]
    topics: Vec<String>,
    /// Only these partitions; may be repeated
    #[arg(short, long = "partition", value_name = "N,...", value_delimiter = ',')]
    partitions: Vec<i32>,
    /// Only shows what would be done
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

/// A partition's offset before and after.
struct Step {
    topic: String,
    partition: i32,
    before: Option<i64>,
    after: i64,
    result: Result<(), Failure>,
}

impl Seek {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let to = Place::of_to(&self.to)?;
        let mut cluster = self.reach.cluster(environment)?;
        let commits = groups::committed(&mut cluster, &self.group)?;
        let mut steps = Vec::new();
        for name in self.names(&commits)? {
            let topic = cluster.topic(&name, false)?;
            steps.extend(self.plan(&mut cluster, &topic, &commits, to)?);
        }
        if steps.is_empty() {
            let why = "no such partition in its topics; see corelane group describe";
            return Err(Failure::here(why).about(group_words(&self.group)).into());
        }
        if !self.dry_run {
            let offsets: Vec<(String, i32, i64)> =
                steps.iter().map(|step| (step.topic.clone(), step.partition, step.after)).collect();
            let results = groups::commit(&mut cluster, &self.group, &offsets)?;
            steps.iter_mut().zip(results).for_each(|(step, result)| step.result = result);
        }
        self.output.print(|| vec![table(&steps)], || json(&steps))?;
        let failures: Vec<&Failure> = steps.iter().filter_map(|step| step.result.as_ref().err()).collect();
        failures.iter().for_each(complain);
        Ok(Ending::of(steps.len() - failures.len(), failures.len()))
    }

    /// Topics to seek in.
    fn names(&self, commits: &Commits) -> Result<BTreeSet<String>, Failure> {
        if !self.topics.is_empty() {
            return Ok(self.topics.iter().cloned().collect());
        }
        let names: BTreeSet<String> = commits.keys().map(|(topic, _)| topic.clone()).collect();
        if names.is_empty() {
            let why = "it has committed nothing; name the topics with --topic";
            return Err(Failure::here(why).about(group_words(&self.group)));
        }
        Ok(names)
    }

    fn plan(&self, cluster: &mut Cluster, topic: &Topic, commits: &Commits, to: Place) -> Result<Vec<Step>, Failure> {
        let named = !self.topics.is_empty();
        let chosen = |partition: &i32| {
            let known = named || commits.contains_key(&(topic.name.clone(), *partition));
            known && (self.partitions.is_empty() || self.partitions.contains(partition))
        };
        let partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).filter(chosen).collect();
        let mut ask = |asked| offsets::of_each(cluster, topic, &partitions, asked);
        let (starts, ends) = (ask(Asked::Start)?, ask(Asked::End)?);
        let times = to.asked().map(&mut ask).transpose()?;
        let step = |(at, partition): (usize, &i32)| {
            let time = times.as_ref().map_or(-1, |times| times[at]);
            let after = to.offset(starts[at], ends[at], time).map_err(|OutOfRange(offset)| {
                let why = format!("offset {offset} is not between its start {} and its end {}", starts[at], ends[at]);
                Failure::here(why).about(partition_words(&topic.name, *partition))
            })?;
            let before = commits.get(&(topic.name.clone(), *partition)).map(|commit| commit.offset);
            Ok(Step { topic: topic.name.clone(), partition: *partition, before, after, result: Ok(()) })
        };
        partitions.iter().enumerate().map(step).collect()
    }
}

fn table(steps: &[Step]) -> Table {
    let mut table = Table::new(["topic", "partition", "before", "committed"]);
    for step in steps {
        let before = step.before.map_or_else(|| "-".to_string(), |offset| offset.to_string());
        let after = step.result.as_ref().map_or_else(Failure::reason, |()| step.after.to_string());
        table.row([step.topic.clone(), step.partition.to_string(), before, after]);
    }
    table
}

fn json(steps: &[Step]) -> Json {
    Json::list(steps.iter().map(|step| {
        Json::Fields(vec![
            ("topic", Json::text(&step.topic)),
            ("partition", Json::number(step.partition)),
            ("before", step.before.map_or(Json::Null, Json::Number)),
            ("committed", step.result.as_ref().map_or(Json::Null, |()| Json::Number(step.after))),
            ("error", step.result.as_ref().err().map_or(Json::Null, failure_json)),
        ])
    }))
}
