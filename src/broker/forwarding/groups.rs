//! Requests about groups: to the core that coordinates them. Where every core is a broker, a client that came to the wrong one hears
//! NOT_COORDINATOR; in one broker for all, the request goes to the right one, in pieces if it is about several groups.

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::broker::api::{Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::cut::Layout;
use crate::broker::forwarding::homes::Asked;
use crate::broker::forwarding::{PartAnswer, PartRequest};
use crate::coordinator::answers::GroupRequest;
use std::collections::BTreeMap;

impl Broker {
    /// Does what a client asks about groups, here or where it is to be done.
    pub(in crate::broker) fn coordinate(&mut self, context: &Context, request: GroupRequest, now: Now) -> Outcome {
        if let GroupRequest::List(_) = request {
            return match self.answers_for_machine(context) && self.image.cores() > 1 {
                true => self.ask_every_core(context, || PartRequest::Groups(request.clone()), now),
                false => self.ask_coordinators(context, vec![request], now),
            };
        }
        let nothing = (request.group().is_none()).then(|| request.nothing());
        if let Some(nothing) = nothing {
            return context.respond(PartAnswer::Group(nothing));
        }
        let pieces = request.pieces();
        if !self.answers_for_machine(context) {
            return self.ask_coordinators(context, pieces, now);
        }
        let mut by_owner: BTreeMap<CoreId, Vec<GroupRequest>> = BTreeMap::new();
        for piece in pieces {
            let owner = piece.group().and_then(|group| self.coordinator_of(group)).unwrap_or(self.core);
            by_owner.entry(owner).or_default().push(piece);
        }
        let connection = context.answer.connection;
        let only = (by_owner.len() == 1).then(|| *by_owner.keys().next().expect("one"));
        // A JoinGroup waits for others, as a Fetch does: reading goes on meanwhile.
        self.note_home(connection, only, Asked::Fetch { session: None });
        if only == Some(self.core) && !self.splits.has_parts(connection) {
            let pieces = by_owner.into_values().flatten().collect();
            return self.ask_coordinators(context, pieces, now);
        }
        let parts = by_owner.into_iter().filter_map(|(owner, pieces)| {
            let request = GroupRequest::unite(pieces)?;
            Some((owner, PartRequest::Groups(request)))
        });
        let parts = parts.collect();
        self.begin_split(context, Layout::default(), parts, now)
    }
}
