//! Hints about the current leader, which Produce 10+ and Fetch 12+ answers may carry with NOT_LEADER_OR_FOLLOWER (KIP-951).

use crate::wire::writer::Writer;

/// Who leads a partition now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderHint {
    /// Broker id.
    pub leader_id: i32,
    /// Its leader epoch.
    pub leader_epoch: i32,
}

impl LeaderHint {
    /// The content of the tagged field.
    pub(crate) fn encode(self) -> [u8; 9] {
        let mut bytes = [0; 9];
        bytes[..4].copy_from_slice(&self.leader_id.to_be_bytes());
        bytes[4..8].copy_from_slice(&self.leader_epoch.to_be_bytes());
        bytes
    }
}

/// Where a hinted leader listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeEndpoint {
    /// Broker id.
    pub node_id: i32,
    /// Advertised host.
    pub host: String,
    /// Advertised port.
    pub port: i32,
    /// Rack, if configured.
    pub rack: Option<String>,
}

/// The last tag section of an answer: the endpoints, if there are any, under tag 0.
pub(crate) fn put_endpoints(writer: &mut Writer, endpoints: &[NodeEndpoint]) {
    if endpoints.is_empty() {
        writer.no_tags();
        return;
    }
    let mut part = Writer::part(true);
    part.count(endpoints.len());
    for endpoint in endpoints {
        part.i32(endpoint.node_id);
        part.text(&endpoint.host);
        part.i32(endpoint.port);
        part.nullable_text(endpoint.rack.as_deref());
        part.no_tags();
    }
    writer.unsigned_varint(1);
    writer.tag(0, &part.into_part());
}
