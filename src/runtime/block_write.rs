//! One direct write of many slices: what is small is joined in aligned memory, what is large and lies right is written from where it is.
//!
//! Direct I/O takes memory whose address is a multiple of the block, to a place in the file that is one too. A slice *lies right* if
//! its place in the write is as far from a block border as its place in memory (see [`filler`](crate::base::storage::filler)):
//! then all its whole blocks can go as they are, and only its first and last bytes are copied beside their neighbours.
//!
//! B1: the slices of [`BlockWrite::io_slices`] are, one behind the other, exactly the bytes of the list and zeros up to the block.
//! B2: each of them begins and ends at a multiple of the block in memory and in the write.

use crate::base::gather::Gather;
use crate::base::limits::DIRECT_BYTES_MIN;
use crate::base::storage::{BLOCK_BYTES, block_ceil};
use crate::runtime::aligned::AlignedBuffer;
use bytes::Bytes;
use std::ops::Range;

const BLOCK: usize = BLOCK_BYTES as usize;

/// See the module.
pub struct BlockWrite {
    /// What is joined.
    joined: AlignedBuffer,
    /// What is not: each behind so many bytes of `joined`.
    in_place: Vec<(usize, Bytes)>,
    bytes: usize,
}

/// The part of a slice that is written from where it lies, if it lies right at `position` of the write.
fn in_place(slice: &[u8], position: usize) -> Option<Range<usize>> {
    if slice.len() < DIRECT_BYTES_MIN {
        return None;
    }
    let from = position.next_multiple_of(BLOCK) - position;
    (slice.as_ptr() as usize + from).is_multiple_of(BLOCK).then(|| from..from + (slice.len() - from) / BLOCK * BLOCK)
}

/// The parts of all slices that are written from where they lie, with the slices' numbers.
fn all_in_place(data: &Gather) -> impl Iterator<Item = (usize, Range<usize>)> {
    let mut position = 0;
    data.slices().iter().enumerate().filter_map(move |(index, slice)| {
        let range = in_place(slice, position);
        position += slice.len();
        Some((index, range?))
    })
}

/// Bytes of aligned memory that [`BlockWrite::new`] needs for the list, a multiple of the block.
pub fn joined_bytes(data: &Gather) -> usize {
    let in_place: usize = all_in_place(data).map(|(_, range)| range.len()).sum();
    block_ceil(data.len() as u64) as usize - in_place
}

impl BlockWrite {
    /// Puts the write together. `joined` has room for [`joined_bytes`] at least; what is in it goes.
    pub fn new(data: &Gather, mut joined: AlignedBuffer) -> BlockWrite {
        joined.clear();
        let push = |joined: &mut AlignedBuffer, bytes: &[u8]| {
            assert_eq!(joined.push(bytes), bytes.len(), "the buffer has room for all");
        };
        let mut parts = all_in_place(data).peekable();
        let mut in_place = Vec::new();
        for (index, slice) in data.slices().iter().enumerate() {
            match parts.next_if(|(found, _)| *found == index) {
                None => push(&mut joined, slice),
                Some((_, range)) => {
                    push(&mut joined, &slice[..range.start]);
                    in_place.push((joined.as_slice().len(), slice.slice(range.clone())));
                    push(&mut joined, &slice[range.end..]);
                }
            }
        }
        joined.pad();
        BlockWrite { joined, in_place, bytes: block_ceil(data.len() as u64) as usize }
    }

    /// Bytes to write, padding included.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The bytes behind the first `done`, in pieces as they lie in memory. `done` is a multiple of the block.
    pub fn io_slices(&self, mut done: usize) -> impl Iterator<Item = &[u8]> {
        let joined = self.joined.as_slice();
        let begins = std::iter::once(0).chain(self.in_place.iter().map(|(at, _)| *at));
        let ends = self.in_place.iter().map(|(at, bytes)| (*at, &bytes[..])).chain([(joined.len(), &[][..])]);
        let pieces = begins.zip(ends).flat_map(move |(begin, (end, bytes))| [&joined[begin..end], bytes]);
        pieces.filter_map(move |piece| {
            let skipped = done.min(piece.len());
            done -= skipped;
            (skipped < piece.len()).then(|| &piece[skipped..])
        })
    }

    /// The aligned memory, for the next write.
    pub fn into_joined(self) -> AlignedBuffer {
        self.joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::prng::Prng;
    use crate::base::storage::filler;
    use bytes::BytesMut;

    /// Bytes at an address so far behind a block border.
    fn slice(prng: &mut Prng, bytes: usize, behind: usize) -> Bytes {
        let mut memory = BytesMut::zeroed(bytes + 2 * BLOCK);
        memory.iter_mut().for_each(|byte| *byte = prng.below(256) as u8);
        let memory = memory.freeze();
        let border = (memory.as_ptr() as usize).next_multiple_of(BLOCK) - memory.as_ptr() as usize;
        memory.slice(border + behind..border + behind + bytes)
    }

    fn written(write: &BlockWrite, done: usize) -> Vec<u8> {
        let mut all = Vec::new();
        for piece in write.io_slices(done) {
            assert!((piece.as_ptr() as usize).is_multiple_of(BLOCK) && piece.len().is_multiple_of(BLOCK), "B2");
            all.extend_from_slice(piece);
        }
        all
    }

    /// Large and small slices at all distances from a border, with filler before the large ones or without.
    #[test]
    fn b1_b2_the_pieces_are_the_bytes_of_the_list() {
        let mut prng = Prng::new(17);
        let (mut copied, mut total) = (0, 0);
        for _ in 0..200 {
            let mut data = Gather::new();
            for _ in 0..1 + prng.below(5) {
                let large = prng.percent(50);
                let bytes = if large { DIRECT_BYTES_MIN } else { 1 } + prng.below(20_000) as usize;
                let behind = prng.below(BLOCK_BYTES) as usize;
                let slice = slice(&mut prng, bytes, behind);
                if large && prng.percent(80) {
                    data.push(Bytes::from(vec![0; filler(&slice, data.len() as u64)]));
                }
                data.push(slice);
            }
            let mut expected = data.to_vec();
            expected.resize(expected.len().next_multiple_of(BLOCK), 0);
            let write = BlockWrite::new(&data, AlignedBuffer::with_capacity(joined_bytes(&data)));
            assert_eq!((write.bytes(), written(&write, 0)), (expected.len(), expected.clone()), "B1");
            let done = prng.below((expected.len() / BLOCK) as u64 + 1) as usize * BLOCK;
            assert_eq!(written(&write, done), expected[done..]);
            (copied, total) = (copied + joined_bytes(&data), total + expected.len());
        }
        assert!(copied * 2 < total, "{copied} of {total} bytes were copied");
    }

    #[test]
    fn what_lies_right_is_not_copied() {
        let mut prng = Prng::new(18);
        let batch = slice(&mut prng, 1 << 20, 77);
        let mut data = Gather::from(Bytes::from_static(&[5; 100]));
        data.push(Bytes::from(vec![0; filler(&batch, 100)]));
        data.push(batch.clone());
        assert!(joined_bytes(&data) <= 3 * BLOCK);
        let write = BlockWrite::new(&data, AlignedBuffer::with_capacity(joined_bytes(&data)));
        assert_eq!(write.in_place[0].1.as_ptr() as usize - batch.as_ptr() as usize, BLOCK - 77);
    }
}
