//! What cores of one machine say to each other: admin and metadata; and if clients see the machine as one broker
//! (`forwarding`), parts of their requests. Where every core is a broker, produce and fetch never send one.
//!
//! Core 0 has the controller and talks to itself with the same messages, which then never leave its `Broker`.

use crate::base::ids::{ConnectionId, TopicId};
use crate::broker::forwarding::{Part, PartAnswer};
use crate::metadata::controller::Refused;
use crate::metadata::controller::alter_configs::{AlterOutcome, AlteredResource};
use crate::metadata::controller::create_partitions::{CreatePartitionsOutcome, MorePartitions};
use crate::metadata::controller::create_topics::{CreateTopicResult, NewTopic};
use crate::metadata::controller::delete_topics::{DeleteTopicResult, TopicSelector};
use crate::metadata::delta::Delta;
use crate::metadata::image::Image;
use std::ops::Range;
use std::sync::Arc;

/// See the module. The runtime carries it and never looks inside.
#[derive(Debug)]
pub enum Message {
    /// Any core to core 0: decide this. `ticket` comes back with the answer.
    Ask {
        /// Chosen by the asking core.
        ticket: u64,
        /// What to decide.
        request: ControllerRequest,
    },
    /// Core 0 to the core that asked. What was decided is durable and applied on all cores.
    Answer {
        /// As in the question.
        ticket: u64,
        /// What was decided.
        answer: ControllerAnswer,
    },
    /// Core 0 to all: records became durable, this is the metadata from here on.
    Image {
        /// Replaces the core's image whole.
        image: Arc<Image>,
        /// What changed.
        delta: Arc<Delta>,
    },
    /// Any core to core 0: the image with this end offset is in force here.
    Applied {
        /// The image's.
        end_offset: u64,
    },
    /// Any core to core 0: nothing on my disk names this deleted topic any more (S13).
    Forgotten {
        /// Which.
        topic: TopicId,
    },
    /// Any core to any: do this for a client of mine, in the order of these messages.
    Part(Box<Part>),
    /// To the core that sent a [`Part`].
    PartAnswer {
        /// As in the part.
        ticket: u64,
        /// What became of it.
        answer: Box<PartAnswer>,
    },
    /// To a core that watches partitions for a parked Fetch: it ends now.
    EndWatch {
        /// The client's, on the core that sends this.
        connection: ConnectionId,
        /// Of the part.
        ticket: u64,
    },
    /// To cores that were sent parts: this client is gone.
    ConnectionGone {
        /// On the core that sends this.
        connection: ConnectionId,
    },
    /// Any core to core 0: I have stopped. `clean`: everything I acknowledged is flushed and marked.
    Stopped {
        /// False if the journal had failed.
        clean: bool,
    },
}

/// What only the controller may decide.
#[derive(Debug)]
pub enum ControllerRequest {
    /// CreateTopics.
    CreateTopics {
        /// The topics.
        topics: Vec<NewTopic>,
        /// Decide, but change nothing.
        validate_only: bool,
    },
    /// CreatePartitions.
    CreatePartitions {
        /// The topics.
        topics: Vec<MorePartitions>,
        /// Decide, but change nothing.
        validate_only: bool,
    },
    /// IncrementalAlterConfigs or AlterConfigs.
    AlterConfigs {
        /// The topics and brokers.
        resources: Vec<AlteredResource>,
        /// Decide, but change nothing.
        validate_only: bool,
    },
    /// Topics that somebody asked Metadata for.
    AutoCreateTopics {
        /// Their names.
        names: Vec<String>,
    },
    /// DeleteTopics.
    DeleteTopics {
        /// The topics.
        topics: Vec<TopicSelector>,
    },
    /// A block of producer ids for the asking core.
    ProducerIds,
}

/// The controller's answer, one kind per request.
#[derive(Debug)]
pub enum ControllerAnswer {
    /// One result per name.
    CreateTopics(Vec<CreateTopicResult>),
    /// One result per name.
    CreatePartitions(Vec<CreatePartitionsOutcome>),
    /// One outcome per resource, in the order of the request.
    AlterConfigs(Vec<AlterOutcome>),
    /// One result per name.
    AutoCreateTopics(Vec<AutoCreateResult>),
    /// One result per topic of the request.
    DeleteTopics(Vec<DeleteTopicResult>),
    /// Ids for this core alone.
    ProducerIds(Range<i64>),
    /// Nothing was decided, and why.
    Refused(Refused),
}

/// What became of one topic that somebody asked Metadata for.
#[derive(Debug)]
pub struct AutoCreateResult {
    /// Its name.
    pub name: String,
    /// Its id, new or old, or why there is none.
    pub outcome: Result<TopicId, Refused>,
}
