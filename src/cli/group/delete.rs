//! `corelane group delete`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::reach::{Output, Reach};
use crate::cli::table::Table;
use crate::cli::topic::failure_json;
use crate::client::failure::Failure;
use crate::client::groups;
use clap::Args;

/// Deletes groups that have no members, with their offsets.
#[derive(Args, Debug)]
pub struct Delete {
    /// Names
    #[arg(required = true, value_name = "GROUP")]
    groups: Vec<String>,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

impl Delete {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let delete = |group: &String| (group.clone(), groups::delete(&mut cluster, group));
        let verdicts: Vec<(String, Result<(), Failure>)> = self.groups.iter().map(delete).collect();
        let table = || {
            let mut table = Table::new(["group", "status"]);
            for (group, result) in &verdicts {
                table.row([group.clone(), result.as_ref().map_or_else(Failure::reason, |()| "deleted".to_string())]);
            }
            vec![table]
        };
        let json = || {
            Json::list(verdicts.iter().map(|(group, result)| {
                let error = result.as_ref().err().map_or(Json::Null, failure_json);
                Json::Fields(vec![("group", Json::text(group)), ("done", Json::Bool(result.is_ok())), ("error", error)])
            }))
        };
        self.output.print(table, json)?;
        let failures: Vec<&Failure> = verdicts.iter().filter_map(|(_, result)| result.as_ref().err()).collect();
        failures.iter().for_each(complain);
        Ok(Ending::of(verdicts.len() - failures.len(), failures.len()))
    }
}
