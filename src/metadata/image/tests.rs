use super::*;
use crate::base::prng::Prng;
use crate::metadata::controller::machine::{boot_records, clean_shutdown_records, generation_records, layout_records};

const MACHINE: MachineId = MachineId(0);

fn apply(image: &Image, records: Vec<Record>) -> Image {
    let (next, _) = image.apply(&records).expect("legal");
    assert_eq!(next.end_offset(), image.end_offset() + records.len() as u64);
    next.check();
    next
}

fn started() -> Image {
    let format = FormatRecord { cluster_id: "cluster".into(), machine: MACHINE, directory_id: [1; 16] };
    let image = apply(&Image::new(), vec![Record::Format(format)]);
    let image = apply(&image, boot_records(&image, [7; 16], 5));
    let image = apply(&image, generation_records(&image).1);
    apply(&image, layout_records(&image, 2))
}

fn topic(number: u8) -> Record {
    Record::Topic(TopicRecord { name: format!("topic.{number}"), id: TopicId([number; 16]) })
}

fn partition(number: u8, partition: i32, placement: u32) -> PartitionRecord {
    PartitionRecord {
        topic: TopicId([number; 16]),
        partition,
        replicas: vec![MACHINE],
        isr: vec![MACHINE],
        elr: vec![],
        last_known_elr: vec![],
        leader: MACHINE,
        leader_epoch: 0,
        partition_epoch: 0,
        recovery_state: LeaderRecoveryState::Recovered,
        directories: vec![],
        placement,
    }
}

fn config(number: u8, value: Option<&str>) -> Record {
    Record::Config(ConfigRecord {
        resource_type: ResourceType::Topic,
        resource_name: format!("topic.{number}"),
        key: "segment.bytes".into(),
        value: value.map(str::to_string),
    })
}

fn name(number: u8, partition: i32) -> TopicPartition {
    TopicPartition { topic: TopicId([number; 16]), partition }
}

#[test]
fn one_boot_record_raises_every_leader_epoch() {
    let image = apply(&started(), vec![topic(1), Record::Partition(partition(1, 0, 0))]);
    assert_eq!(image.leader_epoch(name(1, 0)), Some(LeaderEpoch(0)));
    let image = apply(&image, boot_records(&image, [8; 16], 6));
    let image = apply(&image, vec![topic(2), Record::Partition(partition(2, 0, 1))]);
    let image = apply(&image, boot_records(&image, [9; 16], 7));
    assert_eq!(image.boot(), 3);
    assert_eq!(image.leader_epoch(name(1, 0)), Some(LeaderEpoch(2)));
    assert_eq!(image.leader_epoch(name(2, 0)), Some(LeaderEpoch(1)));
    // A snapshot says the same, and goes on the same.
    let copy = Image::from_snapshot(&image.to_records(), image.end_offset()).expect("legal");
    assert_eq!(copy, image);
    let next = apply(&copy, boot_records(&copy, [9; 16], 8));
    assert_eq!(next.leader_epoch(name(1, 0)), Some(LeaderEpoch(3)));
}

#[test]
fn a_clean_shutdown_is_known_to_the_next_boot_only() {
    let image = started();
    assert!(image.previous_shutdown_clean(), "the first boot has nothing to recover");
    let image = apply(&image, clean_shutdown_records(&image));
    let image = apply(&image, boot_records(&image, [2; 16], 0));
    assert!(image.previous_shutdown_clean());
    let copy = Image::from_snapshot(&image.to_records(), image.end_offset()).expect("legal");
    assert!(copy.previous_shutdown_clean());
    let image = apply(&image, boot_records(&image, [3; 16], 0));
    assert!(!image.previous_shutdown_clean());
    let registered = &image.machines()[&MACHINE];
    assert_eq!(registered.broker_epoch, image.end_offset() as i64 - 1, "Kafka's epoch: offset of the registration");
}

#[test]
fn the_delta_says_what_changed() {
    let records = vec![
        topic(1),
        Record::Partition(partition(1, 0, 0)),
        Record::Partition(partition(1, 1, 1)),
        config(1, Some("100")),
        config(1, None),
        topic(2),
        Record::Partition(partition(2, 0, 1)),
        Record::RemoveTopic(RemoveTopicRecord { id: TopicId([2; 16]) }),
    ];
    let (image, delta) = started().apply(&records).expect("legal");
    let expected = Delta {
        topics_created: vec![TopicId([1; 16])],
        topics_deleted: vec![TopicId([2; 16])],
        partitions_created: vec![name(1, 0), name(1, 1)],
        configs_changed: vec![TopicId([1; 16])],
        ..Delta::default()
    };
    assert_eq!(delta, expected);
    assert!(image.topic_by_name("topic.2").is_none() && image.deleted().contains(&TopicId([2; 16])));
    assert_eq!((image.core_of(name(1, 0)), image.core_of(name(1, 1))), (Some(CoreId(0)), Some(CoreId(1))));
    assert_eq!(image.core_of(name(1, 2)), None);
    let (_, delta) = image.apply(&[Record::Partition(partition(1, 1, 0))]).expect("legal");
    assert_eq!(delta.partitions_changed, [name(1, 1)]);
    let removal = Record::RemoveTopic(RemoveTopicRecord { id: TopicId([1; 16]) });
    let sum = Delta::merge([expected, image.apply(&[removal]).expect("legal").1]);
    assert!(sum.topics_created.is_empty() && sum.partitions_created.is_empty() && sum.configs_changed.is_empty());
    assert_eq!(sum.topics_deleted.len(), 2);
}

