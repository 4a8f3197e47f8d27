//! Producers and consumers over the raw client, at acks=all, several batches in flight.

use super::Random;
use super::batch;
use super::client::{
    Connection, EARLIEST, Failure, FetchFrom, LATEST, OFFSET_OUT_OF_RANGE, Produced, ProducerIdentity,
};
use super::history::{History, Identity, value_of};
use bytes::Bytes;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

/// Batches in flight per connection, hence per partition: Kafka's bound for idempotent producers.
pub const IN_FLIGHT_MAX: usize = 5;

/// A batch without an answer.
#[derive(Clone, Debug)]
pub struct Sent {
    sequence: i32,
    records: Vec<Identity>,
    bytes: Bytes,
}

/// One producer on one partition: the unit of order.
#[derive(Clone, Debug)]
pub struct Stream {
    pub topic: String,
    pub partition: i32,
    pub producer: u32,
    pub identity: Option<ProducerIdentity>,
    next_number: u32,
    /// Sequence numbers count records from 0, as Kafka's producers do.
    next_sequence: i32,
    pub unanswered: VecDeque<Sent>,
    /// Stopped by an error answer.
    pub failed: Option<i16>,
}

impl Stream {
    pub fn new(topic: &str, partition: i32, producer: u32, identity: Option<ProducerIdentity>) -> Stream {
        Stream {
            topic: topic.to_string(),
            partition,
            producer,
            identity,
            next_number: 0,
            next_sequence: 0,
            unanswered: VecDeque::new(),
            failed: None,
        }
    }

    fn next_batch(&mut self, random: &mut Random) -> Sent {
        let count = if random.one_in(8) { 20 + random.below(20) } else { 1 + random.below(6) };
        let records: Vec<Identity> = (0..count as u32)
            .map(|index| Identity { producer: self.producer, number: self.next_number + index })
            .collect();
        let values: Vec<Vec<u8>> = records.iter().map(|identity| value_of(*identity, self.partition)).collect();
        let sequenced = self.identity.map(|identity| (identity, self.next_sequence));
        let bytes = Bytes::from(batch::encode(sequenced, &values));
        let sent = Sent { sequence: self.next_sequence, records, bytes };
        self.next_number += count as u32;
        self.next_sequence += count as i32;
        sent
    }

    /// Notes the answer to the oldest batch.
    fn answered(&mut self, answer: &Produced, history: &Mutex<History>) {
        if answer.error != 0 || self.failed.is_some() {
            self.failed.get_or_insert(answer.error);
            return;
        }
        let sent = self.unanswered.pop_front().expect("an answer belongs to a batch");
        history.lock().expect("history").acknowledge(&self.topic, self.partition, answer.base_offset, &sent.records);
    }

    /// After a restart: an idempotent producer sends again what was not answered, with the same sequences; a plain one lets
    /// it be (it may be in the log or not).
    pub fn retry(&mut self, connection: &mut Connection, history: &Mutex<History>) -> Result<(), Failure> {
        self.failed = None;
        if self.identity.is_none() {
            self.unanswered.clear();
            return Ok(());
        }
        let batches = self.unanswered.len();
        for sent in &self.unanswered {
            connection.send_produce(-1, &[(self.topic.clone(), self.partition, sent.bytes.clone())])?;
        }
        for _ in 0..batches {
            let answer = connection.receive_produced()?.remove(0);
            if answer.error != 0 {
                let sequence = self.unanswered[0].sequence;
                let text = format!(
                    "{}-{} producer {}: retry of sequence {sequence} answered with error {}",
                    self.topic, self.partition, self.producer, answer.error
                );
                history.lock().expect("history").violate(text);
                return Err(Failure::Code(answer.error));
            }
            self.answered(&answer, history);
        }
        Ok(())
    }
}

/// What the threads of a round share.
pub struct Round<'a> {
    pub history: &'a Mutex<History>,
    /// Set to let the threads end in peace: producers take in their last answers.
    pub stopping: &'a AtomicBool,
    /// Set just before a kill: from then on failures are expected.
    pub doomed: &'a AtomicBool,
    /// Bytes acknowledged in this round.
    pub bytes: &'a AtomicU64,
    /// Pause after each request of a producer.
    pub pace: Duration,
}

impl Round<'_> {
    /// A thread of the round ended; unless the broker was doomed by then, that is a violation.
    pub fn ended(&self, who: &str, address: &str, failure: Option<Failure>) {
        if let Some(failure) = failure
            && !self.doomed.load(Ordering::SeqCst)
        {
            self.history.lock().expect("history").violate(format!("{who} at {address} stopped: {failure:?}"));
        }
    }
}

/// A producer thread: [`drive`], and what ended it is judged.
pub fn produce(round: &Round, address: &str, streams: &mut [Stream], seed: u64) {
    round.ended("producer", address, drive(round, address, streams, seed));
}

/// A consumer thread: [`follow`], and what ended it is judged.
pub fn consume(round: &Round, address: &str, partitions: &[(String, i32)]) {
    round.ended("consumer", address, follow(round, address, partitions));
}

