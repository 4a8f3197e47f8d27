//! Accounting of large request frames that are still arriving. Lives on one core.
//!
//! A frame beyond [`FREE_FRAME_BYTES`](crate::runtime::frame_cutter::FREE_FRAME_BYTES) reserves its declared length before more of
//! it is read, first come first served; it gives it back when the broker has handled it, or when its connection ends. So
//! half-received frames take at most the budget of their core. While somebody waits, frames that come too slowly are given up
//! (`sockets::relief`): else a few that are begun and never ended would hold up everybody for as long as a frame may take.
//! Ordinary frames and larger ones have a pool each, so that a few huge lengths never stand before a usual request.
//!
//! R1: `free` plus all reservations is the pool.
//! R2: nobody overtakes within a pool: while someone waits, nobody else reserves.

use crate::base::ids::ConnectionId;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// Larger frames than clients send unless they are told to: their usual batch of 1 MiB, and some more.
const ORDINARY_FRAME_BYTES_MAX: usize = 2 * 1024 * 1024;

/// See the module.
pub struct ReadBudget {
    ordinary: Pool,
    large: Pool,
}

struct Pool {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<Waiting>>,
}

struct Waiting {
    connection: ConnectionId,
    bytes: usize,
    since_ms: u64,
}

impl ReadBudget {
    /// A budget of `bytes`, half of it for ordinary frames; one of `frame_bytes_max` fits in any case.
    pub fn new(bytes: usize, frame_bytes_max: usize) -> ReadBudget {
        let pool = |bytes: usize| Pool { free: Cell::new(bytes), waiting: RefCell::default() };
        ReadBudget { ordinary: pool(bytes / 2), large: pool(frame_bytes_max.max(bytes / 2)) }
    }

    /// Reserves for a frame, or queues its connection; then [`ReadBudget::release`] or [`ReadBudget::forget`] will name it.
    pub fn reserve(&self, connection: ConnectionId, bytes: usize, now_ms: u64) -> bool {
        let pool = self.pool(bytes);
        let mut waiting = pool.waiting.borrow_mut();
        if waiting.is_empty() && bytes <= pool.free.get() {
            pool.free.set(pool.free.get() - bytes);
            return true;
        }
        waiting.push_back(Waiting { connection, bytes, since_ms: now_ms });
        false
    }

    /// Gives a frame's reservation back; the connections that have theirs now.
    pub fn release(&self, bytes: usize) -> Vec<ConnectionId> {
        let pool = self.pool(bytes);
        pool.free.set(pool.free.get() + bytes);
        pool.grant()
    }

    /// A waiting connection ended; the connections that have their reservation now.
    pub fn forget(&self, connection: ConnectionId) -> Vec<ConnectionId> {
        let mut granted = Vec::new();
        for pool in [&self.ordinary, &self.large] {
            pool.waiting.borrow_mut().retain(|waiting| waiting.connection != connection);
            granted.extend(pool.grant());
        }
        granted
    }

    /// True if somebody has waited since before `ms`.
    pub fn has_waited_since(&self, ms: u64) -> bool {
        self.ordinary.has_waited_since(ms) || self.large.has_waited_since(ms)
    }

    /// True if somebody has waited since before `ms` for what a frame of `bytes` reserved.
    pub fn is_wanted(&self, bytes: usize, ms: u64) -> bool {
        self.pool(bytes).has_waited_since(ms)
    }

    fn pool(&self, bytes: usize) -> &Pool {
        if bytes <= ORDINARY_FRAME_BYTES_MAX { &self.ordinary } else { &self.large }
    }
}

impl Pool {
    fn has_waited_since(&self, ms: u64) -> bool {
        self.waiting.borrow().front().is_some_and(|first| first.since_ms < ms)
    }

    fn grant(&self) -> Vec<ConnectionId> {
        let mut granted = Vec::new();
        let mut waiting = self.waiting.borrow_mut();
        while let Some(first) = waiting.front() {
            if first.bytes > self.free.get() {
                break;
            }
            self.free.set(self.free.get() - first.bytes);
            granted.extend(waiting.pop_front().map(|first| first.connection));
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::{ORDINARY_FRAME_BYTES_MAX, ReadBudget};
    use crate::base::ids::ConnectionId;

    #[test]
    fn first_come_first_served() {
        let budget = ReadBudget::new(200, 0);
        assert!(budget.reserve(ConnectionId(1), 60, 0));
        assert!(!budget.reserve(ConnectionId(2), 80, 5));
        assert!(!budget.reserve(ConnectionId(3), 10, 6), "would overtake");
        assert!(!budget.reserve(ConnectionId(4), 20, 7));
        assert!(budget.release(0).is_empty());
        assert!(budget.has_waited_since(6) && !budget.has_waited_since(5));
        assert_eq!(budget.release(60), [ConnectionId(2), ConnectionId(3)]);
        assert!(budget.has_waited_since(8) && !budget.has_waited_since(7));
        assert_eq!(budget.release(10), [ConnectionId(4)]);
        assert!(budget.release(100).is_empty() && !budget.has_waited_since(u64::MAX));
        assert!(budget.reserve(ConnectionId(5), 100, 9));
    }

    #[test]
    fn one_that_gives_up_lets_the_next_go_on() {
        let budget = ReadBudget::new(200, 0);
        assert!(budget.reserve(ConnectionId(1), 50, 0));
        assert!(!budget.reserve(ConnectionId(2), 100, 0));
        assert!(!budget.reserve(ConnectionId(3), 50, 0));
        assert_eq!(budget.forget(ConnectionId(2)), [ConnectionId(3)]);
    }

    #[test]
    fn huge_lengths_do_not_stand_before_ordinary_ones() {
        let (ordinary, huge) = (ORDINARY_FRAME_BYTES_MAX, 50 * ORDINARY_FRAME_BYTES_MAX);
        let budget = ReadBudget::new(4 * ordinary, huge);
        assert!(budget.reserve(ConnectionId(1), huge, 0), "the largest fits");
        assert!(!budget.reserve(ConnectionId(2), huge, 0));
        assert!(budget.is_wanted(huge, 1) && !budget.is_wanted(ordinary, 1));
        assert!(budget.reserve(ConnectionId(3), ordinary, 0));
        assert_eq!(budget.release(huge), [ConnectionId(2)]);
    }
}
