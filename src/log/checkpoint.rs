//! The checkpoint of a core: which segment bytes count, from which journal frame on replay starts.
//!
//! Two slots, two files (`checkpoint.0`, `checkpoint.1`): the number's parity chooses the slot, so the newest durable one is never
//! overwritten. Integers are big-endian.
//!
//! ```text
//!  0 magic u32 "CLCK" | 4 version u8 | 5 reserved 3 | 8 length u32 | 12 checksum u32 (of everything but itself)
//! 16 number u64 | 24 generation u32 | 28 core u16 | 30 reserved u16 | 32 boot u32 | 36 first live sequence u64
//! 44 key of the journal's salts u64 | 52 partitions: count u32, then for each
//!      topic id 16 | partition i32 | log start i64 | held first, last sequence u64 (0, 0: not offline) | segments: count u32, then each
//!        base i64 | end i64 | file bytes u64 | newest state block: position u64, bytes u32 | max timestamp i64
//! ```

use crate::base::decode::Decoder;
use crate::base::gather::Gather;
use crate::base::ids::TopicPartition;
use crate::base::offset::{Offset, Sequence};
use crate::base::storage::{FileOp, Storage, StorageError, read_file, replace_file_ops};
use crate::log::journal::HeldRange;
use crate::log::journal_frame::{put_partition, take_partition};
use crate::log::segment::{BlockAt, Segment};
use bytes::{BufMut, Bytes, BytesMut};

const MAGIC: u32 = u32::from_be_bytes(*b"CLCK");
const VERSION: u8 = 1;
/// Bytes of an encoded segment.
const SEGMENT_BYTES: usize = 44;

/// One partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointPartition {
    /// Which.
    pub partition: TopicPartition,
    /// First offset that is served.
    pub log_start: Offset,
    /// Frames of an offline partition that must be replayed although they are below the first live sequence (S11).
    pub held: Option<HeldRange>,
    /// Segments, oldest first.
    pub segments: Vec<CheckpointSegment>,
}

/// One segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CheckpointSegment {
    /// Offset of the first record, and the file's name.
    pub base: Offset,
    /// Offset behind the last record.
    pub end: Offset,
    /// Bytes of the file that count.
    pub file_bytes: u64,
    /// Newest state block.
    pub block: BlockAt,
    /// Largest timestamp of its batches, as their headers say.
    pub max_timestamp: i64,
}

impl CheckpointPartition {
    /// What everyone who uses it relies on: segments follow each other without a gap, state blocks lie in their files.
    fn is_plausible(&self) -> bool {
        let is_whole = |one: &CheckpointSegment| {
            let block_end = one.block.position.checked_add(u64::from(one.block.bytes));
            one.base >= Offset::ZERO && one.base < one.end && block_end.is_some_and(|end| end <= one.file_bytes)
        };
        self.log_start >= Offset::ZERO
            && self.held.is_none_or(|(first, last)| first <= last)
            && self.segments.iter().all(is_whole)
            && self.segments.windows(2).all(|pair| pair[0].end == pair[1].base)
    }
}

impl From<&Segment> for CheckpointSegment {
    fn from(segment: &Segment) -> CheckpointSegment {
        let Segment { base, end, file_bytes, block, max_timestamp, .. } = *segment;
        CheckpointSegment { base, end, file_bytes, block, max_timestamp }
    }
}

impl CheckpointSegment {
    /// A segment of an earlier boot: never appended to again (S5).
    pub fn to_segment(self) -> Segment {
        Segment {
            base: self.base,
            end: self.end,
            file_bytes: self.file_bytes,
            block: self.block,
            max_timestamp: self.max_timestamp,
            runs: None,
            deltas: 0,
            bytes_since_full: 0,
            begun_ms: None,
        }
    }
}

/// A whole checkpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Rises by one with each checkpoint of a core and generation.
    pub number: u64,
    /// Generation of the journal.
    pub generation: u32,
    /// Core.
    pub core: u16,
    /// Boot that wrote it.
    pub boot: u32,
    /// The core's secret: salts of journal files follow from it (see `journal_frame::salt`). The same in all its checkpoints.
    pub key: u64,
    /// Replay starts here; frames below are ignored (S14) but for held ones.
    pub first_live: Sequence,
    /// Partitions with a segment or a moved log start.
    pub partitions: Vec<CheckpointPartition>,
}

/// Name of the slot file for a number.
pub fn slot_name(number: u64) -> String {
    format!("checkpoint.{}", number % 2)
}

