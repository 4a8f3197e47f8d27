//! Nanoseconds of the codecs, checks and cuts that every request passes: `cargo bench --bench wire`. Without `--bench`, as
//! `cargo test --benches` runs it, each body runs once, which proves that it runs.

mod frames;

use bytes::{Bytes, BytesMut};
use corelane::base::error_code::ErrorCode;
use corelane::base::gather::Gather;
use corelane::base::ids::TopicId;
use corelane::runtime::frame_cutter::FrameCutter;
use corelane::wire::api::ApiKey;
use corelane::wire::fetch::{FetchRequest, FetchResponse, FetchResponsePartition, FetchResponseTopic};
use corelane::wire::frame::RequestHeader;
use corelane::wire::produce::{ProduceRequest, ProduceResponse, ProduceResponsePartition, ProduceResponseTopic};
use corelane::wire::record_batch::{append_to_checksum, apply_timestamp_type, stamp, validate_for_produce};
use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use frames::{batch, fetch, frame, produce};
use kafka_protocol::protocol::StrBytes;
use std::hint::black_box;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Bytes of a batch: one record, a small producer's, a large one's.
const BATCHES: [(&str, usize); 3] = [("100 B", 100), ("16 KiB", 16 << 10), ("1 MiB", 1 << 20)];

/// Header and body of a Produce request, the frame given back at the end.
fn produce_round(frame: BytesMut) {
    let (header, body) = RequestHeader::parse(frame).expect("parses");
    black_box(ProduceRequest::decode(body, header.version).expect("decodes"));
}

fn fetch_round(frame: BytesMut) {
    let (header, body) = RequestHeader::parse(frame).expect("parses");
    black_box(FetchRequest::decode(body, header.version).expect("decodes"));
}

fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("produce request");
    for (partitions, bytes) in [(1, 100), (1, 16 << 10), (50, 1 << 10)] {
        let batch = batch(bytes, false);
        for version in [7, 9, 11] {
            let batches = (0..partitions).map(|index| (index, batch.clone()));
            let sent = frame(ApiKey::Produce, version, &produce(batches));
            group.bench_function(format!("v{version}, {partitions} x {bytes} B"), |bencher| {
                bencher.iter_batched(|| BytesMut::from(&sent[..]), produce_round, BatchSize::SmallInput);
            });
        }
    }
    group.finish();
    let mut group = criterion.benchmark_group("fetch request");
    for (topics, partitions) in [(1, 1), (10, 100)] {
        let wanted: Vec<_> = (0..partitions).map(|index| (index, 0)).collect();
        for version in [11, 13] {
            let sent = frame(ApiKey::Fetch, version, &fetch(vec![[1; 16]; topics], &wanted));
            group.bench_function(format!("v{version}, {topics} x {partitions}"), |bencher| {
                bencher.iter_batched(|| BytesMut::from(&sent[..]), fetch_round, BatchSize::SmallInput);
            });
        }
    }
    group.finish();
}

fn responses(criterion: &mut Criterion) {
    let answer = ProduceResponse {
        topics: vec![ProduceResponseTopic {
            name: StrBytes::from_static_str(frames::TOPIC),
            partitions: vec![ProduceResponsePartition::appended(0, 77, 0)],
        }],
        ..ProduceResponse::default()
    };
    criterion.bench_function("produce response/v9, 1 partition", |bencher| bencher.iter(|| answer.encode(9, 1)));
    for partitions in [1, 100] {
        let partition = |index| FetchResponsePartition {
            records: Gather::from(Bytes::from_static(&[7; 4096])),
            ..FetchResponsePartition::refused(index, ErrorCode::None)
        };
        let topic = FetchResponseTopic {
            name: StrBytes::from_static_str(frames::TOPIC),
            id: TopicId([1; 16]),
            partitions: (0..partitions).map(partition).collect(),
        };
        let answer = FetchResponse { topics: vec![topic], ..FetchResponse::default() };
        criterion.bench_function(&format!("fetch response/v13, {partitions} partitions"), |bencher| {
            bencher.iter_batched(|| answer.clone(), |answer| answer.encode(13, 1), BatchSize::SmallInput);
        });
    }
}

fn batches(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("record batch");
    for (name, bytes) in BATCHES {
        let sent = batch(bytes, false);
        group.throughput(Throughput::Bytes(sent.len() as u64));
        group.bench_function(BenchmarkId::new("CRC32C", name), |bencher| bencher.iter(|| crc32c::crc32c(&sent)));
        group.bench_function(BenchmarkId::new("validate", name), |bencher| {
            bencher.iter(|| validate_for_produce(&sent, 11, 2 << 20).expect("valid"));
        });
        let header = validate_for_produce(&sent, 11, 2 << 20).expect("valid");
        let mut ours = BytesMut::from(&sent[..]);
        group.bench_function(BenchmarkId::new("stamp", name), |bencher| {
            bencher.iter(|| stamp(black_box(&mut ours), 77, 3));
        });
        group.bench_function(BenchmarkId::new("stamp LogAppendTime", name), |bencher| {
            bencher.iter(|| apply_timestamp_type(black_box(&mut ours), &mut header.clone(), Some(77)));
        });
        group.bench_function(BenchmarkId::new("journal checksum", name), |bencher| {
            bencher.iter(|| append_to_checksum(7, &sent));
        });
    }
    group.finish();
}

/// The shared receive buffer as it arrives: whole frames, one behind the other.
fn cuts(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("frame cutter");
    for (frames, bytes) in [(1usize, 100), (32, 100), (16, 16 << 10)] {
        let sent = frame(ApiKey::Produce, 11, &produce([(0, batch(bytes, false))]));
        let mut input = BytesMut::new();
        for _ in 0..frames {
            input.extend_from_slice(&(sent.len() as i32).to_be_bytes());
            input.extend_from_slice(&sent);
        }
        let mut cutter = FrameCutter::default();
        let mut cut = Vec::with_capacity(frames);
        group.throughput(Throughput::Elements(frames as u64));
        group.bench_function(format!("{frames} x {bytes} B"), |bencher| {
            let round = |input| {
                cutter.cut(input, 1 << 20, frames, &mut cut).expect("cuts");
                assert_eq!(cut.len(), frames);
                cut.clear();
            };
            bencher.iter_batched(|| BytesMut::from(&input[..]), round, BatchSize::SmallInput);
        });
    }
    group.finish();
}

criterion_group!(benches, requests, responses, batches, cuts);
criterion_main!(benches);
