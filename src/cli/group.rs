//! `corelane group ...`: consumer groups, their members, offsets and lag.

mod delete;
mod describe;
mod lag;
mod list;
mod seek;

use crate::cli::ending::{Ending, Trouble};
use clap::Subcommand;

/// What to do with consumer groups.
#[derive(Debug, Subcommand)]
pub enum GroupVerb {
    /// Lists groups
    List(list::List),
    /// Shows groups: state, members, assignments, offsets and lag
    Describe(describe::Describe),
    /// Moves the offsets of a group that has no members
    Seek(seek::Seek),
    /// Deletes groups that have no members, with their offsets
    Delete(delete::Delete),
}

impl GroupVerb {
    /// Does it.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        match self {
            GroupVerb::List(list) => list.run(environment),
            GroupVerb::Describe(describe) => describe.run(environment),
            GroupVerb::Seek(seek) => seek.run(environment),
            GroupVerb::Delete(delete) => delete.run(environment),
        }
    }
}
