//! All groups of one partition of `__consumer_offsets`.
//!
//! Protocol for the owner: [`Groups::replay`] for every batch of the log, [`Groups::loaded`]; then [`Groups::handle`] for each request,
//! [`Groups::tick`] when [`Groups::next_deadline_ms`] has come, [`Groups::next_batch`] to append, which is answered with
//! [`Groups::appended`] or [`Groups::refused`], [`Groups::advance`] when the high watermark moves, and [`Groups::poll_reply`] until `None`.
//!
//! Invariants: those of `group` and `outbox`, and (S1) every request is answered exactly once; (S2) no answer that tells of
//! something stored leaves before it is durable; (S3) a group that nothing would be lost with is not kept.

use crate::base::clock::Now;
use crate::base::config::GroupSettings;
use crate::base::error_code::ErrorCode;
use crate::base::limits::{GROUP_BATCH_BYTES_MAX, GROUP_RECORD_BYTES_MAX, GROUP_TEXT_BYTES_MAX};
use crate::base::offset::Offset;
use crate::base::prng::Prng;
use crate::coordinator::answers::{Caller, GroupRequest, GroupResponse, Topics};
use crate::coordinator::group::Group;
use crate::coordinator::outbox::{Outbox, Then, Write, refuse};
use crate::coordinator::snapshot::Snapshot;
use crate::coordinator::timers::{Timer, Timers};
use crate::wire::keyed_batch::{self, KeyedRecord};
use crate::wire::messages::{DeletableGroupResult, DeleteGroupsResponse};
use crate::wire::record_batch::{BatchHeader, HEADER_BYTES};
use bytes::BytesMut;
use std::collections::BTreeMap;
use std::sync::Arc;

/// See the module.
#[derive(Debug)]
pub struct Groups {
    pub(super) settings: GroupSettings,
    pub(super) entropy: Prng,
    pub(super) groups: BTreeMap<Arc<str>, Group>,
    pub(super) timers: Timers,
    pub(super) outbox: Outbox,
    pub(super) snapshot: Snapshot,
    /// Records in one batch, beyond the first of them.
    pub(super) batch_bytes_max: usize,
    /// Bytes of what would have to be appended to say everything anew.
    pub(super) live_bytes: usize,
    /// Kept of all members, and of ids that were given out.
    pub(super) member_bytes: usize,
    pub(super) room: Room,
}

/// What a coordinator may take beyond what it has: the memory is its core's, which has others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// For members: ids, metadata, assignments.
    pub member_bytes: usize,
    /// For what is stored.
    pub live_bytes: usize,
}

/// What every step of a group needs beside the group.
pub(super) struct Turn<'a> {
    pub(super) now: Now,
    pub(super) settings: &'a GroupSettings,
    pub(super) entropy: &'a mut Prng,
    pub(super) timers: &'a mut Timers,
    pub(super) outbox: &'a mut Outbox,
    pub(super) member_bytes: &'a mut usize,
}

impl Turn<'_> {
    pub(super) fn reply(&mut self, caller: Caller, response: GroupResponse) {
        self.outbox.reply(caller, response);
    }

    pub(super) fn write(&mut self, group: &mut Group, records: Vec<KeyedRecord>, then: Then) {
        group.writes += 1;
        self.outbox.write(Write { group: group.id.clone(), records, then });
    }
}

impl Groups {
    /// Without any group. `seed` is for member ids.
    pub fn new(settings: GroupSettings, seed: u64) -> Groups {
        Groups {
            settings,
            entropy: Prng::new(seed),
            groups: BTreeMap::new(),
            timers: Timers::default(),
            outbox: Outbox::default(),
            snapshot: Snapshot::default(),
            batch_bytes_max: GROUP_BATCH_BYTES_MAX,
            live_bytes: 0,
            member_bytes: 0,
            room: Room { member_bytes: usize::MAX, live_bytes: usize::MAX },
        }
    }

    /// What the members take, and what is stored, in bytes, about.
    pub fn memory_bytes(&self) -> (usize, usize) {
        (self.member_bytes, self.live_bytes)
    }

    /// How much more this coordinator may take from here on.
    pub fn set_room(&mut self, room: Room) {
        self.room = room;
    }

    /// With smaller batches, for a log that has no room for the usual ones.
    pub fn with_batches_of(mut self, bytes_max: usize) -> Groups {
        self.batch_bytes_max = bytes_max.min(GROUP_BATCH_BYTES_MAX);
        self
    }

