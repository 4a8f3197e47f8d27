//! sarama 1.61 (IBM).
//!
//! # What works
//!
//! `AsyncProducer` and `SyncProducer`, idempotent if told so, in every codec; `PartitionConsumer`; `ClusterAdmin` on topics,
//! partitions, configs and log directories.
//!
//! # Settings
//!
//! | | |
//! |---|---|
//! | `Producer.Retry.Max`, `Metadata.Retry.Max` | by default 3 retries 100 ms apart, which are over before a broker has started again: more, 100 in the tests |
//! | `Producer.Idempotent` | demands `Net.MaxOpenRequests = 1` and `RequiredAcks = WaitForAll` |
//! | `Net.MaxOpenRequests = 1` | without idempotence it keeps the order |
//! | `Producer.Return.Successes`, `Return.Errors` | read both channels, or the producer stops |
//!
//! # What differs
//!
//! - A transactional producer fails to start: "The version of API is not supported".
