//! Recovery of a core's log, straight-line code over `Storage`: checkpoint, journal, then one log per partition.
//!
//! Order (S13 to S18): metadata came first (the caller) -> checkpoint loaded and made durable in a fresh file -> every journal file
//! scanned -> accepted frames made durable -> replay into a map by offset per partition -> contiguity -> this boot's first journal
//! file. Partitions stay closed; state is loaded when first needed. Nothing of a partition's data is walked.

use crate::base::ids::{TopicId, TopicPartition};
use crate::base::offset::{Offset, Sequence};
use crate::base::prng::Prng;
use crate::base::storage::{FileOp, Storage, StorageError, perform_all};
use crate::log::checkpoint::{Checkpoint, CheckpointPartition, CheckpointSegment, slot_name};
use crate::log::core_log::{CoreIdentity, CoreLog, KnownTopics, LogSettings, PartitionSettings, Refusal, journal_dir};
use crate::log::journal::{HeldRange, Journal, JournalFile, JournalStart, file_path};
use crate::log::journal_frame::FrameBody;
use crate::log::journal_scan::{Accepted, JournalScan};
use crate::log::log::Log;
use crate::log::opening::open_blocking;
use crate::log::segment_move::{self, MoveContext};
use crate::log::segment_writer::SegmentWriter;
use crate::log::tail::TailBatch;
use std::collections::BTreeMap;

/// What replay makes of one partition.
#[derive(Debug, Default)]
struct Replayed {
    log_start: Offset,
    segments: Vec<CheckpointSegment>,
    batches: BTreeMap<Offset, TailBatch>,
    truncated_at: Sequence,
}

/// A core's log before it begins to write.
struct Replay {
    checkpoint: Checkpoint,
    accepted: Accepted,
    next_number: u64,
    logs: Vec<Log>,
    deleted: Vec<TopicId>,
}

impl CoreLog {
    /// First start of a generation's core: directory and first checkpoint, durable on return. `seed` is random, `partitions` come
    /// from a drain (S19).
    pub fn format(
        storage: &mut dyn Storage,
        generation: u32,
        core: u16,
        boot: u32,
        seed: u64,
        partitions: Vec<CheckpointPartition>,
    ) -> Result<(), Refusal> {
        let dir = journal_dir(generation, core);
        let key = Prng::new(seed).next_u64();
        let checkpoint = Checkpoint { number: 1, generation, core, boot, key, first_live: Sequence(1), partitions };
        let mut ops = vec![FileOp::CreateDirs(dir.clone())];
        ops.extend(checkpoint.write_ops(&dir, false));
        let parent = format!("journal/{generation}");
        ops.extend([parent, "journal".to_string(), ".".to_string()].map(FileOp::SyncDir));
        perform_all(storage, &ops).map_err(Refusal::Storage)
    }

    /// Recovers a core's log and begins this boot's journal. `seed` and the clock are the caller's.
    pub fn recover(
        storage: &mut dyn Storage,
        identity: CoreIdentity,
        settings: LogSettings,
        topics: &KnownTopics,
        now_ms: u64,
    ) -> Result<CoreLog, Refusal> {
        let mut replay = Replay::read(storage, &identity, topics)?;
        let dir = journal_dir(identity.generation, identity.core);
        let (mut dead_files, unneeded) = replay.accepted.files();
        for path in unneeded {
            storage.perform(&FileOp::Unlink(path.to_string())).map_err(Refusal::Storage)?;
        }
        if dead_files.len() >= settings.journal_files {
            replay.drain_ring(storage, &identity, &mut dead_files, now_ms)?;
        }
        let first_file = file_path(&dir, replay.next_number);
        let create =
            FileOp::CreateSized { path: first_file.clone(), bytes: settings.journal_file_bytes, zeroed: false };
        perform_all(storage, &[create, FileOp::SyncDir(dir.clone())]).map_err(Refusal::Storage)?;
        let journal = Journal::start(JournalStart {
            dir,
            generation: identity.generation,
            boot: identity.boot,
            accepted_end: replay.accepted.end,
            dead_files,
            first_file,
            next_number: replay.next_number + 1,
            checkpoint: replay.checkpoint.number,
            key: replay.checkpoint.key,
            ring_files: settings.journal_files,
            file_bytes: settings.journal_file_bytes,
            zeroed: settings.journal_zeroed,
        });
        let mut core = CoreLog::assemble(identity, settings, journal, replay.logs);
        core.writer = SegmentWriter::starting_at(&replay.checkpoint);
        for topic in replay.deleted {
            core.note_deletion(topic, Vec::new());
            core.writer.want_housekeeping(now_ms);
        }
        Ok(core)
    }

