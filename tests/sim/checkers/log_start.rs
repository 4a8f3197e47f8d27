//! An answered DeleteRecords survives; the log start is never ahead of what was asked for (S10, S16).

use crate::history::Partition;
use crate::must;
use crate::outcome::Run;
use corelane::log::core_log::PartitionOffsets;

/// Judges the log start that a start recovered.
pub fn after_start(partition: &mut Partition, offsets: &PartitionOffsets, waived: bool) -> Run<()> {
    let start = offsets.log_start.0;
    must!(
        waived || start >= partition.log_start_answered,
        "log start of {} went back to {start}, {} was answered",
        partition.id,
        partition.log_start_answered
    );
    must!(
        start <= partition.log_start_requested,
        "log start of {} is {start}, only {} was asked for",
        partition.id,
        partition.log_start_requested
    );
    Ok(())
}
