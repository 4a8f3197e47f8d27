//! Behaviours of Kafka that clients depend on, by number, where no other file tells them; and edge cases seen on its wire.

use crate::client::*;
use crate::world::World;
use kafka_protocol::messages::fetch_request::FetchPartition;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::*;
use uuid::Uuid;

#[test]
fn c8_records_are_never_null_not_even_with_an_error() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    for version in 4..=12 {
        let request = fetch_request(0, 0, &[("t", 0, 0), ("t", 0, 99), ("missing", 0, 0), ("t", 7, 0)]);
        let partitions = fetched(&world.call(client, version, &request));
        let codes: Vec<_> = partitions.iter().map(|one| one.error_code).collect();
        assert_eq!(codes, [0, 1, 3, 3]);
        for partition in partitions {
            assert_eq!(partition.records.as_ref().map(|records| records.len()), Some(0), "version {version}");
            let ends = (partition.high_watermark, partition.last_stable_offset);
            assert_eq!(ends, if partition.error_code == 0 { (0, 0) } else { (-1, -1) });
            assert!(partition.aborted_transactions.is_none());
        }
    }
}

#[test]
fn c16_c17_batches_carry_the_epoch_of_their_append() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(1));
    world = crate::fetch::restarted(world);
    let client = world.connect(0);
    world.produce(client, "t", 0, Batch::of(1));
    assert_eq!(world.read_all(client, "t", 0).iter().map(|one| one.leader_epoch).collect::<Vec<_>>(), [0, 1]);
}

#[test]
fn c26_sequences_wrap_and_unknown_producers_may_begin_anywhere() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let batch = |count, sequence| Batch::of(count).by(77, 3, sequence);
    assert_eq!(world.produce(client, "t", 0, batch(2, i32::MAX - 2)), 0, "no state yet: any sequence");
    assert_eq!(world.produce(client, "t", 0, batch(3, i32::MAX)), 2, "it wraps inside this batch");
    assert_eq!(world.produce(client, "t", 0, batch(1, 2)), 5, "and goes on behind zero");
    assert_eq!(world.produce(client, "t", 0, batch(3, i32::MAX)), 2, "a duplicate over the wrap");
}

/// C26: each of the last five batches of a producer is known again with its offset; what is older, or only overlaps, is a gap.
#[test]
fn c26_the_last_five_batches_are_known() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let batch = |sequence| Batch::of(2).by(77, 0, sequence);
    for at in 0..7 {
        assert_eq!(world.produce(client, "t", 0, batch(2 * at)), i64::from(2 * at));
    }
    for restart in [false, true] {
        if restart {
            world = crate::fetch::restarted(world);
        }
        let client = world.connect(0);
        let mut answer = |batch: Batch| {
            let response = world.call(client, 9, &produce_request(-1, &[("t", 0, batch.encode())]));
            outcomes(&response)[0]
        };
        for at in 0..7 {
            let expected = if at < 2 { (45, -1) } else { (0, i64::from(2 * at)) };
            assert_eq!(answer(batch(2 * at)), expected, "batch {at}, after a restart: {restart}");
        }
        assert_eq!(answer(batch(13)), (45, -1), "E1: it overlaps the end of the last one");
        assert_eq!(answer(Batch::of(4).by(77, 0, 10)), (45, -1), "E1: two batches as one");
        assert_eq!(answer(Batch::of(1).by(77, 0, 12)), (45, -1), "E1: half of the last one");
    }
}

#[test]
fn c44_a_new_topic_can_be_used_when_its_creation_is_answered() {
    let mut world = World::new(2, &[]);
    for core in 0..2 {
        let client = world.connect(core);
        let name = format!("t-{core}");
        world.create_topic(client, &name, 4, &[]);
        for partition in 0..4 {
            let leader = world.leader(client, &name, partition);
            let producer = world.connect(leader);
            assert_eq!(world.produce(producer, &name, partition, Batch::of(1)), 0);
        }
    }
}

