//! A machine that clients see as one broker (`advertise=per-machine`): whichever core a client reached answers for all.
//!
//! ```text
//! asking core   request -> cut by owner -> a part to each ------------------------> answers merged -> answer
//! owning core                               part -> the API's own handler -> answer as it is, not encoded
//! ```
//! A part is a request of the same type that names only what its owner leads. The owner handles it as a request in a session
//! that stands for the client's connection ([`ConnectionId::forwarded`]), so that what has to wait there (a partition being
//! loaded, a full ring) holds up the later parts of that connection and nobody else. What lives on the asking core only, while
//! no part of the connection is under way, is handled at once: then it costs what it costs in per-core mode.
//!
//! A connection that keeps asking for what lives on one other core is handed over to it (`homes`), and is then served there as in
//! per-core mode.
//!
//! Record bytes are not copied on the way: slices are counted across threads anyway, and a batch that is kept is copied out of a
//! large buffer by the log, as ever.
//!
//! Invariants: (F1) parts of one connection reach each owner in the order of its requests, and are begun there in that order;
//! (F2) each part is answered exactly once, unless its connection is gone; (F3) a request is handled without forwarding only
//! while no part of its connection is under way, so that appends to one partition never overtake each other; (F4) a core begins no request while
//! [`FORWARDED_PARTS_MAX`](crate::base::limits::FORWARDED_PARTS_MAX) of its parts are under way: they wait in their sessions.

mod cut;
mod fetch;
mod groups;
mod homes;
mod owner;
mod splits;

pub(super) use homes::Homes;
pub(super) use splits::Splits;

use crate::base::clock::Now;
use crate::base::config::Advertise;
use crate::base::gather::Gather;
use crate::base::ids::{ConnectionId, CoreId};
use crate::broker::api::{Context, Outcome};
use crate::broker::broker::Broker;
use crate::broker::forwarding::cut::{AskedTopic, Layout, TopicKey};
use crate::broker::forwarding::homes::Asked;
use crate::coordinator::answers::{GroupRequest, GroupResponse};
use crate::wire::fetch::{FetchRequest, FetchResponse};
use crate::wire::messages::{
    DeleteRecordsRequest, DeleteRecordsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse,
    DescribeProducersRequest, DescribeProducersResponse, ListOffsetsRequest, ListOffsetsResponse,
    OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, encode,
};
use crate::wire::produce::{ProduceRequest, ProduceResponse};

/// What a core asks another one to do for one of its clients.
#[derive(Debug)]
pub struct Part {
    /// The client's connection on the asking core.
    pub(super) connection: ConnectionId,
    /// Comes back with the answer.
    pub(super) ticket: u64,
    /// Of the client's request.
    pub(super) version: i16,
    /// Size of the allocation that the client's request lies in.
    pub(super) buffer_bytes: usize,
    pub(super) request: PartRequest,
}

/// The request of a part.
#[derive(Debug)]
pub(super) enum PartRequest {
    Produce(ProduceRequest),
    /// Answer with what is there now. `wanted`: bytes that the client thinks worth an answer, from all owners.
    Fetch {
        request: FetchRequest,
        wanted: u64,
    },
    /// Answer once there are `threshold` bytes, something else happened, or the time is over.
    Watch {
        request: FetchRequest,
        wanted: u64,
        threshold: u64,
        deadline_ns: u64,
    },
    ListOffsets(ListOffsetsRequest),
    DeleteRecords(DeleteRecordsRequest),
    OffsetForLeaderEpoch(OffsetForLeaderEpochRequest),
    DescribeProducers(DescribeProducersRequest),
    /// About groups of one coordinating core; ListGroups is asked of every core.
    Groups(GroupRequest),
    /// Asked of every core: each answers for what it has.
    DescribeLogDirs(DescribeLogDirsRequest),
}

