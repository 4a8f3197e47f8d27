//! `Tail`: the newest batches of one partition, in memory.
//!
//! Lives in a partition's `Log`. Batches not yet in a segment are pinned; moved ones stay in front of them, joined to spans, as
//! a cache until the core's budget takes them. Invariants:
//! - T1: spans and batches are contiguous by offset, and so are the pinned ones by sequence order of their *first* journal frame.
//! - T2: a pinned batch is never dropped except by truncation or deletion (S9).
//! - T3 (S12): `cost` of a batch or a span is the size of the whole allocation that it keeps alive.

use crate::base::gather::Gather;
use crate::base::offset::{Offset, Sequence};
use crate::log::span::{Span, SpanBatch};
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
    /// What is in a segment: a cache.
    spans: VecDeque<Span>,
    pinned: VecDeque<TailBatch>,
    pinned_bytes: u64,
    pinned_cost: u64,
    cached_cost: u64,
}

impl Tail {
    /// First offset in memory.
    pub fn start(&self) -> Option<Offset> {
        self.spans.front().map(|span| span.base).or(self.pinned.front().map(|batch| batch.base))
    }

    /// Batches that are not in a segment.
    pub fn pinned(&self) -> impl DoubleEndedIterator<Item = &TailBatch> {
        self.pinned.iter()
    }

    /// Those of them with an end at or below `end`.
    pub fn pinned_until(&self, end: Offset) -> Vec<&TailBatch> {
        self.pinned.range(..self.pinned.partition_point(|batch| batch.end <= end)).collect()
    }

    /// True if something is not in a segment.
    pub fn has_pinned(&self) -> bool {
        !self.pinned.is_empty()
    }

    /// True if the newest batch is not the only pinned one.
    pub fn has_earlier_pinned(&self) -> bool {
        self.pinned.len() > 1
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
        let oldest = self.pinned.front()?.sequence;
        let first_here = self.pinned.partition_point(|batch| batch.again);
        Some(self.pinned.get(first_here).map_or(oldest, |batch| batch.sequence.min(oldest)))
    }

    /// Adds the newest batch, pinned.
    pub fn push(&mut self, batch: TailBatch) {
        let end = self.pinned.back().map(|last| last.end).or(self.spans.back().map(|last| last.end));
        assert!(end.is_none_or(|end| end == batch.base), "T1");
        self.pinned_bytes += batch.bytes.len() as u64;
        self.pinned_cost += batch.cost as u64;
        self.pinned.push_back(batch);
    }

    /// The oldest pinned batches are in a segment now, and these spans of them are what stays in memory. Gives end and cost of
    /// each span, for the cache's budget.
    pub fn unpin(&mut self, spans: Vec<Span>, mut moved: impl FnMut(Offset, usize)) {
        for span in spans {
            assert_eq!(self.pinned.front().map(|batch| batch.base), Some(span.base), "T1");
            while let Some(batch) = self.pinned.pop_front_if(|batch| batch.end <= span.end) {
                self.pinned_bytes -= batch.bytes.len() as u64;
                self.pinned_cost -= batch.cost as u64;
            }
            self.cached_cost += span.cost as u64;
            moved(span.end, span.cost);
            self.spans.push_back(span);
        }
    }

    /// Drops spans up to `end` from the cache; gives the memory set free.
    pub fn evict(&mut self, end: Offset) -> u64 {
        let before = self.cached_cost;
        while let Some(span) = self.spans.pop_front_if(|span| span.end <= end) {
            self.cached_cost -= span.cost as u64;
        }
        before - self.cached_cost
    }

    /// Drops every batch that holds anything at or above `end`, which lies behind all that is in a segment.
    pub fn truncate(&mut self, end: Offset) {
        assert!(self.spans.back().is_none_or(|span| span.end <= end), "what is in a segment stays (L3)");
        while let Some(batch) = self.pinned.pop_back_if(|batch| batch.end > end) {
            self.pinned_bytes -= batch.bytes.len() as u64;
            self.pinned_cost -= batch.cost as u64;
        }
    }

    /// The batch that starts at `base` has a newer frame in the journal.
    pub fn reappended(&mut self, base: Offset, sequence: Sequence) {
        let index = self.pinned.partition_point(|batch| batch.end <= base);
        let batch = self.pinned.get_mut(index).expect("a batch of this tail");
        assert!(batch.base == base && !batch.again, "a batch is carried on at most once (S8)");
        batch.sequence = sequence;
        batch.again = true;
    }

