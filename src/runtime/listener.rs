//! Listening sockets: made and bound before anything else starts, one per core; or one that all cores accept from
//! (`advertise=per-machine`): each has a descriptor of it, and a connecting client wakes those that sleep.
//!
//! No SO_REUSEPORT: a port in use must be an error, not shared with another process of the same user.

use crate::runtime::readiness::Readiness;
use crate::runtime::sockets::Sockets;
use socket2::{Domain, Protocol, Socket, Type};
use std::io::{Error, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// Connections accepted before the others have their turn.
const ACCEPTS_PER_SLICE: usize = 64;
/// Pause after an accept failed for want of descriptors or memory.
const ACCEPT_RETRY_MS: u64 = 100;

/// A bound socket that does not listen yet, and its address.
pub fn bind(address: SocketAddr) -> Result<(Socket, SocketAddr), Error> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket().expect("an internet address");
    Ok((socket, bound))
}

/// Lets clients connect.
pub fn listen(socket: &Socket) -> Result<(), Error> {
    socket.listen(BACKLOG)
}

/// A core's listener. Lives on that core.
pub struct Listener {
    socket: Socket,
    /// Monotonic milliseconds from which on there may be somebody to accept.
    due_ms: Option<u64>,
    stopped: bool,
}

impl Listener {
    /// Takes a socket that listens.
    pub fn new(socket: Socket) -> Listener {
        Listener { socket, due_ms: Some(0), stopped: false }
    }

    /// To be watched.
    pub fn descriptor(&self) -> RawFd {
        self.socket.as_raw_fd()
    }

    /// Somebody may have connected.
    pub fn note_edge(&mut self) {
        self.due_ms = Some(0);
    }

    /// True if [`Listener::accept`] has something to do.
    pub fn is_due(&self, now_ms: u64) -> bool {
        self.due_ms.is_some_and(|due| due <= now_ms)
    }

    /// Accepts no more; connecting clients are refused from now on.
    pub fn stop(&mut self) {
        self.stopped = true;
        self.due_ms = None;
        // An error means that it is shut down already.
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    /// Accepts those that wait, some at a time.
    pub fn accept(&mut self, readiness: &Readiness, sockets: &Sockets, now_ms: u64) {
        for _ in 0..ACCEPTS_PER_SLICE {
            if self.stopped {
                return;
            }
            match self.socket.accept() {
                Ok((socket, peer)) => {
                    sockets.adopt(readiness, socket, peer.as_socket().expect("an internet address"));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    self.due_ms = None;
                    return;
                }
                // Another core stopped the listener that all share.
                Err(error) if error.kind() == ErrorKind::InvalidInput => {
                    self.due_ms = None;
                    return;
                }
                // The peer gave up while it waited.
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(error) => {
                    tracing::warn!(%error, "cannot accept connections (check the limit of open files)");
                    self.due_ms = Some(now_ms + ACCEPT_RETRY_MS);
                    return;
                }
            }
        }
    }
}
