//! Incremental fetch sessions (KIP-227): a client names its partitions once, then only what changes, and is told only what changed.
//!
//! Lives on its core; only `Broker` mutates it. As in Kafka, sessions are not bound to a connection:
//!
//! ```text
//! epoch 0    full request; a session named with it ends -> answered in full, a new session if there is room (else id 0)
//! epoch 1..  goes on: named partitions are added or changed, forgotten ones leave -> all of the session's are fetched, those are
//!            answered that have records, an error, a new high watermark or log start; 70 unknown id, 71 unexpected epoch,
//!            106 topics named by ids in a session of names or the other way round
//! epoch -1   full request without a session; a session named with it ends
//! ```
//! A partition that gave records goes to the end of its session, so that with small answers every one has its turn.
//!
//! A session that is unused for [`FETCH_SESSION_EVICTION_MS`] gives way to any new one; one older than that gives way to a new
//! one with more partitions. Invariants: (I1) `by_use` and `partitions` agree with `sessions`, `evictable` names only live
//! sessions with their size; (I2) at most [`FETCH_SESSIONS_MAX`] sessions and [`FETCH_SESSION_PARTITIONS_MAX`] partitions;
//! (I3) a session's `order` names each of its partitions once.

use crate::base::error_code::ErrorCode;
use crate::base::ids::TopicId;
use crate::base::limits::{FETCH_SESSION_EVICTION_MS, FETCH_SESSION_PARTITIONS_MAX, FETCH_SESSIONS_MAX};
use crate::base::prng::Prng;
use crate::wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchResponsePartition, FetchResponseTopic, FetchTopic, ForgottenTopic,
};
use kafka_protocol::protocol::StrBytes;
use std::collections::{BTreeMap, BTreeSet};

/// How a request under way stands to sessions.
#[derive(Debug)]
pub(super) enum SessionUse {
    /// Not at all.
    None,
    /// Its answer may begin one with these partitions.
    Begin { topics: Vec<FetchTopic>, version: i16, now_ms: u64 },
    /// It goes on with one, whose epoch is this now.
    Continue { id: i32, epoch: i32 },
}

/// Name or id (the other one is empty), and the partition.
type Key = (StrBytes, TopicId, i32);

/// One partition of a session.
#[derive(Debug)]
struct Cached {
    asked: FetchPartition,
    /// As last told; -1 makes the next answer tell it.
    high_watermark: i64,
    log_start: i64,
    place: u64,
}

#[derive(Debug)]
struct FetchSession {
    by_id: bool,
    /// Epoch of the next request.
    epoch: i32,
    created_ms: u64,
    used_ms: u64,
    partitions: BTreeMap<Key, Cached>,
    /// In which order they are fetched.
    order: BTreeMap<u64, Key>,
    next_place: u64,
    /// Its entry in `evictable`.
    evictable_size: Option<usize>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct FetchSessions {
    sessions: BTreeMap<i32, FetchSession>,
    by_use: BTreeSet<(u64, i32)>,
    /// Sessions old enough to give way to larger ones, smallest first.
    evictable: BTreeSet<(usize, i32)>,
    partitions: usize,
    entropy: Prng,
}

/// Topics are named by id from this version on.
const TOPIC_IDS_SINCE: i16 = 13;
/// Sessions exist from this version on.
const SESSIONS_SINCE: i16 = 7;
const EPOCH_BEGIN: i32 = 0;
const EPOCH_FINAL: i32 = -1;

impl FetchSessions {
    pub(super) fn new(seed: u64) -> FetchSessions {
        FetchSessions {
            sessions: BTreeMap::new(),
            by_use: BTreeSet::new(),
            evictable: BTreeSet::new(),
            partitions: 0,
            entropy: Prng::new(seed),
        }
    }

