//! `Broker`: one core's Kafka broker as a plain value. Lives on its core; the core's loop is the only caller.
//!
//! Protocol for the caller, each turn: [`Broker::handle`] for every event, [`Broker::end_turn`] once, then
//! [`Broker::poll_effect`] until `None`.
//!
//! Invariants: those of its parts (`session`, `delayed`, `controller_seat`, the log, the metadata log), and (I1) a request reads
//! one image from start to end: the image is replaced between requests only; (I2) nothing but [`Message`]s leaves for other
//! cores, and no Produce or Fetch causes one unless clients see the machine as one broker (`forwarding`).

use crate::base::clock::Now;
use crate::base::ids::{BrokerId, ConnectionId, CoreId};
use crate::base::latency::Latency;
use crate::base::limits::TIMEOUT_SCAN_MS;
use crate::base::prng::Prng;
use crate::base::storage::DiskSpace;
use crate::broker::api::{self, Context, Held, Outcome};
use crate::broker::controller_seat::ControllerSeat;
use crate::broker::coordinators::Coordinators;
use crate::broker::counters::Counters;
use crate::broker::delayed::fetch::DelayedFetches;
use crate::broker::delayed::flush::DelayedDeletes;
use crate::broker::delayed::produce::{DelayedProduce, Released};
use crate::broker::delayed::search::DelayedSearches;
use crate::broker::event::{Effect, Event};
use crate::broker::fetch_session::FetchSessions;
use crate::broker::forwarding::{Homes, PartAnswer, Splits};
use crate::broker::message::Message;
use crate::broker::partition::broker_id;
use crate::broker::producer_ids::ProducerIds;
use crate::broker::question::Questions;
use crate::broker::queued::{Queued, QueuedFrame};
use crate::broker::session::{Answer, Sessions};
use crate::broker::settings::{Advertised, BrokerSettings};
use crate::broker::stop::StopStep;
use crate::broker::topic_cache::TopicCache;
use crate::log::core_log::CoreLog;
use crate::metadata::broker_wide::BrokerWide;
use crate::metadata::image::Image;
use crate::wire::api::ApiKey;
use crate::wire::frame::RequestHeader;
use crate::wire::leader_hint::NodeEndpoint;
use crate::wire::messages::unsupported_api_versions;
use crate::wire::reader::DecodeError;
use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;

/// See the module. `Send`, so that it can be built on another thread than the one that runs it.
#[derive(Debug)]
pub struct Broker {
    pub(super) core: CoreId,
    pub(super) settings: Arc<BrokerSettings>,
    /// Where clients find each core.
    advertised: Arc<[Advertised]>,
    pub(super) image: Arc<Image>,
    pub(super) log: CoreLog,
    pub(super) topics: TopicCache,
    pub(super) sessions: Sessions,
    pub(super) produces: DelayedProduce,
    pub(super) fetches: DelayedFetches,
    pub(super) fetch_sessions: FetchSessions,
    pub(super) deletes: DelayedDeletes,
    pub(super) searches: DelayedSearches,
    pub(super) producer_ids: ProducerIds,
    pub(super) coordinators: Coordinators,
    /// For member ids.
    pub(super) group_entropy: Prng,
    /// What the client whose JoinGroup begins calls itself.
    pub(super) client_id: String,
    pub(super) questions: Questions,
    /// Requests that other cores work on.
    pub(super) splits: Splits,
    /// Connections that may belong to another core.
    pub(super) homes: Homes,
    /// Core 0 only.
    pub(super) seat: Option<ControllerSeat>,
    /// Number of the metadata log's last batch of file operations.
    pub(super) metadata_ticket: u64,
    pub(super) stop: StopStep,
    /// Room of the disk as last reported; `None` before the first time.
    pub(super) space: Option<DiskSpace>,
    /// What had been appended by then.
    appended_at_report: u64,
    next_scan_ns: u64,
    pub(super) effects: VecDeque<Effect>,
    /// Empty between two uses: most notices release an answer.
    pub(super) released: Vec<Released>,
    pub(super) counters: Counters,
}

/// What a broker is built of.
pub(super) struct BrokerParts {
    pub(super) core: CoreId,
    pub(super) settings: Arc<BrokerSettings>,
    pub(super) advertised: Arc<[Advertised]>,
    pub(super) image: Arc<Image>,
    pub(super) log: CoreLog,
    pub(super) seat: Option<ControllerSeat>,
    /// Random per core and process.
    pub(super) seed: u64,
}

