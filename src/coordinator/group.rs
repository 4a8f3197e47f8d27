//! One group: who is in it, what it voted for, where it is in its life. Lives in [`Groups`](crate::coordinator::groups::Groups), which
//! alone mutates it.
//!
//! ```text
//!            first member joins              all joined, or time is over          the leader's assignments are durable
//!   Empty ---------------------> PreparingRebalance ------------------> CompletingRebalance ------------------> Stable
//!     ^                               |   ^    ^                                 |                               |
//!     |  nobody is left               |   |    |  a member joins, changes, leaves or times out; assignments refused
//!     +-------------------------------+   |    +---------------------------------+                               |
//!                                         |                                                                      |
//!                                         +----------------------------------------------------------------------+
//! ```
//! Kafka's fifth state, Dead, is a group that is not in the map.
//!
//! Invariants: (G1) the generation never falls and rises at each way out of PreparingRebalance; (G2) a JoinGroup waits only in
//! PreparingRebalance, a SyncGroup only in CompletingRebalance; (G3) there is a leader, who is a member, whenever there are members,
//! and none in Empty; (G4) `support` counts, for each protocol, the members that have it; (G5) what is in `offsets` and
//! `stored` was applied from durable records and from nothing else.

use crate::base::ids::TopicId;
use crate::coordinator::answers::{Caller, KnownTopic};
use crate::coordinator::member::Member;
use crate::wire::group_records::{GroupRecordKey, GroupValue, MemberValue};
use crate::wire::messages::{JoinGroupResponse, JoinGroupResponseMember, StrBytes};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Where a group is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No members; perhaps offsets.
    Empty,
    /// Members are joining.
    PreparingRebalance,
    /// All have joined; the leader's assignments are awaited.
    CompletingRebalance,
    /// All have their assignments.
    Stable,
}

impl State {
    /// Kafka's name.
    pub fn name(self) -> &'static str {
        match self {
            State::Empty => "Empty",
            State::PreparingRebalance => "PreparingRebalance",
            State::CompletingRebalance => "CompletingRebalance",
            State::Stable => "Stable",
        }
    }
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) offset: i64,
    pub(super) leader_epoch: i32,
    pub(super) metadata: Box<str>,
    pub(super) committed_ms: i64,
    pub(super) expire_ms: Option<i64>,
    /// `None`: the record does not say.
    pub(super) topic_id: Option<TopicId>,
}

impl Committed {
    /// It is of this topic, not of an earlier one of the same name.
    pub(super) fn is_of(&self, topic: Option<KnownTopic>) -> bool {
        topic.is_some_and(|topic| self.topic_id.is_none_or(|id| id == topic.id))
    }
}

/// The wait for members in the first rebalance of an empty group.
#[derive(Clone, Copy, Debug)]
pub(super) struct InitialDelay {
    /// What it may be prolonged by.
    pub(super) remaining_ms: u64,
    /// Somebody joined since it began.
    pub(super) prolonged: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Group {
    pub(super) id: Arc<str>,
    pub(super) state: State,
    /// Milliseconds since the Unix epoch.
    pub(super) since_ms: i64,
    pub(super) generation: i32,
    pub(super) protocol_type: Option<Arc<str>>,
    pub(super) protocol: Option<Arc<str>>,
    pub(super) leader: Option<Arc<str>>,
    pub(super) members: BTreeMap<Arc<str>, Member>,
    /// Member ids by instance id.
    pub(super) statics: BTreeMap<Arc<str>, Arc<str>>,
    /// Member ids that were given out, and when they end (monotonic milliseconds).
    pub(super) promised: BTreeMap<Arc<str>, u64>,
    /// Members that have joined this generation and not synced.
    pub(super) unsynced: BTreeSet<Arc<str>>,
    /// How many members have each protocol.
    support: BTreeMap<Arc<str>, usize>,
    /// Members whose JoinGroup waits.
    pub(super) joining: usize,
    pub(super) rebalance_ms: Option<u64>,
    pub(super) sync_ms: Option<u64>,
    pub(super) initial: Option<InitialDelay>,
    /// The assignments of this generation are being written.
    pub(super) assigning: bool,
    /// Topics of a "consumer" group's members; `None`: unknown.
    pub(super) subscribed: Option<BTreeSet<String>>,
    pub(super) offsets: BTreeMap<Arc<str>, BTreeMap<i32, Committed>>,
    /// The group's last durable record.
    pub(super) stored: Option<Bytes>,
    /// Writes of this group that are not applied.
    pub(super) writes: usize,
}

impl Group {
    /// The key of what it commits for a partition.
    pub(super) fn offset_key(&self, topic: &str, partition: i32) -> GroupRecordKey {
        GroupRecordKey::Offset { group: self.id.to_string(), topic: topic.to_string(), partition }
    }

