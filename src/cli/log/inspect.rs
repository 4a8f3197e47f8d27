//! `corelane log inspect`.

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::log::frames::{Line, Look};
use crate::cli::log::{Holder, holder};
use crate::cli::reach::Form;
use crate::client::failure::Failure;
use clap::Args;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

/// Shows what is in journals, segments, checkpoints and the metadata log.
#[derive(Args, Debug)]
pub struct Inspect {
    /// A file, or a directory with such files in it
    path: PathBuf,
    /// Every record batch too
    #[arg(long)]
    batches: bool,
    /// Every record too (with its batch)
    #[arg(long)]
    records: bool,
    /// Form of the answer on standard output; json is an object per line
    #[arg(short = 'o', long = "output", value_enum, value_name = "FORM", default_value_t = Form::Table)]
    form: Form,
}

impl Inspect {
    pub(super) fn run(self) -> Result<Ending, Trouble> {
        let shown = self.path.display();
        let root = self.path.ancestors().find(|dir| dir.join("metadata").is_dir() && dir.join("journal").is_dir());
        if let Some(Holder::Broker(owner)) = root.map(holder).transpose()? {
            complain(format_args!(
                "{shown}: {owner} runs on it, files change while they are read; the end of a journal may look torn"
            ));
        }
        let mut files = Vec::new();
        collect(&self.path, &mut files)?;
        if files.is_empty() {
            return Err(Failure::here(format!("{shown}: no journal, segment, checkpoint or metadata log in it")).into());
        }
        let mut out = BufWriter::with_capacity(64 * 1024, std::io::stdout().lock());
        let (mut good, mut bad) = (0, 0);
        for file in &files {
            let look = Look { batches: self.batches || self.records, records: self.records };
            let name = file.display().to_string();
            if self.form == Form::Table {
                writeln!(out, "{name}")?;
            }
            look.file(file, &mut |line: Line| {
                (good, bad) = if line.sound { (good + 1, bad) } else { (good, bad + 1) };
                match self.form {
                    Form::Table => writeln!(out, "{}", line.text())?,
                    Form::Json => writeln!(out, "{}", with_file(&name, &line))?,
                }
                Ok(())
            })?;
        }
        out.flush()?;
        Ok(if bad > 0 { Ending::Failed } else { Ending::Done })
    }
}

fn with_file(name: &str, line: &Line) -> Json {
    let head = vec![
        ("file", Json::text(name)),
        ("position", Json::Number(line.position as i64)),
        ("kind", Json::text(line.kind)),
        ("sound", Json::Bool(line.sound)),
    ];
    Json::Fields(head.into_iter().chain(line.fields.iter().cloned()).collect())
}

/// Files that can be shown, in a fixed order: a file that was named, whatever its name, or those of a directory by their names.
fn collect(path: &Path, files: &mut Vec<PathBuf>) -> Result<(), Failure> {
    let failed = |error: std::io::Error| Failure::here(format!("{}: {error}", path.display()));
    if !std::fs::metadata(path).map_err(failed)?.is_dir() {
        files.push(path.to_path_buf());
        return Ok(());
    }
    let mut names = Vec::new();
    for entry in std::fs::read_dir(path).map_err(failed)? {
        names.push(entry.map_err(failed)?.path());
    }
    names.sort();
    for path in names {
        let name = path.file_name().map(|name| name.to_string_lossy().to_string()).unwrap_or_default();
        let in_metadata = path.parent().and_then(Path::file_name).is_some_and(|dir| dir == "metadata");
        if path.is_dir() {
            collect(&path, files)?;
        } else if name.ends_with(".journal")
            || name.ends_with(".segment")
            || name.starts_with("checkpoint.")
            || (in_metadata && name == "log")
        {
            files.push(path);
        }
    }
    Ok(())
}
