//! franz-go 1.22, with `kadm` for admin calls.
//!
//! # What works
//!
//! Producing, idempotent by default with many requests in flight, in every codec; consuming with `ConsumePartitions`, and with
//! `ConsumeTopics` and no group, which takes all partitions; incremental fetch sessions; fetches by topic id; `kadm`.
//!
//! # Groups
//!
//! `ConsumerGroup` with `ConsumeTopics`, any balancer (its default is cooperative-sticky), `InstanceID` for a static member, `CommitRecords`,
//! `kadm.Lag`. With `BlockRebalanceOnPoll` no partition goes away between a poll and the commit behind it.
//!
//! # Settings
//!
//! None are needed. `ConsumeResetOffset(NoResetOffset())` makes a lost offset an error. Without idempotence
//! (`DisableIdempotentWrite`), `MaxProduceRequestsInflightPerBroker(1)` keeps the order.
//!
//! # What differs
//!
//! - `TransactionalID` fails at the first record: there are no transactions yet.
