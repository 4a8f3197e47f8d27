//! Record batches of clients: the header, the records' heads, compression, and what topic configs want of them.

use crate::engine::{Target, bounded, magnitude, outcome};
use bytes::{Bytes, BytesMut};
use corelane::base::limits::SCAN_BYTES_MAX;
use corelane::base::offset::Offset;
use corelane::base::prng::Prng;
use corelane::log::record_scan::{Aim, RecordScan};
use corelane::wire::compression::{Compression, decompress};
use corelane::wire::inspection::{Inspection, Objection};
use corelane::wire::record_batch::{
    self, BatchHeader, Batches, HEADER_BYTES, LENGTH_PREFIX_BYTES, apply_timestamp_type, crc_matches, parse_header,
    stamp, validate_for_produce,
};
use corelane::wire::record_heads::{RecordHead, RecordHeads};
use corelane::wire::records::{BatchBuilder, Record, Records, Sequence};
use kafka_protocol::records::RecordBatchDecoder;
use std::io::Read;
use std::time::Duration;

/// Largest batch that is accepted here.
const BATCH_BYTES_MAX: usize = 64 * 1024;
/// What decompression may hold whatever the input: the windows of the decoders, as `wire::compression` says.
const WINDOW_BYTES_MAX: usize = 130 << 20;

/// Batches of kafka-python (`corpus/README.md`), and the same records as this crate compresses them.
fn corpus() -> Vec<Vec<u8>> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fuzz/corpus/batches");
    let mut paths: Vec<_> =
        std::fs::read_dir(directory).expect("the corpus").map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    let mut batches: Vec<Vec<u8>> = paths.iter().map(|path| std::fs::read(path).expect("read")).collect();
    assert!(batches.len() >= 5, "one of each codec");
    let plain = batches.iter().find(|batch| parse_header(batch).expect("whole").codec() == 0).expect("one").clone();
    for codec in 0..=4 {
        let compression = Some(Compression { codec, gzip_level: -1 });
        let batch = BytesMut::from(&plain[..]);
        batches
            .push(Inspection { batch, keys: false, timestamps: None, compression }.perform().expect("legal").to_vec());
    }
    batches
}

/// Length and checksum as they should be, sometimes a codec and a count too; changed records are compressed now and then.
fn mend(batch: &mut Vec<u8>, prng: &mut Prng) {
    if batch.len() < HEADER_BYTES || prng.percent(10) {
        return;
    }
    if batch[22] & 7 == 0 && prng.percent(30) {
        let codec = prng.below(5) as u8;
        let records = batch.split_off(HEADER_BYTES);
        batch.extend(Compression { codec: i16::from(codec), gzip_level: -1 }.compress(records));
        batch[22] |= codec;
    }
    if prng.percent(90) {
        let length = (batch.len() - LENGTH_PREFIX_BYTES) as i32;
        batch[8..12].copy_from_slice(&length.to_be_bytes());
        batch[16] = 2;
    }
    if prng.percent(10) {
        batch[22] = batch[22] & !7 | prng.below(5) as u8;
    }
    if prng.percent(90) {
        let count = i32::from_be_bytes(batch[57..61].try_into().expect("4 bytes"));
        batch[23..27].copy_from_slice(&count.wrapping_sub(1).to_be_bytes());
        batch[..8].fill(0);
    }
    if prng.percent(95) {
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
    }
}

#[test]
fn batches() {
    Target {
        name: "batches",
        rounds: 600_000,
        longest: Duration::from_millis(200),
        corpus: corpus(),
        mend: &mend,
        judge: &|bytes| {
            let result = bounded(bytes.len(), 0, 256, || {
                validate_for_produce(bytes, 11, BATCH_BYTES_MAX).map_err(|reject| reject.error)
            });
            let walked: usize = Batches::new(bytes).flatten().map(|(range, _)| range.len()).sum();
            assert!(walked <= bytes.len());
            if let Ok(header) = &result {
                check_stamps(&bytes[..header.total_bytes], *header);
            }
            outcome((result.as_ref().map(|header| header.attributes), result.as_ref().err().map(|error| error.code())))
        },
    }
    .run();
}

