//! Sessions: what the broker keeps per client connection, so that answers leave in request order and appends keep theirs.
//!
//! Lives on the connection's core; only `Broker` mutates it.
//!
//! ```text
//! frame -> [queued]* -> begun, owed an answer -> answered -> sent
//!                \-> held (waits for a partition or for room in the ring; everything behind it stays queued)
//! ```
//! Invariants: (I1) answers leave in the order in which their requests came; (I2) while a request is held, no later request
//! of its connection begins, so that pipelined appends keep their order; (I3) after a close nothing is begun or sent;
//! (I4) reading is paused while more than `SESSION_REQUESTS_MAX` requests or `SESSION_WAITING_BYTES_MAX` bytes wait.

use crate::base::gather::Gather;
use crate::base::ids::{ConnectionId, TopicId, TopicPartition};
use crate::base::limits::{SESSION_REQUESTS_MAX, SESSION_WAITING_BYTES_MAX};
use crate::base::map::Map;
use crate::broker::api::{Context, Held, Wait};
use crate::broker::event::Effect;
use bytes::BytesMut;
use std::collections::VecDeque;
use std::net::SocketAddr;

/// The place of one answer in its connection's order. Also the name of the request while it is parked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct AnswerSlot {
    pub(super) connection: ConnectionId,
    pub(super) number: u64,
}

/// What a request ends with.
#[derive(Debug)]
pub(super) enum Answer {
    /// A whole response frame.
    Frame(Gather),
    /// Nothing is sent: acks=0.
    Silent,
    /// What came before is sent, then the connection is closed.
    Close(String),
}

/// A whole request that was not begun.
#[derive(Debug)]
pub(super) struct QueuedFrame {
    pub(super) frame: BytesMut,
    pub(super) buffer_bytes: usize,
}

#[derive(Debug)]
struct Session {
    local: SocketAddr,
    /// Owed answers, oldest first; `None` until known.
    answers: VecDeque<Option<Answer>>,
    /// Number of the oldest owed answer.
    first: u64,
    held: Option<(Context, Held)>,
    queued: VecDeque<QueuedFrame>,
    waiting_bytes: usize,
    paused: bool,
    ending: bool,
}

/// All sessions of a core.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: Map<ConnectionId, Session>,
    /// Connections whose held request waits for a partition to be loaded.
    by_partition: Map<TopicPartition, Vec<ConnectionId>>,
    /// Connections whose held request waits for room in the ring, in order.
    by_ring: Vec<ConnectionId>,
}

impl Sessions {
    pub(super) fn connected(&mut self, connection: ConnectionId, local: SocketAddr) {
        let session = Session {
            local,
            answers: VecDeque::new(),
            first: 0,
            held: None,
            queued: VecDeque::new(),
            waiting_bytes: 0,
            paused: false,
            ending: false,
        };
        let replaced = self.sessions.insert(connection, session);
        assert!(replaced.is_none(), "a connection id is never used twice");
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        self.sessions.remove(&connection);
    }

    /// The address that the client connected to.
    pub(super) fn local(&self, connection: ConnectionId) -> Option<SocketAddr> {
        self.sessions.get(&connection).map(|session| session.local)
    }

    /// Takes a frame in: gives it back if it can be begun now, keeps it if something before it is held.
    pub(super) fn offer(
        &mut self,
        connection: ConnectionId,
        frame: QueuedFrame,
        effects: &mut VecDeque<Effect>,
    ) -> Option<QueuedFrame> {
        let session = self.sessions.get_mut(&connection)?;
        if session.ending {
            return None;
        }
        if session.held.is_none() {
            assert!(session.queued.is_empty(), "I2");
            return Some(frame);
        }
        session.waiting_bytes += frame.buffer_bytes;
        session.queued.push_back(frame);
        session.balance(connection, effects);
        None
    }

    /// A request begins: its answer gets the next place.
    pub(super) fn begin(&mut self, connection: ConnectionId) -> AnswerSlot {
        let session = self.sessions.get_mut(&connection).expect("the session of a request that begins");
        session.answers.push_back(None);
        AnswerSlot { connection, number: session.first + session.answers.len() as u64 - 1 }
    }

    /// The answer of a request is known; everything that is now in order leaves. A connection that is gone is ignored.
    pub(super) fn answer(&mut self, slot: AnswerSlot, answer: Answer, effects: &mut VecDeque<Effect>) {
        let Some(session) = self.sessions.get_mut(&slot.connection) else {
            return;
        };
        if slot.number < session.first {
            assert!(session.ending, "I1: a request was answered twice");
            return;
        }
        match &answer {
            Answer::Frame(frame) => session.waiting_bytes += frame.len(),
            Answer::Silent => {}
            Answer::Close(_) => session.end(),
        }
        let owed = &mut session.answers[(slot.number - session.first) as usize];
        assert!(owed.replace(answer).is_none(), "I1: a request was answered twice");
        session.send(slot.connection, effects);
        session.balance(slot.connection, effects);
    }

