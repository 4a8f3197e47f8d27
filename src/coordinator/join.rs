//! JoinGroup, and the rebalance that follows from it.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::limits::GROUP_NEW_MEMBER_WAIT_MS;
use crate::base::prng::Prng;
use crate::coordinator::answers::{Caller, ClientName, GroupResponse, join_refused, sync_refused};
use crate::coordinator::group::{Group, InitialDelay, State};
use crate::coordinator::groups::{Groups, Turn, are_legal_texts};
use crate::coordinator::member::Member;
use crate::coordinator::outbox::Then;
use crate::coordinator::timers::Timer;
use crate::wire::group_records::{GroupRecordKey, subscribed_topics};
use crate::wire::keyed_batch::KeyedRecord;
use crate::wire::messages::JoinGroupRequest;
use bytes::Bytes;
use std::sync::Arc;

/// First version that tells a new member its id before it is let in.
const PROMISES_IDS: i16 = 4;
/// First version with a rebalance timeout of its own.
const REBALANCE_TIMEOUT: i16 = 1;
/// First version that can tell a leader to leave assignments as they are.
const SKIPS_ASSIGNMENT: i16 = 9;

/// What a client wants to be.
struct Joining {
    caller: Caller,
    version: i16,
    /// Empty: not known yet.
    member_id: Arc<str>,
    protocol_type: Arc<str>,
    /// The member that it would be; its id is to be set.
    member: Member,
}

impl Groups {
    pub(super) fn join(
        &mut self,
        caller: Caller,
        version: i16,
        request: &JoinGroupRequest,
        client: ClientName,
        now: Now,
    ) {
        let group_id = request.group_id.as_str();
        let settings = &self.settings;
        let sessions = settings.session_ms_min..=settings.session_ms_max;
        let legal = are_legal_texts(texts(request).chain([client.id.as_str(), client.host.as_str()]));
        let mut names: Vec<&str> = request.protocols.iter().map(|protocol| protocol.name.as_str()).collect();
        names.sort_unstable();
        let refusal = if group_id.is_empty() || !are_legal_texts([group_id]) {
            Some(ErrorCode::InvalidGroupId)
        } else if !sessions.contains(&request.session_timeout_ms) {
            Some(ErrorCode::InvalidSessionTimeout)
        } else if !legal {
            Some(ErrorCode::InvalidRequest)
        } else if names.windows(2).any(|pair| pair[0] == pair[1]) {
            // Kafka never answers this one.
            Some(ErrorCode::InconsistentGroupProtocol)
        } else if !request.member_id.is_empty() && !self.groups.contains_key(group_id) {
            Some(ErrorCode::UnknownMemberId)
        } else {
            None
        };
        if let Some(code) = refusal {
            return self.outbox.reply(caller, join_refused(code, &request.member_id));
        }
        let joining = Joining::of(caller, version, request, client);
        let full = joining.member.bytes() + group_id.len() > self.room.member_bytes;
        self.with_new(group_id, now, |group, turn| group.join(joining, full, turn));
    }
}

fn texts(request: &JoinGroupRequest) -> impl Iterator<Item = &str> {
    let protocols = request.protocols.iter().map(|protocol| protocol.name.as_str());
    let ids = [request.member_id.as_str(), request.protocol_type.as_str()];
    ids.into_iter().chain(request.group_instance_id.as_deref()).chain(protocols)
}

impl Joining {
    fn of(caller: Caller, version: i16, request: &JoinGroupRequest, client: ClientName) -> Joining {
        let rebalance_timeout_ms = match version >= REBALANCE_TIMEOUT {
            true => request.rebalance_timeout_ms,
            false => request.session_timeout_ms,
        };
        let protocols = request.protocols.iter();
        let protocols =
            protocols.map(|one| (Arc::from(one.name.as_str()), Bytes::copy_from_slice(&one.metadata))).collect();
        let member = Member {
            id: "".into(),
            instance_id: request.group_instance_id.as_deref().map(Into::into),
            client_id: client.id.into(),
            client_host: client.host.into(),
            rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols,
            assignment: Bytes::new(),
            joining: None,
            syncing: None,
            is_new: true,
            deadline_ms: 0,
            timer_ms: None,
        };
        let (member_id, protocol_type) = (request.member_id.as_str().into(), request.protocol_type.as_str().into());
        Joining { caller, version, member_id, protocol_type, member }
    }

