//! One core's broker over a disk in memory. Stands where the runtime stands: cuts frames out of received bytes, gives the
//! broker its turns, ends its journal operations at once. Other file operations end between rounds, as if on another thread.

use crate::disk::Disk;
use bytes::BytesMut;
use corelane::base::clock::Now;
use corelane::base::config::Config;
use corelane::base::gather::Gather;
use corelane::base::ids::{ConnectionId, CoreId};
use corelane::base::limits::{SESSION_UNSENT_BYTES_MAX, TAIL_CACHE_BYTES_LEAST};
use corelane::base::storage::FileOp;
use corelane::broker::broker::Broker;
use corelane::broker::event::{Effect, Event};
use corelane::broker::settings::{Advertised, BrokerSettings};
use corelane::broker::start::{StartSettings, begin, recover_core};
use corelane::log::core_log::LogSettings;
use corelane::log::effect::{LogEffect, LogInput, Ticket};
use corelane::runtime::frame_cutter::{Frame, FrameCutter};

/// What one connection received in a turn.
pub struct Arrival {
    pub connection: usize,
    pub received: Received,
}

/// How it lies in memory, which is the runtime's choice.
pub enum Received {
    /// Whole requests with their length prefixes, in a piece of the buffer that all connections share.
    Piece(BytesMut),
    /// A large request in a buffer of its own, into which the kernel wrote: nothing is left to be cut.
    Frame(BytesMut),
}

/// Between two turns: about what a journal write takes.
const TURN_NS: u64 = 50_000;
const TICK_NS: u64 = 10_000_000;
const REQUEST_BYTES_MAX: usize = 100 << 20;
const REQUESTS_MAX: usize = 256;

pub struct Machine {
    broker: Broker,
    disk: Disk,
    now: Now,
    next_tick_ns: u64,
    cutters: Vec<FrameCutter>,
    frames: Vec<Frame>,
    events: Vec<Event>,
    /// File operations under way.
    jobs: Vec<Job>,
    /// Journal operations under way.
    journal: Vec<LogInput>,
    /// Answers of this round.
    answered: usize,
    /// The last one to each connection.
    pub answers: Vec<Option<Gather>>,
    replied: Vec<usize>,
}

enum Job {
    Log(Ticket, Vec<FileOp>),
    Metadata(u64, Vec<FileOp>),
}

impl Machine {
    /// A broker on an empty disk, and connections to it.
    pub fn new(connections: usize) -> Machine {
        let mut disk = Disk::default();
        let now = Now { monotonic_ns: 1_000_000_000_000, wall_ms: crate::frames::TIMESTAMP };
        let begun = begin(&mut disk, settings(), now, &mut |_| {}).expect("the machine starts");
        let log = recover_core(&begun, &mut disk, CoreId(0), now).expect("recovers");
        let mut brokers = begun.into_brokers(vec![log], vec![Advertised { host: None, port: 9092 }], now);
        let mut machine = Machine {
            broker: brokers.remove(0),
            disk,
            now,
            next_tick_ns: 0,
            cutters: (0..connections).map(|_| FrameCutter::default()).collect(),
            frames: Vec::new(),
            events: Vec::new(),
            jobs: Vec::new(),
            journal: Vec::new(),
            answered: 0,
            answers: vec![None; connections],
            replied: vec![0; connections],
        };
        let (peer, local) = ("127.0.0.1:50000".parse().expect("an address"), "127.0.0.1:9092".parse().expect("one"));
        for connection in 0..connections as u64 {
            machine.broker.handle(Event::Connected { connection: ConnectionId(connection), peer, local }, now);
        }
        machine
    }

    /// A turn with these requests, then turns until all of them are answered. Gives their number.
    pub fn round(&mut self, arrivals: &mut Vec<Arrival>) -> usize {
        let due = self.begin_round(arrivals);
        while self.answered < due {
            if self.journal.is_empty() {
                // Little waits for more to come, and nothing will.
                let deadline = self.broker.gather_deadline().expect("an answer is under way");
                self.now.monotonic_ns = self.now.monotonic_ns.max(deadline);
            }
            self.turn();
        }
        self.answered
    }

    /// The same for requests that need more of the disk than the journal.
    pub fn round_with_files(&mut self, arrivals: &mut Vec<Arrival>) {
        let due = self.begin_round(arrivals);
        while self.answered < due {
            assert!(!self.jobs.is_empty() || !self.journal.is_empty() || !self.events.is_empty(), "it stands still");
            self.end_jobs();
            self.turn();
        }
    }

