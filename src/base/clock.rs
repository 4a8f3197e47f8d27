//! Time as an argument: nothing below the runtime floor reads a clock.

/// One reading of both clocks, taken by the runtime once per turn and passed in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Now {
    /// Monotonic nanoseconds since an arbitrary start.
    pub monotonic_ns: u64,
    /// Milliseconds since the Unix epoch; may jump.
    pub wall_ms: i64,
}

impl Now {
    /// Monotonic milliseconds.
    pub fn monotonic_ms(self) -> u64 {
        self.monotonic_ns / 1_000_000
    }
}
