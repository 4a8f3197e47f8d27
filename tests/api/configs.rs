//! IncrementalAlterConfigs, AlterConfigs, and what DescribeConfigs makes of them.

use crate::client::*;
use crate::world::{Client, World};
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::*;

pub const TOPIC: i8 = 2;
pub const BROKER: i8 = 4;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// One resource: kind, name, changes (key, operation, value).
type Altered<'a> = (i8, &'a str, &'a [(&'a str, i8, Option<&'a str>)]);

fn alter_request(resources: &[Altered<'_>]) -> IncrementalAlterConfigsRequest {
    let config = |(key, operation, value): &(&str, i8, Option<&str>)| {
        AlterableConfig::default().with_name(text(key)).with_config_operation(*operation).with_value(value.map(text))
    };
    let resource = |(kind, name, changes): &Altered<'_>| {
        AlterConfigsResource::default()
            .with_resource_type(*kind)
            .with_resource_name(text(name))
            .with_configs(changes.iter().map(config).collect())
    };
    IncrementalAlterConfigsRequest::default().with_resources(resources.iter().map(resource).collect())
}

fn replace_request(kind: i8, name: &str, configs: &[(&str, &str)]) -> AlterConfigsRequest {
    let config = |(key, value): &(&str, &str)| {
        alter_configs_request::AlterableConfig::default().with_name(text(key)).with_value(Some(text(value)))
    };
    let resource = alter_configs_request::AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(configs.iter().map(config).collect());
    AlterConfigsRequest::default().with_resources(vec![resource])
}

/// (value, source) of a config.
#[track_caller]
pub fn described(world: &mut World, client: Client, kind: i8, name: &str, key: &str) -> Option<(String, i8)> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(Some(vec![text(key)]));
    let result =
        world.call(client, 4, &DescribeConfigsRequest::default().with_resources(vec![resource])).results.remove(0);
    assert_eq!((result.error_code, result.error_message.as_deref()), (0, None));
    assert!(result.configs.len() <= 1);
    let config = result.configs.first()?;
    Some((config.value.as_deref().unwrap_or_default().to_string(), config.config_source))
}

impl World {
    /// Sets configs of a topic or broker, which must succeed.
    #[track_caller]
    pub fn set_configs(&mut self, client: Client, kind: i8, name: &str, configs: &[(&str, &str)]) {
        let changes: Vec<_> = configs.iter().map(|(key, value)| (*key, SET, Some(*value))).collect();
        let response = self.call(client, 1, &alter_request(&[(kind, name, &changes)]));
        assert_eq!((response.responses[0].error_code, response.responses[0].error_message.as_deref()), (0, None));
    }