    pub(super) fn new(id: Arc<str>, now_wall_ms: i64) -> Group {
        Group {
            id,
            state: State::Empty,
            since_ms: now_wall_ms,
            generation: 0,
            protocol_type: None,
            protocol: None,
            leader: None,
            members: BTreeMap::new(),
            statics: BTreeMap::new(),
            promised: BTreeMap::new(),
            unsynced: BTreeSet::new(),
            support: BTreeMap::new(),
            joining: 0,
            rebalance_ms: None,
            sync_ms: None,
            initial: None,
            assigning: false,
            subscribed: None,
            offsets: BTreeMap::new(),
            stored: None,
            writes: 0,
        }
    }

    /// Nothing would be lost with it.
    pub(super) fn is_nothing(&self) -> bool {
        self.members.is_empty()
            && self.promised.is_empty()
            && self.offsets.is_empty()
            && self.stored.is_none()
            && self.writes == 0
            && self.state == State::Empty
    }

    /// What a promised id takes, its group perhaps included.
    pub(super) fn promise_bytes(&self, id: &str) -> usize {
        const FIXED_BYTES: usize = 768;
        FIXED_BYTES + self.id.len() + 2 * id.len()
    }

    /// A promised id is used, given back or over: gives when it would have been.
    pub(super) fn take_promise(&mut self, id: &str, member_bytes: &mut usize) -> Option<u64> {
        let at_ms = self.promised.remove(id)?;
        *member_bytes -= self.promise_bytes(id);
        Some(at_ms)
    }

    /// Could a member with these protocols belong to it?
    pub(super) fn supports(&self, protocol_type: &str, protocols: &[(Arc<str>, Bytes)]) -> bool {
        if self.members.is_empty() {
            return !protocol_type.is_empty() && !protocols.is_empty();
        }
        let all = self.members.len();
        self.protocol_type.as_deref() == Some(protocol_type)
            && protocols.iter().any(|(name, _)| self.support.get(name) == Some(&all))
    }

    pub(super) fn add(&mut self, member: Member, protocol_type: &Arc<str>) {
        if self.members.is_empty() {
            self.protocol_type = Some(protocol_type.clone());
        }
        if let Some(instance) = &member.instance_id {
            self.statics.insert(instance.clone(), member.id.clone());
        }
        self.leader.get_or_insert_with(|| member.id.clone());
        self.count_support(&member.protocols, true);
        self.joining += usize::from(member.joining.is_some());
        let replaced = self.members.insert(member.id.clone(), member);
        assert!(replaced.is_none(), "a member id is new");
    }

    /// Takes a member out; its timer and what waits in it are the caller's.
    pub(super) fn take(&mut self, id: &str) -> Option<Member> {
        let member = self.members.remove(id)?;
        self.count_support(&member.protocols, false);
        self.joining -= usize::from(member.joining.is_some());
        self.unsynced.remove(id);
        if let Some(instance) = &member.instance_id
            && self.statics.get(instance).is_some_and(|current| **current == *id)
        {
            self.statics.remove(instance);
        }
        if self.leader.as_deref() == Some(id) {
            self.leader = self.members.keys().next().cloned();
        }
        Some(member)
    }

    /// A member says anew what it can do.
    pub(super) fn set_protocols(&mut self, id: &str, protocols: Vec<(Arc<str>, Bytes)>) {
        let member = self.members.get_mut(id).expect("a member");
        let before = std::mem::replace(&mut member.protocols, protocols.clone());
        self.count_support(&before, false);
        self.count_support(&protocols, true);
    }

    /// A member's JoinGroup waits from now on; gives the one that waited before.
    pub(super) fn set_joining(&mut self, id: &str, caller: Caller) -> Option<Caller> {
        let before = self.members.get_mut(id).expect("a member").joining.replace(caller);
        self.joining += usize::from(before.is_none());
        before
    }

    /// A member's JoinGroup waits no longer.
    pub(super) fn take_joining(&mut self, id: &str) -> Option<Caller> {
        let caller = self.members.get_mut(id)?.joining.take()?;
        self.joining -= 1;
        Some(caller)
    }

    fn count_support(&mut self, protocols: &[(Arc<str>, Bytes)], added: bool) {
        for (name, _) in protocols {
            if added {
                *self.support.entry(name.clone()).or_default() += 1;
                continue;
            }
            let count = self.support.get_mut(name).expect("G4");
            *count -= 1;
            if *count == 0 {
                self.support.remove(name);
            }
        }
    }

