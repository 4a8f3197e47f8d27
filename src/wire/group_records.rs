//! Records of `__consumer_offsets` in Kafka's own schemas, so that its tools read that topic.
//!
//! ```text
//! key     version i16: 0, 1: group, topic, partition i32 -> value: offset i64, leader epoch i32 (3, 4), metadata, commit i64, expire i64 (1),
//!                                                                  tagged 0: topic id (4; compact text, tags)
//!                      2:    group                       -> value: protocol type, generation i32, protocol?, leader?, since i64,
//!                                                                  members[id, instance?, client id, client host, rebalance i32,
//!                                                                          session i32, subscription bytes, assignment bytes]
//! value   version i16 in front, null for "gone"
//! ```
//! Written are the versions that Kafka 4.3 writes: key 1 with value 4 (1 for a commit with a lifetime of its own), key 2 with value 3. Read
//! are these and all before them; this machine ever finds its own only, with value 3 from before it wrote topic ids.

use crate::base::ids::TopicId;
use crate::wire::reader::{DecodeError, Primitives, SliceReader};
use crate::wire::writer::Writer;
use bytes::Bytes;

/// What a record is about.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum GroupRecordKey {
    /// A committed offset.
    Offset {
        /// The group.
        group: String,
        /// The topic.
        topic: String,
        /// The partition.
        partition: i32,
    },
    /// A group.
    Group {
        /// Its id.
        group: String,
    },
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    /// What to read next.
    pub offset: i64,
    /// Leader epoch of the record before it; -1 if the client did not say.
    pub leader_epoch: i32,
    /// The client's own words.
    pub metadata: String,
    /// Milliseconds since the Unix epoch.
    pub committed_ms: i64,
    /// When it goes, if the commit said so.
    pub expire_ms: Option<i64>,
    /// The incarnation of the topic that it is of; not written beside `expire_ms`.
    pub topic_id: Option<TopicId>,
}

/// A group as of its last completed rebalance.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct GroupValue {
    /// "consumer", "connect", ...
    pub protocol_type: String,
    /// Number of the generation.
    pub generation: i32,
    /// What the members voted for.
    pub protocol: Option<String>,
    /// Member id.
    pub leader: Option<String>,
    /// Since when it is in its state, milliseconds since the Unix epoch.
    pub since_ms: i64,
    /// Its members.
    pub members: Vec<MemberValue>,
}

/// A member of a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemberValue {
    /// Member id.
    pub id: String,
    /// Static members: the name that stays.
    pub instance_id: Option<String>,
    /// What the client calls itself.
    pub client_id: String,
    /// Where it was.
    pub client_host: String,
    /// Milliseconds.
    pub rebalance_timeout_ms: i32,
    /// Milliseconds.
    pub session_timeout_ms: i32,
    /// Its metadata for the protocol.
    pub subscription: Bytes,
    /// What it was given.
    pub assignment: Bytes,
}

const OFFSET_KEY: i16 = 1;
const OFFSET_VALUE: i16 = 4;
/// The version with a time at which the offset goes.
const OFFSET_VALUE_EXPIRING: i16 = 1;
const TOPIC_ID_TAG: u32 = 0;
const GROUP_KEY: i16 = 2;
const GROUP_VALUE: i16 = 3;

impl GroupRecordKey {
    /// The bytes of the record's key.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::part(false);
        match self {
            GroupRecordKey::Offset { group, topic, partition } => {
                writer.i16(OFFSET_KEY);
                writer.text(group);
                writer.text(topic);
                writer.i32(*partition);
            }
            GroupRecordKey::Group { group } => {
                writer.i16(GROUP_KEY);
                writer.text(group);
            }
        }
        writer.into_part().into()
    }

    /// Reads a key; `None`: it is of a kind that means nothing to classic groups.
    pub fn decode(bytes: &[u8]) -> Result<Option<GroupRecordKey>, DecodeError> {
        let mut reader = SliceReader::new(bytes);
        Ok(match reader.i16()? {
            0 | OFFSET_KEY => Some(GroupRecordKey::Offset {
                group: text(&mut reader)?,
                topic: text(&mut reader)?,
                partition: reader.i32()?,
            }),
            GROUP_KEY => Some(GroupRecordKey::Group { group: text(&mut reader)? }),
            _ => None,
        })
    }
}

