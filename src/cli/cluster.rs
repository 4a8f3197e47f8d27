//! `corelane cluster ...`: the cluster as a client sees it.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::client::cluster::{Broker, Cluster};
use crate::client::failure::Failure;
use crate::client::versions::Listed;
use clap::{Args, Subcommand};
use kafka_protocol::messages::ApiKey;

/// What to ask of a cluster.
#[derive(Debug, Subcommand)]
pub enum ClusterVerb {
    /// Shows id, controller and brokers
    Info(About),
}

impl ClusterVerb {
    /// Does it.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        match self {
            ClusterVerb::Info(about) => about.run(environment),
        }
    }
}

/// Shows id, controller and brokers.
#[derive(Args, Debug)]
pub struct About {
    /// The APIs of every broker too, with their versions
    #[arg(short, long)]
    api_versions: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

/// What each broker lists, or why it does not.
type Lists = Vec<(Broker, Result<Listed, Failure>)>;

impl About {
    fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let topics = cluster.metadata(None, false)?;
        let leaders: Vec<i32> =
            topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.leader).collect();
        let brokers: Vec<Broker> = cluster.brokers().cloned().collect();
        let lists: Lists = if self.api_versions { list_all(&mut cluster, &brokers) } else { Vec::new() };
        let leads = |node: i32| leaders.iter().filter(|leader| **leader == node).count();
        let tables = || {
            let mut summary =
                Table::new(["cluster", "controller", "brokers", "topics", "partitions", "without leader"]);
            summary.row([
                cluster.id().unwrap_or("-").to_string(),
                cluster.controller().to_string(),
                brokers.len().to_string(),
                topics.len().to_string(),
                leaders.len().to_string(),
                leaders.iter().filter(|leader| **leader < 0).count().to_string(),
            ]);
            let mut table = Table::new(["broker", "host", "port", "rack", "leads"]);
            for Broker { node, address, rack } in &brokers {
                let rack = rack.clone().unwrap_or_else(|| "-".to_string());
                table.row([
                    node.to_string(),
                    address.host.clone(),
                    address.port.to_string(),
                    rack,
                    leads(*node).to_string(),
                ]);
            }
            [summary, table].into_iter().chain(version_tables(&lists)).collect()
        };
        let json = || {
            let broker = |broker: &Broker| broker_json(broker, leads(broker.node), &lists);
            Json::Fields(vec![
                ("cluster", Json::optional(cluster.id())),
                ("controller", Json::number(cluster.controller())),
                ("topics", Json::Number(topics.len() as i64)),
                ("partitions", Json::Number(leaders.len() as i64)),
                (
                    "partitions_without_leader",
                    Json::Number(leaders.iter().filter(|leader| **leader < 0).count() as i64),
                ),
                ("brokers", Json::list(brokers.iter().map(broker))),
            ])
        };
        self.output.print(tables, json)?;
        let failures: Vec<&Failure> = lists.iter().filter_map(|(_, listed)| listed.as_ref().err()).collect();
        failures.iter().for_each(complain);
        Ok(Ending::of(1, failures.len()))
    }
}

fn list_all(cluster: &mut Cluster, brokers: &[Broker]) -> Lists {
    let mut list = |broker: &Broker| cluster.at(broker.node).map(|connection| connection.listed().clone());
    brokers.iter().map(|broker| (broker.clone(), list(broker))).collect()
}

fn api_name(key: i16) -> String {
    ApiKey::try_from(key).map_or_else(|_| "-".to_string(), |key| format!("{key:?}"))
}

fn version_tables(lists: &Lists) -> Vec<Table> {
    let readable = lists.iter().filter_map(|(broker, listed)| Some((broker, listed.as_ref().ok()?)));
    let table = |(broker, listed): (&Broker, &Listed)| {
        let mut table = Table::new(["broker", "key", "api", "min", "max"]);
        for (key, (min, max)) in listed {
            table.row([broker.node.to_string(), key.to_string(), api_name(*key), min.to_string(), max.to_string()]);
        }
        table
    };
    readable.map(table).collect()
}

fn broker_json(broker: &Broker, leads: usize, lists: &Lists) -> Json {
    let listed = lists.iter().find(|(one, _)| one.node == broker.node).and_then(|(_, listed)| listed.as_ref().ok());
    let apis = listed.map(|listed| {
        Json::list(listed.iter().map(|(key, (min, max))| {
            Json::Fields(vec![
                ("key", Json::number(*key)),
                ("api", Json::text(api_name(*key))),
                ("min", Json::number(*min)),
                ("max", Json::number(*max)),
            ])
        }))
    });
    let fields = vec![
        ("broker", Json::number(broker.node)),
        ("host", Json::text(&broker.address.host)),
        ("port", Json::number(broker.address.port)),
        ("rack", Json::optional(broker.rack.as_deref())),
        ("leads", Json::Number(leads as i64)),
    ];
    Json::Fields(fields.into_iter().chain(apis.map(|apis| ("api_versions", apis))).collect())
}
