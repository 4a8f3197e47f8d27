//! One connection of one producer to one broker: the partitions that the broker leads, in turn.
//!
//! L1: at most `in_flight` requests have no answer. L2: a request begins only when the kernel has taken nearly all of the one before,
//! so that "begun" is the time at which its bytes go out, and no large queue builds up here. L3: with acks=0 a request is done
//! when the kernel has it.

use crate::client::cluster::partition_words;
use crate::client::failure::Failure;
use crate::client::load::deliveries::{Deliveries, Delivery};
use crate::client::load::payload::Payload;
use crate::client::load::pipe::Pipe;
use crate::client::load::requests::{self, Appended, Part};
use crate::client::load::tally::{Amount, Live, Tally};
use crate::client::load::timetable::Timetable;
use crate::client::producer::sequence_after;
use crate::wire::records::Sequence;
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// L2: bytes that may wait for the kernel when the next request begins.
const BACKLOG_BYTES_MAX: usize = 32 << 10;
/// What a lane does before others come: with acks=0 and a kernel that takes everything it would never end.
pub(super) const STEPS_MAX: usize = 16;

/// What all lanes of a run share.
#[derive(Debug)]
pub struct Production {
    /// When what counts.
    pub table: Timetable,
    /// Names, as [`Slot::topic`] counts them.
    pub topics: Vec<String>,
    /// What is sent.
    pub payload: Payload,
    /// 0, 1, or -1 for all.
    pub acks: i16,
    /// L1.
    pub in_flight: usize,
    /// Partitions of a request.
    pub partitions_per_request: usize,
    /// Of a batch.
    pub batch_records: u64,
    /// Of a batch, not compressed.
    pub batch_payload_bytes: u64,
    /// End to end.
    pub deliveries: Option<Deliveries>,
    /// For the progress line.
    pub live: Live,
}

/// A partition as a lane writes it.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    /// In [`Production::topics`].
    pub topic: usize,
    /// Number.
    pub partition: i32,
    /// Among all partitions of the run.
    pub place: usize,
    /// Of the next batch.
    pub sequence: i32,
}

/// A request without its answer.
#[derive(Clone, Copy, Debug)]
struct Outstanding {
    intended: Instant,
    begun: Instant,
    wire_bytes: u64,
}

/// See the module.
#[derive(Debug)]
pub struct ProduceLane {
    pipe: Pipe,
    version: i16,
    slots: Vec<Slot>,
    /// The slot that comes next.
    turn: usize,
    /// Producer id and epoch, if idempotent.
    producer: Option<(i64, i16)>,
    /// Intended times that have come, in order; empty without a rate.
    due: VecDeque<Instant>,
    open_loop: bool,
    /// Requests that may still begin.
    left: u64,
    begun: u64,
    answered: i32,
    outstanding: VecDeque<Outstanding>,
}

impl ProduceLane {
    /// Over this connection. `slots` are in order of topics and partitions; `left` bounds the requests.
    pub fn new(
        pipe: Pipe,
        version: i16,
        slots: Vec<Slot>,
        producer: Option<(i64, i16)>,
        open_loop: bool,
        left: u64,
    ) -> ProduceLane {
        assert!(!slots.is_empty());
        ProduceLane {
            pipe,
            version,
            slots,
            turn: 0,
            producer,
            due: VecDeque::new(),
            open_loop,
            left,
            begun: 0,
            answered: 0,
            outstanding: VecDeque::new(),
        }
    }

    /// Lanes of a broker begin at different partitions.
    pub fn begin_at(&mut self, turn: usize) {
        self.turn = turn % self.slots.len();
    }

    /// The connection.
    pub fn pipe(&mut self) -> &mut Pipe {
        &mut self.pipe
    }

    /// The time of a request has come, unless none is left.
    pub fn owe(&mut self, intended: Instant) {
        if (self.due.len() as u64) < self.left {
            self.due.push_back(intended);
        }
    }

    /// The time of a request has come that has not begun.
    pub fn owes(&self) -> bool {
        !self.due.is_empty()
    }

