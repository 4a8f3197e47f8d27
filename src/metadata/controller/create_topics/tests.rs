use super::*;
use crate::base::error_code::ErrorCode as E;
use crate::base::ids::MachineId;
use crate::metadata::broker_wide::BrokerWide;
use crate::metadata::controller::machine;
use crate::metadata::topic_config::ConfigSource;

fn image(cores: u16) -> Image {
    let machine = MachineId(2);
    let format = FormatRecord { cluster_id: "cluster".into(), machine, directory_id: [1; 16] };
    let (image, _) = Image::new().apply(&[Record::Format(format)]).expect("first");
    let (image, _) = image.apply(&machine::boot_records(&image, [2; 16], 0)).expect("boot");
    let (image, _) = image.apply(&machine::generation_records(&image).1).expect("generation");
    image.apply(&machine::layout_records(&image, cores)).expect("layout").0
}

fn settings() -> ControllerSettings {
    ControllerSettings { num_partitions: 3, default_replication_factor: -1, broker_wide: BrokerWide::default() }
}

fn topic(name: &str) -> NewTopic {
    NewTopic { name: name.into(), partitions: -1, replication_factor: -1, ..NewTopic::default() }
}

fn create(image: &Image, topics: &[NewTopic]) -> Decision<Vec<CreateTopicResult>> {
    create_topics(image, &settings(), topics, false, &mut Prng::new(1))
}

/// The image after a request of which every topic is made.
fn created(image: &Image, topics: &[NewTopic]) -> Image {
    let decision = create(image, topics);
    assert!(decision.answer.iter().all(|result| result.outcome.is_ok()), "{:?}", decision.answer);
    image.apply(&decision.records).expect("legal records").0
}

fn refused(image: &Image, topic: NewTopic) -> Refused {
    let mut decision = create(image, &[topic]);
    assert!(decision.records.is_empty());
    decision.answer.remove(0).outcome.expect_err("refused")
}

#[test]
fn a_topic_gets_defaults_an_id_and_leaders_on_all_cores() {
    let before = image(2);
    let decision = create(&before, &[topic("orders")]);
    let made = decision.answer[0].outcome.clone().expect("made");
    assert_eq!((made.partitions, made.replication_factor), (3, 1));
    let after = before.apply(&decision.records).expect("legal").0;
    after.check();
    let topic = after.topic_by_name("orders").expect("there");
    assert_eq!((topic.id, topic.partitions.len()), (made.id, 3));
    assert_eq!((made.id.0[6] >> 4, made.id.0[8] >> 6), (4, 2), "a version 4 UUID");
    assert_eq!(after.core_loads(), [2, 1]);
    let record = topic.partition(0).expect("partition 0");
    assert_eq!(
        (record.replicas.as_slice(), record.isr.as_slice()),
        ([MachineId(2)].as_slice(), [MachineId(2)].as_slice())
    );
    assert!(topic.partition(3).is_none() && topic.partition(-1).is_none());
}

#[test]
fn validate_only_answers_the_same_and_records_nothing() {
    let image = image(2);
    let decision = create_topics(&image, &settings(), &[topic("t"), topic("a/b")], true, &mut Prng::new(1));
    assert!(decision.records.is_empty());
    let made = decision.answer[0].outcome.clone().expect("would be made");
    assert_eq!((made.id, made.partitions), (TopicId::ZERO, 3));
    assert_eq!(decision.answer[1].outcome.as_ref().expect_err("illegal").code, E::InvalidTopicException);
}

#[test]
fn names_are_checked_against_rules_topics_and_each_other() {
    let image = created(&image(2), &[topic("a.b"), topic("plain")]);
    assert_eq!(refused(&image, topic("plain")).code, E::TopicAlreadyExists);
    let collision = refused(&image, topic("a_b"));
    assert_eq!(collision.code, E::InvalidTopicException);
    assert_eq!(collision.message, "Topic 'a_b' collides with existing topic: a.b");
    assert_eq!(refused(&image, topic("..")).code, E::InvalidTopicException);
    assert_eq!(refused(&image, topic("__cluster_metadata")).code, E::InvalidRequest);
    let decision = create(&image, &[topic("x.y"), topic("x_y"), topic("x-y")]);
    let codes: Vec<_> =
        decision.answer.iter().map(|result| result.outcome.as_ref().err().map(|why| why.code)).collect();
    assert_eq!(codes, [None, Some(E::InvalidTopicException), None]);
    let decision = create(&image, &[topic("twice"), topic("once"), topic("twice")]);
    assert_eq!(decision.answer.len(), 2);
    assert_eq!(decision.answer[0].outcome.as_ref().expect_err("duplicate").code, E::InvalidRequest);
    assert!(decision.answer[1].outcome.is_ok());
}

#[test]
fn counts_are_checked() {
    let image = image(2);
    assert_eq!(refused(&image, NewTopic { partitions: 0, ..topic("t") }).code, E::InvalidPartitions);
    assert_eq!(refused(&image, NewTopic { partitions: -2, ..topic("t") }).code, E::InvalidPartitions);
    assert_eq!(refused(&image, NewTopic { replication_factor: 0, ..topic("t") }).code, E::InvalidReplicationFactor);
    // Two brokers are listed, but they are one machine.
    let why = refused(&image, NewTopic { replication_factor: 2, ..topic("t") });
    assert_eq!(why.code, E::InvalidReplicationFactor);
    assert!(why.message.contains("only 1 machine(s)"), "{}", why.message);
    let many = NewTopic { partitions: i32::MAX, ..topic("t") };
    assert_eq!(refused(&image, many).code, E::PolicyViolation);
    let half = |name| NewTopic { partitions: 6000, ..topic(name) };
    let decision = create(&image, &[half("a"), half("b")]);
    assert!(decision.answer[0].outcome.is_ok());
    assert_eq!(decision.answer[1].outcome.as_ref().expect_err("too many").code, E::PolicyViolation);
}

