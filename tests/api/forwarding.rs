//! Machines that clients see as one broker: parts of requests on other cores, and connections that are handed over.

use crate::client::*;
use crate::world::{Client, World};
use corelane::base::limits::{FORWARDED_PARTS_MAX, HAND_OVER_STREAK_MIN, WAITING_FETCHES_FORWARDED_MAX};
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

/// acks 0, 1 and all, about both cores: appended once each, answered as asked; an error with acks=0 closes the connection.
#[test]
fn c3_every_kind_of_acks_over_both_cores() {
    let (mut world, clients) = started();
    let all: Vec<_> = (0..4).map(|partition| ("t", partition, Batch::of(1).encode())).collect();
    for (round, acks) in [0, 1, -1].into_iter().enumerate() {
        let client = clients[usize::from(acks == 0)];
        world.hold_flushes = true;
        world.send(client, 9, &produce_request(acks, &all));
        assert!(world.raw_answer(client).is_none(), "acks={acks}: not flushed");
        world.hold_flushes = false;
        world.run();
        if acks == 0 {
            assert!(world.raw_answer(client).is_none() && world.closed(client).is_none());
        } else {
            let answer = world.receive::<ProduceRequest>(client);
            assert_eq!(outcomes(&answer), [(0, round as i64); 4]);
        }
    }
    let mut bad = all.clone();
    bad[3].1 = 9;
    world.send(clients[1], 9, &produce_request(0, &bad));
    assert!(world.closed(clients[1]).is_some());
    let reader = world.connect(1);
    assert!(
        (0..3).all(|partition| world.fetch(reader, "t", partition, 3).high_watermark == 4),
        "the good ones were appended"
    );
}

/// Requests about both cores, and between them one about the asking core alone: each partition sees them in their order.
#[test]
fn c2_requests_about_both_cores_and_about_one_keep_their_order() {
    let (world, _) = started();
    let mut world = crate::fetch::restarted(world);
    let clients = [world.connect(0), world.connect(1)];
    for (core, client) in clients.into_iter().enumerate() {
        let (away, here) = (partition_on(&world, 1 - core, core), partition_on(&world, core, core));
        let id = world.call(client, 4, &crate::produce::init_request()).producer_id.0;
        world.hold_files = true;
        for sequence in 0..3 {
            let both = [away, here].map(|partition| ("t", partition, Batch::of(1).by(id, 0, sequence).encode()));
            world.post(client, 9, &produce_request(-1, &both));
            world.post(client, 9, &sequenced(here, id, 100 + sequence));
        }
        world.run();
        world.hold_files = false;
        world.run();
        for sequence in 0..3 {
            let answer = outcomes(&world.receive::<ProduceRequest>(client));
            assert_eq!(answer, [(0, i64::from(sequence)); 2]);
            // Had it come first, nobody would have known a sequence before it.
            assert_eq!(outcomes(&world.receive::<ProduceRequest>(client))[0].0, 45, "a gap in the sequence");
        }
    }
}

/// Fills a core's journal ring while no file operation ends, so that the next append there has to wait, however small. Gives the
/// client whose request waits already, and how many were answered before.
fn fill_ring(world: &mut World, core: usize, partition: i32) -> (Client, usize) {
    world.hold_files = true;
    let client = world.connect(core);
    for answered in 0..200 {
        world.send(client, 9, &produce_request(-1, &[("t", partition, Batch::of(1).encode())]));
        match world.try_receive::<ProduceRequest>(client) {
            Some(answer) => assert_eq!(outcomes(&answer)[0].0, 0),
            None => return (client, answered),
        }
    }
    panic!("the ring has no end");
}

/// A small ring, so that it is soon full.
const SMALL_RING: &[(&str, &str)] = &[("journal.file.bytes", "65536"), ("message.max.bytes", "32768")];

/// Two cores with small rings, a topic with four partitions, and for each core a client with a producer's identity.
fn started_with_small_rings() -> (World, [(Client, i64); 2]) {
    let mut world = World::new(2, SMALL_RING);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 4, &[]);
    // Loaded already: it is the ring alone that they will wait for.
    (0..4).for_each(|partition| assert_eq!(world.produce(admin, "t", partition, Batch::of(1)), 0));
    let identified = [0, 1].map(|core| {
        let client = world.connect(core);
        let id = world.call(client, 4, &crate::produce::init_request()).producer_id.0;
        (client, id)
    });
    (world, identified)
}

