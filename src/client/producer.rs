//! Sends records: batches per partition, one request per leader at a time, tried again until the patience ends.
//!
//! A round is what was pushed since the last flush. All leaders get their part at once, then all answers are read, so that
//! several brokers work at the same time without threads here. One request per leader in flight keeps the order of records;
//! with acks=all batches are numbered (idempotent), so that a repetition never doubles a record.

use crate::client::cluster::{Cluster, Topic, partition_words, topic_name, topic_words};
use crate::client::failure::Failure;
use crate::client::partitioner::partition_of;
use crate::wire::compression::Compression;
use crate::wire::records::{BatchBuilder, Record, Sequence};
use bytes::Bytes;
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{ApiVersionsRequest, InitProducerIdRequest, ProduceRequest};
use std::collections::{BTreeMap, VecDeque};
use std::time::{Duration, Instant};

/// How to produce.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The one partition to send to; else by key, or in turn.
    pub partition: Option<i32>,
    /// Of every batch.
    pub compression: Compression,
    /// 0, 1, or -1 for all.
    pub acks: i16,
    /// Ask the broker to create the topic, as Kafka's producers do.
    pub create: bool,
}

/// A batch that is closed, and what is needed to send it again.
#[derive(Clone, Debug)]
struct Sealed {
    partition: i32,
    records: Vec<Record>,
    sequence: Sequence,
    batch: Bytes,
}

/// What the broker acknowledged for a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Delivered {
    /// Of the topic.
    pub partition: i32,
    /// Of the batch's first record; -1 if the broker does not say (acks=0).
    pub base_offset: i64,
    /// In the batch.
    pub records: usize,
}

/// See the module.
pub struct Producer {
    cluster: Cluster,
    settings: Settings,
    topic: Topic,
    identity: Option<(i64, i16)>,
    sequences: BTreeMap<i32, i32>,
    open: BTreeMap<i32, Vec<Record>>,
    open_bytes: usize,
    full: VecDeque<(i32, Vec<Record>)>,
    sizes: BTreeMap<i32, usize>,
    turn: usize,
}

/// Record bytes of a batch, before compression: half of what a topic takes by default, so that only large records are refused.
const BATCH_BYTES_MAX: usize = 512 * 1024;
/// Record bytes of a round.
const ROUND_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes that a record adds to its key, value and headers, at most, and each header to its own.
const RECORD_OVERHEAD_BYTES: usize = 40;
/// Bytes of one record: a batch has to stay below 2 GiB, compressed or not.
const RECORD_BYTES_MAX: usize = 1 << 30;
const PAUSE: Duration = Duration::from_millis(100);

const MESSAGE_TOO_LARGE: i16 = 10;
const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

impl Producer {
    /// Finds the topic, and with acks=all asks for a producer id where the broker gives any.
    pub fn open(mut cluster: Cluster, topic: &str, settings: Settings) -> Result<Producer, Failure> {
        let topic = cluster.topic(topic, settings.create)?;
        if let Some(partition) =
            settings.partition.filter(|partition| !topic.partitions.iter().any(|known| known.index == *partition))
        {
            let why = format!("there is no such partition; the topic has {}", topic.partitions.len());
            return Err(Failure::here(why).about(partition_words(&topic.name, partition)));
        }
        let identity = if settings.acks == -1 { identity(&mut cluster) } else { None };
        // Producers that start together do not all begin with the same partition.
        let turn = std::process::id() as usize;
        Ok(Producer {
            cluster,
            settings,
            topic,
            identity,
            sequences: BTreeMap::new(),
            open: BTreeMap::new(),
            open_bytes: 0,
            full: VecDeque::new(),
            sizes: BTreeMap::new(),
            turn,
        })
    }

    /// Partitions of the topic.
    pub fn partitions(&self) -> usize {
        self.topic.partitions.len()
    }

    /// Records of a round that waits to be sent.
    pub fn waiting_bytes(&self) -> usize {
        self.open_bytes
    }

    /// True once a round is large enough to be worth its request.
    pub fn is_full(&self) -> bool {
        self.open_bytes >= ROUND_BYTES_MAX || !self.full.is_empty()
    }

