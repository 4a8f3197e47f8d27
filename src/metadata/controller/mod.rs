//! The controller: functions (request, image, settings, entropy) -> (records, answer). Runs on core 0 only.
//!
//! It decides against the *proposed* image (committed records and those on their way,
//! [`MetadataLog::proposed`](crate::metadata::log::MetadataLog::proposed)), so that two requests in a row see each other. Every
//! answer, a refusal too, leaves when all that it was decided on is committed and applied on all cores.

pub mod alter_configs;
pub mod create_partitions;
pub mod create_topics;
pub mod delete_topics;
pub mod machine;
mod new_partition;
pub mod producer_ids;
pub mod topic_name;

use crate::base::config::TopicDefaults;
use crate::base::error_code::ErrorCode;
use crate::metadata::broker_wide::BrokerWide;
use crate::metadata::image::Image;
use crate::metadata::record::Record;

/// What the controller made of a request: records to append (none if nothing changes) and the answer to release later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision<A> {
    /// To be appended to the metadata log as one batch.
    pub records: Vec<Record>,
    /// For the client.
    pub answer: A,
}

/// Why a part of a request was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Kafka's code.
    pub code: ErrorCode,
    /// For a person: names the thing, the value and the remedy.
    pub message: String,
}

impl Refused {
    /// A refusal.
    pub fn new(code: ErrorCode, message: impl Into<String>) -> Refused {
        Refused { code, message: message.into() }
    }
}

/// Broker settings that decide about new topics.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// `num.partitions`.
    pub num_partitions: i32,
    /// `default.replication.factor`; -1 means the smaller of 3 and the number of machines.
    pub default_replication_factor: i16,
    /// Broker-wide values of topic configs, those set at run time included.
    pub broker_wide: BrokerWide,
}

impl ControllerSettings {
    /// From the broker's configuration and what was changed since.
    pub fn new(defaults: &TopicDefaults, image: &Image) -> ControllerSettings {
        ControllerSettings {
            num_partitions: defaults.partitions,
            default_replication_factor: defaults.replication_factor,
            broker_wide: BrokerWide::new(defaults).of_image(image),
        }
    }
}