impl Broker {
    pub(super) fn new(parts: BrokerParts, now: Now) -> Broker {
        let BrokerParts { core, settings, advertised, image, mut log, seat, seed } = parts;
        assert_eq!(seat.is_some(), core == CoreId(0));
        assert_eq!(advertised.len(), settings.shown_brokers(image.cores()).count());
        // What an earlier run left of deleted topics: the log says when nothing is left (S13).
        for topic in image.deleted() {
            log.delete_topic(*topic, now.monotonic_ms());
        }
        let mut broker = Broker {
            core,
            topics: TopicCache::new(BrokerWide::new(&settings.topic_defaults).of_image(&image)),
            settings,
            advertised,
            image,
            log,
            sessions: Sessions::default(),
            produces: DelayedProduce::default(),
            fetches: DelayedFetches::default(),
            fetch_sessions: FetchSessions::new(seed),
            deletes: DelayedDeletes::default(),
            searches: DelayedSearches::default(),
            producer_ids: ProducerIds::default(),
            coordinators: Coordinators::default(),
            group_entropy: Prng::new(seed ^ 0x6702_0501),
            client_id: String::new(),
            questions: Questions::default(),
            splits: Splits::default(),
            homes: Homes::default(),
            seat,
            metadata_ticket: 0,
            stop: StopStep::Running,
            space: None,
            appended_at_report: 0,
            next_scan_ns: 0,
            effects: VecDeque::new(),
            released: Vec::new(),
            counters: Counters::default(),
        };
        broker.configure_machine();
        broker.seat_coordinators(now);
        broker
    }

    /// Takes one event in. Effects wait for [`Broker::poll_effect`].
    pub fn handle(&mut self, event: Event, now: Now) {
        self.sessions.set_now(now);
        match event {
            Event::Connected { connection, peer, local } => self.sessions.connected(connection, peer, local),
            Event::Request { connection, frame, buffer_bytes } => {
                let frame = Queued::Frame(QueuedFrame { frame, buffer_bytes });
                let pressure = self.pressure();
                if let Some(request) = self.sessions.offer(connection, frame, pressure, &mut self.effects) {
                    self.begin_request(connection, request, now);
                }
            }
            Event::Disconnected { connection } => {
                self.forget_connection(connection);
                self.homes.disconnected(connection);
                for core in self.splits.disconnected(connection) {
                    self.send(core, Message::ConnectionGone { connection }, now);
                }
            }
            Event::Unsent { connection, bytes } => {
                if self.sessions.unsent(connection, bytes) {
                    self.fetches.readmit(connection, now.monotonic_ms());
                    self.begin_queued(connection, now);
                }
            }
            Event::Log(input) => self.log.handle(input, now),
            Event::Inspected { connection, inspected } => {
                if let Some(Held::Produce(run)) = self.sessions.held_mut(connection) {
                    run.inspected(inspected);
                    self.resume(connection, now);
                }
            }
            Event::MetadataFiles { ticket, done } => self.metadata_files_done(ticket, &done, now),
            Event::Mesh { from, message } => self.receive(from, message, now),
            Event::Space(space) => {
                (self.space, self.appended_at_report) = (Some(space), self.counters.appended_bytes);
            }
            Event::Tick => self.tick(now),
            Event::Stop => self.begin_stop(now),
        }
    }

    /// Ends a turn: all that was appended in it becomes few journal writes.
    pub fn end_turn(&mut self, now: Now) {
        self.sessions.set_now(now);
        self.settle(now);
        loop {
            let gather = self.sessions.returning.holds(now.monotonic_ns);
            self.log.end_turn(now, gather);
            // What the log says at the end of a turn may let held requests append more.
            if !self.settle(now) {
                break;
            }
        }
        self.hand_over_strangers();
        self.continue_stop(now);
    }

    /// The next thing to do, in order. The disk's come first: they take longest.
    pub fn poll_effect(&mut self) -> Option<Effect> {
        let effect = self.log.poll_effect().map(Effect::Log).or_else(|| self.effects.pop_front());
        if effect.is_none() {
            self.sessions.turn_replied();
        }
        effect
    }

