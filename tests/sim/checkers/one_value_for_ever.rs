//! One offset, one value for ever, over answers and reads; and the value is one that a client sent, to the last byte.

use crate::batch::Seen;
use crate::history::Partition;
use crate::must;
use crate::outcome::{Halt, Run};

/// Judges the batches of one read.
pub fn of_read(partition: &mut Partition, epoch: i32, seen: &[Seen]) -> Run<()> {
    for one in seen {
        let Some(content) = partition.contents.get(&one.value) else {
            return Err(Halt::Violation(format!("{}: {one:?} was never sent", partition.id)));
        };
        must!(
            content.bytes == one.header.total_bytes
                && content.count == one.header.record_count
                && i64::from(content.count) == one.end - one.base
                && content.sequence == one.header.base_sequence,
            "{}: {one:?} was sent as {content:?}",
            partition.id
        );
        must!(one.epoch <= epoch && one.epoch >= 0, "{}: {one:?} has an epoch of the future", partition.id);
        must!(
            !partition.truncated.contains(&one.value),
            "{}: {one:?} was truncated, and that was answered",
            partition.id
        );
        partition.promise(one.base, one.end, one.value).map_err(|text| Halt::Violation(format!("CHANGED: {text}")))?;
    }
    Ok(())
}
