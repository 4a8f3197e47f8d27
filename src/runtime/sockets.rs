//! All client connections of one core: reading, the budget, timeouts, counts. Lives on one core.

use crate::base::clock::Now;
use crate::base::config::Config;
use crate::base::gather::Gather;
use crate::base::ids::{ConnectionId, CoreId};
use crate::base::latency::Latency;
use crate::base::map::Map;
use crate::broker::event::Event;
use crate::runtime::clock;
use crate::runtime::connection::{Connection, Next, OUTBOUND_BYTES_MAX, Phase, ReadyList, send_queued};
use crate::runtime::frame_cutter::{BadLength, Frame, FrameCutter};
use crate::runtime::inbox::Inbox;
use crate::runtime::log_limiter::LogLimiter;
use crate::runtime::read_budget::ReadBudget;
use crate::runtime::readiness::{Edge, Readiness};
use crate::runtime::send_batch::SendBatch;
use crate::runtime::slack::Slack;
use bytes::BytesMut;
use socket2::{MaybeUninitSlice, Socket};
use std::cell::{Cell, RefCell};
use std::io::{Error, ErrorKind};
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;

/// The buffer that all connections of a core receive into.
pub const SHARED_BUFFER_BYTES: usize = 64 * 1024;
/// A smaller rest of it is not worth a system call.
const SHARED_SPARE_BYTES_MIN: usize = 16 * 1024;
/// Requests that one connection hands over in one turn.
const FRAMES_PER_TURN_MAX: usize = 64;
/// Bytes read from one connection before others have their turn.
const READ_BYTES_PER_SLICE: usize = 256 * 1024;
/// Accounting of large frames that are still arriving, per core; at least one of the largest must fit.
const READ_BUDGET_BYTES: usize = 256 * 1024 * 1024;
/// A frame must be complete after this time plus a millisecond per [`FRAME_BYTES_PER_MS`].
const FRAME_MS_MAX: u64 = 30_000;
/// The slowest acceptable sender of a large frame (1 MiB/s).
const FRAME_BYTES_PER_MS: u64 = 1049;
/// After this time without a byte an unfinished frame gives back what its buffer was given ahead.
const UNUSED_SLACK_MS_MAX: u64 = 1_000;
/// A peer that takes no byte for this long is gone.
const WRITE_STALL_MS_MAX: u64 = 30_000;
/// Descriptors left to files when the limit bounds the connections.
const FILES_RESERVED: u64 = 1024;
/// Time for a peer to close after our goodbye.
const GOODBYE_MS_MAX: u64 = 2_000;

/// Bounds that the operator sets.
#[derive(Clone, Copy, Debug)]
pub struct SocketSettings {
    /// `socket.request.max.bytes`: largest frame.
    pub request_bytes_max: usize,
    /// `connections.max.idle.ms`.
    pub idle_ms_max: u64,
    /// `max.connections` of one core.
    pub connections_max: usize,
}

impl SocketSettings {
    /// From the configuration; `open_files` bounds the connections of all `cores` together.
    pub fn new(config: &Config, cores: u16, open_files: u64) -> SocketSettings {
        let for_sockets = open_files.saturating_sub(FILES_RESERVED).max(open_files / 2);
        let connections_max = (for_sockets / u64::from(cores)) as usize;
        SocketSettings {
            request_bytes_max: config.request_bytes_max,
            idle_ms_max: config.connection_idle_ms_max,
            connections_max: connections_max.min(config.connections_max),
        }
    }
}

/// What was done, for the statistics line.
#[derive(Default)]
pub struct SocketCounters {
    /// Connections accepted.
    pub accepted: Cell<u64>,
    /// Connections refused for the limit.
    pub refused: Cell<u64>,
    /// Requests handed to the broker.
    pub requests: Cell<u64>,
    /// Bytes received.
    pub received_bytes: Cell<u64>,
    /// Bytes answered.
    pub answered_bytes: Cell<u64>,
}

/// How long the ends of a request take.
#[derive(Default)]
pub struct SocketLatencies {
    /// From a request's first byte to its last; to the millisecond, the least for those that came in one piece.
    pub socket: Latency,
    /// From the end of the broker's part of a turn to when the socket has taken the answer.
    pub reply: Latency,
}

