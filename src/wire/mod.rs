//! Floor 1: Kafka bytes <-> values. Knows no state.

pub mod record_batch;
