//! Offsets and epochs.

use std::fmt;

/// Position of a record in a partition's log. End offsets are exclusive.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Offset(pub i64);

impl Offset {
    /// First offset of every log.
    pub const ZERO: Offset = Offset(0);

    /// The offset `count` records further on. Panics on overflow: a log of 2^63 records is a bug.
    pub fn plus(self, count: i64) -> Offset {
        Offset(self.0.checked_add(count).expect("offset overflow"))
    }
}

impl fmt::Display for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Offset {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Kafka's leader epoch of a partition: rises at each change of leader and at each boot. -1 means unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LeaderEpoch(pub i32);

/// Position in a core's journal: 1, 2, 3, ... over all files and boots of a generation (S1). 0 means none.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sequence(pub u64);

impl Sequence {
    /// True if a frame can have it: what is read from a disk has a predecessor and a successor.
    pub fn is_of_a_frame(self) -> bool {
        self.0 > 0 && self.0 < u64::MAX
    }

    /// The next sequence.
    pub fn next(self) -> Sequence {
        Sequence(self.0 + 1)
    }

    /// The sequence before; panics on 0.
    pub fn previous(self) -> Sequence {
        Sequence(self.0.checked_sub(1).expect("sequence 0 has no predecessor"))
    }
}

impl fmt::Display for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

impl fmt::Debug for Sequence {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// When an acknowledgement may leave: a topic's `durability`. The order is from weakest to strongest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Durability {
    /// Once appended in memory; flushed in the background.
    Memory,
    /// Once the direct write has completed (survives kill -9, not a power cut).
    Device,
    /// Once flushed to the disk.
    Disk,
}

impl Durability {
    /// Reads the value of the config key `durability`.
    pub fn parse(text: &str) -> Option<Durability> {
        match text {
            "disk" => Some(Durability::Disk),
            "device" => Some(Durability::Device),
            "memory" => Some(Durability::Memory),
            _ => None,
        }
    }

    /// The config value.
    pub fn name(self) -> &'static str {
        match self {
            Durability::Disk => "disk",
            Durability::Device => "device",
            Durability::Memory => "memory",
        }
    }
}
