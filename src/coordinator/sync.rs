//! SyncGroup and Heartbeat, and the sessions that they keep up.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::coordinator::answers::{Caller, GroupResponse, heartbeat_answer, join_refused, sync_refused};
use crate::coordinator::group::{Group, State, wire_text};
use crate::coordinator::groups::{Groups, Turn, fits_a_batch};
use crate::coordinator::outbox::Then;
use crate::coordinator::timers::Timer;
use crate::wire::messages::{HeartbeatRequest, SyncGroupRequest, SyncGroupResponse};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

impl Groups {
    pub(super) fn sync(&mut self, caller: Caller, request: &SyncGroupRequest, now: Now) {
        let assigned: usize = request.assignments.iter().map(|one| one.assignment.len()).sum();
        let full = assigned > self.room.member_bytes;
        let answered = self.with(&request.group_id, now, |group, turn| group.sync(caller, request, full, turn));
        if answered.is_none() {
            let code = unknown(&request.group_id);
            self.outbox.reply(caller, sync_refused(code));
        }
    }

    pub(super) fn heartbeat(&mut self, caller: Caller, request: &HeartbeatRequest, now: Now) {
        let code = self.with(&request.group_id, now, |group, turn| group.heartbeat(request, turn));
        self.outbox.reply(caller, heartbeat_answer(code.unwrap_or_else(|| unknown(&request.group_id))));
    }
}

fn unknown(group: &str) -> ErrorCode {
    if group.is_empty() { ErrorCode::InvalidGroupId } else { ErrorCode::UnknownMemberId }
}

impl Group {
    fn sync(&mut self, caller: Caller, request: &SyncGroupRequest, full: bool, turn: &mut Turn<'_>) {
        if let Err(code) = self.validate_sync(request) {
            return turn.reply(caller, sync_refused(code));
        }
        let id: Arc<str> = request.member_id.as_str().into();
        match self.state {
            State::Empty => turn.reply(caller, sync_refused(ErrorCode::UnknownMemberId)),
            State::PreparingRebalance => turn.reply(caller, sync_refused(ErrorCode::RebalanceInProgress)),
            State::Stable => {
                self.note_synced(&id, turn);
                self.touch(&id, turn);
                turn.reply(caller, GroupResponse::Sync(self.assignment_of(&id)));
            }
            State::CompletingRebalance => {
                let before = self.members.get_mut(&id).expect("validated").syncing.replace(caller);
                if let Some(before) = before {
                    turn.reply(before, sync_refused(ErrorCode::RebalanceInProgress));
                }
                self.note_synced(&id, turn);
                self.touch(&id, turn);
                if self.is_leader(&id) && !self.assigning {
                    self.assign(request, full, turn);
                }
            }
        }
    }

    fn validate_sync(&self, request: &SyncGroupRequest) -> Result<(), ErrorCode> {
        self.validate_member(&request.member_id, request.group_instance_id.as_deref())?;
        if request.generation_id != self.generation {
            return Err(ErrorCode::IllegalGeneration);
        }
        let differs = |said: Option<&str>, is: Option<&str>| said.is_some_and(|said| is != Some(said));
        if differs(request.protocol_type.as_deref(), self.protocol_type.as_deref())
            || differs(request.protocol_name.as_deref(), self.protocol.as_deref())
        {
            return Err(ErrorCode::InconsistentGroupProtocol);
        }
        Ok(())
    }

    /// Stores what the leader assigns; members that it forgot get nothing.
    fn assign(&mut self, request: &SyncGroupRequest, full: bool, turn: &mut Turn<'_>) {
        let given: BTreeMap<&str, &Bytes> =
            request.assignments.iter().map(|one| (one.member_id.as_str(), &one.assignment)).collect();
        let value = self.value(turn.now.wall_ms, |member| {
            given.get(&*member.id).map_or_else(Bytes::new, |assignment| Bytes::copy_from_slice(assignment))
        });
        let record = self.record(value.encode());
        let members = value.members.into_iter();
        let assignments = members.map(|member| (Arc::from(member.id), member.assignment)).collect();
        if full || !fits_a_batch(std::slice::from_ref(&record)) {
            // Kafka's answer to a group too large for its log.
            return self.assigned(self.generation, Vec::new(), Err(ErrorCode::UnknownServerError), turn);
        }
        self.assigning = true;
        turn.write(self, vec![record], Then::Assigned { generation: self.generation, assignments });
    }

