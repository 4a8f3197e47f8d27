//! CreatePartitions.

use crate::base::error_code::ErrorCode;
use crate::metadata::controller::new_partition::{assigned_core, check_partition_bounds, new_partition};
use crate::metadata::controller::{Decision, Refused};
use crate::metadata::image::Image;
use crate::metadata::placement::Placer;
use crate::metadata::record::Record;
use std::collections::{BTreeMap, BTreeSet};

/// A topic that shall have more partitions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MorePartitions {
    /// Its name.
    pub name: String,
    /// How many it shall have in all.
    pub count: i32,
    /// Broker ids for each new partition; `None`: the controller places.
    pub assignments: Option<Vec<Vec<i32>>>,
}

/// A topic's name, and why it did not grow.
pub type CreatePartitionsOutcome = (String, Result<(), Refused>);

/// Decides about a CreatePartitions request. A topic named twice is answered once, with an error, as Kafka does.
pub fn create_partitions(
    image: &Image,
    topics: &[MorePartitions],
    validate_only: bool,
) -> Decision<Vec<CreatePartitionsOutcome>> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    topics.iter().for_each(|topic| *counts.entry(&topic.name).or_default() += 1);
    let mut growth = Growth { image, placer: Placer::new(image), records: Vec::new() };
    let mut answered = BTreeSet::new();
    let mut answer = Vec::new();
    for topic in topics.iter().filter(|topic| answered.insert(&topic.name)) {
        let outcome = match counts[topic.name.as_str()] {
            1 => growth.grow(topic),
            _ => Err(Refused::new(ErrorCode::InvalidRequest, "Duplicate topic name.")),
        };
        answer.push((topic.name.clone(), outcome));
    }
    Decision { records: if validate_only { Vec::new() } else { growth.records }, answer }
}

/// One request's work.
struct Growth<'a> {
    image: &'a Image,
    placer: Placer,
    records: Vec<Record>,
}