/// What was accepted stays legal whatever is stamped on it, and reads as it did.
fn check_stamps(batch: &[u8], header: BatchHeader) {
    let mut stamped = batch.to_vec();
    stamp(&mut stamped, 1 << 40, 7);
    let mut with_time = header;
    apply_timestamp_type(&mut stamped, &mut with_time, Some(99));
    apply_timestamp_type(&mut stamped, &mut with_time, None);
    let read = parse_header(&stamped).expect("still whole");
    assert!(crc_matches(&stamped, &read));
    assert_eq!((read.base_offset, read.leader_epoch, read.max_timestamp), (1 << 40, 7, 99));
    assert_eq!(
        (read.record_count, read.producer_id, read.base_sequence),
        (header.record_count, header.producer_id, header.base_sequence)
    );
    assert!(!read.is_log_append_time());
}

#[test]
fn records() {
    Target {
        name: "records",
        rounds: 60_000,
        longest: Duration::from_secs(2),
        corpus: corpus(),
        mend: &mend,
        judge: &|bytes| {
            let Ok(header) = validate_for_produce(bytes, 11, BATCH_BYTES_MAX) else { return 0 };
            let batch = &bytes[..header.total_bytes];
            let heads = bounded(batch.len(), 64, WINDOW_BYTES_MAX, || heads(batch, &header));
            check_scans(batch, &header, heads.as_deref());
            check_whole_records(batch, &header, heads.as_deref());
            let inspected = check_inspections(batch);
            if let Some(heads) = &heads {
                check_against_the_crate(batch, &header, heads);
            }
            outcome((header.codec(), heads.map(|heads| magnitude(heads.len())), inspected))
        },
    }
    .run();
}

/// All heads, if all can be read and nothing follows them.
fn heads(batch: &[u8], header: &BatchHeader) -> Option<Vec<RecordHead>> {
    let mut heads = RecordHeads::new(batch, header).ok()?;
    let mut all = Vec::new();
    for head in &mut heads {
        // A bomb: that its records are not kept is the point of reading heads.
        if all.len() == 10_000 {
            return None;
        }
        all.push(head.ok()?);
    }
    heads.is_at_end().then_some(all)
}

/// Records read whole have the heads that are read alone, and come back when they are put into a batch again.
fn check_whole_records(batch: &[u8], header: &BatchHeader, heads: Option<&[RecordHead]>) {
    let bytes = Bytes::copy_from_slice(batch);
    let whole = bounded(batch.len(), 256, WINDOW_BYTES_MAX + 2 * SCAN_BYTES_MAX as usize, || {
        // As with heads, a bomb is not kept.
        Records::new(&bytes, header).and_then(|records| records.take(10_000).collect::<Result<Vec<Record>, _>>())
    });
    let (Ok(whole), Some(heads)) = (whole, heads) else { return };
    let head = |record: &Record| RecordHead {
        offset_delta: (record.offset - header.base_offset) as i32,
        timestamp: record.timestamp,
        keyed: record.key.is_some(),
    };
    assert_eq!(whole.iter().map(head).collect::<Vec<_>>(), heads);
    let mut builder = BatchBuilder::default();
    whole.iter().for_each(|record| builder.push(record));
    let again = builder.finish(Compression { codec: 0, gzip_level: -1 }, Sequence::NONE);
    let read = parse_header(&again).expect("whole");
    assert!(crc_matches(&again, &read));
    let places = |(offset, record): (i64, &Record)| Record { offset, ..record.clone() };
    let expect: Vec<Record> = (0..).zip(&whole).map(places).collect();
    let found = Records::new(&again, &read).and_then(Iterator::collect::<Result<Vec<Record>, _>>);
    assert_eq!(found.expect("readable"), expect);
}

/// A search finds what a walk finds.
fn check_scans(batch: &[u8], header: &BatchHeader, heads: Option<&[RecordHead]>) {
    let middle = header.base_timestamp.wrapping_add(30);
    for (aim, from) in
        [(Aim::AtLeast(middle), 0), (Aim::Largest, 0), (Aim::AtLeast(i64::MIN), 5), (Aim::AtLeast(i64::MAX), 0)]
    {
        let scan = RecordScan { batch: Bytes::copy_from_slice(batch), aim, from: Offset(from) };
        let found = bounded(batch.len(), 64, WINDOW_BYTES_MAX, || scan.perform());
        let Some(heads) = heads else { continue };
        let offset = |head: &RecordHead| i64::from(head.offset_delta.clamp(0, header.last_offset_delta));
        let mut wanted = heads.iter().filter(|head| offset(head) >= from);
        match aim {
            Aim::AtLeast(timestamp) => {
                let expected =
                    wanted.find(|head| head.timestamp >= timestamp).map(|head| (offset(head), head.timestamp));
                assert_eq!(found.expect("readable").map(|found| (found.offset.0, found.timestamp)), expected);
            }
            Aim::Largest => {
                let found = found.expect("readable").map(|found| found.timestamp);
                let largest = wanted.map(|head| head.timestamp).max();
                // It stops at the first that reaches what the header promises.
                assert!(found == largest || found.is_some_and(|found| found >= header.max_timestamp));
            }
        }
    }
}

