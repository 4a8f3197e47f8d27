//! `corelane topic describe`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::cli::topic::join;
use crate::cli::topic::selection::select;
use crate::cli::verdicts::failure_json;
use crate::client::cluster::{Cluster, Topic, topic_words};
use crate::client::configs::{self, Config};
use crate::client::failure::Failure;
use crate::client::offsets::{self, Asked, PerPartition};
use clap::Args;

/// Shows topics: partitions, leaders, offsets, configs.
#[derive(Args, Debug)]
pub struct Describe {
    /// Names, or patterns with * and ?
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// All configs, not only those that are set on the topic (JSON always has all)
    #[arg(short, long)]
    all_configs: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

/// All that is known of a topic.
struct Described {
    topic: Topic,
    starts: PerPartition,
    ends: PerPartition,
    configs: Vec<Config>,
}

impl Describe {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let (mut described, mut failures) = (Vec::new(), Vec::new());
        for topic in select(&mut cluster, &self.topics)? {
            match look(&mut cluster, topic) {
                Ok(one) => described.push(one),
                Err(failure) => failures.push(failure),
            }
        }
        let tables = || described.iter().flat_map(|one| one.tables(self.all_configs)).collect();
        if !described.is_empty() {
            self.output.print(tables, || Json::list(described.iter().map(Described::json)))?;
        }
        let hidden = described.iter().flat_map(Described::failures);
        let hidden: Vec<Failure> = hidden.cloned().collect();
        failures.iter().chain(&hidden).for_each(complain);
        Ok(Ending::of(described.len(), failures.len() + hidden.len()))
    }
}

fn look(cluster: &mut Cluster, topic: Topic) -> Result<Described, Failure> {
    if topic.error != 0 {
        return Err(Failure::code(topic.error, None).about(topic_words(&topic.name)));
    }
    let ask = |asked| topic.partitions.iter().map(|partition| (partition.index, asked)).collect::<Vec<_>>();
    let starts = offsets::list(cluster, &topic, &ask(Asked::Start))?;
    let ends = offsets::list(cluster, &topic, &ask(Asked::End))?;
    let configs = configs::describe(cluster, &topic.name)?;
    Ok(Described { topic, starts, ends, configs })
}

impl Described {
    fn offset(offsets: &PerPartition, partition: i32) -> Option<i64> {
        offsets.get(&partition).and_then(|offset| offset.as_ref().ok()).copied()
    }

    /// Offsets that could not be had.
    fn failures(&self) -> impl Iterator<Item = &Failure> {
        self.ends.values().filter_map(|end| end.as_ref().err())
    }

    fn tables(&self, all_configs: bool) -> Vec<Table> {
        let topic = &self.topic;
        let replicas = topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0);
        let mut summary = Table::new(["topic", "id", "partitions", "replicas", "internal"]);
        let internal = if topic.internal { "yes" } else { "no" };
        let id = topic.id.clone().unwrap_or_else(|| "-".to_string());
        summary.row([
            topic.name.clone(),
            id,
            topic.partitions.len().to_string(),
            replicas.to_string(),
            internal.to_string(),
        ]);
        let mut partitions =
            Table::new(["partition", "leader", "epoch", "replicas", "in sync", "start", "end", "records"]);
        for partition in &topic.partitions {
            let (start, end) = (Self::offset(&self.starts, partition.index), Self::offset(&self.ends, partition.index));
            let text = |number: Option<i64>| number.map_or_else(|| "-".to_string(), |number| number.to_string());
            let leader = if partition.leader < 0 { "none".to_string() } else { partition.leader.to_string() };
            partitions.row([
                partition.index.to_string(),
                leader,
                text(Some(i64::from(partition.leader_epoch)).filter(|epoch| *epoch >= 0)),
                join(&partition.replicas),
                join(&partition.in_sync),
                text(start),
                text(end),
                text(end.zip(start).map(|(end, start)| end - start)),
            ]);
        }
        let mut configs = Table::new(["config", "value", "source"]);
        let shown: Vec<&Config> = self.configs.iter().filter(|config| all_configs || config.is_own()).collect();
        for config in &shown {
            let value = match (&config.value, config.sensitive) {
                (_, true) => "(secret)".to_string(),
                (Some(value), false) => value.clone(),
                (None, false) => "-".to_string(),
            };
            configs.row([config.name.clone(), value, config.source_word().to_string()]);
        }
        let configs = (!shown.is_empty()).then_some(configs);
        [summary, partitions].into_iter().chain(configs).collect()
    }

    fn json(&self) -> Json {
        let topic = &self.topic;
        let nodes = |nodes: &[i32]| Json::list(nodes.iter().map(|node| Json::number(*node)));
        let number = |number: Option<i64>| number.map_or(Json::Null, Json::Number);
        let partitions = topic.partitions.iter().map(|partition| {
            let failed = self.ends.get(&partition.index).and_then(|end| end.as_ref().err());
            Json::Fields(vec![
                ("partition", Json::number(partition.index)),
                ("leader", number(Some(i64::from(partition.leader)).filter(|leader| *leader >= 0))),
                ("leader_epoch", number(Some(i64::from(partition.leader_epoch)).filter(|epoch| *epoch >= 0))),
                ("replicas", nodes(&partition.replicas)),
                ("in_sync", nodes(&partition.in_sync)),
                ("start", number(Self::offset(&self.starts, partition.index))),
                ("end", number(Self::offset(&self.ends, partition.index))),
                ("error", failed.map_or(Json::Null, failure_json)),
            ])
        });
        let configs = self.configs.iter().map(|config| {
            Json::Fields(vec![
                ("name", Json::text(&config.name)),
                ("value", Json::optional(config.value.as_deref())),
                ("source", Json::text(config.source_name())),
                ("read_only", Json::Bool(config.read_only)),
                ("sensitive", Json::Bool(config.sensitive)),
            ])
        });
        Json::Fields(vec![
            ("topic", Json::text(&topic.name)),
            ("id", Json::optional(topic.id.as_deref())),
            ("internal", Json::Bool(topic.internal)),
            ("partitions", Json::list(partitions)),
            ("configs", Json::list(configs)),
        ])
    }
}
