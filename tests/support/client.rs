//! A raw Kafka client: one blocking connection, requests in order, no retries of its own.

use super::batch::{self, Record};
use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig};
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{
    BrokerId, CreateTopicsRequest, DeleteRecordsRequest, DeleteTopicsRequest, FetchRequest, InitProducerIdRequest,
    ListOffsetsRequest, MetadataRequest, ProduceRequest, RequestHeader, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, HeaderVersion, Request, StrBytes};
use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::{Duration, Instant};

pub const PRODUCE: i16 = 9;
pub const FETCH: i16 = 12;
pub const METADATA: i16 = 10;
pub const LIST_OFFSETS: i16 = 6;
pub const INIT_PRODUCER_ID: i16 = 4;
pub const CREATE_TOPICS: i16 = 6;
pub const DELETE_TOPICS: i16 = 5;
pub const DELETE_RECORDS: i16 = 2;

/// ListOffsets timestamps.
pub const LATEST: i64 = -1;
pub const EARLIEST: i64 = -2;

/// Error codes that tests name.
pub const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
pub const OFFSET_OUT_OF_RANGE: i16 = 1;
pub const LEADER_NOT_AVAILABLE: i16 = 5;
pub const NOT_LEADER_OR_FOLLOWER: i16 = 6;
pub const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
pub const TOPIC_ALREADY_EXISTS: i16 = 36;
pub const KAFKA_STORAGE_ERROR: i16 = 56;

/// What InitProducerId gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducerIdentity {
    pub id: i64,
    pub epoch: i16,
}

/// Why a call failed: the connection, or an answer's error code.
#[derive(Debug)]
pub enum Failure {
    Connection(io::Error),
    Code(i16),
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Failure {
        Failure::Connection(error)
    }
}

impl Failure {
    pub fn code(&self) -> Option<i16> {
        match self {
            Failure::Code(code) => Some(*code),
            Failure::Connection(_) => None,
        }
    }
}

fn checked(code: i16) -> Result<(), Failure> {
    if code == 0 { Ok(()) } else { Err(Failure::Code(code)) }
}

/// A fetch answer for one partition.
#[derive(Clone, Debug)]
pub struct Fetched {
    pub topic: String,
    pub partition: i32,
    pub error: i16,
    pub high_watermark: i64,
    pub log_start: i64,
    pub records: Vec<Record>,
}

/// One partition to fetch.
#[derive(Clone, Debug)]
pub struct FetchFrom {
    pub topic: String,
    pub partition: i32,
    pub offset: i64,
}

/// The answer to one batch.
#[derive(Clone, Debug)]
pub struct Produced {
    pub topic: String,
    pub partition: i32,
    pub error: i16,
    pub base_offset: i64,
}

/// Where the partitions of a topic are led, by index.
#[derive(Clone, Debug)]
pub struct TopicLeaders {
    pub id: [u8; 16],
    pub addresses: Vec<String>,
}

pub struct Connection {
    stream: TcpStream,
    correlation: i32,
    answered: i32,
}

fn name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_string()))
}

fn odd(text: impl std::fmt::Display) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text.to_string())
}

