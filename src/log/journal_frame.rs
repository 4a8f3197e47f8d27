//! The bytes of a journal frame (format version 1). Integers are big-endian.
//!
//! ```text
//!  0 magic u32 "CLJF" | 4 version u8 | 5 kind u8 | 6 filler u16 | 8 length u32 (header and body, without padding)
//! 12 checksum u32 (CRC32C of everything but itself) | 16 generation u32 | 20 boot u32 | 24 first sequence of the boot u64
//! 32 salt of the file u64 | 40 first sequence of the file u64 | 48 sequence u64 | 56 durable mark u64 | 64 body
//! ```
//!
//! A frame starts at a multiple of 8; a write starts at a multiple of 4096. Bodies:
//!
//! ```text
//! append, re-append  0 topic id 16 | 16 partition i32 | 20 leader epoch i32 | 24 base offset i64 | 32 end offset i64 | 40 filler, record batch
//! truncate           0 topic id 16 | 16 partition i32 | 20 end offset i64
//! log start          0 topic id 16 | 16 partition i32 | 20 log start offset i64
//! extent             reserved for bulk that goes straight into a segment
//! mark               empty
//! boot (first frame of each file)  0 checkpoint number that allowed the reuse u64 | 8 first file of a boot? u8 | 9 accepted end u64
//! ```
//!
//! The filler (zeros, less than a block) puts a large batch at a place in the file that is as far from a block border as its place in
//! memory, so that direct I/O takes it from where it was received ([`filler`]).

use crate::base::decode::Decoder;
use crate::base::ids::{TopicId, TopicPartition};
use crate::base::offset::{LeaderEpoch, Offset, Sequence};
use crate::base::prng::Prng;
use crate::base::storage::{BLOCK_BYTES, filler};
use crate::wire::record_batch;
use bytes::{BufMut, Bytes, BytesMut};

/// First four bytes of every frame.
pub const MAGIC: u32 = u32::from_be_bytes(*b"CLJF");
/// Version of the format.
pub const VERSION: u8 = 1;
/// Bytes before the body.
pub const HEADER_BYTES: usize = 64;
/// Bytes of an append's body before the record batch.
pub const APPEND_PREFIX_BYTES: usize = 40;
/// Frames start at multiples of this.
pub const ALIGN: usize = 8;

/// What ties a frame to its place: the same for all frames of one use of a file, but for the mark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FramePlace {
    /// Generation of the journal (S19).
    pub generation: u32,
    /// Boot that wrote the frame.
    pub boot: u32,
    /// First sequence of that boot: older boots are cut before it (S15).
    pub boot_first: Sequence,
    /// Salt of this use of the file (S1).
    pub salt: u64,
    /// Sequence of the file's first frame.
    pub file_first: Sequence,
    /// This frame's sequence.
    pub sequence: Sequence,
    /// Highest sequence known to be flushed when the frame was made (S4).
    pub durable_mark: Sequence,
    /// Zeros before the record batch, less than a block.
    pub filler: u16,
}

/// What a frame says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FrameBody {
    /// A record batch; `again` if it stood in the journal before and was carried on (S8).
    Append {
        /// Whose.
        partition: TopicPartition,
        /// In which it was appended.
        leader_epoch: LeaderEpoch,
        /// Offset of the first record.
        base: Offset,
        /// Offset behind the last record.
        end: Offset,
        /// As it is served.
        batch: Bytes,
        /// It stood in the journal before.
        again: bool,
    },
    /// The log of the partition now ends at `end`.
    Truncate {
        /// Whose.
        partition: TopicPartition,
        /// Exclusive end.
        end: Offset,
    },
    /// The log of the partition now starts at `start`.
    LogStart {
        /// Whose.
        partition: TopicPartition,
        /// First offset that is served.
        start: Offset,
    },
    /// Nothing; carries the durable mark.
    Mark,
    /// First frame of a file.
    Boot {
        /// Number of the checkpoint that allowed the reuse of the file.
        checkpoint: u64,
        /// In the first file of a boot: where the boot before ends.
        accepted_end: Option<Sequence>,
    },
}

/// A frame read back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// Where it belongs.
    pub place: FramePlace,
    /// What it says.
    pub body: FrameBody,
}

