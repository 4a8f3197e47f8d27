//! OffsetCommit, OffsetFetch and OffsetDelete.
//!
//! A commit is answered when its records are durable, and from then on is what OffsetFetch tells; before that OffsetFetch tells the
//! one before it. It belongs to the incarnation of its topic: of an earlier topic with the same name nothing is told.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::coordinator::answers::{Caller, CommittedAt, GroupResponse, Topics, commit_answer};
use crate::coordinator::group::{Committed, Group, State, wire_text};
use crate::coordinator::groups::{Groups, Turn, are_legal_texts, fits_a_batch};
use crate::coordinator::outbox::{Outbox, Then};
use crate::wire::group_records::{GroupRecordKey, OffsetValue};
use crate::wire::keyed_batch::KeyedRecord;
use crate::wire::messages::{
    OffsetCommitRequest, OffsetDeleteRequest, OffsetDeleteResponse, OffsetDeleteResponsePartition,
    OffsetDeleteResponseTopic, OffsetFetchRequest, OffsetFetchRequestGroup, OffsetFetchResponse,
    OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics, TopicName,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// First version of OffsetCommit that knows GROUP_ID_NOT_FOUND.
const NAMES_UNKNOWN_GROUPS: i16 = 9;
/// The last version whose commits may say how long they live.
const LIFETIMES: i16 = 4;

impl Groups {
    pub(super) fn commit(
        &mut self,
        caller: Caller,
        version: i16,
        request: &OffsetCommitRequest,
        topics: Topics<'_>,
        now: Now,
    ) {
        let id = request.group_id.as_str();
        let simple = request.generation_id_or_member_epoch < 0;
        let refusal = if !are_legal_texts([id]) {
            Some(ErrorCode::InvalidGroupId)
        } else if self.room.live_bytes == 0 {
            Some(ErrorCode::InvalidCommitOffsetSize)
        } else if !simple && !self.groups.contains_key(id) {
            Some(if version < NAMES_UNKNOWN_GROUPS { ErrorCode::IllegalGeneration } else { ErrorCode::GroupIdNotFound })
        } else {
            None
        };
        if let Some(code) = refusal {
            return self.outbox.reply(caller, GroupResponse::Commit(commit_answer(request, |_, _| code)));
        }
        self.with_new(id, now, |group, turn| group.commit(caller, version, request, topics, turn));
    }

    /// Everything that is committed, group by group, in memory as it is.
    pub fn committed_offsets(&self) -> impl Iterator<Item = CommittedAt<'_>> {
        self.groups.values().flat_map(|group| {
            group.offsets.iter().flat_map(|(topic, partitions)| {
                partitions.iter().map(|(partition, one)| CommittedAt {
                    group: &group.id,
                    topic,
                    partition: *partition,
                    offset: one.offset,
                    topic_id: one.topic_id,
                })
            })
        })
    }

    pub(super) fn fetch_offsets(&mut self, caller: Caller, request: &OffsetFetchRequest, topics: Topics<'_>) {
        let groups = request.groups.iter().map(|asked| self.committed(asked, topics)).collect();
        let response = OffsetFetchResponse::default().with_groups(groups);
        self.outbox.reply(caller, GroupResponse::Fetch(response));
    }

    fn committed(&self, asked: &OffsetFetchRequestGroup, known: Topics<'_>) -> OffsetFetchResponseGroup {
        let offsets = self.groups.get(asked.group_id.as_str()).map(|group| &group.offsets);
        let topics = match &asked.topics {
            None => {
                let topic = |(topic, partitions): (&Arc<str>, &BTreeMap<i32, Committed>)| {
                    let known = known(topic);
                    let current = partitions.iter().filter(|(_, one)| one.is_of(known));
                    let partitions = current.map(|(index, one)| told(*index, Some(one))).collect();
                    let name = TopicName(wire_text(topic));
                    OffsetFetchResponseTopics::default().with_name(name).with_partitions(partitions)
                };
                let topics = offsets.into_iter().flatten().map(topic);
                topics.filter(|topic| !topic.partitions.is_empty()).collect()
            }
            Some(topics) => {
                let topic = |topic: &crate::wire::messages::OffsetFetchRequestTopics| {
                    let committed = offsets.and_then(|offsets| offsets.get(topic.name.as_str()));
                    let known = known(&topic.name);
                    let one = |index: &i32| {
                        let committed = committed.and_then(|partitions| partitions.get(index));
                        told(*index, committed.filter(|one| one.is_of(known)))
                    };
                    let partitions = topic.partition_indexes.iter().map(one).collect();
                    OffsetFetchResponseTopics::default().with_name(topic.name.clone()).with_partitions(partitions)
                };
                topics.iter().map(topic).collect()
            }
        };
        OffsetFetchResponseGroup::default().with_group_id(asked.group_id.clone()).with_topics(topics)
    }

    pub(super) fn delete_offsets(
        &mut self,
        caller: Caller,
        request: &OffsetDeleteRequest,
        topics: Topics<'_>,
        now: Now,
    ) {
        let keys = self.keys_of(request.group_id.as_str());
        let answered = self.with(&request.group_id, now, |group, turn| {
            // Kafka's clients without a group id may commit, but not this.
            if group.is_only_promised() || group.id.is_empty() {
                return false;
            }
            group.delete_offsets(caller, request, &keys, topics, turn);
            true
        });
        if answered != Some(true) {
            let code = if request.group_id.is_empty() { ErrorCode::InvalidGroupId } else { ErrorCode::GroupIdNotFound };
            let response = OffsetDeleteResponse::default().with_error_code(code.code());
            self.outbox.reply(caller, GroupResponse::OffsetDelete(response));
        }
    }

    /// The keys of a group's records, those on their way to the log included.
    pub(super) fn keys_of(&self, id: &str) -> BTreeSet<GroupRecordKey> {
        let mut keys = BTreeSet::new();
        let Some(group) = self.groups.get(id) else { return keys };
        for (topic, partitions) in &group.offsets {
            keys.extend(partitions.keys().map(|partition| group.offset_key(topic, *partition)));
        }
        keys.extend(group.stored.is_some().then(|| GroupRecordKey::Group { group: id.to_string() }));
        if group.writes > 0 {
            keys.extend(open_keys(&self.outbox, id));
        }
        keys
    }
}

