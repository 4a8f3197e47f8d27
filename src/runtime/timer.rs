//! Ticks: the only source of time-driven turns of a core.
//!
//! While something happened lately a tick comes every [`BUSY_TICK_MS`]; a quiet core ticks every [`IDLE_TICK_MS`], earlier
//! if the broker named a deadline.

use crate::base::clock::Now;
use crate::runtime::clock;
use glommio::timer::Timer;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::task::{Poll, Waker};
use std::time::Duration;

/// Milliseconds between ticks of a core that works.
pub const BUSY_TICK_MS: u64 = 10;
/// Milliseconds between ticks of a core that does nothing.
pub const IDLE_TICK_MS: u64 = 200;
/// A core works while its last event other than a tick is younger than this.
const BUSY_FOR_MS: u64 = 500;

/// Decides when the next tick is due. Lives on one core: the core loop tells it what happened, its task sleeps.
#[derive(Default)]
pub struct Ticker {
    last_event_ns: Cell<u64>,
    last_tick_ns: Cell<u64>,
    deadline_ns: Cell<Option<u64>>,
    waiting_until_ns: Cell<u64>,
    waker: RefCell<Option<Waker>>,
}

impl Ticker {
    /// After each turn: whether it had events besides a tick, and the broker's deadline.
    pub fn turn_done(&self, now: Now, had_events: bool, deadline_ns: Option<u64>) {
        if had_events {
            self.last_event_ns.set(now.monotonic_ns);
        }
        self.deadline_ns.set(deadline_ns);
        if self.due_ns() < self.waiting_until_ns.get() {
            let waker = self.waker.borrow_mut().take();
            if let Some(waker) = waker {
                waker.wake();
            }
        }
    }

    /// Resolves at the next tick.
    pub async fn tick(&self) {
        loop {
            let now = clock::read().monotonic_ns;
            let due = self.due_ns();
            if due <= now {
                self.last_tick_ns.set(now);
                return;
            }
            self.waiting_until_ns.set(due);
            self.sleep(Duration::from_nanos(due - now)).await;
            self.waiting_until_ns.set(0);
        }
    }

    fn due_ns(&self) -> u64 {
        let last = self.last_tick_ns.get();
        let busy = self.last_event_ns.get() + BUSY_FOR_MS * 1_000_000 > last;
        let regular = last + if busy { BUSY_TICK_MS } else { IDLE_TICK_MS } * 1_000_000;
        // A deadline in the past must not make ticks follow each other without a pause.
        self.deadline_ns.get().map_or(regular, |deadline| regular.min(deadline.max(last + 1_000_000)))
    }

    /// Sleeps, or until `turn_done` finds an earlier time.
    async fn sleep(&self, time: Duration) {
        let mut timer = Timer::new(time);
        let mut armed = false;
        poll_fn(|context| {
            if !armed {
                // The timer is polled once only: each poll would register it again.
                armed = true;
                if Pin::new(&mut timer).poll(context).is_ready() {
                    return Poll::Ready(());
                }
                *self.waker.borrow_mut() = Some(context.waker().clone());
                return Poll::Pending;
            }
            Poll::Ready(())
        })
        .await;
        self.waker.borrow_mut().take();
    }
}
