//! Fetch: planning, parking, waking, bounds, disk reads, sessions that do not exist.

use crate::client::*;
use crate::world::{World, per_machine};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{BrokerId, FetchRequest, FetchResponse};
use uuid::Uuid;

#[test]
fn every_version_serves_what_was_produced() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(3));
    for version in 4..=17 {
        let mut request = fetch_request(1, 0, &[("t", 0, 0), ("t", 5, 0)]);
        if version >= 13 {
            request.topics.iter_mut().for_each(|topic| topic.topic_id = id);
        }
        let response = world.call(client, version, &request);
        assert_eq!((response.error_code, response.session_id, response.throttle_time_ms), (0, 0, 0));
        assert_eq!(response.responses.len(), 2, "every partition is listed");
        let partitions = fetched(&response);
        assert_eq!((partitions[0].error_code, batches(&partitions[0])), (0, vec![(0, 0)]), "version {version}");
        assert_eq!((partitions[0].high_watermark, partitions[0].last_stable_offset), (3, 3));
        assert_eq!(partitions[0].aborted_transactions, None, "null for read_uncommitted");
        assert_eq!((partitions[1].error_code, partitions[1].high_watermark), (3, -1));
        assert_eq!(partitions[1].records.as_ref().map(|records| records.len()), Some(0), "empty, never null");
    }
}

#[test]
fn c9_an_offset_inside_a_batch_gives_the_whole_batch() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(3));
    world.produce(client, "t", 0, Batch::of(3));
    assert_eq!(batches(&world.fetch(client, "t", 0, 1)), [(0, 0), (3, 0)]);
    assert_eq!(batches(&world.fetch(client, "t", 0, 5)), [(3, 0)]);
    let end = world.fetch(client, "t", 0, 6);
    assert_eq!((end.error_code, batches(&end).len(), end.high_watermark), (0, 0, 6));
}

#[test]
fn c12_offsets_out_of_range_are_errors_never_clamped() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(3));
    for offset in [4, -1, i64::MAX, i64::MIN] {
        let partition = world.fetch(client, "t", 0, offset);
        assert_eq!((partition.error_code, partition.high_watermark, partition.log_start_offset), (1, -1, -1));
    }
}

#[test]
fn c10_the_first_partition_with_data_gives_a_batch_whatever_the_bounds() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 3, &[]);
    for partition in 1..3 {
        world.produce(client, "t", partition, Batch { value_bytes: 5_000, ..Batch::of(1) });
        world.produce(client, "t", partition, Batch { value_bytes: 5_000, ..Batch::of(1) });
    }
    let mut request = fetch_request(1, 0, &[("t", 0, 0), ("t", 1, 0), ("t", 2, 0)]).with_max_bytes(1);
    let counts = |response: &FetchResponse| fetched(response).iter().map(|one| batches(one).len()).collect::<Vec<_>>();
    assert_eq!(counts(&world.call(client, 11, &request)), [0, 1, 0]);
    request.max_bytes = 20_000;
    for topic in &mut request.topics {
        topic.partitions[0].partition_max_bytes = 1;
    }
    assert_eq!(counts(&world.call(client, 11, &request)), [0, 1, 0]);
    for topic in &mut request.topics {
        topic.partitions[0].partition_max_bytes = 1 << 20;
    }
    request.max_bytes = 16_000;
    assert_eq!(counts(&world.call(client, 11, &request)), [0, 2, 1], "the rest of the bytes");
}

#[test]
fn c11_a_fetch_at_the_end_waits_for_data_or_its_deadline() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    world.send(client, 11, &fetch_request(1, 500, &[("t", 0, 0)]));
    world.advance(400);
    assert!(world.raw_answer(client).is_none(), "parked");
    world.advance(150);
    let response = world.receive::<FetchRequest>(client);
    assert_eq!((fetched(&response)[0].error_code, batches(&fetched(&response)[0]).len()), (0, 0));
    world.send(client, 11, &fetch_request(1, 10_000, &[("t", 0, 0)]));
    world.hold_flushes = true;
    world.send(producer, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
    assert!(world.raw_answer(client).is_none(), "the data is not flushed");
    world.hold_flushes = false;
    world.run();
    assert_eq!(batches(&fetched(&world.receive::<FetchRequest>(client))[0]), [(0, 0)]);
}

