//! The brokers of a cluster as a client sees them: where they are, who leads what, and one connection to each that is needed.

use crate::client::address::Address;
use crate::client::connection::{Connection, Patience};
use crate::client::failure::{Cause, Failure};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::{MetadataRequest, MetadataResponse, TopicName};
use kafka_protocol::protocol::{Request, StrBytes};
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A broker as the metadata lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub node: i32,
    /// What it advertises.
    pub address: Address,
    /// Where it stands, if it says so.
    pub rack: Option<String>,
}

/// A partition as the metadata lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition {
    /// Its number.
    pub index: i32,
    /// Kafka's code; 0 if it has a leader.
    pub error: i16,
    /// Broker id; -1 for none.
    pub leader: i32,
    /// Epoch of the leader; -1 if unknown.
    pub leader_epoch: i32,
    /// Broker ids.
    pub replicas: Vec<i32>,
    /// Broker ids.
    pub in_sync: Vec<i32>,
}

/// A topic as the metadata lists it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its name.
    pub name: String,
    /// Its id, if brokers give ids.
    pub id: Option<String>,
    /// Kafka's own.
    pub internal: bool,
    /// Kafka's code; 0 if it exists.
    pub error: i16,
    /// By number.
    pub partitions: Vec<Partition>,
}

/// See the module. Connections are made when first needed, and made anew when they broke.
pub struct Cluster {
    bootstrap: Vec<Address>,
    patience: Patience,
    seed: Option<Connection>,
    connections: BTreeMap<i32, Connection>,
    brokers: BTreeMap<i32, Broker>,
    controller: i32,
    id: Option<String>,
}

/// Pause before something is tried again.
const PAUSE: Duration = Duration::from_millis(100);
/// How long a topic that was asked into being may stay unknown, and a change unseen.
const CREATION: Duration = Duration::from_secs(3);

/// Words for a failure: a topic.
pub fn topic_words(topic: &str) -> String {
    format!("topic {topic}")
}

/// Words for a failure: a partition.
pub fn partition_words(topic: &str, partition: i32) -> String {
    format!("topic {topic}, partition {partition}")
}

/// A topic's name as the messages carry it.
pub fn topic_name(topic: &str) -> TopicName {
    TopicName(StrBytes::from_string(topic.to_string()))
}

impl Cluster {
    /// Finds a broker that answers, and through it all others.
    pub fn connect(bootstrap: &[Address], patience: Patience) -> Result<Cluster, Failure> {
        let mut cluster = Cluster {
            bootstrap: bootstrap.to_vec(),
            patience,
            seed: None,
            connections: BTreeMap::new(),
            brokers: BTreeMap::new(),
            controller: -1,
            id: None,
        };
        cluster.metadata(Some(&[]), false)?;
        Ok(cluster)
    }

    /// How long anything may take.
    pub fn patience(&self) -> Patience {
        self.patience
    }

    /// Cluster id, if brokers give one.
    pub fn id(&self) -> Option<&str> {
        self.id.as_deref()
    }

    /// Broker id of the controller; -1 if none is known.
    pub fn controller(&self) -> i32 {
        self.controller
    }

    /// All brokers, by id.
    pub fn brokers(&self) -> impl Iterator<Item = &Broker> {
        self.brokers.values()
    }

    /// For failures: a broker by id.
    pub fn broker_words(&self, node: i32) -> String {
        self.brokers
            .get(&node)
            .map_or_else(|| format!("broker {node}"), |broker| format!("broker {node} at {}", broker.address))
    }

    /// Topics by name, or all. What each topic's error says is left to the caller.
    pub fn metadata(&mut self, topics: Option<&[&str]>, create: bool) -> Result<Vec<Topic>, Failure> {
        let asked = topics.map(|names| {
            names.iter().map(|name| MetadataRequestTopic::default().with_name(Some(topic_name(name)))).collect()
        });
        let answer = self.anyone(|version| {
            let request = MetadataRequest::default().with_topics(asked.clone());
            // Below version 4 a broker creates what it may, unasked.
            if version >= 4 { request.with_allow_auto_topic_creation(create) } else { request }
        })?;
        self.learn(&answer);
        Ok(answer.topics.iter().map(read_topic).collect())
    }

