//! Frames that no client would send. None may panic, and none may make a decoder hold more than the frame justifies.

use crate::client::{request, versions};
use crate::counting::measured;
use crate::{fetch, messages as samples, produce};
use bytes::{Bytes, BytesMut};
use corelane::base::limits::REQUEST_ELEMENTS_MAX;
use corelane::base::prng::Prng;
use corelane::wire::api::{APIS, ApiKey};
use corelane::wire::fetch::FetchRequest;
use corelane::wire::frame::RequestHeader;
use corelane::wire::messages::{self, *};
use corelane::wire::produce::ProduceRequest;
use corelane::wire::reader::DecodeError;
use corelane::wire::record_batch::{Batches, validate_for_produce};
use corelane::wire::schema;
use kafka_protocol::protocol::Decodable;

/// Mutated frames per run; `FRAMES=` asks for more.
const FRAMES: usize = 150_000;
/// What a decoder may hold per byte of the frame, and beside.
const BYTES_PER_BYTE: usize = 128;
const BYTES_BESIDE: usize = 4096;

/// A legal frame of each version of each API.
fn corpus() -> Vec<BytesMut> {
    let mut frames = Vec::new();
    for api in &APIS {
        for version in versions(api.key) {
            frames.push(match api.key {
                ApiKey::Produce => request(api.key, version, &small_produce_request()),
                ApiKey::Fetch => request(api.key, version, &fetch::full_request(version)),
                ApiKey::ListOffsets => request(api.key, version, &samples::list_offsets_request(version)),
                ApiKey::Metadata => request(api.key, version, &samples::metadata_request(version)),
                ApiKey::ApiVersions => request(api.key, version, &samples::api_versions_request(version)),
                ApiKey::CreateTopics => request(api.key, version, &samples::create_topics_request(version)),
                ApiKey::DeleteTopics => request(api.key, version, &samples::delete_topics_request(version)),
                ApiKey::DeleteRecords => request(api.key, version, &samples::delete_records_request(version)),
                ApiKey::FindCoordinator => request(api.key, version, &samples::find_coordinator_request()),
                ApiKey::InitProducerId => request(api.key, version, &samples::init_producer_id_request(version)),
                ApiKey::OffsetForLeaderEpoch => {
                    request(api.key, version, &samples::offset_for_leader_epoch_request(version))
                }
                ApiKey::DescribeConfigs => request(api.key, version, &samples::describe_configs_request(version)),
                ApiKey::AlterConfigs => request(api.key, version, &samples::alter_configs_request(version)),
                ApiKey::CreatePartitions => request(api.key, version, &samples::create_partitions_request(version)),
                ApiKey::IncrementalAlterConfigs => {
                    request(api.key, version, &samples::incremental_alter_configs_request(version))
                }
                ApiKey::DescribeCluster => request(api.key, version, &samples::describe_cluster_request(version)),
                ApiKey::DescribeLogDirs => request(api.key, version, &samples::describe_log_dirs_request(version)),
                ApiKey::DescribeProducers => request(api.key, version, &samples::describe_producers_request(version)),
                ApiKey::ListPartitionReassignments => {
                    request(api.key, version, &samples::list_partition_reassignments_request(version))
                }
                ApiKey::DescribeTopicPartitions => {
                    request(api.key, version, &samples::describe_topic_partitions_request(version))
                }
            });
        }
    }
    frames
}

fn small_produce_request() -> kafka_protocol::messages::ProduceRequest {
    let mut sent = produce::full_request();
    sent.topic_data[2].partition_data[0].records = Some(Bytes::from(vec![0xab; 200]));
    sent
}

