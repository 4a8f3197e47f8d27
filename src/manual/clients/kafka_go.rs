//! segmentio's kafka-go 0.4.
//!
//! # What works
//!
//! `Writer` in every codec; `Reader` of a partition; `Client` on topics and partitions. It has two stacks: the `Reader` hard-codes
//! old versions (Metadata 1, ListOffsets 1, Fetch 10), the `Writer` and `Client` speak newer ones (Produce 8); both are served.
//!
//! # Groups
//!
//! `Reader` with a `GroupID`: `FetchMessage` and `CommitMessages`, through restarts of the broker.
//!
//! # Settings
//!
//! | | |
//! |---|---|
//! | `Writer.RequiredAcks = RequireAll` | by default it asks for no acknowledgement at all |
//! | `Writer.MaxAttempts`, `WriteBackoffMax` | 10 and 1 s by default: 100 and 200 ms in the tests |
//! | `Reader.MaxWait` | 10 s by default: the longest that a quiet partition keeps a shutdown waiting |
//!
//! # What differs
//!
//! - It has no idempotent producer: what was under way when the broker went away may be there twice, as with any Kafka.
//! - `WriteMessages` asks for the topic's partitions before it takes a message, and fails if the broker is away just then: repeat it.
//! - What its members say of themselves claims version 1 of the format and lacks what that version has. A Java member that leads the
//!   group ends with `BufferUnderflowException` over it: keep it out of groups with Java's members, as with any Kafka.
//! - `CommitMessages` of a message from before a rebalance is sent in the name of the new generation, so it may take back what the
//!   partition's next owner has committed, as with any Kafka.
