//! `corelane topic list`.

use crate::cli::ending::{Ending, Trouble};
use crate::cli::json::Json;
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::cli::topic::selection;
use crate::client::cluster::Topic;
use clap::Args;

/// Lists topics.
#[derive(Args, Debug)]
pub struct List {
    /// Only these: names, or patterns with * and ?
    #[arg(value_name = "TOPIC")]
    topics: Vec<String>,
    /// Kafka's own topics too
    #[arg(short, long)]
    internal: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

impl List {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let mut topics = cluster.metadata(None, false)?;
        topics.retain(|topic| {
            let named = self.topics.iter().any(|wanted| selection::matches(wanted, &topic.name));
            (self.internal || !topic.internal) && (self.topics.is_empty() || named)
        });
        topics.sort_by(|one, other| one.name.cmp(&other.name));
        self.output.print(|| vec![table(&topics)], || json(&topics))?;
        Ok(Ending::Done)
    }
}

fn replicas(topic: &Topic) -> usize {
    topic.partitions.iter().map(|partition| partition.replicas.len()).max().unwrap_or(0)
}

fn table(topics: &[Topic]) -> Table {
    let mut table = Table::new(["topic", "partitions", "replicas"]);
    for topic in topics {
        table.row([topic.name.clone(), topic.partitions.len().to_string(), replicas(topic).to_string()]);
    }
    table
}

fn json(topics: &[Topic]) -> Json {
    Json::list(topics.iter().map(|topic| {
        Json::Fields(vec![
            ("topic", Json::text(&topic.name)),
            ("id", Json::optional(topic.id.as_deref())),
            ("internal", Json::Bool(topic.internal)),
            ("partitions", Json::Number(topic.partitions.len() as i64)),
            ("replicas", Json::Number(replicas(topic) as i64)),
        ])
    }))
}
