//! Floor 3: one core's Kafka broker. It owns all state of that core and knows no socket, file, clock or thread.

pub mod broker;
mod change_of_cores;
pub mod counters;
pub mod event;
pub mod message;
pub mod settings;
pub mod start;