    fn holds(&self, offset: Offset) -> bool {
        let end = self.pinned.back().map(|last| last.end).or(self.spans.back().map(|last| last.end));
        self.start().is_some_and(|start| start <= offset) && end.is_some_and(|end| offset < end)
    }

    /// Whole batches from the one with `from` on, below `until`, at most `bytes_max` (one at least if asked for).
    /// `None` if `from` is not in memory.
    pub fn read(&self, from: Offset, until: Offset, bytes_max: usize, at_least_one: bool) -> Option<Gather> {
        if !self.holds(from) {
            return None;
        }
        let mut gather = Gather::new();
        for span in self.spans.range(self.spans.partition_point(|span| span.end <= from)..) {
            let room = bytes_max.saturating_sub(gather.len());
            let (part, to_the_end) = span.part(from, until, room, at_least_one && gather.is_empty());
            gather.push(part);
            if !to_the_end {
                return Some(gather);
            }
        }
        for batch in self.pinned.range(self.pinned.partition_point(|batch| batch.end <= from)..) {
            let first_batch = gather.is_empty() && at_least_one;
            if batch.end > until || (gather.len() + batch.bytes.len() > bytes_max && !first_batch) {
                break;
            }
            gather.push(batch.bytes.clone());
        }
        Some(gather)
    }

    /// Bytes in memory between the two offsets, counted up to about `enough`.
    pub fn bytes_between(&self, from: Offset, until: Offset, enough: u64) -> u64 {
        let mut bytes = 0;
        for span in self.spans.range(self.spans.partition_point(|span| span.end <= from)..) {
            let (part, to_the_end) = span.part(from, until, usize::MAX, false);
            bytes += part.len() as u64;
            if !to_the_end || bytes >= enough {
                return bytes;
            }
        }
        for batch in self.pinned.range(self.pinned.partition_point(|batch| batch.end <= from)..) {
            if batch.end > until || bytes >= enough {
                break;
            }
            bytes += batch.bytes.len() as u64;
        }
        bytes
    }

    /// Base, end and largest timestamp of all that is in memory, span by span and batch by batch, but of a span that holds
    /// `from` or `until` each batch.
    pub fn timestamps(&self, from: Offset, until: Offset) -> impl Iterator<Item = (Offset, Offset, i64)> {
        let spans = self.spans.iter().flat_map(move |span| {
            let cut = (span.base < from && from < span.end) || (span.base < until && until < span.end);
            let batches = cut.then(|| span.batches()).into_iter().flatten();
            let batches = batches.map(|batch| (batch.base, batch.end, batch.max_timestamp));
            let whole = (!cut).then_some((span.base, span.end, span.max_timestamp));
            whole.into_iter().chain(batches)
        });
        spans.chain(self.pinned.iter().map(|batch| (batch.base, batch.end, batch.max_timestamp)))
    }

    /// The first batch that holds something at or above `from` and may hold a record of this time or later.
    pub fn first_at_time(&self, from: Offset, timestamp: i64) -> Option<SpanBatch> {
        let spans = self.spans.iter().filter(|span| span.end > from && span.max_timestamp >= timestamp);
        let wanted = |batch: &SpanBatch| batch.end > from && batch.max_timestamp >= timestamp;
        spans.flat_map(Span::batches).find(wanted).or_else(|| {
            let pinned = self.pinned.iter().find(|one| one.end > from && one.max_timestamp >= timestamp)?;
            let TailBatch { base, end, max_timestamp, ref bytes, .. } = *pinned;
            Some(SpanBatch { base, end, max_timestamp, bytes: bytes.clone() })
        })
    }

