//! A whole run: who writes and reads what over which connection, the threads, the borders between rounds, the end.

use crate::client::cluster::{Cluster, Topic, partition_words, topic_words};
use crate::client::connection::Connection;
use crate::client::failure::Failure;
use crate::client::load::deliveries::Deliveries;
use crate::client::load::driver::{Done, Driver, Lane};
use crate::client::load::fetch_lane::{FetchLane, Span};
use crate::client::load::payload::{Payload, Records};
use crate::client::load::pipe::Pipe;
use crate::client::load::produce_lane::{ProduceLane, Production, Slot};
use crate::client::load::requests::{self, Portion};
use crate::client::load::tally::{Live, Tally};
use crate::client::load::timetable::{Pace, Timetable};
use crate::client::producer::identity;
use kafka_protocol::messages::ApiKey;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many connections there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crowd {
    /// So many clients, each with a connection to every broker that it needs.
    Clients(usize),
    /// So many connections, dealt to the brokers in turn; each is a client of its own.
    Connections(usize),
}

impl Crowd {
    /// At broker `number` of `brokers`.
    fn at(self, number: usize, brokers: usize) -> usize {
        match self {
            Crowd::Clients(clients) => clients,
            Crowd::Connections(all) => {
                let all = all.max(brokers);
                (all + brokers - 1 - number) / brokers
            }
        }
    }
}

/// What is written.
#[derive(Clone, Debug)]
pub struct Writing {
    /// How many write.
    pub crowd: Crowd,
    /// 0, 1, or -1 for all.
    pub acks: i16,
    /// With producer ids and sequences.
    pub idempotent: bool,
    /// Requests without an answer, per connection.
    pub in_flight: usize,
    /// Partitions of a request.
    pub partitions_per_request: usize,
    /// Records per second, over all connections; none: as fast as answers come.
    pub records_per_second: Option<f64>,
    /// Ends after so many records.
    pub records_max: Option<u64>,
}

/// What is read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// How many read; partitions are dealt to them.
    pub crowd: Crowd,
    /// How much at once.
    pub portion: Portion,
    /// Begins anew at the end.
    pub again: bool,
    /// First offset and end of each partition, in the order of the topics.
    pub spans: Vec<(i64, Option<i64>)>,
}

/// Everything about a run.
#[derive(Clone, Debug)]
pub struct Plan {
    /// To be written to and read from.
    pub topics: Vec<Topic>,
    /// What records look like.
    pub records: Records,
    /// Writers, if there are any.
    pub writing: Option<Writing>,
    /// Readers, if there are any.
    pub reading: Option<Reading>,
    /// Every acknowledged batch is to be received, and the time until then counts.
    pub end_to_end: bool,
    /// Threads of the generator.
    pub threads: usize,
    /// Before the first round.
    pub warmup: Duration,
    /// Of each round.
    pub round: Duration,
    /// How many.
    pub rounds: usize,
    /// How long answers are waited for after the end.
    pub grace: Duration,
}

/// What the caller is told while it runs.
#[derive(Debug)]
pub enum Moment<'a> {
    /// A border between rounds, and its time: the beginning of the first is 0.
    Border(usize, Instant),
    /// Time goes by.
    Tick(&'a Live, &'a Timetable),
}

/// What came out.
#[derive(Debug)]
pub struct Outcome {
    /// All that was counted.
    pub tally: Tally,
    /// When what counted.
    pub table: Timetable,
    /// When it ended, before its time or not.
    pub ended: Instant,
    /// Why before its time.
    pub failure: Option<Failure>,
    /// The caller stopped it.
    pub stopped: bool,
    /// Acknowledged batches that were not received.
    pub missing: u64,
    /// Since the start of the run, until the readers had caught up for the first time.
    pub caught_up: Option<Duration>,
    /// Connections.
    pub connections: usize,
    /// Of the largest batch.
    pub batch_bytes: usize,
}

/// Between two looks at what goes on.
const TICK: Duration = Duration::from_millis(20);
/// Between the last connection and the first request.
const LEAD: Duration = Duration::from_millis(20);

