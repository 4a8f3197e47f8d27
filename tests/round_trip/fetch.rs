//! Fetch.

use crate::client::{CORRELATION_ID, body, request, response, text, versions};
use bytes::Bytes;
use corelane::base::error_code::ErrorCode;
use corelane::base::gather::Gather;
use corelane::base::ids::TopicId;
use corelane::wire::api::ApiKey::Fetch;
use corelane::wire::fetch::{
    AbortedTransaction, DivergingEpoch, FetchRequest, FetchResponse, FetchResponsePartition, FetchResponseTopic,
};
use corelane::wire::leader_hint::{LeaderHint, NodeEndpoint};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic, ForgottenTopic, ReplicaState};
use kafka_protocol::messages::{BrokerId, FetchRequest as Request, FetchResponse as Response, TopicName};
use uuid::Uuid;

const ID: [u8; 16] = *b"0123456789abcdef";

/// A request that uses every field of its version.
pub fn full_request(version: i16) -> Request {
    let since = |first: i16, value: i32| if version >= first { value } else { -1 };
    let partition = |index: i32| {
        let mut partition = FetchPartition::default()
            .with_partition(index)
            .with_current_leader_epoch(since(9, 6))
            .with_fetch_offset(1 << 40)
            .with_last_fetched_epoch(since(12, 5))
            .with_log_start_offset(if version >= 5 { 12 } else { -1 })
            .with_partition_max_bytes(1 << 20);
        if version >= 17 {
            partition.replica_directory_id = Uuid::from_bytes([9; 16]);
        }
        partition
    };
    let mut sent = Request::default()
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(50 << 20)
        .with_isolation_level(1)
        .with_topics(vec![
            FetchTopic::default().with_partitions((0..3).map(partition).collect()),
            FetchTopic::default().with_partitions(vec![]),
        ]);
    if version >= 13 {
        sent.topics[0].topic_id = Uuid::from_bytes(ID);
    } else {
        sent.topics[0].topic = TopicName(text("orders"));
    }
    if version >= 7 {
        (sent.session_id, sent.session_epoch) = (77, 3);
        let forgotten = ForgottenTopic::default().with_partitions(vec![1, -1, i32::MAX]);
        sent.forgotten_topics_data = vec![if version >= 13 {
            forgotten.with_topic_id(Uuid::from_bytes(ID))
        } else {
            forgotten.with_topic(TopicName(text("orders")))
        }];
    }
    if version >= 11 {
        sent.rack_id = text("rack-a");
    }
    if version >= 12 {
        sent.cluster_id = Some(text("cluster"));
    }
    if version >= 15 {
        sent.replica_state = ReplicaState::default().with_replica_id(BrokerId(4)).with_replica_epoch(8);
    } else {
        sent.replica_id = BrokerId(4);
    }
    sent
}

/// Compares all but what lies in tags.
#[track_caller]
pub fn assert_same(ours: &FetchRequest, theirs: &Request) {
    assert_eq!(
        (ours.max_wait_ms, ours.min_bytes, ours.max_bytes),
        (theirs.max_wait_ms, theirs.min_bytes, theirs.max_bytes)
    );
    assert_eq!(ours.isolation_level, theirs.isolation_level);
    assert_eq!((ours.session_id, ours.session_epoch), (theirs.session_id, theirs.session_epoch));
    assert_eq!(ours.rack_id, theirs.rack_id);
    assert_eq!(ours.topics.len(), theirs.topics.len());
    for (ours, theirs) in ours.topics.iter().zip(&theirs.topics) {
        assert_eq!((&ours.name, &ours.id.0), (&theirs.topic.0, theirs.topic_id.as_bytes()));
        assert_eq!(ours.partitions.len(), theirs.partitions.len());
        for (ours, theirs) in ours.partitions.iter().zip(&theirs.partitions) {
            assert_eq!((ours.index, ours.current_leader_epoch), (theirs.partition, theirs.current_leader_epoch));
            assert_eq!((ours.fetch_offset, ours.log_start_offset), (theirs.fetch_offset, theirs.log_start_offset));
            assert_eq!(ours.last_fetched_epoch, theirs.last_fetched_epoch);
            assert_eq!(ours.partition_max_bytes, theirs.partition_max_bytes);
        }
    }
    assert_eq!(ours.forgotten.len(), theirs.forgotten_topics_data.len());
    for (ours, theirs) in ours.forgotten.iter().zip(&theirs.forgotten_topics_data) {
        assert_eq!((&ours.name, &ours.id.0), (&theirs.topic.0, theirs.topic_id.as_bytes()));
        assert_eq!(ours.partitions, theirs.partitions);
    }
}

pub fn requests_arrive() {
    for version in versions(Fetch) {
        let sent = full_request(version);
        let decoded =
            FetchRequest::decode(body(Fetch, version, request(Fetch, version, &sent)), version).expect("decodes");
        assert_same(&decoded, &sent);
        assert_eq!(decoded.replica_id, 4);
        assert_eq!(decoded.replica_epoch, if version >= 15 { 8 } else { -1 });
        assert_eq!(decoded.cluster_id, sent.cluster_id);
        let consumer = Request::default();
        let decoded =
            FetchRequest::decode(body(Fetch, version, request(Fetch, version, &consumer)), version).expect("decodes");
        assert_same(&decoded, &consumer);
        assert_eq!((decoded.replica_id, decoded.replica_epoch, decoded.cluster_id), (-1, -1, None));
    }
}