    /// A request came: ends, begins or goes on with a session. In the last case the request then names all of its partitions.
    pub(super) fn enter(
        &mut self,
        request: &mut FetchRequest,
        version: i16,
        now_ms: u64,
    ) -> Result<SessionUse, ErrorCode> {
        if version < SESSIONS_SINCE {
            return Ok(SessionUse::None);
        }
        let (id, epoch) = (request.session_id, request.session_epoch);
        if epoch == EPOCH_FINAL || epoch == EPOCH_BEGIN {
            self.end(id);
            let begin = || SessionUse::Begin { topics: request.topics.clone(), version, now_ms };
            return Ok(if epoch == EPOCH_BEGIN { begin() } else { SessionUse::None });
        }
        let session = self.sessions.get(&id).ok_or(ErrorCode::FetchSessionIdNotFound)?;
        if session.epoch != epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.by_id != (version >= TOPIC_IDS_SINCE) {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        self.update(id, request, now_ms)
    }

    fn update(&mut self, id: i32, request: &mut FetchRequest, now_ms: u64) -> Result<SessionUse, ErrorCode> {
        let session = self.sessions.get_mut(&id).expect("looked up");
        let before = session.partitions.len();
        for topic in &request.topics {
            for asked in &topic.partitions {
                session.ask((topic.name.clone(), topic.id, asked.index), *asked);
            }
        }
        for topic in &request.forgotten {
            session.forget(topic);
        }
        self.partitions = self.partitions - before + session.partitions.len();
        if session.partitions.is_empty() {
            self.end(id);
            return Ok(SessionUse::None);
        }
        if self.partitions > FETCH_SESSION_PARTITIONS_MAX {
            // The client begins anew, without a session if need be.
            self.end(id);
            return Err(ErrorCode::FetchSessionIdNotFound);
        }
        session.epoch = next_epoch(session.epoch);
        request.topics = session.topics();
        let epoch = session.epoch;
        self.touch(id, now_ms);
        Ok(SessionUse::Continue { id, epoch })
    }

    /// The answer is complete, with all partitions of the request: begins a session, or leaves out what did not change.
    pub(super) fn leave(&mut self, using: SessionUse, response: &mut FetchResponse) {
        match using {
            SessionUse::None => {}
            SessionUse::Begin { topics, version, now_ms } => {
                response.session_id = self.begin(topics, version, now_ms, &response.topics).unwrap_or(0);
            }
            SessionUse::Continue { id, epoch } => {
                let session = self.sessions.get_mut(&id);
                let error = match &session {
                    None => ErrorCode::FetchSessionIdNotFound,
                    Some(session) if session.epoch != epoch => ErrorCode::InvalidFetchSessionEpoch,
                    Some(_) => ErrorCode::None,
                };
                response.session_id = id;
                match session.filter(|_| error == ErrorCode::None) {
                    Some(session) => session.keep_changed(&mut response.topics),
                    // It ended, or went on, while this request was parked.
                    None => *response = FetchResponse { error_code: error, ..FetchResponse::default() },
                }
            }
        }
    }

    /// A new session, if there is room.
    fn begin(
        &mut self,
        topics: Vec<FetchTopic>,
        version: i16,
        now_ms: u64,
        answered: &[FetchResponseTopic],
    ) -> Option<i32> {
        let mut session = FetchSession {
            by_id: version >= TOPIC_IDS_SINCE,
            epoch: next_epoch(EPOCH_BEGIN),
            created_ms: now_ms,
            used_ms: now_ms,
            partitions: BTreeMap::new(),
            order: BTreeMap::new(),
            next_place: 0,
            evictable_size: None,
        };
        let answers = answered.iter().flat_map(|topic| &topic.partitions);
        let asked = topics.iter().flat_map(|topic| topic.partitions.iter().map(move |asked| (topic, asked)));
        for ((topic, asked), answer) in asked.zip(answers) {
            let key = (topic.name.clone(), topic.id, asked.index);
            session.ask(key.clone(), *asked);
            session.partitions.get_mut(&key).expect("just put there").is_news(answer);
        }
        let size = session.partitions.len();
        if size == 0 || !self.make_room(size, now_ms) {
            return None;
        }
        let id = self.new_id();
        self.partitions += size;
        self.by_use.insert((now_ms, id));
        self.sessions.insert(id, session);
        Some(id)
    }

    /// Kafka's rule: a stale session goes first, else the smallest old one if the new one is larger.
    fn make_room(&mut self, size: usize, now_ms: u64) -> bool {
        let fits = |sessions: &FetchSessions| {
            sessions.sessions.len() < FETCH_SESSIONS_MAX && sessions.partitions + size <= FETCH_SESSION_PARTITIONS_MAX
        };
        while !fits(self) {
            let stale =
                self.by_use.first().filter(|(used_ms, _)| now_ms.saturating_sub(*used_ms) > FETCH_SESSION_EVICTION_MS);
            let smaller = self.evictable.first().filter(|(smallest, _)| *smallest < size);
            let Some(id) = stale.map(|(_, id)| *id).or(smaller.map(|(_, id)| *id)) else { return false };
            self.end(id);
        }
        true
    }

    fn new_id(&mut self) -> i32 {
        loop {
            let id = (self.entropy.next_u64() >> 33) as i32;
            if id > 0 && !self.sessions.contains_key(&id) {
                return id;
            }
        }
    }

    fn touch(&mut self, id: i32, now_ms: u64) {
        let session = self.sessions.get_mut(&id).expect("a live session");
        self.by_use.remove(&(session.used_ms, id));
        session.used_ms = now_ms;
        self.by_use.insert((now_ms, id));
        if let Some(size) = session.evictable_size.take() {
            self.evictable.remove(&(size, id));
        }
        if now_ms.saturating_sub(session.created_ms) > FETCH_SESSION_EVICTION_MS {
            session.evictable_size = Some(session.partitions.len());
            self.evictable.insert((session.partitions.len(), id));
        }
    }

    /// Ends a session, if there is one of that id.
    pub(super) fn end(&mut self, id: i32) {
        let Some(session) = self.sessions.remove(&id) else { return };
        self.partitions -= session.partitions.len();
        self.by_use.remove(&(session.used_ms, id));
        if let Some(size) = session.evictable_size {
            self.evictable.remove(&(size, id));
        }
    }

    /// Asserts the invariants.
    pub(super) fn check(&self) {
        assert_eq!(self.by_use.len(), self.sessions.len(), "I1");
        assert!(self.evictable.iter().all(|(size, id)| self.sessions[id].evictable_size == Some(*size)), "I1");
        assert_eq!(
            self.partitions,
            self.sessions.values().map(|session| session.partitions.len()).sum::<usize>(),
            "I1"
        );
        assert!(self.sessions.len() <= FETCH_SESSIONS_MAX && self.partitions <= FETCH_SESSION_PARTITIONS_MAX, "I2");
        assert!(self.sessions.values().all(|session| session.order.len() == session.partitions.len()), "I3");
    }
}

/// Kafka's succession: after the largest epoch comes 1.
fn next_epoch(epoch: i32) -> i32 {
    epoch.checked_add(1).unwrap_or(1)
}

impl FetchSession {
    /// Adds a partition at the end, or changes what is asked of it.
    fn ask(&mut self, key: Key, asked: FetchPartition) {
        if let Some(cached) = self.partitions.get_mut(&key) {
            cached.asked = asked;
            return;
        }
        let place = self.next_place;
        self.next_place += 1;
        self.order.insert(place, key.clone());
        self.partitions.insert(key, Cached { asked, high_watermark: -1, log_start: -1, place });
    }

