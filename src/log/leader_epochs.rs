//! `LeaderEpochs`: the epoch cache of one partition (KIP-101, KIP-320): where each leader epoch starts.
//!
//! Lives in an open partition. Gains an entry at the first append of an epoch; epochs and offsets both rise.

use crate::base::decode::Decoder;
use crate::base::offset::{LeaderEpoch, Offset};
use bytes::{BufMut, BytesMut};

/// (epoch, offset of its first record), both ascending.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    starts: Vec<(LeaderEpoch, Offset)>,
}

impl LeaderEpochs {
    /// Notes a batch that starts at `base`.
    pub fn note(&mut self, epoch: LeaderEpoch, base: Offset) {
        let newest = self.starts.last();
        if newest.is_none_or(|(last, _)| *last < epoch) {
            self.starts.push((epoch, base));
        }
    }

    /// Newest epoch with a record.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.starts.last().map(|(epoch, _)| *epoch)
    }

    /// Largest epoch at or below `asked` and where it ends: at the start of the next one, or at the log's end. An epoch before all
    /// known ones ended where the first of them starts. `current` began at the log's end if it has no record yet; of later
    /// ones nothing is known.
    pub fn end_offset(
        &self,
        asked: LeaderEpoch,
        current: LeaderEpoch,
        log_end: Offset,
    ) -> Option<(LeaderEpoch, Offset)> {
        if asked.0 < 0 || asked > current {
            return None;
        }
        if asked == current {
            return Some((current, log_end));
        }
        let after = self.starts.partition_point(|(epoch, _)| *epoch <= asked);
        let end = self.starts.get(after).map_or(log_end, |(_, start)| *start);
        Some((after.checked_sub(1).map_or(asked, |index| self.starts[index].0), end))
    }

    /// The epoch of the record at `offset`, if there is one.
    pub fn at(&self, offset: Offset) -> Option<LeaderEpoch> {
        let index = self.starts.partition_point(|(_, start)| *start <= offset).checked_sub(1)?;
        Some(self.starts[index].0)
    }

    /// Forgets epochs that start at or above `end`.
    pub fn truncate(&mut self, end: Offset) {
        self.starts.retain(|(_, start)| *start < end);
    }

    /// Forgets epochs that end at or below `start`: the log starts there now. Keeps the epoch of `start` itself.
    pub fn advance_start(&mut self, start: Offset) {
        let keep_from = self.starts.partition_point(|(_, offset)| *offset <= start).saturating_sub(1);
        self.starts.drain(..keep_from);
    }

    /// The epochs that start below `end`: the state at the end of a chunk (S10).
    pub fn below(&self, end: Offset) -> LeaderEpochs {
        let mut epochs = self.clone();
        epochs.truncate(end);
        epochs
    }

    /// Appends all entries to a state block: with few boots they are few.
    pub fn encode(&self, out: &mut BytesMut) {
        out.put_u32(self.starts.len() as u32);
        for (epoch, start) in &self.starts {
            out.put_i32(epoch.0);
            out.put_i64(start.0);
        }
    }

    /// Reads what [`LeaderEpochs::encode`] wrote.
    pub fn decode(from: &mut Decoder<'_>) -> Option<LeaderEpochs> {
        let count = from.count(12)?;
        let mut starts = Vec::with_capacity(count);
        for _ in 0..count {
            starts.push((LeaderEpoch(from.i32()?), Offset(from.i64()?)));
        }
        Some(LeaderEpochs { starts })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn end_of_the_largest_epoch_at_or_below_the_asked_one() {
        let mut epochs = LeaderEpochs::default();
        for (epoch, base) in [(1, 0), (1, 5), (3, 10), (6, 30)] {
            epochs.note(LeaderEpoch(epoch), Offset(base));
        }
        let ask = |epochs: &LeaderEpochs, asked| {
            let end = epochs.end_offset(LeaderEpoch(asked), LeaderEpoch(8), Offset(40));
            end.map(|(epoch, offset)| (epoch.0, offset.0))
        };
        assert_eq!(ask(&epochs, -1), None);
        assert_eq!(ask(&epochs, 0), Some((0, 0)));
        assert_eq!(ask(&epochs, 2), Some((1, 10)));
        assert_eq!(ask(&epochs, 5), Some((3, 30)));
        assert_eq!(ask(&epochs, 7), Some((6, 40)));
        assert_eq!(ask(&epochs, 8), Some((8, 40)), "the current epoch, without a record yet");
        assert_eq!(ask(&epochs, 9), None);
        assert_eq!(ask(&epochs.below(Offset(30)), 7), Some((3, 40)));
        let at = |offset| epochs.at(Offset(offset)).map(|epoch| epoch.0);
        assert_eq!((at(0), at(9), at(10), at(99)), (Some(1), Some(1), Some(3), Some(6)));
        assert_eq!(LeaderEpochs::default().at(Offset(0)), None);
        let mut out = BytesMut::new();
        epochs.encode(&mut out);
        assert_eq!(LeaderEpochs::decode(&mut Decoder::new(&out)), Some(epochs.clone()));
        epochs.advance_start(Offset(12));
        assert_eq!(ask(&epochs, 2), Some((2, 10)));
        assert_eq!(ask(&epochs, 3), Some((3, 30)));
    }
}
