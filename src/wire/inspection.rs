//! A look at the records of one batch of a Produce request, as far as its topic's configs want one, and their compression anew.
//!
//! Records that are compressed, or are to be, take more than a millisecond: then it is work for another thread. What a client
//! compressed may grow without bound; nothing here reads more than [`SCAN_BYTES_MAX`] or keeps more than [`RECOMPRESS_BYTES_MAX`].

use crate::base::limits::{RECOMPRESS_BYTES_MAX, RECORD_ERRORS_MAX};
use crate::wire::compression::{Compression, decompress};
use crate::wire::record_batch::{self, HEADER_BYTES};
use crate::wire::record_heads::{RecordHeads, Unreadable};
use bytes::BytesMut;
use std::io::Read;
use std::ops::RangeInclusive;

#[cfg(doc)]
use crate::base::limits::SCAN_BYTES_MAX;

/// What is wanted of a batch.
#[derive(Debug)]
pub struct Inspection {
    /// One whole batch, its header and checksum checked.
    pub batch: BytesMut,
    /// Each record must have a key.
    pub keys: bool,
    /// Each record's timestamp must be within, if it has one.
    pub timestamps: Option<RangeInclusive<i64>>,
    /// The records are to be compressed so.
    pub compression: Option<Compression>,
}

/// A record that its topic does not take: its index, and its timestamp if that is why; else it has no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwanted {
    /// Index in the batch.
    pub index: i32,
    /// Out of the legal range.
    pub timestamp: Option<i64>,
}

/// Why a batch is not appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Objection {
    /// The records are not what header and lengths say.
    Unreadable,
    /// Decompressed they are more than anybody wants to keep.
    TooLarge,
    /// These records are not taken; none of the batch is.
    Records {
        /// At least one, at most [`RECORD_ERRORS_MAX`].
        unwanted: Vec<Unwanted>,
        /// The legal timestamps.
        timestamps: Option<RangeInclusive<i64>>,
    },
}

/// Records without a timestamp.
const NO_TIMESTAMP: i64 = -1;

impl Inspection {
    /// True if it takes long enough to be another thread's work.
    pub fn is_work(&self) -> bool {
        self.compression.is_some() || record_batch::parse_header(&self.batch).is_ok_and(|header| header.codec() != 0)
    }

    /// Looks; gives the batch back, with its checksum done anew if it changed.
    pub fn perform(mut self) -> Result<BytesMut, Objection> {
        if self.keys || self.timestamps.is_some() {
            self.look()?;
        }
        match self.compression {
            None => Ok(self.batch),
            Some(compression) => recompress(&mut self.batch, compression),
        }
    }

    fn look(&self) -> Result<(), Objection> {
        let header = record_batch::parse_header(&self.batch).expect("checked before");
        let unreadable = |_: Unreadable| Objection::Unreadable;
        let mut heads = RecordHeads::new(&self.batch, &header).map_err(unreadable)?;
        let mut unwanted = Vec::new();
        for (index, head) in (0..).zip(&mut heads) {
            if unwanted.len() == RECORD_ERRORS_MAX {
                return Err(Objection::Records { unwanted, timestamps: self.timestamps.clone() });
            }
            let head = head.map_err(unreadable)?;
            let late = |range: &RangeInclusive<i64>| head.timestamp != NO_TIMESTAMP && !range.contains(&head.timestamp);
            if self.keys && !head.keyed {
                unwanted.push(Unwanted { index, timestamp: None });
            } else if self.timestamps.as_ref().is_some_and(late) {
                unwanted.push(Unwanted { index, timestamp: Some(head.timestamp) });
            }
        }
        if !heads.is_at_end() {
            return Err(Objection::Unreadable);
        }
        match unwanted.is_empty() {
            true => Ok(()),
            false => Err(Objection::Records { unwanted, timestamps: self.timestamps.clone() }),
        }
    }
}

fn recompress(batch: &mut BytesMut, compression: Compression) -> Result<BytesMut, Objection> {
    let header = record_batch::parse_header(batch).expect("checked before");
    let source = decompress(header.codec(), &batch[HEADER_BYTES..]).map_err(|_| Objection::Unreadable)?;
    let mut records = Vec::new();
    source.take(RECOMPRESS_BYTES_MAX + 1).read_to_end(&mut records).map_err(|_| Objection::Unreadable)?;
    if records.len() as u64 > RECOMPRESS_BYTES_MAX {
        return Err(Objection::TooLarge);
    }
    let records = compression.compress(records);
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(&records);
    record_batch::set_codec(batch, compression.codec);
    Ok(batch.split())
}

#[cfg(test)]
mod tests;
