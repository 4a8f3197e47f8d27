//! A machine in memory: real brokers, a disk in memory, a mesh without delay, a clock that tests move. Each kind of
//! completion can be held back.

use crate::disk::Disk;
use bytes::{Buf, Bytes, BytesMut};
use corelane::base::clock::Now;
use corelane::base::config::Config;
use corelane::base::gather::Gather;
use corelane::base::ids::{ConnectionId, CoreId};
use corelane::base::limits::{SESSION_UNSENT_BYTES_MAX, TAIL_CACHE_BYTES_LEAST};
use corelane::base::storage::{DiskSpace, StorageError};
use corelane::broker::broker::Broker;
use corelane::broker::event::{Effect, Event};
use corelane::broker::settings::{Advertised, BrokerSettings};
use corelane::broker::start::{StartSettings, begin, recover_core};
use corelane::log::core_log::LogSettings;
use corelane::log::effect::{LogEffect, LogInput};
use kafka_protocol::messages::{ApiKey, RequestHeader, ResponseHeader};
use kafka_protocol::protocol::{Decodable, Request, StrBytes, encode_request_header_into_buffer};
use std::collections::{BTreeMap, VecDeque};

/// One client connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Client {
    pub core: usize,
    pub connection: ConnectionId,
}

#[derive(Debug, Default)]
struct Inbox {
    answers: VecDeque<Bytes>,
    closed: Option<String>,
    paused: bool,
}

pub struct World {
    pub brokers: Vec<Broker>,
    pub disk: Disk,
    pub now: Now,
    /// Journal flushes wait until this is false and the world runs again.
    pub hold_flushes: bool,
    /// File operations of the logs wait likewise.
    pub hold_files: bool,
    /// The metadata log's file operations wait likewise.
    pub hold_metadata: bool,
    /// Messages between cores wait likewise.
    pub hold_mesh: bool,
    /// Looks inside batches wait likewise.
    pub hold_inspections: bool,
    /// The network takes no answers until this is false and the world runs again (clients see them nevertheless).
    pub hold_sends: bool,
    /// The next journal flush fails.
    pub fail_flush: bool,
    pub stopped: Vec<bool>,
    held: VecDeque<(usize, Held)>,
    /// Answers that the network did not take.
    unsent: BTreeMap<Client, usize>,
    events: VecDeque<(usize, Event)>,
    inboxes: BTreeMap<Client, Inbox>,
    /// Connections that were handed over: where a core and its connection are now, for the client that a test knows.
    moved: BTreeMap<Client, Client>,
    correlations: BTreeMap<Client, VecDeque<(i32, i16)>>,
    next_connection: u64,
    next_correlation: i32,
}

#[derive(Debug)]
enum Held {
    Log(LogEffect),
    Metadata(Effect),
    Message(Effect),
    Inspection(Effect),
}

impl World {
    /// A machine with `cores` cores on an empty disk.
    pub fn new(cores: u16, set: &[(&str, &str)]) -> World {
        World::on(Disk::default(), cores, set, 1)
    }

    /// A machine on a disk that may hold an earlier run's data.
    pub fn on(mut disk: Disk, cores: u16, set: &[(&str, &str)], seed: u64) -> World {
        let now = Now { monotonic_ns: 1_000_000_000_000, wall_ms: 1_700_000_000_000 };
        let begun = begin(&mut disk, settings(cores, set, seed), now, &mut |_| {}).expect("the machine starts");
        let logs = (0..cores).map(|core| recover_core(&begun, &mut disk, CoreId(core), now).expect("recovers"));
        let logs = logs.collect();
        let shown = if per_machine() { 1 } else { cores };
        let advertised = (0..shown).map(|core| Advertised { host: None, port: 9092 + core }).collect();
        let brokers = begun.into_brokers(logs, advertised, now);
        let mut world = World {
            stopped: vec![false; brokers.len()],
            brokers,
            disk,
            now,
            hold_flushes: false,
            hold_files: false,
            hold_metadata: false,
            hold_mesh: false,
            hold_inspections: false,
            hold_sends: false,
            fail_flush: false,
            held: VecDeque::new(),
            unsent: BTreeMap::new(),
            events: VecDeque::new(),
            inboxes: BTreeMap::new(),
            moved: BTreeMap::new(),
            correlations: BTreeMap::new(),
            next_connection: 0,
            next_correlation: 0,
        };
        world.tick_all();
        world
    }

