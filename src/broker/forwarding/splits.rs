//! The asking core's side: requests whose parts are under way, and what came back.
//!
//! Invariants: (I1) a split request waits for each of its open tickets, and each open ticket of a round belongs to its split;
//! (I2) `parts` counts the open tickets of each connection, `watch_tickets` those of watches; (I3) `watching` names the requests that
//! wait for watches, oldest first.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{ConnectionId, CoreId};
use crate::base::map::Map;
use crate::broker::api::{Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::cut::Layout;
use crate::broker::forwarding::fetch::SplitFetch;
use crate::broker::forwarding::{Part, PartAnswer, PartRequest};
use crate::broker::message::Message;
use crate::broker::session::{Answer, AnswerSlot};
use crate::coordinator::answers;
use crate::wire::messages::{
    DeleteRecordsResponse, DescribeLogDirsResponse, DescribeLogDirsResult, DescribeLogDirsTopic,
    DescribeProducersResponse, ListOffsetsResponse, OffsetForLeaderEpochResponse, TopicName,
};
use crate::wire::produce::ProduceResponse;
use std::collections::{BTreeMap, BTreeSet};

/// A request whose parts are under way.
#[derive(Debug)]
pub(super) struct Split {
    pub(super) context: Context,
    pub(super) layout: Layout,
    /// Parts of this round whose answers are missing.
    pub(super) open: BTreeMap<u64, CoreId>,
    pub(super) answers: BTreeMap<CoreId, PartAnswer>,
    /// Of the request, accounted to the connection.
    bytes: usize,
    /// Memory set aside for the answers of a Fetch that come in.
    answer_bytes: usize,
    /// It appends or deletes: a stop waits for its answer.
    changes: bool,
    /// A Fetch may take several rounds.
    pub(super) fetch: Option<Box<SplitFetch>>,
    /// The parts of this round are watches.
    watches: bool,
}

/// See the module. Lives on the core that has the connections.
#[derive(Debug, Default)]
pub(in crate::broker) struct Splits {
    splits: BTreeMap<AnswerSlot, Split>,
    /// Of every part under way, those of watches included that nobody waits for any more.
    tickets: BTreeMap<u64, Opened>,
    watch_tickets: usize,
    /// By the first ticket of their watches.
    watching: BTreeMap<u64, AnswerSlot>,
    parts: Map<ConnectionId, usize>,
    /// Cores that may hold a session for a connection.
    asked: Map<ConnectionId, BTreeSet<CoreId>>,
    next_ticket: u64,
    /// Set aside by all.
    answer_bytes: usize,
}

/// A part under way.
#[derive(Clone, Copy, Debug)]
struct Opened {
    slot: AnswerSlot,
    is_watch: bool,
}

impl Split {
    pub(super) fn new(context: Context, layout: Layout, fetch: Option<Box<SplitFetch>>) -> Split {
        let (open, answers) = (BTreeMap::new(), BTreeMap::new());
        Split { context, layout, open, answers, bytes: 0, answer_bytes: 0, changes: false, fetch, watches: false }
    }

    /// The oldest ticket, if the parts of this round are watches. The first of them that ends, ends the round.
    fn first_watch(&self) -> Option<u64> {
        self.open.keys().next().copied().filter(|_| self.watches)
    }
}

impl Splits {
    /// True while a part of this connection is under way.
    pub(in crate::broker) fn has_parts(&self, connection: ConnectionId) -> bool {
        !self.parts.is_empty() && self.parts.contains_key(&connection)
    }

    /// Parts under way that are no watches.
    pub(in crate::broker) fn parts(&self) -> usize {
        self.tickets.len() - self.watch_tickets
    }

    /// Requests that wait for watches.
    pub(in crate::broker) fn waiting_fetches(&self) -> usize {
        self.watching.len()
    }

    /// The one of them that has waited longest, which it does no more.
    pub(super) fn take_oldest_waiting(&mut self) -> Option<Split> {
        let (_, slot) = self.watching.pop_first()?;
        let mut split = self.splits.remove(&slot).expect("I3");
        split.watches = false;
        Some(split)
    }

    /// True while a client is owed the answer of what changes something.
    pub(in crate::broker) fn owes_changes(&self) -> bool {
        self.splits.values().any(|split| split.changes)
    }

    /// Memory for answers that come in.
    pub(in crate::broker) fn answer_bytes(&self) -> u64 {
        self.answer_bytes as u64
    }

    /// Sets this much memory aside instead of what was.
    pub(super) fn set_aside(&mut self, split: &mut Split, bytes: usize) {
        self.answer_bytes = self.answer_bytes - split.answer_bytes + bytes;
        split.answer_bytes = bytes;
    }

    pub(super) fn open(&mut self, slot: AnswerSlot, owner: CoreId, is_watch: bool) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.tickets.insert(ticket, Opened { slot, is_watch });
        self.watch_tickets += usize::from(is_watch);
        *self.parts.entry(slot.connection).or_default() += 1;
        self.asked.entry(slot.connection).or_default().insert(owner);
        ticket
    }

    fn close(&mut self, ticket: u64) -> Option<AnswerSlot> {
        let Opened { slot, is_watch } = self.tickets.remove(&ticket)?;
        self.watch_tickets -= usize::from(is_watch);
        let parts = self.parts.get_mut(&slot.connection).expect("I2");
        *parts -= 1;
        if *parts == 0 {
            self.parts.remove(&slot.connection);
        }
        Some(slot)
    }

    pub(super) fn put(&mut self, split: Split) {
        if let Some(first) = split.first_watch() {
            self.watching.insert(first, split.context.answer);
        }
        let replaced = self.splits.insert(split.context.answer, split);
        assert!(replaced.is_none(), "a request is split once");
    }

    /// The connection is gone, or about to go to another core: gives those that know of it.
    pub(in crate::broker) fn disconnected(&mut self, connection: ConnectionId) -> BTreeSet<CoreId> {
        let range = AnswerSlot { connection, number: 0 }..=AnswerSlot { connection, number: u64::MAX };
        let gone: Vec<_> = self.splits.range(range).map(|(answer, _)| *answer).collect();
        for answer in gone {
            let split = self.splits.remove(&answer).expect("just seen");
            self.answer_bytes -= split.answer_bytes;
            if let Some(first) = split.first_watch() {
                self.watching.remove(&first);
            }
        }
        if self.parts.remove(&connection).is_some() {
            let watch_tickets = &mut self.watch_tickets;
            self.tickets.retain(|_, opened| {
                let stays = opened.slot.connection != connection;
                *watch_tickets -= usize::from(!stays && opened.is_watch);
                stays
            });
        }
        self.asked.remove(&connection).unwrap_or_default()
    }

    /// Asserts the invariants.
    pub(in crate::broker) fn check(&self) {
        for (slot, split) in &self.splits {
            assert!(!split.open.is_empty(), "I1: a complete request was not answered");
            assert!(
                split.open.keys().all(|one| self.tickets.get(one).is_some_and(|opened| opened.slot == *slot)),
                "I1"
            );
        }
        let watching: BTreeMap<_, _> =
            self.splits.iter().filter_map(|(slot, split)| Some((split.first_watch()?, *slot))).collect();
        assert_eq!(self.watching, watching, "I3");
        assert_eq!(self.tickets.values().filter(|opened| opened.is_watch).count(), self.watch_tickets, "I2");
        assert_eq!(self.answer_bytes, self.splits.values().map(|split| split.answer_bytes).sum::<usize>());
        assert_eq!(self.parts.values().sum::<usize>(), self.tickets.len(), "I2");
    }
}

