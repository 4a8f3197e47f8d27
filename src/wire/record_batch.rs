//! Kafka's v2 record batch: 61-byte header, then records. Parsed, checked and stamped in place; never re-encoded.
//!
//! ```text
//!  0 base offset i64 | 8 batch length i32 (bytes after this field) | 12 partition leader epoch i32 | 16 magic i8 (2)
//! 17 crc u32 (CRC32C of everything from 21) | 21 attributes i16 | 23 last offset delta i32 | 27 base timestamp i64
//! 35 max timestamp i64 | 43 producer id i64 | 51 producer epoch i16 | 53 base sequence i32 | 57 record count i32 | 61 records
//! ```

/// Bytes before the records.
pub const HEADER_BYTES: usize = 61;
/// Bytes before the batch length counts: base offset and the length itself.
pub const LENGTH_PREFIX_BYTES: usize = 12;

/// The fields of a batch header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record.
    pub base_offset: i64,
    /// Bytes of the whole batch, prefix included.
    pub total_bytes: usize,
    /// Leader epoch in which the batch was appended.
    pub leader_epoch: i32,
    /// CRC32C of everything from the attributes on.
    pub crc: u32,
    /// Bits 0-2 codec, 3 LogAppendTime, 4 transactional, 5 control, 6 delete horizon.
    pub attributes: i16,
    /// Offset of the last record minus the base offset.
    pub last_offset_delta: i32,
    /// Milliseconds.
    pub base_timestamp: i64,
    /// Milliseconds.
    pub max_timestamp: i64,
    /// -1 without idempotence.
    pub producer_id: i64,
    /// -1 without idempotence.
    pub producer_epoch: i16,
    /// -1 without idempotence.
    pub base_sequence: i32,
    /// Number of records.
    pub record_count: i32,
}

/// Why bytes are not a whole v2 batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BatchError {
    /// Fewer bytes than a header, or than the length field says.
    Incomplete,
    /// The length field is impossible.
    BadLength,
    /// Magic is not 2.
    Magic(i8),
    /// CRC32C does not match.
    Crc,
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes")
}

/// Reads the header of the batch at the start of `bytes` (which may hold more). Does not check the CRC.
pub fn parse_header(bytes: &[u8]) -> Result<BatchHeader, BatchError> {
    if bytes.len() < HEADER_BYTES {
        return Err(BatchError::Incomplete);
    }
    let magic = bytes[16] as i8;
    let length = i32::from_be_bytes(field(bytes, 8));
    if magic != 2 {
        return Err(BatchError::Magic(magic));
    }
    if length < (HEADER_BYTES - LENGTH_PREFIX_BYTES) as i32 {
        return Err(BatchError::BadLength);
    }
    let total_bytes = length as usize + LENGTH_PREFIX_BYTES;
    if total_bytes > bytes.len() {
        return Err(BatchError::Incomplete);
    }
    Ok(BatchHeader {
        base_offset: i64::from_be_bytes(field(bytes, 0)),
        total_bytes,
        leader_epoch: i32::from_be_bytes(field(bytes, 12)),
        crc: u32::from_be_bytes(field(bytes, 17)),
        attributes: i16::from_be_bytes(field(bytes, 21)),
        last_offset_delta: i32::from_be_bytes(field(bytes, 23)),
        base_timestamp: i64::from_be_bytes(field(bytes, 27)),
        max_timestamp: i64::from_be_bytes(field(bytes, 35)),
        producer_id: i64::from_be_bytes(field(bytes, 43)),
        producer_epoch: i16::from_be_bytes(field(bytes, 51)),
        base_sequence: i32::from_be_bytes(field(bytes, 53)),
        record_count: i32::from_be_bytes(field(bytes, 57)),
    })
}

/// True if the CRC32C of the batch (exactly `header.total_bytes` long) matches.
pub fn crc_matches(batch: &[u8], header: &BatchHeader) -> bool {
    crc32c::crc32c(&batch[21..header.total_bytes]) == header.crc
}

/// Writes base offset and leader epoch into the batch; both lie outside the CRC.
pub fn stamp(batch: &mut [u8], base_offset: i64, leader_epoch: i32) {
    batch[0..8].copy_from_slice(&base_offset.to_be_bytes());
    batch[12..16].copy_from_slice(&leader_epoch.to_be_bytes());
}