/// What the broker does with a frame. The bodies of the crate's messages are compared with the walk before them.
fn receive(frame: BytesMut) -> Result<(), DecodeError> {
    let (header, body) = RequestHeader::parse(frame)?;
    let version = header.version;
    match header.key() {
        ApiKey::Produce => {
            let request = ProduceRequest::decode(body, version)?;
            for records in
                request.topics.iter().flat_map(|topic| &topic.partitions).filter_map(|part| part.records.as_deref())
            {
                let _ = validate_for_produce(records, version, 1 << 20);
            }
            Ok(())
        }
        ApiKey::Fetch => FetchRequest::decode(body, version).map(drop),
        ApiKey::ListOffsets => receive_message::<ListOffsetsRequest>(body, version),
        ApiKey::Metadata => receive_message::<MetadataRequest>(body, version),
        ApiKey::ApiVersions => receive_message::<ApiVersionsRequest>(body, version),
        ApiKey::CreateTopics => receive_message::<CreateTopicsRequest>(body, version),
        ApiKey::DeleteTopics => receive_message::<DeleteTopicsRequest>(body, version),
        ApiKey::DeleteRecords => receive_message::<DeleteRecordsRequest>(body, version),
        ApiKey::FindCoordinator => receive_message::<FindCoordinatorRequest>(body, version),
        ApiKey::InitProducerId => receive_message::<InitProducerIdRequest>(body, version),
        ApiKey::OffsetForLeaderEpoch => receive_message::<OffsetForLeaderEpochRequest>(body, version),
        ApiKey::DescribeConfigs => receive_message::<DescribeConfigsRequest>(body, version),
        ApiKey::AlterConfigs => receive_message::<AlterConfigsRequest>(body, version),
        ApiKey::CreatePartitions => receive_message::<CreatePartitionsRequest>(body, version),
        ApiKey::IncrementalAlterConfigs => receive_message::<IncrementalAlterConfigsRequest>(body, version),
        ApiKey::DescribeCluster => receive_message::<DescribeClusterRequest>(body, version),
        ApiKey::DescribeLogDirs => receive_message::<DescribeLogDirsRequest>(body, version),
        ApiKey::DescribeProducers => receive_message::<DescribeProducersRequest>(body, version),
        ApiKey::ListPartitionReassignments => receive_message::<ListPartitionReassignmentsRequest>(body, version),
        ApiKey::DescribeTopicPartitions => receive_message::<DescribeTopicPartitionsRequest>(body, version),
    }
}

fn receive_message<R: Request>(body: BytesMut, version: i16) -> Result<(), DecodeError> {
    messages::decode::<R>(body, version).map(drop)
}

#[test]
fn every_sample_is_received_and_every_truncation_refused() {
    for frame in corpus() {
        assert_eq!(receive(frame.clone()), Ok(()));
        for cut in 0..frame.len() {
            assert!(receive(BytesMut::from(&frame[..cut])).is_err(), "cut at {cut} of {frame:?}");
        }
    }
}

#[track_caller]
fn receive_bounded(frame: &[u8]) -> bool {
    let owned = BytesMut::from(frame);
    let (result, peak, _) = measured(|| receive(owned));
    let bound = BYTES_BESIDE + BYTES_PER_BYTE * frame.len();
    assert!(peak <= bound, "{peak} bytes held for {} bytes: {frame:?}", frame.len());
    result.is_ok()
}

#[test]
fn huge_counts_anywhere_commit_nothing() {
    let huge: [&[u8]; 6] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
    ];
    for frame in corpus() {
        for at in 8..frame.len() {
            for bytes in huge {
                let end = frame.len().min(at + bytes.len());
                let mut overwritten = frame.to_vec();
                overwritten[at..end].copy_from_slice(&bytes[..end - at]);
                receive_bounded(&overwritten);
                let mut inserted = frame.to_vec();
                inserted.splice(at..at + 1, bytes.iter().copied());
                receive_bounded(&inserted);
            }
        }
    }
}

