//! Produce.

use crate::client::{CORRELATION_ID, body, request, response, text, versions};
use crate::counting::measured;
use bytes::{Bytes, BytesMut};
use corelane::base::error_code::ErrorCode;
use corelane::wire::api::ApiKey::Produce;
use corelane::wire::leader_hint::{LeaderHint, NodeEndpoint};
use corelane::wire::produce::{
    ProduceRequest, ProduceResponse, ProduceResponsePartition, ProduceResponseTopic, RecordError,
};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ProduceRequest as Request, ProduceResponse as Response, TopicName, TransactionalId};

pub fn full_request() -> Request {
    let partition =
        |index: i32, records: Option<Bytes>| PartitionProduceData::default().with_index(index).with_records(records);
    let topic = |name: &str, partitions| {
        TopicProduceData::default().with_name(TopicName(text(name))).with_partition_data(partitions)
    };
    Request::default()
        .with_transactional_id(Some(TransactionalId(text("payments"))))
        .with_acks(-1)
        .with_timeout_ms(30_000)
        .with_topic_data(vec![
            topic(
                "orders",
                vec![
                    partition(0, Some(Bytes::from_static(b"first batch"))),
                    partition(7, None),
                    partition(i32::MAX, Some(Bytes::new())),
                ],
            ),
            topic("", vec![]),
            topic("ümlaut", vec![partition(-1, Some(Bytes::from(vec![0xab; 70_000])))]),
        ])
}

#[track_caller]
pub fn assert_same(ours: &ProduceRequest, theirs: &Request) {
    assert_eq!(ours.transactional_id, theirs.transactional_id.clone().map(|id| id.0));
    assert_eq!((ours.acks, ours.timeout_ms), (theirs.acks, theirs.timeout_ms));
    assert_eq!(ours.topics.len(), theirs.topic_data.len());
    for (ours, theirs) in ours.topics.iter().zip(&theirs.topic_data) {
        assert_eq!(ours.name, theirs.name.0);
        let ours: Vec<_> = ours.partitions.iter().map(|part| (part.index, part.records.as_deref())).collect();
        let theirs: Vec<_> = theirs.partition_data.iter().map(|part| (part.index, part.records.as_deref())).collect();
        assert_eq!(ours, theirs);
    }
}

pub fn requests_arrive() {
    for version in versions(Produce) {
        for sent in [full_request(), Request::default(), full_request().with_transactional_id(None).with_acks(0)] {
            let frame = request(Produce, version, &sent);
            let decoded = ProduceRequest::decode(body(Produce, version, frame), version).expect("decodes");
            assert_same(&decoded, &sent);
        }
    }
}

#[test]
fn records_can_be_written_in_place_without_touching_their_neighbours() {
    for version in versions(Produce) {
        let mut decoded =
            ProduceRequest::decode(body(Produce, version, request(Produce, version, &full_request())), version)
                .expect("decodes");
        let last = decoded.topics[2].partitions[0].records.take().expect("records");
        decoded.topics[0].partitions[0].records.as_mut().expect("records").fill(b'x');
        assert_eq!(decoded.topics[0].partitions[0].records.as_deref(), Some(&b"xxxxxxxxxxx"[..]));
        assert_eq!((&*decoded.topics[0].name, &*decoded.topics[2].name), ("orders", "ümlaut"));
        assert!(last.iter().all(|byte| *byte == 0xab));
    }
}

#[test]
fn decoding_copies_no_records_and_allocates_little() {
    let records = vec![1; 1 << 20];
    let sent = Request::default().with_topic_data(vec![
        TopicProduceData::default()
            .with_name(TopicName(text("orders")))
            .with_partition_data(vec![PartitionProduceData::default().with_records(Some(records.into()))]),
    ]);
    for version in versions(Produce) {
        let body = body(Produce, version, request(Produce, version, &sent));
        let range = body.as_ptr_range();
        let (decoded, peak, calls) = measured(|| ProduceRequest::decode(body, version).expect("decodes"));
        let records = decoded.topics[0].partitions[0].records.as_ref().expect("records");
        assert!(range.contains(&records.as_ptr()));
        assert!(peak < 1024 && calls <= 4, "{peak} bytes in {calls} allocations");
    }
}

