//! Fetch 4-17: request decoder and response encoder. Batches travel as slices between small pieces of header bytes.
//!
//! ```text
//! request   replica id i32 (to 14) | max wait i32 | min bytes i32 | max bytes i32 | isolation i8 | session id i32, epoch i32 (7+)
//!           | topics [ name (to 12) or id (13+) | partitions [ index i32 | leader epoch i32 (9+) | fetch offset i64
//!             | last fetched epoch i32 (12+) | log start i64 (5+) | max bytes i32 ] ]
//!           | forgotten [ name or id | partitions [ i32 ] ] (7+) | rack string (11+) | tag 0 cluster id (12+), 1 replica state (15+)
//! response  throttle i32 | error i16, session id i32 (7+)
//!           | topics [ name or id | partitions [ index i32 | error i16 | high watermark i64 | last stable offset i64
//!             | log start i64 (5+) | aborted [ producer id i64 | first offset i64 ]? | preferred replica i32 (11+) | records bytes
//!             | tags (12+) 0 diverging epoch, 1 leader ] ] | tag 0 endpoints (16+)
//! ```
//! From version 12 on lengths are compact and every structure ends in a tag section.

use crate::base::error_code::ErrorCode;
use crate::base::gather::Gather;
use crate::base::ids::TopicId;
use crate::wire::api::ApiKey;
use crate::wire::frame::begin_response;
use crate::wire::leader_hint::{LeaderHint, NodeEndpoint, put_endpoints};
use crate::wire::reader::{DecodeError, Primitives, SliceReader};
use crate::wire::writer::Writer;
use bytes::{Bytes, BytesMut};
use kafka_protocol::protocol::StrBytes;

/// A decoded request. Fields that a version lacks have Kafka's defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchRequest {
    /// -1 for consumers; a broker id for followers.
    pub replica_id: i32,
    /// -1 for consumers and before version 15.
    pub replica_epoch: i64,
    /// How long the answer may wait for `min_bytes`, milliseconds.
    pub max_wait_ms: i32,
    /// Bytes worth answering at once for.
    pub min_bytes: i32,
    /// Bound for the whole answer; the first non-empty partition may exceed it by one batch.
    pub max_bytes: i32,
    /// 0 read_uncommitted, 1 read_committed; anything else is to be refused.
    pub isolation_level: i8,
    /// 0 without a session.
    pub session_id: i32,
    /// -1 without a session, 0 to begin one.
    pub session_epoch: i32,
    /// In the order of the request.
    pub topics: Vec<FetchTopic>,
    /// Partitions that leave the session.
    pub forgotten: Vec<ForgottenTopic>,
    /// Empty if unknown.
    pub rack_id: StrBytes,
    /// Sent by followers only.
    pub cluster_id: Option<StrBytes>,
}

/// Partitions of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchTopic {
    /// Topic name; empty from version 13 on.
    pub name: StrBytes,
    /// Topic id; zero before version 13.
    pub id: TopicId,
    /// In the order of the request.
    pub partitions: Vec<FetchPartition>,
}

/// Where to read one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchPartition {
    /// Partition index; any number.
    pub index: i32,
    /// -1: not to be checked.
    pub current_leader_epoch: i32,
    /// First offset wanted.
    pub fetch_offset: i64,
    /// Followers only, else -1.
    pub last_fetched_epoch: i32,
    /// Followers only, else -1.
    pub log_start_offset: i64,
    /// Bound for this partition.
    pub partition_max_bytes: i32,
}

/// Partitions of one topic that leave the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForgottenTopic {
    /// Topic name; empty from version 13 on.
    pub name: StrBytes,
    /// Topic id; zero before version 13.
    pub id: TopicId,
    /// Partition indexes.
    pub partitions: Vec<i32>,
}

