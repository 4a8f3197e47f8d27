//! Where values come from: flags over environment over file over defaults, each value with the words that name its source.

use crate::base::config::{ConfigError, kafka_keys, properties, table};
use std::collections::BTreeMap;

/// Where our own client commands find a cluster; means nothing to a broker that is started beside them.
const CLIENT_VARIABLE: &str = "CORELANE_BOOTSTRAP";

/// Everything that was given, not yet looked at. Nothing here reads a file or the environment: the command line does.
#[derive(Clone, Debug, Default)]
pub struct Inputs {
    /// `--set` and the flags that stand for one key: (what the user typed before `=`, key, value).
    pub flags: Vec<(String, String, String)>,
    /// The environment; names without our prefixes are passed over.
    pub environment: Vec<(String, String)>,
    /// Name and text of the properties file.
    pub file: Option<(String, String)>,
    /// `corelane dev`: the table's `dev_default` column counts.
    pub dev: bool,
}

/// How strong a value is. The order is that of precedence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Rank {
    /// The table.
    Default,
    /// The properties file.
    File,
    /// An environment variable `KAFKA_...`.
    KafkaEnvironment,
    /// An environment variable `CORELANE_...`.
    Environment,
    /// The command line.
    Flag,
}

/// A value and where it came from.
#[derive(Clone, Debug)]
pub struct Setting {
    /// The text as given.
    pub value: String,
    /// How strong.
    pub rank: Rank,
    /// For messages: `server.properties line 3: num.partitions`.
    pub origin: String,
}

/// The strongest value of each key that somebody gave, and what to tell the operator once.
#[derive(Debug, Default)]
pub(super) struct Given {
    pub(super) settings: BTreeMap<&'static str, Setting>,
    pub(super) notices: Vec<String>,
    ignored: Vec<String>,
    not_yet: Vec<String>,
}

impl Given {
    pub(super) fn collect(inputs: &Inputs) -> Result<Given, ConfigError> {
        let mut given = Given::default();
        given.take_file(inputs)?;
        given.take_environment(inputs)?;
        for (typed, key, value) in &inputs.flags {
            given.take(key, Setting { value: value.clone(), rank: Rank::Flag, origin: typed.clone() })?;
        }
        for (names, what) in [
            (&given.ignored, "mean nothing to this broker and are ignored"),
            (&given.not_yet, "are not enforced in this release"),
        ] {
            if !names.is_empty() {
                given.notices.push(format!("these Kafka keys {what}: {}", names.join(", ")));
            }
        }
        Ok(given)
    }

    fn take_file(&mut self, inputs: &Inputs) -> Result<(), ConfigError> {
        let Some((name, text)) = &inputs.file else { return Ok(()) };
        let entries =
            properties::parse(text).map_err(|(line, why)| ConfigError(format!("{name} line {line}: {why}")))?;
        for entry in entries {
            let origin = format!("{name} line {}: {}", entry.line, entry.key);
            if let Some(before) = table::find(&entry.key).and_then(|key| self.settings.get(key.name)) {
                self.notices.push(format!("{origin} replaces {}", before.origin));
            }
            self.take(&entry.key, Setting { value: entry.value, rank: Rank::File, origin })?;
        }
        Ok(())
    }

    /// Unknown variables are only reported: container platforms inject some (`KAFKA_PORT=tcp://...`).
    fn take_environment(&mut self, inputs: &Inputs) -> Result<(), ConfigError> {
        for (prefix, rank) in [("KAFKA_", Rank::KafkaEnvironment), ("CORELANE_", Rank::Environment)] {
            for (variable, value) in &inputs.environment {
                let Some(rest) = variable.strip_prefix(prefix) else { continue };
                let key = key_of_variable(rest);
                if variable == CLIENT_VARIABLE {
                    continue;
                } else if is_known(&key) {
                    self.take(
                        &key,
                        Setting {
                            value: value.trim().to_string(),
                            rank,
                            origin: format!("environment variable {variable}"),
                        },
                    )?;
                } else {
                    self.notices.push(format!(
                        "environment variable {variable} names no configuration key ({key}) and is ignored"
                    ));
                }
            }
        }
        Ok(())
    }

    fn take(&mut self, name: &str, setting: Setting) -> Result<(), ConfigError> {
        let refuse = |why: String| Err(ConfigError(format!("{}={}: {why}", setting.origin, setting.value)));
        if let Some(key) = table::find(name) {
            if let Err(why) = key.check(&setting.value) {
                return refuse(why);
            }
            let weaker = self.settings.get(key.name).is_none_or(|before| before.rank <= setting.rank);
            if weaker {
                self.settings.insert(key.name, setting);
            }
        } else if let Some(only) = kafka_keys::only_value(name) {
            if setting.value != only {
                return refuse(format!("is not in this release (only {name}={only})"));
            }
        } else if kafka_keys::has(kafka_keys::IGNORED, name) {
            note(&mut self.ignored, name);
        } else if kafka_keys::has(kafka_keys::NOT_YET, name) {
            note(&mut self.not_yet, name);
        } else {
            return Err(ConfigError(format!(
                "{}: unknown key {name}; did you mean {}?",
                setting.origin,
                nearest(name)
            )));
        }
        Ok(())
    }
}

fn note(names: &mut Vec<String>, name: &str) {
    if !names.iter().any(|known| known == name) {
        names.push(name.to_string());
    }
}

fn is_known(name: &str) -> bool {
    known_names().any(|known| known == name)
}

fn known_names() -> impl Iterator<Item = &'static str> {
    let refused = kafka_keys::REFUSED.iter().map(|(name, _)| *name);
    let others = [kafka_keys::IGNORED, kafka_keys::NOT_YET].into_iter().flat_map(kafka_keys::names);
    table::KEYS.iter().map(|key| key.name).chain(refused).chain(others)
}

/// The known key that is fewest edits away; keys that do something win a tie.
fn nearest(name: &str) -> &'static str {
    let name = name.to_lowercase().replace('_', ".");
    known_names().min_by_key(|known| strsim::damerau_levenshtein(&name, known)).expect("the table is not empty")
}

/// Kafka's container mapping (KIP-975): `_` is `.`, `__` is `_`, `___` is `-`.
fn key_of_variable(rest: &str) -> String {
    let mut key = String::with_capacity(rest.len());
    let mut letters = rest.chars().peekable();
    while let Some(letter) = letters.next() {
        if letter != '_' {
            key.extend(letter.to_lowercase());
            continue;
        }
        let mut run = 1;
        while run < 3 && letters.next_if_eq(&'_').is_some() {
            run += 1;
        }
        key.push(['.', '_', '-'][run - 1]);
    }
    key
}

#[cfg(test)]
mod tests {
    use super::key_of_variable;

    #[test]
    fn container_mapping() {
        assert_eq!(key_of_variable("NODE_ID"), "node.id");
        assert_eq!(key_of_variable("A__B___C_D"), "a_b-c.d");
        assert_eq!(key_of_variable("X____Y"), "x-.y");
    }
}
