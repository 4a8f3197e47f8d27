//! DescribeConfigs, DescribeCluster, CreatePartitions.

use crate::client::*;
use crate::world::{Client, World, per_machine};
use kafka_protocol::messages::create_partitions_request::{CreatePartitionsAssignment, CreatePartitionsTopic};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::describe_configs_response::{DescribeConfigsResourceResult, DescribeConfigsResult};
use kafka_protocol::messages::*;

const TOPIC: i8 = 2;
const BROKER: i8 = 4;

fn request(kind: i8, name: &str, keys: Option<&[&str]>) -> DescribeConfigsRequest {
    let keys = keys.map(|keys| keys.iter().map(|key| text(key)).collect());
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(keys);
    DescribeConfigsRequest::default().with_resources(vec![resource])
}

#[track_caller]
fn described(world: &mut World, client: Client, request: &DescribeConfigsRequest) -> DescribeConfigsResult {
    let mut response = world.call(client, 4, request);
    assert_eq!(response.results.len(), 1);
    response.results.remove(0)
}

#[track_caller]
fn config(result: &DescribeConfigsResult, name: &str) -> DescribeConfigsResourceResult {
    assert_eq!((result.error_code, result.error_message.as_deref()), (0, None));
    result.configs.iter().find(|config| &*config.name == name).unwrap_or_else(|| panic!("{name} is listed")).clone()
}

/// (value, source, type) of a config.
fn facts(config: &DescribeConfigsResourceResult) -> (Option<&str>, i8, i8) {
    (config.value.as_deref(), config.config_source, config.config_type)
}

#[test]
fn c45_topic_configs_tell_value_source_and_type() {
    let mut world = World::new(1, &[("log.segment.bytes", "500000")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("cleanup.policy", "compact"), ("segment.ms", "1000")]);
    let asked = request(TOPIC, "t", None).with_include_synonyms(true).with_include_documentation(true);
    let result = described(&mut world, client, &asked);
    assert_eq!(facts(&config(&result, "cleanup.policy")), (Some("compact"), 1, 7));
    assert_eq!(facts(&config(&result, "segment.bytes")), (Some("500000"), 4, 3));
    assert_eq!(facts(&config(&result, "segment.ms")), (Some("1000"), 1, 5));
    assert_eq!(facts(&config(&result, "retention.ms")), (Some("604800000"), 5, 5));
    assert_eq!(facts(&config(&result, "min.cleanable.dirty.ratio")), (Some("0.5"), 5, 6));
    assert_eq!(facts(&config(&result, "preallocate")), (Some("false"), 5, 1));
    assert_eq!(facts(&config(&result, "durability")), (Some("disk"), 5, 2));
    assert_eq!(facts(&config(&result, "leader.replication.throttled.replicas")), (Some(""), 5, 7));
    assert!(result.configs.iter().all(|one| !one.read_only && !one.is_sensitive && one.value.is_some()));
    assert!(result.configs.iter().all(|one| one.documentation.as_ref().is_some_and(|text| !text.is_empty())));
    let synonyms = |name: &str| -> Vec<(String, String, i8)> {
        let synonyms = config(&result, name).synonyms;
        let one = |one: &describe_configs_response::DescribeConfigsSynonym| {
            (one.name.to_string(), one.value.as_deref().unwrap_or_default().to_string(), one.source)
        };
        synonyms.iter().map(one).collect()
    };
    let row = |name: &str, value: &str, source| (name.to_string(), value.to_string(), source);
    assert_eq!(
        synonyms("cleanup.policy"),
        [row("cleanup.policy", "compact", 1), row("log.cleanup.policy", "delete", 5)]
    );
    assert_eq!(
        synonyms("segment.bytes"),
        [row("log.segment.bytes", "500000", 4), row("log.segment.bytes", "1073741824", 5)]
    );
    assert_eq!(synonyms("segment.ms"), [row("segment.ms", "1000", 1)], "the broker's default is another key's");
    let plain = described(&mut world, client, &request(TOPIC, "t", Some(&["retention.ms", "no.such.key"])));
    assert_eq!(plain.configs.len(), 1);
    assert!(plain.configs[0].synonyms.is_empty() && plain.configs[0].documentation.is_none());
    assert!(described(&mut world, client, &request(TOPIC, "t", Some(&[]))).configs.len() > 30, "no keys: all");
}

