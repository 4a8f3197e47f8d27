//! Memory of a core's unfinished frames that nothing has arrived for yet. Lives on one core.
//!
//! A frame whose sender is quick gets its buffer whole, so that no byte is copied twice. But the allocator takes huge pages,
//! which are resident from the first byte on, and there may be many senders that never go on: so only [`SLACK_BYTES_MAX`] are
//! given ahead. With less left a buffer grows by what waits in the socket, which costs a question to the kernel and a copy of what
//! arrived before. (Huge pages stay: without them 1 MiB requests cost a seventh more CPU.)
//!
//! S1: what is given and the charges of all buffers sum up to [`SLACK_BYTES_MAX`].

use std::cell::Cell;
use std::rc::Rc;

/// Per core.
pub const SLACK_BYTES_MAX: usize = 8 * 1024 * 1024;
/// A frame up to this gets its buffer whole; a larger one grows as its bytes arrive.
pub const GROWTH_BYTES: usize = 2 * 1024 * 1024;
/// Without slack a buffer grows by at least this part of what has arrived, so that a sender of many small pieces does not have
/// its frame copied for each of them.
const GROWTH_DIVISOR: usize = 8;

/// See the module.
#[derive(Debug)]
pub struct Slack {
    left: Cell<usize>,
}

impl Default for Slack {
    fn default() -> Slack {
        Slack { left: Cell::new(SLACK_BYTES_MAX) }
    }
}

impl Slack {
    /// Size of a buffer for a frame of `declared` bytes, `arrived` of which are there, and what it is charged. `waiting`: bytes that
    /// the next receive will find.
    pub fn grant(
        self: &Rc<Slack>,
        declared: usize,
        arrived: usize,
        waiting: impl FnOnce() -> usize,
    ) -> (usize, Charge) {
        let whole = declared.min((arrived * 2).max(GROWTH_BYTES));
        let charge = |bytes: usize| Charge { slack: self.clone(), bytes };
        if whole - arrived <= self.left.get() {
            self.left.set(self.left.get() - (whole - arrived));
            return (whole, charge(whole - arrived));
        }
        let step = waiting().max(arrived / GROWTH_DIVISOR).max(1);
        (declared.min(arrived + step), charge(0))
    }

    /// Bytes not given.
    pub fn left(&self) -> usize {
        self.left.get()
    }
}

/// What one buffer has of the slack; given back as bytes arrive, and at the end.
#[derive(Debug)]
pub struct Charge {
    slack: Rc<Slack>,
    bytes: usize,
}

impl Charge {
    /// Bytes arrived in the buffer.
    pub fn note_arrived(&mut self, bytes: usize) {
        let back = bytes.min(self.bytes);
        self.bytes -= back;
        self.slack.left.set(self.slack.left.get() + back);
    }

    /// The buffer has nothing ahead any more.
    pub fn release(&mut self) {
        self.note_arrived(self.bytes);
    }

    /// Bytes that it has.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// True without a charge.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }
}

impl Drop for Charge {
    fn drop(&mut self) {
        self.release();
    }
}

#[cfg(test)]
mod tests {
    use super::{GROWTH_BYTES, SLACK_BYTES_MAX, Slack};
    use std::rc::Rc;

    #[test]
    fn whole_buffers_while_there_is_slack_then_what_is_waiting() {
        let slack = Rc::new(Slack::default());
        let full = || panic!("the kernel is not asked");
        let mut first = slack.grant(1_000_000, 60_000, full);
        assert_eq!((first.0, slack.left()), (1_000_000, SLACK_BYTES_MAX - 940_000));
        first.1.note_arrived(500_000);
        assert_eq!(slack.left(), SLACK_BYTES_MAX - 440_000);
        let others: Vec<_> = (0..3).map(|_| slack.grant(100 << 20, 0, full)).collect();
        assert!(others.iter().all(|(bytes, _)| *bytes == GROWTH_BYTES));
        assert!(slack.left() < GROWTH_BYTES);
        assert_eq!(slack.grant(100 << 20, 60_000, || 200_000).0, 260_000);
        assert_eq!(slack.grant(100 << 20, 80_000, || 10).0, 90_000, "not a copy for every ten bytes");
        assert_eq!(slack.grant(5 << 20, 3 << 20, || 4 << 20).0, 5 << 20, "never beyond the frame");
        assert_eq!(slack.grant(100 << 20, 0, || 0).0, 1, "always something");
        drop(others);
        first.1.note_arrived(440_000);
        assert!(first.1.is_empty());
        drop(first);
        assert_eq!(slack.left(), SLACK_BYTES_MAX, "S1");
    }
}
