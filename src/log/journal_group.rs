//! `Group`: journal frames that will be one write.

use crate::base::clock::Now;
use crate::base::gather::Gather;
use crate::base::limits::JOURNAL_WRITE_BYTES_MAX;
use crate::base::offset::Sequence;
use crate::log::journal_frame::ALIGN;
use bytes::Bytes;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub(super) struct Group {
    /// The very one of its file.
    pub(super) path: Arc<str>,
    /// Byte position in the file, a multiple of the block.
    pub(super) offset: u64,
    /// The frames, each padded to [`ALIGN`].
    pub(super) data: Gather,
    /// Sequence of the last one.
    pub(super) last: Sequence,
    /// When its first frame was pushed; before the first turn there is no clock.
    pub(super) pushed: Option<Now>,
    /// Somebody waits for the write alone.
    pub(super) ends_with_write: bool,
}

static PADDING: Bytes = Bytes::from_static(&[0; ALIGN]);

impl Group {
    /// A group without frames yet.
    pub(super) fn at(path: Arc<str>, offset: u64, first: Sequence, pushed: Option<Now>) -> Group {
        Group { path, offset, data: Gather::new(), last: first, pushed, ends_with_write: false }
    }

    /// Where the next frame would begin.
    pub(super) fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }

    /// May a frame of so many bytes, of this file, be written with the others?
    pub(super) fn takes(&self, path: &Arc<str>, bytes: u64) -> bool {
        Arc::ptr_eq(&self.path, path) && self.data.len() as u64 + bytes <= JOURNAL_WRITE_BYTES_MAX as u64
    }

    /// Adds a frame: what stands before its batch, and the batch.
    pub(super) fn push(&mut self, sequence: Sequence, prefix: Bytes, batch: Bytes) {
        let unpadded = prefix.len() + batch.len();
        self.data.push(prefix);
        self.data.push(batch);
        self.data.push(PADDING.slice(..unpadded.next_multiple_of(ALIGN) - unpadded));
        self.last = sequence;
    }
}
