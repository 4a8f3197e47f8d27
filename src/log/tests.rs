//! A core's log over a disk in memory that never fails: the plain stories. Faults and schedules are the simulator's.

use crate::base::clock::Now;
use crate::base::gather::Gather;
use crate::base::ids::{TopicId, TopicPartition};
use crate::base::limits::DIRECT_BYTES_MIN;
use crate::base::offset::{Durability, LeaderEpoch, Offset, Sequence};
use crate::base::prng::Prng;
use crate::base::storage::{DiskSpace, FileOp, FileOpResult, FilesDone, Storage, StorageError, block_ceil, filler};
use crate::log::contract::Retention;
use crate::log::core_log::{
    Append, AppendError, Appendable, CoreIdentity, CoreLog, KnownTopics, LogSettings, Openness, PartitionSettings,
    Read, Refusal,
};
use crate::log::effect::{LogEffect, LogInput, LogNotice};
use crate::log::log::Log;
use crate::log::tail::TailBatch;
use crate::wire::record_batch;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::{BTreeMap, BTreeSet};

#[derive(Default)]
struct MemoryDisk {
    files: BTreeMap<String, Vec<u8>>,
}

impl MemoryDisk {
    fn put(&mut self, path: &str, offset: u64, data: &[u8]) {
        let file = self.files.get_mut(path).unwrap_or_else(|| panic!("{path} exists"));
        let end = block_ceil(offset + data.len() as u64) as usize;
        if file.len() < end {
            file.resize(end, 0);
        }
        file[offset as usize..end].fill(0);
        file[offset as usize..offset as usize + data.len()].copy_from_slice(data);
    }
}

impl Storage for MemoryDisk {
    fn perform(&mut self, op: &FileOp) -> FileOpResult {
        match op {
            FileOp::CreateNew(path, data) => {
                if self.files.contains_key(path) {
                    return Err(StorageError::Exists);
                }
                self.files.insert(path.clone(), Vec::new());
                self.put(path, 0, &data.to_vec());
            }
            FileOp::CreateSized { path, bytes, .. } => {
                assert!(self.files.insert(path.clone(), vec![0; *bytes as usize]).is_none());
            }
            FileOp::Write { path, offset, data } => self.put(path, *offset, &data.to_vec()),
            FileOp::Rename(from, to) => {
                let file = self.files.remove(from).ok_or(StorageError::NotFound)?;
                self.files.insert(to.clone(), file);
            }
            FileOp::Unlink(path) => drop(self.files.remove(path)),
            FileOp::UnlinkExcept { dir, suffix, keep } => {
                let prefix = format!("{dir}/");
                self.files.retain(|path, _| {
                    let name = path.strip_prefix(&prefix);
                    name.is_none_or(|name| !name.ends_with(suffix) || keep.iter().any(|one| one == name))
                });
            }
            FileOp::RemoveDirAll(dir) => self.files.retain(|path, _| !path.starts_with(&format!("{dir}/"))),
            FileOp::Read { path, offset, bytes } => {
                let file = self.files.get(path).ok_or(StorageError::NotFound)?;
                let end = file.len().min((*offset + *bytes) as usize);
                return Ok(Some(Bytes::copy_from_slice(&file[*offset as usize..end])));
            }
            FileOp::CreateDirs(_) | FileOp::Flush(_) | FileOp::SyncDir(_) | FileOp::SyncAll => {}
        }
        Ok(None)
    }

    fn list(&mut self, dir: &str) -> Result<Vec<String>, StorageError> {
        let prefix = format!("{dir}/");
        let names: BTreeSet<String> = self
            .files
            .keys()
            .filter_map(|path| path.strip_prefix(&prefix))
            .map(|rest| rest.split('/').next().unwrap().to_string())
            .collect();
        Ok(names.into_iter().collect())
    }

    fn size(&mut self, path: &str) -> Result<u64, StorageError> {
        self.files.get(path).map(|file| file.len() as u64).ok_or(StorageError::NotFound)
    }

    fn space(&mut self) -> Result<DiskSpace, StorageError> {
        Ok(DiskSpace { total_bytes: 1 << 40, free_bytes: 1 << 40 })
    }
}

struct Machine {
    disk: MemoryDisk,
    log: CoreLog,
    boot: u32,
    now: Now,
    notices: Vec<LogNotice>,
    journal_file_bytes: u64,
    /// Large slices that went to journal and segments, and those of them that lay right (`base::storage::filler`).
    large: (usize, usize),
}