/// The owning core's ring is full: the first of five parts really waits there. None of the later four is begun before it, no request is
/// answered before it, and when there is room all are appended in their order.
#[test]
fn c2_nothing_overtakes_a_part_that_waits_on_its_core() {
    let (mut world, identified) = started_with_small_rings();
    for (core, (client, id)) in identified.into_iter().enumerate() {
        let (away, here) = (partition_on(&world, 1 - core, core), partition_on(&world, core, core));
        let (filler, filled) = fill_ring(&mut world, 1 - core, away);
        assert!(filled > 1, "there was room at first");
        // In between: what could be appended here at once, since this core has room.
        for sequence in 0..5 {
            world.post(client, 9, &sequenced(away, id, sequence));
            world.post(client, 9, &sequenced(here, id, sequence));
        }
        world.run();
        assert!(world.raw_answer(client).is_none(), "the first waits for room");
        assert!(world.brokers[core].forwarded_parts() > 0);
        let other = world.connect(core);
        assert_eq!(world.produce(other, "t", here, Batch::of(1)), 6, "what belongs here has its place already");
        world.hold_files = false;
        world.run();
        let waited = outcomes(&world.receive::<ProduceRequest>(filler))[0].1;
        for sequence in 0..5 {
            let answers = [(); 2].map(|()| outcomes(&world.receive::<ProduceRequest>(client))[0]);
            assert_eq!(answers, [(0, waited + 1 + sequence), (0, 1 + sequence)], "request {sequence}");
        }
        assert_eq!(world.brokers[core].forwarded_parts(), 0);
    }
}

/// The same with a connection that is about to leave for the owning core: it stays until the parts that wait there are answered,
/// and what it sends from there on follows them.
#[test]
fn c2_c26_a_connection_is_not_handed_over_before_its_parts_that_wait() {
    let (mut world, identified) = started_with_small_rings();
    for (core, (client, id)) in identified.into_iter().enumerate() {
        let away = partition_on(&world, 1 - core, core);
        let begun = HAND_OVER_STREAK_MIN as i32 - 2;
        for sequence in 0..begun {
            assert_eq!(outcomes(&world.call(client, 9, &sequenced(away, id, sequence)))[0].0, 0);
        }
        assert_eq!(world.place(client).core, core, "not yet");
        let (filler, _) = fill_ring(&mut world, 1 - core, away);
        (0..5).for_each(|more| world.post(client, 9, &sequenced(away, id, begun + more)));
        world.run();
        assert!(world.raw_answer(client).is_none() && world.is_paused(client), "it wants to leave and waits");
        world.advance(1_000);
        assert_eq!(world.place(client).core, core, "handed over while the owner had parts of it");
        world.hold_files = false;
        world.run();
        let first = outcomes(&world.receive::<ProduceRequest>(filler))[0].1;
        for more in 0..5 {
            let answer = outcomes(&world.receive::<ProduceRequest>(client));
            assert_eq!(answer, [(0, first + 1 + i64::from(more))], "request {more}");
        }
        assert_eq!(world.place(client).core, 1 - core, "handed over");
        for more in 5..10 {
            let answer = outcomes(&world.call(client, 9, &sequenced(away, id, begun + more)));
            assert_eq!(answer, [(0, first + 1 + i64::from(more))], "request {more}, straight to its core");
        }
    }
}

/// What one core alone has does not suffice, what both have does; counted exactly, in however many rounds.
#[test]
fn c11_min_bytes_count_over_all_cores() {
    let batch = Batch { value_bytes: 1_000, ..Batch::of(1) };
    let bytes = batch.encode().len() as i32;
    for wanted in 1..=6 {
        let (mut world, clients) = started();
        let partitions = [partition_on(&world, 0, 0), partition_on(&world, 1, 0)];
        let request = fetch_request(bytes * wanted, 60_000, &partitions.map(|partition| ("t", partition, 0)));
        world.send(clients[0], 11, &request);
        for sent in 1..=wanted {
            assert!(world.raw_answer(clients[0]).is_none(), "{} of {wanted}", sent - 1);
            // All on one core but the last, or in turn.
            let at = if wanted % 2 == 0 { usize::from(sent == wanted) } else { sent as usize % 2 };
            world.produce(clients[1], "t", partitions[at], batch);
        }
        let answer = fetched(&world.receive::<FetchRequest>(clients[0]));
        assert_eq!(answer.iter().map(|one| batches(one).len()).sum::<usize>(), wanted as usize);
    }
}