    /// Monotonic nanoseconds at which [`Event::Tick`] is due at the latest; `None` when nothing waits.
    pub fn next_deadline(&self) -> Option<u64> {
        let scan = (!self.produces.is_idle() || !self.deletes.is_empty() || self.questions.has_deadline())
            .then_some(self.next_scan_ns);
        let log = self.log.next_deadline_ms().map(|ms| ms * 1_000_000);
        let seat = self.seat.as_ref().and_then(ControllerSeat::next_deadline);
        [scan, log, seat, self.fetches.next_deadline(), self.coordinators.next_deadline()].into_iter().flatten().min()
    }

    /// How long journal frames wait to be written, and then to be flushed.
    pub fn journal_latencies(&self) -> (&Latency, &Latency) {
        self.log.journal_latencies()
    }

    /// How long requests waited that could not be begun in the turn in which they came.
    pub fn held_latency(&self) -> &Latency {
        self.sessions.held_latency()
    }

    /// Monotonic nanoseconds at which small appends wait no longer for more: a turn is due then, events or not.
    pub fn gather_deadline(&self) -> Option<u64> {
        self.sessions.returning.deadline_ns().filter(|_| self.log.is_gathering())
    }

    /// The core that this broker lives on.
    pub fn core(&self) -> CoreId {
        self.core
    }

    /// What was done so far.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Parts of requests that other cores work on now (tests look at it).
    pub fn forwarded_parts(&self) -> usize {
        self.splits.parts()
    }

    /// Fetches that wait on several cores (tests look at it).
    pub fn waiting_fetches_forwarded(&self) -> usize {
        self.splits.waiting_fetches()
    }

    /// The core's log (tests and the simulator look into it).
    pub fn log(&self) -> &CoreLog {
        &self.log
    }

    /// The metadata in force.
    pub fn image(&self) -> &Arc<Image> {
        &self.image
    }

    /// Asserts the invariants of the whole structure; the simulator calls it after every event.
    pub fn check(&self) {
        self.log.check();
        self.sessions.check();
        self.fetches.check();
        self.fetch_sessions.check();
        self.searches.check();
        self.splits.check();
        self.coordinators.check();
        self.produces.check(|partition| self.log.offsets(partition).map(|offsets| offsets.high_watermark));
        if let Some(seat) = &self.seat {
            seat.check();
        }
    }

    /// Nothing is done for this connection any more.
    pub(super) fn forget_connection(&mut self, connection: ConnectionId) {
        self.sessions.disconnected(connection);
        self.fetches.disconnected(connection);
        let searches = self.searches.disconnected(connection);
        self.log.cancel_searches(&searches.into_iter().collect());
    }

    /// Begins a request, or a part of one.
    pub(super) fn begin_request(&mut self, connection: ConnectionId, request: Queued, now: Now) {
        match request {
            Queued::Frame(frame) => self.begin(connection, frame, now),
            Queued::Part(part) => self.begin_part(connection, *part, now),
        }
    }

    /// Begins a request: decodes its header, finds its API, runs it.
    pub(super) fn begin(&mut self, connection: ConnectionId, frame: QueuedFrame, now: Now) {
        let QueuedFrame { frame, buffer_bytes } = frame;
        if self.is_stopping() {
            return self.sessions.close(connection, "this machine is stopping", &mut self.effects);
        }
        let (header, body) = match RequestHeader::parse(frame) {
            Ok(parsed) => parsed,
            Err(error) => return self.refuse_header(connection, error),
        };
        self.counters.count_request(header.key());
        if header.key() == ApiKey::JoinGroup {
            self.client_id = header.client_id.as_deref().map(str::to_string).unwrap_or_default();
        }
        let context = Context {
            answer: self.sessions.begin(connection),
            version: header.version,
            correlation_id: header.correlation_id,
            buffer_bytes,
            is_part: false,
        };
        let outcome = (api::find(header.key()).run)(self, &context, body, now);
        let outcome = outcome.unwrap_or_else(|error| {
            self.counters.request_errors += 1;
            Outcome::Close(format!("{} version {}: {error}", header.api.name, header.version))
        });
        self.conclude(&context, outcome);
    }

