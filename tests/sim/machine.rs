//! One run of the process: the logs of its cores, and the performer of their effects over the simulated disk.

use crate::coverage::Coverage;
use crate::disk::{Disk, Fault, Horizon, InodeId, Step, WriteId, describe, is_checkpoint, is_segment};
use crate::outcome::{Halt, Run};
use crate::plant::Plant;
use crate::search::PendingSearch;
use crate::{must, trace};
use bytes::Bytes;
use corelane::base::clock::Now;
use corelane::base::ids::TopicPartition;
use corelane::base::offset::Sequence;
use corelane::base::prng::Prng;
use corelane::base::storage::{FileOp, FileOpResult, FilesDone, StorageError};
use corelane::log::core_log::CoreLog;
use corelane::log::effect::{LogEffect, LogInput, Ticket};
use corelane::log::journal_frame::{FrameBody, scan};
use corelane::log::record_scan::RecordScan;
use corelane::log::segment::ExtentHeader;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

struct WriteJob {
    ticket: Ticket,
    path: Arc<str>,
    id: WriteId,
    /// Flushed with the write.
    through: Option<InodeId>,
}

struct FlushJob {
    ticket: Ticket,
    inodes: Vec<InodeId>,
    horizon: Horizon,
}

struct FilesJob {
    ticket: Ticket,
    ops: Vec<FileOp>,
    step: Option<Step>,
    results: Vec<FileOpResult>,
}

/// A read that has not ended.
pub struct PendingRead {
    pub partition: TopicPartition,
    pub from: i64,
    pub until: i64,
    pub bytes_max: usize,
    pub at_least_one: bool,
}

/// A control frame that has not been flushed.
pub struct PendingControl {
    pub partition: TopicPartition,
    pub log_start: Option<i64>,
    /// Nobody asked: retention did it.
    pub by_retention: bool,
    pub truncated: BTreeSet<u64>,
}

/// One core of the running machine.
pub struct Core {
    pub log: CoreLog,
    writes: Vec<WriteJob>,
    flushes: Vec<FlushJob>,
    jobs: Vec<FilesJob>,
    handles: BTreeMap<Arc<str>, InodeId>,
    /// Inodes that carried journal frames in this run.
    used: BTreeSet<InodeId>,
    scans: Vec<(Ticket, RecordScan)>,
    pub reads: BTreeMap<Ticket, PendingRead>,
    pub searches: BTreeMap<Ticket, PendingSearch>,
    pub controls: BTreeMap<Sequence, Vec<PendingControl>>,
    pub read_only: bool,
    pub paused: bool,
    pub next_tick_ms: u64,
    /// What the disk really had left at the last tick.
    pub free_at_tick: u64,
    pub forgotten: BTreeSet<corelane::base::ids::TopicId>,
    pub frames: FrameWatch,
}

/// What the frames of this run's journal writes told.
#[derive(Default)]
pub struct FrameWatch {
    /// Highest sequence handed out.
    pub last: u64,
    /// When the last frame that is not a mark was handed out.
    pub content_at_ns: u64,
    /// Re-appended batches by partition and base offset (S8: once each).
    pub again: BTreeSet<(TopicPartition, i64, Bytes)>,
    pub again_bytes: u64,
}

fn crash_or<T>(result: Result<T, StorageError>) -> Run<Result<T, StorageError>> {
    match result {
        Err(StorageError::Crashed) => Err(Halt::Crashed),
        other => Ok(other),
    }
}

impl Core {
    pub fn new(log: CoreLog) -> Core {
        Core {
            log,
            writes: Vec::new(),
            flushes: Vec::new(),
            jobs: Vec::new(),
            handles: BTreeMap::new(),
            used: BTreeSet::new(),
            scans: Vec::new(),
            reads: BTreeMap::new(),
            searches: BTreeMap::new(),
            controls: BTreeMap::new(),
            read_only: false,
            paused: false,
            next_tick_ms: 0,
            free_at_tick: u64::MAX,
            forgotten: BTreeSet::new(),
            frames: FrameWatch::default(),
        }
    }

    /// Operations under way.
    pub fn busy(&self) -> usize {
        self.writes.len() + self.flushes.len() + self.jobs.len() + self.scans.len()
    }

    /// Partition files are being written or read.
    pub fn moves(&self) -> bool {
        self.jobs.iter().any(|job| {
            job.ops
                .iter()
                .any(|op| matches!(op, FileOp::Write { path, .. } | FileOp::CreateNew(path, _) if is_segment(path)))
        })
    }