#[test]
fn an_image_never_changes_under_its_reader() {
    let before = apply(&started(), vec![topic(1), Record::Partition(partition(1, 0, 0)), config(1, Some("100"))]);
    let held = before.clone();
    let after = apply(&before, vec![config(1, Some("200")), Record::Partition(partition(1, 1, 1)), topic(2)]);
    let after = apply(&after, vec![Record::RemoveTopic(RemoveTopicRecord { id: TopicId([2; 16]) })]);
    assert_eq!(before, held);
    assert_eq!(before.topic_by_name("topic.1").expect("there").configs["segment.bytes"], "100");
    assert_eq!(after.topic_by_name("topic.1").expect("there").configs["segment.bytes"], "200");
    assert_eq!(after.topic_by_name("topic.1").expect("there").partitions.len(), 2);
}

#[test]
fn contradictions_are_found() {
    let image = apply(&started(), vec![topic(1), Record::Partition(partition(1, 0, 0))]);
    let removed = RemoveTopicRecord { id: TopicId([1; 16]) };
    let gone = apply(&image, vec![Record::RemoveTopic(removed.clone())]);
    let boot = |machine, boot| Record::Boot(BootRecord { machine: MachineId(machine), boot, wall_ms: 0 });
    let epoch = |leader_epoch| Record::Partition(PartitionRecord { leader_epoch, ..partition(1, 0, 0) });
    let layout = |generation, cores| Record::Layout(LayoutRecord { generation, cores });
    for (image, record, word) in [
        (&image, topic(1), "exists"),
        (&image, Record::Partition(partition(1, 2, 0)), "gap"),
        (&image, Record::Partition(partition(1, -1, 0)), "gap"),
        (&image, Record::Partition(partition(9, 0, 0)), "unknown topic"),
        (&image, config(9, None), "unknown topic"),
        // Found by the fuzzer: the epoch of a later boot came out negative.
        (&image, epoch(-1), "leader epoch -1"),
        (&image, epoch(i32::MAX), "leader epoch 2147483647"),
        (&image, boot(0, 1 << 30), "boot 1073741824 after"),
        (&image, boot(0, 1), "boot 1 after boot 1"),
        (&image, boot(1, 2), "not this one"),
        (&image, layout(2, 2), "generation 2"),
        (&image, layout(1, 0), "0 cores"),
        (&image, Record::GenerationBegun(GenerationBegunRecord { generation: 1 }), "begun twice"),
        (&image, Record::ProducerIds(ProducerIdsRecord { next: 0 }), "given away"),
        (&image, Record::CleanShutdown(CleanShutdownRecord { machine: MACHINE, boot: 2 }), "unknown boot"),
        (&image, Record::TopicForgotten(TopicForgottenRecord { id: TopicId([1; 16]) }), "not deleted"),
        (&gone, topic(1), "deleted before"),
        (&gone, Record::RemoveTopic(removed), "deleted twice"),
    ] {
        let error = image.apply(&[clean_shutdown_records(image).remove(0), record.clone()]).expect_err(word);
        assert!(error.index == 1 && error.why.contains(word), "{record:?}: {}", error.why);
    }
}

#[test]
fn snapshots_and_logs_give_the_same_image() {
    for seed in 0..20 {
        let mut prng = Prng::new(seed);
        let mut image = started();
        let mut partitions = [0; 256];
        for _ in 0..300 {
            let number = prng.below(40) as u8;
            let id = TopicId([number; 16]);
            let live = image.topic(id).is_some();
            let record = match prng.below(6) {
                0 | 1 if !live && !image.deleted().contains(&id) => topic(number),
                0..3 if live => {
                    partitions[usize::from(number)] += 1;
                    let index = image.topic(id).expect("live").partitions.len() as i32;
                    Record::Partition(partition(number, index, prng.next_u64() as u32))
                }
                3 if live => config(number, ["1", "2"].get(prng.below(3) as usize).copied()),
                4 if live && prng.percent(20) => Record::RemoveTopic(RemoveTopicRecord { id }),
                4 if image.deleted().contains(&id) => Record::TopicForgotten(TopicForgottenRecord { id }),
                5 if prng.percent(10) => boot_records(&image, [3; 16], 0).remove(0),
                _ => continue,
            };
            image = apply(&image, vec![record]);
        }
        let copy = Image::from_snapshot(&image.to_records(), image.end_offset()).expect("legal");
        assert_eq!(copy, image);
        assert_eq!(copy.to_records(), image.to_records());
    }
}

#[test]
fn a_creation_among_many_topics_is_cheap() {
    let mut records = Vec::new();
    for number in 0..10_000_u32 {
        let id = TopicId(u128::from(number + 1).to_be_bytes());
        records.push(Record::Topic(TopicRecord { name: format!("t-{number}"), id }));
        records.push(Record::Partition(PartitionRecord { topic: id, ..partition(0, 0, number) }));
    }
    let (image, _) = started().apply(&records).expect("legal");
    let next = apply(&image, vec![topic(1)]);
    // All but the touched parts are shared, not copied.
    let shared =
        image.topics().iter().filter(|topic| next.topic(topic.id).is_some_and(|copy| Arc::ptr_eq(topic, copy)));
    assert_eq!(shared.count(), 10_000);
}
