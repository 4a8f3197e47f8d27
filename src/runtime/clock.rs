//! The clocks, read once per turn and handed down as a value.

use crate::base::clock::Now;

/// Reads both clocks now.
pub fn read() -> Now {
    Now { monotonic_ns: read_one(libc::CLOCK_MONOTONIC), wall_ms: (read_one(libc::CLOCK_REALTIME) / 1_000_000) as i64 }
}

/// Reads the monotonic clock, nanoseconds.
pub fn monotonic_ns() -> u64 {
    read_one(libc::CLOCK_MONOTONIC)
}

fn read_one(clock: libc::clockid_t) -> u64 {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `time` is a valid place for one timespec and both clock ids exist on every Linux.
    let result = unsafe { libc::clock_gettime(clock, &mut time) };
    assert_eq!(result, 0, "clock_gettime");
    time.tv_sec as u64 * 1_000_000_000 + time.tv_nsec as u64
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn both_clocks_run() {
        let first = read();
        let second = read();
        assert!(second.monotonic_ns >= first.monotonic_ns);
        assert!(first.wall_ms > 1_700_000_000_000);
    }
}
