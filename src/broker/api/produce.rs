//! Produce (key 0), versions 3-11. Appends one record batch per partition and answers when the high watermark has passed it.
//!
//! - acks 0 is never answered; an error closes the connection. acks 1 and -1 are the same: the topic's durability decides.
//! - Every partition of the request is in the answer. One that is named twice is appended and answered once, as Kafka does.
//! - A partition that is being loaded, or a full ring, holds the request where it is; later requests of the connection wait
//!   behind it, so that pipelined batches keep their order.
//! - Versions 10 and 11 carry a leader hint with NOT_LEADER_OR_FOLLOWER (KIP-951).
//! - Transactions do not exist yet: a transactional batch gets INVALID_TXN_STATE, without transactional id
//!   TRANSACTIONAL_ID_AUTHORIZATION_FAILED as Kafka does.
//! - A record without a key on a compacted topic is INVALID_RECORD, one with a timestamp too far from the broker's clock
//!   INVALID_TIMESTAMP, and the answer names it (8 on). Only topics with configs of their own have every batch looked into.
//! - What is compressed, or to be compressed anew (`compression.type`), is looked into on another thread; the request is held.
//! - Topics of the coordinators (`__consumer_offsets`) get INVALID_TOPIC_EXCEPTION, as in Kafka.
//! - Null records get INVALID_REQUEST (Kafka never answers them). UNKNOWN_SERVER_ERROR is never sent.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::CoreId;
use crate::broker::api::{Api, Context, Held, Outcome, Wait};
use crate::broker::broker::Broker;
use crate::broker::delayed::produce::{ParkedProduce, ProduceWait};
use crate::broker::event::Effect;
use crate::broker::forwarding::PartAnswer;
use crate::broker::partition::{INTERNAL_TOPICS, Led, NotLed, find_led};
use crate::log::core_log::{Append, AppendError, Appendable, CoreLog, Openness};
use crate::metadata::topic_config::{TimestampType, TopicSettings};
use crate::metadata::topics::Topic;
use crate::wire::api::ApiKey;
use crate::wire::inspection::{Inspection, Objection, Unwanted};
use crate::wire::produce::{
    ProducePartition, ProduceRequest, ProduceResponse, ProduceResponsePartition, ProduceResponseTopic, RecordError,
};
use crate::wire::reader::DecodeError;
use crate::wire::record_batch::{BatchHeader, apply_timestamp_type, validate_for_produce};
use bytes::BytesMut;

/// See the module.
pub(super) struct Produce;

/// A Produce request under way: what is left of it, and its answer so far.
#[derive(Debug)]
pub(in crate::broker) struct ProduceRun {
    request: ProduceRequest,
    topic_at: usize,
    partition_at: usize,
    response: ProduceResponse,
    waits: Vec<ProduceWait>,
    /// Some partition was refused.
    failed: bool,
    /// Cores that lead partitions of this request.
    misrouted: Vec<CoreId>,
    /// Of the partition that is next.
    inspection: Inspected,
}

/// How far a batch is looked into.
#[derive(Debug, Default)]
enum Inspected {
    #[default]
    NotYet,
    UnderWay,
    Done,
    Objected(Objection),
}

impl Api for Produce {
    const KEY: ApiKey = ApiKey::Produce;
    type Request = ProduceRequest;

    fn decode(body: BytesMut, version: i16) -> Result<ProduceRequest, DecodeError> {
        ProduceRequest::decode(body, version)
    }

    fn handle(broker: &mut Broker, context: &Context, mut request: ProduceRequest, now: Now) -> Outcome {
        request.unite_repeated();
        let topics = Vec::with_capacity(request.topics.len());
        let waits = Vec::with_capacity(request.topics.first().map_or(0, |topic| topic.partitions.len()));
        let run = ProduceRun {
            response: ProduceResponse { topics, ..ProduceResponse::default() },
            request,
            topic_at: 0,
            partition_at: 0,
            waits,
            failed: false,
            misrouted: Vec::new(),
            inspection: Inspected::NotYet,
        };
        advance(broker, context, run, now)
    }
}

