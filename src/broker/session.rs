//! Sessions: what the broker keeps per client connection, so that answers leave in request order and appends keep theirs.
//!
//! Lives on the connection's core; only `Broker` mutates it. On a core that does a part of the work for a connection of another
//! one (`forwarding`), a session keeps the order of those parts in the same way.
//!
//! ```text
//! frame -> [queued]* -> begun, owed an answer -> answered -> sent
//!                \-> held (waits for a partition or for room in the ring; everything behind it stays queued)
//! ```
//! A request also stays queued while its client does not take the answers that it has (I5), and unless it is a Produce or a
//! Fetch while the memory for answers is used up (`answer_memory`).
//! Invariants: (I1) answers leave in the order in which their requests came; (I2) while a request is held, no later request
//! of its connection begins, so that pipelined appends keep their order; (I3) after a close nothing is begun or sent;
//! (I4) reading is paused while more than `SESSION_REQUESTS_MAX` requests or `SESSION_WAITING_BYTES_MAX` bytes wait (less when
//! all sessions together keep much); (I5) no request begins while more than `SESSION_UNSENT_BYTES_MAX` bytes of answers are
//! on their way to a client; (I6) the sums over all sessions are what they say; (I7) answers to another core leave at once.

use crate::base::clock::Now;
use crate::base::gather::Gather;
use crate::base::ids::{ConnectionId, CoreId, TopicId, TopicPartition};
use crate::base::latency::Latency;
use crate::base::limits::{
    SESSION_REQUESTS_MAX, SESSION_UNSENT_BYTES_MAX, SESSION_WAITING_BYTES_MAX, SESSION_WAITING_BYTES_SCARCE,
    SESSIONS_KEPT_BYTES_MAX,
};
use crate::base::map::Map;
use crate::broker::api::{Context, Held, Wait};
use crate::broker::event::Effect;
use crate::broker::forwarding::PartAnswer;
use crate::broker::queued::{Pressure, Queued};
use crate::broker::returning::{Returning, Visitor};
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
    /// For the core that asked.
    Part(Box<PartAnswer>),
    /// Nothing is sent: acks=0.
    Silent,
    /// What came before is sent, then the connection is closed.
    Close(String),
}

/// Whose requests a session orders.
#[derive(Debug)]
enum Peer {
    /// A client, connected from the first address to this core at the second.
    Client(SocketAddr, SocketAddr),
    /// Another core (or this one), with the tickets of the answers that are owed, oldest first.
    Core { core: CoreId, tickets: VecDeque<u64> },
}

/// An answer on its way to the core that asked, and its ticket.
pub(super) type PartReply = (CoreId, u64, Box<PartAnswer>);

#[derive(Debug)]
struct Session {
    peer: Peer,
    /// Owed answers, oldest first; `None` until known.
    answers: VecDeque<Option<Answer>>,
    /// Number of the oldest owed answer.
    first: u64,
    held: Option<(Context, Held)>,
    /// Since when the oldest request that waits does so.
    waiting_since_ns: u64,
    queued: VecDeque<Queued>,
    queued_bytes: usize,
    /// Requests that other cores work on.
    forwarded_bytes: usize,
    /// Answers that wait for an earlier one.
    owed_bytes: usize,
    /// Answers that left in earlier turns and were not sent, as last told.
    unsent_bytes: usize,
    /// Answers that left in the turn of this number.
    replied: (u64, usize),
    /// Stands in line for memory.
    in_line: bool,
    paused: bool,
    /// Not read, so that it comes to owe nothing and can be handed over.
    leaving: bool,
    ending: bool,
    visitor: Visitor,
}

/// All sessions of a core.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    sessions: Map<ConnectionId, Session>,
    /// Connections whose held request waits for a partition to be loaded.
    by_partition: Map<TopicPartition, Vec<ConnectionId>>,
    /// Connections whose held request waits for room in the ring, in order.
    by_ring: Vec<ConnectionId>,
    /// Connections whose next request waits for memory, in order, and since when (monotonic milliseconds).
    by_memory: VecDeque<(ConnectionId, u64)>,
    /// Answers for other cores, in order.
    part_replies: VecDeque<PartReply>,
    sums: Sums,
    now: Now,
    /// From the arrival of requests that wait to when they can go on.
    held_latency: Latency,
    /// Whose next request is about to come.
    pub(super) returning: Returning,
}