impl FetchRequest {
    /// Decodes a body. Bytes after it are ignored, as Kafka does.
    pub fn decode(body: BytesMut, version: i16) -> Result<FetchRequest, DecodeError> {
        let api = ApiKey::Fetch.api();
        assert!(api.serves(version), "the header was checked");
        let flexible = api.is_flexible(version);
        let mut reader = SliceReader::new(&body);
        let mut request = FetchRequest {
            replica_id: if version <= 14 { reader.i32()? } else { -1 },
            replica_epoch: -1,
            max_wait_ms: reader.i32()?,
            min_bytes: reader.i32()?,
            max_bytes: reader.i32()?,
            isolation_level: reader.i8()?,
            session_id: if version >= 7 { reader.i32()? } else { 0 },
            session_epoch: if version >= 7 { reader.i32()? } else { -1 },
            topics: Vec::new(),
            forgotten: Vec::new(),
            rack_id: StrBytes::new(),
            cluster_id: None,
        };
        let topic_bytes_min = if flexible { 3 } else { 6 };
        let count = reader.required_count(flexible, topic_bytes_min)?;
        request.topics.reserve_exact(count);
        for _ in 0..count {
            request.topics.push(decode_topic(&mut reader, version, flexible)?);
        }
        if version >= 7 {
            let count = reader.required_count(flexible, topic_bytes_min)?;
            request.forgotten.reserve_exact(count);
            for _ in 0..count {
                request.forgotten.push(decode_forgotten(&mut reader, version, flexible)?);
            }
        }
        if version >= 11 {
            request.rack_id = reader.text(flexible)?;
        }
        if flexible {
            request.decode_tags(&mut reader, version)?;
        }
        Ok(request)
    }

    fn decode_tags(&mut self, reader: &mut SliceReader<'_>, version: i16) -> Result<(), DecodeError> {
        for _ in 0..reader.tag_count()? {
            let (tag, size) = reader.tag()?;
            let mut content = SliceReader::new(reader.take(size)?);
            match tag {
                0 => self.cluster_id = content.nullable_text(true)?,
                1 if version >= 15 => {
                    self.replica_id = content.i32()?;
                    self.replica_epoch = content.i64()?;
                    content.skip_tags()?;
                }
                _ => {}
            }
        }
        Ok(())
    }
}

fn decode_topic(reader: &mut SliceReader<'_>, version: i16, flexible: bool) -> Result<FetchTopic, DecodeError> {
    let (name, id) = decode_topic_key(reader, version, flexible)?;
    let count = reader.required_count(flexible, 16)?;
    let mut partitions = Vec::with_capacity(count);
    for _ in 0..count {
        partitions.push(FetchPartition {
            index: reader.i32()?,
            current_leader_epoch: if version >= 9 { reader.i32()? } else { -1 },
            fetch_offset: reader.i64()?,
            last_fetched_epoch: if version >= 12 { reader.i32()? } else { -1 },
            log_start_offset: if version >= 5 { reader.i64()? } else { -1 },
            partition_max_bytes: reader.i32()?,
        });
        if flexible {
            reader.skip_tags()?;
        }
    }
    if flexible {
        reader.skip_tags()?;
    }
    Ok(FetchTopic { name, id, partitions })
}

fn decode_forgotten(reader: &mut SliceReader<'_>, version: i16, flexible: bool) -> Result<ForgottenTopic, DecodeError> {
    let (name, id) = decode_topic_key(reader, version, flexible)?;
    let count = reader.required_count(flexible, 4)?;
    let mut partitions = Vec::with_capacity(count);
    for _ in 0..count {
        partitions.push(reader.i32()?);
    }
    if flexible {
        reader.skip_tags()?;
    }
    Ok(ForgottenTopic { name, id, partitions })
}

fn decode_topic_key(
    reader: &mut SliceReader<'_>,
    version: i16,
    flexible: bool,
) -> Result<(StrBytes, TopicId), DecodeError> {
    if version >= 13 {
        Ok((StrBytes::new(), TopicId(reader.array()?)))
    } else {
        Ok((reader.text(flexible)?, TopicId::ZERO))
    }
}

/// An answer. To a request without a session it must name every partition of the request.
#[derive(Clone, Debug, Default)]
pub struct FetchResponse {
    /// Stays 0 without quotas.
    pub throttle_time_ms: i32,
    /// Error of the whole request; sent from version 7 on.
    pub error_code: ErrorCode,
    /// 0: no session; sent from version 7 on.
    pub session_id: i32,
    /// In the order of the request.
    pub topics: Vec<FetchResponseTopic>,
    /// Where hinted leaders listen; sent from version 16 on.
    pub node_endpoints: Vec<NodeEndpoint>,
}

/// Answers for one topic.
#[derive(Clone, Debug)]
pub struct FetchResponseTopic {
    /// Sent up to version 12.
    pub name: StrBytes,
    /// Sent from version 13 on.
    pub id: TopicId,
    /// As in the request.
    pub partitions: Vec<FetchResponsePartition>,
}