#[test]
fn null_topics_are_refused() {
    for version in versions(Produce) {
        let mut body = BytesMut::new();
        let null: &[u8] = if version >= 9 { &[0] } else { &[0xff; 4] };
        let transactional_id: &[u8] = if version >= 9 { &[0] } else { &[0xff; 2] };
        for part in [transactional_id, &[0, 1], &[0; 4], null, &[0; 4]] {
            body.extend_from_slice(part);
        }
        assert!(ProduceRequest::decode(body, version).is_err());
    }
}

fn full_response() -> ProduceResponse {
    let refused = ProduceResponsePartition {
        record_errors: vec![
            RecordError { batch_index: 3, message: Some("no key".into()) },
            RecordError { batch_index: 4, message: None },
        ],
        ..ProduceResponsePartition::refused(1, ErrorCode::InvalidRecord, Some("a compacted topic needs keys".into()))
    };
    let moved = ProduceResponsePartition {
        current_leader: Some(LeaderHint { leader_id: 1001, leader_epoch: 12 }),
        ..ProduceResponsePartition::refused(2, ErrorCode::NotLeaderOrFollower, None)
    };
    let stamped =
        ProduceResponsePartition { log_append_time_ms: 99, ..ProduceResponsePartition::appended(0, 1 << 40, 17) };
    ProduceResponse {
        topics: vec![
            ProduceResponseTopic { name: text("orders"), partitions: vec![stamped, refused, moved] },
            ProduceResponseTopic { name: text(&"long".repeat(60)), partitions: vec![] },
        ],
        throttle_time_ms: 5,
        node_endpoints: vec![
            NodeEndpoint { node_id: 1001, host: "b.example".into(), port: 9093, rack: Some("r1".into()) },
            NodeEndpoint { node_id: 1002, host: "c.example".into(), port: 9094, rack: None },
        ],
    }
}

pub fn responses_arrive() {
    for version in versions(Produce) {
        let sent = full_response();
        let got: Response = response(Produce, version, sent.encode(version, CORRELATION_ID));
        assert_eq!(got.throttle_time_ms, 5);
        assert_eq!(got.responses.len(), sent.topics.len());
        for (got, sent) in got.responses.iter().zip(&sent.topics) {
            assert_eq!(got.name.0, sent.name);
            assert_eq!(got.partition_responses.len(), sent.partitions.len());
            for (got, sent) in got.partition_responses.iter().zip(&sent.partitions) {
                assert_partition(got, sent, version);
            }
        }
        let endpoints: Vec<_> =
            got.node_endpoints.iter().map(|node| (node.node_id.0, node.host.to_string(), node.port)).collect();
        if version >= 10 {
            assert_eq!(endpoints, [(1001, "b.example".into(), 9093), (1002, "c.example".into(), 9094)]);
            assert_eq!(got.node_endpoints[0].rack, Some(text("r1")));
            assert_eq!(got.node_endpoints[1].rack, None);
        } else {
            assert_eq!(endpoints, []);
        }
    }
}

fn assert_partition(
    got: &kafka_protocol::messages::produce_response::PartitionProduceResponse,
    sent: &ProduceResponsePartition,
    version: i16,
) {
    assert_eq!((got.index, got.error_code, got.base_offset), (sent.index, sent.error_code.code(), sent.base_offset));
    assert_eq!(got.log_append_time_ms, sent.log_append_time_ms);
    assert_eq!(got.log_start_offset, if version >= 5 { sent.log_start_offset } else { -1 });
    let leader = (got.current_leader.leader_id.0, got.current_leader.leader_epoch);
    let hint =
        sent.current_leader.filter(|_| version >= 10).map_or((-1, -1), |hint| (hint.leader_id, hint.leader_epoch));
    assert_eq!(leader, hint);
    let errors: Vec<_> =
        got.record_errors.iter().map(|error| (error.batch_index, error.batch_index_error_message.as_deref())).collect();
    if version >= 8 {
        let sent_errors: Vec<_> =
            sent.record_errors.iter().map(|error| (error.batch_index, error.message.as_deref())).collect();
        assert_eq!(errors, sent_errors);
        assert_eq!(got.error_message.as_deref(), sent.error_message.as_deref());
    } else {
        assert!(errors.is_empty() && got.error_message.is_none());
    }
}
