//! From a Fetch request to its records: plan, perform, finish.
//!
//! # Plan
//!
//! A request is planned from its start, against one metadata image and the offsets of that moment. For each partition: is it
//! led here (else NOT_LEADER_OR_FOLLOWER, with a hint where the version has one), does the client's leader epoch fit, is the
//! offset between log start and log end (else OFFSET_OUT_OF_RANGE, never clamped), how many bytes are there up to the high
//! watermark?
//!
//! - Something failed, `min_bytes` are there, or `max_wait` is over: perform.
//! - Otherwise the request parks as data: which partitions it watches, and its deadline. A raised high watermark, an opened
//!   partition or the deadline **plans it again from the start**: there is no half-finished state and one code path.
//!
//! # Perform
//!
//! [`CoreLog::read`](crate::log::core_log::CoreLog::read) takes segment, then tail, by offset (S9):
//!
//! - In the tail: slices of the batches as they were appended, at once. No copy, no disk.
//! - In a segment: the index gives the runs that hold the range; they are read with O_DIRECT off the core's thread, the run's
//!   checksum is compared, and the answer waits as a ticket. If the segment's index is not in memory, its newest state
//!   block and those that it points back to are read first. Rot takes the partition offline; nothing else is affected.
//!
//! Whole batches are served, from the one that contains the asked offset: clients skip what they did not ask for. The first
//! partition with records gives at least one batch whatever the bounds say, so that a large batch cannot block a consumer;
//! after it `max_bytes` and each partition's bound hold.
//!
//! # Finish
//!
//! When the last ticket is back the answer is header bytes and slices, sent vectored; batches are never decoded or re-encoded.
//! Base offset and leader epoch were stamped at the append, so the bytes that consumers get are the bytes on the disk.
//!
//! # What a consumer may see
//!
//! Up to the high watermark, which moves as the topic's durability says: with `disk` nothing is seen that a power cut could
//! take back. `read_committed` ends at the last stable offset, the same number until there are transactions.
//!
//! # Backpressure
//!
//! Answers of a connection leave in the order of its requests. A client that does not read its answers is not read from
//! either; after the write-stall timeout its connection is closed.