    /// S19: moves everything of an old generation's core into segments, durable on return, and gives what its partitions are then.
    /// Deletes nothing; refuses when a partition is offline.
    pub fn drain(
        storage: &mut dyn Storage,
        identity: CoreIdentity,
        topics: &KnownTopics,
        now_ms: u64,
    ) -> Result<Vec<CheckpointPartition>, Refusal> {
        let mut replay = Replay::read(storage, &identity, topics)?;
        replay.move_tails(storage, identity.boot, now_ms)?;
        if let Some(log) = replay.logs.iter().find(|log| log.is_offline()) {
            return Err(Refusal::Corrupt(format!(
                "partition {} is offline ({:?}): the number of cores cannot change while its records lie in the journal only. \
                 Start with the previous number of cores, or restore its files.",
                log.partition, log.state
            )));
        }
        Ok(replay.partitions())
    }
}

impl Replay {
    fn read(storage: &mut dyn Storage, identity: &CoreIdentity, topics: &KnownTopics) -> Result<Replay, Refusal> {
        let dir = journal_dir(identity.generation, identity.core);
        let checkpoint = Checkpoint::load(storage, &dir).map_err(Refusal::Storage)?.ok_or_else(|| {
            Refusal::Corrupt(format!("{dir}: no checkpoint slot is readable. Without one the journal cannot be placed: restore {dir}/checkpoint.* from a copy."))
        })?;
        if (checkpoint.generation, checkpoint.core) != (identity.generation, identity.core)
            || checkpoint.boot > identity.boot
        {
            return Err(Refusal::Corrupt(format!(
                "{dir}: checkpoint {} is of generation {}, core {}, boot {}, which is not this core's or newer than the metadata \
                 log. Restore the slots that belong here. Nothing was removed.",
                checkpoint.number, checkpoint.generation, checkpoint.core, checkpoint.boot
            )));
        }
        renew_checkpoint(storage, &dir, &checkpoint).map_err(Refusal::Storage)?;
        let scan = JournalScan::read(storage, &dir, identity, &checkpoint)?;
        let next_number = scan.next_number;
        let accepted = scan.accept(&checkpoint)?;
        accepted.make_durable(storage, &dir).map_err(Refusal::Storage)?;
        let (logs, deleted) = replay(&checkpoint, &accepted, topics)?;
        remove_other_slot(storage, &dir, &checkpoint).map_err(Refusal::Storage)?;
        Ok(Replay { checkpoint, accepted, next_number, logs, deleted })
    }

    /// Moves every tail with blocking writes and makes it durable.
    fn move_tails(&mut self, storage: &mut dyn Storage, boot: u32, now_ms: u64) -> Result<(), Refusal> {
        let context = MoveContext { boot, now_ms };
        for log in self.logs.iter_mut().filter(|log| log.tail.has_pinned() && !log.is_offline()) {
            open_blocking(storage, log)
                .map_err(|why| Refusal::Corrupt(format!("partition {}: {why}", log.partition)))?;
            let mut plan = segment_move::plan(log, context, &[]);
            let ops = std::mem::take(&mut plan.ops);
            perform_all(storage, &ops).map_err(Refusal::Storage)?;
            segment_move::apply(log, plan, |_, _| {});
            log.tail.evict(log.segment_end());
        }
        storage.perform(&FileOp::SyncAll).map_err(Refusal::Storage)?;
        Ok(())
    }

