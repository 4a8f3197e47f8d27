//! kafkajs 2.2, as a producer.
//!
//! # What works
//!
//! The producer, idempotent if told so; gzip by itself, snappy, lz4 and zstd with packages of others (`kafkajs-snappy`, `lz4-napi`,
//! `zstd-codec`, see `tests/clients/kafkajs/job.js`); the admin client on topics, partitions and configs. It takes the highest version
//! that both sides know and pays no heed to the broker's lowest one.
//!
//! # Settings
//!
//! `idempotent: true` goes with `maxInFlightRequests: 1`, which without idempotence keeps the order. Raise `retry.retries` (5 by
//! default) above what a restart takes.
//!
//! # What differs
//!
//! - `transaction()` fails: there are no transactions yet.
//! - `kafkajs-snappy` writes snappy without the frame that Java's consumers need. The broker passes batches on as they are, so
//!   this is between those two clients, as with any Kafka; librdkafka reads both.