    /// A request. Its answer comes out of [`Groups::poll_reply`], at once or later. `topics`: those that exist.
    pub fn handle(&mut self, caller: Caller, version: i16, request: GroupRequest, topics: Topics<'_>, now: Now) {
        match request {
            GroupRequest::Join(request, client) => self.join(caller, version, &request, client, now),
            GroupRequest::Sync(request) => self.sync(caller, &request, now),
            GroupRequest::Heartbeat(request) => self.heartbeat(caller, &request, now),
            GroupRequest::Leave(request) => self.leave(caller, version, &request, now),
            GroupRequest::Commit(request) => self.commit(caller, version, &request, topics, now),
            GroupRequest::Fetch(request) => self.fetch_offsets(caller, &request, topics),
            GroupRequest::OffsetDelete(request) => self.delete_offsets(caller, &request, topics, now),
            GroupRequest::Describe(request) => self.describe(caller, &request),
            GroupRequest::Delete(request) => self.delete(caller, &request, now),
            GroupRequest::List(request) => self.list(caller, &request),
        }
    }

    /// The next answer.
    pub fn poll_reply(&mut self) -> Option<(Caller, GroupResponse)> {
        self.outbox.replies.pop_front()
    }

    /// Time has passed.
    pub fn tick(&mut self, now: Now) {
        while let Some(timer) = self.timers.take_due(now.monotonic_ms()) {
            match timer {
                Timer::Member(group, member) => {
                    self.with(&group, now, |group, turn| group.session_over(&member, turn));
                }
                Timer::Rebalance(group) => {
                    self.with(&group, now, |group, turn| group.rebalance_time_over(turn));
                }
                Timer::Sync(group) => {
                    self.with(&group, now, |group, turn| group.sync_time_over(turn));
                }
                Timer::Expiry => self.expire_offsets(now),
            }
        }
    }

    /// When [`Groups::tick`] is due, monotonic milliseconds.
    pub fn next_deadline_ms(&self) -> Option<u64> {
        self.timers.next_ms()
    }

    /// The next batch to append; [`Groups::appended`] or [`Groups::refused`] has to follow.
    pub fn next_batch(&mut self, now: Now) -> Option<(BytesMut, BatchHeader)> {
        assert!(self.outbox.taken.is_empty(), "one batch at a time");
        if let Some(records) = self.next_of_snapshot() {
            return Some(keyed_batch::encode(&records, now.wall_ms));
        }
        if self.snapshot.holds_writes() {
            return None;
        }
        let mut records: Vec<KeyedRecord> = Vec::new();
        let mut bytes = 0;
        while let Some(write) = self.outbox.unwritten.front() {
            bytes += write.records.iter().map(KeyedRecord::bytes).sum::<usize>();
            if !records.is_empty() && bytes > self.batch_bytes_max {
                break;
            }
            let write = self.outbox.unwritten.pop_front().expect("looked at");
            records.extend(write.records.iter().cloned());
            self.outbox.taken.push(write);
        }
        (!records.is_empty()).then(|| keyed_batch::encode(&records, now.wall_ms))
    }

    /// Room that the next batch takes at most; `None`: there is none to be appended.
    pub fn wanted_bytes(&self) -> Option<usize> {
        let first = self.outbox.unwritten.front().filter(|_| !self.snapshot.holds_writes());
        let wanted = first.map(|write| write.records.iter().map(KeyedRecord::bytes).sum::<usize>());
        let wanted = wanted.or(self.snapshot.next_bytes())?;
        Some(wanted.max(self.batch_bytes_max) + HEADER_BYTES)
    }

    /// The batch is in the log at these offsets and took so many bytes.
    pub fn appended(&mut self, base: Offset, end: Offset, bytes: usize) {
        self.snapshot.note_appended(base, end, bytes);
        let taken = std::mem::take(&mut self.outbox.taken);
        self.outbox.pending.extend(taken.into_iter().map(|write| (end, write)));
    }

    /// The batch is not in the log and will not be.
    pub fn refused(&mut self, code: ErrorCode, now: Now) {
        self.snapshot.refused();
        for write in std::mem::take(&mut self.outbox.taken) {
            self.finish(write, Err(code), now);
        }
    }

    /// Everything below `high_watermark` is durable.
    pub fn advance(&mut self, high_watermark: Offset, now: Now) {
        while let Some((_, write)) = self.outbox.pending.pop_front_if(|(end, _)| *end <= high_watermark) {
            for record in &write.records {
                self.apply(record).expect("the machine's own records");
            }
            self.finish(write, Ok(()), now);
        }
        self.step_snapshot(high_watermark);
    }

