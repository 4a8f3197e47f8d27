//! `Producers`: what one partition remembers of its idempotent producers (KIP-98): the last five batches of each.
//!
//! Lives in an open partition. Two copies exist there: the live one, and the one as of the end of the newest segment chunk,
//! which is what a state block on disk describes (S10). Both are functions of the log's batches in offset order, so replay gives
//! the same state as the run.

use crate::base::decode::Decoder;
use crate::base::limits::{PRODUCER_BATCHES_MAX, PRODUCERS_PER_PARTITION_MAX};
use crate::base::map::Map;
use crate::base::offset::Offset;
use crate::wire::record_batch::BatchHeader;
use bytes::{BufMut, BytesMut};
use std::collections::VecDeque;

/// Bytes of an encoded producer, at most: id, epoch, timestamp, count, five batches.
pub const PRODUCER_BYTES_MAX: usize = PRODUCER_BYTES_MIN + PRODUCER_BATCHES_MAX * 24;

const PRODUCER_BYTES_MIN: usize = 8 + 2 + 8 + 1;

/// One remembered batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ProducedBatch {
    /// Sequence number of its first record.
    pub first_sequence: i32,
    /// Sequence number of its last record (wraps after 2^31-1).
    pub last_sequence: i32,
    /// Offset of its first record.
    pub base: Offset,
    /// Offset behind its last record.
    pub end: Offset,
}

/// One producer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Producer {
    /// Newest epoch seen.
    pub epoch: i16,
    /// Largest timestamp of its newest batch, as the batch's header says: for people who look, nothing depends on it.
    pub last_timestamp: i64,
    /// Newest last, at most [`PRODUCER_BATCHES_MAX`], all of `epoch`.
    pub batches: VecDeque<ProducedBatch>,
}

/// What is to be done with a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Append it.
    Append,
    /// It is one of the last five: answer with the original offsets.
    Duplicate(ProducedBatch),
    /// OUT_OF_ORDER_SEQUENCE_NUMBER.
    OutOfOrder,
    /// INVALID_PRODUCER_EPOCH.
    OldEpoch,
}

/// The sequence number `count` after `sequence`; sequence numbers wrap from 2^31-1 to 0.
pub fn sequence_plus(sequence: i32, count: i32) -> i32 {
    ((i64::from(sequence) + i64::from(count)) % (1 << 31)) as i32
}

/// All producers of one partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Producers {
    by_id: Map<i64, Producer>,
}

impl Producers {
    /// All of them, by id in no order.
    pub fn iter(&self) -> impl Iterator<Item = (i64, &Producer)> {
        self.by_id.iter().map(|(id, producer)| (*id, producer))
    }

    /// Number of producers.
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    /// True if there is none.
    pub fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    /// One producer.
    pub fn get(&self, id: i64) -> Option<&Producer> {
        self.by_id.get(&id)
    }

    /// Judges a batch before it is appended. A producer without state may start anywhere, as in Kafka.
    pub fn judge(&self, header: &BatchHeader) -> Verdict {
        let Some(producer) = self.by_id.get(&header.producer_id).filter(|_| header.producer_id >= 0) else {
            return Verdict::Append;
        };
        if header.producer_epoch < producer.epoch {
            return Verdict::OldEpoch;
        }
        if header.producer_epoch > producer.epoch {
            return if header.base_sequence == 0 { Verdict::Append } else { Verdict::OutOfOrder };
        }
        let last_sequence = sequence_plus(header.base_sequence, header.last_offset_delta);
        let same = |batch: &&ProducedBatch| {
            batch.first_sequence == header.base_sequence && batch.last_sequence == last_sequence
        };
        if let Some(batch) = producer.batches.iter().find(same) {
            return Verdict::Duplicate(*batch);
        }
        match producer.batches.back() {
            Some(batch) if sequence_plus(batch.last_sequence, 1) != header.base_sequence => Verdict::OutOfOrder,
            _ => Verdict::Append,
        }
    }

    /// Notes a batch that is part of the log now. Batches without a producer id are ignored.
    pub fn note(&mut self, header: &BatchHeader, base: Offset) {
        if header.producer_id < 0 {
            return;
        }
        let end = base.plus(i64::from(header.last_offset_delta) + 1);
        let last_sequence = sequence_plus(header.base_sequence, header.last_offset_delta);
        let batch = ProducedBatch { first_sequence: header.base_sequence, last_sequence, base, end };
        let last_timestamp = header.max_timestamp;
        let fresh = || Producer { epoch: header.producer_epoch, last_timestamp, batches: VecDeque::new() };
        let producer = self.by_id.entry(header.producer_id).or_insert_with(fresh);
        if producer.epoch != header.producer_epoch {
            *producer = fresh();
        }
        if producer.batches.len() == PRODUCER_BATCHES_MAX {
            producer.batches.pop_front();
        }
        producer.batches.push_back(batch);
        producer.last_timestamp = last_timestamp;
        if self.by_id.len() > PRODUCERS_PER_PARTITION_MAX {
            self.forget_unused();
        }
    }