    /// Every request that began has its answer.
    pub fn is_answered(&self) -> bool {
        self.outstanding.is_empty() && self.pipe.is_written()
    }

    /// As many requests began as were allowed, and all were answered.
    pub fn is_done(&self) -> bool {
        self.left == 0 && self.is_answered()
    }

    /// Reads answers, begins requests (unless the end has come), writes. True if it could go on at once: then others come first.
    pub fn work(&mut self, shared: &Production, tally: &mut Tally, more: bool) -> Result<bool, Failure> {
        while self.pipe.readable {
            self.pipe.read()?;
            self.take_answers(shared, tally)?;
        }
        for _ in 0..STEPS_MAX {
            if more {
                self.begin(shared, tally);
            }
            let waiting = !self.pipe.is_written();
            self.pipe.write()?;
            if !more || !waiting || !self.pipe.is_written() || !self.may_begin(shared) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn may_begin(&self, shared: &Production) -> bool {
        self.left > 0 && self.outstanding.len() < shared.in_flight && (!self.open_loop || !self.due.is_empty())
    }

    fn begin(&mut self, shared: &Production, tally: &mut Tally) {
        while self.may_begin(shared) && self.pipe.unwritten_bytes() < BACKLOG_BYTES_MAX {
            let begun = clock();
            let intended = self.due.pop_front().unwrap_or(begun);
            let wire_bytes = self.encode(shared);
            self.left -= 1;
            if self.open_loop
                && let Some(round) = tally.round(&shared.table, intended)
            {
                round.delay.record(begun.saturating_duration_since(intended), 1);
            }
            let request = Outstanding { intended, begun, wire_bytes };
            match shared.acks {
                0 => self.settle(request, begun, shared, tally),
                _ => self.outstanding.push_back(request),
            }
        }
    }

    fn encode(&mut self, shared: &Production) -> u64 {
        let count = shared.partitions_per_request.min(self.slots.len());
        let batch = shared.payload.pick(self.begun);
        let mut chosen: Vec<usize> = (0..count).map(|step| (self.turn + step) % self.slots.len()).collect();
        // In order of topics, also where the turn begins anew.
        chosen.sort_unstable();
        self.turn = (self.turn + count) % self.slots.len();
        let mut parts = Vec::with_capacity(count);
        for at in chosen {
            let slot = &mut self.slots[at];
            let sequence = match self.producer {
                None => Sequence::NONE,
                Some((producer_id, epoch)) => Sequence { producer_id, epoch, first: slot.sequence },
            };
            slot.sequence = sequence_after(slot.sequence, shared.batch_records as usize);
            parts.push(Part { topic: &shared.topics[slot.topic], partition: slot.partition, sequence, batch });
        }
        let correlation = self.begun as i32;
        requests::produce(&mut self.pipe, self.version, correlation, shared.acks, milliseconds(), &parts);
        self.begun += 1;
        (batch.total_bytes() * count) as u64
    }

    fn take_answers(&mut self, shared: &Production, tally: &mut Tally) -> Result<(), Failure> {
        let mut at = 0;
        while let Some(frame) = self.pipe.frame(at)? {
            at = frame.end;
            let Some(request) = self.outstanding.pop_front() else {
                return Err(Failure::protocol(self.pipe.name(), "an answer without a request"));
            };
            let now = clock();
            let mut taker = Taker { slots: &self.slots, shared, tally, intended: request.intended, refused: None };
            let read = requests::read_produced(self.pipe.bytes(frame), self.version, |appended| taker.take(appended));
            let refused = taker.refused;
            match read {
                Ok(correlation) if correlation == self.answered => self.answered = self.answered.wrapping_add(1),
                Ok(_) => return Err(Failure::protocol(self.pipe.name(), "an answer belongs to another request")),
                Err(why) => {
                    return Err(Failure::protocol(self.pipe.name(), format!("an answer cannot be read: {why}")));
                }
            }
            match refused {
                None => self.settle(request, now, shared, tally),
                Some(failure) if failure.may_pass() => {}
                Some(failure) => return Err(failure.from_broker(self.pipe.name())),
            }
        }
        if at > 0 {
            self.pipe.consume(at);
        }
        Ok(())
    }

    fn settle(&mut self, request: Outstanding, now: Instant, shared: &Production, tally: &mut Tally) {
        let count = shared.partitions_per_request.min(self.slots.len()) as u64;
        let amount = Amount {
            requests: 1,
            records: shared.batch_records * count,
            bytes: shared.batch_payload_bytes * count,
            wire_bytes: request.wire_bytes,
        };
        shared.live.produced_records.fetch_add(amount.records, Ordering::Relaxed);
        shared.live.produced_bytes.fetch_add(amount.bytes, Ordering::Relaxed);
        if let Some(round) = tally.round(&shared.table, now) {
            round.produced.add(amount);
        }
        let latency = now.saturating_duration_since(request.intended);
        if let Some(round) = tally.round(&shared.table, request.intended) {
            round.latency.record(latency, 1);
            round.service.record(now.saturating_duration_since(request.begun), 1);
        }
        if let Some(interval) = tally.interval(&shared.table, now) {
            interval.produced.add(amount);
            if shared.deliveries.is_none() {
                interval.times.record(latency, 1);
            }
        }
    }

    /// At the end: what was never sent, or never answered, is not forgotten, but counts with the time that it had waited by then.
    pub fn give_up(&mut self, shared: &Production, tally: &mut Tally, end: Instant) {
        let records = shared.batch_records * shared.partitions_per_request.min(self.slots.len()) as u64;
        let mut count = |intended: Instant, begun: Option<Instant>| {
            let Some(round) = tally.round(&shared.table, intended) else { return };
            let waited = end.saturating_duration_since(intended);
            round.latency.record(waited, 1);
            // Nobody has received it either.
            if shared.deliveries.is_some() {
                round.delivery.record(waited, records);
            }
            match begun {
                None => round.unsent += 1,
                Some(begun) => {
                    round.unanswered += 1;
                    round.service.record(end.saturating_duration_since(begun), 1);
                }
            }
        };
        std::mem::take(&mut self.outstanding).into_iter().for_each(|one| count(one.intended, Some(one.begun)));
        std::mem::take(&mut self.due).into_iter().for_each(|intended| count(intended, None));
    }
}

/// Goes through the partitions of an answer.
struct Taker<'a> {
    slots: &'a [Slot],
    shared: &'a Production,
    tally: &'a mut Tally,
    intended: Instant,
    refused: Option<Failure>,
}

impl Taker<'_> {
    fn take(&mut self, appended: Appended<'_>) {
        if appended.code != 0 {
            *self.tally.codes.entry(appended.code).or_default() += 1;
            self.shared.live.errors.fetch_add(1, Ordering::Relaxed);
            if let Some(round) = self.tally.round(&self.shared.table, self.intended) {
                round.errors += 1;
            }
            let subject = partition_words(appended.topic, appended.partition);
            let failure = Failure::code(appended.code, None).about(subject);
            let graver = self.refused.as_ref().is_none_or(|refused| refused.may_pass());
            self.refused = if graver { Some(failure) } else { self.refused.take() };
            return;
        }
        let Some(deliveries) = &self.shared.deliveries else { return };
        let Some(topic) = self.shared.topics.iter().position(|topic| topic == appended.topic) else { return };
        let found = self.slots.binary_search_by_key(&(topic, appended.partition), |slot| (slot.topic, slot.partition));
        let Ok(at) = found else { return };
        let slot = self.slots[at];
        if let Some(delivery) = deliveries.acknowledge(slot.place, appended.base_offset, self.intended) {
            deliver(delivery, self.shared, self.tally);
        }
    }
}

/// Counts a batch that has arrived.
pub(super) fn deliver(delivery: Delivery, shared: &Production, tally: &mut Tally) {
    if let Some(round) = tally.round(&shared.table, delivery.intended) {
        round.delivery.record(delivery.time(), shared.batch_records);
    }
    if let Some(interval) = tally.interval(&shared.table, delivery.arrived) {
        interval.times.record(delivery.time(), shared.batch_records);
    }
}

fn clock() -> Instant {
    Instant::now()
}

fn milliseconds() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
