//! What a client sends: whole request frames and record batches, the same bytes in every run.

use bytes::{Bytes, BytesMut};
use corelane::wire::api::ApiKey;
use corelane::wire::compression::Compression;
use corelane::wire::record_batch::HEADER_BYTES;
use corelane::wire::records::{BatchBuilder, Record, Sequence};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{self as generated, TopicName};
use kafka_protocol::protocol::{Encodable, StrBytes, encode_request_header_into_buffer};

/// The one topic.
pub const TOPIC: &str = "orders";
/// Milliseconds, of every record.
pub const TIMESTAMP: i64 = 1_700_000_000_000;

/// A request without its length prefix.
pub fn frame<R: Encodable>(key: ApiKey, version: i16, body: &R) -> Bytes {
    let header = generated::RequestHeader::default()
        .with_request_api_key(key.number())
        .with_request_api_version(version)
        .with_client_id(Some(StrBytes::from_static_str("rdkafka")));
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).expect("encodes");
    body.encode(&mut frame, version).expect("encodes");
    frame.freeze()
}

/// A batch of as many records of at most 1 KiB as fit `bytes` bytes (one at least), with keys if asked for.
pub fn batch(bytes: usize, keyed: bool) -> Bytes {
    let mut batch = BatchBuilder::default();
    while batch.count() == 0 || HEADER_BYTES + batch.bytes() + 1024 <= bytes {
        let value = Bytes::from(vec![b'v'; bytes.min(1024) - 32]);
        let key = keyed.then(|| Bytes::from(format!("customer-{}", batch.count())));
        batch.push(&Record { timestamp: TIMESTAMP, key, value: Some(value), ..Record::default() });
    }
    batch.finish(Compression { codec: 0, gzip_level: -1 }, Sequence::NONE)
}

/// Acknowledged once durable.
pub fn produce(batches: impl IntoIterator<Item = (i32, Bytes)>) -> generated::ProduceRequest {
    let partition = |(index, records)| PartitionProduceData::default().with_index(index).with_records(Some(records));
    generated::ProduceRequest::default().with_acks(-1).with_timeout_ms(30_000).with_topic_data(vec![
        TopicProduceData::default()
            .with_name(TopicName(StrBytes::from_static_str(TOPIC)))
            .with_partition_data(batches.into_iter().map(partition).collect()),
    ])
}

/// (partition, offset) each, 1 MiB at most; waits half a second for a byte.
pub fn fetch(topics: impl IntoIterator<Item = [u8; 16]>, partitions: &[(i32, i64)]) -> generated::FetchRequest {
    let partition = |(index, offset): &(i32, i64)| {
        FetchPartition::default().with_partition(*index).with_fetch_offset(*offset).with_partition_max_bytes(1 << 20)
    };
    let topic = |id| {
        FetchTopic::default()
            .with_topic(TopicName(StrBytes::from_static_str(TOPIC)))
            .with_topic_id(uuid::Uuid::from_bytes(id))
            .with_partitions(partitions.iter().map(partition).collect())
    };
    generated::FetchRequest::default()
        .with_max_wait_ms(500)
        .with_min_bytes(1)
        .with_max_bytes(64 << 20)
        .with_session_epoch(-1)
        .with_topics(topics.into_iter().map(topic).collect())
}
