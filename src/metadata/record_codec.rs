//! Records as bytes.
//!
//! ```text
//! record   = kind, version (0), fields of the kind in order, tags
//! tags     = count, then per tag: number, length in bytes, value (numbers ascending)
//! number   = LEB128, unsigned; signed ones zigzag
//! text     = length, UTF-8          id    = 16 bytes
//! list     = count, elements        optional = 0 | 1, value
//! ```
//!
//! A later release may add tags to a kind, never fields. Unknown tags are skipped; an unknown kind or version is refused,
//! since skipping a change would make another image of the same log.

use crate::base::ids::{MachineId, TopicId};
use crate::metadata::record::*;

/// Why bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// Ends too early, or a length or text is impossible.
    Malformed,
    /// Written by a later release.
    UnknownKind(u64),
    /// Written by a later release.
    UnknownVersion {
        /// The record's kind.
        kind: u64,
        /// Its version.
        version: u64,
    },
}

/// Appends one record to `out`.
pub fn encode(record: &Record, out: &mut Vec<u8>) {
    let mut writer = Writer { out };
    writer.number(kind_of(record));
    writer.number(VERSION);
    encode_fields(record, &mut writer);
    match record {
        Record::Partition(record) => encode_partition_tags(record, &mut writer),
        _ => writer.tags(&[]),
    }
}

/// Takes one record off the front of `bytes`.
pub fn decode(bytes: &mut &[u8]) -> Result<Record, DecodeError> {
    let mut reader = Reader { bytes };
    let kind = reader.number()?;
    if !(kind::FORMAT..=kind::PRODUCER_IDS).contains(&kind) {
        return Err(DecodeError::UnknownKind(kind));
    }
    let version = reader.number()?;
    if version != VERSION {
        return Err(DecodeError::UnknownVersion { kind, version });
    }
    let mut record = decode_fields(kind, &mut reader)?;
    for _ in 0..reader.number()? {
        let tag = reader.number()?;
        let value = reader.slice()?;
        if let Record::Partition(record) = &mut record {
            decode_partition_tag(record, tag, value)?;
        }
    }
    Ok(record)
}

/// Every record's version in this release.
const VERSION: u64 = 0;

mod kind {
    pub(super) const FORMAT: u64 = 1;
    pub(super) const FEATURE_LEVEL: u64 = 2;
    pub(super) const BOOT: u64 = 3;
    pub(super) const CLEAN_SHUTDOWN: u64 = 4;
    pub(super) const REGISTER_MACHINE: u64 = 5;
    pub(super) const GENERATION_BEGUN: u64 = 6;
    pub(super) const LAYOUT: u64 = 7;
    pub(super) const TOPIC: u64 = 8;
    pub(super) const PARTITION: u64 = 9;
    pub(super) const REMOVE_TOPIC: u64 = 10;
    pub(super) const TOPIC_FORGOTTEN: u64 = 11;
    pub(super) const CONFIG: u64 = 12;
    pub(super) const PRODUCER_IDS: u64 = 13;
}

mod partition_tag {
    pub(super) const ELR: u64 = 0;
    pub(super) const LAST_KNOWN_ELR: u64 = 1;
    pub(super) const RECOVERY_STATE: u64 = 2;
    pub(super) const DIRECTORIES: u64 = 3;
}

fn kind_of(record: &Record) -> u64 {
    match record {
        Record::Format(_) => kind::FORMAT,
        Record::FeatureLevel(_) => kind::FEATURE_LEVEL,
        Record::Boot(_) => kind::BOOT,
        Record::CleanShutdown(_) => kind::CLEAN_SHUTDOWN,
        Record::RegisterMachine(_) => kind::REGISTER_MACHINE,
        Record::GenerationBegun(_) => kind::GENERATION_BEGUN,
        Record::Layout(_) => kind::LAYOUT,
        Record::Topic(_) => kind::TOPIC,
        Record::Partition(_) => kind::PARTITION,
        Record::RemoveTopic(_) => kind::REMOVE_TOPIC,
        Record::TopicForgotten(_) => kind::TOPIC_FORGOTTEN,
        Record::Config(_) => kind::CONFIG,
        Record::ProducerIds(_) => kind::PRODUCER_IDS,
    }
}

