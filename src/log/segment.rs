//! `Segment` and the bytes of a segment file: extents of record batches, each followed by a block of the partition's state.
//!
//! A move appends one extent and one state block as one aligned write. Integers are big-endian.
//!
//! ```text
//! extent header, at a multiple of 4096
//!  0 magic u32 "CLSX" | 4 version u8 | 5 reserved 3 | 8 checksum u32 (of the header but itself) | 12 boot u32
//! 16 topic id 16 | 32 partition i32 | 36 base offset i64 | 44 end offset i64 | 52 first leader epoch i32
//! 56 last leader epoch i32 | 60 filler u32 | 64 bytes of the batches u64 | 72 reserved u64 | 80 filler, record batches, padded to 8
//!
//! state block, behind the batches
//!  0 magic u32 "CLST" | 4 version u8 | 5 kind u8 (1 full, 2 delta) | 6 reserved u16 | 8 length u32
//! 12 checksum u32 (of everything but itself) | 16 boot u32 | 20 topic id 16 | 36 partition i32 | 40 end offset i64
//! 48 position of the block before u64 (all ones: none) | 56 its length u32
//! 60 index runs: count u32, then base i64, position u32, bytes u32, checksum u32, max timestamp i64 each
//!    leader epochs: count u32, then epoch i32, start offset i64 each
//!    producers: count u32, then id i64, epoch i16, newest timestamp i64, batch count u8, batches (first, last sequence i32, base, end i64) each
//!    aborted transactions: count u32 (none before transactions exist)
//! padding to 4096
//! ```
//!
//! The filler (less than a block) lets a large first batch be written from where it lies in memory, see [`filler`](crate::base::storage::filler).
//! A full block holds the index of its segment so far and all producers; a delta holds what its extent added. Leader epochs are
//! always complete. The first block of a segment is full, so a chain of blocks never leaves its file (S10).

use crate::base::decode::Decoder;
use crate::base::ids::TopicPartition;
use crate::base::offset::{LeaderEpoch, Offset};
use crate::base::storage::BLOCK_BYTES;
use crate::log::journal_frame::{put_partition, take_partition};
use crate::log::leader_epochs::LeaderEpochs;
use crate::log::offset_index::{self, Run};
use crate::log::producer_state::{Producer, Producers};
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of an extent header.
pub const EXTENT_HEADER_BYTES: usize = 80;
const EXTENT_MAGIC: u32 = u32::from_be_bytes(*b"CLSX");
const BLOCK_MAGIC: u32 = u32::from_be_bytes(*b"CLST");
const VERSION: u8 = 1;
const KIND_FULL: u8 = 1;
const KIND_DELTA: u8 = 2;
const NO_POSITION: u64 = u64::MAX;

/// Where a state block lies in its segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BlockAt {
    /// Byte position, a multiple of 8.
    pub position: u64,
    /// Bytes.
    pub bytes: u32,
}

/// One segment file of a partition. Its name is its base offset.
#[derive(Clone, Debug)]
pub struct Segment {
    /// Offset of the first record.
    pub base: Offset,
    /// Offset behind the last record: what the checkpoint knows, never derived from the file (S18).
    pub end: Offset,
    /// Bytes written, a multiple of 4096.
    pub file_bytes: u64,
    /// Newest state block.
    pub block: BlockAt,
    /// Largest timestamp of its batches, as their headers say.
    pub max_timestamp: i64,
    /// Index, when it is in memory.
    pub runs: Option<Vec<Run>>,
    /// Blocks since the last full one.
    pub deltas: u32,
    /// Bytes since the last full block.
    pub bytes_since_full: u64,
    /// Monotonic milliseconds of the first append; `None` for segments of earlier boots, which are never appended to (S5).
    pub begun_ms: Option<u64>,
}

/// Path of a segment file.
pub fn path(partition: TopicPartition, base: Offset) -> String {
    format!("{}/{}", dir(partition), name(base))
}

/// Name of a segment file.
pub fn name(base: Offset) -> String {
    format!("{:020}.segment", base.0)
}

/// Directory of a partition.
pub fn dir(partition: TopicPartition) -> String {
    format!("topics/{}/{}", partition.topic, partition.partition)
}

