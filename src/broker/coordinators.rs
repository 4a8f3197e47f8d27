//! The group coordinators of this core: one for each partition of `__consumer_offsets` that it leads.
//!
//! Lives on its core; its `Broker` mutates it. `coordinator` decides, this module gives it its log and its time:
//!
//! ```text
//! partition led here -> opened -> read to its end, replayed -> serving: requests in, records appended, answers out
//!                                                          \-> failed (offline, unreadable, journal failed): until restart
//! ```
//! Invariants: (I1) one coordinator per partition led here, while the topic exists; (I2) it serves only after it has replayed all that
//! its log held at the start; (I3) nobody else appends to these partitions.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::gather::Gather;
use crate::base::ids::{CoreId, TopicId, TopicPartition};
use crate::base::limits::{GROUP_MEMBER_BYTES_MAX, GROUP_STATE_BYTES_MAX};
use crate::base::map::Map;
use crate::base::offset::Offset;
use crate::broker::api::{Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::PartAnswer;
use crate::coordinator::answers::{Caller, GroupRequest, GroupResponse, KnownTopic, merge};
use crate::coordinator::groups::{Groups, Room};
use crate::log::core_log::{Append, AppendError, Appendable, Openness, Read};
use crate::log::effect::{ReadError, Ticket};
use crate::metadata::image::Image;
use crate::metadata::topics::Topic;
use crate::wire::record_batch::Batches;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Kafka's topic of committed offsets and groups.
pub(super) const OFFSETS_TOPIC: &str = "__consumer_offsets";
/// Bytes of one read while a coordinator loads.
const LOAD_BYTES: usize = 1024 * 1024;

#[derive(Debug)]
enum Step {
    Opening,
    Reading { next: Offset, end: Offset },
    Serving,
    Failed,
}

#[derive(Debug)]
struct Seat {
    partition: TopicPartition,
    groups: Groups,
    step: Step,
}

/// A client's request, in pieces of one group each.
#[derive(Debug)]
struct Asked {
    context: Context,
    answers: Vec<Option<GroupResponse>>,
    missing: usize,
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Coordinators {
    /// The topic's id, while there are seats.
    topic: Option<TopicId>,
    seats: BTreeMap<i32, Seat>,
    /// Seats with records to append or answers to give.
    busy: BTreeSet<i32>,
    reads: Map<Ticket, TopicPartition>,
    asked: Map<u64, Asked>,
    /// Pieces under way: of which request, and which of its pieces.
    pieces: Map<Caller, (u64, usize)>,
    next: u64,
    /// The earliest deadline of all seats when none is busy: every turn of the core asks, and only busy seats change theirs.
    deadline_ns: Option<u64>,
}

impl Coordinators {
    /// Monotonic nanoseconds at which something is due.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.deadline_ns
    }

    fn earliest_deadline(&self) -> Option<u64> {
        let due = self.seats.values().filter(|seat| matches!(seat.step, Step::Serving));
        due.filter_map(|seat| seat.groups.next_deadline_ms()).min().map(|ms| ms * 1_000_000)
    }

    /// Asserts the invariants.
    pub(super) fn check(&self) {
        for seat in self.seats.values() {
            seat.groups.check();
        }
        let missing: usize = self.asked.values().map(|asked| asked.missing).sum();
        assert_eq!(missing, self.pieces.len());
        assert!(!self.busy.is_empty() || self.deadline_ns == self.earliest_deadline());
    }

    /// What all coordinators of this core may take beyond what they have.
    fn room(&self) -> Room {
        let taken = self.seats.values().map(|seat| seat.groups.memory_bytes());
        let (members, live) = taken.fold((0, 0), |sum, one| (sum.0 + one.0, sum.1 + one.1));
        Room {
            member_bytes: GROUP_MEMBER_BYTES_MAX.saturating_sub(members),
            live_bytes: GROUP_STATE_BYTES_MAX.saturating_sub(live),
        }
    }

    fn seat_of(&mut self, partition: TopicPartition) -> Option<(i32, &mut Seat)> {
        if self.topic != Some(partition.topic) {
            return None;
        }
        self.seats.get_mut(&partition.partition).map(|seat| (partition.partition, seat))
    }
}

/// The partition of `__consumer_offsets` that a group belongs to: Java's hash of its name.
pub(super) fn partition_of(group: &str, partitions: usize) -> i32 {
    let hash = group.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % i32::try_from(partitions).expect("partitions of a topic")
}

impl Broker {
    /// The core whose broker coordinates a group; `None`: the topic does not exist yet.
    pub(super) fn coordinator_of(&self, group: &str) -> Option<CoreId> {
        let topic = self.image.topic_by_name(OFFSETS_TOPIC)?;
        let partition = topic.partition(partition_of(group, topic.partitions.len()))?;
        Some(partition.core(self.image.cores()))
    }

    /// What this core coordinates and has loaded.
    pub(super) fn serving_groups(&self) -> impl Iterator<Item = &Groups> {
        let serving = self.coordinators.seats.values().filter(|seat| matches!(seat.step, Step::Serving));
        serving.map(|seat| &seat.groups)
    }

    /// Gives a coordinator to every partition that has none.
    pub(super) fn seat_coordinators(&mut self, now: Now) {
        let image = self.image.clone();
        let Some(topic) = image.topic_by_name(OFFSETS_TOPIC) else {
            self.unseat_coordinators(now);
            return;
        };
        if self.coordinators.topic != Some(topic.id) {
            self.unseat_coordinators(now);
            self.coordinators.topic = Some(topic.id);
        }
        let settings = self.settings.groups;
        // A quarter of a journal file: a batch must not have to wait for an empty one.
        let batch_bytes_max = (self.log.batch_bytes_max() / 4) as usize;
        for partition in led_here(&image, topic, self.core) {
            let index = partition.partition;
            if self.coordinators.seats.contains_key(&index) {
                continue;
            }
            let seed = self.group_entropy.next_u64();
            let groups = Groups::new(settings, seed).with_batches_of(batch_bytes_max);
            let seat = Seat { partition, groups, step: Step::Opening };
            self.coordinators.seats.insert(index, seat);
            self.open_coordinator(index, now);
        }
    }

    /// The topic is gone: who waits hears that the coordinator is elsewhere.
    fn unseat_coordinators(&mut self, now: Now) {
        for (index, seat) in &mut self.coordinators.seats {
            seat.groups.fail(ErrorCode::NotCoordinator, now);
            self.coordinators.busy.insert(*index);
        }
        self.give_group_answers();
        self.coordinators.seats.clear();
        self.coordinators.busy.clear();
        self.coordinators.deadline_ns = None;
        self.coordinators.topic = None;
    }

    /// A partition was opened, or cannot be.
    pub(super) fn coordinator_changed(&mut self, partition: TopicPartition, now: Now) {
        if let Some((index, seat)) = self.coordinators.seat_of(partition)
            && !matches!(seat.step, Step::Failed)
        {
            self.open_coordinator(index, now);
        }
    }

    fn open_coordinator(&mut self, index: i32, now: Now) {
        let seat = self.coordinators.seats.get_mut(&index).expect("a seat");
        match self.log.open(seat.partition) {
            Openness::Opening => {}
            Openness::Open if matches!(seat.step, Step::Opening) => {
                let offsets = self.log.offsets(seat.partition).expect("an open partition");
                seat.step = Step::Reading { next: offsets.log_start, end: offsets.log_end };
                self.load_coordinator(index, now);
            }
            Openness::Open => {}
            Openness::Offline | Openness::Unknown => self.fail_coordinator(index, "its partition is offline", now),
        }
    }

    fn load_coordinator(&mut self, index: i32, now: Now) {
        loop {
            let seat = self.coordinators.seats.get_mut(&index).expect("a seat");
            let Step::Reading { next, end } = seat.step else { return };
            if next >= end {
                seat.step = Step::Serving;
                seat.groups.loaded(now);
                let image = self.image.clone();
                seat.groups.forget_gone_topics(&|name| known_topic(&image, name), now);
                self.coordinators.busy.insert(index);
                return;
            }
            match self.log.read(seat.partition, next, end, LOAD_BYTES, true) {
                Read::Ready(data) => self.replay_coordinator(index, &data, now),
                Read::Pending(ticket) => {
                    self.coordinators.reads.insert(ticket, seat.partition);
                    return;
                }
                Read::Offline => return self.fail_coordinator(index, "its partition is offline", now),
            }
        }
    }

    fn replay_coordinator(&mut self, index: i32, data: &Gather, now: Now) {
        let seat = self.coordinators.seats.get_mut(&index).expect("a seat");
        let Step::Reading { next, .. } = &mut seat.step else { return };
        let bytes = data.to_vec();
        let ends = Batches::new(&bytes).map_while(Result::ok);
        let read_to = ends.map(|(_, header)| header.end_offset()).last();
        let replayed = seat.groups.replay(&bytes);
        match (read_to, replayed) {
            (Some(read_to), Ok(())) if read_to > next.0 => *next = Offset(read_to),
            (_, Err(why)) => self.fail_coordinator(index, &why, now),
            _ => self.fail_coordinator(index, "its log ends too early", now),
        }
    }

    /// A read for a coordinator ended; false: it was for somebody else.
    pub(super) fn coordinator_read(&mut self, ticket: Ticket, data: &Result<Gather, ReadError>, now: Now) -> bool {
        let Some(partition) = self.coordinators.reads.remove(&ticket) else { return false };
        // Of a topic that was deleted meanwhile, though another may be there by now.
        let Some((index, _)) = self.coordinators.seat_of(partition) else { return true };
        match data {
            Ok(data) => {
                self.replay_coordinator(index, data, now);
                self.load_coordinator(index, now);
            }
            Err(_) => self.fail_coordinator(index, "its log cannot be read", now),
        }
        true
    }

    fn fail_coordinator(&mut self, index: i32, why: &str, now: Now) {
        let seat = self.coordinators.seats.get_mut(&index).expect("a seat");
        tracing::error!(partition = index, why, "a group coordinator stops until restart");
        seat.groups.fail(ErrorCode::CoordinatorNotAvailable, now);
        seat.step = Step::Failed;
        self.coordinators.busy.insert(index);
    }

    /// The journal failed: nothing will be stored any more.
    pub(super) fn fail_coordinators(&mut self, now: Now) {
        let indexes: Vec<i32> = self.coordinators.seats.keys().copied().collect();
        for index in indexes {
            self.fail_coordinator(index, "the journal failed", now);
        }
    }

    /// There is room for records again.
    pub(super) fn wake_coordinators(&mut self) {
        self.coordinators.busy.extend(self.coordinators.seats.keys().copied());
    }

    /// The high watermark of a partition rose.
    pub(super) fn coordinator_advance(&mut self, partition: TopicPartition, high_watermark: Offset, now: Now) {
        if let Some((index, seat)) = self.coordinators.seat_of(partition) {
            seat.groups.advance(high_watermark, now);
            self.coordinators.busy.insert(index);
        }
    }

    /// Topics are gone, and with them what was committed for them.
    pub(super) fn coordinators_forget(&mut self, topics: &[&str], now: Now) {
        for (index, seat) in &mut self.coordinators.seats {
            if matches!(seat.step, Step::Serving) {
                seat.groups.topics_deleted(topics, now);
                self.coordinators.busy.insert(*index);
            }
        }
    }

    /// Time has passed.
    pub(super) fn tick_coordinators(&mut self, now: Now) {
        if self.coordinators.deadline_ns.is_none_or(|due_ns| due_ns > now.monotonic_ns) {
            return;
        }
        for (index, seat) in &mut self.coordinators.seats {
            let due = seat.groups.next_deadline_ms().is_some_and(|ms| ms <= now.monotonic_ms());
            if due && matches!(seat.step, Step::Serving) {
                seat.groups.tick(now);
                self.coordinators.busy.insert(*index);
            }
        }
    }

    /// Passes the pieces of a request to the coordinators here. Answers come by themselves.
    pub(super) fn ask_coordinators(&mut self, context: &Context, pieces: Vec<GroupRequest>, now: Now) -> Outcome {
        let id = self.coordinators.next;
        let pieces: Vec<(Option<i32>, GroupRequest)> = match &pieces[..] {
            [GroupRequest::List(request)] => {
                let seats = self.coordinators.seats.keys();
                seats.map(|index| (Some(*index), GroupRequest::List(request.clone()))).collect()
            }
            _ => pieces.into_iter().map(|piece| (self.seat_for(&piece), piece)).collect(),
        };
        if pieces.is_empty() {
            return context.respond(PartAnswer::Group(GroupResponse::List(Default::default())));
        }
        let missing = pieces.len();
        self.coordinators.asked.insert(id, Asked { context: *context, answers: vec![None; missing], missing });
        for ((index, piece), at) in pieces.into_iter().zip(0..) {
            self.coordinators.next += 1;
            let caller = Caller(self.coordinators.next);
            self.coordinators.pieces.insert(caller, (id, at));
            self.ask_coordinator(index, caller, context.version, piece, now);
        }
        self.coordinators.next += 1;
        self.give_group_answers();
        Outcome::Parked
    }

    fn seat_for(&self, piece: &GroupRequest) -> Option<i32> {
        let topic = self.image.topic_by_name(OFFSETS_TOPIC)?;
        Some(partition_of(piece.group()?, topic.partitions.len()))
    }

    fn ask_coordinator(&mut self, index: Option<i32>, caller: Caller, version: i16, piece: GroupRequest, now: Now) {
        let Broker { coordinators, image, .. } = self;
        let room = piece.grows().then(|| coordinators.room());
        let seat = index.and_then(|index| coordinators.seats.get_mut(&index).map(|seat| (index, seat)));
        let refused = match &seat {
            None => Some(ErrorCode::NotCoordinator),
            Some((_, Seat { step: Step::Serving, .. })) => None,
            Some((_, Seat { step: Step::Failed, .. })) => Some(ErrorCode::CoordinatorNotAvailable),
            Some(_) => Some(ErrorCode::CoordinatorLoadInProgress),
        };
        if let Some(code) = refused {
            return self.piece_answered(caller, piece.refused(code));
        }
        let (index, seat) = seat.expect("it serves");
        if let Some(room) = room {
            seat.groups.set_room(room);
        }
        seat.groups.handle(caller, version, piece, &|name| known_topic(image, name), now);
        coordinators.busy.insert(index);
    }

    fn piece_answered(&mut self, caller: Caller, response: GroupResponse) {
        let (id, at) = self.coordinators.pieces.remove(&caller).expect("an answer to a question");
        let asked = self.coordinators.asked.get_mut(&id).expect("a request with a piece under way");
        asked.answers[at] = Some(response);
        asked.missing -= 1;
        if asked.missing > 0 {
            return;
        }
        let Asked { context, answers, .. } = self.coordinators.asked.remove(&id).expect("looked up");
        let response = merge(answers.into_iter().flatten().collect());
        let answer = context.complete(PartAnswer::Group(response));
        self.sessions.answer(context.answer, answer, &mut self.effects);
    }

    fn give_group_answers(&mut self) {
        let mut replies = Vec::new();
        for index in &self.coordinators.busy {
            let seat = self.coordinators.seats.get_mut(index).expect("a busy seat");
            while let Some(reply) = seat.groups.poll_reply() {
                replies.push(reply);
            }
        }
        for (caller, response) in replies {
            self.piece_answered(caller, response);
        }
    }

    /// Appends what the coordinators want appended, and sends what they answer; true if there was anything.
    pub(super) fn settle_coordinators(&mut self, now: Now) -> bool {
        if self.coordinators.busy.is_empty() {
            return false;
        }
        for index in std::mem::take(&mut self.coordinators.busy) {
            self.append_for_coordinator(index, now);
            self.coordinators.busy.insert(index);
        }
        self.give_group_answers();
        self.coordinators.busy.clear();
        self.coordinators.deadline_ns = self.coordinators.earliest_deadline();
        true
    }

    fn append_for_coordinator(&mut self, index: i32, now: Now) {
        let Broker { coordinators, log, image, counters, .. } = self;
        let Some(seat) = coordinators.seats.get_mut(&index) else { return };
        let Some(epoch) = image.leader_epoch(seat.partition) else { return };
        while let Some(bytes) = seat.groups.wanted_bytes().filter(|_| matches!(seat.step, Step::Serving)) {
            // What never fits does not wait for room: the append refuses it.
            let fits = bytes as u64 <= log.batch_bytes_max();
            if fits && log.appendable_for(bytes as u64) == Appendable::Paused {
                return;
            }
            let (batch, header) = seat.groups.next_batch(now).expect("it wants to append");
            let bytes = batch.len();
            match log.append(seat.partition, Append { batch, header, buffer_bytes: bytes }, epoch, now) {
                Ok(appended) => {
                    counters.appended_batches += 1;
                    counters.appended_bytes += bytes as u64;
                    seat.groups.appended(appended.base_offset, appended.end_offset, bytes);
                }
                Err(AppendError::TooLarge) => seat.groups.refused(ErrorCode::UnknownServerError, now),
                // The clients find their coordinator again, or wait for it.
                Err(_) => seat.groups.refused(ErrorCode::CoordinatorNotAvailable, now),
            }
        }
        if let Some(start) = seat.groups.take_trim()
            && log.delete_records(seat.partition, start, now).is_err()
        {
            seat.groups.retry_trim(start);
        }
    }
}

fn known_topic(image: &Image, name: &str) -> Option<KnownTopic> {
    let topic = image.topic_by_name(name)?;
    Some(KnownTopic { id: topic.id, partitions: topic.partitions.len() })
}

fn led_here(image: &Arc<Image>, topic: &Topic, here: CoreId) -> Vec<TopicPartition> {
    topic.partition_ids().filter(|partition| image.core_of(*partition) == Some(here)).collect()
}

#[cfg(test)]
mod tests {
    use super::partition_of;

    /// The numbers are Java's: `Utils.abs(group.hashCode()) % 50`; the last one hashes to the number that has no absolute value.
    #[test]
    fn groups_belong_where_kafka_puts_them() {
        for (group, partition) in
            [("", 0), ("a", 47), ("console-consumer-12345", 6), ("žába", 22), ("polygenelubricants", 0)]
        {
            assert_eq!(partition_of(group, 50), partition, "{group}");
        }
    }
}
