//! What happened on this core since its last turn. Lives on one core; tasks of that core push, the core loop takes.
//!
//! The first push wakes the turn task, which glommio queues behind the tasks that are runnable already. So all that became
//! ready together is handled in one turn, and pushing costs one vector slot.

use crate::broker::event::Event;
use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::task::{Poll, Waker};

/// See the module.
#[derive(Default)]
pub struct Inbox {
    events: RefCell<Vec<Event>>,
    requested: Cell<bool>,
    waker: RefCell<Option<Waker>>,
}

impl Inbox {
    /// Adds an event and asks for a turn.
    pub fn push(&self, event: Event) {
        self.events.borrow_mut().push(event);
        self.request_turn();
    }

    /// Asks for a turn without an event.
    pub fn request_turn(&self) {
        self.requested.set(true);
        let waker = self.waker.borrow_mut().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    /// Resolves when a turn is due. For the one turn task.
    pub async fn turn_due(&self) {
        poll_fn(|context| {
            if self.requested.replace(false) {
                return Poll::Ready(());
            }
            *self.waker.borrow_mut() = Some(context.waker().clone());
            Poll::Pending
        })
        .await;
    }

    /// Moves the collected events into `events`, which must be empty; its allocation is used for the next turn.
    pub fn swap(&self, events: &mut Vec<Event>) {
        assert!(events.is_empty());
        std::mem::swap(&mut *self.events.borrow_mut(), events);
    }
}
