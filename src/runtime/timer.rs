//! Ticks: the only source of time-driven turns of a core.
//!
//! While something happened lately a tick comes every [`BUSY_TICK_MS`]; a quiet core ticks every [`IDLE_TICK_MS`], earlier
//! if the broker named a deadline.

use crate::base::clock::Now;
use std::time::Duration;

/// Milliseconds between ticks of a core that works.
pub const BUSY_TICK_MS: u64 = 10;
/// Milliseconds between ticks of a core that does nothing.
pub const IDLE_TICK_MS: u64 = 200;
/// A core works while its last event other than a tick is younger than this.
const BUSY_FOR_MS: u64 = 500;
/// A deadline in the past must not make ticks follow each other without a pause.
const TICK_MS_MIN: u64 = 1;

/// Decides when the next tick is due. Lives on one core; the core's loop tells it what happened.
#[derive(Debug, Default)]
pub struct Ticker {
    last_event_ns: u64,
    last_tick_ns: u64,
    deadline_ns: Option<u64>,
}

impl Ticker {
    /// After each turn: whether it had events besides a tick, and the broker's deadline.
    pub fn turn_done(&mut self, now: Now, had_events: bool, deadline_ns: Option<u64>) {
        if had_events {
            self.last_event_ns = now.monotonic_ns;
        }
        self.deadline_ns = deadline_ns;
    }

    /// True once when a tick is due.
    pub fn take_due(&mut self, now: Now) -> bool {
        let due = self.due_ns() <= now.monotonic_ns;
        if due {
            self.last_tick_ns = now.monotonic_ns;
        }
        due
    }

    /// How long until the next tick.
    pub fn patience(&self, now: Now) -> Duration {
        Duration::from_nanos(self.due_ns().saturating_sub(now.monotonic_ns))
    }

    fn due_ns(&self) -> u64 {
        let last = self.last_tick_ns;
        let busy = self.last_event_ns + BUSY_FOR_MS * 1_000_000 > last;
        let regular = last + if busy { BUSY_TICK_MS } else { IDLE_TICK_MS } * 1_000_000;
        self.deadline_ns.map_or(regular, |deadline| regular.min(deadline.max(last + TICK_MS_MIN * 1_000_000)))
    }
}

#[cfg(test)]
mod tests {
    use super::Ticker;
    use crate::base::clock::Now;
    use std::time::Duration;

    fn at(ms: u64) -> Now {
        Now { monotonic_ns: ms * 1_000_000, wall_ms: 0 }
    }

    #[test]
    fn a_quiet_core_ticks_rarely_and_deadlines_are_kept() {
        let mut ticker = Ticker::default();
        assert!(ticker.take_due(at(10_000)));
        ticker.turn_done(at(10_000), false, None);
        assert_eq!(ticker.patience(at(10_000)), Duration::from_millis(200));
        ticker.turn_done(at(10_050), true, None);
        assert!(ticker.take_due(at(10_050)));
        assert_eq!(ticker.patience(at(10_051)), Duration::from_millis(9));
        ticker.turn_done(at(10_051), true, Some(10_053_000_000));
        assert_eq!(ticker.patience(at(10_051)), Duration::from_millis(2));
        ticker.turn_done(at(10_051), true, Some(1));
        assert!(ticker.take_due(at(10_051)), "late, but at once");
        assert_eq!(ticker.patience(at(10_051)), Duration::from_millis(1), "and not again at once");
    }
}