/// Appends until everything is appended or something has to be waited for.
pub(in crate::broker) fn advance(broker: &mut Broker, context: &Context, mut run: ProduceRun, now: Now) -> Outcome {
    while run.topic_at < run.request.topics.len() {
        if let Err(wait) = run.append_topic(broker, context, now) {
            return Outcome::Held(Held::Produce(Box::new(run)), wait);
        }
        run.topic_at += 1;
        run.partition_at = 0;
    }
    run.finish(broker, context, now)
}

/// What one partition needs to know of its topic.
struct Target<'a> {
    topic: &'a Topic,
    settings: TopicSettings,
}

impl ProduceRun {
    fn append_topic(&mut self, broker: &mut Broker, context: &Context, now: Now) -> Result<(), Wait> {
        let requested = &mut self.request.topics[self.topic_at];
        if self.response.topics.len() == self.topic_at {
            let partitions = Vec::with_capacity(requested.partitions.len());
            // From here on the name is the answer's.
            self.response.topics.push(ProduceResponseTopic { name: std::mem::take(&mut requested.name), partitions });
        }
        let ProduceResponseTopic { name, partitions: answers } = &mut self.response.topics[self.topic_at];
        let Broker { core, image, log, topics, counters, effects, .. } = broker;
        let target = image.topic_by_name(name).map(|topic| Target { topic, settings: topics.settings(topic) });
        while let Some(partition) = requested.partitions.get_mut(self.partition_at) {
            let index = partition.index;
            let led = check_target(self.request.acks, target.as_ref())
                .and_then(|target| find_led(image, *core, target.topic, index).map_err(Refusal::NotLed));
            let done = match led {
                Err(refusal) => Err(refusal),
                Ok(led) => {
                    let target = target.as_ref().expect("a partition of a topic");
                    let transactional = self.request.transactional_id.is_some();
                    match append_partition(
                        log,
                        led,
                        target,
                        (partition, &mut self.inspection),
                        transactional,
                        context,
                        now,
                    ) {
                        Err(Refusal::Inspect(inspection)) => {
                            let connection = context.answer.connection;
                            effects.push_back(Effect::Inspect { connection, inspection });
                            self.inspection = Inspected::UnderWay;
                            return Err(Wait::Inspection);
                        }
                        Err(Refusal::Wait(wait)) => {
                            open_all(log, image, *core, target.topic, &requested.partitions[self.partition_at..]);
                            return Err(wait);
                        }
                        done => done,
                    }
                }
            };
            match done {
                Ok(appended) => {
                    counters.appended_batches += u64::from(!appended.duplicate);
                    counters.appended_bytes += if appended.duplicate { 0 } else { appended.bytes };
                    let (topic_at, partition_at) = (self.topic_at as u32, self.partition_at as u32);
                    self.waits.push(ProduceWait { topic_at, partition_at, ..appended.wait });
                    answers.push(appended.answer);
                }
                Err(refusal) => {
                    self.failed = true;
                    if let Refusal::NotLed(NotLed::Elsewhere { core, .. }) = refusal
                        && !self.misrouted.contains(&core)
                    {
                        self.misrouted.push(core);
                    }
                    answers.push(refusal.answer(name, index));
                }
            }
            self.inspection = Inspected::NotYet;
            self.partition_at += 1;
        }
        Ok(())
    }

    /// The look inside the batch that is next has ended.
    pub(in crate::broker) fn inspected(&mut self, inspected: Result<BytesMut, Objection>) {
        let partition = &mut self.request.topics[self.topic_at].partitions[self.partition_at];
        self.inspection = match inspected {
            Ok(batch) => {
                partition.records = Some(batch);
                Inspected::Done
            }
            Err(objection) => Inspected::Objected(objection),
        };
    }

