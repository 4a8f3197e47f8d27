//! Connections that ask for what lives on one other core only: they are handed over to it, socket and all.
//!
//! ```text
//! stranger -- HAND_OVER_STREAK_MIN requests in a row about the same other core --> leaving -- nothing is owed --> gone
//!     ^────────────────── a request about anything else ──────────────────────────────┘
//! ```
//! A connection that only produces always has requests under way; so it is not read while it is leaving, until they are
//! answered. One that fetches is never held up like this: its Fetch may wait for what a later request of it produces.
//!
//! Invariant: (H1) a connection leaves only while nothing of it is owed, queued or under way, so whatever it sends next is handled
//! behind everything before.

use crate::base::ids::{ConnectionId, CoreId};
use crate::base::limits::HAND_OVER_STREAK_MIN;
use crate::base::map::Map;
use crate::broker::broker::Broker;
use crate::broker::event::Effect;
use std::collections::BTreeSet;

/// Where a connection's last requests belonged.
#[derive(Clone, Copy, Debug)]
struct Home {
    core: CoreId,
    requests: u32,
    fetches: bool,
    /// The fetch session that it goes on with.
    session: Option<i32>,
}

/// Connections of this core that seem to belong to another one. Lives on its core.
#[derive(Debug, Default)]
pub(in crate::broker) struct Homes {
    strangers: Map<ConnectionId, Home>,
    leaving: BTreeSet<ConnectionId>,
}

/// A request about partitions, as far as it tells where its connection belongs.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) enum Asked {
    Fetch {
        /// Its fetch session, if it goes on with one.
        session: Option<i32>,
    },
    Else,
}

impl Homes {
    pub(in crate::broker) fn disconnected(&mut self, connection: ConnectionId) {
        self.strangers.remove(&connection);
        self.leaving.remove(&connection);
    }

    /// Takes note of a request; gives the home once there is one.
    fn note(&mut self, connection: ConnectionId, core: CoreId, asked: Asked) -> Home {
        let begin = Home { core, requests: 0, fetches: false, session: None };
        let home = self.strangers.entry(connection).or_insert(begin);
        if home.core != core {
            *home = begin;
        }
        home.requests += 1;
        if let Asked::Fetch { session } = asked {
            home.fetches = true;
            home.session = session.or(home.session);
        }
        *home
    }
}

impl Broker {
    /// A client asked for partitions of this one core, or of several.
    pub(super) fn note_home(&mut self, connection: ConnectionId, only: Option<CoreId>, asked: Asked) {
        let Some(core) = only.filter(|core| *core != self.core) else {
            if self.homes.leaving.contains(&connection) {
                self.sessions.set_leaving(connection, false, &mut self.effects);
            }
            return self.homes.disconnected(connection);
        };
        let home = self.homes.note(connection, core, asked);
        if home.requests < HAND_OVER_STREAK_MIN {
            return;
        }
        self.homes.leaving.insert(connection);
        self.sessions.set_leaving(connection, !home.fetches, &mut self.effects);
    }

    /// At the end of a turn: hands over what may leave now (H1).
    pub(in crate::broker) fn hand_over_strangers(&mut self) {
        if self.homes.leaving.is_empty() || self.is_stopping() {
            return;
        }
        let is_free = |one: &ConnectionId| self.sessions.owes_nothing(*one) && !self.splits.has_parts(*one);
        let free: Vec<_> = self.homes.leaving.iter().copied().filter(is_free).collect();
        for connection in free {
            let home = self.homes.strangers.remove(&connection).expect("who leaves has a home");
            self.homes.leaving.remove(&connection);
            if let Some(session) = home.session {
                self.fetch_sessions.end(session);
            }
            self.counters.connections_handed_over += 1;
            self.effects.push_back(Effect::HandOver { connection, to: home.core });
        }
    }
}