impl Connection {
    /// Connects; answers may take up to 30 s.
    pub fn open(address: &str) -> io::Result<Connection> {
        let target = address.to_socket_addrs()?.next().ok_or_else(|| odd("no address"))?;
        let stream = TcpStream::connect_timeout(&target, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(60)))?;
        Ok(Connection { stream, correlation: 0, answered: 0 })
    }

    /// Connects, trying again until the time is over.
    pub fn open_within(address: &str, limit: Duration) -> io::Result<Connection> {
        let deadline = Instant::now() + limit;
        loop {
            match Connection::open(address) {
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
                opened => return opened,
            }
        }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Requests sent and not yet answered.
    pub fn in_flight(&self) -> usize {
        (self.correlation - self.answered) as usize
    }

    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> io::Result<()> {
        self.correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.correlation)
            .with_client_id(Some(StrBytes::from_static_str("black-box")));
        let mut frame = BytesMut::new();
        frame.extend_from_slice(&[0; 4]);
        header.encode(&mut frame, R::header_version(version)).map_err(odd)?;
        request.encode(&mut frame, version).map_err(odd)?;
        let length = frame.len() as i32 - 4;
        frame[..4].copy_from_slice(&length.to_be_bytes());
        self.stream.write_all(&frame)
    }

    /// The next answer; it must belong to the oldest unanswered request (Kafka answers a connection in order).
    pub fn receive<R: Request>(&mut self, version: i16) -> io::Result<R::Response> {
        let mut length = [0; 4];
        self.stream.read_exact(&mut length)?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        self.stream.read_exact(&mut frame)?;
        self.answered += 1;
        let mut frame = Bytes::from(frame);
        let header = ResponseHeader::decode(&mut frame, R::Response::header_version(version)).map_err(odd)?;
        assert_eq!(header.correlation_id, self.answered, "answers must come in the order of the requests");
        let response = R::Response::decode(&mut frame, version).map_err(odd)?;
        assert!(frame.is_empty(), "{} bytes too many in an answer to API {}", frame.len(), R::KEY);
        Ok(response)
    }

    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> io::Result<R::Response> {
        self.send(version, request)?;
        self.receive::<R>(version)
    }

    pub fn send_produce(&mut self, acks: i16, batches: &[(String, i32, Bytes)]) -> io::Result<()> {
        let mut topics: BTreeMap<&str, Vec<PartitionProduceData>> = BTreeMap::new();
        for (topic, partition, bytes) in batches {
            let data = PartitionProduceData::default().with_index(*partition).with_records(Some(bytes.clone()));
            topics.entry(topic).or_default().push(data);
        }
        let topics = topics.into_iter().map(|(topic, partitions)| {
            TopicProduceData::default().with_name(name(topic)).with_partition_data(partitions)
        });
        let request = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(acks)
            .with_timeout_ms(30_000)
            .with_topic_data(topics.collect());
        self.send(PRODUCE, &request)
    }

    pub fn receive_produced(&mut self) -> io::Result<Vec<Produced>> {
        let response = self.receive::<ProduceRequest>(PRODUCE)?;
        let mut produced = Vec::new();
        for topic in response.responses {
            for answer in topic.partition_responses {
                produced.push(Produced {
                    topic: topic.name.to_string(),
                    partition: answer.index,
                    error: answer.error_code,
                    base_offset: answer.base_offset,
                });
            }
        }
        Ok(produced)
    }

    /// One batch at acks=all; gives its base offset.
    pub fn produce(&mut self, topic: &str, partition: i32, bytes: Vec<u8>) -> Result<i64, Failure> {
        self.send_produce(-1, &[(topic.to_string(), partition, Bytes::from(bytes))])?;
        let answer = self.receive_produced()?.remove(0);
        checked(answer.error)?;
        Ok(answer.base_offset)
    }

    pub fn send_fetch(&mut self, from: &[FetchFrom], wait_ms: i32, partition_bytes: i32) -> io::Result<()> {
        let mut topics: BTreeMap<&str, Vec<FetchPartition>> = BTreeMap::new();
        for wanted in from {
            let partition = FetchPartition::default()
                .with_partition(wanted.partition)
                .with_current_leader_epoch(-1)
                .with_last_fetched_epoch(-1)
                .with_log_start_offset(-1)
                .with_fetch_offset(wanted.offset)
                .with_partition_max_bytes(partition_bytes);
            topics.entry(&wanted.topic).or_default().push(partition);
        }
        let topics = topics
            .into_iter()
            .map(|(topic, partitions)| FetchTopic::default().with_topic(name(topic)).with_partitions(partitions));
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(wait_ms)
            .with_min_bytes(1)
            .with_max_bytes(16 << 20)
            .with_session_epoch(-1)
            .with_topics(topics.collect());
        self.send(FETCH, &request)
    }

    pub fn receive_fetched(&mut self) -> Result<Vec<Fetched>, Failure> {
        let response = self.receive::<FetchRequest>(FETCH)?;
        checked(response.error_code)?;
        let mut fetched = Vec::new();
        for topic in response.responses {
            for data in topic.partitions {
                fetched.push(Fetched {
                    topic: topic.topic.to_string(),
                    partition: data.partition_index,
                    error: data.error_code,
                    high_watermark: data.high_watermark,
                    log_start: data.log_start_offset,
                    records: data.records.map(|bytes| batch::decode(&bytes)).unwrap_or_default(),
                });
            }
        }
        Ok(fetched)
    }

    pub fn fetch(&mut self, from: &[FetchFrom], wait_ms: i32) -> Result<Vec<Fetched>, Failure> {
        self.send_fetch(from, wait_ms, 1 << 20)?;
        self.receive_fetched()
    }

    /// Leaders of the topics; waits (up to 20 s) for partitions that have none yet. `None` for an unknown topic.
    pub fn leaders(&mut self, topics: &[&str]) -> Result<Vec<Option<TopicLeaders>>, Failure> {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            match self.leaders_now(topics) {
                Err(Failure::Code(LEADER_NOT_AVAILABLE)) if Instant::now() < deadline => {
                    std::thread::sleep(Duration::from_millis(20));
                }
                result => return result,
            }
        }
    }

    fn leaders_now(&mut self, topics: &[&str]) -> Result<Vec<Option<TopicLeaders>>, Failure> {
        let asked = topics.iter().map(|topic| MetadataRequestTopic::default().with_name(Some(name(topic))));
        let request =
            MetadataRequest::default().with_topics(Some(asked.collect())).with_allow_auto_topic_creation(false);
        let response = self.call(METADATA, &request)?;
        let brokers: BTreeMap<i32, String> = response
            .brokers
            .iter()
            .map(|broker| (broker.node_id.0, format!("{}:{}", broker.host, broker.port)))
            .collect();
        let mut found = Vec::new();
        for asked in topics {
            let topic = response.topics.iter().find(|topic| topic.name.as_ref().is_some_and(|name| &***name == *asked));
            let topic = topic.ok_or_else(|| odd(format!("no answer for topic {asked}")))?;
            if topic.error_code == UNKNOWN_TOPIC_OR_PARTITION {
                found.push(None);
                continue;
            }
            checked(topic.error_code)?;
            let mut addresses = vec![String::new(); topic.partitions.len()];
            for partition in &topic.partitions {
                checked(partition.error_code)?;
                let leader = brokers.get(&partition.leader_id.0).ok_or(Failure::Code(LEADER_NOT_AVAILABLE))?;
                addresses[partition.partition_index as usize] = leader.clone();
            }
            found.push(Some(TopicLeaders { id: topic.topic_id.into_bytes(), addresses }));
        }
        Ok(found)
    }

    pub fn init_producer_id(&mut self) -> Result<ProducerIdentity, Failure> {
        let request = InitProducerIdRequest::default()
            .with_transactional_id(None)
            .with_transaction_timeout_ms(60_000)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let response = self.call(INIT_PRODUCER_ID, &request)?;
            if response.error_code == COORDINATOR_LOAD_IN_PROGRESS && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
                continue;
            }
            checked(response.error_code)?;
            return Ok(ProducerIdentity { id: response.producer_id.0, epoch: response.producer_epoch });
        }
    }

    pub fn create_topic(&mut self, topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<(), Failure> {
        let configs = configs.iter().map(|(key, value)| {
            CreatableTopicConfig::default()
                .with_name(StrBytes::from_string(key.to_string()))
                .with_value(Some(StrBytes::from_string(value.to_string())))
        });
        let wanted = CreatableTopic::default()
            .with_name(name(topic))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.collect());
        let request = CreateTopicsRequest::default().with_topics(vec![wanted]).with_timeout_ms(30_000);
        let response = self.call(CREATE_TOPICS, &request)?;
        checked(response.topics[0].error_code)
    }

    pub fn delete_topic(&mut self, topic: &str) -> Result<(), Failure> {
        let request = DeleteTopicsRequest::default().with_topic_names(vec![name(topic)]).with_timeout_ms(30_000);
        let response = self.call(DELETE_TOPICS, &request)?;
        checked(response.responses[0].error_code)
    }

    /// Gives the new log start.
    pub fn delete_records(&mut self, topic: &str, partition: i32, offset: i64) -> Result<i64, Failure> {
        let wanted = DeleteRecordsPartition::default().with_partition_index(partition).with_offset(offset);
        let topic = DeleteRecordsTopic::default().with_name(name(topic)).with_partitions(vec![wanted]);
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let response = self.call(DELETE_RECORDS, &request)?;
        let answer = &response.topics[0].partitions[0];
        checked(answer.error_code)?;
        Ok(answer.low_watermark)
    }

    /// `timestamp` is [`LATEST`], [`EARLIEST`] or milliseconds.
    pub fn list_offset(&mut self, topic: &str, partition: i32, timestamp: i64) -> Result<i64, Failure> {
        let wanted = ListOffsetsPartition::default()
            .with_partition_index(partition)
            .with_current_leader_epoch(-1)
            .with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_name(name(topic)).with_partitions(vec![wanted]);
        let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let response = self.call(LIST_OFFSETS, &request)?;
        let answer = &response.topics[0].partitions[0];
        checked(answer.error_code)?;
        Ok(answer.offset)
    }
}