    /// The assignments are durable, or could not be stored.
    pub(super) fn assigned(
        &mut self,
        generation: i32,
        assignments: Vec<(Arc<str>, Bytes)>,
        fate: Result<(), ErrorCode>,
        turn: &mut Turn<'_>,
    ) {
        if self.state != State::CompletingRebalance || self.generation != generation {
            return;
        }
        self.assigning = false;
        if let Err(code) = fate {
            self.forget_assignments(code, turn);
            return self.rebalance_or_go_on(turn);
        }
        for (id, assignment) in assignments {
            if let Some(member) = self.members.get_mut(&id) {
                *turn.member_bytes = *turn.member_bytes - member.assignment.len() + assignment.len();
                member.assignment = assignment;
            }
        }
        self.enter(State::Stable, turn);
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(caller) = self.members.get_mut(&id).and_then(|member| member.syncing.take()) {
                turn.reply(caller, GroupResponse::Sync(self.assignment_of(&id)));
                self.touch(&id, turn);
            }
        }
    }

    fn assignment_of(&self, id: &str) -> SyncGroupResponse {
        SyncGroupResponse::default()
            .with_protocol_type(self.protocol_type.as_deref().map(wire_text))
            .with_protocol_name(self.protocol.as_deref().map(wire_text))
            .with_assignment(self.members[id].assignment.clone())
    }

    fn heartbeat(&mut self, request: &HeartbeatRequest, turn: &mut Turn<'_>) -> ErrorCode {
        if let Err(code) = self.validate_member(&request.member_id, request.group_instance_id.as_deref()) {
            return code;
        }
        if request.generation_id != self.generation {
            return ErrorCode::IllegalGeneration;
        }
        self.touch(&request.member_id, turn);
        match self.state {
            State::Empty => ErrorCode::UnknownMemberId,
            State::PreparingRebalance => ErrorCode::RebalanceInProgress,
            State::CompletingRebalance | State::Stable => ErrorCode::None,
        }
    }

    /// A member, by the id that it has now.
    pub(super) fn validate_member(&self, id: &str, instance_id: Option<&str>) -> Result<(), ErrorCode> {
        match instance_id {
            Some(instance_id) => match self.statics.get(instance_id) {
                None => Err(ErrorCode::UnknownMemberId),
                Some(current) if **current != *id => Err(ErrorCode::FencedInstanceId),
                Some(_) => Ok(()),
            },
            None if self.members.contains_key(id) => Ok(()),
            None => Err(ErrorCode::UnknownMemberId),
        }
    }

    /// A member was heard of: its session begins anew. The timer in place comes too early then and is set again when it fires, so
    /// that a heartbeat costs no change of the timers.
    pub(super) fn touch(&mut self, id: &str, turn: &mut Turn<'_>) {
        let Group { id: group, members, .. } = self;
        let Some(member) = members.get_mut(id) else { return };
        let session_ms = u64::try_from(member.session_timeout_ms).unwrap_or(0);
        member.deadline_ms = turn.now.monotonic_ms() + session_ms;
        if member.timer_ms.is_some_and(|at_ms| at_ms <= member.deadline_ms) {
            return;
        }
        let timer = || Timer::Member(group.clone(), member.id.clone());
        if let Some(at_ms) = member.timer_ms.replace(member.deadline_ms) {
            turn.timers.clear(at_ms, timer());
        }
        turn.timers.set(member.deadline_ms, timer());
    }

    /// The timer of a member fired, or of an id that was promised.
    pub(super) fn session_over(&mut self, id: &str, turn: &mut Turn<'_>) {
        if self.take_promise(id, turn.member_bytes).is_some() {
            if self.state == State::PreparingRebalance {
                self.rebalance_or_go_on(turn);
            }
            return;
        }
        let member = self.members.get_mut(id).expect("the owner of a timer");
        member.timer_ms = None;
        let waits = member.joining.is_some() || member.syncing.is_some();
        if waits && !member.is_new {
            // It waits for others: its session begins when it has its answer.
            return;
        }
        if member.deadline_ms > turn.now.monotonic_ms() {
            member.timer_ms = Some(member.deadline_ms);
            return turn.timers.set(member.deadline_ms, Timer::Member(self.id.clone(), member.id.clone()));
        }
        self.remove_member(id, ErrorCode::UnknownMemberId, turn);
    }

    /// A member is gone; the others share its partitions in a new generation.
    pub(super) fn remove_member(&mut self, id: &str, code: ErrorCode, turn: &mut Turn<'_>) {
        if !self.members.contains_key(id) {
            return;
        }
        self.drop_member(id, code, turn);
        self.rebalance_or_go_on(turn);
    }

    /// A member is gone, and nothing else happens.
    pub(super) fn drop_member(&mut self, id: &str, code: ErrorCode, turn: &mut Turn<'_>) {
        let Some(member) = self.take(id) else { return };
        *turn.member_bytes -= member.bytes();
        if let Some(at_ms) = member.timer_ms {
            turn.timers.clear(at_ms, Timer::Member(self.id.clone(), member.id.clone()));
        }
        if let Some(caller) = member.joining {
            turn.reply(caller, join_refused(code, ""));
        }
        if let Some(caller) = member.syncing {
            turn.reply(caller, sync_refused(code));
        }
    }

    /// All that waits hears `code`; nothing else happens.
    pub(super) fn answer_all(&mut self, code: ErrorCode, turn: &mut Turn<'_>) {
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(caller) = self.take_joining(&id) {
                turn.reply(caller, join_refused(code, &id));
            }
            if let Some(caller) = self.members.get_mut(&id).and_then(|member| member.syncing.take()) {
                turn.reply(caller, sync_refused(code));
            }
        }
    }

    pub(super) fn start_sync_timer(&mut self, turn: &mut Turn<'_>) {
        let at_ms = turn.now.monotonic_ms() + self.rebalance_timeout_ms();
        assert!(self.sync_ms.replace(at_ms).is_none(), "one sync at a time");
        turn.timers.set(at_ms, Timer::Sync(self.id.clone()));
    }

    pub(super) fn stop_sync_timer(&mut self, turn: &mut Turn<'_>) {
        if let Some(at_ms) = self.sync_ms.take() {
            turn.timers.clear(at_ms, Timer::Sync(self.id.clone()));
        }
    }

    fn note_synced(&mut self, id: &str, turn: &mut Turn<'_>) {
        self.unsynced.remove(id);
        if self.unsynced.is_empty() {
            self.stop_sync_timer(turn);
        }
    }

    /// Who has not synced in its time is given up, and the others begin anew.
    pub(super) fn sync_time_over(&mut self, turn: &mut Turn<'_>) {
        self.sync_ms = None;
        let late = std::mem::take(&mut self.unsynced);
        for id in &late {
            self.drop_member(id, ErrorCode::UnknownMemberId, turn);
        }
        if !late.is_empty() {
            self.rebalance_or_go_on(turn);
        }
    }
}
