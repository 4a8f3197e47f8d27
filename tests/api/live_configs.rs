//! Topic configs that take effect while the topic is used, and those that have the broker look inside batches.

use crate::by_time::{compress, timed};
use crate::client::*;
use crate::configs::{BROKER, TOPIC};
use crate::world::{Client, World};
use corelane::wire::compression::decompress;
use corelane::wire::record_batch::{BatchHeader, HEADER_BYTES, crc_matches, parse_header};
use kafka_protocol::messages::*;
use std::io::Read;

const CODECS: [&str; 5] = ["uncompressed", "gzip", "snappy", "lz4", "zstd"];

/// The same batch with its records compressed.
fn compressed(codec: i16, mut batch: Vec<u8>) -> Vec<u8> {
    let records = compress(codec, &batch[HEADER_BYTES..]);
    batch.truncate(HEADER_BYTES);
    batch.extend_from_slice(&records);
    batch[21..23].copy_from_slice(&codec.to_be_bytes());
    let length = batch.len() as i32 - 12;
    batch[8..12].copy_from_slice(&length.to_be_bytes());
    let crc = crc32c::crc32c(&batch[21..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
    batch
}

/// The only batch of a fetch from `offset` on: header, and the decompressed records.
#[track_caller]
fn stored(world: &mut World, client: Client, offset: i64) -> (BatchHeader, Vec<u8>) {
    let answer = world.fetch(client, "t", 0, offset);
    let batch = answer.records.expect("records");
    let header = parse_header(&batch).expect("a batch");
    assert!(crc_matches(&batch[..header.total_bytes], &header));
    let mut records = Vec::new();
    let source = &batch[HEADER_BYTES..header.total_bytes];
    decompress(header.codec(), source).expect("the codec it says").read_to_end(&mut records).expect("decompresses");
    (header, records)
}

#[test]
fn compression_type_changes_live_from_every_codec_to_every_codec() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let plain = Batch { keyed: true, value_bytes: 500, ..Batch::of(40) };
    let mut offset = 0;
    let mut append = |world: &mut World, from: usize, wanted: i16| {
        let batch = compressed(from as i16, plain.encode());
        for version in [3, 9] {
            if from == 4 && version == 3 {
                continue;
            }
            let response = world.call(client, version, &produce_request(-1, &[("t", 0, batch.clone())]));
            assert_eq!(outcomes(&response), [(0, offset)], "{response:?}");
            let (header, records) = stored(world, client, offset);
            assert_eq!((header.codec(), header.record_count, header.base_offset), (wanted, 40, offset));
            assert_eq!(records, plain.encode()[HEADER_BYTES..], "from {from} to {wanted}");
            assert!(wanted == 0 || header.total_bytes < 2_500, "{}", header.total_bytes);
            offset += 40;
        }
    };
    for (codec, name) in (0..).zip(CODECS) {
        world.set_configs(client, TOPIC, "t", &[("compression.type", name)]);
        (0..CODECS.len()).for_each(|from| append(&mut world, from, codec));
    }
    world.set_configs(client, TOPIC, "t", &[("compression.type", "producer")]);
    (0..CODECS.len()).for_each(|from| append(&mut world, from, from as i16));
    world.set_configs(client, BROKER, "", &[("compression.type", "lz4")]);
    append(&mut world, 1, 1);
}

#[test]
fn what_is_compressed_anew_keeps_its_order_and_its_producer() {
    let mut world = World::new(1, &[]);
    let (client, other) = (world.connect(0), world.connect(0));
    let configs = [("compression.type", "zstd"), ("message.timestamp.type", "LogAppendTime")];
    world.create_topic(client, "t", 1, &configs);
    world.create_topic(client, "plain", 1, &[]);
    world.hold_inspections = true;
    let batch = |sequence| Batch { value_bytes: 300, ..Batch::of(5) }.by(7, 0, sequence).encode();
    for sequence in [0, 5, 10, 5] {
        let partitions = [("plain", 0, Batch::of(1).encode()), ("t", 0, batch(sequence)), ("no", 0, vec![])];
        world.send(client, 9, &produce_request(-1, &partitions));
    }
    assert!(world.try_receive::<ProduceRequest>(client).is_none(), "held until its batch was compressed");
    assert_eq!(world.produce(other, "plain", 0, Batch::of(1)), 1, "others go on");
    world.hold_inspections = false;
    world.run();
    for (plain, first) in [(0, 0), (2, 5), (3, 10), (4, 5)] {
        let response = world.receive::<ProduceRequest>(client);
        assert_eq!(outcomes(&response), [(0, plain), (0, first), (3, -1)], "in order, and the last one known again");
    }
    for offset in [0, 5, 10] {
        let (header, _) = stored(&mut world, client, offset);
        assert_eq!((header.codec(), header.base_sequence), (4, offset as i32));
        assert_eq!((header.is_log_append_time(), header.max_timestamp), (true, world.now.wall_ms));
    }
}

#[test]
fn a_client_or_topic_that_leaves_during_the_compression_harms_nobody() {
    let mut world = World::new(1, &[]);
    let (gone, client, admin) = (world.connect(0), world.connect(0), world.connect(0));
    world.create_topic(admin, "t", 1, &[("compression.type", "gzip")]);
    world.hold_inspections = true;
    for sender in [gone, client] {
        world.send(sender, 9, &produce_request(-1, &[("t", 0, Batch::of(5).encode())]));
    }
    world.disconnect(gone);
    assert_eq!(world.call(admin, 6, &delete_request("t")).responses[0].error_code, 0);
    world.hold_inspections = false;
    world.run();
    assert_eq!(outcomes(&world.receive::<ProduceRequest>(client)), [(3, -1)]);
    world.create_topic(admin, "t", 1, &[]);
    assert_eq!(world.produce(client, "t", 0, Batch::of(1)), 0);
}

#[test]
fn what_cannot_be_compressed_anew_is_refused() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("compression.type", "uncompressed"), ("max.message.bytes", "5000")]);
    let mut send = |batch| outcomes(&world.call(client, 9, &produce_request(-1, &[("t", 0, batch)])))[0].0;
    let plain = |bytes| Batch { value_bytes: bytes, ..Batch::of(1) }.encode();
    for codec in 1..=4 {
        assert_eq!(send(compressed(codec, plain(4_000))), 0);
        assert_eq!(send(compressed(codec, plain(6_000))), 10, "codec {codec}: decompressed it is too large");
        assert_eq!(send(Batch { attributes: codec, ..Batch::of(1) }.encode()), 87, "codec {codec}: a lie");
    }
    assert_eq!(send(compressed(1, plain(100 << 20))), 10, "100 MiB of nothing are not kept");
}