    fn refuse(&self, code: ErrorCode, turn: &mut Turn<'_>) {
        turn.reply(self.caller, join_refused(code, &self.member_id));
    }

    /// An id that no member has had: what the client or the instance is called, and a random part.
    fn new_id(&self, entropy: &mut Prng) -> Arc<str> {
        let name = self.member.instance_id.as_ref().unwrap_or(&self.member.client_id);
        let (high, low) = (entropy.next_u64(), entropy.next_u64());
        let (a, b, c) = (high >> 32, high >> 16 & 0xffff, high & 0xfff);
        let (d, e) = (low >> 48 & 0x3fff | 0x8000, low & 0xffff_ffff_ffff);
        // The form of a random UUID, as Kafka's.
        const ROOM: usize = 32_767 - 37;
        let end = (0..=ROOM.min(name.len())).rev().find(|at| name.is_char_boundary(*at)).unwrap_or(0);
        format!("{}-{a:08x}-{b:04x}-4{c:03x}-{d:04x}-{e:012x}", &name[..end]).into()
    }
}

impl Group {
    fn join(&mut self, joining: Joining, full: bool, turn: &mut Turn<'_>) {
        if !self.has_room_for(&joining, full, turn) {
            self.remove_member(&joining.member_id, ErrorCode::GroupMaxSizeReached, turn);
            return joining.refuse(ErrorCode::GroupMaxSizeReached, turn);
        }
        if !self.supports(&joining.protocol_type, &joining.member.protocols) {
            return joining.refuse(ErrorCode::InconsistentGroupProtocol, turn);
        }
        if joining.member_id.is_empty() {
            self.join_new(joining, turn);
        } else if let Some(at_ms) = self.take_promise(&joining.member_id, turn.member_bytes) {
            turn.timers.clear(at_ms, Timer::Member(self.id.clone(), joining.member_id.clone()));
            let id = joining.member_id.clone();
            self.let_in(id, joining, turn);
        } else {
            self.join_again(joining, turn);
        }
    }

    /// `group.max.size`; a core's memory for members bounds it too.
    fn has_room_for(&self, joining: &Joining, full: bool, turn: &Turn<'_>) -> bool {
        let known = self.members.get(&joining.member_id);
        let max = turn.settings.members_max;
        if known.is_none() && (full || self.promised.len() >= max) {
            return false;
        }
        match self.state {
            State::Empty => true,
            State::PreparingRebalance => known.is_some_and(|known| known.joining.is_some()) || self.joining < max,
            State::CompletingRebalance | State::Stable => known.is_some() || self.members.len() < max,
        }
    }

    fn join_new(&mut self, joining: Joining, turn: &mut Turn<'_>) {
        let id = joining.new_id(turn.entropy);
        if let Some(instance) = &joining.member.instance_id {
            return match self.statics.get(instance).cloned() {
                Some(current) => self.replace_static(current, id, joining, turn),
                None => self.let_in(id, joining, turn),
            };
        }
        if joining.version < PROMISES_IDS {
            return self.let_in(id, joining, turn);
        }
        let session_ms = u64::try_from(joining.member.session_timeout_ms).unwrap_or(0);
        let at_ms = turn.now.monotonic_ms() + session_ms;
        turn.timers.set(at_ms, Timer::Member(self.id.clone(), id.clone()));
        self.promised.insert(id.clone(), at_ms);
        *turn.member_bytes += self.promise_bytes(&id);
        turn.reply(joining.caller, join_refused(ErrorCode::MemberIdRequired, &id));
    }

