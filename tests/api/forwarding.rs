//! Machines that clients see as one broker: parts of requests on other cores, and connections that are handed over.

use crate::client::*;
use crate::world::{Client, World};
use kafka_protocol::messages::*;

/// Two cores, a topic with four partitions, a client on each core.
fn started() -> (World, [Client; 2]) {
    let mut world = World::new(2, &[]);
    let clients = [world.connect(0), world.connect(1)];
    world.create_topic(clients[0], "t", 4, &[]);
    (world, clients)
}

/// A partition that lives on this core, not the first `skip` of them.
fn partition_on(world: &World, core: usize, skip: usize) -> i32 {
    let mut partitions = (0..4).filter(|partition| world.owner("t", *partition) == core);
    partitions.nth(skip).expect("each core has two")
}

fn sequenced(partition: i32, id: i64, sequence: i32) -> ProduceRequest {
    produce_request(-1, &[("t", partition, Batch::of(1).by(id, 0, sequence).encode())])
}

/// Five in flight, all the while: requests that are forwarded, then handled where they are after the hand-over, never meet an
/// error of sequence. Each round of posts is a moment at which the connection may leave.
#[test]
fn c2_c26_five_in_flight_survive_forwarding_and_the_hand_over() {
    let (mut world, clients) = started();
    for (core, client) in clients.into_iter().enumerate() {
        let (away, here) = (partition_on(&world, 1 - core, core), partition_on(&world, core, core));
        let id = world.call(client, 4, &crate::produce::init_request()).producer_id.0;
        let (mut sent, mut answered) = ([0, 0], 0);
        let mut order = Vec::new();
        for round in 0..200 {
            while order.len() - answered < 5 {
                // Long stretches about one core alone, and some about both in turn.
                let at = usize::from(round % 50 > 40 && order.len() % 2 == 1);
                let partition = [away, here][at];
                world.post(client, 9, &sequenced(partition, id, sent[at]));
                order.push((sent[at], at));
                sent[at] += 1;
            }
            world.hold_flushes = round % 3 == 0;
            world.run();
            world.hold_flushes = false;
            world.run();
            while let Some(response) = world.try_receive::<ProduceRequest>(client) {
                assert_eq!(outcomes(&response), [(0, i64::from(order[answered].0))], "request {answered}");
                answered += 1;
            }
        }
        assert_eq!(answered, order.len(), "all are answered");
        let handed: u64 = world.brokers.iter().map(|broker| broker.counters().connections_handed_over).sum();
        assert!(handed > core as u64, "it has to be handed over on the way");
    }
}
