//! Every decoder written by hand in this crate, against changed inputs: what clients send, what brokers answer, and what lies on
//! the disk.
//!
//! Nothing may panic, hold more memory than its input justifies, or take long. What decodes must come out again as it went in;
//! where the kafka-protocol crate decodes the same, both must agree.
//!
//! `FUZZ_SECONDS=3600` runs each target for an hour of processor time instead of its few thousand inputs, `SEED=` begins
//! elsewhere. An input that failed is written to a file, and `FUZZ_INPUT=` of that file shows it again. Legal inputs that
//! other programs made are in `corpus/`, described there.

#[path = "../round_trip/client.rs"]
#[allow(dead_code, reason = "requests are made here, answers are not")]
mod client;
#[path = "../round_trip/counting.rs"]
mod counting;
#[path = "../round_trip/fetch.rs"]
#[allow(dead_code, reason = "requests are made here, answers are not")]
mod fetch;
#[path = "../round_trip/groups.rs"]
#[allow(dead_code, reason = "requests are made here, answers are not")]
mod groups;
#[path = "../round_trip/messages.rs"]
#[allow(dead_code, reason = "requests are made here, answers are not")]
mod messages;
#[path = "../round_trip/produce.rs"]
#[allow(dead_code, reason = "requests are made here, answers are not")]
mod produce;
#[path = "../round_trip/received.rs"]
mod received;

mod answers;
mod batches;
mod directory;
mod engine;
mod frames;
mod group_records;
mod recovery;
mod requests;
mod settings;
mod streams;

#[global_allocator]
static ALLOCATOR: counting::Counting = counting::Counting;
