//! Many clients, all APIs, completions held back at random: the invariants hold after every turn, every request is answered once
//! and in order, and what was acknowledged to a produce is read back.

use crate::client::*;
use crate::world::{Client, World};
use bytes::{Buf, Bytes};
use corelane::base::prng::Prng;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::*;
use kafka_protocol::protocol::Decodable;
use std::collections::{BTreeMap, VecDeque};

const TOPICS: [&str; 4] = ["a", "b", "c", "d"];
const PARTITIONS: i32 = 3;
const PRODUCE_VERSION: i16 = 9;

/// Topic (its place in `TOPICS`) and partition.
type Target = (usize, i32);

/// What a request was, as far as its answer is looked into.
#[derive(Clone, Copy, Debug)]
enum Sent {
    Produce(Target),
    Fetch,
    Other,
}

struct Storm {
    world: World,
    random: Prng,
    clients: Vec<Client>,
    /// Correlation ids of requests under way, and what they were.
    owed: BTreeMap<Client, VecDeque<(i32, Sent)>>,
    /// Fetch session of a client, and the epoch of its next request.
    sessions: BTreeMap<Client, (i32, i32)>,
    /// Highest acknowledged end offset; topics are never deleted by the clients of this half.
    acknowledged: BTreeMap<Target, i64>,
    answers: usize,
}

impl Storm {
    fn new(seed: u64) -> Storm {
        let mut random = Prng::new(seed);
        let cores = 1 + random.below(3) as u16;
        let mut world = World::new(cores, &[("journal.files", "3"), ("tail.cache.bytes", "100000")]);
        let admin = world.connect(0);
        for topic in &TOPICS[..2] {
            world.create_topic(admin, topic, PARTITIONS, &[]);
        }
        let clients = (0..6).map(|_| world.connect(random.below(cores.into()) as usize)).collect();
        let (owed, sessions, acknowledged) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Storm { world, random, clients, owed, sessions, acknowledged, answers: 0 }
    }

    fn step(&mut self) {
        let at = self.random.below(self.clients.len() as u64) as usize;
        let client = self.clients[at];
        for _ in 0..self.random.below(4) {
            self.post(client);
        }
        match self.random.below(12) {
            0 => self.world.hold_flushes ^= true,
            1 => self.world.hold_files ^= true,
            2 => self.world.hold_mesh ^= true,
            3 => self.world.hold_metadata ^= true,
            6 => self.world.hold_sends ^= true,
            4 => self.world.advance(10 * (1 + self.random.below(40))),
            5 if self.random.percent(20) => {
                self.world.disconnect(client);
                self.owed.remove(&client);
                let core = self.random.below(self.world.brokers.len() as u64) as usize;
                self.clients[at] = self.world.connect(core);
            }
            _ => self.world.run(),
        }
        self.receive_all();
    }

