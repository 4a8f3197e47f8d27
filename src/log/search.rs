//! Searching a partition by time: from the coarsest bound to the record.
//!
//! ```text
//! Planning -> a segment may hold it, its index is not in memory -> Index -> Planning
//!          -> a run may hold it -> Run -> its batches' headers are looked at -> Planning, or a batch may hold it
//!          -> a batch of the tail may hold it -> Scan (decompressed off the core) -> found, or Planning behind the batch
//! ```
//! A search keeps nothing but the next offset to look at, so moves, evictions and deleted records in between do not matter: it is
//! planned again from the state of the moment. Segments, runs and batches whose largest timestamp is below what is looked for
//! are passed over unread. The largest timestamp is first bounded from below by all that is wholly visible; only what the log
//! start cuts through has to be read to know more.
//!
//! Largest timestamps are what batch headers say: a producer that understates one hides its records from searches by time, one that
//! overstates costs a look inside. At most [`SEARCHES_ACTIVE_MAX`] searches of a core are past their first step at a time.

use crate::base::gather::Gather;
use crate::base::ids::TopicPartition;
use crate::base::limits::SEARCHES_ACTIVE_MAX;
use crate::base::offset::Offset;
use crate::base::storage::{FileOp, FilesDone};
use crate::log::core_log::{CoreLog, Purpose};
use crate::log::effect::{LogEffect, LogNotice, ReadError, Ticket};
use crate::log::index_load::{IndexLoad, cut_runs, runs_op};
use crate::log::log::Log;
use crate::log::offset_index::{self, Run, RunRead};
use crate::log::record_scan::{Aim, FoundRecord, RecordScan};
use crate::log::segment::{self, Segment};
use crate::wire::record_batch::Batches;
use crate::wire::record_heads::Unreadable;
use bytes::Bytes;
use std::collections::{BTreeSet, VecDeque};

/// A search under way.
#[derive(Debug)]
pub(super) struct PendingSearch {
    partition: TopicPartition,
    aim: Aim,
    /// Everything before is passed over.
    at: Offset,
    /// Records from here on are not visible.
    until: Offset,
    /// Batches whose largest timestamp is below do not matter. For [`Aim::Largest`] some visible batch has it.
    threshold: i64,
    step: Step,
}

#[derive(Debug)]
enum Step {
    Planning,
    /// Loading the index of the segment with this base.
    Index(Offset, IndexLoad),
    /// Reading one run of the segment with this base.
    Run(Offset, RunRead),
    /// Looking inside a batch that ends here.
    Scan(Offset, RecordScan),
}

/// What the state of the moment allows.
enum Next {
    Done(Option<FoundRecord>),
    Step(Step),
}

impl PendingSearch {
    /// Whose records are searched.
    pub(super) fn partition(&self) -> TopicPartition {
        self.partition
    }
}

/// All searches of a core.
#[derive(Debug, Default)]
pub(super) struct Searches {
    active: usize,
    waiting: VecDeque<(Ticket, Box<PendingSearch>)>,
}

/// Records without a timestamp have -1; they are not the latest of anything.
const TIMESTAMP_MIN: i64 = 0;

impl CoreLog {
    /// Looks for a record of a partition below `until`, by time. The answer is [`LogNotice::SearchDone`].
    pub fn search(&mut self, partition: TopicPartition, aim: Aim, until: Offset) -> Ticket {
        let threshold = match aim {
            Aim::AtLeast(timestamp) => timestamp,
            Aim::Largest => TIMESTAMP_MIN,
        };
        let search = PendingSearch { partition, aim, at: Offset::ZERO, until, threshold, step: Step::Planning };
        let ticket = self.effects.ticket();
        self.searches.waiting.push_back((ticket, Box::new(search)));
        self.start_searches();
        ticket
    }

    /// Nobody waits for these any more. Those that have begun end by themselves.
    pub fn cancel_searches(&mut self, cancelled: &BTreeSet<Ticket>) {
        self.searches.waiting.retain(|(ticket, _)| !cancelled.contains(ticket));
    }

    fn start_searches(&mut self) {
        while !self.is_stopping()
            && self.searches.active < SEARCHES_ACTIVE_MAX
            && let Some((ticket, search)) = self.searches.waiting.pop_front()
        {
            self.searches.active += 1;
            self.advance_search(ticket, *search);
        }
    }

