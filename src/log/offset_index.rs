//! The offset index of a segment: runs of record batches that lie side by side in the file.
//!
//! A run ends after [`INDEX_INTERVAL_BYTES`], so it is both the step of a search and the unit of a read: a read takes whole
//! runs, and the run's checksum covers what Kafka's batch CRC does not (base offset, length, leader epoch, magic, the CRC
//! itself: the first 21 bytes of each batch), as D6 asks. Its largest timestamp lets a search by time pass over it.

use crate::base::decode::Decoder;
use crate::base::gather::Gather;
use crate::base::limits::INDEX_INTERVAL_BYTES;
use crate::base::offset::Offset;
use crate::wire::record_batch;
use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of a batch that its own CRC does not cover.
const PREFIX_BYTES: usize = 21;
/// Bytes of an encoded run.
pub const RUN_BYTES: usize = 28;

/// Batches side by side in a segment file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Run {
    /// Offset of the first record.
    pub base: Offset,
    /// Byte position of the first batch in the file.
    pub position: u32,
    /// Bytes of all its batches.
    pub bytes: u32,
    /// CRC32C over the first 21 bytes of each batch.
    pub checksum: u32,
    /// Largest of its batches' largest timestamps, as their headers say.
    pub max_timestamp: i64,
}

/// Adds a batch behind the last one of an extent; starts a new run when the last is full or when `new_run` says so.
pub fn note(runs: &mut Vec<Run>, base: Offset, position: u32, batch: &[u8], new_run: bool) {
    let prefix = &batch[..PREFIX_BYTES];
    let max_timestamp = record_batch::max_timestamp(batch);
    match runs.last_mut() {
        Some(run) if !new_run && u64::from(run.bytes) < INDEX_INTERVAL_BYTES => {
            assert_eq!(run.position + run.bytes, position, "batches of a run are side by side");
            run.bytes += batch.len() as u32;
            run.checksum = crc32c::crc32c_append(run.checksum, prefix);
            run.max_timestamp = run.max_timestamp.max(max_timestamp);
        }
        _ => {
            let (bytes, checksum) = (batch.len() as u32, crc32c::crc32c(prefix));
            runs.push(Run { base, position, bytes, checksum, max_timestamp });
        }
    }
}

/// Index of the run that holds `offset` (or would: the caller knows the segment's end).
pub fn find(runs: &[Run], offset: Offset) -> Option<usize> {
    runs.partition_point(|run| run.base <= offset).checked_sub(1)
}

/// Appends runs to a state block.
pub fn encode(runs: &[Run], out: &mut BytesMut) {
    out.put_u32(runs.len() as u32);
    for run in runs {
        out.put_i64(run.base.0);
        out.put_u32(run.position);
        out.put_u32(run.bytes);
        out.put_u32(run.checksum);
        out.put_i64(run.max_timestamp);
    }
}

/// Reads what [`encode`] wrote.
pub fn decode(from: &mut Decoder<'_>) -> Option<Vec<Run>> {
    let count = from.count(RUN_BYTES)?;
    let mut runs = Vec::with_capacity(count);
    for _ in 0..count {
        let (base, position) = (Offset(from.i64()?), from.u32()?);
        let (bytes, checksum) = (from.u32()?, from.u32()?);
        runs.push(Run { base, position, bytes, checksum, max_timestamp: from.i64()? });
    }
    Some(runs)
}

/// Rot: what was read is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rotten;

/// A read of whole runs that lie side by side.
#[derive(Clone, Debug)]
pub struct RunRead {
    /// The runs, in order.
    pub runs: Vec<Run>,
    /// First offset wanted.
    pub from: Offset,
    /// Offsets at and above are not given.
    pub until: Offset,
    /// Bytes wanted at most, but for the first batch.
    pub bytes_max: usize,
    /// Give the first batch even if it is larger.
    pub at_least_one: bool,
}

impl RunRead {
    /// Chooses the runs from the one that holds `from` on, until `bytes_max` bytes of them are covered.
    pub fn plan(runs: &[Run], from: Offset, until: Offset, bytes_max: usize, at_least_one: bool) -> Option<RunRead> {
        let first = find(runs, from)?;
        let mut end = first + 1;
        let mut bytes = 0;
        while end < runs.len() {
            let (last, next) = (&runs[end - 1], &runs[end]);
            if next.base >= until || last.position + last.bytes != next.position || bytes >= bytes_max {
                break;
            }
            bytes += next.bytes as usize;
            end += 1;
        }
        Some(RunRead { runs: runs[first..end].to_vec(), from, until, bytes_max, at_least_one })
    }