    /// Adds a record; nothing is sent before [`Producer::flush`].
    pub fn push(&mut self, record: Record) -> Result<(), Failure> {
        let partition = self.partition_for(&record);
        let sizes = [&record.key, &record.value].map(|bytes| bytes.as_ref().map_or(0, Bytes::len));
        let header = |(name, value): &(Bytes, Option<Bytes>)| {
            name.len() + value.as_ref().map_or(0, Bytes::len) + RECORD_OVERHEAD_BYTES
        };
        let bytes =
            sizes.iter().sum::<usize>() + record.headers.iter().map(header).sum::<usize>() + RECORD_OVERHEAD_BYTES;
        if bytes > RECORD_BYTES_MAX {
            let why = format!("a record of {bytes} bytes: no broker takes more than {RECORD_BYTES_MAX}");
            return Err(Failure::here(why).about(partition_words(&self.topic.name, partition)));
        }
        let filled = self.sizes.entry(partition).or_default();
        if *filled > 0 && *filled + bytes > BATCH_BYTES_MAX {
            *filled = 0;
            let batch = self.open.remove(&partition).unwrap_or_default();
            self.full.push_back((partition, batch));
            self.turn = self.turn.wrapping_add(1);
        }
        *filled += bytes;
        self.open_bytes += bytes;
        self.open.entry(partition).or_default().push(record);
        Ok(())
    }

    /// By key as the Java client does; without a key one partition after the other, a batch each.
    fn partition_for(&self, record: &Record) -> i32 {
        let count = self.topic.partitions.len();
        match (self.settings.partition, &record.key) {
            (Some(partition), _) => partition,
            (None, Some(key)) => partition_of(key, count as i32),
            (None, None) => self.topic.partitions[self.turn % count].index,
        }
    }

