//! A look inside one record batch for a record by its timestamp. Takes more than a millisecond for a large compressed batch, so
//! it is an effect: the runtime performs it off the core, the simulator at once.

use crate::base::offset::{LeaderEpoch, Offset};
use crate::wire::record_batch::{self, BatchHeader};
use crate::wire::record_heads::{RecordHeads, Unreadable};
use bytes::Bytes;

/// Which record is looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Aim {
    /// The first one, in order of offsets, with this timestamp or a later one.
    AtLeast(i64),
    /// The one with the largest timestamp, the first of equals.
    Largest,
}

/// A record that was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundRecord {
    /// Its offset.
    pub offset: Offset,
    /// Its timestamp, milliseconds.
    pub timestamp: i64,
    /// Leader epoch of its batch.
    pub leader_epoch: LeaderEpoch,
}

/// What to look at.
#[derive(Clone, Debug)]
pub struct RecordScan {
    /// One whole batch, checked before.
    pub batch: Bytes,
    /// What is looked for.
    pub aim: Aim,
    /// Records below are not looked at.
    pub from: Offset,
}

impl RecordScan {
    /// Looks, and stops at the first record that settles it.
    pub fn perform(&self) -> Result<Option<FoundRecord>, Unreadable> {
        let header = self.header();
        let mut best: Option<FoundRecord> = None;
        for head in RecordHeads::new(&self.batch, &header)? {
            let head = head?;
            // Deltas are the producer's and are not checked at the append: what lies outside its batch is pulled in.
            let offset =
                Offset(header.base_offset).plus(i64::from(head.offset_delta.clamp(0, header.last_offset_delta)));
            if offset < self.from {
                continue;
            }
            let found =
                FoundRecord { offset, timestamp: head.timestamp, leader_epoch: LeaderEpoch(header.leader_epoch) };
            match self.aim {
                Aim::AtLeast(timestamp) if head.timestamp >= timestamp => return Ok(Some(found)),
                Aim::AtLeast(_) => {}
                Aim::Largest if head.timestamp >= header.max_timestamp => return Ok(Some(found)),
                Aim::Largest => best = best.filter(|best| best.timestamp >= head.timestamp).or(Some(found)),
            }
        }
        Ok(best)
    }

    /// The answer without a look: the batch's first record that counts. Exact when all its records have the broker's time, else
    /// for batches that cannot be read: a consumer that starts there misses nothing.
    pub(super) fn first_of_batch(&self) -> FoundRecord {
        let header = self.header();
        FoundRecord {
            offset: self.from.max(Offset(header.base_offset)),
            timestamp: header.max_timestamp,
            leader_epoch: LeaderEpoch(header.leader_epoch),
        }
    }

    pub(super) fn header(&self) -> BatchHeader {
        record_batch::parse_header(&self.batch).expect("checked when it was appended or read")
    }
}

#[cfg(test)]
mod tests;