const KIND_APPEND: u8 = 1;
const KIND_REAPPEND: u8 = 2;
const KIND_TRUNCATE: u8 = 3;
const KIND_LOG_START: u8 = 4;
const KIND_MARK: u8 = 6;
const KIND_BOOT: u8 = 7;

impl FrameBody {
    fn kind(&self) -> u8 {
        match self {
            FrameBody::Append { again: false, .. } => KIND_APPEND,
            FrameBody::Append { again: true, .. } => KIND_REAPPEND,
            FrameBody::Truncate { .. } => KIND_TRUNCATE,
            FrameBody::LogStart { .. } => KIND_LOG_START,
            FrameBody::Mark => KIND_MARK,
            FrameBody::Boot { .. } => KIND_BOOT,
        }
    }

    /// Bytes of the frame before the record batch, and of the batch.
    pub fn sizes(&self) -> (usize, usize) {
        match self {
            FrameBody::Append { batch, .. } => (HEADER_BYTES + APPEND_PREFIX_BYTES, batch.len()),
            FrameBody::Truncate { .. } | FrameBody::LogStart { .. } => (HEADER_BYTES + 28, 0),
            FrameBody::Mark => (HEADER_BYTES, 0),
            FrameBody::Boot { .. } => (HEADER_BYTES + 17, 0),
        }
    }

    /// Bytes of the whole frame without filler, padded to [`ALIGN`].
    pub fn padded_bytes(&self) -> u64 {
        let (prefix, batch) = self.sizes();
        (prefix + batch).next_multiple_of(ALIGN) as u64
    }

    /// The filler with which the batch can be written from where it lies, if the frame begins at `position` of its file.
    pub fn filler(&self, position: u64) -> u16 {
        match self {
            FrameBody::Append { batch, .. } => filler(batch, position + self.sizes().0 as u64) as u16,
            _ => 0,
        }
    }

    fn put_prefix(&self, out: &mut Prefix) {
        match self {
            FrameBody::Append { partition, leader_epoch, base, end, .. } => {
                out.put_partition(*partition);
                out.put(leader_epoch.0.to_be_bytes());
                out.put(base.0.to_be_bytes());
                out.put(end.0.to_be_bytes());
            }
            FrameBody::Truncate { partition, end: offset } | FrameBody::LogStart { partition, start: offset } => {
                out.put_partition(*partition);
                out.put(offset.0.to_be_bytes());
            }
            FrameBody::Mark => {}
            FrameBody::Boot { checkpoint, accepted_end } => {
                out.put(checkpoint.to_be_bytes());
                out.put([u8::from(accepted_end.is_some())]);
                out.put(accepted_end.unwrap_or_default().0.to_be_bytes());
            }
        }
    }
}

/// The bytes of a frame before its batch, put together on the stack: a buffer that can grow asks at each field whether it must.
struct Prefix {
    bytes: [u8; HEADER_BYTES + APPEND_PREFIX_BYTES],
    length: usize,
}

impl Prefix {
    #[inline(always)]
    fn put<const N: usize>(&mut self, field: [u8; N]) {
        self.bytes[self.length..self.length + N].copy_from_slice(&field);
        self.length += N;
    }

    #[inline(always)]
    fn put_partition(&mut self, partition: TopicPartition) {
        self.put(partition.topic.0);
        self.put(partition.partition.to_be_bytes());
    }
}

/// Writes topic id and partition index (20 bytes).
pub fn put_partition(out: &mut BytesMut, partition: TopicPartition) {
    out.put_slice(&partition.topic.0);
    out.put_i32(partition.partition);
}

/// Reads topic id and partition index.
pub fn take_partition(from: &mut Decoder<'_>) -> Option<TopicPartition> {
    Some(TopicPartition { topic: TopicId(from.id()?), partition: from.i32()? })
}

