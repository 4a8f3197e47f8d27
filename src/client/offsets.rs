//! Where partitions start and end, what offset a time has, and the removal of what lies before an offset.

use crate::client::cluster::{Cluster, Topic, partition_words, topic_name};
use crate::client::failure::Failure;
use kafka_protocol::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::{BrokerId, DeleteRecordsRequest, ListOffsetsRequest};
use std::collections::BTreeMap;

/// What offset is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asked {
    /// The first that is kept.
    Start,
    /// The one that the next record gets.
    End,
    /// The first record of a transaction that is open; without one, the end.
    StableEnd,
    /// The first record of this time (milliseconds) or later; the end if there is none.
    Time(i64),
}

impl Asked {
    fn timestamp(self) -> i64 {
        match self {
            Asked::End | Asked::StableEnd => -1,
            Asked::Start => -2,
            Asked::Time(time) => time,
        }
    }
}

/// One verdict per partition.
pub type PerPartition = BTreeMap<i32, Result<i64, Failure>>;

/// Offsets of partitions of a topic, asked of their leaders; a leader that moved is followed. By time the answer is -1 where no
/// record is that young.
pub fn list(cluster: &mut Cluster, topic: &Topic, wanted: &[(i32, Asked)]) -> Result<PerPartition, Failure> {
    per_leader(cluster, topic, wanted, |cluster, leader, part| {
        let isolation = i8::from(part.iter().any(|(_, asked)| *asked == Asked::StableEnd));
        let answer = cluster.ask::<ListOffsetsRequest>(leader, |version| {
            let partitions = part.iter().map(|(partition, asked)| {
                ListOffsetsPartition::default()
                    .with_partition_index(*partition)
                    .with_current_leader_epoch(-1)
                    .with_timestamp(asked.timestamp())
            });
            let asked =
                ListOffsetsTopic::default().with_name(topic_name(&topic.name)).with_partitions(partitions.collect());
            let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked]);
            if version >= 2 { request.with_isolation_level(isolation) } else { request }
        })?;
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        Ok(partitions.map(|partition| (partition.partition_index, partition.error_code, partition.offset)).collect())
    })
}

/// The same question about partitions given by ascending number, with the answers in their order; one that fails fails all.
pub fn of_each(cluster: &mut Cluster, topic: &Topic, partitions: &[i32], asked: Asked) -> Result<Vec<i64>, Failure> {
    let wanted: Vec<(i32, Asked)> = partitions.iter().map(|partition| (*partition, asked)).collect();
    list(cluster, topic, &wanted)?.into_values().collect()
}

/// Removes what lies before the offsets (-1: everything); the answers are the new starts.
pub fn trim(cluster: &mut Cluster, topic: &Topic, wanted: &[(i32, i64)]) -> Result<PerPartition, Failure> {
    let timeout_ms = cluster.patience().timeout_ms();
    per_leader(cluster, topic, wanted, |cluster, leader, part| {
        let answer = cluster.ask::<DeleteRecordsRequest>(leader, |_| {
            let partitions = part.iter().map(|(partition, offset)| {
                DeleteRecordsPartition::default().with_partition_index(*partition).with_offset(*offset)
            });
            let asked =
                DeleteRecordsTopic::default().with_name(topic_name(&topic.name)).with_partitions(partitions.collect());
            DeleteRecordsRequest::default().with_topics(vec![asked]).with_timeout_ms(timeout_ms)
        })?;
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        Ok(partitions
            .map(|partition| (partition.partition_index, partition.error_code, partition.low_watermark))
            .collect())
    })
}

/// Partition, error code, offset.
type Answered = Vec<(i32, i16, i64)>;

/// Asks each leader for its partitions; those that another broker leads by now are asked again there.
fn per_leader<W: Copy>(
    cluster: &mut Cluster,
    topic: &Topic,
    wanted: &[(i32, W)],
    mut ask: impl FnMut(&mut Cluster, i32, &[(i32, W)]) -> Result<Answered, Failure>,
) -> Result<PerPartition, Failure> {
    let mut done = PerPartition::new();
    let mut known = topic.clone();
    let result = cluster.persist(|cluster| {
        let mut by_leader: BTreeMap<i32, Vec<(i32, W)>> = BTreeMap::new();
        for (partition, what) in wanted.iter().filter(|(partition, _)| !done.get(partition).is_some_and(Result::is_ok))
        {
            let leader =
                known.partitions.iter().find(|known| known.index == *partition).map_or(-1, |known| known.leader);
            by_leader.entry(leader).or_default().push((*partition, *what));
        }
        let mut passing = None;
        for (leader, part) in by_leader {
            let broker = cluster.broker_words(leader);
            let answers = match leader {
                -1 => Ok(part.iter().map(|(partition, _)| (*partition, LEADER_NOT_AVAILABLE, -1)).collect()),
                _ => ask(cluster, leader, &part),
            };
            let answers = match answers {
                Ok(answers) => answers,
                Err(failure) => {
                    done.extend(part.iter().map(|(partition, _)| {
                        (*partition, Err(failure.clone().about(partition_words(&topic.name, *partition))))
                    }));
                    passing = passing.or(failure.may_pass().then_some(failure));
                    continue;
                }
            };
            for (partition, code, offset) in answers {
                let failure =
                    Failure::code(code, None).about(partition_words(&topic.name, partition)).from_broker(&broker);
                passing = passing.or((code != 0 && failure.may_pass()).then(|| failure.clone()));
                done.insert(partition, if code == 0 { Ok(offset) } else { Err(failure) });
            }
        }
        let Some(failure) = passing else { return Ok(()) };
        known = cluster.topic(&topic.name, false)?;
        Err(failure)
    });
    // What did not pass in time stands with its partition; a failure of everything stands alone.
    match result {
        Err(failure) if done.is_empty() => Err(failure),
        _ => Ok(done),
    }
}

const LEADER_NOT_AVAILABLE: i16 = 5;
