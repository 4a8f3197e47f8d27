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
//! - In the tail: slices of the batches as they were appended, at once. No copy, no disk. How much of what is in a segment stays in
//!   memory too says `tail.cache.bytes`: an eighth of the memory of the machine (or of the container) for all cores together if
//!   nobody says, beginning with 64 MiB a core and growing by 32 MiB a second where it is wanted. The oldest goes first.
//!   Batches of up to 4 KiB are joined to spans of up to 64 KiB when they leave the journal: the segment's file is written from
//!   the same memory that stays cached. A larger batch stays in its receive buffer and counts with the whole buffer (S12), so
//!   that with batches of 16 KiB about 0.4 of the budget is batches; joining those too costs more than it gives (measured in
//!   [`super::price`]).
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
//! # Sessions
//!
//! A client that names its partitions once (KIP-227) sends only changes afterwards, and an answer tells only what changed: records,
//! errors, a new high watermark or log start. A session turns an incremental request into the full one before it is planned, and
//! leaves out of the finished answer what the client knows; everything in between knows no sessions. So an incremental
//! request without any partition waits for data like a full one. Sessions live on the core, not on the connection, and are
//! bounded in number and partitions; one that had to go costs its client error 70 and one full request.
//!
//! # Looking for a time
//!
//! ListOffsets by time goes from coarse to fine: segments, index runs and batch headers each carry their largest timestamp, so what
//! is older is passed over unread. One run is read, its first batch that may hold the record is decompressed as a stream on
//! the blocking pool, up to the first match. The search keeps only its next offset and is planned again after each step, so that
//! moves, evictions and deletions in between do not matter to it. At most four per core are active
//! ([`SEARCHES_ACTIVE_MAX`](crate::base::limits::SEARCHES_ACTIVE_MAX)), the others wait in line.
//!
//! Timestamps are the producer's word. A header that understates its largest timestamp hides its batch from such a search; one that
//! overstates costs a look. A batch that cannot be decompressed, or is larger than
//! [`SCAN_BYTES_MAX`](crate::base::limits::SCAN_BYTES_MAX), is answered with its first offset: whoever starts there misses nothing.
//!
//! # What a consumer may see
//!
//! Up to the high watermark, which moves as the topic's durability says: with `disk` nothing is seen that a power cut could
//! take back. `read_committed` ends at the last stable offset, the same number until there are transactions.
//!
//! # Backpressure
//!
//! Answers of a connection leave in the order of its requests. A client that does not read its answers is not read from
//! either, and with more than 1 MiB of them unsent none of its requests begins; after the write-stall timeout its connection is
//! closed.
//!
//! # Memory of answers
//!
//! A request of a few bytes asks for megabytes, so clients that ask and never read could fill the machine. What is being read from
//! the disk, what waits for an earlier answer and what the network has not taken (slices of the tail too: they keep evicted
//! batches alive) count against `fetch.memory.bytes`, 16 MiB per core:
//!
//! - An answer takes at most a quarter of what is left, but 1 MiB in any case, so that answers shrink before anybody waits.
//! - With less than 1 MiB left a Fetch that has data waits, one request per connection in turn, and not while its client has
//!   answers to take. One without data needs no memory and does not wait.
//! - 8 MiB further up all other requests wait in line too, but for Produce and ApiVersions of clients that take their answers:
//!   a producer must not notice any of this.
//! - Only while somebody has waited for 250 ms are connections closed for it: of those whose clients would need more than 10 seconds
//!   for what they were answered, the one with most of it, one every 10 ms. Without anybody waiting, slow clients are left alone.