/// Over all sessions.
#[derive(Debug, Default)]
struct Sums {
    turn: u64,
    /// Requests queued, held and forwarded.
    kept: usize,
    owed: usize,
    unsent: usize,
    /// In this turn.
    replied: usize,
}

impl Sums {
    fn replied_by(&self, session: &Session) -> usize {
        if session.replied.0 == self.turn { session.replied.1 } else { 0 }
    }

    /// I5.
    fn is_stuffed(&self, session: &Session) -> bool {
        session.unsent_bytes + self.replied_by(session) > SESSION_UNSENT_BYTES_MAX
    }
}

impl Sessions {
    pub(super) fn connected(&mut self, connection: ConnectionId, from: SocketAddr, local: SocketAddr) {
        let replaced = self.sessions.insert(connection, Session::new(Peer::Client(from, local)));
        assert!(replaced.is_none(), "a connection id is never used twice");
    }

    /// The session of a connection of `core` that this core works for.
    pub(super) fn forwarded(&mut self, core: CoreId, connection: ConnectionId) -> ConnectionId {
        let id = ConnectionId::forwarded(core, connection);
        let begin = || Session::new(Peer::Core { core, tickets: VecDeque::new() });
        self.sessions.entry(id).or_insert_with(begin);
        id
    }

    pub(super) fn disconnected(&mut self, connection: ConnectionId) {
        let Some(mut session) = self.sessions.remove(&connection) else { return };
        self.returning.excuse(&mut session.visitor);
        session.drop_requests(&mut self.sums);
        self.sums.kept -= session.forwarded_bytes;
        self.sums.owed -= session.owed_bytes;
        self.sums.unsent -= session.unsent_bytes;
        self.sums.replied -= self.sums.replied_by(&session);
        if session.in_line {
            self.by_memory.retain(|(waiting, _)| *waiting != connection);
        }
    }

    /// What the network has not taken of a connection's answers. True if its client may have more.
    pub(super) fn unsent(&mut self, connection: ConnectionId, bytes: usize) -> bool {
        let Some(session) = self.sessions.get_mut(&connection) else { return false };
        self.sums.unsent = self.sums.unsent - session.unsent_bytes + bytes;
        session.unsent_bytes = bytes;
        !self.sums.is_stuffed(session)
    }

    /// The answers of this turn are on their way: what of them is not sent will be told.
    pub(super) fn turn_replied(&mut self) {
        self.sums.turn += 1;
        self.sums.replied = 0;
    }

    /// Answers that were made and not sent.
    pub(super) fn answer_bytes(&self) -> usize {
        self.sums.owed + self.sums.unsent + self.sums.replied
    }

    /// I5: the client has to take its answers first.
    pub(super) fn is_stuffed(&self, connection: ConnectionId) -> bool {
        self.sessions.get(&connection).is_some_and(|session| self.sums.is_stuffed(session))
    }

    /// True if nothing of a connection is under way or waits, and it goes on.
    pub(super) fn owes_nothing(&self, connection: ConnectionId) -> bool {
        self.sessions.get(&connection).is_some_and(|session| {
            session.answers.is_empty() && session.held.is_none() && session.queued.is_empty() && !session.ending
        })
    }

    /// Holds a connection's later requests back, or does so no more.
    pub(super) fn set_leaving(&mut self, connection: ConnectionId, leaving: bool, effects: &mut VecDeque<Effect>) {
        if let Some(session) = self.sessions.get_mut(&connection) {
            session.leaving = leaving;
            session.balance(connection, &self.sums, effects);
        }
    }

    /// The connection that is next in line for memory.
    pub(super) fn take_waiting_for_memory(&mut self) -> Option<ConnectionId> {
        let (connection, _) = self.by_memory.pop_front()?;
        self.sessions.get_mut(&connection).expect("those in line are there").in_line = false;
        Some(connection)
    }

    /// Since when somebody stands in line for memory.
    pub(super) fn waits_for_memory_since(&self) -> Option<u64> {
        self.by_memory.front().map(|(_, since_ms)| *since_ms)
    }

    /// The clock of the turn.
    pub(super) fn set_now(&mut self, now: Now) {
        self.now = now;
    }

    /// How long requests waited that could not be begun at once.
    pub(super) fn held_latency(&self) -> &Latency {
        &self.held_latency
    }

