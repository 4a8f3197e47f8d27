use super::crash_tests::{at, first_records, new_topic, parameters};
use super::test_disk::{Death, TestDisk};
use super::*;
use crate::metadata::record::{RemoveTopicRecord, TopicForgottenRecord};

fn formatted(disk: &mut TestDisk) -> MetadataLog {
    let mut log = MetadataLog::open_or_format(disk, &parameters(1)).expect("formats");
    log.append_sync(disk, first_records()).expect("healthy");
    log
}

fn perform(disk: &mut TestDisk, ops: &[FileOp]) -> FilesDone {
    let mut results = Vec::new();
    for op in ops {
        results.push(disk.perform(op));
        if matches!(results.last(), Some(Err(_))) {
            break;
        }
    }
    FilesDone { results }
}

fn drive(log: &mut MetadataLog, disk: &mut TestDisk, now_ms: u64) {
    while let Some(ops) = log.poll_ops(at(now_ms)) {
        let done = perform(disk, &ops);
        log.handle_done(&done).expect("healthy");
    }
}

#[test]
fn an_empty_directory_is_formatted_once() {
    let mut disk = TestDisk::new(1);
    let log = MetadataLog::open_or_format(&mut disk, &parameters(1)).expect("formats");
    let cluster_id = log.image().cluster_id().to_string();
    assert_eq!(cluster_id.len(), 22);
    assert_eq!((log.image().boot(), log.image().cores(), log.image().machine()), (0, 0, Some(MachineId(1))));
    let again = MetadataLog::open_or_format(&mut disk, &parameters(2)).expect("opens");
    assert_eq!(again.image(), log.image());
    assert_eq!(again.image().cluster_id(), cluster_id);
}

#[test]
fn what_does_not_fit_is_refused() {
    let mut disk = TestDisk::new(1);
    disk.perform(&FileOp::CreateNew("notes.txt".to_string(), Gather::new())).expect("made");
    let refusal = MetadataLog::open_or_format(&mut disk, &parameters(1)).expect_err("foreign");
    assert!(matches!(refusal, Refusal::Unfit(why) if why.contains("notes.txt")));

    let mut disk = TestDisk::new(1);
    disk.perform(&FileOp::CreateNew("journal/1/0/checkpoint".to_string(), Gather::new())).expect("made");
    let refusal = MetadataLog::open_or_format(&mut disk, &parameters(1)).expect_err("no log beside a journal");
    assert!(matches!(refusal, Refusal::Corrupt(why) if why.contains("journal/")));

    let mut disk = TestDisk::new(1);
    formatted(&mut disk);
    let other = OpenParameters { machine: MachineId(2), ..parameters(1) };
    let refusal = MetadataLog::open_or_format(&mut disk, &other).expect_err("another machine");
    assert!(matches!(refusal, Refusal::Unfit(why) if why.contains("node.id=1") && why.contains("node.id=2")));
    let other = OpenParameters { cluster_id: Some("other".to_string()), ..parameters(1) };
    let refusal = MetadataLog::open_or_format(&mut disk, &other).expect_err("another cluster");
    assert!(matches!(refusal, Refusal::Unfit(why) if why.contains("cluster.id=other")));
    disk.content("metadata/meta.properties")[90] ^= 1;
    let refusal = MetadataLog::open_or_format(&mut disk, &parameters(1)).expect_err("damaged identity");
    assert!(matches!(refusal, Refusal::Corrupt(why) if why.contains("meta.properties")));
}

#[test]
fn appends_queue_behind_the_one_in_flight_and_commit_together() {
    let mut disk = TestDisk::new(1);
    let mut log = formatted(&mut disk);
    let first = log.append(new_topic(1), at(0));
    let ops = log.poll_ops(at(0)).expect("a frame");
    let second = log.append(new_topic(2), at(0));
    let third = log.append(new_topic(4), at(0));
    assert!(log.poll_ops(at(0)).is_none());
    assert_eq!(log.image().topics().len(), 0);
    assert_eq!(log.proposed().topics().len(), 3);
    let committed = log.handle_done(&perform(&mut disk, &ops)).expect("healthy").expect("records");
    assert_eq!(committed.image.end_offset(), first);
    assert_eq!(committed.delta.partitions_created.len(), 1);
    let ops = log.poll_ops(at(0)).expect("a frame");
    let committed = log.handle_done(&perform(&mut disk, &ops)).expect("healthy").expect("records");
    assert!(second < third);
    assert_eq!(committed.image.end_offset(), third);
    assert_eq!(committed.delta.topics_created.len(), 2);
    assert_eq!(log.image(), log.proposed());
    log.check();
}