#[test]
fn min_bytes_count_over_all_partitions() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 2, &[]);
    world.send(client, 11, &fetch_request(3_000, 10_000, &[("t", 0, 0), ("t", 1, 0)]));
    let batch = Batch { value_bytes: 1_000, ..Batch::of(1) };
    world.produce(producer, "t", 0, batch);
    world.produce(producer, "t", 1, batch);
    assert!(world.raw_answer(client).is_none(), "about 2,150 bytes of 3,000");
    world.produce(producer, "t", 0, batch);
    let response = world.receive::<FetchRequest>(client);
    assert_eq!(fetched(&response).iter().map(|one| batches(one).len()).collect::<Vec<_>>(), [2, 1]);
}

#[test]
fn c11_errors_are_answered_at_once() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    let leader = world.leader(client, "t", 0);
    let friend = world.connect(leader);
    let mut request = fetch_request(1, 10_000, &[("t", 0, 0), ("t", 1, 0)]);
    if per_machine() {
        request.topics[1].partitions[0].fetch_offset = 7;
        let partitions = fetched(&world.call(friend, 12, &request));
        assert_eq!((partitions[0].error_code, partitions[1].error_code), (0, 1));
        return;
    }
    let partitions = fetched(&world.call(friend, 12, &request));
    assert_eq!((partitions[0].error_code, partitions[1].error_code), (0, 6));
    assert_eq!(partitions[1].current_leader.leader_id.0, 1 - leader as i32);
}

#[test]
fn c16_leader_epochs_are_checked() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let world = &mut restarted(world);
    let client = world.connect(0);
    for (epoch, code) in [(-1, 0), (1, 0), (0, 74), (2, 75)] {
        let mut request = fetch_request(0, 0, &[("t", 0, 0)]);
        request.topics[0].partitions[0].current_leader_epoch = epoch;
        assert_eq!(fetched(&world.call(client, 11, &request))[0].error_code, code, "epoch {epoch}");
    }
}

/// The same disk, started again without a clean stop.
pub fn restarted(world: World) -> World {
    World::on(world.disk, world.brokers.len() as u16, &[], 2)
}

#[test]
fn c22_topics_by_id() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 1, &[]);
    let by_id = |id: Uuid| {
        let mut request = fetch_request(1, 60_000, &[("", 0, 0)]);
        request.topics[0].topic_id = id;
        request
    };
    let response = world.call(client, 13, &by_id(Uuid::from_bytes([7; 16])));
    assert_eq!((fetched(&response)[0].error_code, response.responses[0].topic_id), (100, Uuid::from_bytes([7; 16])));
    // Parked by id: the deletion ends it, and the same name with a new id is another topic.
    world.send(client, 13, &by_id(id));
    assert!(world.raw_answer(client).is_none());
    let admin = world.connect(0);
    assert_eq!(world.call(admin, 6, &delete_request("t")).responses[0].error_code, 0);
    assert_eq!(fetched(&world.receive::<FetchRequest>(client))[0].error_code, 100);
    let again = world.create_topic(admin, "t", 1, &[]);
    assert_ne!(again, id);
    assert_eq!(fetched(&world.call(client, 13, &by_id(id)))[0].error_code, 100);
}

#[test]
fn deletion_ends_a_fetch_parked_by_name() {
    let mut world = World::new(2, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 2, &[]);
    for partition in 0..2 {
        let client = world.connect(partition);
        let leads = (0..2).find(|one| world.owner("t", *one) == partition).expect("one each");
        world.send(client, 12, &fetch_request(1, 60_000, &[("t", leads, 0)]));
        assert!(world.raw_answer(client).is_none());
        if partition == 1 {
            assert_eq!(world.call(admin, 6, &delete_request("t")).responses[0].error_code, 0);
            assert_eq!(fetched(&world.receive::<FetchRequest>(client))[0].error_code, 3);
        }
    }
}

#[test]
fn e4_followers_and_unknown_isolation_levels_are_refused() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let follower = fetch_request(0, 0, &[("t", 0, 0)]).with_replica_id(BrokerId(1));
    assert_eq!(world.call(client, 11, &follower).error_code, 42);
    assert_eq!(fetched(&world.call(client, 4, &follower))[0].error_code, 42);
    let isolation = fetch_request(0, 0, &[("t", 0, 0)]).with_isolation_level(2);
    assert_eq!(world.call(client, 11, &isolation).error_code, 42);
}

