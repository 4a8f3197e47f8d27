//! The memory of a core's answers: what is read from the disk for them, and what clients have not taken yet.
//!
//! A Fetch of a few bytes asks for megabytes, so clients that ask and do not read could fill the machine. Therefore all that is
//! read, waits for its turn or is unsent counts against `fetch.memory.bytes`, slices of the log's tail too, since they keep
//! evicted batches alive. The less is left, the smaller an answer gets; with too little left a Fetch with data waits, one
//! request per connection in turn, and at some distance every other request but Produce. While somebody waits, the runtime
//! closes those that hold much and take little (`runtime::sockets::relief`).

use crate::base::clock::Now;
use crate::base::limits::{ANSWERS_BESIDE_BYTES_MAX, FETCH_GRANT_BYTES_MIN};
use crate::broker::broker::Broker;
use crate::broker::session::Pressure;

impl Broker {
    /// Bytes that one Fetch answer may take now; `None`: it has to wait.
    pub(super) fn fetch_grant(&self) -> Option<u64> {
        let left = self.settings.fetch_memory_bytes.saturating_sub(self.answer_bytes());
        (left >= FETCH_GRANT_BYTES_MIN).then(|| (left / 4).max(FETCH_GRANT_BYTES_MIN))
    }

    pub(super) fn pressure(&self, now: Now) -> Pressure {
        let no_memory = self.answer_bytes() > self.settings.fetch_memory_bytes + ANSWERS_BESIDE_BYTES_MAX;
        Pressure { no_memory, now_ms: now.monotonic_ms() }
    }

    /// What may go on because there is memory again; true if anything did.
    pub(super) fn spend_memory(&mut self, now: Now) -> bool {
        let mut progress = false;
        while !self.pressure(now).no_memory
            && let Some(connection) = self.sessions.take_waiting_for_memory()
        {
            progress = true;
            self.resume(connection, now);
        }
        progress
    }

    /// Since when (monotonic milliseconds) somebody waits for memory that others hold.
    pub fn starves_since_ms(&self) -> Option<u64> {
        let fetches = self.fetches.starves_since_ms(|connection| self.sessions.is_stuffed(connection));
        fetches.into_iter().chain(self.sessions.waits_for_memory_since()).min()
    }

    /// True if there is memory for an answer.
    pub fn has_answer_memory(&self) -> bool {
        self.fetch_grant().is_some()
    }

    /// Requests that wait inside, in bytes of their buffers.
    pub fn kept_request_bytes(&self) -> usize {
        self.sessions.kept_bytes()
    }

    fn answer_bytes(&self) -> u64 {
        self.fetches.reading_bytes() + self.sessions.answer_bytes() as u64
    }
}
