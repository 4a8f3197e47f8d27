//! Produce 3-11: request decoder and response encoder.
//!
//! ```text
//! request   transactional id string? | acks i16 | timeout i32 | topics [ name | partitions [ index i32 | records bytes? ] ]
//! response  topics [ name | partitions [ index i32 | error i16 | base offset i64 | log append time i64 | log start i64 (5+)
//!           | record errors [ batch index i32 | message string? ] (8+) | message string? (8+) | tag 0 leader (10+) ] ]
//!           | throttle i32 | tag 0 endpoints (10+)
//! ```
//! From version 9 on lengths are compact and every structure ends in a tag section.

use crate::base::error_code::ErrorCode;
use crate::base::gather::Gather;
use crate::wire::api::ApiKey;
use crate::wire::frame::begin_response;
use crate::wire::leader_hint::{LeaderHint, NodeEndpoint, put_endpoints};
use crate::wire::reader::{DecodeError, FrameReader, Primitives};
use crate::wire::writer::Writer;
use bytes::BytesMut;
use kafka_protocol::protocol::StrBytes;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// A decoded request. The records lie in the frame, strings are copied.
#[derive(Debug)]
pub struct ProduceRequest {
    /// Null without transactions.
    pub transactional_id: Option<StrBytes>,
    /// 0, 1 or -1; anything else is to be refused.
    pub acks: i16,
    /// How long the answer may wait, milliseconds.
    pub timeout_ms: i32,
    /// In the order of the request. A topic may come twice.
    pub topics: Vec<ProduceTopic>,
}

/// The partitions of one topic.
#[derive(Debug)]
pub struct ProduceTopic {
    /// Topic name; any string.
    pub name: StrBytes,
    /// In the order of the request. A partition may come twice.
    pub partitions: Vec<ProducePartition>,
}

/// What to append to one partition.
#[derive(Debug)]
pub struct ProducePartition {
    /// Partition index; any number.
    pub index: i32,
    /// Unchecked bytes; null is representable because Kafka's format allows it. A piece of the frame that nobody else holds.
    pub records: Option<BytesMut>,
}

impl ProduceRequest {
    /// Decodes a body. Bytes after it are ignored, as Kafka does.
    pub fn decode(body: BytesMut, version: i16) -> Result<ProduceRequest, DecodeError> {
        let api = ApiKey::Produce.api();
        assert!(api.serves(version), "the header was checked");
        let flexible = api.is_flexible(version);
        let mut reader = FrameReader::new(body);
        let transactional_id = reader.nullable_text(flexible)?;
        let acks = reader.i16()?;
        let timeout_ms = reader.i32()?;
        let count = reader.required_count(flexible, if flexible { 3 } else { 6 })?;
        let mut topics = Vec::with_capacity(count);
        for _ in 0..count {
            topics.push(decode_topic(&mut reader, flexible)?);
        }
        if flexible {
            reader.skip_tags()?;
        }
        Ok(ProduceRequest { transactional_id, acks, timeout_ms, topics })
    }

    /// Lets a topic or partition that is named several times stand once: where it came first, with the records that came last,
    /// as Kafka does. No client sends that, so looking for it is all that usually happens.
    pub fn unite_repeated(&mut self) {
        if repeats(self.topics.iter().map(|topic| topic.name.as_str())) {
            let mut places: BTreeMap<_, usize> = BTreeMap::new();
            for topic in std::mem::take(&mut self.topics) {
                match places.entry(topic.name.clone()) {
                    Entry::Occupied(place) => self.topics[*place.get()].partitions.extend(topic.partitions),
                    Entry::Vacant(place) => {
                        place.insert(self.topics.len());
                        self.topics.push(topic);
                    }
                }
            }
        }
        for topic in &mut self.topics {
            if repeats(topic.partitions.iter().map(|partition| partition.index)) {
                let mut places: BTreeMap<_, usize> = BTreeMap::new();
                for partition in std::mem::take(&mut topic.partitions) {
                    match places.entry(partition.index) {
                        Entry::Occupied(place) => topic.partitions[*place.get()] = partition,
                        Entry::Vacant(place) => {
                            place.insert(topic.partitions.len());
                            topic.partitions.push(partition);
                        }
                    }
                }
            }
        }
    }
}

fn repeats<T: Ord>(names: impl Iterator<Item = T> + Clone) -> bool {
    if names.clone().is_sorted_by(|one, next| one < next) {
        return false;
    }
    let mut sorted: Vec<T> = names.collect();
    sorted.sort_unstable();
    sorted.windows(2).any(|pair| pair[0] == pair[1])
}

