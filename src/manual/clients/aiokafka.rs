//! aiokafka 0.14.
//!
//! # What works
//!
//! `AIOKafkaProducer`, idempotent if told so, in every codec (package `cramjam`); `AIOKafkaConsumer` with `assign` and `seek`, and
//! with topics but `group_id=None`, which takes all partitions; `AIOKafkaAdminClient` on topics and partitions. Of all libraries
//! here it speaks the oldest versions of the protocol, and asks with ApiVersions 0 first.
//!
//! # Groups
//!
//! `subscribe` with range, round robin or sticky, `group_instance_id` for a static member, `commit`. It knows no cooperative rebalancing.
//!
//! # Settings
//!
//! Without a group: `group_id=None`, `enable_auto_commit=False`, and `auto_offset_reset="none"` with `seek`. `enable_idempotence=True` is not its default.
//!
//! # What differs
//!
//! - `create_topics` raises nothing when a topic is refused: the answer carries a code per topic.
