//! The turn of a core, and the only place that knows its order:
//!
//! ```text
//! clock -> every event to the broker -> end of turn -> every effect performed -> one write per socket, one post per core
//! ```
//!
//! The broker is owned by the turn task alone, so nothing can look at it half-way. Events collect in the inbox while other
//! tasks run; one turn handles them all.
//!
//! L1: effects are performed in the order in which the broker gave them.
//! L2: no effect runs other code of this core inside a turn: tasks are queued, wakers only mark.

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::base::storage::{FilesDone, Storage};
use crate::broker::broker::Broker;
use crate::broker::event::{Effect, Event};
use crate::log::effect::{LogInput, Ticket};
use crate::log::record_scan::FoundRecord;
use crate::runtime::blocking::Blocking;
use crate::runtime::clock;
use crate::runtime::disk::{Disk, FilesOwner};
use crate::runtime::file_storage::FileStorage;
use crate::runtime::guard::Watched;
use crate::runtime::inbox::Inbox;
use crate::runtime::listener::{Listener, listen};
use crate::runtime::mailbox::Mailbox;
use crate::runtime::mesh::{Mesh, Parcel};
use crate::runtime::sockets::{SocketSettings, Sockets};
use crate::runtime::timer::Ticker;
use crate::wire::record_heads::Unreadable;
use socket2::Socket;
use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// Between two looks at idle connections and free space.
const SWEEP_MS: u64 = 1_000;
/// After the broker has stopped: time for clients to take their last answers.
const DRAIN_MS_MAX: u64 = 3_000;

/// What other threads tell a core.
pub enum Letter {
    /// File operations ended.
    Files(FilesOwner, FilesDone),
    /// A look inside a batch ended.
    Scanned(Ticket, Result<Option<FoundRecord>, Unreadable>),
    /// From another core.
    Mesh(Parcel),
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
    /// Its share of the guard.
    pub watched: Arc<Watched>,
    /// To the main thread.
    pub reports: Reporter,
}

/// A core's line to the main thread. If the core ends before it was ready (its executor could not even start), that is
/// reported too, so that nobody waits for it.
pub struct Reporter {
    core: CoreId,
    sender: Sender<Report>,
    ready: bool,
}

impl Reporter {
    /// For a core that is about to start.
    pub fn new(core: CoreId, sender: Sender<Report>) -> Reporter {
        Reporter { core, sender, ready: false }
    }

    /// Tells the main thread, which may be gone already.
    fn report(&mut self, report: Report) {
        self.ready |= matches!(report, Report::Ready(_));
        let _ = self.sender.send(report);
    }
}

impl Drop for Reporter {
    fn drop(&mut self) {
        if !self.ready {
            self.report(Report::Failed(self.core, "its executor did not start".to_string()));
        }
    }
}

struct CoreLoop {
    core: CoreId,
    broker: Broker,
    inbox: Rc<Inbox>,
    sockets: Rc<Sockets>,
    listener: Rc<Listener>,
    disk: Rc<Disk>,
    mesh: Mesh,
    ticker: Rc<Ticker>,
    storage: FileStorage,
    watched: Arc<Watched>,
    reports: Reporter,
    signals: Rc<Signals>,
    events: Vec<Event>,
    swept_ms: u64,
    turns: u64,
    /// Since when the broker has nothing left to do, once it was stopped.
    stopped_ms: Option<u64>,
    reported_stopped: bool,
}

/// Marks set by the letter task, looked at by the next turn.
#[derive(Default)]
struct Signals {
    stop: Cell<bool>,
    end: Cell<bool>,
}

/// Runs a core on the executor of this thread until [`Letter::End`].
pub async fn run(mut parts: CoreParts) {
    parts.watched.watch_caller().await;
    let queue = glommio::executor().current_task_queue();
    let spawn = |task: std::pin::Pin<Box<dyn Future<Output = ()>>>| {
        glommio::spawn_local_into(task, queue).expect("the queue exists").detach();
    };
    spawn(Box::pin(parts.watched.clone().heartbeat()));
    let (inbox, signals, ticker) = (Rc::<Inbox>::default(), Rc::<Signals>::default(), Rc::<Ticker>::default());
    spawn(Box::pin(letter_loop(parts.mailbox.clone(), inbox.clone(), signals.clone())));
    spawn(Box::pin(tick_loop(ticker.clone(), inbox.clone())));
    let now = clock::read();
    let sockets = Sockets::new(parts.sockets, inbox.clone(), now.monotonic_ms());
    if let Err(error) = listen(&parts.listener) {
        parts.reports.report(Report::Failed(parts.core, format!("cannot listen: {error}")));
        return;
    }
    let listener = Listener::new(parts.listener);
    spawn(Box::pin(listener.clone().accept_loop(sockets.clone())));
    parts.reports.report(Report::Ready(parts.core));
    let disk = Disk::new(parts.storage.root().to_path_buf(), inbox.clone(), parts.blocking, parts.mailbox);
    let core_loop = CoreLoop {
        core: parts.core,
        broker: parts.broker,
        inbox,
        sockets,
        listener,
        disk,
        mesh: parts.mesh,
        ticker,
        storage: parts.storage,
        watched: parts.watched,
        reports: parts.reports,
        signals,
        events: Vec::new(),
        swept_ms: 0,
        turns: 0,
        stopped_ms: None,
        reported_stopped: false,
    };
    core_loop.run().await;
}

