//! Behaviours that only a socket shows, by their numbers (C: what clients depend on, E: edge cases of Kafka's own), on the real
//! binary: order of answers, silence, closed connections, and a new topic on all cores.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

mod support;

use bytes::Bytes;
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};
use support::client::{Connection, FetchFrom, METADATA};
use support::process::{Broker, Machine};
use support::{Scratch, batch};

/// How long nothing may come, to call it nothing.
const SILENCE: Duration = Duration::from_millis(300);

fn started(scratch: &Scratch, cores: usize) -> (Machine, Broker) {
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), cores);
    let broker = machine.start();
    (machine, broker)
}

fn metadata_of(topics: &[&str]) -> MetadataRequest {
    let topic = |topic: &&str| {
        let name = TopicName(StrBytes::from_string(topic.to_string()));
        MetadataRequestTopic::default().with_name(Some(name))
    };
    MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(false)
}

/// One batch of one record.
fn one(text: &str) -> Vec<u8> {
    batch::encode(None, &[text.as_bytes().to_vec()])
}

fn from(topic: &str, offset: i64) -> FetchFrom {
    FetchFrom { topic: topic.to_string(), partition: 0, offset }
}

/// Nothing can be read for a while, and the connection is open.
#[track_caller]
fn assert_silent(mut stream: &TcpStream) {
    stream.set_read_timeout(Some(SILENCE)).expect("a timeout");
    let error = stream.read(&mut [0; 1]).expect_err("nothing arrives");
    assert!(matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut), "{error}");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
}

/// The other side closes without a byte.
#[track_caller]
fn assert_closed(mut stream: &TcpStream, what: &str) {
    stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    match stream.read(&mut [0; 1]) {
        Ok(0) => {}
        Err(error) if error.kind() == ErrorKind::ConnectionReset => {}
        other => panic!("{what}: not closed but {other:?}"),
    }
}

/// C1: answers leave in request order, also behind a parked Fetch; another connection does not wait for it.
#[test]
fn c1_answers_keep_their_order_behind_a_parked_fetch_and_a_produce() {
    let scratch = Scratch::new("order");
    let (_machine, broker) = started(&scratch, 1);
    let mut other = Connection::open(broker.address()).expect("connects");
    for topic in ["t", "u"] {
        other.create_topic(topic, 1, &[]).expect("topic");
    }
    let mut connection = Connection::open(broker.address()).expect("connects");
    for round in 0..20 {
        connection.send_fetch(&[from("t", round)], 20_000, 1 << 20).expect("sent");
        connection.send(METADATA, &metadata_of(&["t"])).expect("sent");
        connection.send_produce(-1, &[("u".to_string(), 0, Bytes::from(one("behind")))]).expect("sent");
        connection.send(METADATA, &metadata_of(&[])).expect("sent");
        if round == 0 {
            assert_silent(connection.stream());
        }
        assert_eq!(other.produce("t", 0, one("first")).expect("not held up"), round);
        let fetched = connection.receive_fetched().expect("the fetch comes first").remove(0);
        assert_eq!((fetched.error, fetched.records[0].offset), (0, round));
        let metadata = connection.receive::<MetadataRequest>(METADATA).expect("then the metadata");
        assert_eq!(metadata.topics.len(), 1);
        let produced = connection.receive_produced().expect("then the produce").remove(0);
        assert_eq!((produced.error, produced.base_offset), (0, round));
        let metadata = connection.receive::<MetadataRequest>(METADATA).expect("and the last");
        assert_eq!(metadata.topics.len(), 0);
    }
    broker.stop();
}

