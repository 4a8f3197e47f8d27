use super::*;

/// Length 6 (key "k") or 5 (no key), attributes, timestamp delta, offset delta, key, empty value, no headers.
const KEYED: &[u8] = &[14, 0, 0, 0, 2, b'k', 0, 0];
const KEYLESS: &[u8] = &[12, 0, 0, 2, 1, 0, 0];

fn batch(records: &[u8], count: i32) -> BytesMut {
    let mut batch = BytesMut::zeroed(HEADER_BYTES);
    batch[16] = 2;
    batch[57..61].copy_from_slice(&count.to_be_bytes());
    batch.extend_from_slice(records);
    record_batch::set_codec(&mut batch, 0);
    batch
}

fn keys(records: &[u8], count: i32) -> Result<(), Objection> {
    let inspection = Inspection { batch: batch(records, count), keys: true, timestamps: None, compression: None };
    assert!(!inspection.is_work());
    inspection.perform().map(|_| ())
}

fn keyless(indexes: &[i32]) -> Result<(), Objection> {
    let unwanted = indexes.iter().map(|index| Unwanted { index: *index, timestamp: None }).collect();
    Err(Objection::Records { unwanted, timestamps: None })
}

#[test]
fn keyless_records_are_named() {
    assert_eq!(keys(KEYED, 1), Ok(()));
    assert_eq!(keys(&[KEYED, KEYLESS, KEYED, KEYLESS].concat(), 4), keyless(&[1, 3]));
}

#[test]
fn nothing_is_read_beyond_the_bytes() {
    let unreadable = Err(Objection::Unreadable);
    let two = [KEYED, KEYED].concat();
    assert_eq!(keys(&two, 1), unreadable, "bytes behind the last record");
    assert_eq!(keys(&two, 3), unreadable, "fewer records than counted");
    for cut in 1..two.len() {
        assert_eq!(keys(&two[..cut], 2), unreadable, "cut at {cut}");
    }
    assert_eq!(keys(&[0xFF; 20], 1), unreadable, "a number without an end");
    assert_eq!(keys(&[14, 0, 0, 0, 0x7E, b'k', 0, 0], 1), unreadable, "a key beyond its record");
    assert_eq!(keys(&[14, 0, 0, 0, 3, b'k', 0, 0], 1), unreadable, "a negative length");
}

#[test]
fn a_batch_compressed_anew_is_whole() {
    let records = [KEYED, KEYLESS].concat().repeat(50);
    let mut codec = 0;
    let mut current = batch(&records, 100);
    for next in [4, 1, 3, 2, 0] {
        let compression = Some(Compression { codec: next, gzip_level: -1 });
        let inspection = Inspection { batch: current, keys: false, timestamps: Some(0..=0), compression };
        assert!(inspection.is_work());
        current = inspection.perform().expect("compresses");
        let header = record_batch::parse_header(&current).expect("a batch");
        assert_eq!((header.codec(), header.record_count, header.total_bytes), (next, 100, current.len()));
        assert!(record_batch::crc_matches(&current, &header));
        assert!(next == 0 || current.len() < 400, "from {codec} to {next}: {} bytes", current.len());
        codec = next;
    }
    assert_eq!(current[HEADER_BYTES..], records);
}

#[test]
fn what_explodes_is_not_kept() {
    let bomb = Compression { codec: 1, gzip_level: 9 }.compress(vec![0; RECOMPRESS_BYTES_MAX as usize + 1]);
    let mut batch = batch(&bomb, 1);
    record_batch::set_codec(&mut batch, 1);
    let compression = Some(Compression { codec: 3, gzip_level: -1 });
    let inspection = Inspection { batch, keys: false, timestamps: None, compression };
    assert_eq!(inspection.perform().err(), Some(Objection::TooLarge));
}
