//! Floor 2: one core's journal and the logs of its partitions, sans-IO (contract: the handbook's `on_disk_format` and `recovery`).

mod cache_budget;
pub mod checkpoint;
pub mod contract;
pub mod core_log;
mod deletion;
pub mod effect;
pub mod effect_queue;
mod group_time;
mod index_load;
pub mod journal;
pub mod journal_frame;
mod journal_group;
mod journal_scan;
pub mod leader_epochs;
#[allow(clippy::module_inception, reason = "a partition's log, Kafka's word")]
pub mod log;
pub mod offset_index;
mod opening;
pub mod producer_state;
mod reading;
pub mod record_scan;
mod recovery;
pub mod retention;
mod search;
pub mod segment;
pub mod segment_move;
pub mod segment_walk;
mod segment_writer;
pub mod span;
pub mod tail;
#[cfg(test)]
mod tests;
