use super::*;
use crate::base::config::Config;
use crate::base::ids::TopicId;
use crate::metadata::record::*;

/// Machine 3 with two cores and the topic "t".
fn image() -> Image {
    let format = FormatRecord { cluster_id: "cluster".into(), machine: MachineId(3), directory_id: [1; 16] };
    let records = [
        Record::Format(format),
        Record::GenerationBegun(GenerationBegunRecord { generation: 1 }),
        Record::Layout(LayoutRecord { generation: 1, cores: 2 }),
        Record::Topic(TopicRecord { name: "t".into(), id: TopicId([1; 16]) }),
    ];
    Image::new().apply(&records).expect("legal").0
}

fn wide(image: &Image) -> BrokerWide {
    BrokerWide::new(&Config::for_tests("data", &[]).topic_defaults).of_image(image)
}

fn resource(kind: i8, name: &str, changes: &[(&str, i8, Option<&str>)]) -> AlteredResource {
    let change = |(key, operation, value): &(&str, i8, Option<&str>)| ConfigChange {
        key: key.to_string(),
        operation: *operation,
        value: value.map(str::to_string),
    };
    AlteredResource { kind, name: name.into(), changes: changes.iter().map(change).collect(), replace: false }
}

fn replaced(kind: i8, name: &str, configs: &[(&str, &str)]) -> AlteredResource {
    let changes: Vec<_> = configs.iter().map(|(key, value)| (*key, SET, Some(*value))).collect();
    AlteredResource { replace: true, ..resource(kind, name, &changes) }
}

/// What one resource's alteration makes of the image.
#[track_caller]
fn altered(image: &Image, resource: AlteredResource) -> Image {
    let decision = alter_configs(image, &wide(image), &[resource], false);
    assert_eq!(decision.answer, [Ok(())]);
    image.apply(&decision.records).expect("legal").0
}

#[track_caller]
fn refused(resource: AlteredResource) -> (ErrorCode, String) {
    let image = image();
    let decision = alter_configs(&image, &wide(&image), &[resource], false);
    assert!(decision.records.is_empty());
    let Refused { code, message } = decision.answer[0].clone().expect_err("refused");
    (code, message)
}

fn topic(image: &Image) -> Vec<(&str, &str)> {
    let topic = image.topic_by_name("t").expect("there");
    topic.configs.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
}

#[test]
fn set_and_delete() {
    let one =
        altered(&image(), resource(TOPIC, "t", &[("retention.ms", SET, Some("5")), ("segment.ms", SET, Some("6"))]));
    assert_eq!(topic(&one), [("retention.ms", "5"), ("segment.ms", "6")]);
    let gone = altered(&one, resource(TOPIC, "t", &[("segment.ms", DELETE, None), ("no.such", DELETE, Some("x"))]));
    assert_eq!(topic(&gone), [("retention.ms", "5")]);
    let same = alter_configs(&gone, &wide(&gone), &[resource(TOPIC, "t", &[("retention.ms", SET, Some("5"))])], false);
    assert_eq!((same.answer, same.records.len()), (vec![Ok(())], 0), "no change, no record");
}