/// What the owner answers.
#[derive(Debug)]
pub enum PartAnswer {
    /// To Produce.
    Produce(ProduceResponse),
    /// To Fetch. `available`: bytes that count towards the client's minimum.
    Fetch {
        /// Names every partition that was asked.
        response: FetchResponse,
        /// See the variant.
        available: u64,
    },
    /// A watch has ended: it is worth asking again. `expired`: because the time is over.
    WatchOver {
        /// See the variant.
        expired: bool,
    },
    /// To ListOffsets.
    ListOffsets(ListOffsetsResponse),
    /// To DeleteRecords.
    DeleteRecords(DeleteRecordsResponse),
    /// To OffsetForLeaderEpoch.
    OffsetForLeaderEpoch(OffsetForLeaderEpochResponse),
    /// To DescribeProducers.
    DescribeProducers(DescribeProducersResponse),
    /// To DescribeLogDirs.
    DescribeLogDirs(DescribeLogDirsResponse),
    /// To a request about groups.
    Group(GroupResponse),
    /// The client gets no answer: acks=0.
    Silent,
    /// The client's connection has to be closed, and why.
    Close(String),
}

impl PartAnswer {
    /// The frame for a client.
    pub(super) fn encode(self, version: i16, correlation_id: i32) -> Gather {
        match self {
            PartAnswer::Produce(response) => response.encode(version, correlation_id),
            PartAnswer::Fetch { response, .. } => response.encode(version, correlation_id),
            PartAnswer::ListOffsets(response) => encode(response, version, correlation_id),
            PartAnswer::DeleteRecords(response) => encode(response, version, correlation_id),
            PartAnswer::OffsetForLeaderEpoch(response) => encode(response, version, correlation_id),
            PartAnswer::DescribeProducers(response) => encode(response, version, correlation_id),
            PartAnswer::DescribeLogDirs(response) => encode(response, version, correlation_id),
            PartAnswer::Group(response) => encode_group(response, version, correlation_id),
            PartAnswer::WatchOver { .. } | PartAnswer::Silent | PartAnswer::Close(_) => {
                unreachable!("no client is told: {self:?}")
            }
        }
    }
}

fn encode_group(response: GroupResponse, version: i16, correlation_id: i32) -> Gather {
    match response {
        GroupResponse::Join(response) => encode(response, version, correlation_id),
        GroupResponse::Sync(response) => encode(response, version, correlation_id),
        GroupResponse::Heartbeat(response) => encode(response, version, correlation_id),
        GroupResponse::Leave(response) => encode(response, version, correlation_id),
        GroupResponse::Commit(response) => encode(response, version, correlation_id),
        GroupResponse::Fetch(response) => encode(response, version, correlation_id),
        GroupResponse::OffsetDelete(response) => encode(response, version, correlation_id),
        GroupResponse::Describe(response) => encode(response, version, correlation_id),
        GroupResponse::Delete(response) => encode(response, version, correlation_id),
        GroupResponse::List(response) => encode(response, version, correlation_id),
    }
}

impl Part {
    /// A watch that nobody waits for any more ends when it begins.
    pub(super) fn end_watch(&mut self) {
        if let PartRequest::Watch { deadline_ns, .. } = &mut self.request {
            *deadline_ns = 0;
        }
    }
}

/// A request whose partitions may live on several cores.
pub(super) trait Parted: Sized {
    type Topic: AskedTopic;

    fn topics(&mut self) -> &mut Vec<Self::Topic>;

    /// The same request about these topics.
    fn about(&self, topics: Vec<Self::Topic>) -> PartRequest;

    /// Brings the request into the form that is cut: its answer then has the same topics and partitions in the same order.
    fn prepare(&mut self) {}
}

impl Parted for ProduceRequest {
    type Topic = crate::wire::produce::ProduceTopic;

    fn topics(&mut self) -> &mut Vec<Self::Topic> {
        &mut self.topics
    }

    fn about(&self, topics: Vec<Self::Topic>) -> PartRequest {
        let ProduceRequest { transactional_id, acks, timeout_ms, .. } = self;
        let transactional_id = transactional_id.clone();
        PartRequest::Produce(ProduceRequest { transactional_id, acks: *acks, timeout_ms: *timeout_ms, topics })
    }

    fn prepare(&mut self) {
        self.unite_repeated();
    }
}