impl Broker {
    /// Sends the parts of a request to their owners.
    pub(super) fn begin_split(
        &mut self,
        context: &Context,
        layout: Layout,
        parts: Vec<(CoreId, PartRequest)>,
        now: Now,
    ) -> Outcome {
        let bytes = context.buffer_bytes;
        let connection = context.answer.connection;
        self.sessions.note_forwarded(connection, bytes, false, &mut self.effects);
        let changes =
            parts.iter().any(|(_, part)| matches!(part, PartRequest::Produce(_) | PartRequest::DeleteRecords(_)));
        let split = Split { bytes, changes, ..Split::new(*context, layout, None) };
        self.send_parts(split, parts, now);
        Outcome::Parked
    }

    /// A round: one part to each owner.
    pub(super) fn send_parts(&mut self, mut split: Split, parts: Vec<(CoreId, PartRequest)>, now: Now) {
        let Context { answer, version, buffer_bytes, .. } = split.context;
        let connection = answer.connection;
        assert!(split.open.is_empty() && split.answers.is_empty() && !parts.is_empty());
        let mut ready = Vec::with_capacity(parts.len());
        for (owner, request) in parts {
            let is_watch = matches!(request, PartRequest::Watch { .. });
            split.watches |= is_watch;
            let ticket = self.splits.open(answer, owner, is_watch);
            split.open.insert(ticket, owner);
            ready.push((owner, Box::new(Part { connection, ticket, version, buffer_bytes, request })));
        }
        // Before the first is sent: this core's own part may be answered at once.
        self.splits.put(split);
        for (owner, part) in ready {
            self.send(owner, Message::Part(part), now);
        }
    }

    /// An owner answered.
    pub(in crate::broker) fn part_answered(&mut self, ticket: u64, answer: PartAnswer, now: Now) {
        // The client may be gone, or the answer one that nobody waits for any more.
        let Some(slot) = self.splits.close(ticket) else { return };
        let Some(split) = self.splits.splits.get_mut(&slot) else { return };
        let first_watch = split.first_watch();
        let Some(owner) = split.open.remove(&ticket) else { return };
        if let PartAnswer::WatchOver { expired } = answer {
            let mut split = self.splits.splits.remove(&slot).expect("looked up");
            self.splits.watching.remove(&first_watch.expect("a round of watches"));
            split.watches = false;
            return self.watch_over(split, expired, now);
        }
        split.answers.insert(owner, answer);
        if split.open.is_empty() {
            let split = self.splits.splits.remove(&slot).expect("looked up");
            self.round_done(split, now);
        }
    }