/// See the module.
pub struct Sockets {
    settings: SocketSettings,
    inbox: Rc<Inbox>,
    /// Connections that may have something to read.
    ready: Rc<ReadyList>,
    connections: RefCell<Map<ConnectionId, Rc<Connection>>>,
    dirty: RefCell<Vec<Rc<Connection>>>,
    /// Those that go to another core once their answers are sent.
    leaving: RefCell<Vec<(ConnectionId, CoreId)>>,
    shared: RefCell<BytesMut>,
    frames: RefCell<Vec<Frame>>,
    send_batch: RefCell<SendBatch>,
    budget: ReadBudget,
    slack: Rc<Slack>,
    /// Reservations of frames that the broker has not handled yet.
    reserved_in_turn: RefCell<Vec<usize>>,
    now: Cell<Now>,
    /// When somebody to close was looked for last: among readers, among senders.
    relieved_ms: [Cell<u64>; 2],
    next_id: Cell<u64>,
    stopping: Cell<bool>,
    limiter: LogLimiter,
    /// See [`SocketCounters`].
    pub counters: SocketCounters,
    /// See [`SocketLatencies`].
    pub latencies: RefCell<SocketLatencies>,
}

impl Sockets {
    /// Without connections; an error if the kernel has no ring for its sends.
    pub fn new(settings: SocketSettings, inbox: Rc<Inbox>, now: Now) -> Result<Sockets, Error> {
        let send_batch = SendBatch::new()?;
        Ok(Sockets {
            settings,
            inbox,
            ready: Rc::default(),
            connections: RefCell::default(),
            dirty: RefCell::default(),
            leaving: RefCell::default(),
            shared: RefCell::new(BytesMut::with_capacity(SHARED_BUFFER_BYTES)),
            frames: RefCell::default(),
            send_batch: RefCell::new(send_batch),
            budget: ReadBudget::new(READ_BUDGET_BYTES, settings.request_bytes_max),
            slack: Rc::default(),
            reserved_in_turn: RefCell::default(),
            now: Cell::new(now),
            relieved_ms: Default::default(),
            next_id: Cell::new(1),
            stopping: Cell::new(false),
            limiter: LogLimiter::default(),
            counters: SocketCounters::default(),
            latencies: RefCell::default(),
        })
    }

    /// The clock of the last turn.
    pub fn now_ms(&self) -> u64 {
        self.now.get().monotonic_ms()
    }

    /// A new turn, or the broker's part of it is over.
    pub fn set_now(&self, now: Now) {
        self.now.set(now);
    }

    /// Takes a socket that the listener accepted.
    pub fn adopt(&self, readiness: &Readiness, socket: Socket, peer: SocketAddr) {
        if self.connections.borrow().len() >= self.settings.connections_max {
            bump(&self.counters.refused, 1);
            self.log_end(peer, &format!("refused: max.connections of this core is {}", self.settings.connections_max));
            return;
        }
        if self.begin(readiness, socket, peer).is_some() {
            bump(&self.counters.accepted, 1);
        }
    }

    /// Begins a connection.
    fn begin(&self, readiness: &Readiness, socket: Socket, peer: SocketAddr) -> Option<Rc<Connection>> {
        let prepared =
            socket.set_nonblocking(true).and_then(|()| socket.set_tcp_nodelay(true)).and_then(|()| socket.local_addr());
        let Some(local) = prepared.ok().and_then(|address| address.as_socket()) else {
            // The peer was gone before we looked.
            return None;
        };
        let id = ConnectionId(self.next_id.replace(self.next_id.get() + 1));
        if let Err(error) = readiness.watch(socket.as_raw_fd(), id.0) {
            self.log_end(peer, &format!("cannot be watched: {error}"));
            return None;
        }
        let context = (self.ready.clone(), self.slack.clone());
        let connection = Rc::new(Connection::new(id, socket, peer, context, self.now_ms()));
        self.connections.borrow_mut().insert(id, connection.clone());
        self.inbox.push(Event::Connected { connection: id, peer, local });
        Some(connection)
    }

    /// Something may have happened on a connection, which may be gone.
    pub fn note_edge(&self, edge: Edge) {
        let connection = self.connections.borrow().get(&ConnectionId(edge.token)).cloned();
        let Some(connection) = connection else { return };
        if edge.ending {
            connection.ending.set(true);
        }
        if edge.input {
            connection.wake();
        }
        if edge.output {
            connection.unblock(self.now_ms());
            self.note_sent(&connection, self.now.get().monotonic_ns);
            self.tell_unsent(&connection);
        }
    }

