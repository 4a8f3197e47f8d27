//! DescribeLogDirs and DescribeProducers, beside what Kafka 4.3.1 and 3.9.1 answered to the same requests.

use crate::client::*;
use crate::fetch::restarted;
use crate::world::{Client, World, per_machine};
use kafka_protocol::messages::describe_log_dirs_request::DescribableLogDirTopic;
use kafka_protocol::messages::describe_log_dirs_response::DescribeLogDirsResult;
use kafka_protocol::messages::describe_producers_request::TopicRequest;
use kafka_protocol::messages::describe_producers_response::PartitionResponse;
use kafka_protocol::messages::*;
use std::collections::BTreeMap;

const ALL: Option<&[(&str, &[i32])]> = None;

fn sizes_request(topics: Option<&[(&str, &[i32])]>) -> DescribeLogDirsRequest {
    let topic = |(topic, partitions): &(&str, &[i32])| {
        DescribableLogDirTopic::default().with_topic(topic_name(topic)).with_partitions(partitions.to_vec())
    };
    DescribeLogDirsRequest::default().with_topics(topics.map(|topics| topics.iter().map(topic).collect()))
}

#[track_caller]
fn dir(world: &mut World, client: Client, topics: Option<&[(&str, &[i32])]>) -> DescribeLogDirsResult {
    let mut response = world.call(client, 4, &sizes_request(topics));
    assert_eq!((response.error_code, response.results.len()), (0, 1));
    response.results.remove(0)
}

/// Sizes by topic and partition; each is named once.
#[track_caller]
fn sizes(dir: &DescribeLogDirsResult) -> BTreeMap<(String, i32), i64> {
    let mut found = BTreeMap::new();
    for topic in &dir.topics {
        assert!(!topic.partitions.is_empty());
        for one in &topic.partitions {
            assert_eq!((one.offset_lag, one.is_future_key), (0, false));
            let before = found.insert((topic.name.to_string(), one.partition_index), one.partition_size);
            assert_eq!(before, None, "named once");
        }
    }
    found
}

#[test]
fn each_core_tells_what_its_partitions_take() {
    let mut world = World::new(2, &[]);
    let clients = [world.connect(0), world.connect(1)];
    world.create_topic(clients[0], "t", 4, &[]);
    world.create_topic(clients[0], "u", 1, &[]);
    let leader = world.leader(clients[0], "t", 1);
    let batch = Batch::of(5);
    world.produce(clients[leader], "t", 1, batch);
    world.produce(clients[leader], "t", 1, batch);
    let mut all = BTreeMap::new();
    for client in clients {
        let here = dir(&mut world, client, ALL);
        assert_eq!((here.error_code, here.log_dir.as_str()), (0, "data"));
        assert_eq!((here.total_bytes, here.usable_bytes), (-1, -1), "not known yet");
        if per_machine() {
            all = sizes(&here);
            continue;
        }
        for (at, size) in sizes(&here) {
            assert_eq!(world.leader(client, &at.0, at.1), client.core);
            assert_eq!(all.insert(at, size), None, "one core has it");
        }
    }
    let expected = |at: &(String, i32)| if at.0 == "t" && at.1 == 1 { 2 * batch.encode().len() as i64 } else { 0 };
    assert_eq!(all.len(), 5);
    assert!(all.iter().all(|(at, size)| *size == expected(at)), "{all:?}");
    world.set_free_bytes(1 << 40);
    let here = dir(&mut world, clients[0], ALL);
    assert_eq!((here.total_bytes, here.usable_bytes), (1 << 41, 1 << 40));
    for version in 1..=4 {
        let response = world.call(clients[leader], version, &sizes_request(Some(&[("t", &[1])])));
        assert_eq!(response.results[0].topics[0].partitions[0].partition_size, 2 * batch.encode().len() as i64);
        let space = (response.results[0].total_bytes, response.results[0].usable_bytes);
        assert_eq!(space, if version >= 4 { (1 << 41, 1 << 40) } else { (-1, -1) });
    }
}

