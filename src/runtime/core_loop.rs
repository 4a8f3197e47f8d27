//! The turn of a core, and the only place that knows its order:
//!
//! ```text
//! wait -> clock -> what came in becomes events -> every event to the broker -> end of turn -> every effect prepared
//!      -> one submission to the disk, one for all sockets, one post per core
//! ```
//!
//! One thread, nothing else runs on it: while a turn lasts, arrivals and ends of operations collect in the kernel, and the
//! next turn handles them all. A core without work sleeps in [`Readiness::wait`] until the next tick is due.
//!
//! L1: effects are performed in the order in which the broker gave them.
//! L2: nothing but [`Readiness::wait`] ever blocks.

use crate::base::clock::Now;
use crate::base::ids::{ConnectionId, CoreId};
use crate::base::latency::Latency;
use crate::base::storage::{FilesDone, Storage};
use crate::broker::broker::Broker;
use crate::broker::event::{Effect, Event};
use crate::log::effect::{LogInput, Ticket};
use crate::log::record_scan::FoundRecord;
use crate::runtime::blocking::Blocking;
use crate::runtime::clock;
use crate::runtime::disk::{Disk, FilesOwner};
use crate::runtime::file_storage::FileStorage;
use crate::runtime::inbox::Inbox;
use crate::runtime::journal_ring::JournalRing;
use crate::runtime::listener::{Listener, listen};
use crate::runtime::mailbox::Mailbox;
use crate::runtime::mesh::{Mesh, Parcel};
use crate::runtime::readiness::{Edge, Readiness};
use crate::runtime::sockets::hand_over::Moved;
use crate::runtime::sockets::relief::ANSWER_WAIT_MS;
use crate::runtime::sockets::{SocketSettings, Sockets};
use crate::runtime::timer::Ticker;
use crate::wire::inspection::Objection;
use crate::wire::record_heads::Unreadable;
use bytes::BytesMut;
use socket2::Socket;
use std::io::Error;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Between two looks at idle connections and free space.
const SWEEP_MS: u64 = 1_000;
/// After the broker has stopped: time for clients to take their last answers.
const DRAIN_MS_MAX: u64 = 3_000;
/// What the listener is watched as. Connections are watched as their ids, which count from 1.
const LISTENER: u64 = u64::MAX;
/// What the bell of the mailbox is watched as.
const BELL: u64 = u64::MAX - 1;
/// What the ring of the journal is watched as.
const JOURNAL: u64 = u64::MAX - 2;

/// What other threads tell a core.
pub enum Letter {
    /// File operations ended.
    Files(FilesOwner, FilesDone),
    /// A look inside a batch ended.
    Scanned(Ticket, Result<Option<FoundRecord>, Unreadable>),
    /// A look inside a batch of this connection ended.
    Inspected(ConnectionId, Result<BytesMut, Objection>),
    /// From another core.
    Mesh(Parcel),
    /// A connection that belongs here.
    Connection(Moved),
    /// Stop gracefully.
    Stop,
    /// All cores have stopped: leave.
    End,
}

/// What a core tells the main thread.
#[derive(Debug)]
pub enum Report {
    /// Clients can connect.
    Ready(CoreId),
    /// The core cannot go on; the machine must not.
    Failed(CoreId, String),
    /// Everything is flushed and answered.
    Stopped(CoreId),
}

/// What a core is made of; built by the main thread.
pub struct CoreParts {
    /// Which core.
    pub core: CoreId,
    /// Its broker.
    pub broker: Broker,
    /// Its bound listener.
    pub listener: Socket,
    /// Bounds of its sockets.
    pub sockets: SocketSettings,
    /// The data directory.
    pub storage: FileStorage,
    /// The threads for file operations.
    pub blocking: Blocking,
    /// Letters to it.
    pub mailbox: Arc<Mailbox<Letter>>,
    /// Its end of the mesh.
    pub mesh: Mesh,
    /// To the main thread.
    pub reports: Sender<Report>,
}

struct CoreLoop {
    core: CoreId,
    broker: Broker,
    readiness: Readiness,
    edges: Vec<Edge>,
    inbox: Rc<Inbox>,
    mailbox: Arc<Mailbox<Letter>>,
    sockets: Sockets,
    listener: Listener,
    disk: Disk,
    mesh: Mesh,
    ticker: Ticker,
    storage: FileStorage,
    reports: Sender<Report>,
    events: Vec<Event>,
    swept_ms: u64,
    turns: u64,
    /// From the wake-up in which a request came to the end of the broker's part of that turn.
    queue_latency: Latency,
    /// A letter said so; the next turn begins it.
    stop: bool,
    end: bool,
    /// Since when the broker has nothing left to do, once it was stopped.
    stopped_ms: Option<u64>,
    reported_stopped: bool,
}

/// Runs a core on this thread until [`Letter::End`].
pub fn run(parts: CoreParts) {
    let (core, reports) = (parts.core, parts.reports.clone());
    match CoreLoop::start(parts) {
        Ok(core_loop) => core_loop.run(),
        Err(error) => report(&reports, Report::Failed(core, format!("cannot start: {error}"))),
    }
}