    /// True if connections may have something to read.
    pub fn has_ready(&self) -> bool {
        !self.ready.borrow().is_empty()
    }

    /// Reads once from each connection that may have something.
    pub fn read_ready(&self) {
        let count = self.ready.borrow().len();
        for _ in 0..count {
            let id = self.ready.borrow_mut().pop_front().expect("counted");
            let connection = self.connections.borrow().get(&id).cloned().expect("those that are listed are known");
            connection.note_taken();
            match self.read_some(&connection) {
                Next::Again => connection.wake(),
                Next::Wait => {}
                Next::End => self.remove(&connection),
            }
        }
    }

    /// Connections now.
    pub fn len(&self) -> usize {
        self.connections.borrow().len()
    }

    /// True without connections.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Reads and cuts what one connection has, within its share of a turn.
    fn read_some(&self, connection: &Connection) -> Next {
        if connection.phase.get() == Phase::Closed {
            return Next::End;
        }
        if connection.phase.get() == Phase::Open && !self.may_read(connection) {
            return Next::Wait;
        }
        let mut taken = 0;
        while taken < READ_BYTES_PER_SLICE {
            match self.receive(connection) {
                Received::Some { bytes, more } => {
                    taken += bytes;
                    if connection.phase.get() == Phase::Closed {
                        return Next::End;
                    }
                    if !more && !connection.ending.get() {
                        return if connection.cutter.borrow().has_backlog() { Next::Again } else { Next::Wait };
                    }
                    if connection.cutter.borrow().unreserved().is_some() || connection.cutter.borrow().has_backlog() {
                        return Next::Again;
                    }
                }
                Received::Nothing => return Next::Wait,
                Received::End => return Next::End,
            }
        }
        Next::Again
    }

    /// False if the connection has to wait for a wake-up.
    fn may_read(&self, connection: &Connection) -> bool {
        if self.stopping.get() || connection.paused.get() || connection.outbound_bytes() > OUTBOUND_BYTES_MAX {
            return false;
        }
        let Some(bytes) = connection.cutter.borrow().unreserved() else { return true };
        if connection.waits_for_budget.get() {
            return false;
        }
        let reserved = self.budget.reserve(connection.id, bytes, self.now_ms());
        if reserved {
            self.note_reserved(connection);
        } else {
            connection.waits_for_budget.set(true);
        }
        reserved
    }

    fn note_reserved(&self, connection: &Connection) {
        connection.cutter.borrow_mut().note_reserved();
        connection.frame_since_ms.set(self.now_ms());
    }

    fn receive(&self, connection: &Connection) -> Received {
        if connection.ignores_input() {
            self.abandon_frame(connection);
        }
        let mut cutter = connection.cutter.borrow_mut();
        if cutter.has_backlog() {
            let result = self.cut(connection, &mut cutter, BytesMut::new());
            return self.received(connection, result, 0, true);
        }
        let mut shared = self.shared.borrow_mut();
        if shared.capacity() < SHARED_SPARE_BYTES_MIN && !shared.try_reclaim(SHARED_BUFFER_BYTES) {
            *shared = BytesMut::with_capacity(SHARED_BUFFER_BYTES);
        }
        let (own, is_rest) = cutter.spare(|| waiting_bytes(&connection.socket));
        let own_bytes = own.len();
        let shared_spare = if is_rest { shared.spare_capacity_mut() } else { &mut [] };
        let offered = own_bytes + shared_spare.len();
        let mut places = [MaybeUninitSlice::new(own), MaybeUninitSlice::new(shared_spare)];
        let skip = usize::from(own_bytes == 0);
        let bytes = match connection.socket.recv_vectored(&mut places[skip..]) {
            Ok((0, _)) => {
                connection.close("closed by the peer");
                return Received::End;
            }
            Ok((bytes, _)) => bytes,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => {
                return Received::Nothing;
            }
            Err(error) => {
                connection.close(&format!("receive: {error}"));
                return Received::End;
            }
        };
        let into_own = bytes.min(own_bytes);
        // SAFETY: the kernel filled the places in order, `into_own` bytes of the first.
        unsafe { cutter.advance(into_own) };
        // SAFETY: and the rest into the shared buffer, which was empty and has at least that much room.
        unsafe { shared.set_len(bytes - into_own) };
        let input = shared.split();
        drop(shared);
        bump(&self.counters.received_bytes, bytes as u64);
        connection.last_active_ms.set(self.now_ms());
        if connection.ignores_input() {
            return Received::Some { bytes, more: bytes == offered };
        }
        let result = self.cut(connection, &mut cutter, input);
        self.received(connection, result, bytes, bytes == offered)
    }

