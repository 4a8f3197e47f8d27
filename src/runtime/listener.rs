//! Listening sockets: made and bound before anything else starts, one per core.
//!
//! Not glommio's own: those share their port with any other process of the same user (SO_REUSEPORT) and have a short backlog.

use crate::runtime::sockets::Sockets;
use glommio::io::PollableFd;
use glommio::timer::sleep;
use socket2::{Domain, Protocol, Socket, Type};
use std::cell::Cell;
use std::io::{Error, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 4096;
/// Connections accepted before other tasks have their turn.
const ACCEPTS_PER_SLICE: usize = 64;
/// Pause after an accept failed for want of descriptors or memory.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

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

/// A core's listener.
pub struct Listener {
    socket: PollableFd<Socket>,
    stopped: Cell<bool>,
}

impl Listener {
    /// For the executor that this is called on.
    pub fn new(socket: Socket) -> Rc<Listener> {
        let socket = PollableFd::new(socket).expect("registering takes no system call");
        Rc::new(Listener { socket, stopped: Cell::new(false) })
    }

    /// Accepts no more; connecting clients are refused from now on.
    pub fn stop(&self) {
        self.stopped.set(true);
        // Wakes the accept task; an error means that it is shut down already.
        let _ = self.socket.get_ref().shutdown(Shutdown::Both);
    }

    /// The accept task.
    pub async fn accept_loop(self: Rc<Listener>, sockets: Rc<Sockets>) {
        loop {
            for _ in 0..ACCEPTS_PER_SLICE {
                match self.socket.get_ref().accept() {
                    _ if self.stopped.get() => return,
                    Ok((socket, peer)) => sockets.adopt(socket, peer.as_socket().expect("an internet address")),
                    Err(error) => {
                        if !self.after_error(&error).await {
                            return;
                        }
                        break;
                    }
                }
            }
            glommio::executor().yield_if_needed().await;
        }
    }

    /// Waits for what the error asks for; false to end.
    async fn after_error(&self, error: &Error) -> bool {
        match error.kind() {
            ErrorKind::WouldBlock => self.socket.readable().await.is_ok() && !self.stopped.get(),
            // The peer gave up while it waited.
            ErrorKind::ConnectionAborted | ErrorKind::Interrupted => true,
            _ if self.stopped.get() => false,
            _ => {
                tracing::warn!(%error, "cannot accept connections (check the limit of open files)");
                sleep(ACCEPT_RETRY).await;
                true
            }
        }
    }
}