/// Field by field; `durability` is the only topic config that Kafka does not have.
#[test]
fn c45_topic_configs_are_described_as_by_kafka() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let result = described(&mut world, client, &request(TOPIC, "t", None).with_include_synonyms(true));
    let mut ours = result.configs.iter().filter(|one| &*one.name != "durability");
    for line in include_str!("kafka_topic_configs.txt").lines().filter(|line| !line.starts_with('#')) {
        let fields: Vec<&str> = line.split('|').map(str::trim).collect();
        let [key, value, kind, synonym] = fields[..] else { panic!("{line}") };
        let one = ours.next().expect(key);
        let kinds = ["", "BOOLEAN", "STRING", "INT", "", "LONG", "DOUBLE", "LIST"];
        // The test world takes small batches.
        let value = if key == "max.message.bytes" { one.value.as_deref().expect("a value") } else { value };
        assert_eq!((&*one.name, one.value.as_deref(), kinds[one.config_type as usize]), (key, Some(value), kind));
        let default = one.synonyms.iter().rfind(|synonym| synonym.source == 5);
        let default = default.map(|one| format!("{}={}", &*one.name, one.value.as_deref().expect("a value")));
        assert_eq!(default.as_deref().unwrap_or("-"), synonym, "{key}");
    }
    assert_eq!(ours.next().map(|one| one.name.to_string()), None);
}

#[test]
fn c45_broker_configs_are_those_of_the_table() {
    let mut world = World::new(2, &[("num.partitions", "7")]);
    let client = world.connect(1);
    for name in ["0", "1"] {
        let result = described(&mut world, client, &request(BROKER, name, None).with_include_documentation(true));
        assert_eq!(facts(&config(&result, "num.partitions")), (Some("7"), 4, 3));
        assert_eq!(facts(&config(&result, "auto.create.topics.enable")), (Some("true"), 5, 1));
        assert_eq!(facts(&config(&result, "log.retention.ms")), (None, 5, 5));
        assert_eq!(facts(&config(&result, "log.retention.hours")), (Some("168"), 5, 3));
        assert_eq!(facts(&config(&result, "advertised.listeners")), (None, 5, 7));
        assert_eq!(facts(&config(&result, "connections.max.idle.ms")), (Some("600000"), 5, 5));
        assert!(result.configs.iter().all(|one| !one.is_sensitive));
        assert!(config(&result, "num.partitions").read_only && !config(&result, "log.segment.bytes").read_only);
        assert!(result.configs.iter().all(|one| one.documentation.as_ref().is_some_and(|text| !text.is_empty())));
        let mut names: Vec<_> = result.configs.iter().map(|one| one.name.to_string()).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all, "each key once");
    }
    assert!(described(&mut world, client, &request(BROKER, "", None)).configs.is_empty());
}

#[test]
fn c45_resources_that_do_not_exist() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    for (kind, name, code) in
        [(TOPIC, "missing", 3), (TOPIC, "a/b", 17), (BROKER, "9", 42), (BROKER, "x", 42), (8, "0", 42), (0, "t", 42)]
    {
        let result = described(&mut world, client, &request(kind, name, None));
        assert_eq!((result.error_code, result.configs.len()), (code, 0), "{kind} {name}");
        assert!(result.error_message.is_some_and(|message| !message.is_empty()));
    }
    let mut twice = request(TOPIC, "t", None);
    twice.resources.push(twice.resources[0].clone());
    assert_eq!(world.call(client, 4, &twice).results.len(), 1, "named twice, answered once");
    for version in 1..=4 {
        assert!(world.call(client, version, &request(TOPIC, "t", None)).results[0].configs.len() > 30);
    }
}

