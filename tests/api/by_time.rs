//! ListOffsets by time: the record, wherever it lies and however its batch is compressed.

use crate::client::*;
use crate::list_offsets::request;
use crate::world::{Client, World};
use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};
use std::io::Write;

fn varint(out: &mut Vec<u8>, value: i64) {
    let mut rest = ((value << 1) ^ (value >> 63)) as u64;
    while rest >= 0x80 {
        out.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    out.push(rest as u8);
}

pub fn compress(codec: i16, plain: &[u8]) -> Vec<u8> {
    match codec {
        1 => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
            encoder.write_all(plain).expect("compresses");
            encoder.finish().expect("compresses")
        }
        2 => snap::raw::Encoder::new().compress_vec(plain).expect("compresses"),
        3 => {
            let mut encoder = lz4_flex::frame::FrameEncoder::new(Vec::new());
            encoder.write_all(plain).expect("compresses");
            encoder.finish().expect("compresses")
        }
        4 => ruzstd::encoding::compress_to_vec(plain, ruzstd::encoding::CompressionLevel::Fastest),
        _ => plain.to_vec(),
    }
}

/// A batch with a record for each timestamp.
pub fn timed(codec: i16, timestamps: &[i64], value_bytes: usize) -> Vec<u8> {
    let mut records = Vec::new();
    for (index, timestamp) in timestamps.iter().enumerate() {
        let mut record = vec![0];
        varint(&mut record, timestamp - timestamps[0]);
        varint(&mut record, index as i64);
        varint(&mut record, -1);
        varint(&mut record, value_bytes as i64);
        record.resize(record.len() + value_bytes, b'v');
        varint(&mut record, 0);
        varint(&mut records, record.len() as i64);
        records.extend_from_slice(&record);
    }
    let mut covered = codec.to_be_bytes().to_vec();
    covered.extend_from_slice(&(timestamps.len() as i32 - 1).to_be_bytes());
    covered.extend_from_slice(&timestamps[0].to_be_bytes());
    covered.extend_from_slice(&timestamps.iter().max().expect("a record").to_be_bytes());
    covered.extend_from_slice(&(-1i64).to_be_bytes());
    covered.extend_from_slice(&(-1i16).to_be_bytes());
    covered.extend_from_slice(&(-1i32).to_be_bytes());
    covered.extend_from_slice(&(timestamps.len() as i32).to_be_bytes());
    covered.extend_from_slice(&compress(codec, &records));
    let mut batch = 0i64.to_be_bytes().to_vec();
    batch.extend_from_slice(&(covered.len() as i32 + 9).to_be_bytes());
    batch.extend_from_slice(&(-1i32).to_be_bytes());
    batch.push(2);
    batch.extend_from_slice(&crc32c::crc32c(&covered).to_be_bytes());
    batch.extend_from_slice(&covered);
    batch
}

#[track_caller]
fn append(world: &mut World, client: Client, batch: Vec<u8>) -> i64 {
    let (error, offset) = outcomes(&world.call(client, 9, &produce_request(-1, &[("t", 0, batch)])))[0];
    assert_eq!(error, 0);
    offset
}

/// (offset, timestamp) of the answer for one timestamp.
#[track_caller]
fn ask(world: &mut World, client: Client, timestamp: i64) -> (i64, i64) {
    found(&world.call(client, 7, &request("t", &[(0, timestamp)])))
}

#[track_caller]
fn found(response: &ListOffsetsResponse) -> (i64, i64) {
    let partition = &response.topics[0].partitions[0];
    assert_eq!(partition.error_code, 0);
    (partition.offset, partition.timestamp)
}

const NONE: (i64, i64) = (-1, -1);