fn open_keys(outbox: &Outbox, id: &str) -> impl Iterator<Item = GroupRecordKey> {
    let records = outbox.open_writes().filter(move |write| *write.group == *id).flat_map(|write| &write.records);
    records.filter_map(|record| GroupRecordKey::decode(&record.key).ok().flatten())
}

/// The record that takes a key away.
pub(super) fn tombstone(key: &GroupRecordKey) -> KeyedRecord {
    KeyedRecord { key: key.encode(), value: None }
}

fn told(index: i32, committed: Option<&Committed>) -> OffsetFetchResponsePartitions {
    let answer = OffsetFetchResponsePartitions::default().with_partition_index(index);
    match committed {
        None => answer.with_committed_offset(-1).with_committed_leader_epoch(-1).with_metadata(Some(wire_text(""))),
        Some(one) => answer
            .with_committed_offset(one.offset)
            .with_committed_leader_epoch(one.leader_epoch)
            .with_metadata(Some(wire_text(&one.metadata))),
    }
}

impl Group {
    /// It exists only because ids were given out.
    pub(super) fn is_only_promised(&self) -> bool {
        self.members.is_empty() && self.offsets.is_empty() && self.stored.is_none() && self.writes == 0
    }

    fn commit(
        &mut self,
        caller: Caller,
        version: i16,
        request: &OffsetCommitRequest,
        topics: Topics<'_>,
        turn: &mut Turn<'_>,
    ) {
        if let Err(code) = self.validate_commit(request) {
            return turn.reply(caller, GroupResponse::Commit(commit_answer(request, |_, _| code)));
        }
        self.touch(&request.member_id, turn);
        let lifetime_ms = Some(request.retention_time_ms).filter(|time| version <= LIFETIMES && *time >= 0);
        let mut records = Vec::new();
        let now_ms = turn.now.wall_ms;
        let response = commit_answer(request, |topic, one| {
            let metadata = one.committed_metadata.as_deref().map_or("", |text| text);
            let Some(known) = topics(topic).filter(|known| known.has(one.partition_index)) else {
                return ErrorCode::UnknownTopicOrPartition;
            };
            if metadata.len() > turn.settings.metadata_bytes_max || !are_legal_texts([metadata]) {
                return ErrorCode::OffsetMetadataTooLarge;
            }
            let value = OffsetValue {
                offset: one.committed_offset,
                leader_epoch: one.committed_leader_epoch,
                metadata: metadata.to_string(),
                committed_ms: now_ms,
                expire_ms: lifetime_ms.map(|time| now_ms.saturating_add(time)),
                topic_id: Some(known.id),
            };
            let key = self.offset_key(topic, one.partition_index);
            records.push(KeyedRecord { key: key.encode(), value: Some(value.encode()) });
            ErrorCode::None
        });
        let mut answer = GroupResponse::Commit(response);
        if records.is_empty() {
            return turn.reply(caller, answer);
        }
        if !fits_a_batch(&records) {
            crate::coordinator::outbox::refuse(&mut answer, ErrorCode::InvalidCommitOffsetSize);
            return turn.reply(caller, answer);
        }
        turn.write(self, records, Then::Answer(caller, answer));
    }

