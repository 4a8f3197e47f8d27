//! Command line: from arguments, environment and file to a [`Launch`], which `main` hands to the runtime.
//!
//! Others script against this: exit code 2 and one line on standard error for whatever is wrong with what was typed;
//! standard output of a broker carries nothing but the ready line (and what `version` and `--help` print).
//!
//! Everything but `dev`, `start` and `version` is [`Work`]: it talks to a broker as any Kafka client does, or reads files.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "above the runtime floor: sees the CPUs of this process and its own clock, and reads input beside sending"
)]

mod bench;
mod cluster;
mod codec;
mod consume;
mod dev_directory;
pub mod ending;
mod escape;
mod group;
mod json;
mod log;
mod moment;
mod pages;
mod place;
mod produce;
mod progress;
mod reach;
mod table;
mod topic;
mod verdicts;
mod welcome;
mod work;

use crate::base::config::{Config, ConfigError, Inputs};
use clap::error::ErrorKind;
use clap::{Args, Parser, Subcommand, ValueEnum};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};

pub use dev_directory::DevDirectory;
pub use work::Work;

/// What `corelane version` prints.
pub const VERSION: &str = concat!("corelane ", env!("CARGO_PKG_VERSION"));

/// A Kafka-compatible broker in which every core is a Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "corelane", disable_version_flag = true, subcommand_required = true)]
struct Arguments {
    /// Form of a broker's log on standard error
    #[arg(long, global = true, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,
    #[command(subcommand)]
    command: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Starts a broker for development: no configuration file, topics are created on first use
    Dev(DevArguments),
    /// Starts a broker from a Kafka-style properties file
    Start(StartArguments),
    /// Prints the version
    Version,
    #[command(flatten)]
    Work(Work),
}

#[derive(Args, Debug)]
struct DevArguments {
    /// Where data is kept [default: a temporary directory, removed at exit]
    #[arg(long, value_name = "DIR")]
    data_dir: Option<PathBuf>,
    /// Port of core 0; core c listens on port + c (0: any free ports) [default: 9092]
    #[arg(long)]
    port: Option<u16>,
    /// Number of cores, each a broker with its own port [default: all CPUs]
    #[arg(long, value_name = "N")]
    cores: Option<String>,
    /// Address to listen on [default: 127.0.0.1]
    #[arg(long)]
    host: Option<String>,
    /// Sets a configuration key; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

#[derive(Args, Debug)]
struct StartArguments {
    /// Properties file with Kafka's keys
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// Sets a configuration key over the file and the environment; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    sets: Vec<String>,
}

/// `--log-format`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// What to do.
#[derive(Debug)]
pub enum Command {
    /// Print this on standard output and end well (`version`, `--help`).
    Print(String),
    /// Run a machine.
    Run(Box<Launch>),
    /// Do something as a client, in this environment.
    Work(Box<Work>, Vec<(String, String)>),
}

/// Everything `main` needs to run a machine.
#[derive(Debug)]
pub struct Launch {
    /// Checked configuration.
    pub config: Config,
    /// Number of cores of this run: the configured one, or the CPUs that this process may use.
    pub cores: u16,
    /// Warnings to log once at start, one line each.
    pub notices: Vec<String>,
    /// How to log.
    pub log_format: LogFormat,
    /// `dev` without a directory: removed when this is dropped, so keep it until the machine has stopped.
    pub dev_directory: Option<DevDirectory>,
    dev: bool,
}

impl Launch {
    /// For standard error before the ready line: what `dev` tells a newcomer to type. Nothing for `start`.
    /// `listeners` are the bound addresses, in core order.
    pub fn welcome(&self, listeners: &[String]) -> Option<String> {
        let data_dir = Path::new(&self.config.data_dir);
        self.dev.then(|| welcome::text(listeners, data_dir, self.dev_directory.is_some()))
    }

    /// The one line on standard output once clients can connect. `listeners`: bound addresses (host:port), in core order, or the one of the machine.
    pub fn ready_line(&self, listeners: &[String]) -> String {
        format!("ready node={} cores={} listeners={}", self.config.machine.0, self.cores, listeners.join(","))
    }
}

/// Something that was typed is wrong: one line for standard error, and exit code [`UsageError::EXIT_CODE`].
#[derive(Debug, PartialEq, Eq)]
pub struct UsageError(pub String);

impl UsageError {
    /// Exit code of every usage error.
    pub const EXIT_CODE: u8 = 2;
}

impl fmt::Display for UsageError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "corelane: {}", self.0)
    }
}

impl From<ConfigError> for UsageError {
    fn from(error: ConfigError) -> UsageError {
        UsageError(error.0)
    }
}