    /// Why a machine does not start on this disk.
    pub fn refusal(mut disk: Disk, cores: u16) -> String {
        let now = Now { monotonic_ns: 1_000_000_000_000, wall_ms: 1_700_000_000_000 };
        match begin(&mut disk, settings(cores, &[], 5), now, &mut |_| {}) {
            Ok(_) => panic!("the start is not refused"),
            Err(refusal) => refusal.to_string(),
        }
    }

    /// A new connection to a core.
    pub fn connect(&mut self, core: usize) -> Client {
        let client = self.begin_connection(core);
        self.inboxes.insert(client, Inbox::default());
        client
    }

    fn begin_connection(&mut self, core: usize) -> Client {
        let connection = ConnectionId(self.next_connection);
        self.next_connection += 1;
        let (peer, local) = ("127.0.0.1:50000".parse().expect("an address"), "127.0.0.1:9092".parse().expect("one"));
        self.events.push_back((core, Event::Connected { connection, peer, local }));
        Client { core, connection }
    }

    /// Where a client's connection is now: it may have been handed over.
    pub fn place(&self, client: Client) -> Client {
        self.moved.get(&client).copied().unwrap_or(client)
    }

    /// The inbox of the client whose connection this is now.
    fn inbox(&mut self, core: usize, connection: ConnectionId) -> Option<&mut Inbox> {
        let place = Client { core, connection };
        let known = self.moved.iter().find(|(_, now)| **now == place).map_or(place, |(known, _)| *known);
        self.inboxes.get_mut(&known)
    }

    fn hand_over(&mut self, from: usize, connection: ConnectionId, to: usize) {
        let place = Client { core: from, connection };
        let known = self.moved.iter().find(|(_, now)| **now == place).map_or(place, |(known, _)| *known);
        if let Some(inbox) = self.inboxes.get_mut(&known) {
            assert!(inbox.closed.is_none(), "handed over after the close");
            inbox.paused = false;
            self.events.push_back((from, Event::Disconnected { connection }));
            let now = self.begin_connection(to);
            self.moved.insert(known, now);
        }
    }

    pub fn disconnect(&mut self, client: Client) {
        let place = self.place(client);
        self.unsent.remove(&place);
        self.events.push_back((place.core, Event::Disconnected { connection: place.connection }));
        self.inboxes.remove(&client);
        self.moved.remove(&client);
        self.run();
    }

    /// Sends a request, without running the world.
    pub fn post<R: Request>(&mut self, client: Client, version: i16, body: &R) {
        let mut frame = BytesMut::new();
        self.next_correlation += 1;
        let header = RequestHeader::default()
            .with_request_api_key(R::KEY)
            .with_request_api_version(version)
            .with_correlation_id(self.next_correlation)
            .with_client_id(Some(StrBytes::from_static_str("test")));
        encode_request_header_into_buffer(&mut frame, &header).expect("encodes");
        body.encode(&mut frame, version).expect("encodes");
        self.correlations.entry(client).or_default().push_back((self.next_correlation, version));
        self.post_frame(client, frame);
    }

    /// Of the last request posted.
    pub fn last_correlation(&self) -> i32 {
        self.next_correlation
    }

    /// Sends raw bytes as one frame, without running the world.
    pub fn post_frame(&mut self, client: Client, frame: BytesMut) {
        let buffer_bytes = frame.capacity();
        let Client { core, connection } = self.place(client);
        self.events.push_back((core, Event::Request { connection, frame, buffer_bytes }));
    }

    /// Sends a request and runs the world.
    pub fn send<R: Request>(&mut self, client: Client, version: i16, body: &R) {
        self.post(client, version, body);
        self.run();
    }

    /// The next answer, which must be there.
    #[track_caller]
    pub fn receive<R: Request>(&mut self, client: Client) -> R::Response {
        self.try_receive::<R>(client).expect("an answer")
    }

