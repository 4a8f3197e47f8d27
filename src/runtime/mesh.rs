//! Core to core: admin and metadata messages, in order per pair of cores, bounded, one post per target and turn.
//!
//! M1: at most [`IN_FLIGHT_MAX`] messages of a pair are posted and not yet taken; what goes beyond waits at the sender.
//! M2: the messages of a pair arrive in the order in which they were sent.

use crate::base::ids::CoreId;
use crate::broker::message::Message;
use crate::runtime::core_loop::Letter;
use crate::runtime::mailbox::Mailbox;
use crate::runtime::sockets::hand_over::Moved;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Messages of one pair of cores that are posted and not yet taken.
const IN_FLIGHT_MAX: usize = 1024;
/// Messages that wait at a sender for one target; more means that the target stands still.
const WAITING_MAX: usize = 1024 * 1024;

/// One core's end of the mesh.
pub struct Mesh {
    core: CoreId,
    targets: Vec<Target>,
}

struct Target {
    mailbox: Arc<Mailbox<Letter>>,
    in_flight: Arc<AtomicUsize>,
    waiting: VecDeque<Message>,
}

/// Messages on their way from one core to another.
pub struct Parcel {
    from: CoreId,
    messages: Vec<Message>,
    in_flight: Arc<AtomicUsize>,
}

impl Mesh {
    /// All ends of a mesh, in core order; `mailboxes` likewise.
    pub fn new(mailboxes: &[Arc<Mailbox<Letter>>]) -> Vec<Mesh> {
        let target = |mailbox: &Arc<Mailbox<Letter>>| Target {
            mailbox: mailbox.clone(),
            in_flight: Arc::default(),
            waiting: VecDeque::new(),
        };
        let cores = u16::try_from(mailboxes.len()).expect("cores are bounded");
        (0..cores).map(|core| Mesh { core: CoreId(core), targets: mailboxes.iter().map(target).collect() }).collect()
    }

    /// Queues a message; [`Mesh::post`] sends it.
    pub fn send(&mut self, to: CoreId, message: Message) {
        let waiting = &mut self.targets[usize::from(to.0)].waiting;
        assert!(waiting.len() < WAITING_MAX, "core {} takes no messages of core {}", to.0, self.core.0);
        waiting.push_back(message);
    }

    /// Gives a connection to another core, at once.
    pub fn hand_over(&self, to: CoreId, moved: Moved) {
        self.targets[usize::from(to.0)].mailbox.post(Letter::Connection(moved));
    }

    /// Once per turn: posts what waits and fits.
    pub fn post(&mut self) {
        for target in &mut self.targets {
            if target.waiting.is_empty() {
                continue;
            }
            let room = IN_FLIGHT_MAX - target.in_flight.load(Ordering::Acquire);
            let count = room.min(target.waiting.len());
            if count == 0 {
                continue;
            }
            target.in_flight.fetch_add(count, Ordering::AcqRel);
            let messages = target.waiting.drain(..count).collect();
            target.mailbox.post(Letter::Mesh(Parcel {
                from: self.core,
                messages,
                in_flight: target.in_flight.clone(),
            }));
        }
    }

    /// True while something waits for room (M1): the sender has to post again later.
    pub fn has_waiting(&self) -> bool {
        self.targets.iter().any(|target| !target.waiting.is_empty())
    }
}

impl Parcel {
    /// Opens a parcel at its target: the sender and the messages.
    pub fn open(self) -> (CoreId, Vec<Message>) {
        self.in_flight.fetch_sub(self.messages.len(), Ordering::AcqRel);
        (self.from, self.messages)
    }
}

#[cfg(test)]
mod tests {
    use super::{IN_FLIGHT_MAX, Mesh};
    use crate::base::ids::CoreId;
    use crate::broker::message::Message;
    use crate::runtime::core_loop::Letter;
    use crate::runtime::mailbox::Mailbox;
    use std::sync::Arc;

    /// What waits in a mailbox, by sender and number.
    fn taken(mailbox: &Mailbox<Letter>) -> Vec<(CoreId, u64)> {
        let mut all = Vec::new();
        for letter in mailbox.take() {
            let Letter::Mesh(parcel) = letter else { panic!("only parcels are posted here") };
            let (from, messages) = parcel.open();
            all.extend(messages.into_iter().map(|message| match message {
                Message::Applied { end_offset } => (from, end_offset),
                other => panic!("unexpected {other:?}"),
            }));
        }
        all
    }

    #[test]
    fn messages_arrive_in_order_and_what_does_not_fit_waits() {
        let mailboxes: Vec<Arc<Mailbox<Letter>>> =
            (0..2).map(|_| Arc::new(Mailbox::new().expect("a mailbox"))).collect();
        let mut ends = Mesh::new(&mailboxes);
        let count = IN_FLIGHT_MAX as u64 + 10;
        (0..count).for_each(|number| ends[0].send(CoreId(1), Message::Applied { end_offset: number }));
        ends[1].send(CoreId(1), Message::Applied { end_offset: 7 });
        ends.iter_mut().for_each(Mesh::post);
        assert!(ends[0].has_waiting() && !ends[1].has_waiting());
        ends[0].post();
        let mut got = taken(&mailboxes[1]);
        assert_eq!(got.len(), IN_FLIGHT_MAX + 1, "another core's messages have room of their own");
        ends[0].post();
        assert!(!ends[0].has_waiting());
        got.extend(taken(&mailboxes[1]));
        let from_0: Vec<u64> = got.iter().filter(|(from, _)| *from == CoreId(0)).map(|(_, number)| *number).collect();
        assert_eq!(from_0, (0..count).collect::<Vec<u64>>());
    }
}
