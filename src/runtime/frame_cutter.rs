//! Cuts the bytes of one connection into request frames. Pure; one per connection.
//!
//! Bytes arrive in a buffer that all connections of the core share. Frames that are whole in it are split off without a
//! copy; the beginning of one that is not moves into a buffer of its own, into which the rest is then received directly.
//!
//! C1: memory committed for an unfinished frame is at most what arrived plus [`GROWTH_BYTES`] (or twice what arrived), never what was declared.
//! C2: every frame is uniquely owned: its bytes may be changed in place.

use crate::runtime::sockets::SHARED_BUFFER_BYTES;
use bytes::{Buf, BytesMut};
use std::mem::MaybeUninit;

/// Bytes of the length before each frame.
const PREFIX_BYTES: usize = 4;
/// A frame up to this gets its buffer whole; a larger one grows as its bytes arrive.
const GROWTH_BYTES: usize = 2 * 1024 * 1024;
/// Up to this a frame needs no reservation.
pub const FREE_FRAME_BYTES: usize = 64 * 1024;

/// A whole request.
#[derive(Debug, PartialEq)]
pub struct Frame {
    /// Without the length.
    pub bytes: BytesMut,
    /// Size of the allocation that `bytes` is a piece of.
    pub buffer_bytes: usize,
    /// What was reserved for it in the core's budget.
    pub reserved: usize,
}

/// A length that no client sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BadLength(pub i32);

/// See the module.
#[derive(Default)]
pub struct FrameCutter {
    prefix: [u8; PREFIX_BYTES],
    prefix_bytes: usize,
    unfinished: Option<Unfinished>,
    /// Input that waits because the connection may not hand over more requests now.
    backlog: BytesMut,
}

struct Unfinished {
    bytes: BytesMut,
    declared: usize,
    reserved: usize,
}

impl FrameCutter {
    /// True between the first byte of a frame and its last.
    pub fn is_inside_frame(&self) -> bool {
        self.prefix_bytes > 0 || self.unfinished.is_some()
    }

    /// True if there is input that was not cut yet.
    pub fn has_backlog(&self) -> bool {
        !self.backlog.is_empty()
    }

    /// The declared length of the unfinished frame, and what of it needs a reservation that it does not have.
    pub fn unreserved(&self) -> Option<usize> {
        let unfinished = self.unfinished.as_ref()?;
        (unfinished.declared > FREE_FRAME_BYTES && unfinished.reserved == 0).then_some(unfinished.declared)
    }

    /// The declared length of the unfinished frame, 0 without one.
    pub fn declared(&self) -> usize {
        self.unfinished.as_ref().map_or(0, |unfinished| unfinished.declared)
    }

    /// The unfinished frame has its reservation.
    pub fn note_reserved(&mut self) {
        let unfinished = self.unfinished.as_mut().expect("reserved for an unfinished frame");
        assert_eq!(unfinished.reserved, 0);
        unfinished.reserved = unfinished.declared;
    }

    /// What the unfinished frame holds of the budget; it is given up.
    pub fn take_reserved(&mut self) -> usize {
        self.unfinished.as_mut().map_or(0, |unfinished| std::mem::take(&mut unfinished.reserved))
    }

    /// All that was received and not cut.
    pub fn uncut(&self) -> BytesMut {
        let unfinished = self.unfinished.as_ref().map_or(&[][..], |unfinished| &unfinished.bytes);
        let mut uncut = BytesMut::with_capacity(PREFIX_BYTES + unfinished.len() + self.backlog.len());
        uncut.extend_from_slice(&self.prefix[..self.prefix_bytes]);
        uncut.extend_from_slice(unfinished);
        uncut.extend_from_slice(&self.backlog);
        uncut
    }