    /// Closes the connection after the answers that are owed so far.
    pub(super) fn close(&mut self, connection: ConnectionId, why: &str, effects: &mut VecDeque<Effect>) {
        let Some(session) = self.sessions.get(&connection).filter(|session| !session.ending) else {
            return;
        };
        // A held request will never be answered: the close takes its place.
        let held = session.held.as_ref().map(|(context, _)| context.answer);
        let slot = held.unwrap_or_else(|| self.begin(connection));
        self.answer(slot, Answer::Close(why.to_string()), effects);
    }

    /// Keeps a request that cannot go on; later requests of the connection queue behind it (I2).
    pub(super) fn hold(&mut self, context: Context, held: Held, wait: Wait, effects: &mut VecDeque<Effect>) {
        let connection = context.answer.connection;
        let Some(session) = self.sessions.get_mut(&connection) else {
            return;
        };
        assert!(session.held.is_none(), "I2: two requests of one connection are held");
        session.held = Some((context, held));
        session.balance(connection, effects);
        match wait {
            Wait::Partition(partition) => self.by_partition.entry(partition).or_default().push(connection),
            Wait::Ring => self.by_ring.push(connection),
        }
    }

    /// Takes out the held request, which is to be tried again.
    pub(super) fn take_held(&mut self, connection: ConnectionId) -> Option<(Context, Held)> {
        self.sessions.get_mut(&connection)?.held.take()
    }

    /// The next frame that can begin, after a held request went on.
    pub(super) fn next_queued(
        &mut self,
        connection: ConnectionId,
        effects: &mut VecDeque<Effect>,
    ) -> Option<QueuedFrame> {
        let session = self.sessions.get_mut(&connection)?;
        if session.held.is_some() {
            return None;
        }
        let frame = session.queued.pop_front()?;
        session.waiting_bytes -= frame.buffer_bytes;
        session.balance(connection, effects);
        Some(frame)
    }

    /// Connections that waited for this partition.
    pub(super) fn take_waiting_for(&mut self, partition: TopicPartition) -> Vec<ConnectionId> {
        self.by_partition.remove(&partition).unwrap_or_default()
    }

    /// Partitions of a topic that some connection waits for.
    pub(super) fn awaited_partitions_of(&self, topic: TopicId) -> Vec<TopicPartition> {
        let mut partitions: Vec<_> =
            self.by_partition.keys().filter(|partition| partition.topic == topic).copied().collect();
        partitions.sort_unstable();
        partitions
    }

    /// Connections that waited for room in the ring.
    pub(super) fn take_waiting_for_ring(&mut self) -> Vec<ConnectionId> {
        std::mem::take(&mut self.by_ring)
    }

    /// All connections, ascending.
    pub(super) fn connections(&self) -> Vec<ConnectionId> {
        let mut connections: Vec<_> = self.sessions.keys().copied().collect();
        connections.sort_unstable();
        connections
    }

    /// Asserts the invariants.
    pub(super) fn check(&self) {
        for session in self.sessions.values() {
            assert!(session.held.is_some() || session.queued.is_empty(), "I2");
            assert!(!matches!(session.answers.front(), Some(Some(_))), "I1: an answer in order was not sent");
            let frames = session.queued.iter().map(|frame| frame.buffer_bytes);
            let answers = session.answers.iter().map(|answer| match answer {
                Some(Answer::Frame(frame)) => frame.len(),
                _ => 0,
            });
            assert_eq!(session.waiting_bytes, frames.chain(answers).sum::<usize>());
        }
    }
}

impl Session {
    fn end(&mut self) {
        self.ending = true;
        self.held = None;
        self.waiting_bytes -= self.queued.iter().map(|frame| frame.buffer_bytes).sum::<usize>();
        self.queued.clear();
    }

    /// Sends what is in order (I1).
    fn send(&mut self, connection: ConnectionId, effects: &mut VecDeque<Effect>) {
        while let Some(Some(_)) = self.answers.front() {
            let answer = self.answers.pop_front().flatten().expect("looked at");
            self.first += 1;
            match answer {
                Answer::Frame(response) => {
                    self.waiting_bytes -= response.len();
                    effects.push_back(Effect::Reply { connection, response });
                }
                Answer::Silent => {}
                Answer::Close(why) => {
                    effects.push_back(Effect::Close { connection, why });
                    // Requests behind the closing one are dropped with their answers (I3).
                    self.first += self.answers.len() as u64;
                    self.answers.clear();
                    self.waiting_bytes = 0;
                }
            }
        }
    }

    /// Pauses reading above a bound, goes on below half of it (I4).
    fn balance(&mut self, connection: ConnectionId, effects: &mut VecDeque<Effect>) {
        let requests = self.answers.len() + self.queued.len();
        let above = |share: usize| {
            requests > SESSION_REQUESTS_MAX / share || self.waiting_bytes > SESSION_WAITING_BYTES_MAX / share
        };
        let paused = if self.paused { above(2) } else { above(1) };
        if paused != self.paused && !self.ending {
            self.paused = paused;
            effects.push_back(Effect::PauseReading { connection, paused });
        }
    }
}