    /// What a checkpoint says of the partitions now; an offline one keeps its frames (S11).
    fn partitions(&self) -> Vec<CheckpointPartition> {
        let one = |log: &Log| CheckpointPartition {
            partition: log.partition,
            log_start: log.log_start,
            held: log.held(),
            segments: log.segments.iter().map(CheckpointSegment::from).collect(),
        };
        let named =
            |one: &CheckpointPartition| !one.segments.is_empty() || one.log_start > Offset::ZERO || one.held.is_some();
        self.logs.iter().map(one).filter(named).collect()
    }

    /// S12: crash loops have used up the spare files. Tails go into segments, a checkpoint says so, dead files go.
    fn drain_ring(
        &mut self,
        storage: &mut dyn Storage,
        identity: &CoreIdentity,
        dead_files: &mut Vec<JournalFile>,
        now_ms: u64,
    ) -> Result<(), Refusal> {
        for log in self.logs.iter_mut().filter(|log| log.tail.has_pinned() && !log.is_offline()) {
            // Rot in a segment costs that partition, never the start (S18).
            if let Err(why) = open_blocking(storage, log) {
                log.take_offline(why);
            }
        }
        self.move_tails(storage, identity.boot, now_ms)?;
        let dir = journal_dir(identity.generation, identity.core);
        self.checkpoint = Checkpoint {
            number: self.checkpoint.number + 1,
            boot: identity.boot,
            first_live: self.accepted.end.next(),
            partitions: self.partitions(),
            ..self.checkpoint.clone()
        };
        perform_all(storage, &self.checkpoint.write_ops(&dir, false)).map_err(Refusal::Storage)?;
        let held: Vec<HeldRange> = self.logs.iter().filter_map(Log::held).collect();
        let is_held = |file: &JournalFile| held.iter().any(|(first, last)| *first <= file.last && file.first <= *last);
        let (keep, gone) = std::mem::take(dead_files).into_iter().partition::<Vec<_>, _>(is_held);
        *dead_files = keep;
        for file in gone {
            storage.perform(&FileOp::Unlink(file.path.to_string())).map_err(Refusal::Storage)?;
        }
        Ok(())
    }
}

/// The checkpoint gets a fresh file before anything is decided by it (S5, S17): a killed process may still write into the old one.
fn renew_checkpoint(storage: &mut dyn Storage, dir: &str, checkpoint: &Checkpoint) -> Result<(), StorageError> {
    perform_all(storage, &checkpoint.write_ops(dir, false))
}

/// The journal agrees with the checkpoint: the other slot goes, before this boot acts on anything.
fn remove_other_slot(storage: &mut dyn Storage, dir: &str, checkpoint: &Checkpoint) -> Result<(), StorageError> {
    let other = format!("{dir}/{}", slot_name(checkpoint.number + 1));
    perform_all(storage, &[FileOp::Unlink(other), FileOp::SyncDir(dir.to_string())])
}