fn records(slices: &[&'static [u8]]) -> Gather {
    let mut gather = Gather::new();
    for slice in slices {
        gather.push(Bytes::from_static(slice));
    }
    gather
}

fn full_response() -> FetchResponse {
    let read = FetchResponsePartition {
        high_watermark: 1 << 41,
        last_stable_offset: 1 << 40,
        log_start_offset: 3,
        aborted_transactions: Some(vec![
            AbortedTransaction { producer_id: 8, first_offset: 21 },
            AbortedTransaction { producer_id: 9, first_offset: 22 },
        ]),
        preferred_read_replica: 2000,
        records: records(&[b"batch one", b"batch two"]),
        ..FetchResponsePartition::refused(0, ErrorCode::None)
    };
    let moved = FetchResponsePartition {
        current_leader: Some(LeaderHint { leader_id: 1001, leader_epoch: 12 }),
        diverging_epoch: Some(DivergingEpoch { epoch: 5, end_offset: 6 }),
        ..FetchResponsePartition::refused(1, ErrorCode::NotLeaderOrFollower)
    };
    let empty = FetchResponsePartition {
        aborted_transactions: Some(vec![]),
        ..FetchResponsePartition::refused(2, ErrorCode::None)
    };
    let last = FetchResponsePartition { records: records(&[b"batch three"]), ..empty.clone() };
    FetchResponse {
        throttle_time_ms: 5,
        error_code: ErrorCode::FetchSessionIdNotFound,
        session_id: 77,
        topics: vec![
            FetchResponseTopic { name: text("orders"), id: TopicId(ID), partitions: vec![read, moved, empty] },
            FetchResponseTopic { name: text("none"), id: TopicId::ZERO, partitions: vec![] },
            FetchResponseTopic { name: text("last"), id: TopicId::ZERO, partitions: vec![last] },
        ],
        node_endpoints: vec![NodeEndpoint { node_id: 1001, host: "b.example".into(), port: 9093, rack: None }],
    }
}

pub fn responses_arrive() {
    for version in versions(Fetch) {
        let sent = full_response();
        let got: Response = response(Fetch, version, full_response().encode(version, CORRELATION_ID));
        assert_eq!(got.throttle_time_ms, 5);
        assert_eq!((got.error_code, got.session_id), if version >= 7 { (70, 77) } else { (0, 0) });
        assert_eq!(got.node_endpoints.len(), usize::from(version >= 16));
        for (got, sent) in got.responses.iter().zip(&sent.topics) {
            let expected = if version >= 13 { ("", sent.id.0) } else { (&*sent.name, [0; 16]) };
            assert_eq!((&**got.topic, got.topic_id.into_bytes()), expected);
            assert_eq!(got.partitions.len(), sent.partitions.len());
            for (got, sent) in got.partitions.iter().zip(&sent.partitions) {
                assert_partition(got, sent, version);
            }
        }
        assert_eq!(got.responses.len(), sent.topics.len());
    }
}

fn assert_partition(
    got: &kafka_protocol::messages::fetch_response::PartitionData,
    sent: &FetchResponsePartition,
    version: i16,
) {
    assert_eq!((got.partition_index, got.error_code), (sent.index, sent.error_code.code()));
    assert_eq!((got.high_watermark, got.last_stable_offset), (sent.high_watermark, sent.last_stable_offset));
    assert_eq!(got.log_start_offset, if version >= 5 { sent.log_start_offset } else { -1 });
    assert_eq!(got.preferred_read_replica.0, if version >= 11 { sent.preferred_read_replica } else { -1 });
    assert_eq!(got.records.as_deref(), Some(&sent.records.to_vec()[..]), "never null");
    let aborted = |list: Vec<(i64, i64)>| list;
    assert_eq!(
        got.aborted_transactions
            .as_ref()
            .map(|all| aborted(all.iter().map(|one| (one.producer_id.0, one.first_offset)).collect())),
        sent.aborted_transactions
            .as_ref()
            .map(|all| aborted(all.iter().map(|one| (one.producer_id, one.first_offset)).collect())),
    );
    let leader = (got.current_leader.leader_id.0, got.current_leader.leader_epoch);
    let hint =
        sent.current_leader.filter(|_| version >= 12).map_or((-1, -1), |hint| (hint.leader_id, hint.leader_epoch));
    assert_eq!(leader, hint);
    let diverging = (got.diverging_epoch.epoch, got.diverging_epoch.end_offset);
    let expected = sent.diverging_epoch.filter(|_| version >= 12).map_or((-1, -1), |one| (one.epoch, one.end_offset));
    assert_eq!(diverging, expected);
}

#[test]
fn record_slices_are_passed_on_untouched() {
    let batch = Bytes::from(vec![7; 1 << 20]);
    for version in versions(Fetch) {
        let partition = FetchResponsePartition {
            records: Gather::from(batch.clone()),
            ..FetchResponsePartition::refused(0, ErrorCode::None)
        };
        let topic = FetchResponseTopic { name: text("orders"), id: TopicId(ID), partitions: vec![partition] };
        let answer = FetchResponse { topics: vec![topic], ..FetchResponse::default() };
        let slices = answer.encode(version, CORRELATION_ID).into_slices();
        assert!(slices.iter().any(|slice| slice.as_ptr() == batch.as_ptr() && slice.len() == batch.len()));
        assert!(slices.len() <= 3, "header bytes, records, tags");
    }
}
