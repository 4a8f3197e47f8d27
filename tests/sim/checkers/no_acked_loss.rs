//! What was answered or served is there after every crash, by the topic's durability class.

use crate::history::Partition;
use crate::must;
use crate::outcome::Run;
use corelane::log::core_log::PartitionOffsets;

/// Judges the end that a start recovered; gives the number of batches that the class allowed to be lost.
pub fn after_start(partition: &mut Partition, offsets: &PartitionOffsets, waived: bool) -> Run<usize> {
    let end = offsets.log_end.0;
    must!(
        offsets.high_watermark == offsets.log_end && offsets.flushed_end == offsets.log_end,
        "{} is not wholly durable after a start: {offsets:?}",
        partition.id
    );
    let promised_end = partition.promised_end();
    let may_have_lost = std::mem::replace(&mut partition.may_have_lost, false);
    if promised_end <= end {
        return Ok(0);
    }
    if promised_end <= offsets.log_start.0 {
        // Everything that was promised has been deleted on request.
        return Ok(0);
    }
    must!(
        may_have_lost || waived,
        "LOST: {} ({:?}) ends at {end}, promised up to {promised_end}",
        partition.id,
        partition.settings.durability
    );
    let lost = partition.forget_from(end);
    must!(partition.promised_end() <= end || waived, "{} ends at {end}, inside a promised batch", partition.id);
    Ok(lost)
}