/// What does not exist, or lives on another core, is left out; what is named twice is told once.
#[test]
fn sizes_of_what_was_named() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 3, &[]);
    let mut named = |topics: &[(&str, &[i32])]| {
        let found = sizes(&dir(&mut world, client, Some(topics)));
        found.into_keys().map(|(topic, index)| format!("{topic}{index}")).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(named(&[("t", &[0, 9, -1]), ("nope", &[0]), ("a/b", &[0])]), "t0");
    assert_eq!(named(&[("t", &[])]), "");
    assert_eq!(named(&[]), "");
    assert_eq!(named(&[("t", &[2, 0, 0]), ("t", &[0, 1])]), "t0 t1 t2");
}

/// Segments are counted as long as they hold something that is served; what moved is not counted twice.
#[test]
fn sizes_follow_moves_deletions_and_restarts() {
    let mut world = World::new(1, &[("journal.files", "3")]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 2, &[("segment.bytes", "1048576")]);
    let batch = Batch { value_bytes: 10_000, ..Batch::of(5) };
    let bytes = batch.encode().len() as i64;
    for _ in 0..80 {
        world.produce(client, "t", 1, batch);
        world.advance(20);
    }
    let size = |world: &mut World| {
        let client = world.connect(0);
        sizes(&dir(world, client, Some(&[("t", &[0, 1])])))
    };
    let segments = format!("topics/{}/1", corelane::base::ids::TopicId(id.into_bytes()));
    let check = |world: &mut World| {
        let found = size(world);
        let (idle, busy) = (found[&("t".to_string(), 0)], found[&("t".to_string(), 1)]);
        let moved = world.disk.bytes_below(&segments) as i64;
        assert!(idle == 0 && moved > 0 && busy >= moved, "a part of it lies in segments: {moved} of {busy}");
        assert_eq!((busy - moved) % bytes, 0, "segments whole, then batches that only the journal has");
        let overhead = busy - 80 * bytes;
        assert!((0..bytes).contains(&overhead), "each batch once: {overhead} bytes more than the batches");
        moved < busy
    };
    assert!(check(&mut world), "a part of it lies in the journal only");
    // A closed partition is told of too; the start may have moved more of it.
    let mut world = restarted(world);
    check(&mut world);
    let client = world.connect(0);
    let end = world.fetch(client, "t", 1, 0).high_watermark;
    assert_eq!(world.call(client, 2, &delete_records_request("t", 1, end - 5)).topics[0].partitions[0].error_code, 0);
    let rest = size(&mut world)[&("t".to_string(), 1)];
    assert!((bytes..1 << 20).contains(&rest), "one segment at most, at once, whenever the files go: {rest}");
    assert_eq!(world.call(client, 2, &delete_records_request("t", 1, -1)).topics[0].partitions[0].error_code, 0);
    assert_eq!(size(&mut world)[&("t".to_string(), 1)], 0);
}

#[test]
fn a_failed_journal_is_told_with_the_sizes() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(1));
    world.fail_flush = true;
    let producer = world.connect(0);
    world.send(producer, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
    let here = dir(&mut world, client, ALL);
    assert_eq!((here.error_code, sizes(&here).len()), (56, 1));
}

fn producers_request(topics: &[(&str, &[i32])]) -> DescribeProducersRequest {
    let topic = |(topic, partitions): &(&str, &[i32])| {
        TopicRequest::default().with_name(topic_name(topic)).with_partition_indexes(partitions.to_vec())
    };
    DescribeProducersRequest::default().with_topics(topics.iter().map(topic).collect())
}

/// (producer id, epoch, last sequence, last timestamp) of each producer.
#[track_caller]
fn producers(partition: &PartitionResponse) -> Vec<(i64, i32, i32, i64)> {
    assert_eq!((partition.error_code, partition.error_message.as_ref()), (0, None));
    let one = |state: &describe_producers_response::ProducerState| {
        assert_eq!((state.coordinator_epoch, state.current_txn_start_offset), (-1, -1), "no transactions yet");
        (state.producer_id.0, state.producer_epoch, state.last_sequence, state.last_timestamp)
    };
    partition.active_producers.iter().map(one).collect()
}

/// A batch whose largest timestamp is this one.
fn at(batch: Batch, timestamp: i64) -> Vec<u8> {
    let mut bytes = batch.encode();
    bytes[35..43].copy_from_slice(&timestamp.to_be_bytes());
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
    bytes
}

