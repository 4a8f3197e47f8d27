//! What a broker is told at construction. The runtime fills it from the configuration; nothing here changes later.

use crate::base::offset::Durability;

/// Settings that every core of a machine shares.
#[derive(Clone, Debug)]
pub struct BrokerSettings {
    /// `num.partitions`: partitions of a topic created without a count.
    pub num_partitions: i32,
    /// `auto.create.topics.enable`.
    pub auto_create_topics: bool,
    /// `message.max.bytes`: largest batch of a topic without `max.message.bytes`.
    pub message_max_bytes: usize,
    /// `durability` of topics without their own.
    pub durability: Durability,
    /// `log.segment.bytes` of topics without `segment.bytes`.
    pub segment_bytes: u64,
    /// `log.roll.ms` of topics without `segment.ms`.
    pub segment_ms: u64,
    /// `log.message.timestamp.type` is LogAppendTime for topics without `message.timestamp.type`.
    pub log_append_time: bool,
    /// `fetch.max.bytes`: largest answer to a fetch (a single batch may exceed it).
    pub fetch_max_bytes: usize,
}

/// Where clients find a core.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Host name or address; `None`: the local address that the client's connection arrived at.
    pub host: Option<String>,
    /// The port of this core.
    pub port: u16,
}
