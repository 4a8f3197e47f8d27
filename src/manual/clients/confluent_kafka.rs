//! confluent-kafka for Python, and with it librdkafka 2.x under any language.
//!
//! # What works
//!
//! Producers, idempotent or not, in every codec; consumers with `subscribe` and `assign`; `get_watermark_offsets`; the admin client on topics,
//! records, offsets.
//!
//! # Groups
//!
//! `subscribe` with range, round robin or cooperative-sticky (`partition.assignment.strategy`), `group.instance.id` for a static member,
//! `commit(asynchronous=False)`, whose answer holds an error per partition.
//!
//! # Settings
//!
//! | | |
//! |---|---|
//! | `group.id` | the consumer refuses to exist without one; with `assign` it joins none |
//! | `auto.offset.reset=error` | with offsets of your own, so that a lost one is noticed |
//! | `enable.idempotence=true` | keeps order and drops repeats through a restart; without it `max.in.flight=1` keeps the order |
//! | `isolation.level` | makes no difference before there are transactions |
//!
//! # What differs
//!
//! - `init_transactions` fails for good: `_UNSUPPORTED_FEATURE`, "Required feature not supported by broker".
//! - It starts a thread per broker that it sees, thus per core; with `advertise=per-machine` one.