#[test]
fn c19_the_first_record_that_is_not_older_in_any_codec() {
    for codec in 0..=4 {
        let mut world = World::new(1, &[]);
        let client = world.connect(0);
        world.create_topic(client, "t", 1, &[]);
        assert_eq!(ask(&mut world, client, 0), NONE, "an empty topic");
        assert_eq!(ask(&mut world, client, -3), NONE);
        append(&mut world, client, timed(codec, &[100, 200, 150], 20));
        append(&mut world, client, timed(codec, &[120, 130, 400, 300], 2_000));
        append(&mut world, client, timed(codec, &[250], 0));
        for (timestamp, expected) in [
            (0, (0, 100)),
            (100, (0, 100)),
            (101, (1, 200)),
            (200, (1, 200)),
            (201, (5, 400)),
            (400, (5, 400)),
            (401, NONE),
            (i64::MAX, NONE),
            (-3, (5, 400)),
        ] {
            assert_eq!(ask(&mut world, client, timestamp), expected, "codec {codec}, {timestamp}");
        }
        for version in 1..=9 {
            let response = world.call(client, version, &request("t", &[(0, 101)]));
            assert_eq!(found(&response), (1, 200));
            let epoch = response.topics[0].partitions[0].leader_epoch;
            assert_eq!(epoch, if version >= 4 { 0 } else { -1 });
        }
    }
}

/// Many batches, of which most are on the disk only; batch n has the timestamps 10 n, 10 n + 5, 10 n + 3.
fn on_disk(codec: i16, batches: i64) -> (World, Client) {
    let mut world = World::new(
        1,
        &[
            ("journal.files", "3"),
            ("tail.cache.bytes", "0"),
            ("log.segment.bytes", "400000"),
            ("message.max.bytes", "100000"),
        ],
    );
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    for number in 0..batches {
        append(&mut world, client, timed(codec, &[10 * number, 10 * number + 5, 10 * number + 3], 3_000));
        world.advance(20);
    }
    (world, client)
}

#[test]
fn c19_in_segments_too_and_after_a_restart() {
    let (mut world, client) = on_disk(0, 300);
    let check = |world: &mut World, client| {
        for number in [0i64, 1, 17, 150, 298, 299] {
            assert_eq!(ask(world, client, 10 * number), (3 * number, 10 * number), "batch {number}");
            assert_eq!(ask(world, client, 10 * number + 1), (3 * number + 1, 10 * number + 5));
            let later = if number < 299 { (3 * number + 3, 10 * number + 10) } else { NONE };
            assert_eq!(ask(world, client, 10 * number + 6), later);
        }
        assert_eq!(ask(world, client, -3), (3 * 299 + 1, 2_995));
    };
    check(&mut world, client);
    let mut world = crate::fetch::restarted(world);
    let client = world.connect(0);
    check(&mut world, client);
    // What DeleteRecords hides is not found, also when it cuts a batch, a run and a segment through.
    for start in [1i64, 100, 451, 898] {
        let deleted = world.call(client, 2, &delete_records_request("t", 0, start));
        assert_eq!(deleted.topics[0].partitions[0].error_code, 0);
        let times = [0, 5, 3];
        let time = |offset: i64| offset / 3 * 10 + times[(offset % 3) as usize];
        assert_eq!(ask(&mut world, client, 0), (start, time(start)));
        let largest = if start <= 898 { (898, 2_995) } else { (899, 2_993) };
        assert_eq!(ask(&mut world, client, -3), largest);
    }
}

#[test]
fn c18_the_largest_timestamp_may_be_anywhere() {
    let (mut world, client) = on_disk(0, 120);
    append(&mut world, client, timed(0, &[7], 0));
    assert_eq!(ask(&mut world, client, -3), (358, 1_195), "in a segment or the tail, before younger offsets");
    append(&mut world, client, timed(3, &[5_000, 9_000, 9_000], 10));
    assert_eq!(ask(&mut world, client, -3), (362, 9_000), "the first of equals");
    for _ in 0..100 {
        append(&mut world, client, timed(1, &[9_000, 8], 40_000));
        world.advance(20);
    }
    assert_eq!(ask(&mut world, client, -3), (362, 9_000), "now in a segment");
    let mut world = crate::fetch::restarted(world);
    let client = world.connect(0);
    assert_eq!(ask(&mut world, client, -3), (362, 9_000));
    let deleted = world.call(client, 2, &delete_records_request("t", 0, 363));
    assert_eq!(deleted.topics[0].partitions[0].error_code, 0);
    assert_eq!(ask(&mut world, client, -3), (363, 9_000), "the log start hides one of them");
}

