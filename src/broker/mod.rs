//! Floor 3: one core's Kafka broker. It owns all state of that core and knows no socket, file, clock or thread.

mod altering;
mod answer_memory;
mod api;
#[allow(clippy::module_inception, reason = "a file is named after its main noun")]
pub mod broker;
mod change_of_cores;
mod controller_seat;
mod coordinators;
pub mod counters;
mod delayed;
pub mod event;
mod fetch_session;
mod forwarding;
pub mod group_lag;
pub mod message;
mod partition;
mod producer_ids;
mod question;
mod queued;
mod returning;
mod session;
pub mod settings;
pub mod start;
mod stop;
mod topic_cache;
mod turn;