/// The three frames that abort a process which gives them to the generated decoder unchecked.
#[test]
fn known_killers_are_refused() {
    let metadata = schema::check(ApiKey::Metadata, 1, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0]);
    assert_eq!(metadata, Err(DecodeError::Truncated));
    let produce = [0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(ProduceRequest::decode(BytesMut::from(&produce[..]), 9).err(), Some(DecodeError::Truncated));
    let mut fetch = vec![0xff; 4];
    fetch.extend_from_slice(&[0; 21]);
    fetch.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(FetchRequest::decode(BytesMut::from(&fetch[..]), 12).err(), Some(DecodeError::Truncated));
}

/// A frame may announce an element per byte; what is committed for them is bounded by the budget, not by the frame.
#[test]
fn a_large_frame_of_tiny_elements_is_refused() {
    const LENGTH: usize = 32 << 20;
    for (version, flexible) in [(0, false), (8, false), (9, true), (12, true)] {
        let mut body = Vec::new();
        if flexible {
            body.extend_from_slice(&[0xff, 0xff, 0xff, 0x07]);
        } else {
            body.extend_from_slice(&(LENGTH as i32 / 2).to_be_bytes());
        }
        body.resize(LENGTH, 0);
        let body = BytesMut::from(&body[..]);
        let (result, peak, _) = measured(|| messages::decode::<MetadataRequest>(body, version));
        assert_eq!(result.err(), Some(DecodeError::TooManyElements), "version {version}");
        assert!(peak < 1024);
    }
}

#[test]
fn the_largest_legal_count_is_received() {
    let topics = vec![MetadataRequestTopic::default().with_name(Some(TopicName::default())); REQUEST_ELEMENTS_MAX];
    for version in versions(ApiKey::Metadata) {
        let frame = request(ApiKey::Metadata, version, &MetadataRequest::default().with_topics(Some(topics.clone())));
        let (result, peak, _) = measured(|| receive(frame));
        assert_eq!(result, Ok(()));
        assert!(peak < 17 << 20, "{peak} bytes");
    }
}

fn mutate(frame: &mut Vec<u8>, prng: &mut Prng, corpus: &[BytesMut]) {
    let first = if prng.percent(95) { 8 } else { 0 };
    for _ in 0..=prng.below(4) {
        if frame.len() <= first {
            return;
        }
        let at = first + prng.below((frame.len() - first) as u64) as usize;
        match prng.below(7) {
            0 => frame[at] ^= 1 << prng.below(8),
            1 => frame[at] = prng.next_u64() as u8,
            2 => frame[at] = [0, 1, 0x7f, 0x80, 0xff][prng.below(5) as usize],
            3 => frame.truncate(at),
            4 => {
                let count = prng.below(9) as usize;
                frame.splice(at..at, prng.next_u64().to_le_bytes().into_iter().take(count));
            }
            5 => {
                let end = frame.len().min(at + prng.below(9) as usize);
                frame.drain(at..end);
            }
            _ => {
                let other = &corpus[prng.below(corpus.len() as u64) as usize];
                let from = prng.below(other.len() as u64) as usize;
                let end = other.len().min(from + prng.below(40) as usize);
                frame.splice(at..at, other[from..end].iter().copied());
            }
        }
    }
}

