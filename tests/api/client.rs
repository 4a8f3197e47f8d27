//! Short forms of requests and answers.

use crate::world::{Client, World};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::create_topics_response::CreatableTopicResult;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::PartitionData;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::produce_response::PartitionProduceResponse;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::StrBytes;
use uuid::Uuid;

pub fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

pub fn topic_name(name: &str) -> TopicName {
    TopicName(text(name))
}

/// Who sends a batch.
#[derive(Clone, Copy, Debug)]
pub struct Producer {
    pub id: i64,
    pub epoch: i16,
    pub sequence: i32,
}

/// A batch of `count` records with `value_bytes` each; the fields that tests twist are parameters.
#[derive(Clone, Copy, Debug)]
pub struct Batch {
    pub count: i32,
    pub value_bytes: usize,
    pub attributes: i16,
    pub base_offset: i64,
    pub last_offset_delta: Option<i32>,
    pub magic: i8,
    pub producer: Option<Producer>,
    pub bad_crc: bool,
    pub keyed: bool,
    pub timestamp: i64,
}

impl Batch {
    pub fn of(count: i32) -> Batch {
        Batch {
            count,
            value_bytes: 10,
            attributes: 0,
            base_offset: 0,
            last_offset_delta: None,
            magic: 2,
            producer: None,
            bad_crc: false,
            keyed: false,
            timestamp: 1_600_000_000_000,
        }
    }

    pub fn by(self, id: i64, epoch: i16, sequence: i32) -> Batch {
        Batch { producer: Some(Producer { id, epoch, sequence }), ..self }
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut covered = Vec::new();
        let producer = self.producer.unwrap_or(Producer { id: -1, epoch: -1, sequence: -1 });
        covered.extend_from_slice(&self.attributes.to_be_bytes());
        covered.extend_from_slice(&self.last_offset_delta.unwrap_or(self.count - 1).to_be_bytes());
        covered.extend_from_slice(&self.timestamp.to_be_bytes());
        covered.extend_from_slice(&self.timestamp.to_be_bytes());
        covered.extend_from_slice(&producer.id.to_be_bytes());
        covered.extend_from_slice(&producer.epoch.to_be_bytes());
        covered.extend_from_slice(&producer.sequence.to_be_bytes());
        covered.extend_from_slice(&self.count.to_be_bytes());
        for index in 0..self.count {
            put_record(&mut covered, index, self.keyed, self.value_bytes);
        }
        let mut batch = Vec::new();
        batch.extend_from_slice(&self.base_offset.to_be_bytes());
        batch.extend_from_slice(&(covered.len() as i32 + 9).to_be_bytes());
        batch.extend_from_slice(&(-1i32).to_be_bytes());
        batch.push(self.magic as u8);
        let crc = crc32c::crc32c(&covered) ^ u32::from(self.bad_crc);
        batch.extend_from_slice(&crc.to_be_bytes());
        batch.extend_from_slice(&covered);
        batch
    }
}

fn put_record(out: &mut Vec<u8>, index: i32, keyed: bool, value_bytes: usize) {
    let mut record = vec![0u8];
    put_varint(&mut record, 0);
    put_varint(&mut record, i64::from(index));
    put_varint(&mut record, if keyed { 1 } else { -1 });
    record.resize(record.len() + usize::from(keyed), b'k');
    put_varint(&mut record, value_bytes as i64);
    record.resize(record.len() + value_bytes, b'v');
    put_varint(&mut record, 0);
    put_varint(out, record.len() as i64);
    out.extend_from_slice(&record);
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

/// One batch of a fetch answer.
#[derive(Clone, Copy, Debug)]
pub struct Found {
    pub base_offset: i64,
    pub end_offset: i64,
    pub leader_epoch: i32,
}

/// The batches of a fetch answer.
pub fn found(partition: &PartitionData) -> Vec<Found> {
    let records = partition.records.as_ref().expect("never null");
    let mut found = Vec::new();
    let mut at = 0;
    while at < records.len() {
        let field = |from: usize, bytes: usize| {
            records[at + from..at + from + bytes].iter().fold(0u64, |value, byte| value << 8 | u64::from(*byte))
        };
        let (base_offset, leader_epoch) = (field(0, 8) as i64, field(12, 4) as u32 as i32);
        found.push(Found { base_offset, end_offset: base_offset + field(23, 4) as i64 + 1, leader_epoch });
        at += 12 + field(8, 4) as usize;
    }
    assert_eq!(at, records.len(), "whole batches");
    found
}

/// Base offsets and leader epochs of the batches of a fetch answer.
pub fn batches(partition: &PartitionData) -> Vec<(i64, i32)> {
    found(partition).iter().map(|batch| (batch.base_offset, batch.leader_epoch)).collect()
}

/// A Produce request with one batch per partition.
pub fn produce_request(acks: i16, partitions: &[(&str, i32, Vec<u8>)]) -> ProduceRequest {
    let mut request = ProduceRequest::default().with_acks(acks).with_timeout_ms(5_000);
    for (topic, index, batch) in partitions {
        let data = PartitionProduceData::default().with_index(*index).with_records(Some(Bytes::from(batch.clone())));
        let data = TopicProduceData::default().with_name(topic_name(topic)).with_partition_data(vec![data]);
        request.topic_data.push(data);
    }
    request
}

/// The partitions of an answer, in order.
pub fn produced(response: &ProduceResponse) -> Vec<PartitionProduceResponse> {
    response.responses.iter().flat_map(|topic| topic.partition_responses.clone()).collect()
}

/// (error, base offset) of every partition.
pub fn outcomes(response: &ProduceResponse) -> Vec<(i16, i64)> {
    produced(response).iter().map(|partition| (partition.error_code, partition.base_offset)).collect()
}

/// A sessionless Fetch by name (to version 12): (topic, partition, offset).
pub fn fetch_request(min_bytes: i32, max_wait_ms: i32, partitions: &[(&str, i32, i64)]) -> FetchRequest {
    let mut request = FetchRequest::default()
        .with_replica_id(BrokerId(-1))
        .with_min_bytes(min_bytes)
        .with_max_bytes(50 << 20)
        .with_max_wait_ms(max_wait_ms)
        .with_session_epoch(-1);
    for (topic, partition, offset) in partitions {
        let partition = FetchPartition::default()
            .with_partition(*partition)
            .with_fetch_offset(*offset)
            .with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic(topic_name(topic)).with_partitions(vec![partition]);
        request.topics.push(topic);
    }
    request
}

/// The partitions of an answer, in order.
pub fn fetched(response: &FetchResponse) -> Vec<PartitionData> {
    response.responses.iter().flat_map(|topic| topic.partitions.clone()).collect()
}

/// A CreateTopics request for one topic.
pub fn create_request(name: &str, partitions: i32, configs: &[(&str, &str)]) -> CreateTopicsRequest {
    let config = |(key, value): &(&str, &str)| {
        CreatableTopicConfig::default().with_name(text(key)).with_value(Some(text(value)))
    };
    let topic = CreatableTopic::default()
        .with_name(topic_name(name))
        .with_num_partitions(partitions)
        .with_replication_factor(-1)
        .with_configs(configs.iter().map(config).collect());
    CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000)
}

