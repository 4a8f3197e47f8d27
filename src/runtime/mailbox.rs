//! What other threads tell a core. Any thread posts, one task of the owning core takes.
//!
//! Not for the hot path: produce and fetch never post. A post takes a mutex for a few instructions and, when the core may be
//! asleep, writes its eventfd.

use std::future::poll_fn;
use std::sync::Mutex;
use std::task::{Poll, Waker};

/// See the module.
pub struct Mailbox<T> {
    inside: Mutex<Inside<T>>,
}

struct Inside<T> {
    letters: Vec<T>,
    waker: Option<Waker>,
}

impl<T> Default for Mailbox<T> {
    fn default() -> Mailbox<T> {
        Mailbox { inside: Mutex::new(Inside { letters: Vec::new(), waker: None }) }
    }
}

impl<T> Mailbox<T> {
    /// Posts one letter and wakes the owner.
    pub fn post(&self, letter: T) {
        self.post_with(|letters| letters.push(letter));
    }

    /// Lets `add` append letters (it sees those not yet taken), then wakes the owner.
    pub fn post_with(&self, add: impl FnOnce(&mut Vec<T>)) {
        let mut inside = self.inside.lock().expect("no panic under the lock");
        add(&mut inside.letters);
        let waker = if inside.letters.is_empty() { None } else { inside.waker.take() };
        drop(inside);
        // Outside the lock: the woken core takes it at once.
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// All letters posted so far, at least one. For the owner's one task.
    pub async fn take(&self) -> Vec<T> {
        poll_fn(|context| {
            let mut inside = self.inside.lock().expect("no panic under the lock");
            if inside.letters.is_empty() {
                inside.waker = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(std::mem::take(&mut inside.letters))
        })
        .await
    }
}