    /// Takes what the log wants done; nothing is performed yet, but writes are submitted and flushes begin.
    pub fn take_effects(&mut self, disk: &mut Disk, coverage: &mut Coverage, now: Now) -> Run<()> {
        while let Some(effect) = self.log.poll_effect() {
            match effect {
                LogEffect::JournalWrite { ticket, path, offset, data } => {
                    self.begin_write(disk, (ticket, false), (path, offset, data.to_vec()), now, coverage)?;
                }
                LogEffect::JournalWriteThrough { ticket, path, offset, data } => {
                    coverage.hit("journal write-through");
                    self.begin_write(disk, (ticket, true), (path, offset, data.to_vec()), now, coverage)?;
                }
                LogEffect::JournalFlush { ticket, paths } => {
                    trace!("  effect flush {ticket:?} {paths:?}");
                    let mut inodes = Vec::new();
                    for path in &paths {
                        inodes.push(self.handle(disk, path)?);
                    }
                    let horizon = disk.horizon();
                    self.flushes.push(FlushJob { ticket, inodes, horizon });
                }
                LogEffect::JournalClosed { path } => {
                    trace!("  effect closed {path}");
                    must!(!self.writes.iter().any(|job| job.path == path), "{path} is closed with a write in flight");
                    self.handles.remove(&path);
                }
                LogEffect::Scan { ticket, scan } => {
                    trace!("  effect scan {ticket:?}");
                    self.scans.push((ticket, scan));
                }
                LogEffect::Files { ticket, ops } => {
                    for op in &ops {
                        trace!("  effect files {ticket:?} {}", describe(op));
                        count_op(op, coverage);
                    }
                    must!(!ops.is_empty(), "an effect without operations");
                    self.jobs.push(FilesJob { ticket, ops, step: None, results: Vec::new() });
                }
            }
        }
        Ok(())
    }

    fn handle(&mut self, disk: &Disk, path: &Arc<str>) -> Run<InodeId> {
        if let Some(inode) = self.handles.get(path) {
            return Ok(*inode);
        }
        let Ok(inode) = disk.open(path) else {
            return Err(Halt::Violation(format!("journal file {path} does not exist")));
        };
        self.handles.insert(path.clone(), inode);
        Ok(inode)
    }

    fn begin_write(
        &mut self,
        disk: &mut Disk,
        (ticket, through): (Ticket, bool),
        (path, offset, bytes): (Arc<str>, u64, Vec<u8>),
        now: Now,
        coverage: &mut Coverage,
    ) -> Run<()> {
        trace!("  effect write {ticket:?} {path} at {offset}, through {through}: {}", frames_text(&bytes));
        let inode = self.handle(disk, &path)?;
        self.watch_frames(&bytes, offset, inode, now, coverage)?;
        let bytes = disk.plant.rewrite_frames(bytes);
        let id = crash_or(disk.submit(inode, offset, bytes))?.expect("a submission only fails by a crash");
        self.writes.push(WriteJob { ticket, path, id, through: through.then_some(inode) });
        Ok(())
    }

    fn watch_frames(
        &mut self,
        bytes: &[u8],
        offset: u64,
        inode: InodeId,
        now: Now,
        coverage: &mut Coverage,
    ) -> Run<()> {
        if offset == 0 {
            coverage.hit("journal file begun");
            if !self.used.insert(inode) {
                coverage.hit("journal file recycled");
            }
            self.frames.again_bytes = 0;
        }
        for found in scan(&Bytes::copy_from_slice(bytes), None) {
            self.frames.last = self.frames.last.max(found.frame.place.sequence.0);
            if !matches!(found.frame.body, FrameBody::Mark) {
                self.frames.content_at_ns = now.monotonic_ns;
            }
            match found.frame.body {
                FrameBody::Append { again: true, partition, base, batch, .. } => {
                    coverage.hit("frame re-appended");
                    self.frames.again_bytes += batch.len() as u64;
                    must!(
                        self.frames.again.insert((partition, base.0, batch)),
                        "S8: {partition} {base} is re-appended twice"
                    );
                }
                FrameBody::Mark => coverage.hit("mark frame"),
                _ => {}
            }
        }
        Ok(())
    }

    /// Lets one operation go a step further; gives the log's input if it ended.
    pub fn perform_one(&mut self, disk: &mut Disk, prng: &mut Prng) -> Run<Option<LogInput>> {
        let busy = self.busy();
        if busy == 0 {
            return Ok(None);
        }
        let mut at = prng.below(busy as u64) as usize;
        if at < self.writes.len() {
            let job = self.writes.remove(at);
            return self.end_write(disk, prng, &job).map(Some);
        }
        at -= self.writes.len();
        if at < self.flushes.len() {
            return self.end_flush(disk, at).map(Some);
        }
        at -= self.flushes.len();
        if at < self.scans.len() {
            let (ticket, scan) = self.scans.remove(at);
            trace!("  done scan {ticket:?}");
            return Ok(Some(LogInput::Scanned { ticket, found: scan.perform() }));
        }
        at -= self.scans.len();
        self.step_job(disk, at)
    }