    /// A member of this generation or of an earlier one.
    fn join_again(&mut self, joining: Joining, turn: &mut Turn<'_>) {
        let id = joining.member_id.clone();
        if let Err(code) = self.validate_member(&id, joining.member.instance_id.as_deref()) {
            return joining.refuse(code, turn);
        }
        let same = self.members[&id].protocols == joining.member.protocols;
        match self.state {
            State::Empty => joining.refuse(ErrorCode::UnknownMemberId, turn),
            // The answer of this generation was lost: here it is again.
            State::CompletingRebalance if same => turn.reply(joining.caller, GroupResponse::Join(self.joined(&id))),
            State::Stable if same && !self.is_leader(&id) => {
                turn.reply(joining.caller, GroupResponse::Join(self.joined(&id)));
            }
            State::PreparingRebalance | State::CompletingRebalance | State::Stable => {
                self.update(&id, joining, turn);
                self.rebalance_or_go_on(turn);
            }
        }
    }

    /// A new member; its JoinGroup waits for the rebalance.
    fn let_in(&mut self, id: Arc<str>, joining: Joining, turn: &mut Turn<'_>) {
        let Joining { caller, protocol_type, mut member, .. } = joining;
        member.id = id.clone();
        member.joining = Some(caller);
        let at_ms = turn.now.monotonic_ms() + GROUP_NEW_MEMBER_WAIT_MS;
        (member.deadline_ms, member.timer_ms) = (at_ms, Some(at_ms));
        turn.timers.set(at_ms, Timer::Member(self.id.clone(), id));
        *turn.member_bytes += member.bytes();
        if let Some(initial) = &mut self.initial {
            initial.prolonged = true;
        }
        self.add(member, &protocol_type);
        self.rebalance_or_go_on(turn);
    }

    /// What a member wants now takes the place of what it wanted before.
    fn update(&mut self, id: &Arc<str>, joining: Joining, turn: &mut Turn<'_>) {
        if let Some(before) = self.set_joining(id, joining.caller) {
            // Its client gave up on that one.
            turn.reply(before, join_refused(ErrorCode::RebalanceInProgress, id));
        }
        *turn.member_bytes -= self.members[id].bytes();
        self.set_protocols(id, joining.member.protocols);
        let member = self.members.get_mut(id).expect("a member");
        member.rebalance_timeout_ms = joining.member.rebalance_timeout_ms;
        member.session_timeout_ms = joining.member.session_timeout_ms;
        *turn.member_bytes += member.bytes();
    }

    /// A static member came back without its old id.
    fn replace_static(&mut self, current: Arc<str>, id: Arc<str>, joining: Joining, turn: &mut Turn<'_>) {
        let Joining { caller, version, protocol_type, mut member, .. } = joining;
        (member.id, member.is_new) = (id.clone(), false);
        if self.state == State::Stable && self.votes_the_same_with(&current, &member) {
            // Kafka stores the new id before it tells of it, and so does this: until then nothing has changed.
            member.assignment = self.members[&current].assignment.clone();
            let mut value = self.value(turn.now.wall_ms, |one| one.assignment.clone());
            for stored in value.members.iter_mut().filter(|stored| *stored.id == *current) {
                stored.id = id.to_string();
            }
            for leader in value.leader.iter_mut().filter(|leader| **leader == *current) {
                *leader = id.to_string();
            }
            let then = Then::Replaced { generation: self.generation, caller, version, member: Box::new(member) };
            let record = self.record(value.encode());
            return turn.write(self, vec![record], then);
        }
        self.take_place(&current, member, &protocol_type, turn);
        let before = self.set_joining(&id, caller);
        assert!(before.is_none(), "a member that has just come");
        self.touch(&id, turn);
        self.rebalance_or_go_on(turn);
    }