    /// The address that the client connected to.
    pub(super) fn local(&self, connection: ConnectionId) -> Option<SocketAddr> {
        match self.sessions.get(&connection)?.peer {
            Peer::Client(_, local) => Some(local),
            Peer::Core { .. } => None,
        }
    }

    /// The address that the client connected from.
    pub(super) fn peer(&self, connection: ConnectionId) -> Option<SocketAddr> {
        match self.sessions.get(&connection)?.peer {
            Peer::Client(from, _) => Some(from),
            Peer::Core { .. } => None,
        }
    }

    /// Takes a request in: gives it back if it can be begun now, keeps it if something before it or memory has to be waited for.
    pub(super) fn offer(
        &mut self,
        connection: ConnectionId,
        request: Queued,
        pressure: Pressure,
        effects: &mut VecDeque<Effect>,
    ) -> Option<Queued> {
        let session = self.sessions.get_mut(&connection)?;
        self.returning.came(&mut session.visitor, self.now.monotonic_ns);
        if session.ending {
            return None;
        }
        let is_first = session.held.is_none() && session.queued.is_empty();
        if is_first && !self.sums.is_stuffed(session) && !pressure.keeps(&request, session.unsent_bytes) {
            return Some(request);
        }
        if is_first {
            session.waiting_since_ns = self.now.monotonic_ns;
        }
        session.queued_bytes += request.bytes();
        self.sums.kept += request.bytes();
        session.queued.push_back(request);
        session.balance(connection, &self.sums, effects);
        if is_first {
            self.line_up(connection, pressure);
        }
        None
    }

