//! Produce: order of append, flush and answer; refusals; idempotence; holding back.

use crate::client::*;
use crate::world::{World, per_machine};
use kafka_protocol::messages::{FetchRequest, InitProducerIdRequest, ProduceRequest, TransactionalId};

#[test]
fn an_answer_waits_for_the_flush_whatever_acks_say() {
    for acks in [1, -1] {
        let mut world = World::new(1, &[]);
        let client = world.connect(0);
        world.create_topic(client, "t", 1, &[]);
        world.hold_flushes = true;
        world.send(client, 9, &produce_request(acks, &[("t", 0, Batch::of(3).encode())]));
        assert!(world.try_receive::<ProduceRequest>(client).is_none(), "not flushed yet");
        let unflushed = world.connect(0);
        let seen = world.fetch(unflushed, "t", 0, 0);
        assert_eq!((seen.high_watermark, batches(&seen).len()), (0, 0), "not to be seen before the flush");
        world.hold_flushes = false;
        world.run();
        assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(0, 0)]);
        let seen = world.fetch(unflushed, "t", 0, 0);
        assert_eq!((seen.high_watermark, batches(&seen)), (3, vec![(0, 0)]));
    }
}

#[test]
fn durability_memory_is_answered_at_once() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("durability", "memory")]);
    world.hold_flushes = true;
    assert_eq!(world.produce(client, "t", 0, Batch::of(2)), 0);
    assert_eq!(world.produce(client, "t", 0, Batch::of(2)), 2);
}

#[test]
fn c2_pipelined_batches_are_appended_and_answered_in_order() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    for count in 1..=5 {
        world.post(client, 9, &produce_request(-1, &[("t", 0, Batch::of(count).encode())]));
    }
    world.run();
    let offsets: Vec<_> = (0..5).map(|_| outcomes(&world.receive::<ProduceRequest>(client))[0]).collect();
    assert_eq!(offsets, [(0, 0), (0, 1), (0, 3), (0, 6), (0, 10)]);
}

#[test]
fn c29_every_version_appends_and_names_every_partition() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    for version in 3..=11 {
        let base = i64::from(version - 3);
        let request = produce_request(
            -1,
            &[
                ("t", 0, Batch::of(1).encode()),
                ("missing", 0, Batch::of(1).encode()),
                ("t", 2, Batch::of(1).encode()),
                ("t", -1, Batch::of(1).encode()),
                ("t", 1, Batch::of(1).encode()),
            ],
        );
        let response = world.call(client, version, &request);
        assert_eq!(response.throttle_time_ms, 0);
        let answered: Vec<_> = response
            .responses
            .iter()
            .flat_map(|topic| topic.partition_responses.iter().map(|one| (&**topic.name, one.index)))
            .collect();
        assert_eq!(answered, [("t", 0), ("t", 2), ("t", -1), ("t", 1), ("missing", 0)], "version {version}");
        assert_eq!(outcomes(&response), [(0, base), (3, -1), (3, -1), (0, base), (3, -1)], "version {version}");
        let first = &produced(&response)[0];
        assert_eq!((first.log_append_time_ms, first.log_start_offset), (-1, if version >= 5 { 0 } else { -1 }));
    }
}

#[test]
fn c3_acks_0_is_never_answered_and_closes_on_error() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.send(client, 9, &produce_request(0, &[("t", 0, Batch::of(1).encode())]));
    assert!(world.raw_answer(client).is_none());
    assert_eq!(world.brokers[0].counters().appended_batches, 1);
    assert_eq!(world.closed(client), None);
    world.send(client, 9, &produce_request(0, &[("missing", 0, Batch::of(1).encode())]));
    assert!(world.raw_answer(client).is_none());
    assert!(world.closed(client).is_some());
}