/// What an extent header says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExtentHeader {
    /// Boot that wrote it.
    pub boot: u32,
    /// Whose records.
    pub partition: TopicPartition,
    /// Offset of the first record.
    pub base: Offset,
    /// Offset behind the last record.
    pub end: Offset,
    /// Leader epochs of first and last batch.
    pub epochs: (LeaderEpoch, LeaderEpoch),
    /// Bytes between the header and the record batches, less than a block.
    pub filler: u32,
    /// Bytes of the record batches.
    pub bytes: u64,
}

impl ExtentHeader {
    /// Bytes of the extent before its record batches.
    pub fn first_batch(&self) -> u64 {
        EXTENT_HEADER_BYTES as u64 + u64::from(self.filler)
    }

    /// The header's bytes.
    pub fn encode(&self) -> Bytes {
        let mut out = BytesMut::with_capacity(EXTENT_HEADER_BYTES);
        out.put_u32(EXTENT_MAGIC);
        out.put_u32(u32::from(VERSION) << 24);
        out.put_u32(0);
        out.put_u32(self.boot);
        put_partition(&mut out, self.partition);
        out.put_i64(self.base.0);
        out.put_i64(self.end.0);
        out.put_i32(self.epochs.0.0);
        out.put_i32(self.epochs.1.0);
        out.put_u32(self.filler);
        out.put_u64(self.bytes);
        out.put_u64(0);
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[..8]), &out[12..]);
        out[8..12].copy_from_slice(&checksum.to_be_bytes());
        assert_eq!(out.len(), EXTENT_HEADER_BYTES);
        out.freeze()
    }

    /// Reads a header; `None` unless its checksum holds.
    pub fn decode(bytes: &[u8]) -> Option<ExtentHeader> {
        let header = bytes.get(..EXTENT_HEADER_BYTES)?;
        let mut fields = Decoder::new(header);
        if fields.u32()? != EXTENT_MAGIC || fields.u32()? >> 24 != u32::from(VERSION) {
            return None;
        }
        if fields.u32()? != crc32c::crc32c_append(crc32c::crc32c(&header[..8]), &header[12..]) {
            return None;
        }
        let boot = fields.u32()?;
        let partition = take_partition(&mut fields)?;
        let (base, end) = (Offset(fields.i64()?), Offset(fields.i64()?));
        let epochs = (LeaderEpoch(fields.i32()?), LeaderEpoch(fields.i32()?));
        let filler = fields.u32().filter(|filler| u64::from(*filler) < BLOCK_BYTES)?;
        Some(ExtentHeader { boot, partition, base, end, epochs, filler, bytes: fields.u64()? })
    }
}

/// A state block read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateBlock {
    /// All of the state, or what the extent added.
    pub full: bool,
    /// Whose state.
    pub partition: TopicPartition,
    /// The state is as of this offset.
    pub end: Offset,
    /// The block before.
    pub back: Option<BlockAt>,
    /// Index runs.
    pub runs: Vec<Run>,
    /// Complete epoch cache.
    pub epochs: LeaderEpochs,
    /// Producers.
    pub producers: Vec<(i64, Producer)>,
}

/// What goes into a state block.
pub struct StateBlockSource<'a> {
    /// See [`StateBlock`].
    pub full: bool,
    /// See [`StateBlock`].
    pub partition: TopicPartition,
    /// Boot that writes it.
    pub boot: u32,
    /// See [`StateBlock`].
    pub end: Offset,
    /// See [`StateBlock`].
    pub back: Option<BlockAt>,
    /// See [`StateBlock`].
    pub runs: &'a [Run],
    /// See [`StateBlock`].
    pub epochs: &'a LeaderEpochs,
    /// State as of `end`.
    pub producers: &'a Producers,
    /// Producers to write.
    pub producer_ids: Vec<i64>,
}

