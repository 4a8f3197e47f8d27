//! `corelane completions` and `corelane man`: what shells and manual readers want to know, made from the same definition.

use crate::cli::ending::{Ending, Trouble};
use crate::client::failure::Failure;
use clap::Args;
use clap_complete::Shell;
use clap_mangen::Man;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Prints the completions for a shell.
#[derive(Args, Debug)]
pub struct Completions {
    /// Which shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completions {
    /// Does it.
    pub fn run(self, mut definition: clap::Command) -> Result<Ending, Trouble> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut definition, "corelane", &mut script);
        std::io::stdout().lock().write_all(&script)?;
        Ok(Ending::Done)
    }
}

/// Prints the manual page, or writes one for every command.
#[derive(Args, Debug)]
pub struct ManualPages {
    /// Writes corelane.1, corelane-topic-create.1, ... into this directory
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

impl ManualPages {
    /// Does it.
    pub fn run(self, mut definition: clap::Command) -> Result<Ending, Trouble> {
        definition.build();
        let Some(dir) = self.dir else {
            let mut page = Vec::new();
            Man::new(definition).render(&mut page)?;
            std::io::stdout().lock().write_all(&page)?;
            return Ok(Ending::Done);
        };
        fs::create_dir_all(&dir).map_err(|error| Failure::here(format!("{}: {error}", dir.display())))?;
        write_pages(&definition, "corelane", &dir)?;
        Ok(Ending::Done)
    }
}

fn write_pages(command: &clap::Command, name: &str, dir: &Path) -> Result<(), Trouble> {
    let path = dir.join(format!("{name}.1"));
    let mut page = Vec::new();
    Man::new(command.clone()).title(name.to_string()).render(&mut page)?;
    fs::write(&path, page).map_err(|error| Failure::here(format!("{}: {error}", path.display())))?;
    let visible = command.get_subcommands().filter(|command| !command.is_hide_set() && command.get_name() != "help");
    visible.into_iter().try_for_each(|command| write_pages(command, &format!("{name}-{}", command.get_name()), dir))
}