/// The time is over, the topic is gone, the other core gets records: each ends a Fetch that waits on both cores.
#[test]
fn c11_c22_what_ends_a_fetch_that_waits_on_both_cores() {
    let (mut world, clients) = started();
    let partitions = [partition_on(&world, 0, 0), partition_on(&world, 1, 0)];
    let request = fetch_request(1, 500, &partitions.map(|partition| ("t", partition, 0)));
    world.send(clients[0], 12, &request);
    world.advance(490);
    assert!(world.raw_answer(clients[0]).is_none());
    world.advance(20);
    let empty = fetched(&world.receive::<FetchRequest>(clients[0]));
    assert!(empty.iter().all(|one| one.error_code == 0 && batches(one).is_empty()));
    for (at, partition) in partitions.into_iter().enumerate() {
        let offset = |one: usize| i64::from(one < at);
        let wait = fetch_request(1, 60_000, &[("t", partitions[0], offset(0)), ("t", partitions[1], offset(1))]);
        world.send(clients[0], 12, &wait);
        assert!(world.raw_answer(clients[0]).is_none());
        world.produce(clients[1], "t", partition, Batch::of(1));
        let answer = fetched(&world.receive::<FetchRequest>(clients[0]));
        let found: Vec<_> = answer.iter().map(|one| batches(one).len()).collect();
        assert_eq!(found, if at == 0 { [1, 0] } else { [0, 1] });
    }
    let wait = fetch_request(1, 60_000, &partitions.map(|partition| ("t", partition, 1)));
    world.send(clients[0], 12, &wait);
    assert!(world.raw_answer(clients[0]).is_none());
    assert_eq!(world.call(clients[1], 6, &delete_request("t")).responses[0].error_code, 0);
    let gone = fetched(&world.receive::<FetchRequest>(clients[0]));
    assert_eq!(gone.iter().map(|one| one.error_code).collect::<Vec<_>>(), [3, 3]);
}

/// C10 over both cores: the first partition with records gives a whole batch whatever the bound; the others keep to it.
#[test]
fn c10_max_bytes_bound_the_merged_answer() {
    let (mut world, clients) = started();
    let batch = Batch { value_bytes: 5_000, ..Batch::of(1) };
    for partition in 0..4 {
        for offset in 0..3 {
            assert_eq!(world.produce(clients[0], "t", partition, batch), offset);
        }
    }
    let names: Vec<_> = (0..4).map(|partition| ("t", partition, 0)).collect();
    for (max_bytes, most) in [(1, 1), (5_500, 1), (11_000, 2), (25_000, 4), (50 << 20, 12)] {
        let request = fetch_request(1, 0, &names).with_max_bytes(max_bytes);
        let answer = fetched(&world.call(clients[1], 11, &request));
        let counts: Vec<_> = answer.iter().map(|one| batches(one).len()).collect();
        let all: usize = counts.iter().sum();
        assert!((1..=most).contains(&all), "{max_bytes} bytes: {counts:?}");
        assert_eq!((answer.len(), all == 12), (4, max_bytes == 50 << 20));
    }
}

/// An incremental session over both cores: what did not change is left out; it ends when the connection goes home.
#[test]
fn a_fetch_session_spans_cores_and_ends_with_a_hand_over() {
    let (mut world, clients) = started();
    let partitions = [partition_on(&world, 0, 0), partition_on(&world, 1, 0)];
    let both = fetch_request(1, 0, &partitions.map(|partition| ("t", partition, 0))).with_session_epoch(0);
    let first = world.call(clients[0], 12, &both);
    assert!(first.session_id > 0 && fetched(&first).len() == 2);
    let go_on = |epoch: i32| fetch_request(1, 0, &[]).with_session_id(first.session_id).with_session_epoch(epoch);
    assert!(fetched(&world.call(clients[0], 12, &go_on(1))).is_empty(), "nothing is new");
    world.produce(clients[1], "t", partitions[1], Batch::of(1));
    let news = fetched(&world.call(clients[0], 12, &go_on(2)));
    assert_eq!(news.iter().map(|one| one.partition_index).collect::<Vec<_>>(), [partitions[1]]);
    // A session about the other core alone: the connection leaves, the session does not go with it.
    let away = fetch_request(1, 0, &[("t", partitions[1], 0)]).with_session_epoch(0);
    let begun = world.call(clients[0], 12, &away);
    let go_on = |epoch: i32| fetch_request(1, 0, &[]).with_session_id(begun.session_id).with_session_epoch(epoch);
    let mut codes: Vec<i16> = (1..=9).map(|epoch| world.call(clients[0], 12, &go_on(epoch)).error_code).collect();
    assert_eq!(world.place(clients[0]).core, 1, "handed over");
    assert_eq!(codes.pop(), Some(70));
    assert!(codes.iter().all(|code| [0, 70].contains(code)), "{codes:?}");
}