/// Reads the command line (`arguments` with the program's name first) and the environment.
pub fn parse(
    arguments: impl IntoIterator<Item = OsString>,
    environment: Vec<(String, String)>,
) -> Result<Command, UsageError> {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) => {
            return Ok(Command::Print(error.to_string()));
        }
        Err(error) => return Err(UsageError(one_line(&error))),
    };
    let launch = match arguments.command {
        Verb::Work(work) => return Ok(Command::Work(Box::new(work), environment)),
        Verb::Version => return Ok(Command::Print(format!("{VERSION}\n"))),
        Verb::Dev(dev) => dev.launch(environment)?,
        Verb::Start(start) => start.launch(environment)?,
    };
    Ok(Command::Run(Box::new(Launch { log_format: arguments.log_format, ..launch })))
}

/// The whole command line, as clap knows it.
fn definition() -> clap::Command {
    <Arguments as clap::CommandFactory>::command()
}

/// The environment as text; what is not UTF-8 cannot be ours.
pub fn environment() -> Vec<(String, String)> {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

impl DevArguments {
    fn launch(self, environment: Vec<(String, String)>) -> Result<Launch, UsageError> {
        let mut flags = Vec::new();
        let mut flag = |typed: &str, key: &str, value: String| flags.push((typed.to_string(), key.to_string(), value));
        if self.port.is_some() || self.host.is_some() {
            let host = self.host.unwrap_or_else(|| "127.0.0.1".to_string());
            let host = if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host };
            flag("--host/--port", "listeners", format!("PLAINTEXT://{host}:{}", self.port.unwrap_or(9092)));
        }
        if let Some(cores) = self.cores {
            flag("--cores", "cores", cores);
        }
        let mut dev_directory = None;
        match self.data_dir {
            Some(dir) => flag("--data-dir", "log.dirs", path_text(&dir)?),
            None if sets_data_dir(&self.sets, &environment) => {}
            None => {
                let temporary = DevDirectory::create(&environment)?;
                flag("the temporary directory", "log.dirs", path_text(temporary.path())?);
                dev_directory = Some(temporary);
            }
        }
        flags.extend(read_sets(self.sets)?);
        let launch = Launch::load(Inputs { flags, environment, file: None, dev: true })?;
        Ok(Launch { dev_directory, ..launch })
    }
}

impl StartArguments {
    fn launch(self, environment: Vec<(String, String)>) -> Result<Launch, UsageError> {
        let name = self.config.display().to_string();
        let text = std::fs::read_to_string(&self.config)
            .map_err(|error| UsageError(format!("--config {name}: cannot read the file: {error}")))?;
        let flags = read_sets(self.sets)?;
        Launch::load(Inputs { flags, environment, file: Some((name, text)), dev: false })
    }
}

impl Launch {
    fn load(inputs: Inputs) -> Result<Launch, UsageError> {
        let loaded = Config::load(&inputs)?;
        let (config, mut notices) = (loaded.config, loaded.notices);
        let cpus = std::thread::available_parallelism().map_or(1, |cpus| cpus.get().min(1000) as u16);
        let cores = config.cores.unwrap_or(cpus);
        config.check_cores(cores)?;
        if cores > cpus {
            notices.push(format!(
                "cores={cores}: this process may use {cpus} CPUs; cores that share a CPU wait for each other"
            ));
        }
        Ok(Launch { config, cores, notices, log_format: LogFormat::Text, dev_directory: None, dev: inputs.dev })
    }
}

fn read_sets(sets: Vec<String>) -> Result<Vec<(String, String, String)>, UsageError> {
    let mut flags = Vec::new();
    for set in sets {
        let Some((key, value)) = set.split_once('=') else {
            return Err(UsageError(format!("--set {set}: expected key=value")));
        };
        flags.push((format!("--set {}", key.trim()), key.trim().to_string(), value.trim().to_string()));
    }
    Ok(flags)
}

fn sets_data_dir(sets: &[String], environment: &[(String, String)]) -> bool {
    let is_data_dir = |key: &str| matches!(key.trim(), "log.dirs" | "log.dir");
    let variables = ["CORELANE_LOG_DIRS", "CORELANE_LOG_DIR", "KAFKA_LOG_DIRS", "KAFKA_LOG_DIR"];
    sets.iter().any(|set| set.split_once('=').is_some_and(|(key, _)| is_data_dir(key)))
        || environment.iter().any(|(name, _)| variables.contains(&name.as_str()))
}

fn path_text(path: &Path) -> Result<String, UsageError> {
    let text = path.to_str().ok_or_else(|| UsageError(format!("{}: the path is not UTF-8", path.display())))?;
    Ok(text.to_string())
}

/// clap explains on several lines; the first paragraph names what is wrong, and a tip is worth keeping.
fn one_line(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "expected a command: dev, start, version, topic, produce, consume, cluster, group, log, bench (see corelane --help)"
            .to_string();
    }
    let text = error.to_string();
    let kept =
        text.lines().map(str::trim).take_while(|line| !line.starts_with("Usage:") && !line.starts_with("For more"));
    let joined = kept.filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ");
    let joined = joined.strip_prefix("error: ").unwrap_or(&joined).to_string();
    if error.kind() == ErrorKind::MissingSubcommand { format!("{joined} (see corelane --help)") } else { joined }
}

#[cfg(test)]
mod tests;
