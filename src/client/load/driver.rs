//! One thread of the generator: its lanes, one epoll instance, and the intended times that fall to it.

use crate::client::failure::Failure;
use crate::client::load::fetch_lane::FetchLane;
use crate::client::load::pipe::Pipe;
use crate::client::load::produce_lane::{ProduceLane, Production};
use crate::client::load::tally::Tally;
use crate::client::load::timetable::Pace;
use rustix::buffer::spare_capacity;
use rustix::event::{Timespec, epoll};
use rustix::fd::OwnedFd;
use std::num::NonZeroU64;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Edges taken by one system call.
const EDGES_MAX: usize = 256;
/// How long nobody looks whether the run was stopped.
const WAIT_MAX: Duration = Duration::from_millis(50);

/// After the end, for requests whose time came before it.
const LATE: Duration = Duration::from_secs(1);

/// A connection with its job.
#[derive(Debug)]
pub enum Lane {
    /// Writes.
    Produce(ProduceLane),
    /// Reads.
    Fetch(FetchLane),
}

impl Lane {
    fn pipe(&mut self) -> &mut Pipe {
        match self {
            Lane::Produce(lane) => lane.pipe(),
            Lane::Fetch(lane) => lane.pipe(),
        }
    }
}

/// What a thread has done.
#[derive(Debug)]
pub struct Done {
    /// What it counted.
    pub tally: Tally,
    /// When.
    pub ended: Instant,
    /// Why it ended before its time.
    pub failure: Option<Failure>,
    /// When its consumers had caught up, if all had.
    pub caught_up: Option<Instant>,
}

/// See the module.
pub struct Driver {
    epoll: OwnedFd,
    /// Those that write come first.
    lanes: Vec<Lane>,
    producers: usize,
    pace: Option<Pace>,
    /// Number of the next intended time.
    number: u64,
    /// Lanes with something to do.
    busy: Vec<usize>,
    tally: Tally,
    /// How long answers are waited for after the end.
    grace: Duration,
}

