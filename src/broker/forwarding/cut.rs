//! Cutting what a request says of partitions by the cores that own them, and putting the answers together again. Pure.
//!
//! An answer has the topics and partitions of its request in the same order, so a [`Layout`] that remembers the owner of
//! each partition is all that is needed: the merged answer takes the next one from the answer of that owner.

use crate::base::ids::{CoreId, TopicId};
use crate::wire::fetch::{FetchPartition, FetchResponsePartition, FetchResponseTopic, FetchTopic};
use crate::wire::messages::{
    DeleteRecordsPartition, DeleteRecordsPartitionResult, DeleteRecordsTopic, DeleteRecordsTopicResult,
    DescribeProducersTopic, DescribedPartition, DescribedTopic, EpochEndOffset, ListOffsetsPartition,
    ListOffsetsPartitionResponse, ListOffsetsTopic, ListOffsetsTopicResponse, OffsetForLeaderPartition,
    OffsetForLeaderTopic, OffsetForLeaderTopicResult,
};
use crate::wire::produce::{ProducePartition, ProduceResponsePartition, ProduceResponseTopic, ProduceTopic};
use std::collections::BTreeMap;

/// A topic of a request or an answer, with what is said of its partitions.
pub(in crate::broker) trait Topic: Sized {
    type Partition;

    fn partitions(&mut self) -> &mut Vec<Self::Partition>;

    /// The same topic without partitions.
    fn bare(&self) -> Self;
}

/// How a request names a topic.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) enum TopicKey<'a> {
    Name(&'a str),
    Id(TopicId),
}

/// A topic of a request.
pub(in crate::broker) trait AskedTopic: Topic {
    fn key(&self) -> TopicKey<'_>;

    /// Partition indexes, in order.
    fn indexes(&self) -> impl Iterator<Item = i32>;
}

/// Who owns each partition of a request, in its order: by topic, by partition.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::broker) struct Layout {
    topics: Vec<Vec<CoreId>>,
}

impl Layout {
    /// Of a request; `owner` is asked once for each of its partitions.
    pub(in crate::broker) fn of<T: AskedTopic>(
        topics: &[T],
        mut owner: impl FnMut(TopicKey<'_>, i32) -> CoreId,
    ) -> Layout {
        let owners = |topic: &T| topic.indexes().map(|index| owner(topic.key(), index)).collect();
        Layout { topics: topics.iter().map(owners).collect() }
    }

    /// The only owner, if there is one; `here` if nothing is owned at all. `None`: there are several.
    pub(in crate::broker) fn only(&self, here: CoreId) -> Option<CoreId> {
        let mut owners = self.topics.iter().flatten();
        let first = owners.next().copied().unwrap_or(here);
        owners.all(|owner| *owner == first).then_some(first)
    }

    /// The topics by owner, each with what it owns of them. A topic without partitions goes to `here`.
    pub(in crate::broker) fn cut<T: Topic>(&mut self, topics: Vec<T>, here: CoreId) -> BTreeMap<CoreId, Vec<T>> {
        assert_eq!(topics.len(), self.topics.len());
        let mut parts: BTreeMap<CoreId, Vec<T>> = BTreeMap::new();
        for (mut topic, owners) in topics.into_iter().zip(&self.topics) {
            let partitions = std::mem::take(topic.partitions());
            assert_eq!(partitions.len(), owners.len());
            if owners.is_empty() {
                parts.entry(here).or_default().push(topic);
                continue;
            }
            let mut begun = Vec::new();
            for (partition, owner) in partitions.into_iter().zip(owners) {
                let part = parts.entry(*owner).or_default();
                if !begun.contains(owner) {
                    begun.push(*owner);
                    part.push(topic.bare());
                }
                part.last_mut().expect("begun").partitions().push(partition);
            }
        }
        parts
    }

    /// Puts the answers of all owners together, in the order of the request.
    pub(in crate::broker) fn merge<T: Topic>(&self, parts: BTreeMap<CoreId, Vec<T>>, here: CoreId) -> Vec<T> {
        let mut parts: BTreeMap<CoreId, _> =
            parts.into_iter().map(|(core, topics)| (core, topics.into_iter())).collect();
        let mut next =
            |owner: CoreId| parts.get_mut(&owner).and_then(Iterator::next).expect("an owner answers what it was asked");
        let mut merged = Vec::with_capacity(self.topics.len());
        for owners in &self.topics {
            let Some(first) = owners.first() else {
                merged.push(next(here));
                continue;
            };
            if owners.iter().all(|owner| owner == first) {
                merged.push(next(*first));
                continue;
            }
            let mut topic: Option<T> = None;
            let mut answers = BTreeMap::new();
            for owner in owners {
                let answer = answers.entry(*owner).or_insert_with(|| {
                    let mut answer = next(*owner);
                    topic.get_or_insert_with(|| answer.bare());
                    std::mem::take(answer.partitions()).into_iter()
                });
                let partition = answer.next().expect("an owner answers for each partition");
                topic.as_mut().expect("begun with the first answer").partitions().push(partition);
            }
            merged.push(topic.expect("there are owners"));
        }
        merged
    }
}

/// A topic and its kind of partition; all name the partitions alike.
macro_rules! topic {
    ($topic:ty, $partition:ty, $bare:expr) => {
        impl Topic for $topic {
            type Partition = $partition;

            fn partitions(&mut self) -> &mut Vec<$partition> {
                &mut self.partitions
            }

            fn bare(&self) -> $topic {
                let bare: fn(&$topic) -> $topic = $bare;
                bare(self)
            }
        }
    };
}

topic!(ProduceTopic, ProducePartition, |topic| ProduceTopic { name: topic.name.clone(), partitions: Vec::new() });
topic!(ProduceResponseTopic, ProduceResponsePartition, |topic| {
    ProduceResponseTopic { name: topic.name.clone(), partitions: Vec::new() }
});
topic!(FetchTopic, FetchPartition, |topic| {
    FetchTopic { name: topic.name.clone(), id: topic.id, partitions: Vec::new() }
});
topic!(FetchResponseTopic, FetchResponsePartition, |topic| {
    FetchResponseTopic { name: topic.name.clone(), id: topic.id, partitions: Vec::new() }
});
topic!(ListOffsetsTopic, ListOffsetsPartition, |topic| ListOffsetsTopic::default().with_name(topic.name.clone()));
topic!(ListOffsetsTopicResponse, ListOffsetsPartitionResponse, |topic| {
    ListOffsetsTopicResponse::default().with_name(topic.name.clone())
});
topic!(DeleteRecordsTopic, DeleteRecordsPartition, |topic| DeleteRecordsTopic::default().with_name(topic.name.clone()));
topic!(DeleteRecordsTopicResult, DeleteRecordsPartitionResult, |topic| {
    DeleteRecordsTopicResult::default().with_name(topic.name.clone())
});
topic!(OffsetForLeaderTopic, OffsetForLeaderPartition, |topic| {
    OffsetForLeaderTopic::default().with_topic(topic.topic.clone())
});
topic!(OffsetForLeaderTopicResult, EpochEndOffset, |topic| {
    OffsetForLeaderTopicResult::default().with_topic(topic.topic.clone())
});

topic!(DescribedTopic, DescribedPartition, |topic| DescribedTopic::default().with_name(topic.name.clone()));

impl Topic for DescribeProducersTopic {
    type Partition = i32;