/// C2: five Produce requests in flight are appended as they arrive; sequences prove it, also when they come in one segment.
#[test]
fn c2_pipelined_batches_are_appended_as_they_arrive() {
    let scratch = Scratch::new("pipelined");
    let (_machine, broker) = started(&scratch, 2);
    let mut connection = Connection::open(broker.address()).expect("connects");
    connection.create_topic("t", 1, &[]).expect("topic");
    let leader = connection.leaders(&["t"]).expect("metadata")[0].clone().expect("there").addresses.remove(0);
    let mut connection = Connection::open(&leader).expect("connects");
    let producer = connection.init_producer_id().expect("a producer id");
    let (mut sent, mut answered) = (0, 0);
    while answered < 1_000 {
        while sent < 1_000 && sent - answered < 5 {
            let records = batch::encode(Some((producer, sent)), &[vec![b'v'; 1 + sent as usize % 3_000]]);
            connection.send_produce(-1, &[("t".to_string(), 0, Bytes::from(records))]).expect("sent");
            sent += 1;
        }
        let produced = connection.receive_produced().expect("answered").remove(0);
        assert_eq!((produced.error, produced.base_offset), (0, i64::from(answered)));
        answered += 1;
    }
    broker.stop();
}

/// C3: acks=0 is never answered; an error closes the connection, and what came before it was appended.
#[test]
fn c3_acks_0_is_silent_and_closes_on_error() {
    let scratch = Scratch::new("acks-0");
    let (_machine, broker) = started(&scratch, 1);
    let mut connection = Connection::open(broker.address()).expect("connects");
    connection.create_topic("t", 1, &[]).expect("topic");
    let topics = |topic: &str| [(topic.to_string(), 0, Bytes::from(one("x")))];
    for round in 0..3 {
        connection.send_produce(0, &topics("t")).expect("sent");
        assert_silent(connection.stream());
        // The next answer has the id of the next request, not of the silent one.
        let mut metadata = Connection::open(broker.address()).expect("connects");
        assert!(metadata.leaders(&["t"]).expect("alive")[0].is_some());
        let fetched = metadata.fetch(&[from("t", round)], 5_000).expect("fetched").remove(0);
        assert_eq!(fetched.records.len(), 1);
    }
    let mut raw = TcpStream::connect(broker.address()).expect("connects");
    for frame in
        [produce_frame(7, 0, "t", &one("good")), metadata_frame(8), produce_frame(9, 0, "missing", &one("bad"))]
    {
        raw.write_all(&frame).expect("sent");
    }
    let mut length = [0; 4];
    raw.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
    raw.read_exact(&mut length).expect("the metadata");
    let mut answer = vec![0; u32::from_be_bytes(length) as usize];
    raw.read_exact(&mut answer).expect("the metadata");
    assert_eq!(answer[..4], 8i32.to_be_bytes());
    assert_closed(&raw, "acks=0 with an error");
    // Nobody waited for its flush.
    let mut connection = Connection::open(broker.address()).expect("connects");
    let last = connection.fetch(&[from("t", 3)], 5_000).expect("fetched").remove(0);
    assert_eq!((last.error, last.records.len()), (0, 1), "the good one was appended");
    broker.stop();
}

fn framed(body: &[u8]) -> Vec<u8> {
    [&(body.len() as i32).to_be_bytes()[..], body].concat()
}

fn header(key: i16, version: i16, correlation: i32) -> Vec<u8> {
    [&key.to_be_bytes()[..], &version.to_be_bytes(), &correlation.to_be_bytes(), &[0, 1, b'x']].concat()
}

/// Metadata 1 of no topics.
fn metadata_frame(correlation: i32) -> Vec<u8> {
    framed(&[&header(3, 1, correlation)[..], &[0; 4]].concat())
}

/// Produce 3 to partition 0.
fn produce_frame(correlation: i32, acks: i16, topic: &str, records: &[u8]) -> Vec<u8> {
    let one = 1i32.to_be_bytes();
    framed(
        &[
            &header(0, 3, correlation)[..],
            &[0xFF, 0xFF],
            &acks.to_be_bytes(),
            &5_000i32.to_be_bytes(),
            &one,
            &(topic.len() as i16).to_be_bytes(),
            topic.as_bytes(),
            &one,
            &0i32.to_be_bytes(),
            &(records.len() as i32).to_be_bytes(),
            records,
        ]
        .concat(),
    )
}

