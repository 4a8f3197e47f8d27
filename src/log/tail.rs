//! `Tail`: the newest batches of one partition, in memory.
//!
//! Lives in a partition's `Log`. Batches not yet in a segment are pinned; moved ones stay in front of them as a cache until the
//! core's budget takes them. Invariants:
//! - T1: batches are contiguous by offset, and so are the pinned ones by sequence order of their *first* journal frame.
//! - T2: a pinned batch is never dropped except by truncation or deletion (S9).
//! - T3 (S12): `cost` of a batch is the size of the whole allocation that it keeps alive.

use crate::base::gather::Gather;
use crate::base::offset::{Offset, Sequence};
use bytes::{Bytes, BytesMut};
use std::collections::VecDeque;

/// One record batch.
#[derive(Clone, Debug)]
pub struct TailBatch {
    /// Offset of its first record.
    pub base: Offset,
    /// Offset behind its last record.
    pub end: Offset,
    /// Newest journal frame that holds it.
    pub sequence: Sequence,
    /// It was carried on to the head of the journal once (S8).
    pub again: bool,
    /// The batch as it is served.
    pub bytes: Bytes,
    /// Bytes of memory that it keeps alive.
    pub cost: usize,
    /// Largest timestamp, as its header says.
    pub max_timestamp: i64,
}