/// Runs it. `on` hears of every moment; it returns false to stop the run.
pub fn run(cluster: &mut Cluster, plan: &Plan, mut on: impl FnMut(Moment<'_>) -> bool) -> Result<Outcome, Failure> {
    let payload = Payload::new(&plan.records, 1);
    let batch_bytes = payload.batch_bytes_max();
    let leaders = by_leader(&plan.topics)?;
    let lanes = lanes(cluster, plan, &leaders)?;
    let connections = lanes.len();
    let table = Timetable::new(Instant::now() + LEAD, plan.warmup, plan.round, plan.rounds);
    let drivers = drivers(plan, lanes, &table, &leaders)?;
    let shared = Arc::new(production(plan, payload, table));
    let producing = drivers.iter().filter(|driver| driver.produces()).count() as u64;
    shared.live.producing.store(producing, std::sync::atomic::Ordering::Release);
    let mut threads = Vec::new();
    for driver in drivers {
        let shared = Arc::clone(&shared);
        let spawned = std::thread::Builder::new().name("load".to_string()).spawn(move || driver.run(&shared));
        threads.push(spawned.map_err(|error| Failure::here(format!("a thread of the generator: {error}")))?);
    }
    let mut borders = 0;
    let mut stopped = false;
    if plan.warmup.is_zero() {
        // Threads may be done before anybody looks.
        on(Moment::Border(0, table.border(0)));
        borders = 1;
    }
    while !threads.iter().all(std::thread::JoinHandle::is_finished) {
        let border = table.border(borders);
        std::thread::sleep(border.saturating_duration_since(Instant::now()).min(TICK));
        if borders <= plan.rounds && Instant::now() >= border {
            on(Moment::Border(borders, border));
            borders += 1;
        }
        if !on(Moment::Tick(&shared.live, &table)) {
            stopped = true;
            shared.live.stop();
        }
    }
    let mut outcome = Outcome {
        tally: Tally::new(plan.rounds),
        table,
        ended: table.start(),
        failure: None,
        stopped,
        missing: 0,
        caught_up: None,
        connections,
        batch_bytes,
    };
    let done = threads.into_iter().map(|thread| thread.join().expect("the generator does not panic")).collect();
    conclude(&mut outcome, &shared, done);
    Ok(outcome)
}

fn production(plan: &Plan, payload: Payload, table: Timetable) -> Production {
    let writing = plan.writing.as_ref();
    let partitions: usize = plan.topics.iter().map(|topic| topic.partitions.len()).sum();
    Production {
        table,
        topics: plan.topics.iter().map(|topic| topic.name.clone()).collect(),
        payload,
        acks: writing.map_or(-1, |writing| writing.acks),
        in_flight: writing.map_or(1, |writing| writing.in_flight),
        partitions_per_request: writing.map_or(1, |writing| writing.partitions_per_request),
        batch_records: plan.records.batch_records as u64,
        batch_payload_bytes: plan.records.payload_bytes(),
        deliveries: plan.end_to_end.then(|| Deliveries::new(partitions)),
        live: Live::default(),
    }
}

fn conclude(outcome: &mut Outcome, shared: &Production, done: Vec<Done>) {
    let mut caught_up = Vec::new();
    for done in done {
        outcome.tally.add(&done.tally);
        outcome.ended = outcome.ended.max(done.ended);
        outcome.failure = outcome.failure.take().or(done.failure);
        caught_up.extend(done.caught_up);
    }
    outcome.caught_up = caught_up.iter().max().map(|at| at.saturating_duration_since(shared.table.start()));
    let Some(deliveries) = &shared.deliveries else { return };
    outcome.missing = deliveries.missing();
    // They took at least so long.
    for intended in deliveries.missing_since() {
        if let Some(round) = outcome.tally.round(&shared.table, intended) {
            round.delivery.record(outcome.ended.saturating_duration_since(intended), shared.batch_records);
        }
    }
}

/// A partition with its places: topic, number, and among all.
type Home = (usize, i32, usize);

/// Partitions by the broker that leads them.
fn by_leader(topics: &[Topic]) -> Result<BTreeMap<i32, Vec<Home>>, Failure> {
    let mut leaders: BTreeMap<i32, Vec<Home>> = BTreeMap::new();
    let mut place = 0;
    for (number, topic) in topics.iter().enumerate() {
        for partition in &topic.partitions {
            if partition.leader < 0 {
                let failure = Failure::code(LEADER_NOT_AVAILABLE, None);
                return Err(failure.about(partition_words(&topic.name, partition.index)));
            }
            leaders.entry(partition.leader).or_default().push((number, partition.index, place));
            place += 1;
        }
        if topic.partitions.is_empty() {
            return Err(Failure::here("it has no partitions").about(topic_words(&topic.name)));
        }
    }
    Ok(leaders)
}

const LEADER_NOT_AVAILABLE: i16 = 5;

/// Connects everybody; writers first.
fn lanes(cluster: &mut Cluster, plan: &Plan, leaders: &BTreeMap<i32, Vec<Home>>) -> Result<Vec<Lane>, Failure> {
    let mut lanes = Vec::new();
    if let Some(writing) = &plan.writing {
        lanes.extend(writers(cluster, plan, writing, leaders)?);
    }
    if let Some(reading) = &plan.reading {
        lanes.extend(readers(cluster, reading, leaders)?);
    }
    Ok(lanes)
}

/// Records of a request, on average over the connections: a broker may lead fewer partitions than a request is to have.
fn request_records(plan: &Plan, writing: &Writing, leaders: &BTreeMap<i32, Vec<Home>>) -> f64 {
    let (mut batches, mut connections) = (0, 0);
    for (number, homes) in leaders.values().enumerate() {
        let here = writing.crowd.at(number, leaders.len());
        batches += here * writing.partitions_per_request.min(homes.len());
        connections += here;
    }
    (batches * plan.records.batch_records) as f64 / connections.max(1) as f64
}

fn writers(
    cluster: &mut Cluster,
    plan: &Plan,
    writing: &Writing,
    leaders: &BTreeMap<i32, Vec<Home>>,
) -> Result<Vec<Lane>, Failure> {
    let brokers = leaders.len();
    let count: usize = (0..brokers).map(|number| writing.crowd.at(number, brokers)).sum();
    let requests = writing.records_max.map(|all| (all as f64 / request_records(plan, writing, leaders)).ceil() as u64);
    let share = |lane: usize| match requests {
        None => u64::MAX,
        Some(all) => all / count as u64 + u64::from((lane as u64) < all % count as u64),
    };
    let mut identities: BTreeMap<usize, (i64, i16)> = BTreeMap::new();
    let mut made: Vec<(usize, Lane)> = Vec::new();
    for (number, (leader, homes)) in leaders.iter().enumerate() {
        for client in 0..writing.crowd.at(number, brokers) {
            // Clients are one producer at all brokers; connections of their own are one each.
            let key = if matches!(writing.crowd, Crowd::Clients(_)) { client } else { made.len() };
            let producer = match identities.get(&key) {
                _ if !writing.idempotent => None,
                Some(known) => Some(*known),
                None => {
                    let given = identity(cluster).ok_or_else(|| {
                        Failure::here("no broker gives a producer id; --idempotent false does without")
                    })?;
                    identities.insert(key, given);
                    Some(given)
                }
            };
            let (pipe, version) = open(cluster, *leader, ApiKey::Produce, plan.records.compression.codec)?;
            let slot = |&(topic, partition, place): &Home| Slot { topic, partition, place, sequence: 0 };
            let slots: Vec<Slot> = homes.iter().map(slot).collect();
            let open_loop = writing.records_per_second.is_some();
            let mut lane = ProduceLane::new(pipe, version, slots, producer, open_loop, share(made.len()));
            lane.begin_at(client * STRIDE);
            made.push((client, Lane::Produce(lane)));
        }
    }
    // One broker after the other, so that intended times go to all of them in turn.
    made.sort_by_key(|(client, _)| *client);
    Ok(made.into_iter().map(|(_, lane)| lane).collect())
}

/// A prime: where connections of a broker begin among its partitions.
const STRIDE: usize = 7919;

fn readers(cluster: &mut Cluster, reading: &Reading, leaders: &BTreeMap<i32, Vec<Home>>) -> Result<Vec<Lane>, Failure> {
    let brokers = leaders.len();
    let mut lanes = Vec::new();
    for (number, (leader, homes)) in leaders.iter().enumerate() {
        let clients = reading.crowd.at(number, brokers);
        for client in 0..clients.min(homes.len()) {
            let mine = homes.iter().skip(client).step_by(clients);
            let spans = mine.map(|&(topic, partition, place)| {
                let (start, end) = reading.spans[place];
                Span { topic, partition, place, start, end, next: start, caught_up: None }
            });
            let (pipe, version) = open(cluster, *leader, ApiKey::Fetch, 0)?;
            lanes.push(Lane::Fetch(FetchLane::new(pipe, version, reading.portion, spans.collect(), reading.again)));
        }
    }
    Ok(lanes)
}

/// The first version of Produce that may carry zstd, and its codec.
const ZSTD: (i16, i16) = (7, 4);

fn open(cluster: &mut Cluster, leader: i32, key: ApiKey, codec: i16) -> Result<(Pipe, i16), Failure> {
    let connection: Connection = cluster.open(leader)?;
    let version = requests::version(&connection, key)?;
    if key == ApiKey::Produce && codec == ZSTD.1 && version < ZSTD.0 {
        return Err(Failure::protocol(connection.name(), "the broker is too old for zstd; choose another codec"));
    }
    Ok((Pipe::new(connection)?, version))
}

/// Deals the lanes to threads, writers and readers each in turn.
fn drivers(
    plan: &Plan,
    lanes: Vec<Lane>,
    table: &Timetable,
    leaders: &BTreeMap<i32, Vec<Home>>,
) -> Result<Vec<Driver>, Failure> {
    let threads = plan.threads.min(lanes.len()).max(1);
    let mut dealt: Vec<(Vec<Lane>, usize)> = (0..threads).map(|_| (Vec::new(), 0)).collect();
    let writers = lanes.iter().filter(|lane| matches!(lane, Lane::Produce(_))).count();
    for (number, lane) in lanes.into_iter().enumerate() {
        let thread = &mut dealt[number % threads];
        thread.1 += usize::from(matches!(lane, Lane::Produce(_)));
        thread.0.push(lane);
    }
    let rate = plan.writing.as_ref().and_then(|writing| {
        writing.records_per_second.map(|records| records / request_records(plan, writing, leaders))
    });
    let driver = |(number, (lanes, mine)): (usize, (Vec<Lane>, usize))| {
        let pace = rate.filter(|_| mine > 0).map(|rate| {
            let own = rate * mine as f64 / writers as f64;
            Pace::new(table.start(), own, number as f64 / threads as f64)
        });
        Driver::new(lanes, pace, plan.rounds, plan.grace)
    };
    dealt.into_iter().enumerate().map(driver).collect()
}