    fn refuse_header(&mut self, connection: ConnectionId, error: DecodeError) {
        self.counters.request_errors += 1;
        match error {
            DecodeError::UnsupportedVersion { key, correlation_id, .. } if key == ApiKey::ApiVersions.number() => {
                self.counters.count_request(ApiKey::ApiVersions);
                let slot = self.sessions.begin(connection);
                let answer = Answer::Frame(unsupported_api_versions(correlation_id));
                self.sessions.answer(slot, answer, &mut self.effects);
            }
            error => self.sessions.close(connection, &error.to_string(), &mut self.effects),
        }
    }

    /// Puts an outcome where it belongs.
    pub(super) fn conclude(&mut self, context: &Context, outcome: Outcome) {
        let answer = match outcome {
            Outcome::Answer(frame) => Answer::Frame(frame),
            Outcome::Part(answer) => Answer::Part(answer),
            Outcome::Silent if context.is_part => Answer::Part(Box::new(PartAnswer::Silent)),
            Outcome::Silent => Answer::Silent,
            Outcome::Close(why) if context.is_part => Answer::Part(Box::new(PartAnswer::Close(why))),
            Outcome::Close(why) => Answer::Close(why),
            Outcome::Parked => return,
            Outcome::Held(held, wait) => return self.sessions.hold(*context, held, wait, &mut self.effects),
        };
        self.sessions.answer(context.answer, answer, &mut self.effects);
    }

    /// Goes on with a connection's held request, then with what queued behind it.
    pub(super) fn resume(&mut self, connection: ConnectionId, now: Now) {
        if let Some((context, held)) = self.sessions.take_held(connection) {
            let outcome = api::resume(self, &context, held, now);
            self.conclude(&context, outcome);
        }
        self.begin_queued(connection, now);
    }

    /// Begins requests of a connection that waited and need not any more.
    pub(super) fn begin_queued(&mut self, connection: ConnectionId, now: Now) {
        loop {
            let pressure = self.pressure();
            let Some(request) = self.sessions.next_queued(connection, pressure, &mut self.effects) else { return };
            self.begin_request(connection, request, now);
        }
    }

    /// Sends a message to a core, this one included.
    pub(super) fn send(&mut self, to: CoreId, message: Message, now: Now) {
        if to == self.core {
            self.receive(to, message, now);
        } else {
            self.counters.count_message(&message);
            self.effects.push_back(Effect::Send { to, message });
        }
    }

    /// The broker that clients are told of when something lives on `core`.
    pub(super) fn shown_id(&self, core: CoreId) -> BrokerId {
        broker_id(&self.image, self.settings.shown(core))
    }

    /// Where a client of this connection finds a core.
    pub(super) fn endpoint(&self, core: CoreId, context: &Context) -> (String, i32) {
        let advertised = &self.advertised[usize::from(self.settings.shown(core).0)];
        let host = match &advertised.host {
            Some(host) => host.clone(),
            // A wildcard listener: the address that this client reached us at will do for the other ports too.
            None => match self.sessions.local(context.answer.connection).map(|local| local.ip().to_canonical()) {
                Some(IpAddr::V4(address)) => address.to_string(),
                Some(IpAddr::V6(address)) => address.to_string(),
                None => "localhost".to_string(),
            },
        };
        (host, i32::from(advertised.port))
    }

    /// Where hinted leaders listen (KIP-951), each once.
    pub(super) fn node_endpoints(&self, cores: &[CoreId], context: &Context) -> Vec<NodeEndpoint> {
        let mut cores = cores.to_vec();
        cores.sort_unstable();
        cores.dedup();
        let endpoint = |core: CoreId| {
            let (host, port) = self.endpoint(core, context);
            NodeEndpoint { node_id: self.shown_id(core).0, host, port, rack: None }
        };
        cores.into_iter().map(endpoint).collect()
    }

    fn tick(&mut self, now: Now) {
        let free_bytes = self.space.map_or(u64::MAX, |space| space.free_bytes);
        // Each appended byte will lie in a segment beside the journal, which has its space already.
        let since = self.counters.appended_bytes - self.appended_at_report;
        self.log.handle_tick(now, free_bytes.saturating_sub(since));
        self.fetches.expire(now.monotonic_ns);
        self.tick_coordinators(now);
        if now.monotonic_ns < self.next_scan_ns {
            return;
        }
        self.next_scan_ns = now.monotonic_ns + TIMEOUT_SCAN_MS * 1_000_000;
        let mut released = Vec::new();
        self.produces.expire(now, &mut released);
        self.deletes.expire(now, &mut released);
        self.release(released);
        self.expire_questions(now);
    }
}