/// Turns letters into events.
async fn letter_loop(mailbox: Arc<Mailbox<Letter>>, inbox: Rc<Inbox>, signals: Rc<Signals>) {
    loop {
        for letter in mailbox.take().await {
            match letter {
                Letter::Files(FilesOwner::Log(ticket), done) => {
                    inbox.push(Event::Log(LogInput::Files { ticket, done }))
                }
                Letter::Scanned(ticket, found) => inbox.push(Event::Log(LogInput::Scanned { ticket, found })),
                Letter::Files(FilesOwner::Metadata(ticket), done) => inbox.push(Event::MetadataFiles { ticket, done }),
                Letter::Mesh(parcel) => {
                    let (from, messages) = parcel.open();
                    messages.into_iter().for_each(|message| inbox.push(Event::Mesh { from, message }));
                }
                Letter::Stop => signals.stop.set(true),
                Letter::End => signals.end.set(true),
            }
        }
        inbox.request_turn();
    }
}

async fn tick_loop(ticker: Rc<Ticker>, inbox: Rc<Inbox>) {
    loop {
        ticker.tick().await;
        inbox.push(Event::Tick);
    }
}

impl CoreLoop {
    async fn run(mut self) {
        self.inbox.request_turn();
        while !self.signals.end.get() {
            self.inbox.turn_due().await;
            self.turn();
        }
        self.log_statistics();
    }

    fn turn(&mut self) {
        let now = clock::read();
        self.turns += 1;
        self.sockets.set_now(now.monotonic_ms());
        let mut events = std::mem::take(&mut self.events);
        self.inbox.swap(&mut events);
        let had_events = events.iter().any(|event| !matches!(event, Event::Tick)) || self.mesh.has_waiting();
        if had_events {
            self.watched.note_turn();
        }
        for event in events.drain(..) {
            self.broker.handle(event, now);
        }
        self.events = events;
        self.sweep(now);
        if self.signals.stop.replace(false) {
            self.listener.stop();
            self.sockets.stop_reading();
            self.broker.handle(Event::Stop, now);
        }
        self.broker.end_turn(now);
        while let Some(effect) = self.broker.poll_effect() {
            self.perform(effect, now);
        }
        self.sockets.turn_handled();
        self.sockets.send_dirty();
        self.mesh.post();
        self.ticker.turn_done(now, had_events, self.broker.next_deadline());
        self.finish_stop(now);
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
            Effect::Log(effect) => self.disk.perform(effect),
            Effect::MetadataFiles { ticket, ops } => self.disk.files(FilesOwner::Metadata(ticket), ops),
            Effect::Send { to, message } => self.mesh.send(to, message),
            Effect::Fatal { why } => {
                self.reports.report(Report::Failed(self.core, why));
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
        match self.storage.free_bytes() {
            Ok(bytes) => self.broker.handle(Event::FreeBytes { bytes }, now),
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
        self.reports.report(Report::Stopped(self.core));
    }

    /// One line per core with what it did; tests read it.
    fn log_statistics(&self) {
        let counters = self.broker.counters();
        let (sockets, disk) = (&self.sockets.counters, &self.disk.counters);
        tracing::info!(
            target: "stats",
            core = self.core.0,
            turns = self.turns,
            guard_wakes = self.watched.wakes(),
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
            connections_refused = sockets.refused.get(),
            requests_received = sockets.requests.get(),
            received_bytes = sockets.received_bytes.get(),
            answered_bytes = sockets.answered_bytes.get(),
            journal_writes = disk.writes.get(),
            journal_written_bytes = disk.written_bytes.get(),
            journal_flushes = disk.flushes.get(),
            file_jobs = disk.file_jobs.get(),
            "stopped"
        );
    }
}
