//! Frames of the metadata log file, and what a file of them says.
//!
//! ```text
//!  0 magic "CLmd" | 4 version u8 (1) | 5 kind u8 | 6 zero u16 | 8 salt of the file u64 | 16 position of the frame in the file u64
//! 24 term u64 (0; the cluster's raft term) | 32 offset u64 | 40 durable mark u64 | 48 records u32 | 52 payload bytes u32
//! 56 file size in blocks u32 | 60 CRC32C u32 of header (this field zero) and payload | 64 payload: records | zeros to the block
//! ```
//!
//! Big-endian. `offset`: records of the log before this frame; in a snapshot the records that it stands for. `mark`:
//! records of the log known flushed when the frame was written. A file is its snapshot (one or more frames, the last of
//! them `SnapshotEnd`), then records and marks, then zeros.
//!
//! The salt is random per file and unknown to clients: bytes inside a record cannot pass for a frame when the scan looks
//! behind a torn one. The position keeps a misdirected write from being read as something else.

use crate::base::storage::{BLOCK_BYTES, block_ceil};
use crate::metadata::record::Record;
use crate::metadata::record_codec::{self, DecodeError};

/// Bytes before the payload.
pub const FRAME_HEADER_BYTES: usize = 64;
/// Payload at which a snapshot begins its next frame.
pub const SNAPSHOT_FRAME_BYTES: usize = 1024 * 1024;

const MAGIC: [u8; 4] = *b"CLmd";
const VERSION: u8 = 1;
const CHECKSUM_AT: usize = 60;

/// What a frame holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum FrameKind {
    /// A part of the snapshot that a file begins with; more follows.
    Snapshot = 1,
    /// The last part of the snapshot.
    SnapshotEnd = 2,
    /// Records of the log, committed together.
    Records = 3,
    /// Nothing but a mark (S4).
    Mark = 4,
}

/// A frame's place and meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// See [`FrameKind`].
    pub kind: FrameKind,
    /// Random per file.
    pub salt: u64,
    /// Byte offset in the file.
    pub position: u64,
    /// Records of the log before it.
    pub offset: u64,
    /// Records of the log known flushed.
    pub mark: u64,
    /// Size that the file was created with.
    pub file_bytes: u64,
}

/// Appends the frame, padded to the block, to `out`.
pub fn encode_frame(head: &FrameHead, records: u32, payload: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    out.extend_from_slice(&MAGIC);
    out.extend_from_slice(&[VERSION, head.kind as u8, 0, 0]);
    for number in [head.salt, head.position, 0, head.offset, head.mark] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    let length = u32::try_from(payload.len()).expect("a frame below 4 GiB");
    let blocks = u32::try_from(head.file_bytes / BLOCK_BYTES).expect("a file below 16 TiB");
    for number in [records, length, blocks, 0] {
        out.extend_from_slice(&number.to_be_bytes());
    }
    assert_eq!(out.len() - start, FRAME_HEADER_BYTES);
    out.extend_from_slice(payload);
    let checksum = crc32c::crc32c(&out[start..]);
    out[start + CHECKSUM_AT..start + CHECKSUM_AT + 4].copy_from_slice(&checksum.to_be_bytes());
    out.resize(start + block_ceil((out.len() - start) as u64) as usize, 0);
}

/// The frames of a snapshot, from the start of a file.
pub fn encode_snapshot(records: &[Record], end_offset: u64, salt: u64, size: impl Fn(u64) -> u64) -> (Vec<u8>, u64) {
    let mut payloads = vec![(0, Vec::new())];
    for record in records {
        if payloads.last().is_some_and(|(_, payload)| payload.len() >= SNAPSHOT_FRAME_BYTES) {
            payloads.push((0, Vec::new()));
        }
        let (count, payload) = payloads.last_mut().expect("never empty");
        *count += 1;
        record_codec::encode(record, payload);
    }
    let padded = |payload: &Vec<u8>| block_ceil((FRAME_HEADER_BYTES + payload.len()) as u64);
    let file_bytes = size(payloads.iter().map(|(_, payload)| padded(payload)).sum());
    let mut out = Vec::new();
    let last = payloads.len() - 1;
    for (index, (count, payload)) in payloads.iter().enumerate() {
        let kind = if index == last { FrameKind::SnapshotEnd } else { FrameKind::Snapshot };
        let position = out.len() as u64;
        let head = FrameHead { kind, salt, position, offset: end_offset, mark: end_offset, file_bytes };
        encode_frame(&head, *count, payload, &mut out);
    }
    (out, file_bytes)
}