    /// The next answer, if it is there.
    #[track_caller]
    pub fn try_receive<R: Request>(&mut self, client: Client) -> Option<R::Response> {
        let mut bytes = self.raw_answer(client)?;
        let (correlation, version) = self.correlations.get_mut(&client)?.pop_front().expect("a request");
        let key = ApiKey::try_from(R::KEY).expect("known");
        let header = ResponseHeader::decode(&mut bytes, key.response_header_version(version)).expect("decodes");
        assert_eq!(header.correlation_id, correlation, "answers come in the order of the requests");
        let response = R::Response::decode(&mut bytes, version).expect("the body decodes");
        assert!(bytes.is_empty(), "bytes behind the answer");
        Some(response)
    }

    /// The next answer without its length prefix.
    pub fn raw_answer(&mut self, client: Client) -> Option<Bytes> {
        let mut bytes = self.inboxes.get_mut(&client)?.answers.pop_front()?;
        assert_eq!(bytes.get_i32() as usize, bytes.len(), "length prefix");
        Some(bytes)
    }

    /// Sends a request, runs the world, takes the answer.
    #[track_caller]
    pub fn call<R: Request>(&mut self, client: Client, version: i16, body: &R) -> R::Response {
        self.send(client, version, body);
        self.receive::<R>(client)
    }

    /// Why the connection was closed, if it was.
    pub fn closed(&self, client: Client) -> Option<&str> {
        self.inboxes[&client].closed.as_deref()
    }

    pub fn is_paused(&self, client: Client) -> bool {
        self.inboxes[&client].paused
    }

    /// Tells all cores to stop, without running the world.
    pub fn stop_soon(&mut self) {
        for core in 0..self.brokers.len() {
            self.events.push_back((core, Event::Stop));
        }
    }

    /// Moves the clock, with ticks every 10 ms.
    pub fn advance(&mut self, ms: u64) {
        for _ in 0..ms.div_ceil(10) {
            self.now.monotonic_ns += 10_000_000;
            self.now.wall_ms += 10;
            self.tick_all();
        }
    }

    fn tick_all(&mut self) {
        for core in 0..self.brokers.len() {
            self.events.push_back((core, Event::Tick));
        }
        self.run();
    }

    /// Runs until nothing happens any more.
    pub fn run(&mut self) {
        self.release_held();
        while !self.events.is_empty() {
            for core in 0..self.brokers.len() {
                self.turn(core);
            }
        }
    }

    fn turn(&mut self, core: usize) {
        let (mine, others) = std::mem::take(&mut self.events).into_iter().partition(|(to, _)| *to == core);
        self.events = others;
        let mine: VecDeque<(usize, Event)> = mine;
        if mine.is_empty() {
            return;
        }
        for (_, event) in mine {
            self.brokers[core].handle(event, self.now);
        }
        self.brokers[core].end_turn(self.now);
        self.brokers[core].check();
        let mut replied: BTreeMap<ConnectionId, usize> = BTreeMap::new();
        while let Some(effect) = self.brokers[core].poll_effect() {
            if let Effect::Reply { connection, response } = &effect {
                *replied.entry(*connection).or_default() += response.len();
            }
            self.perform(core, effect);
        }
        for (connection, bytes) in replied {
            let client = Client { core, connection };
            if self.hold_sends {
                let unsent = self.unsent.entry(client).or_default();
                *unsent += bytes;
                self.events.push_back((core, Event::Unsent { connection, bytes: *unsent }));
            } else if bytes > SESSION_UNSENT_BYTES_MAX {
                self.events.push_back((core, Event::Unsent { connection, bytes: 0 }));
            }
        }
        if self.brokers[core].starves_since_ms().is_some() && self.brokers[core].has_answer_memory() {
            self.events.push_back((core, Event::Tick));
        }
    }

    /// Answers that the network did not take.
    pub fn unsent_bytes(&self) -> usize {
        self.unsent.values().sum()
    }

