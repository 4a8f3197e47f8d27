//! What this core has asked the controller, and who waits for the answer.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::CoreId;
use crate::broker::altering::AlteredName;
use crate::broker::api::{self, Context};
use crate::broker::broker::Broker;
use crate::broker::message::{ControllerAnswer, ControllerRequest, Message};
use crate::metadata::controller::Refused;
use crate::metadata::controller::delete_topics::TopicSelector;
use crate::wire::messages::{FindCoordinatorRequest, MetadataRequest};
use std::collections::{BTreeMap, BTreeSet};

/// One question under way.
#[derive(Debug)]
pub(super) enum Question {
    CreateTopics {
        context: Context,
        names: Vec<String>,
    },
    DeleteTopics {
        context: Context,
        topics: Vec<TopicSelector>,
    },
    CreatePartitions {
        context: Context,
        names: Vec<String>,
    },
    AlterConfigs {
        context: Context,
        names: Vec<AlteredName>,
        /// IncrementalAlterConfigs, else AlterConfigs.
        incremental: bool,
    },
    /// A Metadata request that names topics to be made first.
    Metadata {
        context: Context,
        request: Box<MetadataRequest>,
    },
    /// A block of producer ids for this core.
    ProducerIds,
    /// A FindCoordinator request that has the topic made first.
    FindCoordinator {
        context: Context,
        request: Box<FindCoordinatorRequest>,
    },
}

#[derive(Debug)]
struct Open {
    /// `None`: its client was told that it took too long.
    question: Option<Question>,
    /// Monotonic nanoseconds; `None`: waits for ever.
    deadline_ns: Option<u64>,
}

/// All questions under way. Lives on its core.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<u64, Open>,
    /// Deadline and ticket of those whose clients wait only so long.
    deadlines: BTreeSet<(u64, u64)>,
    next_ticket: u64,
}

impl Questions {
    /// True if no answer is awaited.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    /// True if [`Broker::expire_questions`] may have something to do.
    pub(super) fn has_deadline(&self) -> bool {
        !self.deadlines.is_empty()
    }

    fn open(&mut self, question: Question, deadline_ns: Option<u64>) -> u64 {
        let ticket = self.next_ticket;
        self.next_ticket += 1;
        self.open.insert(ticket, Open { question: Some(question), deadline_ns });
        self.deadlines.extend(deadline_ns.map(|deadline_ns| (deadline_ns, ticket)));
        ticket
    }

    /// The client of this question waits no longer: takes it out, but for its place.
    fn take_expired(&mut self, now: Now) -> Option<Question> {
        let (_, ticket) = self.deadlines.first().filter(|(deadline_ns, _)| *deadline_ns <= now.monotonic_ns)?;
        let open = self.open.get_mut(ticket).expect("a deadline goes with its question");
        self.deadlines.pop_first();
        open.question.take()
    }

    /// The question of a ticket, if its client still waits.
    fn close(&mut self, ticket: u64) -> Option<Question> {
        let Open { question, deadline_ns } = self.open.remove(&ticket).expect("an answer to a question");
        if let Some(deadline_ns) = deadline_ns {
            self.deadlines.remove(&(deadline_ns, ticket));
        }
        question
    }
}

impl Broker {
    /// Asks the controller; the answer comes to [`Broker::answered`].
    pub(super) fn ask(&mut self, question: Question, request: ControllerRequest, now: Now) {
        let ticket = self.questions.open(question, None);
        self.send(CoreId(0), Message::Ask { ticket, request }, now);
    }

    /// Asks for a client that waits `timeout_ms`. After that it is told REQUEST_TIMED_OUT while the work goes on; without any time
    /// nothing is begun, as in Kafka.
    pub(super) fn ask_within(&mut self, timeout_ms: i32, question: Question, request: ControllerRequest, now: Now) {
        let Ok(timeout_ms @ 1..) = u64::try_from(timeout_ms) else {
            return self.settle_question(question, refused_late("nothing was begun"), now);
        };
        let ticket = self.questions.open(question, Some(now.monotonic_ns + timeout_ms * 1_000_000));
        self.send(CoreId(0), Message::Ask { ticket, request }, now);
    }

    /// Answers clients whose time is over.
    pub(super) fn expire_questions(&mut self, now: Now) {
        while let Some(question) = self.questions.take_expired(now) {
            self.settle_question(question, refused_late("the work goes on"), now);
        }
    }

    /// The controller answered.
    pub(super) fn answered(&mut self, ticket: u64, answer: ControllerAnswer, now: Now) {
        if let Some(question) = self.questions.close(ticket) {
            self.settle_question(question, answer, now);
        }
    }

    fn settle_question(&mut self, question: Question, answer: ControllerAnswer, now: Now) {
        match question {
            Question::CreateTopics { context, names } => {
                let results = match answer {
                    ControllerAnswer::CreateTopics(results) => Ok(results),
                    other => Err(refusal(other)),
                };
                api::create_topics::answered(self, &context, names, results);
            }
            Question::CreatePartitions { context, names } => {
                let results = match answer {
                    ControllerAnswer::CreatePartitions(results) => Ok(results),
                    other => Err(refusal(other)),
                };
                api::create_partitions::answered(self, &context, names, results);
            }
            Question::AlterConfigs { context, names, incremental } => {
                let outcomes = match answer {
                    ControllerAnswer::AlterConfigs(outcomes) => Ok(outcomes),
                    other => Err(refusal(other)),
                };
                match incremental {
                    true => api::incremental_alter_configs::answered(self, &context, names, outcomes),
                    false => api::alter_configs::answered(self, &context, names, outcomes),
                }
            }
            Question::DeleteTopics { context, topics } => {
                let results = match answer {
                    ControllerAnswer::DeleteTopics(results) => Ok(results),
                    other => Err(refusal(other)),
                };
                api::delete_topics::answered(self, &context, topics, results);
            }
            Question::FindCoordinator { context, request } => {
                api::find_coordinator::answered(self, &context, &request);
            }
            Question::Metadata { context, request } => {
                let results = match answer {
                    ControllerAnswer::AutoCreateTopics(results) => Ok(results),
                    other => Err(refusal(other).code),
                };
                api::metadata::answered(self, &context, *request, results);
            }
            Question::ProducerIds => {
                let block = match answer {
                    ControllerAnswer::ProducerIds(block) => Ok(block),
                    other => Err(refusal(other).code),
                };
                api::init_producer_id::answered(self, block, now);
            }
        }
    }
}

fn refused_late(what: &str) -> ControllerAnswer {
    let message = format!("The request was not answered within its timeout; {what}.");
    ControllerAnswer::Refused(Refused::new(ErrorCode::RequestTimedOut, message))
}

fn refusal(answer: ControllerAnswer) -> Refused {
    match answer {
        ControllerAnswer::Refused(refused) => refused,
        other => unreachable!("an answer of another kind than its question: {other:?}"),
    }
}
