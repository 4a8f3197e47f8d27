//! `corelane topic delete`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::reach::{Output, Reach};
use crate::cli::topic::report;
use crate::cli::topic::selection::{is_pattern, select};
use crate::client::topics;
use clap::Args;
use std::io::{BufRead, IsTerminal};

/// Deletes topics with all their records.
#[derive(Args, Debug)]
pub struct Delete {
    /// Names, or patterns with * and ?
    #[arg(required = true, value_name = "TOPIC")]
    topics: Vec<String>,
    /// Does not ask before it deletes what a pattern matches
    #[arg(short, long)]
    yes: bool,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    reach: Reach,
}

impl Delete {
    pub(super) fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let mut cluster = self.reach.cluster(environment)?;
        let mut names = self.topics.clone();
        if self.topics.iter().any(|name| is_pattern(name)) {
            names = select(&mut cluster, &self.topics)?.into_iter().map(|topic| topic.name).collect();
            if !self.yes && !confirmed(&names)? {
                return Ok(Ending::Failed);
            }
        }
        report(&self.output, &topics::delete(&mut cluster, &names)?, "deleted")
    }
}

/// A pattern may match more than was meant: a person is asked, a script has to say --yes.
fn confirmed(names: &[String]) -> Result<bool, Trouble> {
    let what = format!("{} topics: {}", names.len(), names.join(", "));
    if !std::io::stdin().is_terminal() {
        return Err(Trouble::Usage(format!("a pattern needs --yes where nobody can be asked; it matches {what}")));
    }
    complain(format_args!("delete {what}? [y/N]"));
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(matches!(answer.trim(), "y" | "Y" | "yes"))
}
