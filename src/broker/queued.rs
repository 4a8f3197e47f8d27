//! Requests that were not begun, and what keeps them from it besides their own session. Lives in a core's `Sessions`.

use crate::broker::forwarding::Part;
use crate::wire::api::ApiKey;
use bytes::BytesMut;

/// A whole request that was not begun.
#[derive(Debug)]
pub(super) struct QueuedFrame {
    pub(super) frame: BytesMut,
    pub(super) buffer_bytes: usize,
}

/// What waits to be begun.
#[derive(Debug)]
pub(super) enum Queued {
    Frame(QueuedFrame),
    /// For another core's client.
    Part(Box<Part>),
}

impl Queued {
    /// Memory that is accounted for here.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Queued::Frame(frame) => frame.buffer_bytes,
            // The core that has the connection does it.
            Queued::Part(_) => 0,
        }
    }
}

/// What keeps a request from beginning at once, besides what its own session says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pressure {
    /// The memory for answers is used up.
    pub(super) no_memory: bool,
    /// As many parts are under way on other cores as may be.
    pub(super) no_parts: bool,
}

impl Pressure {
    /// True if the request waits; `unsent_bytes` of answers are on their way to its client.
    pub(super) fn keeps(self, request: &Queued, unsent_bytes: usize) -> bool {
        let Queued::Frame(frame) = request else { return false };
        // Produce has small answers and must not suffer from those who do not read theirs; Fetch waits by itself when there is
        // data for it; ApiVersions tells whether there is a broker at all. All of them only for who takes its answers.
        const PASS: [ApiKey; 3] = [ApiKey::Produce, ApiKey::Fetch, ApiKey::ApiVersions];
        let key = frame.frame.first_chunk().map(|key| i16::from_be_bytes(*key));
        let passes = unsent_bytes == 0 && PASS.iter().any(|pass| Some(pass.number()) == key);
        self.no_parts || (self.no_memory && !passes)
    }
}
