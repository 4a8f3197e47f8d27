//! The owning core's side: parts of requests that clients of other cores sent, or of this one.

use crate::base::clock::Now;
use crate::base::ids::{ConnectionId, CoreId};
use crate::broker::api::{self, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::Part;
use crate::broker::message::Message;
use crate::broker::queued::Queued;

impl Broker {
    /// A core asks for a part of a request.
    pub(in crate::broker) fn take_part(&mut self, from: CoreId, part: Box<Part>, now: Now) {
        let connection = self.sessions.forwarded(from, part.connection);
        let pressure = self.pressure();
        match self.sessions.offer(connection, Queued::Part(part), pressure, &mut self.effects) {
            Some(Queued::Part(part)) => self.begin_part(connection, *part, now),
            Some(Queued::Frame(_)) => unreachable!("a part was offered"),
            None => {}
        }
    }

    /// Begins a part.
    pub(in crate::broker) fn begin_part(&mut self, connection: ConnectionId, part: Part, now: Now) {
        let Part { ticket, version, buffer_bytes, request, .. } = part;
        let answer = self.sessions.begin_part(connection, ticket);
        let context = Context { answer, version, correlation_id: 0, buffer_bytes, is_part: true };
        let outcome = match self.is_stopping() {
            true => Outcome::Close("this machine is stopping".to_string()),
            false => api::run_part(self, &context, request, now),
        };
        self.conclude(&context, outcome);
    }

    /// A core does not wait for this watch any more.
    pub(in crate::broker) fn end_watch(&mut self, from: CoreId, connection: ConnectionId, ticket: u64) {
        let connection = ConnectionId::forwarded(from, connection);
        if let Some(slot) = self.sessions.find_watch(connection, ticket) {
            self.fetches.end_watch(slot);
        }
    }

    /// A connection of another core is gone: nothing is done for it any more.
    pub(in crate::broker) fn part_connection_gone(&mut self, from: CoreId, connection: ConnectionId) {
        self.forget_connection(ConnectionId::forwarded(from, connection));
    }

    /// The stop begins: what waits to be begun for other cores will not be.
    pub(in crate::broker) fn refuse_parts(&mut self, connection: ConnectionId, now: Now) {
        let why = || Outcome::Close("this machine is stopping".to_string());
        if let Some((context, _)) = self.sessions.take_held(connection) {
            self.conclude(&context, why());
        }
        let pressure = self.pressure();
        while let Some(Queued::Part(part)) = self.sessions.next_queued(connection, pressure, &mut self.effects) {
            self.begin_part(connection, *part, now);
        }
    }

    /// Sends what was answered to other cores; true if there was anything.
    pub(in crate::broker) fn send_part_replies(&mut self, now: Now) -> bool {
        let mut any = false;
        while let Some((core, ticket, answer)) = self.sessions.take_part_reply() {
            any = true;
            self.send(core, Message::PartAnswer { ticket, answer }, now);
        }
        any
    }
}
