//! IncrementalAlterConfigs and AlterConfigs: configs of topics, of one machine's brokers, of all brokers.
//!
//! A resource is altered whole or not at all. Faults of topic configs are INVALID_CONFIG, faults of broker configs and of the
//! request INVALID_REQUEST, as in Kafka. Going back to the default is always allowed, for an unknown key too.

use crate::base::config::table;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{BrokerId, CoreId, MachineId};
use crate::base::limits;
use crate::metadata::broker_wide::{BrokerWide, Changeable, changeable, resource_name};
use crate::metadata::controller::topic_name::validate_topic_name;
use crate::metadata::controller::{Decision, Refused};
use crate::metadata::image::Image;
use crate::metadata::record::{ConfigRecord, Record, ResourceType};
use crate::metadata::topic_config::{
    Kind, effective, topic_config, validate_topic_config, validate_topic_configs_together,
};
use std::collections::{BTreeMap, BTreeSet};

/// One resource of a request, as the client named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AlteredResource {
    /// Kafka's number of its kind.
    pub kind: i8,
    /// Topic name, broker id, or empty for all brokers.
    pub name: String,
    /// In the order of the request.
    pub changes: Vec<ConfigChange>,
    /// What is not named goes back to its default (AlterConfigs).
    pub replace: bool,
}

/// One config of a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigChange {
    /// Kafka's key.
    pub key: String,
    /// Kafka's number: 0 set, 1 delete, 2 append to a list, 3 subtract from a list.
    pub operation: i8,
    /// Null is legal for a deletion only.
    pub value: Option<String>,
}

/// What became of one resource.
pub type AlterOutcome = Result<(), Refused>;

const TOPIC: i8 = ResourceType::Topic as i8;
const BROKER: i8 = ResourceType::Broker as i8;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Decides about a request: one outcome per resource, in its order.
pub fn alter_configs(
    image: &Image,
    broker_wide: &BrokerWide,
    resources: &[AlteredResource],
    validate_only: bool,
) -> Decision<Vec<AlterOutcome>> {
    let mut named: BTreeMap<(i8, &str), usize> = BTreeMap::new();
    resources.iter().for_each(|one| *named.entry((one.kind, one.name.as_str())).or_default() += 1);
    let mut alteration = Alteration { image, broker_wide, records: Vec::new(), config_bytes: 0 };
    let alter = |resource: &AlteredResource| match named[&(resource.kind, resource.name.as_str())] {
        1 => alteration.alter(resource),
        _ => Err(invalid_request("Each resource must appear at most once.")),
    };
    let answer = resources.iter().map(alter).collect();
    Decision { records: if validate_only { Vec::new() } else { alteration.records }, answer }
}

/// The machine whose broker has this id; `None` for all brokers.
pub fn altered_machine(image: &Image, name: &str) -> Result<Option<MachineId>, Refused> {
    if name.is_empty() {
        return Ok(None);
    }
    let shown: String = name.chars().take(60).collect();
    let id = name.parse::<i32>();
    let id = id.map_err(|_| invalid_request(format!("Node id must be an integer, but it is: {shown}")))?;
    let machine = image.machine().unwrap_or(MachineId(0));
    let mut brokers = (0..image.cores()).map(|core| BrokerId::new(machine, CoreId(core)).0);
    if brokers.any(|known| known == id) {
        return Ok(Some(machine));
    }
    let first = BrokerId::new(machine, CoreId(0)).0;
    Err(invalid_request(format!(
        "Unexpected broker id, expected {first} or another of this cluster, but received {id}"
    )))
}

fn invalid_request(why: impl Into<String>) -> Refused {
    Refused::new(ErrorCode::InvalidRequest, why)
}

/// One request's work.
struct Alteration<'a> {
    image: &'a Image,
    broker_wide: &'a BrokerWide,
    records: Vec<Record>,
    config_bytes: usize,
}