/// The answer for one partition. Fields that a version lacks are left out.
#[derive(Clone, Debug)]
pub struct FetchResponsePartition {
    /// As in the request.
    pub index: i32,
    /// Outcome.
    pub error_code: ErrorCode,
    /// -1 on error.
    pub high_watermark: i64,
    /// -1 on error.
    pub last_stable_offset: i64,
    /// -1 on error.
    pub log_start_offset: i64,
    /// Null for read_uncommitted.
    pub aborted_transactions: Option<Vec<AbortedTransaction>>,
    /// -1: read here.
    pub preferred_read_replica: i32,
    /// Whole batches; empty is sent as zero length, never as null (librdkafka fails the whole answer on null).
    pub records: Gather,
    /// With NOT_LEADER_OR_FOLLOWER and FENCED_LEADER_EPOCH.
    pub current_leader: Option<LeaderHint>,
    /// To a follower whose log diverged.
    pub diverging_epoch: Option<DivergingEpoch>,
}

/// A transaction that read_committed consumers have to leave out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTransaction {
    /// Whose.
    pub producer_id: i64,
    /// Where it begins.
    pub first_offset: i64,
}

/// Largest epoch known here that is not above the follower's, and its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DivergingEpoch {
    /// The epoch.
    pub epoch: i32,
    /// Where it ends, exclusive.
    pub end_offset: i64,
}

impl FetchResponsePartition {
    /// An answer without records.
    pub fn refused(index: i32, error_code: ErrorCode) -> FetchResponsePartition {
        FetchResponsePartition {
            index,
            error_code,
            high_watermark: -1,
            last_stable_offset: -1,
            log_start_offset: -1,
            aborted_transactions: None,
            preferred_read_replica: -1,
            records: Gather::new(),
            current_leader: None,
            diverging_epoch: None,
        }
    }

    fn encode(self, writer: &mut Writer, slices: &mut Vec<(usize, Bytes)>, version: i16) {
        writer.i32(self.index);
        writer.i16(self.error_code.code());
        writer.i64(self.high_watermark);
        writer.i64(self.last_stable_offset);
        if version >= 5 {
            writer.i64(self.log_start_offset);
        }
        match &self.aborted_transactions {
            None => writer.null_count(),
            Some(aborted) => {
                writer.count(aborted.len());
                for transaction in aborted {
                    writer.i64(transaction.producer_id);
                    writer.i64(transaction.first_offset);
                    writer.no_tags();
                }
            }
        }
        if version >= 11 {
            writer.i32(self.preferred_read_replica);
        }
        writer.bytes_length(self.records.len());
        let position = writer.len();
        slices.extend(self.records.into_slices().into_iter().map(|slice| (position, slice)));
        if version >= 12 {
            encode_tags(writer, self.diverging_epoch, self.current_leader);
        }
    }
}

fn encode_tags(writer: &mut Writer, diverging_epoch: Option<DivergingEpoch>, current_leader: Option<LeaderHint>) {
    writer.unsigned_varint(u32::from(diverging_epoch.is_some()) + u32::from(current_leader.is_some()));
    if let Some(diverging) = diverging_epoch {
        let mut content = [0; 13];
        content[..4].copy_from_slice(&diverging.epoch.to_be_bytes());
        content[4..12].copy_from_slice(&diverging.end_offset.to_be_bytes());
        writer.tag(0, &content);
    }
    if let Some(leader) = current_leader {
        writer.tag(1, &leader.encode());
    }
}

impl FetchResponse {
    /// The whole frame, length prefix included. Record slices are passed on untouched.
    pub fn encode(self, version: i16, correlation_id: i32) -> Gather {
        let mut capacity = 32;
        let mut slice_count = 0;
        for topic in &self.topics {
            capacity += topic.name.len() + 24 + 64 * topic.partitions.len();
            slice_count += topic.partitions.iter().map(|partition| partition.records.slices().len()).sum::<usize>();
        }
        let mut writer = begin_response(ApiKey::Fetch, version, correlation_id, capacity);
        let mut slices = Vec::with_capacity(slice_count);
        writer.i32(self.throttle_time_ms);
        if version >= 7 {
            writer.i16(self.error_code.code());
            writer.i32(self.session_id);
        }
        writer.count(self.topics.len());
        for topic in self.topics {
            if version >= 13 {
                writer.topic_id(topic.id);
            } else {
                writer.text(&topic.name);
            }
            writer.count(topic.partitions.len());
            for partition in topic.partitions {
                partition.encode(&mut writer, &mut slices, version);
            }
            writer.no_tags();
        }
        let endpoints = if version >= 16 { &self.node_endpoints[..] } else { &[] };
        put_endpoints(&mut writer, endpoints);
        writer.finish_with(slices)
    }
}
