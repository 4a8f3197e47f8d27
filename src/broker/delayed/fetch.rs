//! Fetch requests that wait for enough bytes, and those whose bytes are being read from the disk.
//!
//! ```text
//! planned -> parked (too few bytes, or a partition is being loaded) -> due -> planned again from the start
//!        \-> reading (some batches are on the disk only) -> answered
//! ```
//! A parked request keeps nothing but the request and how many bytes it saw. A moved high watermark adds the bytes of that
//! one partition; when they suffice, or at the deadline, or when a watched partition changes state, the request is due.
//!
//! Invariants: (I1) every watch belongs to a parked request, and its request names it; (I2) a parked request is due at its
//! deadline at the latest, unless a partition is still being loaded; (I3) requests that wait for memory are planned again
//! one per connection in turn, before any that comes new, and not while their client does not take the answers that it has.

use crate::base::ids::{ConnectionId, TopicId, TopicPartition};
use crate::base::map::Map;
use crate::base::offset::Offset;
use crate::broker::api::Context;
use crate::broker::fetch_session::SessionUse;
use crate::broker::session::AnswerSlot;
use crate::log::effect::Ticket;
use crate::wire::fetch::{FetchRequest, FetchResponse};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// One partition that a parked Fetch watches.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct Watch {
    pub(in crate::broker) partition: TopicPartition,
    /// First offset wanted.
    pub(in crate::broker) from: Offset,
    /// Bytes beyond these do not count.
    pub(in crate::broker) bytes_max: u64,
    /// Bytes counted so far.
    pub(in crate::broker) counted: u64,
}

/// What a Fetch waits for; kept over replanning.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct Patience {
    /// Bytes that the client thinks worth an answer; more of one partition do not count.
    pub(in crate::broker) wanted: u64,
    /// It is due with this many: as wanted, or what a watch is for.
    pub(in crate::broker) threshold: u64,
    /// Monotonic nanoseconds.
    pub(in crate::broker) deadline_ns: u64,
    /// Nothing is to be read: another core only wants to know when it is worth asking (`forwarding`).
    pub(in crate::broker) is_watch: bool,
}

/// A Fetch that waits.
#[derive(Debug)]
pub(in crate::broker) struct ParkedFetch {
    pub(in crate::broker) context: Context,
    pub(in crate::broker) request: FetchRequest,
    pub(in crate::broker) using: SessionUse,
    pub(in crate::broker) patience: Patience,
    /// Bytes missing until it is due; `None`: a partition is being loaded, bytes and deadline do not matter yet.
    pub(in crate::broker) missing_bytes: Option<u64>,
}

/// A Fetch whose answer lacks batches that are on the disk.
#[derive(Debug)]
pub(in crate::broker) struct ReadingFetch {
    pub(in crate::broker) context: Context,
    pub(in crate::broker) using: SessionUse,
    pub(in crate::broker) response: FetchResponse,
    /// Bytes that count towards what the client wants.
    pub(in crate::broker) available: u64,
    /// Reads under way: ticket, and where in the answer the batches belong.
    pub(in crate::broker) tickets: Vec<(Ticket, usize, usize)>,
    /// Memory that the reads may take.
    pub(in crate::broker) bytes: u64,
}

#[derive(Debug)]
struct Parked {
    fetch: ParkedFetch,
    watched: Vec<TopicPartition>,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct DelayedFetches {
    parked: BTreeMap<AnswerSlot, Parked>,
    /// By partition: who watches it, and which of the request's watches it is (a request may name a partition twice).
    watches: Map<TopicPartition, BTreeMap<(AnswerSlot, u32), Watch>>,
    deadlines: BTreeSet<(u64, AnswerSlot)>,
    due: BTreeSet<AnswerSlot>,
    reading: BTreeMap<AnswerSlot, ReadingFetch>,
    tickets: Map<Ticket, AnswerSlot>,
    /// Memory that all reads under way may take.
    reading_bytes: u64,
    /// Requests that could be answered, but wait for memory.
    starved: Map<ConnectionId, Starved>,
    /// Connections in line for memory, each with the time (monotonic milliseconds) of its place.
    line: VecDeque<(ConnectionId, u64)>,
}

/// Requests of one connection, oldest first, never none.
#[derive(Debug, Default)]
struct Starved {
    requests: VecDeque<ParkedFetch>,
    in_line: bool,
}

impl DelayedFetches {
    /// Parks a request that watches `watches`.
    pub(in crate::broker) fn park(&mut self, fetch: ParkedFetch, watches: Vec<Watch>) {
        let answer = fetch.context.answer;
        let watched = watches.iter().map(|watch| watch.partition).collect();
        for (watch, at) in watches.into_iter().zip(0..) {
            self.watches.entry(watch.partition).or_default().insert((answer, at), watch);
        }
        if fetch.missing_bytes.is_some() {
            self.deadlines.insert((fetch.patience.deadline_ns, answer));
        }
        let replaced = self.parked.insert(answer, Parked { fetch, watched });
        assert!(replaced.is_none(), "a request is parked once");
    }