#[test]
fn a_failed_flush_is_fatal_and_never_repeated() {
    let mut disk = TestDisk::new(1);
    let mut log = formatted(&mut disk);
    log.append(new_topic(1), at(0));
    let ops = log.poll_ops(at(0)).expect("a frame");
    disk.fail_flush = true;
    let why = log.handle_done(&perform(&mut disk, &ops)).expect_err("fatal");
    assert!(why.contains("metadata/log") && why.contains("planted"), "{why}");
    assert!(log.poll_ops(at(100_000)).is_none());
    assert_eq!(log.image().topics().len(), 0);
}

#[test]
fn a_nearly_full_file_is_rewritten_as_a_snapshot() {
    let mut disk = TestDisk::new(1);
    let mut log = formatted(&mut disk);
    let salt = log.file.salt;
    let mut salts = std::collections::BTreeSet::from([salt]);
    for number in 0..600 {
        log.append(new_topic(number), at(number));
        drive(&mut log, &mut disk, number);
        salts.insert(log.file.salt);
        assert_eq!(log.image(), log.proposed());
    }
    assert!(salts.len() > 2, "rewritten {} times", salts.len() - 1);
    assert!(log.ballast_bytes >= log.file.bytes);
    disk.die(Death::PowerCut);
    let again = MetadataLog::open_or_format(&mut disk, &parameters(2)).expect("opens");
    assert_eq!(again.image(), log.image());
}

#[test]
fn on_a_full_disk_deletions_go_on_and_a_start_succeeds() {
    let mut disk = TestDisk::new(1);
    let mut log = formatted(&mut disk);
    drive(&mut log, &mut disk, 0);
    disk.capacity = disk.used();
    let mut created = 0;
    let mut now_ms = 0;
    while log.may_grow() {
        now_ms += 1;
        log.append(new_topic(created), at(now_ms));
        drive(&mut log, &mut disk, now_ms);
        created += 1;
        assert!(created < 10_000, "the disk never gets full");
    }
    assert!(created > 50);
    let topics: Vec<_> = log.image().topics().iter().map(|topic| topic.id).collect();
    for id in topics.iter().take(40) {
        now_ms += 1;
        log.append(vec![Record::RemoveTopic(RemoveTopicRecord { id: *id })], at(now_ms));
        drive(&mut log, &mut disk, now_ms);
        assert!(log.image().topic(*id).is_none(), "a deletion on a full disk");
    }
    disk.die(Death::Kill);
    let mut log = MetadataLog::open_or_format(&mut disk, &parameters(2)).expect("a start on a full disk");
    assert!(log.image().topic(topics[0]).is_none());
    let forgotten: Vec<Record> =
        topics.iter().take(40).map(|id| Record::TopicForgotten(TopicForgottenRecord { id: *id })).collect();
    log.append_sync(&mut disk, forgotten).expect("room for records of the start");
    disk.capacity = u64::MAX;
    drive(&mut log, &mut disk, 10_000);
    assert!(log.may_grow());
    assert!(log.image().deleted().is_empty());
}

#[test]
fn a_batch_larger_than_the_file_gets_a_larger_file() {
    let mut disk = TestDisk::new(1);
    let mut log = formatted(&mut disk);
    let records: Vec<Record> = (0..6000).map(|number| new_topic(number * 4 + 3)).take(200).flatten().collect();
    let end_offset = log.append(records, at(0));
    drive(&mut log, &mut disk, 0);
    assert_eq!(log.image().end_offset(), end_offset);
    assert!(log.file.bytes > 2 * ROOM_BYTES_MIN);
    let again = MetadataLog::open_or_format(&mut disk, &parameters(2)).expect("opens");
    assert_eq!(again.image(), log.image());
}
