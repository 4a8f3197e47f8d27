//! sarama 1.61 (IBM).
//!
//! # What works
//!
//! `AsyncProducer` and `SyncProducer`, idempotent if told so, in every codec; `PartitionConsumer`; `ClusterAdmin` on topics,
//! partitions, configs and log directories.
//!
//! # Groups
//!
//! `ConsumerGroup` with range, sticky or cooperative-sticky; `Consumer.Group.InstanceId` makes a static member.
//!
//! # Settings
//!
//! | | |
//! |---|---|
//! | `Producer.Retry.Max`, `Metadata.Retry.Max` | by default 3 retries 100 ms apart, which are over before a broker has started again: more, 100 in the tests |
//! | `Producer.Idempotent` | demands `Net.MaxOpenRequests = 1` and `RequiredAcks = WaitForAll` |
//! | `Net.MaxOpenRequests = 1` | without idempotence it keeps the order |
//! | `Producer.Return.Successes`, `Return.Errors` | read both channels, or the producer stops |
//! | `Consumer.Offsets.Initial = OffsetOldest` | else a new group begins at the end |
//! | `Consumer.Offsets.AutoCommit.Enable = false` | with `session.Commit()`, which says nothing of how it ended: `Errors()` does, or a look at what is committed |
//!
//! # What differs
//!
//! - A transactional producer fails to start: "The version of API is not supported".
