use super::*;
use crate::base::error_code::ErrorCode::{CorruptMessage, InvalidRecord, MessageTooLarge, UnsupportedCompressionType};

/// A batch with `payload` for records and a right CRC.
fn batch(count: i32, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; HEADER_BYTES];
    bytes[8..12].copy_from_slice(&((HEADER_BYTES - LENGTH_PREFIX_BYTES + payload.len()) as i32).to_be_bytes());
    bytes[12..16].copy_from_slice(&(-1i32).to_be_bytes());
    bytes[16] = 2;
    bytes[23..27].copy_from_slice(&(count - 1).to_be_bytes());
    bytes[27..35].copy_from_slice(&1000i64.to_be_bytes());
    bytes[35..43].copy_from_slice(&2000i64.to_be_bytes());
    bytes[43..51].copy_from_slice(&(-1i64).to_be_bytes());
    bytes[51..53].copy_from_slice(&(-1i16).to_be_bytes());
    bytes[53..57].copy_from_slice(&(-1i32).to_be_bytes());
    bytes[57..61].copy_from_slice(&count.to_be_bytes());
    bytes.extend_from_slice(payload);
    seal(&mut bytes);
    bytes
}

fn seal(bytes: &mut [u8]) {
    let crc = crc32c::crc32c(&bytes[21..]);
    bytes[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn changed(at: usize, value: &[u8]) -> Vec<u8> {
    let mut bytes = batch(3, b"payload");
    bytes[at..at + value.len()].copy_from_slice(value);
    seal(&mut bytes);
    bytes
}

fn refusal(records: &[u8], version: i16) -> ErrorCode {
    validate_for_produce(records, version, 1000).expect_err("refused").error
}

#[track_caller]
fn accepted(records: &[u8]) -> BatchHeader {
    validate_for_produce(records, 9, 1000).expect("accepted")
}

#[test]
fn good_batches_pass() {
    let header = accepted(&batch(3, b"payload"));
    assert_eq!((header.total_bytes, header.record_count, header.last_offset_delta), (68, 3, 2));
    assert_eq!((header.base_timestamp, header.max_timestamp), (1000, 2000));
    assert!(!header.has_producer() && !header.is_control() && !header.is_transactional());
    accepted(&changed(21, &0x0008i16.to_be_bytes())); // LogAppendTime bit
    accepted(&changed(21, &0x0040i16.to_be_bytes())); // delete horizon bit
    accepted(&changed(21, &0x7f80i16.to_be_bytes())); // unused bits
    accepted(&changed(21, &4i16.to_be_bytes())); // zstd, from version 7 on
    accepted(&changed(35, &(-5i64).to_be_bytes())); // negative timestamp
    accepted(&changed(43, &(-2i64).to_be_bytes())); // producer id -2 is none
}

#[test]
fn incomplete_bytes_after_a_batch_are_ignored() {
    let whole = batch(3, b"payload");
    for cut in 0..whole.len() {
        let mut records = whole.clone();
        records.extend_from_slice(&whole[..cut]);
        assert_eq!(accepted(&records).total_bytes, whole.len());
    }
}

#[test]
fn refusals_are_those_of_kafka() {
    let whole = batch(3, b"payload");
    assert_eq!(refusal(&[], 9), InvalidRecord);
    for cut in 0..whole.len() {
        assert_eq!(refusal(&whole[..cut], 9), InvalidRecord, "cut at {cut}");
    }
    assert_eq!(refusal(&[whole.clone(), whole.clone()].concat(), 9), InvalidRecord);
    assert_eq!(refusal(&changed(0, &1i64.to_be_bytes()), 9), InvalidRecord); // base offset
    assert_eq!(refusal(&batch(0, b""), 9), InvalidRecord);
    assert_eq!(refusal(&batch(-1, b""), 9), InvalidRecord);
    assert_eq!(refusal(&changed(57, &2i32.to_be_bytes()), 9), InvalidRecord); // count
    assert_eq!(refusal(&changed(57, &i32::MIN.to_be_bytes()), 9), InvalidRecord);
    assert_eq!(refusal(&changed(23, &i32::MAX.to_be_bytes()), 9), InvalidRecord); // last offset delta
    assert_eq!(refusal(&changed(16, &[1]), 9), InvalidRecord); // magic
    assert_eq!(refusal(&changed(16, &[0]), 9), InvalidRecord);
    assert_eq!(refusal(&changed(16, &[3]), 9), CorruptMessage);
    assert_eq!(refusal(&changed(16, &[0xff]), 9), CorruptMessage);
    assert_eq!(refusal(&changed(21, &0x0020i16.to_be_bytes()), 9), InvalidRecord); // control
    assert_eq!(refusal(&changed(43, &7i64.to_be_bytes()), 9), InvalidRecord); // producer id without sequence
    for length in [i32::MIN, -1, 0, 13, 14, 48] {
        assert_eq!(refusal(&changed(8, &length.to_be_bytes()), 9), CorruptMessage, "length {length}");
    }
    assert_eq!(refusal(&changed(8, &i32::MAX.to_be_bytes()), 9), InvalidRecord);
    for at in 17..whole.len() {
        let mut records = whole.clone();
        records[at] ^= 0x80;
        assert_eq!(refusal(&records, 9), CorruptMessage, "byte {at}");
    }
}

#[test]
fn codecs_and_sizes_have_their_own_errors() {
    let zstd = changed(21, &4i16.to_be_bytes());
    for version in 3..7 {
        assert_eq!(refusal(&zstd, version), UnsupportedCompressionType);
    }
    for codec in 5..8i16 {
        assert_eq!(refusal(&changed(21, &codec.to_be_bytes()), 9), UnsupportedCompressionType);
    }
    let large = batch(1, &[0; 1000 - HEADER_BYTES + 1]);
    assert_eq!(refusal(&large, 9), MessageTooLarge);
    accepted(&batch(1, &[0; 1000 - HEADER_BYTES]));
}

#[test]
fn stamps_lie_outside_the_checksum() {
    let mut bytes = batch(3, b"payload");
    stamp(&mut bytes, 1 << 40, 17);
    let header = parse_header(&bytes).expect("whole");
    assert_eq!((header.base_offset, header.leader_epoch), (1 << 40, 17));
    assert!(crc_matches(&bytes, &header));
}

#[test]
fn log_append_time_is_written_and_taken_out() {
    let mut bytes = batch(3, b"payload");
    let mut header = accepted(&bytes);
    let untouched = bytes.clone();
    apply_timestamp_type(&mut bytes, &mut header, None);
    assert_eq!(bytes, untouched);
    apply_timestamp_type(&mut bytes, &mut header, Some(5_000));
    assert_eq!(parse_header(&bytes), Ok(header));
    assert!(header.is_log_append_time() && header.max_timestamp == 5_000 && header.base_timestamp == 1000);
    assert!(crc_matches(&bytes, &header));
    apply_timestamp_type(&mut bytes, &mut header, None);
    assert_eq!(parse_header(&bytes), Ok(header));
    assert!(!header.is_log_append_time() && crc_matches(&bytes, &header));
}

#[test]
fn batches_are_walked_in_order() {
    let (first, second) = (batch(3, b"payload"), batch(1, b""));
    let both = [first.clone(), second.clone()].concat();
    let ranges: Vec<_> = Batches::new(&both).map(|batch| batch.expect("whole").0).collect();
    assert_eq!(ranges, [0..first.len(), first.len()..both.len()]);
    let mut cut = Batches::new(&both[..both.len() - 1]);
    assert!(cut.next().is_some_and(|batch| batch.is_ok()));
    assert_eq!(cut.next(), Some(Err(BatchError::Incomplete)));
    assert_eq!(cut.next(), None);
    assert_eq!(Batches::new(&[]).next(), None);
}

#[test]
fn a_checksum_goes_on_over_a_batch_as_if_it_were_walked() {
    let from = COMBINED_BYTES_MIN - HEADER_BYTES;
    for payload_bytes in [0, 1, 5_000, from - 1, from, 100_000, 3_000_001] {
        let payload: Vec<u8> = (0..payload_bytes).map(|at| (at * 31 % 251) as u8).collect();
        let mut batch = batch(1, &payload);
        stamp(&mut batch, 77, 5);
        for before in [0, 1, 0xffff_ffff] {
            assert_eq!(append_to_checksum(before, &batch), crc32c::crc32c_append(before, &batch), "{payload_bytes}");
        }
    }
}
