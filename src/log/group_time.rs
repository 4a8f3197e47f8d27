//! How long journal frames wait to be written, and how long their write and flush take. Lives in a core's `Journal`.

use crate::base::clock::Now;
use crate::base::latency::Latency;
use crate::base::offset::Sequence;
use std::collections::VecDeque;

/// A new sample weighs one part in so many.
const WEIGHT: u64 = 8;

#[derive(Debug)]
struct Writing {
    last: Sequence,
    frames: u64,
    begun_ns: u64,
}

/// See the module.
#[derive(Debug)]
pub(super) struct GroupTime {
    writing: VecDeque<Writing>,
    /// Last frame whose write has begun.
    begun: Sequence,
    average_ns: u64,
    /// From the push of the first frame of a group to the begin of its write, for each frame of it.
    pub(super) journal: Latency,
    /// From there to the end of the flush.
    pub(super) flush: Latency,
}

impl GroupTime {
    /// Frames up to `begun` are none of ours.
    pub(super) fn after(begun: Sequence) -> GroupTime {
        let (journal, flush) = (Latency::default(), Latency::default());
        GroupTime { writing: VecDeque::new(), begun, average_ns: 0, journal, flush }
    }

    /// Frames up to `last` are being written; the first was pushed at `pushed`.
    pub(super) fn begin(&mut self, last: Sequence, pushed: Now, now: Now) {
        let frames = last.0 - self.begun.0;
        self.begun = last;
        self.journal.record(now.monotonic_ns - pushed.monotonic_ns, frames);
        self.writing.push_back(Writing { last, frames, begun_ns: now.monotonic_ns });
    }

    /// Frames up to `flushed` are flushed.
    pub(super) fn end(&mut self, flushed: Sequence, now: Now) {
        while let Some(writing) = self.writing.pop_front_if(|writing| writing.last <= flushed) {
            let took = now.monotonic_ns - writing.begun_ns;
            self.flush.record(took, writing.frames);
            self.average_ns = match self.average_ns {
                0 => took,
                average => (average * (WEIGHT - 1) + took) / WEIGHT,
            };
        }
    }

    /// Nanoseconds from the begin of a write to the end of its flush, lately; zero before the first.
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
    fn every_frame_counts_once_from_push_to_write_and_from_write_to_flush() {
        let at = |us: u64| Now { monotonic_ns: us * 1_000, wall_ms: 0 };
        let mut time = GroupTime::after(Sequence(1));
        time.end(Sequence(1), at(5));
        assert_eq!(time.average_ns(), 0, "nothing was being written");
        time.begin(Sequence(3), at(10), at(10));
        time.begin(Sequence(9), at(50), at(110));
        assert_eq!(time.journal.to_string(), "p50 60 p99 60 p99.9 60 max 60 us of 8");
        time.end(Sequence(3), at(210));
        assert_eq!((time.average_ns(), time.flush.count()), (200_000, 2));
        time.end(Sequence(9), at(1_110));
        assert_eq!(time.average_ns(), 300_000, "a new one weighs an eighth");
        assert_eq!(time.flush.count(), 8);
    }
}
