//! What this core has asked the controller, and who waits for the answer.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::CoreId;
use crate::broker::api::{self, Context};
use crate::broker::broker::Broker;
use crate::broker::message::{ControllerAnswer, ControllerRequest, Message};
use crate::metadata::controller::alter_configs::AlteredResource;
use crate::metadata::controller::delete_topics::TopicSelector;
use crate::wire::messages::MetadataRequest;
use std::collections::BTreeMap;

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
}

/// A resource of an AlterConfigs request.
#[derive(Debug)]
pub(super) struct AlteredName {
    pub(super) kind: i8,
    pub(super) name: String,
}

impl AlteredName {
    pub(super) fn of(resource: &AlteredResource) -> AlteredName {
        AlteredName { kind: resource.kind, name: resource.name.clone() }
    }
}

/// All questions under way. Lives on its core.
#[derive(Debug, Default)]
pub(super) struct Questions {
    open: BTreeMap<u64, Question>,
    next_ticket: u64,
}

impl Questions {
    /// True if no answer is awaited.
    pub(super) fn is_empty(&self) -> bool {
        self.open.is_empty()
    }
}

impl Broker {
    /// Asks the controller; the answer comes to [`Broker::answered`].
    pub(super) fn ask(&mut self, question: Question, request: ControllerRequest, now: Now) {
        let ticket = self.questions.next_ticket;
        self.questions.next_ticket += 1;
        self.questions.open.insert(ticket, question);
        self.send(CoreId(0), Message::Ask { ticket, request }, now);
    }

    /// The controller answered.
    pub(super) fn answered(&mut self, ticket: u64, answer: ControllerAnswer, now: Now) {
        let question = self.questions.open.remove(&ticket).expect("an answer to a question");
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
            Question::Metadata { context, request } => {
                let results = match answer {
                    ControllerAnswer::AutoCreateTopics(results) => Ok(results),
                    other => Err(refusal(other)),
                };
                api::metadata::answered(self, &context, *request, results);
            }
            Question::ProducerIds => {
                let block = match answer {
                    ControllerAnswer::ProducerIds(block) => Ok(block),
                    other => Err(refusal(other)),
                };
                api::init_producer_id::answered(self, block, now);
            }
        }
    }
}

fn refusal(answer: ControllerAnswer) -> ErrorCode {
    match answer {
        ControllerAnswer::Refused(code) => code,
        other => unreachable!("an answer of another kind than its question: {other:?}"),
    }
}
