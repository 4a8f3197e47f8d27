//! THE table: every configuration key that this broker acts on, with its type, default, bounds, scope and reason.
//!
//! A new row needs a measured reason, a field in [`Config`](super::Config) that something reads, and nothing else: the
//! command line, the environment, the file, the error messages and the documentation follow from the row.

use crate::base::ids::BrokerId;
use Kind::{Choice, Flag, List, Text, Whole};
use Scope::{Core, Machine, Topics};

/// What a value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A whole number within inclusive bounds.
    Whole(i64, i64),
    /// A whole number within inclusive bounds, or this word.
    WholeOr(&'static str, i64, i64),
    /// `true` or `false`.
    Flag,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// Free text, checked where it is used.
    Text,
    /// A comma-separated list, checked where it is used.
    List,
}

/// What one value of a key covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The whole machine.
    Machine,
    /// Each core by itself: the machine's total is this times the number of cores.
    Core,
    /// Every topic that does not set the topic's own key.
    Topics,
}

/// One row.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Kafka's exact key where Kafka has one.
    pub name: &'static str,
    /// Type and bounds.
    pub kind: Kind,
    /// Value when nobody sets one; empty for "none".
    pub default: &'static str,
    /// Default of `corelane dev` where it differs.
    pub dev_default: Option<&'static str>,
    /// What one value covers.
    pub scope: Scope,
    /// What it decides and why the default is what it is.
    pub why: &'static str,
    /// AlterConfigs may change it while the machine runs. (What covers topics may change anyway: `metadata::broker_wide`.)
    pub live: bool,
}

const fn key(name: &'static str, kind: Kind, default: &'static str, scope: Scope, why: &'static str) -> Key {
    Key { name, kind, default, dev_default: None, scope, why, live: false }
}

const fn dev(default: &'static str, row: Key) -> Key {
    Key { dev_default: Some(default), ..row }
}

const fn live(row: Key) -> Key {
    Key { live: true, ..row }
}

const I32_MAX: i64 = i32::MAX as i64;
const MIB: i64 = 1024 * 1024;
/// Largest machine number whose last broker id (`node.id * 1000 + core`) is still a Kafka broker id.
const MACHINE_ID_MAX: i64 = I32_MAX / BrokerId::STRIDE as i64 - 1;

