//! Keeps lines that a client can cause from flooding the log. Lives on one core.

use std::cell::Cell;

/// Lines per second that pass.
const LINES_PER_SECOND_MAX: u32 = 10;

/// See the module.
#[derive(Default)]
pub struct LogLimiter {
    second: Cell<u64>,
    passed: Cell<u32>,
    suppressed: Cell<u64>,
}

impl LogLimiter {
    /// `Some(suppressed lines before this one)` if a line may be written now.
    pub fn pass(&self, monotonic_ms: u64) -> Option<u64> {
        let second = monotonic_ms / 1000;
        if self.second.replace(second) != second {
            self.passed.set(0);
        }
        if self.passed.get() == LINES_PER_SECOND_MAX {
            self.suppressed.set(self.suppressed.get() + 1);
            return None;
        }
        self.passed.set(self.passed.get() + 1);
        Some(self.suppressed.replace(0))
    }
}

#[cfg(test)]
mod tests {
    use super::{LINES_PER_SECOND_MAX, LogLimiter};

    #[test]
    fn a_flood_is_counted_not_written() {
        let limiter = LogLimiter::default();
        let passed = (0..100).filter(|_| limiter.pass(5_000).is_some()).count() as u32;
        assert_eq!(passed, LINES_PER_SECOND_MAX);
        assert_eq!(limiter.pass(6_000), Some(100 - u64::from(LINES_PER_SECOND_MAX)));
    }
}
