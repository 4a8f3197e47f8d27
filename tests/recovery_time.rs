//! How long clients wait: for their first requests after kill -9, and for the first append to new partitions. And how much
//! the cores talk to each other meanwhile: not at all.
//!
//! Figures are printed. They are compared with `ASSERT_MS=` only if that is set, so that a busy machine fails no ordinary
//! run. The long form: `PARTITIONS=1000 LOG_MB=5120 ASSERT_MS=1000`, with the broker's default ring.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

mod support;

use bytes::Bytes;
use std::collections::BTreeMap;
use std::collections::VecDeque;
use std::time::{Duration, Instant};
use support::client::{Connection, FetchFrom, LATEST, ProducerIdentity};
use support::process::Machine;
use support::{Scratch, batch, knob};

const TOPIC: &str = "wide";
const CORES: usize = 2;
const BATCH_BYTES: usize = 64 * 1024;
/// Connections per core that send the first requests.
const CONNECTIONS: usize = 4;
const WINDOW: usize = 32;

/// A partition as one producer sees it.
#[derive(Clone, Debug)]
struct Lane {
    partition: i32,
    sequence: i32,
    end: i64,
}

fn partitions() -> i32 {
    knob("PARTITIONS", 1_000) as i32
}

fn judge(what: &str, took: Duration) {
    println!("{what}: {} ms", took.as_millis());
    if let Ok(limit) = std::env::var("ASSERT_MS") {
        let limit: u128 = limit.parse().expect("ASSERT_MS is a number");
        assert!(took.as_millis() <= limit, "{what} took {} ms, more than {limit} ms", took.as_millis());
    }
}

/// Lanes by leader.
fn lanes(address: &str) -> BTreeMap<String, Vec<Lane>> {
    let mut connection = Connection::open(address).expect("connects");
    let leaders = connection.leaders(&[TOPIC]).expect("metadata").remove(0).expect("the topic exists");
    let mut lanes: BTreeMap<String, Vec<Lane>> = BTreeMap::new();
    for (partition, leader) in leaders.addresses.into_iter().enumerate() {
        lanes.entry(leader).or_default().push(Lane { partition: partition as i32, sequence: 0, end: 0 });
    }
    lanes
}

/// One idempotent batch to each lane, each in a request of its own, pipelined.
fn produce_each(connection: &mut Connection, identity: ProducerIdentity, lanes: &mut [Lane], values: &[Vec<u8>]) {
    let mut flights: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    while next < lanes.len() || !flights.is_empty() {
        if next < lanes.len() && flights.len() < WINDOW {
            let bytes = Bytes::from(batch::encode(Some((identity, lanes[next].sequence)), values));
            connection.send_produce(-1, &[(TOPIC.to_string(), lanes[next].partition, bytes)]).expect("sends");
            flights.push_back(next);
            next += 1;
            continue;
        }
        let lane = &mut lanes[flights.pop_front().expect("in flight")];
        let answer = connection.receive_produced().expect("answer").remove(0);
        assert_eq!((answer.partition, answer.error), (lane.partition, 0));
        lane.sequence += values.len() as i32;
        lane.end = answer.base_offset + values.len() as i64;
    }
}

/// One fetch of the last record of each lane, each in a request of its own, pipelined.
fn fetch_each(connection: &mut Connection, lanes: &[Lane]) {
    let mut flights: VecDeque<usize> = VecDeque::new();
    let mut next = 0;
    while next < lanes.len() || !flights.is_empty() {
        if next < lanes.len() && flights.len() < WINDOW {
            let Lane { partition, end, .. } = lanes[next];
            let from = FetchFrom { topic: TOPIC.to_string(), partition, offset: end - 1 };
            connection.send_fetch(&[from], 100, 1 << 20).expect("sends");
            flights.push_back(next);
            next += 1;
            continue;
        }
        let lane = &lanes[flights.pop_front().expect("in flight")];
        let answer = connection.receive_fetched().expect("answer").remove(0);
        assert_eq!((answer.partition, answer.error), (lane.partition, 0));
        let found = answer.records.iter().any(|record| record.offset == lane.end - 1);
        assert!(found, "partition {} serves its last record {}", lane.partition, lane.end - 1);
    }
}

/// Runs something on [`CONNECTIONS`] connections per core, each with its share of the lanes.
fn on_all_cores(lanes: &mut BTreeMap<String, Vec<Lane>>, each: impl Fn(&mut Connection, &mut [Lane]) + Sync) {
    std::thread::scope(|scope| {
        for (address, lanes) in lanes.iter_mut() {
            let share = lanes.len().div_ceil(CONNECTIONS).max(1);
            for lanes in lanes.chunks_mut(share) {
                let each = &each;
                scope.spawn(move || each(&mut Connection::open(address).expect("connects"), lanes));
            }
        }
    });
}