    /// The topic, once all its partitions have leaders or the patience ends: then with what is there. With `create` a topic that
    /// is unknown may be on its way: whether the broker creates topics that are asked for, it does not say.
    pub fn topic(&mut self, name: &str, create: bool) -> Result<Topic, Failure> {
        let began = Instant::now();
        loop {
            let topic = self.metadata(Some(&[name]), create)?.into_iter().next();
            let topic =
                topic.ok_or_else(|| Failure::here("the broker says nothing about it").about(topic_words(name)))?;
            let leaderless = topic.partitions.iter().any(|partition| partition.leader < 0);
            let failure = Failure::code(topic.error, None).about(topic_words(name)).from_broker(&self.seed_words());
            let limit = match topic.error {
                0 if leaderless => self.patience.answer,
                0 => return Ok(topic),
                UNKNOWN_TOPIC_OR_PARTITION if create => CREATION.min(self.patience.answer),
                _ if failure.may_pass() => self.patience.answer,
                _ => return Err(failure),
            };
            if began.elapsed() > limit {
                return if topic.error == 0 { Ok(topic) } else { Err(failure) };
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Asks for the metadata until it shows what a change has made of some topics, for a moment at most: the broker that did it
    /// answers before all others know.
    pub fn settle(&mut self, names: &[&str], shows: impl Fn(&Topic) -> bool) -> Result<(), Failure> {
        let began = Instant::now();
        while !names.is_empty() && !self.metadata(Some(names), false)?.iter().all(&shows) && began.elapsed() < CREATION
        {
            std::thread::sleep(PAUSE / 5);
        }
        Ok(())
    }

    fn seed_words(&self) -> String {
        self.seed.as_ref().map_or_else(String::new, |seed| seed.name().to_string())
    }

    /// The connection to a broker, by id.
    pub fn at(&mut self, node: i32) -> Result<&mut Connection, Failure> {
        if !self.connections.contains_key(&node) {
            let connection = self.open(node)?;
            self.connections.insert(node, connection);
        }
        Ok(self.connections.get_mut(&node).expect("inserted above"))
    }

    /// A connection of one's own to a broker, by id.
    pub fn open(&mut self, node: i32) -> Result<Connection, Failure> {
        let words = self.broker_words(node);
        let broker =
            self.brokers.get(&node).ok_or_else(|| Failure::protocol(&words, "no broker of that id is known"))?;
        Connection::open(&broker.address, &words, self.patience)
    }

    /// Forgets a connection that broke.
    pub fn drop_connection(&mut self, node: i32) {
        self.connections.remove(&node);
    }

    /// Asks a broker by id; a connection that broke is made anew, once.
    pub fn ask<R: Request>(&mut self, node: i32, request: impl Fn(i16) -> R) -> Result<R::Response, Failure> {
        let kept = self.connections.contains_key(&node);
        match self.at(node)?.call(&request) {
            Err(failure) if matches!(failure.cause, Cause::Connection(_)) && kept => {
                self.drop_connection(node);
                self.at(node)?.call(&request)
            }
            Err(failure) => {
                self.drop_connection(node);
                Err(failure)
            }
            answer => answer,
        }
    }

    /// Asks the controller; `code_of` finds the answer's worst code. Tried again while the controller moves.
    pub fn ask_controller<R: Request>(
        &mut self,
        request: impl Fn(i16) -> R,
        code_of: impl Fn(&R::Response) -> i16,
    ) -> Result<(R::Response, String), Failure> {
        let deadline = Instant::now() + self.patience.answer;
        loop {
            let node = if self.brokers.contains_key(&self.controller) {
                self.controller
            } else {
                self.brokers.keys().next().copied().unwrap_or(-1)
            };
            let words = self.broker_words(node);
            let answer = self.ask(node, &request)?;
            if code_of(&answer) != NOT_CONTROLLER || Instant::now() > deadline {
                return Ok((answer, words));
            }
            std::thread::sleep(PAUSE);
            self.metadata(Some(&[]), false)?;
        }
    }

    /// Does `job` until it succeeds, fails for good, or the patience ends. Between tries it pauses and asks for the metadata anew.
    pub fn persist<T>(&mut self, mut job: impl FnMut(&mut Cluster) -> Result<T, Failure>) -> Result<T, Failure> {
        let deadline = Instant::now() + self.patience.answer;
        loop {
            match job(self) {
                Err(failure) if failure.may_pass() && Instant::now() + PAUSE < deadline => std::thread::sleep(PAUSE),
                result => return result,
            }
        }
    }

    /// Asks whichever broker answers: the one that answered last, then the known ones, then those of the bootstrap list.
    pub fn anyone<R: Request>(&mut self, request: impl Fn(i16) -> R) -> Result<R::Response, Failure> {
        if let Some(seed) = &mut self.seed {
            match seed.call(&request) {
                Err(failure) if failure.may_pass() => self.seed = None,
                answer => return answer,
            }
        }
        let known = self.brokers.values().map(|broker| (self.broker_words(broker.node), broker.address.clone()));
        let listed = self.bootstrap.iter().map(|address| (format!("broker at {address}"), address.clone()));
        let candidates: Vec<(String, Address)> = listed.chain(known).collect();
        let mut failures: Vec<Failure> = Vec::new();
        for (words, address) in candidates {
            match Connection::open(&address, &words, self.patience) {
                Err(failure) => failures.push(failure),
                Ok(mut connection) => match connection.call(&request) {
                    Err(failure) => failures.push(failure),
                    answer => {
                        self.seed = Some(connection);
                        return answer;
                    }
                },
            }
        }
        Err(join(failures))
    }

    fn learn(&mut self, answer: &MetadataResponse) {
        self.controller = answer.controller_id.0;
        if answer.cluster_id.is_some() {
            self.id = answer.cluster_id.as_ref().map(ToString::to_string);
        }
        let mut brokers = BTreeMap::new();
        for broker in &answer.brokers {
            let port = u16::try_from(broker.port).unwrap_or(0);
            let address = Address { host: broker.host.to_string(), port };
            let rack = broker.rack.as_ref().map(ToString::to_string);
            let node = broker.node_id.0;
            brokers.insert(node, Broker { node, address, rack });
        }
        let old = std::mem::replace(&mut self.brokers, brokers);
        let brokers = &self.brokers;
        self.connections.retain(|node, _| {
            old.get(node).map(|broker| &broker.address) == brokers.get(node).map(|broker| &broker.address)
        });
    }
}

const NOT_CONTROLLER: i16 = 41;
const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

/// One failure that names every broker that was tried.
fn join(mut failures: Vec<Failure>) -> Failure {
    if failures.len() == 1 {
        return failures.remove(0);
    }
    let Some(last) = failures.last() else { return Failure::here("no broker is known") };
    let mut words: Vec<String> =
        failures.iter().map(|failure| format!("{}: {}", failure.broker, failure.reason())).collect();
    words.dedup();
    let cause = match &last.cause {
        Cause::Late(_) => Cause::Late(words.join("; ")),
        Cause::Protocol(_) => Cause::Protocol(words.join("; ")),
        _ => Cause::Connection(words.join("; ")),
    };
    Failure { subject: String::new(), broker: "no broker answers".to_string(), cause }
}

fn read_topic(topic: &kafka_protocol::messages::metadata_response::MetadataResponseTopic) -> Topic {
    let mut partitions: Vec<Partition> = topic
        .partitions
        .iter()
        .map(|partition| Partition {
            index: partition.partition_index,
            error: partition.error_code,
            leader: partition.leader_id.0,
            leader_epoch: partition.leader_epoch,
            replicas: partition.replica_nodes.iter().map(|node| node.0).collect(),
            in_sync: partition.isr_nodes.iter().map(|node| node.0).collect(),
        })
        .collect();
    partitions.sort_by_key(|partition| partition.index);
    Topic {
        name: topic.name.as_ref().map(|name| name.to_string()).unwrap_or_default(),
        id: (!topic.topic_id.is_nil()).then(|| topic.topic_id.to_string()),
        internal: topic.is_internal,
        error: topic.error_code,
        partitions,
    }
}