/// Every key, sorted by name within its group: who we are, network, topics, consumer groups, storage, memory.
#[rustfmt::skip] // one row a line
pub const KEYS: &[Key] = &[
    key("node.id", Kind::Whole(0, MACHINE_ID_MAX), "0", Machine, "number of this machine; core c is broker node.id * 1000 + c"),
    key("broker.id", Kind::WholeOr("", 0, MACHINE_ID_MAX), "", Machine, "Kafka's older name of node.id"),
    key("cluster.id", Text, "", Machine, "cluster id that clients are shown; empty: made at the first start and kept"),
    key("cores", Kind::WholeOr("auto", 1, BrokerId::STRIDE as i64), "auto", Machine, "one broker, port and pinned thread each; auto: the CPUs this process may use"),
    key("listeners", List, "PLAINTEXT://127.0.0.1:9092", Machine, "where core 0 listens; core c listens on port + c (port 0: any free port each); with advertise=per-machine all listen there. Loopback, since there is no authentication yet"),
    key("advertised.listeners", List, "", Machine, "where clients reach core 0; core c is at port + c (advertise=per-machine: the one port). Empty: the address that the client itself used"),
    key("advertise", Choice(&["per-core", "per-machine"]), "per-core", Machine, "whether clients see one broker and port per core, which cost nothing between cores, or one of each for the whole machine, where only one port can be opened"),
    key("listener.security.protocol.map", Text, "", Machine, "Kafka's map of listener names to protocols; PLAINTEXT is the only protocol of this release"),
    key("controller.listener.names", List, "", Machine, "listeners of these names are Kafka's controller listeners and are not opened: the controller needs no port here"),
    key("max.connections", Whole(1, I32_MAX), "2147483647", Core, "client connections of one core; more are closed at once"),
    key("connections.max.idle.ms", Whole(10, i64::MAX), "600000", Machine, "a connection without a request for this long is closed"),
    key("socket.request.max.bytes", Whole(1024, I32_MAX), "104857600", Machine, "a longer request closes its connection"),
    key("auto.create.topics.enable", Flag, "true", Machine, "a Metadata request that asks for it creates the missing topic"),
    key("num.partitions", Whole(1, 100_000), "1", Topics, "partitions of a topic whose creator does not say"),
    key("default.replication.factor", Whole(1, 1), "1", Topics, "copies on different machines; there is one machine in this release"),
    key("min.insync.replicas", Whole(1, I32_MAX), "1", Topics, "copies that acks=all waits for, at most the replication factor"),
    key("message.max.bytes", Whole(1024, 100 * MIB), "1048588", Topics, "largest record batch; with its frame it must fit one journal file"),
    key("log.message.timestamp.type", Choice(&["CreateTime", "LogAppendTime"]), "CreateTime", Topics, "whose clock a record carries: its producer's, or the broker's at the append"),
    key("fetch.max.bytes", Whole(1024, I32_MAX), "57671680", Machine, "largest answer to one fetch; a single larger batch is still served"),
    key("durability", Choice(&["disk", "device", "memory"]), "disk", Topics, "when acks=1 and acks=all are answered: after the flush, after the write, or once appended"),
    key("log.segment.bytes", Whole(16 * 1024, I32_MAX), "1073741824", Topics, "a segment file is closed at this size"),
    key("log.roll.ms", Kind::WholeOr("", 1, i64::MAX), "", Topics, "a segment file is closed at this age; empty: log.roll.hours"),
    key("log.roll.hours", Whole(1, I32_MAX), "168", Topics, "a segment file is closed at this age"),
    key("log.retention.ms", Kind::WholeOr("", -1, i64::MAX), "", Topics, "a segment whose newest record is older goes; -1: none does; empty: log.retention.minutes"),
    key("log.retention.minutes", Kind::WholeOr("", -1, I32_MAX), "", Topics, "the same in minutes; empty: log.retention.hours"),
    key("log.retention.hours", Whole(-1, I32_MAX), "168", Topics, "the same in hours; Kafka's seven days"),
    key("log.retention.bytes", Whole(-1, i64::MAX), "-1", Topics, "the oldest segments of a partition go while the others have so many bytes; -1: none do"),
    key("log.retention.check.interval.ms", Whole(1, i64::MAX), "300000", Core, "how often a core looks for segments that need not be kept; between two looks it costs nothing"),
    dev("0", key("group.initial.rebalance.delay.ms", Whole(0, I32_MAX), "3000", Machine, "the first members of an empty group wait so long for others, so that they start with one rebalance instead of many")),
    key("group.min.session.timeout.ms", Whole(0, I32_MAX), "6000", Machine, "a member may not ask for a shorter session: it costs heartbeats"),
    key("group.max.session.timeout.ms", Whole(0, I32_MAX), "1800000", Machine, "a member may not ask for a longer session: its partitions stand still while it is dead"),
    key("group.max.size", Whole(1, I32_MAX), "2147483647", Machine, "members of one group; what all members keep in memory is bounded anyway"),
    key("offset.metadata.max.bytes", Whole(0, 32_767), "4096", Machine, "text that a client may store with a committed offset"),
    key("offsets.retention.minutes", Whole(1, I32_MAX), "10080", Machine, "committed offsets of a group without members go after this time; Kafka's seven days"),
    key("offsets.retention.check.interval.ms", Whole(1, i64::MAX), "600000", Machine, "how often a coordinator looks for such offsets"),
    key("offsets.topic.num.partitions", Whole(1, 10_000), "50", Machine, "partitions of __consumer_offsets when it is made; they spread the groups over the cores"),
    key("offsets.topic.replication.factor", Whole(1, 32_767), "1", Machine, "copies of __consumer_offsets; never more than there are machines"),
    key("offsets.topic.segment.bytes", Whole(16 * 1024, I32_MAX), "4194304", Machine, "segment size of __consumer_offsets when it is made; smaller than Kafka's 100 MiB, because each partition keeps up to two segments"),
    key("log.dirs", List, "", Machine, "the data directory: one, on a file system with O_DIRECT, for this process alone"),
    key("log.dir", List, "", Machine, "the same; log.dirs counts when both are set"),
    key("journal.files", Whole(3, 64), "4", Core, "files of the journal's ring: one in use, one draining, one spare, and room for a burst"),
    dev("16777216", key("journal.file.bytes", Whole(16 * 1024, 4096 * MIB), "67108864", Core, "size of each, a multiple of 4096; the ring bounds the time of recovery")),
    key("journal.accept.loss", Flag, "false", Machine, "start although flushed frames of a journal are damaged: it is cut at the first of them, and acknowledged records behind it are given up"),
    key("journal.zeroed", Flag, "true", Core, "fill new journal files with zeros in the background: their flushes take 0.6 of the time"),
    live(key("tail.cache.bytes", Kind::WholeOr("auto", 0, 1024 * 1024 * MIB), "auto", Core, "newest record batches kept in memory for readers, beyond those not yet in a segment; auto: the cores together take an eighth of the memory that this process may use")),
    key("fetch.memory.bytes", Whole(4 * MIB, 1024 * 1024 * MIB), "16777216", Core, "fetch answers that are read from the disk or wait to be sent; with many slow consumers more of it is more throughput"),
];

/// The row of `name`, which must exist.
pub fn row(name: &str) -> &'static Key {
    find(name).unwrap_or_else(|| panic!("no configuration key {name}"))
}

/// The row of `name`, if there is one.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

impl Key {
    /// Checks a value against type and bounds; the error says what is expected.
    pub fn check(&self, value: &str) -> Result<(), String> {
        match self.kind {
            Kind::Whole(least, most) => whole(value, least, most),
            Kind::WholeOr(word, ..) if value == word => Ok(()),
            Kind::WholeOr("", least, most) => whole(value, least, most),
            Kind::WholeOr(word, least, most) => whole(value, least, most).map_err(|why| format!("{why}, or {word}")),
            Kind::Flag if matches!(value.to_ascii_lowercase().as_str(), "true" | "false") => Ok(()),
            Kind::Flag => Err("must be true or false".to_string()),
            Kind::Choice(words) if words.contains(&value) => Ok(()),
            Kind::Choice(words) => Err(format!("must be one of {}", words.join(", "))),
            Kind::Text | Kind::List => Ok(()),
        }
    }
}

fn whole(value: &str, least: i64, most: i64) -> Result<(), String> {
    match value.parse::<i64>() {
        Ok(number) if (least..=most).contains(&number) => Ok(()),
        _ if least == most => Err(format!("must be {least}")),
        _ if most == i64::MAX => Err(format!("must be a whole number from {least}")),
        _ => Err(format!("must be a whole number from {least} to {most}")),
    }
}

#[cfg(test)]
mod tests {
    use super::KEYS;

    #[test]
    fn every_default_is_within_its_own_bounds() {
        for key in KEYS {
            for default in [Some(key.default), key.dev_default].into_iter().flatten() {
                assert_eq!(key.check(default), Ok(()), "{}", key.name);
            }
            assert!(!key.why.is_empty());
            assert_eq!(KEYS.iter().filter(|other| other.name == key.name).count(), 1, "{} twice", key.name);
        }
    }
}