    fn finish(mut self, broker: &mut Broker, context: &Context, now: Now) -> Outcome {
        if self.failed {
            broker.counters.request_errors += 1;
        }
        if self.request.acks == 0 {
            return match self.failed {
                true => Outcome::Close("a Produce request with acks=0 failed".to_string()),
                false => Outcome::Silent,
            };
        }
        if !self.misrouted.is_empty() && context.version >= 10 {
            self.response.node_endpoints = broker.node_endpoints(&self.misrouted, context);
        }
        self.settle_waits(&broker.log);
        if self.waits.is_empty() {
            return context.respond(PartAnswer::Produce(self.response));
        }
        let parked = ParkedProduce { response: self.response, context: *context, timeout_ms: self.request.timeout_ms };
        broker.produces.park(parked, &self.waits, now);
        Outcome::Parked
    }

    /// Drops the waits that are over. A request that was held may find that some of them will never be: their topic was deleted
    /// meanwhile, or the journal failed.
    fn settle_waits(&mut self, log: &CoreLog) {
        let read_only = log.is_read_only();
        let topics = &mut self.response.topics;
        self.waits.retain(|wait| {
            let refusal = match log.offsets(wait.partition) {
                Some(offsets) if offsets.high_watermark >= wait.end_offset => return false,
                Some(_) if read_only => ErrorCode::KafkaStorageError,
                Some(_) => return true,
                None => ErrorCode::UnknownTopicOrPartition,
            };
            let answer = &mut topics[wait.topic_at as usize].partitions[wait.partition_at as usize];
            *answer = ProduceResponsePartition::refused(answer.index, refusal, None);
            false
        });
    }
}

/// Why nothing was appended to one partition.
enum Refusal {
    Code(ErrorCode, Option<&'static str>),
    Objection(Objection),
    NotLed(NotLed),
    /// Not refused: to be tried again.
    Wait(Wait),
    /// Not refused: to be looked into elsewhere.
    Inspect(Box<Inspection>),
}

impl Refusal {
    fn plain(code: ErrorCode) -> Refusal {
        Refusal::Code(code, None)
    }