/// What a file says.
#[derive(Debug)]
pub struct Scanned {
    /// The snapshot.
    pub snapshot: Vec<Record>,
    /// Records of the log that the snapshot stands for.
    pub snapshot_end_offset: u64,
    /// Records after it.
    pub records: Vec<Record>,
    /// Where a torn end was cut, if there was one.
    pub torn_at: Option<u64>,
}

/// Why a file is not to be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ScanError {
    /// Rot, at this position.
    Corrupt(u64, String),
    /// A later release wrote it.
    Later(u64, String),
}

/// Reads a whole file. A bad frame above every mark is a torn end and cut; one below is corruption (S13).
pub fn scan(bytes: &[u8]) -> Result<Scanned, ScanError> {
    let mut scanned = Scanned { snapshot: Vec::new(), snapshot_end_offset: 0, records: Vec::new(), torn_at: None };
    let mut position = 0;
    let salt = loop {
        let frame = match parse(bytes, position) {
            Ok(frame) if matches!(frame.head.kind, FrameKind::Snapshot | FrameKind::SnapshotEnd) => frame,
            Ok(_) => return Err(ScanError::Corrupt(position, "a frame of the snapshot is missing".to_string())),
            Err(fault) => return Err(fault.in_snapshot(position)),
        };
        if bytes.len() as u64 != frame.head.file_bytes {
            let why = format!("the file has {} bytes, but was made with {}", bytes.len(), frame.head.file_bytes);
            return Err(ScanError::Corrupt(position, why));
        }
        frame.decode(&mut scanned.snapshot)?;
        position = frame.end;
        scanned.snapshot_end_offset = frame.head.offset;
        if frame.head.kind == FrameKind::SnapshotEnd {
            break frame.head.salt;
        }
    };
    let end_of_frames = scan_records(bytes, position, salt, &mut scanned)?;
    check_marks(bytes, end_of_frames, salt, &mut scanned)?;
    Ok(scanned)
}

fn scan_records(bytes: &[u8], mut position: u64, salt: u64, scanned: &mut Scanned) -> Result<u64, ScanError> {
    loop {
        let next_offset = scanned.snapshot_end_offset + scanned.records.len() as u64;
        match parse(bytes, position) {
            Ok(frame) if frame.head.salt == salt && frame.head.offset == next_offset => {
                match frame.head.kind {
                    FrameKind::Records => frame.decode(&mut scanned.records)?,
                    FrameKind::Mark => {}
                    FrameKind::Snapshot | FrameKind::SnapshotEnd => return Ok(position),
                }
                position = frame.end;
            }
            Err(Fault::Later(what)) => return Err(ScanError::Later(position, what)),
            _ => return Ok(position),
        }
    }
}