impl Growth<'_> {
    fn grow(&mut self, asked: &MorePartitions) -> Result<(), Refused> {
        let unknown = || Refused::new(ErrorCode::UnknownTopicOrPartition, "This server does not host this topic.");
        let topic = self.image.topic_by_name(&asked.name).ok_or_else(unknown)?;
        let present = topic.partitions.len() as i32;
        let invalid = |why: String| Err(Refused::new(ErrorCode::InvalidPartitions, why));
        if asked.count == present {
            return invalid(format!("Topic already has {present} partition(s)."));
        }
        if asked.count < present {
            let count = asked.count;
            return invalid(format!(
                "The topic {} currently has {present} partition(s); {count} would not be an increase.",
                asked.name
            ));
        }
        if asked.name == "__consumer_offsets" {
            // More of them, and every group would be looked for in another one.
            return invalid(
                "Groups are placed by the number of partitions of __consumer_offsets: it stays.".to_string(),
            );
        }
        let additional = (asked.count - present) as usize;
        check_partition_bounds(self.image, self.records.len() + additional)?;
        let mut cores = vec![None; additional];
        if let Some(assignments) = &asked.assignments {
            if assignments.len() != additional {
                let given = assignments.len();
                let why = format!(
                    "Attempted to add {additional} additional partition(s), but only {given} assignment(s) were specified."
                );
                return Err(Refused::new(ErrorCode::InvalidReplicaAssignment, why));
            }
            for (core, brokers) in cores.iter_mut().zip(assignments) {
                *core = Some(assigned_core(self.image, brokers)?);
            }
        }
        for (core, partition) in cores.into_iter().zip(present..) {
            self.records.push(new_partition(self.image, &mut self.placer, topic.id, partition, core));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::{MachineId, TopicId};
    use crate::base::limits::PARTITIONS_PER_REQUEST_MAX;
    use crate::metadata::record::*;

    const T: TopicId = TopicId([1; 16]);

    /// Two cores, the topic "t" with one partition, "u" with two.
    fn image() -> Image {
        let format = FormatRecord { cluster_id: "cluster".into(), machine: MachineId(3), directory_id: [1; 16] };
        let topic = |name: &str, id| Record::Topic(TopicRecord { name: name.into(), id });
        let records = [
            Record::Format(format),
            Record::GenerationBegun(GenerationBegunRecord { generation: 1 }),
            Record::Layout(LayoutRecord { generation: 1, cores: 2 }),
            topic("t", T),
            topic("u", TopicId([2; 16])),
        ];
        let mut image = Image::new().apply(&records).expect("legal").0;
        for (topic, partition) in [(T, 0), (TopicId([2; 16]), 0), (TopicId([2; 16]), 1)] {
            let record = new_partition(&image, &mut Placer::new(&image), topic, partition, None);
            image = image.apply(&[record]).expect("legal").0;
        }
        image
    }

    fn more(name: &str, count: i32) -> MorePartitions {
        MorePartitions { name: name.into(), count, assignments: None }
    }

    fn codes(decision: &Decision<Vec<CreatePartitionsOutcome>>) -> Vec<ErrorCode> {
        let code =
            |outcome: &Result<(), Refused>| outcome.as_ref().map_or_else(|refused| refused.code, |()| ErrorCode::None);
        decision.answer.iter().map(|(_, outcome)| code(outcome)).collect()
    }

    #[test]
    fn new_partitions_spread_evenly() {
        let image = image();
        let decision = create_partitions(&image, &[more("t", 6), more("u", 4)], false);
        assert_eq!(codes(&decision), [ErrorCode::None; 2]);
        let (grown, delta) = image.apply(&decision.records).expect("legal");
        assert_eq!(delta.partitions_created.len(), 7);
        assert_eq!(grown.topic(T).expect("there").partitions.len(), 6);
        assert_eq!(grown.core_loads(), [5, 5]);
        grown.check();
    }

    #[test]
    fn nothing_is_made_when_only_validating() {
        let decision = create_partitions(&image(), &[more("t", 2)], true);
        assert_eq!((codes(&decision), decision.records.len()), (vec![ErrorCode::None], 0));
    }

    #[test]
    fn what_is_refused() {
        let assigned = |count, assignments: &[&[i32]]| MorePartitions {
            assignments: Some(assignments.iter().map(|brokers| brokers.to_vec()).collect()),
            ..more("t", count)
        };
        let refused = |topic: MorePartitions| {
            let decision = create_partitions(&image(), &[topic], false);
            assert!(decision.records.is_empty());
            codes(&decision)[0]
        };
        for count in [1, 0, -1, i32::MIN] {
            assert_eq!(refused(more("t", count)), ErrorCode::InvalidPartitions);
        }
        assert_eq!(refused(more("v", 2)), ErrorCode::UnknownTopicOrPartition);
        assert_eq!(refused(more("t", PARTITIONS_PER_REQUEST_MAX as i32 + 2)), ErrorCode::PolicyViolation);
        assert_eq!(refused(more("t", i32::MAX)), ErrorCode::PolicyViolation);
        for assignments in [&[&[3000][..]][..], &[&[3000], &[9]], &[&[3000], &[]], &[&[3000], &[3000, 3001]], &[]] {
            assert_eq!(refused(assigned(3, assignments)), ErrorCode::InvalidReplicaAssignment);
        }
        let twice = create_partitions(&image(), &[more("t", 2), more("u", 3), more("t", 3)], false);
        assert_eq!(codes(&twice), [ErrorCode::InvalidRequest, ErrorCode::None]);
        let placed = create_partitions(&image(), &[assigned(3, &[&[3001], &[3001]])], false);
        let grown = image().apply(&placed.records).expect("legal").0;
        let cores: Vec<u16> = grown.topic(T).expect("there").partitions.iter().map(|one| one.core(2).0).collect();
        assert_eq!(cores[1..], [1, 1]);
    }
}