/// Clients leave while parts of theirs are under way, on the mesh or on the other core: nothing is left of them, and the machine stops.
#[test]
fn clients_leave_while_their_parts_are_under_way() {
    let (mut world, clients) = started();
    let both = [partition_on(&world, 0, 0), partition_on(&world, 1, 0)];
    for round in 0..6 {
        let client = world.connect(round % 2);
        world.run();
        world.hold_mesh = round % 3 == 0;
        world.hold_flushes = round % 3 == 1;
        world.post(client, 9, &produce_request(-1, &both.map(|one| ("t", one, Batch::of(1).encode()))));
        world.post(client, 12, &fetch_request(1, 60_000, &both.map(|one| ("t", one, 1_000))));
        world.post(client, 12, &fetch_request(1 << 20, 60_000, &both.map(|one| ("t", one, 0))));
        world.run();
        world.disconnect(client);
        (world.hold_mesh, world.hold_flushes) = (false, false);
        world.run();
    }
    assert_eq!(world.produce(clients[0], "t", both[1], Batch::of(1)), 6, "each of them was appended");
    // The one core has nothing to do but to wait for the other one's flush.
    let waiting = world.connect(1);
    world.send(waiting, 12, &fetch_request(1, 60_000, &both.map(|one| ("t", one, 7))));
    world.hold_flushes = true;
    world.send(clients[0], 9, &produce_request(-1, &[("t", both[1], Batch::of(1).encode())]));
    world.stop_soon();
    world.run();
    assert_eq!(world.stopped, [false, false], "an answer is owed");
    world.hold_flushes = false;
    world.run();
    world.advance(100);
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(clients[0])), [(0, 7)]);
    assert_eq!(world.stopped, [true, true]);
}

/// Found by thousands of clients of one broker: each core had set all its memory for answers aside for what it asked the other
/// one, where its parts waited for memory. No Fetch with data was answered any more.
#[test]
fn cores_that_ask_each_other_do_not_wait_for_each_others_memory() {
    let mut world = World::new(2, &[("fetch.memory.bytes", "4194304")]);
    let first = world.connect(0);
    world.create_topic(first, "t", 4, &[]);
    for partition in 0..4 {
        world.produce(first, "t", partition, Batch::of(1));
    }
    let readers: Vec<_> = (0..40).map(|number| world.connect(number % 2)).collect();
    world.run();
    world.hold_mesh = true;
    for (number, reader) in readers.iter().enumerate() {
        let away = partition_on(&world, 1 - number % 2, 0);
        world.post(*reader, 11, &fetch_request(1, 0, &[("t", away, 0)]));
    }
    world.run();
    assert!(world.brokers.iter().all(|broker| broker.starves_since_ms().is_some()), "what is asked for is bounded");
    world.hold_mesh = false;
    world.run();
    for reader in readers {
        assert_eq!(batches(&fetched(&world.receive::<FetchRequest>(reader))[0]).len(), 1);
    }
    assert!(world.brokers.iter().all(|broker| broker.starves_since_ms().is_none()));
}

/// As many parts as may be are under way: further requests wait, the core does not turn idly (the world would never end its
/// run), and all are answered in their order when the other core answers.
#[test]
fn parts_under_way_are_bounded_and_nobody_turns_idly_meanwhile() {
    let (mut world, _) = started();
    let away = partition_on(&world, 1, 0);
    let per_client = 200;
    let clients: Vec<_> = (0..FORWARDED_PARTS_MAX / per_client + 10).map(|_| world.connect(0)).collect();
    world.run();
    world.hold_mesh = true;
    let request = crate::list_offsets::request("t", &[(away, -1)]);
    for client in &clients {
        (0..per_client).for_each(|_| world.post(*client, 5, &request));
        world.run();
    }
    assert_eq!(world.brokers[0].forwarded_parts(), FORWARDED_PARTS_MAX);
    world.hold_mesh = false;
    world.run();
    for client in clients {
        for _ in 0..per_client {
            assert_eq!(world.receive::<ListOffsetsRequest>(client).topics[0].partitions[0].offset, 0);
        }
    }
    assert_eq!(world.brokers[0].forwarded_parts(), 0);
}