/// Drives the streams, all led at one address, until the connection breaks, `stopping` is set or an error is answered.
/// Up to three partitions ride in one request.
fn drive(round: &Round, address: &str, streams: &mut [Stream], seed: u64) -> Option<Failure> {
    let mut random = Random::new(seed);
    let mut flights: VecDeque<Vec<usize>> = VecDeque::new();
    let mut connection = match Connection::open_within(address, Duration::from_secs(5)) {
        Ok(connection) => connection,
        Err(error) => return Some(Failure::Connection(error)),
    };
    loop {
        let sending = !round.stopping.load(Ordering::Relaxed) && streams.iter().all(|stream| stream.failed.is_none());
        if !sending && flights.is_empty() {
            let failed = streams.iter().find_map(|stream| stream.failed);
            return failed.map(Failure::Code);
        }
        if sending && flights.len() < IN_FLIGHT_MAX {
            let flight = choose(streams.len(), &mut random);
            let mut batches = Vec::new();
            for index in &flight {
                let stream = &mut streams[*index];
                let sent = stream.next_batch(&mut random);
                batches.push((stream.topic.clone(), stream.partition, sent.bytes.clone()));
                stream.unanswered.push_back(sent);
            }
            flights.push_back(flight);
            if let Err(error) = connection.send_produce(-1, &batches) {
                return Some(Failure::Connection(error));
            }
            if !round.pace.is_zero() {
                std::thread::sleep(round.pace);
            }
            continue;
        }
        let answers = match connection.receive_produced() {
            Ok(answers) => answers,
            Err(error) => return Some(Failure::Connection(error)),
        };
        let flight = flights.pop_front().expect("an answer belongs to a request");
        for index in flight {
            let stream = &mut streams[index];
            let answer =
                answers.iter().find(|answer| answer.partition == stream.partition && answer.topic == stream.topic);
            let bytes = stream.unanswered.front().map_or(0, |sent| sent.bytes.len() as u64);
            stream.answered(answer.expect("an answer for each batch"), round.history);
            round.bytes.fetch_add(bytes, Ordering::Relaxed);
        }
    }
}

/// One to three different streams.
fn choose(streams: usize, random: &mut Random) -> Vec<usize> {
    let mut chosen = Vec::new();
    for _ in 0..1 + random.below(3) {
        let index = random.below(streams as u64) as usize;
        if !chosen.contains(&index) {
            chosen.push(index);
        }
    }
    chosen
}

/// Follows the partitions led at one address and notes all that it sees, until the connection breaks or `stopping` is set.
fn follow(round: &Round, address: &str, partitions: &[(String, i32)]) -> Option<Failure> {
    let mut connection = match Connection::open_within(address, Duration::from_secs(5)) {
        Ok(connection) => connection,
        Err(error) => return Some(Failure::Connection(error)),
    };
    let mut next: BTreeMap<(String, i32), i64> = BTreeMap::new();
    for key in partitions {
        let from = round.history.lock().expect("history").promised_end(&key.0, key.1);
        next.insert(key.clone(), from);
    }
    while !round.stopping.load(Ordering::Relaxed) {
        let from: Vec<FetchFrom> = next
            .iter()
            .map(|((topic, partition), offset)| FetchFrom {
                topic: topic.clone(),
                partition: *partition,
                offset: *offset,
            })
            .collect();
        let fetched = match connection.fetch(&from, 50) {
            Ok(fetched) => fetched,
            Err(failure) => return Some(failure),
        };
        for answer in fetched {
            let at = next.get_mut(&(answer.topic.clone(), answer.partition)).expect("asked for");
            if answer.error == OFFSET_OUT_OF_RANGE {
                // DeleteRecords passed this consumer.
                match connection.list_offset(&answer.topic, answer.partition, EARLIEST) {
                    Ok(log_start) => *at = log_start,
                    Err(failure) => return Some(failure),
                }
                continue;
            }
            if answer.error != 0 {
                return Some(Failure::Code(answer.error));
            }
            let mut history = round.history.lock().expect("history");
            let new: Vec<_> = answer.records.into_iter().filter(|record| record.offset >= *at).collect();
            history.observe(&answer.topic, answer.partition, &new);
            if let Some(last) = new.last() {
                *at = last.offset + 1;
            }
        }
    }
    None
}

/// Reads one partition from `from` (or the log start, if that is later) to its end and runs the history's checks on it.
/// Gives the end.
pub fn read_to_end(
    connection: &mut Connection,
    history: &Mutex<History>,
    topic: &str,
    partition: i32,
    from: i64,
) -> Result<i64, Failure> {
    let log_start = connection.list_offset(topic, partition, EARLIEST)?;
    let end = connection.list_offset(topic, partition, LATEST)?;
    history.lock().expect("history").confirm_log_start(topic, partition, log_start);
    let from = from.max(log_start);
    let mut next = from;
    let mut read = Vec::new();
    while next < end {
        let asked = FetchFrom { topic: topic.to_string(), partition, offset: next };
        let answer = connection.fetch(&[asked], 500)?.remove(0);
        if answer.error != 0 {
            let text = format!("H2 {topic}-{partition}@{next}: fetch answered error {}", answer.error);
            history.lock().expect("history").violate(text);
            return Err(Failure::Code(answer.error));
        }
        let new: Vec<_> = answer.records.into_iter().filter(|record| record.offset >= next).collect();
        let Some(last) = new.last() else {
            let text = format!(
                "H2 {topic}-{partition}@{next}: nothing served, high watermark {}, end {end}",
                answer.high_watermark
            );
            history.lock().expect("history").violate(text);
            break;
        };
        next = last.offset + 1;
        read.extend(new.iter().map(|record| record.offset));
        history.lock().expect("history").observe(topic, partition, &new);
    }
    // Records beyond `end` came in meanwhile; they do not belong to this check.
    read.retain(|offset| *offset < end);
    history.lock().expect("history").check_read(topic, partition, from, end, &read);
    Ok(end)
}