/// Makes a batch out of a piece of a receive buffer: a piece below a quarter of its buffer is copied out, so that a small
/// batch never pins a large buffer. Gives the bytes and their cost.
pub fn keep(piece: BytesMut, buffer_bytes: usize) -> (Bytes, usize) {
    if piece.len() * 4 < buffer_bytes {
        let copy = Bytes::copy_from_slice(&piece);
        let cost = copy.len();
        (copy, cost)
    } else {
        (piece.freeze(), buffer_bytes)
    }
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tail {
    batches: VecDeque<TailBatch>,
    /// The first this many batches are moved: a cache.
    moved: usize,
    pinned_bytes: u64,
    pinned_cost: u64,
    cached_cost: u64,
}

impl Tail {
    /// First offset in memory.
    pub fn start(&self) -> Option<Offset> {
        self.batches.front().map(|batch| batch.base)
    }

    /// All batches in memory, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = &TailBatch> {
        self.batches.iter()
    }

    /// Batches that are not in a segment.
    pub fn pinned(&self) -> impl DoubleEndedIterator<Item = &TailBatch> {
        self.batches.range(self.moved..)
    }

    /// True if something is not in a segment.
    pub fn has_pinned(&self) -> bool {
        self.moved < self.batches.len()
    }

    /// True if the newest batch is not the only pinned one.
    pub fn has_earlier_pinned(&self) -> bool {
        self.moved + 1 < self.batches.len()
    }

    /// Bytes of the pinned batches.
    pub fn pinned_bytes(&self) -> u64 {
        self.pinned_bytes
    }

    /// Bytes of the pinned batches that hold something at or above `start`.
    pub fn pinned_bytes_from(&self, start: Offset) -> u64 {
        let below = self.pinned().take_while(|batch| batch.end <= start);
        self.pinned_bytes - below.map(|batch| batch.bytes.len() as u64).sum::<u64>()
    }

    /// Memory that the pinned batches keep alive.
    pub fn pinned_cost(&self) -> u64 {
        self.pinned_cost
    }

    /// Memory that the cache keeps alive.
    pub fn cached_cost(&self) -> u64 {
        self.cached_cost
    }

    /// Lowest journal sequence that a pinned batch depends on. Batches that were carried on are the oldest ones and their new
    /// sequences rise too, so it belongs to the first batch or to the first that was not carried on.
    pub fn first_pinned_sequence(&self) -> Option<Sequence> {
        let oldest = self.batches.get(self.moved)?.sequence;
        let (mut low, mut high) = (self.moved, self.batches.len());
        while low < high {
            let middle = (low + high) / 2;
            if self.batches[middle].again { low = middle + 1 } else { high = middle }
        }
        Some(self.batches.get(low).map_or(oldest, |batch| batch.sequence.min(oldest)))
    }

    /// Adds the newest batch, pinned.
    pub fn push(&mut self, batch: TailBatch) {
        assert!(self.batches.back().is_none_or(|last| last.end == batch.base), "T1");
        self.pinned_bytes += batch.bytes.len() as u64;
        self.pinned_cost += batch.cost as u64;
        self.batches.push_back(batch);
    }

    /// Batches with an end at or below `end` are in a segment now. Gives (end, cost) of each, for the cache's budget.
    pub fn unpin(&mut self, end: Offset, mut moved: impl FnMut(Offset, usize)) {
        while let Some(batch) = self.batches.get(self.moved).filter(|batch| batch.end <= end) {
            self.pinned_bytes -= batch.bytes.len() as u64;
            self.pinned_cost -= batch.cost as u64;
            self.cached_cost += batch.cost as u64;
            moved(batch.end, batch.cost);
            self.moved += 1;
        }
    }

    /// Drops moved batches up to `end` from the cache; gives the memory set free.
    pub fn evict(&mut self, end: Offset) -> u64 {
        let before = self.cached_cost;
        while self.moved > 0 && self.batches[0].end <= end {
            self.cached_cost -= self.batches[0].cost as u64;
            self.batches.pop_front();
            self.moved -= 1;
        }
        before - self.cached_cost
    }

    /// Drops every batch that holds anything at or above `end`; gives the log's new end and the cache memory set free.
    pub fn truncate(&mut self, end: Offset) -> u64 {
        let before = self.cached_cost;
        while let Some(batch) = self.batches.pop_back_if(|batch| batch.end > end) {
            if self.batches.len() < self.moved {
                self.moved = self.batches.len();
                self.cached_cost -= batch.cost as u64;
            } else {
                self.pinned_bytes -= batch.bytes.len() as u64;
                self.pinned_cost -= batch.cost as u64;
            }
        }
        before - self.cached_cost
    }

    /// The batch that starts at `base` has a newer frame in the journal.
    pub fn reappended(&mut self, base: Offset, sequence: Sequence) {
        let index = self.index_of(base).expect("a batch of this tail");
        let batch = &mut self.batches[index];
        assert!(batch.base == base && !batch.again, "a batch is carried on at most once (S8)");
        batch.sequence = sequence;
        batch.again = true;
    }

    fn index_of(&self, offset: Offset) -> Option<usize> {
        let index = self.batches.partition_point(|batch| batch.end <= offset);
        (index < self.batches.len() && self.batches[index].base <= offset).then_some(index)
    }

    /// Whole batches from the one with `from` on, below `until`, at most `bytes_max` (one at least if asked for).
    /// `None` if `from` is not in memory.
    pub fn read(&self, from: Offset, until: Offset, bytes_max: usize, at_least_one: bool) -> Option<Gather> {
        let first = self.index_of(from)?;
        let mut gather = Gather::new();
        for batch in self.batches.range(first..) {
            let first_batch = gather.is_empty() && at_least_one;
            if batch.end > until || (gather.len() + batch.bytes.len() > bytes_max && !first_batch) {
                break;
            }
            gather.push(batch.bytes.clone());
        }
        Some(gather)
    }

    /// Bytes in memory between the two offsets, counted up to `enough`.
    pub fn bytes_between(&self, from: Offset, until: Offset, enough: u64) -> u64 {
        let first = self.batches.partition_point(|batch| batch.end <= from);
        let mut bytes = 0;
        for batch in self.batches.range(first..) {
            if batch.end > until || bytes >= enough {
                break;
            }
            bytes += batch.bytes.len() as u64;
        }
        bytes
    }

    /// Asserts T1 and the sums.
    pub fn check(&self) {
        for (older, newer) in self.batches.iter().zip(self.batches.iter().skip(1)) {
            assert_eq!(older.end, newer.base, "T1");
        }
        assert_eq!(self.first_pinned_sequence(), self.pinned().map(|batch| batch.sequence).min());
        assert_eq!(self.pinned_bytes, self.pinned().map(|batch| batch.bytes.len() as u64).sum::<u64>());
        assert_eq!(self.pinned_cost, self.pinned().map(|batch| batch.cost as u64).sum::<u64>());
        let cached = self.batches.range(..self.moved);
        assert_eq!(self.cached_cost, cached.map(|batch| batch.cost as u64).sum::<u64>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(base: i64, end: i64, bytes: usize) -> TailBatch {
        let bytes = Bytes::from(vec![1; bytes]);
        let sequence = Sequence(base as u64 + 1);
        TailBatch {
            base: Offset(base),
            end: Offset(end),
            sequence,
            again: false,
            cost: bytes.len(),
            bytes,
            max_timestamp: base,
        }
    }

    fn tail() -> Tail {
        let mut tail = Tail::default();
        for (base, end) in [(5, 7), (7, 8), (8, 20)] {
            tail.push(batch(base, end, 100));
        }
        tail
    }

    #[test]
    fn reads_start_with_the_batch_that_holds_the_offset() {
        let tail = tail();
        let read = |from, until, max| tail.read(Offset(from), Offset(until), max, true).map(|gather| gather.len());
        assert_eq!(read(6, 20, 1000), Some(300));
        assert_eq!(read(6, 19, 1000), Some(200));
        assert_eq!(read(6, 20, 1), Some(100));
        assert_eq!(read(19, 20, 1), Some(100));
        assert_eq!(read(4, 20, 1000), None);
        assert_eq!(read(20, 20, 1000), None);
    }

    #[test]
    fn s9_moved_batches_stay_readable_until_evicted() {
        let mut tail = tail();
        tail.unpin(Offset(8), |_, _| {});
        tail.check();
        assert_eq!((tail.pinned_bytes(), tail.cached_cost()), (100, 200));
        assert!(tail.read(Offset(5), Offset(20), 1000, true).is_some());
        assert_eq!(tail.evict(Offset(7)), 100);
        assert_eq!(tail.evict(Offset(20)), 100);
        assert!(tail.read(Offset(7), Offset(20), 1000, true).is_none());
        assert_eq!(tail.start(), Some(Offset(8)));
        tail.check();
    }

    #[test]
    fn truncation_drops_pinned_and_cached_batches() {
        let mut tail = tail();
        tail.unpin(Offset(8), |_, _| {});
        assert_eq!(tail.truncate(Offset(7)), 100);
        tail.check();
        assert_eq!((tail.pinned_bytes(), tail.cached_cost()), (0, 100));
    }

    #[test]
    fn s12_small_pieces_leave_their_buffer() {
        let buffer = BytesMut::from(&[0; 1000][..]);
        assert_eq!(keep(buffer.clone(), 1000).1, 1000);
        assert_eq!(keep(BytesMut::from(&buffer[..249]), 1000).1, 249);
    }
}