    /// Forgets the eighth of the producers whose last batch is oldest, so that the cost is spread over many batches.
    fn forget_unused(&mut self) {
        let last = |producer: &Producer| producer.batches.back().map_or(Offset::ZERO, |batch| batch.end);
        let mut ends: Vec<Offset> = self.by_id.values().map(last).collect();
        ends.sort_unstable();
        let limit = ends[ends.len() / 8];
        self.by_id.retain(|_, producer| last(producer) > limit);
    }

    /// Adds or replaces one producer (reading a state block).
    pub fn insert(&mut self, id: i64, producer: Producer) {
        self.by_id.insert(id, producer);
    }

    /// Appends the producers with the given ids, sorted, to a state block.
    pub fn encode(&self, mut ids: Vec<i64>, out: &mut BytesMut) {
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| self.by_id.contains_key(id));
        out.put_u32(ids.len() as u32);
        for id in ids {
            let producer = &self.by_id[&id];
            out.put_i64(id);
            out.put_i16(producer.epoch);
            out.put_i64(producer.last_timestamp);
            out.put_u8(producer.batches.len() as u8);
            for batch in &producer.batches {
                out.put_i32(batch.first_sequence);
                out.put_i32(batch.last_sequence);
                out.put_i64(batch.base.0);
                out.put_i64(batch.end.0);
            }
        }
    }

    /// Ids of all producers.
    pub fn ids(&self) -> Vec<i64> {
        self.by_id.keys().copied().collect()
    }

    /// Reads what [`Producers::encode`] wrote.
    pub fn decode(from: &mut Decoder<'_>) -> Option<Vec<(i64, Producer)>> {
        let count = from.count(PRODUCER_BYTES_MIN)?;
        let mut producers = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, epoch) = (from.i64()?, from.i16()?);
            let (last_timestamp, batch_count) = (from.i64()?, from.u8()?);
            let mut batches = VecDeque::new();
            for _ in 0..batch_count {
                let (first_sequence, last_sequence) = (from.i32()?, from.i32()?);
                let (base, end) = (Offset(from.i64()?), Offset(from.i64()?));
                batches.push_back(ProducedBatch { first_sequence, last_sequence, base, end });
            }
            producers.push((id, Producer { epoch, last_timestamp, batches }));
        }
        Some(producers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header(producer_epoch: i16, base_sequence: i32, count: i32) -> BatchHeader {
        BatchHeader {
            base_offset: 0,
            total_bytes: 100,
            leader_epoch: 0,
            crc: 0,
            attributes: 0,
            last_offset_delta: count - 1,
            base_timestamp: 0,
            max_timestamp: 0,
            producer_id: 7,
            producer_epoch,
            base_sequence,
            record_count: count,
        }
    }

    #[test]
    fn the_last_five_batches_are_known_with_their_offsets() {
        let mut producers = Producers::default();
        for round in 0..8 {
            let batch = header(0, round * 2, 2);
            assert_eq!(producers.judge(&batch), Verdict::Append);
            producers.note(&batch, Offset(i64::from(round) * 10));
        }
        for round in 3..8 {
            let Verdict::Duplicate(batch) = producers.judge(&header(0, round * 2, 2)) else { panic!("round {round}") };
            assert_eq!(batch.base, Offset(i64::from(round) * 10));
        }
        assert_eq!(producers.judge(&header(0, 4, 2)), Verdict::OutOfOrder);
        assert_eq!(producers.judge(&header(0, 14, 3)), Verdict::OutOfOrder);
        assert_eq!(producers.judge(&header(0, 18, 1)), Verdict::OutOfOrder);
        assert_eq!(producers.judge(&header(1, 5, 1)), Verdict::OutOfOrder);
        assert_eq!(producers.judge(&header(1, 0, 1)), Verdict::Append);
        producers.note(&header(1, 0, 1), Offset(100));
        assert_eq!(producers.judge(&header(0, 16, 1)), Verdict::OldEpoch);
    }

    #[test]
    fn sequence_numbers_wrap_inside_and_between_batches() {
        let mut producers = Producers::default();
        producers.note(&header(0, i32::MAX - 1, 4), Offset(0));
        assert_eq!(producers.get(7).unwrap().batches[0].last_sequence, 1);
        assert_eq!(producers.judge(&header(0, 2, 1)), Verdict::Append);
    }

    #[test]
    fn state_survives_the_round_trip_and_the_count_is_bounded() {
        let mut producers = Producers::default();
        for id in 0..(PRODUCERS_PER_PARTITION_MAX as i64 + 1) {
            producers.note(&BatchHeader { producer_id: id, ..header(3, 5, 1) }, Offset(id));
        }
        assert!(producers.len() <= PRODUCERS_PER_PARTITION_MAX && producers.get(0).is_none());
        let mut out = BytesMut::new();
        producers.encode(producers.ids(), &mut out);
        let mut copy = Producers::default();
        for (id, producer) in Producers::decode(&mut Decoder::new(&out)).unwrap() {
            copy.insert(id, producer);
        }
        assert_eq!(copy, producers);
        for end in 0..out.len().min(500) {
            assert!(Producers::decode(&mut Decoder::new(&out[..end])).is_none());
        }
    }
}
