//! What the process tells its allocator.

/// `mi_option_purge_delay` of mimalloc 3; the C header's enum has no names in Rust.
const PURGE_DELAY: libmimalloc_sys::mi_option_t = 15;
/// Milliseconds that freed memory stays the process's own.
const PURGE_DELAY_MS: libc::c_long = 600_000;

/// Lets freed memory stay resident for a while instead of going back to the kernel at once. Megabytes are freed and taken again all
/// the time; giving them back between two requests tears huge pages into small ones and costs a page fault for each later.
/// Measured: a tenth of the broker's CPU at 1 MiB requests, both ways, with ten seconds. What a deleted topic leaves is more, and ten
/// minutes keep it for the next one: where the host hands out memory page by page, the fault of a huge page stops a core for two to
/// four milliseconds, several times a second at 10 MB/s (p99 3.1 against 0.9 ms with 8 partitions, 2.0 against 0.6 with 1,000).
/// `MIMALLOC_PURGE_DELAY` in the environment wins.
pub fn keep_freed_memory_for_a_while() {
    if std::env::var_os("MIMALLOC_PURGE_DELAY").is_none() {
        // SAFETY: sets one number that the allocator reads; nothing else refers to it.
        unsafe { libmimalloc_sys::mi_option_set(PURGE_DELAY, PURGE_DELAY_MS) };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_is_that_of_the_purge_delay() {
        // Its default since mimalloc 3; another option at this place would hardly have it.
        // SAFETY: reads one number.
        let before = unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) };
        assert_eq!(before, 1000);
        keep_freed_memory_for_a_while();
        // SAFETY: reads one number.
        assert_eq!(unsafe { libmimalloc_sys::mi_option_get(PURGE_DELAY) }, PURGE_DELAY_MS);
    }
}
