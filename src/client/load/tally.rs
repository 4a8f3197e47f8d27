//! What one thread has counted, by round and by interval; added up at the end.

use crate::client::load::timetable::Timetable;
use hdrhistogram::Histogram;
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Nanoseconds; less counts as this.
const SHORTEST_NS: u64 = 1;
/// More counts as this: an hour.
const LONGEST_NS: u64 = 3_600_000_000_000;
/// Values are exact to three digits, in the plots to two.
const DIGITS: u8 = 3;
const PLOT_DIGITS: u8 = 2;

/// How long something took, in nanoseconds.
#[derive(Clone, Debug, PartialEq)]
pub struct Times(Histogram<u64>);

impl Default for Times {
    fn default() -> Times {
        Times::exact_to(DIGITS)
    }
}

impl Times {
    fn exact_to(digits: u8) -> Times {
        let mut histogram = Histogram::new_with_bounds(SHORTEST_NS, 2 * SHORTEST_NS, digits).expect("valid bounds");
        histogram.auto(true);
        Times(histogram)
    }

    /// So many of them took this long.
    pub fn record(&mut self, time: Duration, count: u64) {
        let ns = u64::try_from(time.as_nanos()).unwrap_or(LONGEST_NS).clamp(SHORTEST_NS, LONGEST_NS);
        self.0.record_n(ns, count).expect("it grows");
    }

    /// Adds those of another thread or round.
    pub fn add(&mut self, other: &Times) {
        self.0.add(&other.0).expect("it grows");
    }

    /// How many.
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Microseconds within which this share of them was done; `None` without any.
    pub fn at(&self, quantile: f64) -> Option<f64> {
        (self.count() > 0).then(|| self.0.value_at_quantile(quantile) as f64 / 1e3)
    }

    /// The longest, in microseconds.
    pub fn max(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.0.max() as f64 / 1e3)
    }

    /// Microseconds.
    pub fn mean(&self) -> Option<f64> {
        (self.count() > 0).then(|| self.0.mean() / 1e3)
    }

    /// For files in the form of HdrHistogram.
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }
}

/// How much.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Amount {
    /// Requests with their answers.
    pub requests: u64,
    /// Records.
    pub records: u64,
    /// Keys and values, not compressed. Of what was fetched: whole batches, as they came.
    pub bytes: u64,
    /// Whole batches, as they went over the wire.
    pub wire_bytes: u64,
}

impl Amount {
    /// Adds another.
    pub fn add(&mut self, other: Amount) {
        self.requests += other.requests;
        self.records += other.records;
        self.bytes += other.bytes;
        self.wire_bytes += other.wire_bytes;
    }
}

/// One round. Amounts belong to the round in which they were completed; times to the one in which they were meant to begin.
#[derive(Clone, Debug, Default)]
pub struct Round {
    /// Acknowledged.
    pub produced: Amount,
    /// Received.
    pub consumed: Amount,
    /// Produce: from the intended time to the acknowledgement.
    pub latency: Times,
    /// Produce: from the beginning of the sending to the acknowledgement.
    pub service: Times,
    /// Produce: from the intended time to the beginning of the sending.
    pub delay: Times,
    /// Records: from the intended time of their request until they were received.
    pub delivery: Times,
    /// Fetch: from the request to the whole answer.
    pub fetch: Times,
    /// Partitions of answers that carried an error.
    pub errors: u64,
    /// Requests whose time came and that were never sent; they count in `latency` with the time that they had waited.
    pub unsent: u64,
    /// Requests that had no answer when the waiting ended; they count in `latency` with the time until then.
    pub unanswered: u64,
}

impl Round {
    /// Adds another.
    pub fn add(&mut self, other: &Round) {
        self.produced.add(other.produced);
        self.consumed.add(other.consumed);
        self.latency.add(&other.latency);
        self.service.add(&other.service);
        self.delay.add(&other.delay);
        self.delivery.add(&other.delivery);
        self.fetch.add(&other.fetch);
        self.errors += other.errors;
        self.unsent += other.unsent;
        self.unanswered += other.unanswered;
    }
}

/// A step of the plots.
#[derive(Clone, Debug)]
pub struct Interval {
    /// Acknowledged.
    pub produced: Amount,
    /// Received.
    pub consumed: Amount,
    /// Of those that were completed in it: end to end if somebody receives, else acknowledgements, else fetches.
    pub times: Times,
}

impl Default for Interval {
    fn default() -> Interval {
        Interval { produced: Amount::default(), consumed: Amount::default(), times: Times::exact_to(PLOT_DIGITS) }
    }
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// In order.
    pub rounds: Vec<Round>,
    /// From the start of the warm-up on.
    pub intervals: Vec<Interval>,
    /// Kafka's codes, how often each came, whenever.
    pub codes: BTreeMap<i16, u64>,
}