    /// Topic 0 and 1 stay; 2 and 3 come and go.
    fn post(&mut self, client: Client) {
        let (topic, partition) = (self.random.below(4) as usize, self.random.below(PARTITIONS as u64) as i32);
        let (name, offset) = (TOPICS[topic], self.random.below(20) as i64);
        let batch = Batch { value_bytes: 1 + self.random.below(4_000) as usize, ..Batch::of(1 + offset as i32) };
        let mut sent = Sent::Other;
        match self.random.below(18) {
            0..6 => {
                let acks = if self.random.percent(50) { 1 } else { -1 };
                self.world.post(client, PRODUCE_VERSION, &produce_request(acks, &[(name, partition, batch.encode())]));
                sent = Sent::Produce((topic, partition));
            }
            6..10 => {
                let (bytes, wait) = (self.random.below(20_000) as i32, self.random.below(2_000) as i32);
                let all = [(name, partition, offset), ("a", 0, 0), ("b", 1, offset)];
                let count = self.random.below(4) as usize;
                let request = fetch_request(bytes, wait, &all[..count]);
                self.post_fetch(client, request);
                sent = Sent::Fetch;
            }
            10 => self.world.post(client, 9, &metadata_request(&[name, "a"])),
            11 => self.world.post(client, 7, &create_request(TOPICS[2 + topic % 2], PARTITIONS, &[])),
            12 => self.world.post(client, 6, &delete_request(TOPICS[2 + topic % 2])),
            13 => self.world.post(client, 2, &delete_records_request(TOPICS[2 + topic % 2], partition, -1)),
            14 => {
                let timestamp = [-1, -3, 0, i64::MAX][self.random.below(4) as usize];
                let asked = ListOffsetsPartition::default().with_partition_index(partition).with_timestamp(timestamp);
                let asked = ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(vec![asked]);
                let request = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![asked]);
                self.world.post(client, 7, &request);
            }
            15 => {
                let count = PARTITIONS + self.random.below(3) as i32;
                self.world.post(client, 3, &crate::describe::grow_request(TOPICS[2 + topic % 2], count));
            }
            16 => self.world.post(client, 3, &crate::epochs::request(name, &[(partition, -1, 0), (partition, -1, 7)])),
            _ => self.world.post(client, 4, &crate::produce::init_request()),
        }
        let correlation = self.world.last_correlation();
        self.owed.entry(client).or_default().push_back((correlation, sent));
    }

    /// Without a session, to begin one, or to go on with one.
    fn post_fetch(&mut self, client: Client, request: FetchRequest) {
        let known = self.sessions.get(&client).copied();
        let (id, epoch) = match known {
            Some((id, epoch)) if self.random.percent(80) => {
                self.sessions.insert(client, (id, epoch + 1));
                (id, epoch)
            }
            _ if self.random.percent(30) => (0, -1),
            known => (known.map_or(0, |(id, _)| id), 0),
        };
        self.world.post(client, 11, &request.with_session_id(id).with_session_epoch(epoch));
    }

    fn note_fetched(&mut self, client: Client, mut answer: Bytes) {
        let response = FetchResponse::decode(&mut answer, 11).expect("decodes");
        assert!([0, 70, 71].contains(&response.error_code), "error {}", response.error_code);
        let known = self.sessions.get(&client).map(|(id, _)| *id);
        if response.error_code != 0 {
            self.sessions.remove(&client);
        } else if response.session_id > 0 && known != Some(response.session_id) {
            self.sessions.insert(client, (response.session_id, 1));
        }
    }

    fn receive_all(&mut self) {
        for client in self.clients.clone() {
            assert_eq!(self.world.closed(client), None);
            while let Some(mut answer) = self.world.raw_answer(client) {
                self.answers += 1;
                let (correlation, sent) =
                    self.owed.get_mut(&client).and_then(VecDeque::pop_front).expect("an answer to a request");
                assert_eq!(answer.get_i32(), correlation, "in order");
                match sent {
                    Sent::Produce(target) => self.note_produced(target, answer),
                    Sent::Fetch => self.note_fetched(client, answer),
                    Sent::Other => {}
                }
            }
        }
    }

    fn note_produced(&mut self, target: Target, mut answer: Bytes) {
        answer.advance(1);
        let response = ProduceResponse::decode(&mut answer, PRODUCE_VERSION).expect("decodes");
        let (error, base_offset) = outcomes(&response)[0];
        let known = [0, 3, 6, 7].contains(&error) && (error != 3 || target.0 >= 2);
        assert!(known, "error {error} for topic {}", TOPICS[target.0]);
        if error == 0 && target.0 < 2 {
            let end = self.acknowledged.entry(target).or_insert(-1);
            *end = (*end).max(base_offset);
        }
    }

    /// Lets everything go on, and asks for everything that was promised.
    fn finish(mut self) -> usize {
        self.world.hold_flushes = false;
        self.world.hold_files = false;
        self.world.hold_mesh = false;
        self.world.hold_metadata = false;
        self.world.hold_sends = false;
        self.world.advance(8_000);
        self.receive_all();
        for (client, owed) in &self.owed {
            assert!(owed.is_empty(), "{client:?} never got its answers: {owed:?}");
        }
        let admin = self.world.connect(0);
        for ((topic, partition), base_offset) in self.acknowledged.clone() {
            let leader = self.world.leader(admin, TOPICS[topic], partition);
            let reader = self.world.connect(leader);
            let all = self.world.read_all(reader, TOPICS[topic], partition);
            assert!(all.iter().any(|batch| batch.base_offset == base_offset), "an acknowledged batch is gone");
            for (one, next) in all.iter().zip(&all[1..]) {
                assert_eq!(one.end_offset, next.base_offset, "offsets are dense");
            }
        }
        self.answers
    }
}

#[test]
fn storms() {
    let seeds = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(60u64);
    let mut answers = 0;
    for seed in 0..seeds {
        let mut storm = Storm::new(seed);
        for _ in 0..300 {
            storm.step();
        }
        answers += storm.finish();
    }
    assert!(answers as u64 > seeds * 200, "{answers} answers are too few to mean anything");
}