const TOPIC: TopicId = TopicId([7; 16]);

fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: TOPIC, partition: index }
}

const JOURNAL_FILE_BYTES: u64 = 64 * 1024;

fn settings(journal_file_bytes: u64) -> LogSettings {
    LogSettings {
        journal_files: 4,
        journal_file_bytes,
        journal_zeroed: true,
        journal_accept_loss: false,
        tail_cache_bytes: 0,
        retention_check_ms: 60_000,
    }
}

fn topics() -> KnownTopics {
    let settings = PartitionSettings {
        durability: Durability::Disk,
        segment_bytes: 100_000,
        segment_ms: 1 << 40,
        retention: Retention::default(),
    };
    KnownTopics {
        partitions: (0..4).map(|index| (partition(index), settings)).collect(),
        live: BTreeSet::from([TOPIC]),
        deleted: BTreeSet::new(),
    }
}

fn recover(disk: &mut MemoryDisk, boot: u32, journal_file_bytes: u64) -> CoreLog {
    let identity = CoreIdentity { generation: 1, core: 0, boot, seed: u64::from(boot), accept_loss: false };
    CoreLog::recover(disk, identity, settings(journal_file_bytes), &topics(), 0).expect("a healthy disk")
}

impl Machine {
    fn new() -> Machine {
        let mut machine = Machine::started_just_now(JOURNAL_FILE_BYTES);
        machine.settle();
        machine
    }

    fn started_just_now(journal_file_bytes: u64) -> Machine {
        let mut disk = MemoryDisk::default();
        CoreLog::format(&mut disk, 1, 0, 1, 77, Vec::new()).unwrap();
        let log = recover(&mut disk, 2, journal_file_bytes);
        let now = Now { monotonic_ns: 0, wall_ms: 0 };
        Machine { disk, log, boot: 2, now, notices: Vec::new(), journal_file_bytes, large: (0, 0) }
    }

    fn note_large(&mut self, offset: u64, data: &Gather) {
        let mut position = offset;
        for slice in data.slices() {
            if slice.len() >= DIRECT_BYTES_MIN {
                self.large.0 += 1;
                self.large.1 += usize::from(filler(slice, position) == 0);
            }
            position += slice.len() as u64;
        }
    }

    /// With 300 batches of partition 1, most of them in segments.
    fn with_segments() -> Machine {
        let mut machine = Machine::new();
        for number in 0..300 {
            machine.append_until_taken(partition(1), (-1, number), 2000);
        }
        machine.settle();
        machine
    }

    fn segment_files(&self) -> usize {
        self.disk.files.keys().filter(|path| path.ends_with(".segment")).count()
    }

    fn restart(&mut self) {
        self.boot += 1;
        self.notices.clear();
        self.log = recover(&mut self.disk, self.boot, self.journal_file_bytes);
        self.log.check();
    }

    /// Performs effects until nothing happens any more.
    fn settle(&mut self) {
        loop {
            self.now.monotonic_ns += 200_000_000;
            self.log.handle_tick(self.now, 1 << 40);
            self.log.end_turn(self.now, false);
            let mut idle = true;
            while let Some(effect) = self.log.poll_effect() {
                idle = false;
                let input = self.perform(effect);
                if let Some(input) = input {
                    self.log.handle(input, self.now);
                    self.log.check();
                }
                self.log.end_turn(self.now, false);
            }
            while let Some(notice) = self.log.poll_notice() {
                self.notices.push(notice);
            }
            if idle {
                return;
            }
        }
    }

    fn perform(&mut self, effect: LogEffect) -> Option<LogInput> {
        match effect {
            LogEffect::JournalWrite { ticket, path, offset, data } => {
                assert_eq!(offset % 4096, 0);
                self.note_large(offset, &data);
                self.disk.put(&path, offset, &data.to_vec());
                Some(LogInput::JournalWritten { ticket, result: Ok(()) })
            }
            LogEffect::JournalWriteThrough { ticket, path, offset, data } => {
                assert_eq!(offset % 4096, 0);
                self.disk.put(&path, offset, &data.to_vec());
                Some(LogInput::JournalFlushed { ticket, result: Ok(()) })
            }
            LogEffect::JournalFlush { ticket, .. } => Some(LogInput::JournalFlushed { ticket, result: Ok(()) }),
            LogEffect::JournalClosed { .. } => None,
            LogEffect::Scan { ticket, scan } => Some(LogInput::Scanned { ticket, found: scan.perform() }),
            LogEffect::Files { ticket, ops } => {
                for op in &ops {
                    match op {
                        FileOp::CreateNew(_, data) => self.note_large(0, data),
                        FileOp::Write { offset, data, .. } => self.note_large(*offset, data),
                        _ => {}
                    }
                }
                let results = ops.iter().map(|op| self.disk.perform(op)).collect();
                Some(LogInput::Files { ticket, done: FilesDone { results } })
            }
        }
    }

