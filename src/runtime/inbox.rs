//! What happened on this core since its last turn. Lives on one core; its parts push, the core's loop takes.

use crate::broker::event::Event;
use std::cell::RefCell;

/// See the module.
#[derive(Default)]
pub struct Inbox {
    events: RefCell<Vec<Event>>,
}

impl Inbox {
    /// Adds an event.
    pub fn push(&self, event: Event) {
        self.events.borrow_mut().push(event);
    }

    /// True if nothing happened.
    pub fn is_empty(&self) -> bool {
        self.events.borrow().is_empty()
    }

    /// Moves the collected events into `events`, which must be empty; its allocation is used for the next turn.
    pub fn swap(&self, events: &mut Vec<Event>) {
        assert!(events.is_empty());
        std::mem::swap(&mut *self.events.borrow_mut(), events);
    }
}
