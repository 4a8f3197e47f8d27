//! Record batches (v2), built and read independently of the broker's own code.

use super::client::ProducerIdentity;

const HEADER_BYTES: usize = 61;

/// One record as a consumer sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub offset: i64,
    pub value: Vec<u8>,
}

fn put_varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn take_varint(bytes: &mut &[u8]) -> i64 {
    let mut value = 0u64;
    let mut shift = 0;
    loop {
        let byte = bytes[0];
        *bytes = &bytes[1..];
        value |= u64::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return (value >> 1) as i64 ^ -((value & 1) as i64);
        }
        shift += 7;
    }
}

/// Who sends a batch, and the sequence of its first record; `None` for a producer without idempotence.
pub type Sequenced = Option<(ProducerIdentity, i32)>;

/// An uncompressed batch of the values, all with the same timestamp and without keys.
pub fn encode(sequenced: Sequenced, values: &[Vec<u8>]) -> Vec<u8> {
    // The real time: brokers forget producers whose last batch is old.
    let clock = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let timestamp = clock.as_millis() as i64;
    let mut records = Vec::new();
    for (index, value) in values.iter().enumerate() {
        let mut record = vec![0u8];
        put_varint(&mut record, 0);
        put_varint(&mut record, index as i64);
        put_varint(&mut record, -1);
        put_varint(&mut record, value.len() as i64);
        record.extend_from_slice(value);
        put_varint(&mut record, 0);
        put_varint(&mut records, record.len() as i64);
        records.extend_from_slice(&record);
    }
    let (producer_id, producer_epoch, base_sequence) = match sequenced {
        Some((producer, sequence)) => (producer.id, producer.epoch, sequence),
        None => (-1, -1, -1),
    };
    let mut covered = Vec::with_capacity(HEADER_BYTES + records.len());
    covered.extend_from_slice(&0i16.to_be_bytes());
    covered.extend_from_slice(&(values.len() as i32 - 1).to_be_bytes());
    covered.extend_from_slice(&timestamp.to_be_bytes());
    covered.extend_from_slice(&timestamp.to_be_bytes());
    covered.extend_from_slice(&producer_id.to_be_bytes());
    covered.extend_from_slice(&producer_epoch.to_be_bytes());
    covered.extend_from_slice(&base_sequence.to_be_bytes());
    covered.extend_from_slice(&(values.len() as i32).to_be_bytes());
    covered.extend_from_slice(&records);
    let mut batch = Vec::with_capacity(21 + covered.len());
    batch.extend_from_slice(&0i64.to_be_bytes());
    batch.extend_from_slice(&(covered.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
    batch.extend_from_slice(&covered);
    batch
}

fn field<const N: usize>(bytes: &[u8], at: usize) -> [u8; N] {
    bytes[at..at + N].try_into().expect("N bytes")
}

/// All records of the whole batches in a fetch answer; a batch cut off at the end is left out, as clients do. Anything else
/// that is odd (magic, CRC, compression, counts) panics: nothing like that was ever produced.
pub fn decode(mut bytes: &[u8]) -> Vec<Record> {
    let mut found = Vec::new();
    while bytes.len() >= HEADER_BYTES {
        let base_offset = i64::from_be_bytes(field(bytes, 0));
        let total = i32::from_be_bytes(field(bytes, 8)) as usize + 12;
        if bytes.len() < total {
            break;
        }
        let batch = &bytes[..total];
        assert_eq!(batch[16], 2, "magic of the batch at offset {base_offset}");
        let crc = u32::from_be_bytes(field(batch, 17));
        assert_eq!(crc32c::crc32c(&batch[21..]), crc, "CRC of the batch at offset {base_offset}");
        assert_eq!(i16::from_be_bytes(field(batch, 21)) & 7, 0, "compression of the batch at {base_offset}");
        let count = i32::from_be_bytes(field(batch, 57));
        assert_eq!(i32::from_be_bytes(field(batch, 23)), count - 1, "last offset delta at {base_offset}");
        let mut rest = &batch[HEADER_BYTES..];
        for _ in 0..count {
            let _length = take_varint(&mut rest);
            rest = &rest[1..];
            take_varint(&mut rest);
            let offset = base_offset + take_varint(&mut rest);
            assert_eq!(take_varint(&mut rest), -1, "no key was ever sent");
            let length = take_varint(&mut rest) as usize;
            found.push(Record { offset, value: rest[..length].to_vec() });
            rest = &rest[length..];
            assert_eq!(take_varint(&mut rest), 0, "no record header was ever sent");
        }
        bytes = &bytes[total..];
    }
    found
}
