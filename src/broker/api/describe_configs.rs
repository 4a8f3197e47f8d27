//! DescribeConfigs (key 32), versions 1-4: topics, and the brokers of this machine (all have the same configuration).
//!
//! | resource | configs |
//! |---|---|
//! | topic (2) | every topic config: the topic's own value, else the broker's, else the default |
//! | broker (4), by id | every key of this machine, then the broker-wide defaults of topic configs that have no key here |
//! | broker (4), "" | none: nothing is set for all brokers at run time |
//! | else | INVALID_REQUEST |
//!
//! Null or no keys mean all; unknown ones are left out. Version 3 on: type and, if asked for, documentation. A resource named twice
//! is answered once. Broker configs are read-only.

use crate::base::clock::Now;
use crate::base::config::table::{self, Key};
use crate::base::config::{ConfigValue, table::Kind as BrokerKind};
use crate::base::error_code::ErrorCode;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::partition::broker_id;
use crate::metadata::controller::Refused;
use crate::metadata::controller::topic_name::validate_topic_name;
use crate::metadata::topic_config::{BrokerWide, ConfigSource, Kind, TOPIC_CONFIGS, TopicConfig};
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
    match resource.resource_type {
        RESOURCE_TOPIC => {
            validate_topic_name(name).map_err(|why| Refused::new(ErrorCode::InvalidTopicException, why))?;
            let unknown =
                || Refused::new(ErrorCode::UnknownTopicOrPartition, format!("Topic '{name}' does not exist."));
            let topic = broker.image.topic_by_name(name).ok_or_else(unknown)?;
            let broker_wide = broker.topics.broker_wide();
            let lines = TOPIC_CONFIGS.iter().filter(|line| wanted(line.key));
            Ok(lines.map(|line| topic_entry(topic, line, broker_wide, asked)).collect())
        }
        RESOURCE_BROKER if name.is_empty() => Ok(Vec::new()),
        RESOURCE_BROKER => {
            check_broker(broker, name)?;
            let values = broker.settings.values.iter().filter(|value| wanted(value.key.name));
            let own = values.map(|value| broker_entry(value, asked));
            let others = TOPIC_CONFIGS.iter().filter(|line| !line.broker_key.is_empty() && wanted(line.broker_key));
            let others = others.filter(|line| table::find(line.broker_key).is_none());
            Ok(own.chain(others.map(|line| broker_wide_entry(line, asked))).collect())
        }
        other => {
            let why = format!("Resource type {other} has no configs here: topics (2) and brokers (4) have.");
            Err(Refused::new(ErrorCode::InvalidRequest, why))
        }
    }
}

fn check_broker(broker: &Broker, name: &str) -> Result<(), Refused> {
    let refuse = |why: String| Err(Refused::new(ErrorCode::InvalidRequest, why));
    let Ok(id) = name.parse::<i32>() else {
        return refuse(format!(
            "Broker id must be an integer, but it is: {}",
            name.chars().take(60).collect::<String>()
        ));
    };
    let here = broker_id(&broker.image, broker.core()).0;
    let mut ids = (0..broker.image.cores()).map(|core| broker_id(&broker.image, crate::base::ids::CoreId(core)).0);
    match ids.any(|known| known == id) {
        true => Ok(()),
        false => refuse(format!("Unexpected broker id, expected {here} or empty string, but received {id}")),
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
        result.synonyms = places.iter().map(synonym).collect();
    }
    result
}

fn topic_entry(
    topic: &Topic,
    line: &'static TopicConfig,
    broker_wide: &BrokerWide,
    asked: Asked,
) -> DescribeConfigsResourceResult {
    let broker_name = if line.broker_key.is_empty() { line.key } else { line.broker_key };
    let own = topic.configs.get(line.key).map(|value| (line.key, value.clone(), ConfigSource::Topic));
    let wide = broker_wide.get(line.key).map(|value| (broker_name, value.to_string(), ConfigSource::StaticBroker));
    let default = (broker_name, line.default.to_string(), ConfigSource::Default);
    let places = own.into_iter().chain(wide).chain([default]).collect();
    // An empty list is a value of its own.
    let result = entry(places, topic_type(line.kind), line.doc, false, asked);
    let value = result.value.clone().or(Some(StrBytes::new()));
    result.with_name(StrBytes::from_static_str(line.key)).with_value(value)
}

fn broker_entry(value: &ConfigValue, asked: Asked) -> DescribeConfigsResourceResult {
    let Key { name, default, dev_default, kind, why, .. } = *value.key;
    let given = value.given.then(|| (name, value.value.clone(), ConfigSource::StaticBroker));
    let default = match value.given {
        true => default.to_string(),
        // The value in force is a default: this release's, or that of `corelane dev`.
        false => value.value.clone(),
    };
    assert!(value.given || [Some(default.as_str()), dev_default].contains(&Some(value.value.as_str())));
    let places = given.into_iter().chain([(name, default, ConfigSource::Default)]).collect();
    entry(places, broker_type(kind), why, true, asked).with_name(StrBytes::from_static_str(name))
}

fn broker_wide_entry(line: &'static TopicConfig, asked: Asked) -> DescribeConfigsResourceResult {
    let places = vec![(line.broker_key, line.default.to_string(), ConfigSource::Default)];
    entry(places, topic_type(line.kind), line.doc, true, asked).with_name(StrBytes::from_static_str(line.broker_key))
}

fn topic_type(kind: Kind) -> ConfigType {
    match kind {
        Kind::Int { .. } => ConfigType::Int,
        Kind::Long { .. } => ConfigType::Long,
        Kind::Double { .. } => ConfigType::Double,
        Kind::Boolean => ConfigType::Boolean,
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
    }
}