impl Tally {
    /// Nothing yet.
    pub fn new(rounds: usize) -> Tally {
        Tally { rounds: vec![Round::default(); rounds], ..Tally::default() }
    }

    /// The round that a moment belongs to, if it is one that counts.
    pub fn round(&mut self, table: &Timetable, at: Instant) -> Option<&mut Round> {
        table.round_of(at).map(|number| &mut self.rounds[number])
    }

    /// The interval that a moment belongs to.
    pub fn interval(&mut self, table: &Timetable, at: Instant) -> Option<&mut Interval> {
        let number = table.interval_of(at)?;
        if self.intervals.len() <= number {
            self.intervals.resize_with(number + 1, Interval::default);
        }
        Some(&mut self.intervals[number])
    }

    /// Adds what another thread has.
    pub fn add(&mut self, other: &Tally) {
        for (round, others) in self.rounds.iter_mut().zip(&other.rounds) {
            round.add(others);
        }
        if self.intervals.len() < other.intervals.len() {
            self.intervals.resize_with(other.intervals.len(), Interval::default);
        }
        for (interval, others) in self.intervals.iter_mut().zip(&other.intervals) {
            interval.produced.add(others.produced);
            interval.consumed.add(others.consumed);
            interval.times.add(&others.times);
        }
        for (code, count) in &other.codes {
            *self.codes.entry(*code).or_default() += count;
        }
    }
}

/// What all threads tell while they run, and are told.
#[derive(Debug, Default)]
pub struct Live {
    /// Records acknowledged, warm-up included.
    pub produced_records: AtomicU64,
    /// Their bytes.
    pub produced_bytes: AtomicU64,
    /// Records received, warm-up included.
    pub consumed_records: AtomicU64,
    /// Their bytes.
    pub consumed_bytes: AtomicU64,
    /// Partitions of answers that carried an error.
    pub errors: AtomicU64,
    /// Everybody ends at once.
    pub stop: AtomicBool,
    /// Threads with producers that have not come to their end.
    pub producing: AtomicU64,
}

impl Live {
    /// Everybody ends at once.
    pub fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// True once somebody said so.
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// All that was to be produced is acknowledged or lost.
    pub fn is_produced(&self) -> bool {
        self.producing.load(Ordering::Acquire) == 0
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "some moment to count from")]
mod tests {
    use super::*;

    #[test]
    fn times_have_bounds_and_quantiles() {
        let mut times = Times::default();
        assert_eq!((times.at(0.5), times.max(), times.mean()), (None, None, None));
        times.record(Duration::from_micros(1), 1);
        times.record(Duration::from_millis(5), 98);
        times.record(Duration::from_secs(2), 1);
        assert_eq!(times.count(), 100);
        let near = |value: Option<f64>, expected: f64| (value.expect("some") / expected - 1.0).abs() < 0.002;
        assert!(near(times.at(0.0), 1.0) && near(times.at(0.5), 5_000.0) && near(times.at(0.99), 5_000.0));
        assert!(near(times.at(1.0), 2e6) && near(times.max(), 2e6));
        times.record(Duration::ZERO, 1);
        times.record(Duration::from_secs(1 << 40), 1);
        assert!(near(times.max(), 3.6e9));
        let mut sum = Times::default();
        sum.add(&times);
        sum.add(&times);
        assert_eq!((sum.count(), sum.at(0.5)), (204, times.at(0.5)));
    }

    #[test]
    fn what_two_threads_count_is_added() {
        let start = Instant::now();
        let table = Timetable::new(start, Duration::from_millis(100), Duration::from_millis(100), 2);
        let mut sum = Tally::new(2);
        for code in [3, 7] {
            let mut tally = Tally::new(2);
            for ms in [0, 50, 150, 210, 290, 400] {
                let at = start + Duration::from_millis(ms);
                if let Some(round) = tally.round(&table, at) {
                    round.produced.records += 1;
                    round.latency.record(Duration::from_millis(1), 1);
                }
                if let Some(interval) = tally.interval(&table, at) {
                    interval.produced.records += 10;
                }
            }
            tally.codes.insert(code, 2);
            sum.add(&tally);
        }
        assert_eq!(sum.rounds.iter().map(|round| round.produced.records).collect::<Vec<_>>(), [2, 4]);
        assert_eq!(sum.rounds[1].latency.count(), 4);
        assert_eq!(sum.intervals.iter().map(|one| one.produced.records).collect::<Vec<_>>(), [40, 20, 40]);
        assert_eq!(sum.codes, BTreeMap::from([(3, 2), (7, 2)]));
    }
}