    /// Goes on as far as it can without waiting.
    fn advance_search(&mut self, ticket: Ticket, mut search: PendingSearch) {
        let Some(log) = self.logs.get(&search.partition) else {
            return self.end_search(ticket, Err(ReadError::Gone));
        };
        if log.is_offline() {
            return self.end_search(ticket, Err(ReadError::Offline));
        }
        match search.plan(log) {
            Next::Done(found) => self.end_search(ticket, Ok(found)),
            Next::Step(step) => {
                search.step = step;
                self.issue_search(ticket, search);
            }
        }
    }

    fn issue_search(&mut self, ticket: Ticket, search: PendingSearch) {
        let path = |base: &Offset| segment::path(search.partition, *base);
        let files = |op: FileOp| LogEffect::Files { ticket, ops: vec![op] };
        let effect = match &search.step {
            Step::Planning => unreachable!("planning waits for nothing"),
            Step::Index(base, load) => files(load.op(path(base))),
            Step::Run(base, runs) => files(runs_op(path(base), runs)),
            Step::Scan(_, scan) if scan.header().is_log_append_time() => {
                let found = scan.first_of_batch();
                return self.end_search(ticket, Ok(Some(found)));
            }
            Step::Scan(_, scan) => LogEffect::Scan { ticket, scan: scan.clone() },
        };
        self.purposes.insert(ticket, Purpose::Search(Box::new(search)));
        self.effects.push(effect);
    }

    fn end_search(&mut self, ticket: Ticket, found: Result<Option<FoundRecord>, ReadError>) {
        self.searches.active -= 1;
        self.notices.push_back(LogNotice::SearchDone { ticket, found });
    }

    /// A read ended.
    pub(super) fn handle_search(&mut self, ticket: Ticket, mut search: PendingSearch, done: FilesDone) {
        let (base, read) = match std::mem::replace(&mut search.step, Step::Planning) {
            Step::Index(base, load) => (base, self.take_index(&search, base, load, done)),
            Step::Run(base, runs) => (base, self.take_run(&mut search, &runs, done)),
            Step::Planning | Step::Scan(..) => unreachable!("no read was asked for"),
        };
        match read {
            Ok(Step::Planning) => self.advance_search(ticket, search),
            Ok(step) => {
                search.step = step;
                self.issue_search(ticket, search);
            }
            Err(why) => {
                let there = |log: &Log| log.segments.iter().any(|segment| segment.base == base);
                if self.logs.get(&search.partition).is_some_and(there) {
                    let path = segment::path(search.partition, base);
                    self.take_offline(search.partition, format!("{path}: {why}"));
                }
                // DeleteRecords may have removed the segment meanwhile: it is planned again.
                self.advance_search(ticket, search);
            }
        }
        self.start_searches();
    }

    fn take_index(
        &mut self,
        search: &PendingSearch,
        base: Offset,
        mut load: IndexLoad,
        done: FilesDone,
    ) -> Result<Step, String> {
        let partition = search.partition;
        let Some(runs) = load.take(&read_bytes(done)?, partition)? else { return Ok(Step::Index(base, load)) };
        let log = self.logs.get_mut(&partition);
        let owner = log.and_then(|log| log.segments.iter_mut().find(|segment| segment.base == base));
        if let Some(owner) = owner.filter(|owner| owner.runs.is_none()) {
            owner.runs = Some(runs);
            self.note_loaded(partition, base);
        }
        Ok(Step::Planning)
    }

    fn take_run(&mut self, search: &mut PendingSearch, runs: &RunRead, done: FilesDone) -> Result<Step, String> {
        let batches = cut_runs(runs, &read_bytes(done)?)?;
        let log_start = self.logs.get(&search.partition).map_or(Offset::ZERO, |log| log.log_start);
        Ok(search.choose_batch(&batches, log_start))
    }

    /// A look inside a batch ended.
    pub(super) fn handle_scanned(&mut self, ticket: Ticket, found: Result<Option<FoundRecord>, Unreadable>) {
        let Some(Purpose::Search(mut search)) = self.purposes.remove(&ticket) else { return };
        let Step::Scan(end, scan) = std::mem::replace(&mut search.step, Step::Planning) else {
            unreachable!("no look was asked for")
        };
        match found {
            Ok(Some(found)) => self.end_search(ticket, Ok(Some(found))),
            Err(Unreadable) => self.end_search(ticket, Ok(Some(scan.first_of_batch()))),
            // The header promised more than the records hold.
            Ok(None) => {
                search.at = end;
                self.advance_search(ticket, *search);
            }
        }
        self.start_searches();
    }
}