#[test]
fn c46_a_batch_across_the_new_start_is_served_whole() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(5));
    world.produce(client, "t", 0, Batch::of(5));
    let response = world.call(client, 2, &delete_records_request("t", 0, 7));
    let partition = &response.topics[0].partitions[0];
    assert_eq!((partition.error_code, partition.low_watermark), (0, 7));
    assert_eq!(world.fetch(client, "t", 0, 6).error_code, 1);
    assert_eq!(batches(&world.fetch(client, "t", 0, 7))[0].0, 5, "the whole batch");
    let response = world.call(client, 2, &delete_records_request("t", 0, -1));
    assert_eq!(response.topics[0].partitions[0].low_watermark, 10, "up to the high watermark");
}

#[test]
fn e2_what_only_the_payload_would_tell_is_accepted() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let reseal = |at: usize, bytes: &[u8]| {
        let mut batch = Batch::of(2).encode();
        batch[at..at + bytes.len()].copy_from_slice(bytes);
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    };
    let cases: [(&str, Vec<u8>); 7] = [
        ("wrong max timestamp", reseal(35, &5i64.to_be_bytes())),
        ("unused attribute bits", reseal(21, &[0x40, 0])),
        ("LogAppendTime bit", reseal(21, &[0, 0x08])),
        ("delete horizon bit", reseal(21, &[0, 0x40])),
        ("negative timestamps", reseal(27, &[(-5i64).to_be_bytes(), (-5i64).to_be_bytes()].concat())),
        ("producer id -2", reseal(43, &(-2i64).to_be_bytes())),
        ("incomplete bytes behind", [Batch::of(2).encode(), vec![1; 20]].concat()),
    ];
    for (index, (what, batch)) in cases.into_iter().enumerate() {
        let response = world.call(client, 9, &produce_request(-1, &[("t", 0, batch)]).with_timeout_ms(-1));
        assert_eq!(outcomes(&response), [(0, 2 * index as i64)], "{what}");
    }
    let unknown = Batch::of(1).by(99, 3, 17).encode();
    assert_eq!(outcomes(&world.call(client, 9, &produce_request(-1, &[("t", 0, unknown)]))), [(0, 14)]);
    let named = produce_request(-1, &[("t", 0, Batch::of(1).encode())]);
    let named = named.with_transactional_id(Some(TransactionalId(text("x"))));
    assert_eq!(outcomes(&world.call(client, 9, &named)), [(0, 15)], "a transactional id with a plain batch");
    // The deltas of the records inside.
    for (at, deltas) in [[0u8, 0], [2, 4]].into_iter().enumerate() {
        let mut batch = Batch { value_bytes: 0, ..Batch::of(2) }.encode();
        let record = (batch.len() - 61) / 2;
        for (index, delta) in deltas.into_iter().enumerate() {
            batch[61 + index * record + 3] = delta;
        }
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        let response = world.call(client, 9, &produce_request(-1, &[("t", 0, batch)]));
        assert_eq!(outcomes(&response), [(0, 16 + 2 * at as i64)], "deltas {deltas:?}");
    }
    let trailing = [Batch::of(1).encode(), vec![7; 5]].concat();
    let length = (trailing.len() - 12) as i32;
    let inside = {
        let mut batch = trailing;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    };
    let response = world.call(client, 9, &produce_request(-1, &[("t", 0, inside)]));
    assert_eq!(outcomes(&response), [(0, 20)], "E1: bytes behind the last record; Kafka decodes and says 87");
}

