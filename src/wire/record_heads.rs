//! Offsets and timestamps of the records in a v2 batch, one after the other; keys, values and headers are passed over.
//!
//! ```text
//! record  length varint (of what follows) | attributes i8 | timestamp delta varlong | offset delta varint | key length varint (-1: none) | key, value, headers
//! ```
//! Varints are zigzag LEB128. The reader stops after the batch's record count, at an error, or when it has read
//! [`SCAN_BYTES_MAX`] bytes: what a client compressed may grow without bound.

use crate::base::limits::SCAN_BYTES_MAX;
use crate::wire::compression::decompress;
use crate::wire::record_batch::{BatchHeader, HEADER_BYTES};
use std::io::Read;

/// What a record's head says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordHead {
    /// Added to the batch's base offset.
    pub offset_delta: i32,
    /// Milliseconds.
    pub timestamp: i64,
    /// It has a key, be it empty.
    pub keyed: bool,
}

/// The records cannot be read: unknown or broken compression, a broken record, or more bytes than anybody wants to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unreadable;

/// See the module.
pub struct RecordHeads<'a> {
    source: Box<dyn Read + 'a>,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    bytes_left: u64,
    records_left: i32,
    base_timestamp: i64,
    /// All records of a LogAppendTime batch have this one.
    append_time: Option<i64>,
}

const BUFFER_BYTES: usize = 16 * 1024;

impl<'a> RecordHeads<'a> {
    /// Of one whole batch.
    pub fn new(batch: &'a [u8], header: &BatchHeader) -> Result<RecordHeads<'a>, Unreadable> {
        let source = decompress(header.codec(), &batch[HEADER_BYTES..header.total_bytes]).map_err(|_| Unreadable)?;
        Ok(RecordHeads {
            source,
            buffer: vec![0; BUFFER_BYTES],
            at: 0,
            filled: 0,
            bytes_left: SCAN_BYTES_MAX,
            records_left: header.record_count,
            base_timestamp: header.base_timestamp,
            append_time: header.is_log_append_time().then_some(header.max_timestamp),
        })
    }

    /// True if nothing follows the last record. To be asked when all were read.
    pub fn is_at_end(&mut self) -> bool {
        if self.at == self.filled {
            self.at = 0;
            self.filled = self.source.read(&mut self.buffer).unwrap_or(1);
        }
        self.at == self.filled
    }

    fn record(&mut self) -> Result<RecordHead, Unreadable> {
        let length = self.varint(5)?;
        let before = self.bytes_left;
        self.byte()?;
        let timestamp_delta = self.varint(10)?;
        let offset_delta = i32::try_from(self.varint(5)?).map_err(|_| Unreadable)?;
        let key_bytes = self.varint(5)?;
        let used = (before - self.bytes_left) as i64;
        let rest = length.checked_sub(used).and_then(|rest| u64::try_from(rest).ok()).ok_or(Unreadable)?;
        if key_bytes < -1 || key_bytes > rest as i64 {
            return Err(Unreadable);
        }
        self.skip(rest)?;
        let timestamp = self.append_time.unwrap_or_else(|| self.base_timestamp.wrapping_add(timestamp_delta));
        Ok(RecordHead { offset_delta, timestamp, keyed: key_bytes >= 0 })
    }

    fn varint(&mut self, bytes_max: u32) -> Result<i64, Unreadable> {
        let mut value = 0u64;
        for index in 0..bytes_max {
            let byte = self.byte()?;
            value |= u64::from(byte & 0x7f) << (7 * index);
            if byte < 0x80 {
                return Ok((value >> 1) as i64 ^ -((value & 1) as i64));
            }
        }
        Err(Unreadable)
    }

    fn byte(&mut self) -> Result<u8, Unreadable> {
        self.need()?;
        self.bytes_left -= 1;
        self.at += 1;
        Ok(self.buffer[self.at - 1])
    }

    fn skip(&mut self, mut bytes: u64) -> Result<(), Unreadable> {
        while bytes > 0 {
            self.need()?;
            let step = bytes.min((self.filled - self.at) as u64).min(self.bytes_left);
            self.at += step as usize;
            self.bytes_left -= step;
            bytes -= step;
        }
        Ok(())
    }

    /// At least one byte in the buffer, and leave to use it.
    fn need(&mut self) -> Result<(), Unreadable> {
        if self.bytes_left == 0 {
            return Err(Unreadable);
        }
        if self.at == self.filled {
            self.at = 0;
            self.filled = self.source.read(&mut self.buffer).map_err(|_| Unreadable)?;
        }
        if self.filled == 0 { Err(Unreadable) } else { Ok(()) }
    }
}

impl Iterator for RecordHeads<'_> {
    type Item = Result<RecordHead, Unreadable>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.records_left <= 0 {
            return None;
        }
        let record = self.record();
        self.records_left = if record.is_ok() { self.records_left - 1 } else { 0 };
        Some(record)
    }
}
