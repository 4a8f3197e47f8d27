//! Clients that are about to come back: those that send their next request as soon as the last one is answered.
//!
//! Lives in a core's `Sessions`; told of every answer that waited for the disk and of every request.
//!
//! Without it such clients fall into two halves that take turns: while one half's flush runs, the other half waits to be
//! flushed next, and every flush serves half of them. So after a flush small appends wait a moment for the clients that it
//! answered; then one write and one flush serve all.
//!
//! - R1: appends wait at most [`HOLD_GROUPS`] times what a write and its flush take lately, and never longer than
//!   [`HOLD_NS_MAX`]: about as long as they would have waited for the other half.
//! - R2: only clients are waited for that came back within that time when they were last answered.
//! - R3: a round in which fewer than half came back ends the waiting until a round in which all do.

/// See R1.
const HOLD_GROUPS: u64 = 2;
/// See R1.
const HOLD_NS_MAX: u64 = 500_000;

/// What is known of one client.
#[derive(Debug, Default)]
pub(super) struct Visitor {
    /// When it was last answered, until it comes back.
    answered_ns: Option<u64>,
    /// It came back in time when it was last answered (R2).
    is_quick: bool,
    /// The round that waits for it.
    awaited_in: u64,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Returning {
    /// Counts flushes; the clients that one answers are waited for in one round.
    round: u64,
    /// Clients that the round waits for.
    awaited: u32,
    /// Clients that the round began to wait for.
    answered: u32,
    /// When the round ends.
    until_ns: u64,
    /// Rounds are worth their time (R3).
    is_worth_it: bool,
}

impl Returning {
    /// A flush ended; its answers follow. `group_ns` is what a write and its flush take.
    pub(super) fn begin_round(&mut self, now_ns: u64, group_ns: u64) {
        self.settle_round();
        self.round += 1;
        (self.awaited, self.answered) = (0, 0);
        self.until_ns = now_ns + (HOLD_GROUPS * group_ns).min(HOLD_NS_MAX);
    }

    /// The client has all its answers; the last of them waited for the flush.
    pub(super) fn answered(&mut self, visitor: &mut Visitor, now_ns: u64) {
        visitor.answered_ns = Some(now_ns);
        if visitor.is_quick {
            visitor.awaited_in = self.round;
            self.awaited += 1;
            self.answered += 1;
        }
    }

    /// A request came.
    pub(super) fn came(&mut self, visitor: &mut Visitor, now_ns: u64) {
        let Some(answered_ns) = visitor.answered_ns.take() else { return };
        visitor.is_quick = now_ns - answered_ns <= HOLD_NS_MAX;
        self.excuse(visitor);
    }

    /// The client is gone, or need not be waited for.
    pub(super) fn excuse(&mut self, visitor: &mut Visitor) {
        if std::mem::take(&mut visitor.awaited_in) == self.round && self.awaited > 0 {
            self.awaited -= 1;
        }
    }

    /// True if little should wait for the clients of this round.
    pub(super) fn holds(&mut self, now_ns: u64) -> bool {
        if self.awaited == 0 || now_ns >= self.until_ns {
            self.settle_round();
        }
        self.awaited > 0 && self.is_worth_it
    }

    /// When the round ends at the latest, monotonic nanoseconds.
    pub(super) fn deadline_ns(&self) -> Option<u64> {
        (self.awaited > 0).then_some(self.until_ns)
    }

    fn settle_round(&mut self) {
        if self.answered > 0 {
            let back = self.answered - self.awaited;
            self.is_worth_it = if self.is_worth_it { back * 2 >= self.answered } else { self.awaited == 0 };
        }
        (self.awaited, self.answered) = (0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::{HOLD_NS_MAX, Returning, Visitor};

    const GROUP_NS: u64 = 100_000;

    /// One flush at `at` answers all of them.
    fn answer(returning: &mut Returning, at: u64, visitors: &mut [Visitor]) {
        returning.begin_round(at, GROUP_NS);
        visitors.iter_mut().for_each(|visitor| returning.answered(visitor, at));
    }

    fn come(returning: &mut Returning, at: u64, visitors: &mut [Visitor]) {
        visitors.iter_mut().for_each(|visitor| returning.came(visitor, at));
    }

    /// Four clients that are known to come back at once, answered at 200 us.
    fn four_quick_ones() -> (Returning, Vec<Visitor>) {
        let mut returning = Returning::default();
        let mut visitors: Vec<_> = (0..4).map(|_| Visitor::default()).collect();
        for at in [0, 100_000] {
            answer(&mut returning, at, &mut visitors);
            assert!(!returning.holds(at), "nobody is known yet");
            come(&mut returning, at + 50_000, &mut visitors);
            assert!(!returning.holds(at + 50_000), "all are back");
        }
        answer(&mut returning, 200_000, &mut visitors);
        (returning, visitors)
    }

    #[test]
    fn little_waits_until_the_last_of_them_is_back() {
        let (mut returning, mut visitors) = four_quick_ones();
        assert!(returning.holds(200_000));
        come(&mut returning, 250_000, &mut visitors[..3]);
        assert!(returning.holds(250_000));
        assert_eq!(returning.deadline_ns(), Some(200_000 + 2 * GROUP_NS));
        come(&mut returning, 260_000, &mut visitors[3..]);
        assert!(!returning.holds(260_000));
        assert_eq!(returning.deadline_ns(), None);
    }

    #[test]
    fn the_wait_ends_in_time_and_with_a_client_that_leaves() {
        let (mut returning, mut visitors) = four_quick_ones();
        come(&mut returning, 250_000, &mut visitors[..2]);
        returning.excuse(&mut visitors[2]);
        assert!(returning.holds(250_000));
        assert!(!returning.holds(200_000 + 2 * GROUP_NS), "R1");
        // The late one is slow now, and the others are waited for: most of the round came (R3).
        come(&mut returning, 200_000 + HOLD_NS_MAX + 1, &mut visitors[3..]);
        let left = visitors.remove(2);
        answer(&mut returning, 1_000_000, &mut visitors);
        assert!(returning.holds(1_000_000));
        come(&mut returning, 1_010_000, &mut visitors[..2]);
        assert!(!returning.holds(1_010_000), "R2: not for the late one, which is {:?}; {left:?} is gone", visitors[2]);
    }

    #[test]
    fn slow_disks_do_not_make_the_wait_long() {
        let (mut returning, _) = four_quick_ones();
        let mut quick = Visitor { is_quick: true, ..Visitor::default() };
        returning.begin_round(300_000, 50_000_000);
        returning.answered(&mut quick, 300_000);
        assert_eq!(returning.deadline_ns(), Some(300_000 + HOLD_NS_MAX));
    }

    #[test]
    fn a_round_without_them_ends_the_waiting_until_one_with_all() {
        let (mut returning, mut visitors) = four_quick_ones();
        come(&mut returning, 210_000, &mut visitors[..1]);
        assert!(!returning.holds(900_000), "one of four is less than half");
        visitors.iter_mut().for_each(|visitor| visitor.is_quick = true);
        answer(&mut returning, 1_000_000, &mut visitors);
        assert!(!returning.holds(1_000_000), "R3");
        come(&mut returning, 1_050_000, &mut visitors);
        answer(&mut returning, 1_100_000, &mut visitors);
        assert!(returning.holds(1_100_000), "all had come");
    }
}
