//! One client connection: its socket, what is still to be sent, and how it ends. Lives on one core.
//!
//! ```text
//! Open ── bad frame ──> Deaf (input is thrown away) ── broker closes ──> Draining (answers go out) ──> Closed
//!   ├──── broker closes ─────────────────────────────────────────────────────^                        │
//!   └──── peer gone, timeout, failed send ────────────────────────────────────────────────────────────^
//! ```
//!
//! N1: `Sockets::read_ready` alone removes a connection; whoever wants it gone shuts the socket down and wakes it.
//! N2: a socket that took less than it was given is not written again before it has told that there is room.
//! N3: requests are not cut while more than [`OUTBOUND_BYTES_MAX`] wait to be sent.

use crate::base::gather::Gather;
use crate::base::ids::ConnectionId;
use crate::base::limits::SESSION_UNSENT_BYTES_MAX;
use crate::runtime::frame_cutter::FrameCutter;
use crate::runtime::send_batch::{SENDS_MAX, SLICES_MAX, SendBatch, SendResult};
use crate::runtime::slack::Slack;
use crate::runtime::taking::Taking;
use bytes::{Buf, Bytes};
use socket2::Socket;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::AsRawFd;
use std::rc::Rc;

/// Unsent bytes beyond which no more requests are taken from a connection.
pub const OUTBOUND_BYTES_MAX: usize = SESSION_UNSENT_BYTES_MAX;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests in, answers out.
    Open,
    /// A frame of no legal length came: answers that are owed still go out, input is thrown away.
    Deaf,
    /// The broker wants it closed: what was answered goes out, input is thrown away.
    Draining,
    /// Shut down; about to be removed (N1).
    Closed,
}

/// See the module.
pub struct Connection {
    /// Never used twice.
    pub id: ConnectionId,
    /// The client's address.
    pub peer: SocketAddr,
    /// The socket, non-blocking.
    pub socket: Socket,
    /// Input.
    pub cutter: RefCell<FrameCutter>,
    /// See [`Phase`].
    pub phase: Cell<Phase>,
    /// Why it ends; the first reason counts.
    pub why: RefCell<String>,
    /// The broker wants no more requests for now.
    pub paused: Cell<bool>,
    /// Stands in the queue of the read budget.
    pub waits_for_budget: Cell<bool>,
    /// Last sign of life in either direction, monotonic milliseconds.
    pub last_active_ms: Cell<u64>,
    /// When the unfinished frame began (or could go on).
    pub frame_since_ms: Cell<u64>,
    /// Since when the socket takes nothing, or the peer of a drained connection does not close.
    pub stuck_since_ms: Cell<Option<u64>>,
    /// Listed as having something new to send.
    pub is_dirty: Cell<bool>,
    /// How its client takes answers.
    pub taking: Taking,
    outbound: RefCell<VecDeque<Bytes>>,
    outbound_bytes: Cell<usize>,
    /// Answers that the socket has not taken wholly: how many, and when the oldest was queued (monotonic nanoseconds).
    unsent_answers: Cell<(u64, u64)>,
    /// The socket took less than it was given (N2).
    blocked: Cell<bool>,
    ready: Rc<ReadyList>,
    /// Listed in `ready`.
    is_ready: Cell<bool>,
    /// The peer sends no more: the end is read even when nothing new tells of it.
    pub ending: Cell<bool>,
}

/// Connections that may have something to read, oldest first.
pub type ReadyList = RefCell<VecDeque<ConnectionId>>;

/// What follows a look at a connection.
#[derive(Debug)]
pub enum Next {
    /// Others have their turn, then it goes on.
    Again,
    /// The socket will tell, or [`Connection::wake`].
    Wait,
    /// Remove the connection.
    End,
}

/// How far sending came.
#[derive(Debug)]
pub enum Sent {
    /// Nothing is left.
    All,
    /// The socket is full.
    Blocked,
    /// The connection is broken.
    Broken(Error),
}

impl Connection {
    /// A connection just accepted.
    pub fn new(
        id: ConnectionId,
        socket: Socket,
        peer: SocketAddr,
        (ready, slack): (Rc<ReadyList>, Rc<Slack>),
        now_ms: u64,
    ) -> Connection {
        Connection {
            id,
            peer,
            socket,
            cutter: RefCell::new(FrameCutter::new(slack)),
            phase: Cell::new(Phase::Open),
            why: RefCell::default(),
            paused: Cell::new(false),
            waits_for_budget: Cell::new(false),
            last_active_ms: Cell::new(now_ms),
            frame_since_ms: Cell::new(now_ms),
            stuck_since_ms: Cell::new(None),
            is_dirty: Cell::new(false),
            taking: Taking::default(),
            outbound: RefCell::default(),
            outbound_bytes: Cell::new(0),
            unsent_answers: Cell::new((0, 0)),
            blocked: Cell::new(false),
            ready,
            is_ready: Cell::new(false),
            ending: Cell::new(false),
        }
    }

    /// Queues an answer behind the others.
    pub fn queue(&self, response: Gather, now_ns: u64) {
        let (count, since_ns) = self.unsent_answers.get();
        self.unsent_answers.set((count + 1, if count == 0 { now_ns } else { since_ns }));
        self.outbound_bytes.set(self.outbound_bytes.get() + response.len());
        self.taking.note_queued(response.len());
        self.outbound.borrow_mut().extend(response.into_slices());
    }

    /// Once the socket has taken all: how many answers since the last call, and when the oldest was queued.
    pub fn take_sent(&self) -> Option<(u64, u64)> {
        (self.outbound_bytes.get() == 0 && self.unsent_answers.get().0 > 0).then(|| self.unsent_answers.take())
    }