/// Tells the main thread, which may be gone already.
fn report(reports: &Sender<Report>, report: Report) {
    let _ = reports.send(report);
}

impl CoreLoop {
    fn start(parts: CoreParts) -> Result<CoreLoop, Error> {
        let inbox = Rc::<Inbox>::default();
        let readiness = Readiness::new()?;
        let journal = JournalRing::new(parts.storage.root().to_path_buf())?;
        let sockets = Sockets::new(parts.sockets, inbox.clone(), clock::read())?;
        listen(&parts.listener)?;
        let listener = Listener::new(parts.listener);
        readiness.watch(listener.descriptor(), LISTENER)?;
        readiness.watch(parts.mailbox.bell(), BELL)?;
        readiness.watch(journal.descriptor(), JOURNAL)?;
        Ok(CoreLoop {
            core: parts.core,
            broker: parts.broker,
            readiness,
            edges: Vec::new(),
            inbox: inbox.clone(),
            mailbox: parts.mailbox.clone(),
            sockets,
            listener,
            disk: Disk::new(journal, inbox, parts.blocking, parts.mailbox),
            mesh: parts.mesh,
            ticker: Ticker::default(),
            storage: parts.storage,
            reports: parts.reports,
            events: Vec::new(),
            swept_ms: 0,
            turns: 0,
            queue_latency: Latency::default(),
            stop: false,
            end: false,
            stopped_ms: None,
            reported_stopped: false,
        })
    }

    fn run(mut self) {
        report(&self.reports, Report::Ready(self.core));
        self.turn(clock::read());
        while !self.end {
            let patience = self.patience();
            self.readiness.wait(patience, &mut self.edges);
            let now = clock::read();
            self.collect(now);
            let is_gathered = self.broker.gather_deadline().is_some_and(|deadline| deadline <= now.monotonic_ns);
            if is_gathered || !self.inbox.is_empty() || self.stop {
                self.turn(now);
            }
        }
        self.log_statistics();
        self.log_stages();
    }

    /// How long the core may sleep.
    fn patience(&self) -> Duration {
        let now = clock::read();
        if self.sockets.has_ready() || !self.inbox.is_empty() || self.listener.is_due(now.monotonic_ms()) {
            return Duration::ZERO;
        }
        let tick = self.ticker.patience(now);
        let deadline = self.broker.gather_deadline();
        deadline.map_or(tick, |deadline| tick.min(Duration::from_nanos(deadline.saturating_sub(now.monotonic_ns))))
    }

    /// What came in becomes events.
    fn collect(&mut self, now: Now) {
        self.sockets.set_now(now);
        let mut edges = std::mem::take(&mut self.edges);
        for edge in edges.drain(..) {
            match edge.token {
                LISTENER => self.listener.note_edge(),
                BELL => self.open_letters(),
                JOURNAL => {}
                _ => self.sockets.note_edge(edge),
            }
        }
        self.edges = edges;
        // A look at memory, no system call; a signal may have hidden the edge.
        self.disk.collect();
        if self.listener.is_due(now.monotonic_ms()) {
            self.listener.accept(&self.readiness, &self.sockets, now.monotonic_ms());
        }
        self.sockets.read_ready();
        if self.ticker.take_due(now) {
            self.inbox.push(Event::Tick);
        }
    }

    fn open_letters(&mut self) {
        for letter in self.mailbox.take() {
            match letter {
                Letter::Files(FilesOwner::Log(ticket), done) => {
                    self.inbox.push(Event::Log(LogInput::Files { ticket, done }));
                }
                Letter::Scanned(ticket, found) => self.inbox.push(Event::Log(LogInput::Scanned { ticket, found })),
                Letter::Inspected(connection, inspected) => {
                    self.inbox.push(Event::Inspected { connection, inspected });
                }
                Letter::Files(FilesOwner::Metadata(ticket), done) => {
                    self.inbox.push(Event::MetadataFiles { ticket, done });
                }
                Letter::Mesh(parcel) => {
                    let (from, messages) = parcel.open();
                    messages.into_iter().for_each(|message| self.inbox.push(Event::Mesh { from, message }));
                }
                Letter::Connection(moved) => self.sockets.adopt_moved(&self.readiness, moved),
                Letter::Stop => self.stop = true,
                Letter::End => self.end = true,
            }
        }
    }