#[test]
fn read_committed_lists_no_aborted_transactions() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(1));
    let request = fetch_request(1, 0, &[("t", 0, 0)]).with_isolation_level(1);
    let partition = fetched(&world.call(client, 11, &request)).remove(0);
    assert_eq!(partition.aborted_transactions.as_ref().map(Vec::len), Some(0), "empty, not null");
    assert_eq!(batches(&partition).len(), 1);
}

#[test]
fn an_empty_request_is_answered() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let response = world.call(client, 11, &fetch_request(1, 60_000, &[]));
    assert!(response.responses.is_empty());
    let mut empty_topic = fetch_request(1, 60_000, &[]);
    empty_topic.topics.push(FetchTopic::default().with_topic(topic_name("t")));
    assert_eq!(world.call(client, 11, &empty_topic).responses.len(), 1);
}

#[test]
fn a_partition_named_twice_is_answered_twice() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    let mut request = fetch_request(1, 60_000, &[("t", 0, 0)]);
    let twice = FetchPartition::default().with_partition(0).with_fetch_offset(0).with_partition_max_bytes(1 << 20);
    request.topics[0].partitions.push(twice);
    world.send(client, 11, &request);
    assert!(world.raw_answer(client).is_none());
    world.produce(producer, "t", 0, Batch::of(1));
    assert_eq!(fetched(&world.receive::<FetchRequest>(client)).len(), 2);
}

#[test]
fn what_left_memory_is_read_from_the_disk() {
    let mut world = World::new(1, &[("journal.files", "3"), ("tail.cache.bytes", "0")]);
    let (client, other) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    let batch = Batch { value_bytes: 50_000, ..Batch::of(1) };
    for _ in 0..60 {
        world.produce(client, "t", 0, batch);
        world.advance(20);
    }
    let before = world.brokers[0].counters().clone();
    let mut offset = 0;
    while offset < 60 {
        let partition = world.fetch(client, "t", 0, offset);
        let found = batches(&partition);
        assert_eq!(found[0].0, offset);
        offset = found.last().expect("some").0 + 1;
    }
    let after = world.brokers[0].counters().clone();
    assert!(after.fetched_disk_bytes > before.fetched_disk_bytes + 1_000_000, "{after:?}");
    // A client that leaves during the read, and a topic that is deleted during it.
    world.hold_files = true;
    world.send(other, 11, &fetch_request(1, 0, &[("t", 0, 0)]));
    world.send(client, 11, &fetch_request(1, 0, &[("t", 0, 0)]));
    assert!(world.raw_answer(client).is_none());
    world.disconnect(other);
    let admin = world.connect(0);
    assert_eq!(world.call(admin, 6, &delete_request("t")).responses[0].error_code, 0);
    world.hold_files = false;
    world.run();
    let partition = fetched(&world.receive::<FetchRequest>(client)).remove(0);
    assert!(partition.error_code == 3 || !batches(&partition).is_empty(), "{partition:?}");
}

#[test]
fn a_client_that_leaves_takes_its_parked_fetch_along() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    world.send(client, 11, &fetch_request(1, 60_000, &[("t", 0, 0)]));
    world.disconnect(client);
    world.produce(producer, "t", 0, Batch::of(1));
    world.advance(100);
}

#[test]
fn cold_reads_take_bounded_memory_and_all_end() {
    let mut world = World::new(1, &[("journal.files", "3"), ("tail.cache.bytes", "0")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    for _ in 0..60 {
        world.produce(client, "t", 0, Batch { value_bytes: 50_000, ..Batch::of(1) });
        world.advance(20);
    }
    world.hold_files = true;
    let readers: Vec<_> = (0..300).map(|_| world.connect(0)).collect();
    for reader in &readers {
        world.post(*reader, 11, &fetch_request(1, 0, &[("t", 0, 0)]));
    }
    world.run();
    // A few of them may read; some of the others leave.
    for reader in &readers[..20] {
        world.disconnect(*reader);
    }
    for reader in &readers[280..] {
        world.disconnect(*reader);
    }
    world.hold_files = false;
    world.run();
    for reader in &readers[20..280] {
        let answer = world.receive::<FetchRequest>(*reader);
        assert!(!batches(&fetched(&answer)[0]).is_empty());
    }
}