    /// Nothing more will be written, nobody served: all that waits is answered with `code`.
    pub fn fail(&mut self, code: ErrorCode, now: Now) {
        self.snapshot.refused();
        let Outbox { unwritten, taken, pending, .. } = &mut self.outbox;
        let mut writes: Vec<Write> = pending.drain(..).map(|(_, write)| write).collect();
        writes.append(taken);
        writes.extend(unwritten.drain(..));
        for write in writes {
            self.finish(write, Err(code), now);
        }
        let ids: Vec<Arc<str>> = self.groups.keys().cloned().collect();
        for id in ids {
            self.with(&id, now, |group, turn| group.answer_all(code, turn));
        }
    }

    /// Runs a step of a group, if it is there.
    pub(super) fn with<R>(
        &mut self,
        id: &str,
        now: Now,
        step: impl FnOnce(&mut Group, &mut Turn<'_>) -> R,
    ) -> Option<R> {
        let Groups { settings, entropy, groups, timers, outbox, member_bytes, .. } = self;
        let group = groups.get_mut(id)?;
        let mut turn = Turn { now, settings, entropy, timers, outbox, member_bytes };
        let result = step(group, &mut turn);
        if group.is_nothing() {
            let gone = self.groups.remove(id);
            assert!(gone.is_some_and(|group| group.rebalance_ms.is_none() && group.sync_ms.is_none()));
        }
        Some(result)
    }

    /// The same, with a group that may have to be made first.
    pub(super) fn with_new<R>(&mut self, id: &str, now: Now, step: impl FnOnce(&mut Group, &mut Turn<'_>) -> R) -> R {
        if !self.groups.contains_key(id) {
            let id: Arc<str> = id.into();
            self.groups.insert(id.clone(), Group::new(id, now.wall_ms));
        }
        self.with(id, now, step).expect("there or made")
    }

    /// What follows the records of a write.
    fn finish(&mut self, write: Write, fate: Result<(), ErrorCode>, now: Now) {
        let Write { group, then, .. } = write;
        self.with(&group, now, |group, turn| {
            group.writes -= 1;
            match then {
                Then::Nothing => {}
                Then::Answer(caller, mut response) => {
                    if let Err(code) = fate {
                        refuse(&mut response, code);
                    }
                    turn.reply(caller, response);
                }
                Then::Deleted(caller, id) => {
                    let code = fate.err().unwrap_or_default();
                    let result = DeletableGroupResult::default().with_group_id(id).with_error_code(code.code());
                    let response = DeleteGroupsResponse::default().with_results(vec![result]);
                    turn.reply(caller, GroupResponse::Delete(response));
                }
                Then::Assigned { generation, assignments } => group.assigned(generation, assignments, fate, turn),
                Then::Replaced { generation, caller, version, member } => {
                    group.replaced(generation, (caller, version), *member, fate, turn);
                }
            }
        });
    }

    /// Asserts the invariants.
    pub fn check(&self) {
        let mut timers = 0;
        let mut writes = 0;
        let mut bytes = 0;
        for group in self.groups.values() {
            group.check();
            assert!(!group.is_nothing(), "S3");
            for member in group.members.values() {
                bytes += member.bytes();
                if let Some(at_ms) = member.timer_ms {
                    assert!(self.timers.has(at_ms, Timer::Member(group.id.clone(), member.id.clone())));
                    timers += 1;
                }
            }
            for (id, at_ms) in &group.promised {
                assert!(self.timers.has(*at_ms, Timer::Member(group.id.clone(), id.clone())));
                timers += 1;
                bytes += group.promise_bytes(id);
            }
            timers += usize::from(group.rebalance_ms.is_some()) + usize::from(group.sync_ms.is_some());
            writes += group.writes;
        }
        assert!(self.timers.len() <= timers + 1, "a timer belongs to somebody");
        assert_eq!(writes, self.outbox.open_writes().count());
        assert_eq!(bytes, self.member_bytes);
    }
}

/// True if every text fits the schemas of the records and of all versions of the protocol.
pub(super) fn are_legal_texts<'a>(texts: impl IntoIterator<Item = &'a str>) -> bool {
    texts.into_iter().all(|text| text.len() <= GROUP_TEXT_BYTES_MAX)
}

/// True if the records may be appended.
pub(super) fn fits_a_batch(records: &[KeyedRecord]) -> bool {
    records.iter().map(KeyedRecord::bytes).sum::<usize>() <= GROUP_RECORD_BYTES_MAX
}