impl StateBlockSource<'_> {
    /// The block's bytes, padded to 8.
    pub fn encode(self) -> Bytes {
        let mut out = BytesMut::new();
        out.put_u32(BLOCK_MAGIC);
        out.put_u8(VERSION);
        out.put_u8(if self.full { KIND_FULL } else { KIND_DELTA });
        out.put_u16(0);
        out.put_u64(0);
        out.put_u32(self.boot);
        put_partition(&mut out, self.partition);
        out.put_i64(self.end.0);
        out.put_u64(self.back.map_or(NO_POSITION, |back| back.position));
        out.put_u32(self.back.map_or(0, |back| back.bytes));
        offset_index::encode(self.runs, &mut out);
        self.epochs.encode(&mut out);
        self.producers.encode(self.producer_ids, &mut out);
        out.put_u32(0);
        out.resize(out.len().next_multiple_of(8), 0);
        let length = out.len() as u32;
        out[8..12].copy_from_slice(&length.to_be_bytes());
        let checksum = crc32c::crc32c_append(crc32c::crc32c(&out[..12]), &out[16..]);
        out[12..16].copy_from_slice(&checksum.to_be_bytes());
        out.freeze()
    }
}

impl StateBlock {
    /// Bytes of the block that begins with `bytes`, as it says itself; `None` if this is no block.
    pub fn bytes_at(bytes: &[u8]) -> Option<u32> {
        let mut fields = Decoder::new(bytes);
        let is_block = fields.u32()? == BLOCK_MAGIC && fields.u8()? == VERSION;
        fields.take(3)?;
        fields.u32().filter(|_| is_block)
    }

    /// Reads the block that fills `bytes`; `None` unless its checksum holds.
    pub fn decode(bytes: &[u8]) -> Option<StateBlock> {
        let mut fields = Decoder::new(bytes);
        if fields.u32()? != BLOCK_MAGIC || fields.u8()? != VERSION {
            return None;
        }
        let kind = fields.u8()?;
        fields.i16()?;
        let (length, checksum) = (fields.u32()? as usize, fields.u32()?);
        if length != bytes.len() || checksum != crc32c::crc32c_append(crc32c::crc32c(&bytes[..12]), &bytes[16..]) {
            return None;
        }
        fields.u32()?;
        let partition = take_partition(&mut fields)?;
        let end = Offset(fields.i64()?);
        let (position, back_bytes) = (fields.u64()?, fields.u32()?);
        let back = (position != NO_POSITION).then_some(BlockAt { position, bytes: back_bytes });
        let runs = offset_index::decode(&mut fields)?;
        let epochs = LeaderEpochs::decode(&mut fields)?;
        let producers = Producers::decode(&mut fields)?;
        let full = match kind {
            KIND_FULL => true,
            KIND_DELTA => false,
            _ => return None,
        };
        (fields.u32()? == 0).then_some(StateBlock { full, partition, end, back, runs, epochs, producers })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TopicId;

    #[test]
    fn extent_headers_and_state_blocks_survive_the_round_trip_and_notice_every_flip() {
        let partition = TopicPartition { topic: TopicId([4; 16]), partition: 2 };
        let epochs = (LeaderEpoch(3), LeaderEpoch(4));
        let header =
            ExtentHeader { boot: 1, partition, base: Offset(3), end: Offset(9), epochs, filler: 4095, bytes: 77 };
        let bytes = header.encode();
        assert_eq!(ExtentHeader::decode(&bytes), Some(header));
        let mut cache = LeaderEpochs::default();
        cache.note(LeaderEpoch(3), Offset(3));
        let runs = [Run { base: Offset(3), position: 80, bytes: 77, checksum: 5, max_timestamp: 9 }];
        let back = Some(BlockAt { position: 4096, bytes: 128 });
        let producers = Producers::default();
        let source = StateBlockSource {
            full: false,
            partition,
            boot: 1,
            end: Offset(9),
            back,
            runs: &runs,
            epochs: &cache,
            producers: &producers,
            producer_ids: Vec::new(),
        };
        let block = source.encode();
        let read = StateBlock::decode(&block).unwrap();
        assert_eq!((read.end, read.back, read.full, read.runs.len()), (Offset(9), back, false, 1));
        for byte in 0..block.len() {
            let mut rotten = block.to_vec();
            rotten[byte] ^= 1;
            assert_eq!(StateBlock::decode(&rotten), None, "byte {byte}");
            assert_eq!(StateBlock::decode(&block[..byte]), None);
        }
        for byte in 0..bytes.len() {
            let mut rotten = bytes.to_vec();
            rotten[byte] ^= 1;
            assert_eq!(ExtentHeader::decode(&rotten), None, "byte {byte}");
        }
    }
}
