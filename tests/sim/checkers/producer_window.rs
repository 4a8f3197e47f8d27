//! The last five batches of an idempotent producer are known after everything; a retry is answered with the original offset (J3).

use crate::history::{Producer, Sent};
use crate::must;
use crate::outcome::Run;
use corelane::base::ids::TopicPartition;
use corelane::log::core_log::Appended;

/// Batches remembered per producer.
pub const WINDOW: usize = 5;

/// Judges the answer to an append of a batch that may have been appended before.
pub fn of_append(id: TopicPartition, sent: &Sent, known_place: Option<i64>, appended: &Appended) -> Run<()> {
    if let Some(base) = known_place {
        must!(
            appended.duplicate && appended.base_offset.0 == base,
            "{id}: {:?} stands at {base}, its retry gave {appended:?}",
            sent.content
        );
    }
    if appended.duplicate {
        must!(sent.sent_before, "{id}: {:?} was sent once and called a duplicate", sent.content);
        must!(
            appended.end_offset.0 == appended.base_offset.0 + i64::from(sent.content.count),
            "{id}: duplicate {appended:?} of {:?}",
            sent.content
        );
    }
    Ok(())
}

/// Answered batches that must still be among the remembered ones.
pub fn remembered(producer: &Producer) -> usize {
    if producer.half_lost {
        return 0;
    }
    // Unanswered ones may have been appended after them.
    WINDOW.saturating_sub(producer.unanswered.len()).min(producer.answered.len())
}
