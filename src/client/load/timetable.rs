//! When things begin and end: warm-up, rounds, intervals of the plots, and the intended time of every request.

use std::time::{Duration, Instant};

/// Intervals of the plots at most.
const INTERVALS_MAX: u32 = 400;
/// And no shorter than this.
const INTERVAL_MIN: Duration = Duration::from_millis(100);

/// Longer runs have more intervals.
const WHOLE_MAX: Duration = Duration::from_secs(3600);

/// A run: warm-up, then rounds, one directly behind the other.
#[derive(Clone, Copy, Debug)]
pub struct Timetable {
    start: Instant,
    warmup: Duration,
    round: Duration,
    rounds: usize,
    interval: Duration,
}

impl Timetable {
    /// Begins at `start`.
    pub fn new(start: Instant, warmup: Duration, round: Duration, rounds: usize) -> Timetable {
        // What ends by itself has no length that would say anything.
        let whole = (warmup + round * rounds as u32).min(WHOLE_MAX);
        let shortest = whole / INTERVALS_MAX;
        let steps = shortest.as_millis().div_ceil(INTERVAL_MIN.as_millis()).max(1);
        Timetable { start, warmup, round, rounds, interval: INTERVAL_MIN * steps as u32 }
    }

    /// Of the warm-up.
    pub fn start(&self) -> Instant {
        self.start
    }

    /// Border `number`: the warm-up ends at 0, the run at the number of rounds.
    pub fn border(&self, number: usize) -> Instant {
        self.start + self.warmup + self.round * number as u32
    }

    /// After the last round.
    pub fn end(&self) -> Instant {
        self.border(self.rounds)
    }

    /// How many.
    pub fn rounds(&self) -> usize {
        self.rounds
    }

    /// Length of one.
    pub fn round(&self) -> Duration {
        self.round
    }

    /// Of the plots.
    pub fn interval(&self) -> Duration {
        self.interval
    }

    /// Which round a moment belongs to; none in the warm-up and after the end.
    pub fn round_of(&self, at: Instant) -> Option<usize> {
        let since = at.checked_duration_since(self.border(0))?;
        let number = (since.as_nanos() / self.round.as_nanos()) as usize;
        (number < self.rounds).then_some(number)
    }

    /// Which interval a moment belongs to; none before the start and after the end.
    pub fn interval_of(&self, at: Instant) -> Option<usize> {
        let since = at.checked_duration_since(self.start)?;
        (at < self.end()).then_some((since.as_nanos() / self.interval.as_nanos()) as usize)
    }
}

/// Intended times of the requests of one thread: evenly spaced, and dealt to its lanes in turn.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    start: Instant,
    gap_ns: f64,
}

impl Pace {
    /// `per_second` requests, the first one `phase` gaps after the start.
    pub fn new(start: Instant, per_second: f64, phase: f64) -> Pace {
        let gap_ns = 1e9 / per_second;
        Pace { start: start + Duration::from_nanos((gap_ns * phase) as u64), gap_ns }
    }

    /// Intended time of request `number`.
    pub fn due(&self, number: u64) -> Instant {
        self.start + Duration::from_nanos((number as f64 * self.gap_ns) as u64)
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "some moment to count from")]
mod tests {
    use super::*;

    #[test]
    fn borders_and_rounds() {
        let start = Instant::now();
        let ms = |ms: u64| start + Duration::from_millis(ms);
        let table = Timetable::new(start, Duration::from_millis(500), Duration::from_secs(1), 3);
        assert_eq!((table.border(0), table.border(1), table.end()), (ms(500), ms(1500), ms(3500)));
        let rounds = [0, 499, 500, 1499, 1500, 3499, 3500].map(|at| table.round_of(ms(at)));
        assert_eq!(rounds, [None, None, Some(0), Some(0), Some(1), Some(2), None]);
        assert_eq!(table.interval(), INTERVAL_MIN);
        assert_eq!(
            [0, 99, 100, 3499, 3500].map(|at| table.interval_of(ms(at))),
            [Some(0), Some(0), Some(1), Some(34), None]
        );
    }

    #[test]
    fn long_runs_have_longer_intervals() {
        let table = Timetable::new(Instant::now(), Duration::ZERO, Duration::from_secs(600), 1);
        assert_eq!(table.interval(), Duration::from_millis(1500));
    }

    #[test]
    fn requests_are_evenly_spaced() {
        let start = Instant::now();
        let pace = Pace::new(start, 1000.0, 0.5);
        assert_eq!(pace.due(0), start + Duration::from_micros(500));
        assert_eq!(pace.due(3_600_000), start + Duration::from_secs(3600) + Duration::from_micros(500));
    }
}
