//! Graceful stop of one core, and on core 0 of the machine.
//!
//! ```text
//! Event::Stop -> nothing new is begun, parked fetches are answered, the log flushes and marks
//!   -> log stopped, nothing owed -> Stopped to core 0, Effect::Stopped
//!   core 0: -> all cores stopped -> CleanShutdown record, metadata log closed -> Effect::Stopped
//! ```

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::broker::broker::Broker;
use crate::broker::event::Effect;
use crate::broker::message::Message;

/// How far the stop got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StopStep {
    Running,
    /// Answers are owed, or the log is not flushed and marked.
    Draining {
        /// The journal has not failed.
        clean: bool,
    },
    /// Core 0 was told. On core 0: waiting for the others.
    Told,
    Stopped,
}

impl Broker {
    pub(super) fn is_stopping(&self) -> bool {
        self.stop != StopStep::Running
    }

    /// Begins the stop; a second one is the same one.
    pub(super) fn begin_stop(&mut self, now: Now) {
        if self.is_stopping() {
            return;
        }
        let clean = !self.log.is_read_only();
        self.stop = StopStep::Draining { clean };
        let (clients, forwarded) = self.sessions.connections();
        for connection in clients {
            self.sessions.close(connection, "this machine is stopping", &mut self.effects);
        }
        for connection in forwarded {
            self.refuse_parts(connection, now);
        }
        self.fetches.all_due();
        self.log.begin_stop(now);
    }

    /// The journal failed: what was acknowledged may not be marked.
    pub(super) fn stop_is_unclean(&mut self) {
        if let StopStep::Draining { clean } = &mut self.stop {
            *clean = false;
        }
    }

    /// Takes the next step of the stop, if it is due.
    pub(super) fn continue_stop(&mut self, now: Now) {
        if let StopStep::Draining { clean } = self.stop
            && self.log.is_stopped()
            && self.produces.len() == 0
            && self.deletes.is_empty()
            && self.questions.is_empty()
            && !self.splits.owes_changes()
        {
            self.stop = StopStep::Told;
            self.send(CoreId(0), Message::Stopped { clean }, now);
            if self.core == CoreId(0) {
                // The clean-shutdown record may be on its way now.
                self.settle(now);
            }
        }
        let done = match &mut self.seat {
            None => true,
            Some(seat) => seat.is_closed(),
        };
        if self.stop == StopStep::Told && done {
            self.stop = StopStep::Stopped;
            self.effects.push_back(Effect::Stopped);
        }
    }
}
