//! One client connection: its socket, what is still to be sent, and the two loops that wait for it. Lives on one core.
//!
//! ```text
//! Open ── bad frame ──> Deaf (input is thrown away) ── broker closes ──> Draining (answers go out) ──> Closed
//!   ├──── broker closes ─────────────────────────────────────────────────────^                        │
//!   └──── peer gone, timeout, failed send ────────────────────────────────────────────────────────────^
//! ```
//!
//! N1: the read task exists from accept to the end and alone removes the connection; whoever wants it gone shuts the
//!     socket down, which wakes that task. No readiness future is ever dropped half-way.
//! N2: at most one write task, only while the socket would block.
//! N3: requests are not cut while more than [`OUTBOUND_BYTES_MAX`] wait to be sent.

use crate::base::gather::Gather;
use crate::base::ids::ConnectionId;
use crate::runtime::frame_cutter::FrameCutter;
use crate::runtime::sockets::Sockets;
use bytes::{Buf, Bytes};
use glommio::io::PollableFd;
use socket2::Socket;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io::{Error, ErrorKind, IoSlice};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::task::{Poll, Waker};

/// Unsent bytes beyond which no more requests are taken from a connection.
pub const OUTBOUND_BYTES_MAX: usize = 1024 * 1024;
/// Slices per system call.
const SLICES_MAX: usize = 64;

/// Where a connection is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// Requests in, answers out.
    Open,
    /// A frame of no legal length came: answers that are owed still go out, input is thrown away.
    Deaf,
    /// The broker wants it closed: what was answered goes out, input is thrown away.
    Draining,
    /// Shut down; the read task is about to remove it.
    Closed,
}

/// See the module.
pub struct Connection {
    /// Never used twice.
    pub id: ConnectionId,
    /// The client's address.
    pub peer: SocketAddr,
    /// The socket, non-blocking.
    pub socket: PollableFd<Socket>,
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
    outbound: RefCell<VecDeque<Bytes>>,
    outbound_bytes: Cell<usize>,
    writer_runs: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    woken: Cell<bool>,
}

/// What the read task does next.
#[derive(Debug)]
pub enum Next {
    /// Let others run, then go on.
    Again,
    /// Wait for the socket.
    Readable,
    /// Wait for [`Connection::wake`].
    Woken,
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
    pub fn new(id: ConnectionId, socket: PollableFd<Socket>, peer: SocketAddr, now_ms: u64) -> Connection {
        Connection {
            id,
            peer,
            socket,
            cutter: RefCell::default(),
            phase: Cell::new(Phase::Open),
            why: RefCell::default(),
            paused: Cell::new(false),
            waits_for_budget: Cell::new(false),
            last_active_ms: Cell::new(now_ms),
            frame_since_ms: Cell::new(now_ms),
            stuck_since_ms: Cell::new(None),
            is_dirty: Cell::new(false),
            outbound: RefCell::default(),
            outbound_bytes: Cell::new(0),
            writer_runs: Cell::new(false),
            waker: RefCell::default(),
            woken: Cell::new(false),
        }
    }

    /// Queues an answer behind the others.
    pub fn queue(&self, response: Gather) {
        self.outbound_bytes.set(self.outbound_bytes.get() + response.len());
        self.outbound.borrow_mut().extend(response.into_slices());
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

    /// Ends the connection now. The read task notices and removes it.
    pub fn close(&self, why: &str) {
        if self.phase.replace(Phase::Closed) == Phase::Closed {
            return;
        }
        self.explain(why);
        // An error means that it is closed already.
        let _ = self.socket.get_ref().shutdown(Shutdown::Both);
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

    /// Lets the read task look again at whether it may go on.
    pub fn wake(&self) {
        self.woken.set(true);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn explain(&self, why: &str) {
        let mut known = self.why.borrow_mut();
        if known.is_empty() {
            *known = why.to_string();
        }
    }

    fn say_goodbye(&self, now_ms: u64) {
        let _ = self.socket.get_ref().shutdown(Shutdown::Write);
        self.stuck_since_ms.set(Some(now_ms));
    }

    async fn woken(&self) {
        poll_fn(|context| {
            if self.woken.replace(false) {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Writes as much as the socket takes.
    fn send(&self, now_ms: u64) -> Sent {
        let mut outbound = self.outbound.borrow_mut();
        while !outbound.is_empty() {
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let mut count = 0;
            for (place, bytes) in slices.iter_mut().zip(outbound.iter()) {
                *place = IoSlice::new(bytes);
                count += 1;
            }
            let flags = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;
            match self.socket.get_ref().send_vectored_with_flags(&slices[..count], flags) {
                Ok(sent) => {
                    self.outbound_bytes.set(self.outbound_bytes.get() - sent);
                    self.last_active_ms.set(now_ms);
                    self.stuck_since_ms.set(None);
                    drop_front(&mut outbound, sent);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if self.stuck_since_ms.get().is_none() {
                        self.stuck_since_ms.set(Some(now_ms));
                    }
                    return Sent::Blocked;
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Sent::Broken(error),
            }
        }
        assert_eq!(self.outbound_bytes.get(), 0);
        Sent::All
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

/// The read task: cuts requests as they arrive until the connection ends (N1).
pub async fn read_loop(sockets: Rc<Sockets>, connection: Rc<Connection>) {
    loop {
        match sockets.read_some(&connection) {
            Next::Again => glommio::executor().yield_now().await,
            Next::Readable => {
                if connection.socket.readable().await.is_err() {
                    connection.close("cannot be watched");
                }
            }
            Next::Woken => connection.woken().await,
            Next::End => break,
        }
    }
    sockets.remove(&connection);
}

/// Sends what is queued; leaves the rest to a write task (N2).
pub fn send_queued(sockets: &Rc<Sockets>, connection: &Rc<Connection>) {
    if connection.writer_runs.get() || connection.phase.get() == Phase::Closed {
        return;
    }
    if !sent_all(sockets, connection) && connection.phase.get() != Phase::Closed {
        connection.writer_runs.set(true);
        sockets.spawn(write_loop(sockets.clone(), connection.clone()));
    }
}

async fn write_loop(sockets: Rc<Sockets>, connection: Rc<Connection>) {
    while connection.phase.get() != Phase::Closed {
        if connection.socket.writable().await.is_err() {
            connection.close("cannot be watched");
        }
        if connection.phase.get() == Phase::Closed || sent_all(&sockets, &connection) {
            break;
        }
    }
    connection.writer_runs.set(false);
}

/// Sends; true if nothing is left. A broken connection is closed.
fn sent_all(sockets: &Sockets, connection: &Connection) -> bool {
    let was_full = connection.outbound_bytes() > OUTBOUND_BYTES_MAX;
    let result = connection.send(sockets.now_ms());
    match &result {
        Sent::All if connection.phase.get() == Phase::Draining => connection.say_goodbye(sockets.now_ms()),
        Sent::Broken(error) => connection.close(&format!("send: {error}")),
        _ => {}
    }
    if was_full && connection.outbound_bytes() <= OUTBOUND_BYTES_MAX {
        connection.wake();
    }
    matches!(result, Sent::All)
}