/// Looks at every block behind the accepted frames: a mark there tells a hole from a torn end (S4, S15).
fn check_marks(bytes: &[u8], end_of_frames: u64, salt: u64, scanned: &mut Scanned) -> Result<(), ScanError> {
    let end_offset = scanned.snapshot_end_offset + scanned.records.len() as u64;
    let mut position = end_of_frames;
    while position < bytes.len() as u64 {
        if let Ok(frame) = parse(bytes, position)
            && frame.head.salt == salt
            && frame.head.mark.max(frame.head.offset) > end_offset
        {
            let why = format!(
                "the frame with the records from {end_offset} on is damaged, but a later frame at {position} shows that \
                 all records below {} were flushed",
                frame.head.mark.max(frame.head.offset)
            );
            return Err(ScanError::Corrupt(end_of_frames, why));
        }
        position += BLOCK_BYTES;
    }
    let behind = bytes.get(end_of_frames as usize..).unwrap_or_default();
    let zeros = [0; BLOCK_BYTES as usize];
    let torn = behind.chunks(zeros.len()).any(|block| *block != zeros[..block.len()]);
    scanned.torn_at = torn.then_some(end_of_frames);
    Ok(())
}

/// A valid frame.
struct Frame<'a> {
    head: FrameHead,
    records: u32,
    payload: &'a [u8],
    end: u64,
}

enum Fault {
    NoFrame,
    Later(String),
}

impl Fault {
    fn in_snapshot(self, position: u64) -> ScanError {
        match self {
            Fault::NoFrame => ScanError::Corrupt(position, "the frame there is damaged".to_string()),
            Fault::Later(what) => ScanError::Later(position, what),
        }
    }
}

impl Frame<'_> {
    fn decode(&self, records: &mut Vec<Record>) -> Result<(), ScanError> {
        let mut rest = self.payload;
        let at = self.head.position;
        for _ in 0..self.records {
            match record_codec::decode(&mut rest) {
                Ok(record) => records.push(record),
                Err(DecodeError::Malformed) => {
                    return Err(ScanError::Corrupt(at, "a frame with a good checksum holds a bad record".to_string()));
                }
                Err(DecodeError::UnknownKind(kind)) => {
                    return Err(ScanError::Later(at, format!("a record of the unknown kind {kind}")));
                }
                Err(DecodeError::UnknownVersion { kind, version }) => {
                    return Err(ScanError::Later(at, format!("a record of kind {kind} in version {version}")));
                }
            }
        }
        match rest.is_empty() {
            true => Ok(()),
            false => Err(ScanError::Corrupt(at, "a frame holds more than its records".to_string())),
        }
    }
}

fn parse(bytes: &[u8], position: u64) -> Result<Frame<'_>, Fault> {
    let frame = usize::try_from(position).ok().and_then(|position| bytes.get(position..)).ok_or(Fault::NoFrame)?;
    let (header, body) = frame.split_at_checked(FRAME_HEADER_BYTES).ok_or(Fault::NoFrame)?;
    if header[..4] != MAGIC {
        return Err(Fault::NoFrame);
    }
    let payload = body.get(..u32_at(header, 52) as usize).ok_or(Fault::NoFrame)?;
    let checksum = crc32c::crc32c(&header[..CHECKSUM_AT]);
    let checksum = crc32c::crc32c_append(checksum, &[0; 4]);
    let checksum = crc32c::crc32c_append(checksum, payload);
    if checksum != u32_at(header, CHECKSUM_AT) || u64_at(header, 16) != position {
        return Err(Fault::NoFrame);
    }
    if header[4] != VERSION {
        return Err(Fault::Later(format!("a frame of version {}", header[4])));
    }
    let kind = match header[5] {
        1 => FrameKind::Snapshot,
        2 => FrameKind::SnapshotEnd,
        3 => FrameKind::Records,
        4 => FrameKind::Mark,
        kind => return Err(Fault::Later(format!("a frame of the unknown kind {kind}"))),
    };
    let head = FrameHead {
        kind,
        salt: u64_at(header, 8),
        position,
        offset: u64_at(header, 32),
        mark: u64_at(header, 40),
        file_bytes: u64::from(u32_at(header, 56)) * BLOCK_BYTES,
    };
    let end = position + block_ceil((FRAME_HEADER_BYTES + payload.len()) as u64);
    Ok(Frame { head, records: u32_at(header, 48), payload, end })
}

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_be_bytes(bytes[at..at + 8].try_into().expect("8 bytes"))
}