/// Appends the frame, filler included, without its record batch to `out`; the caller puts the batch behind it. The bytes up to [`ALIGN`] are the caller's too.
pub fn encode_prefix(place: &FramePlace, body: &FrameBody, out: &mut BytesMut) {
    let mut prefix = Prefix { bytes: [0; HEADER_BYTES + APPEND_PREFIX_BYTES], length: 0 };
    let (prefix_bytes, batch_bytes) = body.sizes();
    let filler = &FILLER[..usize::from(place.filler)];
    let length = prefix_bytes + filler.len() + batch_bytes;
    prefix.put(MAGIC.to_be_bytes());
    prefix.put([VERSION, body.kind()]);
    prefix.put(place.filler.to_be_bytes());
    prefix.put(u32::try_from(length).expect("a frame fits a journal file").to_be_bytes());
    prefix.put([0; 4]);
    prefix.put(place.generation.to_be_bytes());
    prefix.put(place.boot.to_be_bytes());
    prefix.put(place.boot_first.0.to_be_bytes());
    prefix.put(place.salt.to_be_bytes());
    prefix.put(place.file_first.0.to_be_bytes());
    prefix.put(place.sequence.0.to_be_bytes());
    prefix.put(place.durable_mark.0.to_be_bytes());
    body.put_prefix(&mut prefix);
    assert_eq!(prefix.length, prefix_bytes);
    let bytes = &mut prefix.bytes[..prefix_bytes];
    let mut checksum = crc32c::crc32c_append(checksum_of_prefix(bytes), filler);
    if let FrameBody::Append { batch, .. } = body {
        checksum = record_batch::append_to_checksum(checksum, batch);
    }
    bytes[12..16].copy_from_slice(&checksum.to_be_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(filler);
}

static FILLER: [u8; BLOCK_BYTES as usize - 1] = [0; BLOCK_BYTES as usize - 1];

fn checksum_of_prefix(frame: &[u8]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&frame[..12]), &frame[16..])
}

/// The salt of one use of a journal file. `key` is the core's secret (kept in its checkpoint), so that nothing inside a record
/// batch can pass for a frame: batches are clients' bytes, and a recycled file shows them in the middle of a scan.
pub fn salt(key: u64, generation: u32, boot: u32, file_first: Sequence) -> u64 {
    let mut mixed = Prng::new(key ^ (u64::from(generation) << 32) ^ u64::from(boot));
    let first = mixed.next_u64();
    Prng::new(first ^ file_first.0).next_u64()
}

/// True if the frame header at the start of `bytes` has the salt that belongs to it.
fn has_own_salt(bytes: &[u8], key: u64) -> Option<bool> {
    let mut fields = Decoder::new(bytes);
    fields.take(16)?;
    let (generation, boot) = (fields.u32()?, fields.u32()?);
    fields.u64()?;
    let found = fields.u64()?;
    Some(found == salt(key, generation, boot, Sequence(fields.u64()?)))
}

/// Reads the frame at `at`: `None` unless it is whole, carries the salt of its place (where a key is given), and its checksum
/// holds. Gives its padded length too.
pub fn decode(bytes: &Bytes, at: usize, key: Option<u64>) -> Option<(Frame, usize)> {
    let rest = &bytes[at..];
    // Before the checksum: a made-up length must not cost a pass over the rest of the file.
    if let Some(key) = key
        && !has_own_salt(rest, key)?
    {
        return None;
    }
    let mut fields = Decoder::new(rest);
    if fields.u32()? != MAGIC || fields.u8()? != VERSION {
        return None;
    }
    let kind = fields.u8()?;
    let filler = u16::from_be_bytes([fields.u8()?, fields.u8()?]);
    let length = fields.u32()? as usize;
    let checksum = fields.u32()?;
    if length < HEADER_BYTES || length > rest.len() || checksum_of_prefix(&rest[..length]) != checksum {
        return None;
    }
    let place = FramePlace {
        generation: fields.u32()?,
        boot: fields.u32()?,
        boot_first: Sequence(fields.u64()?),
        salt: fields.u64()?,
        file_first: Sequence(fields.u64()?),
        sequence: Sequence(fields.u64()?),
        durable_mark: Sequence(fields.u64()?),
        filler,
    };
    if ![place.boot_first, place.file_first, place.sequence].into_iter().all(Sequence::is_of_a_frame) {
        return None;
    }
    let body = decode_body(kind, filler.into(), &bytes.slice(at + HEADER_BYTES..at + length))?;
    Some((Frame { place, body }, length.next_multiple_of(ALIGN)))
}