impl OffsetValue {
    /// The bytes of the record's value.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::part(self.expire_ms.is_none());
        writer.i16(if self.expire_ms.is_some() { OFFSET_VALUE_EXPIRING } else { OFFSET_VALUE });
        writer.i64(self.offset);
        if self.expire_ms.is_none() {
            writer.i32(self.leader_epoch);
        }
        writer.text(&self.metadata);
        writer.i64(self.committed_ms);
        match (self.expire_ms, self.topic_id) {
            (Some(expire_ms), _) => writer.i64(expire_ms),
            (None, None) => writer.no_tags(),
            (None, Some(id)) => {
                writer.unsigned_varint(1);
                writer.tag(TOPIC_ID_TAG, &id.0);
            }
        }
        writer.into_part().into()
    }

    /// Reads a value.
    pub fn decode(bytes: &[u8]) -> Result<OffsetValue, DecodeError> {
        let mut reader = SliceReader::new(bytes);
        let version = reader.i16()?;
        if !(0..=OFFSET_VALUE).contains(&version) {
            return Err(DecodeError::Refused(format!("version {version} of a committed offset")));
        }
        let flexible = version >= 4;
        let mut value = OffsetValue {
            offset: reader.i64()?,
            leader_epoch: if version >= 3 { reader.i32()? } else { -1 },
            metadata: nullable(&mut reader, flexible)?.ok_or(DecodeError::Null)?,
            committed_ms: reader.i64()?,
            expire_ms: if version == OFFSET_VALUE_EXPIRING { Some(reader.i64()?) } else { None },
            topic_id: None,
        };
        for _ in 0..if flexible { reader.tag_count()? } else { 0 } {
            let (tag, bytes) = reader.tag()?;
            let content = reader.take(bytes)?;
            if tag == TOPIC_ID_TAG {
                let id =
                    content.try_into().map_err(|_| DecodeError::Refused("a topic id of another size".to_string()))?;
                value.topic_id = Some(TopicId(id)).filter(|id| *id != TopicId::ZERO);
            }
        }
        Ok(value)
    }
}

impl GroupValue {
    /// The bytes of the record's value.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::part(false);
        writer.i16(GROUP_VALUE);
        writer.text(&self.protocol_type);
        writer.i32(self.generation);
        writer.nullable_text(self.protocol.as_deref());
        writer.nullable_text(self.leader.as_deref());
        writer.i64(self.since_ms);
        writer.count(self.members.len());
        for member in &self.members {
            writer.text(&member.id);
            writer.nullable_text(member.instance_id.as_deref());
            writer.text(&member.client_id);
            writer.text(&member.client_host);
            writer.i32(member.rebalance_timeout_ms);
            writer.i32(member.session_timeout_ms);
            for bytes in [&member.subscription, &member.assignment] {
                writer.bytes_length(bytes.len());
                writer.buffer().extend_from_slice(bytes);
            }
        }
        writer.into_part().into()
    }

    /// Reads a value.
    pub fn decode(bytes: &[u8]) -> Result<GroupValue, DecodeError> {
        let mut reader = SliceReader::new(bytes);
        let version = reader.i16()?;
        if !(0..=GROUP_VALUE).contains(&version) {
            return Err(DecodeError::Refused(format!("version {version} of a group")));
        }
        let mut value = GroupValue {
            protocol_type: text(&mut reader)?,
            generation: reader.i32()?,
            protocol: nullable(&mut reader, false)?,
            leader: nullable(&mut reader, false)?,
            since_ms: if version >= 2 { reader.i64()? } else { -1 },
            members: Vec::new(),
        };
        for _ in 0..reader.required_count(false, 2)? {
            value.members.push(MemberValue::decode(&mut reader, version)?);
        }
        Ok(value)
    }
}

impl MemberValue {
    fn decode(reader: &mut SliceReader<'_>, version: i16) -> Result<MemberValue, DecodeError> {
        let id = text(reader)?;
        let instance_id = if version >= 3 { nullable(reader, false)? } else { None };
        let (client_id, client_host) = (text(reader)?, text(reader)?);
        let rebalance_timeout_ms = if version >= 1 { Some(reader.i32()?) } else { None };
        let session_timeout_ms = reader.i32()?;
        Ok(MemberValue {
            id,
            instance_id,
            client_id,
            client_host,
            rebalance_timeout_ms: rebalance_timeout_ms.unwrap_or(session_timeout_ms),
            session_timeout_ms,
            subscription: bytes_of(reader)?,
            assignment: bytes_of(reader)?,
        })
    }
}

fn nullable(reader: &mut SliceReader<'_>, flexible: bool) -> Result<Option<String>, DecodeError> {
    match reader.text_length(flexible)? {
        None => Ok(None),
        Some(length) => {
            let text = std::str::from_utf8(reader.take(length)?).map_err(|_| DecodeError::NotUtf8)?;
            Ok(Some(text.to_owned()))
        }
    }
}