    fn perform(&mut self, core: usize, effect: Effect) {
        match effect {
            Effect::Reply { connection, response } => {
                if let Some(inbox) = self.inbox(core, connection) {
                    assert!(inbox.closed.is_none(), "an answer after the close");
                    inbox.answers.push_back(Gather::to_vec(&response).into());
                }
            }
            Effect::Close { connection, why } => {
                if let Some(inbox) = self.inbox(core, connection) {
                    inbox.closed = Some(why);
                }
            }
            Effect::PauseReading { connection, paused } => {
                if let Some(inbox) = self.inbox(core, connection) {
                    inbox.paused = paused;
                }
            }
            Effect::HandOver { connection, to } => self.hand_over(core, connection, usize::from(to.0)),
            Effect::Log(effect) => self.perform_log(core, effect),
            Effect::Inspect { .. } if self.hold_inspections => self.held.push_back((core, Held::Inspection(effect))),
            Effect::Inspect { connection, inspection } => {
                let inspected = inspection.perform();
                self.events.push_back((core, Event::Inspected { connection, inspected }));
            }
            Effect::MetadataFiles { .. } if self.hold_metadata => self.held.push_back((core, Held::Metadata(effect))),
            Effect::MetadataFiles { ticket, ops } => {
                let done = self.disk.perform_all(&ops);
                self.events.push_back((core, Event::MetadataFiles { ticket, done }));
            }
            Effect::Send { .. } if self.hold_mesh => self.held.push_back((core, Held::Message(effect))),
            Effect::Send { to, message } => {
                let from = CoreId(core as u16);
                self.events.push_back((usize::from(to.0), Event::Mesh { from, message }));
            }
            Effect::Fatal { why } => panic!("core {core}: {why}"),
            Effect::Stopped => self.stopped[core] = true,
        }
    }

    fn flush(&mut self) -> Result<(), StorageError> {
        let failed = std::mem::take(&mut self.fail_flush);
        if failed { Err(StorageError::Failed("told to".to_string())) } else { Ok(()) }
    }

    fn perform_log(&mut self, core: usize, effect: LogEffect) {
        let hold = match effect {
            LogEffect::JournalFlush { .. } | LogEffect::JournalWriteThrough { .. } => self.hold_flushes,
            LogEffect::Files { .. } => self.hold_files,
            _ => false,
        };
        if hold {
            return self.held.push_back((core, Held::Log(effect)));
        }
        let input = match effect {
            LogEffect::JournalWrite { ticket, path, offset, data } => {
                LogInput::JournalWritten { ticket, result: self.disk.write(&path, offset, &data) }
            }
            LogEffect::JournalWriteThrough { ticket, path, offset, data } => {
                let result = self.disk.write(&path, offset, &data).and(self.flush());
                LogInput::JournalFlushed { ticket, result }
            }
            LogEffect::JournalFlush { ticket, .. } => LogInput::JournalFlushed { ticket, result: self.flush() },
            LogEffect::JournalClosed { .. } => return,
            LogEffect::Scan { ticket, scan } => LogInput::Scanned { ticket, found: scan.perform() },
            LogEffect::Files { ticket, ops } => LogInput::Files { ticket, done: self.disk.perform_all(&ops) },
        };
        self.events.push_back((core, Event::Log(input)));
    }

    /// Performs what was held back and is held back no more.
    fn release_held(&mut self) {
        if !self.hold_sends {
            for (Client { core, connection }, _) in std::mem::take(&mut self.unsent) {
                self.events.push_back((core, Event::Unsent { connection, bytes: 0 }));
            }
        }
        for (core, held) in std::mem::take(&mut self.held) {
            match held {
                Held::Log(effect) => self.perform_log(core, effect),
                Held::Metadata(effect) | Held::Message(effect) | Held::Inspection(effect) => self.perform(core, effect),
            }
        }
    }

    /// Tells the brokers how much room the disk has.
    pub fn set_free_bytes(&mut self, bytes: u64) {
        for core in 0..self.brokers.len() {
            let space = DiskSpace { total_bytes: 1 << 41, free_bytes: bytes };
            self.events.push_back((core, Event::Space(space)));
            self.events.push_back((core, Event::Tick));
        }
        self.run();
    }
}

/// These tests are built twice: once for machines with a broker per core, once for machines that are one broker.
pub fn per_machine() -> bool {
    env!("CARGO_CRATE_NAME") == "api_per_machine"
}

fn settings(cores: u16, set: &[(&str, &str)], seed: u64) -> StartSettings {
    let advertise = if per_machine() { "per-machine" } else { "per-core" };
    let fixed = [("journal.file.bytes", "1048576"), ("message.max.bytes", "200000"), ("advertise", advertise)];
    let config = Config::for_tests("data", &[&fixed, set].concat());
    StartSettings {
        machine: config.machine,
        cluster_id: None,
        cores,
        seed,
        log: LogSettings { journal_zeroed: false, ..LogSettings::of(&config, TAIL_CACHE_BYTES_LEAST) },
        broker: BrokerSettings::of(&config),
    }
}