    /// First byte and number of bytes to read from the file.
    pub fn range(&self) -> (u64, u64) {
        let (first, last) = (&self.runs[0], &self.runs[self.runs.len() - 1]);
        (u64::from(first.position), u64::from(last.position + last.bytes - first.position))
    }

    /// Cuts the wanted batches out of the bytes read (exactly [`RunRead::range`]), checking every checksum on the way.
    pub fn finish(&self, data: &Bytes) -> Result<Gather, Rotten> {
        let mut gather = Gather::new();
        let mut at = 0;
        let (mut start, mut end) = (0, 0);
        for run in &self.runs {
            let mut expected = run.base;
            let mut checksum = None;
            let run_end = at + run.bytes as usize;
            while at < run_end {
                let batch = data.get(at..run_end).ok_or(Rotten)?;
                let header = record_batch::parse_header(batch).map_err(|_| Rotten)?;
                let good = header.base_offset == expected.0 && header.last_offset_delta >= 0;
                if !good || !record_batch::crc_matches(batch, &header) {
                    return Err(Rotten);
                }
                let prefix = &batch[..PREFIX_BYTES];
                checksum =
                    Some(checksum.map_or_else(|| crc32c::crc32c(prefix), |sum| crc32c::crc32c_append(sum, prefix)));
                expected = expected.plus(i64::from(header.last_offset_delta) + 1);
                let wanted = expected > self.from && expected <= self.until;
                let fits = at + header.total_bytes - start <= self.bytes_max || (end == start && self.at_least_one);
                if end == start && expected <= self.from {
                    (start, end) = (at + header.total_bytes, at + header.total_bytes);
                } else if wanted && end == at && fits {
                    end = at + header.total_bytes;
                }
                at += header.total_bytes;
            }
            if checksum != Some(run.checksum) {
                return Err(Rotten);
            }
        }
        gather.push(data.slice(start..end));
        Ok(gather)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(crate) fn batch(base: i64, records: i32, payload: usize) -> Vec<u8> {
        let mut bytes = vec![0u8; record_batch::HEADER_BYTES + payload];
        let length = (bytes.len() - record_batch::LENGTH_PREFIX_BYTES) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        bytes[23..27].copy_from_slice(&(records - 1).to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        record_batch::stamp(&mut bytes, base, 3);
        bytes
    }

    fn file() -> (Vec<Run>, Vec<u8>) {
        let (mut runs, mut data) = (Vec::new(), vec![9; 80]);
        for index in 0..100 {
            let batch = batch(index * 2, 2, 2000);
            note(&mut runs, Offset(index * 2), data.len() as u32, &batch, false);
            data.extend_from_slice(&batch);
        }
        (runs, data)
    }

    fn read(runs: &[Run], data: &[u8], from: i64, until: i64, max: usize) -> Result<Vec<i64>, Rotten> {
        let read = RunRead::plan(runs, Offset(from), Offset(until), max, true).unwrap();
        let (position, bytes) = read.range();
        let data = Bytes::copy_from_slice(&data[position as usize..(position + bytes) as usize]);
        let bytes = read.finish(&data)?.to_vec();
        let mut offsets = Vec::new();
        let mut at = 0;
        while at < bytes.len() {
            let header = record_batch::parse_header(&bytes[at..]).unwrap();
            offsets.push(header.base_offset);
            at += header.total_bytes;
        }
        Ok(offsets)
    }

    #[test]
    fn reads_give_the_batches_between_the_offsets() {
        let (runs, data) = file();
        assert!(runs.len() > 3);
        for from in 0..200 {
            let offsets = read(&runs, &data, from, 200, 5000).unwrap();
            assert_eq!(offsets[0], from / 2 * 2, "from {from}");
            assert!(offsets.len() <= 2 && offsets.windows(2).all(|pair| pair[1] == pair[0] + 2));
            assert_eq!(read(&runs, &data, from, 200, 1).unwrap(), vec![from / 2 * 2]);
        }
        assert_eq!(read(&runs, &data, 3, 8, 1 << 20).unwrap(), vec![2, 4, 6]);
        assert!(read(&runs, &data, 0, 200, 1 << 20).unwrap().len() == 100);
    }

    #[test]
    fn s18_every_flipped_bit_of_a_read_run_is_noticed() {
        let (runs, data) = file();
        let mut byte = 80;
        while byte < 80 + runs[0].bytes as usize {
            let mut rotten = data.clone();
            rotten[byte] ^= 4;
            assert_eq!(read(&runs, &rotten, 0, 200, 1000), Err(Rotten), "byte {byte}");
            byte += 7;
        }
    }

    #[test]
    fn runs_survive_the_round_trip() {
        let (runs, _) = file();
        let mut out = BytesMut::new();
        encode(&runs, &mut out);
        assert_eq!(decode(&mut Decoder::new(&out)), Some(runs));
    }
}
