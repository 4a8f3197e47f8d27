//! What is counted: requests of one kind, round after round, until the broker has answered them.

use crate::frames::{TOPIC, batch, fetch, frame, produce};
use crate::machine::{Arrival, Machine, Received};
use bytes::{Bytes, BytesMut};
use corelane::runtime::sockets::SHARED_BUFFER_BYTES;
use corelane::wire::api::ApiKey;
use kafka_protocol::messages::create_topics_request::CreatableTopic;
use kafka_protocol::messages::{
    self as generated, CreateTopicsResponse, FetchResponse, ProduceResponse, ResponseHeader, TopicName,
};
use kafka_protocol::protocol::{Decodable, StrBytes};

const PRODUCE_VERSION: i16 = 11;
const FETCH_VERSION: i16 = 13;
const CREATE_TOPICS_VERSION: i16 = 7;
/// What a partition gives to one request.
const FETCH_BYTES: usize = 1 << 20;

/// One row of `instructions.tsv`.
pub struct Scenario {
    /// Names it on the command line and in the table.
    pub name: &'static str,
    connections: usize,
    partitions: i32,
    load: Load,
    /// Rounds that are counted; a quarter as many come before.
    rounds: usize,
}

enum Load {
    /// Each connection sends one request with batches of this size for some partitions of its own.
    Produce { batch_bytes: usize, batches: usize, keyed: bool },
    /// Each connection asks for 1 MiB that lies in memory, in batches of this size.
    FetchHot { batch_bytes: usize },
    /// The first connection's requests wait for the records that the others produce.
    Follow { batch_bytes: usize },
}

/// All of them.
pub const SCENARIOS: &[Scenario] = &[
    Scenario {
        name: "produce-one-record",
        connections: 32,
        partitions: 8,
        load: Load::Produce { batch_bytes: 100, batches: 1, keyed: false },
        rounds: 64,
    },
    Scenario {
        name: "produce-one-record-alone",
        connections: 1,
        partitions: 8,
        load: Load::Produce { batch_bytes: 100, batches: 1, keyed: false },
        rounds: 512,
    },
    Scenario {
        name: "produce-16KiB",
        connections: 8,
        partitions: 8,
        load: Load::Produce { batch_bytes: 16 << 10, batches: 1, keyed: false },
        rounds: 64,
    },
    Scenario {
        name: "produce-1MiB",
        connections: 2,
        partitions: 8,
        load: Load::Produce { batch_bytes: 1 << 20, batches: 1, keyed: false },
        rounds: 32,
    },
    Scenario {
        name: "produce-keyed-100-partitions",
        connections: 50,
        partitions: 100,
        load: Load::Produce { batch_bytes: 1 << 10, batches: 4, keyed: true },
        rounds: 32,
    },
    Scenario {
        name: "fetch-hot-1MiB-of-16KiB",
        connections: 4,
        partitions: 4,
        load: Load::FetchHot { batch_bytes: 16 << 10 },
        rounds: 64,
    },
    Scenario {
        name: "fetch-hot-1MiB-of-1MiB",
        connections: 4,
        partitions: 4,
        load: Load::FetchHot { batch_bytes: 1 << 20 },
        rounds: 64,
    },
    Scenario {
        name: "follow-one-record",
        connections: 2,
        partitions: 1,
        load: Load::Follow { batch_bytes: 100 },
        rounds: 256,
    },
];

/// A scenario under way.
pub struct Run {
    scenario: &'static Scenario,
    machine: Machine,
    topic: [u8; 16],
    batch: Bytes,
    /// Rounds so far.
    round: usize,
}

impl Scenario {
    /// Runs it, and gives the number of requests that were counted. `tiny`: only to show that it works.
    pub fn run(&'static self, tiny: bool) -> usize {
        let mut machine = Machine::new(self.connections);
        let topic = create_topic(&mut machine, self.partitions);
        let (bytes, keyed) = match self.load {
            Load::Produce { batch_bytes, keyed, .. } => (batch_bytes, keyed),
            Load::FetchHot { batch_bytes } | Load::Follow { batch_bytes } => (batch_bytes, false),
        };
        let mut run = Run { scenario: self, machine, topic, batch: batch(bytes, keyed), round: 0 };
        run.fill();
        let rounds = if tiny { 1 } else { self.rounds };
        for _ in 0..rounds.div_ceil(4) {
            let mut arrivals = run.arrivals();
            let answered = run.machine.round(&mut arrivals);
            assert_eq!(answered, self.connections);
            run.end_round();
        }
        let mut requests = 0;
        for _ in 0..rounds {
            let mut arrivals = run.arrivals();
            requests += measured(&mut run.machine, &mut arrivals);
            run.end_round();
        }
        assert_eq!(requests, rounds * self.connections);
        run.machine.settle();
        requests
    }
}

/// The only function that callgrind collects.
#[inline(never)]
fn measured(machine: &mut Machine, arrivals: &mut Vec<Arrival>) -> usize {
    let answered = machine.round(arrivals);
    std::hint::black_box(answered)
}

