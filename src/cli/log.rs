//! `corelane log ...`: looks into the files of a data directory, and changes none.

mod frames;
mod inspect;
mod overlay;
mod rehearsal;
mod verify;

use crate::cli::ending::{Ending, Trouble};
use crate::client::failure::Failure;
use bytes::Bytes;
use clap::Subcommand;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// What to do with the files of a data directory.
#[derive(Debug, Subcommand)]
pub enum LogVerb {
    /// Shows what is in journals, segments, checkpoints and the metadata log
    Inspect(inspect::Inspect),
    /// Checks every byte that counts; exit code 1 if something is rotten
    Verify(verify::Verify),
}

impl LogVerb {
    /// Does it.
    pub fn run(self) -> Result<Ending, Trouble> {
        match self {
            LogVerb::Inspect(inspect) => inspect.run(),
            LogVerb::Verify(verify) => verify.run(),
        }
    }
}

/// Who holds a data directory.
enum Holder {
    /// Nobody: until the file is dropped no broker starts here. None where there is no lock file (a copy, a broken directory).
    Nobody(Option<File>),
    /// A running broker; its process id, if it left it.
    Broker(String),
}

/// Tries the lock of a data directory without waiting. Read-only: shared, and the file is never made.
fn holder(dir: &Path) -> Result<Holder, Failure> {
    let path = dir.join("lock");
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Holder::Nobody(None)),
        Err(error) => return Err(Failure::here(format!("{}: {error}", path.display()))),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(Holder::Nobody(Some(file))),
        Err(std::fs::TryLockError::WouldBlock) => {
            let owner = std::fs::read_to_string(&path).unwrap_or_default();
            let owner = owner.trim();
            Ok(Holder::Broker(if owner.is_empty() {
                "a broker".to_string()
            } else {
                format!("a broker (process {owner})")
            }))
        }
        Err(std::fs::TryLockError::Error(error)) => Err(Failure::here(format!("{}: {error}", path.display()))),
    }
}

/// A whole file.
fn read_whole(path: &Path) -> Result<Bytes, Failure> {
    std::fs::read(path).map(Bytes::from).map_err(|error| Failure::here(format!("{}: {error}", path.display())))
}

/// Reads pieces of a file; shorter at its end.
fn reader(file: &File) -> impl FnMut(u64, usize) -> Result<Bytes, String> + '_ {
    move |position, bytes| {
        let mut piece = vec![0; bytes];
        let mut done = 0;
        while done < bytes {
            match file.read_at(&mut piece[done..], position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        piece.truncate(done);
        Ok(Bytes::from(piece))
    }
}
