//! `corelane group delete`.

use crate::cli::ending::{Ending, Trouble};
use crate::cli::reach::{Output, Reach};
use crate::cli::verdicts;
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
        verdicts::report(
            &self.output,
            "group",
            verdicts.iter().map(|(group, result)| (group.as_str(), result)),
            "deleted",
        )
    }
}
