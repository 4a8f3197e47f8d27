//! Offsets that need not be kept: of groups that nobody belongs to, of topics that are gone, of topics that a living group does
//! not read any more.

use crate::base::clock::Now;
use crate::coordinator::answers::Topics;
use crate::coordinator::group::{Committed, Group, State};
use crate::coordinator::groups::Groups;
use crate::coordinator::offsets::tombstone;
use crate::coordinator::outbox::Then;
use crate::coordinator::timers::Timer;
use crate::wire::group_records::GroupRecordKey;
use std::sync::Arc;

impl Groups {
    /// The regular look.
    pub(super) fn expire_offsets(&mut self, now: Now) {
        self.timers.set(now.monotonic_ms() + self.settings.retention_check_ms, Timer::Expiry);
        let retention_ms = self.settings.retention_ms;
        self.forget(now, |group| group.expired(retention_ms, now.wall_ms));
    }

    /// These topics are gone, and what was committed for them.
    pub fn topics_deleted(&mut self, topics: &[&str], now: Now) {
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            let is_gone = |key: &GroupRecordKey| matches!(key, GroupRecordKey::Offset { topic, .. } if topics.contains(&topic.as_str()));
            let keys: Vec<GroupRecordKey> = self.keys_of(&id).into_iter().filter(is_gone).collect();
            self.take_away(&id, &keys, now);
        }
    }

    /// After a load: takes away what is committed for topics that are gone. Their deletion may be durable where the tombstones are not, and
    /// others may have their names by now.
    pub fn forget_gone_topics(&mut self, topics: Topics<'_>, now: Now) {
        self.forget(now, |group| group.offsets_of_gone_topics(topics));
    }

    fn forget(&mut self, now: Now, expired: impl Fn(&Group) -> Vec<GroupRecordKey>) {
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            let keys = expired(&self.groups[&id]);
            self.take_away(&id, &keys, now);
        }
    }

    fn take_away(&mut self, id: &str, keys: &[GroupRecordKey], now: Now) {
        /// Keys per write: a write has to fit one batch.
        const KEYS_MAX: usize = 1_000;
        for keys in keys.chunks(KEYS_MAX) {
            let records = keys.iter().map(tombstone).collect();
            self.with(id, now, |group, turn| turn.write(group, records, Then::Nothing));
        }
    }
}

impl Group {
    fn offsets_of_gone_topics(&self, topics: Topics<'_>) -> Vec<GroupRecordKey> {
        let mut keys = Vec::new();
        for (topic, partitions) in &self.offsets {
            let known = topics(topic);
            let gone = partitions.iter().filter(|(_, one)| !one.is_of(known));
            keys.extend(gone.map(|(partition, _)| self.offset_key(topic, *partition)));
        }
        keys
    }

    /// What need not be kept of it. A group with writes under way is looked at the next time.
    fn expired(&self, retention_ms: i64, now_ms: i64) -> Vec<GroupRecordKey> {
        if self.writes > 0 {
            return Vec::new();
        }
        let is_old = |committed: &Committed, since_ms: i64| match committed.expire_ms {
            Some(expire_ms) => now_ms >= expire_ms,
            None => now_ms.saturating_sub(since_ms) >= retention_ms,
        };
        let is_expired = |topic: &str, committed: &Committed| match (&self.protocol_type, self.state) {
            (None, _) => is_old(committed, committed.committed_ms),
            (Some(_), State::Empty) => is_old(committed, self.since_ms),
            (Some(kind), State::Stable) if **kind == *"consumer" => {
                let unread = self.subscribed.as_ref().is_some_and(|topics| !topics.contains(topic));
                unread && is_old(committed, committed.committed_ms)
            }
            _ => false,
        };
        let mut keys = Vec::new();
        let mut all = true;
        for (topic, partitions) in &self.offsets {
            for (partition, committed) in partitions {
                if !is_expired(topic, committed) {
                    all = false;
                    continue;
                }
                keys.push(self.offset_key(topic, *partition));
            }
        }
        if all && self.state == State::Empty && self.stored.is_some() {
            keys.push(GroupRecordKey::Group { group: self.id.to_string() });
        }
        keys
    }
}