fn encode_fields(record: &Record, writer: &mut Writer<'_>) {
    match record {
        Record::Format(record) => {
            writer.text(&record.cluster_id);
            writer.signed(i64::from(record.machine.0));
            writer.id(&record.directory_id);
        }
        Record::FeatureLevel(record) => {
            writer.text(&record.name);
            writer.signed(i64::from(record.level));
        }
        Record::Boot(record) => {
            writer.signed(i64::from(record.machine.0));
            writer.number(u64::from(record.boot));
            writer.signed(record.wall_ms);
        }
        Record::CleanShutdown(record) => {
            writer.signed(i64::from(record.machine.0));
            writer.number(u64::from(record.boot));
        }
        Record::RegisterMachine(record) => {
            writer.signed(i64::from(record.machine.0));
            writer.id(&record.incarnation_id);
            writer.signed(record.broker_epoch);
        }
        Record::GenerationBegun(record) => writer.number(u64::from(record.generation)),
        Record::Layout(record) => {
            writer.number(u64::from(record.generation));
            writer.number(u64::from(record.cores));
        }
        Record::Topic(record) => {
            writer.text(&record.name);
            writer.id(&record.id.0);
        }
        Record::Partition(record) => encode_partition_fields(record, writer),
        Record::RemoveTopic(record) => writer.id(&record.id.0),
        Record::TopicForgotten(record) => writer.id(&record.id.0),
        Record::Config(record) => {
            writer.number(record.resource_type as u64);
            writer.text(&record.resource_name);
            writer.text(&record.key);
            writer.optional_text(record.value.as_deref());
        }
        Record::ProducerIds(record) => writer.signed(record.next),
    }
}

fn decode_fields(kind: u64, reader: &mut Reader<'_, '_>) -> Result<Record, DecodeError> {
    Ok(match kind {
        kind::FORMAT => Record::Format(FormatRecord {
            cluster_id: reader.text()?,
            machine: reader.machine()?,
            directory_id: reader.id()?,
        }),
        kind::FEATURE_LEVEL => {
            Record::FeatureLevel(FeatureLevelRecord { name: reader.text()?, level: reader.signed_as()? })
        }
        kind::BOOT => Record::Boot(BootRecord {
            machine: reader.machine()?,
            boot: reader.number_as()?,
            wall_ms: reader.signed()?,
        }),
        kind::CLEAN_SHUTDOWN => {
            Record::CleanShutdown(CleanShutdownRecord { machine: reader.machine()?, boot: reader.number_as()? })
        }
        kind::REGISTER_MACHINE => Record::RegisterMachine(RegisterMachineRecord {
            machine: reader.machine()?,
            incarnation_id: reader.id()?,
            broker_epoch: reader.signed()?,
        }),
        kind::GENERATION_BEGUN => Record::GenerationBegun(GenerationBegunRecord { generation: reader.number_as()? }),
        kind::LAYOUT => Record::Layout(LayoutRecord { generation: reader.number_as()?, cores: reader.number_as()? }),
        kind::TOPIC => Record::Topic(TopicRecord { name: reader.text()?, id: TopicId(reader.id()?) }),
        kind::PARTITION => Record::Partition(decode_partition_fields(reader)?),
        kind::REMOVE_TOPIC => Record::RemoveTopic(RemoveTopicRecord { id: TopicId(reader.id()?) }),
        kind::TOPIC_FORGOTTEN => Record::TopicForgotten(TopicForgottenRecord { id: TopicId(reader.id()?) }),
        kind::CONFIG => Record::Config(ConfigRecord {
            resource_type: match reader.number()? {
                2 => ResourceType::Topic,
                4 => ResourceType::Broker,
                _ => return Err(DecodeError::Malformed),
            },
            resource_name: reader.text()?,
            key: reader.text()?,
            value: reader.optional_text()?,
        }),
        kind::PRODUCER_IDS => Record::ProducerIds(ProducerIdsRecord { next: reader.signed()? }),
        _ => return Err(DecodeError::UnknownKind(kind)),
    })
}

fn encode_partition_fields(record: &PartitionRecord, writer: &mut Writer<'_>) {
    writer.id(&record.topic.0);
    writer.signed(i64::from(record.partition));
    writer.machines(&record.replicas);
    writer.machines(&record.isr);
    writer.signed(i64::from(record.leader.0));
    writer.signed(i64::from(record.leader_epoch));
    writer.signed(i64::from(record.partition_epoch));
    writer.number(u64::from(record.placement));
}

fn decode_partition_fields(reader: &mut Reader<'_, '_>) -> Result<PartitionRecord, DecodeError> {
    Ok(PartitionRecord {
        topic: TopicId(reader.id()?),
        partition: reader.signed_as()?,
        replicas: reader.machines()?,
        isr: reader.machines()?,
        leader: reader.machine()?,
        leader_epoch: reader.signed_as()?,
        partition_epoch: reader.signed_as()?,
        placement: reader.number_as()?,
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        recovery_state: LeaderRecoveryState::Recovered,
        directories: Vec::new(),
    })
}