    fn end_write(&mut self, disk: &mut Disk, prng: &mut Prng, job: &WriteJob) -> Run<LogInput> {
        let mut result = Ok(());
        // A write that is reported early stays in flight for ever: only a crash tells what became of it.
        if disk.plant != Plant::S02EarlyCompletion || prng.percent(50) {
            result = crash_or(disk.complete(job.id, Some(Fault::JournalWrite)))?;
            if let (Some(inode), Ok(())) = (job.through, &result) {
                let horizon = disk.horizon();
                result = crash_or(disk.flush(inode, horizon, Fault::JournalFlush))?;
            }
        }
        trace!("  done write {:?} {result:?}", job.ticket);
        Ok(match job.through {
            Some(_) => LogInput::JournalFlushed { ticket: job.ticket, result },
            None => LogInput::JournalWritten { ticket: job.ticket, result },
        })
    }

    fn end_flush(&mut self, disk: &mut Disk, at: usize) -> Run<LogInput> {
        let job = self.flushes.remove(at);
        let mut result = Ok(());
        for inode in job.inodes {
            result = result.and(crash_or(disk.flush(inode, job.horizon, Fault::JournalFlush))?);
        }
        trace!("  done flush {:?} {result:?}", job.ticket);
        Ok(LogInput::JournalFlushed { ticket: job.ticket, result })
    }

    fn step_job(&mut self, disk: &mut Disk, at: usize) -> Run<Option<LogInput>> {
        let job = &mut self.jobs[at];
        if disk.plant.never_ends(&job.ops) {
            return Ok(None);
        }
        let op = job.ops[job.results.len()].clone();
        let result = match job.step.take() {
            None => match crash_or(disk.begin(&op))? {
                Ok(step) => {
                    job.step = Some(step);
                    return Ok(None);
                }
                Err(error) => Err(error),
            },
            Some(step) => crash_or(disk.finish(&op, step))?,
        };
        let failed = result.is_err();
        if failed {
            trace!("  failed {}: {result:?}", describe(&op));
        }
        job.results.push(result);
        if !failed && job.results.len() < job.ops.len() {
            return Ok(None);
        }
        let job = self.jobs.remove(at);
        trace!("  done files {:?} failed {failed}", job.ticket);
        Ok(Some(LogInput::Files { ticket: job.ticket, done: FilesDone { results: job.results } }))
    }

    /// Asserts what the log asserts about itself.
    pub fn check(&self) {
        self.log.check();
    }
}

fn frames_text(bytes: &[u8]) -> String {
    if !crate::trace::prints() {
        return format!("{} bytes", bytes.len());
    }
    let found = scan(&Bytes::copy_from_slice(bytes), None);
    let text: Vec<String> = found.iter().map(|one| frame_text(&one.frame)).collect();
    text.join(", ")
}

/// One line about a frame.
pub fn frame_text(frame: &corelane::log::journal_frame::Frame) -> String {
    let place = &frame.place;
    let body = match &frame.body {
        FrameBody::Append { partition, base, end, again, .. } => {
            format!("{} {partition} {base}..{end}", if *again { "RE-APPEND" } else { "append" })
        }
        other => format!("{other:?}"),
    };
    format!("#{} mark {} {body}", place.sequence, place.durable_mark)
}

fn count_op(op: &FileOp, coverage: &mut Coverage) {
    match op {
        FileOp::CreateNew(path, data) if is_segment(path) => {
            coverage.hit("segment created");
            if ExtentHeader::decode(&data.to_vec()).is_some_and(|header| header.bytes == 0) {
                coverage.hit("segment of state alone");
            }
            if !path.ends_with("/00000000000000000000.segment") {
                coverage.hit("segment rolled");
            }
        }
        FileOp::SyncAll => coverage.hit("syncfs round"),
        FileOp::Write { path, .. } | FileOp::CreateNew(path, _) if is_checkpoint(path) => {
            coverage.hit("checkpoint written")
        }
        FileOp::Unlink(path) if path.ends_with(".journal") => coverage.hit("journal file removed"),
        _ => {}
    }
}

/// A reading of both clocks.
pub fn now_at(ns: u64) -> Now {
    Now { monotonic_ns: ns, wall_ms: 1_700_000_000_000 + (ns / 1_000_000) as i64 }
}