fn identity(address: &str) -> ProducerIdentity {
    Connection::open(address).expect("connects").init_producer_id().expect("producer id")
}

/// The default ring for the long form, a small one else.
fn machine(scratch: &Scratch) -> Machine {
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), CORES);
    if knob("LOG_MB", 0) >= 1_024 { machine } else { machine.with("journal.file.bytes", 8 << 20) }
}

#[test]
fn first_requests_after_kill_9() {
    let scratch = Scratch::new("recovery-time");
    let machine = machine(&scratch);
    let broker = machine.start();
    Connection::open(broker.address()).expect("connects").create_topic(TOPIC, partitions(), &[]).expect("topic");
    let identity = identity(broker.address());
    let mut lanes = lanes(broker.address());
    let log_bytes = knob("LOG_MB", 192) << 20;
    let turns = (log_bytes / (BATCH_BYTES as u64 * partitions() as u64)).max(1);
    let filling = Instant::now();
    let values: Vec<Vec<u8>> = (0..4).map(|number| vec![number; BATCH_BYTES / 4]).collect();
    for _ in 0..turns {
        on_all_cores(&mut lanes, |connection, lanes| produce_each(connection, identity, lanes, &values));
    }
    println!("{} MB in {} partitions in {:?}", log_bytes >> 20, partitions(), filling.elapsed());
    broker.kill();

    let small = [vec![7; 100]];
    let broker = machine.start();
    let restart = broker.spawned();
    println!("ready after {} ms", restart.elapsed().as_millis());
    let fetched_lanes = lanes.clone();
    let (mut produced, mut fetched) = (Duration::ZERO, Duration::ZERO);
    std::thread::scope(|scope| {
        let (lanes, mut fetched_lanes) = (&mut lanes, fetched_lanes);
        let producing = scope.spawn(move || {
            on_all_cores(lanes, |connection, lanes| produce_each(connection, identity, lanes, &small));
            restart.elapsed()
        });
        let fetching = scope.spawn(move || {
            on_all_cores(&mut fetched_lanes, |connection, lanes| fetch_each(connection, lanes));
            restart.elapsed()
        });
        produced = producing.join().expect("produced");
        fetched = fetching.join().expect("fetched");
    });
    judge("first idempotent produce answered on each partition, after the restart", produced);
    judge("first fetch answered on each partition, after the restart", fetched);
    broker.stop();
}

#[test]
fn first_append_to_each_new_partition() {
    let scratch = Scratch::new("first-append");
    let machine = machine(&scratch);
    let broker = machine.start();
    let identity = identity(broker.address());
    let mut connection = Connection::open(broker.address()).expect("connects");
    let began = Instant::now();
    connection.create_topic(TOPIC, partitions(), &[]).expect("topic");
    let created = began.elapsed();
    let mut lanes = lanes(broker.address());
    let small = [vec![7; 100]];
    on_all_cores(&mut lanes, |connection, lanes| produce_each(connection, identity, lanes, &small));
    println!("{} partitions created in {} ms", partitions(), created.as_millis());
    judge("partitions created and first append to each acknowledged", began.elapsed());
    broker.stop();
}

#[test]
fn produce_and_fetch_cross_no_core() {
    let scratch = Scratch::new("cross-core");
    let machine = machine(&scratch);
    let broker = machine.start();
    Connection::open(broker.address()).expect("connects").create_topic(TOPIC, 16, &[]).expect("topic");
    let identity = identity(broker.address());
    broker.stop();
    // What starting and stopping costs by itself.
    machine.start().stop();
    let idle = machine.statistic("mesh_messages_sent");

    let broker = machine.start();
    let mut lanes = lanes(broker.address());
    assert_eq!(lanes.len(), CORES, "both cores lead partitions");
    for _ in 0..50 {
        let small = [vec![7; 100]];
        on_all_cores(&mut lanes, |connection, lanes| {
            produce_each(connection, identity, lanes, &small);
            fetch_each(connection, lanes);
            for lane in lanes.iter() {
                assert_eq!(connection.list_offset(TOPIC, lane.partition, LATEST).expect("offset"), lane.end);
            }
        });
    }
    broker.stop();
    let busy = machine.statistic("mesh_messages_sent");
    let requests = machine.statistic("requests_received");
    println!("requests per core {requests:?}, messages between cores {busy:?}, of which start and stop cost {idle:?}");
    assert!(requests.iter().all(|requests| *requests >= 1_000), "both cores are used: {requests:?}");
    assert_eq!(busy, idle, "produce and fetch cause no message between cores");
    for stage in ["socket", "queue", "reply"] {
        assert_eq!(machine.latency_count(stage), requests, "{stage}: every request once");
    }
    let written = machine.latency_count("journal");
    assert_eq!(written, machine.latency_count("flush"), "what is written is flushed");
    assert!(written.iter().all(|frames| *frames > 50), "a frame per batch: {written:?}");
}