impl Parted for ListOffsetsRequest {
    type Topic = crate::wire::messages::ListOffsetsTopic;

    fn topics(&mut self) -> &mut Vec<Self::Topic> {
        &mut self.topics
    }

    fn about(&self, topics: Vec<Self::Topic>) -> PartRequest {
        PartRequest::ListOffsets(self.clone().with_topics(topics))
    }

    /// Topics without partitions are left out of the answer.
    fn prepare(&mut self) {
        self.topics.retain(|topic| !topic.partitions.is_empty());
    }
}

impl Parted for DeleteRecordsRequest {
    type Topic = crate::wire::messages::DeleteRecordsTopic;

    fn topics(&mut self) -> &mut Vec<Self::Topic> {
        &mut self.topics
    }

    fn about(&self, topics: Vec<Self::Topic>) -> PartRequest {
        PartRequest::DeleteRecords(self.clone().with_topics(topics))
    }
}

impl Parted for OffsetForLeaderEpochRequest {
    type Topic = crate::wire::messages::OffsetForLeaderTopic;

    fn topics(&mut self) -> &mut Vec<Self::Topic> {
        &mut self.topics
    }

    fn about(&self, topics: Vec<Self::Topic>) -> PartRequest {
        PartRequest::OffsetForLeaderEpoch(self.clone().with_topics(topics))
    }
}

impl Parted for DescribeProducersRequest {
    type Topic = crate::wire::messages::DescribeProducersTopic;

    fn topics(&mut self) -> &mut Vec<Self::Topic> {
        &mut self.topics
    }

    fn about(&self, topics: Vec<Self::Topic>) -> PartRequest {
        PartRequest::DescribeProducers(self.clone().with_topics(topics))
    }
}

impl Broker {
    /// True if clients see the machine as one broker, so that what other cores have is theirs to ask for too.
    pub(super) fn answers_for_machine(&self, context: &Context) -> bool {
        self.settings.advertise == Advertise::PerMachine && !context.is_part
    }

    /// Asks every core the same.
    pub(super) fn ask_every_core(&mut self, context: &Context, request: impl Fn() -> PartRequest, now: Now) -> Outcome {
        let parts = (0..self.image.cores()).map(|core| (CoreId(core), request())).collect();
        self.begin_split(context, Layout::default(), parts, now)
    }

    /// Who owns what a request names. What does not exist is refused here.
    fn layout<T: AskedTopic>(&self, topics: &[T]) -> Layout {
        Layout::of(topics, |key, index| {
            let topic = match key {
                TopicKey::Name(name) => self.image.topic_by_name(name),
                TopicKey::Id(id) => self.image.topic(id),
            };
            let partition = topic.and_then(|topic| topic.partition(index));
            partition.map_or(self.core, |partition| partition.core(self.image.cores()))
        })
    }

    /// What of a request has to be forwarded; `None`: nothing, it may be handled here and now (F3).
    pub(super) fn cut_needed<R: Parted>(&mut self, context: &Context, request: &mut R) -> Option<Layout> {
        request.prepare();
        let layout = self.layout(request.topics());
        let only = layout.only(self.core);
        self.note_home(context.answer.connection, only, Asked::Else);
        let all_here = only == Some(self.core);
        (!all_here || self.splits.has_parts(context.answer.connection)).then_some(layout)
    }

    /// Forwards a request in parts.
    pub(super) fn split<R: Parted>(
        &mut self,
        context: &Context,
        mut request: R,
        mut layout: Layout,
        now: Now,
    ) -> Outcome {
        let topics = std::mem::take(request.topics());
        let parts = layout.cut(topics, self.core);
        let parts: Vec<(CoreId, PartRequest)> =
            parts.into_iter().map(|(owner, topics)| (owner, request.about(topics))).collect();
        if parts.is_empty() {
            // About nothing at all: any core's answer will do.
            let nothing = vec![(self.core, request.about(Vec::new()))];
            return self.begin_split(context, layout, nothing, now);
        }
        self.begin_split(context, layout, parts, now)
    }
}
