//! Nanoseconds per message on the hot codecs, headers included: `cargo bench --bench wire`. Without `--bench`,
//! as `cargo test --benches` runs it, it only proves that it runs.

use bytes::{Bytes, BytesMut};
use corelane::base::error_code::ErrorCode;
use corelane::base::gather::Gather;
use corelane::base::ids::TopicId;
use corelane::wire::api::ApiKey;
use corelane::wire::fetch::{FetchRequest, FetchResponse, FetchResponsePartition, FetchResponseTopic};
use corelane::wire::frame::RequestHeader;
use corelane::wire::produce::{ProduceRequest, ProduceResponse, ProduceResponsePartition, ProduceResponseTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{self as generated, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};
use std::hint::black_box;
use std::time::{Duration, Instant};

fn frame<R: Encodable>(key: ApiKey, version: i16, body: &R) -> Bytes {
    let header = generated::RequestHeader::default()
        .with_request_api_key(key.number())
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("rdkafka")));
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).expect("encodes");
    body.encode(&mut frame, version).expect("encodes");
    frame.freeze()
}

fn produce(partitions: i32, bytes: usize) -> generated::ProduceRequest {
    let partition = |index| PartitionProduceData::default().with_index(index).with_records(Some(vec![1; bytes].into()));
    generated::ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![
        TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_static_str("orders")))
            .with_partition_data((0..partitions).map(partition).collect()),
    ])
}

fn fetch(topics: usize, partitions: i32) -> generated::FetchRequest {
    let partition = |index| FetchPartition::default().with_partition(index).with_partition_max_bytes(1 << 20);
    let topic = FetchTopic::default().with_partitions((0..partitions).map(partition).collect());
    generated::FetchRequest::default().with_topics(vec![topic; topics])
}

/// Best of five rounds. `prepare` makes the input and is not measured; work is done in groups so that the clock does not count.
#[allow(clippy::disallowed_methods, reason = "a benchmark reads the clock")]
fn measure<T>(name: &str, tiny: bool, mut prepare: impl FnMut() -> T, mut work: impl FnMut(T)) {
    const GROUP: usize = 256;
    let groups = if tiny { 1 } else { 200 };
    let mut best = Duration::MAX;
    for _ in 0..5 {
        let mut spent = Duration::ZERO;
        for _ in 0..groups {
            let inputs: Vec<T> = (0..GROUP).map(|_| prepare()).collect();
            let begun = Instant::now();
            inputs.into_iter().for_each(&mut work);
            spent += begun.elapsed();
        }
        best = best.min(spent);
    }
    println!("{name:<44} {:>9.1} ns", best.as_nanos() as f64 / (groups * GROUP) as f64);
}

/// Header and body of a Produce request, the frame given back at the end.
fn produce_round(frame: BytesMut) {
    let (header, body) = RequestHeader::parse(frame).expect("parses");
    black_box(ProduceRequest::decode(body, header.version).expect("decodes"));
}

fn fetch_round(frame: BytesMut) {
    let (header, body) = RequestHeader::parse(frame).expect("parses");
    black_box(FetchRequest::decode(body, header.version).expect("decodes"));
}

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() {
    let tiny = !std::env::args().any(|argument| argument == "--bench");
    for (partitions, bytes) in [(1, 100), (1, 16 << 10), (50, 1 << 10)] {
        for version in [7, 9, 11] {
            let sent = frame(ApiKey::Produce, version, &produce(partitions, bytes));
            let name = format!("produce v{version} request, {partitions} x {bytes} B");
            measure(&name, tiny, || BytesMut::from(&sent[..]), produce_round);
        }
    }
    for (topics, partitions) in [(1, 1), (10, 100)] {
        for version in [11, 13] {
            let sent = frame(ApiKey::Fetch, version, &fetch(topics, partitions));
            let name = format!("fetch v{version} request, {topics} x {partitions}");
            measure(&name, tiny, || BytesMut::from(&sent[..]), fetch_round);
        }
    }
    let answer = ProduceResponse {
        topics: vec![ProduceResponseTopic {
            name: StrBytes::from_static_str("orders"),
            partitions: vec![ProduceResponsePartition::appended(0, 77, 0)],
        }],
        ..ProduceResponse::default()
    };
    measure("produce v9 response, 1 partition", tiny, || (), |()| drop(black_box(answer.encode(9, 1))));
    for partitions in [1, 100] {
        let partition = |index| FetchResponsePartition {
            records: Gather::from(Bytes::from_static(&[7; 4096])),
            ..FetchResponsePartition::refused(index, ErrorCode::None)
        };
        let topic = FetchResponseTopic {
            name: StrBytes::from_static_str("orders"),
            id: TopicId([1; 16]),
            partitions: (0..partitions).map(partition).collect(),
        };
        let answer = FetchResponse { topics: vec![topic], ..FetchResponse::default() };
        let name = format!("fetch v13 response, {partitions} partitions");
        measure(&name, tiny, || answer.clone(), |answer| drop(black_box(answer.encode(13, 1))));
    }
}
