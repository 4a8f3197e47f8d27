//! Batches of keyed records that the machine writes and reads itself: uncompressed, without headers, one timestamp.
//!
//! Nothing that clients produce goes through here: their batches stay as they are.

use crate::wire::record_batch::{BatchHeader, HEADER_BYTES, parse_header};
use bytes::{BufMut, Bytes, BytesMut};

/// A key, and a value or none: the key is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyedRecord {
    /// Never empty.
    pub key: Bytes,
    /// `None`: a tombstone.
    pub value: Option<Bytes>,
}

impl KeyedRecord {
    /// About what it takes in a batch.
    pub fn bytes(&self) -> usize {
        /// Length, attributes, deltas and lengths of key and value.
        const FRAMING_BYTES: usize = 16;
        FRAMING_BYTES + self.key.len() + self.value.as_ref().map_or(0, Bytes::len)
    }
}

/// One batch of these records, its offsets not stamped. There is one record at least.
pub fn encode(records: &[KeyedRecord], timestamp_ms: i64) -> (BytesMut, BatchHeader) {
    let last_delta = i32::try_from(records.len()).expect("records of one batch") - 1;
    assert!(last_delta >= 0, "a batch has records");
    let bytes: usize = records.iter().map(KeyedRecord::bytes).sum();
    let mut batch = BytesMut::with_capacity(HEADER_BYTES + bytes);
    batch.put_i64(0);
    batch.put_i32(0);
    batch.put_i32(0);
    batch.put_i8(2);
    batch.put_u32(0);
    batch.put_i16(0);
    batch.put_i32(last_delta);
    batch.put_i64(timestamp_ms);
    batch.put_i64(timestamp_ms);
    batch.put_i64(-1);
    batch.put_i16(-1);
    batch.put_i32(-1);
    batch.put_i32(last_delta + 1);
    assert_eq!(batch.len(), HEADER_BYTES);
    let mut body = Vec::new();
    for (record, delta) in records.iter().zip(0i64..) {
        body.clear();
        body.push(0);
        put_varint(&mut body, 0);
        put_varint(&mut body, delta);
        put_varint(&mut body, record.key.len() as i64);
        body.extend_from_slice(&record.key);
        match &record.value {
            None => put_varint(&mut body, -1),
            Some(value) => {
                put_varint(&mut body, value.len() as i64);
                body.extend_from_slice(value);
            }
        }
        put_varint(&mut body, 0);
        let mut length = Vec::with_capacity(5);
        put_varint(&mut length, body.len() as i64);
        batch.extend_from_slice(&length);
        batch.extend_from_slice(&body);
    }
    let length = i32::try_from(batch.len() - 12).expect("a batch is below 2 GiB");
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    let header = parse_header(&batch).expect("just written");
    (batch, header)
}

/// The records of one whole batch, in order; an error says what is wrong. Compressed batches and those without keys are none of ours.
pub fn decode(batch: &[u8], header: &BatchHeader) -> Result<Vec<KeyedRecord>, &'static str> {
    if header.codec() != 0 || header.is_control() {
        return Err("a compressed or control batch");
    }
    /// Length, attributes, two deltas, two lengths.
    const RECORD_BYTES_MIN: usize = 6;
    let mut rest = &batch[HEADER_BYTES..header.total_bytes];
    let count = (header.record_count.max(0) as usize).min(rest.len() / RECORD_BYTES_MIN);
    let mut records = Vec::with_capacity(count);
    for _ in 0..header.record_count {
        let length = take_length(&mut rest)?.ok_or("a record without a length")?;
        let mut record = rest.split_off(..length).ok_or("a record longer than its batch")?;
        record.split_off(..1).ok_or("an empty record")?;
        take_varint(&mut record)?;
        take_varint(&mut record)?;
        let key = take_length(&mut record)?.ok_or("a record without a key")?;
        let key = Bytes::copy_from_slice(record.split_off(..key).ok_or("a key longer than its record")?);
        let value = match take_length(&mut record)? {
            None => None,
            Some(value) => {
                Some(Bytes::copy_from_slice(record.split_off(..value).ok_or("a value longer than its record")?))
            }
        };
        records.push(KeyedRecord { key, value });
    }
    Ok(records)
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn take_varint(bytes: &mut &[u8]) -> Result<i64, &'static str> {
    let mut value = 0u64;
    for shift in (0..70).step_by(7) {
        let (byte, rest) = bytes.split_first().ok_or("a number that does not end")?;
        *bytes = rest;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        if *byte < 0x80 {
            return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
        }
    }
    Err("a number that does not end")
}

/// A length; -1 is none.
fn take_length(bytes: &mut &[u8]) -> Result<Option<usize>, &'static str> {
    match take_varint(bytes)? {
        -1 => Ok(None),
        length => usize::try_from(length).map(Some).map_err(|_| "a negative length"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record_batch::{crc_matches, validate_for_produce};

    #[test]
    fn batches_come_back_and_are_valid() {
        let long = Bytes::from(vec![7; 300]);
        let records = vec![
            KeyedRecord { key: Bytes::from_static(b"a"), value: Some(Bytes::from_static(b"1")) },
            KeyedRecord { key: long.clone(), value: None },
            KeyedRecord { key: Bytes::from_static(b"c"), value: Some(long) },
        ];
        let (batch, header) = encode(&records, 1_700_000_000_000);
        assert!(crc_matches(&batch, &header));
        assert_eq!(validate_for_produce(&batch, 9, 1 << 20), Ok(header));
        assert_eq!(decode(&batch, &header), Ok(records));
        let heads = crate::wire::record_heads::RecordHeads::new(&batch, &header).expect("readable");
        let heads: Vec<_> = heads.map(|head| head.expect("readable")).collect();
        assert!(heads.iter().all(|head| head.keyed && head.timestamp == 1_700_000_000_000));
        assert_eq!(heads.iter().map(|head| head.offset_delta).collect::<Vec<_>>(), [0, 1, 2]);
    }

    #[test]
    fn broken_batches_are_refused() {
        let records = [KeyedRecord { key: Bytes::from_static(b"key"), value: Some(Bytes::from_static(b"value")) }];
        let (batch, header) = encode(&records, 5);
        for at in HEADER_BYTES..batch.len() {
            for byte in [0x00, 0x7f, 0x80, 0xff] {
                let mut broken = batch.to_vec();
                broken[at] = byte;
                let _ = decode(&broken, &header);
            }
        }
        let mut broken = batch.to_vec();
        broken[HEADER_BYTES] = 0x7e;
        assert!(decode(&broken, &header).is_err());
        let more = BatchHeader { record_count: 2, ..header };
        assert!(decode(&batch, &more).is_err());
    }
}