    /// Codes of an alteration's resources.
    fn altered(&mut self, client: Client, version: i16, resources: &[Altered<'_>]) -> Vec<i16> {
        let response = self.call(client, version, &alter_request(resources));
        let code = |one: &incremental_alter_configs_response::AlterConfigsResourceResponse| {
            assert_eq!(one.error_code != 0, one.error_message.as_ref().is_some_and(|message| !message.is_empty()));
            one.error_code
        };
        response.responses.iter().map(code).collect()
    }
}

#[test]
fn c45_configs_change_through_any_core_in_every_version() {
    let mut world = World::new(2, &[]);
    for core in 0..2 {
        let client = world.connect(core);
        for version in 0..=1 {
            let name = format!("t-{core}-{version}");
            world.create_topic(client, &name, 2, &[("retention.ms", "5")]);
            let changes: &[(&str, i8, Option<&str>)] = &[
                ("retention.ms", DELETE, None),
                ("segment.ms", SET, Some("7")),
                ("cleanup.policy", APPEND, Some("compact")),
            ];
            assert_eq!(world.altered(client, version, &[(TOPIC, &name, changes)]), [0]);
            for other in 0..2 {
                let other = world.connect(other);
                let mut of = |key: &str| described(&mut world, other, TOPIC, &name, key).expect("listed");
                assert_eq!(of("retention.ms"), ("604800000".into(), 5), "in force everywhere when the answer is there");
                assert_eq!(of("segment.ms"), ("7".into(), 1));
                assert_eq!(of("cleanup.policy"), ("delete,compact".into(), 1));
            }
            let less: &[(&str, i8, Option<&str>)] = &[("cleanup.policy", SUBTRACT, Some("delete"))];
            assert_eq!(world.altered(client, version, &[(TOPIC, &name, less)]), [0]);
            assert_eq!(described(&mut world, client, TOPIC, &name, "cleanup.policy"), Some(("compact".into(), 1)));
        }
        for version in 0..=2 {
            let name = format!("u-{core}-{version}");
            world.create_topic(client, &name, 1, &[("retention.ms", "5"), ("segment.ms", "6")]);
            let answer =
                world.call(client, version, &replace_request(TOPIC, &name, &[("retention.ms", "8")])).responses;
            assert_eq!((answer.len(), answer[0].error_code, &*answer[0].resource_name), (1, 0, &*name));
            assert_eq!(described(&mut world, client, TOPIC, &name, "retention.ms"), Some(("8".into(), 1)));
            assert_eq!(described(&mut world, client, TOPIC, &name, "segment.ms"), Some(("604800000".into(), 5)));
        }
    }
}

#[test]
fn c45_bad_alterations_get_their_codes_and_change_nothing() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    world.create_topic(client, "t", 1, &[]);
    for (kind, name, key, operation, value, code) in [
        (TOPIC, "t", "retention.ms", SET, Some("x"), 40),
        (TOPIC, "t", "retention.ms", SET, Some("-2"), 40),
        (TOPIC, "t", "no.such.key", SET, Some("1"), 40),
        (TOPIC, "t", "retention.ms", APPEND, Some("1"), 40),
        (TOPIC, "t", "retention.ms", SUBTRACT, Some("1"), 40),
        (TOPIC, "t", "retention.ms", 9, Some("1"), 42),
        (TOPIC, "t", "retention.ms", -1, Some("1"), 42),
        (TOPIC, "t", "retention.ms", SET, None, 42),
        (TOPIC, "missing", "retention.ms", SET, Some("1"), 3),
        (TOPIC, "a/b", "retention.ms", SET, Some("1"), 17),
        (TOPIC, "", "retention.ms", SET, Some("1"), 42),
        (BROKER, "0", "num.partitions", SET, Some("5"), 42),
        (BROKER, "0", "log.retention.ms", SET, Some("x"), 42),
        (BROKER, "7", "log.retention.ms", SET, Some("5"), 42),
        (BROKER, "x", "log.retention.ms", SET, Some("5"), 42),
        (8, "0", "kafka", SET, Some("INFO"), 42),
        (99, "x", "a", SET, Some("b"), 42),
    ] {
        assert_eq!(
            world.altered(client, 1, &[(kind, name, &[(key, operation, value)])]),
            [code],
            "{kind} {name} {key}"
        );
    }
    let one: Altered<'_> = (TOPIC, "t", &[("segment.ms", SET, Some("5"))]);
    let all: Altered<'_> = (BROKER, "", &[("log.retention.ms", SET, Some("5"))]);
    assert_eq!(world.altered(client, 1, &[one, all, one]), [42, 0, 42], "the other resource is altered");
    let twice: &[(&str, i8, Option<&str>)] = &[("segment.ms", SET, Some("5")), ("segment.ms", DELETE, None)];
    assert_eq!(world.altered(client, 1, &[(TOPIC, "t", twice)]), [42]);
    let half: &[(&str, i8, Option<&str>)] = &[("segment.ms", SET, Some("5")), ("segment.bytes", SET, Some("x"))];
    assert_eq!(world.altered(client, 1, &[(TOPIC, "t", half)]), [40]);
    let response = world.call(client, 1, &alter_request(&[one]).with_validate_only(true));
    assert_eq!(response.responses[0].error_code, 0);
    assert_eq!(described(&mut world, client, TOPIC, "t", "segment.ms"), Some(("604800000".into(), 5)));
    let mut replaced = replace_request(TOPIC, "t", &[("segment.ms", "5")]);
    replaced.resources.push(replaced.resources[0].clone());
    let codes: Vec<_> = world.call(client, 2, &replaced).responses.iter().map(|one| one.error_code).collect();
    assert_eq!(codes, [42, 42], "Kafka never answers this one");
    assert!(world.altered(client, 1, &[]).is_empty());
}

