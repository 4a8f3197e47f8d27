//! Retention by time and size, with a clock that the test moves.

use crate::client::*;
use crate::configs::{BROKER, TOPIC};
use crate::world::{Client, World};

const SMALL: &[(&str, &str)] = &[
    ("journal.file.bytes", "65536"),
    ("message.max.bytes", "32768"),
    ("log.segment.bytes", "16384"),
    ("log.retention.check.interval.ms", "1000"),
];

/// Batches with the time of their append, one each second: (base offset, timestamp).
fn produce_over_time(world: &mut World, client: Client, topic: &str, batches: usize) -> Vec<(i64, i64)> {
    let mut sent = Vec::new();
    for _ in 0..batches {
        let timestamp = world.now.wall_ms;
        let batch = Batch { value_bytes: 2_400, timestamp, ..Batch::of(2) };
        sent.push((world.produce(client, topic, 0, batch), timestamp));
        world.advance(1_000);
    }
    sent
}

/// The log start, as clients are told.
#[track_caller]
fn earliest(world: &mut World, client: Client, topic: &str) -> i64 {
    let answer = world.call(client, 7, &crate::list_offsets::request(topic, &[(0, -2)]));
    assert_eq!(answer.topics[0].partitions[0].error_code, 0);
    answer.topics[0].partitions[0].offset
}

#[test]
fn by_time_old_segments_go_and_nothing_else() {
    let mut world = World::new(1, SMALL);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("retention.ms", "-1")]);
    world.create_topic(client, "kept", 1, &[("cleanup.policy", "compact")]);
    let sent = produce_over_time(&mut world, client, "t", 80);
    for _ in 0..80 {
        world.produce(client, "kept", 0, Batch { value_bytes: 2_400, keyed: true, ..Batch::of(2) });
    }
    world.advance(5_000);
    assert_eq!(earliest(&mut world, client, "t"), 0, "-1 keeps everything");
    world.set_configs(client, TOPIC, "t", &[("retention.ms", "40000")]);
    world.advance(2_000);
    let log_start = earliest(&mut world, client, "t");
    let young = |world: &World| {
        let limit = world.now.wall_ms - 40_000;
        sent.iter().find(|(_, timestamp)| *timestamp >= limit).map_or(160, |(offset, _)| *offset)
    };
    assert!(log_start > 30, "{log_start}: a live change moves it");
    assert!(log_start <= young(&world), "{log_start}: what is young enough stays, {}", young(&world));
    assert!(young(&world) - log_start < 2 * 8, "{log_start}: only the segment that {} lies in stays", young(&world));
    assert_eq!(world.fetch(client, "t", 0, log_start - 1).error_code, 1);
    let left = read_from(&mut world, client, "t", log_start);
    assert_eq!(left, sent.iter().map(|(offset, _)| *offset).filter(|offset| *offset >= log_start).collect::<Vec<_>>());
    assert_eq!(earliest(&mut world, client, "kept"), 0, "compact alone deletes nothing by age");
    // In the end all is too old, what is in no segment yet included; offsets go on from there, after a restart too.
    world.advance(200_000);
    assert_eq!(earliest(&mut world, client, "t"), 160);
    let answer = world.fetch(client, "t", 0, 160);
    assert_eq!((answer.error_code, answer.high_watermark), (0, 160));
    let mut world = World::on(world.disk, 1, SMALL, 2);
    let client = world.connect(0);
    assert_eq!(earliest(&mut world, client, "t"), 160);
    let timestamp = world.now.wall_ms;
    assert_eq!(world.produce(client, "t", 0, Batch { timestamp, ..Batch::of(1) }), 160);
    assert_eq!(read_from(&mut world, client, "t", 160), [160]);
}