fn encode_partition_tags(record: &PartitionRecord, writer: &mut Writer<'_>) {
    let mut tags = Vec::new();
    let mut tag = |number: u64, write: &dyn Fn(&mut Writer<'_>)| {
        let mut value = Vec::new();
        write(&mut Writer { out: &mut value });
        tags.push((number, value));
    };
    if !record.elr.is_empty() {
        tag(partition_tag::ELR, &|writer| writer.machines(&record.elr));
    }
    if !record.last_known_elr.is_empty() {
        tag(partition_tag::LAST_KNOWN_ELR, &|writer| writer.machines(&record.last_known_elr));
    }
    if record.recovery_state == LeaderRecoveryState::Recovering {
        tag(partition_tag::RECOVERY_STATE, &|writer| writer.number(1));
    }
    if !record.directories.is_empty() {
        tag(partition_tag::DIRECTORIES, &|writer| {
            writer.number(record.directories.len() as u64);
            record.directories.iter().for_each(|directory| writer.id(directory));
        });
    }
    writer.tags(&tags);
}

fn decode_partition_tag(record: &mut PartitionRecord, tag: u64, mut value: &[u8]) -> Result<(), DecodeError> {
    let mut reader = Reader { bytes: &mut value };
    match tag {
        partition_tag::ELR => record.elr = reader.machines()?,
        partition_tag::LAST_KNOWN_ELR => record.last_known_elr = reader.machines()?,
        partition_tag::RECOVERY_STATE => {
            record.recovery_state = match reader.number()? {
                0 => LeaderRecoveryState::Recovered,
                1 => LeaderRecoveryState::Recovering,
                _ => return Err(DecodeError::Malformed),
            };
        }
        partition_tag::DIRECTORIES => record.directories = reader.list(Reader::id)?,
        _ => {}
    }
    Ok(())
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn number(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.out.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.push(value as u8);
    }

    fn signed(&mut self, value: i64) {
        self.number(((value << 1) ^ (value >> 63)) as u64);
    }

    fn text(&mut self, value: &str) {
        self.number(value.len() as u64);
        self.out.extend_from_slice(value.as_bytes());
    }

    fn optional_text(&mut self, value: Option<&str>) {
        self.number(u64::from(value.is_some()));
        if let Some(value) = value {
            self.text(value);
        }
    }

    fn id(&mut self, value: &[u8; 16]) {
        self.out.extend_from_slice(value);
    }

    fn machines(&mut self, machines: &[MachineId]) {
        self.number(machines.len() as u64);
        machines.iter().for_each(|machine| self.signed(i64::from(machine.0)));
    }

    fn tags(&mut self, tags: &[(u64, Vec<u8>)]) {
        self.number(tags.len() as u64);
        for (number, value) in tags {
            self.number(*number);
            self.number(value.len() as u64);
            self.out.extend_from_slice(value);
        }
    }
}

struct Reader<'a, 'b> {
    bytes: &'a mut &'b [u8],
}

impl<'b> Reader<'_, 'b> {
    fn take(&mut self, count: usize) -> Result<&'b [u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(DecodeError::Malformed)?;
        *self.bytes = rest;
        Ok(taken)
    }

    fn number(&mut self) -> Result<u64, DecodeError> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.take(1)?[0];
            value |= u64::from(byte & 0x7F) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::Malformed)
    }

    fn number_as<T: TryFrom<u64>>(&mut self) -> Result<T, DecodeError> {
        T::try_from(self.number()?).map_err(|_| DecodeError::Malformed)
    }

    fn signed(&mut self) -> Result<i64, DecodeError> {
        self.number().map(|value| (value >> 1) as i64 ^ -((value & 1) as i64))
    }

    fn signed_as<T: TryFrom<i64>>(&mut self) -> Result<T, DecodeError> {
        T::try_from(self.signed()?).map_err(|_| DecodeError::Malformed)
    }

    fn slice(&mut self) -> Result<&'b [u8], DecodeError> {
        let length = self.number_as()?;
        self.take(length)
    }

    fn text(&mut self) -> Result<String, DecodeError> {
        String::from_utf8(self.slice()?.to_vec()).map_err(|_| DecodeError::Malformed)
    }

    fn optional_text(&mut self) -> Result<Option<String>, DecodeError> {
        match self.number()? {
            0 => Ok(None),
            1 => self.text().map(Some),
            _ => Err(DecodeError::Malformed),
        }
    }

    fn id(&mut self) -> Result<[u8; 16], DecodeError> {
        Ok(self.take(16)?.try_into().expect("16 bytes"))
    }

    fn machine(&mut self) -> Result<MachineId, DecodeError> {
        self.signed_as().map(MachineId)
    }

    fn machines(&mut self) -> Result<Vec<MachineId>, DecodeError> {
        self.list(Reader::machine)
    }

    /// Grows with the elements that are there, not with the count that is claimed.
    fn list<T>(&mut self, element: impl Fn(&mut Self) -> Result<T, DecodeError>) -> Result<Vec<T>, DecodeError> {
        let mut list = Vec::new();
        for _ in 0..self.number()? {
            list.push(element(self)?);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests;
