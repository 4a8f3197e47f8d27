//! A segment file from its first byte to its last, for those who look at it from outside: `corelane log inspect` and `verify`.
//! A broker never does this: it goes by checkpoint, state blocks and index (S18).

use crate::base::ids::TopicPartition;
use crate::base::offset::Offset;
use crate::base::storage::{BLOCK_BYTES, block_ceil};
use crate::log::checkpoint::CheckpointSegment;
use crate::log::offset_index::Run;
use crate::log::segment::{BlockAt, EXTENT_HEADER_BYTES, ExtentHeader, StateBlock};
use crate::wire::record_batch::{Batches, crc_matches};
use bytes::Bytes;
use std::collections::BTreeMap;

/// Reads so many bytes at a position, or fewer at the end of the file; the error is for people.
pub type ReadAt<'a> = dyn FnMut(u64, usize) -> Result<Bytes, String> + 'a;

/// What lies in a segment file.
#[derive(Clone, Debug)]
pub enum Part {
    /// Record batches.
    Extent {
        /// Byte position of the header.
        position: u64,
        /// The header.
        header: ExtentHeader,
        /// The record batches.
        batches: Bytes,
    },
    /// State, behind an extent.
    State {
        /// Where it lies.
        at: BlockAt,
        /// What it says.
        block: StateBlock,
    },
}

/// Bytes that are not what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rot {
    /// Where in the file.
    pub position: u64,
    /// What is wrong.
    pub what: String,
}

fn rot(position: u64, what: impl Into<String>) -> Rot {
    Rot { position, what: what.into() }
}

/// Part after part of a segment. After rot it goes on where the next extent can be found.
pub struct SegmentWalk<'a, 'b> {
    read: &'b mut ReadAt<'a>,
    /// Where the next part begins, and whether that is a state block.
    next: (u64, bool),
    end: u64,
}

impl<'a, 'b> SegmentWalk<'a, 'b> {
    /// The first `end` bytes of a file.
    pub fn new(read: &'b mut ReadAt<'a>, end: u64) -> SegmentWalk<'a, 'b> {
        SegmentWalk { read, next: (0, false), end }
    }

    fn extent(&mut self, position: u64) -> Result<Part, Rot> {
        let bytes = (self.read)(position, EXTENT_HEADER_BYTES).map_err(|why| rot(position, why))?;
        let header = ExtentHeader::decode(&bytes).ok_or_else(|| rot(position, "no valid extent header"))?;
        let first = position + header.first_batch();
        if header.bytes > self.end.saturating_sub(first) {
            return Err(rot(position, "the extent is longer than its file"));
        }
        self.next = ((first + header.bytes).next_multiple_of(8), true);
        let batches = (self.read)(first, header.bytes as usize).map_err(|why| rot(first, why))?;
        if batches.len() as u64 != header.bytes {
            return Err(rot(first, "the file ends inside the extent"));
        }
        Ok(Part::Extent { position, header, batches })
    }

    fn state(&mut self, position: u64) -> Result<Part, Rot> {
        const LENGTH_END: usize = 12;
        let head = (self.read)(position, LENGTH_END).map_err(|why| rot(position, why))?;
        let bytes = StateBlock::bytes_at(&head).filter(|bytes| u64::from(*bytes) <= self.end.saturating_sub(position));
        let bytes = bytes.ok_or_else(|| rot(position, "no valid state block"))?;
        let block = (self.read)(position, bytes as usize).map_err(|why| rot(position, why))?;
        let block =
            StateBlock::decode(&block).ok_or_else(|| rot(position, "the state block's checksum does not match"))?;
        self.next = (block_ceil(position + u64::from(bytes)), false);
        Ok(Part::State { at: BlockAt { position, bytes }, block })
    }

    /// The next block at or behind `from` that begins with a valid extent header.
    fn find_extent(&mut self, from: u64) -> u64 {
        let mut at = block_ceil(from);
        while at < self.end {
            let header = (self.read)(at, EXTENT_HEADER_BYTES).ok();
            if header.is_some_and(|bytes| ExtentHeader::decode(&bytes).is_some()) {
                return at;
            }
            at += BLOCK_BYTES;
        }
        self.end
    }
}

impl Iterator for SegmentWalk<'_, '_> {
    type Item = Result<Part, Rot>;

    fn next(&mut self) -> Option<Self::Item> {
        let (position, is_state) = self.next;
        if position >= self.end {
            return None;
        }
        let part = if is_state { self.state(position) } else { self.extent(position) };
        // An extent whose batches cannot be read has said where its state is.
        if part.is_err() && self.next.0 == position {
            self.next = (self.find_extent(position + 1), false);
        }
        Some(part)
    }
}