/// As many Fetches wait on both cores as may: each further one takes the place of the one that has waited longest, whose client gets what
/// there is, and everybody else is served all the while.
#[test]
fn c11_fetches_that_wait_on_several_cores_are_bounded() {
    // Memory for the first rounds of all of them: they are begun in few turns.
    let mut world = World::new(2, &[("fetch.memory.bytes", "1099511627776")]);
    let clients = [world.connect(0), world.connect(1)];
    world.create_topic(clients[0], "t", 4, &[]);
    let both = [partition_on(&world, 0, 0), partition_on(&world, 1, 0)];
    let per_client = 128;
    let readers: Vec<_> = (0..WAITING_FETCHES_FORWARDED_MAX / per_client).map(|_| world.connect(0)).collect();
    let wait = fetch_request(1 << 20, 60_000, &both.map(|one| ("t", one, 0))).with_max_bytes(1 << 20);
    for reader in &readers {
        (0..per_client).for_each(|_| world.post(*reader, 12, &wait));
    }
    world.run();
    assert_eq!(world.brokers[0].waiting_fetches_forwarded(), WAITING_FETCHES_FORWARDED_MAX);
    assert!(readers.iter().all(|reader| world.raw_answer(*reader).is_none()), "all of them wait");
    assert_eq!(world.brokers[0].forwarded_parts(), 0, "they are in nobody's way");
    for partition in both {
        assert_eq!(world.produce(clients[0], "t", partition, Batch::of(1)), 0);
    }
    let late = world.connect(0);
    (0..3).for_each(|_| world.post(late, 12, &wait));
    world.run();
    assert_eq!(world.brokers[0].waiting_fetches_forwarded(), WAITING_FETCHES_FORWARDED_MAX);
    for _ in 0..3 {
        let answer = fetched(&world.receive::<FetchRequest>(readers[0]));
        assert!(answer.iter().all(|one| one.error_code == 0 && batches(one).len() == 1), "what there is");
    }
    assert!(world.raw_answer(readers[0]).is_none() && world.raw_answer(late).is_none(), "as many as came");
    // At one go: each turn looks at all of them to check that they are what they should be.
    world.now.monotonic_ns += 61_000_000_000;
    world.advance(10);
    for (reader, owed) in readers.iter().map(|reader| (*reader, per_client)).chain([(late, 3)]) {
        let taken = if reader == readers[0] { 3 } else { 0 };
        (taken..owed).for_each(|_| drop(world.receive::<FetchRequest>(reader)));
    }
    assert_eq!(world.brokers[0].waiting_fetches_forwarded(), 0);
}

/// Found by the test above: parts of one connection were answered in their order by the owning core, so the first round of a later Fetch
/// waited behind the watches of an earlier one, with memory set aside for it. A few Fetches that one client sent ahead kept all others
/// from their data for as long as those waited.
#[test]
fn fetches_that_wait_on_several_cores_hold_no_memory() {
    let mut world = World::new(2, &[("fetch.memory.bytes", "4194304")]);
    let first = world.connect(0);
    world.create_topic(first, "t", 4, &[]);
    let both = [partition_on(&world, 0, 0), partition_on(&world, 1, 0)];
    let with_data = [partition_on(&world, 0, 1), partition_on(&world, 1, 1)];
    for partition in with_data {
        world.produce(first, "t", partition, Batch::of(1));
    }
    let ahead = world.connect(0);
    let wait = fetch_request(1, 60_000, &both.map(|one| ("t", one, 0)));
    (0..40).for_each(|_| world.post(ahead, 12, &wait));
    world.run();
    assert_eq!(world.brokers[0].waiting_fetches_forwarded(), 40, "each of them has been planned");
    let reader = world.connect(0);
    for (partition, records) in with_data.into_iter().chain(both).zip([1, 1, 0, 0]) {
        let answer = fetched(&world.call(reader, 12, &fetch_request(1, 0, &[("t", partition, 0)])));
        assert_eq!(batches(&answer[0]).len(), records);
    }
    assert!(world.raw_answer(ahead).is_none());
    world.produce(first, "t", both[1], Batch::of(1));
    for number in 0..40 {
        let answer = fetched(&world.receive::<FetchRequest>(ahead));
        assert_eq!(answer.iter().map(|one| batches(one).len()).sum::<usize>(), 1, "answer {number}");
    }
}
