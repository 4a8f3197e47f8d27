//! The controller's seat: core 0's side of everything that changes metadata.
//!
//! Lives on core 0 only; its `Broker` mutates it. The functions of `metadata::controller` decide, this module keeps the order:
//!
//! ```text
//! Ask -> decided on the proposed image -> records appended -> durable -> Image to all cores -> Applied by all -> Answer
//! ```
//! Invariants: (I1) an answer, a refusal too, leaves after everything it was decided on is durable and applied on all cores
//! that still run; (I2) images are pushed in order; (I3) an id is forgotten when all cores have forgotten it (S13).

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::{CoreId, TopicId};
use crate::base::limits::MARK_AFTER_MS;
use crate::base::prng::Prng;
use crate::base::storage::{FileOp, FilesDone};
use crate::broker::message::{AutoCreateResult, ControllerAnswer, ControllerRequest, Message};
use crate::broker::partition::INTERNAL_TOPICS;
use crate::metadata::broker_wide::{Changeable, changeable};
use crate::metadata::controller::alter_configs::{AlteredResource, alter_configs};
use crate::metadata::controller::create_partitions::create_partitions;
use crate::metadata::controller::create_topics::{CreateTopicResult, NewTopic, auto_create_topics, create_topics};
use crate::metadata::controller::delete_topics::{delete_topics, forget_topic};
use crate::metadata::controller::machine::clean_shutdown_records;
use crate::metadata::controller::producer_ids::allocate_producer_ids;
use crate::metadata::controller::{ControllerSettings, Refused};
use crate::metadata::log::MetadataLog;
use crate::metadata::record::ResourceType;
use crate::metadata::topic_config::IdleConfigs;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

fn refusal(code: ErrorCode, message: &str) -> ControllerAnswer {
    ControllerAnswer::Refused(Refused::new(code, message))
}

/// An answer that waits until the cores have applied what it was decided on.
#[derive(Debug)]
struct Decided {
    /// All cores must have applied this.
    end_offset: u64,
    to: CoreId,
    ticket: u64,
    answer: ControllerAnswer,
}

/// What one core has told.
#[derive(Debug, Default)]
struct CoreState {
    /// End offset of the image in force there.
    applied: u64,
    /// It stopped; whether clean.
    stopped: Option<bool>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct ControllerSeat {
    log: MetadataLog,
    settings: ControllerSettings,
    entropy: Prng,
    cores: Vec<CoreState>,
    /// In the order decided; end offsets ascend.
    decided: VecDeque<Decided>,
    forgotten: BTreeMap<TopicId, BTreeSet<CoreId>>,
    outbox: VecDeque<(CoreId, Message)>,
    stop: StopStep,
    idle_configs: IdleConfigs,
    /// When the metadata log may have something to do by itself (marks, a full disk), monotonic nanoseconds.
    wake_ns: Option<u64>,
}

/// How far a graceful stop got.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum StopStep {
    Running,
    /// All cores have stopped; the clean-shutdown record is on its way.
    Closing,
    Closed,
}

impl ControllerSeat {
    pub(super) fn new(log: MetadataLog, settings: ControllerSettings, seed: u64) -> ControllerSeat {
        let applied = log.image().end_offset();
        let cores = (0..log.image().cores()).map(|_| CoreState { applied, stopped: None }).collect();
        ControllerSeat {
            log,
            settings,
            entropy: Prng::new(seed),
            cores,
            decided: VecDeque::new(),
            forgotten: BTreeMap::new(),
            outbox: VecDeque::new(),
            stop: StopStep::Running,
            idle_configs: IdleConfigs::default(),
            wake_ns: Some(0),
        }
    }

    /// Decides a request.
    pub(super) fn ask(&mut self, from: CoreId, ticket: u64, request: ControllerRequest, now: Now) {
        let answer = if self.stop == StopStep::Running {
            self.decide(request, now)
        } else {
            refusal(ErrorCode::NotController, "The controller is stopping.")
        };
        let end_offset = self.log.proposed().end_offset();
        assert!(self.decided.back().is_none_or(|last| last.end_offset <= end_offset));
        self.decided.push_back(Decided { end_offset, to: from, ticket, answer });
        self.release();
    }

