//! Floor 1: Kafka bytes <-> values. Knows no state.
//!
//! Produce and Fetch have codecs of their own (`produce`, `fetch`): record batches leave and enter as slices, never copied.
//! All other messages go through the `kafka-protocol` crate behind `messages`, which checks counts first (`schema`).

pub mod api;
pub mod compression;
pub mod fetch;
pub mod frame;
pub mod group_records;
pub mod inspection;
pub mod keyed_batch;
pub mod leader_hint;
pub mod messages;
pub mod produce;
pub mod reader;
pub mod record_batch;
pub mod record_heads;
pub mod records;
pub mod schema;
pub mod writer;