#[test]
fn c23_c24_c27_e1_wrong_acks_and_bad_batches_get_kafkas_codes() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("max.message.bytes", "1000")]);
    let batch = Batch::of(2);
    let two = [batch.encode(), batch.encode()].concat();
    let cases: Vec<(&str, Vec<u8>, i16)> = vec![
        ("empty", Vec::new(), 87),
        ("two batches", two, 87),
        ("base offset", Batch { base_offset: 5, ..batch }.encode(), 87),
        ("control", Batch { attributes: 0x20, ..batch }.encode(), 87),
        ("count", Batch { last_offset_delta: Some(5), ..batch }.encode(), 87),
        ("no record", Batch { count: 0, ..batch }.encode(), 87),
        ("magic 1", Batch { magic: 1, ..batch }.encode(), 87),
        ("magic 3", Batch { magic: 3, ..batch }.encode(), 2),
        ("crc", Batch { bad_crc: true, ..batch }.encode(), 2),
        ("producer without sequence", batch.by(7, 0, -1).encode(), 87),
        ("too large", Batch { value_bytes: 1000, ..batch }.encode(), 10),
        ("transactional without id", Batch { attributes: 0x10, ..batch }.encode(), 53),
        ("cut off", batch.encode()[..70].to_vec(), 87),
    ];
    for (what, records, code) in cases {
        let response = world.call(client, 9, &produce_request(-1, &[("t", 0, records)]));
        assert_eq!(outcomes(&response), [(code, -1)], "{what}");
    }
    for acks in [2, -2, i16::MAX] {
        let response = world.call(client, 9, &produce_request(acks, &[("t", 0, batch.encode())]));
        assert_eq!(outcomes(&response), [(21, -1)]);
    }
    let transactional = produce_request(-1, &[("t", 0, Batch { attributes: 0x10, ..batch }.by(1, 0, 0).encode())])
        .with_transactional_id(Some(TransactionalId(text("x"))));
    assert_eq!(outcomes(&world.call(client, 9, &transactional)), [(48, -1)]);
    let mut null = produce_request(-1, &[("t", 0, Vec::new())]);
    null.topic_data[0].partition_data[0].records = None;
    assert_eq!(outcomes(&world.call(client, 9, &null)), [(42, -1)]);
    // zstd is known from version 7 on.
    let zstd = produce_request(-1, &[("t", 0, Batch { attributes: 4, ..batch }.encode())]);
    assert_eq!(outcomes(&world.call(client, 6, &zstd)), [(76, -1)]);
    assert_eq!(world.brokers[0].counters().appended_batches, 0, "nothing of this was appended");
    let trailing = [batch.encode(), vec![0; 9]].concat();
    assert_eq!(outcomes(&world.call(client, 9, &produce_request(-1, &[("t", 0, trailing)]))), [(0, 0)]);
    assert_eq!(world.produce(client, "t", 0, batch), 2, "the trailing bytes took no offset");
}

#[test]
fn c26_duplicates_get_their_first_offset_and_wait_for_its_flush() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let id = world.call(client, 4, &init_request()).producer_id.0;
    world.hold_flushes = true;
    let request = |sequence| produce_request(-1, &[("t", 0, Batch::of(2).by(id, 0, sequence).encode())]);
    world.post(client, 9, &request(0));
    world.post(client, 9, &request(2));
    world.post(client, 9, &request(0));
    world.run();
    assert!(world.raw_answer(client).is_none(), "a duplicate of what is not flushed waits too");
    world.hold_flushes = false;
    world.run();
    let offsets: Vec<_> = (0..3).map(|_| outcomes(&world.receive::<ProduceRequest>(client))[0]).collect();
    assert_eq!(offsets, [(0, 0), (0, 2), (0, 0)]);
    let mut answer = |request| outcomes(&world.call(client, 9, &request))[0];
    assert_eq!(answer(request(2)), (0, 2), "again, after the flush");
    assert_eq!(answer(request(6)), (45, -1), "a gap");
    let newer = |epoch, sequence| produce_request(-1, &[("t", 0, Batch::of(1).by(id, epoch, sequence).encode())]);
    assert_eq!(answer(newer(1, 3)), (45, -1), "a new epoch begins at 0");
    assert_eq!(answer(newer(1, 0)), (0, 4));
    assert_eq!(answer(newer(0, 4)), (47, -1), "the old epoch is fenced");
}

pub fn init_request() -> InitProducerIdRequest {
    InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(-1)
}

