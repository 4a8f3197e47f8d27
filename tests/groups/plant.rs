//! Planted bugs: how each promise of a coordinator is broken at the seam between it and its log, its clock or its clients, to prove
//! that the checks can fail. The product's code stays as it is.

use bytes::Bytes;
use corelane::coordinator::answers::{GroupRequest, GroupResponse};

/// One planted bug, named after what it does.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Plant {
    /// The product as it is.
    #[default]
    None,
    /// Heartbeats and commits never tell that there is a newer generation.
    NobodyHears,
    /// Some members are told a generation that is over.
    GenerationFalls,
    /// A member is given what another one was given.
    AssignmentTwice,
    /// Some members are given nothing.
    AssignmentLost,
    /// Some JoinGroups are never answered.
    JoinLost,
    /// Time does not pass for the coordinator: who is dead is waited for.
    TimersStop,
    /// Some requests are answered twice.
    AnswerTwice,
    /// Some commits store an older offset than they say.
    CommitGoesBack,
    /// Of two answers to commits the later one leaves first.
    CommitsAnsweredBackwards,
    /// Records count as durable as soon as they are appended.
    AnswerBeforeDurable,
    /// What was flushed last is not there after a crash.
    FlushLies,
    /// What was refused lies in the log all the same.
    RefusedIsStored,
    /// The replay after a crash leaves a batch out.
    ReplaySkips,
    /// The log start moves a batch too far.
    TrimTooFar,
    /// The log start never moves.
    TrimNever,
    /// Offsets go before their time.
    ExpiresEarly,
    /// A new topic of an old name is taken for the old one.
    TopicIdStays,
}

/// What an answer becomes on its way out.
pub enum Fate {
    Leaves,
    Twice,
    Never,
    /// Behind the next answer to a commit.
    Later,
}

impl Plant {
    /// What the coordinator is asked instead.
    pub fn request(self, request: &mut GroupRequest) {
        if let (Plant::CommitGoesBack, GroupRequest::Commit(commit)) = (self, request) {
            for partition in commit.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                if partition.committed_offset % 8 == 0 {
                    partition.committed_offset -= 4;
                }
            }
        }
    }

    /// What request number `id` is told instead; `last` is what the member before was given.
    pub fn response(self, id: u64, response: &mut GroupResponse, last: &mut Bytes) {
        match (self, response) {
            (Plant::GenerationFalls, GroupResponse::Join(answer)) if id.is_multiple_of(4) => {
                answer.generation_id -= i32::from(answer.generation_id > 1);
            }
            (Plant::AssignmentTwice, GroupResponse::Sync(answer)) if answer.error_code == 0 => {
                std::mem::swap(&mut answer.assignment, last);
                *last = if last.is_empty() { answer.assignment.clone() } else { last.clone() };
            }
            (Plant::AssignmentLost, GroupResponse::Sync(answer)) if id.is_multiple_of(3) => {
                answer.assignment = Bytes::new();
            }
            _ => {}
        }
    }

    /// What a heartbeat or a commit tells.
    pub fn heard(self, code: i16) -> i16 {
        if self == Plant::NobodyHears { 0 } else { code }
    }

    /// What becomes of the answer to request number `id`.
    pub fn fate(self, id: u64, response: &GroupResponse) -> Fate {
        match (self, response) {
            (Plant::JoinLost, GroupResponse::Join(_)) if id.is_multiple_of(3) => Fate::Never,
            (Plant::AnswerTwice, _) if id.is_multiple_of(5) => Fate::Twice,
            (Plant::CommitsAnsweredBackwards, GroupResponse::Commit(_)) => Fate::Later,
            _ => Fate::Leaves,
        }
    }
}