/// E2: a topic or partition named twice is appended and answered once, with the records that came last.
#[test]
fn e2_a_partition_named_twice_is_appended_once() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 2, &[]);
    let batch = |count| Batch::of(count).encode();
    for version in 3..=11 {
        let base = 3 * i64::from(version - 3);
        let mut twice = produce_request(-1, &[("t", 1, batch(1)), ("u", 0, batch(1)), ("t", 0, batch(2))]);
        let again = twice.topic_data[0].partition_data[0].clone().with_records(Some(batch(3).into()));
        twice.topic_data[2].partition_data.push(again);
        let response = world.call(client, version, &twice);
        let names: Vec<_> = response.responses.iter().map(|topic| topic.name.to_string()).collect();
        assert_eq!(names, ["t", "u"]);
        let answers: Vec<_> =
            produced(&response).iter().map(|one| (one.index, one.error_code, one.base_offset)).collect();
        assert_eq!(answers, [(1, 0, base), (0, 0, base / 3 * 2), (0, 3, -1)], "version {version}");
    }
    assert_eq!(world.read_all(client, "t", 1).len(), 9, "one batch each time");
    // With acks=0 as well.
    let silent = produce_request(0, &[("t", 0, batch(1)), ("t", 0, batch(1))]);
    let other = world.connect(0);
    world.send(other, 9, &silent);
    assert_eq!(world.fetch(client, "t", 0, 0).high_watermark, 19);
}

#[test]
fn e3_where_kafka_never_answers_there_is_an_error() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let mut request = produce_request(-1, &[("t", 0, Vec::new()), ("t", 1, Batch::of(1).encode())]);
    request.topic_data[0].partition_data[0].records = None;
    for version in 3..=11 {
        assert_eq!(outcomes(&world.call(client, version, &request)), [(42, -1), (3, -1)], "version {version}");
    }
    world.send(client, 9, &request.with_acks(0));
    assert!(world.raw_answer(client).is_none() && world.closed(client).is_some());
}

#[test]
fn e4_odd_numbers_in_fetch_and_list_offsets() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    world.produce(client, "t", 0, Batch::of(1));
    assert_eq!(world.fetch(client, "t", 0, -1).error_code, 1);
    let mut epoch = fetch_request(0, 0, &[("t", 0, 0)]);
    epoch.topics[0].partitions[0].current_leader_epoch = -2;
    assert_eq!(fetched(&world.call(client, 11, &epoch))[0].error_code, 0, "a negative epoch is not checked");
    for (version, isolation) in [(4, 2), (4, -1), (11, 2), (11, -1), (17, 2), (17, -1)] {
        let odd = fetch_request(0, 0, &[]).with_isolation_level(isolation);
        let response = world.call(client, version, &odd);
        assert_eq!(response.error_code, if version >= 7 { 42 } else { 0 }, "Kafka says -1");
        assert!(response.responses.is_empty());
    }
    let mut tiny = fetch_request(0, 0, &[("t", 0, 0)]);
    tiny.topics[0].partitions[0] = FetchPartition::default().with_partition(0).with_partition_max_bytes(-1);
    let partition = fetched(&world.call(client, 11, &tiny)).remove(0);
    assert_eq!((partition.error_code, batches(&partition).len()), (0, 1), "no bound below one batch");
    let mut code = |timestamps: &[(i32, i64)]| -> Vec<i16> {
        let response = world.call(client, 9, &crate::list_offsets::request("t", timestamps));
        response.topics.iter().flat_map(|topic| topic.partitions.iter().map(|one| one.error_code)).collect()
    };
    assert_eq!(code(&[(0, -7)]), [35]);
    assert_eq!(code(&[(0, -1), (0, 5)]), [42, 42]);
    assert_eq!(code(&[]), [] as [i16; 0]);
}

#[test]
fn e5_odd_topics_in_metadata() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    let id = world.create_topic(client, "t", 1, &[]);
    let topic = |name: Option<&str>, id: Uuid| {
        MetadataRequestTopic::default().with_name(name.map(topic_name)).with_topic_id(id)
    };
    let topics = vec![topic(None, Uuid::nil()), topic(Some("t"), id), topic(Some("a/b"), Uuid::nil())];
    let request = MetadataRequest::default().with_topics(Some(topics)).with_allow_auto_topic_creation(false);
    let response = world.call(client, 12, &request);
    let codes: Vec<_> = response.topics.iter().map(|topic| topic.error_code).collect();
    assert_eq!(codes, [42, 0, 17], "Kafka says -1 to the first");
}
