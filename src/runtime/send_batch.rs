//! One system call that sends to many sockets. Lives on one core.
//!
//! When a flush ends, it answers many connections at once. Sent one by one, each answer wakes a client that then takes this
//! CPU at the end of the system call, asks its next question and gives the CPU back: two changes of thread per request.
//! Sent together, the clients ask one after the other, and the next turn finds all their questions.
//!
//! B1: nothing outlives [`SendBatch::submit`]: every operation is told not to wait, so that the kernel performs it inside the
//!     call, and the call returns only when the results of all are in.

use crate::runtime::journal_ring::is_passing;
use bytes::Bytes;
use io_uring::{IoUring, opcode, types};
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, IoSlice};
use std::os::fd::RawFd;

/// Sockets per system call.
pub const SENDS_MAX: usize = 64;
/// Slices per socket and call.
pub const SLICES_MAX: usize = 64;

/// See the module.
pub struct SendBatch {
    ring: IoUring,
}

/// What a socket took, or why it took nothing.
pub type SendResult = Result<usize, Error>;

impl SendBatch {
    /// An error if the kernel has no ring for us.
    pub fn new() -> Result<SendBatch, Error> {
        Ok(SendBatch { ring: IoUring::new(SENDS_MAX as u32)? })
    }

    /// Sends as much of each list as its socket takes, at most [`SLICES_MAX`] slices; at most [`SENDS_MAX`] lists. The results
    /// are in the order of the sends.
    pub fn submit(&mut self, sends: &[(RawFd, &VecDeque<Bytes>)]) -> VecDeque<SendResult> {
        assert!(sends.len() <= SENDS_MAX, "{} sends in one call", sends.len());
        let counts = sends.iter().map(|(_, slices)| slices.len().min(SLICES_MAX));
        let mut slices: Vec<IoSlice<'_>> = Vec::with_capacity(counts.clone().sum());
        for (_, queued) in sends {
            slices.extend(queued.iter().take(SLICES_MAX).map(|bytes| IoSlice::new(bytes)));
        }
        let mut headers = Vec::with_capacity(sends.len());
        let mut from = 0;
        for count in counts {
            headers.push(header(&slices[from..from + count]));
            from += count;
        }
        let flags = (libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL) as u32;
        for (at, ((fd, _), header)) in sends.iter().zip(&headers).enumerate() {
            let send = opcode::SendMsg::new(types::Fd(*fd), header).flags(flags).build().user_data(at as u64);
            // SAFETY: `header`, its slices and what they point to are borrowed until this function returns; `wait` does not
            // return before the operation has ended (B1).
            unsafe { self.ring.submission().push(&send) }.expect("the ring has room for SENDS_MAX");
        }
        self.wait(sends.len())
    }

    /// Submits and takes all results.
    fn wait(&mut self, count: usize) -> VecDeque<SendResult> {
        let mut results: VecDeque<SendResult> = (0..count).map(|_| Err(Error::from(ErrorKind::Interrupted))).collect();
        let mut ended = 0;
        while ended < count {
            match self.ring.submit_and_wait(count - ended) {
                Ok(_) => {}
                Err(error) if is_passing(&error) => {}
                // Returning would leave operations that use memory of the caller.
                Err(error) => panic!("io_uring_enter: {error}"),
            }
            for completion in self.ring.completion() {
                let result = completion.result();
                results[completion.user_data() as usize] =
                    if result >= 0 { Ok(result as usize) } else { Err(Error::from_raw_os_error(-result)) };
                ended += 1;
            }
        }
        results
    }
}

fn header(slices: &[IoSlice<'_>]) -> libc::msghdr {
    // SAFETY: all-zero bytes are a valid empty header.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    // `IoSlice` has the layout of `iovec`; the kernel only reads through it.
    header.msg_iov = slices.as_ptr() as *mut libc::iovec;
    header.msg_iovlen = slices.len();
    header
}