/// Everything of an idle topic is too old: its files go, the newest segment's too. What has to outlive the records stays: the log end,
/// leader epochs, and what a producer sent last, over a restart and a clean way on from there.
#[test]
fn an_idle_topic_that_expired_frees_its_disk_space() {
    let mut world = World::new(1, SMALL);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("retention.ms", "40000")]);
    let id = world.call(client, 4, &crate::produce::init_request()).producer_id.0;
    let batch = |sequence: i32, timestamp| Batch { value_bytes: 2_400, timestamp, ..Batch::of(1).by(id, 0, sequence) };
    for sequence in 0..80 {
        let now = world.now.wall_ms;
        assert_eq!(world.produce(client, "t", 0, batch(sequence, now)), i64::from(sequence));
    }
    world.advance(1_000);
    let topic = world.disk.files().find(|path| path.ends_with(".segment")).expect("a segment").to_string();
    let directory = topic.rsplit_once('/').expect("a path").0.to_string();
    assert!(world.disk.bytes_below(&directory) > 50_000, "{}", world.disk.bytes_below(&directory));
    world.advance(60_000);
    assert_eq!(earliest(&mut world, client, "t"), 80);
    let left = world.disk.bytes_below(&directory);
    assert!(left <= 8_192, "{left} bytes left of an empty partition");
    // Once is enough.
    let names =
        |world: &World| world.disk.files().filter(|path| path.contains(&directory)).cloned().collect::<Vec<_>>();
    let before = names(&world);
    world.advance(60_000);
    assert_eq!(names(&world), before);
    for restarted in [false, true] {
        if restarted {
            world = World::on(world.disk, 1, SMALL, 2);
        }
        let client = world.connect(0);
        assert_eq!(earliest(&mut world, client, "t"), 80);
        let answer = world.fetch(client, "t", 0, 80);
        assert_eq!((answer.error_code, answer.high_watermark), (0, 80 + i64::from(restarted)));
        let now = world.now.wall_ms;
        let next = 80 + i32::from(restarted);
        // Sent again it is known; out of its turn it is refused.
        let known = outcomes(&world.call(client, 9, &produce_request(-1, &[("t", 0, batch(next - 1, now).encode())])));
        assert_eq!(known, [(0, i64::from(next) - 1)], "restarted: {restarted}");
        let gap = outcomes(&world.call(client, 9, &produce_request(-1, &[("t", 0, batch(next + 5, now).encode())])));
        assert_eq!(gap[0].0, 45);
        assert_eq!(world.produce(client, "t", 0, batch(next, now)), i64::from(next));
    }
    let client = world.connect(0);
    assert_eq!(read_from(&mut world, client, "t", 80), [80, 81]);
    // And the same once more, when there are records behind the segment of state.
    for sequence in 82..140 {
        let now = world.now.wall_ms;
        assert_eq!(world.produce(client, "t", 0, batch(sequence, now)), i64::from(sequence));
    }
    assert_eq!(read_from(&mut world, client, "t", 80), (80..140).collect::<Vec<_>>());
    // The clock of the run before was further.
    world.advance(200_000);
    assert_eq!(earliest(&mut world, client, "t"), 140);
    assert!(world.disk.bytes_below(&directory) <= 8_192);
    let mut world = World::on(world.disk, 1, SMALL, 3);
    let client = world.connect(0);
    let now = world.now.wall_ms;
    assert_eq!(world.produce(client, "t", 0, batch(140, now)), 140);
}

/// Base offsets of the batches from an offset on.
fn read_from(world: &mut World, client: Client, topic: &str, from: i64) -> Vec<i64> {
    let mut offsets = Vec::new();
    let mut at = from;
    loop {
        let answer = world.fetch(client, topic, 0, at);
        assert_eq!(answer.error_code, 0);
        let batches = found(&answer);
        let Some(last) = batches.last() else { return offsets };
        at = last.end_offset;
        offsets.extend(batches.iter().map(|batch| batch.base_offset));
    }
}

#[test]
fn by_size_the_oldest_segments_go_and_the_files_with_them() {
    let mut world = World::new(1, SMALL);
    let client = world.connect(0);
    world.create_topic(client, "t", 1, &[("retention.ms", "-1")]);
    let sent = produce_over_time(&mut world, client, "t", 80);
    let segments = |world: &World| world.disk.files().filter(|path| path.ends_with(".segment")).count();
    let before = segments(&world);
    assert_eq!(earliest(&mut world, client, "t"), 0);
    // The broker's value counts for a topic without its own.
    world.set_configs(client, BROKER, "", &[("log.retention.bytes", "150000")]);
    world.advance(4_000);
    let log_start = earliest(&mut world, client, "t");
    let left = sent.iter().filter(|(offset, _)| *offset >= log_start).count() * 2 * 2_400;
    assert!(log_start > 0 && left > 150_000 - 40_000 && left < 150_000 + 40_000, "{log_start}: {left} bytes left");
    assert!(segments(&world) < before, "{} of {before}", segments(&world));
    world.set_configs(client, BROKER, "", &[("log.retention.bytes", "-1")]);
    world.advance(4_000);
    assert_eq!(earliest(&mut world, client, "t"), log_start, "it never goes back");
}

#[test]
fn seven_days_are_the_default_and_the_check_sleeps() {
    let mut world = World::new(2, &[("journal.file.bytes", "65536"), ("message.max.bytes", "32768")]);
    let client = world.connect(0);
    world.create_topic(client, "idle", 1_000, &[]);
    world.create_topic(client, "t", 1, &[("internal.segment.bytes", "16384")]);
    let core = world.leader(client, "t", 0);
    let client = world.connect(core);
    for _ in 0..80 {
        let timestamp = world.now.wall_ms;
        world.produce(client, "t", 0, Batch { value_bytes: 2_400, timestamp, ..Batch::of(2) });
    }
    world.advance(31_000);
    let interval = 300_000_000_000;
    for broker in &world.brokers {
        let next = broker.next_deadline().expect("the next check") - world.now.monotonic_ns;
        assert!(
            (interval - 2_000_000_000..=interval).contains(&next),
            "a thousand idle partitions, one wake-up: {next}"
        );
    }
    world.now.wall_ms += 7 * 24 * 3_600_000 - 400_000;
    world.advance(300_000);
    assert_eq!(earliest(&mut world, client, "t"), 0, "not quite seven days");
    world.advance(300_000);
    assert_eq!(earliest(&mut world, client, "t"), 160);
}