    fn turn(&mut self, now: Now) {
        self.turns += 1;
        let mut events = std::mem::take(&mut self.events);
        self.inbox.swap(&mut events);
        let had_events = events.iter().any(|event| !matches!(event, Event::Tick)) || self.mesh.has_waiting();
        let requests = events.iter().filter(|event| matches!(event, Event::Request { .. })).count();
        for event in events.drain(..) {
            self.broker.handle(event, now);
        }
        self.events = events;
        self.sweep(now);
        if std::mem::take(&mut self.stop) {
            self.listener.stop();
            self.sockets.stop_reading();
            self.broker.handle(Event::Stop, now);
        }
        self.broker.end_turn(now);
        let handled = Now { monotonic_ns: clock::monotonic_ns(), ..now };
        self.queue_latency.record(handled.monotonic_ns - now.monotonic_ns, requests as u64);
        self.sockets.set_now(handled);
        while let Some(effect) = self.broker.poll_effect() {
            self.perform(effect, now);
        }
        self.disk.submit();
        self.sockets.turn_handled();
        self.sockets.send_dirty();
        for (to, moved) in self.sockets.take_moved(&self.readiness) {
            self.mesh.hand_over(to, moved);
        }
        self.share_memory(now);
        self.mesh.post();
        self.ticker.turn_done(now, had_events, self.broker.next_deadline());
        self.finish_stop(now);
    }

    /// Answers wait for memory: there is some again, or somebody has to give some back.
    fn share_memory(&mut self, now: Now) {
        let Some(since_ms) = self.broker.starves_since_ms() else { return };
        if self.broker.has_answer_memory() {
            self.inbox.push(Event::Tick);
        } else if now.monotonic_ms() >= since_ms + ANSWER_WAIT_MS {
            self.sockets.close_slowest_reader();
        }
    }

    fn perform(&mut self, effect: Effect, now: Now) {
        match effect {
            Effect::Reply { connection, response } => self.sockets.reply(connection, response),
            Effect::Close { connection, why } => {
                // Answers of this turn come first (L1).
                self.sockets.send_dirty();
                self.sockets.close(connection, &why);
            }
            Effect::PauseReading { connection, paused } => self.sockets.pause(connection, paused),
            Effect::HandOver { connection, to } => self.sockets.hand_over(connection, to),
            Effect::Log(effect) => self.disk.perform(effect),
            Effect::Inspect { connection, inspection } => self.disk.inspect(connection, *inspection),
            Effect::MetadataFiles { ticket, ops } => self.disk.files(FilesOwner::Metadata(ticket), ops),
            Effect::Send { to, message } => self.mesh.send(to, message),
            Effect::Fatal { why } => {
                report(&self.reports, Report::Failed(self.core, why));
            }
            Effect::Stopped => {
                self.stopped_ms.get_or_insert(now.monotonic_ms());
            }
        }
    }

    /// About every second: overdue connections, and how much room the disk has.
    fn sweep(&mut self, now: Now) {
        if now.monotonic_ms() < self.swept_ms + SWEEP_MS {
            return;
        }
        self.swept_ms = now.monotonic_ms();
        self.sockets.sweep();
        match self.storage.space() {
            Ok(space) => self.broker.handle(Event::Space(space), now),
            Err(error) => tracing::warn!(?error, "cannot ask for the free space of the data directory"),
        }
    }

    /// After the broker has stopped: waits until the clients have their answers, then reports.
    fn finish_stop(&mut self, now: Now) {
        let Some(since) = self.stopped_ms else { return };
        let waited = now.monotonic_ms().saturating_sub(since);
        if self.reported_stopped || (!self.sockets.is_drained() && waited < DRAIN_MS_MAX) {
            return;
        }
        self.reported_stopped = true;
        self.sockets.say_goodbye();
        report(&self.reports, Report::Stopped(self.core));
    }

    /// One line per core that says where the time of its requests went.
    fn log_stages(&self) {
        let sockets = self.sockets.latencies.borrow();
        let (journal, flush) = self.broker.journal_latencies();
        tracing::info!(
            target: "stages",
            core = self.core.0,
            socket = %sockets.socket,
            queue = %self.queue_latency,
            held = %self.broker.held_latency(),
            journal = %journal,
            flush = %flush,
            reply = %sockets.reply,
            "stopped"
        );
    }

    /// One line per core with what it did; tests read it.
    fn log_statistics(&self) {
        let counters = self.broker.counters();
        let (sockets, journal) = (&self.sockets.counters, &self.disk.journal.counters);
        tracing::info!(
            target: "stats",
            core = self.core.0,
            turns = self.turns,
            requests = ?counters.requests,
            request_errors = counters.request_errors,
            mesh_messages_sent = counters.messages_sent.total(),
            mesh_questions = counters.messages_sent.questions,
            mesh_answers = counters.messages_sent.answers,
            mesh_images = counters.messages_sent.images,
            mesh_reports = counters.messages_sent.reports,
            appended_batches = counters.appended_batches,
            appended_bytes = counters.appended_bytes,
            fetched_cached_bytes = counters.fetched_cached_bytes,
            fetched_disk_bytes = counters.fetched_disk_bytes,
            connections_accepted = sockets.accepted.get(),
            connections_handed_over = counters.connections_handed_over,
            connections_refused = sockets.refused.get(),
            requests_received = sockets.requests.get(),
            received_bytes = sockets.received_bytes.get(),
            answered_bytes = sockets.answered_bytes.get(),
            journal_writes = journal.writes,
            journal_written_bytes = journal.written_bytes,
            journal_flushes = journal.flushes,
            file_jobs = self.disk.file_jobs,
            "stopped"
        );
    }
}