    /// If memory is what the first queued request of a session waits for, it stands in line for it.
    fn line_up(&mut self, connection: ConnectionId, pressure: Pressure) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        let waits = session.queued.front().is_some_and(|request| pressure.keeps(request, session.unsent_bytes));
        if waits && !session.in_line && !self.sums.is_stuffed(session) {
            session.in_line = true;
            self.by_memory.push_back((connection, self.now.monotonic_ms()));
        }
    }

    /// A request begins: its answer gets the next place.
    pub(super) fn begin(&mut self, connection: ConnectionId) -> AnswerSlot {
        let session = self.sessions.get_mut(&connection).expect("the session of a request that begins");
        session.answers.push_back(None);
        AnswerSlot { connection, number: session.first + session.answers.len() as u64 - 1 }
    }

    /// A part of another core's request begins; its answer goes back with this ticket.
    pub(super) fn begin_part(&mut self, connection: ConnectionId, ticket: u64) -> AnswerSlot {
        let session = self.sessions.get_mut(&connection).expect("the session of a part that begins");
        match &mut session.peer {
            Peer::Core { tickets, .. } => tickets.push_back(ticket),
            Peer::Client(..) => unreachable!("clients send whole requests"),
        }
        self.begin(connection)
    }

    /// The next answer for another core, or for this one itself.
    pub(super) fn take_part_reply(&mut self) -> Option<PartReply> {
        self.part_replies.pop_front()
    }

    /// Other cores began work on a request of this size, or ended it.
    pub(super) fn note_forwarded(
        &mut self,
        connection: ConnectionId,
        bytes: usize,
        ended: bool,
        effects: &mut VecDeque<Effect>,
    ) {
        let Some(session) = self.sessions.get_mut(&connection) else { return };
        for sum in [&mut session.forwarded_bytes, &mut self.sums.kept] {
            *sum = if ended { *sum - bytes } else { *sum + bytes };
        }
        session.balance(connection, &self.sums, effects);
    }

    /// The answer of a request is known; everything that is now in order leaves. A connection that is gone is ignored.
    pub(super) fn answer(&mut self, slot: AnswerSlot, answer: Answer, effects: &mut VecDeque<Effect>) {
        let Sessions { sessions, part_replies, sums, .. } = self;
        let Some(session) = sessions.get_mut(&slot.connection) else {
            return;
        };
        if slot.number < session.first {
            assert!(session.ending, "I1: a request was answered twice");
            return;
        }
        match &answer {
            Answer::Frame(frame) => {
                session.owed_bytes += frame.len();
                sums.owed += frame.len();
            }
            Answer::Silent | Answer::Part(_) => {}
            Answer::Close(_) => session.end(sums),
        }
        let at = (slot.number - session.first) as usize;
        let answer = match (answer, &session.peer) {
            // The core that asked puts the answers in order, so none waits here for an earlier one: a watch may last for minutes, and
            // memory is set aside for what comes in over there (I7).
            (Answer::Part(answer), Peer::Core { core, tickets }) => {
                part_replies.push_back((*core, tickets[at], answer));
                Answer::Silent
            }
            (answer, _) => answer,
        };
        assert!(session.answers[at].replace(answer).is_none(), "I1: a request was answered twice");
        session.send(slot.connection, sums, effects);
        session.balance(slot.connection, sums, effects);
    }

    /// Like [`Sessions::answer`], for an answer that waited for the disk.
    pub(super) fn answer_flushed(&mut self, slot: AnswerSlot, answer: Answer, effects: &mut VecDeque<Effect>) {
        self.answer(slot, answer, effects);
        if let Some(session) = self.sessions.get_mut(&slot.connection)
            && session.answers.is_empty()
            && session.queued.is_empty()
        {
            self.returning.answered(&mut session.visitor, self.now.monotonic_ns);
        }
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
        self.sums.kept += context.buffer_bytes;
        session.held = Some((context, held));
        session.waiting_since_ns = self.now.monotonic_ns;
        session.balance(connection, &self.sums, effects);
        match wait {
            Wait::Partition(partition) => self.by_partition.entry(partition).or_default().push(connection),
            Wait::Ring => self.by_ring.push(connection),
            // Its end names the connection.
            Wait::Inspection => {}
        }
    }

    /// The held request of a connection.
    pub(super) fn held_mut(&mut self, connection: ConnectionId) -> Option<&mut Held> {
        self.sessions.get_mut(&connection)?.held.as_mut().map(|(_, held)| held)
    }

    /// Takes out the held request, which is to be tried again.
    pub(super) fn take_held(&mut self, connection: ConnectionId) -> Option<(Context, Held)> {
        let session = self.sessions.get_mut(&connection)?;
        let held = session.held.take()?;
        self.held_latency.record(self.now.monotonic_ns - session.waiting_since_ns, 1);
        self.sums.kept -= held.0.buffer_bytes;
        Some(held)
    }

    /// The next request that can begin, after something went on.
    pub(super) fn next_queued(
        &mut self,
        connection: ConnectionId,
        pressure: Pressure,
        effects: &mut VecDeque<Effect>,
    ) -> Option<Queued> {
        let session = self.sessions.get_mut(&connection)?;
        if session.held.is_some() || self.sums.is_stuffed(session) {
            return None;
        }
        if session.queued.front().is_some_and(|request| pressure.keeps(request, session.unsent_bytes)) {
            self.line_up(connection, pressure);
            return None;
        }
        let request = session.queued.pop_front()?;
        self.held_latency.record(self.now.monotonic_ns - session.waiting_since_ns, 1);
        session.queued_bytes -= request.bytes();
        self.sums.kept -= request.bytes();
        session.balance(connection, &self.sums, effects);
        Some(request)
    }

    /// Where the answer with this ticket will go; a watch that did not begin is over as soon as it does.
    pub(super) fn find_watch(&mut self, connection: ConnectionId, ticket: u64) -> Option<AnswerSlot> {
        let session = self.sessions.get_mut(&connection)?;
        for queued in &mut session.queued {
            match queued {
                Queued::Part(part) if part.ticket == ticket => part.end_watch(),
                _ => {}
            }
        }
        let Peer::Core { tickets, .. } = &session.peer else { return None };
        let at = tickets.iter().position(|owed| *owed == ticket)?;
        Some(AnswerSlot { connection, number: session.first + at as u64 })
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

    /// The connections of this core's clients, ascending; and those of other cores that this one works for.
    pub(super) fn connections(&self) -> (Vec<ConnectionId>, Vec<ConnectionId>) {
        let is_client = |connection: &ConnectionId| matches!(self.sessions[connection].peer, Peer::Client(..));
        let mut connections: Vec<_> = self.sessions.keys().copied().collect();
        connections.sort_unstable();
        connections.into_iter().partition(is_client)
    }

    /// Asserts the invariants.
    pub(super) fn check(&self) {
        let mut sums = Sums { turn: self.sums.turn, ..Sums::default() };
        for (connection, session) in &self.sessions {
            let in_line = self.by_memory.iter().any(|(waiting, _)| waiting == connection);
            assert_eq!(session.in_line, in_line);
            let waits = session.held.is_some() || self.sums.is_stuffed(session) || session.in_line;
            assert!(waits || session.queued.is_empty(), "I2, I5: a request waits for nothing");
            assert!(!matches!(session.answers.front(), Some(Some(_))), "I1: an answer in order was not sent");
            let answers = session.answers.iter().map(|answer| match answer {
                Some(Answer::Frame(frame)) => frame.len(),
                _ => 0,
            });
            assert_eq!(session.owed_bytes, answers.sum::<usize>());
            assert_eq!(session.queued_bytes, session.queued.iter().map(Queued::bytes).sum::<usize>());
            if let Peer::Core { tickets, .. } = &session.peer {
                assert_eq!(tickets.len(), session.answers.len(), "I1: a ticket for each answer");
            }
            sums.kept += session.queued_bytes + session.held_bytes() + session.forwarded_bytes;
            sums.owed += session.owed_bytes;
            sums.unsent += session.unsent_bytes;
            sums.replied += sums.replied_by(session);
        }
        let all = |sums: &Sums| (sums.kept, sums.owed, sums.unsent, sums.replied);
        assert_eq!(all(&self.sums), all(&sums), "I6");
    }
}