    fn decide(&mut self, request: ControllerRequest, now: Now) -> ControllerAnswer {
        let grows = match &request {
            ControllerRequest::CreateTopics { validate_only, .. }
            | ControllerRequest::CreatePartitions { validate_only, .. }
            | ControllerRequest::AlterConfigs { validate_only, .. } => !validate_only,
            ControllerRequest::AutoCreateTopics { .. } | ControllerRequest::ProducerIds => true,
            ControllerRequest::DeleteTopics { .. } => false,
        };
        if grows && !self.log.may_grow() {
            return refusal(ErrorCode::KafkaStorageError, "The disk is full.");
        }
        let image = self.log.proposed().clone();
        let (records, answer) = match request {
            ControllerRequest::CreateTopics { topics, validate_only } => {
                let decision = create_topics(&image, &self.settings, &topics, validate_only, &mut self.entropy);
                let refused = |one: &&CreateTopicResult| one.outcome.is_err();
                let refused: BTreeSet<&str> = decision.answer.iter().filter(refused).map(|one| &*one.name).collect();
                let made = |topic: &&NewTopic| !validate_only && !refused.contains(&*topic.name);
                let made = topics.iter().filter(made).filter(|topic| !INTERNAL_TOPICS.contains(&topic.name.as_str()));
                made.for_each(|topic| warn_of_new_topic(topic, &mut self.idle_configs));
                (decision.records, ControllerAnswer::CreateTopics(decision.answer))
            }
            ControllerRequest::CreatePartitions { topics, validate_only } => {
                let decision = create_partitions(&image, &topics, validate_only);
                (decision.records, ControllerAnswer::CreatePartitions(decision.answer))
            }
            ControllerRequest::AlterConfigs { resources, validate_only } => {
                let decision = alter_configs(&image, &self.settings.broker_wide, &resources, validate_only);
                let altered = resources.iter().zip(&decision.answer).filter(|(_, outcome)| outcome.is_ok());
                altered
                    .filter(|_| !validate_only)
                    .for_each(|(resource, _)| warn_of_changes(resource, &mut self.idle_configs));
                (decision.records, ControllerAnswer::AlterConfigs(decision.answer))
            }
            ControllerRequest::AutoCreateTopics { names } => {
                let decision = auto_create_topics(&image, &self.settings, &names, &mut self.entropy);
                let result = |(name, outcome)| AutoCreateResult { name, outcome };
                let results = decision.answer.into_iter().map(result).collect();
                (decision.records, ControllerAnswer::AutoCreateTopics(results))
            }
            ControllerRequest::DeleteTopics { topics } => {
                let decision = delete_topics(&image, &topics);
                (decision.records, ControllerAnswer::DeleteTopics(decision.answer))
            }
            ControllerRequest::ProducerIds => {
                let decision = allocate_producer_ids(&image);
                (decision.records, ControllerAnswer::ProducerIds(decision.answer))
            }
        };
        if !records.is_empty() {
            self.log.append(records, now);
            self.settings.broker_wide = self.settings.broker_wide.of_image(self.log.proposed());
        }
        answer
    }

    /// A core put an image in force.
    pub(super) fn applied(&mut self, core: CoreId, end_offset: u64) {
        let state = &mut self.cores[usize::from(core.0)];
        assert!(state.applied <= end_offset, "I2: images are applied in order");
        state.applied = end_offset;
        self.release();
    }

    /// A core's disk names a deleted topic no more. True if none does now: its directory may go.
    pub(super) fn forgotten(&mut self, core: CoreId, topic: TopicId) -> bool {
        let cores = self.forgotten.entry(topic).or_default();
        cores.insert(core);
        if cores.len() < self.cores.len() {
            return false;
        }
        self.forgotten.remove(&topic);
        true
    }

    /// Its directory is gone too: metadata forgets the id.
    pub(super) fn forget(&mut self, topic: TopicId, now: Now) {
        let records = forget_topic(self.log.proposed(), topic);
        if !records.is_empty() && self.stop == StopStep::Running {
            self.log.append(records, now);
        }
    }

    /// A core stopped. When all have, the clean-shutdown record follows, unless some journal had failed.
    pub(super) fn core_stopped(&mut self, core: CoreId, clean: bool, now: Now) {
        self.cores[usize::from(core.0)].stopped = Some(clean);
        self.release();
        if self.cores.iter().any(|state| state.stopped.is_none()) {
            return;
        }
        assert_eq!(self.stop, StopStep::Running, "all cores stop once");
        self.stop = StopStep::Closing;
        if self.cores.iter().all(|state| state.stopped == Some(true)) {
            let records = clean_shutdown_records(self.log.proposed());
            self.log.append(records, now);
        }
        self.log.begin_stop();
    }