    /// All parts of a round are answered.
    fn round_done(&mut self, mut split: Split, now: Now) {
        let why = split.answers.values().find_map(|answer| match answer {
            PartAnswer::Close(why) => Some(why.clone()),
            _ => None,
        });
        if let Some(why) = why {
            return self.end_split(split, Answer::Close(why));
        }
        if split.fetch.is_some() {
            return self.fetch_round_done(split, now);
        }
        let mut merged = merge(&split.layout, std::mem::take(&mut split.answers), self.core);
        if let PartAnswer::Produce(response) = &mut merged {
            forget_hints(response);
        }
        let answer = match merged {
            PartAnswer::Silent => Answer::Silent,
            merged => Answer::Frame(merged.encode(split.context.version, split.context.correlation_id)),
        };
        self.end_split(split, answer);
    }

    /// The client gets its answer.
    pub(super) fn end_split(&mut self, mut split: Split, answer: Answer) {
        let slot = split.context.answer;
        self.splits.set_aside(&mut split, 0);
        self.sessions.note_forwarded(slot.connection, split.bytes, true, &mut self.effects);
        self.sessions.answer(slot, answer, &mut self.effects);
    }
}

/// An owner may have learnt only just that it is not one (the topic was made anew); where it points to is no broker for clients.
fn forget_hints(response: &mut ProduceResponse) {
    response.node_endpoints.clear();
    for answer in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        answer.current_leader = None;
    }
}

/// One answer out of those of all owners.
fn merge(layout: &Layout, mut answers: BTreeMap<CoreId, PartAnswer>, here: CoreId) -> PartAnswer {
    if answers.len() == 1 {
        return answers.pop_first().expect("one").1;
    }
    /// The topics of each answer of one kind.
    macro_rules! topics {
        ($kind:ident, $field:ident) => {{
            let of_kind = |(core, answer)| match answer {
                PartAnswer::$kind(response) => (core, response.$field),
                other => unreachable!("an answer of another kind: {other:?}"),
            };
            layout.merge(answers.into_iter().map(of_kind).collect(), here)
        }};
    }
    match answers.values().next().expect("a part per owner") {
        PartAnswer::Produce(_) => {
            PartAnswer::Produce(ProduceResponse { topics: topics!(Produce, topics), ..ProduceResponse::default() })
        }
        PartAnswer::ListOffsets(_) => {
            PartAnswer::ListOffsets(ListOffsetsResponse::default().with_topics(topics!(ListOffsets, topics)))
        }
        PartAnswer::DeleteRecords(_) => {
            PartAnswer::DeleteRecords(DeleteRecordsResponse::default().with_topics(topics!(DeleteRecords, topics)))
        }
        PartAnswer::OffsetForLeaderEpoch(_) => {
            let topics = topics!(OffsetForLeaderEpoch, topics);
            PartAnswer::OffsetForLeaderEpoch(OffsetForLeaderEpochResponse::default().with_topics(topics))
        }
        PartAnswer::DescribeProducers(_) => {
            let topics = topics!(DescribeProducers, topics);
            PartAnswer::DescribeProducers(DescribeProducersResponse::default().with_topics(topics))
        }
        PartAnswer::DescribeLogDirs(_) => PartAnswer::DescribeLogDirs(one_directory(answers)),
        PartAnswer::Group(_) => {
            let of_kind = |answer| match answer {
                PartAnswer::Group(response) => response,
                other => unreachable!("an answer of another kind: {other:?}"),
            };
            PartAnswer::Group(answers::merge(answers.into_values().map(of_kind).collect()))
        }
        PartAnswer::Silent => PartAnswer::Silent,
        PartAnswer::Fetch { .. } | PartAnswer::WatchOver { .. } | PartAnswer::Close(_) => {
            unreachable!("answered before they are merged here")
        }
    }
}

/// All cores share one data directory: one result, with the partitions of all.
fn one_directory(answers: BTreeMap<CoreId, PartAnswer>) -> DescribeLogDirsResponse {
    let mut merged: Option<DescribeLogDirsResult> = None;
    let mut topics: BTreeMap<TopicName, DescribeLogDirsTopic> = BTreeMap::new();
    for answer in answers.into_values() {
        let PartAnswer::DescribeLogDirs(response) = answer else {
            unreachable!("an answer of another kind: {answer:?}")
        };
        for mut result in response.results {
            for topic in std::mem::take(&mut result.topics) {
                let bare = || DescribeLogDirsTopic::default().with_name(topic.name.clone());
                topics.entry(topic.name.clone()).or_insert_with(bare).partitions.extend(topic.partitions);
            }
            match &mut merged {
                // A core whose journal failed tells so for the directory.
                Some(first) if first.error_code == ErrorCode::None.code() => first.error_code = result.error_code,
                Some(_) => {}
                None => merged = Some(result),
            }
        }
    }
    let mut topics: Vec<_> = topics.into_values().collect();
    topics.iter_mut().for_each(|topic| topic.partitions.sort_unstable_by_key(|partition| partition.partition_index));
    let merged = merged.map(|result| result.with_topics(topics));
    DescribeLogDirsResponse::default().with_results(merged.into_iter().collect())
}
