//! Corelane: a Kafka-compatible event-streaming broker in which every core is a Kafka broker.
//!
//! The crate is a stack of floors; a floor imports only from the floors below it, which
//! `tests/tidy.rs` checks:
//!
//! ```text
//! 5 main, cli          parse arguments, build, run
//! 4 runtime            the only files, sockets, threads, clock, entropy
//! 3 broker             one core's Kafka broker; owns all state of that core; api/ handlers
//! 2 log | metadata | coordinator   pure state machines; siblings never import each other
//! 2 client             Kafka client of the command line; sockets and threads of its own
//! 1 wire               Kafka bytes <-> values
//! 0 base               ids, offsets, limits, error codes, configuration keys
//! ```
//!
//! The handbook is in [`manual`].

#![deny(unsafe_code)]
#![deny(unreachable_pub, clippy::dbg_macro, clippy::todo, clippy::await_holding_refcell_ref)]
#![warn(missing_docs)]

pub mod base;
pub mod broker;
pub mod cli;
pub mod client;
pub mod coordinator;
pub mod log;
pub mod manual;
pub mod metadata;
pub mod runtime;
pub mod wire;
