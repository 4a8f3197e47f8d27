//! How much of `tail.cache.bytes` a core's cache may take by now.
//!
//! Lives in `CoreLog`, which asks at the end of each turn. Invariants:
//! - B1: the cache is never given more than `tail.cache.bytes`.
//! - B2: above [`CACHE_BUDGET_BYTES_FIRST`] the budget rises by at most [`CACHE_GROWTH_BYTES_PER_SECOND`], and only when it is
//!   wanted; what is not used is saved up for [`CACHE_GROWTH_SAVED_MS_MAX`].
//!
//! Memory that a process takes for the first time is not free: on a virtual machine whose host hands it out page by page a
//! gigabyte costs 2 to 3 s of CPU, so that filling gigabytes of cache as fast as producers write would take three quarters of
//! their throughput for that time. Spread out, nobody notices.

use crate::base::clock::Now;
use crate::base::limits::{CACHE_BUDGET_BYTES_FIRST, CACHE_GROWTH_BYTES_PER_SECOND, CACHE_GROWTH_SAVED_MS_MAX};

/// See the module.
#[derive(Debug)]
pub(super) struct CacheBudget {
    bytes: u64,
    /// Up to when growth was used.
    used_ms: u64,
}

impl CacheBudget {
    pub(super) fn new() -> CacheBudget {
        CacheBudget { bytes: CACHE_BUDGET_BYTES_FIRST, used_ms: 0 }
    }

    /// What the cache may hold now; it would like to hold `wanted`. `most` is `tail.cache.bytes`.
    pub(super) fn allow(&mut self, wanted: u64, most: u64, now: Now) -> u64 {
        let now_ms = now.monotonic_ms();
        self.used_ms = self.used_ms.max(now_ms.saturating_sub(CACHE_GROWTH_SAVED_MS_MAX));
        let wanted = wanted.min(most);
        if wanted > self.bytes {
            let earned = (now_ms - self.used_ms) * CACHE_GROWTH_BYTES_PER_SECOND / 1000;
            let used = earned.min(wanted - self.bytes);
            self.bytes += used;
            self.used_ms += (used * 1000).div_ceil(CACHE_GROWTH_BYTES_PER_SECOND);
        }
        self.bytes.min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;
    const MOST: u64 = 1 << 40;

    fn at(ms: u64) -> Now {
        Now { monotonic_ns: ms * 1_000_000, wall_ms: 0 }
    }

    #[test]
    fn b1_nothing_beyond_the_setting() {
        let mut budget = CacheBudget::new();
        assert_eq!(budget.allow(0, 7, at(0)), 7);
        assert_eq!(budget.allow(MOST, 70 * MIB, at(1_000_000)), 70 * MIB);
        assert_eq!(budget.allow(MOST, 0, at(2_000_000)), 0);
        assert_eq!(budget.allow(0, MOST, at(2_000_000)), 70 * MIB);
    }

    #[test]
    fn b2_growth_is_spread_out() {
        let mut budget = CacheBudget::new();
        budget.allow(MOST, MOST, at(3_600_000));
        let (start, mut last) = (budget.bytes, budget.bytes);
        for ms in 1..=10_000 {
            let now = budget.allow(MOST, MOST, at(3_600_000 + ms));
            assert!(now > last, "every millisecond gives a little");
            last = now;
        }
        let (grown, promised) = (last - start, 10 * CACHE_GROWTH_BYTES_PER_SECOND);
        assert!(grown <= promised && grown > promised - MIB, "{grown} of {promised}");
    }

    #[test]
    fn b2_batches_that_come_in_bursts_get_what_lay_between_them_up_to_a_bound() {
        let mut budget = CacheBudget::new();
        for second in 1..=3600 {
            assert_eq!(budget.allow(MIB, MOST, at(second * 1000)), CACHE_BUDGET_BYTES_FIRST, "not wanted");
        }
        let most_at_once = CACHE_GROWTH_BYTES_PER_SECOND * CACHE_GROWTH_SAVED_MS_MAX / 1000;
        assert_eq!(budget.allow(MOST, MOST, at(3_600_000)), CACHE_BUDGET_BYTES_FIRST + most_at_once);
        let before = budget.bytes;
        for turn in 1..100 {
            budget.allow(before, MOST, at(3_600_000 + turn * 10));
        }
        assert_eq!(budget.allow(MOST, MOST, at(3_601_000)), before + CACHE_GROWTH_BYTES_PER_SECOND);
    }
}
