//! A coordinator, its log and its clients; one step at a time, chosen by the seed.

use crate::client::{Client, PARTITIONS, Phase, TOPIC, group_name};
use crate::plant::{Fate, Plant};
use bytes::Bytes;
use corelane::base::clock::Now;
use corelane::base::config::GroupSettings;
use corelane::base::error_code::ErrorCode;
use corelane::base::ids::TopicId;
use corelane::base::limits::GROUP_LOG_LIVE_MULTIPLE;
use corelane::base::offset::Offset;
use corelane::base::prng::Prng;
use corelane::coordinator::answers::{Caller, ClientName, GroupRequest, GroupResponse, KnownTopic};
use corelane::coordinator::groups::{Groups, Room};
use corelane::wire::messages::*;
use corelane::wire::record_batch;
use std::collections::{BTreeMap, BTreeSet};

const GROUPS: usize = 2;
const CLIENTS: usize = 7;
/// So short that offsets of groups without members go within a schedule.
const RETENTION_MS: i64 = 60_000;
/// So small that the log is said anew within a schedule.
const LOG_BYTES_MIN: usize = 4_096;

/// What the schedules have come to.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub crashes: u64,
    pub refused: u64,
    pub generations: u64,
    pub commits: u64,
    pub rebalances: u64,
    pub fenced: u64,
    pub late: u64,
    pub snapshots: u64,
    pub replaced: u64,
    pub expired: u64,
    pub topics: u64,
}

impl Seen {
    fn all(&self) -> [u64; 11] {
        let Seen {
            crashes,
            refused,
            generations,
            commits,
            rebalances,
            fenced,
            late,
            snapshots,
            replaced,
            expired,
            topics,
        } = self;
        [crashes, refused, generations, commits, rebalances, fenced, late, snapshots, replaced, expired, topics]
            .map(|one| *one)
    }

    pub fn add(&mut self, other: &Seen) {
        self.crashes += other.crashes;
        self.refused += other.refused;
        self.generations += other.generations;
        self.commits += other.commits;
        self.rebalances += other.rebalances;
        self.fenced += other.fenced;
        self.late += other.late;
        self.snapshots += other.snapshots;
        self.replaced += other.replaced;
        self.expired += other.expired;
        self.topics += other.topics;
    }

    pub fn is_everything(&self) -> bool {
        self.all().iter().all(|count| *count > 0)
    }
}

/// A request under way, as its client knows it.
#[derive(Clone, Debug)]
struct Sent {
    client: usize,
    kind: Kind,
    group: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Join { fresh: bool },
    Sync,
    Beat,
    Leave,
    Commit { partition: i32, offset: i64 },
}

pub struct World {
    plant: Plant,
    prng: Prng,
    now: Now,
    settings: GroupSettings,
    groups: Groups,
    /// Batches with the offset that each begins at, and those before them given up.
    log: BTreeMap<i64, Vec<u8>>,
    log_end: i64,
    durable: i64,
    clients: Vec<Client>,
    sent: BTreeMap<u64, Sent>,
    /// Answers on their way.
    answers: Vec<(u64, GroupResponse)>,
    next: u64,
    next_offset: i64,
    acknowledged: BTreeMap<(usize, i32), i64>,
    /// Of the topics of this name; the last one has existed since this was the last offset that anybody committed.
    incarnation: u8,
    since_offset: i64,
    /// Since the last crash.
    generations: BTreeMap<usize, i32>,
    /// What was given in each generation of a group.
    given: BTreeMap<(usize, i32), BTreeMap<i32, String>>,
    /// When a group was seen with its assignments last, and when with members.
    stable_ms: BTreeMap<usize, i64>,
    lived_ms: BTreeMap<usize, i64>,
    /// For planted bugs: what was given last, and the answer that is held back.
    last_given: Bytes,
    held: Option<(Caller, GroupResponse)>,
    faults: bool,
    pub seen: Seen,
    pub trace: u64,
}

