// The broker through its only door: events in, effects out. Requests are encoded and answers decoded by the kafka-protocol
// crate; the disk is in memory, the clock is moved by the test. Included by tests/api_per_machine.rs too.

mod client;
mod disk;
mod world;

mod admin;
mod answer_memory;
mod bad_inputs;
mod by_time;
mod configs;
mod describe;
mod disk_and_producers;
mod edges;
mod epochs;
mod every_version;
mod fetch;
mod fetch_sessions;
mod group_offsets;
mod groups;
mod list_offsets;
mod live_configs;
mod metadata;
mod produce;
mod retention;
mod sessions;
mod start_and_stop;
mod storm;
mod topic_partitions;