/// Frames in sequence order into a map by offset per partition (S16); ids that metadata does not know refuse the start (S13).
fn replay(
    checkpoint: &Checkpoint,
    accepted: &Accepted,
    topics: &KnownTopics,
) -> Result<(Vec<Log>, Vec<TopicId>), Refusal> {
    let settings: BTreeMap<TopicPartition, PartitionSettings> = topics.partitions.iter().copied().collect();
    let mut partitions: BTreeMap<TopicPartition, Replayed> = BTreeMap::new();
    for one in &checkpoint.partitions {
        if is_known(topics, one.partition, "the checkpoint")? {
            let segments = one.segments.clone();
            partitions.insert(one.partition, Replayed { log_start: one.log_start, segments, ..Replayed::default() });
        }
    }
    for candidate in accepted.held.iter().chain(accepted.live.values()) {
        let frame = &candidate.frame;
        let partition = match &frame.body {
            FrameBody::Append { partition, .. }
            | FrameBody::Truncate { partition, .. }
            | FrameBody::LogStart { partition, .. } => *partition,
            FrameBody::Mark | FrameBody::Boot { .. } => continue,
        };
        if is_known(topics, partition, "the journal")? {
            apply_frame(partitions.entry(partition).or_default(), &frame.body, frame.place.sequence);
        }
    }
    for (partition, _) in &topics.partitions {
        partitions.entry(*partition).or_default();
    }
    let mut logs = Vec::with_capacity(partitions.len());
    for (partition, replayed) in partitions {
        let settings = settings.get(&partition).ok_or_else(|| {
            Refusal::Corrupt(format!("partition {partition} has records on a core that metadata does not place it on"))
        })?;
        logs.push(finish(partition, *settings, replayed));
    }
    // Every id that waits to be forgotten is asked for again: this core may be the last to name it.
    Ok((logs, topics.deleted.iter().copied().collect()))
}

fn is_known(topics: &KnownTopics, partition: TopicPartition, place: &str) -> Result<bool, Refusal> {
    if topics.live.contains(&partition.topic) {
        return Ok(true);
    }
    if topics.deleted.contains(&partition.topic) {
        return Ok(false);
    }
    Err(Refusal::Corrupt(format!(
        "{place} names topic {}, which the metadata log does not know. The metadata directory is older than the data: restore the \
         one that belongs to it. Nothing was removed.",
        partition.topic
    )))
}

fn apply_frame(replayed: &mut Replayed, body: &FrameBody, sequence: Sequence) {
    match body {
        FrameBody::Append { base, end, batch, again, .. } => {
            // The batch was copied out of its file alone, so it keeps nothing else alive.
            let (bytes, cost) = (batch.clone(), batch.len());
            let max_timestamp = crate::wire::record_batch::max_timestamp(&bytes);
            let batch = TailBatch { base: *base, end: *end, sequence, again: *again, bytes, cost, max_timestamp };
            replayed.batches.insert(*base, batch);
        }
        FrameBody::Truncate { end, .. } => {
            replayed.batches.retain(|_, batch| batch.end <= *end);
            replayed.truncated_at = sequence;
        }
        FrameBody::LogStart { start, .. } => replayed.log_start = replayed.log_start.max(*start),
        FrameBody::Mark | FrameBody::Boot { .. } => {}
    }
}

/// The partition must go on without a hole where its segments end, else it is offline.
fn finish(partition: TopicPartition, settings: PartitionSettings, replayed: Replayed) -> Log {
    let segments: Vec<_> = replayed.segments.iter().map(|segment| segment.to_segment()).collect();
    let segment_end = segments.last().map_or(Offset::ZERO, |segment| segment.end);
    // All of them, those behind a hole too: whoever repairs the partition needs them (S11).
    let unmoved = replayed.batches.values().filter(|batch| batch.end > segment_end);
    let sequences: Vec<Sequence> = unmoved.map(|batch| batch.sequence).collect();
    let mut end = segment_end;
    let mut hole = None;
    let mut batches = Vec::new();
    for batch in replayed.batches.into_values().filter(|batch| batch.end > segment_end) {
        if batch.base != end {
            hole = Some(format!("records [{end}, {}) are missing", batch.base));
            break;
        }
        end = batch.end;
        batches.push(batch);
    }
    if end < replayed.log_start {
        hole = Some(format!("the log ends at {end}, before its start {}", replayed.log_start));
    }
    let log_start = replayed.log_start.min(end);
    let mut log = Log::recovered(partition, settings, log_start, segments, batches);
    log.truncated_at = replayed.truncated_at;
    if let Some(why) = hole {
        let held = log.range_of(sequences.into_iter());
        log.take_offline_holding(why, held);
    }
    log
}
