//! DescribeConfigs (key 32), versions 1-4: topics, and the brokers of this machine (all have the same configuration).
//!
//! | resource | configs |
//! |---|---|
//! | topic (2) | every topic config: the topic's own value, else the broker's, else the default |
//! | broker (4), by id | every key of this machine, then the broker-wide defaults of topic configs that have no key here |
//! | broker (4), "" | what was set for all brokers while they run |
//! | else | INVALID_REQUEST |
//!
//! Null or no keys mean all; unknown ones are left out. Version 3 on: type and, if asked for, documentation. A resource named twice
//! is answered once. A broker config is read-only unless AlterConfigs may change it. Synonyms go from the value in force down:
//! topic (1), one broker (2), all brokers (3), file, flag or environment (4), default (5).

use crate::base::clock::Now;
use crate::base::config::table::{self, Key};
use crate::base::config::{ConfigValue, table::Kind as BrokerKind};
use crate::base::error_code::ErrorCode;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::metadata::broker_wide::{BrokerWide, Changeable, changeable};
use crate::metadata::controller::Refused;
use crate::metadata::controller::alter_configs::altered_machine;
use crate::metadata::controller::topic_name::validate_topic_name;
use crate::metadata::topic_config::{ConfigSource, Kind, TOPIC_CONFIGS, TopicConfig};
use crate::metadata::topics::Topic;
use crate::wire::api::ApiKey;
use crate::wire::messages::{
    DescribeConfigsRequest, DescribeConfigsResource, DescribeConfigsResourceResult, DescribeConfigsResponse,
    DescribeConfigsResult, DescribeConfigsSynonym, StrBytes, decode, encode,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::collections::BTreeSet;

/// See the module.
pub(super) struct DescribeConfigs;

const RESOURCE_TOPIC: i8 = 2;
const RESOURCE_BROKER: i8 = 4;

/// Kafka's numbers of config types.
#[derive(Clone, Copy)]
#[repr(i8)]
enum ConfigType {
    Boolean = 1,
    String = 2,
    Int = 3,
    Long = 5,
    Double = 6,
    List = 7,
}

impl Api for DescribeConfigs {
    const KEY: ApiKey = ApiKey::DescribeConfigs;
    type Request = DescribeConfigsRequest;

    fn decode(body: BytesMut, version: i16) -> Result<DescribeConfigsRequest, DecodeError> {
        decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, request: DescribeConfigsRequest, _: Now) -> Outcome {
        let asked = Asked { synonyms: request.include_synonyms, documentation: request.include_documentation };
        let mut response = DescribeConfigsResponse::default();
        let mut seen = BTreeSet::new();
        for resource in &request.resources {
            if !seen.insert((resource.resource_type, resource.resource_name.as_str())) {
                continue;
            }
            let answer = DescribeConfigsResult::default()
                .with_resource_type(resource.resource_type)
                .with_resource_name(resource.resource_name.clone())
                .with_error_message(None);
            response.results.push(match describe(broker, resource, asked) {
                Ok(configs) => answer.with_configs(configs),
                Err(Refused { code, message }) => {
                    answer.with_error_code(code.code()).with_error_message(Some(StrBytes::from_string(message)))
                }
            });
        }
        let failed = response.results.iter().any(|result| result.error_code != ErrorCode::None.code());
        broker.counters.request_errors += u64::from(failed);
        Outcome::Answer(encode(response, context.version, context.correlation_id))
    }
}

/// What the client wants beside the values.
#[derive(Clone, Copy)]
struct Asked {
    synonyms: bool,
    documentation: bool,
}

type Configs = Vec<DescribeConfigsResourceResult>;

fn describe(broker: &Broker, resource: &DescribeConfigsResource, asked: Asked) -> Result<Configs, Refused> {
    let keys = resource.configuration_keys.as_deref().filter(|keys| !keys.is_empty());
    let wanted = |name: &str| keys.is_none_or(|keys| keys.iter().any(|key| key.as_str() == name));
    let name = resource.resource_name.as_str();
    let broker_wide = broker.topics.broker_wide();
    match resource.resource_type {
        RESOURCE_TOPIC => {
            validate_topic_name(name).map_err(|why| Refused::new(ErrorCode::InvalidTopicException, why))?;
            let unknown =
                || Refused::new(ErrorCode::UnknownTopicOrPartition, format!("Topic '{name}' does not exist."));
            let topic = broker.image.topic_by_name(name).ok_or_else(unknown)?;
            let lines = TOPIC_CONFIGS.iter().filter(|line| wanted(line.key));
            Ok(lines.map(|line| topic_entry(topic, line, broker_wide, asked)).collect())
        }
        RESOURCE_BROKER if altered_machine(&broker.image, name)?.is_none() => {
            let set = broker_wide.cluster().iter().filter(|(key, _)| wanted(key));
            Ok(set.filter_map(|(key, value)| cluster_entry(key, value, asked)).collect())
        }
        RESOURCE_BROKER => {
            let values = broker.settings.values.iter().filter(|value| wanted(value.key.name));
            let own = values.map(|value| broker_entry(value, broker_wide, asked));
            let others = TOPIC_CONFIGS.iter().filter(|line| !line.broker_key.is_empty() && wanted(line.broker_key));
            let others = others.filter(|line| table::find(line.broker_key).is_none());
            Ok(own.chain(others.map(|line| broker_wide_entry(line, broker_wide, asked))).collect())
        }
        other => {
            let why = format!("Resource type {other} has no configs here: topics (2) and brokers (4) have.");
            Err(Refused::new(ErrorCode::InvalidRequest, why))
        }
    }
}

/// Name, value and source of each place that a value could come from, the one in force first.
type Places = Vec<(&'static str, String, ConfigSource)>;

fn entry(
    places: Places,
    kind: ConfigType,
    doc: &'static str,
    read_only: bool,
    asked: Asked,
) -> DescribeConfigsResourceResult {
    let value = |value: &String| (!value.is_empty()).then(|| StrBytes::from_string(value.clone()));
    let (_, in_force, source) = &places[0];
    let mut result = DescribeConfigsResourceResult::default()
        .with_value(value(in_force))
        .with_read_only(read_only)
        .with_config_source(*source as i8)
        .with_config_type(kind as i8)
        .with_documentation(asked.documentation.then(|| StrBytes::from_static_str(doc)));
    let synonym = |(name, text, source): &(&'static str, String, ConfigSource)| {
        let synonym = DescribeConfigsSynonym::default().with_name(StrBytes::from_static_str(name));
        synonym.with_value(value(text)).with_source(*source as i8)
    };
    if asked.synonyms {
        let named = |place: &&(&str, String, ConfigSource)| place.2 != ConfigSource::Default || broker_default(place);
        result.synonyms = places.iter().filter(named).map(synonym).collect();
    }
    result
}

/// The broker has a default of its own for this config. Kafka tells no synonym where it has none: for what only topics have, and for
/// times that another key (`log.retention.hours`) gives.
fn broker_default((name, value, _): &(&str, String, ConfigSource)) -> bool {
    const NONE: [&str; 4] = ["log.flush.interval.ms", "log.retention.ms", "log.roll.jitter.ms", "log.roll.ms"];
    let only_of_topics = || TOPIC_CONFIGS.iter().any(|line| line.broker_key.is_empty() && line.key == *name);
    !value.is_empty() && !NONE.contains(name) && !only_of_topics()
}

fn topic_entry(
    topic: &Topic,
    line: &'static TopicConfig,
    broker_wide: &BrokerWide,
    asked: Asked,
) -> DescribeConfigsResourceResult {
    let broker_name = if line.broker_key.is_empty() { line.key } else { line.broker_key };
    let own = topic.configs.get(line.key).map(|value| (line.key, value.clone(), ConfigSource::Topic));
    let wide = broker_wide.layers(line.broker_key).map(|(value, source)| (broker_name, value.to_string(), source));
    let default = (broker_name, line.default.to_string(), ConfigSource::Default);
    let places = own.into_iter().chain(wide).chain([default]).collect();
    // An empty list is a value of its own.
    let result = entry(places, topic_type(line.kind), line.doc, false, asked);
    let value = result.value.clone().or(Some(StrBytes::new()));
    result.with_name(StrBytes::from_static_str(line.key)).with_value(value)
}

fn broker_entry(value: &ConfigValue, broker_wide: &BrokerWide, asked: Asked) -> DescribeConfigsResourceResult {
    let Key { name, default, dev_default, kind, why, .. } = *value.key;
    let set = broker_wide.layers(name).filter(|(_, source)| *source != ConfigSource::StaticBroker);
    let set = set.map(|(value, source)| (name, value.to_string(), source));
    let given = value.given.then(|| (name, value.value.clone(), ConfigSource::StaticBroker));
    let default = match value.given {
        true => default.to_string(),
        // The value in force is a default: this release's, or that of `corelane dev`.
        false => value.value.clone(),
    };
    assert!(value.given || [Some(default.as_str()), dev_default].contains(&Some(value.value.as_str())));
    let places = set.chain(given).chain([(name, default, ConfigSource::Default)]).collect();
    let read_only = changeable(name).is_none();
    entry(places, broker_type(kind), why, read_only, asked).with_name(StrBytes::from_static_str(name))
}

/// What Kafka shows of a broker config that has no default there.
fn shown_default(line: &TopicConfig) -> String {
    match broker_default(&(line.broker_key, line.default.to_string(), ConfigSource::Default)) {
        true => line.default.to_string(),
        false => String::new(),
    }
}

fn broker_wide_entry(
    line: &'static TopicConfig,
    broker_wide: &BrokerWide,
    asked: Asked,
) -> DescribeConfigsResourceResult {
    let key = line.broker_key;
    let set = broker_wide.layers(key).map(|(value, source)| (key, value.to_string(), source));
    let places = set.chain([(key, shown_default(line), ConfigSource::Default)]).collect();
    entry(places, topic_type(line.kind), line.doc, false, asked).with_name(StrBytes::from_static_str(key))
}

/// What was set for all brokers. Only keys that may change can have been set.
fn cluster_entry(key: &str, value: &str, asked: Asked) -> Option<DescribeConfigsResourceResult> {
    let (name, kind, doc) = match changeable(key)? {
        Changeable::Topics(line) => (line.broker_key, topic_type(line.kind), line.doc),
        Changeable::Machine(row) => (row.name, broker_type(row.kind), row.why),
    };
    let places = vec![(name, value.to_string(), ConfigSource::DynamicDefaultBroker)];
    Some(entry(places, kind, doc, false, asked).with_name(StrBytes::from_static_str(name)))
}

fn topic_type(kind: Kind) -> ConfigType {
    match kind {
        Kind::Int { .. } | Kind::IntOrMinusOne { .. } => ConfigType::Int,
        Kind::Long { .. } => ConfigType::Long,
        Kind::Double { .. } => ConfigType::Double,
        Kind::Boolean | Kind::Never(_) => ConfigType::Boolean,
        Kind::OneOf(_) => ConfigType::String,
        Kind::ListOf(_) | Kind::ThrottledReplicas => ConfigType::List,
    }
}

fn broker_type(kind: BrokerKind) -> ConfigType {
    match kind {
        BrokerKind::Whole(_, most) | BrokerKind::WholeOr("", _, most) if most <= i64::from(i32::MAX) => ConfigType::Int,
        BrokerKind::Whole(..) | BrokerKind::WholeOr("", ..) => ConfigType::Long,
        BrokerKind::Flag => ConfigType::Boolean,
        BrokerKind::WholeOr(..) | BrokerKind::Choice(_) | BrokerKind::Text => ConfigType::String,
        BrokerKind::List => ConfigType::List,
    }
}
