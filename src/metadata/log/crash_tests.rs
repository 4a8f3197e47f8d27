//! Crashes after every operation and cuts at every byte: committed records are there, and nothing that never was.

use super::test_disk::{Death, TestDisk};
use super::*;
use crate::base::ids::TopicId;
use crate::metadata::log::frame::{ScanError, scan};
use crate::metadata::record::*;

pub(super) fn parameters(seed: u64) -> OpenParameters {
    OpenParameters { machine: MachineId(1), cluster_id: None, seed }
}

pub(super) fn at(monotonic_ms: u64) -> Now {
    Now { monotonic_ns: monotonic_ms * 1_000_000, wall_ms: 0 }
}

fn topic_id(number: u64) -> TopicId {
    TopicId((u128::from(number) + 1).to_be_bytes())
}

/// A topic with a partition and a config that makes the frame longer than a block now and then.
pub(super) fn new_topic(number: u64) -> Vec<Record> {
    let (id, machine) = (topic_id(number), MachineId(1));
    let partition = PartitionRecord {
        topic: id,
        partition: 0,
        replicas: vec![machine],
        isr: vec![machine],
        elr: vec![],
        last_known_elr: vec![],
        leader: machine,
        leader_epoch: 0,
        partition_epoch: 0,
        recovery_state: LeaderRecoveryState::Recovered,
        directories: vec![],
        placement: number as u32,
    };
    let config = ConfigRecord {
        resource_type: ResourceType::Topic,
        resource_name: format!("topic-{number}"),
        key: "leader.replication.throttled.replicas".to_string(),
        value: Some("x".repeat((number % 4) as usize * 3000)),
    };
    let topic = TopicRecord { name: format!("topic-{number}"), id };
    vec![Record::Topic(topic), Record::Partition(partition), Record::Config(config)]
}

pub(super) fn first_records() -> Vec<Record> {
    vec![
        Record::GenerationBegun(GenerationBegunRecord { generation: 1 }),
        Record::Layout(LayoutRecord { generation: 1, cores: 3 }),
    ]
}

/// What happened over all boots: the image at every end offset that was ever proposed, and what was committed.
#[derive(Default)]
struct History {
    images: Vec<Arc<Image>>,
    committed: u64,
    boots: u32,
    next_topic: u64,
}

impl History {
    fn note(&mut self, image: &Arc<Image>) {
        if self.images.last().is_none_or(|last| last.end_offset() < image.end_offset()) {
            self.images.push(image.clone());
        }
    }

    /// One boot: opens, checks what is there against the history, works, until the end or the crash.
    fn run(&mut self, disk: &mut TestDisk, seed: u64, steps: u64) -> Result<(), Refusal> {
        let mut log = MetadataLog::open_or_format(disk, &parameters(seed))?;
        self.check_opened(log.image());
        let boot = BootRecord { machine: MachineId(1), boot: log.image().boot() + 1, wall_ms: 0 };
        self.boots += 1;
        let mut start = vec![Record::Boot(boot)];
        if log.image().generation() == 0 {
            start.extend(first_records());
        }
        self.propose_sync(&mut log, disk, &start)?;
        let mut now_ms = 0;
        for step in 0..steps {
            now_ms += [1, 7, 150][(step % 3) as usize];
            if step % 4 != 3 {
                self.next_topic += 1;
                log.append(new_topic(self.next_topic), at(now_ms));
            } else if log.proposed().topic(topic_id(self.next_topic - 1)).is_some() {
                let id = topic_id(self.next_topic - 1);
                log.append(vec![Record::RemoveTopic(RemoveTopicRecord { id })], at(now_ms));
            }
            self.note(&log.proposed().clone());
            self.drive(&mut log, disk, now_ms, 2)?;
            log.check();
        }
        log.begin_stop();
        self.drive(&mut log, disk, now_ms, 100)?;
        assert!(log.is_idle(), "a stopped log is idle");
        Ok(())
    }

    fn propose_sync(&mut self, log: &mut MetadataLog, disk: &mut TestDisk, records: &[Record]) -> Result<(), Refusal> {
        let (image, _) = log.proposed().apply(records).expect("legal");
        self.note(&Arc::new(image));
        log.append_sync(disk, records.to_vec())?;
        self.committed = log.image().end_offset();
        Ok(())
    }

