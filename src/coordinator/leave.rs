//! LeaveGroup: by member id, and from version 3 on several at once, by instance id too.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::coordinator::answers::{Caller, GroupResponse};
use crate::coordinator::group::{Group, State};
use crate::coordinator::groups::{Groups, Turn};
use crate::coordinator::timers::Timer;
use crate::wire::messages::{LeaveGroupRequest, LeaveGroupResponse, MemberIdentity, MemberResponse};
use std::sync::Arc;

/// First version with a list of members.
const SEVERAL: i16 = 3;

impl Groups {
    pub(super) fn leave(&mut self, caller: Caller, version: i16, request: &LeaveGroupRequest, now: Now) {
        let single;
        let leaving = if version < SEVERAL {
            single = [MemberIdentity::default().with_member_id(request.member_id.clone())];
            &single[..]
        } else {
            &request.members[..]
        };
        let mut response = LeaveGroupResponse::default();
        if request.group_id.is_empty() {
            response.error_code = ErrorCode::InvalidGroupId.code();
            return self.outbox.reply(caller, GroupResponse::Leave(response));
        }
        let codes = self.with(&request.group_id, now, |group, turn| {
            let codes: Vec<ErrorCode> = leaving.iter().map(|one| group.leave(one, turn)).collect();
            if codes.contains(&ErrorCode::None) && group.state != State::Empty {
                group.rebalance_or_go_on(turn);
            }
            codes
        });
        let codes = codes.unwrap_or_else(|| vec![ErrorCode::UnknownMemberId; leaving.len()]);
        let member = |(one, code): (&MemberIdentity, ErrorCode)| {
            MemberResponse::default()
                .with_member_id(one.member_id.clone())
                .with_group_instance_id(one.group_instance_id.clone())
                .with_error_code(code.code())
        };
        response.members = leaving.iter().zip(codes).map(member).collect();
        self.outbox.reply(caller, GroupResponse::Leave(response));
    }
}

impl Group {
    fn leave(&mut self, leaving: &MemberIdentity, turn: &mut Turn<'_>) -> ErrorCode {
        let instance_id = leaving.group_instance_id.as_deref();
        let mut id: Arc<str> = leaving.member_id.as_str().into();
        if id.is_empty()
            && let Some(instance_id) = instance_id
        {
            // An administrator knows the instance only.
            match self.statics.get(instance_id) {
                Some(current) => id = current.clone(),
                None => return ErrorCode::UnknownMemberId,
            }
        }
        if let Some(at_ms) = self.take_promise(&id, turn.member_bytes) {
            turn.timers.clear(at_ms, Timer::Member(self.id.clone(), id));
            return ErrorCode::None;
        }
        if let Err(code) = self.validate_member(&id, instance_id) {
            return code;
        }
        self.drop_member(&id, ErrorCode::UnknownMemberId, turn);
        ErrorCode::None
    }
}