#[test]
fn the_cluster_is_the_cores_of_the_machine() {
    let mut world = World::new(2, &[("node.id", "3")]);
    let client = world.connect(1);
    let asked = DescribeClusterRequest::default();
    for version in 0..=1 {
        let response = world.call(client, version, &asked);
        assert_eq!((response.error_code, response.controller_id.0, response.endpoint_type), (0, 3000, 1));
        let brokers: Vec<_> =
            response.brokers.iter().map(|one| (one.broker_id.0, one.host.to_string(), one.port)).collect();
        let here = "127.0.0.1".to_string();
        let all = [(3000, here.clone(), 9092), (3001, here, 9093)];
        assert_eq!(brokers, all[..if per_machine() { 1 } else { 2 }]);
        let metadata = world.call(client, 9, &metadata_request(&[]));
        assert_eq!(metadata.cluster_id.as_deref(), Some(&*response.cluster_id));
        assert_eq!(response.cluster_authorized_operations, i32::MIN);
    }
    let allowed = world.call(client, 0, &asked.clone().with_include_cluster_authorized_operations(true));
    assert!(allowed.cluster_authorized_operations > 0);
    for (endpoint, code) in [(2, 114), (3, 115), (0, 115)] {
        let response = world.call(client, 1, &asked.clone().with_endpoint_type(endpoint));
        assert_eq!((response.error_code, response.brokers.len()), (code, 0));
    }
}

pub fn grow_request(name: &str, count: i32) -> CreatePartitionsRequest {
    let topic = CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(count).with_assignments(None);
    CreatePartitionsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000)
}

#[test]
fn c44_partitions_are_added_through_any_core_and_work_at_once() {
    let mut world = World::new(2, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 1, &[("segment.bytes", "1100000")]);
    for (version, core) in [(0, 0), (1, 1), (2, 0), (3, 1)] {
        let client = world.connect(core);
        let count = 4 + i32::from(version);
        let validate = grow_request("t", count).with_validate_only(true);
        assert_eq!(world.call(client, version, &validate).results[0].error_code, 0);
        let result = world.call(client, version, &grow_request("t", count)).results.remove(0);
        assert_eq!((result.error_code, result.error_message, &**result.name), (0, None, "t"));
        for partition in 0..count {
            let leader = world.leader(admin, "t", partition);
            let client = world.connect(leader);
            world.produce(client, "t", partition, Batch::of(1));
        }
        for wrong in [count, count - 1, 0, -1] {
            let result = world.call(client, version, &grow_request("t", wrong)).results.remove(0);
            assert_eq!(result.error_code, 37, "{wrong} partitions");
            assert!(result.error_message.is_some_and(|message| !message.is_empty()));
        }
    }
    let leaders: Vec<_> = (0..7).map(|partition| world.owner("t", partition)).collect();
    assert!((3..=4).contains(&leaders.iter().filter(|leader| **leader == 0).count()), "even: {leaders:?}");
    let mut world = crate::fetch::restarted(world);
    let client = world.connect(leaders[6]);
    assert_eq!(world.read_all(client, "t", 6).len(), 1, "still there after a kill");
}

#[test]
fn c44_one_result_per_topic_and_an_answer_after_all_cores() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    world.create_topic(client, "t", 1, &[]);
    let mut request = grow_request("t", 3);
    let assigned = |brokers: &[i32]| {
        CreatePartitionsAssignment::default().with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
    };
    for name in ["missing", "u", "u"] {
        request
            .topics
            .push(CreatePartitionsTopic::default().with_name(topic_name(name)).with_count(2).with_assignments(None));
    }
    request.topics[0].assignments = Some(vec![assigned(&[1]), assigned(&[1])]);
    world.hold_metadata = true;
    world.send(client, 3, &request);
    assert!(world.raw_answer(client).is_none(), "not durable");
    world.hold_metadata = false;
    world.run();
    let response = world.receive::<CreatePartitionsRequest>(client);
    let results: Vec<_> = response.results.iter().map(|one| (one.name.to_string(), one.error_code)).collect();
    assert_eq!(results, [("t".to_string(), 0), ("missing".to_string(), 3), ("u".to_string(), 42)]);
    assert_eq!((world.owner("t", 1), world.owner("t", 2)), (1, 1), "as assigned");
    let mut short = grow_request("t", 5);
    short.topics[0].assignments = Some(vec![assigned(&[0])]);
    assert_eq!(world.call(client, 3, &short).results[0].error_code, 39);
}