impl World {
    pub fn new(seed: u64, plant: Plant) -> World {
        let mut prng = Prng::new(seed);
        let settings = GroupSettings {
            initial_delay_ms: [0, 500, 3_000][prng.below(3) as usize],
            session_ms_min: 6_000,
            session_ms_max: 1_800_000,
            members_max: 1_000_000,
            metadata_bytes_max: 4_096,
            retention_ms: if plant == Plant::ExpiresEarly { 1_000 } else { RETENTION_MS },
            retention_check_ms: if plant == Plant::ExpiresEarly { 1_000 } else { 20_000 },
            topic_partitions: 1,
            topic_segment_bytes: 1 << 20,
        };
        let now = Now { monotonic_ns: 1_000_000_000_000, wall_ms: 1_700_000_000_000 };
        let mut groups = Groups::new(settings, prng.next_u64());
        groups.loaded(now);
        groups.set_log_bytes_min(LOG_BYTES_MIN);
        let client = |number: usize| Client {
            number,
            group: number % GROUPS,
            instance: (number % 3 == 2).then(|| format!("i-{number}")),
            member: String::new(),
            generation: -1,
            phase: Phase::Dead,
            led: Vec::new(),
            skips: false,
            partitions: Vec::new(),
            waits_for: None,
            version: if number % 4 == 3 { 3 } else { 9 },
        };
        World {
            plant,
            prng,
            now,
            settings,
            groups,
            log: BTreeMap::new(),
            log_end: 0,
            durable: 0,
            clients: (0..CLIENTS).map(client).collect(),
            sent: BTreeMap::new(),
            answers: Vec::new(),
            next: 0,
            next_offset: 0,
            acknowledged: BTreeMap::new(),
            incarnation: 1,
            since_offset: 0,
            generations: BTreeMap::new(),
            given: BTreeMap::new(),
            stable_ms: BTreeMap::new(),
            lived_ms: BTreeMap::new(),
            last_given: Bytes::new(),
            held: None,
            faults: true,
            seen: Seen::default(),
            trace: seed,
        }
    }

    fn note(&mut self, what: u64) {
        self.trace = self.trace.rotate_left(7).wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ what;
    }

    /// What members take, and what is stored.
    pub fn memory_bytes(&self) -> (usize, usize) {
        self.groups.memory_bytes()
    }

