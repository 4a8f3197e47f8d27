//! `corelane topic trim`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::place::Place;
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::cli::verdicts::failure_json;
use crate::client::cluster::partition_words;
use crate::client::failure::Failure;
use crate::client::offsets::{self, Asked};
use clap::Args;

/// Removes the oldest records of a topic: all before an offset.
#[derive(Args, Debug)]
pub struct Trim {
    /// Name
    topic: String,
    /// The first record that stays: end, N, +N (from the start), -N (before the end), @TIME
    #[arg(short, long, value_name = "PLACE", required = true, allow_hyphen_values = true)]
    to: String,
    /// Only these partitions; may be repeated
    #[arg(short, long = "partition", value_name = "N,...", value_delimiter = ',')]
    partitions: Vec<i32>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

/// To the broker: all that there is.
const EVERYTHING: i64 = -1;

impl Trim {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let to = Place::of_to(&self.to)?;
        let mut cluster = self.reach.cluster(environment)?;
        let topic = cluster.topic(&self.topic, false)?;
        let known = |partition: &&i32| !topic.partitions.iter().any(|known| known.index == **partition);
        if let Some(unknown) = self.partitions.iter().find(known) {
            let why = format!("there is no such partition; the topic has {}", topic.partitions.len());
            return Err(Failure::here(why).about(partition_words(&topic.name, *unknown)).into());
        }
        let chosen = |index: &i32| self.partitions.is_empty() || self.partitions.contains(index);
        let partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).filter(chosen).collect();
        let mut ask = |asked| offsets::of_each(&mut cluster, &topic, &partitions, asked);
        let (starts, ends) = (ask(Asked::Start)?, ask(Asked::End)?);
        let times = to.asked().map(&mut ask).transpose()?;
        let offset = |index: usize| match to {
            Place::FromEnd(0) => EVERYTHING,
            // Whether the partition has it, the broker says.
            Place::At(offset) => offset,
            place => {
                let time = times.as_ref().map_or(-1, |times| times[index]);
                place.offset(starts[index], ends[index], time).expect("only a number that was typed can be elsewhere")
            }
        };
        let wanted: Vec<(i32, i64)> =
            partitions.iter().enumerate().map(|(at, partition)| (*partition, offset(at))).collect();
        let trimmed = offsets::trim(&mut cluster, &topic, &wanted)?;
        let table = || {
            let mut table = Table::new(["topic", "partition", "start before", "start"]);
            for ((partition, result), before) in trimmed.iter().zip(&starts) {
                let now = result.as_ref().map_or_else(Failure::reason, |start| start.to_string());
                table.row([topic.name.clone(), partition.to_string(), before.to_string(), now]);
            }
            vec![table]
        };
        let json = || {
            Json::list(trimmed.iter().zip(&starts).map(|((partition, result), before)| {
                Json::Fields(vec![
                    ("topic", Json::text(&topic.name)),
                    ("partition", Json::number(*partition)),
                    ("start_before", Json::Number(*before)),
                    ("start", result.as_ref().map_or(Json::Null, |start| Json::Number(*start))),
                    ("error", result.as_ref().err().map_or(Json::Null, failure_json)),
                ])
            }))
        };
        self.output.print(table, json)?;
        let failures: Vec<&Failure> = trimmed.values().filter_map(|result| result.as_ref().err()).collect();
        failures.iter().for_each(complain);
        Ok(Ending::of(trimmed.len() - failures.len(), failures.len()))
    }
}