    fn answer(self, topic: &str, index: i32) -> ProduceResponsePartition {
        match self {
            Refusal::Code(code, why) => ProduceResponsePartition::refused(index, code, why.map(Into::into)),
            Refusal::NotLed(not_led) => {
                let mut answer = ProduceResponsePartition::refused(index, not_led.code(), None);
                if let NotLed::Elsewhere { hint, .. } = not_led {
                    answer.current_leader = Some(hint);
                }
                answer
            }
            Refusal::Objection(objection) => objected(objection, topic, index),
            Refusal::Wait(_) | Refusal::Inspect(_) => unreachable!("a wait is no answer"),
        }
    }
}

/// The topic of a partition, if anybody may produce to it like this.
fn check_target<'a, 'b>(acks: i16, target: Option<&'b Target<'a>>) -> Result<&'b Target<'a>, Refusal> {
    if !(-1..=1).contains(&acks) {
        return Err(Refusal::plain(ErrorCode::InvalidRequiredAcks));
    }
    let target = target.ok_or(Refusal::plain(ErrorCode::UnknownTopicOrPartition))?;
    if INTERNAL_TOPICS.contains(&target.topic.name.as_str()) {
        let why = "only coordinators write to internal topics";
        return Err(Refusal::Code(ErrorCode::InvalidTopicException, Some(why)));
    }
    Ok(target)
}

/// A batch that was appended, or was there before.
struct Done {
    answer: ProduceResponsePartition,
    wait: ProduceWait,
    duplicate: bool,
    bytes: u64,
}

fn append_partition(
    log: &mut CoreLog,
    led: Led,
    target: &Target<'_>,
    (partition, inspected): (&mut ProducePartition, &mut Inspected),
    transactional: bool,
    context: &Context,
    now: Now,
) -> Result<Done, Refusal> {
    match log.open(led.id) {
        Openness::Open => {}
        Openness::Opening => return Err(Refusal::Wait(Wait::Partition(led.id))),
        Openness::Offline => return Err(Refusal::Code(ErrorCode::KafkaStorageError, Some("the partition is offline"))),
        Openness::Unknown => return Err(Refusal::plain(ErrorCode::UnknownTopicOrPartition)),
    }
    let Some(records) = &mut partition.records else {
        return Err(Refusal::Code(ErrorCode::InvalidRequest, Some("the records are null")));
    };
    // What was compressed here is of no version of the protocol.
    let (version, inspect) = match std::mem::take(inspected) {
        Inspected::NotYet => (context.version, true),
        Inspected::Done => (i16::MAX, false),
        Inspected::Objected(objection) => return Err(Refusal::Objection(objection)),
        Inspected::UnderWay => {
            *inspected = Inspected::UnderWay;
            return Err(Refusal::Wait(Wait::Inspection));
        }
    };
    let mut header = validate_for_produce(records, version, target.settings.max_message_bytes)
        .map_err(|reject| Refusal::Code(reject.error, Some(reject.message)))?;
    check_transaction(&header, transactional)?;
    if inspect && let Some(inspection) = inspection_of(&header, &target.settings, records, now) {
        if inspection.is_work() {
            return Err(Refusal::Inspect(Box::new(inspection)));
        }
        *records = inspection.perform().map_err(Refusal::Objection)?;
    }
    *inspected = Inspected::Done;
    match log.appendable_for(header.total_bytes as u64) {
        Appendable::Paused => return Err(Refusal::Wait(Wait::Ring)),
        appendable => check_appendable(appendable)?,
    }
    let mut batch = std::mem::take(records);
    batch.truncate(header.total_bytes);
    let log_append_time = (target.settings.timestamp_type == TimestampType::LogAppendTime).then_some(now.wall_ms);
    apply_timestamp_type(&mut batch, &mut header, log_append_time);
    append(
        log,
        led,
        Append { batch, header, buffer_bytes: context.buffer_bytes },
        partition.index,
        log_append_time,
        now,
    )
}

fn append(
    log: &mut CoreLog,
    led: Led,
    append: Append,
    index: i32,
    log_append_time: Option<i64>,
    now: Now,
) -> Result<Done, Refusal> {
    let bytes = append.batch.len() as u64;
    let appended = log.append(led.id, append, led.leader_epoch, now).map_err(refusal_of)?;
    assert!(appended.end_offset > appended.base_offset);
    let mut answer = ProduceResponsePartition::appended(index, appended.base_offset.0, appended.log_start.0);
    answer.log_append_time_ms = log_append_time.unwrap_or(-1);
    let wait = ProduceWait { partition: led.id, end_offset: appended.end_offset, topic_at: 0, partition_at: 0 };
    Ok(Done { answer, wait, duplicate: appended.duplicate, bytes })
}

fn check_transaction(header: &BatchHeader, transactional: bool) -> Result<(), Refusal> {
    match (header.is_transactional(), transactional) {
        (false, _) => Ok(()),
        (true, false) => Err(Refusal::plain(ErrorCode::TransactionalIdAuthorizationFailed)),
        (true, true) => Err(Refusal::Code(ErrorCode::InvalidTxnState, Some("transactions are not in this release"))),
    }
}

/// What the topic's configs want to know of the records, if anything; the batch goes with it.
fn inspection_of(
    header: &BatchHeader,
    settings: &TopicSettings,
    records: &mut BytesMut,
    now: Now,
) -> Option<Inspection> {
    let earliest = now.wall_ms.saturating_sub(settings.timestamp_before_max_ms);
    let latest = now.wall_ms.saturating_add(settings.timestamp_after_max_ms);
    let timestamps = (settings.timestamp_type == TimestampType::CreateTime
        && (header.max_timestamp > latest || settings.looks_at_timestamps()))
    .then_some(earliest..=latest);
    let compression = settings.compression.filter(|compression| compression.codec != header.codec());
    if !settings.compacted && timestamps.is_none() && compression.is_none() {
        return None;
    }
    let mut batch = std::mem::take(records);
    batch.truncate(header.total_bytes);
    Some(Inspection { batch, keys: settings.compacted, timestamps, compression })
}

/// The answer to a batch with records that the topic does not take; its words are Kafka's.
fn objected(objection: Objection, topic: &str, index: i32) -> ProduceResponsePartition {
    let refused = |code, why: String| ProduceResponsePartition::refused(index, code, Some(why.into()));
    let (unwanted, timestamps) = match objection {
        Objection::Unreadable => {
            return refused(ErrorCode::InvalidRecord, "the records do not agree with their count and lengths".into());
        }
        Objection::TooLarge => {
            return refused(ErrorCode::MessageTooLarge, "the decompressed records are too large".into());
        }
        Objection::Records { unwanted, timestamps } => (unwanted, timestamps),
    };
    let mut answer = match unwanted.iter().any(|one| one.timestamp.is_some()) {
        true => {
            let why = "One or more records have been rejected due to invalid timestamp";
            refused(ErrorCode::InvalidTimestamp, why.into())
        }
        false => {
            let count = unwanted.len();
            let why = format!("One or more records have been rejected due to {count} record errors in total");
            refused(ErrorCode::InvalidRecord, why)
        }
    };
    let error = |one: Unwanted| {
        let message = match (one.timestamp, &timestamps) {
            (Some(timestamp), Some(legal)) => format!(
                "Timestamp {timestamp} of message with offset {} is out of range. The timestamp should be within [{}, {}]",
                one.index,
                legal.start(),
                legal.end()
            ),
            _ => format!("Compacted topic cannot accept message without key in topic partition {topic}-{index}"),
        };
        RecordError { batch_index: one.index, message: Some(message.into()) }
    };
    answer.record_errors = unwanted.into_iter().map(error).collect();
    answer
}

fn check_appendable(appendable: Appendable) -> Result<(), Refusal> {
    match appendable {
        Appendable::Yes | Appendable::Paused => Ok(()),
        Appendable::DiskFull => Err(Refusal::Code(ErrorCode::KafkaStorageError, Some("the disk is full"))),
        Appendable::ReadOnly => Err(Refusal::Code(
            ErrorCode::KafkaStorageError,
            Some("the journal failed; this core is read-only until a restart"),
        )),
    }
}

fn refusal_of(error: AppendError) -> Refusal {
    match error {
        AppendError::OutOfOrderSequence => Refusal::plain(ErrorCode::OutOfOrderSequenceNumber),
        AppendError::InvalidProducerEpoch => Refusal::plain(ErrorCode::InvalidProducerEpoch),
        AppendError::TooLarge => Refusal::Code(
            ErrorCode::MessageTooLarge,
            Some("the record batch does not fit a journal file (journal.file.bytes)"),
        ),
        AppendError::NotAppendable(appendable) => check_appendable(appendable)
            .err()
            .unwrap_or(Refusal::Code(ErrorCode::KafkaStorageError, Some("the journal is full"))),
        AppendError::NotOpen | AppendError::Offline | AppendError::BelowHighWatermark => {
            Refusal::plain(ErrorCode::KafkaStorageError)
        }
    }
}

/// Starts loading the rest of a topic's partitions while one is waited for, so that they load together.
fn open_all(
    log: &mut CoreLog,
    image: &crate::metadata::image::Image,
    here: CoreId,
    topic: &Topic,
    partitions: &[ProducePartition],
) {
    for partition in partitions {
        if let Ok(led) = find_led(image, here, topic, partition.index) {
            log.open(led.id);
        }
    }
}