    /// Asserts T1 and the sums.
    pub fn check(&self) {
        let spans = self.spans.iter().map(|span| (span.base, span.end));
        let all: Vec<_> = spans.chain(self.pinned.iter().map(|batch| (batch.base, batch.end))).collect();
        assert!(all.windows(2).all(|pair| pair[0].1 == pair[1].0), "T1");
        for span in &self.spans {
            let ends: Vec<_> = span.batches().map(|batch| (batch.base, batch.end)).collect();
            assert!(ends.windows(2).all(|pair| pair[0].1 == pair[1].0), "T1");
            assert_eq!((ends[0].0, ends[ends.len() - 1].1), (span.base, span.end), "T1");
        }
        assert_eq!(self.first_pinned_sequence(), self.pinned.iter().map(|batch| batch.sequence).min());
        assert_eq!(self.pinned_bytes, self.pinned.iter().map(|batch| batch.bytes.len() as u64).sum::<u64>());
        assert_eq!(self.pinned_cost, self.pinned.iter().map(|batch| batch.cost as u64).sum::<u64>());
        assert_eq!(self.cached_cost, self.spans.iter().map(|span| span.cost as u64).sum::<u64>());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::span;

    fn batch(base: i64, end: i64) -> TailBatch {
        let mut bytes = crate::log::offset_index::tests::batch(base, (end - base) as i32, 39);
        bytes[35..43].copy_from_slice(&base.to_be_bytes());
        let bytes = Bytes::from(bytes);
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

    /// Batches of 100 bytes each.
    fn tail() -> Tail {
        let mut tail = Tail::default();
        for (base, end) in [(5, 7), (7, 8), (8, 20)] {
            tail.push(batch(base, end));
        }
        tail
    }

    fn unpin(tail: &mut Tail, end: i64) {
        let spans = span::join(&tail.pinned_until(Offset(end)));
        tail.unpin(spans, |_, _| {});
        tail.check();
    }

    #[test]
    fn reads_start_with_the_batch_that_holds_the_offset_wherever_it_is() {
        let mut tail = tail();
        for moved in [0, 7, 8, 20] {
            unpin(&mut tail, moved);
            let read = |from, until, max| tail.read(Offset(from), Offset(until), max, true).map(|gather| gather.len());
            assert_eq!(read(6, 20, 1000), Some(300));
            assert_eq!(read(6, 19, 1000), Some(200));
            assert_eq!(read(6, 20, 299), Some(200));
            assert_eq!(read(6, 20, 1), Some(100));
            assert_eq!(read(19, 20, 1), Some(100));
            assert_eq!(read(4, 20, 1000), None);
            assert_eq!(read(20, 20, 1000), None);
            let between = |from, until| tail.bytes_between(Offset(from), Offset(until), 1000);
            assert_eq!((between(5, 20), between(7, 20), between(5, 8)), (300, 200, 200));
        }
    }

    #[test]
    fn searches_by_time_see_each_batch_of_a_span_that_is_cut() {
        let mut tail = tail();
        for moved in [0, 8, 20] {
            unpin(&mut tail, moved);
            let first = |from, time| tail.first_at_time(Offset(from), time).map(|batch| batch.base.0);
            assert_eq!(
                (first(5, 0), first(7, 0), first(5, 6), first(5, 8), first(5, 9)),
                (Some(5), Some(7), Some(7), Some(8), None)
            );
            let cut: Vec<_> =
                tail.timestamps(Offset(7), Offset(8)).filter(|one| one.0 >= Offset(7) && one.1 <= Offset(8)).collect();
            assert_eq!(cut, [(Offset(7), Offset(8), 7)]);
        }
    }

    #[test]
    fn s9_moved_batches_stay_readable_until_evicted() {
        let mut tail = tail();
        unpin(&mut tail, 7);
        unpin(&mut tail, 8);
        assert_eq!((tail.pinned_bytes(), tail.cached_cost()), (100, 200));
        assert!(tail.read(Offset(5), Offset(20), 1000, true).is_some());
        assert_eq!(tail.evict(Offset(7)), 100);
        assert_eq!(tail.evict(Offset(20)), 100);
        assert!(tail.read(Offset(7), Offset(20), 1000, true).is_none());
        assert_eq!(tail.start(), Some(Offset(8)));
        tail.check();
    }

    #[test]
    fn truncation_drops_pinned_batches() {
        let mut tail = tail();
        unpin(&mut tail, 7);
        tail.truncate(Offset(8));
        tail.check();
        assert_eq!((tail.pinned_bytes(), tail.cached_cost()), (100, 100));
    }

    #[test]
    fn s12_small_pieces_leave_their_buffer() {
        let buffer = BytesMut::from(&[0; 1000][..]);
        assert_eq!(keep(buffer.clone(), 1000).1, 1000);
        assert_eq!(keep(BytesMut::from(&buffer[..249]), 1000).1, 249);
    }
}
