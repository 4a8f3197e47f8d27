//! What is due when, in monotonic milliseconds.

use std::collections::BTreeSet;
use std::sync::Arc;

/// What can be due.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Timer {
    /// A member's session, or a member id that was given out and never used.
    Member(Arc<str>, Arc<str>),
    /// The members of a group had their time to join.
    Rebalance(Arc<str>),
    /// The members of a group had their time to sync.
    Sync(Arc<str>),
    /// A look for offsets that need not be kept.
    Expiry,
}

/// See the module. Every entry belongs to what it names, which knows its time.
#[derive(Debug, Default)]
pub(super) struct Timers {
    due: BTreeSet<(u64, Timer)>,
}

impl Timers {
    pub(super) fn set(&mut self, at_ms: u64, timer: Timer) {
        self.due.insert((at_ms, timer));
    }

    pub(super) fn clear(&mut self, at_ms: u64, timer: Timer) {
        let was = self.due.remove(&(at_ms, timer));
        assert!(was, "a timer is where its owner says");
    }

    /// What is due, oldest first.
    pub(super) fn take_due(&mut self, now_ms: u64) -> Option<Timer> {
        self.due.first().filter(|(at_ms, _)| *at_ms <= now_ms)?;
        self.due.pop_first().map(|(_, timer)| timer)
    }

    pub(super) fn next_ms(&self) -> Option<u64> {
        self.due.first().map(|(at_ms, _)| *at_ms)
    }

    /// How many there are, and whether this one is among them.
    pub(super) fn len(&self) -> usize {
        self.due.len()
    }

    pub(super) fn has(&self, at_ms: u64, timer: Timer) -> bool {
        self.due.contains(&(at_ms, timer))
    }
}
