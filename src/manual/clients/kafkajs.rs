//! kafkajs 2.2.
//!
//! # What works
//!
//! The producer, idempotent if told so; gzip by itself, snappy, lz4 and zstd with packages of others (`kafkajs-snappy`, `lz4-napi`,
//! `zstd-codec`, see `tests/clients/kafkajs/job.js`); the admin client on topics, partitions and configs. It takes the highest version
//! that both sides know and pays no heed to the broker's lowest one.
//!
//! # Groups
//!
//! Its consumer works in groups only: `subscribe`, `run` with `eachBatch` or `eachMessage`, `commitOffsets`. It has neither static members nor
//! cooperative rebalancing, and its one assignor has a name of its own, so no other library shares a group with it.
//!
//! # Settings
//!
//! `idempotent: true` goes with `maxInFlightRequests: 1`, which without idempotence keeps the order. Raise `retry.retries` (5 by
//! default) above what a restart takes.
//!
//! # What differs
//!
//! - While the broker is away `commitOffsets` may return as if all were well, without having sent anything: its consumer has crashed and
//!   is about to start again. The event `COMMIT_OFFSETS` comes only for what was acknowledged.
//! - `transaction()` fails: there are no transactions yet.
//! - `kafkajs-snappy` writes snappy without the frame that Java's consumers need. The broker passes batches on as they are, so
//!   this is between those two clients, as with any Kafka; librdkafka reads both.
