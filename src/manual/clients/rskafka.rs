//! rskafka 0.6.
//!
//! # What works
//!
//! `PartitionClient::produce` in every codec, `fetch_records`, `get_offset`; `ControllerClient` creates and deletes topics. It fetches
//! with version 4 only, produces with 3 to 7.
//!
//! # Settings
//!
//! `BackoffConfig::max_backoff` is 500 s by default, which after a restart can be a long time: half a second in the tests.
//! Its dependency `rsasl` does not compile with Rust 1.95 in the newest version: `cargo update -p rsasl --precise 2.3.1`.
//!
//! # What differs
//!
//! - It has no idempotent producer, no groups and no way to add partitions; none of that is the broker's doing.
//! - A retried produce may put a batch there twice, as with any Kafka.
