//! Reading: from the tail when it is in memory, else whole index runs from one segment.
//!
//! A cold read of a segment whose index is not in memory first reads that segment's chain of state blocks. Everything read from
//! disk is checked (batch CRC, run checksum, offsets); rot takes the partition offline and is never skipped (S18).

use crate::base::gather::Gather;
use crate::base::ids::TopicPartition;
use crate::base::limits::{INDEXES_LOADED_MAX, READ_BYTES_MAX};
use crate::base::offset::Offset;
use crate::base::storage::{FilesDone, StorageError};
use crate::log::core_log::{CoreLog, Purpose, Read};
use crate::log::effect::{LogEffect, LogNotice, ReadError, Ticket};
use crate::log::index_load::{IndexLoad, cut_runs, runs_op};
use crate::log::log::Log;
use crate::log::offset_index::RunRead;
use crate::log::segment;
use std::collections::VecDeque;

/// What is wanted.
#[derive(Clone, Copy, Debug)]
struct Wanted {
    from: Offset,
    until: Offset,
    bytes_max: usize,
    at_least_one: bool,
}

/// A read that waits for the disk.
#[derive(Debug)]
pub(super) struct PendingRead {
    partition: TopicPartition,
    segment: Offset,
    wanted: Wanted,
    stage: Stage,
}

impl PendingRead {
    /// Whose records are read.
    pub(super) fn partition(&self) -> TopicPartition {
        self.partition
    }
}

#[derive(Debug)]
enum Stage {
    /// Loading the segment's index.
    Index(IndexLoad),
    /// Reading runs.
    Data(RunRead),
}

/// Segments whose index was loaded for cold reads, oldest first, so that their number stays bounded.
#[derive(Debug, Default)]
pub(super) struct IndexCache {
    loaded: VecDeque<(TopicPartition, Offset)>,
}

impl IndexCache {
    /// The partition is gone.
    pub(super) fn forget(&mut self, partition: TopicPartition) {
        self.loaded.retain(|(one, _)| *one != partition);
    }
}

