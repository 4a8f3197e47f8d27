//! Effects on their way to the runtime, and the tickets that name them.

use crate::log::effect::{LogEffect, Ticket};
use std::collections::VecDeque;

/// Owned by `CoreLog`, lent to its parts.
#[derive(Debug, Default)]
pub struct EffectQueue {
    last_ticket: u64,
    queue: VecDeque<LogEffect>,
}

impl EffectQueue {
    /// A ticket never used before in this run.
    pub fn ticket(&mut self) -> Ticket {
        self.last_ticket += 1;
        Ticket(self.last_ticket)
    }

    /// Adds an effect.
    pub fn push(&mut self, effect: LogEffect) {
        self.queue.push_back(effect);
    }

    /// The oldest effect.
    pub fn pop(&mut self) -> Option<LogEffect> {
        self.queue.pop_front()
    }
}