    fn cut(&self, connection: &Connection, cutter: &mut FrameCutter, input: BytesMut) -> Result<(), BadLength> {
        let (was_inside, began_ms) = (cutter.is_inside_frame(), connection.frame_since_ms.get());
        let mut frames = self.frames.borrow_mut();
        frames.extend(cutter.finished());
        let result = cutter.cut(input, self.settings.request_bytes_max, FRAMES_PER_TURN_MAX, &mut frames);
        if !was_inside || !frames.is_empty() {
            connection.frame_since_ms.set(self.now_ms());
        }
        bump(&self.counters.requests, frames.len() as u64);
        let took_ms = if was_inside { self.now_ms() - began_ms } else { 0 };
        self.latencies.borrow_mut().socket.record(took_ms * 1_000_000, frames.len() as u64);
        for frame in frames.drain(..) {
            if frame.reserved > 0 {
                self.reserved_in_turn.borrow_mut().push(frame.reserved);
            }
            let (connection, buffer_bytes) = (connection.id, frame.buffer_bytes);
            self.inbox.push(Event::Request { connection, frame: frame.bytes, buffer_bytes });
        }
        result
    }

    fn received(&self, connection: &Connection, result: Result<(), BadLength>, bytes: usize, more: bool) -> Received {
        if let Err(BadLength(length)) = result {
            let max = self.settings.request_bytes_max;
            connection.refuse_input(&format!("a request of {length} bytes; socket.request.max.bytes is {max}"));
            // The broker closes when what came before is answered.
            let frame = BytesMut::new();
            self.inbox.push(Event::Request { connection: connection.id, frame, buffer_bytes: 0 });
        }
        Received::Some { bytes, more }
    }

    /// Queues an answer; [`Sockets::send_dirty`] sends it. Nothing happens if the connection is gone.
    pub fn reply(&self, id: ConnectionId, response: Gather) {
        let connection = self.connections.borrow().get(&id).cloned();
        let Some(connection) = connection.filter(|connection| connection.takes_answers()) else { return };
        bump(&self.counters.answered_bytes, response.len() as u64);
        connection.queue(response, self.now.get().monotonic_ns);
        if !connection.is_dirty.replace(true) {
            self.dirty.borrow_mut().push(connection);
        }
    }

    /// Closes after what was answered is sent.
    pub fn close(&self, id: ConnectionId, why: &str) {
        let connection = self.connections.borrow().get(&id).cloned();
        if let Some(connection) = connection {
            connection.drain(why, self.now_ms());
        }
    }

    /// Stops or resumes the cutting of requests.
    pub fn pause(&self, id: ConnectionId, paused: bool) {
        let connection = self.connections.borrow().get(&id).cloned();
        let Some(connection) = connection else { return };
        connection.paused.set(paused);
        if !paused {
            connection.frame_since_ms.set(self.now_ms());
            connection.wake();
        }
    }

    /// Once per turn: every connection with new answers is written once.
    pub fn send_dirty(&self) {
        let mut dirty = std::mem::take(&mut *self.dirty.borrow_mut());
        dirty.iter().for_each(|connection| connection.is_dirty.set(false));
        send_queued(&dirty, &mut self.send_batch.borrow_mut(), self.now_ms());
        if !dirty.is_empty() {
            let now_ns = clock::monotonic_ns();
            dirty.iter().for_each(|connection| self.note_sent(connection, now_ns));
        }
        dirty.iter().for_each(|connection| self.tell_unsent(connection));
        dirty.clear();
        *self.dirty.borrow_mut() = dirty;
    }

    fn note_sent(&self, connection: &Connection, now_ns: u64) {
        if let Some((answers, since_ns)) = connection.take_sent() {
            self.latencies.borrow_mut().reply.record(now_ns - since_ns, answers);
        }
    }

    /// The broker has handled the requests of this turn: what was reserved for them is free again.
    pub fn turn_handled(&self) {
        for reserved in self.reserved_in_turn.borrow_mut().drain(..) {
            let granted = self.budget.release(reserved);
            self.resume(granted);
        }
        self.relieve_budget();
    }

    fn resume(&self, granted: Vec<ConnectionId>) {
        for id in granted {
            let connection = self.connections.borrow().get(&id).cloned().expect("those that wait are known");
            connection.waits_for_budget.set(false);
            self.note_reserved(&connection);
            connection.wake();
        }
    }

