use super::*;
use crate::wire::record_batch::HEADER_BYTES;
use std::io::Write;

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

fn records(timestamps: &[i64], base_timestamp: i64, value_bytes: usize) -> Vec<u8> {
    let mut records = Vec::new();
    for (index, timestamp) in timestamps.iter().enumerate() {
        let mut record = vec![0];
        varint(&mut record, timestamp - base_timestamp);
        varint(&mut record, index as i64);
        varint(&mut record, -1);
        varint(&mut record, value_bytes as i64);
        record.resize(record.len() + value_bytes, index as u8);
        varint(&mut record, 0);
        varint(&mut records, record.len() as i64);
        records.extend_from_slice(&record);
    }
    records
}

fn compress(codec: i16, plain: &[u8]) -> Vec<u8> {
    match codec {
        0 => plain.to_vec(),
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).expect("compresses");
            encoder.finish().expect("compresses")
        }
        2 => {
            let mut bytes = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
            for block in plain.chunks(32 * 1024) {
                let compressed = snap::raw::Encoder::new().compress_vec(block).expect("compresses");
                bytes.extend_from_slice(&(compressed.len() as i32).to_be_bytes());
                bytes.extend_from_slice(&compressed);
            }
            bytes
        }
        3 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).expect("compresses");
            encoder.finish().expect("compresses")
        }
        4 => ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest),
        _ => unreachable!(),
    }
}

fn batch(codec: i16, timestamps: &[i64], value_bytes: usize) -> Vec<u8> {
    let records = compress(codec, &records(timestamps, timestamps[0], value_bytes));
    finish(codec, timestamps, &records)
}

fn finish(attributes: i16, timestamps: &[i64], records: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0u8; HEADER_BYTES];
    bytes.extend_from_slice(records);
    let length = (bytes.len() - record_batch::LENGTH_PREFIX_BYTES) as i32;
    bytes[8..12].copy_from_slice(&length.to_be_bytes());
    bytes[16] = 2;
    bytes[21..23].copy_from_slice(&attributes.to_be_bytes());
    bytes[23..27].copy_from_slice(&(timestamps.len() as i32 - 1).to_be_bytes());
    bytes[27..35].copy_from_slice(&timestamps[0].to_be_bytes());
    bytes[35..43].copy_from_slice(&timestamps.iter().max().expect("records").to_be_bytes());
    bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
    bytes[57..61].copy_from_slice(&(timestamps.len() as i32).to_be_bytes());
    record_batch::stamp(&mut bytes, 100, 3);
    bytes
}

fn look(batch: &[u8], aim: Aim, from: i64) -> Result<Option<(i64, i64)>, Unreadable> {
    let scan = RecordScan { batch: Bytes::copy_from_slice(batch), aim, from: Offset(from) };
    let found = scan.perform()?;
    assert!(found.is_none_or(|found| found.leader_epoch == LeaderEpoch(3)));
    Ok(found.map(|found| (found.offset.0, found.timestamp)))
}

#[test]
fn the_record_is_found_whatever_the_compression() {
    let times = [50, 40, 70, 60, 90, 90, 80];
    for codec in 0..=4 {
        for value_bytes in [0, 10, 100_000] {
            let batch = batch(codec, &times, value_bytes);
            let at_least = |timestamp, from| look(&batch, Aim::AtLeast(timestamp), from).expect("readable");
            assert_eq!(at_least(0, 0), Some((100, 50)), "codec {codec}");
            assert_eq!(at_least(51, 0), Some((102, 70)));
            assert_eq!(at_least(70, 0), Some((102, 70)));
            assert_eq!(at_least(70, 103), Some((104, 90)));
            assert_eq!(at_least(81, 105), Some((105, 90)));
            assert_eq!(at_least(91, 0), None);
            assert_eq!(look(&batch, Aim::Largest, 0), Ok(Some((104, 90))));
            assert_eq!(look(&batch, Aim::Largest, 106), Ok(Some((106, 80))));
        }
    }
}

#[test]
fn a_search_stops_at_its_first_match() {
    // What follows the match is broken, which nobody sees.
    let times = [10, 20, 30];
    let mut plain = records(&times, 10, 0);
    let last = plain.len() / 3 * 2;
    plain.truncate(last);
    let batch = finish(0, &times, &plain);
    assert_eq!(look(&batch, Aim::AtLeast(20), 0), Ok(Some((101, 20))));
    assert_eq!(look(&batch, Aim::AtLeast(30), 0), Err(Unreadable));
}

#[test]
fn what_cannot_be_read_is_an_error_and_never_a_panic() {
    let times = [10, 20, 30, 25];
    for codec in 0..=4 {
        let good = batch(codec, &times, 50);
        for at in HEADER_BYTES..good.len() {
            for flip in [1, 0x80, 0xff] {
                let mut bad = good.clone();
                bad[at] ^= flip;
                let _either = look(&bad, Aim::AtLeast(31), 0);
            }
            let mut short = good[..at].to_vec();
            let length = (short.len() - record_batch::LENGTH_PREFIX_BYTES) as i32;
            short[8..12].copy_from_slice(&length.to_be_bytes());
            let _either = look(&short, Aim::AtLeast(31), 0);
        }
        let scan = RecordScan { batch: good.into(), aim: Aim::Largest, from: Offset(102) };
        assert_eq!((scan.first_of_batch().offset, scan.first_of_batch().timestamp), (Offset(102), 30));
    }
    assert_eq!(look(&finish(5, &times, b"x"), Aim::Largest, 0), Err(Unreadable));
}

#[test]
fn deltas_outside_the_batch_are_pulled_in() {
    let plain = records(&[10, 20, 30], 10, 0);
    let mut bytes = finish(0, &[10, 20, 30], &plain);
    bytes[23..27].copy_from_slice(&1i32.to_be_bytes());
    assert_eq!(look(&bytes, Aim::AtLeast(30), 0), Ok(Some((101, 30))));
}

#[test]
fn the_brokers_time_is_every_records_time() {
    let times = [10, 20, 30];
    let bytes = finish(0x08, &times, &records(&times, 10, 0));
    assert_eq!(look(&bytes, Aim::AtLeast(25), 101), Ok(Some((101, 30))));
}