impl Driver {
    /// Of these lanes, those that write first. With a pace the writers share its intended times in turn.
    pub fn new(lanes: Vec<Lane>, pace: Option<Pace>, rounds: usize, grace: Duration) -> Result<Driver, Failure> {
        let here = |error: std::io::Error| Failure::here(format!("epoll: {error}"));
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).map_err(|error| here(error.into()))?;
        let mut lanes = lanes;
        let flags = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        for (number, lane) in lanes.iter_mut().enumerate() {
            let token = epoll::EventData::new_u64(number as u64);
            epoll::add(&epoll, lane.pipe().stream(), token, flags).map_err(|error| here(error.into()))?;
        }
        let producers = lanes.iter().take_while(|lane| matches!(lane, Lane::Produce(_))).count();
        let busy = (0..lanes.len()).collect();
        let tally = Tally::new(rounds);
        Ok(Driver { epoll, lanes, producers, pace, number: 0, busy, tally, grace })
    }

    /// It has lanes that write.
    pub fn produces(&self) -> bool {
        self.producers > 0
    }

    /// From the start of the run to its end.
    pub fn run(mut self, shared: &Production) -> Done {
        // Timers to the microsecond instead of 50; where that is not allowed, intended times still count.
        let _ = rustix::thread::set_current_timer_slack(NonZeroU64::new(1_000));
        let start = shared.table.start();
        std::thread::sleep(start.saturating_duration_since(Instant::now()));
        let mut producing = self.producers > 0;
        let result = self.serve(shared, &mut producing);
        if producing {
            shared.live.producing.fetch_sub(1, Ordering::AcqRel);
        }
        if result.is_err() {
            shared.live.stop();
        }
        let now = Instant::now();
        let mut caught_up: Option<Option<Instant>> = None;
        for lane in &mut self.lanes {
            match lane {
                Lane::Produce(lane) => lane.give_up(shared, &mut self.tally, now),
                Lane::Fetch(lane) => {
                    let this = lane.caught_up();
                    caught_up = Some(caught_up.map_or(this, |last| last.zip(this).map(|(last, this)| last.max(this))));
                }
            }
        }
        Done { tally: self.tally, ended: now, failure: result.err(), caught_up: caught_up.flatten() }
    }

    fn serve(&mut self, shared: &Production, producing: &mut bool) -> Result<(), Failure> {
        let end = shared.table.end();
        let mut edges = Vec::with_capacity(EDGES_MAX);
        loop {
            let now = Instant::now();
            if shared.live.is_stopped() || now > end + self.grace {
                return Ok(());
            }
            let more = now < end;
            if more {
                self.owe(now);
            }
            let late = !more && self.pace.is_some() && now < end + LATE;
            for index in std::mem::take(&mut self.busy) {
                let goes_on = match &mut self.lanes[index] {
                    Lane::Produce(lane) => lane.work(shared, &mut self.tally, more || late)?,
                    Lane::Fetch(lane) => lane.work(shared, &mut self.tally, more || shared.deliveries.is_some())?,
                };
                if goes_on {
                    self.busy.push(index);
                }
            }
            if *producing && self.is_produced(more, late) {
                *producing = false;
                shared.live.producing.fetch_sub(1, Ordering::AcqRel);
            }
            if self.is_done(shared, more, *producing) {
                return Ok(());
            }
            self.wait(more, &mut edges)?;
        }
    }

    /// Deals the intended times that have come.
    fn owe(&mut self, now: Instant) {
        let Some(pace) = &self.pace else { return };
        while self.producers > 0 && pace.due(self.number) <= now {
            let index = (self.number % self.producers as u64) as usize;
            if let Lane::Produce(lane) = &mut self.lanes[index] {
                lane.owe(pace.due(self.number));
            }
            self.busy.push(index);
            self.number += 1;
        }
    }

    /// Nothing more is to be sent, and all answers are here.
    fn is_produced(&self, more: bool, late: bool) -> bool {
        self.lanes[..self.producers].iter().all(|lane| match lane {
            Lane::Produce(lane) if more => lane.is_done(),
            Lane::Produce(lane) => lane.is_answered() && !(late && lane.owes()),
            Lane::Fetch(_) => true,
        })
    }

    fn is_done(&self, shared: &Production, more: bool, producing: bool) -> bool {
        if producing {
            return false;
        }
        let is_read = |lane: &Lane| match lane {
            Lane::Produce(_) => true,
            Lane::Fetch(lane) => lane.is_done(),
        };
        match &shared.deliveries {
            Some(deliveries) => shared.live.is_produced() && deliveries.missing() == 0,
            None => !more || self.lanes.iter().all(is_read),
        }
    }

    fn wait(&mut self, more: bool, edges: &mut Vec<epoll::Event>) -> Result<(), Failure> {
        let due = self.pace.as_ref().filter(|_| more && self.producers > 0).map(|pace| pace.due(self.number));
        let patience = match due {
            _ if !self.busy.is_empty() => Duration::ZERO,
            None => WAIT_MAX,
            Some(due) => due.saturating_duration_since(Instant::now()).min(WAIT_MAX),
        };
        let timeout = Timespec { tv_sec: 0, tv_nsec: patience.as_nanos() as _ };
        match epoll::wait(&self.epoll, spare_capacity(edges), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(Failure::here(format!("epoll: {}", std::io::Error::from(error)))),
        }
        for edge in edges.drain(..) {
            let (index, flags) = (edge.data.u64() as usize, edge.flags);
            let pipe = self.lanes[index].pipe();
            pipe.readable |= !(flags & !epoll::EventFlags::OUT).is_empty();
            pipe.writable |= flags.contains(epoll::EventFlags::OUT);
            self.busy.push(index);
        }
        self.busy.sort_unstable();
        self.busy.dedup();
        Ok(())
    }
}
