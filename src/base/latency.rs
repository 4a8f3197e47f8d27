//! How long something takes, as a histogram: five of them per core say where the time of a request goes.

use hdrhistogram::Histogram;
use std::fmt::{Display, Error, Formatter};

/// Longer is counted as this much.
const MICROSECONDS_MAX: u64 = 60_000_000;
/// Values are exact to this many digits; a histogram takes 26 KB then.
const DIGITS: u8 = 2;

/// Microseconds, from 1 (which also stands for less) to a minute.
#[derive(Clone, Debug)]
pub struct Latency(Histogram<u64>);

impl Default for Latency {
    fn default() -> Latency {
        Latency(Histogram::new_with_bounds(1, MICROSECONDS_MAX, DIGITS).expect("valid bounds"))
    }
}

impl Latency {
    /// `count` times this long.
    pub fn record(&mut self, nanoseconds: u64, count: u64) {
        if count > 0 {
            self.0.saturating_record_n((nanoseconds / 1_000).max(1), count);
        }
    }

    /// How many were recorded.
    pub fn count(&self) -> u64 {
        self.0.len()
    }
}

impl Display for Latency {
    fn fmt(&self, out: &mut Formatter<'_>) -> Result<(), Error> {
        let at = |quantile: f64| self.0.value_at_quantile(quantile);
        let (p50, p99, p999, max) = (at(0.5), at(0.99), at(0.999), self.0.max());
        write!(out, "p50 {p50} p99 {p99} p99.9 {p999} max {max} us of {}", self.count())
    }
}

#[cfg(test)]
mod tests {
    use super::Latency;

    #[test]
    fn quantiles_and_bounds() {
        let mut latency = Latency::default();
        assert_eq!(latency.to_string(), "p50 0 p99 0 p99.9 0 max 0 us of 0");
        latency.record(7, 1);
        latency.record(50_000, 97);
        latency.record(1_000_000, 2);
        latency.record(5, 0);
        assert_eq!(latency.to_string(), "p50 50 p99 1003 p99.9 1003 max 1003 us of 100");
        latency.record(u64::MAX, 1);
        assert_eq!(latency.count(), 101);
    }
}