fn decode_topic(reader: &mut FrameReader, flexible: bool) -> Result<ProduceTopic, DecodeError> {
    let name = reader.text(flexible)?;
    let count = reader.required_count(flexible, if flexible { 6 } else { 8 })?;
    let mut partitions = Vec::with_capacity(count);
    for _ in 0..count {
        let index = reader.i32()?;
        let records = match reader.bytes_length(flexible)? {
            None => None,
            Some(length) => Some(reader.piece(length)?),
        };
        if flexible {
            reader.skip_tags()?;
        }
        partitions.push(ProducePartition { index, records });
    }
    if flexible {
        reader.skip_tags()?;
    }
    Ok(ProduceTopic { name, partitions })
}

/// An answer. Must name every partition of the request.
#[derive(Clone, Debug, Default)]
pub struct ProduceResponse {
    /// In the order of the request.
    pub topics: Vec<ProduceResponseTopic>,
    /// Stays 0 without quotas.
    pub throttle_time_ms: i32,
    /// Where hinted leaders listen; sent from version 10 on.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// Answers for one topic.
#[derive(Clone, Debug)]
pub struct ProduceResponseTopic {
    /// As in the request.
    pub name: StrBytes,
    /// As in the request.
    pub partitions: Vec<ProduceResponsePartition>,
}

/// The answer for one partition. Fields that a version lacks are left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProduceResponsePartition {
    /// As in the request.
    pub index: i32,
    /// Outcome.
    pub error_code: ErrorCode,
    /// Offset of the first record; -1 on error.
    pub base_offset: i64,
    /// Milliseconds on a LogAppendTime topic, else -1.
    pub log_append_time_ms: i64,
    /// First offset of the log; -1 on error.
    pub log_start_offset: i64,
    /// Records that caused the refusal, by index in the batch.
    pub record_errors: Vec<RecordError>,
    /// Text for people.
    pub error_message: Option<Cow<'static, str>>,
    /// With NOT_LEADER_OR_FOLLOWER.
    pub current_leader: Option<LeaderHint>,
}

/// Why one record was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    /// Index in the batch.
    pub batch_index: i32,
    /// Text for people.
    pub message: Option<Cow<'static, str>>,
}

impl ProduceResponsePartition {
    /// A successful append.
    pub fn appended(index: i32, base_offset: i64, log_start_offset: i64) -> ProduceResponsePartition {
        ProduceResponsePartition {
            base_offset,
            log_start_offset,
            ..ProduceResponsePartition::refused(index, ErrorCode::None, None)
        }
    }

    /// A refusal.
    pub fn refused(
        index: i32,
        error_code: ErrorCode,
        error_message: Option<Cow<'static, str>>,
    ) -> ProduceResponsePartition {
        ProduceResponsePartition {
            index,
            error_code,
            base_offset: -1,
            log_append_time_ms: -1,
            log_start_offset: -1,
            record_errors: Vec::new(),
            error_message,
            current_leader: None,
        }
    }
}

impl ProduceResponse {
    /// The whole frame, length prefix included.
    pub fn encode(&self, version: i16, correlation_id: i32) -> Gather {
        let capacity = self.topics.iter().map(|topic| topic.name.len() + 16 + 64 * topic.partitions.len()).sum();
        let mut writer = begin_response(ApiKey::Produce, version, correlation_id, capacity);
        writer.count(self.topics.len());
        for topic in &self.topics {
            writer.text(&topic.name);
            writer.count(topic.partitions.len());
            for partition in &topic.partitions {
                partition.encode(&mut writer, version);
            }
            writer.no_tags();
        }
        writer.i32(self.throttle_time_ms);
        let endpoints = if version >= 10 { &self.node_endpoints[..] } else { &[] };
        put_endpoints(&mut writer, endpoints);
        writer.finish()
    }
}

impl ProduceResponsePartition {
    fn encode(&self, writer: &mut Writer, version: i16) {
        writer.i32(self.index);
        writer.i16(self.error_code.code());
        writer.i64(self.base_offset);
        writer.i64(self.log_append_time_ms);
        if version >= 5 {
            writer.i64(self.log_start_offset);
        }
        if version >= 8 {
            writer.count(self.record_errors.len());
            for error in &self.record_errors {
                writer.i32(error.batch_index);
                writer.nullable_text(error.message.as_deref());
                writer.no_tags();
            }
            writer.nullable_text(self.error_message.as_deref());
        }
        match self.current_leader {
            Some(leader) if version >= 10 => {
                writer.unsigned_varint(1);
                writer.tag(0, &leader.encode());
            }
            _ => writer.no_tags(),
        }
    }
}
