//! Memory for direct I/O: aligned to the block.

use crate::base::storage::BLOCK_BYTES;
use bytes::Bytes;
use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::mem::MaybeUninit;
use std::ptr::NonNull;

/// A block of memory whose address and capacity are multiples of [`BLOCK_BYTES`], filled from the front. It is not zeroed
/// beforehand: gigabytes pass through here, and what is written over need not be cleared.
pub struct AlignedBuffer {
    start: NonNull<u8>,
    capacity: usize,
    /// The first `filled` bytes are initialised.
    filled: usize,
}

// SAFETY: the buffer owns its memory alone, like a `Box<[u8]>`.
unsafe impl Send for AlignedBuffer {}
// SAFETY: shared references give only `&[u8]`.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// Room for `capacity` bytes, a multiple of the block and not 0.
    pub fn with_capacity(capacity: usize) -> AlignedBuffer {
        let layout = AlignedBuffer::layout(capacity);
        // SAFETY: the layout's size is not 0.
        let start = unsafe { alloc(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        AlignedBuffer { start, capacity, filled: 0 }
    }

    /// A buffer full of zeros.
    pub fn zeroed(bytes: usize) -> AlignedBuffer {
        let mut buffer = AlignedBuffer::with_capacity(bytes);
        buffer.spare().fill(MaybeUninit::new(0));
        // SAFETY: all of the spare room was filled.
        unsafe { buffer.note_filled(bytes) };
        buffer
    }

    /// Room for bytes in all.
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// The bytes filled so far.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: the first `filled` bytes are initialised and live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.filled) }
    }

    /// The room that is left.
    pub fn spare(&mut self) -> &mut [MaybeUninit<u8>] {
        // SAFETY: `filled` is at most `capacity`; the exclusive borrow of `self` makes this the only reference.
        unsafe {
            let rest = self.start.as_ptr().add(self.filled).cast::<MaybeUninit<u8>>();
            std::slice::from_raw_parts_mut(rest, self.capacity - self.filled)
        }
    }

    /// The first `bytes` bytes of the room that was left are filled now.
    ///
    /// # Safety
    /// They must have been initialised.
    pub unsafe fn note_filled(&mut self, bytes: usize) {
        assert!(bytes <= self.capacity - self.filled);
        self.filled += bytes;
    }

    /// Empties the buffer.
    pub fn clear(&mut self) {
        self.filled = 0;
    }

    /// Appends as much of `bytes` as fits; how much that was.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let spare = self.spare();
        let taken = spare.len().min(bytes.len());
        spare[..taken].write_copy_of_slice(&bytes[..taken]);
        // SAFETY: just copied.
        unsafe { self.note_filled(taken) };
        taken
    }

    /// Appends zeros up to the block.
    pub fn pad(&mut self) {
        let missing = self.filled.next_multiple_of(BLOCK_BYTES as usize) - self.filled;
        self.spare()[..missing].fill(MaybeUninit::new(0));
        // SAFETY: just filled.
        unsafe { self.note_filled(missing) };
    }

    /// What is filled, without a copy.
    pub fn into_bytes(self) -> Bytes {
        Bytes::from_owner(self)
    }

    fn layout(bytes: usize) -> Layout {
        assert!(bytes > 0 && bytes.is_multiple_of(BLOCK_BYTES as usize), "{bytes} is not a number of blocks");
        Layout::from_size_align(bytes, BLOCK_BYTES as usize).expect("a power of two")
    }
}

impl AsRef<[u8]> for AlignedBuffer {
    fn as_ref(&self) -> &[u8] {
        self.as_slice()
    }
}

impl Drop for AlignedBuffer {
    fn drop(&mut self) {
        // SAFETY: allocated in `with_capacity` with this very layout, freed only here.
        unsafe { dealloc(self.start.as_ptr(), AlignedBuffer::layout(self.capacity)) }
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBuffer;

    #[test]
    fn padding_is_zero_and_address_is_aligned() {
        let mut buffer = AlignedBuffer::with_capacity(8192);
        assert_eq!(buffer.as_slice().as_ptr() as usize % 4096, 0);
        assert_eq!(buffer.push(&[9; 10_000]), 8192);
        buffer.clear();
        assert_eq!((buffer.push(b"head"), buffer.push(&[7; 5000])), (4, 5000));
        buffer.pad();
        buffer.pad();
        assert_eq!(buffer.as_slice().len(), 8192);
        assert_eq!(&buffer.as_slice()[..4], b"head");
        assert!(buffer.as_slice()[4..5004].iter().all(|byte| *byte == 7));
        assert!(buffer.as_slice()[5004..].iter().all(|byte| *byte == 0));
        assert_eq!(buffer.into_bytes().len(), 8192);
        assert!(AlignedBuffer::zeroed(4096).as_slice().iter().all(|byte| *byte == 0));
    }
}