    fn validate_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        let generation = request.generation_id_or_member_epoch;
        let instance_id = request.group_instance_id.as_deref();
        if generation < 0 && self.state == State::Empty {
            // Clients that assign partitions themselves, and administrators.
            return Ok(());
        }
        if generation < 0 && request.member_id.is_empty() && instance_id.is_none() {
            return Err(ErrorCode::UnknownMemberId);
        }
        self.validate_member(&request.member_id, instance_id)?;
        if generation != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        // The client is told to look after the rebalance first.
        if self.state == State::CompletingRebalance { Err(ErrorCode::RebalanceInProgress) } else { Ok(()) }
    }

    fn delete_offsets(
        &mut self,
        caller: Caller,
        request: &OffsetDeleteRequest,
        keys: &BTreeSet<GroupRecordKey>,
        topics: Topics<'_>,
        turn: &mut Turn<'_>,
    ) {
        let live = self.state != State::Empty;
        if live && self.protocol_type.as_deref() != Some("consumer") {
            let response = OffsetDeleteResponse::default().with_error_code(ErrorCode::NonEmptyGroup.code());
            return turn.reply(caller, GroupResponse::OffsetDelete(response));
        }
        let mut records = Vec::new();
        let answers = request.topics.iter().map(|topic| {
            let known = topics(&topic.name);
            let in_use = live && self.subscribed.as_ref().is_none_or(|topics| topics.contains(topic.name.as_str()));
            let mut partition = |index: i32| {
                if !known.is_some_and(|known| known.has(index)) {
                    return ErrorCode::UnknownTopicOrPartition;
                }
                if in_use {
                    return ErrorCode::GroupSubscribedToTopic;
                }
                let key = self.offset_key(&topic.name, index);
                records.extend(keys.contains(&key).then(|| tombstone(&key)));
                ErrorCode::None
            };
            let partitions = topic.partitions.iter().map(|one| {
                let index = one.partition_index;
                let answer = OffsetDeleteResponsePartition::default().with_partition_index(index);
                answer.with_error_code(partition(index).code())
            });
            let partitions = partitions.collect();
            OffsetDeleteResponseTopic::default().with_name(topic.name.clone()).with_partitions(partitions)
        });
        let topics = answers.collect();
        let answer = GroupResponse::OffsetDelete(OffsetDeleteResponse::default().with_topics(topics));
        if records.is_empty() {
            return turn.reply(caller, answer);
        }
        turn.write(self, records, Then::Answer(caller, answer));
    }
}