fn decode_body(kind: u8, filler: usize, bytes: &Bytes) -> Option<FrameBody> {
    let mut fields = Decoder::new(bytes);
    let is_append = matches!(kind, KIND_APPEND | KIND_REAPPEND);
    if filler > if is_append { FILLER.len() } else { 0 } {
        return None;
    }
    match kind {
        KIND_APPEND | KIND_REAPPEND => {
            let partition = take_partition(&mut fields)?;
            let leader_epoch = LeaderEpoch(fields.i32()?);
            let (base, end) = (Offset(fields.i64()?), Offset(fields.i64()?));
            fields.take(filler)?;
            let batch = bytes.slice(APPEND_PREFIX_BYTES + filler..);
            if !is_stamped(&batch, leader_epoch, base, end) {
                return None;
            }
            Some(FrameBody::Append { partition, leader_epoch, base, end, batch, again: kind == KIND_REAPPEND })
        }
        KIND_TRUNCATE => {
            Some(FrameBody::Truncate { partition: take_partition(&mut fields)?, end: Offset(fields.i64()?) })
        }
        KIND_LOG_START => {
            Some(FrameBody::LogStart { partition: take_partition(&mut fields)?, start: Offset(fields.i64()?) })
        }
        KIND_MARK => Some(FrameBody::Mark),
        KIND_BOOT => {
            let checkpoint = fields.u64()?;
            let first_of_boot = fields.u8()? == 1;
            let end = Sequence(fields.u64()?);
            Some(FrameBody::Boot { checkpoint, accepted_end: first_of_boot.then_some(end) })
        }
        _ => None,
    }
}

/// True if these are the bytes of one batch, with the offsets and the epoch that the frame says: what replays it relies on that.
fn is_stamped(batch: &[u8], leader_epoch: LeaderEpoch, base: Offset, end: Offset) -> bool {
    record_batch::parse_header(batch).is_ok_and(|header| {
        let records = i64::from(header.last_offset_delta) + 1;
        header.total_bytes == batch.len()
            && (header.base_offset, header.leader_epoch) == (base.0, leader_epoch.0)
            && base.0 >= 0
            && records > 0
            && base.0.checked_add(records) == Some(end.0)
    })
}

/// One valid frame and where it stands in its file.
#[derive(Clone, Debug)]
pub struct Found {
    /// Byte position in the file, and padded length.
    pub position: usize,
    /// Length rounded up to [`ALIGN`].
    pub padded_bytes: usize,
    /// The frame.
    pub frame: Frame,
}

/// Every valid frame of a file, in file order. A frame's validity never depends on its predecessor: after a bad one the
/// scan goes on at the next aligned position (S15). Payloads are not searched: a valid frame is skipped as a whole. Without a key
/// (for a reader that only shows) anything with a good checksum is a frame.
pub fn scan(file: &Bytes, key: Option<u64>) -> Vec<Found> {
    let mut found = Vec::new();
    let magic = MAGIC.to_be_bytes();
    let mut at = 0;
    while at + HEADER_BYTES <= file.len() {
        if file[at..at + 4] == magic
            && let Some((frame, padded_bytes)) = decode(file, at, key)
        {
            found.push(Found { position: at, padded_bytes, frame });
            at += padded_bytes;
        } else {
            at += ALIGN;
        }
    }
    found
}

/// Frame headers are cut from pieces of this size, so that an append costs no allocation of its own.
const HEADER_PIECE_BYTES: usize = 16 * 1024;

