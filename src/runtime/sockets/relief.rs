//! Who has to go while others wait for memory: connections that hold much of it and do little with it.
//!
//! Nobody is closed as long as there is enough for all, however slow; that is left to the ordinary timeouts.

use super::Sockets;
use crate::broker::event::Event;
use crate::runtime::connection::{Connection, Phase};
use crate::runtime::frame_cutter::FREE_FRAME_BYTES;
use std::rc::Rc;

/// Somebody has to have waited this long for the read budget before a reservation is taken away.
const RESERVATION_WAIT_MS: u64 = 100;
/// Each reservation is safe for this long.
const RESERVATION_MS_SURE: u64 = 250;
/// While others wait, a frame has to come fast enough to be whole within this time: 1 MiB at 0.5 MiB/s.
const RESERVATION_MS_MAX: u64 = 2_000;

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
        if self.now_ms() < self.relieved_ms[0].get() + RELIEF_EVERY_MS {
            return;
        }
        self.relieved_ms[0].set(self.now_ms());
        let connections = self.connections.borrow();
        let slow = connections.values().filter(|connection| self.takes_too_slowly(connection));
        if let Some(worst) = slow.max_by_key(|connection| (connection.outbound_bytes(), connection.id)) {
            worst.close("answers were not read while others waited for their memory");
        }
    }

    /// Once per turn: frames that come too slowly are given up while others wait for what they reserved, the greediest first.
    pub(super) fn relieve_budget(&self) {
        let waited_since = self.now_ms().saturating_sub(RESERVATION_WAIT_MS);
        if !self.budget.has_waited_since(waited_since) || self.now_ms() < self.relieved_ms[1].get() + RELIEF_EVERY_MS {
            return;
        }
        self.relieved_ms[1].set(self.now_ms());
        let mut stalled: Vec<(usize, usize, Rc<Connection>)> = Vec::new();
        for connection in self.connections.borrow().values() {
            if let Some((missing, declared)) = self.stalled_frame(connection) {
                stalled.push((missing, declared, connection.clone()));
            }
        }
        stalled.sort_unstable_by_key(|(missing, _, connection)| (*missing, connection.id));
        for (_, declared, connection) in stalled.into_iter().rev() {
            if self.budget.is_wanted(declared, waited_since) {
                connection.close("a large request came too slowly while others waited for its memory");
                self.abandon_frame(&connection);
            }
        }
    }

    /// The missing and the declared bytes of a frame that has its reservation and comes too slowly.
    fn stalled_frame(&self, connection: &Connection) -> Option<(usize, usize)> {
        // A pause is the broker's doing.
        if connection.phase.get() != Phase::Open || connection.paused.get() {
            return None;
        }
        let (declared, arrived) = connection.cutter.borrow().reserved_frame()?;
        let held_ms = self.now_ms().saturating_sub(connection.frame_since_ms.get());
        let since_reserved = arrived.saturating_sub(FREE_FRAME_BYTES) as u64;
        let is_slow = since_reserved * RESERVATION_MS_MAX < declared as u64 * held_ms;
        (held_ms >= RESERVATION_MS_SURE && is_slow).then_some((declared - arrived, declared))
    }

    fn takes_too_slowly(&self, connection: &Connection) -> bool {
        let stuck = connection.stuck_since_ms.get().is_some_and(|since| self.now_ms() - since >= TAKES_NOTHING_MS_MAX);
        let waits = connection.outbound_bytes() > 0 && connection.phase.get() != Phase::Closed;
        waits && (stuck || connection.taking.is_slow(self.now_ms()))
    }
}