    /// True while the broker may answer.
    pub fn takes_answers(&self) -> bool {
        matches!(self.phase.get(), Phase::Open | Phase::Deaf)
    }

    /// True if what arrives is thrown away.
    pub fn ignores_input(&self) -> bool {
        matches!(self.phase.get(), Phase::Deaf | Phase::Draining)
    }

    /// Bytes that wait to be sent.
    pub fn outbound_bytes(&self) -> usize {
        self.outbound_bytes.get()
    }

    /// Ends the connection now. It is removed with those that are ready (N1).
    pub fn close(&self, why: &str) {
        if self.phase.replace(Phase::Closed) == Phase::Closed {
            return;
        }
        self.explain(why);
        // An error means that it is closed already.
        let _ = self.socket.shutdown(Shutdown::Both);
        self.wake();
    }

    /// What arrived is no frame: nothing that comes behind it can be understood.
    pub fn refuse_input(&self, why: &str) {
        assert_eq!(self.phase.get(), Phase::Open);
        self.phase.set(Phase::Deaf);
        self.explain(why);
    }

    /// Sends what is queued, then says goodbye; the peer closes, or a timeout does.
    pub fn drain(&self, why: &str, now_ms: u64) {
        if !self.takes_answers() {
            return;
        }
        self.phase.set(Phase::Draining);
        self.explain(why);
        if self.outbound_bytes.get() == 0 {
            self.say_goodbye(now_ms);
        }
        self.wake();
    }

    /// Has `Sockets::read_ready` look at it.
    pub fn wake(&self) {
        if !self.is_ready.replace(true) {
            self.ready.borrow_mut().push_back(self.id);
        }
    }

    /// True while it is in the list of those that are ready.
    pub fn is_listed(&self) -> bool {
        self.is_ready.get()
    }

    /// It left the list of those that are ready.
    pub fn note_taken(&self) {
        self.is_ready.set(false);
    }

    fn explain(&self, why: &str) {
        let mut known = self.why.borrow_mut();
        if known.is_empty() {
            *known = why.to_string();
        }
    }

    fn say_goodbye(&self, now_ms: u64) {
        let _ = self.socket.shutdown(Shutdown::Write);
        self.stuck_since_ms.set(Some(now_ms));
    }

    /// Writes as much as the socket takes. `first` is the result of a send that was made already.
    fn send(&self, first: Option<SendResult>, now_ms: u64) -> Sent {
        let mut outbound = self.outbound.borrow_mut();
        let mut result = first;
        while !outbound.is_empty() {
            match result.take().unwrap_or_else(|| self.send_once(&outbound)) {
                Ok(sent) => {
                    self.outbound_bytes.set(self.outbound_bytes.get() - sent);
                    self.taking.note_taken(sent);
                    self.last_active_ms.set(now_ms);
                    self.stuck_since_ms.set(None);
                    drop_front(&mut outbound, sent);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.stuck_since_ms.get().is_none() {
                        self.stuck_since_ms.set(Some(now_ms));
                    }
                    self.blocked.set(true);
                    return Sent::Blocked;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Sent::Broken(error),
            }
        }
        assert_eq!(self.outbound_bytes.get(), 0);
        Sent::All
    }

    fn send_once(&self, outbound: &VecDeque<Bytes>) -> SendResult {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let mut count = 0;
        for (place, bytes) in slices.iter_mut().zip(outbound.iter()) {
            *place = IoSlice::new(bytes);
            count += 1;
        }
        let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
        self.socket.send_vectored_with_flags(&slices[..count], flags)
    }

    /// True if what is queued may be sent now.
    fn may_send(&self) -> bool {
        !self.blocked.get() && self.phase.get() != Phase::Closed
    }
}

/// Forgets the first `sent` bytes.
fn drop_front(outbound: &mut VecDeque<Bytes>, mut sent: usize) {
    while sent > 0 {
        let first = outbound.front_mut().expect("no more is sent than was there");
        if first.len() > sent {
            first.advance(sent);
            return;
        }
        sent -= first.len();
        outbound.pop_front();
    }
}

/// Sends what is queued on each connection; what does not go out waits for room (N2).
pub fn send_queued(connections: &[Rc<Connection>], batch: &mut SendBatch, now_ms: u64) {
    for connections in connections.chunks(SENDS_MAX) {
        let sending: Vec<&Rc<Connection>> = connections.iter().filter(|connection| connection.may_send()).collect();
        let mut results = VecDeque::new();
        if sending.len() > 1 {
            let queues: Vec<_> = sending.iter().map(|connection| connection.outbound.borrow()).collect();
            let fds = sending.iter().map(|connection| connection.socket.as_raw_fd());
            let sends: Vec<_> = fds.zip(queues.iter().map(|queue| &**queue)).collect();
            results = batch.submit(&sends);
        }
        for connection in sending {
            connection.send_rest(results.pop_front(), now_ms);
        }
    }
}

impl Connection {
    /// The socket has room again.
    pub fn unblock(&self, now_ms: u64) {
        if self.blocked.replace(false) && self.may_send() {
            self.send_rest(None, now_ms);
        }
    }

    /// Sends; a broken connection is closed.
    fn send_rest(&self, first: Option<SendResult>, now_ms: u64) {
        let was_full = self.outbound_bytes() > OUTBOUND_BYTES_MAX;
        match self.send(first, now_ms) {
            Sent::All if self.phase.get() == Phase::Draining => self.say_goodbye(now_ms),
            Sent::Broken(error) => self.close(&format!("send: {error}")),
            Sent::All | Sent::Blocked => {}
        }
        if was_full && self.outbound_bytes() <= OUTBOUND_BYTES_MAX {
            self.wake();
        }
    }
}