/// What our decoders accept, the generated ones read alike (but for tags with false sizes, which Kafka does not look at either).
fn assert_agreement(frame: &[u8]) {
    let Ok((header, body)) = RequestHeader::parse(BytesMut::from(frame)) else { return };
    let version = header.version;
    match header.key() {
        ApiKey::Produce => {
            let mut theirs = body.clone().freeze();
            if let (Ok(ours), Ok(theirs)) = (
                ProduceRequest::decode(body, version),
                kafka_protocol::messages::ProduceRequest::decode(&mut theirs, version),
            ) {
                produce::assert_same(&ours, &theirs);
            }
        }
        ApiKey::Fetch => {
            let mut theirs = body.clone().freeze();
            if let (Ok(ours), Ok(theirs)) = (
                FetchRequest::decode(body, version),
                kafka_protocol::messages::FetchRequest::decode(&mut theirs, version),
            ) {
                fetch::assert_same(&ours, &theirs);
            }
        }
        ApiKey::ListOffsets => assert_walk::<ListOffsetsRequest>(body, version),
        ApiKey::Metadata => assert_walk::<MetadataRequest>(body, version),
        ApiKey::ApiVersions => assert_walk::<ApiVersionsRequest>(body, version),
        ApiKey::CreateTopics => assert_walk::<CreateTopicsRequest>(body, version),
        ApiKey::DeleteTopics => assert_walk::<DeleteTopicsRequest>(body, version),
        ApiKey::DeleteRecords => assert_walk::<DeleteRecordsRequest>(body, version),
        ApiKey::FindCoordinator => assert_walk::<FindCoordinatorRequest>(body, version),
        ApiKey::InitProducerId => assert_walk::<InitProducerIdRequest>(body, version),
        ApiKey::OffsetForLeaderEpoch => assert_walk::<OffsetForLeaderEpochRequest>(body, version),
        ApiKey::DescribeConfigs => assert_walk::<DescribeConfigsRequest>(body, version),
        ApiKey::AlterConfigs => assert_walk::<AlterConfigsRequest>(body, version),
        ApiKey::CreatePartitions => assert_walk::<CreatePartitionsRequest>(body, version),
        ApiKey::IncrementalAlterConfigs => assert_walk::<IncrementalAlterConfigsRequest>(body, version),
        ApiKey::DescribeCluster => assert_walk::<DescribeClusterRequest>(body, version),
        ApiKey::DescribeLogDirs => assert_walk::<DescribeLogDirsRequest>(body, version),
        ApiKey::DescribeProducers => assert_walk::<DescribeProducersRequest>(body, version),
        ApiKey::ListPartitionReassignments => assert_walk::<ListPartitionReassignmentsRequest>(body, version),
        ApiKey::DescribeTopicPartitions => assert_walk::<DescribeTopicPartitionsRequest>(body, version),
    }
}

fn assert_walk<R: Request>(body: BytesMut, version: i16) {
    let length = body.len();
    let Ok(walked) = schema::check(R::KEY, version, &body) else { return };
    let mut rest = body.freeze();
    match R::decode(&mut rest, version) {
        Ok(_) => assert_eq!(length - rest.len(), walked, "{:?} {version}", R::KEY),
        Err(why) => assert!(why.to_string().contains("utf-8"), "{:?} {version}: the walk let pass: {why}", R::KEY),
    }
}

#[test]
fn mutated_frames_neither_panic_nor_commit_memory() {
    let frames = std::env::var("FRAMES").ok().map_or(FRAMES, |count| count.parse().expect("FRAMES is a number"));
    let seed = std::env::var("SEED").ok().map_or(1, |seed| seed.parse().expect("SEED is a number"));
    let corpus = corpus();
    let mut prng = Prng::new(seed);
    let mut received = 0;
    for _ in 0..frames {
        let mut frame = corpus[prng.below(corpus.len() as u64) as usize].to_vec();
        mutate(&mut frame, &mut prng, &corpus);
        if receive_bounded(&frame) {
            received += 1;
            assert_agreement(&frame);
        }
    }
    assert!(received > frames / 20 && received < frames, "{received} of {frames} were legal");
}

#[test]
fn mutated_batches_never_panic() {
    let mut prng = Prng::new(2);
    for _ in 0..FRAMES {
        let mut records: Vec<u8> =
            (0..prng.below(200)).map(|_| prng.next_u64() as u8 & prng.next_u64() as u8).collect();
        if records.len() > 16 {
            records[16] = 2;
            records[8..12].copy_from_slice(&(prng.below(220) as i32 - 10).to_be_bytes());
        }
        let _ = validate_for_produce(&records, 3 + prng.below(9) as i16, 1000);
        let walked: usize = Batches::new(&records).flatten().map(|(range, _)| range.len()).sum();
        assert!(walked <= records.len());
    }
}
