//! What cores of one machine say to each other. Admin and metadata only: produce and fetch never send one.

/// See the module. The runtime carries it and never looks inside.
#[derive(Debug)]
pub enum Message {
    /// Core 0 to all: stop gracefully.
    Stop,
}
