//! Who has to go while others wait for memory: connections that hold much of it and do little with it.
//!
//! Nobody is closed as long as there is enough for all, however slow; that is left to the ordinary timeouts.

use super::Sockets;
use crate::broker::event::Event;
use crate::runtime::connection::{Connection, Phase};

/// Somebody has to have waited this long for the memory of answers before a connection is closed that holds much of it.
pub const ANSWER_WAIT_MS: u64 = 250;
/// Between two looks for somebody to close.
const RELIEF_EVERY_MS: u64 = 10;
/// A client that takes nothing for this long is slow, however quick it was before.
const TAKES_NOTHING_MS_MAX: u64 = 2_000;

impl Sockets {
    /// What the network has not taken of a connection's answers, for the broker.
    pub(super) fn tell_unsent(&self, connection: &Connection) {
        let bytes = connection.outbound_bytes();
        if connection.taking.note_left(bytes, self.now_ms()) && connection.phase.get() != Phase::Closed {
            self.inbox.push(Event::Unsent { connection: connection.id, bytes });
        }
    }

    /// Somebody waits for memory: of those who take their answers too slowly, the one with most of them is closed.
    pub fn close_slowest_reader(&self) {
        if self.now_ms() < self.relieved_ms.get() + RELIEF_EVERY_MS {
            return;
        }
        self.relieved_ms.set(self.now_ms());
        let connections = self.connections.borrow();
        let slow = connections.values().filter(|connection| self.takes_too_slowly(connection));
        if let Some(worst) = slow.max_by_key(|connection| (connection.outbound_bytes(), connection.id)) {
            worst.close("answers were not read while others waited for their memory");
        }
    }

    fn takes_too_slowly(&self, connection: &Connection) -> bool {
        let stuck = connection.stuck_since_ms.get().is_some_and(|since| self.now_ms() - since >= TAKES_NOTHING_MS_MAX);
        let waits = connection.outbound_bytes() > 0 && connection.phase.get() != Phase::Closed;
        waits && (stuck || connection.taking.is_slow(self.now_ms()))
    }
}
