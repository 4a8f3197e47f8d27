//! Memory for direct I/O outside the executors: aligned to the block, zeroed.

use crate::base::gather::Gather;
use crate::base::storage::{BLOCK_BYTES, block_ceil};
use bytes::Bytes;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// A block of memory whose address and size are multiples of [`BLOCK_BYTES`].
pub struct AlignedBuffer {
    start: NonNull<u8>,
    bytes: usize,
}

// SAFETY: the buffer owns its memory alone, like a `Box<[u8]>`.
unsafe impl Send for AlignedBuffer {}
// SAFETY: shared references give only `&[u8]`.
unsafe impl Sync for AlignedBuffer {}

impl AlignedBuffer {
    /// Zeroed memory of `bytes` bytes, which must be a multiple of the block and not 0.
    pub fn zeroed(bytes: usize) -> AlignedBuffer {
        let layout = AlignedBuffer::layout(bytes);
        // SAFETY: the layout's size is not 0.
        let start = unsafe { alloc_zeroed(layout) };
        let Some(start) = NonNull::new(start) else { handle_alloc_error(layout) };
        AlignedBuffer { start, bytes }
    }

    /// The bytes of a gather list, padded with zeros to the block.
    pub fn padded(data: &Gather) -> AlignedBuffer {
        let mut buffer = AlignedBuffer::zeroed(block_ceil(data.len() as u64) as usize);
        let mut at = 0;
        for slice in data.slices() {
            buffer.as_mut_slice()[at..at + slice.len()].copy_from_slice(slice);
            at += slice.len();
        }
        buffer
    }

    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        // SAFETY: `start` points to `bytes` initialised bytes (zeroed at allocation) that live as long as `self`.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr(), self.bytes) }
    }

    /// The bytes, writable.
    pub fn as_mut_slice(&mut self) -> &mut [u8] {
        // SAFETY: as in `as_slice`; the exclusive borrow of `self` makes this the only reference.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr(), self.bytes) }
    }

    /// The first `bytes` bytes, without a copy.
    pub fn into_bytes(self, bytes: usize) -> Bytes {
        Bytes::from_owner(self).slice(..bytes)
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
        // SAFETY: allocated in `zeroed` with this very layout, freed only here.
        unsafe { dealloc(self.start.as_ptr(), AlignedBuffer::layout(self.bytes)) }
    }
}

#[cfg(test)]
mod tests {
    use super::AlignedBuffer;
    use crate::base::gather::Gather;
    use bytes::Bytes;

    #[test]
    fn padding_is_zero_and_address_is_aligned() {
        let mut data = Gather::new();
        data.push(Bytes::from_static(b"head"));
        data.push(Bytes::from(vec![7; 5000]));
        let buffer = AlignedBuffer::padded(&data);
        assert_eq!(buffer.as_slice().as_ptr() as usize % 4096, 0);
        assert_eq!(buffer.as_slice().len(), 8192);
        assert_eq!(&buffer.as_slice()[..4], b"head");
        assert!(buffer.as_slice()[5004..].iter().all(|byte| *byte == 0));
        assert_eq!(buffer.into_bytes(5).as_ref(), b"head\x07");
    }
}