/// The bytes of a frame before its batch, and the batch; padding is the caller's. Headers are cut from `headers`.
pub fn encode(headers: &mut BytesMut, place: &FramePlace, body: FrameBody) -> (Bytes, Bytes) {
    if headers.capacity() < body.sizes().0 + usize::from(place.filler) {
        *headers = BytesMut::with_capacity(HEADER_PIECE_BYTES);
    }
    encode_prefix(place, &body, headers);
    let prefix = headers.split().freeze();
    match body {
        FrameBody::Append { batch, .. } => (prefix, batch),
        _ => (prefix, Bytes::new()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(sequence: u64) -> FramePlace {
        FramePlace {
            generation: 1,
            boot: 2,
            boot_first: Sequence(3),
            salt: 4,
            file_first: Sequence(5),
            sequence: Sequence(sequence),
            durable_mark: Sequence(6),
            filler: 0,
        }
    }

    /// A batch without payload, of leader epoch 9.
    fn batch(base: i64, records: i32) -> Vec<u8> {
        let mut bytes = vec![0; record_batch::HEADER_BYTES];
        bytes[8..12].copy_from_slice(&49i32.to_be_bytes());
        bytes[16] = 2;
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        record_batch::stamp(&mut bytes, base, 9);
        bytes
    }

    fn bodies() -> Vec<FrameBody> {
        let partition = TopicPartition { topic: TopicId([7; 16]), partition: 3 };
        let batch = Bytes::from(batch(5, 3));
        vec![
            FrameBody::Append {
                partition,
                leader_epoch: LeaderEpoch(9),
                base: Offset(5),
                end: Offset(8),
                batch,
                again: true,
            },
            FrameBody::Truncate { partition, end: Offset(77) },
            FrameBody::LogStart { partition, start: Offset(78) },
            FrameBody::Mark,
            FrameBody::Boot { checkpoint: 4, accepted_end: Some(Sequence(11)) },
            FrameBody::Boot { checkpoint: 4, accepted_end: None },
        ]
    }

    fn file() -> Vec<u8> {
        let mut out = BytesMut::new();
        for (index, body) in bodies().iter().enumerate() {
            encode_prefix(&place(1 + index as u64), body, &mut out);
            if let FrameBody::Append { batch, .. } = body {
                out.put_slice(batch);
            }
            out.resize(out.len().next_multiple_of(ALIGN), 0);
        }
        out.to_vec()
    }

    #[test]
    fn frames_survive_the_round_trip() {
        let found = scan(&Bytes::from(file()), None);
        assert_eq!(found.iter().map(|one| one.frame.body.clone()).collect::<Vec<_>>(), bodies());
        assert!(found.iter().enumerate().all(|(index, one)| one.frame.place == place(1 + index as u64)));
    }

    #[test]
    fn s15_one_flipped_bit_costs_one_frame_only() {
        let good = file();
        for byte in 0..good.len() {
            let mut bad = good.clone();
            bad[byte] ^= 0x10;
            let found = scan(&Bytes::from(bad), None).len();
            assert!(found >= bodies().len() - 1, "byte {byte}");
        }
    }

    /// Found by the fuzzer: behind a good checksum anything was taken for a batch, and the opening of the partition panicked.
    #[test]
    fn a_frame_whose_batch_is_another_is_none() {
        let append = |batch: Vec<u8>| FrameBody::Append {
            partition: TopicPartition { topic: TopicId([7; 16]), partition: 3 },
            leader_epoch: LeaderEpoch(9),
            base: Offset(5),
            end: Offset(8),
            batch: Bytes::from(batch),
            again: false,
        };
        let decoded = |batch: Vec<u8>| {
            let mut out = BytesMut::new();
            encode_prefix(&place(1), &append(batch.clone()), &mut out);
            out.put_slice(&batch);
            decode(&out.freeze(), 0, None).is_some()
        };
        assert!(decoded(batch(5, 3)));
        assert!(!decoded(batch(5, 2)) && !decoded(batch(6, 3)) && !decoded(batch(5, 3)[..60].to_vec()));
        assert!(!decoded([batch(5, 3), vec![0]].concat()) && !decoded(Vec::new()));
    }

    #[test]
    fn truncated_files_never_panic() {
        let good = file();
        for end in 0..good.len() {
            scan(&Bytes::copy_from_slice(&good[..end]), None);
        }
    }

    #[test]
    fn s1_frames_made_up_inside_a_batch_are_payload() {
        let fake = {
            let mut out = BytesMut::new();
            encode_prefix(&FramePlace { boot: u32::MAX, ..place(1) }, &FrameBody::Mark, &mut out);
            out
        };
        let key = 99;
        let own = FramePlace { salt: salt(key, 1, 2, Sequence(5)), ..place(7) };
        let mut out = BytesMut::new();
        encode_prefix(&own, &FrameBody::Mark, &mut out);
        out.extend_from_slice(&fake);
        let bytes = out.freeze();
        assert_eq!(scan(&bytes, None).len(), 2);
        let found = scan(&bytes, Some(key));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].frame.place, own);
    }
}