    /// Where the rest of the unfinished frame is to be received; true if all of the rest fits, so that what follows belongs
    /// to the next frame. May be less than the rest (C1).
    pub fn spare(&mut self) -> (&mut [MaybeUninit<u8>], bool) {
        let Some(unfinished) = &mut self.unfinished else { return (&mut [], true) };
        let arrived = unfinished.bytes.len();
        if unfinished.bytes.capacity() == arrived {
            // Not `reserve`: that may allocate more than asked for, and the frame's allocation is accounted whole.
            let mut grown = BytesMut::with_capacity(unfinished.declared.min((arrived * 2).max(GROWTH_BYTES)));
            grown.extend_from_slice(&unfinished.bytes);
            unfinished.bytes = grown;
        }
        let wanted = unfinished.declared - arrived;
        let spare = unfinished.bytes.spare_capacity_mut();
        let given = wanted.min(spare.len());
        (&mut spare[..given], given == wanted)
    }

    /// `received` bytes were received into what [`FrameCutter::spare`] gave.
    ///
    /// # Safety
    /// That many bytes of it must have been initialised.
    pub unsafe fn advance(&mut self, received: usize) {
        if received == 0 {
            return;
        }
        let unfinished = self.unfinished.as_mut().expect("received for an unfinished frame");
        let length = unfinished.bytes.len() + received;
        assert!(length <= unfinished.declared && length <= unfinished.bytes.capacity());
        // SAFETY: within the capacity (asserted); initialised by the caller's promise.
        unsafe { unfinished.bytes.set_len(length) };
    }

    /// The frame that is complete after [`FrameCutter::advance`].
    pub fn finished(&mut self) -> Option<Frame> {
        let done = self.unfinished.as_ref().is_some_and(|unfinished| unfinished.bytes.len() == unfinished.declared);
        let unfinished = if done { self.unfinished.take()? } else { return None };
        self.prefix_bytes = 0;
        let buffer_bytes = unfinished.bytes.capacity();
        Some(Frame { bytes: unfinished.bytes, buffer_bytes, reserved: unfinished.reserved })
    }

    /// Cuts `input` (a piece of the shared buffer), after what waits already. At most `frames_max` frames go to `frames`; the rest waits.
    pub fn cut(
        &mut self,
        input: BytesMut,
        bytes_max: usize,
        frames_max: usize,
        frames: &mut Vec<Frame>,
    ) -> Result<(), BadLength> {
        let mut input = self.after_backlog(input);
        let limit = frames.len() + frames_max;
        while !input.is_empty() {
            if frames.len() >= limit {
                self.backlog = keep_small(input);
                return Ok(());
            }
            let Some(declared) = self.read_prefix(&mut input, bytes_max)? else { break };
            if input.len() >= declared {
                frames.push(Frame { bytes: input.split_to(declared), buffer_bytes: SHARED_BUFFER_BYTES, reserved: 0 });
                self.prefix_bytes = 0;
                continue;
            }
            let mut bytes = BytesMut::with_capacity(declared.min(GROWTH_BYTES.max(input.len())));
            bytes.extend_from_slice(&input);
            self.unfinished = Some(Unfinished { bytes, declared, reserved: 0 });
            break;
        }
        Ok(())
    }

    /// The length of the next frame, once all its bytes are here.
    fn read_prefix(&mut self, input: &mut BytesMut, bytes_max: usize) -> Result<Option<usize>, BadLength> {
        assert!(self.unfinished.is_none(), "the rest of a frame is received into its own buffer");
        let taken = input.len().min(PREFIX_BYTES - self.prefix_bytes);
        self.prefix[self.prefix_bytes..self.prefix_bytes + taken].copy_from_slice(&input[..taken]);
        self.prefix_bytes += taken;
        input.advance(taken);
        if self.prefix_bytes < PREFIX_BYTES {
            return Ok(None);
        }
        let length = i32::from_be_bytes(self.prefix);
        match usize::try_from(length) {
            Ok(length) if length > 0 && length <= bytes_max => Ok(Some(length)),
            _ => Err(BadLength(length)),
        }
    }

    fn after_backlog(&mut self, input: BytesMut) -> BytesMut {
        if self.backlog.is_empty() {
            return input;
        }
        let mut all = std::mem::take(&mut self.backlog);
        all.unsplit(input);
        all
    }
}

/// Little input that waits must not pin the shared buffer.
fn keep_small(input: BytesMut) -> BytesMut {
    if input.len() * 4 < SHARED_BUFFER_BYTES { BytesMut::from(&input[..]) } else { input }
}

#[cfg(test)]
mod tests;