    fn partitions(&mut self) -> &mut Vec<i32> {
        &mut self.partition_indexes
    }

    fn bare(&self) -> DescribeProducersTopic {
        DescribeProducersTopic::default().with_name(self.name.clone())
    }
}

impl AskedTopic for DescribeProducersTopic {
    fn key(&self) -> TopicKey<'_> {
        TopicKey::Name(&self.name)
    }

    fn indexes(&self) -> impl Iterator<Item = i32> {
        self.partition_indexes.iter().copied()
    }
}

/// How a request's topic and its partitions are named.
macro_rules! asked_topic {
    ($topic:ty, $name:ident, $index:ident) => {
        impl AskedTopic for $topic {
            fn key(&self) -> TopicKey<'_> {
                TopicKey::Name(&self.$name)
            }

            fn indexes(&self) -> impl Iterator<Item = i32> {
                self.partitions.iter().map(|partition| partition.$index)
            }
        }
    };
}

asked_topic!(ProduceTopic, name, index);
asked_topic!(ListOffsetsTopic, name, partition_index);
asked_topic!(DeleteRecordsTopic, name, partition_index);
asked_topic!(OffsetForLeaderTopic, topic, partition);

impl AskedTopic for FetchTopic {
    /// From version 13 on a topic has an id and no name.
    fn key(&self) -> TopicKey<'_> {
        if self.name.is_empty() { TopicKey::Id(self.id) } else { TopicKey::Name(&self.name) }
    }

    fn indexes(&self) -> impl Iterator<Item = i32> {
        self.partitions.iter().map(|partition| partition.index)
    }
}

#[cfg(test)]
mod tests {
    use super::{Layout, Topic};
    use crate::base::ids::CoreId;
    use crate::base::prng::Prng;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug, PartialEq)]
    struct Named(u64, Vec<u64>);

    impl Topic for Named {
        type Partition = u64;

        fn partitions(&mut self) -> &mut Vec<u64> {
            &mut self.1
        }

        fn bare(&self) -> Named {
            Named(self.0, Vec::new())
        }
    }

    /// What is cut and merged again is what it was, whoever owns what; topics and partitions may repeat and be empty.
    #[test]
    fn merging_undoes_cutting() {
        let mut prng = Prng::new(7);
        let here = CoreId(1);
        for _ in 0..2_000 {
            let topics: Vec<Named> = (0..prng.below(5))
                .map(|_| Named(prng.below(3), (0..prng.below(6)).map(|_| prng.below(4)).collect()))
                .collect();
            let owners = |topic: &Named| topic.1.iter().map(|_| CoreId(prng.below(3) as u16)).collect();
            let mut layout = Layout { topics: topics.iter().map(owners).collect() };
            let parts = layout.cut(topics.clone(), here);
            for (core, part) in &parts {
                assert!(part.iter().all(|topic| !topic.1.is_empty() || *core == here));
            }
            assert!(layout.only(here).is_none() || parts.len() <= 2);
            assert_eq!(layout.merge(parts, here), topics);
        }
    }

    #[test]
    fn each_owner_gets_what_it_owns() {
        let topics = vec![Named(5, vec![0, 1, 2, 3]), Named(6, vec![]), Named(7, vec![0])];
        let core = |number| CoreId(number);
        let mut layout = Layout { topics: vec![vec![core(2), core(0), core(2), core(0)], vec![], vec![core(2)]] };
        let parts = layout.cut(topics, core(1));
        let expected = BTreeMap::from([
            (core(0), vec![Named(5, vec![1, 3])]),
            (core(1), vec![Named(6, vec![])]),
            (core(2), vec![Named(5, vec![0, 2]), Named(7, vec![0])]),
        ]);
        assert_eq!(parts, expected);
        assert_eq!((layout.only(core(1)), Layout::default().only(core(1))), (None, Some(core(1))));
    }
}