    fn forget(&mut self, topic: &ForgottenTopic) {
        for index in &topic.partitions {
            if let Some(gone) = self.partitions.remove(&(topic.name.clone(), topic.id, *index)) {
                self.order.remove(&gone.place);
            }
        }
    }

    /// All partitions in order, neighbours of one topic together.
    fn topics(&self) -> Vec<FetchTopic> {
        let mut topics: Vec<FetchTopic> = Vec::new();
        for key in self.order.values() {
            let (name, id, _) = key;
            let asked = self.partitions[key].asked;
            match topics.last_mut().filter(|topic| topic.name == *name && topic.id == *id) {
                Some(topic) => topic.partitions.push(asked),
                None => topics.push(FetchTopic { name: name.clone(), id: *id, partitions: vec![asked] }),
            }
        }
        topics
    }

    /// Leaves out of an answer what the client knows.
    fn keep_changed(&mut self, topics: &mut Vec<FetchResponseTopic>) {
        for topic in topics.iter_mut() {
            let (name, id) = (topic.name.clone(), topic.id);
            topic.partitions.retain(|answer| self.is_news((name.clone(), id, answer.index), answer));
        }
        topics.retain(|topic| !topic.partitions.is_empty());
    }

    fn is_news(&mut self, key: Key, answer: &FetchResponsePartition) -> bool {
        // A later request may have made the session forget it.
        let Some(cached) = self.partitions.get_mut(&key) else { return true };
        if !answer.records.is_empty() {
            self.order.remove(&cached.place);
            cached.place = self.next_place;
            self.next_place += 1;
            self.order.insert(cached.place, key);
        }
        cached.is_news(answer)
    }
}

impl Cached {
    /// True if the client has to be told. Remembers what it then knows.
    fn is_news(&mut self, answer: &FetchResponsePartition) -> bool {
        let failed = answer.error_code != ErrorCode::None;
        let moved = self.high_watermark != answer.high_watermark || self.log_start != answer.log_start_offset;
        (self.high_watermark, self.log_start) = (answer.high_watermark, answer.log_start_offset);
        if failed {
            // When the error is over, that is news too.
            self.high_watermark = -1;
        }
        let diverges = answer.diverging_epoch.is_some() || answer.preferred_read_replica >= 0;
        failed || moved || diverges || !answer.records.is_empty()
    }
}

#[cfg(test)]
mod tests;
