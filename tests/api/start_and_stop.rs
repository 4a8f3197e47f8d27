//! Starts of a machine over what an earlier run left, and stops.

use crate::client::*;
use crate::disk::Disk;
use crate::fetch::restarted;
use crate::world::World;
use corelane::base::storage::{FileOp, Storage};
use kafka_protocol::messages::{FetchRequest, ProduceRequest};

#[test]
fn everything_acknowledged_is_there_after_a_kill() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 4, &[]);
    for partition in 0..4 {
        let leader = world.leader(client, "t", partition);
        let producer = world.connect(leader);
        for at in 0..5 {
            assert_eq!(
                world.produce(producer, "t", partition, Batch::of(2).by(partition.into(), 0, at * 2)),
                i64::from(at) * 2
            );
        }
    }
    let mut world = restarted(world);
    let client = world.connect(1);
    assert_eq!(world.call(client, 12, &metadata_request(&["t"])).topics[0].topic_id, id);
    for partition in 0..4 {
        let leader = world.leader(client, "t", partition);
        let friend = world.connect(leader);
        assert_eq!(world.read_all(friend, "t", partition).len(), 5);
        let duplicate = Batch::of(2).by(partition.into(), 0, 8);
        assert_eq!(world.produce(friend, "t", partition, duplicate), 8, "a retry gets its first offset");
        assert_eq!(world.produce(friend, "t", partition, Batch::of(1).by(partition.into(), 0, 10)), 10);
        let last = batches(&world.fetch(friend, "t", partition, 10));
        assert_eq!(last, [(10, 1)], "a new boot, a new leader epoch");
    }
}

#[test]
fn the_number_of_cores_may_change() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 6, &[]);
    for partition in 0..6 {
        let leader = world.leader(client, "t", partition);
        let producer = world.connect(leader);
        assert_eq!(world.produce(producer, "t", partition, Batch::of(3)), 0);
    }
    for (cores, round) in [(3u16, 1), (1, 2), (2, 3)] {
        world = World::on(world.disk, cores, &[], 10 + round);
        let client = world.connect(0);
        for partition in 0..6 {
            let leader = world.leader(client, "t", partition);
            let friend = world.connect(leader);
            assert_eq!(world.read_all(friend, "t", partition).len() as u64, round);
            assert_eq!(world.produce(friend, "t", partition, Batch::of(3)), round as i64 * 3);
        }
    }
}

#[test]
fn a_stop_answers_flushes_and_marks() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    let partition = (0..2).find(|one| world.leader(client, "t", *one) == 0).expect("one");
    let (waiting, producer) = (world.connect(0), world.connect(0));
    world.post(waiting, 11, &fetch_request(1, 60_000, &[("t", partition, 0)]));
    world.run();
    world.hold_flushes = true;
    world.post(producer, 9, &produce_request(-1, &[("t", partition, Batch::of(1).encode())]));
    world.run();
    world.stop_soon();
    world.run();
    assert_eq!(fetched(&world.receive::<FetchRequest>(waiting))[0].error_code, 0);
    assert!(world.closed(waiting).is_some());
    assert_eq!(world.stopped, [false, false], "the flush is held back");
    world.hold_flushes = false;
    world.advance(1_000);
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(producer)), [(0, 0)], "what was begun is answered");
    assert!(world.closed(producer).is_some());
    assert_eq!(world.stopped, [true, true]);
    let mut world = restarted(world);
    assert!(world.brokers[0].image().previous_shutdown_clean());
    let client = world.connect(0);
    assert_eq!(batches(&world.fetch(client, "t", partition, 0)).len(), 1);
    let world = restarted(world);
    assert!(!world.brokers[0].image().previous_shutdown_clean(), "killed");
}

#[test]
fn a_stop_during_administration_loses_no_answer() {
    let mut world = World::new(2, &[]);
    let client = world.connect(1);
    world.hold_metadata = true;
    world.post(client, 7, &create_request("t", 2, &[]));
    world.run();
    world.stop_soon();
    world.run();
    assert_eq!(world.stopped, [false, false]);
    world.hold_metadata = false;
    world.advance(1_000);
    assert_eq!(world.receive::<kafka_protocol::messages::CreateTopicsRequest>(client).topics[0].error_code, 0);
    assert_eq!(world.stopped, [true, true]);
}

#[test]
fn foreign_content_and_unknown_ids_refuse_the_start() {
    let refused = |path: &str| {
        let mut world = World::new(1, &[]);
        let client = world.connect(0);
        world.create_topic(client, "t", 1, &[]);
        let mut disk: Disk = world.disk;
        disk.perform(&FileOp::CreateDirs(path.to_string())).expect("made");
        World::refusal(disk, 1)
    };
    assert!(refused("somebody-elses").contains("somebody-elses"));
    assert!(refused("topics/00112233445566778899aabbccddeeff").contains("00112233445566778899aabbccddeeff"));
    assert!(refused("journal/77").contains("journal/77"));
}

#[test]
fn a_stop_closes_a_connection_whose_request_is_held() {
    let mut world = World::new(1, &[("journal.files", "3")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.hold_files = true;
    for _ in 0..60 {
        let batch = Batch { value_bytes: 90_000, ..Batch::of(1) };
        world.post(client, 9, &produce_request(-1, &[("t", 0, batch.encode())]));
    }
    world.run();
    assert_eq!(world.closed(client), None);
    world.stop_soon();
    world.run();
    assert!(world.closed(client).is_some());
    let answered = std::iter::from_fn(|| world.try_receive::<ProduceRequest>(client)).count();
    assert!((10..50).contains(&answered), "{answered} were appended before the ring was full");
    world.hold_files = false;
    world.advance(1_000);
    assert_eq!(world.stopped, [true]);
}

#[test]
fn a_stop_with_a_failed_journal_is_not_called_clean() {
    for fail_before in [true, false] {
        let mut world = World::new(2, &[]);
        let client = world.connect(0);
        world.create_topic(client, "t", 2, &[]);
        let partition = (0..2).find(|one| world.leader(client, "t", *one) == 0).expect("one");
        world.hold_flushes = !fail_before;
        world.fail_flush = true;
        world.send(client, 9, &produce_request(-1, &[("t", partition, Batch::of(1).encode())]));
        world.stop_soon();
        world.run();
        world.hold_flushes = false;
        world.advance(1_000);
        assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(56, -1)]);
        assert_eq!(world.stopped, [true, true]);
        assert!(!restarted(world).brokers[0].image().previous_shutdown_clean());
    }
}