/// What is legal, and the words for what is not; Corelane's may go on where Kafka's end.
#[test]
fn c44_c45_the_bounds_of_topic_configs_are_kafkas() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "altered", 1, &[]);
    for (index, line) in
        include_str!("kafka_config_bounds.txt").lines().filter(|line| !line.starts_with('#')).enumerate()
    {
        let (config, expected) = line.split_once(" -> ").expect(line);
        let (key, value) = config.split_once('=').expect(line);
        let create = create_request(&format!("t-{index}"), 1, &[(key, value)]);
        let created = world.call(client, 7, &create).topics.remove(0);
        let alter = alter_request(&[(TOPIC, "altered", &[(key, SET, Some(value))])]);
        let altered = world.call(client, 1, &alter).responses.remove(0);
        for (code, message) in
            [(created.error_code, created.error_message), (altered.error_code, altered.error_message)]
        {
            let message = message.as_deref().unwrap_or("ok");
            assert_eq!(code, if expected == "ok" { 0 } else { 40 }, "{line}: {message}");
            // How a number is written back, and what is said of one that is none, differs.
            let told = expected.replace("2.0", "2").replace("Not a number of type LONG", "Not a number");
            assert!(message.starts_with(&*told), "{line}: {message}");
        }
    }
}

#[test]
fn c45_broker_configs_go_through_three_layers() {
    let mut world = World::new(2, &[("log.segment.bytes", "500000"), ("node.id", "3")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let of_topic = |world: &mut World| described(world, client, TOPIC, "t", "segment.bytes").expect("listed");
    assert_eq!(of_topic(&mut world), ("500000".into(), 4));
    world.set_configs(client, BROKER, "", &[("log.segment.bytes", "6000000")]);
    assert_eq!(of_topic(&mut world), ("6000000".into(), 3));
    world.set_configs(client, BROKER, "3001", &[("log.segment.bytes", "7000000")]);
    assert_eq!(of_topic(&mut world), ("7000000".into(), 2));
    let of = |world: &mut World, name: &str| described(world, client, BROKER, name, "log.segment.bytes");
    assert_eq!(of(&mut world, "3000"), Some(("7000000".into(), 2)), "the brokers of a machine share their configs");
    assert_eq!(of(&mut world, ""), Some(("6000000".into(), 3)));
    world.set_configs(client, TOPIC, "t", &[("segment.bytes", "8000000")]);
    assert_eq!(of_topic(&mut world), ("8000000".into(), 1));
    let resource = DescribeConfigsResource::default()
        .with_resource_type(TOPIC)
        .with_resource_name(text("t"))
        .with_configuration_keys(Some(vec![text("segment.bytes")]));
    let asked = DescribeConfigsRequest::default().with_resources(vec![resource]).with_include_synonyms(true);
    let synonyms = world.call(client, 4, &asked).results[0].configs[0].synonyms.clone();
    let synonyms: Vec<_> = synonyms
        .iter()
        .map(|one| (one.name.to_string(), one.value.as_deref().map(str::to_string), one.source))
        .collect();
    let row = |name: &str, value: &str, source| (name.to_string(), Some(value.to_string()), source);
    assert_eq!(
        synonyms,
        [
            row("segment.bytes", "8000000", 1),
            row("log.segment.bytes", "7000000", 2),
            row("log.segment.bytes", "6000000", 3),
            row("log.segment.bytes", "500000", 4),
            row("log.segment.bytes", "1073741824", 5),
        ]
    );
    let delete: &[(&str, i8, Option<&str>)] = &[("log.segment.bytes", DELETE, None)];
    assert_eq!(world.altered(client, 1, &[(BROKER, "3000", delete), (BROKER, "", delete)]), [0, 0]);
    assert_eq!(of(&mut world, "3000"), Some(("500000".into(), 4)));
    assert_eq!(of(&mut world, ""), None);
}

#[test]
fn configs_outlive_a_restart() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    world.create_topic(client, "t", 1, &[("retention.ms", "5")]);
    world.set_configs(client, TOPIC, "t", &[("segment.ms", "6")]);
    world.set_configs(client, BROKER, "", &[("log.segment.bytes", "6000000")]);
    world.set_configs(client, BROKER, "1", &[("tail.cache.bytes", "0")]);
    let mut world = World::on(world.disk, 2, &[], 2);
    let client = world.connect(0);
    assert_eq!(described(&mut world, client, TOPIC, "t", "retention.ms"), Some(("5".into(), 1)));
    assert_eq!(described(&mut world, client, TOPIC, "t", "segment.ms"), Some(("6".into(), 1)));
    assert_eq!(described(&mut world, client, TOPIC, "t", "segment.bytes"), Some(("6000000".into(), 3)));
    assert_eq!(described(&mut world, client, BROKER, "0", "tail.cache.bytes"), Some(("0".into(), 2)));
}

#[test]
fn max_message_bytes_changes_live() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let large = Batch { value_bytes: 5_000, ..Batch::of(1) };
    world.produce(client, "t", 0, large);
    let code =
        |world: &mut World| outcomes(&world.call(client, 9, &produce_request(-1, &[("t", 0, large.encode())])))[0].0;
    world.set_configs(client, BROKER, "", &[("message.max.bytes", "2000")]);
    assert_eq!(code(&mut world), 10, "the broker's value counts for a topic without its own");
    world.set_configs(client, TOPIC, "t", &[("max.message.bytes", "6000")]);
    assert_eq!(code(&mut world), 0);
    world.set_configs(client, TOPIC, "t", &[("max.message.bytes", "3000")]);
    assert_eq!(code(&mut world), 10);
}

