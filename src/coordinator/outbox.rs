//! What leaves the coordinator: answers, and records with what is to happen once they are durable.
//!
//! ```text
//! write -> unwritten -> (batch taken) taken -> appended -> high watermark passed -> applied to the state, then `Then`
//!                                       \-> refused: nothing is applied, `Then` hears of it
//! ```
//! Invariant: (O1) records are applied in the order in which they lie in the log, each exactly once, and only when durable; so
//! the state that they make is what a replay of the log makes.

use crate::base::error_code::ErrorCode;
use crate::base::offset::Offset;
use crate::coordinator::answers::{Caller, GroupResponse};
use crate::coordinator::member::Member;
use crate::wire::keyed_batch::KeyedRecord;
use crate::wire::messages::GroupId;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// Records that belong together, and what they are for.
#[derive(Debug)]
pub(super) struct Write {
    /// Whose they are; it is kept in memory until they are applied.
    pub(super) group: Arc<str>,
    pub(super) records: Vec<KeyedRecord>,
    pub(super) then: Then,
}

/// What follows once the records of a write are durable, or are not.
#[derive(Debug)]
pub(super) enum Then {
    Nothing,
    /// This answer leaves; if the records were refused, with their refusal in it.
    Answer(Caller, GroupResponse),
    /// DeleteGroups of one group.
    Deleted(Caller, GroupId),
    /// The leader's assignments of this generation are given to all.
    Assigned {
        generation: i32,
        assignments: Vec<(Arc<str>, Bytes)>,
    },
    /// A static member came back: the new one takes the place of the old one.
    Replaced {
        generation: i32,
        caller: Caller,
        version: i16,
        member: Box<Member>,
    },
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    pub(super) replies: VecDeque<(Caller, GroupResponse)>,
    pub(super) unwritten: VecDeque<Write>,
    /// In a batch whose append has not been reported.
    pub(super) taken: Vec<Write>,
    /// Appended, up to this offset.
    pub(super) pending: VecDeque<(Offset, Write)>,
}

impl Outbox {
    pub(super) fn reply(&mut self, caller: Caller, response: GroupResponse) {
        self.replies.push_back((caller, response));
    }

    pub(super) fn write(&mut self, write: Write) {
        self.unwritten.push_back(write);
    }

    /// Writes whose records are not applied, oldest first.
    pub(super) fn open_writes(&self) -> impl Iterator<Item = &Write> {
        self.pending.iter().map(|(_, write)| write).chain(&self.taken).chain(&self.unwritten)
    }
}

/// Puts a refusal into an answer that was to leave with success.
pub(super) fn refuse(response: &mut GroupResponse, code: ErrorCode) {
    let fill = |error_code: &mut i16| {
        if *error_code == ErrorCode::None.code() {
            *error_code = code.code();
        }
    };
    match response {
        GroupResponse::Commit(response) => {
            let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
            partitions.for_each(|partition| fill(&mut partition.error_code));
        }
        GroupResponse::OffsetDelete(response) => fill(&mut response.error_code),
        other => unreachable!("no such answer waits for records: {other:?}"),
    }
}