/// C7, E7: what cannot be answered closes its own connection, without a byte; on every core, and the broker lives.
#[test]
fn c7_e7_what_cannot_be_answered_closes_the_connection() {
    let scratch = Scratch::new("closes");
    let (machine, mut broker) = started(&scratch, 2);
    let with = |key: i16, version: i16, body: &[u8]| framed(&[&header(key, version, 1)[..], body].concat());
    let cases: Vec<(&str, Vec<u8>)> = vec![
        ("unknown key", with(999, 0, &[])),
        ("negative key", with(-1, 0, &[])),
        ("an API of transactions, not listed", with(24, 0, &[0; 40])),
        ("Metadata v99", with(3, 99, &[0; 40])),
        ("Metadata v-1", with(3, -1, &[0; 40])),
        ("E1: Produce v2", with(0, 2, &[0; 40])),
        ("E1: Produce v0", with(0, 0, &[0; 40])),
        ("a cut array", with(3, 1, &[0, 0, 0, 2, 0, 1, b't'])),
        ("a huge array", with(3, 1, &[0x7F, 0xFF, 0xFF, 0xFF])),
        ("an undecodable body", with(19, 2, &[0xFF; 12])),
        ("no whole header", framed(&[0, 3, 0])),
        ("frame length 0", vec![0; 4]),
        ("negative frame length", vec![0xFF; 4]),
        ("a frame over the limit", vec![0x7F, 0xFF, 0xFF, 0xFF]),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
    ];
    for address in broker.ready().listeners.clone() {
        for (what, bytes) in &cases {
            let mut hostile = TcpStream::connect(&address).expect("connects");
            hostile.write_all(bytes).expect("sent");
            // Not closed by this side: the broker does it by itself.
            assert_closed(&hostile, what);
            // A good request before it is answered, then the connection closes.
            let mut late = TcpStream::connect(&address).expect("connects");
            late.write_all(&[metadata_frame(5), bytes.clone()].concat()).expect("sent");
            let mut answer = [0; 8];
            late.set_read_timeout(Some(Duration::from_secs(10))).expect("a timeout");
            late.read_exact(&mut answer).unwrap_or_else(|error| panic!("{what}: the request before it: {error}"));
            assert_eq!(answer[4..], 5i32.to_be_bytes(), "{what}");
            assert!(broker.is_running(), "{what} ended the broker:\n{}", machine.log_end(20));
        }
        Connection::open(&address).expect("connects").leaders(&[]).expect("alive");
    }
    assert!(!machine.panicked());
    broker.stop();
}

/// C44, E5: when CreateTopics answers, Metadata of every core shows the topic with its leaders, and each leader takes a produce
/// at the first try: no 3, 5 or 6, whichever core was asked.
#[test]
fn c44_e5_a_new_topic_is_everywhere_when_its_creation_is_answered() {
    let scratch = Scratch::new("at-once");
    let (_machine, broker) = started(&scratch, 3);
    let listeners = broker.ready().listeners.clone();
    let mut connections: Vec<Connection> =
        listeners.iter().map(|address| Connection::open(address).expect("connects")).collect();
    let began = Instant::now();
    for round in 0..60 {
        let topic = format!("new-{round}");
        connections[round % 3].create_topic(&topic, 6, &[]).expect("created");
        for at in 0..3 {
            let response = connections[at].call(METADATA, &metadata_of(&[&topic])).expect("metadata");
            let found = &response.topics[0];
            assert_eq!((found.error_code, found.partitions.len()), (0, 6), "core {at} in round {round}");
            // Two partitions a core, one of them for each asker.
            for partition in &found.partitions {
                assert_eq!(partition.error_code, 0);
                let leader = partition.leader_id.0 as usize;
                let produced = connections[leader].produce(&topic, partition.partition_index, one("x"));
                assert_eq!(produced.expect("at the first try"), at as i64, "core {at} in round {round}");
            }
        }
    }
    println!("60 topics created, shown by 3 cores and written to in {} ms", began.elapsed().as_millis());
    broker.stop();
}

/// A machine of two cores that clients see as one broker.
fn started_as_one(scratch: &Scratch) -> (Machine, Broker) {
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), 2).with("advertise", "per-machine");
    let broker = machine.start();
    (machine, broker)
}