impl CoreLog {
    /// Whole batches from the one that holds `from` on, below `until`, at most `bytes_max` but one at least if asked for. `from` lies in
    /// `[log start, log end)`; an empty answer means that the next batch does not fit.
    pub fn read(
        &mut self,
        partition: TopicPartition,
        from: Offset,
        until: Offset,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Read {
        let Some(log) = self.logs.get(&partition).filter(|log| !log.is_offline()) else { return Read::Offline };
        if from >= until {
            return Read::Ready(Gather::new());
        }
        if let Some(gather) = log.tail.read(from, until, bytes_max, at_least_one) {
            return Read::Ready(gather);
        }
        let wanted = Wanted { from, until, bytes_max: bytes_max.min(READ_BYTES_MAX), at_least_one };
        let index = log.segments.partition_point(|segment| segment.end <= from);
        let Some(segment) = log.segments.get(index).filter(|segment| segment.base <= from) else {
            return Read::Offline;
        };
        if !at_least_one && bytes_max == 0 {
            return Read::Ready(Gather::new());
        }
        let stage = match segment.runs.is_some() {
            true => match plan_data(log, segment.base, wanted) {
                Some(stage) => stage,
                None => return Read::Offline,
            },
            false => Stage::Index(IndexLoad::new(segment.block)),
        };
        let segment = segment.base;
        Read::Pending(self.issue_read(None, PendingRead { partition, segment, wanted, stage }))
    }

    /// Bytes between the offsets: exact for the tail up to `enough`, estimated as `enough` when the range starts in a segment.
    pub fn available_bytes(&self, partition: TopicPartition, from: Offset, until: Offset, enough: u64) -> u64 {
        let Some(log) = self.logs.get(&partition) else { return 0 };
        if from >= until {
            return 0;
        }
        match log.tail.start() {
            Some(start) if start <= from => log.tail.bytes_between(from, until, enough),
            _ => enough,
        }
    }

    /// Issues the next step of a read; all steps answer under the first one's ticket.
    fn issue_read(&mut self, ticket: Option<Ticket>, read: PendingRead) -> Ticket {
        let path = segment::path(read.partition, read.segment);
        let op = match &read.stage {
            Stage::Index(load) => load.op(path),
            Stage::Data(runs) => runs_op(path, runs),
        };
        let ticket = ticket.unwrap_or_else(|| self.effects.ticket());
        self.purposes.insert(ticket, Purpose::Read(Box::new(read)));
        self.effects.push(LogEffect::Files { ticket, ops: vec![op] });
        ticket
    }

    /// A step of a read ended.
    pub(super) fn handle_read(&mut self, ticket: Ticket, mut read: PendingRead, done: FilesDone) {
        let partition = read.partition;
        let data = match done.results.into_iter().next() {
            Some(Ok(Some(data))) => data,
            other => return self.fail_read(ticket, &read, format!("{other:?}")),
        };
        let Some(log) = self.logs.get_mut(&partition) else {
            return self.notices.push_back(LogNotice::ReadDone { ticket, data: Err(ReadError::Gone) });
        };
        match &mut read.stage {
            Stage::Data(runs) => match cut_runs(runs, &data) {
                Ok(gather) => self.notices.push_back(LogNotice::ReadDone { ticket, data: Ok(gather) }),
                Err(why) => self.fail_read(ticket, &read, why),
            },
            Stage::Index(load) => {
                let runs = match load.take(&data, partition) {
                    Ok(Some(runs)) => runs,
                    Ok(None) => {
                        self.issue_read(Some(ticket), read);
                        return;
                    }
                    Err(why) => return self.fail_read(ticket, &read, why),
                };
                let Some(owner) = log.segments.iter_mut().find(|segment| segment.base == read.segment) else {
                    // DeleteRecords removed the segment meanwhile.
                    return self.notices.push_back(LogNotice::ReadDone { ticket, data: Err(ReadError::Gone) });
                };
                if owner.runs.is_none() {
                    owner.runs = Some(runs);
                    self.note_loaded(partition, read.segment);
                }
                match plan_data(&self.logs[&partition], read.segment, read.wanted) {
                    Some(stage) => {
                        read.stage = stage;
                        self.issue_read(Some(ticket), read);
                    }
                    None => self.fail_read(ticket, &read, "the index does not cover the offset".to_string()),
                }
            }
        }
    }

    fn fail_read(&mut self, ticket: Ticket, read: &PendingRead, why: String) {
        let known = self.logs.get(&read.partition);
        let there = known.is_some_and(|log| log.segments.iter().any(|segment| segment.base == read.segment));
        let data = if there {
            let path = segment::path(read.partition, read.segment);
            self.take_offline(read.partition, format!("{path}: {why}"));
            Err(ReadError::Offline)
        } else {
            Err(ReadError::Gone)
        };
        self.notices.push_back(LogNotice::ReadDone { ticket, data });
    }

    /// A segment's index is in memory; the one loaded longest ago may have to go.
    pub(super) fn note_loaded(&mut self, partition: TopicPartition, segment: Offset) {
        self.indexes.loaded.push_back((partition, segment));
        while self.indexes.loaded.len() > INDEXES_LOADED_MAX {
            let (partition, base) = self.indexes.loaded.pop_front().expect("not empty");
            let Some(log) = self.logs.get_mut(&partition) else { continue };
            // The newest segment keeps its index: it may be growing.
            let older = log.segments.len().saturating_sub(1);
            if let Some(segment) = log.segments[..older].iter_mut().find(|segment| segment.base == base) {
                segment.runs = None;
            }
        }
    }
}

fn plan_data(log: &Log, segment: Offset, wanted: Wanted) -> Option<Stage> {
    let segment = log.segments.iter().find(|one| one.base == segment)?;
    let until = wanted.until.min(segment.end);
    let runs = segment.runs.as_ref()?;
    RunRead::plan(runs, wanted.from, until, wanted.bytes_max, wanted.at_least_one).map(Stage::Data)
}

/// True if the failure says that the disk is full, which breaks nothing.
pub(super) fn is_full(done: &FilesDone) -> bool {
    matches!(done.failure(), Some(StorageError::Full))
}
