//! Clients that do not take their answers: what they make the broker hold is bounded, and the others go on.

use crate::client::*;
use crate::world::World;
use corelane::base::limits::{ANSWERS_BESIDE_BYTES_MAX, SESSION_UNSENT_BYTES_MAX};
use kafka_protocol::messages::*;

const MIB: usize = 1 << 20;

/// A topic with three megabytes in batches of 50 kB, and memory for answers of 8 MiB.
fn world() -> World {
    let mut world = World::new(1, &[("fetch.memory.bytes", "8388608")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    for _ in 0..60 {
        world.produce(client, "t", 0, Batch { value_bytes: 50_000, ..Batch::of(1) });
    }
    world
}

#[test]
fn fetched_bytes_that_nobody_takes_are_bounded_and_none_is_lost() {
    let mut world = world();
    let readers: Vec<_> = (0..40).map(|_| world.connect(0)).collect();
    world.hold_sends = true;
    for reader in &readers {
        for _ in 0..20 {
            world.post(*reader, 11, &fetch_request(1, 0, &[("t", 0, 0)]));
        }
    }
    world.run();
    assert!((6 * MIB..=9 * MIB).contains(&world.unsent_bytes()), "{} bytes", world.unsent_bytes());
    let producer = world.connect(0);
    let began = world.unsent_bytes();
    assert_eq!(world.produce(producer, "t", 0, Batch::of(1)), 60, "answered meanwhile");
    assert!(world.unsent_bytes() < began + 200);
    // Each time the network takes something, some of them get more.
    world.hold_sends = false;
    world.run();
    for reader in &readers {
        for _ in 0..20 {
            assert!(!batches(&fetched(&world.receive::<FetchRequest>(*reader))[0]).is_empty());
        }
    }
}

#[test]
fn whoever_leaves_gives_its_memory_to_those_that_wait() {
    let mut world = world();
    let greedy: Vec<_> = (0..10).map(|_| world.connect(0)).collect();
    world.hold_sends = true;
    for one in &greedy {
        (0..3).for_each(|_| world.post(*one, 11, &fetch_request(1, 0, &[("t", 0, 0)])));
    }
    world.run();
    let reader = world.connect(0);
    world.send(reader, 11, &fetch_request(1, 0, &[("t", 0, 0)]));
    assert!(world.try_receive::<FetchRequest>(reader).is_none(), "no memory is left");
    assert!(world.brokers[0].starves_since_ms().is_some(), "which somebody is told");
    greedy.into_iter().for_each(|one| world.disconnect(one));
    world.receive::<FetchRequest>(reader);
    assert_eq!(world.brokers[0].starves_since_ms(), None);
}

#[test]
fn large_answers_of_other_apis_wait_for_memory_too() {
    let mut world = world();
    let client = world.connect(0);
    world.create_topic(client, "wide", 5_000, &[]);
    let all = MetadataRequest::default().with_topics(None);
    world.call::<MetadataRequest>(client, 9, &all);
    let askers: Vec<_> = (0..400).map(|_| world.connect(0)).collect();
    world.hold_sends = true;
    askers.iter().for_each(|asker| world.post(*asker, 9, &all));
    world.run();
    let most = 8 * MIB + ANSWERS_BESIDE_BYTES_MAX as usize + MIB;
    assert!((most - 2 * MIB..=most).contains(&world.unsent_bytes()), "{} bytes", world.unsent_bytes());
    let other = world.connect(0);
    assert_eq!(world.produce(other, "t", 0, Batch::of(1)), 60);
    let third = world.connect(0);
    world.call::<ApiVersionsRequest>(third, 3, &ApiVersionsRequest::default());
    world.hold_sends = false;
    world.run();
    for asker in askers {
        assert_eq!(world.receive::<MetadataRequest>(asker).topics.len(), 2);
    }
}

#[test]
fn small_answers_that_nobody_takes_do_not_add_up() {
    let mut world = world();
    let client = world.connect(0);
    world.create_topic(client, "wide", 5_000, &[]);
    let askers: Vec<_> = (0..400).map(|_| world.connect(0)).collect();
    world.hold_sends = true;
    askers.iter().for_each(|one| world.post(*one, 9, &MetadataRequest::default().with_topics(None)));
    world.run();
    let before = world.unsent_bytes();
    let curious: Vec<_> = (0..100).map(|_| world.connect(0)).collect();
    for _ in 0..100 {
        curious.iter().for_each(|one| world.post(*one, 0, &ApiVersionsRequest::default()));
        world.run();
    }
    let more = world.unsent_bytes() - before;
    assert!((10_000..100_000).contains(&more), "one answer each, and no second one: {more} bytes");
}

#[test]
fn a_client_takes_its_answers_before_its_next_request_begins() {
    let mut world = world();
    let client = world.connect(0);
    world.hold_sends = true;
    let fetch = fetch_request(1, 0, &[("t", 0, 0), ("t", 0, 0)]);
    world.send(client, 11, &fetch);
    assert!(world.unsent_bytes() > SESSION_UNSENT_BYTES_MAX);
    world.receive::<FetchRequest>(client);
    world.send(client, 3, &ApiVersionsRequest::default());
    assert!(world.try_receive::<ApiVersionsRequest>(client).is_none());
    world.hold_sends = false;
    world.run();
    world.receive::<ApiVersionsRequest>(client);
    // Within one turn as well.
    world.post(client, 11, &fetch);
    world.post(client, 3, &ApiVersionsRequest::default());
    world.run();
    world.receive::<FetchRequest>(client);
    world.receive::<ApiVersionsRequest>(client);
}
