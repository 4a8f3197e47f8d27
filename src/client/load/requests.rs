//! The two requests of a load and their answers, encoded and read by hand: Produce 3 to 8 and Fetch 4 to 11, which no broker of the
//! last years lacks, and which spare the flexible encoding.

use crate::client::connection::Connection;
use crate::client::failure::Failure;
use crate::client::load::payload::Template;
use crate::client::load::pipe::Pipe;
use crate::wire::reader::{DecodeError, Primitives};
use crate::wire::records::Sequence;
use bytes::BufMut;
use kafka_protocol::messages::ApiKey;

/// How the generator calls itself.
const CLIENT_ID: &str = "corelane-bench";
/// API key, version, correlation id and client id.
const HEADER_BYTES: usize = 2 + 2 + 4 + 2 + CLIENT_ID.len();
/// Produce: what a broker may wait for its replicas.
const TIMEOUT_MS: i32 = 30_000;
/// Bytes of a Fetch answer at most, as Kafka's consumers ask.
const ANSWER_BYTES_MAX: i32 = 50 << 20;

/// The highest version that both sides have.
pub fn version(connection: &Connection, key: ApiKey) -> Result<i16, Failure> {
    let (lowest, highest) = if key == ApiKey::Produce { (3, 8) } else { (4, 11) };
    let Some((min, max)) = connection.listed().get(&(key as i16)) else {
        return Err(Failure::protocol(connection.name(), format!("the broker does not offer {key:?}")));
    };
    let version = highest.min(*max);
    if version < lowest || version < *min {
        let why =
            format!("no common version of {key:?}: the broker has {min} to {max}, the bench {lowest} to {highest}");
        return Err(Failure::protocol(connection.name(), why));
    }
    Ok(version)
}

/// A batch on its way to a partition.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// Name.
    pub topic: &'a str,
    /// Number.
    pub partition: i32,
    /// Of its producer.
    pub sequence: Sequence,
    /// What it is.
    pub batch: &'a Template,
}

fn begin(pipe: &mut Pipe, key: ApiKey, version: i16, correlation: i32, body_bytes: usize) {
    let out = pipe.staged();
    out.put_i32((HEADER_BYTES + body_bytes) as i32);
    out.put_i16(key as i16);
    out.put_i16(version);
    out.put_i32(correlation);
    put_text(out, CLIENT_ID);
}

fn put_text(out: &mut impl BufMut, text: &str) {
    out.put_i16(text.len() as i16);
    out.put_slice(text.as_bytes());
}

/// Appends a Produce request. `parts` are in order of their topics.
pub fn produce(pipe: &mut Pipe, version: i16, correlation: i32, acks: i16, timestamp: i64, parts: &[Part<'_>]) {
    let topics = || parts.chunk_by(|left, right| left.topic == right.topic);
    let topic_bytes = |topic: &[Part<'_>]| {
        2 + topic[0].topic.len() + 4 + topic.iter().map(|part| 8 + part.batch.total_bytes()).sum::<usize>()
    };
    let body_bytes = 2 + 2 + 4 + 4 + topics().map(topic_bytes).sum::<usize>();
    begin(pipe, ApiKey::Produce, version, correlation, body_bytes);
    let out = pipe.staged();
    // No transactional id.
    out.put_i16(-1);
    out.put_i16(acks);
    out.put_i32(TIMEOUT_MS);
    out.put_i32(topics().count() as i32);
    for topic in topics() {
        put_text(pipe.staged(), topic[0].topic);
        pipe.staged().put_i32(topic.len() as i32);
        for part in topic {
            let out = pipe.staged();
            out.put_i32(part.partition);
            out.put_i32(part.batch.total_bytes() as i32);
            out.put_slice(&part.batch.head(timestamp, part.sequence));
            pipe.share(part.batch.records());
        }
    }
}

/// Where to read on.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// Name.
    pub topic: &'a str,
    /// Number.
    pub partition: i32,
    /// The next one.
    pub offset: i64,
}

/// How much an answer is to hold.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// The broker waits until there is so much,
    pub min_bytes: i32,
    /// or for so long.
    pub wait_ms: i32,
    /// Of a partition.
    pub partition_bytes: i32,
}

