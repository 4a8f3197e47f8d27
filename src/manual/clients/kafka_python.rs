//! kafka-python 3.
//!
//! # What works
//!
//! `KafkaProducer`, idempotent by default, in every codec (packages `lz4`, `python-snappy`, `zstandard`); `KafkaConsumer` with
//! `assign` and `seek`, and with topics but `group_id=None`, which takes all partitions; `KafkaAdminClient` on topics and partitions.
//!
//! # Groups
//!
//! `subscribe` with range, round robin, sticky or cooperative-sticky (`partition_assignment_strategy`), `group_instance_id` for a static
//! member, `commit`. A member that keeps a partition through a rebalance goes on where it was, not at what it had committed.
//!
//! # Settings
//!
//! Without a group: `group_id=None`, and `enable_auto_commit=False`. `auto_offset_reset="none"` with `seek`, so that a lost offset is noticed. Without
//! idempotence, `max_in_flight_requests_per_connection=1` keeps the order.
//!
//! # What differs
//!
//! - It guesses a release of Kafka from the highest versions listed; Corelane lists those of 3.9.
//! - `poll` raises `KafkaConnectionError` while the broker is away: call it again.
//! - `subscribe` to a topic of which it has not heard yet: now and then (5 of about 35 first joins here, with Corelane and with Kafka 4.3.1
//!   alike) the leader assigns nothing, gives that back, and then neither joins again nor sends heartbeats: `poll` gives nothing for ever, and
//!   the group is Empty. `consumer.partitions_for_topic(topic)` before `subscribe` avoids it (40 of 40).
//! - It is the slowest of the libraries here, by its own CPU.