/// Compressed anew, the records are the same; refusals agree with each other.
fn check_inspections(batch: &[u8]) -> u64 {
    let inspect = |codec: Option<i16>, keys: bool| {
        let compression = codec.map(|codec| Compression { codec, gzip_level: 1 });
        let timestamps = keys.then_some(0..=1 << 50);
        let inspection = Inspection { batch: BytesMut::from(batch), keys, timestamps, compression };
        bounded(batch.len(), 64, WINDOW_BYTES_MAX + 3 * (64 << 20), || inspection.perform())
    };
    let before = decompressed(batch);
    let mut seen = Vec::new();
    // Large ones take long to compress.
    let small = before.as_ref().is_none_or(|bytes| bytes.len() < 1 << 20);
    for codec in if small { &[0, 2, 3][..] } else { &[3] } {
        let codec = *codec;
        match (inspect(Some(codec), false), &before) {
            (Ok(anew), Some(before)) => {
                let header = record_batch::parse_header(&anew).expect("whole");
                assert!(header.total_bytes == anew.len() && crc_matches(&anew, &header) && header.codec() == codec);
                assert!(
                    decompressed(&anew).as_ref() == Some(before),
                    "compressed anew with {codec}, the records differ"
                );
            }
            (Err(Objection::Unreadable | Objection::TooLarge), None) | (Err(Objection::TooLarge), Some(_)) => {}
            (result, before) => panic!("codec {codec}: {result:?} for {:?} bytes", before.as_ref().map(Vec::len)),
        }
    }
    match inspect(None, true) {
        Ok(same) => assert_eq!(same, batch, "looked at only"),
        Err(Objection::Records { unwanted, .. }) => seen.push(magnitude(unwanted.len())),
        Err(_) => seen.push(99),
    }
    outcome((before.map(|bytes| magnitude(bytes.len())), seen))
}

/// The records, unless they cannot be read or are more than anybody keeps.
fn decompressed(batch: &[u8]) -> Option<Vec<u8>> {
    const BYTES_MAX: u64 = 64 << 20;
    let header = parse_header(batch).expect("whole");
    let mut records = Vec::new();
    let source = decompress(header.codec(), &batch[HEADER_BYTES..]).ok()?;
    source.take(BYTES_MAX + 1).read_to_end(&mut records).ok()?;
    const { assert!(BYTES_MAX < SCAN_BYTES_MAX) };
    (records.len() as u64 <= BYTES_MAX).then_some(records)
}

/// The crate's decoder keeps every record, so it is asked only about what is known to be a few; it knows no codec here.
fn check_against_the_crate(batch: &[u8], header: &BatchHeader, heads: &[RecordHead]) {
    let theirs =
        RecordBatchDecoder::decode_batch_info(&mut Bytes::copy_from_slice(batch)).expect("the header is legal");
    let [theirs] = &theirs[..] else { panic!("{} batches", theirs.len()) };
    assert_eq!((theirs.record_count, theirs.min_timestamp), (header.record_count, header.base_timestamp));
    assert_eq!(
        (theirs.producer_id, theirs.producer_epoch, theirs.base_sequence),
        (header.producer_id, header.producer_epoch, header.base_sequence)
    );
    if header.codec() != 0 || heads.iter().any(|head| head.offset_delta < 0) {
        return;
    }
    let Ok(theirs) = RecordBatchDecoder::decode(&mut Bytes::copy_from_slice(batch)) else { return };
    assert_eq!(theirs.records.len(), heads.len());
    for (theirs, ours) in theirs.records.iter().zip(heads) {
        assert_eq!((theirs.offset, theirs.key.is_some()), (i64::from(ours.offset_delta), ours.keyed));
        if !header.is_log_append_time() {
            assert_eq!(theirs.timestamp, ours.timestamp);
        }
    }
}