/// C2, C26 with one port for all cores: five requests in flight, of all sizes, so that a connection is handed over in the middle of
/// a frame as often as not. Long stretches ask one partition, then the other one: each time the connection follows.
#[test]
fn c2_c26_a_producer_with_five_in_flight_follows_its_partitions_from_core_to_core() {
    let scratch = Scratch::new("as-one");
    let (machine, broker) = started_as_one(&scratch);
    let mut connection = Connection::open(broker.address()).expect("connects");
    connection.create_topic("t", 2, &[]).expect("topic");
    let leaders = connection.leaders(&["t"]).expect("metadata")[0].clone().expect("there").addresses;
    assert_eq!(leaders, [broker.address(), broker.address()], "one broker leads all");
    let producer = connection.init_producer_id().expect("a producer id");
    let mut sequences = [0; 2];
    let mut in_flight = std::collections::VecDeque::new();
    for number in 0..3_000 {
        let partition = number / 250 % 2;
        let sequence = sequences[partition];
        let size = 1 + number * 7_919 % 60_000;
        let records = batch::encode(Some((producer, sequence)), &[vec![b'v'; size]]);
        connection.send_produce(-1, &[("t".to_string(), partition as i32, Bytes::from(records))]).expect("sent");
        in_flight.push_back(sequence);
        sequences[partition] += 1;
        while in_flight.len() >= if number == 2_999 { 1 } else { 5 } {
            let produced = connection.receive_produced().expect("answered").remove(0);
            let expected = in_flight.pop_front().expect("sent");
            assert_eq!((produced.error, produced.base_offset), (0, i64::from(expected)), "request {number}");
        }
    }
    let all = connection.fetch(&[from("t", 1_499)], 0).expect("fetched").remove(0);
    assert_eq!((all.error, all.high_watermark), (0, 1_500));
    broker.stop();
    let handed_over: u64 = machine.statistic("connections_handed_over").iter().sum();
    assert!(handed_over >= 11, "a hand-over at each change of partition but perhaps the first: {handed_over}");
}

/// C11 with one port for all cores: a Fetch of partitions of both cores waits for the one that gets records; clients that leave in
/// the middle of forwarded work leave nothing behind that would keep the machine from stopping.
#[test]
fn c11_a_fetch_over_both_cores_wakes_up_and_leaving_clients_do_no_harm() {
    let scratch = Scratch::new("as-one-fetch");
    let (_machine, broker) = started_as_one(&scratch);
    let mut producer = Connection::open(broker.address()).expect("connects");
    producer.create_topic("t", 2, &[]).expect("topic");
    let both = |offset: i64| [0, 1].map(|partition| FetchFrom { topic: "t".to_string(), partition, offset });
    let mut consumer = Connection::open(broker.address()).expect("connects");
    for partition in 0..2 {
        consumer
            .send_fetch(&both(i64::from(partition)).map(|one| FetchFrom { offset: 0, ..one }), 20_000, 1 << 20)
            .expect("sent");
        if partition == 0 {
            assert_silent(consumer.stream());
        }
        let offset = producer.produce("t", partition, one("wakes")).expect("produced");
        assert_eq!(offset, 0);
        let fetched = consumer.receive_fetched().expect("woken");
        let found: usize = fetched.iter().map(|one| one.records.len()).sum();
        assert!(fetched.iter().all(|one| one.error == 0) && found > 0);
    }
    for round in 0..50 {
        let mut leaving = Connection::open(broker.address()).expect("connects");
        let records = [0, 1].map(|partition| ("t".to_string(), partition, Bytes::from(one("left"))));
        leaving.send_produce(if round % 2 == 0 { -1 } else { 0 }, &records).expect("sent");
        leaving.send_fetch(&both(i64::MAX / 2 - round), 60_000, 1 << 20).expect("sent");
        leaving
            .send_fetch(&both(1_000 + round).map(|one| FetchFrom { offset: 1, ..one }), 60_000, 1 << 20)
            .expect("sent");
    }
    let last = producer.produce("t", 1, one("still there")).expect("the machine lives");
    assert!(last >= 1);
    broker.stop();
}