fn text(reader: &mut SliceReader<'_>) -> Result<String, DecodeError> {
    nullable(reader, false)?.ok_or(DecodeError::Null)
}

fn bytes_of(reader: &mut SliceReader<'_>) -> Result<Bytes, DecodeError> {
    let length = reader.bytes_length(false)?.unwrap_or(0);
    Ok(Bytes::copy_from_slice(reader.take(length)?))
}

/// The topics that a member of a "consumer" group subscribes to, out of its metadata; `None`: it is not what such members say.
pub fn subscribed_topics(metadata: &[u8]) -> Option<Vec<String>> {
    let mut reader = SliceReader::new(metadata);
    let version = reader.i16().ok()?;
    if version < 0 {
        return None;
    }
    let count = reader.required_count(false, 2).ok()?;
    (0..count).map(|_| text(&mut reader).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_come_back() {
        let keys = [
            GroupRecordKey::Offset { group: "g".into(), topic: "t".into(), partition: 7 },
            GroupRecordKey::Group { group: "žába".into() },
        ];
        for key in keys {
            assert_eq!(GroupRecordKey::decode(&key.encode()), Ok(Some(key)));
        }
        assert_eq!(GroupRecordKey::decode(&[0, 9, 1, 2, 3]), Ok(None));
        for (expire_ms, topic_id) in [(None, Some(TopicId([7; 16]))), (None, None), (Some(99), None)] {
            let leader_epoch = if expire_ms.is_some() { -1 } else { 5 };
            let metadata = "m".to_string();
            let value = OffsetValue { offset: 3, leader_epoch, metadata, committed_ms: 77, expire_ms, topic_id };
            let bytes = value.encode();
            assert_eq!(OffsetValue::decode(&bytes), Ok(value));
            for cut in 0..bytes.len() {
                assert!(OffsetValue::decode(&bytes[..cut]).is_err(), "{cut}");
            }
        }
        let member = MemberValue {
            id: "m-1".into(),
            instance_id: Some("i".into()),
            client_id: "c".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: 300_000,
            session_timeout_ms: 45_000,
            subscription: Bytes::from_static(b"sub"),
            assignment: Bytes::new(),
        };
        let value = GroupValue {
            protocol_type: "consumer".into(),
            generation: 4,
            protocol: Some("range".into()),
            leader: Some("m-1".into()),
            since_ms: 5,
            members: vec![member.clone(), MemberValue { instance_id: None, ..member }],
        };
        let bytes = value.encode();
        assert_eq!(GroupValue::decode(&bytes), Ok(value));
        for cut in 0..bytes.len() {
            assert!(GroupValue::decode(&bytes[..cut]).is_err(), "{cut}");
        }
    }

    /// Written out by hand from Kafka's schemas: what round trips cannot show.
    #[test]
    fn layouts_are_kafkas() {
        let key = GroupRecordKey::Offset { group: "g".into(), topic: "t".into(), partition: 1 };
        assert_eq!(&key.encode()[..], b"\x00\x01\x00\x01g\x00\x01t\x00\x00\x00\x01");
        // What Kafka 4.3.1's own class makes of it.
        let id = TopicId(std::array::from_fn(|at| at as u8 + 1));
        let mut value = OffsetValue {
            offset: 258,
            leader_epoch: 7,
            metadata: "mé".into(),
            committed_ms: 1000,
            expire_ms: None,
            topic_id: None,
        };
        let head =
            b"\x00\x04\x00\x00\x00\x00\x00\x00\x01\x02\x00\x00\x00\x07\x04m\xc3\xa9\x00\x00\x00\x00\x00\x00\x03\xe8";
        assert_eq!(value.encode(), [&head[..], b"\x00"].concat());
        value.topic_id = Some(id);
        assert_eq!(value.encode(), [&head[..], b"\x01\x00\x10", &id.0].concat());
        let version_3 =
            b"\x00\x03\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x03\x00\x01m\x00\x00\x00\x00\x00\x00\x00\x04";
        let read = OffsetValue::decode(version_3).expect("what was written before topic ids were");
        assert_eq!((read.offset, read.leader_epoch, read.metadata.as_str(), read.topic_id), (2, 3, "m", None));
    }

    #[test]
    fn subscriptions_name_their_topics() {
        let metadata = b"\x00\x01\x00\x00\x00\x02\x00\x01a\x00\x02bc\xff\xff\xff\xff";
        assert_eq!(subscribed_topics(metadata), Some(vec!["a".to_string(), "bc".to_string()]));
        assert_eq!(subscribed_topics(b"\x00\x01\x7f\xff\xff\xff"), None);
        assert_eq!(subscribed_topics(b""), None);
    }
}
