//! ListOffsets requests that wait for searches by time.
//!
//! Invariant: (I1) every ticket belongs to a request that waits for it, and each request waits for one at least.

use crate::base::ids::ConnectionId;
use crate::base::map::Map;
use crate::broker::api::Context;
use crate::broker::session::AnswerSlot;
use crate::log::effect::Ticket;
use crate::wire::messages::{ListOffsetsPartitionResponse, ListOffsetsResponse};
use std::collections::BTreeMap;

/// A search under way, and where in the answer its outcome belongs: topic and partition by place.
#[derive(Clone, Copy, Debug)]
pub(in crate::broker) struct Awaited {
    pub(in crate::broker) ticket: Ticket,
    pub(in crate::broker) place: (usize, usize),
}

/// A request whose answer is not complete.
#[derive(Debug)]
pub(in crate::broker) struct SearchingListOffsets {
    pub(in crate::broker) context: Context,
    pub(in crate::broker) response: ListOffsetsResponse,
    pub(in crate::broker) awaited: Vec<Awaited>,
}

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct DelayedSearches {
    /// With the number of searches that are missing.
    searching: BTreeMap<AnswerSlot, (SearchingListOffsets, usize)>,
    tickets: Map<Ticket, (AnswerSlot, (usize, usize))>,
}

impl DelayedSearches {
    /// Waits.
    pub(in crate::broker) fn wait(&mut self, request: SearchingListOffsets) {
        assert!(!request.awaited.is_empty(), "I1");
        let answer = request.context.answer;
        for awaited in &request.awaited {
            self.tickets.insert(awaited.ticket, (answer, awaited.place));
        }
        let missing = request.awaited.len();
        self.searching.insert(answer, (request, missing));
    }

    /// A search ended: `put` writes its outcome into the answer. Gives the request when nothing is missing any more.
    pub(in crate::broker) fn done(
        &mut self,
        ticket: Ticket,
        put: impl FnOnce(&mut ListOffsetsPartitionResponse),
    ) -> Option<SearchingListOffsets> {
        let (answer, (topic_at, partition_at)) = self.tickets.remove(&ticket)?;
        let (request, missing) = self.searching.get_mut(&answer).expect("I1");
        put(&mut request.response.topics[topic_at].partitions[partition_at]);
        *missing -= 1;
        if *missing > 0 {
            return None;
        }
        self.searching.remove(&answer).map(|(request, _)| request)
    }

    /// The client is gone: gives the searches that nobody waits for any more.
    pub(in crate::broker) fn disconnected(&mut self, connection: ConnectionId) -> Vec<Ticket> {
        let range = AnswerSlot { connection, number: 0 }..=AnswerSlot { connection, number: u64::MAX };
        let gone: Vec<_> = self.searching.range(range).map(|(answer, _)| *answer).collect();
        let mut tickets = Vec::new();
        for answer in gone {
            let (request, _) = self.searching.remove(&answer).expect("just seen");
            tickets.extend(
                request.awaited.iter().map(|awaited| awaited.ticket).filter(|one| self.tickets.remove(one).is_some()),
            );
        }
        tickets
    }

    /// Asserts the invariant.
    pub(in crate::broker) fn check(&self) {
        assert!(self.tickets.values().all(|(answer, _)| self.searching.contains_key(answer)), "I1");
        assert_eq!(self.tickets.len(), self.searching.values().map(|(_, missing)| missing).sum::<usize>(), "I1");
    }
}