    /// True once the metadata log is closed: nothing is left to do on this machine.
    pub(super) fn is_closed(&mut self) -> bool {
        if self.stop == StopStep::Closing && self.log.is_idle() {
            self.stop = StopStep::Closed;
        }
        self.stop == StopStep::Closed
    }

    /// File operations for the metadata log, if it is time for some.
    pub(super) fn poll_ops(&mut self, now: Now) -> Option<Vec<FileOp>> {
        let ops = self.log.poll_ops(now);
        let due = self.wake_ns.is_some_and(|wake_ns| wake_ns <= now.monotonic_ns);
        if ops.is_some() {
            // Its end, or what follows from it, is an event; what comes later by itself is a mark.
            self.wake_ns = None;
        } else if due {
            self.wake_ns = (!self.log.may_grow()).then_some(now.monotonic_ns + FULL_WAKE_MS * 1_000_000);
        }
        ops
    }

    /// When [`ControllerSeat::poll_ops`] is to be asked at the latest, monotonic nanoseconds.
    pub(super) fn next_deadline(&self) -> Option<u64> {
        self.wake_ns
    }

    /// They ended. An error is fatal for the machine.
    pub(super) fn files_done(&mut self, done: &FilesDone, now: Now) -> Result<(), String> {
        self.wake_ns = Some(now.monotonic_ns + (MARK_AFTER_MS + 1) * 1_000_000);
        let Some(committed) = self.log.handle_done(done)? else {
            return Ok(());
        };
        let delta = Arc::new(committed.delta);
        for core in 0..self.cores.len() {
            let message = Message::Image { image: committed.image.clone(), delta: delta.clone() };
            if self.cores[core].stopped.is_none() {
                self.outbox.push_back((CoreId(core as u16), message));
            }
        }
        Ok(())
    }

    /// The next message to a core, this one included.
    pub(super) fn poll_message(&mut self) -> Option<(CoreId, Message)> {
        self.outbox.pop_front()
    }

    /// Asserts the invariants.
    pub(super) fn check(&self) {
        self.log.check();
        let everywhere = self.applied_everywhere();
        assert!(self.decided.front().is_none_or(|first| first.end_offset > everywhere), "I1");
        assert!(self.forgotten.values().all(|cores| cores.len() < self.cores.len()), "I3");
    }

    /// End offset that all running cores have applied.
    fn applied_everywhere(&self) -> u64 {
        let running = self.cores.iter().filter(|state| state.stopped.is_none());
        running.map(|state| state.applied).min().unwrap_or_else(|| self.log.image().end_offset())
    }

    /// Lets answers go (I1).
    fn release(&mut self) {
        let everywhere = self.applied_everywhere();
        while self.decided.front().is_some_and(|decided| decided.end_offset <= everywhere) {
            let Decided { to, ticket, answer, .. } = self.decided.pop_front().expect("looked at");
            self.outbox.push_back((to, Message::Answer { ticket, answer }));
        }
    }
}

/// While a full disk keeps the metadata log from growing, it is asked this often whether it can.
const FULL_WAKE_MS: u64 = 1_000;

fn warn_of_new_topic(topic: &NewTopic, idle: &mut IdleConfigs) {
    let set = topic.configs.iter().filter_map(|(key, value)| Some((key.as_str(), value.as_deref()?)));
    warn_of_idle(&topic.name, idle.news(set));
}

fn warn_of_changes(resource: &AlteredResource, idle: &mut IdleConfigs) {
    let set = resource.changes.iter().filter_map(|change| Some((change.key.as_str(), change.value.as_deref()?)));
    // Broker configs go by the name of the topic configs that they stand for.
    let topic_key = |(key, value)| match changeable(key) {
        Some(Changeable::Topics(line)) if resource.kind == ResourceType::Broker as i8 => (line.key, value),
        _ => (key, value),
    };
    warn_of_idle(&resource.name, idle.news(set.map(topic_key)));
}

/// Configs are accepted, stored and described before they are enforced; the operator is told when one is first set.
fn warn_of_idle(resource: &str, idle: Vec<&'static str>) {
    if !idle.is_empty() {
        tracing::warn!(
            resource,
            configs = idle.join(", "),
            "topic configs are stored, but not in force in this release"
        );
    }
}
