//! Connections on their way to the core that they belong to.
//!
//! One that leaves is not read any more. Once its answers are sent, its socket goes to the other core together with what was
//! received and not cut into requests: there it is a new connection whose first input that is.

use super::Sockets;
use crate::base::ids::{ConnectionId, CoreId};
use crate::broker::event::Event;
use crate::runtime::connection::{Connection, Phase};
use crate::runtime::readiness::Readiness;
use bytes::BytesMut;
use socket2::Socket;
use std::net::SocketAddr;
use std::os::fd::AsRawFd;
use std::rc::Rc;

/// A connection between two cores.
pub struct Moved {
    socket: Socket,
    peer: SocketAddr,
    /// Received, not cut.
    input: BytesMut,
}

impl Sockets {
    /// The connection is to go to another core.
    pub fn hand_over(&self, id: ConnectionId, to: CoreId) {
        self.pause(id, true);
        self.leaving.borrow_mut().push((id, to));
    }

    /// Once per turn, after sending: those that can go now.
    pub fn take_moved(&self, readiness: &Readiness) -> Vec<(CoreId, Moved)> {
        if self.leaving.borrow().is_empty() {
            return Vec::new();
        }
        let mut moved = Vec::new();
        let leaving = std::mem::take(&mut *self.leaving.borrow_mut());
        for (id, to) in leaving {
            let connection = self.connections.borrow().get(&id).cloned();
            // One that ends meanwhile ends here.
            let Some(connection) = connection.filter(|connection| connection.phase.get() == Phase::Open) else {
                continue;
            };
            if connection.outbound_bytes() > 0 {
                self.leaving.borrow_mut().push((id, to));
                continue;
            }
            match self.detach(&connection, readiness) {
                Ok(one) => moved.push((to, one)),
                Err(error) => connection.close(&format!("cannot be handed over: {error}")),
            }
        }
        moved
    }

    /// Takes a connection out of this core without ending it.
    fn detach(&self, connection: &Rc<Connection>, readiness: &Readiness) -> Result<Moved, std::io::Error> {
        let socket = connection.socket.try_clone()?;
        readiness.forget(connection.socket.as_raw_fd())?;
        if connection.is_listed() {
            self.ready.borrow_mut().retain(|id| *id != connection.id);
        }
        self.connections.borrow_mut().remove(&connection.id);
        let input = connection.cutter.borrow().uncut();
        self.abandon_frame(connection);
        self.inbox.push(Event::Disconnected { connection: connection.id });
        Ok(Moved { socket, peer: connection.peer, input })
    }

    /// Takes a connection that another core handed over. It was counted there: `max.connections` does not end it.
    pub fn adopt_moved(&self, readiness: &Readiness, moved: Moved) {
        let Moved { socket, peer, input } = moved;
        let Some(connection) = self.begin(readiness, socket, peer) else { return };
        if !input.is_empty() {
            let mut cutter = connection.cutter.borrow_mut();
            let result = self.cut(&connection, &mut cutter, input);
            self.received(&connection, result, 0, true);
        }
        connection.wake();
    }
}
