//! Connections: order of answers, holding back, bounds.

use crate::client::*;
use crate::world::World;
use corelane::base::limits::SESSION_REQUESTS_MAX;
use kafka_protocol::messages::{
    CreateTopicsRequest, DeleteRecordsRequest, FetchRequest, MetadataRequest, ProduceRequest,
};

#[test]
fn c1_answers_leave_in_request_order_behind_a_parked_fetch() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    world.post(client, 11, &fetch_request(1, 60_000, &[("t", 0, 0)]));
    world.post(client, 9, &metadata_request(&["t"]));
    world.post(client, 9, &metadata_request(&[]));
    world.run();
    assert!(world.raw_answer(client).is_none(), "nothing overtakes the parked fetch");
    world.produce(producer, "t", 0, Batch::of(1));
    assert_eq!(batches(&fetched(&world.receive::<FetchRequest>(client))[0]).len(), 1);
    assert_eq!(world.receive::<MetadataRequest>(client).topics.len(), 1);
    assert_eq!(world.receive::<MetadataRequest>(client).topics.len(), 0);
}

/// C1: the same behind a Produce and admin writes that wait for a flush; and what waits on one connection holds up no other.
#[test]
fn c1_answers_leave_in_request_order_behind_a_produce_and_a_creation() {
    let mut world = World::new(2, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 2, &[]);
    let partition = (0..2).find(|one| world.leader(admin, "t", *one) == 0).expect("one");
    let (client, other) = (world.connect(0), world.connect(0));
    world.hold_flushes = true;
    world.hold_metadata = true;
    world.post(client, 9, &produce_request(-1, &[("t", partition, Batch::of(1).encode())]));
    world.post(client, 9, &metadata_request(&["t"]));
    world.post(client, 7, &create_request("u", 1, &[]));
    world.post(client, 2, &delete_records_request("t", partition, 0));
    world.post(client, 11, &fetch_request(0, 0, &[("t", partition, 0)]));
    world.run();
    assert!(world.raw_answer(client).is_none(), "nothing overtakes the produce");
    assert_eq!(world.call(other, 9, &metadata_request(&["t"])).topics.len(), 1, "another connection goes on");
    world.hold_flushes = false;
    world.run();
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(0, 0)]);
    assert_eq!(world.receive::<MetadataRequest>(client).topics.len(), 1);
    assert!(world.raw_answer(client).is_none(), "nothing overtakes the creation");
    world.hold_metadata = false;
    world.run();
    assert_eq!(world.receive::<CreateTopicsRequest>(client).topics[0].error_code, 0);
    assert_eq!(world.receive::<DeleteRecordsRequest>(client).topics[0].partitions[0].error_code, 0);
    assert_eq!(fetched(&world.receive::<FetchRequest>(client))[0].error_code, 0);
}

#[test]
fn a_partition_that_loads_holds_the_connection_in_order() {
    let mut world = World::new(1, &[("journal.files", "3")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.create_topic(client, "other", 1, &[]);
    // All of the first topic has left the journal when the second one has gone round it.
    for topic in ["t", "other"] {
        for _ in 0..40 {
            world.produce(client, topic, 0, Batch { value_bytes: 90_000, ..Batch::of(1) });
            world.advance(20);
        }
    }
    let mut world = crate::fetch::restarted(world);
    let (client, other) = (world.connect(0), world.connect(0));
    world.hold_files = true;
    for _ in 0..3 {
        world.post(client, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
    }
    world.post(client, 9, &metadata_request(&["t"]));
    world.post(other, 11, &fetch_request(1, 0, &[("t", 0, 40)]));
    world.run();
    assert!(world.raw_answer(client).is_none() && world.raw_answer(other).is_none(), "the state is being read");
    world.hold_files = false;
    world.run();
    for at in 0..3 {
        assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(0, 40 + at)]);
    }
    assert_eq!(world.receive::<MetadataRequest>(client).topics.len(), 1);
    assert_eq!(fetched(&world.receive::<FetchRequest>(other))[0].error_code, 0);
}

#[test]
fn reading_pauses_while_too_much_waits() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    world.post(client, 11, &fetch_request(1, 60_000, &[("t", 0, 0)]));
    for _ in 0..SESSION_REQUESTS_MAX {
        world.post(client, 9, &metadata_request(&["t"]));
    }
    world.run();
    assert!(world.is_paused(client));
    world.produce(producer, "t", 0, Batch::of(1));
    assert!(!world.is_paused(client));
    assert_eq!(std::iter::from_fn(|| world.raw_answer(client)).count(), SESSION_REQUESTS_MAX + 1);
}

#[test]
fn a_close_comes_after_the_answers_before_it() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    world.post(client, 11, &fetch_request(1, 60_000, &[("t", 0, 0)]));
    world.post_frame(client, frame(b"\x03\xe8\x00\x00\x00\x00\x00\x00"));
    world.post(client, 9, &metadata_request(&["t"]));
    world.run();
    assert_eq!(world.closed(client), None, "the fetch is owed an answer");
    world.produce(producer, "t", 0, Batch::of(1));
    assert_eq!(batches(&fetched(&world.receive::<FetchRequest>(client))[0]).len(), 1);
    assert!(world.closed(client).is_some());
    assert!(world.raw_answer(client).is_none(), "what came behind is dropped");
}

#[test]
fn clients_may_leave_at_any_moment() {
    let mut world = World::new(2, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 2, &[]);
    for core in 0..2 {
        let partition = (0..2).find(|one| world.owner("t", *one) == core).expect("one each");
        let client = world.connect(core);
        world.hold_flushes = true;
        world.hold_metadata = true;
        world.post(client, 9, &produce_request(-1, &[("t", partition, Batch::of(1).encode())]));
        world.post(client, 11, &fetch_request(1, 60_000, &[("t", partition, 0)]));
        world.post(client, 9, &metadata_request(&[&format!("new-{core}")]));
        world.post(client, 7, &create_request(&format!("newer-{core}"), 1, &[]));
        world.post(client, 2, &delete_records_request("t", partition, 0));
        world.post(client, 4, &crate::produce::init_request());
        world.run();
        world.disconnect(client);
        world.hold_flushes = false;
        world.hold_metadata = false;
        world.advance(100);
    }
    assert_eq!(world.call(admin, 9, &metadata_request(&["newer-1"])).topics[0].error_code, 0);
}
