//! Record batches whose whole content follows from one number, so that a read can be checked to the last byte.

use bytes::BytesMut;
use corelane::base::prng::Prng;
use corelane::wire::record_batch::{BatchHeader, HEADER_BYTES, crc_matches, parse_header};

/// Everything that makes up a batch but its offset and epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Content {
    /// Names the batch; never used twice.
    pub value: u64,
    /// Records in it.
    pub count: i32,
    /// Bytes in all.
    pub bytes: usize,
    /// Producer id, -1 for none.
    pub producer_id: i64,
    pub producer_epoch: i16,
    /// Sequence of the first record, -1 for none.
    pub sequence: i32,
    pub timestamp_ms: i64,
}

/// The batch as a client sends it.
pub fn encode(content: &Content) -> BytesMut {
    assert!(content.bytes >= HEADER_BYTES + 8);
    let mut batch = BytesMut::zeroed(content.bytes);
    batch[8..12].copy_from_slice(&((content.bytes - 12) as i32).to_be_bytes());
    batch[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    batch[16] = 2;
    batch[23..27].copy_from_slice(&(content.count - 1).to_be_bytes());
    batch[27..35].copy_from_slice(&content.timestamp_ms.to_be_bytes());
    batch[35..43].copy_from_slice(&content.timestamp_ms.to_be_bytes());
    batch[43..51].copy_from_slice(&content.producer_id.to_be_bytes());
    batch[51..53].copy_from_slice(&content.producer_epoch.to_be_bytes());
    batch[53..57].copy_from_slice(&content.sequence.to_be_bytes());
    batch[57..61].copy_from_slice(&content.count.to_be_bytes());
    batch[61..69].copy_from_slice(&content.value.to_be_bytes());
    let mut prng = Prng::new(content.value);
    for chunk in batch[69..].chunks_mut(8) {
        chunk.copy_from_slice(&prng.next_u64().to_be_bytes()[..chunk.len()]);
    }
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// One batch out of a read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub base: i64,
    pub end: i64,
    pub epoch: i32,
    pub value: u64,
    pub header: BatchHeader,
}

/// Cuts what a read gave into batches; every byte must belong to a valid one.
pub fn decode_all(bytes: &[u8]) -> Result<Vec<Seen>, String> {
    let mut seen = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let header =
            parse_header(&bytes[at..]).map_err(|error| format!("{error:?} at byte {at} of {}", bytes.len()))?;
        let batch = &bytes[at..at + header.total_bytes];
        if !crc_matches(batch, &header) {
            return Err(format!("bad CRC at byte {at}, base offset {}", header.base_offset));
        }
        let value = u64::from_be_bytes(batch[61..69].try_into().expect("8 bytes"));
        let end = header.end_offset();
        seen.push(Seen { base: header.base_offset, end, epoch: header.leader_epoch, value, header });
        at += header.total_bytes;
    }
    Ok(seen)
}