pub fn delete_records_request(topic: &str, partition: i32, offset: i64) -> DeleteRecordsRequest {
    let partition = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
    let topic = DeleteRecordsTopic::default().with_name(topic_name(topic)).with_partitions(vec![partition]);
    DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000)
}

pub fn delete_request(name: &str) -> DeleteTopicsRequest {
    let topic = DeleteTopicState::default().with_name(Some(topic_name(name)));
    DeleteTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(5_000)
}

impl World {
    /// Creates a topic, which must succeed.
    #[track_caller]
    pub fn create_topic(&mut self, client: Client, name: &str, partitions: i32, configs: &[(&str, &str)]) -> Uuid {
        let response = self.call(client, 7, &create_request(name, partitions, configs));
        let CreatableTopicResult { error_code, error_message, topic_id, num_partitions, .. } =
            response.topics[0].clone();
        assert_eq!(error_code, 0, "{error_message:?}");
        assert_eq!(num_partitions, partitions);
        topic_id
    }

    /// Core that a partition lives on, whatever clients are told.
    pub fn owner(&self, topic: &str, partition: i32) -> usize {
        let image = self.brokers[0].image();
        let partition = image.topic_by_name(topic).and_then(|topic| topic.partition(partition)).expect("the partition");
        usize::from(partition.core(image.cores()).0)
    }

    /// Core whose broker leads a partition, by Metadata.
    #[track_caller]
    pub fn leader(&mut self, client: Client, topic: &str, partition: i32) -> usize {
        let request = metadata_request(&[topic]).with_allow_auto_topic_creation(false);
        let response = self.call(client, 9, &request);
        let found = response.topics[0].partitions.iter().find(|one| one.partition_index == partition);
        found.expect("the partition").leader_id.0 as usize
    }

    /// Produces one batch, which must succeed; gives its base offset.
    #[track_caller]
    pub fn produce(&mut self, client: Client, topic: &str, partition: i32, batch: Batch) -> i64 {
        let response = self.call(client, 9, &produce_request(-1, &[(topic, partition, batch.encode())]));
        let (error, offset) = outcomes(&response)[0];
        assert_eq!(error, 0, "{response:?}");
        offset
    }

    /// All batches up to the high watermark; one answer may end where another segment begins.
    #[track_caller]
    pub fn read_all(&mut self, client: Client, topic: &str, partition: i32) -> Vec<Found> {
        let mut all: Vec<Found> = Vec::new();
        loop {
            let offset = all.last().map_or(0, |last| last.end_offset);
            let answer = self.fetch(client, topic, partition, offset);
            assert_eq!(answer.error_code, 0);
            let more = found(&answer);
            if more.is_empty() {
                assert_eq!(offset, answer.high_watermark, "nothing before the high watermark");
                return all;
            }
            all.extend(more);
        }
    }

    /// Fetches without waiting.
    #[track_caller]
    pub fn fetch(&mut self, client: Client, topic: &str, partition: i32, offset: i64) -> PartitionData {
        let response = self.call(client, 11, &fetch_request(1, 0, &[(topic, partition, offset)]));
        fetched(&response).remove(0)
    }
}

pub fn metadata_request(topics: &[&str]) -> MetadataRequest {
    let topic = |name: &&str| metadata_request::MetadataRequestTopic::default().with_name(Some(topic_name(name)));
    MetadataRequest::default()
        .with_topics(Some(topics.iter().map(topic).collect()))
        .with_allow_auto_topic_creation(true)
}

/// A frame of raw bytes.
pub fn frame(bytes: &[u8]) -> BytesMut {
    BytesMut::from(bytes)
}
