//! Cuts the bytes of one connection into request frames. Pure; one per connection.
//!
//! Bytes arrive in a buffer that all connections of the core share. Frames that are whole in it are split off without a
//! copy; the beginning of one that is not moves into a buffer of its own, into which the rest is then received directly.
//!
//! C1: memory committed for all unfinished frames of a core is about what arrived plus [`Slack`], never what was declared.
//! C2: every frame is uniquely owned: its bytes may be changed in place.

use crate::runtime::slack::{Charge, Slack};
use crate::runtime::sockets::SHARED_BUFFER_BYTES;
use bytes::{Buf, BytesMut};
use std::mem::MaybeUninit;
use std::rc::Rc;

/// Bytes of the length before each frame.
const PREFIX_BYTES: usize = 4;
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
    slack: Rc<Slack>,
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
    charge: Charge,
}

impl FrameCutter {
    /// The beginning of a connection.
    pub fn new(slack: Rc<Slack>) -> FrameCutter {
        FrameCutter { slack, ..FrameCutter::default() }
    }

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

    /// Declared and arrived bytes of the unfinished frame, if it has a reservation.
    pub fn reserved_frame(&self) -> Option<(usize, usize)> {
        let unfinished = self.unfinished.as_ref().filter(|unfinished| unfinished.reserved > 0)?;
        Some((unfinished.declared, unfinished.bytes.len()))
    }

    /// The unfinished frame makes no progress: what it was given ahead goes back, if that is worth copying the rest.
    pub fn shrink(&mut self) {
        let Some(unfinished) = &mut self.unfinished else { return };
        if !unfinished.charge.is_empty() && unfinished.charge.bytes() >= unfinished.bytes.len() {
            unfinished.bytes = copy(&unfinished.bytes, unfinished.bytes.len());
            unfinished.charge.release();
        }
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
    /// to the next frame. May be less than the rest (C1). `waiting`: the bytes that the next receive will find.
    pub fn spare(&mut self, waiting: impl FnOnce() -> usize) -> (&mut [MaybeUninit<u8>], bool) {
        let Some(unfinished) = &mut self.unfinished else { return (&mut [], true) };
        let arrived = unfinished.bytes.len();
        if unfinished.bytes.capacity() == arrived {
            let (capacity, charge) = self.slack.grant(unfinished.declared, arrived, waiting);
            unfinished.bytes = copy(&unfinished.bytes, capacity);
            unfinished.charge = charge;
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
        unfinished.charge.note_arrived(received);
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
            let (capacity, charge) = self.slack.grant(declared, input.len(), || 0);
            let bytes = copy(&input, capacity);
            self.unfinished = Some(Unfinished { bytes, declared, reserved: 0, charge });
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

/// Not `reserve`: that may allocate more than asked for, and the frame's allocation is accounted whole.
fn copy(bytes: &[u8], capacity: usize) -> BytesMut {
    let mut copy = BytesMut::with_capacity(capacity);
    copy.extend_from_slice(bytes);
    copy
}

/// Little input that waits must not pin the shared buffer.
fn keep_small(input: BytesMut) -> BytesMut {
    if input.len() * 4 < SHARED_BUFFER_BYTES { BytesMut::from(&input[..]) } else { input }
}

#[cfg(test)]
mod tests;
