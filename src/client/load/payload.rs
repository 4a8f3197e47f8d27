//! Record batches that are encoded (and compressed) once and sent many times. What differs from one sending to the next lies in the
//! 61 bytes of the header: timestamps, producer and sequence. The checksum covers them; that of the rest is known, and the two are
//! combined, so that nothing large is walked again.

use crate::base::checksum;
use crate::base::prng::Prng;
use crate::wire::compression::Compression;
use crate::wire::record_batch::{CRC_COVERS_FROM, HEADER_BYTES};
use crate::wire::records::{BatchBuilder, Record, Sequence};
use bytes::Bytes;

/// What records look like.
#[derive(Clone, Copy, Debug)]
pub struct Records {
    /// Bytes of a value.
    pub record_bytes: usize,
    /// Bytes of a key; 0 for none.
    pub key_bytes: usize,
    /// Different keys.
    pub keys: u64,
    /// Records of a batch.
    pub batch_records: usize,
    /// Share of a value that is random, from 0 to 1; the rest is zeros.
    pub random_ratio: f64,
    /// Of a batch.
    pub compression: Compression,
}

impl Records {
    /// Keys and values of a batch.
    pub fn payload_bytes(&self) -> u64 {
        (self.batch_records * (self.record_bytes + self.key_bytes)) as u64
    }
}

/// All batches together take about this much, so that they are in no small cache and yet make nobody wait for memory.
const POOL_BYTES: usize = 4 << 20;
/// Different batches.
const BATCHES: std::ops::RangeInclusive<usize> = 2..=64;

/// Batches to choose from.
#[derive(Debug)]
pub struct Payload {
    templates: Vec<Template>,
}

impl Payload {
    /// The same batches for the same seed.
    pub fn new(records: &Records, seed: u64) -> Payload {
        let mut prng = Prng::new(seed);
        let count = (POOL_BYTES / records.payload_bytes().max(1) as usize).clamp(*BATCHES.start(), *BATCHES.end());
        Payload { templates: (0..count).map(|_| Template::new(records, &mut prng)).collect() }
    }

    /// The batch for a request, by its number.
    pub fn pick(&self, number: u64) -> &Template {
        &self.templates[(number % self.templates.len() as u64) as usize]
    }

    /// Bytes of the largest batch.
    pub fn batch_bytes_max(&self) -> usize {
        self.templates.iter().map(Template::total_bytes).max().unwrap_or(0)
    }
}

/// One batch.
#[derive(Debug)]
pub struct Template {
    head: [u8; HEADER_BYTES],
    records: Bytes,
    records_crc: u32,
}

impl Template {
    fn new(records: &Records, prng: &mut Prng) -> Template {
        let mut builder = BatchBuilder::default();
        for _ in 0..records.batch_records {
            let key = (records.key_bytes > 0).then(|| key(prng.below(records.keys.max(1)), records.key_bytes));
            builder.push(&Record { key, value: Some(value(records, prng)), ..Record::default() });
        }
        Template::of(&builder.finish(records.compression, Sequence::NONE))
    }

    fn of(batch: &Bytes) -> Template {
        let records = batch.slice(HEADER_BYTES..);
        let mut head = [0; HEADER_BYTES];
        head.copy_from_slice(&batch[..HEADER_BYTES]);
        Template { head, records_crc: crc32c::crc32c(&records), records }
    }

    /// Bytes on the wire.
    pub fn total_bytes(&self) -> usize {
        HEADER_BYTES + self.records.len()
    }

    /// What follows the header, always the same.
    pub fn records(&self) -> &Bytes {
        &self.records
    }