    /// Sends what was pushed and waits until it is acknowledged; `delivered` hears of every batch. After a failure what was not
    /// acknowledged is gone: nothing more should be sent.
    pub fn flush(&mut self, delivered: &mut dyn FnMut(Delivered)) -> Result<(), Failure> {
        let open = std::mem::take(&mut self.open);
        let batches: Vec<(i32, Vec<Record>)> = self.full.drain(..).chain(open).collect();
        self.sizes.clear();
        self.open_bytes = 0;
        self.turn = self.turn.wrapping_add(1);
        let mut left: VecDeque<Sealed> = VecDeque::new();
        for (partition, records) in batches {
            let sequence = self.take_sequence(partition, records.len());
            left.push_back(self.seal(partition, records, sequence));
        }
        let mut deadline = Instant::now() + self.cluster.patience().answer;
        while !left.is_empty() {
            // A partition's batches go one after the other, so that their order and numbers hold.
            let mut round: BTreeMap<i32, Sealed> = BTreeMap::new();
            let mut later = VecDeque::new();
            for sealed in left.drain(..) {
                match round.entry(sealed.partition) {
                    std::collections::btree_map::Entry::Vacant(vacant) => drop(vacant.insert(sealed)),
                    std::collections::btree_map::Entry::Occupied(_) => later.push_back(sealed),
                }
            }
            left = later;
            let (again, failure) = self.round(round, delivered)?;
            let Some(failure) = failure else {
                deadline = Instant::now() + self.cluster.patience().answer;
                again.into_iter().rev().for_each(|sealed| left.push_front(sealed));
                continue;
            };
            if Instant::now() + PAUSE > deadline {
                return Err(failure);
            }
            again.into_iter().rev().for_each(|sealed| left.push_front(sealed));
            std::thread::sleep(PAUSE);
            match self.cluster.topic(&self.topic.name, self.settings.create) {
                Ok(topic) => self.topic = topic,
                Err(failure) if failure.may_pass() => {}
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    /// With acks=0 nothing says whether the broker took what was sent: a question on the same connections, answered in order, does
    /// at least show that it was read.
    pub fn finish(&mut self) -> Result<(), Failure> {
        if self.settings.acks != 0 {
            return Ok(());
        }
        let leaders: std::collections::BTreeSet<i32> =
            self.topic.partitions.iter().map(|partition| partition.leader).collect();
        for leader in leaders {
            let broker = self.cluster.broker_words(leader);
            let asked = self.cluster.at(leader)?.call(|_| ApiVersionsRequest::default());
            asked.map_err(|failure| failure.about(topic_words(&self.topic.name)).from_broker(&broker))?;
        }
        Ok(())
    }

    fn take_sequence(&mut self, partition: i32, records: usize) -> Sequence {
        let Some((producer_id, epoch)) = self.identity else { return Sequence::NONE };
        let next = self.sequences.entry(partition).or_default();
        let first = *next;
        *next = sequence_after(first, records);
        Sequence { producer_id, epoch, first }
    }

    fn seal(&self, partition: i32, records: Vec<Record>, sequence: Sequence) -> Sealed {
        let mut builder = BatchBuilder::default();
        records.iter().for_each(|record| builder.push(record));
        let batch = builder.finish(self.settings.compression, sequence);
        Sealed { partition, records, sequence, batch }
    }

    /// One batch for each of some partitions. Gives back what is to be sent again, and the failure that asks for a pause first.
    fn round(
        &mut self,
        round: BTreeMap<i32, Sealed>,
        delivered: &mut dyn FnMut(Delivered),
    ) -> Result<(Vec<Sealed>, Option<Failure>), Failure> {
        let mut by_leader: BTreeMap<i32, Vec<Sealed>> = BTreeMap::new();
        for sealed in round.into_values() {
            let known = self.topic.partitions.iter().find(|known| known.index == sealed.partition);
            by_leader.entry(known.map_or(-1, |known| known.leader)).or_default().push(sealed);
        }
        let (mut again, mut passing, mut fatal) = (Vec::new(), None, None);
        let mut asked = Vec::new();
        for (leader, part) in by_leader {
            match self.send(leader, &part) {
                Ok(version) => asked.push((leader, version, part)),
                Err(failure) if failure.may_pass() => {
                    passing = Some(failure);
                    again.extend(part);
                }
                Err(failure) => fatal = Some(failure),
            }
        }
        for (leader, version, part) in asked {
            let broker = self.cluster.broker_words(leader);
            for (sealed, result) in self.receive(leader, version, part) {
                let failure = match result {
                    Ok(base_offset) => {
                        delivered(Delivered {
                            partition: sealed.partition,
                            base_offset,
                            records: sealed.records.len(),
                        });
                        continue;
                    }
                    Err(failure) => {
                        failure.about(partition_words(&self.topic.name, sealed.partition)).from_broker(&broker)
                    }
                };
                if failure.number() == Some(MESSAGE_TOO_LARGE) && sealed.records.len() > 1 {
                    again.extend(self.halves(sealed));
                } else if failure.may_pass() || failure.number() == Some(UNKNOWN_TOPIC_OR_PARTITION) {
                    passing = Some(failure);
                    again.push(sealed);
                } else {
                    fatal = Some(failure);
                }
            }
        }
        fatal.map_or(Ok((again, passing)), Err)
    }

    /// Sends one leader its part; the version that was spoken.
    fn send(&mut self, leader: i32, part: &[Sealed]) -> Result<i16, Failure> {
        let topic = self.topic.name.clone();
        if leader < 0 {
            return Err(Failure::code(LEADER_NOT_AVAILABLE, None).about(partition_words(&topic, part[0].partition)));
        }
        let acks = self.settings.acks;
        let timeout_ms = self.cluster.patience().timeout_ms();
        let data = part.iter().map(|sealed| {
            PartitionProduceData::default().with_index(sealed.partition).with_records(Some(sealed.batch.clone()))
        });
        let data = TopicProduceData::default().with_name(topic_name(&topic)).with_partition_data(data.collect());
        let request = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(acks)
            .with_timeout_ms(timeout_ms)
            .with_topic_data(vec![data]);
        let connection = self.cluster.at(leader)?;
        let version = connection.version::<ProduceRequest>()?;
        let sent =
            if acks == 0 { connection.send_unanswered(version, &request) } else { connection.send(version, &request) };
        if let Err(failure) = sent {
            self.cluster.drop_connection(leader);
            return Err(failure.about(topic_words(&topic)));
        }
        Ok(version)
    }

    /// What a leader says to each batch of its part.
    fn receive(&mut self, leader: i32, version: i16, part: Vec<Sealed>) -> Vec<(Sealed, Result<i64, Failure>)> {
        if self.settings.acks == 0 {
            return part.into_iter().map(|sealed| (sealed, Ok(-1))).collect();
        }
        let answer = self.cluster.at(leader).and_then(|connection| connection.receive::<ProduceRequest>(version));
        let answer = match answer {
            Ok(answer) => answer,
            Err(failure) => {
                self.cluster.drop_connection(leader);
                return part.into_iter().map(|sealed| (sealed, Err(failure.clone()))).collect();
            }
        };
        let said: BTreeMap<i32, _> = answer
            .responses
            .iter()
            .flat_map(|topic| &topic.partition_responses)
            .map(|partition| (partition.index, partition))
            .collect();
        let verdict = |sealed: Sealed| {
            let result = match said.get(&sealed.partition) {
                None => Err(Failure::protocol("", "the answer does not mention the partition")),
                Some(said) if matches!(said.error_code, 0 | DUPLICATE_SEQUENCE_NUMBER) => Ok(said.base_offset),
                Some(said) => {
                    let of_records =
                        said.record_errors.iter().find_map(|record| record.batch_index_error_message.as_ref());
                    let message = said.error_message.as_ref().or(of_records);
                    Err(Failure::code(said.error_code, message.map(|text| text.as_str())))
                }
            };
            (sealed, result)
        };
        part.into_iter().map(verdict).collect()
    }

    /// A batch that is too large, as two; each keeps its numbers.
    fn halves(&self, sealed: Sealed) -> [Sealed; 2] {
        let mut first = sealed.records;
        let second = first.split_off(first.len() / 2);
        let numbered = |skipped: usize| match sealed.sequence {
            Sequence::NONE => Sequence::NONE,
            sequence => Sequence { first: sequence_after(sequence.first, skipped), ..sequence },
        };
        let middle = numbered(first.len());
        [self.seal(sealed.partition, first, sealed.sequence), self.seal(sealed.partition, second, middle)]
    }
}

const LEADER_NOT_AVAILABLE: i16 = 5;

/// Sequence numbers go on at 0 after the largest.
pub(super) fn sequence_after(first: i32, records: usize) -> i32 {
    ((i64::from(first) + records as i64) % (i64::from(i32::MAX) + 1)) as i32
}

/// A producer id of whichever broker gives one, or none if they give none to us: then repetitions may double records, as with
/// acks=1. A broker that cannot be reached is no reason to wait: the records will show it.
pub(super) fn identity(cluster: &mut Cluster) -> Option<(i64, i16)> {
    let nodes: Vec<i32> = cluster.brokers().map(|broker| broker.node).collect();
    let deadline = Instant::now() + cluster.patience().answer;
    loop {
        let mut passing = false;
        for node in &nodes {
            let answer = cluster.ask::<InitProducerIdRequest>(*node, |_| {
                InitProducerIdRequest::default().with_transactional_id(None).with_transaction_timeout_ms(60_000)
            });
            match answer {
                Ok(answer) if answer.error_code == 0 => return Some((answer.producer_id.0, answer.producer_epoch)),
                Ok(answer) => passing |= Failure::code(answer.error_code, None).may_pass(),
                Err(_) => {}
            }
        }
        if !passing || Instant::now() > deadline {
            return None;
        }
        std::thread::sleep(PAUSE);
    }
}

#[cfg(test)]
mod tests {
    use super::sequence_after;

    #[test]
    fn sequences_go_round() {
        assert_eq!(sequence_after(0, 5), 5);
        assert_eq!(sequence_after(i32::MAX, 1), 0);
        assert_eq!(sequence_after(i32::MAX - 1, 4), 2);
    }
}
