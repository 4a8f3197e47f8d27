//! Fetch (key 1), versions 4-17.
//!
//! - Sessions (KIP-227, version 7 on): `fetch_session`. Without one, the answer lists every partition of the request.
//! - Plan, perform, finish: a request is planned from its start each time, against one image and the offsets of that moment. It
//!   is answered when something failed, when `min_bytes` are there or when `max_wait` is over; else it parks and is planned again.
//! - The first partition with data gives at least one whole batch whatever the bounds say; the others obey them.
//! - An offset below the log start or above the log end is OFFSET_OUT_OF_RANGE, never clamped.
//! - Version 13 on: topics by id, an unknown one is UNKNOWN_TOPIC_ID. Version 12 on: a leader hint with NOT_LEADER_OR_FOLLOWER
//!   and FENCED_LEADER_EPOCH; 16 on: with the leader's endpoint (KIP-951).
//! - A replica id >= 0 and an unknown isolation level are refused with INVALID_REQUEST.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::gather::Gather;
use crate::base::ids::{BrokerId, CoreId, TopicPartition};
use crate::base::limits::{FETCH_WAIT_MS_MAX, READ_BYTES_MAX};
use crate::base::offset::Offset;
use crate::broker::api::{Api, Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::delayed::fetch::{ParkedFetch, Patience, ReadingFetch, Watch};
use crate::broker::fetch_session::SessionUse;
use crate::broker::forwarding::PartAnswer;
use crate::broker::partition::{NotLed, check_epoch, find_led};
use crate::log::core_log::{CoreLog, Openness, PartitionOffsets, Read};
use crate::log::effect::{ReadError, Ticket};
use crate::metadata::image::Image;
use crate::metadata::topics::Topic;
use crate::wire::api::ApiKey;
use crate::wire::fetch::{
    FetchPartition, FetchRequest, FetchResponse, FetchResponsePartition, FetchResponseTopic, FetchTopic,
};
use crate::wire::leader_hint::LeaderHint;
use crate::wire::reader::DecodeError;
use bytes::BytesMut;
use std::sync::Arc;

/// See the module.
pub(super) struct Fetch;

const READ_COMMITTED: i8 = 1;

impl Api for Fetch {
    const KEY: ApiKey = ApiKey::Fetch;
    type Request = FetchRequest;

    fn decode(body: BytesMut, version: i16) -> Result<FetchRequest, DecodeError> {
        FetchRequest::decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, mut request: FetchRequest, now: Now) -> Outcome {
        let using = match refuse_whole(&request) {
            Some(code) => Err(code),
            None => broker.fetch_sessions.enter(&mut request, context.version, now.monotonic_ms()),
        };
        let using = match using {
            Ok(using) => using,
            Err(code) => {
                broker.counters.request_errors += 1;
                return Outcome::Answer(refused(request, code, context));
            }
        };
        let wait_ms = u64::try_from(request.max_wait_ms).unwrap_or(0).min(FETCH_WAIT_MS_MAX);
        let deadline_ns = now.monotonic_ns + wait_ms * 1_000_000;
        let wanted = u64::try_from(request.min_bytes.min(request.max_bytes)).unwrap_or(0);
        let patience = Patience { wanted, threshold: wanted, deadline_ns, is_watch: false };
        attempt(broker, context, (request, using), None, patience, now)
    }
}

/// Answers another core with what is there now.
pub(in crate::broker) fn take_part(
    broker: &mut Broker,
    context: &Context,
    request: FetchRequest,
    wanted: u64,
    now: Now,
) -> Outcome {
    let patience = Patience { wanted, threshold: wanted, deadline_ns: 0, is_watch: false };
    attempt(broker, context, (request, SessionUse::None), None, patience, now)
}

/// Tells another core when it is worth asking.
pub(in crate::broker) fn watch(
    broker: &mut Broker,
    context: &Context,
    request: FetchRequest,
    (wanted, threshold, deadline_ns): (u64, u64, u64),
    now: Now,
) -> Outcome {
    let patience = Patience { wanted, threshold, deadline_ns, is_watch: true };
    attempt(broker, context, (request, SessionUse::None), None, patience, now)
}

fn refuse_whole(request: &FetchRequest) -> Option<ErrorCode> {
    let legal = request.replica_id < 0 && (0..=READ_COMMITTED).contains(&request.isolation_level);
    (!legal).then_some(ErrorCode::InvalidRequest)
}

/// The whole request refused: at the top where the version has a place for it, else in every partition.
fn refused(request: FetchRequest, code: ErrorCode, context: &Context) -> Gather {
    let mut response = FetchResponse { error_code: code, ..FetchResponse::default() };
    if context.version < 7 {
        let refuse = |partition: FetchPartition| FetchResponsePartition::refused(partition.index, code);
        response.topics = request.topics.into_iter().map(|topic| answer_topic(topic, refuse)).collect();
    }
    response.encode(context.version, context.correlation_id)
}

fn answer_topic(topic: FetchTopic, answer: impl FnMut(FetchPartition) -> FetchResponsePartition) -> FetchResponseTopic {
    let partitions = topic.partitions.into_iter().map(answer).collect();
    FetchResponseTopic { name: topic.name, id: topic.id, partitions }
}

/// Plans a request from the start; answers, reads or parks it. `grant`: the memory that it was given after it waited for some.
pub(in crate::broker) fn attempt(
    broker: &mut Broker,
    context: &Context,
    whole: (FetchRequest, SessionUse),
    grant: Option<u64>,
    patience: Patience,
    now: Now,
) -> Outcome {
    if broker.answers_for_machine(context)
        && let Some(layout) = broker.fetch_layout(context, &whole)
    {
        return broker.split_fetch(context, whole, layout, grant, patience, now);
    }
    let (request, using) = whole;
    let shown = broker.shown_id(broker.core);
    let plan = Plan::new(patience.wanted, context.version, shown);
    let plan = plan.make(&broker.image, broker.core, &mut broker.log, &request);
    let expired = now.monotonic_ns >= patience.deadline_ns || broker.is_stopping();
    let enough = plan.available >= patience.threshold || plan.partitions.is_empty();
    // A watch is not for what is being loaded: who set it had asked for that before.
    let opening = plan.opening && !patience.is_watch;
    if opening || !(plan.failed || expired || enough) {
        let missing_bytes = (!opening).then(|| patience.threshold - plan.available);
        let watches = plan.watches(&request);
        broker.fetches.park(ParkedFetch { context: *context, request, using, patience, missing_bytes }, watches);
        return Outcome::Parked;
    }
    if patience.is_watch {
        return context.respond(PartAnswer::WatchOver { expired });
    }
    let grant = grant.or_else(|| match plan.available {
        // Without data the answer needs no memory to speak of.
        0 => Some(0),
        // The core that asks has set it aside. If it waited here too, two cores that ask each other could wait for ever.
        _ if context.is_part => Some(u64::try_from(request.max_bytes).unwrap_or(0)),
        _ => broker.fetch_grant(),
    });
    let Some(grant) = grant else {
        let fetch = ParkedFetch { context: *context, request, using, patience, missing_bytes: Some(0) };
        broker.fetches.starve(fetch, now.monotonic_ms());
        return Outcome::Parked;
    };
    if plan.failed {
        broker.counters.request_errors += 1;
    }
    perform(broker, context, (request, using), plan, grant)
}

/// What is to be done for one partition.
#[derive(Clone, Copy)]
enum Planned {
    Refused(ErrorCode, Option<LeaderHint>),
    Opening(TopicPartition),
    /// `until`: exclusive end of what this client may see.
    Read {
        partition: TopicPartition,
        offsets: PartitionOffsets,
        until: Offset,
        available: u64,
    },
}

struct Plan {
    version: i16,
    /// What clients are told that leads what lives here.
    shown: BrokerId,
    /// Bytes worth answering for.
    wanted: u64,
    /// In the order of the request, over all topics.
    partitions: Vec<Planned>,
    available: u64,
    failed: bool,
    opening: bool,
    misrouted: Vec<CoreId>,
}

impl Plan {
    fn new(wanted: u64, version: i16, shown: BrokerId) -> Plan {
        let (partitions, misrouted) = (Vec::new(), Vec::new());
        Plan { version, shown, wanted, partitions, available: 0, failed: false, opening: false, misrouted }
    }

    fn make(self, image: &Arc<Image>, here: CoreId, log: &mut CoreLog, request: &FetchRequest) -> Plan {
        let mut plan = self;
        plan.partitions.reserve_exact(request.topics.iter().map(|topic| topic.partitions.len()).sum());
        let committed = request.isolation_level == READ_COMMITTED;
        for topic in &request.topics {
            let (known, unknown) = match plan.version {
                13.. => (image.topic(topic.id), ErrorCode::UnknownTopicId),
                _ => (image.topic_by_name(&topic.name), ErrorCode::UnknownTopicOrPartition),
            };
            for partition in &topic.partitions {
                let planned = match known {
                    None => Planned::Refused(unknown, None),
                    Some(known) => plan.partition(image, here, log, known, partition, committed),
                };
                match planned {
                    Planned::Refused(..) => plan.failed = true,
                    Planned::Opening(_) => plan.opening = true,
                    Planned::Read { available, .. } => plan.available += available,
                }
                plan.partitions.push(planned);
            }
        }
        plan
    }

    fn partition(
        &mut self,
        image: &Image,
        here: CoreId,
        log: &mut CoreLog,
        topic: &Topic,
        partition: &FetchPartition,
        committed: bool,
    ) -> Planned {
        let led = match find_led(image, here, topic, partition.index) {
            Ok(led) => led,
            Err(NotLed::Unknown) => return Planned::Refused(ErrorCode::UnknownTopicOrPartition, None),
            Err(NotLed::Elsewhere { core, hint }) => {
                self.misrouted.push(core);
                return Planned::Refused(ErrorCode::NotLeaderOrFollower, Some(hint));
            }
        };
        if let Err(code) = check_epoch(partition.current_leader_epoch, led.leader_epoch) {
            let hint = LeaderHint { leader_id: self.shown.0, leader_epoch: led.leader_epoch.0 };
            return Planned::Refused(code, (code == ErrorCode::FencedLeaderEpoch).then_some(hint));
        }
        match log.open(led.id) {
            Openness::Open => {}
            Openness::Opening => return Planned::Opening(led.id),
            Openness::Offline => return Planned::Refused(ErrorCode::KafkaStorageError, None),
            Openness::Unknown => return Planned::Refused(ErrorCode::UnknownTopicOrPartition, None),
        }
        let offsets = log.offsets(led.id).expect("an open partition");
        let from = Offset(partition.fetch_offset);
        if from < offsets.log_start || from > offsets.log_end {
            return Planned::Refused(ErrorCode::OffsetOutOfRange, None);
        }
        let until = if committed { offsets.last_stable_offset } else { offsets.high_watermark };
        let available = available_bytes(log, led.id, from, until, self.enough(partition));
        Planned::Read { partition: led.id, offsets, until, available }
    }

    /// Bytes of one partition beyond which counting them is of no use.
    fn enough(&self, asked: &FetchPartition) -> u64 {
        partition_bytes_max(asked).min(self.wanted)
    }

    fn watches(&self, request: &FetchRequest) -> Vec<Watch> {
        let asked = request.topics.iter().flat_map(|topic| &topic.partitions);
        let watch = |(planned, asked): (&Planned, &FetchPartition)| {
            let (partition, counted) = match planned {
                Planned::Refused(..) => return None,
                Planned::Opening(partition) => (*partition, 0),
                Planned::Read { partition, available, .. } => (*partition, *available),
            };
            let bytes_max = self.enough(asked);
            Some(Watch { partition, from: Offset(asked.fetch_offset), bytes_max, counted })
        };
        self.partitions.iter().zip(asked).filter_map(watch).collect()
    }
}

fn partition_bytes_max(partition: &FetchPartition) -> u64 {
    u64::try_from(partition.partition_max_bytes).unwrap_or(0)
}

/// Bytes that count towards `min_bytes`: some, if there is anything at all.
pub(in crate::broker) fn available_bytes(
    log: &CoreLog,
    partition: TopicPartition,
    from: Offset,
    until: Offset,
    enough: u64,
) -> u64 {
    if from >= until { 0 } else { log.available_bytes(partition, from, until, enough).clamp(1, enough.max(1)) }
}

/// Reads what was planned, as far as `grant` bytes go. What is on the disk only comes later.
fn perform(
    broker: &mut Broker,
    context: &Context,
    (request, using): (FetchRequest, SessionUse),
    plan: Plan,
    grant: u64,
) -> Outcome {
    let bytes_max = usize::try_from(request.max_bytes).unwrap_or(0).min(broker.settings.fetch_bytes_max);
    let mut reading = Reading {
        bytes_left: bytes_max.min(grant as usize),
        filled: false,
        committed: request.isolation_level == READ_COMMITTED,
        tickets: Vec::new(),
        cached_bytes: 0,
        disk_bytes: 0,
    };
    let mut response = FetchResponse { topics: Vec::with_capacity(request.topics.len()), ..FetchResponse::default() };
    if context.version >= 16 && !plan.misrouted.is_empty() {
        response.node_endpoints = broker.node_endpoints(&plan.misrouted, context);
    }
    let available = plan.available;
    let mut planned = plan.partitions.into_iter();
    for (topic, topic_at) in request.topics.into_iter().zip(0..) {
        let mut partition_at = 0;
        response.topics.push(answer_topic(topic, |partition| {
            let planned = planned.next().expect("every partition is planned");
            partition_at += 1;
            reading.partition(&mut broker.log, &partition, planned, (topic_at, partition_at - 1))
        }));
    }
    broker.counters.fetched_cached_bytes += reading.cached_bytes;
    if reading.tickets.is_empty() {
        return respond(broker, context, using, response, available);
    }
    broker.fetches.read(ReadingFetch {
        context: *context,
        using,
        response,
        available,
        tickets: reading.tickets,
        bytes: reading.disk_bytes,
    });
    Outcome::Parked
}

fn respond(
    broker: &mut Broker,
    context: &Context,
    using: SessionUse,
    mut response: FetchResponse,
    available: u64,
) -> Outcome {
    broker.fetch_sessions.leave(using, &mut response);
    context.respond(PartAnswer::Fetch { response, available })
}

/// What one request has read so far.
struct Reading {
    bytes_left: usize,
    /// Some partition gave data, so that the bounds hold for the others.
    filled: bool,
    committed: bool,
    tickets: Vec<(Ticket, usize, usize)>,
    cached_bytes: u64,
    /// Set aside for reads from the disk.
    disk_bytes: u64,
}

impl Reading {
    fn partition(
        &mut self,
        log: &mut CoreLog,
        asked: &FetchPartition,
        planned: Planned,
        at: (usize, usize),
    ) -> FetchResponsePartition {
        let (partition, offsets, until) = match planned {
            Planned::Refused(code, current_leader) => {
                return FetchResponsePartition { current_leader, ..FetchResponsePartition::refused(asked.index, code) };
            }
            Planned::Opening(_) => unreachable!("a plan with a partition that is being loaded is parked"),
            Planned::Read { partition, offsets, until, .. } => (partition, offsets, until),
        };
        let mut answer = FetchResponsePartition {
            high_watermark: offsets.high_watermark.0,
            last_stable_offset: offsets.last_stable_offset.0,
            log_start_offset: offsets.log_start.0,
            aborted_transactions: self.committed.then(Vec::new),
            ..FetchResponsePartition::refused(asked.index, ErrorCode::None)
        };
        let bytes_max = self.bytes_left.min(partition_bytes_max(asked) as usize);
        let from = Offset(asked.fetch_offset);
        if from >= until || (bytes_max == 0 && self.filled) {
            return answer;
        }
        match log.read(partition, from, until, bytes_max, !self.filled) {
            Read::Ready(records) => {
                self.filled |= !records.is_empty();
                self.bytes_left = self.bytes_left.saturating_sub(records.len());
                self.cached_bytes += records.len() as u64;
                answer.records = records;
            }
            Read::Pending(ticket) => {
                self.filled = true;
                // How much there is shows later: as much as may come is set aside.
                let bytes = bytes_max.min(READ_BYTES_MAX);
                self.bytes_left = self.bytes_left.saturating_sub(bytes);
                self.disk_bytes += bytes as u64;
                self.tickets.push((ticket, at.0, at.1));
            }
            Read::Offline => return FetchResponsePartition::refused(asked.index, ErrorCode::KafkaStorageError),
        }
        answer
    }
}

/// A read from the disk ended; the answer leaves with the last one.
pub(in crate::broker) fn read_done(broker: &mut Broker, ticket: Ticket, data: Result<Gather, ReadError>) {
    let disk_bytes = data.as_ref().map_or(0, Gather::len) as u64;
    let finished = broker.fetches.read_done(ticket, |response, version, (topic_at, partition_at)| {
        let answer = &mut response.topics[topic_at].partitions[partition_at];
        let code = match data {
            Ok(records) => {
                answer.records = records;
                return;
            }
            Err(ReadError::Offline) => ErrorCode::KafkaStorageError,
            Err(ReadError::Gone) if version >= 13 => ErrorCode::UnknownTopicId,
            Err(ReadError::Gone) => ErrorCode::UnknownTopicOrPartition,
        };
        *answer = FetchResponsePartition::refused(answer.index, code);
    });
    broker.counters.fetched_disk_bytes += disk_bytes;
    if let Some(ReadingFetch { context, using, response, available, .. }) = finished {
        let outcome = respond(broker, &context, using, response, available);
        broker.conclude(&context, outcome);
    }
}