#[test]
fn a_partition_of_another_core_is_refused_with_a_hint() {
    if per_machine() {
        return every_core_takes_every_partition();
    }
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    let leader = world.leader(client, "t", 0);
    let stranger = world.connect(1 - leader);
    let request = produce_request(-1, &[("t", 0, Batch::of(1).encode())]);
    for version in 3..=11 {
        let response = world.call(stranger, version, &request);
        assert_eq!(outcomes(&response), [(6, -1)]);
        let hint = produced(&response)[0].current_leader.clone();
        if version >= 10 {
            assert_eq!((hint.leader_id.0, hint.leader_epoch), (leader as i32, 0));
            let endpoint = &response.node_endpoints[0];
            assert_eq!((endpoint.node_id.0, endpoint.port), (leader as i32, 9092 + leader as i32));
            assert_eq!(&*endpoint.host, "127.0.0.1");
        } else {
            assert!(response.node_endpoints.is_empty());
        }
    }
    let friend = world.connect(leader);
    assert_eq!(world.produce(friend, "t", 0, Batch::of(1)), 0);
}

fn every_core_takes_every_partition() {
    let mut world = World::new(2, &[]);
    let clients = [world.connect(0), world.connect(1)];
    world.create_topic(clients[0], "t", 2, &[]);
    for version in 3..=11 {
        for client in clients {
            let both = [("t", 0, Batch::of(1).encode()), ("t", 1, Batch::of(1).encode())];
            let response = world.call(client, version, &produce_request(-1, &both));
            let offset = i64::from(version - 3) * 2 + client.core as i64;
            assert_eq!(outcomes(&response), [(0, offset), (0, offset)]);
            assert!(response.node_endpoints.is_empty());
        }
    }
}

#[test]
fn c28_log_append_time_is_stamped_and_told() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    let response = world.call(client, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
    assert_eq!(produced(&response)[0].log_append_time_ms, world.now.wall_ms);
    let records = world.fetch(client, "t", 0, 0).records.expect("never null");
    let attributes = i16::from_be_bytes(records[21..23].try_into().expect("two bytes"));
    let max_timestamp = i64::from_be_bytes(records[35..43].try_into().expect("eight bytes"));
    assert_eq!((attributes & 8, max_timestamp), (8, world.now.wall_ms));
    assert_eq!(u32::from_be_bytes(records[17..21].try_into().expect("four bytes")), crc32c::crc32c(&records[21..]));
}

#[test]
fn a_produce_past_its_timeout_is_answered_so() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.hold_flushes = true;
    world.send(client, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode()), ("no", 0, Batch::of(1).encode())]));
    world.advance(4_900);
    assert!(world.raw_answer(client).is_none());
    world.advance(300);
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(7, -1), (3, -1)]);
    world.hold_flushes = false;
    world.run();
    assert!(world.raw_answer(client).is_none(), "answered once");
    assert_eq!(batches(&world.fetch(client, "t", 0, 0)).len(), 1);
}

#[test]
fn a_failed_flush_ends_what_waits_and_reads_go_on() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    assert_eq!(world.produce(client, "t", 0, Batch::of(1)), 0);
    world.fail_flush = true;
    world.send(client, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(56, -1)]);
    let response = world.call(client, 9, &produce_request(-1, &[("t", 0, Batch::of(1).encode())]));
    assert_eq!(outcomes(&response), [(56, -1)]);
    assert_eq!(batches(&world.fetch(client, "t", 0, 0)), [(0, 0)]);
}