#[test]
fn durability_changes_live_and_the_high_watermark_never_falls() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(3));
    world.hold_flushes = true;
    world.send(client, 9, &produce_request(-1, &[("t", 0, Batch::of(2).encode())]));
    assert!(world.try_receive::<ProduceRequest>(client).is_none(), "not flushed, not answered");
    let admin = world.connect(0);
    world.set_configs(admin, TOPIC, "t", &[("durability", "memory")]);
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(0, 3)], "class memory does not wait for it");
    assert_eq!(world.fetch(admin, "t", 0, 0).high_watermark, 5);
    world.set_configs(admin, TOPIC, "t", &[("durability", "disk")]);
    assert_eq!(world.fetch(admin, "t", 0, 0).high_watermark, 5, "it never falls");
    world.send(client, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
    assert!(world.try_receive::<ProduceRequest>(client).is_none());
    world.hold_flushes = false;
    world.run();
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(0, 5)]);
    assert_eq!(world.fetch(admin, "t", 0, 0).high_watermark, 6);
}

#[test]
fn message_timestamp_type_changes_live() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let time = |world: &mut World| {
        produced(&world.call(client, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())])))[0].log_append_time_ms
    };
    assert_eq!(time(&mut world), -1);
    world.set_configs(client, TOPIC, "t", &[("message.timestamp.type", "LogAppendTime")]);
    assert_eq!(time(&mut world), world.now.wall_ms);
    world.set_configs(client, TOPIC, "t", &[("message.timestamp.type", "CreateTime")]);
    assert_eq!(time(&mut world), -1);
}
