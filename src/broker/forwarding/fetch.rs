//! A Fetch whose partitions live on several cores.
//!
//! ```text
//! round: ask every owner for what is there now -> enough bytes, an error, or the time is over -> merged, answered
//!            ^                               \-> too little: a watch per owner
//!            └── the first watch that ends ends the others ──┘
//! ```
//! A watch ends when its owner's bytes have grown by its share of what is missing. When enough bytes are there in all, some
//! owner has its share, so none is overlooked; what came in too early just begins another round. As many Fetches wait like this as
//! [`WAITING_FETCHES_FORWARDED_MAX`] says; then the one that has waited longest is answered. The session is the asking
//! core's; owners see requests without one.
//!
//! Each owner may fill its share of the client's `max_bytes`. An owner gives one whole batch whatever the bound says, so the
//! merged answer may exceed it: then, in the order of the request, what does not fit is left for the next Fetch. The memory for
//! the answer is set aside by the asking core, and owners do not wait for any: cores that ask each other would wait for ever.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::gather::Gather;
use crate::base::ids::CoreId;
use crate::base::limits::{FETCH_GRANT_BYTES_MIN, WAITING_FETCHES_FORWARDED_MAX};
use crate::broker::api::{Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::delayed::fetch::{ParkedFetch, Patience};
use crate::broker::fetch_session::SessionUse;
use crate::broker::forwarding::cut::Layout;
use crate::broker::forwarding::homes::Asked;
use crate::broker::forwarding::splits::Split;
use crate::broker::forwarding::{PartAnswer, PartRequest};
use crate::broker::message::Message;
use crate::broker::session::Answer;
use crate::wire::fetch::{FetchRequest, FetchResponse};
use std::collections::BTreeMap;

/// What a split Fetch keeps over its rounds.
#[derive(Debug)]
pub(super) struct SplitFetch {
    request: FetchRequest,
    using: SessionUse,
    patience: Patience,
    /// Record bytes of this round's answer.
    bytes_max: usize,
    /// The time is over: whatever the next round brings is the answer.
    last: bool,
}

impl SplitFetch {
    /// What each owner is asked for now.
    fn ask(&self, layout: &mut Layout, here: CoreId) -> Vec<(CoreId, PartRequest)> {
        let parts = layout.cut(self.request.topics.clone(), here);
        let share = self.bytes_max.div_ceil(parts.len());
        let part = |(owner, topics)| {
            let request = FetchRequest { max_bytes: share as i32, ..self.without_session(topics) };
            (owner, PartRequest::Fetch { request, wanted: self.patience.wanted })
        };
        parts.into_iter().map(part).collect()
    }

    /// A watch for each owner, which has `available` bytes already.
    fn watch(
        &self,
        layout: &mut Layout,
        here: CoreId,
        available: &BTreeMap<CoreId, u64>,
    ) -> Vec<(CoreId, PartRequest)> {
        let parts = layout.cut(self.request.topics.clone(), here);
        let missing = self.patience.wanted - available.values().sum::<u64>();
        let share = missing.div_ceil(parts.len() as u64);
        let part = |(owner, topics)| {
            let request = self.without_session(topics);
            let threshold = available[&owner] + share;
            let deadline_ns = self.patience.deadline_ns;
            (owner, PartRequest::Watch { request, wanted: self.patience.wanted, threshold, deadline_ns })
        };
        parts.into_iter().map(part).collect()
    }

    fn without_session(&self, topics: Vec<crate::wire::fetch::FetchTopic>) -> FetchRequest {
        FetchRequest {
            topics,
            session_id: 0,
            session_epoch: -1,
            forgotten: Vec::new(),
            rack_id: self.request.rack_id.clone(),
            cluster_id: None,
            ..self.request
        }
    }
}

impl Broker {
    /// Who owns what a Fetch names; `None`: all of it lives here.
    pub(in crate::broker) fn fetch_layout(
        &mut self,
        context: &Context,
        (request, using): &(FetchRequest, SessionUse),
    ) -> Option<Layout> {
        let layout = self.layout(&request.topics);
        let session = match using {
            SessionUse::Continue { id, .. } => Some(*id),
            SessionUse::None | SessionUse::Begin { .. } => None,
        };
        let only = layout.only(self.core);
        self.note_home(context.answer.connection, only, Asked::Fetch { session });
        (only != Some(self.core)).then_some(layout)
    }

    /// Forwards a Fetch of which not everything lives here.
    pub(in crate::broker) fn split_fetch(
        &mut self,
        context: &Context,
        (request, using): (FetchRequest, SessionUse),
        layout: Layout,
        grant: Option<u64>,
        patience: Patience,
        now: Now,
    ) -> Outcome {
        // What comes back is not known before: it needs memory like an answer with data.
        let Some(grant) = grant.or_else(|| self.fetch_grant()) else {
            let fetch = ParkedFetch { context: *context, request, using, patience, missing_bytes: Some(0) };
            self.fetches.starve(fetch, now.monotonic_ms());
            return Outcome::Parked;
        };
        let fetch = SplitFetch { request, using, patience, bytes_max: 0, last: false };
        let split = Split::new(*context, layout, Some(Box::new(fetch)));
        self.ask_owners(split, grant, now);
        Outcome::Parked
    }

    fn ask_owners(&mut self, mut split: Split, grant: u64, now: Now) {
        let fetch = split.fetch.as_mut().expect("a split Fetch");
        let bytes_max = usize::try_from(fetch.request.max_bytes).unwrap_or(0).min(self.settings.fetch_bytes_max);
        fetch.bytes_max = bytes_max.min(grant as usize);
        let (parts, bytes) = (fetch.ask(&mut split.layout, self.core), fetch.bytes_max);
        self.splits.set_aside(&mut split, bytes);
        self.send_parts(split, parts, now);
    }

    /// A watch ended; the others are of no use any more.
    pub(super) fn watch_over(&mut self, mut split: Split, expired: bool, now: Now) {
        let fetch = split.fetch.as_mut().expect("a split Fetch");
        fetch.last |= expired;
        let connection = split.context.answer.connection;
        for (ticket, owner) in std::mem::take(&mut split.open) {
            self.send(owner, Message::EndWatch { connection, ticket }, now);
        }
        // It has waited for long: even without memory it gets what others get at least.
        let grant = self.fetch_grant().unwrap_or(FETCH_GRANT_BYTES_MIN);
        self.ask_owners(split, grant, now);
    }

    /// Every owner told what it has.
    pub(super) fn fetch_round_done(&mut self, mut split: Split, now: Now) {
        let mut available = BTreeMap::new();
        let mut responses = BTreeMap::new();
        for (owner, answer) in std::mem::take(&mut split.answers) {
            let PartAnswer::Fetch { response, available: bytes } = answer else {
                unreachable!("an answer of another kind: {answer:?}")
            };
            available.insert(owner, bytes);
            responses.insert(owner, response);
        }
        let fetch = split.fetch.as_ref().expect("a split Fetch");
        let failed = responses.values().any(has_error);
        let expired = fetch.last || now.monotonic_ns >= fetch.patience.deadline_ns || self.is_stopping();
        if failed || expired || available.values().sum::<u64>() >= fetch.patience.wanted {
            return self.answer_fetch(split, responses);
        }
        let parts = fetch.watch(&mut split.layout, self.core, &available);
        self.splits.set_aside(&mut split, 0);
        // Whoever has waited longest makes room: that client asks again, and nobody else has to wait for it.
        if self.splits.waiting_fetches() >= WAITING_FETCHES_FORWARDED_MAX
            && let Some(oldest) = self.splits.take_oldest_waiting()
        {
            self.watch_over(oldest, true, now);
        }
        self.send_parts(split, parts, now);
    }

    fn answer_fetch(&mut self, mut split: Split, responses: BTreeMap<CoreId, FetchResponse>) {
        let fetch = split.fetch.take().expect("a split Fetch");
        let topics = responses.into_iter().map(|(owner, response)| (owner, response.topics)).collect();
        let topics = split.layout.merge(topics, self.core);
        let mut response = FetchResponse { topics, ..FetchResponse::default() };
        trim(&mut response, fetch.bytes_max);
        self.fetch_sessions.leave(fetch.using, &mut response);
        let Context { version, correlation_id, .. } = split.context;
        self.end_split(split, Answer::Frame(response.encode(version, correlation_id)));
    }
}

fn has_error(response: &FetchResponse) -> bool {
    response.topics.iter().flat_map(|topic| &topic.partitions).any(|answer| answer.error_code != ErrorCode::None)
}

/// The first partition with records keeps them whatever their size; of the others those stay that fit.
///
/// A core that learnt only just that it does not lead a partition (the topic was made anew) points to no broker for clients.
fn trim(response: &mut FetchResponse, bytes_max: usize) {
    let mut taken = 0;
    for answer in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        if answer.error_code == ErrorCode::NotLeaderOrFollower {
            answer.current_leader = None;
        }
        let bytes = answer.records.len();
        if taken > 0 && taken + bytes > bytes_max {
            answer.records = Gather::new();
        } else {
            taken += bytes;
        }
    }
}
