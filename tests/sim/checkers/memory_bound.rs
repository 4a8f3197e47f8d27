//! Batches in memory stay within the budget, counted by the buffers that they keep alive (S12).

use crate::must;
use crate::outcome::Run;
use corelane::base::limits::PINNED_RING_MULTIPLE_MAX;
use corelane::log::core_log::{CoreLog, LogSettings};

/// The largest buffer that the workload lets a batch be a piece of, and what recovery may find pinned beyond a ring.
const SLACK_BYTES: u64 = 64 * 1024;

/// Judges a core at the end of a turn.
pub fn of_core(log: &CoreLog, settings: &LogSettings) -> Run<()> {
    let ring = settings.journal_files as u64 * settings.journal_file_bytes;
    let max = PINNED_RING_MULTIPLE_MAX * ring + settings.tail_cache_bytes + SLACK_BYTES;
    must!(
        log.memory_bytes() <= max,
        "S12: batches keep {} bytes in memory, at most {max} are right",
        log.memory_bytes()
    );
    Ok(())
}
