//! Floor 2: one core's journal and the logs of its partitions, sans-IO (contract: the handbook's `on_disk_format` and `recovery`).

pub mod core_log;
pub mod effect;
