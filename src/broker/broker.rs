//! `Broker`: one core's Kafka broker as a plain value. Lives on its core; the core's loop is the only caller.
//!
//! Protocol for the caller, each turn: [`Broker::handle`] for every event, [`Broker::end_turn`] once, then
//! [`Broker::poll_effect`] until `None`.

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::broker::counters::Counters;
use crate::broker::event::{Effect, Event};
use std::collections::VecDeque;

/// See the module. `Send`, so that it can be built on another thread than the one that runs it.
pub struct Broker {
    core: CoreId,
    effects: VecDeque<Effect>,
    counters: Counters,
}

impl Broker {
    pub(crate) fn new(core: CoreId) -> Broker {
        Broker { core, effects: VecDeque::new(), counters: Counters::default() }
    }

    /// Takes one event in. Effects wait for [`Broker::poll_effect`].
    pub fn handle(&mut self, event: Event, now: Now) {
        let _ = (event, now);
    }

    /// Ends a turn: all that was appended in it becomes few journal writes.
    pub fn end_turn(&mut self, now: Now) {
        let _ = now;
    }

    /// The next thing to do, in order.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Monotonic nanoseconds at which [`Event::Tick`] is due at the latest; `None` when nothing waits.
    pub fn next_deadline(&self) -> Option<u64> {
        None
    }

    /// The core that this broker lives on.
    pub fn core(&self) -> CoreId {
        self.core
    }

    /// What was done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Asserts the invariants of the whole structure; the simulator calls it after every event.
    pub fn check(&self) {}
}