    /// Somebody new joins a group of many, which may take so much memory in all; gives the codes that came at once.
    pub fn join_large(&mut self, number: u64, version: i16, metadata_bytes: usize, bytes_max: usize) -> Vec<i16> {
        let metadata = vec![number as u8; metadata_bytes].into();
        let protocol = JoinGroupRequestProtocol::default().with_name(StrBytes::from_static_str("range"));
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(StrBytes::from_static_str("large")))
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(30_000)
            .with_protocol_type(StrBytes::from_static_str("consumer"))
            .with_protocols(vec![protocol.with_metadata(metadata)]);
        let client = ClientName { id: "many".to_string(), host: "/127.0.0.1".to_string() };
        let left = bytes_max.saturating_sub(self.memory_bytes().0);
        self.groups.set_room(Room { member_bytes: left, live_bytes: usize::MAX });
        self.groups.handle(Caller(number), version, GroupRequest::Join(request, client), &|_| None, self.now);
        let mut codes = Vec::new();
        while let Some((_, response)) = self.groups.poll_reply() {
            if let GroupResponse::Join(answer) = response {
                codes.push(answer.error_code);
            }
        }
        codes
    }

    /// One thing happens.
    pub fn step(&mut self) {
        let what = self.prng.below(100);
        self.note(what);
        match what {
            0..=44 => self.client_step(),
            45..=62 => self.append(),
            63..=77 => self.flush(),
            78..=89 => self.deliver(),
            90 if self.faults && self.prng.percent(20) => self.replace_topic(),
            90..=96 => {
                let ms = [1, 50, 700, 3_000, 9_000, 31_000][self.prng.below(6) as usize];
                self.pass(ms);
            }
            97 if self.faults => self.crash(),
            _ => self.start_or_kill(),
        }
        self.collect();
        self.check();
    }

    /// Faults stop; everybody runs and gets its partitions.
    pub fn settle(&mut self) {
        self.faults = false;
        for client in &mut self.clients {
            if client.phase == Phase::Dead {
                client.restart();
            }
        }
        for _ in 0..400 {
            for client in 0..self.clients.len() {
                self.work(client);
                let client = &mut self.clients[client];
                if client.phase == Phase::Dead {
                    // Fenced by its own earlier life.
                    client.restart();
                }
            }
            self.append();
            self.durable = self.log_end;
            self.advance();
            while !self.answers.is_empty() {
                self.deliver();
            }
            self.pass(500);
            self.collect();
            self.check();
        }
        for client in &self.clients {
            assert_eq!(client.phase, Phase::In, "client {} is stuck: {client:?}", client.number);
        }
        let bytes: usize = self.log.values().map(Vec::len).sum();
        let bound = LOG_BYTES_MIN.max(GROUP_LOG_LIVE_MULTIPLE * self.groups.memory_bytes().1);
        assert!(bytes <= 2 * bound, "the log is bounded: {bytes} bytes where {bound} are allowed");
        for group in 0..GROUPS {
            let members = || self.clients.iter().filter(|client| client.group == group);
            let generations: BTreeSet<i32> = members().map(|client| client.generation).collect();
            assert_eq!(generations.len(), 1, "one generation at a time");
            let mut all: Vec<i32> = members().flat_map(|client| client.partitions.clone()).collect();
            all.sort_unstable();
            assert_eq!(all, (0..PARTITIONS).collect::<Vec<_>>(), "each partition has one reader");
        }
    }

    fn client_step(&mut self) {
        let client = self.prng.below(CLIENTS as u64) as usize;
        if self.clients[client].waits_for.is_some() && self.faults && self.prng.percent(3) {
            // It waits no longer, and may ask again.
            self.clients[client].waits_for = None;
            self.clients[client].rejoin();
            self.seen.late += 1;
        }
        self.work(client);
    }

    /// What a client does when it may do something.
    fn work(&mut self, number: usize) {
        let client = &self.clients[number];
        if let Some(request) = client.next() {
            let fresh = client.member.is_empty();
            let joins = matches!(request, GroupRequest::Join(..));
            let id = self.ask(number, request, if joins { Kind::Join { fresh } } else { Kind::Sync });
            let client = &mut self.clients[number];
            client.waits_for = Some(id);
            client.phase = if joins { Phase::Joining } else { Phase::Syncing };
            return;
        }
        if client.phase != Phase::In || client.waits_for.is_some() {
            return;
        }
        if self.faults && self.prng.percent(4) {
            let request = self.clients[number].leave();
            self.ask(number, request, Kind::Leave);
            self.clients[number].phase = Phase::Dead;
            return;
        }
        if self.prng.percent(50) && !self.clients[number].partitions.is_empty() {
            let client = &self.clients[number];
            let partition = client.partitions[self.prng.below(client.partitions.len() as u64) as usize];
            self.next_offset += 1;
            let request = self.clients[number].commit(partition, self.next_offset);
            self.ask(number, request, Kind::Commit { partition, offset: self.next_offset });
        } else {
            let request = self.clients[number].heartbeat();
            self.ask(number, request, Kind::Beat);
        }
    }

    fn ask(&mut self, client: usize, mut request: GroupRequest, kind: Kind) -> u64 {
        self.plant.request(&mut request);
        self.next += 1;
        let group = self.clients[client].group;
        self.sent.insert(self.next, Sent { client, kind, group });
        let version = self.clients[client].version;
        let topic = self.topic();
        self.groups.handle(Caller(self.next), version, request, &|name| topic.filter(|_| name == TOPIC), self.now);
        self.next
    }

    fn start_or_kill(&mut self) {
        let client = &mut self.clients[self.prng.below(CLIENTS as u64) as usize];
        match client.phase {
            Phase::Dead => client.restart(),
            _ if self.prng.percent(50) => {
                client.phase = Phase::Dead;
                client.waits_for = None;
                client.partitions.clear();
            }
            _ => {}
        }
    }

    /// The topic as the metadata has it.
    fn topic(&self) -> Option<KnownTopic> {
        let incarnation = if self.plant == Plant::TopicIdStays { 1 } else { self.incarnation };
        Some(KnownTopic { id: TopicId([incarnation; 16]), partitions: PARTITIONS as usize })
    }

    /// The topic is deleted and another one is made at once.
    fn replace_topic(&mut self) {
        self.seen.topics += 1;
        self.incarnation += 1;
        self.since_offset = self.next_offset;
        self.acknowledged.clear();
        self.groups.topics_deleted(&[TOPIC], self.now);
    }

    fn append(&mut self) {
        while self.groups.wanted_bytes().is_some() {
            let Some((mut batch, header)) = self.groups.next_batch(self.now) else { break };
            if self.faults && self.prng.percent(5) {
                self.groups.refused(ErrorCode::CoordinatorNotAvailable, self.now);
                self.seen.refused += 1;
                if self.plant == Plant::RefusedIsStored {
                    record_batch::stamp(&mut batch, self.log_end, 0);
                    self.log.insert(self.log_end, batch.to_vec());
                    self.log_end += i64::from(header.record_count);
                }
                continue;
            }
            let base = self.log_end;
            record_batch::stamp(&mut batch, base, 0);
            self.log_end += i64::from(header.record_count);
            let bytes = batch.len();
            self.log.insert(base, batch.to_vec());
            self.groups.appended(Offset(base), Offset(self.log_end), bytes);
            if self.plant == Plant::AnswerBeforeDurable {
                self.groups.advance(Offset(self.log_end), self.now);
            }
        }
    }

    fn flush(&mut self) {
        let ahead = self.log.range(self.durable..).count() as u64;
        let take = self.prng.below(ahead + 1) as usize;
        if take > 0 {
            let last = self.log.range(self.durable..).nth(take).map(|(base, _)| *base);
            self.durable = last.unwrap_or(self.log_end);
        }
        self.advance();
    }

    fn advance(&mut self) {
        self.groups.advance(Offset(self.durable), self.now);
        if let Some(mut start) = self.groups.take_trim() {
            match self.plant {
                Plant::TrimNever => return,
                Plant::TrimTooFar => {
                    start = Offset(self.log.range(start.0 + 1..).next().map_or(self.durable, |(base, _)| *base))
                }
                _ => {}
            }
            assert!(start.0 <= self.durable, "only what is durable elsewhere is given up");
            self.log = self.log.split_off(&start.0);
            self.seen.snapshots += 1;
            self.replayed();
        }
    }

    fn pass(&mut self, ms: u64) {
        self.now.monotonic_ns += ms * 1_000_000;
        self.now.wall_ms += ms as i64;
        if self.plant != Plant::TimersStop {
            self.groups.tick(self.now);
        }
    }

    /// Answers that the coordinator has given are on their way.
    fn collect(&mut self) {
        while let Some((caller, mut response)) = self.groups.poll_reply() {
            self.plant.response(caller.0, &mut response, &mut self.last_given);
            match self.plant.fate(caller.0, &response) {
                Fate::Leaves => self.answered(caller, response),
                Fate::Twice => {
                    self.answered(caller, response.clone());
                    self.answered(caller, response);
                }
                Fate::Never => {
                    self.sent.remove(&caller.0);
                }
                Fate::Later => {
                    let before = self.held.take();
                    if before.is_none() {
                        self.held = Some((caller, response));
                        continue;
                    }
                    self.answered(caller, response);
                    before.into_iter().for_each(|(caller, response)| self.answered(caller, response));
                }
            }
        }
    }

    fn answered(&mut self, caller: Caller, response: GroupResponse) {
        assert!(self.sent.contains_key(&caller.0), "a request is answered once");
        assert!(!self.answers.iter().any(|(known, _)| *known == caller.0), "a request is answered once");
        self.judge(caller.0, &response);
        self.answers.push((caller.0, response));
    }

    /// What an answer says is held against everything that was said before, whether it arrives or not.
    fn judge(&mut self, id: u64, response: &GroupResponse) {
        let Sent { client, group, kind } = self.sent[&id].clone();
        match (response, kind) {
            (GroupResponse::Join(answer), Kind::Join { fresh }) if answer.error_code == 0 => {
                let last = self.generations.entry(group).or_insert(0);
                assert!(answer.generation_id >= *last, "generations do not fall");
                let same = answer.generation_id == *last;
                self.seen.generations += u64::from(!same);
                *last = answer.generation_id;
                self.seen.replaced += u64::from(fresh && same && self.clients[client].instance.is_some());
            }
            (GroupResponse::Sync(answer), Kind::Sync) if answer.error_code == 0 => {
                let (member, generation) = (self.clients[client].member.clone(), self.clients[client].generation);
                if self.clients[client].waits_for != Some(id) {
                    return;
                }
                let name = self.clients[client].instance.clone().unwrap_or(member);
                let given = self.given.entry((group, generation)).or_default();
                for partition in answer.assignment.iter().map(|byte| i32::from(*byte)) {
                    let owner = given.entry(partition).or_insert_with(|| name.clone());
                    assert_eq!(*owner, name, "partition {partition} twice in generation {generation}");
                }
            }
            (GroupResponse::Commit(answer), Kind::Commit { partition, offset })
                if answer.topics[0].partitions[0].error_code == 0 && offset > self.since_offset =>
            {
                let before = self.acknowledged.insert((group, partition), offset);
                assert!(before.is_none_or(|before| before < offset), "commits are answered in order");
                self.seen.commits += 1;
            }
            _ => {}
        }
    }

    /// One answer arrives at its client, any of them.
    fn deliver(&mut self) {
        if self.answers.is_empty() {
            return;
        }
        let at = self.prng.below(self.answers.len() as u64) as usize;
        let (id, response) = self.answers.swap_remove(at);
        let Sent { client, .. } = self.sent.remove(&id).expect("it was asked");
        let waited = self.clients[client].waits_for == Some(id);
        let client = &mut self.clients[client];
        if client.phase == Phase::Dead {
            return;
        }
        match response {
            GroupResponse::Join(answer) if waited => {
                client.waits_for = None;
                self.seen.fenced += u64::from(answer.error_code == 82);
                client.joined(&answer, &mut self.prng);
            }
            GroupResponse::Sync(answer) if waited => {
                client.waits_for = None;
                self.seen.fenced += u64::from(answer.error_code == 82);
                client.synced(&answer);
            }
            GroupResponse::Heartbeat(answer) if client.phase == Phase::In => {
                self.seen.rebalances += u64::from(answer.error_code == 27);
                self.seen.expired += u64::from(answer.error_code == 25);
                client.heard(self.plant.heard(answer.error_code));
            }
            GroupResponse::Commit(answer) if client.phase == Phase::In => {
                client.heard(self.plant.heard(answer.topics[0].partitions[0].error_code));
            }
            _ => {}
        }
    }

    /// The machine is gone; what was durable, and perhaps some of what was not, is there when it comes back.
    fn crash(&mut self) {
        self.seen.crashes += 1;
        self.flush();
        self.replayed();
        if self.plant == Plant::FlushLies {
            self.durable = self.log.range(..self.durable).next_back().map_or(self.durable, |(base, _)| *base);
        }
        self.log.split_off(&self.durable);
        self.log_end = self.durable;
        self.answers.clear();
        self.held = None;
        self.sent.clear();
        for client in self.clients.iter_mut().filter(|client| client.waits_for.is_some()) {
            client.waits_for = None;
            client.rejoin();
        }
        self.generations.clear();
        let mut groups = Groups::new(self.settings, self.prng.next_u64());
        let skipped = (self.plant == Plant::ReplaySkips).then_some(self.log.len() / 2);
        for (at, batch) in self.log.values().enumerate() {
            if skipped != Some(at) {
                groups.replay(batch).expect("the coordinator's own log");
            }
        }
        groups.loaded(self.now);
        let topic = self.topic();
        groups.forget_gone_topics(&|name| topic.filter(|_| name == TOPIC), self.now);
        groups.set_log_bytes_min(LOG_BYTES_MIN);
        self.groups = groups;
        // Members that never had their assignments were never stored: their group was empty all the time.
        self.lived_ms = self.stable_ms.clone();
    }

    /// A replay of the durable log gives what the coordinator has applied.
    fn replayed(&mut self) {
        let mut replayed = Groups::new(self.settings, 1);
        for batch in self.log.range(..self.durable).map(|(_, batch)| batch) {
            replayed.replay(batch).expect("the coordinator's own log");
        }
        assert_eq!(replayed.live_records(), self.groups.live_records(), "a replay gives another state");
    }

    fn check(&mut self) {
        self.groups.check();
        if self.prng.percent(10) {
            self.replayed();
        }
        for group in 0..GROUPS {
            self.check_commits(group);
            self.note_if_gone(group);
        }
    }

    /// A group that is gone begins anew, with its first generation.
    fn note_if_gone(&mut self, group: usize) {
        let id = GroupId(StrBytes::from_string(group_name(group)));
        let request = DescribeGroupsRequest::default().with_groups(vec![id]);
        self.groups.handle(Caller(u64::MAX), 5, GroupRequest::Describe(request), &|_| None, self.now);
        let Some((Caller(u64::MAX), GroupResponse::Describe(answer))) = self.groups.poll_reply() else {
            panic!("DescribeGroups is answered at once")
        };
        match &*answer.groups[0].group_state {
            "Dead" => {
                self.generations.remove(&group);
                self.given.retain(|(of, _), _| *of != group);
            }
            "Empty" => {}
            state => {
                self.lived_ms.insert(group, self.now.wall_ms);
                if state == "Stable" {
                    self.stable_ms.insert(group, self.now.wall_ms);
                }
            }
        }
    }

    /// What was acknowledged is there, unless its group has had no members for so long that it may be gone.
    fn check_commits(&mut self, group: usize) {
        let asked = OffsetFetchRequestGroup::default()
            .with_group_id(GroupId(StrBytes::from_string(group_name(group))))
            .with_topics(None);
        let request = OffsetFetchRequest::default().with_groups(vec![asked]);
        // Its answer is taken out at once: it is the last one.
        self.collect();
        let topic = self.topic();
        self.groups.handle(
            Caller(u64::MAX),
            9,
            GroupRequest::Fetch(request),
            &|name| topic.filter(|_| name == TOPIC),
            self.now,
        );
        let Some((Caller(u64::MAX), GroupResponse::Fetch(answer))) = self.groups.poll_reply() else {
            panic!("OffsetFetch is answered at once")
        };
        let mut told: BTreeMap<i32, i64> = BTreeMap::new();
        for partition in answer.groups[0].topics.iter().flat_map(|topic| &topic.partitions) {
            let offset = partition.committed_offset;
            assert!(offset > self.since_offset, "{offset} is of a topic that is gone");
            told.insert(partition.partition_index, offset);
        }
        let alone_ms = self.now.wall_ms - self.lived_ms.get(&group).copied().unwrap_or(0);
        if alone_ms >= RETENTION_MS {
            // From here on nothing is owed, even if somebody comes before the tombstones are durable.
            let forgets = told.is_empty() && self.acknowledged.keys().any(|(of, _)| *of == group);
            self.seen.expired += u64::from(forgets);
            self.acknowledged.retain(|(of, _), _| *of != group);
        }
        for ((of, partition), offset) in &self.acknowledged {
            if *of == group {
                let told = told.get(partition);
                assert!(told.is_some(), "group {group}, partition {partition} is gone after {alone_ms} ms: {offset}");
                assert!(
                    told >= Some(offset),
                    "group {group}, partition {partition} went back: {told:?} after {offset}"
                );
            }
        }
    }
}