impl Run {
    /// Opens all partitions, with what is to be fetched in them.
    fn fill(&mut self) {
        let batches = match self.scenario.load {
            Load::FetchHot { .. } => FETCH_BYTES / self.batch.len() + 1,
            _ => 1,
        };
        for index in 0..self.scenario.partitions {
            for _ in 0..batches {
                let request = frame(ApiKey::Produce, PRODUCE_VERSION, &produce([(index, self.batch.clone())]));
                self.machine.round_with_files(&mut received([(0, request)]));
                self.check_produced(0);
            }
        }
        self.machine.settle();
    }

    /// What the connections receive in the next round.
    fn arrivals(&mut self) -> Vec<Arrival> {
        let requests = (0..self.scenario.connections).map(|connection| (connection, self.request(connection)));
        let arrivals = received(requests);
        self.round += 1;
        arrivals
    }

    fn request(&self, connection: usize) -> Bytes {
        let produced = |place: usize| ((place % self.scenario.partitions as usize) as i32, self.batch.clone());
        let fetched =
            |partition, offset| frame(ApiKey::Fetch, FETCH_VERSION, &fetch([self.topic], &[(partition, offset)]));
        match self.scenario.load {
            Load::Produce { batches, .. } => {
                let first = connection * batches + self.round;
                let batches = (first..first + batches).map(produced);
                frame(ApiKey::Produce, PRODUCE_VERSION, &produce(batches))
            }
            Load::FetchHot { .. } => fetched(connection as i32, 0),
            Load::Follow { .. } if connection == 0 => fetched(0, 1 + self.round as i64),
            Load::Follow { .. } => frame(ApiKey::Produce, PRODUCE_VERSION, &produce([produced(0)])),
        }
    }

    fn end_round(&mut self) {
        self.machine.end_jobs();
        for connection in 0..self.scenario.connections {
            match self.scenario.load {
                Load::FetchHot { .. } => self.check_fetched(connection, FETCH_BYTES - self.batch.len().min(64 << 10)),
                Load::Follow { .. } if connection == 0 => self.check_fetched(connection, self.batch.len()),
                Load::Follow { .. } | Load::Produce { .. } => self.check_produced(connection),
            }
        }
    }

    fn check_produced(&mut self, connection: usize) {
        let answer: ProduceResponse = answer(&self.machine, connection, ApiKey::Produce, PRODUCE_VERSION);
        let partitions: Vec<_> = answer.responses.iter().flat_map(|topic| &topic.partition_responses).collect();
        assert!(!partitions.is_empty() && partitions.iter().all(|partition| partition.error_code == 0));
    }

    fn check_fetched(&mut self, connection: usize, bytes_min: usize) {
        let answer: FetchResponse = answer(&self.machine, connection, ApiKey::Fetch, FETCH_VERSION);
        let partition = &answer.responses[0].partitions[0];
        assert_eq!(partition.error_code, 0);
        let bytes = partition.records.as_ref().map_or(0, Bytes::len);
        assert!(bytes >= bytes_min, "{bytes} bytes fetched, {bytes_min} expected");
    }
}

/// Requests as the runtime would hold them: small ones side by side in one buffer, large ones each in its own.
fn received(requests: impl IntoIterator<Item = (usize, Bytes)>) -> Vec<Arrival> {
    let mut shared = BytesMut::with_capacity(SHARED_BUFFER_BYTES);
    let mut arrivals = Vec::new();
    for (connection, request) in requests {
        let received = if request.len() < SHARED_BUFFER_BYTES / 4 {
            shared.extend_from_slice(&(request.len() as i32).to_be_bytes());
            shared.extend_from_slice(&request);
            Received::Piece(shared.split())
        } else {
            Received::Frame(BytesMut::from(&request[..]))
        };
        arrivals.push(Arrival { connection, received });
    }
    arrivals
}

fn answer<R: Decodable>(machine: &Machine, connection: usize, key: ApiKey, version: i16) -> R {
    let answer = machine.answers[connection].as_ref().expect("an answer");
    let mut bytes = Bytes::from(answer.to_vec()).split_off(4);
    let header_version = i16::from(key.api().has_flexible_response_header(version));
    ResponseHeader::decode(&mut bytes, header_version).expect("the header decodes");
    R::decode(&mut bytes, version).expect("the answer decodes")
}

fn create_topic(machine: &mut Machine, partitions: i32) -> [u8; 16] {
    let topic = CreatableTopic::default()
        .with_name(TopicName(StrBytes::from_static_str(TOPIC)))
        .with_num_partitions(partitions)
        .with_replication_factor(1);
    let request = generated::CreateTopicsRequest::default().with_timeout_ms(1_000).with_topics(vec![topic]);
    let request = frame(ApiKey::CreateTopics, CREATE_TOPICS_VERSION, &request);
    machine.round_with_files(&mut received([(0, request)]));
    let answer: CreateTopicsResponse = answer(machine, 0, ApiKey::CreateTopics, CREATE_TOPICS_VERSION);
    assert_eq!(answer.topics[0].error_code, 0);
    answer.topics[0].topic_id.into_bytes()
}