    fn open(&mut self, partition: TopicPartition) {
        while self.log.open(partition) == Openness::Opening {
            self.settle();
        }
        assert_eq!(self.log.open(partition), Openness::Open);
    }

    fn append(&mut self, partition: TopicPartition, producer: (i64, i32), payload: usize) -> Result<i64, AppendError> {
        self.open(partition);
        let mut bytes = vec![0u8; record_batch::HEADER_BYTES + payload];
        let length = (bytes.len() - record_batch::LENGTH_PREFIX_BYTES) as i32;
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        bytes[16] = 2;
        bytes[23..27].copy_from_slice(&1i32.to_be_bytes());
        bytes[43..51].copy_from_slice(&producer.0.to_be_bytes());
        bytes[51..53].copy_from_slice(&0i16.to_be_bytes());
        bytes[53..57].copy_from_slice(&producer.1.to_be_bytes());
        bytes[57..61].copy_from_slice(&2i32.to_be_bytes());
        let crc = crc32c::crc32c(&bytes[21..]);
        bytes[17..21].copy_from_slice(&crc.to_be_bytes());
        let header = record_batch::parse_header(&bytes).unwrap();
        // Somewhere inside a request, so at any address.
        let (request_bytes, before) = (bytes.len() + 5000, self.now.monotonic_ns as usize / 7 % 5000 + payload % 13);
        let mut batch = BytesMut::zeroed(before);
        batch.reserve(bytes.len());
        batch.extend_from_slice(&bytes);
        batch.advance(before);
        let append = Append { batch, header, buffer_bytes: request_bytes };
        self.log
            .append(partition, append, LeaderEpoch(self.boot as i32), self.now)
            .map(|appended| appended.base_offset.0)
    }