    /// The record of a returned static member is stored, or could not be.
    pub(super) fn replaced(
        &mut self,
        generation: i32,
        (caller, version): (Caller, i16),
        member: Member,
        fate: Result<(), ErrorCode>,
        turn: &mut Turn<'_>,
    ) {
        if let Err(code) = fate {
            return turn.reply(caller, join_refused(code, ""));
        }
        let instance = member.instance_id.clone().expect("a static member");
        let Some(current) = self.statics.get(&instance).cloned() else {
            return turn.reply(caller, join_refused(ErrorCode::UnknownMemberId, ""));
        };
        let protocol_type = self.protocol_type.clone().expect("a group with members");
        if self.state != State::Stable || self.generation != generation {
            // A rebalance began meanwhile: the member joins it.
            let member_id = "".into();
            let id = member.id.clone();
            return self.replace_static(
                current,
                id,
                Joining { caller, version, member_id, protocol_type, member },
                turn,
            );
        }
        let (id, was_leader) = (member.id.clone(), self.is_leader(&current));
        self.take_place(&current, member, &protocol_type, turn);
        self.touch(&id, turn);
        let mut response = self.joined(&id);
        if version < SKIPS_ASSIGNMENT {
            // It must not take itself for the leader: what it would assign now goes to nobody.
            response.members.clear();
            if was_leader {
                response.leader = crate::coordinator::group::wire_text(&current);
            }
        } else {
            response.skip_assignment = was_leader;
        }
        turn.reply(caller, GroupResponse::Join(response));
    }

    /// The vote would not change if `member` took the place of `current`.
    fn votes_the_same_with(&self, current: &str, member: &Member) -> bool {
        self.members[current].protocols.iter().map(|(name, _)| name).eq(member.protocols.iter().map(|(name, _)| name))
    }

    /// `member` takes the place of `current`, which is fenced, and its leadership.
    fn take_place(&mut self, current: &Arc<str>, member: Member, protocol_type: &Arc<str>, turn: &mut Turn<'_>) {
        let was_leader = self.is_leader(current);
        let id = member.id.clone();
        self.drop_member(current, ErrorCode::FencedInstanceId, turn);
        *turn.member_bytes += member.bytes();
        self.add(member, protocol_type);
        if was_leader {
            self.leader = Some(id);
        }
    }

    /// Members changed: a rebalance begins, or the one under way may be complete.
    pub(super) fn rebalance_or_go_on(&mut self, turn: &mut Turn<'_>) {
        if self.state != State::PreparingRebalance {
            self.prepare_rebalance(turn);
        } else if self.initial.is_none() && self.has_all_joined() {
            self.complete_join(turn);
        }
    }

    fn prepare_rebalance(&mut self, turn: &mut Turn<'_>) {
        if self.state == State::CompletingRebalance {
            self.forget_assignments(ErrorCode::RebalanceInProgress, turn);
        }
        self.stop_sync_timer(turn);
        self.unsynced.clear();
        let timeout_ms = self.rebalance_timeout_ms();
        let wait_ms = match self.state {
            State::Empty => {
                let delay_ms = turn.settings.initial_delay_ms;
                let remaining_ms = timeout_ms.saturating_sub(delay_ms);
                self.initial = Some(InitialDelay { remaining_ms, prolonged: false });
                delay_ms
            }
            _ => timeout_ms,
        };
        self.enter(State::PreparingRebalance, turn);
        if self.initial.is_some() && wait_ms == 0 || self.initial.is_none() && self.has_all_joined() {
            return self.complete_join(turn);
        }
        self.start_rebalance_timer(wait_ms, turn);
    }

    /// The members had their time to join.
    pub(super) fn rebalance_time_over(&mut self, turn: &mut Turn<'_>) {
        self.rebalance_ms = None;
        if let Some(initial) = &mut self.initial
            && initial.prolonged
            && initial.remaining_ms > 0
        {
            let delay_ms = turn.settings.initial_delay_ms.min(initial.remaining_ms);
            *initial = InitialDelay { remaining_ms: initial.remaining_ms - delay_ms, prolonged: false };
            return self.start_rebalance_timer(delay_ms, turn);
        }
        self.complete_join(turn);
    }