    fn drive(&mut self, log: &mut MetadataLog, disk: &mut TestDisk, now_ms: u64, rounds: usize) -> Result<(), Refusal> {
        for _ in 0..rounds {
            let Some(ops) = log.poll_ops(at(now_ms)) else { break };
            assert_eq!(log.poll_ops(at(now_ms)).map(|_| ()), None, "M3: one list at a time");
            let mut results = Vec::new();
            for op in &ops {
                results.push(disk.perform(op));
                if matches!(results.last(), Some(Err(_))) {
                    break;
                }
            }
            let done = FilesDone { results };
            if done.failure() == Some(&StorageError::Crashed) {
                return Err(Refusal::Storage(StorageError::Crashed));
            }
            if let Some(committed) = log.handle_done(&done).expect("no failure but the crash") {
                self.committed = committed.image.end_offset();
            }
        }
        Ok(())
    }

    fn check_opened(&mut self, image: &Arc<Image>) {
        let end_offset = image.end_offset();
        assert!(end_offset >= self.committed, "LOST: committed {}, found {end_offset}", self.committed);
        if self.images.is_empty() {
            self.note(image);
        } else if end_offset > 2 {
            let same = self.images.iter().rev().find(|known| known.end_offset() == end_offset);
            let same = same.expect("an end offset between two batches");
            assert_eq!(image.to_records(), same.to_records(), "I1 at {end_offset}");
            assert_eq!(**image, **same, "I1 at {end_offset}");
        }
        image.check();
        // What was proposed and did not survive never was.
        self.images.retain(|known| known.end_offset() <= end_offset);
        self.committed = end_offset;
    }
}

/// Crashes after every operation of two boots, then starts again.
fn crash_everywhere(seeds: u64, left_out: fn(&FileOp) -> bool) {
    let run = |seed: u64, disk: &mut TestDisk, history: &mut History| {
        history.run(disk, seed, 24).and_then(|()| history.run(disk, seed + 1, 12))
    };
    let whole = {
        let mut disk = TestDisk::new(0);
        run(0, &mut disk, &mut History::default()).expect("no crash");
        disk.operations
    };
    assert!(whole > 100, "{whole} operations");
    for seed in 0..seeds {
        for death in [Death::Kill, Death::PowerCut] {
            for crash_in in 1..=whole {
                let mut disk = TestDisk::new(seed * 1000 + crash_in);
                disk.left_out = left_out;
                let mut history = History::default();
                disk.crash_in = Some(crash_in);
                let _ = run(seed, &mut disk, &mut history);
                disk.die(death);
                history.run(&mut disk, seed + 2, 3).expect("a healthy start");
            }
        }
    }
}

#[test]
fn a_crash_after_any_operation_loses_nothing_committed() {
    crash_everywhere(3, |_| false);
}

/// Planted bugs: the test above would notice each.
#[test]
fn every_flush_and_directory_sync_is_needed() {
    type LeftOut = fn(&FileOp) -> bool;
    let planted: [(&str, LeftOut); 4] = [
        ("M1: flush of a frame", |op| matches!(op, FileOp::Flush(path) if path == LOG_PATH)),
        ("M2: flush of the new file", |op| matches!(op, FileOp::Flush(path) if path == NEW_LOG_PATH)),
        ("M2: sync of the directory", |op| matches!(op, FileOp::SyncDir(dir) if dir == METADATA_DIR)),
        ("the new file takes the old one's name", |op| matches!(op, FileOp::Rename(_, to) if to == LOG_PATH)),
    ];
    for (name, left_out) in planted {
        let caught = std::panic::catch_unwind(|| crash_everywhere(2, left_out));
        assert!(caught.is_err(), "not noticed: {name}");
    }
}

#[test]
fn many_crashes_in_a_row_lose_nothing_committed() {
    for seed in 0..25 {
        let mut prng = Prng::new(seed);
        let mut disk = TestDisk::new(seed);
        let mut history = History::default();
        for _ in 0..25 {
            let operations = if prng.percent(50) { 20 } else { 200 };
            disk.crash_in = Some(1 + prng.below(operations));
            match history.run(&mut disk, prng.next_u64(), 40) {
                Ok(()) | Err(Refusal::Storage(StorageError::Crashed)) => {}
                Err(refusal) => panic!("seed {seed}: {refusal:?}"),
            }
            disk.die(if prng.percent(50) { Death::Kill } else { Death::PowerCut });
        }
        history.run(&mut disk, 7, 40).expect("a healthy start");
        assert!(history.committed > 20, "progress");
    }
}

#[test]
fn a_crash_after_any_operation_of_a_rewrite_loses_nothing() {
    // Long enough to fill the file, so that rewrites while running and the ballast are among the operations.
    let steps = 700;
    let whole = {
        let mut disk = TestDisk::new(0);
        History::default().run(&mut disk, 0, steps).expect("no crash");
        disk.operations
    };
    let mut prng = Prng::new(1);
    for round in 0..20 {
        let mut disk = TestDisk::new(round);
        let mut history = History::default();
        disk.crash_in = Some(whole / 8 + prng.below(whole));
        let _ = history.run(&mut disk, round, steps);
        disk.die(if round % 2 == 0 { Death::Kill } else { Death::PowerCut });
        history.run(&mut disk, round + 1, 3).expect("a healthy start");
    }
}

