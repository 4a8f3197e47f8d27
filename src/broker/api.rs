//! The APIs: one file each, one table. An API file never calls another one.
//!
//! To add one: a row in `wire::api`, `src/broker/api/<name>.rs` with `impl Api for <Name>`, its `mod` line and its line in the
//! table here. ApiVersions and the counters follow from the tables.

pub(super) mod alter_configs;
mod api_versions;
pub(super) mod create_partitions;
pub(super) mod create_topics;
mod delete_groups;
mod delete_records;
pub(super) mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_groups;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
pub(super) mod fetch;
pub(super) mod find_coordinator;
mod heartbeat;
pub(super) mod incremental_alter_configs;
pub(super) mod init_producer_id;
mod join_group;
mod leave_group;
mod list_groups;
pub(super) mod list_offsets;
mod list_partition_reassignments;
pub(super) mod metadata;
mod offset_commit;
mod offset_delete;
mod offset_fetch;
mod offset_for_leader_epoch;
pub(super) mod produce;
mod sync_group;

use crate::base::clock::Now;
use crate::base::config::Advertise;
use crate::base::gather::Gather;
use crate::base::ids::TopicPartition;
use crate::broker::broker::Broker;
use crate::broker::forwarding::{PartAnswer, PartRequest, Parted};
use crate::broker::session::{Answer, AnswerSlot};
use crate::wire::api::{APIS, ApiKey};
use crate::wire::messages::{
    DeleteRecordsRequest, DescribeProducersRequest, ListOffsetsRequest, OffsetForLeaderEpochRequest,
};
use crate::wire::reader::DecodeError;
use bytes::BytesMut;

/// What a handler knows about a request beside its body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Context {
    /// Where the answer goes.
    pub(super) answer: AnswerSlot,
    pub(super) version: i16,
    pub(super) correlation_id: i32,
    /// Size of the allocation that the request lies in.
    pub(super) buffer_bytes: usize,
    /// It is a part of another core's request: its answer goes there as it is.
    pub(super) is_part: bool,
}

impl Context {
    /// How a complete answer leaves.
    pub(super) fn complete(&self, answer: PartAnswer) -> Answer {
        match self.is_part {
            true => Answer::Part(Box::new(answer)),
            false => Answer::Frame(answer.encode(self.version, self.correlation_id)),
        }
    }

    pub(super) fn respond(&self, answer: PartAnswer) -> Outcome {
        match self.complete(answer) {
            Answer::Part(answer) => Outcome::Part(answer),
            Answer::Frame(frame) => Outcome::Answer(frame),
            Answer::Silent | Answer::Close(_) => unreachable!("an answer that says something"),
        }
    }
}

/// What a handler made of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A whole response frame.
    Answer(Gather),
    /// The answer for the core that asked.
    Part(Box<PartAnswer>),
    /// No answer: acks=0.
    Silent,
    /// Close the connection after the answers before this one.
    Close(String),
    /// The handler parked it somewhere; the answer comes by itself.
    Parked,
    /// It cannot go on yet, and later requests of the connection must not overtake it.
    Held(Held, Wait),
}

/// A request that cannot go on yet.
#[derive(Debug)]
pub(super) enum Held {
    /// Partly appended, perhaps.
    Produce(Box<produce::ProduceRun>),
    ListOffsets(ListOffsetsRequest),
    DeleteRecords(DeleteRecordsRequest),
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest),
    DescribeProducers(DescribeProducersRequest),
}

/// What a held request waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wait {
    /// This partition is being loaded.
    Partition(TopicPartition),
    /// Room in the ring (S6).
    Ring,
    /// A look inside a batch, off the core; `Event::Inspected` follows.
    Inspection,
}

/// One API.
trait Api {
    /// Which.
    const KEY: ApiKey;
    /// Its decoded body.
    type Request;

    /// Decodes a body of a served version.
    fn decode(body: BytesMut, version: i16) -> Result<Self::Request, DecodeError>;

    /// Does what is asked.
    fn handle(broker: &mut Broker, context: &Context, request: Self::Request, now: Now) -> Outcome;
}

/// One line of the table.
pub(super) struct Entry {
    key: ApiKey,
    /// Decodes and handles.
    pub(super) run: fn(&mut Broker, &Context, BytesMut, Now) -> Result<Outcome, DecodeError>,
}

const fn entry<A: Api>() -> Entry {
    Entry { key: A::KEY, run: run::<A> }
}

fn run<A: Api>(broker: &mut Broker, context: &Context, body: BytesMut, now: Now) -> Result<Outcome, DecodeError> {
    let request = A::decode(body, context.version)?;
    Ok(A::handle(broker, context, request, now))
}

/// An API whose partitions may live on several cores.
const fn parted<A>() -> Entry
where
    A: Api,
    A::Request: Parted,
{
    Entry { key: A::KEY, run: run_parted::<A> }
}