#[test]
fn c25_records_without_a_key_are_found_inside_compressed_batches() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    assert_eq!(world.produce(client, "t", 0, Batch::of(1)), 0, "no key, no matter");
    world.set_configs(client, TOPIC, "t", &[("cleanup.policy", "compact")]);
    for (codec, first) in [(0, 1), (1, 3), (2, 5), (3, 7), (4, 9)] {
        let keyless = compressed(codec, Batch::of(3).encode());
        let response = world.call(client, 9, &produce_request(-1, &[("t", 0, keyless)]));
        let refused = &produced(&response)[0];
        assert_eq!((refused.error_code, refused.base_offset), (87, -1), "codec {codec}");
        let named: Vec<_> = refused.record_errors.iter().map(|error| error.batch_index).collect();
        assert_eq!(named, [0, 1, 2]);
        let why = refused.record_errors[0].batch_index_error_message.as_deref();
        assert_eq!(why, Some("Compacted topic cannot accept message without key in topic partition t-0"));
        let keyed = compressed(codec, Batch { keyed: true, ..Batch::of(2) }.encode());
        let response = world.call(client, 9, &produce_request(-1, &[("t", 0, keyed)]));
        assert_eq!(outcomes(&response), [(0, first)], "codec {codec}");
    }
    let plain = Batch { value_bytes: 0, ..Batch::of(50_000) }.encode();
    let many = compressed(4, plain);
    let response = world.call(client, 9, &produce_request(-1, &[("t", 0, many)]));
    assert_eq!(produced(&response)[0].record_errors.len(), 1_000, "the answer is bounded: {response:?}");
}

