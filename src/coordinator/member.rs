//! A member of a group.

use crate::coordinator::answers::Caller;
use bytes::Bytes;
use std::sync::Arc;

/// See the module. Ids and metadata are copies of their own: they live longer than the request that brought them.
#[derive(Clone, Debug)]
pub(super) struct Member {
    pub(super) id: Arc<str>,
    /// The name that stays when a static member comes back with a new id.
    pub(super) instance_id: Option<Arc<str>>,
    pub(super) client_id: Arc<str>,
    pub(super) client_host: Arc<str>,
    pub(super) rebalance_timeout_ms: i32,
    pub(super) session_timeout_ms: i32,
    /// What it can do, its favourite first, with its metadata for each.
    pub(super) protocols: Vec<(Arc<str>, Bytes)>,
    /// What the leader gave it in this generation.
    pub(super) assignment: Bytes,
    /// Its JoinGroup waits for the others.
    pub(super) joining: Option<Caller>,
    /// Its SyncGroup waits for the leader's.
    pub(super) syncing: Option<Caller>,
    /// It has not completed a rebalance yet.
    pub(super) is_new: bool,
    /// Monotonic milliseconds at which its session ends unless it is heard of.
    pub(super) deadline_ms: u64,
    /// When its timer fires: at the deadline or before.
    pub(super) timer_ms: Option<u64>,
}

impl Member {
    /// Its metadata for a protocol.
    pub(super) fn metadata(&self, protocol: &str) -> Bytes {
        let known = self.protocols.iter().find(|(name, _)| **name == *protocol);
        known.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// What of it is kept in memory, about.
    pub(super) fn bytes(&self) -> usize {
        /// Of the structure and its places in the maps.
        const FIXED_BYTES: usize = 512;
        let texts = self.id.len() + self.client_id.len() + self.client_host.len();
        let protocols: usize = self.protocols.iter().map(|(name, metadata)| 64 + name.len() + metadata.len()).sum();
        FIXED_BYTES + texts + protocols + self.assignment.len()
    }
}
