//! Clients that ask for more than they take, and begin more than they end.

use crate::peer::{Meter, Peer};
use crate::samples::{self, name, text};
use crate::support::Random;
use corelane::wire::api::ApiKey;
use kafka_protocol::messages::describe_configs_request::DescribeConfigsResource;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::{ApiVersionsRequest, BrokerId, DescribeConfigsRequest, FetchRequest, MetadataRequest};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// A Fetch for as much as there is.
fn large_fetch(topic: &str, partition: i32, offset: i64) -> Vec<u8> {
    let partition = FetchPartition::default()
        .with_partition(partition)
        .with_current_leader_epoch(-1)
        .with_last_fetched_epoch(-1)
        .with_log_start_offset(-1)
        .with_fetch_offset(offset)
        .with_partition_max_bytes(50 << 20);
    let request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_max_wait_ms(0)
        .with_max_bytes(50 << 20)
        .with_session_epoch(-1)
        .with_topics(vec![FetchTopic::default().with_topic(name(topic)).with_partitions(vec![partition])]);
    samples::request(ApiKey::Fetch, 12, &request)
}

/// What a client that never reads asks for, over and over: all of it answers with far more bytes than it takes to ask.
fn amplifiers(topic: &str, partition: i32, end: i64, random: &mut Random) -> [Vec<u8>; 5] {
    let newest = large_fetch(topic, partition, end - 1);
    let any = large_fetch(topic, partition, random.below(end as u64) as i64);
    let all_topics = MetadataRequest::default().with_topics(None);
    let configs_of = DescribeConfigsResource::default().with_resource_type(2).with_resource_name(text(topic));
    let configs = DescribeConfigsRequest::default()
        .with_resources(vec![configs_of.with_configuration_keys(None)])
        .with_include_synonyms(true)
        .with_include_documentation(true);
    [
        any,
        newest,
        samples::request(ApiKey::Metadata, 9, &all_topics),
        samples::request(ApiKey::DescribeConfigs, 4, &configs),
        samples::request(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default()),
    ]
}

/// Asks for much on many connections and takes nothing. Those that the broker closes come again. Gives how often that was.
pub fn never_read(
    address: &str,
    (topic, partition, end): (&str, i32, i64),
    count: usize,
    meter: &Meter,
    stop: &AtomicBool,
) -> usize {
    const PIPELINED: usize = 100;
    let mut random = Random::new(5);
    let mut ask = |kind: usize, count: usize| -> Vec<u8> {
        (0..count).flat_map(|_| amplifiers(topic, partition, end, &mut random)[kind % 5].clone()).collect()
    };
    let connect = |requests: Vec<u8>| {
        let mut peer = Peer::connect_with(address, meter, Some(4 << 10));
        peer.send_some(&requests);
        peer
    };
    let mut peers: Vec<Peer> = (0..count).map(|kind| connect(ask(kind, PIPELINED))).collect();
    let mut closed = 0;
    while !stop.load(Ordering::Relaxed) {
        for (kind, peer) in peers.iter_mut().enumerate() {
            // A look at the socket shows a reset; nothing is read.
            if peer.has_failed() {
                closed += 1;
                *peer = connect(ask(kind, PIPELINED));
            } else {
                peer.send_some(&ask(kind, 1));
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    closed
}

/// A large frame that is begun and never ended.
#[derive(Clone, Copy)]
struct Half {
    declared: usize,
    sent: usize,
}

/// Below what needs a reservation, just above, a good part, and all but the last byte.
const HALVES: [Half; 6] = [
    Half { declared: 100 << 20, sent: 66 << 10 },
    Half { declared: 2 << 20, sent: 66 << 10 },
    Half { declared: 1 << 20, sent: 1 << 10 },
    Half { declared: 20 << 20, sent: 300 << 10 },
    Half { declared: 200 << 10, sent: 150 << 10 },
    Half { declared: 100 << 10, sent: (100 << 10) - 1 },
];

/// Fills the read budget of a core with large frames that are begun and never ended. Those that the broker closes come again.
/// Gives how often that was.
pub fn never_end(address: &str, count: usize, meter: &Meter, stop: &AtomicBool) -> usize {
    let begin = |half: Half| {
        let mut peer = Peer::connect(address, meter);
        let mut bytes = vec![0x2a; half.sent + 4];
        bytes[..4].copy_from_slice(&(half.declared as i32).to_be_bytes());
        peer.send_some(&bytes);
        peer
    };
    let half = |index: usize| HALVES[index % HALVES.len()];
    let mut peers: Vec<Peer> = (0..count).map(|index| begin(half(index))).collect();
    let mut closed = 0;
    while !stop.load(Ordering::Relaxed) {
        for (index, peer) in peers.iter_mut().enumerate() {
            if peer.has_failed() {
                closed += 1;
                *peer = begin(half(index));
            }
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    closed
}