#[test]
fn timestamp_bounds_change_live_and_name_the_records() {
    let mut world = World::new(1, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let now = world.now.wall_ms;
    let send = |world: &mut World, codec, timestamps: &[i64]| {
        let batch = timed(codec, timestamps, 10);
        produced(&world.call(client, 9, &produce_request(-1, &[("t", 0, batch)]))).remove(0)
    };
    let day = 86_400_000;
    for codec in 0..=4 {
        // Kafka's defaults: an hour ahead, any time behind.
        world.set_configs(client, TOPIC, "t", &[("message.timestamp.after.max.ms", "3600000")]);
        assert_eq!(send(&mut world, codec, &[now, 5, -1, now + 3_600_000]).error_code, 0);
        let refused = send(&mut world, codec, &[now, now + 3_600_001, now + day]);
        let named: Vec<_> = refused.record_errors.iter().map(|error| error.batch_index).collect();
        assert_eq!((refused.error_code, refused.base_offset, named), (32, -1, vec![1, 2]), "codec {codec}");
        let why = refused.record_errors[0].batch_index_error_message.as_deref().expect("words");
        assert!(why.starts_with(&format!("Timestamp {} of message with offset 1 is out of range.", now + 3_600_001)));
        world.set_configs(client, TOPIC, "t", &[("message.timestamp.after.max.ms", "100")]);
        assert_eq!(send(&mut world, codec, &[now + 101]).error_code, 32);
        world.set_configs(client, TOPIC, "t", &[("message.timestamp.before.max.ms", "1000")]);
        let refused = send(&mut world, codec, &[now, now - 1_001, -1, now - 1_000]);
        assert_eq!((refused.error_code, refused.record_errors.len()), (32, 1), "codec {codec}");
        assert_eq!(refused.record_errors[0].batch_index, 1);
        assert_eq!(send(&mut world, codec, &[now, now - 1_000, -1]).error_code, 0);
        // The broker's own time is always right.
        world.set_configs(client, TOPIC, "t", &[("message.timestamp.type", "LogAppendTime")]);
        assert_eq!(send(&mut world, codec, &[5, now + day]).error_code, 0);
        world.set_configs(client, TOPIC, "t", &[("message.timestamp.type", "CreateTime")]);
        let back = [
            ("message.timestamp.before.max.ms", "9223372036854775807"),
            ("message.timestamp.after.max.ms", "9223372036854775807"),
        ];
        world.set_configs(client, TOPIC, "t", &back);
        assert_eq!(send(&mut world, codec, &[0, i64::MAX / 2]).error_code, 0, "no bounds at all");
    }
}

#[test]
fn segments_follow_their_configs_live() {
    let small = [("journal.file.bytes", "65536"), ("message.max.bytes", "32768")];
    let mut world = World::new(1, &small);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let produce = |world: &mut World, batches| {
        for _ in 0..batches {
            let timestamp = world.now.wall_ms;
            world.produce(client, "t", 0, Batch { value_bytes: 2_400, timestamp, ..Batch::of(2) });
            world.advance(100);
        }
        world.disk.files().filter(|path| path.ends_with(".segment")).count()
    };
    assert_eq!(produce(&mut world, 100), 1, "a gigabyte, seven days");
    let admin = world.connect(0);
    world.set_configs(admin, TOPIC, "t", &[("segment.bytes", "1048576")]);
    let few = produce(&mut world, 500);
    assert!((3..=5).contains(&few), "{few} segments of a megabyte for three");
    // Kafka's own way to tiny segments, for tests.
    world.set_configs(admin, TOPIC, "t", &[("internal.segment.bytes", "20000")]);
    let many = produce(&mut world, 100);
    assert!(many > few + 15, "{many} segments of 20 kB for half a megabyte");
    assert_eq!(crate::configs::described(&mut world, admin, TOPIC, "t", "internal.segment.bytes"), None);
    world.set_configs(admin, TOPIC, "t", &[("internal.segment.bytes", "100000000")]);
    let before = produce(&mut world, 100);
    assert!(before < many + 8, "{before} after {many}");
    world.set_configs(admin, TOPIC, "t", &[("segment.ms", "3000")]);
    let by_age = produce(&mut world, 200) - before;
    assert!((2..=8).contains(&by_age), "{by_age} segments in 20 s, one for each move to segments 3 s after the last");
}

#[test]
fn min_insync_replicas_changes_live_and_counts_up_to_the_replication_factor() {
    let mut world = World::new(2, &[]);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[]);
    let core = world.leader(client, "t", 0);
    let client = world.connect(core);
    for (value, offset) in [("2", 0), ("1", 1), ("3", 2)] {
        world.set_configs(client, TOPIC, "t", &[("min.insync.replicas", value)]);
        assert_eq!(
            crate::configs::described(&mut world, client, TOPIC, "t", "min.insync.replicas"),
            Some((value.into(), 1))
        );
        assert_eq!(
            world.produce(client, "t", 0, Batch::of(1)),
            offset,
            "one machine, one replica: as many as there can be"
        );
    }
}