#[test]
fn a_full_ring_holds_the_connection_back_and_loses_nothing() {
    let mut world = World::new(1, &[("journal.files", "3")]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.hold_files = true;
    let batch = Batch { value_bytes: 90_000, ..Batch::of(1) };
    for _ in 0..60 {
        world.post(client, 9, &produce_request(-1, &[("t", 0, batch.encode())]));
    }
    world.run();
    let answered = std::iter::from_fn(|| world.try_receive::<ProduceRequest>(client)).count();
    assert!((10..50).contains(&answered), "{answered} answered before the ring was full");
    world.hold_files = false;
    for _ in 0..20 {
        world.advance(50);
    }
    let rest: Vec<_> = std::iter::from_fn(|| world.try_receive::<ProduceRequest>(client)).collect();
    assert_eq!(rest.len(), 60 - answered);
    for (response, at) in rest.iter().zip(answered as i64..) {
        assert_eq!(outcomes(response), [(0, at)]);
    }
}

#[test]
fn a_full_disk_refuses_appends_and_goes_on_reading() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    assert_eq!(world.produce(client, "t", 0, Batch::of(1)), 0);
    world.set_free_bytes(1 << 16);
    let request = produce_request(-1, &[("t", 0, Batch::of(1).encode())]);
    assert_eq!(outcomes(&world.call(client, 9, &request)), [(56, -1)]);
    assert_eq!(batches(&world.fetch(client, "t", 0, 0)), [(0, 0)]);
    world.set_free_bytes(1 << 40);
    assert_eq!(outcomes(&world.call(client, 9, &request)), [(0, 1)]);
}

#[test]
fn deletion_ends_a_parked_produce() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let admin = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    world.hold_flushes = true;
    world.send(client, 9, &produce_request(-1, &[("t", 1, Batch::of(1).encode())]));
    assert!(world.raw_answer(client).is_none());
    assert_eq!(world.call(admin, 6, &delete_request("t")).responses[0].error_code, 0);
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(3, -1)]);
    world.hold_flushes = false;
    world.run();
}

#[test]
fn produce_and_fetch_send_nothing_to_other_cores() {
    let mut world = World::new(2, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 4, &[]);
    world.advance(500);
    let before: Vec<_> = world.brokers.iter().map(|broker| broker.counters().messages_sent).collect();
    for partition in 0..4 {
        let core = world.owner("t", partition);
        let client = world.connect(core);
        assert_eq!(world.produce(client, "t", partition, Batch::of(1)), 0);
        assert_eq!(batches(&world.fetch(client, "t", partition, 0)).len(), 1);
        world.send(client, 11, &fetch_request(1, 500, &[("t", partition, 1)]));
        world.advance(600);
        assert_eq!(world.receive::<FetchRequest>(client).responses.len(), 1);
    }
    let after: Vec<_> = world.brokers.iter().map(|broker| broker.counters().messages_sent).collect();
    assert_eq!(before, after);
}

#[test]
fn c25_a_compacted_topic_names_the_records_without_a_key() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("cleanup.policy", "compact")]);
    let keyless = produce_request(-1, &[("t", 0, Batch::of(3).encode())]);
    let response = world.call(client, 9, &keyless);
    assert_eq!(outcomes(&response), [(87, -1)]);
    let refused: Vec<_> = produced(&response)[0].record_errors.iter().map(|error| error.batch_index).collect();
    assert_eq!(refused, [0, 1, 2]);
    assert_eq!(outcomes(&world.call(client, 7, &keyless)), [(87, -1)], "an older version has no place for them");
    assert_eq!(world.produce(client, "t", 0, Batch { keyed: true, ..Batch::of(3) }), 0);
}

#[test]
fn a_request_held_half_way_learns_what_happened_to_its_first_half() {
    let mut world = World::new(1, &[("journal.files", "3")]);
    let (client, admin) = (world.connect(0), world.connect(0));
    for topic in ["gone", "t"] {
        world.create_topic(client, topic, 1, &[]);
    }
    world.hold_files = true;
    world.hold_flushes = true;
    let large = Batch { value_bytes: 90_000, ..Batch::of(1) };
    for _ in 0..60 {
        let filler = world.connect(0);
        world.post(filler, 9, &produce_request(-1, &[("t", 0, large.encode())]));
    }
    world.run();
    world.send(client, 9, &produce_request(-1, &[("gone", 0, Batch::of(1).encode()), ("t", 0, large.encode())]));
    assert!(world.raw_answer(client).is_none());
    assert_eq!(world.call(admin, 6, &delete_request("gone")).responses[0].error_code, 0);
    world.hold_files = false;
    world.hold_flushes = false;
    world.advance(1_000);
    let outcomes = outcomes(&world.receive::<ProduceRequest>(client));
    assert_eq!((outcomes[0], outcomes[1].0), ((3, -1), 0));
}