    fn begin_round(&mut self, arrivals: &mut Vec<Arrival>) -> usize {
        self.answered = 0;
        let due = arrivals.drain(..).map(|arrival| self.receive(arrival)).sum();
        self.turn();
        due
    }

    /// Turns without requests until nothing is under way any more.
    pub fn settle(&mut self) {
        while !self.jobs.is_empty() || !self.journal.is_empty() || !self.events.is_empty() {
            self.end_jobs();
            self.turn();
        }
    }

    /// Does what file operations are under way; the broker hears of it in its next turn.
    pub fn end_jobs(&mut self) {
        for job in std::mem::take(&mut self.jobs) {
            self.events.push(match job {
                Job::Log(ticket, ops) => Event::Log(LogInput::Files { ticket, done: self.disk.perform_all(&ops) }),
                Job::Metadata(ticket, ops) => Event::MetadataFiles { ticket, done: self.disk.perform_all(&ops) },
            });
        }
    }

    fn receive(&mut self, arrival: Arrival) -> usize {
        let connection = ConnectionId(arrival.connection as u64);
        let piece = match arrival.received {
            Received::Piece(piece) => piece,
            Received::Frame(frame) => {
                let buffer_bytes = frame.capacity();
                self.events.push(Event::Request { connection, frame, buffer_bytes });
                return 1;
            }
        };
        let cutter = &mut self.cutters[arrival.connection];
        cutter.cut(piece, REQUEST_BYTES_MAX, REQUESTS_MAX, &mut self.frames).expect("legal lengths");
        let requests = self.frames.len();
        for Frame { bytes: frame, buffer_bytes, .. } in self.frames.drain(..) {
            self.events.push(Event::Request { connection, frame, buffer_bytes });
        }
        requests
    }

    fn turn(&mut self) {
        self.now.monotonic_ns += TURN_NS;
        self.now.wall_ms = crate::frames::TIMESTAMP + (self.now.monotonic_ns / 1_000_000) as i64;
        if self.now.monotonic_ns >= self.next_tick_ns {
            self.next_tick_ns = self.now.monotonic_ns + TICK_NS;
            self.events.push(Event::Tick);
        }
        let mut events = std::mem::take(&mut self.events);
        for input in self.journal.drain(..) {
            self.broker.handle(Event::Log(input), self.now);
        }
        for event in events.drain(..) {
            self.broker.handle(event, self.now);
        }
        self.events = events;
        self.broker.end_turn(self.now);
        while let Some(effect) = self.broker.poll_effect() {
            self.perform(effect);
        }
        for (connection, bytes) in self.replied.iter_mut().enumerate() {
            if std::mem::take(bytes) > SESSION_UNSENT_BYTES_MAX {
                self.events.push(Event::Unsent { connection: ConnectionId(connection as u64), bytes: 0 });
            }
        }
    }

    fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Reply { connection, response } => {
                let connection = connection.0 as usize;
                self.answered += 1;
                self.replied[connection] += response.len();
                self.answers[connection] = Some(response);
            }
            // The runtime copies the bytes into a buffer for the disk and gives them up.
            Effect::Log(LogEffect::JournalWrite { ticket, .. }) => {
                self.journal.push(LogInput::JournalWritten { ticket, result: Ok(()) });
            }
            Effect::Log(LogEffect::JournalWriteThrough { ticket, .. } | LogEffect::JournalFlush { ticket, .. }) => {
                self.journal.push(LogInput::JournalFlushed { ticket, result: Ok(()) });
            }
            Effect::Log(LogEffect::JournalClosed { .. }) => {}
            Effect::Log(LogEffect::Files { ticket, ops }) => self.jobs.push(Job::Log(ticket, ops)),
            Effect::MetadataFiles { ticket, ops } => self.jobs.push(Job::Metadata(ticket, ops)),
            effect => panic!("no bench asks for {effect:?}"),
        }
    }
}

fn settings() -> StartSettings {
    let config = Config::for_tests("data", &[("journal.file.bytes", "16777216"), ("message.max.bytes", "2097152")]);
    StartSettings {
        machine: config.machine,
        cluster_id: None,
        cores: 1,
        seed: 1,
        log: LogSettings { journal_zeroed: false, ..LogSettings::of(&config, TAIL_CACHE_BYTES_LEAST) },
        broker: BrokerSettings::of(&config),
    }
}
