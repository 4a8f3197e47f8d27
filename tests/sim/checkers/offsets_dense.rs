//! Offsets follow each other without gap or overlap, at the append and in every read.

use crate::batch::Seen;
use crate::must;
use crate::outcome::Run;
use corelane::base::ids::TopicPartition;
use corelane::log::core_log::PartitionOffsets;

/// The four ends are ordered, whatever happens.
pub fn of_offsets(id: TopicPartition, offsets: &PartitionOffsets) -> Run<()> {
    must!(
        offsets.log_start <= offsets.log_end
            && offsets.flushed_end <= offsets.written_end
            && offsets.written_end <= offsets.log_end
            && offsets.high_watermark <= offsets.log_end
            && offsets.last_stable_offset <= offsets.high_watermark,
        "{id}: {offsets:?}"
    );
    Ok(())
}

/// Judges the batches of one read of `[from, until)`.
pub fn of_read(id: TopicPartition, from: i64, until: i64, seen: &[Seen]) -> Run<()> {
    let Some(first) = seen.first() else { return Ok(()) };
    must!(first.base <= from && from < first.end, "{id}: a read from {from} begins with {first:?}");
    for pair in seen.windows(2) {
        must!(pair[0].end == pair[1].base, "{id}: {:?} is followed by {:?}", pair[0], pair[1]);
        must!(pair[0].epoch <= pair[1].epoch, "{id}: epochs fall: {:?}, {:?}", pair[0], pair[1]);
    }
    let last = seen.last().expect("not empty");
    must!(last.end <= until, "{id}: a read up to {until} gave {last:?}");
    Ok(())
}
