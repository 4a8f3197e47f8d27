//! Accounting of large request frames that are still arriving. Lives on one core.
//!
//! A frame beyond [`FREE_FRAME_BYTES`](crate::runtime::frame_cutter::FREE_FRAME_BYTES) reserves its declared length before more of it is read, first come first served; it
//! gives it back when the broker has handled it, or when its connection ends (the frame timeout sees to that). So
//! half-received frames take at most the budget of their core, and none starves for ever.
//!
//! R1: `free` plus all reservations is the budget.
//! R2: nobody overtakes: while someone waits, nobody else reserves.

use crate::base::ids::ConnectionId;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

/// See the module.
pub struct ReadBudget {
    free: Cell<usize>,
    waiting: RefCell<VecDeque<(ConnectionId, usize)>>,
}

impl ReadBudget {
    /// A budget of `bytes`.
    pub fn new(bytes: usize) -> ReadBudget {
        ReadBudget { free: Cell::new(bytes), waiting: RefCell::default() }
    }

    /// Reserves, or queues the connection; then [`ReadBudget::release`] or [`ReadBudget::forget`] will name it.
    pub fn reserve(&self, connection: ConnectionId, bytes: usize) -> bool {
        let mut waiting = self.waiting.borrow_mut();
        if waiting.is_empty() && bytes <= self.free.get() {
            self.free.set(self.free.get() - bytes);
            return true;
        }
        waiting.push_back((connection, bytes));
        false
    }

    /// Gives bytes back; the connections that have their reservation now.
    pub fn release(&self, bytes: usize) -> Vec<ConnectionId> {
        self.free.set(self.free.get() + bytes);
        self.grant()
    }

    /// A waiting connection ended; the connections that have their reservation now.
    pub fn forget(&self, connection: ConnectionId) -> Vec<ConnectionId> {
        self.waiting.borrow_mut().retain(|(waiting, _)| *waiting != connection);
        self.grant()
    }

    fn grant(&self) -> Vec<ConnectionId> {
        let mut granted = Vec::new();
        let mut waiting = self.waiting.borrow_mut();
        while let Some((connection, bytes)) = waiting.front().copied() {
            if bytes > self.free.get() {
                break;
            }
            self.free.set(self.free.get() - bytes);
            waiting.pop_front();
            granted.push(connection);
        }
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::ReadBudget;
    use crate::base::ids::ConnectionId;

    #[test]
    fn first_come_first_served() {
        let budget = ReadBudget::new(100);
        assert!(budget.reserve(ConnectionId(1), 60));
        assert!(!budget.reserve(ConnectionId(2), 80));
        assert!(!budget.reserve(ConnectionId(3), 10), "would overtake");
        assert!(!budget.reserve(ConnectionId(4), 20));
        assert!(budget.release(0).is_empty());
        assert_eq!(budget.release(60), [ConnectionId(2), ConnectionId(3)]);
        assert_eq!(budget.release(10), [ConnectionId(4)]);
        assert!(budget.release(100).is_empty());
        assert!(budget.reserve(ConnectionId(5), 100));
    }

    #[test]
    fn one_that_gives_up_lets_the_next_go_on() {
        let budget = ReadBudget::new(100);
        assert!(budget.reserve(ConnectionId(1), 50));
        assert!(!budget.reserve(ConnectionId(2), 100));
        assert!(!budget.reserve(ConnectionId(3), 50));
        assert_eq!(budget.forget(ConnectionId(2)), [ConnectionId(3)]);
    }
}
