//! `Span`: whole record batches, one behind the other, in one piece of memory.
//!
//! Made when batches leave the journal for a segment: small ones are joined, so that the segment's file is written from few
//! pieces and the cache of moved batches is few pieces too, each of them as large as what it holds. A large batch is a span of
//! its own and is not copied.

use crate::base::limits::{SPAN_BATCH_BYTES_MAX, SPAN_BYTES_MAX};
use crate::base::offset::Offset;
use crate::log::tail::TailBatch;
use crate::wire::record_batch::Batches;
use bytes::{Bytes, BytesMut};

/// See the module. It holds at least one batch.
#[derive(Clone, Debug)]
pub struct Span {
    /// Offset of its first record.
    pub base: Offset,
    /// Offset behind its last record.
    pub end: Offset,
    /// Largest of its batches' largest timestamps, as their headers say.
    pub max_timestamp: i64,
    /// The batches as they are served.
    pub bytes: Bytes,
    /// Bytes of memory that it keeps alive.
    pub cost: usize,
}

/// One batch of a span.
#[derive(Clone, Debug)]
pub struct SpanBatch {
    /// Offset of its first record.
    pub base: Offset,
    /// Offset behind its last record.
    pub end: Offset,
    /// Largest timestamp, as its header says.
    pub max_timestamp: i64,
    /// The batch as it is served.
    pub bytes: Bytes,
}

/// Joins what is small; gives the batches in their order.
pub fn join(mut batches: &[&TailBatch]) -> Vec<Span> {
    let mut spans = Vec::new();
    while !batches.is_empty() {
        let (these, later) = batches.split_at(joined(batches));
        spans.push(Span::of(these));
        batches = later;
    }
    spans
}

/// How many of the first batches make one span.
fn joined(batches: &[&TailBatch]) -> usize {
    let mut bytes = 0;
    let fits = |batch: &&&TailBatch| {
        bytes += batch.bytes.len();
        batch.bytes.len() <= SPAN_BATCH_BYTES_MAX && bytes <= SPAN_BYTES_MAX
    };
    batches.iter().take_while(fits).count().max(1)
}

impl Span {
    fn of(batches: &[&TailBatch]) -> Span {
        let (first, last) = (batches[0], batches[batches.len() - 1]);
        let (bytes, cost) = match batches {
            [one] => (one.bytes.clone(), one.cost),
            many => {
                let total = many.iter().map(|batch| batch.bytes.len()).sum();
                let mut joined = BytesMut::with_capacity(total);
                many.iter().for_each(|batch| joined.extend_from_slice(&batch.bytes));
                (joined.freeze(), total)
            }
        };
        let max_timestamp = batches.iter().map(|batch| batch.max_timestamp).max().expect("one at least");
        Span { base: first.base, end: last.end, max_timestamp, bytes, cost }
    }

    /// Its batches, oldest first.
    pub fn batches(&self) -> impl Iterator<Item = SpanBatch> {
        Batches::new(&self.bytes).map(|batch| {
            let (range, header) = batch.expect("checked when it was appended");
            let (base, end) = (Offset(header.base_offset), Offset(header.end_offset()));
            SpanBatch { base, end, max_timestamp: header.max_timestamp, bytes: self.bytes.slice(range) }
        })
    }

    /// The bytes of whole batches from the one that holds `from` on, below `until`, at most `bytes_max`, or one if `at_least_one`.
    /// True beside them if the span holds no batch behind them.
    pub fn part(&self, from: Offset, until: Offset, bytes_max: usize, at_least_one: bool) -> (Bytes, bool) {
        if from <= self.base && self.end <= until && self.bytes.len() <= bytes_max {
            return (self.bytes.clone(), true);
        }
        let (mut start, mut stop) = (0, 0);
        for batch in Batches::new(&self.bytes) {
            let (range, header) = batch.expect("checked when it was appended");
            let end = Offset(header.end_offset());
            if end <= from {
                (start, stop) = (range.end, range.end);
                continue;
            }
            let first = at_least_one && stop == start;
            if end > until || (range.end - start > bytes_max && !first) {
                break;
            }
            stop = range.end;
        }
        (self.bytes.slice(start..stop), stop == self.bytes.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::offset::Sequence;
    use crate::log::offset_index::tests::batch;

    /// Batches of two records each, of these sizes (bytes of their values).
    fn batches(sizes: &[usize]) -> Vec<TailBatch> {
        let one = |(index, bytes): (usize, &usize)| {
            let base = Offset(index as i64 * 2);
            let bytes = Bytes::from(batch(base.0, 2, *bytes));
            let cost = bytes.len();
            TailBatch { base, end: base.plus(2), sequence: Sequence(1), again: false, bytes, cost, max_timestamp: 7 }
        };
        sizes.iter().enumerate().map(one).collect()
    }

    fn spans(batches: &[TailBatch]) -> Vec<Span> {
        join(&batches.iter().collect::<Vec<_>>())
    }

    #[test]
    fn small_batches_are_joined_and_large_ones_stay_what_they_are() {
        let batches = batches(&[10, 20, SPAN_BATCH_BYTES_MAX, 30, 40]);
        let spans = spans(&batches);
        let ranges: Vec<_> = spans.iter().map(|span| (span.base.0, span.end.0)).collect();
        assert_eq!(ranges, [(0, 4), (4, 6), (6, 10)]);
        assert_eq!(spans[1].bytes.as_ptr(), batches[2].bytes.as_ptr(), "not copied");
        for (batch, again) in batches.iter().zip(spans.iter().flat_map(Span::batches)) {
            assert_eq!((batch.base, batch.end, &batch.bytes), (again.base, again.end, &again.bytes));
        }
        assert!(spans.iter().all(|span| span.cost == span.bytes.len()));
    }

    #[test]
    fn a_span_has_a_bound() {
        let batches = batches(&[SPAN_BATCH_BYTES_MAX / 2; 100]);
        let spans = spans(&batches);
        assert!(spans.len() > 1 && spans.iter().all(|span| span.bytes.len() <= SPAN_BYTES_MAX));
        assert_eq!(spans.last().map(|span| span.end), Some(Offset(200)));
    }

    #[test]
    fn a_part_is_whole_batches() {
        let batches = batches(&[100; 4]);
        let span = &spans(&batches)[0];
        let one = batches[0].bytes.len();
        let part = |from, until, max, least| {
            let (bytes, to_the_end) = span.part(Offset(from), Offset(until), max, least);
            (bytes.len() / one, to_the_end)
        };
        assert_eq!(part(0, 8, 4 * one, false), (4, true));
        assert_eq!(part(3, 8, 4 * one, false), (3, true), "from the batch that holds the offset");
        assert_eq!(part(0, 7, 4 * one, false), (3, false), "nothing that ends above");
        assert_eq!(part(0, 8, 4 * one - 1, false), (3, false));
        assert_eq!(part(2, 8, one - 1, false), (0, false));
        assert_eq!(part(2, 8, one - 1, true), (1, false));
        assert_eq!(part(7, 8, 0, true), (1, true));
    }
}