    /// The readable end of a partition rose. `available` gives the bytes between an offset and the new
    /// end, counted up to a bound.
    pub(in crate::broker) fn advance(&mut self, partition: TopicPartition, available: impl Fn(Offset, u64) -> u64) {
        let Some(watches) = self.watches.get_mut(&partition) else {
            return;
        };
        for ((answer, _), watch) in watches {
            let parked = self.parked.get_mut(answer).expect("I1: the request of a watch");
            let Some(missing) = &mut parked.fetch.missing_bytes else {
                continue;
            };
            let bytes = available(watch.from, watch.bytes_max);
            *missing = missing.saturating_sub(bytes.saturating_sub(watch.counted));
            watch.counted = watch.counted.max(bytes);
            if *missing == 0 {
                self.due.insert(*answer);
            }
        }
    }

    /// A partition was loaded, went offline or was deleted: whoever watches it is planned again.
    pub(in crate::broker) fn changed(&mut self, partition: TopicPartition) {
        if let Some(watches) = self.watches.get(&partition) {
            self.due.extend(watches.keys().map(|(answer, _)| *answer));
        }
    }

    /// A topic was deleted.
    pub(in crate::broker) fn topic_deleted(&mut self, topic: TopicId) {
        let mut partitions: Vec<_> = self.watches.keys().filter(|watched| watched.topic == topic).copied().collect();
        partitions.sort_unstable();
        for partition in partitions {
            self.changed(partition);
        }
    }

    /// Nobody waits for this watch any more. It may have ended already.
    pub(in crate::broker) fn end_watch(&mut self, answer: AnswerSlot) {
        let Some(parked) = self.parked.get_mut(&answer) else { return };
        assert!(parked.fetch.patience.is_watch);
        self.deadlines.remove(&(parked.fetch.patience.deadline_ns, answer));
        parked.fetch.patience.deadline_ns = 0;
        self.due.insert(answer);
    }

    /// Everything is due, whatever it waits for (stop).
    pub(in crate::broker) fn all_due(&mut self) {
        self.due.extend(self.parked.keys());
    }

    /// Marks what has waited long enough.
    pub(in crate::broker) fn expire(&mut self, monotonic_ns: u64) {
        while let Some((deadline_ns, answer)) = self.deadlines.first().copied() {
            if deadline_ns > monotonic_ns {
                return;
            }
            self.deadlines.pop_first();
            self.due.insert(answer);
        }
    }

    /// The next request to be planned again because it is due.
    pub(in crate::broker) fn take_due(&mut self) -> Option<ParkedFetch> {
        let answer = self.due.pop_first()?;
        Some(self.unpark(answer).expect("what is due is parked"))
    }

    /// True if a connection that may have memory stands in line for it. Those whose clients have answers to take leave the line
    /// until [`DelayedFetches::readmit`].
    pub(in crate::broker) fn has_line(&mut self, is_stuffed: impl Fn(ConnectionId) -> bool) -> bool {
        while let Some((connection, _)) = self.line.front() {
            if !is_stuffed(*connection) {
                return true;
            }
            self.starved.get_mut(connection).expect("I3").in_line = false;
            self.line.pop_front();
        }
        false
    }

    /// The next request that waits for memory, of the connection at the front of the line ([`DelayedFetches::has_line`]); it goes
    /// to the end of the line if it has more.
    pub(in crate::broker) fn take_starved(&mut self, now_ms: u64) -> Option<ParkedFetch> {
        let (connection, _) = self.line.pop_front()?;
        let starved = self.starved.get_mut(&connection).expect("I3");
        let fetch = starved.requests.pop_front();
        starved.in_line = !starved.requests.is_empty();
        if starved.in_line {
            self.line.push_back((connection, now_ms));
        } else {
            self.starved.remove(&connection);
        }
        fetch
    }

    /// The client has taken its answers: what waits of it stands in line again.
    pub(in crate::broker) fn readmit(&mut self, connection: ConnectionId, now_ms: u64) {
        if let Some(starved) = self.starved.get_mut(&connection).filter(|starved| !starved.in_line) {
            starved.in_line = true;
            self.line.push_back((connection, now_ms));
        }
    }

