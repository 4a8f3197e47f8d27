//! Which cluster a command talks to, how long it waits, and in which form it answers.

use crate::cli::ending::Trouble;
use crate::cli::json::Json;
use crate::cli::table::Table;
use crate::client::address::Address;
use crate::client::cluster::Cluster;
use crate::client::connection::Patience;
use clap::{Args, ValueEnum};
use std::io::Write;
use std::time::Duration;

/// The environment variable that stands for `--bootstrap`.
pub(crate) const BOOTSTRAP_VARIABLE: &str = "CORELANE_BOOTSTRAP";
const BOOTSTRAP: &str = "127.0.0.1:9092";

/// Options of every command that talks to a broker.
#[derive(Args, Debug)]
pub(crate) struct Reach {
    /// Brokers to begin with; one that answers is enough [env: CORELANE_BOOTSTRAP] [default: 127.0.0.1:9092]
    #[arg(short, long, alias = "bootstrap-server", value_name = "HOST:PORT,...")]
    bootstrap: Option<String>,
    /// Seconds until a command gives up waiting, repetitions included
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = seconds)]
    timeout: Duration,
}

impl Reach {
    /// Brokers named in another way, which count if `--bootstrap` was not typed.
    pub(crate) fn or_bootstrap(&mut self, text: String) {
        self.bootstrap.get_or_insert(text);
    }

    /// How long a command waits.
    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    /// Finds the cluster.
    pub(crate) fn cluster(&self, environment: &[(String, String)]) -> Result<Cluster, Trouble> {
        let variable = environment.iter().find(|(name, value)| name == BOOTSTRAP_VARIABLE && !value.trim().is_empty());
        let (source, text) = match (&self.bootstrap, variable) {
            (Some(text), _) => ("--bootstrap", text.as_str()),
            (None, Some((name, text))) => (name.as_str(), text.as_str()),
            (None, None) => ("--bootstrap", BOOTSTRAP),
        };
        let addresses = Address::list(text).map_err(|why| Trouble::Usage(format!("{source} {why}")))?;
        Ok(Cluster::connect(&addresses, Patience::of(self.timeout))?)
    }
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.parse::<f64>() {
        Ok(seconds) if (0.01..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, 0.01 to 86400".to_string()),
    }
}

/// `--output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Form {
    /// Columns for people.
    Table,
    /// One JSON value for programs.
    Json,
}

/// The option of every command that answers with a table.
#[derive(Args, Debug)]
pub(crate) struct Output {
    /// Form of the answer on standard output
    #[arg(short = 'o', long = "output", value_enum, value_name = "FORM", default_value_t = Form::Table)]
    form: Form,
}

impl Output {
    /// Prints one of both forms.
    pub(crate) fn print(
        &self,
        tables: impl FnOnce() -> Vec<Table>,
        json: impl FnOnce() -> Json,
    ) -> Result<(), Trouble> {
        print(self.form, tables, json)
    }
}

/// Prints one of both forms on standard output.
pub(crate) fn print(
    form: Form,
    tables: impl FnOnce() -> Vec<Table>,
    json: impl FnOnce() -> Json,
) -> Result<(), Trouble> {
    let text = match form {
        Form::Table => tables().iter().map(Table::text).collect::<Vec<_>>().join("\n"),
        Form::Json => json().pretty() + "\n",
    };
    let mut out = std::io::stdout().lock();
    out.write_all(text.as_bytes())?;
    Ok(out.flush()?)
}