#[test]
fn c19_only_what_consumers_may_see_is_found() {
    let mut world = World::new(1, &[]);
    let (client, producer) = (world.connect(0), world.connect(0));
    world.create_topic(client, "t", 1, &[]);
    append(&mut world, client, timed(0, &[10], 0));
    world.hold_flushes = true;
    world.send(producer, 9, &produce_request(-1, &[("t", 0, timed(0, &[20], 0))]));
    assert_eq!((ask(&mut world, client, 11), ask(&mut world, client, -3)), (NONE, (0, 10)));
    world.hold_flushes = false;
    world.run();
    assert_eq!((ask(&mut world, client, 11), ask(&mut world, client, -3)), ((1, 20), (1, 20)));
}

#[test]
fn c28_the_brokers_time_is_found_without_a_look_inside() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("message.timestamp.type", "LogAppendTime")]);
    append(&mut world, client, timed(4, &[1, 2, 3], 10));
    let first = world.now.wall_ms;
    world.advance(50);
    append(&mut world, client, timed(4, &[1, 2, 3], 10));
    let second = world.now.wall_ms;
    assert_eq!(ask(&mut world, client, first), (0, first));
    assert_eq!(ask(&mut world, client, first + 1), (3, second));
    assert_eq!(ask(&mut world, client, -3), (3, second));
}

#[test]
fn batches_that_lie_about_their_records() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let reseal = |mut batch: Vec<u8>| {
        let crc = crc32c::crc32c(&batch[21..]);
        batch[17..21].copy_from_slice(&crc.to_be_bytes());
        batch
    };
    // The header promises 900, the records have 10 and 20.
    let mut promises = timed(1, &[10, 20], 5);
    promises[35..43].copy_from_slice(&900i64.to_be_bytes());
    append(&mut world, client, reseal(promises));
    append(&mut world, client, timed(1, &[30, 40], 5));
    assert_eq!(ask(&mut world, client, 15), (1, 20));
    assert_eq!(ask(&mut world, client, 25), (2, 30), "goes on behind a promise that was not kept");
    // Not gzip at all: the answer is the batch's first offset, from where nothing is missed.
    let mut broken = timed(0, &[50, 60, 70], 5);
    broken[22] = 1;
    append(&mut world, client, reseal(broken));
    assert_eq!(ask(&mut world, client, 65), (4, 70));
}

#[test]
fn many_searches_at_once_all_end_in_order() {
    let (mut world, client) = on_disk(0, 150);
    let other = world.connect(0);
    world.hold_files = true;
    for number in 0..20 {
        world.post(client, 7, &request("t", &[(0, number * 70)]));
    }
    world.send(other, 7, &request("t", &[(0, 1)]));
    assert!(world.raw_answer(client).is_none());
    world.disconnect(other);
    world.hold_files = false;
    world.run();
    for number in 0..20 {
        assert_eq!(found(&world.receive::<ListOffsetsRequest>(client)), (21 * number, 70 * number));
    }
    // A topic that is deleted under a search.
    world.hold_files = true;
    world.send(client, 7, &request("t", &[(0, 1)]));
    let admin = world.connect(0);
    assert_eq!(world.call(admin, 6, &delete_request("t")).responses[0].error_code, 0);
    world.hold_files = false;
    world.run();
    let answer = world.receive::<ListOffsetsRequest>(client);
    assert!([0, 3].contains(&answer.topics[0].partitions[0].error_code));
}
