//! A Kafka client of our own, for the command line: ordinary blocking sockets and threads, any Kafka broker at the other end.
//!
//! [`connection`] speaks to one broker and settles versions with it; [`cluster`] knows the brokers, follows leaders and tries
//! again within a bound; above them one module per job: [`topics`], [`configs`], [`offsets`], [`producer`], [`consumer`], [`groups`]; beside them the
//! generator of [`load`] for benchmarks.
//! Nothing here prints: what went wrong is a [`failure::Failure`] that names broker, topic, code and remedy.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a client waits, keeps time and has threads of its own, as Kafka's clients do; nothing of the broker runs here"
)]

pub mod address;
pub mod answer_shapes;
pub mod cluster;
pub mod configs;
pub mod connection;
pub mod consumer;
pub mod failure;
pub mod groups;
pub mod load;
pub mod offsets;
pub mod partitioner;
pub mod producer;
pub mod topics;
pub mod versions;