/// What a check went over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// Extents with their state blocks.
    pub extents: u64,
    /// Record batches.
    pub batches: u64,
    /// Records, as the batches' headers count them.
    pub records: u64,
    /// Bytes of the file that count.
    pub bytes: u64,
}

/// Checks all that a checkpoint says of a segment against its file: headers, every batch with Kafka's checksum, offsets without a gap,
/// state blocks, and the index's checksums over what Kafka's leave out.
pub fn check(partition: TopicPartition, segment: &CheckpointSegment, read: &mut ReadAt<'_>) -> (Checked, Vec<Rot>) {
    let mut check = Check {
        partition,
        next: segment.base,
        heads: BTreeMap::new(),
        runs: BTreeMap::new(),
        last: None,
        found: Vec::new(),
    };
    let mut checked = Checked { bytes: segment.file_bytes, ..Checked::default() };
    for part in SegmentWalk::new(read, segment.file_bytes) {
        match part {
            Err(rot) => check.found.push(rot),
            Ok(Part::Extent { position, header, batches }) => {
                checked.extents += 1;
                check.extent(position, &header, &batches, &mut checked);
            }
            Ok(Part::State { at, block }) => check.state(at, &block),
        }
    }
    if check.found.is_empty() && check.next != segment.end {
        let what = format!("the segment ends at offset {}, but the checkpoint says {}", check.next, segment.end);
        check.found.push(rot(segment.file_bytes, what));
    }
    if check.found.is_empty() && check.last != Some(segment.block) {
        check.found.push(rot(segment.block.position, "the newest state block is not where the checkpoint says"));
    }
    (checked, check.found)
}

/// Bytes of a batch that its own CRC does not cover.
const HEAD_BYTES: usize = 21;

struct Check {
    partition: TopicPartition,
    next: Offset,
    /// Length and first bytes of each batch, by its position.
    heads: BTreeMap<u64, (u32, [u8; HEAD_BYTES])>,
    /// Index runs that were compared, by position: later full blocks repeat them.
    runs: BTreeMap<u32, Run>,
    last: Option<BlockAt>,
    found: Vec<Rot>,
}

impl Check {
    fn extent(&mut self, position: u64, header: &ExtentHeader, batches: &Bytes, checked: &mut Checked) {
        if header.partition != self.partition {
            return self.found.push(rot(position, format!("the extent belongs to partition {}", header.partition)));
        }
        if header.base != self.next {
            self.found.push(rot(position, format!("offset {} is expected here, not {}", self.next, header.base)));
        }
        // One that holds nothing but state stands for offsets that the log start has passed.
        let mut next = if header.bytes == 0 { header.end } else { header.base };
        let first = position + header.first_batch();
        for batch in Batches::new(batches) {
            let Ok((range, batch)) = batch else {
                self.found.push(rot(first, "the extent does not hold whole record batches"));
                break;
            };
            let at = first + range.start as u64;
            let bytes = &batches[range];
            checked.batches += 1;
            checked.records += u64::from(batch.record_count.unsigned_abs());
            self.heads.insert(at, (bytes.len() as u32, bytes[..HEAD_BYTES].try_into().expect("a batch has a header")));
            if !crc_matches(bytes, &batch) {
                self.found.push(rot(at, format!("the checksum of the record batch at offset {next} does not match")));
            }
            if batch.base_offset != next.0 {
                self.found
                    .push(rot(at, format!("the record batch says offset {}, expected {next}", batch.base_offset)));
            }
            next = Offset(next.0 + i64::from(batch.last_offset_delta) + 1);
        }
        if next != header.end {
            self.found.push(rot(position, format!("the extent ends at offset {next}, but says {}", header.end)));
        }
        self.next = header.end;
    }

    fn state(&mut self, at: BlockAt, block: &StateBlock) {
        if block.partition != self.partition || block.end != self.next {
            let what = format!("the state is of partition {} and offset {}", block.partition, block.end);
            self.found.push(rot(at.position, what));
        }
        if !block.full && block.back != self.last {
            self.found.push(rot(at.position, "the state block does not point at the one before it"));
        }
        for run in &block.runs {
            if self.runs.insert(run.position, *run) != Some(*run) && !self.agrees(run) {
                let what = format!("the index run of offset {} does not agree with its record batches", run.base);
                self.found.push(rot(u64::from(run.position), what));
            }
        }
        self.last = Some(at);
    }

    fn agrees(&self, run: &Run) -> bool {
        let (mut at, end) = (u64::from(run.position), u64::from(run.position) + u64::from(run.bytes));
        let mut checksum = 0;
        while at < end {
            let Some((bytes, head)) = self.heads.get(&at) else { return false };
            checksum = crc32c::crc32c_append(checksum, head);
            at += u64::from(*bytes);
        }
        at == end && checksum == run.checksum
    }
}

#[cfg(test)]
mod tests;
