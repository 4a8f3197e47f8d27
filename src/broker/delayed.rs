//! Parked requests (Kafka's purgatory), one module per reason to wait. All live on their core; only `Broker` mutates them.

pub(super) mod fetch;
pub(super) mod flush;
pub(super) mod produce;
pub(super) mod search;
