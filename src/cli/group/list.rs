//! `corelane group list`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::cli::topic::selection::matches;
use crate::client::groups::{self, Listed};
use clap::Args;

/// Lists groups.
#[derive(Args, Debug)]
pub struct List {
    /// Only these: names, or patterns with * and ?
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// Only groups in these states: Stable, Empty, PreparingRebalance, CompletingRebalance, Dead
    #[arg(short, long = "state", value_name = "STATE,...", value_delimiter = ',')]
    states: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

impl List {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let (mut listed, failures) = groups::list(&mut cluster);
        let in_state = |group: &Listed| {
            let state = group.state.as_deref().unwrap_or_default();
            self.states.is_empty() || self.states.iter().any(|wanted| wanted.eq_ignore_ascii_case(state))
        };
        let named =
            |group: &Listed| self.groups.is_empty() || self.groups.iter().any(|wanted| matches(wanted, &group.group));
        listed.retain(|group| in_state(group) && named(group));
        self.output.print(|| vec![table(&listed)], || json(&listed))?;
        failures.iter().for_each(complain);
        Ok(Ending::of(cluster.brokers().count() - failures.len(), failures.len()))
    }
}

fn table(groups: &[Listed]) -> Table {
    let mut table = Table::new(["group", "state", "type", "coordinator"]);
    for group in groups {
        let or_none = |text: &str| if text.is_empty() { "-".to_string() } else { text.to_string() };
        let state = or_none(group.state.as_deref().unwrap_or_default());
        table.row([group.group.clone(), state, or_none(&group.protocol_type), group.coordinator.to_string()]);
    }
    table
}

fn json(groups: &[Listed]) -> Json {
    Json::list(groups.iter().map(|group| {
        Json::Fields(vec![
            ("group", Json::text(&group.group)),
            ("state", Json::optional(group.state.as_deref())),
            ("type", Json::text(&group.protocol_type)),
            ("coordinator", Json::number(group.coordinator)),
        ])
    }))
}
