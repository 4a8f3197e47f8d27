//! The memory of a core's answers: what is read from the disk for them, and what clients have not taken yet.
//!
//! A Fetch of a few bytes asks for megabytes, so clients that ask and do not read could fill the machine. Therefore all that is
//! read, waits for its turn or is unsent counts against `fetch.memory.bytes`, slices of the log's tail too, since they keep
//! evicted batches alive. The less is left, the smaller an answer gets; with too little left a Fetch with data waits, one
//! request per connection in turn, and at some distance every other request but Produce. While somebody waits, the runtime
//! closes those that hold much and take little (`runtime::sockets::relief`).

use crate::base::clock::Now;
use crate::base::limits::{ANSWERS_BESIDE_BYTES_MAX, FETCH_GRANT_BYTES_MIN, FORWARDED_PARTS_MAX};
use crate::broker::broker::Broker;
use crate::broker::delayed::fetch::ParkedFetch;
use crate::broker::queued::Pressure;

impl Broker {
    /// Bytes that the answer of a Fetch with data may take now; `None`: it has to wait, and so has every one while others stand
    /// in line.
    pub(super) fn fetch_grant(&mut self) -> Option<u64> {
        let Broker { fetches, sessions, .. } = self;
        if fetches.has_line(|one| sessions.is_stuffed(one)) { None } else { self.grant() }
    }

    /// The next Fetch that stood in line for memory, and the bytes that its answer may take.
    pub(super) fn next_starved(&mut self, now: Now) -> Option<(ParkedFetch, u64)> {
        let grant = self.grant()?;
        let Broker { fetches, sessions, .. } = self;
        let fetch = if fetches.has_line(|one| sessions.is_stuffed(one)) {
            fetches.take_starved(now.monotonic_ms())
        } else {
            None
        };
        fetch.map(|fetch| (fetch, grant))
    }

    fn grant(&self) -> Option<u64> {
        let left = self.settings.fetch_memory_bytes.saturating_sub(self.answer_bytes());
        (left >= FETCH_GRANT_BYTES_MIN).then(|| (left / 4).max(FETCH_GRANT_BYTES_MIN))
    }

    pub(super) fn pressure(&self) -> Pressure {
        let no_memory = self.has_no_memory() || self.sessions.waits_for_memory_since().is_some();
        Pressure { no_memory, no_parts: self.has_no_parts() }
    }

    /// What may go on because there is memory again, a request per connection in turn; true if anything did.
    pub(super) fn spend_memory(&mut self, now: Now) -> bool {
        let mut progress = false;
        while !self.has_no_memory()
            && !self.has_no_parts()
            && let Some(connection) = self.sessions.take_waiting_for_memory()
        {
            progress = true;
            let pressure = Pressure { no_memory: false, no_parts: false };
            if let Some(request) = self.sessions.next_queued(connection, pressure, &mut self.effects) {
                self.begin_request(connection, request, now);
            }
            self.begin_queued(connection, now);
        }
        progress
    }

    /// No request with an answer of unknown size may begin.
    fn has_no_memory(&self) -> bool {
        self.answer_bytes() > self.settings.fetch_memory_bytes + ANSWERS_BESIDE_BYTES_MAX
    }

    /// No request may begin that could be forwarded.
    fn has_no_parts(&self) -> bool {
        self.splits.parts() >= FORWARDED_PARTS_MAX
    }

    /// Since when (monotonic milliseconds) somebody waits for memory that others hold.
    pub fn starves_since_ms(&self) -> Option<u64> {
        // Those that wait for parts to end are woken by that, and no memory would help them.
        let others = self.sessions.waits_for_memory_since().filter(|_| !self.has_no_parts());
        self.fetches.starves_since_ms().into_iter().chain(others).min()
    }

    /// True if there is memory for an answer.
    pub fn has_answer_memory(&self) -> bool {
        self.grant().is_some()
    }

    fn answer_bytes(&self) -> u64 {
        self.fetches.reading_bytes() + self.splits.answer_bytes() + self.sessions.answer_bytes() as u64
    }
}