/// Appends a Fetch request, without a session. `wanted` are in order of their topics.
pub fn fetch<'a>(pipe: &mut Pipe, version: i16, correlation: i32, portion: Portion, wanted: &[Wanted<'a>]) {
    let topics = || wanted.chunk_by(|left, right| left.topic == right.topic);
    let since = |first: i16, bytes: usize| if version >= first { bytes } else { 0 };
    let partition_bytes = 4 + since(9, 4) + 8 + since(5, 8) + 4;
    let topic_bytes = |topic: &[Wanted<'a>]| 2 + topic[0].topic.len() + 4 + topic.len() * partition_bytes;
    let body_bytes = 17 + since(7, 8) + 4 + topics().map(topic_bytes).sum::<usize>() + since(7, 4) + since(11, 2);
    begin(pipe, ApiKey::Fetch, version, correlation, body_bytes);
    let out = pipe.staged();
    out.put_i32(-1);
    out.put_i32(portion.wait_ms);
    out.put_i32(portion.min_bytes);
    out.put_i32(ANSWER_BYTES_MAX);
    out.put_i8(0);
    if version >= 7 {
        out.put_i32(0);
        out.put_i32(-1);
    }
    out.put_i32(topics().count() as i32);
    for topic in topics() {
        put_text(out, topic[0].topic);
        out.put_i32(topic.len() as i32);
        for wanted in topic {
            out.put_i32(wanted.partition);
            if version >= 9 {
                out.put_i32(-1);
            }
            out.put_i64(wanted.offset);
            if version >= 5 {
                out.put_i64(-1);
            }
            out.put_i32(portion.partition_bytes);
        }
    }
    if version >= 7 {
        out.put_i32(0);
    }
    if version >= 11 {
        put_text(out, "");
    }
}

/// Reads an answer where it lies.
struct Cursor<'a> {
    bytes: &'a [u8],
    elements_left: usize,
}

impl Primitives for Cursor<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], DecodeError> {
        self.slice(count)
    }

    fn left(&self) -> usize {
        self.bytes.len()
    }

    fn elements_left(&mut self) -> &mut usize {
        &mut self.elements_left
    }
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Cursor<'a> {
        Cursor { bytes, elements_left: usize::MAX }
    }

    fn slice(&mut self, count: usize) -> Result<&'a [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn name(&mut self) -> Result<&'a str, DecodeError> {
        let length = self.i16()?.max(0) as usize;
        std::str::from_utf8(self.slice(length)?).map_err(|_| DecodeError::NotUtf8)
    }

    fn count(&mut self) -> Result<i32, DecodeError> {
        Ok(self.i32()?.max(0))
    }
}

/// What a partition of a Produce answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Appended<'a> {
    /// Name.
    pub topic: &'a str,
    /// Number.
    pub partition: i32,
    /// Kafka's code.
    pub code: i16,
    /// Of the batch.
    pub base_offset: i64,
}

/// Reads a Produce answer; its correlation id.
pub fn read_produced<'a>(
    frame: &'a [u8],
    version: i16,
    mut each: impl FnMut(Appended<'a>),
) -> Result<i32, DecodeError> {
    let mut cursor = Cursor::new(frame);
    let correlation = cursor.i32()?;
    for _ in 0..cursor.count()? {
        let topic = cursor.name()?;
        for _ in 0..cursor.count()? {
            let (partition, code, base_offset) = (cursor.i32()?, cursor.i16()?, cursor.i64()?);
            // The time of the append; the start of the log.
            cursor.slice(if version >= 5 { 16 } else { 8 })?;
            if version >= 8 {
                for _ in 0..cursor.count()? {
                    cursor.i32()?;
                    cursor.name()?;
                }
                cursor.name()?;
            }
            each(Appended { topic, partition, code, base_offset });
        }
    }
    Ok(correlation)
}

/// What a partition of a Fetch answer says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched<'a> {
    /// Name.
    pub topic: &'a str,
    /// Number.
    pub partition: i32,
    /// Kafka's code.
    pub code: i16,
    /// Behind the last record that may be read.
    pub high_watermark: i64,
    /// Batches, the last one perhaps cut off.
    pub records: &'a [u8],
}

/// Reads a Fetch answer: its correlation id, and Kafka's code for all of it.
pub fn read_fetched<'a>(
    frame: &'a [u8],
    version: i16,
    mut each: impl FnMut(Fetched<'a>),
) -> Result<(i32, i16), DecodeError> {
    let mut cursor = Cursor::new(frame);
    let correlation = cursor.i32()?;
    cursor.i32()?;
    let code = if version >= 7 { cursor.i16()? } else { 0 };
    if version >= 7 {
        cursor.i32()?;
    }
    for _ in 0..cursor.count()? {
        let topic = cursor.name()?;
        for _ in 0..cursor.count()? {
            let (partition, code, high_watermark) = (cursor.i32()?, cursor.i16()?, cursor.i64()?);
            // The last stable offset; the start of the log.
            cursor.slice(if version >= 5 { 16 } else { 8 })?;
            for _ in 0..cursor.count()? {
                cursor.slice(16)?;
            }
            if version >= 11 {
                cursor.i32()?;
            }
            let bytes = cursor.count()? as usize;
            each(Fetched { topic, partition, code, high_watermark, records: cursor.slice(bytes)? });
        }
    }
    Ok((correlation, code))
}