fn read_bytes(done: FilesDone) -> Result<Bytes, String> {
    match done.results.into_iter().next() {
        Some(Ok(Some(data))) => Ok(data),
        other => Err(format!("{other:?}")),
    }
}

impl PendingSearch {
    fn plan(&mut self, log: &Log) -> Next {
        self.at = self.at.max(log.log_start);
        self.raise(log.segments.iter().map(|one| (one.base, one.end, one.max_timestamp)), log.log_start);
        self.raise(log.tail.timestamps(self.at, self.until), log.log_start);
        while self.at < self.until {
            if log.tail.start().is_some_and(|start| start <= self.at) {
                return self.plan_tail(log);
            }
            let index = log.segments.partition_point(|segment| segment.end <= self.at);
            let Some(segment) = log.segments.get(index) else { break };
            if segment.max_timestamp < self.threshold {
                self.at = segment.end;
                continue;
            }
            let Some(runs) = &segment.runs else {
                return Next::Step(Step::Index(segment.base, IndexLoad::new(segment.block)));
            };
            if let Some(read) = self.plan_run(segment, runs, log.log_start) {
                return Next::Step(Step::Run(segment.base, read));
            }
            self.at = segment.end;
        }
        Next::Done(None)
    }

    fn plan_tail(&self, log: &Log) -> Next {
        match log.tail.first_at_time(self.at, self.threshold).filter(|one| one.end <= self.until) {
            None => Next::Done(None),
            Some(batch) => Next::Step(self.scan(batch.bytes, batch.end)),
        }
    }

    /// The first run of a segment, from where the search is, that may hold the record.
    fn plan_run(&mut self, segment: &Segment, runs: &[Run], log_start: Offset) -> Option<RunRead> {
        let ends = runs.iter().skip(1).map(|run| run.base).chain([segment.end]);
        self.raise(runs.iter().zip(ends).map(|(run, end)| (run.base, end, run.max_timestamp)), log_start);
        let first = offset_index::find(runs, self.at).unwrap_or(0);
        let index = runs[first..].iter().position(|run| run.max_timestamp >= self.threshold)? + first;
        let run = runs[index];
        Some(RunRead {
            runs: vec![run],
            from: run.base,
            until: segment.end,
            bytes_max: run.bytes as usize,
            at_least_one: true,
        })
    }

    /// The first batch of a run that may hold the record.
    fn choose_batch(&mut self, run: &Gather, log_start: Offset) -> Step {
        self.at = self.at.max(log_start);
        let mut batches = Vec::new();
        for bytes in run.slices() {
            for (range, header) in Batches::new(bytes).map(|batch| batch.expect("just checked")) {
                let (base, end) = (Offset(header.base_offset), Offset(header.end_offset()));
                batches.push((base, end, header.max_timestamp, bytes.slice(range)));
            }
        }
        // What the log start cuts through counts here: its visible records are looked at one by one.
        self.raise(batches.iter().map(|(_, end, timestamp, _)| (*end, *end, *timestamp)), log_start.plus(1));
        let run_end = batches.last().map_or(self.until, |(_, end, ..)| *end);
        let wanted = |(_, end, timestamp, _): &(Offset, Offset, i64, Bytes)| {
            *end > self.at && *end <= self.until && *timestamp >= self.threshold
        };
        match batches.into_iter().find(wanted) {
            Some((_, end, _, bytes)) => self.scan(bytes, end),
            None => {
                self.at = run_end;
                Step::Planning
            }
        }
    }

    /// Raises the bound of a search for the largest timestamp to what is wholly visible: (base, end, largest timestamp) each.
    fn raise(&mut self, stretches: impl Iterator<Item = (Offset, Offset, i64)>, log_start: Offset) {
        if self.aim != Aim::Largest {
            return;
        }
        let (at, until) = (self.at.max(log_start), self.until);
        let visible = stretches.filter(|(base, end, _)| *base >= at && *end <= until);
        self.threshold =
            visible.map(|(_, _, timestamp)| timestamp).max().map_or(self.threshold, |top| top.max(self.threshold));
    }

    fn scan(&self, batch: Bytes, end: Offset) -> Step {
        Step::Scan(end, RecordScan { batch, aim: self.aim, from: self.at })
    }
}
