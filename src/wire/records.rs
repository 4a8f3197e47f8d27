//! Whole records of a v2 batch, into it and out of it: for the command line, never on a broker's hot path.
//!
//! ```text
//! record  length varint (of what follows) | attributes i8 | timestamp delta varlong | offset delta varint
//!         | key length varint (-1: null) | key | value length varint (-1: null) | value
//!         | header count varint | headers: name length varint, name, value length varint (-1: null), value
//! ```

use crate::base::limits::SCAN_BYTES_MAX;
use crate::wire::compression::{Compression, decompress};
use crate::wire::record_batch::{BatchHeader, HEADER_BYTES, LENGTH_PREFIX_BYTES};
use bytes::Bytes;
use std::io::Read;

/// A record as it was produced.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// In its partition.
    pub offset: i64,
    /// Milliseconds; -1 for none.
    pub timestamp: i64,
    /// Null without a key.
    pub key: Option<Bytes>,
    /// Null for a tombstone.
    pub value: Option<Bytes>,
    /// Names and values, in order, names perhaps more than once. By rule names are UTF-8; nobody enforces it.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// The records of a batch cannot be read; why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable(pub &'static str);

/// The records of one batch, decompressed, one after the other: a small batch may hold millions. Ends with the first error.
#[derive(Debug)]
pub struct Records {
    reader: RecordReader,
    header: BatchHeader,
    left: i32,
}

impl Records {
    /// Of one whole batch. More than [`SCAN_BYTES_MAX`] decompressed bytes are refused.
    pub fn new(batch: &Bytes, header: &BatchHeader) -> Result<Records, Undecodable> {
        let payload = batch.slice(HEADER_BYTES..header.total_bytes);
        let bytes = if header.codec() == 0 { payload } else { inflate(header.codec(), &payload)? };
        Ok(Records { reader: RecordReader { bytes, at: 0 }, header: *header, left: header.record_count.max(0) })
    }
}

impl Iterator for Records {
    type Item = Result<Record, Undecodable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.left > 0 {
            let record = self.reader.record(&self.header);
            self.left = if record.is_ok() { self.left - 1 } else { -1 };
            return Some(record);
        }
        let behind = self.left == 0 && self.reader.at < self.reader.bytes.len();
        self.left = -1;
        behind.then_some(Err(Undecodable("bytes follow the last record")))
    }
}

fn inflate(codec: i16, payload: &[u8]) -> Result<Bytes, Undecodable> {
    let broken = |_| Undecodable("the compressed records cannot be decompressed");
    let mut records = Vec::new();
    let source = decompress(codec, payload).map_err(broken)?;
    source.take(SCAN_BYTES_MAX + 1).read_to_end(&mut records).map_err(broken)?;
    if records.len() as u64 > SCAN_BYTES_MAX {
        return Err(Undecodable("decompressed the batch exceeds 256 MiB"));
    }
    Ok(Bytes::from(records))
}

#[derive(Debug)]
struct RecordReader {
    bytes: Bytes,
    at: usize,
}

const CUT_OFF: Undecodable = Undecodable("a record is cut off");

impl RecordReader {
    fn record(&mut self, batch: &BatchHeader) -> Result<Record, Undecodable> {
        let length = self.varint()?;
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length)).ok_or(CUT_OFF)?;
        if end > self.bytes.len() {
            return Err(CUT_OFF);
        }
        self.at += 1;
        let timestamp = batch.base_timestamp.wrapping_add(self.varint()?);
        let offset = batch.base_offset.wrapping_add(self.varint()?);
        let key = self.nullable()?;
        let value = self.nullable()?;
        let mut headers = Vec::new();
        for _ in 0..self.varint()? {
            let name = self.nullable()?.ok_or(Undecodable("a header without a name"))?;
            headers.push((name, self.nullable()?));
        }
        if self.at != end {
            return Err(Undecodable("a record's length does not agree with its fields"));
        }
        let timestamp = if batch.is_log_append_time() { batch.max_timestamp } else { timestamp };
        Ok(Record { offset, timestamp, key, value, headers })
    }

    fn nullable(&mut self) -> Result<Option<Bytes>, Undecodable> {
        let length = self.varint()?;
        if length < 0 {
            return Ok(None);
        }
        let end = usize::try_from(length).ok().and_then(|length| self.at.checked_add(length)).ok_or(CUT_OFF)?;
        if end > self.bytes.len() {
            return Err(CUT_OFF);
        }
        let piece = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(Some(piece))
    }

    fn varint(&mut self) -> Result<i64, Undecodable> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(CUT_OFF)?;
            self.at += 1;
            value |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Undecodable("a number does not end"))
    }
}

/// Producer id, epoch and first sequence of a batch; `NONE` without idempotence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sequence {
    /// Given by a broker.
    pub producer_id: i64,
    /// Given with it.
    pub epoch: i16,
    /// Of the batch's first record, per partition.
    pub first: i32,
}

impl Sequence {
    /// Not idempotent.
    pub const NONE: Sequence = Sequence { producer_id: -1, epoch: -1, first: -1 };
}

/// A batch under construction.
#[derive(Clone, Debug, Default)]
pub struct BatchBuilder {
    records: Vec<u8>,
    count: i32,
    base_timestamp: i64,
    max_timestamp: i64,
}

impl BatchBuilder {
    /// Bytes so far, not compressed.
    pub fn bytes(&self) -> usize {
        self.records.len()
    }

    /// Records so far.
    pub fn count(&self) -> i32 {
        self.count
    }