/// A log with a snapshot and frames, the last ones without a mark above them: content, image per end offset.
fn some_log() -> (Vec<u8>, Vec<Arc<Image>>) {
    let mut disk = TestDisk::new(5);
    let mut history = History::default();
    history.run(&mut disk, 5, 2).expect("no crash");
    let mut log = MetadataLog::open_or_format(&mut disk, &parameters(6)).expect("opens");
    let mut images = vec![log.image().clone()];
    for number in 100..105 {
        log.append(new_topic(number), at(0));
        history.drive(&mut log, &mut disk, 0, 3).expect("no crash");
        images.push(log.image().clone());
    }
    let used = log.file.position as usize;
    let content = disk.content(LOG_PATH).clone();
    assert!(content[used..].iter().all(|byte| *byte == 0));
    (content, images)
}

fn image_of(bytes: &[u8]) -> Result<Image, ScanError> {
    let scanned = scan(bytes)?;
    let image = Image::from_snapshot(&scanned.snapshot, scanned.snapshot_end_offset).expect("a good snapshot");
    Ok(image.apply(&scanned.records).expect("good records").0)
}

#[test]
fn a_cut_at_any_byte_gives_a_prefix_or_is_refused() {
    let (content, images) = some_log();
    let used = content.iter().rposition(|byte| *byte != 0).expect("content") + 1;
    let snapshot_end = images[0].end_offset();
    let mut prefixes = std::collections::BTreeSet::new();
    let mut refused = false;
    let mut bytes = content;
    for cut in (0..used).rev() {
        bytes[cut] = 0;
        match image_of(&bytes) {
            Ok(image) => {
                assert!(!refused, "cut at {cut}");
                let known = images.iter().find(|known| known.end_offset() == image.end_offset());
                assert_eq!(Some(&image), known.map(|known| &**known), "cut at {cut}");
                prefixes.insert(image.end_offset());
            }
            Err(ScanError::Corrupt(at, _)) => {
                assert!(at <= cut as u64, "cut at {cut}");
                refused = true;
            }
            Err(other) => panic!("cut at {cut}: {other:?}"),
        }
    }
    // All but the whole: a cut inside the snapshot is refused, behind it each prefix is found.
    assert_eq!(prefixes.len(), images.len() - 1);
    assert_eq!(prefixes.first(), Some(&snapshot_end));
}

#[test]
fn a_flipped_byte_below_a_mark_is_refused_never_cut() {
    let (content, images) = some_log();
    let used = content.iter().rposition(|byte| *byte != 0).expect("content") + 1;
    let last = images[images.len() - 1].clone();
    let before_last = images[images.len() - 2].end_offset();
    let (mut refused, mut harmless, mut cut) = (0, 0, 0);
    let mut bytes = content;
    for position in 0..used {
        if position > 0 {
            bytes[position - 1] ^= 0x10;
        }
        bytes[position] ^= 0x10;
        match image_of(&bytes) {
            Err(_) => refused += 1,
            Ok(image) if image == *last => harmless += 1,
            Ok(image) => {
                // Only the last frame has no later mark to vouch for it.
                assert_eq!(image.end_offset(), before_last, "byte {position}");
                cut += 1;
            }
        }
    }
    assert!(refused > 10_000 && harmless > 100 && cut > 100, "{refused} {harmless} {cut}");
}

#[test]
fn a_mark_after_a_pause_guards_the_last_frame_too() {
    let mut disk = TestDisk::new(1);
    let mut log = MetadataLog::open_or_format(&mut disk, &parameters(1)).expect("formats");
    log.append_sync(&mut disk, first_records()).expect("healthy");
    let mut history = History::default();
    log.append(new_topic(1), at(1000));
    history.drive(&mut log, &mut disk, 1000, 1).expect("healthy");
    let frame_at = log.file.position as usize - BLOCK_BYTES as usize;
    assert!(log.poll_ops(at(1099)).is_none(), "too early for a mark");
    history.drive(&mut log, &mut disk, 1100, 1).expect("healthy");
    assert!(log.is_idle());
    disk.content(LOG_PATH)[frame_at + 70] ^= 1;
    match MetadataLog::open_or_format(&mut disk, &parameters(2)) {
        Err(Refusal::Corrupt(why)) => {
            assert!(
                why.contains("metadata/log") && why.contains(&frame_at.to_string()) && why.contains("restore"),
                "{why}"
            );
        }
        other => panic!("{other:?}"),
    }
}
