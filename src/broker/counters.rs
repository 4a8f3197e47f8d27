//! Counts of what a broker did, per core, since its start. Plain numbers: the runtime copies them out on request.

/// See the module. Monotonic.
#[derive(Clone, Debug, Default)]
pub struct Counters {
    /// Requests per API key (index).
    pub requests: Vec<u64>,
    /// Requests whose answer carried an error code anywhere, or that closed the connection.
    pub request_errors: u64,
    /// Messages sent to other cores. Produce and fetch of stock clients cause none.
    pub mesh_messages_sent: u64,
    /// Record batches appended.
    pub appended_batches: u64,
    /// Bytes of record batches appended.
    pub appended_bytes: u64,
    /// Bytes of record batches fetched that were in memory.
    pub fetched_cached_bytes: u64,
    /// Bytes of record batches fetched that were read from the disk.
    pub fetched_disk_bytes: u64,
}