    fn append_until_taken(&mut self, partition: TopicPartition, producer: (i64, i32), payload: usize) -> i64 {
        loop {
            match self.append(partition, producer, payload) {
                Ok(base) => return base,
                Err(AppendError::NotAppendable(Appendable::Paused)) => self.settle(),
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    /// Base offsets of all batches from `from` to the high watermark.
    fn read_all(&mut self, partition: TopicPartition, from: i64) -> Vec<i64> {
        self.open(partition);
        let until = self.log.offsets(partition).unwrap().high_watermark;
        let (mut from, mut bases) = (Offset(from), Vec::new());
        while from < until {
            let gather = match self.log.read(partition, from, until, 10_000, true) {
                Read::Ready(gather) => gather,
                Read::Pending(ticket) => {
                    self.settle();
                    let done = self.notices.iter().find_map(|notice| match notice {
                        LogNotice::ReadDone { ticket: done, data } if *done == ticket => Some(data.clone()),
                        _ => None,
                    });
                    done.expect("the read ended").expect("no rot")
                }
                Read::Offline => panic!("offline"),
            };
            let (bytes, mut at) = (gather.to_vec(), 0);
            assert!(!bytes.is_empty());
            while at < bytes.len() {
                let header = record_batch::parse_header(&bytes[at..]).unwrap();
                bases.push(header.base_offset);
                from = Offset(header.base_offset + 2);
                at += header.total_bytes;
            }
        }
        bases
    }
}

#[test]
fn records_survive_recycling_rolls_and_restarts_at_their_offsets() {
    let mut machine = Machine::new();
    let mut expected: [i64; 4] = [0; 4];
    for round in 0..3 {
        for index in 0..400 {
            let (slot, payload) = (index % 4, if index % 4 == 0 { 50 } else { 2500 });
            let base = machine.append_until_taken(
                partition(slot as i32),
                (slot as i64, (expected[slot] % (1 << 31)) as i32),
                payload,
            );
            assert_eq!(base, expected[slot], "round {round}");
            expected[slot] += 2;
        }
        machine.settle();
        machine.restart();
        for (slot, end) in expected.into_iter().enumerate() {
            let offsets = machine.log.offsets(partition(slot as i32)).unwrap();
            assert_eq!(offsets.high_watermark.0, end);
            let bases = machine.read_all(partition(slot as i32), 0);
            assert_eq!(bases, (0..end / 2).map(|one| one * 2).collect::<Vec<_>>());
        }
    }
    let segments = machine.segment_files();
    assert!(segments > 10, "{segments}");
}

/// Large batches are written from where they were received: journal and segments leave a filler before them.
#[test]
fn large_batches_lie_right_and_survive() {
    let mut machine = Machine::started_just_now(1024 * 1024);
    machine.settle();
    let (mut prng, mut end) = (Prng::new(5), 0);
    for _ in 0..3 {
        for _ in 0..40 {
            let large = prng.percent(60);
            let payload = if large { DIRECT_BYTES_MIN } else { 10 } + prng.below(150_000) as usize;
            assert_eq!(machine.append_until_taken(partition(1), (-1, 0), payload), end);
            end += 2;
            if prng.percent(50) {
                machine.settle();
            }
        }
        machine.settle();
        machine.restart();
        assert_eq!(machine.read_all(partition(1), 0), (0..end / 2).map(|one| one * 2).collect::<Vec<_>>());
    }
    let (large, right) = machine.large;
    assert!(right * 10 > large * 9 && machine.segment_files() > 3, "{right} of {large}");
}

#[test]
fn duplicates_are_known_after_moves_and_restarts() {
    let mut machine = Machine::new();
    for number in 0..300 {
        machine.append_until_taken(partition(1), (9, number * 2), 2000);
        machine.append_until_taken(partition(2), (9, number * 2), 20);
    }
    machine.settle();
    for _ in 0..2 {
        for index in [1, 2] {
            for number in 295..300 {
                assert_eq!(machine.append(partition(index), (9, number * 2), 20), Ok(i64::from(number) * 2));
            }
            assert_eq!(machine.append(partition(index), (9, 601), 20), Err(AppendError::OutOfOrderSequence));
        }
        machine.restart();
    }
}

#[test]
fn deleted_records_and_topics_give_their_space_back() {
    let mut machine = Machine::with_segments();
    let before = machine.segment_files();
    machine.log.delete_records(partition(1), Offset(500), machine.now).unwrap();
    for _ in 0..10 {
        machine.settle();
    }
    assert!(machine.segment_files() < before, "{} of {before}", machine.segment_files());
    machine.restart();
    assert_eq!(machine.log.offsets(partition(1)).unwrap().log_start, Offset(500));
    assert_eq!(machine.read_all(partition(1), 500)[0], 500);
    machine.log.delete_topic(TOPIC, machine.now.monotonic_ms());
    for _ in 0..10 {
        machine.settle();
    }
    assert_eq!(machine.segment_files(), 0);
    assert!(machine.notices.iter().any(|notice| matches!(notice, LogNotice::Forgotten { topic: TOPIC })));
}

#[test]
fn retention_moves_the_log_start_and_gives_space_back() {
    let mut machine = Machine::with_segments();
    let before = machine.segment_files();
    assert!(before > 4);
    machine.now.monotonic_ns += 120_000_000_000;
    machine.settle();
    assert_eq!(machine.log.offsets(partition(1)).unwrap().log_start, Offset(0), "without bounds nothing goes");
    let retention = Retention { ms: None, bytes: Some(250_000) };
    let (_, settings) = topics().partitions[1];
    machine.log.configure_partition(partition(1), PartitionSettings { retention, ..settings });
    machine.now.monotonic_ns += 60_000_000_000;
    for _ in 0..10 {
        machine.settle();
    }
    let log_start = machine.log.offsets(partition(1)).unwrap().log_start;
    assert!(log_start > Offset(250) && log_start < Offset(480), "{log_start}: whole segments, and 250,000 bytes stay");
    assert!(
        machine
            .notices
            .iter()
            .any(|notice| matches!(notice, LogNotice::Retained { log_start: to, .. } if *to == log_start))
    );
    assert!(machine.segment_files() < before, "{} of {before}", machine.segment_files());
    assert_eq!(machine.log.offsets(partition(0)).unwrap().log_start, Offset(0));
    machine.restart();
    assert_eq!(machine.log.offsets(partition(1)).unwrap().log_start, log_start);
    assert_eq!(machine.read_all(partition(1), log_start.0)[0], log_start.0);
}

#[test]
fn truncation_survives_a_restart() {
    let mut machine = Machine::new();
    for number in 0..10 {
        machine.append(partition(0), (3, number * 2), 100).unwrap();
    }
    machine.log.truncate(partition(0), Offset(9), machine.now).unwrap();
    assert_eq!(machine.append(partition(0), (3, 8), 100), Ok(8));
    machine.settle();
    machine.restart();
    assert_eq!(machine.read_all(partition(0), 0), vec![0, 2, 4, 6, 8]);
    assert_eq!(machine.append(partition(0), (3, 8), 100), Ok(8));
}

#[test]
fn a_drain_puts_everything_into_segments() {
    let mut machine = Machine::new();
    for number in 0..20 {
        machine.append(partition(0), (3, number * 2), 100).unwrap();
    }
    machine.settle();
    let identity = CoreIdentity { generation: 1, core: 0, boot: 9, seed: 0, accept_loss: false };
    let partitions = CoreLog::drain(&mut machine.disk, identity, &topics(), 0).unwrap();
    CoreLog::format(&mut machine.disk, 2, 0, 9, 78, partitions).unwrap();
    let identity = CoreIdentity { generation: 2, core: 0, boot: 9, seed: 1, accept_loss: false };
    machine.log = CoreLog::recover(&mut machine.disk, identity, settings(JOURNAL_FILE_BYTES), &topics(), 0).unwrap();
    assert_eq!(machine.read_all(partition(0), 0).len(), 20);
    assert_eq!(machine.append(partition(0), (3, 38), 100), Ok(38));
}

/// Found by the simulator: the frames of an offline partition were kept, the truncation behind them was not, and after the
/// restart the batches that it had cut were back.
#[test]
fn frames_kept_for_an_offline_partition_reach_up_to_its_newest_truncation() {
    let batch = |base: i64, sequence: u64| TailBatch {
        base: Offset(base),
        end: Offset(base + 1),
        sequence: Sequence(sequence),
        again: false,
        bytes: Bytes::from_static(b"a batch"),
        max_timestamp: 0,
        cost: 7,
    };
    let (id, settings) = topics().partitions[0];
    let mut log = Log::recovered(id, settings, Offset::ZERO, Vec::new(), vec![batch(0, 5)]);
    log.push(batch(1, 6));
    log.truncate(Offset(1), Sequence(7));
    log.take_offline("a failed segment write".to_string());
    assert_eq!(log.held(), Some((Sequence(5), Sequence(7))));
}

#[test]
fn s15_a_damaged_journal_refuses_the_start_until_the_loss_is_accepted() {
    let mut machine = Machine::new();
    for number in 0..8 {
        machine.append(partition(0), (3, number * 2), 5000).unwrap();
        machine.settle();
    }
    let journal = machine.disk.files.iter_mut().find(|(path, _)| path.ends_with(".journal")).expect("one file").1;
    let middle = journal.iter().rposition(|byte| *byte != 0).expect("not empty") / 2;
    journal[middle..middle + 4096].fill(0x55);
    let identity = |boot, accept_loss| CoreIdentity { generation: 1, core: 0, boot, seed: 5, accept_loss };
    let refused = CoreLog::recover(&mut machine.disk, identity(3, false), settings(JOURNAL_FILE_BYTES), &topics(), 0);
    let Err(Refusal::Corrupt(text)) = refused else { panic!("started over damaged frames") };
    assert!(text.contains("journal.accept.loss=true") && text.contains(".journal"), "{text}");
    machine.log = CoreLog::recover(&mut machine.disk, identity(4, true), settings(JOURNAL_FILE_BYTES), &topics(), 0)
        .expect("accepted");
    let kept = machine.read_all(partition(0), 0).len();
    assert!((1..8).contains(&kept), "{kept}");
    let base = machine.append_until_taken(partition(0), (-1, 0), 100);
    assert_eq!(base, kept as i64 * 2);
    machine.settle();
    // The marks of what was given up refuse no later start.
    machine.log = CoreLog::recover(&mut machine.disk, identity(5, false), settings(JOURNAL_FILE_BYTES), &topics(), 0)
        .expect("healthy again");
    assert_eq!(machine.read_all(partition(0), 0).len(), kept + 1);
}

/// The journal effects that the log wants performed now.
fn journal_effects(machine: &mut Machine, gather: bool) -> Vec<LogEffect> {
    machine.log.end_turn(machine.now, gather);
    std::iter::from_fn(|| machine.log.poll_effect())
        .filter(|effect| !matches!(effect, LogEffect::Files { .. }))
        .collect()
}

#[test]
fn a_little_that_comes_alone_is_written_and_flushed_by_one_operation() {
    let mut machine = Machine::new();
    machine.append_until_taken(partition(1), (-1, 0), 100);
    machine.settle();
    machine.append_until_taken(partition(1), (-1, 0), 100);
    let effects = journal_effects(&mut machine, false);
    let [through @ LogEffect::JournalWriteThrough { .. }] = &effects[..] else { panic!("{effects:?}") };
    machine.append_until_taken(partition(1), (-1, 0), 100);
    assert!(journal_effects(&mut machine, false).is_empty(), "what comes meanwhile goes together afterwards");
    let flushed = machine.perform(through.clone()).expect("ended");
    assert!(matches!(flushed, LogInput::JournalFlushed { .. }));
    machine.log.handle(flushed, machine.now);
    machine.log.check();
    assert_eq!(machine.log.offsets(partition(1)).unwrap().high_watermark, Offset(4), "two batches of two records");
    assert!(matches!(&journal_effects(&mut machine, false)[..], [LogEffect::JournalWriteThrough { .. }]));
}

#[test]
fn much_is_written_side_by_side_and_flushed_together() {
    let mut machine = Machine::new();
    machine.append_until_taken(partition(1), (-1, 0), 40_000);
    machine.settle();
    // The second goes into the next file.
    for _ in 0..2 {
        machine.append(partition(1), (-1, 0), 10_000).expect("appended");
    }
    let effects = journal_effects(&mut machine, true);
    assert!(matches!(&effects[..], [LogEffect::JournalWrite { .. }, LogEffect::JournalWrite { .. }]), "{effects:?}");
    assert!(!machine.log.is_gathering(), "there is no need to wait for more");
}

#[test]
fn a_little_waits_for_more_if_told_to() {
    let mut machine = Machine::new();
    machine.append_until_taken(partition(1), (-1, 0), 100);
    machine.settle();
    assert!(journal_effects(&mut machine, true).is_empty() && !machine.log.is_gathering(), "nothing waits");
    machine.append_until_taken(partition(1), (-1, 0), 100);
    assert!(journal_effects(&mut machine, true).is_empty() && machine.log.is_gathering());
    machine.append_until_taken(partition(2), (-1, 0), 100);
    assert!(matches!(&journal_effects(&mut machine, false)[..], [LogEffect::JournalWriteThrough { .. }]));
    assert!(!machine.log.is_gathering());
}

#[test]
fn class_device_is_told_of_the_write_before_the_flush() {
    let mut machine = Machine::new();
    let (_, disk) = topics().partitions[0];
    let device = PartitionSettings { durability: Durability::Device, ..disk };
    machine.log.configure_partition(partition(1), device);
    machine.append_until_taken(partition(1), (-1, 0), 100);
    machine.settle();
    machine.append_until_taken(partition(1), (-1, 0), 100);
    let effects = journal_effects(&mut machine, false);
    let [write @ LogEffect::JournalWrite { .. }] = &effects[..] else { panic!("{effects:?}") };
    let written = machine.perform(write.clone()).expect("ended");
    machine.log.handle(written, machine.now);
    assert_eq!(machine.log.offsets(partition(1)).unwrap().high_watermark, Offset(4));
    assert!(matches!(&journal_effects(&mut machine, false)[..], [LogEffect::JournalFlush { .. }]));
}

/// A write of an earlier boot was in flight at a kill -9 and landed after the next start; that start's first frame, which denies
/// it, was lost by a power cut. Records that class memory had acknowledged meanwhile were followed by older ones.
#[test]
fn nothing_is_appended_before_the_first_frame_of_the_boot_is_flushed() {
    let mut machine = Machine::started_just_now(JOURNAL_FILE_BYTES);
    assert_eq!(machine.log.open(partition(1)), Openness::Open);
    let refused = machine.append(partition(1), (-1, 0), 100);
    assert_eq!(refused, Err(AppendError::NotAppendable(Appendable::Paused)));
    machine.settle();
    assert!(machine.notices.iter().any(|notice| matches!(notice, LogNotice::Writable)));
    assert_eq!(machine.append(partition(1), (-1, 0), 100), Ok(0));
}