    /// The end of a connection (N1).
    fn remove(&self, connection: &Connection) {
        // Before it is forgotten: closing wakes it.
        connection.close("closed");
        if connection.is_listed() {
            self.ready.borrow_mut().retain(|id| *id != connection.id);
        }
        let removed = self.connections.borrow_mut().remove(&connection.id);
        assert!(removed.is_some(), "removed once");
        self.abandon_frame(connection);
        self.inbox.push(Event::Disconnected { connection: connection.id });
        let why = connection.why.borrow();
        if why.as_str() == "closed by the peer" {
            tracing::debug!(peer = %connection.peer, "connection closed by the peer");
        } else {
            self.log_end(connection.peer, &why);
        }
    }

    /// Forgets what was received of a request, and what was reserved or waited for.
    fn abandon_frame(&self, connection: &Connection) {
        let mut cutter = connection.cutter.replace(FrameCutter::new(self.slack.clone()));
        let mut granted = self.budget.release(cutter.take_reserved());
        if connection.waits_for_budget.replace(false) {
            granted.extend(self.budget.forget(connection.id));
        }
        self.resume(granted);
    }

    /// About every second: closes what is idle or stuck.
    pub fn sweep(&self) {
        let all: Vec<Rc<Connection>> = self.connections.borrow().values().cloned().collect();
        for connection in all {
            if let Some(why) = self.overdue(&connection) {
                connection.close(why);
            }
            if self.now_ms().saturating_sub(connection.last_active_ms.get()) > UNUSED_SLACK_MS_MAX {
                connection.cutter.borrow_mut().shrink();
            }
        }
    }

    fn overdue(&self, connection: &Connection) -> Option<&'static str> {
        let past = |since: u64| self.now_ms().saturating_sub(since);
        let stuck = connection.stuck_since_ms.get().map_or(0, past);
        if connection.phase.get() == Phase::Draining && connection.outbound_bytes() == 0 && stuck > GOODBYE_MS_MAX {
            return Some("closed by the broker");
        }
        if stuck > WRITE_STALL_MS_MAX {
            return Some("the peer takes no answers");
        }
        let cutter = connection.cutter.borrow();
        let reads = !connection.paused.get()
            && !connection.waits_for_budget.get()
            && connection.outbound_bytes() <= OUTBOUND_BYTES_MAX;
        let frame_ms_max = FRAME_MS_MAX + cutter.declared() as u64 / FRAME_BYTES_PER_MS;
        if reads && cutter.is_inside_frame() && past(connection.frame_since_ms.get()) > frame_ms_max {
            return Some("a request did not arrive whole in time");
        }
        (past(connection.last_active_ms.get()) > self.settings.idle_ms_max)
            .then_some("idle for connections.max.idle.ms")
    }

    /// No more requests are cut. Answers still go out.
    pub fn stop_reading(&self) {
        self.stopping.set(true);
    }

    /// True when every answer was sent.
    pub fn is_drained(&self) -> bool {
        self.connections.borrow().values().all(|connection| connection.outbound_bytes() == 0)
    }

    /// Says goodbye to every client.
    pub fn say_goodbye(&self) {
        let all: Vec<Rc<Connection>> = self.connections.borrow().values().cloned().collect();
        for connection in all {
            connection.drain("the broker stops", self.now_ms());
        }
    }

    fn log_end(&self, peer: SocketAddr, why: &str) {
        if let Some(suppressed) = self.limiter.pass(self.now_ms()) {
            tracing::info!(%peer, why, suppressed, "connection closed");
        }
    }
}

enum Received {
    /// `more`: everything offered was filled, so there may be more.
    Some {
        bytes: usize,
        more: bool,
    },
    Nothing,
    End,
}

/// Received by the kernel and not read.
fn waiting_bytes(socket: &Socket) -> usize {
    let mut bytes: libc::c_int = 0;
    // SAFETY: FIONREAD writes one `int`, to a place of that type.
    let result = unsafe { libc::ioctl(socket.as_raw_fd(), libc::FIONREAD, &mut bytes) };
    if result < 0 { 0 } else { bytes as usize }
}

fn bump(counter: &Cell<u64>, by: u64) {
    counter.set(counter.get() + by);
}

pub mod hand_over;
pub mod relief;
#[cfg(test)]
mod tests;