#[test]
fn lists_grow_and_shrink_from_the_value_in_force() {
    let mut image = image();
    for (operation, elements, expected) in [
        (APPEND, "compact", "delete,compact"),
        (APPEND, "compact,delete", "delete,compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "delete", "compact"),
        (SUBTRACT, "compact", ""),
        (APPEND, "delete", "delete"),
    ] {
        image = altered(&image, resource(TOPIC, "t", &[("cleanup.policy", operation, Some(elements))]));
        assert_eq!(topic(&image), [("cleanup.policy", expected)]);
    }
    let brokers = altered(&image, resource(BROKER, "", &[("log.cleanup.policy", APPEND, Some("compact"))]));
    assert_eq!(brokers.broker_configs("")["log.cleanup.policy"], "delete,compact");
}

#[test]
fn a_replaced_set_forgets_what_it_does_not_name() {
    let one = altered(&image(), replaced(TOPIC, "t", &[("retention.ms", "5"), ("segment.ms", "6")]));
    let other = altered(&one, replaced(TOPIC, "t", &[("retention.ms", "7")]));
    assert_eq!(topic(&other), [("retention.ms", "7")]);
    assert_eq!(topic(&altered(&other, replaced(TOPIC, "t", &[]))), []);
}

#[test]
fn the_brokers_of_a_machine_share_their_configs() {
    let one = altered(&image(), resource(BROKER, "3001", &[("log.segment.bytes", SET, Some("2000000"))]));
    assert_eq!(one.broker_configs("3")["log.segment.bytes"], "2000000");
    let none = BTreeMap::new();
    assert_eq!(effective("segment.bytes", &none, &wide(&one)), "2000000");
    let gone = altered(&one, resource(BROKER, "3000", &[("log.segment.bytes", DELETE, None)]));
    assert!(gone.broker_configs("3").is_empty());
    let own = altered(&gone, resource(BROKER, "", &[("tail.cache.bytes", SET, Some("0"))]));
    assert_eq!(own.broker_configs("")["tail.cache.bytes"], "0");
}

#[test]
fn nothing_is_altered_when_only_validating_and_a_resource_is_altered_whole_or_not() {
    let image = image();
    let good = resource(TOPIC, "t", &[("retention.ms", SET, Some("5"))]);
    let decision = alter_configs(&image, &wide(&image), std::slice::from_ref(&good), true);
    assert_eq!((decision.answer, decision.records.len()), (vec![Ok(())], 0));
    let half = resource(TOPIC, "t", &[("retention.ms", SET, Some("5")), ("segment.ms", SET, Some("x"))]);
    let brokers = resource(BROKER, "", &[("log.retention.ms", SET, Some("9"))]);
    let decision = alter_configs(&image, &wide(&image), &[half, brokers], false);
    assert_eq!((decision.answer[0].is_err(), decision.answer[1].is_ok()), (true, true));
    assert_eq!(decision.records.len(), 1, "the other resource's");
}

#[test]
fn what_is_refused() {
    use ErrorCode::{InvalidConfig, InvalidRequest, InvalidTopicException, PolicyViolation, UnknownTopicOrPartition};
    let set = |kind, name, key, value| refused(resource(kind, name, &[(key, SET, Some(value))]));
    assert_eq!(set(TOPIC, "t", "retention.ms", "x").0, InvalidConfig);
    assert_eq!(set(TOPIC, "t", "no.such", "1").0, InvalidConfig);
    assert_eq!(set(TOPIC, "u", "retention.ms", "1").0, UnknownTopicOrPartition);
    assert_eq!(set(TOPIC, "a/b", "retention.ms", "1").0, InvalidTopicException);
    assert_eq!(set(TOPIC, "", "retention.ms", "1").0, InvalidRequest);
    assert_eq!(set(8, "3000", "kafka", "INFO").0, InvalidRequest);
    assert_eq!(set(99, "x", "a", "b").0, InvalidRequest);
    assert_eq!(refused(resource(TOPIC, "t", &[("retention.ms", APPEND, Some("1"))])).0, InvalidConfig);
    assert_eq!(refused(resource(TOPIC, "t", &[("cleanup.policy", APPEND, Some("shred"))])).0, InvalidConfig);
    assert_eq!(refused(resource(TOPIC, "t", &[("retention.ms", 4, Some("1"))])).0, InvalidRequest);
    assert_eq!(refused(resource(TOPIC, "t", &[("retention.ms", SET, None)])).0, InvalidRequest);
    let pair = [("min.compaction.lag.ms", SET, Some("50")), ("max.compaction.lag.ms", SET, Some("40"))];
    assert_eq!(refused(resource(TOPIC, "t", &pair)).0, InvalidConfig);
    let twice = [("retention.ms", SET, Some("5")), ("retention.ms", DELETE, None)];
    assert_eq!(refused(resource(TOPIC, "t", &twice)), (InvalidRequest, "Error due to duplicate config keys".into()));
    let large = "x".repeat(limits::METADATA_REQUEST_CONFIG_BYTES_MAX);
    assert_eq!(refused(resource(TOPIC, "t", &[("no.such", DELETE, Some(&large))])).0, PolicyViolation);
    for (name, key, value) in [
        ("3000", "log.retention.ms", "x"),
        ("3000", "log.segment.bytes", "100"),
        ("3000", "num.partitions", "5"),
        ("", "listeners", "PLAINTEXT://:1"),
        ("3000", "num.io.threads", "5"),
        ("3000", "no.such", "5"),
        ("3000", "tail.cache.bytes", "-1"),
        ("3002", "log.retention.ms", "5"),
        ("0", "log.retention.ms", "5"),
        ("x", "log.retention.ms", "5"),
    ] {
        assert_eq!(set(BROKER, name, key, value).0, InvalidRequest, "{name} {key}");
    }
    assert!(set(BROKER, "3000", "num.partitions", "5").1.contains("Set it in the file"));
}

#[test]
fn a_resource_named_twice_is_refused_each_time() {
    let image = image();
    let one = resource(TOPIC, "t", &[("retention.ms", SET, Some("5"))]);
    let other = resource(BROKER, "", &[("log.retention.ms", SET, Some("5"))]);
    let decision = alter_configs(&image, &wide(&image), &[one.clone(), other, one], false);
    assert_eq!(decision.answer.iter().map(Result::is_ok).collect::<Vec<_>>(), [false, true, false]);
    assert_eq!(decision.records.len(), 1);
}
