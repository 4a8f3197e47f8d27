//! DeleteTopics.

use crate::base::error_code::ErrorCode;
use crate::base::ids::TopicId;
use crate::metadata::controller::{Decision, Refused};
use crate::metadata::image::Image;
use crate::metadata::record::{Record, RemoveTopicRecord, TopicForgottenRecord};
use std::collections::BTreeSet;

/// A topic to be deleted: by name or by id, not both.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicSelector {
    /// Name, unless null.
    pub name: Option<String>,
    /// Id, unless zero.
    pub id: TopicId,
}

/// What became of one topic of the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeleteTopicResult {
    /// Name, if it is known.
    pub name: Option<String>,
    /// Id, zero if it is not known.
    pub id: TopicId,
    /// Success, or why nothing was deleted.
    pub outcome: Result<(), Refused>,
}

/// Decides about a DeleteTopics request. A topic named twice is refused, as Kafka does.
pub fn delete_topics(image: &Image, topics: &[TopicSelector]) -> Decision<Vec<DeleteTopicResult>> {
    let mut answer: Vec<DeleteTopicResult> = topics.iter().map(|topic| find(image, topic)).collect();
    let mut seen = BTreeSet::new();
    let mut twice = BTreeSet::new();
    for result in answer.iter().filter(|result| result.outcome.is_ok()) {
        if !seen.insert(result.id) {
            twice.insert(result.id);
        }
    }
    for result in answer.iter_mut().filter(|result| twice.contains(&result.id)) {
        let name = result.name.clone().unwrap_or_default();
        result.outcome = Err(Refused::new(ErrorCode::InvalidRequest, format!("Duplicate topic name or id {name}.")));
    }
    let records = seen.difference(&twice).map(|id| Record::RemoveTopic(RemoveTopicRecord { id: *id })).collect();
    Decision { records, answer }
}

/// All cores reported that nothing of a deleted topic is left on their disks (S13).
pub fn forget_topic(image: &Image, id: TopicId) -> Vec<Record> {
    match image.deleted().contains(&id) {
        true => vec![Record::TopicForgotten(TopicForgottenRecord { id })],
        false => Vec::new(),
    }
}

fn find(image: &Image, topic: &TopicSelector) -> DeleteTopicResult {
    let refuse = |code, why: String| DeleteTopicResult {
        name: topic.name.clone(),
        id: topic.id,
        outcome: Err(Refused::new(code, why)),
    };
    let found = match (&topic.name, topic.id) {
        (None, TopicId::ZERO) => {
            return refuse(ErrorCode::InvalidRequest, "Neither topic name nor id were specified.".to_string());
        }
        (Some(name), TopicId::ZERO) => match image.topic_by_name(name) {
            None => {
                let why = "This server does not host this topic-partition.".to_string();
                return refuse(ErrorCode::UnknownTopicOrPartition, why);
            }
            Some(topic) => topic,
        },
        (None, id) => match image.topic(id) {
            None => return refuse(ErrorCode::UnknownTopicId, "This server does not host this topic ID.".to_string()),
            Some(topic) => topic,
        },
        (Some(_), _) => {
            let why = "You may not specify both topic name and topic id.".to_string();
            return refuse(ErrorCode::InvalidRequest, why);
        }
    };
    DeleteTopicResult { name: Some(found.name.clone()), id: found.id, outcome: Ok(()) }
}
