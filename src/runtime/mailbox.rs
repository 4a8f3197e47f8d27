//! What other threads tell a core. Any thread posts, the owning core takes.
//!
//! Not for the hot path: produce and fetch never post. A post takes a mutex for a few instructions and, when the box was
//! empty, raises the core's bell: an eventfd that its loop waits for among everything else.

use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::sync::Mutex;

/// See the module.
pub struct Mailbox<T> {
    letters: Mutex<Vec<T>>,
    bell: OwnedFd,
}

impl<T> Mailbox<T> {
    /// An empty one; an error if the process has no descriptor left.
    pub fn new() -> Result<Mailbox<T>, Error> {
        // SAFETY: no memory is passed.
        let bell = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if bell < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: a descriptor that was made just now and belongs to nobody else.
        let bell = unsafe { OwnedFd::from_raw_fd(bell) };
        Ok(Mailbox { letters: Mutex::default(), bell })
    }

    /// Posts one letter and wakes the owner.
    pub fn post(&self, letter: T) {
        self.post_with(|letters| letters.push(letter));
    }

    /// Lets `add` append letters (it sees those not yet taken), then wakes the owner.
    pub fn post_with(&self, add: impl FnOnce(&mut Vec<T>)) {
        let mut letters = self.letters.lock().expect("no panic under the lock");
        let was_empty = letters.is_empty();
        add(&mut letters);
        let rings = was_empty && !letters.is_empty();
        // Outside the lock: the woken core takes it at once.
        drop(letters);
        if rings {
            let one = 1_u64;
            // SAFETY: eight valid bytes. The bell is watched for edges and never read: every write is one, and 2^64 letters
            // are not posted.
            let written = unsafe { libc::write(self.bell.as_raw_fd(), (&raw const one).cast(), size_of::<u64>()) };
            assert_eq!(written, 8, "ringing: {}", Error::last_os_error());
        }
    }

    /// Becomes readable, edge by edge, when letters were posted into an empty box.
    pub fn bell(&self) -> RawFd {
        self.bell.as_raw_fd()
    }

    /// All letters posted so far.
    pub fn take(&self) -> Vec<T> {
        std::mem::take(&mut self.letters.lock().expect("no panic under the lock"))
    }
}

#[cfg(test)]
mod tests {
    use super::Mailbox;
    use crate::runtime::readiness::Readiness;
    use std::sync::Arc;
    use std::time::Duration;

    #[test]
    fn the_bell_rings_for_every_letter_that_might_be_missed() {
        let mailbox = Arc::new(Mailbox::new().expect("a mailbox"));
        let mut readiness = Readiness::new().expect("an epoll instance");
        readiness.watch(mailbox.bell(), 1).expect("watched");
        let posting = mailbox.clone();
        let poster = std::thread::spawn(move || (0..100_000).for_each(|letter| posting.post(letter)));
        let mut got = Vec::new();
        while got.len() < 100_000 {
            let mut edges = Vec::new();
            readiness.wait(Duration::from_secs(20), &mut edges);
            assert_eq!(edges.len(), 1, "no letter is left without a ring");
            got.extend(mailbox.take());
        }
        poster.join().expect("posted");
        assert!(got.into_iter().eq(0..100_000));
    }
}
