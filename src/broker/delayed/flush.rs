//! DeleteRecords requests that wait until their log-start frames are flushed (S10).

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::offset::Sequence;
use crate::broker::api::Context;
use crate::broker::delayed::produce::Released;
use crate::broker::forwarding::PartAnswer;
use crate::broker::session::{Answer, AnswerSlot};
use crate::wire::messages::DeleteRecordsResponse;
use std::collections::BTreeMap;

/// An answer under way.
#[derive(Debug)]
pub(in crate::broker) struct ParkedDelete {
    pub(in crate::broker) response: DeleteRecordsResponse,
    pub(in crate::broker) context: Context,
    pub(in crate::broker) deadline_ns: u64,
}

/// See the module. Ordered by the last frame that each request waits for.
#[derive(Debug, Default)]
pub(in crate::broker) struct DelayedDeletes {
    parked: BTreeMap<(Sequence, AnswerSlot), ParkedDelete>,
    flushed: Sequence,
}

impl DelayedDeletes {
    /// Parks an answer until all control frames up to `sequence` are flushed; gives it back if they are.
    pub(in crate::broker) fn park(
        &mut self,
        answer: AnswerSlot,
        sequence: Sequence,
        parked: ParkedDelete,
    ) -> Option<ParkedDelete> {
        if sequence <= self.flushed {
            return Some(parked);
        }
        let replaced = self.parked.insert((sequence, answer), parked);
        assert!(replaced.is_none());
        None
    }

    /// Control frames up to `sequence` are flushed.
    pub(in crate::broker) fn flushed(&mut self, sequence: Sequence, released: &mut Vec<Released>) {
        self.flushed = self.flushed.max(sequence);
        while let Some(entry) = self.parked.first_entry().filter(|entry| entry.key().0 <= sequence) {
            let ((_, answer), parked) = entry.remove_entry();
            released.push((answer, parked.complete()));
        }
    }

    /// Answers what waited too long.
    pub(in crate::broker) fn expire(&mut self, now: Now, released: &mut Vec<Released>) {
        self.end(ErrorCode::RequestTimedOut, |parked| parked.deadline_ns <= now.monotonic_ns, released);
    }

    /// Nothing will be flushed on this core any more.
    pub(in crate::broker) fn fail_all(&mut self, code: ErrorCode, released: &mut Vec<Released>) {
        self.end(code, |_| true, released);
    }

    /// True if nothing waits.
    pub(in crate::broker) fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    fn end(&mut self, code: ErrorCode, ends: impl Fn(&ParkedDelete) -> bool, released: &mut Vec<Released>) {
        let ending: Vec<_> = self.parked.iter().filter(|(_, parked)| ends(parked)).map(|(key, _)| *key).collect();
        for key in ending {
            let mut parked = self.parked.remove(&key).expect("just seen");
            for partition in parked.response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                if partition.error_code == ErrorCode::None.code() {
                    partition.error_code = code.code();
                    partition.low_watermark = -1;
                }
            }
            released.push((key.1, parked.complete()));
        }
    }
}

impl ParkedDelete {
    /// The answer.
    pub(in crate::broker) fn complete(self) -> Answer {
        self.context.complete(PartAnswer::DeleteRecords(self.response))
    }
}
