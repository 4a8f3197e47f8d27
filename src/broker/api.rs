//! The APIs: one file each, one table. An API file never calls another one.
//!
//! To add one: a row in `wire::api`, `src/broker/api/<name>.rs` with `impl Api for <Name>`, its `mod` line and its line in the
//! table here. ApiVersions and the counters follow from the tables.

pub(super) mod alter_configs;
mod api_versions;
pub(super) mod create_partitions;
pub(super) mod create_topics;
mod delete_records;
pub(super) mod delete_topics;
mod describe_cluster;
mod describe_configs;
mod describe_log_dirs;
mod describe_producers;
mod describe_topic_partitions;
pub(super) mod fetch;
mod find_coordinator;
pub(super) mod incremental_alter_configs;
pub(super) mod init_producer_id;
pub(super) mod list_offsets;
mod list_partition_reassignments;
pub(super) mod metadata;
mod offset_for_leader_epoch;
pub(super) mod produce;

use crate::base::clock::Now;
use crate::base::gather::Gather;
use crate::base::ids::TopicPartition;
use crate::broker::broker::Broker;
use crate::broker::session::AnswerSlot;
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
}

/// What a handler made of a request.
#[derive(Debug)]
pub(super) enum Outcome {
    /// A whole response frame.
    Answer(Gather),
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

/// The table: ascending by key, one line per row of `wire::api`.
const ENTRIES: [Entry; APIS.len()] = [
    entry::<produce::Produce>(),
    entry::<fetch::Fetch>(),
    entry::<list_offsets::ListOffsets>(),
    entry::<metadata::Metadata>(),
    entry::<find_coordinator::FindCoordinator>(),
    entry::<api_versions::ApiVersions>(),
    entry::<create_topics::CreateTopics>(),
    entry::<delete_topics::DeleteTopics>(),
    entry::<delete_records::DeleteRecords>(),
    entry::<init_producer_id::InitProducerId>(),
    entry::<offset_for_leader_epoch::OffsetForLeaderEpoch>(),
    entry::<describe_configs::DescribeConfigs>(),
    entry::<alter_configs::AlterConfigs>(),
    entry::<describe_log_dirs::DescribeLogDirs>(),
    entry::<create_partitions::CreatePartitions>(),
    entry::<incremental_alter_configs::IncrementalAlterConfigs>(),
    entry::<list_partition_reassignments::ListPartitionReassignments>(),
    entry::<describe_cluster::DescribeCluster>(),
    entry::<describe_producers::DescribeProducers>(),
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

/// Goes on with a request that was held.
pub(super) fn resume(broker: &mut Broker, context: &Context, held: Held, now: Now) -> Outcome {
    match held {
        Held::Produce(run) => produce::advance(broker, context, run, now),
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
