//! How long the write of journal frames and their flush take, lately. Lives in a core's `Journal`.

use crate::base::clock::Now;
use crate::base::offset::Sequence;

/// A new sample weighs one part in so many.
const WEIGHT: u64 = 8;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct GroupTime {
    sample: Option<(Sequence, u64)>,
    average_ns: u64,
}

impl GroupTime {
    /// Frames up to `last` are being written.
    pub(super) fn begin(&mut self, last: Sequence, now: Now) {
        self.sample.get_or_insert((last, now.monotonic_ns));
    }

    /// Frames up to `flushed` are flushed.
    pub(super) fn end(&mut self, flushed: Sequence, now: Now) {
        let Some((_, begun_ns)) = self.sample.take_if(|(last, _)| *last <= flushed) else { return };
        let took = now.monotonic_ns - begun_ns;
        self.average_ns = match self.average_ns {
            0 => took,
            average => (average * (WEIGHT - 1) + took) / WEIGHT,
        };
    }

    /// Nanoseconds; zero before the first flush.
    pub(super) fn average_ns(&self) -> u64 {
        self.average_ns
    }
}

#[cfg(test)]
mod tests {
    use super::GroupTime;
    use crate::base::clock::Now;
    use crate::base::offset::Sequence;

    #[test]
    fn one_write_at_a_time_is_followed_to_its_flush() {
        let at = |us: u64| Now { monotonic_ns: us * 1_000, wall_ms: 0 };
        let mut time = GroupTime::default();
        time.end(Sequence(1), at(5));
        assert_eq!(time.average_ns(), 0, "nothing was being written");
        time.begin(Sequence(3), at(10));
        time.begin(Sequence(9), at(100));
        time.end(Sequence(2), at(200));
        assert_eq!(time.average_ns(), 0, "an earlier flush");
        time.end(Sequence(9), at(210));
        assert_eq!(time.average_ns(), 200_000, "of the first of the two writes");
        time.begin(Sequence(10), at(300));
        time.end(Sequence(10), at(300 + 1_000));
        assert_eq!(time.average_ns(), 300_000, "a new one weighs an eighth");
    }
}