impl Session {
    fn new(peer: Peer) -> Session {
        Session {
            peer,
            answers: VecDeque::new(),
            first: 0,
            held: None,
            waiting_since_ns: 0,
            queued: VecDeque::new(),
            queued_bytes: 0,
            forwarded_bytes: 0,
            owed_bytes: 0,
            unsent_bytes: 0,
            replied: (0, 0),
            in_line: false,
            paused: false,
            leaving: false,
            ending: false,
            visitor: Visitor::default(),
        }
    }

    fn end(&mut self, sums: &mut Sums) {
        self.ending = true;
        self.drop_requests(sums);
    }

    fn held_bytes(&self) -> usize {
        self.held.as_ref().map_or(0, |(context, _)| context.buffer_bytes)
    }

    fn drop_requests(&mut self, sums: &mut Sums) {
        sums.kept -= self.queued_bytes + self.held_bytes();
        self.queued_bytes = 0;
        self.held = None;
        self.queued.clear();
    }

    /// Sends what is in order (I1).
    fn send(&mut self, connection: ConnectionId, sums: &mut Sums, effects: &mut VecDeque<Effect>) {
        while let Some(Some(_)) = self.answers.front() {
            let answer = self.answers.pop_front().flatten().expect("looked at");
            self.first += 1;
            if let Peer::Core { tickets, .. } = &mut self.peer {
                tickets.pop_front().expect("a ticket for each answer");
            }
            match answer {
                Answer::Frame(response) => {
                    self.owed_bytes -= response.len();
                    sums.owed -= response.len();
                    self.replied = (sums.turn, sums.replied_by(self) + response.len());
                    sums.replied += response.len();
                    effects.push_back(Effect::Reply { connection, response });
                }
                Answer::Part(_) => unreachable!("clients get frames, and cores theirs at once"),
                Answer::Silent => {}
                Answer::Close(why) => {
                    effects.push_back(Effect::Close { connection, why });
                    // Requests behind the closing one are dropped with their answers (I3).
                    self.first += self.answers.len() as u64;
                    self.answers.clear();
                    sums.owed -= std::mem::take(&mut self.owed_bytes);
                }
            }
        }
    }

    /// Pauses reading above a bound, goes on below half of it (I4).
    fn balance(&mut self, connection: ConnectionId, sums: &Sums, effects: &mut VecDeque<Effect>) {
        let requests = self.answers.len() + self.queued.len();
        let waiting_bytes = self.queued_bytes + self.forwarded_bytes + self.owed_bytes;
        let scarce = sums.kept > SESSIONS_KEPT_BYTES_MAX;
        let bytes_max = if scarce { SESSION_WAITING_BYTES_SCARCE } else { SESSION_WAITING_BYTES_MAX };
        let above = |share: usize| requests > SESSION_REQUESTS_MAX / share || waiting_bytes > bytes_max / share;
        let paused = self.leaving || if self.paused { above(2) } else { above(1) };
        if paused != self.paused && !self.ending && matches!(self.peer, Peer::Client(..)) {
            self.paused = paused;
            effects.push_back(Effect::PauseReading { connection, paused });
        }
    }
}
