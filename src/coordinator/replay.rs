//! From records to state: at start for the whole log, later for each record that became durable.

use crate::base::clock::Now;
use crate::coordinator::group::{Committed, Group, State};
use crate::coordinator::groups::Groups;
use crate::coordinator::member::Member;
use crate::coordinator::timers::Timer;
use crate::wire::group_records::{GroupRecordKey, GroupValue, MemberValue, OffsetValue};
use crate::wire::keyed_batch::{self, KeyedRecord};
use crate::wire::record_batch::Batches;
use std::sync::Arc;

impl Groups {
    /// Reads whole batches of the log, in order. An error names what cannot be read.
    pub fn replay(&mut self, batches: &[u8]) -> Result<(), String> {
        for batch in Batches::new(batches) {
            let (range, header) = batch.map_err(|error| format!("{error:?}"))?;
            let batch = &batches[range];
            self.snapshot.note_loaded(batch.len());
            for record in keyed_batch::decode(batch, &header)? {
                self.apply(&record)?;
            }
        }
        Ok(())
    }

    /// The log is read to its end: the groups begin to live. Members have a whole session to come back.
    pub fn loaded(&mut self, now: Now) {
        self.timers.set(now.monotonic_ms() + self.settings.retention_check_ms, Timer::Expiry);
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            let Some(stored) = self.groups[&id].stored.clone() else { continue };
            // Checked when it was applied.
            let value = GroupValue::decode(&stored).expect("a value that was applied");
            self.with(&id, now, |group, turn| {
                revive(group, value);
                let ids: Vec<Arc<str>> = group.members.keys().cloned().collect();
                for id in ids {
                    *turn.member_bytes += group.members[&id].bytes();
                    group.touch(&id, turn);
                }
            });
        }
    }

    /// Applies one durable record.
    pub(super) fn apply(&mut self, record: &KeyedRecord) -> Result<(), String> {
        let unreadable = |error| format!("a record of __consumer_offsets: {error}");
        let Some(key) = GroupRecordKey::decode(&record.key).map_err(unreadable)? else { return Ok(()) };
        let (GroupRecordKey::Offset { group: id, .. } | GroupRecordKey::Group { group: id }) = &key;
        if !self.groups.contains_key(id.as_str()) {
            if record.value.is_none() {
                return Ok(());
            }
            let id: Arc<str> = id.as_str().into();
            self.groups.insert(id.clone(), Group::new(id, -1));
        }
        let group = self.groups.get_mut(id.as_str()).expect("there or made");
        let gone = match (&key, &record.value) {
            (GroupRecordKey::Offset { topic, partition, .. }, Some(value)) => {
                let value = OffsetValue::decode(value).map_err(unreadable)?;
                put_offset(group, topic, *partition, value).map(|before| offset_bytes(id, topic, &before))
            }
            (GroupRecordKey::Offset { topic, partition, .. }, None) => {
                take_offset(group, topic, *partition).map(|before| offset_bytes(id, topic, &before))
            }
            (GroupRecordKey::Group { .. }, value) => {
                if let Some(value) = value {
                    GroupValue::decode(value).map_err(unreadable)?;
                }
                std::mem::replace(&mut group.stored, value.clone()).map(|before| id.len() + before.len())
            }
        };
        self.live_bytes -= gone.unwrap_or(0);
        self.live_bytes += match (&key, &record.value) {
            (_, None) => 0,
            (GroupRecordKey::Offset { topic, partition, .. }, _) => {
                offset_bytes(id, topic, &group.offsets[topic.as_str()][partition])
            }
            (GroupRecordKey::Group { .. }, Some(value)) => id.len() + value.len(),
        };
        if group.is_nothing() {
            self.groups.remove(id.as_str());
        }
        Ok(())
    }
}

/// What a committed offset takes in the log, about.
fn offset_bytes(group: &str, topic: &str, committed: &Committed) -> usize {
    const FIXED_BYTES: usize = 72;
    FIXED_BYTES + group.len() + topic.len() + committed.metadata.len()
}

fn put_offset(group: &mut Group, topic: &str, partition: i32, value: OffsetValue) -> Option<Committed> {
    let committed = Committed {
        offset: value.offset,
        leader_epoch: value.leader_epoch,
        metadata: value.metadata.into(),
        committed_ms: value.committed_ms,
        expire_ms: value.expire_ms,
        topic_id: value.topic_id,
    };
    match group.offsets.get_mut(topic) {
        Some(partitions) => partitions.insert(partition, committed),
        None => {
            group.offsets.insert(topic.into(), [(partition, committed)].into());
            None
        }
    }
}

fn take_offset(group: &mut Group, topic: &str, partition: i32) -> Option<Committed> {
    let partitions = group.offsets.get_mut(topic)?;
    let committed = partitions.remove(&partition);
    if partitions.is_empty() {
        group.offsets.remove(topic);
    }
    committed
}

/// A group as its last durable record says.
fn revive(group: &mut Group, value: GroupValue) {
    group.generation = value.generation;
    group.since_ms = value.since_ms;
    let protocol: Option<Arc<str>> = value.protocol.as_deref().map(Into::into);
    let protocol_type: Arc<str> = value.protocol_type.into();
    for member in value.members {
        group.add(revived(member, protocol.clone()), &protocol_type);
    }
    group.protocol_type = (!protocol_type.is_empty()).then_some(protocol_type);
    if group.members.is_empty() {
        return;
    }
    group.protocol = protocol;
    group.state = State::Stable;
    let leader: Option<Arc<str>> = value.leader.as_deref().map(Into::into);
    group.leader = leader.filter(|leader| group.members.contains_key(leader)).or(group.leader.take());
    group.note_subscriptions();
}

fn revived(value: MemberValue, protocol: Option<Arc<str>>) -> Member {
    Member {
        id: value.id.into(),
        instance_id: value.instance_id.as_deref().map(Into::into),
        client_id: value.client_id.into(),
        client_host: value.client_host.into(),
        rebalance_timeout_ms: value.rebalance_timeout_ms,
        session_timeout_ms: value.session_timeout_ms,
        protocols: protocol.map(|name| (name, value.subscription)).into_iter().collect(),
        assignment: value.assignment,
        joining: None,
        syncing: None,
        is_new: false,
        deadline_ms: 0,
        timer_ms: None,
    }
}
