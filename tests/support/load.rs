//! A load that survives restarts of the broker: topics, producers and consumers on all cores, and the check of all that
//! was promised.

use super::Random;
use super::client::{Connection, Failure};
use super::history::History;
use super::workload::{self, Round, Stream};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// One topic of the load.
#[derive(Clone, Copy, Debug)]
pub struct TopicPlan {
    pub name: &'static str,
    pub partitions: i32,
    pub idempotent_producers: u32,
    pub plain_producers: u32,
    /// Pause of its producers between requests.
    pub pace_ms: u64,
}

/// What the threads of one run of the load share with whoever ends it.
pub struct Running<'a> {
    pub history: &'a Mutex<History>,
    pub leaders: &'a BTreeMap<(String, i32), String>,
    /// Core 0.
    pub address: &'a str,
    /// Acknowledged bytes per core.
    pub bytes: &'a [AtomicU64],
    stopping: &'a AtomicBool,
    doomed: &'a AtomicBool,
}

impl Running<'_> {
    /// From now on failures are expected.
    pub fn doom(&self) {
        self.doomed.store(true, Ordering::SeqCst);
    }

    pub fn is_doomed(&self) -> bool {
        self.doomed.load(Ordering::SeqCst)
    }

    /// Waits until every core acknowledged that many bytes, or something went wrong.
    pub fn wait_for_bytes(&self, wanted: u64, limit: Duration) {
        let deadline = Instant::now() + limit;
        while self.bytes.iter().any(|bytes| bytes.load(Ordering::Relaxed) < wanted) {
            if !self.history.lock().expect("history").violations.is_empty() {
                return;
            }
            if Instant::now() > deadline {
                let text = format!("{limit:?} were not enough for {wanted} bytes a core: {:?}", self.bytes);
                return self.history.lock().expect("history").violate(text);
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

pub struct Load {
    pub history: Mutex<History>,
    plans: Vec<TopicPlan>,
    /// One entry per producer.
    producers: Vec<(TopicPlan, Vec<Stream>)>,
    next_producer: u32,
}

impl Load {
    pub fn new(plans: &[TopicPlan]) -> Load {
        Load { history: Mutex::default(), plans: plans.to_vec(), producers: Vec::new(), next_producer: 1 }
    }

    /// First contact: makes the topics and the producers.
    pub fn create(&mut self, address: &str) {
        let mut connection = Connection::open(address).expect("connects");
        for plan in self.plans.clone() {
            connection.create_topic(plan.name, plan.partitions, &[]).expect("topic");
            for number in 0..plan.idempotent_producers + plan.plain_producers {
                let streams = self.new_streams(&mut connection, plan, number < plan.idempotent_producers);
                self.producers.push((plan, streams));
            }
        }
    }

    fn new_streams(&mut self, connection: &mut Connection, plan: TopicPlan, idempotent: bool) -> Vec<Stream> {
        let identity = idempotent.then(|| connection.init_producer_id().expect("producer id"));
        let producer = self.next_producer;
        self.next_producer += 1;
        self.history.lock().expect("history").add_producer(producer, idempotent);
        (0..plan.partitions).map(|partition| Stream::new(plan.name, partition, producer, identity)).collect()
    }

    /// A producer ends and another takes its place.
    pub fn renew_a_producer(&mut self, address: &str, random: &mut Random) {
        let mut connection = Connection::open(address).expect("connects");
        let index = random.below(self.producers.len() as u64) as usize;
        let (plan, idempotent) = (self.producers[index].0, self.producers[index].1[0].identity.is_some());
        self.producers[index].1 = self.new_streams(&mut connection, plan, idempotent);
    }

    /// Where each partition of the load is led.
    pub fn leaders(&self, address: &str) -> BTreeMap<(String, i32), String> {
        let mut connection = Connection::open(address).expect("connects");
        let names: Vec<&str> = self.plans.iter().map(|plan| plan.name).collect();
        let found = connection.leaders(&names).expect("metadata");
        let mut leaders = BTreeMap::new();
        for (name, found) in names.iter().zip(found) {
            for (partition, leader) in found.expect("the topic exists").addresses.into_iter().enumerate() {
                leaders.insert((name.to_string(), partition as i32), leader);
            }
        }
        leaders
    }

    /// Runs producers and consumers on all cores, beside `operator`, until `end` has returned, which kills the broker.
    pub fn run(
        &mut self,
        addresses: &[String],
        seed: u64,
        operator: impl FnOnce(&Running) + Send,
        end: impl FnOnce(&Running),
    ) {
        let leaders = self.leaders(&addresses[0]);
        let mut random = Random::new(seed);
        let bytes: Vec<AtomicU64> = addresses.iter().map(|_| AtomicU64::new(0)).collect();
        let (stopping, doomed) = (AtomicBool::new(false), AtomicBool::new(false));
        let mut lanes = Vec::new();
        for (plan, streams) in std::mem::take(&mut self.producers) {
            for (core, address) in addresses.iter().enumerate() {
                let (here, _): (Vec<_>, Vec<_>) = streams
                    .iter()
                    .cloned()
                    .partition(|stream: &Stream| leaders[&(stream.topic.clone(), stream.partition)] == *address);
                lanes.push((core, plan, here));
            }
        }
        lanes.retain(|lane| !lane.2.is_empty());
        let history = &self.history;
        let running = Running {
            history,
            leaders: &leaders,
            address: &addresses[0],
            bytes: &bytes,
            stopping: &stopping,
            doomed: &doomed,
        };
        let round = |core: usize, pace_ms: u64| Round {
            history,
            stopping: &stopping,
            doomed: &doomed,
            bytes: &bytes[core],
            pace: Duration::from_millis(pace_ms),
        };
        std::thread::scope(|scope| {
            for (core, plan, streams) in &mut lanes {
                let (round, seed, address) = (round(*core, plan.pace_ms), random.next(), &addresses[*core]);
                scope.spawn(move || workload::produce(&round, address, streams, seed));
            }
            for (core, address) in addresses.iter().enumerate() {
                let here: Vec<(String, i32)> =
                    leaders.iter().filter(|(_, leader)| *leader == address).map(|(key, _)| key.clone()).collect();
                let round = round(core, 0);
                scope.spawn(move || workload::consume(&round, address, &here));
            }
            scope.spawn(|| operator(&running));
            end(&running);
            running.stopping.store(true, Ordering::SeqCst);
        });
        self.join(lanes.into_iter().map(|(_, plan, streams)| (plan, streams)).collect());
    }

    /// Streams of one producer were spread over cores for the run; they belong together again.
    fn join(&mut self, lanes: Vec<(TopicPlan, Vec<Stream>)>) {
        let mut joined: BTreeMap<u32, (TopicPlan, Vec<Stream>)> = BTreeMap::new();
        for (plan, streams) in lanes {
            joined.entry(streams[0].producer).or_insert((plan, Vec::new())).1.extend(streams);
        }
        self.producers = joined.into_values().collect();
    }

    /// After a restart: reads what was promised (all of it, or from `again` records before the known end) and checks it.
    pub fn verify(&mut self, address: &str, again: Option<i64>) -> Result<(), Failure> {
        let mut connection = Connection::open(address)?;
        let partitions = self.history.lock().expect("history").partitions();
        let names: BTreeSet<&str> = partitions.iter().map(|(topic, _)| topic.as_str()).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let leaders: BTreeMap<&str, _> = names.iter().copied().zip(connection.leaders(&names)?).collect();
        let mut connections = Connections::default();
        for (topic, partition) in &partitions {
            let Some(leaders) = &leaders[topic.as_str()] else {
                self.history.lock().expect("history").violate(format!("H2 {topic} is unknown"));
                continue;
            };
            let connection = connections.to(&leaders.addresses[*partition as usize])?;
            let from = match again {
                Some(again) => self.history.lock().expect("history").promised_end(topic, *partition) - again,
                None => 0,
            };
            workload::read_to_end(connection, &self.history, topic, *partition, from.max(0))?;
        }
        self.history.lock().expect("history").check_order();
        Ok(())
    }

    /// After a restart: idempotent producers send again what had no answer.
    pub fn retry(&mut self, address: &str) -> Result<(), Failure> {
        let leaders = self.leaders(address);
        let mut connections = Connections::default();
        for (_, streams) in &mut self.producers {
            for stream in streams {
                let leader = &leaders[&(stream.topic.clone(), stream.partition)];
                stream.retry(connections.to(leader)?, &self.history)?;
            }
        }
        Ok(())
    }

    /// The first violations, if there are any.
    pub fn violations(&self) -> Option<String> {
        let history = self.history.lock().expect("history");
        let shown: Vec<&String> = history.violations.iter().take(20).collect();
        (!shown.is_empty()).then(|| format!("{} violations: {shown:#?}", history.violations.len()))
    }
}

/// One connection per address.
#[derive(Default)]
struct Connections(BTreeMap<String, Connection>);

impl Connections {
    fn to(&mut self, address: &str) -> Result<&mut Connection, Failure> {
        if !self.0.contains_key(address) {
            self.0.insert(address.to_string(), Connection::open(address)?);
        }
        Ok(self.0.get_mut(address).expect("just opened"))
    }
}
