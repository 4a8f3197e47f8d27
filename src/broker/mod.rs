//! Floor 3: one core's Kafka broker.

pub mod event;
pub mod message;