impl Alteration<'_> {
    fn alter(&mut self, resource: &AlteredResource) -> AlterOutcome {
        check_changes(&resource.changes)?;
        let (kind, name, before) = match resource.kind {
            TOPIC => (ResourceType::Topic, resource.name.clone(), self.topic_configs(&resource.name)?),
            BROKER => {
                let name = resource_name(altered_machine(self.image, &resource.name)?);
                let before = self.image.broker_configs(&name);
                (ResourceType::Broker, name, before)
            }
            other => {
                let why =
                    format!("Resource type {other} has no configs here: topics ({TOPIC}) and brokers ({BROKER}) have.");
                return Err(invalid_request(why));
            }
        };
        let mut after = if resource.replace { BTreeMap::new() } else { before.clone() };
        for change in &resource.changes {
            self.apply(kind, &before, &mut after, change)?;
        }
        if kind == ResourceType::Topic {
            validate_topic_configs_together(&after, self.broker_wide)
                .map_err(|why| Refused::new(ErrorCode::InvalidConfig, why))?;
        }
        self.check_bytes(&resource.changes)?;
        self.push_records(kind, &name, &before, &after);
        Ok(())
    }

    fn topic_configs(&self, name: &str) -> Result<BTreeMap<String, String>, Refused> {
        if name.is_empty() {
            return Err(invalid_request("Default topic resources are not allowed."));
        }
        validate_topic_name(name).map_err(|why| Refused::new(ErrorCode::InvalidTopicException, why))?;
        let unknown =
            || Refused::new(ErrorCode::UnknownTopicOrPartition, format!("The topic '{name}' does not exist."));
        Ok(self.image.topic_by_name(name).ok_or_else(unknown)?.configs.clone())
    }

    /// Applies one change to `after`.
    fn apply(
        &self,
        kind: ResourceType,
        before: &BTreeMap<String, String>,
        after: &mut BTreeMap<String, String>,
        change: &ConfigChange,
    ) -> Result<(), Refused> {
        let key = change.key.as_str();
        let operation = match change.operation {
            DELETE => {
                after.remove(key);
                return Ok(());
            }
            SET => None,
            APPEND => Some("APPEND"),
            SUBTRACT => Some("SUBTRACT"),
            other => {
                return Err(invalid_request(format!("Unknown operation {other} on config {key}: there are 0 to 3.")));
            }
        };
        let mut value = change.value.clone().expect("checked");
        if let Some(operation) = operation {
            let list = list_line(kind, key).ok_or_else(|| {
                let why = format!("Can't {operation} to key {key} because its type is not LIST.");
                Refused::new(ErrorCode::InvalidConfig, why)
            })?;
            let none = BTreeMap::new();
            let own = before.get(key).map(String::as_str);
            let current = own.unwrap_or_else(|| effective(list.key, &none, self.broker_wide));
            value = changed_list(current, &value, change.operation == APPEND);
        }
        match kind {
            ResourceType::Topic => validate_topic_config(key, Some(&value))
                .map(drop)
                .map_err(|why| Refused::new(ErrorCode::InvalidConfig, why))?,
            ResourceType::Broker => check_broker_config(key, &value)?,
        }
        after.insert(key.to_string(), value);
        Ok(())
    }

    fn check_bytes(&mut self, changes: &[ConfigChange]) -> Result<(), Refused> {
        let bytes = |change: &ConfigChange| change.key.len() + change.value.as_ref().map_or(0, String::len);
        let bytes = changes.iter().map(bytes).sum::<usize>();
        if self.config_bytes + bytes > limits::METADATA_REQUEST_CONFIG_BYTES_MAX {
            let most = limits::METADATA_REQUEST_CONFIG_BYTES_MAX;
            return Err(Refused::new(
                ErrorCode::PolicyViolation,
                format!("The configs of one request may have {most} bytes in all; use several requests."),
            ));
        }
        self.config_bytes += bytes;
        Ok(())
    }

    fn push_records(
        &mut self,
        kind: ResourceType,
        name: &str,
        before: &BTreeMap<String, String>,
        after: &BTreeMap<String, String>,
    ) {
        let keys: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for key in keys.into_iter().filter(|key| before.get(*key) != after.get(*key)) {
            self.records.push(Record::Config(ConfigRecord {
                resource_type: kind,
                resource_name: name.to_string(),
                key: key.clone(),
                value: after.get(key).cloned(),
            }));
        }
    }
}

fn check_changes(changes: &[ConfigChange]) -> Result<(), Refused> {
    let nulls = changes.iter().filter(|change| change.operation != DELETE && change.value.is_none());
    let nulls: Vec<&str> = nulls.map(|change| change.key.as_str()).collect();
    if !nulls.is_empty() {
        return Err(invalid_request(format!("Null value not supported for : {}", nulls.join(", "))));
    }
    let mut keys = BTreeSet::new();
    match changes.iter().all(|change| keys.insert(&change.key)) {
        true => Ok(()),
        false => Err(invalid_request("Error due to duplicate config keys")),
    }
}

/// The topic config behind a key, if it is a list.
fn list_line(kind: ResourceType, key: &str) -> Option<&'static crate::metadata::topic_config::TopicConfig> {
    let line = match kind {
        ResourceType::Topic => topic_config(key),
        ResourceType::Broker => match changeable(key) {
            Some(Changeable::Topics(line)) => Some(line),
            Some(Changeable::Machine(_)) | None => None,
        },
    };
    line.filter(|line| matches!(line.kind, Kind::ListOf(_) | Kind::ThrottledReplicas))
}

/// A list with elements added that it lacks, or taken away.
fn changed_list(current: &str, elements: &str, add: bool) -> String {
    let split = |list: &str| -> Vec<String> {
        list.split(',').map(|element| element.trim().to_string()).filter(|element| !element.is_empty()).collect()
    };
    let mut list = split(current);
    for element in split(elements) {
        match add {
            true if !list.contains(&element) => list.push(element),
            true => {}
            false => list.retain(|one| *one != element),
        }
    }
    list.join(",")
}

fn check_broker_config(key: &str, value: &str) -> Result<(), Refused> {
    let invalid = |why: String| {
        let shown: String = value.chars().take(60).collect();
        invalid_request(format!("Invalid value {shown} for configuration {key}: {why}"))
    };
    match changeable(key) {
        Some(Changeable::Topics(line)) => {
            validate_topic_config(line.key, Some(value))
                .map_err(|why| invalid_request(why.replacen(line.key, key, 1)))?;
            // The machine may want more of its own key than a topic has to.
            table::find(key)
                .filter(|_| !value.is_empty())
                .map_or(Ok(()), |row| row.check(value.trim()))
                .map_err(invalid)
        }
        Some(Changeable::Machine(row)) => row.check(value).map_err(invalid),
        None => Err(invalid_request(why_fixed(key))),
    }
}

/// Why a broker config does not change while the machine runs.
fn why_fixed(key: &str) -> String {
    let shown: String = key.chars().take(60).collect();
    match table::find(key) {
        Some(_) => format!(
            "Cannot update these configs dynamically: [{shown}]. Set it in the file and start the machine again."
        ),
        None if crate::base::config::kafka_keys::is_known(key) => {
            format!("Cannot update these configs dynamically: [{shown}]. It means nothing to this broker.")
        }
        None => format!("Unknown broker config name: {shown}"),
    }
}

#[cfg(test)]
mod tests;
