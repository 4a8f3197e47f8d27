//! The records of the metadata log: all that is durable about the cluster, in names close to KRaft's.
//!
//! A record is one change of the [`Image`](crate::metadata::image::Image). The bytes are drawn in `record_codec`: fields
//! that every version has come first, everything else is tagged, so that a reader skips tags it does not know and refuses
//! kinds it does not know. Numbers of kinds and tags are never used twice.

use crate::base::ids::{MachineId, TopicId};

/// One change of the metadata.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// First record of every log: whose data this is.
    Format(FormatRecord),
    /// A feature's finalized level, e.g. `metadata.version`.
    FeatureLevel(FeatureLevelRecord),
    /// A start of a machine. Raises the leader epoch of every partition that it leads (see [`PartitionRecord`]).
    Boot(BootRecord),
    /// The boot ended with everything flushed and marked.
    CleanShutdown(CleanShutdownRecord),
    /// A machine joined: its incarnation and broker epoch.
    RegisterMachine(RegisterMachineRecord),
    /// Work on a new generation of journals begins; its number is used up even if the flip never comes (S19).
    GenerationBegun(GenerationBegunRecord),
    /// The flip: from here on this generation's journals count (S19).
    Layout(LayoutRecord),
    /// A topic exists; its partitions follow.
    Topic(TopicRecord),
    /// A partition's whole state; replaces an earlier record of the same partition.
    Partition(PartitionRecord),
    /// The topic is gone; its id stays among the deleted ones until it is forgotten (S13).
    RemoveTopic(RemoveTopicRecord),
    /// No frame, checkpoint slot or directory of any core names the deleted topic any more (S13).
    TopicForgotten(TopicForgottenRecord),
    /// A config value is set, or removed.
    Config(ConfigRecord),
    /// Producer ids below `next` are given away.
    ProducerIds(ProducerIdsRecord),
}

/// See [`Record::Format`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FormatRecord {
    /// Kafka's cluster id: 22 characters of URL-safe base64.
    pub cluster_id: String,
    /// The machine whose data directory this is (`node.id`).
    pub machine: MachineId,
    /// The data directory's own identity, which a copy to another machine would carry along.
    pub directory_id: [u8; 16],
}

/// See [`Record::FeatureLevel`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeatureLevelRecord {
    /// Kafka's feature name.
    pub name: String,
    /// Finalized level; 0 removes the feature.
    pub level: i16,
}

/// See [`Record::Boot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BootRecord {
    /// The machine that starts.
    pub machine: MachineId,
    /// Number of the start: 1, 2, 3, ...
    pub boot: u32,
    /// Wall clock of the start.
    pub wall_ms: i64,
}

/// See [`Record::CleanShutdown`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CleanShutdownRecord {
    /// The machine that stopped.
    pub machine: MachineId,
    /// The boot that ended.
    pub boot: u32,
}

/// See [`Record::RegisterMachine`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegisterMachineRecord {
    /// The machine.
    pub machine: MachineId,
    /// Random per process.
    pub incarnation_id: [u8; 16],
    /// Offset of the first record of this registration: rises with every registration.
    pub broker_epoch: i64,
}

/// See [`Record::GenerationBegun`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenerationBegunRecord {
    /// The new generation's number, one above every earlier one.
    pub generation: u32,
}

/// See [`Record::Layout`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayoutRecord {
    /// The generation in force, begun before.
    pub generation: u32,
    /// Number of cores; a partition lives on core `placement mod cores`.
    pub cores: u16,
}

/// See [`Record::Topic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicRecord {
    /// The name that clients use.
    pub name: String,
    /// This incarnation.
    pub id: TopicId,
}

/// Whether a leader may still miss committed records (Kafka's LeaderRecoveryState).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LeaderRecoveryState {
    /// The leader has everything that was committed.
    #[default]
    Recovered,
    /// Elected uncleanly, recovery goes on.
    Recovering,
}

/// See [`Record::Partition`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PartitionRecord {
    /// The topic's incarnation.
    pub topic: TopicId,
    /// Partition index, 0-based and dense.
    pub partition: i32,
    /// Machines that hold a copy, preferred leader first.
    pub replicas: Vec<MachineId>,
    /// In-sync replicas.
    pub isr: Vec<MachineId>,
    /// Eligible leader replicas (KIP-966).
    pub elr: Vec<MachineId>,
    /// Eligible before the last unclean shutdown (KIP-966).
    pub last_known_elr: Vec<MachineId>,
    /// The leader.
    pub leader: MachineId,
    /// Leader epoch as of the boot in force where the record stands in the log; each later Boot record adds one.
    pub leader_epoch: i32,
    /// Rises with every change of this record.
    pub partition_epoch: i32,
    /// See [`LeaderRecoveryState`].
    pub recovery_state: LeaderRecoveryState,
    /// Data directory of each replica; empty: the only one.
    pub directories: Vec<[u8; 16]>,
    /// Fixed for life; core = placement mod cores, on every machine alike.
    pub placement: u32,
}

/// See [`Record::RemoveTopic`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RemoveTopicRecord {
    /// The incarnation.
    pub id: TopicId,
}

/// See [`Record::TopicForgotten`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicForgottenRecord {
    /// The incarnation.
    pub id: TopicId,
}

/// What a config belongs to; the numbers are Kafka's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum ResourceType {
    /// A topic, by name.
    Topic = 2,
    /// All brokers (empty name) or one machine (its id).
    Broker = 4,
}

/// See [`Record::Config`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigRecord {
    /// What kind of thing is configured.
    pub resource_type: ResourceType,
    /// Which one. A topic's record must follow its [`TopicRecord`]; its removal removes its configs.
    pub resource_name: String,
    /// Kafka's config key.
    pub key: String,
    /// `None` goes back to the default.
    pub value: Option<String>,
}

/// See [`Record::ProducerIds`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProducerIdsRecord {
    /// First id that nobody was given.
    pub next: i64,
}