#[test]
fn manual_assignments_choose_the_core() {
    let assigned = |assignments: &[(i32, &[i32])]| NewTopic {
        assignments: assignments
            .iter()
            .map(|(partition, brokers)| Assignment { partition: *partition, brokers: brokers.to_vec() })
            .collect(),
        ..topic("t")
    };
    let image = image(3);
    let after = created(&image, &[assigned(&[(1, &[2000]), (0, &[2002]), (2, &[2002])])]);
    let cores: Vec<_> = after.topic_by_name("t").expect("made").partitions.iter().map(|one| one.core(3).0).collect();
    assert_eq!(cores, [2, 0, 2]);
    for (wrong, text) in [
        (assigned(&[(0, &[])]), "empty replica list"),
        (assigned(&[(0, &[1])]), "no such broker"),
        (assigned(&[(0, &[2003])]), "no such broker"),
        (assigned(&[(0, &[2000, 2001])]), "cores of one machine"),
        (assigned(&[(0, &[2000]), (0, &[2001])]), "multiple manual partition assignments"),
        (assigned(&[(0, &[2000]), (2, &[2001])]), "consecutive"),
        (assigned(&[(1, &[2000])]), "consecutive"),
    ] {
        let why = refused(&image, wrong);
        assert_eq!(why.code, E::InvalidReplicaAssignment);
        assert!(why.message.contains(text), "{}", why.message);
    }
    let both = NewTopic { partitions: 1, ..assigned(&[(0, &[2000])]) };
    assert_eq!(refused(&image, both).code, E::InvalidRequest);
    let both = NewTopic { replication_factor: 1, ..assigned(&[(0, &[2000])]) };
    assert_eq!(refused(&image, both).code, E::InvalidRequest);
}

#[test]
fn configs_are_checked_stored_and_described() {
    let image = image(1);
    let with = |key: &str, value: Option<&str>| NewTopic {
        configs: vec![(key.into(), value.map(str::to_string))],
        ..topic("t")
    };
    for wrong in [with("segment.bytes", Some("1")), with("segmen.bytes", Some("1")), with("segment.ms", None)] {
        let why = refused(&image, wrong);
        assert_eq!(why.code, E::InvalidConfig);
        assert!(why.message.contains("segmen"), "{}", why.message);
    }
    let decision = create(&image, &[with("durability", Some("memory"))]);
    let made = decision.answer[0].outcome.clone().expect("made");
    let entry = made.configs.iter().find(|entry| entry.key == "durability").expect("described");
    assert_eq!((entry.value.as_str(), entry.source), ("memory", ConfigSource::Topic));
    let after = image.apply(&decision.records).expect("legal").0;
    assert_eq!(after.topic_by_name("t").expect("made").configs["durability"], "memory");
    let large = with("leader.replication.throttled.replicas", Some(&["1:2"; 300_000].join(",")));
    assert_eq!(refused(&image, large).code, E::PolicyViolation);
}

#[test]
fn one_partition_topics_spread_over_the_cores() {
    let mut image = image(4);
    for number in 0..40 {
        image = created(&image, &[NewTopic { partitions: 1, ..topic(&format!("t{number}")) }]);
    }
    assert_eq!(image.core_loads(), [10, 10, 10, 10]);
    // Deleting every topic of core 0 makes room there, which the next topics fill.
    let of_core_0: Vec<_> = image.topics().iter().filter(|topic| topic.partitions[0].core(4).0 == 0).collect();
    let removals: Vec<_> =
        of_core_0.iter().map(|topic| Record::RemoveTopic(RemoveTopicRecord { id: topic.id })).collect();
    let mut image = image.apply(&removals).expect("legal").0;
    assert_eq!(image.core_loads(), [0, 10, 10, 10]);
    for number in 0..10 {
        image = created(&image, &[NewTopic { partitions: 1, ..topic(&format!("again{number}")) }]);
    }
    assert_eq!(image.core_loads(), [10, 10, 10, 10]);
    image.check();
}

#[test]
fn leaders_stay_spread_when_the_number_of_cores_changes() {
    let mut image = image(2);
    for number in 0..60 {
        image = created(&image, &[NewTopic { partitions: 1, ..topic(&format!("t{number}")) }]);
    }
    for cores in [1, 3, 4, 5, 6] {
        let (image, _) = image.apply(&machine::generation_records(&image).1).expect("generation");
        let (image, delta) = image.apply(&machine::layout_records(&image, cores)).expect("layout");
        assert!(delta.layout_changed);
        image.check();
        let share = 60 / u32::from(cores);
        assert!(image.core_loads().iter().all(|load| load.abs_diff(share) <= 1), "{:?}", image.core_loads());
    }
}

#[test]
fn automatic_creation_finds_what_is_there() {
    let image = created(&image(2), &[topic("there")]);
    let names = ["new".to_string(), "there".to_string(), "a b".to_string(), "new".to_string()];
    let decision = auto_create_topics(&image, &settings(), &names, &mut Prng::new(9));
    let outcome = |name| decision.answer.iter().find(|(found, _)| found == name).map(|(_, outcome)| outcome.clone());
    assert_eq!(outcome("there"), Some(Ok(image.topic_by_name("there").expect("there").id)));
    assert_eq!(outcome("a b").expect("answered").expect_err("illegal").code, E::InvalidTopicException);
    let after = image.apply(&decision.records).expect("legal").0;
    assert_eq!(outcome("new"), Some(Ok(after.topic_by_name("new").expect("made").id)));
    assert_eq!(after.topics().len(), 2);
}
