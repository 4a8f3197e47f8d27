//! How often each thing happened over a run of seeds; what never happened was not tested.

use std::collections::BTreeMap;

/// Every category; a full run fails if one of the first list never happened.
pub const REQUIRED: &[&str] = &[
    "crash: kill -9",
    "crash: power cut",
    "crash inside start or recovery",
    "crash inside a change of cores",
    "start",
    "graceful stop",
    "graceful stop, then power cut",
    "change of cores",
    "append acknowledged",
    "append to a disk topic",
    "append to a device topic",
    "append to a memory topic",
    "append paused by a full ring",
    "append refused by a full disk",
    "duplicate answered",
    "retry after a crash",
    "read from memory",
    "read from disk",
    "read while a move ran",
    "read of a whole partition",
    "partition opened lazily",
    "journal file begun",
    "journal write-through",
    "little waited for more",
    "journal file recycled",
    "journal file removed",
    "frame re-appended",
    "mark frame",
    "idle period",
    "segment created",
    "segment rolled",
    "segment of state alone",
    "syncfs round",
    "checkpoint written",
    "DeleteRecords answered",
    "log start moved by retention",
    "retention changed",
    "truncation",
    "topic created",
    "topic deleted",
    "topic forgotten",
    "data lost by class memory",
    "data lost by class device",
    "fault: journal write failed",
    "fault: journal flush failed",
    "fault: segment write failed",
    "fault: segment read failed",
    "fault: checkpoint write failed",
    "fault: syncfs failed",
    "fault: metadata write failed",
    "fault: full disk",
    "fault: full disk at start",
    "producer ids allocated",
    "epoch looked up",
    "record found by time",
    "fault: late write landed",
    "fault: torn write",
    "fault: unflushed sectors lost",
    "fault: directory entries lost",
    "fault: pages lost by a failed flush",
    "core became read-only",
    "partition went offline",
    "rot: journal",
    "rot: segment",
    "rot: checkpoint",
    "rot: metadata",
    "start refused because of rot",
    "partition offline because of rot",
];

/// What every single seed must go through, and how often.
pub const EVERY_SEED: &[(&str, u64)] = &[
    ("journal file recycled", 3),
    ("frame re-appended", 1),
    ("segment rolled", 1),
    ("DeleteRecords answered", 1),
    ("append acknowledged", 1000),
];

/// Counters of one seed or of many.
#[derive(Clone, Debug, Default)]
pub struct Coverage {
    counts: BTreeMap<&'static str, u64>,
}

impl Coverage {
    pub fn hit(&mut self, what: &'static str) {
        self.add(what, 1);
    }

    pub fn add(&mut self, what: &'static str, times: u64) {
        assert!(REQUIRED.contains(&what), "unknown category {what}");
        *self.counts.entry(what).or_default() += times;
    }

    pub fn of(&self, what: &str) -> u64 {
        self.counts.get(what).copied().unwrap_or(0)
    }

    pub fn merge(&mut self, other: &Coverage) {
        for (what, times) in &other.counts {
            *self.counts.entry(what).or_default() += times;
        }
    }

    /// Categories that never happened.
    pub fn missing(&self) -> Vec<&'static str> {
        REQUIRED.iter().copied().filter(|what| self.of(what) == 0).collect()
    }

    pub fn table(&self) -> String {
        REQUIRED.iter().map(|what| format!("{:>12}  {what}\n", self.of(what))).collect()
    }
}
