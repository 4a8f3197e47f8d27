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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::MachineId;
    use crate::metadata::record::{FormatRecord, TopicRecord};

    const A: TopicId = TopicId([1; 16]);
    const B: TopicId = TopicId([2; 16]);

    fn image() -> Image {
        let format = FormatRecord { cluster_id: "cluster".into(), machine: MachineId(0), directory_id: [1; 16] };
        let topic = |name: &str, id| Record::Topic(TopicRecord { name: name.into(), id });
        Image::new().apply(&[Record::Format(format), topic("a", A), topic("b", B)]).expect("legal").0
    }

    fn by_name(name: &str) -> TopicSelector {
        TopicSelector { name: Some(name.into()), id: TopicId::ZERO }
    }

    fn by_id(id: TopicId) -> TopicSelector {
        TopicSelector { name: None, id }
    }

    #[test]
    fn by_name_and_by_id_until_forgotten() {
        let image = image();
        let decision = delete_topics(&image, &[by_name("a"), by_id(B)]);
        assert!(decision.answer.iter().all(|result| result.outcome.is_ok()));
        assert_eq!(decision.answer[1].name.as_deref(), Some("b"));
        assert_eq!(decision.answer[0].id, A);
        let (image, delta) = image.apply(&decision.records).expect("legal");
        assert_eq!((delta.topics_deleted.len(), image.topics().len(), image.deleted().len()), (2, 0, 2));
        let (image, delta) = image.apply(&forget_topic(&image, A)).expect("legal");
        assert_eq!((delta.topics_forgotten, image.deleted().contains(&A)), (vec![A], false));
        assert!(forget_topic(&image, A).is_empty());
    }

    #[test]
    fn what_cannot_be_deleted() {
        let both = TopicSelector { name: Some("a".into()), id: A };
        let neither = TopicSelector { name: None, id: TopicId::ZERO };
        let asked = [by_name("c"), by_id(TopicId([9; 16])), both, neither, by_name("b"), by_id(B)];
        let decision = delete_topics(&image(), &asked);
        let codes: Vec<_> =
            decision.answer.iter().map(|result| result.outcome.as_ref().expect_err("refused").code).collect();
        let invalid = ErrorCode::InvalidRequest;
        let (unknown, unknown_id) = (ErrorCode::UnknownTopicOrPartition, ErrorCode::UnknownTopicId);
        assert_eq!(codes, [unknown, unknown_id, invalid, invalid, invalid, invalid]);
        assert!(decision.records.is_empty());
    }
}
