//! `corelane topic alter` and `corelane topic add-partitions`.

use crate::cli::ending::{Ending, Trouble};
use crate::cli::reach::{Output, Reach};
use crate::cli::topic::selection::select;
use crate::cli::topic::{pair, report};
use crate::client::configs::{self, Change};
use crate::client::topics;
use clap::Args;

/// Changes configs of topics; those that are not named stay.
#[derive(Args, Debug)]
#[command(group = clap::ArgGroup::new("change").required(true).multiple(true))]
pub struct Alter {
    /// Names, or patterns with * and ?
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Sets a config; may be repeated
    #[arg(short, long = "set", value_name = "KEY=VALUE", value_parser = pair, group = "change")]
    sets: Vec<(String, String)>,
    /// Takes a config back, so that the brokers' value counts again; may be repeated
    #[arg(short, long = "delete", value_name = "KEY", group = "change")]
    deletes: Vec<String>,
    /// Adds an entry to a config that is a list (cleanup.policy); may be repeated
    #[arg(long = "append", value_name = "KEY=ENTRY", value_parser = pair, group = "change")]
    appends: Vec<(String, String)>,
    /// Takes an entry out of a config that is a list; may be repeated
    #[arg(long = "subtract", value_name = "KEY=ENTRY", value_parser = pair, group = "change")]
    subtracts: Vec<(String, String)>,
    /// Only asks the broker whether it would do it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

impl Alter {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let pairs = |pairs: Vec<(String, String)>, change: fn(String, String) -> Change| {
            pairs.into_iter().map(move |(name, value)| change(name, value))
        };
        let deletes = self.deletes.into_iter().map(Change::Delete);
        let changes: Vec<Change> = pairs(self.sets, Change::Set)
            .chain(deletes)
            .chain(pairs(self.appends, Change::Append))
            .chain(pairs(self.subtracts, Change::Subtract))
            .collect();
        let mut cluster = self.reach.cluster(environment)?;
        let names: Vec<String> = select(&mut cluster, &self.topics)?.into_iter().map(|topic| topic.name).collect();
        let verdicts = configs::alter(&mut cluster, &names, &changes, self.dry_run)?;
        report(&self.output, &verdicts, if self.dry_run { "would be altered" } else { "altered" })
    }
}

/// Gives topics more partitions. Keys go to other partitions from then on.
#[derive(Args, Debug)]
pub struct AddPartitions {
    /// Names, or patterns with * and ?
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// So many more than each has
    #[arg(short, long, value_name = "N", required_unless_present = "total", conflicts_with = "total", value_parser = clap::value_parser!(i32).range(1..))]
    num: Option<i32>,
    /// So many in all
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..))]
    total: Option<i32>,
    /// Only asks the broker whether it would do it
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

impl AddPartitions {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let found = select(&mut cluster, &self.topics)?;
        let wanted: Vec<(String, i32)> = found
            .into_iter()
            .map(|topic| {
                let more = |num: i32| num.saturating_add(topic.partitions.len() as i32);
                let count = self.total.or(self.num.map(more)).expect("clap asks for one of them");
                (topic.name, count)
            })
            .collect();
        let verdicts = topics::grow(&mut cluster, &wanted, self.dry_run)?;
        report(&self.output, &verdicts, if self.dry_run { "would grow" } else { "grown" })
    }
}