    /// Adds a record; its offset is its place.
    pub fn push(&mut self, record: &Record) {
        if self.count == 0 {
            (self.base_timestamp, self.max_timestamp) = (record.timestamp, record.timestamp);
        }
        self.max_timestamp = self.max_timestamp.max(record.timestamp);
        let mut body = Vec::with_capacity(32 + record.value.as_ref().map_or(0, Bytes::len));
        body.push(0);
        write_varint(&mut body, record.timestamp.wrapping_sub(self.base_timestamp));
        write_varint(&mut body, i64::from(self.count));
        write_nullable(&mut body, record.key.as_deref());
        write_nullable(&mut body, record.value.as_deref());
        write_varint(&mut body, record.headers.len() as i64);
        for (name, value) in &record.headers {
            write_nullable(&mut body, Some(name));
            write_nullable(&mut body, value.as_deref());
        }
        write_varint(&mut self.records, body.len() as i64);
        self.records.extend_from_slice(&body);
        self.count += 1;
    }

    /// The batch as it goes over the wire; base offset 0, no leader epoch.
    pub fn finish(self, compression: Compression, sequence: Sequence) -> Bytes {
        let records = compression.compress(self.records);
        let mut batch = Vec::with_capacity(HEADER_BYTES + records.len());
        batch.extend_from_slice(&0i64.to_be_bytes());
        let length = i32::try_from(HEADER_BYTES - LENGTH_PREFIX_BYTES + records.len()).expect("a batch is below 2 GiB");
        batch.extend_from_slice(&length.to_be_bytes());
        batch.extend_from_slice(&(-1i32).to_be_bytes());
        batch.push(2);
        batch.extend_from_slice(&[0; 4]);
        batch.extend_from_slice(&compression.codec.to_be_bytes());
        batch.extend_from_slice(&(self.count - 1).to_be_bytes());
        batch.extend_from_slice(&self.base_timestamp.to_be_bytes());
        batch.extend_from_slice(&self.max_timestamp.to_be_bytes());
        batch.extend_from_slice(&sequence.producer_id.to_be_bytes());
        batch.extend_from_slice(&sequence.epoch.to_be_bytes());
        batch.extend_from_slice(&sequence.first.to_be_bytes());
        batch.extend_from_slice(&self.count.to_be_bytes());
        batch.extend_from_slice(&records);
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        Bytes::from(batch)
    }
}

fn write_varint(into: &mut Vec<u8>, value: i64) {
    let mut zigzag = ((value << 1) ^ (value >> 63)) as u64;
    while zigzag >= 0x80 {
        into.push(zigzag as u8 | 0x80);
        zigzag >>= 7;
    }
    into.push(zigzag as u8);
}

fn write_nullable(into: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => write_varint(into, -1),
        Some(bytes) => {
            write_varint(into, bytes.len() as i64);
            into.extend_from_slice(bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record_batch::{crc_matches, parse_header, validate_for_produce};

    fn records() -> Vec<Record> {
        let bytes = |text: &'static [u8]| Some(Bytes::from_static(text));
        vec![
            Record { offset: 0, timestamp: 1_000, key: None, value: bytes(b"v"), headers: Vec::new() },
            Record { offset: 1, timestamp: 900, key: bytes(b"\xff\x00"), value: None, headers: Vec::new() },
            Record {
                offset: 2,
                timestamp: 1 << 40,
                key: bytes(b""),
                value: bytes(b""),
                headers: vec![(Bytes::from_static(b"h"), None), (Bytes::from_static(b"h"), bytes(b"\xfe"))],
            },
            Record {
                offset: 3,
                timestamp: 5,
                key: None,
                value: Some(Bytes::from(vec![7; 70_000])),
                headers: Vec::new(),
            },
        ]
    }

    fn decode(batch: &Bytes, header: &BatchHeader) -> Result<Vec<Record>, Undecodable> {
        Records::new(batch, header)?.collect()
    }

    fn batch(codec: i16) -> Bytes {
        let mut builder = BatchBuilder::default();
        records().iter().for_each(|record| builder.push(record));
        builder.finish(Compression { codec, gzip_level: -1 }, Sequence::NONE)
    }

    #[test]
    fn what_goes_in_comes_out_in_every_codec() {
        for codec in 0..=4 {
            let batch = batch(codec);
            let header = validate_for_produce(&batch, 9, 1 << 20).expect("a broker takes it");
            assert_eq!((header.codec(), header.max_timestamp, header.record_count), (codec, 1 << 40, 4));
            assert_eq!(decode(&batch, &header).expect("decodes"), records(), "codec {codec}");
        }
    }

    /// Every byte of the records changed in turn: an error or other records, never a panic, and the checksum sees it.
    #[test]
    fn damage_is_no_panic() {
        let good = batch(0);
        for at in HEADER_BYTES..HEADER_BYTES + 60 {
            for mask in [0x01, 0x80, 0xff] {
                let mut bad = good.to_vec();
                bad[at] ^= mask;
                let header = parse_header(&bad).expect("the header is whole");
                assert!(!crc_matches(&bad, &header));
                let _ = decode(&Bytes::from(bad), &header);
            }
        }
        let header = parse_header(&good).expect("whole");
        let more = BatchHeader { record_count: i32::MAX, ..header };
        assert_eq!(decode(&good, &more), Err(CUT_OFF));
        let fewer = BatchHeader { record_count: 1, ..header };
        assert_eq!(decode(&good, &fewer), Err(Undecodable("bytes follow the last record")));
        for codec in 1..=4 {
            let good = batch(codec);
            let header = parse_header(&good).expect("whole");
            let mut bad = good.to_vec();
            bad.truncate(HEADER_BYTES + 10);
            let header = BatchHeader { total_bytes: bad.len(), ..header };
            assert!(decode(&Bytes::from(bad), &header).is_err(), "codec {codec}");
        }
    }
}
