//! How a command ends: its exit code, and what it says on standard error when something is not done.

use crate::client::failure::Failure;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::ExitCode;

/// Exit codes of the client commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// 0: all of it was done.
    Done,
    /// 1: nothing was done, or the answer is no.
    Failed,
    /// 3: some of it was done.
    Partly,
}

impl Ending {
    /// Of a job with parts.
    pub fn of(done: usize, failed: usize) -> Ending {
        match (done, failed) {
            (_, 0) => Ending::Done,
            (0, _) => Ending::Failed,
            _ => Ending::Partly,
        }
    }

    /// As the process reports it.
    pub fn code(self) -> u8 {
        match self {
            Ending::Done => 0,
            Ending::Failed => 1,
            Ending::Partly => 3,
        }
    }
}

/// Why a command stops before its end.
#[derive(Debug)]
pub enum Trouble {
    /// A broker, a file, an output.
    Failure(Failure),
    /// What was typed makes no sense.
    Usage(String),
    /// Whoever read standard output has had enough (`| head`).
    NobodyReads,
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble::Failure(failure)
    }
}

/// Errors of standard output; those of files are turned into failures that name them.
impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Trouble {
        match error.kind() {
            io::ErrorKind::BrokenPipe => Trouble::NobodyReads,
            _ => Trouble::Failure(Failure::here(format!("standard output: {error}"))),
        }
    }
}

/// One line for people.
pub fn complain(what: impl Display) {
    // Without a standard error nobody is to be told.
    let _ = writeln!(io::stderr(), "corelane: {what}");
}

/// Says what there is to say, and gives the exit code.
pub fn conclude(result: Result<Ending, Trouble>) -> ExitCode {
    match result {
        Ok(ending) => ExitCode::from(ending.code()),
        Err(Trouble::NobodyReads) => ExitCode::SUCCESS,
        Err(Trouble::Usage(why)) => {
            complain(why);
            ExitCode::from(2)
        }
        Err(Trouble::Failure(failure)) => {
            complain(failure);
            ExitCode::from(Ending::Failed.code())
        }
    }
}