    /// What the members vote for: each its favourite among what all have. A tie goes to what the leader likes better.
    pub(super) fn vote(&self) -> Option<Arc<str>> {
        let all = self.members.len();
        let mut votes: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for member in self.members.values() {
            let mut names = member.protocols.iter().map(|(name, _)| name);
            if let Some(favourite) = names.find(|name| self.support.get(*name) == Some(&all)) {
                *votes.entry(favourite).or_default() += 1;
            }
        }
        let most = votes.values().copied().max()?;
        let leader = self.leader.as_ref().and_then(|leader| self.members.get(leader))?;
        let mut preferred = leader.protocols.iter().map(|(name, _)| name);
        preferred.find(|name| votes.get(name) == Some(&most)).cloned()
    }

    /// All members have joined, and nobody was promised a place.
    pub(super) fn has_all_joined(&self) -> bool {
        self.joining == self.members.len() && self.promised.is_empty()
    }

    /// The longest time that a member wants for a rebalance.
    pub(super) fn rebalance_timeout_ms(&self) -> u64 {
        let longest = self.members.values().map(|member| member.rebalance_timeout_ms).max();
        u64::try_from(longest.unwrap_or(0)).unwrap_or(0)
    }

    pub(super) fn is_leader(&self, id: &str) -> bool {
        self.leader.as_deref() == Some(id)
    }

    /// What a member that has joined is told: the leader of everybody, the others of themselves.
    pub(super) fn joined(&self, id: &Arc<str>) -> JoinGroupResponse {
        let members = if self.is_leader(id) { self.metadata_of_all() } else { Vec::new() };
        JoinGroupResponse::default()
            .with_generation_id(self.generation)
            .with_protocol_type(self.protocol_type.as_deref().map(wire_text))
            .with_protocol_name(self.protocol.as_deref().map(wire_text))
            .with_leader(wire_text(self.leader.as_deref().unwrap_or_default()))
            .with_member_id(wire_text(id))
            .with_members(members)
    }

    pub(super) fn metadata_of_all(&self) -> Vec<JoinGroupResponseMember> {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let one = |member: &Member| {
            JoinGroupResponseMember::default()
                .with_member_id(wire_text(&member.id))
                .with_group_instance_id(member.instance_id.as_deref().map(wire_text))
                .with_metadata(member.metadata(protocol))
        };
        self.members.values().map(one).collect()
    }

    /// The group's record, each member with what `assignment` says.
    pub(super) fn value(&self, now_wall_ms: i64, assignment: impl Fn(&Member) -> Bytes) -> GroupValue {
        let protocol = self.protocol.as_deref().unwrap_or_default();
        let member = |member: &Member| MemberValue {
            id: member.id.to_string(),
            instance_id: member.instance_id.as_deref().map(str::to_string),
            client_id: member.client_id.to_string(),
            client_host: member.client_host.to_string(),
            rebalance_timeout_ms: member.rebalance_timeout_ms,
            session_timeout_ms: member.session_timeout_ms,
            subscription: member.metadata(protocol),
            assignment: assignment(member),
        };
        GroupValue {
            protocol_type: self.protocol_type.as_deref().unwrap_or_default().to_string(),
            generation: self.generation,
            protocol: self.protocol.as_deref().map(str::to_string),
            leader: self.leader.as_deref().map(str::to_string),
            since_ms: now_wall_ms,
            members: self.members.values().map(member).collect(),
        }
    }

    /// Asserts the invariants.
    pub(super) fn check(&self) {
        let joining = self.members.values().filter(|member| member.joining.is_some()).count();
        assert_eq!(self.joining, joining, "G2");
        assert!(joining == 0 || self.state == State::PreparingRebalance, "G2");
        let syncing = self.members.values().any(|member| member.syncing.is_some());
        assert!(!syncing || self.state == State::CompletingRebalance, "G2");
        assert_eq!(self.leader.is_some(), !self.members.is_empty(), "G3");
        assert!(self.leader.as_ref().is_none_or(|leader| self.members.contains_key(leader)), "G3");
        assert!(self.state != State::Empty || self.members.is_empty(), "G3");
        let mut support: BTreeMap<Arc<str>, usize> = BTreeMap::new();
        for (name, _) in self.members.values().flat_map(|member| &member.protocols) {
            *support.entry(name.clone()).or_default() += 1;
        }
        assert_eq!(self.support, support, "G4");
        for (instance, id) in &self.statics {
            assert_eq!(self.members[id].instance_id.as_ref(), Some(instance));
        }
    }
}

/// A text of the protocol.
pub(super) fn wire_text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}
