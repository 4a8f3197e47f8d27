//! The two closed enums that are a broker's whole interface: [`Event`] in, [`Effect`] out.

use crate::base::gather::Gather;
use crate::base::ids::{ConnectionId, CoreId};
use crate::base::storage::{DiskSpace, FileOp, FilesDone};
use crate::broker::message::Message;
use crate::log::effect::{LogEffect, LogInput};
use crate::wire::inspection::{Inspection, Objection};
use bytes::BytesMut;
use std::net::SocketAddr;

/// Everything that can happen to a broker.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Event {
    /// A client connected to this core's listener.
    Connected { connection: ConnectionId, peer: SocketAddr, local: SocketAddr },
    /// A whole request frame, without its length prefix, uniquely owned. `buffer_bytes`: size of the allocation it lies in.
    /// Empty where the length was none that is allowed: it has no header, so the connection closes in its turn.
    Request { connection: ConnectionId, frame: BytesMut, buffer_bytes: usize },
    /// The connection is gone; nothing is to be sent to it.
    Disconnected { connection: ConnectionId },
    /// The answers of this connection that the network has not taken. Told whenever a connection cannot send all at once, until it
    /// has; and after each turn that gave one more than `SESSION_UNSENT_BYTES_MAX`.
    Unsent { connection: ConnectionId, bytes: usize },
    /// A disk completion for this core's log.
    Log(LogInput),
    /// [`Effect::Inspect`] ended.
    Inspected { connection: ConnectionId, inspected: Result<BytesMut, Objection> },
    /// File operations of the metadata log ended (core 0).
    MetadataFiles { ticket: u64, done: FilesDone },
    /// From another core of this machine.
    Mesh { from: CoreId, message: Message },
    /// About every 10 ms, and right after a wake-up that `Broker::next_deadline` asked for.
    Tick,
    /// Room of the data directory's file system: at start, then about every second (S6). In between the broker counts down by itself.
    Space(DiskSpace),
    /// Stop gracefully: no new requests come; drain, flush, write the clean-shutdown mark, then `Effect::Stopped`.
    Stop,
}

/// Everything that a broker can want.
#[derive(Debug)]
#[allow(missing_docs, reason = "each variant's sentence names its fields")]
pub enum Effect {
    /// Send a whole response frame, length prefix included. Effects for one connection are already in request order.
    Reply { connection: ConnectionId, response: Gather },
    /// Send what was replied before, then close.
    Close { connection: ConnectionId, why: String },
    /// Stop (or go on) cutting requests from this connection.
    PauseReading { connection: ConnectionId, paused: bool },
    /// Hand the connection over to another core once its answers are sent. Nothing of it is owed; for this core it ends with
    /// `Event::Disconnected`.
    HandOver { connection: ConnectionId, to: CoreId },
    /// For the journal and the segments of this core.
    Log(LogEffect),
    /// Look inside a batch ([`Inspection::perform`]), off the core. One at a time for a connection.
    Inspect { connection: ConnectionId, inspection: Box<Inspection> },
    /// For the metadata log (core 0), in order, one batch at a time.
    MetadataFiles { ticket: u64, ops: Vec<FileOp> },
    /// To another core; bounded, batched per turn. In order per pair of cores.
    Send { to: CoreId, message: Message },
    /// This machine must stop now (panic on one core, metadata log failed).
    Fatal { why: String },
    /// Answer to [`Event::Stop`]: everything is flushed and marked.
    Stopped,
}