    /// The header of a batch of this time (milliseconds), with its checksum.
    pub fn head(&self, timestamp: i64, sequence: Sequence) -> [u8; HEADER_BYTES] {
        let mut head = self.head;
        head[27..35].copy_from_slice(&timestamp.to_be_bytes());
        head[35..43].copy_from_slice(&timestamp.to_be_bytes());
        head[43..51].copy_from_slice(&sequence.producer_id.to_be_bytes());
        head[51..53].copy_from_slice(&sequence.epoch.to_be_bytes());
        head[53..57].copy_from_slice(&sequence.first.to_be_bytes());
        let crc = crc32c::crc32c(&head[CRC_COVERS_FROM..]);
        let crc = checksum::combine(crc, self.records_crc, self.records.len());
        head[17..21].copy_from_slice(&crc.to_be_bytes());
        head
    }
}

fn key(number: u64, bytes: usize) -> Bytes {
    let text = format!("{number:0bytes$}");
    Bytes::copy_from_slice(&text.as_bytes()[text.len() - bytes..])
}

fn value(records: &Records, prng: &mut Prng) -> Bytes {
    let mut value = vec![0; records.record_bytes];
    let random = (records.record_bytes as f64 * records.random_ratio).round() as usize;
    for piece in value[..random].chunks_mut(8) {
        piece.copy_from_slice(&prng.next_u64().to_be_bytes()[..piece.len()]);
    }
    Bytes::from(value)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record_batch::validate_for_produce;
    use crate::wire::records;

    fn shape(batch_records: usize, record_bytes: usize, key_bytes: usize, codec: i16) -> Records {
        let compression = Compression { codec, gzip_level: -1 };
        Records { record_bytes, key_bytes, keys: 50, batch_records, random_ratio: 0.5, compression }
    }

    /// With every codec, size and sequence: a broker takes the patched batch, and it holds what was asked for.
    #[test]
    fn patched_batches_are_whole() {
        for codec in 0..=4 {
            for (batch_records, record_bytes, key_bytes) in [(1, 0, 0), (1, 100, 8), (16, 1024, 0), (500, 1024, 12)] {
                let payload = Payload::new(&shape(batch_records, record_bytes, key_bytes, codec), 7);
                for number in 0..3 {
                    let template = payload.pick(number);
                    let sequence = Sequence { producer_id: 77, epoch: 3, first: 1 << 30 };
                    let timestamp = 1_700_000_000_123 + number as i64;
                    let batch = [&template.head(timestamp, sequence)[..], template.records()].concat();
                    assert_eq!(batch.len(), template.total_bytes());
                    let header = validate_for_produce(&batch, 9, 64 << 20).expect("a broker takes it");
                    assert_eq!((header.producer_id, header.base_sequence), (77, 1 << 30));
                    assert_eq!((header.base_timestamp, header.max_timestamp), (timestamp, timestamp));
                    let decoded: Result<Vec<_>, _> =
                        records::Records::new(&Bytes::from(batch), &header).expect("decompresses").collect();
                    let decoded = decoded.expect("decodes");
                    assert_eq!(decoded.len(), batch_records);
                    for record in decoded {
                        assert_eq!(record.value.map(|value| value.len()), Some(record_bytes));
                        assert_eq!(record.key.map_or(0, |key| key.len()), key_bytes);
                    }
                }
            }
        }
    }

    #[test]
    fn values_are_as_random_as_asked() {
        let mut prng = Prng::new(1);
        let mut records = shape(1, 1000, 0, 0);
        let zeros = |records: &Records, prng: &mut Prng| value(records, prng).iter().filter(|byte| **byte == 0).count();
        assert!((490..520).contains(&zeros(&records, &mut prng)));
        records.random_ratio = 0.0;
        assert_eq!(zeros(&records, &mut prng), 1000);
        records.random_ratio = 1.0;
        assert!(zeros(&records, &mut prng) < 30);
    }

    #[test]
    fn the_pool_is_bounded() {
        for (batch_records, record_bytes) in [(1, 1), (1, 1024), (1000, 1024), (64, 1 << 20)] {
            let payload = Payload::new(&shape(batch_records, record_bytes, 0, 0), 1);
            assert!(BATCHES.contains(&payload.templates.len()), "{batch_records} x {record_bytes}");
        }
    }
}
