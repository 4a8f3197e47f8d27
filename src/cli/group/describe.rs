//! `corelane group describe`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::group::lag::{Position, positions};
use crate::cli::json::Json;
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::cli::verdicts::failure_json;
use crate::client::cluster::Cluster;
use crate::client::failure::Failure;
use crate::client::groups::{self, Described, Member};
use clap::Args;

/// Shows groups: state, members, assignments, offsets and lag.
#[derive(Args, Debug)]
pub struct Describe {
    /// Names
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

/// All that is known of a group.
struct Whole {
    group: Described,
    positions: Vec<Position>,
}

impl Describe {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let (mut described, mut failures) = (Vec::new(), Vec::new());
        for group in &self.groups {
            match look(&mut cluster, group) {
                Ok(whole) => described.push(whole),
                Err(failure) => failures.push(failure),
            }
        }
        if !described.is_empty() {
            let tables = || described.iter().flat_map(Whole::tables).collect();
            self.output.print(tables, || Json::list(described.iter().map(Whole::json)))?;
        }
        failures.iter().for_each(complain);
        Ok(Ending::of(described.len(), failures.len()))
    }
}

fn look(cluster: &mut Cluster, group: &str) -> Result<Whole, Failure> {
    let group = groups::describe(cluster, group)?;
    let commits = groups::committed(cluster, &group.group)?;
    let positions = positions(cluster, &group, &commits)?;
    Ok(Whole { group, positions })
}

fn or_dash(text: &str) -> String {
    if text.is_empty() { "-".to_string() } else { text.to_string() }
}

fn number(number: Option<i64>) -> String {
    number.map_or_else(|| "-".to_string(), |number| number.to_string())
}

/// Partitions in a cell: `orders[0,2] payments[1]`.
fn assigned(member: &Member) -> String {
    let Some(topics) = &member.assigned else { return "(not a consumer's)".to_string() };
    let one = |(topic, partitions): (&String, &Vec<i32>)| {
        format!("{topic}[{}]", partitions.iter().map(i32::to_string).collect::<Vec<_>>().join(","))
    };
    or_dash(&topics.iter().map(one).collect::<Vec<_>>().join(" "))
}

impl Whole {
    /// Records behind in all, of the partitions where that is known.
    fn lag(&self) -> i64 {
        self.positions.iter().filter_map(Position::lag).sum()
    }

    fn tables(&self) -> Vec<Table> {
        let group = &self.group;
        let mut summary = Table::new(["group", "state", "type", "protocol", "coordinator", "members", "lag"]);
        summary.row([
            group.group.clone(),
            group.state.clone(),
            or_dash(&group.protocol_type),
            or_dash(&group.protocol),
            group.coordinator.to_string(),
            group.members.len().to_string(),
            self.lag().to_string(),
        ]);
        let mut members = Table::new(["member", "instance", "client", "host", "assigned"]);
        for member in &group.members {
            let instance = or_dash(member.instance.as_deref().unwrap_or_default());
            members.row([member.id.clone(), instance, or_dash(&member.client), member.host.clone(), assigned(member)]);
        }
        let mut positions = Table::new(["topic", "partition", "committed", "end", "lag", "member"]);
        for position in &self.positions {
            let end = position.end.as_ref().map_or_else(Failure::reason, i64::to_string);
            let member = position.member.map_or_else(|| "-".to_string(), |index| group.members[index].id.clone());
            positions.row([
                position.topic.clone(),
                position.partition.to_string(),
                number(position.committed),
                end,
                number(position.lag()),
                member,
            ]);
        }
        let members = (!group.members.is_empty()).then_some(members);
        let positions = (!self.positions.is_empty()).then_some(positions);
        [Some(summary), members, positions].into_iter().flatten().collect()
    }

    fn json(&self) -> Json {
        let group = &self.group;
        let member = |member: &Member| {
            let topic = |(topic, partitions): (&String, &Vec<i32>)| {
                let partitions = Json::list(partitions.iter().map(|partition| Json::number(*partition)));
                Json::Fields(vec![("topic", Json::text(topic)), ("partitions", partitions)])
            };
            let assigned = member.assigned.as_ref().map_or(Json::Null, |topics| Json::list(topics.iter().map(topic)));
            Json::Fields(vec![
                ("member", Json::text(&member.id)),
                ("instance", Json::optional(member.instance.as_deref())),
                ("client", Json::text(&member.client)),
                ("host", Json::text(&member.host)),
                ("assigned", assigned),
            ])
        };
        let position = |position: &Position| {
            let optional = |number: Option<i64>| number.map_or(Json::Null, Json::Number);
            Json::Fields(vec![
                ("topic", Json::text(&position.topic)),
                ("partition", Json::number(position.partition)),
                ("committed", optional(position.committed)),
                ("metadata", Json::text(&position.metadata)),
                ("end", optional(position.end.as_ref().ok().copied())),
                ("lag", optional(position.lag())),
                ("member", Json::optional(position.member.map(|index| group.members[index].id.as_str()))),
                ("error", position.end.as_ref().err().map_or(Json::Null, failure_json)),
            ])
        };
        Json::Fields(vec![
            ("group", Json::text(&group.group)),
            ("state", Json::text(&group.state)),
            ("type", Json::text(&group.protocol_type)),
            ("protocol", Json::text(&group.protocol)),
            ("coordinator", Json::number(group.coordinator)),
            ("lag", Json::Number(self.lag())),
            ("members", Json::list(group.members.iter().map(member))),
            ("partitions", Json::list(self.positions.iter().map(position))),
        ])
    }
}