    /// Everybody who will join has joined: the next generation begins.
    fn complete_join(&mut self, turn: &mut Turn<'_>) {
        assert_eq!(self.state, State::PreparingRebalance);
        if let Some(at_ms) = self.rebalance_ms.take() {
            turn.timers.clear(at_ms, Timer::Rebalance(self.id.clone()));
        }
        self.initial = None;
        let late = self.members.values().filter(|member| member.joining.is_none() && member.instance_id.is_none());
        for id in late.map(|member| member.id.clone()).collect::<Vec<_>>() {
            self.drop_member(&id, ErrorCode::UnknownMemberId, turn);
        }
        if self.members.is_empty() {
            return self.begin_empty_generation(turn);
        }
        let leads = self.leader.as_ref().is_some_and(|leader| self.members[leader].joining.is_some());
        if !leads {
            let Some(present) = self.members.values().find(|member| member.joining.is_some()) else {
                // Static members only, and none has come back: their sessions decide.
                let wait_ms = self.rebalance_timeout_ms();
                return self.start_rebalance_timer(wait_ms.max(1), turn);
            };
            self.leader = Some(present.id.clone());
        }
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol = self.vote();
        self.note_subscriptions();
        self.enter(State::CompletingRebalance, turn);
        let ids: Vec<Arc<str>> = self.members.keys().cloned().collect();
        for id in ids {
            if let Some(caller) = self.take_joining(&id) {
                turn.reply(caller, GroupResponse::Join(self.joined(&id)));
            }
            self.members.get_mut(&id).expect("a member").is_new = false;
            self.touch(&id, turn);
            self.unsynced.insert(id);
        }
        self.start_sync_timer(turn);
    }

    fn begin_empty_generation(&mut self, turn: &mut Turn<'_>) {
        self.generation = self.generation.checked_add(1).unwrap_or(1);
        self.protocol = None;
        self.subscribed = None;
        self.enter(State::Empty, turn);
        let value = self.value(turn.now.wall_ms, |_| Bytes::new());
        let record = self.record(value.encode());
        turn.write(self, vec![record], Then::Nothing);
    }

    pub(super) fn enter(&mut self, state: State, turn: &Turn<'_>) {
        self.state = state;
        self.since_ms = turn.now.wall_ms;
    }

    /// The group's own record.
    pub(super) fn record(&self, value: Bytes) -> KeyedRecord {
        let key = GroupRecordKey::Group { group: self.id.to_string() }.encode();
        KeyedRecord { key, value: Some(value) }
    }

    /// Takes note of what the members of a "consumer" group subscribe to.
    pub(super) fn note_subscriptions(&mut self) {
        self.subscribed = None;
        let Some(protocol) = self.protocol.clone().filter(|_| self.protocol_type.as_deref() == Some("consumer")) else {
            return;
        };
        let topics = |member: &Member| subscribed_topics(&member.metadata(&protocol));
        let all: Option<Vec<Vec<String>>> = self.members.values().map(topics).collect();
        self.subscribed = all.map(|all| all.into_iter().flatten().collect());
    }

    fn start_rebalance_timer(&mut self, wait_ms: u64, turn: &mut Turn<'_>) {
        let at_ms = turn.now.monotonic_ms() + wait_ms;
        assert!(self.rebalance_ms.replace(at_ms).is_none(), "one rebalance at a time");
        turn.timers.set(at_ms, Timer::Rebalance(self.id.clone()));
    }

    /// Assignments of this generation will not be given: who waits for them hears `code`.
    pub(super) fn forget_assignments(&mut self, code: ErrorCode, turn: &mut Turn<'_>) {
        self.assigning = false;
        for member in self.members.values_mut() {
            *turn.member_bytes -= member.assignment.len();
            member.assignment = Bytes::new();
            if let Some(caller) = member.syncing.take() {
                turn.reply(caller, sync_refused(code));
            }
        }
    }
}