fn run_parted<A>(broker: &mut Broker, context: &Context, body: BytesMut, now: Now) -> Result<Outcome, DecodeError>
where
    A: Api,
    A::Request: Parted,
{
    let mut request = A::decode(body, context.version)?;
    if broker.settings.advertise == Advertise::PerMachine
        && let Some(layout) = broker.cut_needed(context, &mut request)
    {
        return Ok(broker.split(context, request, layout, now));
    }
    Ok(A::handle(broker, context, request, now))
}

/// The table: ascending by key, one line per row of `wire::api`.
const ENTRIES: [Entry; APIS.len()] = [
    parted::<produce::Produce>(),
    entry::<fetch::Fetch>(),
    parted::<list_offsets::ListOffsets>(),
    entry::<metadata::Metadata>(),
    entry::<offset_commit::OffsetCommit>(),
    entry::<offset_fetch::OffsetFetch>(),
    entry::<find_coordinator::FindCoordinator>(),
    entry::<join_group::JoinGroup>(),
    entry::<heartbeat::Heartbeat>(),
    entry::<leave_group::LeaveGroup>(),
    entry::<sync_group::SyncGroup>(),
    entry::<describe_groups::DescribeGroups>(),
    entry::<list_groups::ListGroups>(),
    entry::<api_versions::ApiVersions>(),
    entry::<create_topics::CreateTopics>(),
    entry::<delete_topics::DeleteTopics>(),
    parted::<delete_records::DeleteRecords>(),
    entry::<init_producer_id::InitProducerId>(),
    parted::<offset_for_leader_epoch::OffsetForLeaderEpoch>(),
    entry::<describe_configs::DescribeConfigs>(),
    entry::<alter_configs::AlterConfigs>(),
    entry::<describe_log_dirs::DescribeLogDirs>(),
    entry::<create_partitions::CreatePartitions>(),
    entry::<delete_groups::DeleteGroups>(),
    entry::<incremental_alter_configs::IncrementalAlterConfigs>(),
    entry::<list_partition_reassignments::ListPartitionReassignments>(),
    entry::<offset_delete::OffsetDelete>(),
    entry::<describe_cluster::DescribeCluster>(),
    parted::<describe_producers::DescribeProducers>(),
    entry::<describe_topic_partitions::DescribeTopicPartitions>(),
];

const _: () = {
    let mut at = 0;
    while at < APIS.len() {
        assert!(ENTRIES[at].key.number() == APIS[at].key.number(), "an API in one table only, or out of order");
        at += 1;
    }
};

/// The line of an API.
pub(super) fn find(key: ApiKey) -> &'static Entry {
    ENTRIES.iter().find(|entry| entry.key == key).expect("both tables have the same rows")
}

/// Does what another core (or this one) asks for a client of its own.
pub(super) fn run_part(broker: &mut Broker, context: &Context, request: PartRequest, now: Now) -> Outcome {
    match request {
        PartRequest::Produce(request) => produce::Produce::handle(broker, context, request, now),
        PartRequest::Fetch { request, wanted } => fetch::take_part(broker, context, request, wanted, now),
        PartRequest::Watch { request, wanted, threshold, deadline_ns } => {
            fetch::watch(broker, context, request, (wanted, threshold, deadline_ns), now)
        }
        PartRequest::ListOffsets(request) => list_offsets::ListOffsets::handle(broker, context, request, now),
        PartRequest::DeleteRecords(request) => delete_records::DeleteRecords::handle(broker, context, request, now),
        PartRequest::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch::OffsetForLeaderEpoch::handle(broker, context, request, now)
        }
        PartRequest::DescribeProducers(request) => {
            describe_producers::DescribeProducers::handle(broker, context, request, now)
        }
        PartRequest::Groups(request) => broker.coordinate(context, request, now),
        PartRequest::DescribeLogDirs(request) => {
            describe_log_dirs::DescribeLogDirs::handle(broker, context, request, now)
        }
    }
}

/// Goes on with a request that was held.
pub(super) fn resume(broker: &mut Broker, context: &Context, held: Held, now: Now) -> Outcome {
    match held {
        Held::Produce(run) => produce::advance(broker, context, *run, now),
        Held::ListOffsets(request) => list_offsets::ListOffsets::handle(broker, context, request, now),
        Held::OffsetForLeaderEpoch(request) => {
            offset_for_leader_epoch::OffsetForLeaderEpoch::handle(broker, context, request, now)
        }
        Held::DescribeProducers(request) => {
            describe_producers::DescribeProducers::handle(broker, context, request, now)
        }
        Held::DeleteRecords(request) => delete_records::DeleteRecords::handle(broker, context, request, now),
    }
}
