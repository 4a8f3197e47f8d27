//! A consumer as it behaves towards its coordinator: what it sends next, and what it makes of an answer.

use bytes::Bytes;
use corelane::base::prng::Prng;
use corelane::coordinator::answers::{ClientName, GroupRequest};
use corelane::wire::messages::*;

/// Partitions of the one topic.
pub const PARTITIONS: i32 = 5;
pub const TOPIC: &str = "t";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It does not run.
    Dead,
    /// It has to join.
    Out,
    Joining,
    /// Joined: it has to sync.
    Joined,
    Syncing,
    /// It has its partitions.
    In,
}

#[derive(Debug)]
pub struct Client {
    pub number: usize,
    pub group: usize,
    /// A static member.
    pub instance: Option<String>,
    pub member: String,
    pub generation: i32,
    pub phase: Phase,
    /// Of the members that it leads.
    pub led: Vec<String>,
    pub skips: bool,
    pub partitions: Vec<i32>,
    /// The request whose answer it waits for; answers to others are ignored.
    pub waits_for: Option<u64>,
    pub version: i16,
}

pub fn group_name(group: usize) -> String {
    format!("group-{group}")
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

pub fn assignment(partitions: &[i32]) -> Bytes {
    partitions.iter().map(|partition| *partition as u8).collect::<Vec<u8>>().into()
}

impl Client {
    pub fn group_id(&self) -> GroupId {
        GroupId(text(&group_name(self.group)))
    }

    fn instance_id(&self) -> Option<StrBytes> {
        self.instance.as_deref().map(text)
    }

    /// What it does next on its way into the group; `None`: it waits, or is in.
    pub fn next(&self) -> Option<GroupRequest> {
        if self.waits_for.is_some() {
            return None;
        }
        match self.phase {
            Phase::Out => Some(self.join()),
            Phase::Joined => Some(self.sync()),
            _ => None,
        }
    }

    fn join(&self) -> GroupRequest {
        let metadata = Bytes::from(format!("client {}", self.number));
        let protocol =
            |name: &str| JoinGroupRequestProtocol::default().with_name(text(name)).with_metadata(metadata.clone());
        let mut protocols = vec![protocol("range"), protocol("sticky")];
        protocols.rotate_left(self.number % 2);
        let request = JoinGroupRequest::default()
            .with_group_id(self.group_id())
            .with_session_timeout_ms(10_000)
            .with_rebalance_timeout_ms(30_000)
            .with_member_id(text(&self.member))
            .with_group_instance_id(self.instance_id())
            .with_protocol_type(text("consumer"))
            .with_protocols(protocols);
        GroupRequest::Join(request, ClientName { id: format!("c{}", self.number), host: "/127.0.0.1".to_string() })
    }

    fn sync(&self) -> GroupRequest {
        let shares = self.led.len().max(1);
        let share =
            |at: usize| (0..PARTITIONS).filter(|partition| *partition as usize % shares == at).collect::<Vec<_>>();
        let given = self.led.iter().enumerate().filter(|_| !self.skips).map(|(at, member)| {
            SyncGroupRequestAssignment::default().with_member_id(text(member)).with_assignment(assignment(&share(at)))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(self.group_id())
            .with_generation_id(self.generation)
            .with_member_id(text(&self.member))
            .with_group_instance_id(self.instance_id())
            .with_assignments(given.collect());
        GroupRequest::Sync(request)
    }

    pub fn heartbeat(&self) -> GroupRequest {
        let request = HeartbeatRequest::default().with_group_id(self.group_id()).with_generation_id(self.generation);
        GroupRequest::Heartbeat(request.with_member_id(text(&self.member)).with_group_instance_id(self.instance_id()))
    }

    pub fn leave(&self) -> GroupRequest {
        let member = MemberIdentity::default().with_member_id(text(&self.member));
        let members = vec![member.with_group_instance_id(self.instance_id())];
        GroupRequest::Leave(LeaveGroupRequest::default().with_group_id(self.group_id()).with_members(members))
    }

    /// Commits `offset` for one of its partitions.
    pub fn commit(&self, partition: i32, offset: i64) -> GroupRequest {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(partition)
            .with_committed_offset(offset)
            .with_committed_metadata(Some(text("m")));
        let topic = OffsetCommitRequestTopic::default().with_name(TopicName(text(TOPIC)));
        let request = OffsetCommitRequest::default()
            .with_group_id(self.group_id())
            .with_generation_id_or_member_epoch(self.generation)
            .with_member_id(text(&self.member))
            .with_group_instance_id(self.instance_id())
            .with_topics(vec![topic.with_partitions(vec![partition])]);
        GroupRequest::Commit(request)
    }

    /// It begins anew; a static member as one that was started again.
    pub fn restart(&mut self) {
        self.phase = Phase::Out;
        self.waits_for = None;
        self.partitions.clear();
        self.member.clear();
    }

    /// Its partitions are not its own any more; it joins again under its id.
    pub fn rejoin(&mut self) {
        self.phase = Phase::Out;
        self.partitions.clear();
    }

    pub fn joined(&mut self, answer: &JoinGroupResponse, prng: &mut Prng) {
        match answer.error_code {
            0 => {
                self.member = answer.member_id.to_string();
                self.generation = answer.generation_id;
                let leads = answer.leader == answer.member_id;
                self.led =
                    if leads { answer.members.iter().map(|one| one.member_id.to_string()).collect() } else { vec![] };
                // Whoever leads may share the partitions out as it likes.
                if prng.percent(50) {
                    self.led.reverse();
                }
                self.skips = answer.skip_assignment;
                self.phase = Phase::Joined;
            }
            79 => {
                self.member = answer.member_id.to_string();
                self.phase = Phase::Out;
            }
            25 => self.restart(),
            // Another one took its place.
            82 => self.phase = Phase::Dead,
            _ => self.phase = Phase::Out,
        }
    }

    pub fn synced(&mut self, answer: &SyncGroupResponse) {
        match answer.error_code {
            0 => {
                self.partitions = answer.assignment.iter().map(|byte| i32::from(*byte)).collect();
                self.phase = Phase::In;
            }
            82 => self.phase = Phase::Dead,
            25 => self.restart(),
            _ => self.rejoin(),
        }
    }

    /// What a heartbeat or a commit tells.
    pub fn heard(&mut self, code: i16) {
        match code {
            0 => {}
            82 => self.phase = Phase::Dead,
            25 => self.restart(),
            _ => self.rejoin(),
        }
    }
}
