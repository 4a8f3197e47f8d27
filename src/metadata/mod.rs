//! Floor 2: the metadata log, the image every core holds, the controller. Knows no partition's log and no Kafka message.

pub mod broker_wide;
pub mod bucket_map;
pub mod controller;
pub mod delta;
pub mod image;
pub mod log;
pub mod placement;
pub mod record;
pub mod record_codec;
pub mod topic_config;
pub mod topics;