impl Checkpoint {
    /// The bytes of the slot.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(64 + self.partitions.len() * 96);
        out.put_u32(MAGIC);
        out.put_u32(u32::from(VERSION) << 24);
        out.put_u64(0);
        out.put_u64(self.number);
        out.put_u32(self.generation);
        out.put_u16(self.core);
        out.put_u16(0);
        out.put_u32(self.boot);
        out.put_u64(self.first_live.0);
        out.put_u64(self.key);
        out.put_u32(self.partitions.len() as u32);
        for one in &self.partitions {
            put_partition(&mut out, one.partition);
            out.put_i64(one.log_start.0);
            let (first, last) = one.held.unwrap_or_default();
            out.put_u64(first.0);
            out.put_u64(last.0);
            out.put_u32(one.segments.len() as u32);
            for segment in &one.segments {
                out.put_i64(segment.base.0);
                out.put_i64(segment.end.0);
                out.put_u64(segment.file_bytes);
                out.put_u64(segment.block.position);
                out.put_u32(segment.block.bytes);
                out.put_i64(segment.max_timestamp);
            }
        }
        let length = out.len() as u32;
        out[8..12].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[..12]), &out[16..]);
        out[12..16].copy_from_slice(&checksum.to_be_bytes());
        out.freeze()
    }

    /// Reads a slot; `None` unless its checksum holds.
    pub fn decode(bytes: &[u8]) -> Option<Checkpoint> {
        let mut fields = Decoder::new(bytes);
        if fields.u32()? != MAGIC || fields.u32()? >> 24 != u32::from(VERSION) {
            return None;
        }
        let (length, checksum) = (fields.u32()? as usize, fields.u32()?);
        let all = bytes.get(..length).filter(|all| all.len() >= 16)?;
        if checksum != crc32c::crc32c_append(crc32c::crc32c(&all[..12]), &all[16..]) {
            return None;
        }
        let (number, generation) = (fields.u64()?, fields.u32()?);
        let core = (fields.u32()? >> 16) as u16;
        let (boot, first_live, key) = (fields.u32()?, Sequence(fields.u64()?), fields.u64()?);
        if !first_live.is_of_a_frame() {
            return None;
        }
        let count = fields.count(48)?;
        let partitions = (0..count).map(|_| decode_partition(&mut fields)).collect::<Option<Vec<_>>>()?;
        Some(Checkpoint { number, generation, core, boot, key, first_live, partitions })
    }

    /// Operations that write the slot and make it durable. The slot file is made anew when it is not known to exist.
    pub fn write_ops(&self, dir: &str, slot_exists: bool) -> Vec<FileOp> {
        let data = Gather::from(self.encode());
        if slot_exists {
            let path = format!("{dir}/{}", slot_name(self.number));
            vec![FileOp::Write { path: path.clone(), offset: 0, data }, FileOp::Flush(path)]
        } else {
            replace_file_ops(dir, &slot_name(self.number), data)
        }
    }

    /// The newer valid slot of a core's journal directory, if any.
    pub fn load(storage: &mut dyn Storage, dir: &str) -> Result<Option<Checkpoint>, StorageError> {
        let mut newest: Option<Checkpoint> = None;
        for slot in 0..2 {
            let bytes = match read_file(storage, &format!("{dir}/{}", slot_name(slot))) {
                Ok(bytes) => bytes,
                Err(StorageError::NotFound) => continue,
                Err(error) => return Err(error),
            };
            if let Some(found) = Checkpoint::decode(&bytes)
                && newest.as_ref().is_none_or(|best| best.number < found.number)
            {
                newest = Some(found);
            }
        }
        Ok(newest)
    }
}

fn decode_partition(fields: &mut Decoder<'_>) -> Option<CheckpointPartition> {
    let partition = take_partition(fields)?;
    let log_start = Offset(fields.i64()?);
    let (first, last) = (Sequence(fields.u64()?), Sequence(fields.u64()?));
    let held = (last > Sequence(0)).then_some((first, last));
    let count = fields.count(SEGMENT_BYTES)?;
    let mut segments = Vec::with_capacity(count);
    for _ in 0..count {
        let (base, end, file_bytes) = (Offset(fields.i64()?), Offset(fields.i64()?), fields.u64()?);
        let block = BlockAt { position: fields.u64()?, bytes: fields.u32()? };
        segments.push(CheckpointSegment { base, end, file_bytes, block, max_timestamp: fields.i64()? });
    }
    let one = CheckpointPartition { partition, log_start, held, segments };
    one.is_plausible().then_some(one)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TopicId;

    #[test]
    fn a_slot_survives_the_round_trip_and_notices_every_flip() {
        let segment = |base: i64| CheckpointSegment {
            base: Offset(base),
            end: Offset(base + 10),
            file_bytes: 8192,
            block: BlockAt { position: 4096, bytes: 200 },
            max_timestamp: 1_700_000_000_000,
        };
        let segments = vec![segment(0), segment(10), segment(20)];
        let partition = TopicPartition { topic: TopicId([1; 16]), partition: 4 };
        let held = Some((Sequence(3), Sequence(9)));
        let one = CheckpointPartition { partition, log_start: Offset(4), held, segments };
        let two = CheckpointPartition { held: None, segments: Vec::new(), ..one.clone() };
        let checkpoint = Checkpoint {
            number: 7,
            generation: 2,
            core: 3,
            boot: 5,
            key: 8,
            first_live: Sequence(99),
            partitions: vec![one, two],
        };
        let bytes = checkpoint.encode();
        assert_eq!(Checkpoint::decode(&bytes).as_ref(), Some(&checkpoint));
        for byte in 0..bytes.len() {
            let mut rotten = bytes.to_vec();
            rotten[byte] ^= 2;
            assert_eq!(Checkpoint::decode(&rotten), None, "byte {byte}");
            assert_eq!(Checkpoint::decode(&bytes[..byte]), None);
        }
        // Found by the fuzzer: behind a good checksum anything was taken, and recovery panicked over it.
        let refused = |change: fn(&mut Checkpoint)| {
            let mut other = checkpoint.clone();
            change(&mut other);
            assert_eq!(Checkpoint::decode(&other.encode()), None);
        };
        refused(|other| other.first_live = Sequence(0));
        refused(|other| other.partitions[0].segments[1].base = Offset(9));
        refused(|other| other.partitions[0].segments[2].end = Offset(20));
        refused(|other| other.partitions[0].segments[0].block.bytes = 4097);
        refused(|other| other.partitions[0].segments[0].block.position = u64::MAX);
        refused(|other| other.partitions[0].held = Some((Sequence(9), Sequence(3))));
        refused(|other| other.partitions[0].log_start = Offset(-1));
    }
}