    /// Earliest deadline.
    pub(in crate::broker) fn next_deadline(&self) -> Option<u64> {
        self.deadlines.first().map(|(deadline_ns, _)| *deadline_ns)
    }

    /// Memory that reads under way may take.
    pub(in crate::broker) fn reading_bytes(&self) -> u64 {
        self.reading_bytes
    }

    /// Since when the first in line waits for memory.
    pub(in crate::broker) fn starves_since_ms(&self) -> Option<u64> {
        self.line.front().map(|(_, since_ms)| *since_ms)
    }

    /// Waits for memory, behind what waits of its connection.
    pub(in crate::broker) fn starve(&mut self, fetch: ParkedFetch, now_ms: u64) {
        let connection = fetch.context.answer.connection;
        self.starved.entry(connection).or_default().requests.push_back(fetch);
        self.readmit(connection, now_ms);
    }

    /// Waits for reads.
    pub(in crate::broker) fn read(&mut self, fetch: ReadingFetch) {
        assert!(!fetch.tickets.is_empty());
        for (ticket, _, _) in &fetch.tickets {
            self.tickets.insert(*ticket, fetch.context.answer);
        }
        self.reading_bytes += fetch.bytes;
        self.reading.insert(fetch.context.answer, fetch);
    }

    /// A read ended: `put` writes its outcome into the answer. Gives the request when nothing is missing any more.
    pub(in crate::broker) fn read_done(
        &mut self,
        ticket: Ticket,
        put: impl FnOnce(&mut FetchResponse, i16, (usize, usize)),
    ) -> Option<ReadingFetch> {
        let answer = self.tickets.remove(&ticket)?;
        let fetch = self.reading.get_mut(&answer)?;
        let at = fetch.tickets.iter().position(|(awaited, _, _)| *awaited == ticket)?;
        let (_, topic_at, partition_at) = fetch.tickets.swap_remove(at);
        put(&mut fetch.response, fetch.context.version, (topic_at, partition_at));
        if !fetch.tickets.is_empty() {
            return None;
        }
        let fetch = self.reading.remove(&answer)?;
        self.reading_bytes -= fetch.bytes;
        Some(fetch)
    }

    /// The client is gone: its requests are forgotten. Reads under way keep their memory until they end.
    pub(in crate::broker) fn disconnected(&mut self, connection: ConnectionId) {
        let range = AnswerSlot { connection, number: 0 }..=AnswerSlot { connection, number: u64::MAX };
        let parked: Vec<_> = self.parked.range(range).map(|(answer, _)| *answer).collect();
        for answer in parked {
            self.unpark(answer);
            self.due.remove(&answer);
        }
        if self.starved.remove(&connection).is_some_and(|starved| starved.in_line) {
            self.line.retain(|(waiting, _)| *waiting != connection);
        }
    }

    /// Asserts the invariants.
    pub(in crate::broker) fn check(&self) {
        let watched: usize = self.parked.values().map(|parked| parked.watched.len()).sum();
        assert_eq!(watched, self.watches.values().map(BTreeMap::len).sum::<usize>(), "I1");
        for answer in self.watches.values().flat_map(BTreeMap::keys).map(|(answer, _)| answer) {
            assert!(self.parked.contains_key(answer), "I1");
        }
        for (answer, parked) in &self.parked {
            let timed = self.deadlines.contains(&(parked.fetch.patience.deadline_ns, *answer));
            assert!(timed || self.due.contains(answer) || parked.fetch.missing_bytes.is_none(), "I2");
        }
        assert_eq!(self.reading_bytes, self.reading.values().map(|fetch| fetch.bytes).sum::<u64>());
        assert_eq!(self.starved.values().filter(|starved| starved.in_line).count(), self.line.len(), "I3");
        assert!(self.line.iter().all(|(one, _)| self.starved.get(one).is_some_and(|starved| starved.in_line)), "I3");
        assert!(self.starved.values().all(|starved| !starved.requests.is_empty()), "I3");
        assert!(self.due.iter().all(|answer| self.parked.contains_key(answer)));
    }

    fn unpark(&mut self, answer: AnswerSlot) -> Option<ParkedFetch> {
        let Parked { fetch, watched } = self.parked.remove(&answer)?;
        self.deadlines.remove(&(fetch.patience.deadline_ns, answer));
        for (partition, at) in watched.into_iter().zip(0..) {
            let watches = self.watches.get_mut(&partition).expect("I1");
            watches.remove(&(answer, at)).expect("I1");
            if watches.is_empty() {
                self.watches.remove(&partition);
            }
        }
        Some(fetch)
    }
}
