//! How a client takes the answers of its connection. Pure; one per connection.
//!
//! T1: the broker is told after every turn that left a connection with another number of unsent bytes than it was told last, and
//!     after every turn that answered one more than [`SESSION_UNSENT_BYTES_MAX`], since that made further requests wait.

use crate::base::limits::SESSION_UNSENT_BYTES_MAX;
use std::cell::Cell;

/// Each client has this long to take its answers.
const SURE_MS: u64 = 500;
/// A client has to read fast enough to have all its answers within this time: 4 MiB at 0.4 MiB/s.
const TAKING_MS_MAX: u64 = 10_000;

/// See the module.
#[derive(Debug, Default)]
pub struct Taking {
    queued_in_turn: Cell<usize>,
    /// What the broker knows to be unsent.
    told_bytes: Cell<usize>,
    /// Since when something is unsent, monotonic milliseconds, and the bytes taken since.
    since_ms: Cell<u64>,
    taken_bytes: Cell<u64>,
}

impl Taking {
    /// An answer was queued.
    pub fn note_queued(&self, bytes: usize) {
        self.queued_in_turn.set(self.queued_in_turn.get() + bytes);
    }

    /// The socket took this much.
    pub fn note_taken(&self, bytes: usize) {
        self.taken_bytes.set(self.taken_bytes.get() + bytes as u64);
    }

    /// Sending has come to an end for now; true if the broker has to be told what is left (T1).
    pub fn note_left(&self, unsent_bytes: usize, now_ms: u64) -> bool {
        let queued = self.queued_in_turn.take();
        let told = self.told_bytes.replace(unsent_bytes);
        if told == 0 {
            self.since_ms.set(now_ms);
            self.taken_bytes.set(0);
        }
        unsent_bytes != told || queued > SESSION_UNSENT_BYTES_MAX
    }

    /// True if the client had time, and what is left would take too long at its pace.
    pub fn is_slow(&self, now_ms: u64) -> bool {
        let past_ms = now_ms.saturating_sub(self.since_ms.get());
        past_ms >= SURE_MS && self.told_bytes.get() as u64 * past_ms > self.taken_bytes.get() * TAKING_MS_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::Taking;
    use crate::base::limits::SESSION_UNSENT_BYTES_MAX;

    #[test]
    fn the_broker_is_told_what_changes() {
        let taking = Taking::default();
        taking.note_queued(100);
        assert!(!taking.note_left(0, 1), "all was sent");
        taking.note_queued(100);
        assert!(taking.note_left(40, 2));
        assert!(!taking.note_left(40, 3));
        taking.note_taken(40);
        assert!(taking.note_left(0, 4));
        taking.note_queued(SESSION_UNSENT_BYTES_MAX);
        taking.note_queued(1);
        assert!(taking.note_left(0, 5), "requests may wait for just this");
        assert!(!taking.note_left(0, 6));
    }

    #[test]
    fn slow_is_who_had_time_and_did_not_use_it() {
        let taking = Taking::default();
        assert!(!taking.is_slow(1 << 40), "nothing is to be taken");
        taking.note_left(1_000_000, 10_000);
        assert!(!taking.is_slow(10_499));
        assert!(taking.is_slow(10_500), "nothing was taken");
        taking.note_taken(60_000);
        taking.note_left(940_000, 10_500);
        assert!(!taking.is_slow(10_500), "at this pace it takes 8 seconds");
        assert!(taking.is_slow(11_000), "and at this one 16");
        taking.note_left(0, 11_000);
        taking.note_left(500, 50_000);
        assert!(!taking.is_slow(50_100), "each time anew");
    }
}