#[test]
fn producers_are_told_with_their_last_batch_after_moves_and_restarts_too() {
    let mut world = World::new(1, &[("journal.files", "3")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    world.create_topic(client, "stamped", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let produce = |world: &mut World, topic: &str, batch: Vec<u8>| {
        let client = world.connect(0);
        let response = world.call(client, 9, &produce_request(-1, &[(topic, 0, batch)]));
        assert_eq!(outcomes(&response)[0].0, 0);
    };
    produce(&mut world, "t", at(Batch::of(4).by(9, 0, 0), 500));
    produce(&mut world, "t", at(Batch::of(4).by(9, 0, 4), 400));
    produce(&mut world, "t", at(Batch::of(2).by(7, 3, i32::MAX), 600));
    produce(&mut world, "t", Batch::of(1).encode());
    produce(&mut world, "t", at(Batch::of(4).by(9, 0, 4), 400));
    world.advance(50);
    produce(&mut world, "stamped", at(Batch::of(1).by(9, 1, 0), 400));
    let stamped = world.now.wall_ms;
    let check = |world: &mut World| {
        let client = world.connect(0);
        let response = world.call(client, 0, &producers_request(&[("t", &[0, 1]), ("stamped", &[0])]));
        assert_eq!(producers(&response.topics[0].partitions[0]), [(7, 3, 0, 600), (9, 0, 7, 400)]);
        assert_eq!(producers(&response.topics[0].partitions[1]), []);
        assert_eq!(producers(&response.topics[1].partitions[0]), [(9, 1, 0, stamped)]);
    };
    check(&mut world);
    let mut world = restarted(world);
    check(&mut world);
    // Everything goes into segments, and with it the producers into state blocks.
    let client = world.connect(0);
    for _ in 0..100 {
        world.produce(client, "t", 1, Batch { value_bytes: 10_000, ..Batch::of(5) });
        world.advance(20);
    }
    let mut world = restarted(restarted(world));
    check(&mut world);
}

/// As Kafka answers, but that each refusal says why.
#[test]
fn producers_of_partitions_that_are_not_here() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    let leader = world.leader(client, "t", 0);
    let client = world.connect(leader);
    let asked = producers_request(&[("t", &[0, 1, 9, -1, 0]), ("nope", &[0]), ("a/b", &[0]), ("t", &[]), ("t", &[0])]);
    let response = world.call(client, 0, &asked);
    let codes: Vec<Vec<_>> = response
        .topics
        .iter()
        .map(|topic| topic.partitions.iter().map(|one| (one.partition_index, one.error_code)).collect())
        .collect();
    assert_eq!(
        codes,
        [
            vec![(0, 0), (1, if per_machine() { 0 } else { 6 }), (9, 3), (-1, 3), (0, 0)],
            vec![(0, 3)],
            vec![(0, 17)],
            vec![],
            vec![(0, 0)]
        ]
    );
    for one in response.topics.iter().flat_map(|topic| &topic.partitions).filter(|one| one.error_code != 0) {
        assert!(one.error_message.as_ref().is_some_and(|why| !why.is_empty()) && one.active_producers.is_empty());
    }
}

/// A small request that names a partition over and over must not make an answer of any size.
#[test]
fn an_answer_holds_so_many_producers() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    for id in 0..3_000 {
        world.post(client, 9, &produce_request(1, &[("t", 0, Batch::of(1).by(id, 0, 0).encode())]));
        if id % 100 == 99 {
            world.run();
        }
    }
    while world.raw_answer(client).is_some() {}
    let other = world.connect(0);
    let response = world.call(other, 0, &producers_request(&[("t", &[0; 1_000])]));
    let partitions = &response.topics[0].partitions;
    assert_eq!(partitions.len(), 1_000);
    let told =
        partitions.iter().filter(|one| one.error_code == 0).inspect(|one| assert_eq!(producers(one).len(), 3_000));
    assert_eq!(told.count(), 33, "100,000 producers at most");
    assert!(partitions[33..].iter().all(|one| one.error_code == 42 && one.active_producers.is_empty()));
}
