//! Identifiers. Each is a newtype so that a partition index is never taken for a core.

use std::fmt;

/// Which machine (process) of the cluster: `node.id`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MachineId(pub i32);

/// Which core of this machine, 0-based.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CoreId(pub u16);

/// What Kafka calls a broker id: `machine * 1000 + core`. Exists only at the edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BrokerId(pub i32);

impl BrokerId {
    /// Distance between the first broker ids of two machines; bounds the cores of one machine.
    pub const STRIDE: i32 = 1000;

    /// The broker that lives on `core` of `machine`.
    pub fn new(machine: MachineId, core: CoreId) -> BrokerId {
        assert!(i32::from(core.0) < BrokerId::STRIDE);
        BrokerId(machine.0 * BrokerId::STRIDE + i32::from(core.0))
    }
}

/// A topic's incarnation: 128 random bits, never zero. Topics are known by id inside and on disk; names live at the edge.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicId(pub [u8; 16]);

impl TopicId {
    /// The id that means "none" on the wire.
    pub const ZERO: TopicId = TopicId([0; 16]);

    /// Parses 32 lower-case hexadecimal digits, the form used in directory names.
    pub fn from_hex(text: &str) -> Option<TopicId> {
        if text.len() != 32 || !text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)) {
            return None;
        }
        u128::from_str_radix(text, 16).ok().map(|value| TopicId(value.to_be_bytes()))
    }
}

impl fmt::Display for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for TopicId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A partition of a topic incarnation.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TopicPartition {
    /// The topic's incarnation.
    pub topic: TopicId,
    /// Partition index, 0-based.
    pub partition: i32,
}

impl fmt::Display for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}-{}", self.topic, self.partition)
    }
}

impl fmt::Debug for TopicPartition {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// A client connection of one core; never used twice within a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConnectionId(pub u64);

impl ConnectionId {
    /// Largest id that a core gives to a connection of its own.
    pub const MAX: u64 = (1 << 47) - 1;

    /// How another core names a connection of `core` that it works for: distinct from all connections of its own.
    pub fn forwarded(core: CoreId, connection: ConnectionId) -> ConnectionId {
        assert!(connection.0 <= ConnectionId::MAX);
        ConnectionId(1 << 63 | u64::from(core.0) << 47 | connection.0)
    }
}
