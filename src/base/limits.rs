//! Every bound of the machine, by name. A bound that an operator may move is a configuration key (`base::config`) instead.

/// Journal writes in flight per core.
pub const JOURNAL_WRITES_IN_FLIGHT_MAX: usize = 4;
/// Bytes of one journal write, padding included.
pub const JOURNAL_WRITE_BYTES_MAX: usize = 512 * 1024;
/// While a journal write is in flight, the next one starts once this many bytes wait (else it waits for the completion).
pub const JOURNAL_WRITE_EAGER_BYTES: usize = 128 * 1024;
/// Slices from this size on are written to the disk from where they lie, if their place in the file allows it.
pub const DIRECT_BYTES_MIN: usize = 64 * 1024;
/// What a journal file spends around one batch at most: its first frame, the batch's frame header, padding to the block.
pub const JOURNAL_FRAME_OVERHEAD_BYTES_MAX: u64 = 8 * 1024;
/// Share of the ring, in percent, at which appends pause (S6).
pub const RING_APPEND_PERCENT_MAX: u64 = 75;
/// Share of the ring, in percent, at which the segment writer starts.
pub const RING_MOVE_PERCENT: u64 = 50;
/// A partition's tail below this may be re-appended to the journal instead of moved (S8).
pub const REAPPEND_TAIL_BYTES_MAX: u64 = 16 * 1024;
/// Re-appended bytes per recycled journal file: file bytes divided by this (S8).
pub const REAPPEND_FILE_DIVISOR: u64 = 8;
/// Batches up to this size are joined when they leave the journal for a segment.
pub const SPAN_BATCH_BYTES_MAX: usize = 4 * 1024;
/// ... up to so many bytes together.
pub const SPAN_BYTES_MAX: usize = 64 * 1024;
/// Bytes of batches in one segment chunk (one write).
pub const CHUNK_BYTES_MAX: usize = 1024 * 1024;
/// Segment bytes after which a move leaves a full state block (S10).
pub const STATE_BLOCK_EVERY_BYTES: u64 = 16 * 1024 * 1024;
/// Batch bytes between two offset index entries.
pub const INDEX_INTERVAL_BYTES: u64 = 32 * 1024;
/// Batches remembered per producer and partition (duplicates are found among these).
pub const PRODUCER_BATCHES_MAX: usize = 5;
/// Producers remembered per partition; the longest unused is forgotten first (S12).
pub const PRODUCERS_PER_PARTITION_MAX: usize = 10_000;
/// Milliseconds after the last append when an empty mark frame records the flushed end (S4).
pub const MARK_AFTER_MS: u64 = 100;
/// Partitions moved, thus files written, per `syncfs` round (S12).
pub const MOVES_PER_ROUND_MAX: usize = 2048;
/// Journal files of offline partitions kept outside the ring (S11).
pub const OFFLINE_JOURNAL_FILES_MAX: usize = 16;
/// Array elements and tagged fields of one request. A frame can announce an element per byte, and a decoded element takes up to
/// about 120 bytes; this bounds what decoding commits to about 16 MiB whatever the frame holds.
pub const REQUEST_ELEMENTS_MAX: usize = 128 * 1024;
/// Partitions that one request may create (Kafka's bound).
pub const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;
/// Partitions in one answer to DescribeTopicPartitions (Kafka's `max.request.partition.size.limit`).
pub const DESCRIBED_PARTITIONS_MAX: usize = 2_000;
/// Producers in one answer to DescribeProducers; one partition's always fit.
pub const DESCRIBED_PRODUCERS_MAX: usize = 10 * PRODUCERS_PER_PARTITION_MAX;
/// Partitions of all topics of one machine.
pub const PARTITIONS_PER_MACHINE_MAX: usize = 200_000;
/// Bytes of all configs that one request may set.
pub const METADATA_REQUEST_CONFIG_BYTES_MAX: usize = 1024 * 1024;
/// Producer ids in a block given to a core (Kafka's number).
pub const PRODUCER_IDS_PER_BLOCK: i64 = 1000;
/// Requests of one connection that wait or whose answers wait; beyond it, reading of the connection pauses.
pub const SESSION_REQUESTS_MAX: usize = 256;
/// Bytes of one connection's waiting frames and waiting answers; beyond it, reading of the connection pauses.
pub const SESSION_WAITING_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Record bytes of one Fetch answer, whatever the client allows (Kafka's `fetch.max.bytes`). One batch may exceed it.
pub const FETCH_ANSWER_BYTES_MAX: usize = 55 * 1024 * 1024;
/// A Produce waits at least this long for its flush, whatever its timeout says: clients that send 0 mean "soon", not "never".
pub const PRODUCE_WAIT_MS_MIN: u64 = 1_000;
/// Unsent answers of one connection beyond which none of its requests begins.
pub const SESSION_UNSENT_BYTES_MAX: usize = 1024 * 1024;
/// Requests that the sessions of one core keep (queued or held); beyond it each session may queue only
/// [`SESSION_WAITING_BYTES_SCARCE`].
pub const SESSIONS_KEPT_BYTES_MAX: usize = 128 * 1024 * 1024;
/// See [`SESSIONS_KEPT_BYTES_MAX`].
pub const SESSION_WAITING_BYTES_SCARCE: usize = 64 * 1024;
/// Without a number of their own (`tail.cache.bytes=auto`) the caches of all cores together take the memory that the process may use,
/// divided by this.
pub const TAIL_CACHE_MEMORY_DIVISOR: u64 = 8;
/// ... but each at least this much.
pub const TAIL_CACHE_BYTES_LEAST: u64 = 16 * 1024 * 1024;
/// What a core's cache may take at once.
pub const CACHE_BUDGET_BYTES_FIRST: u64 = 64 * 1024 * 1024;
/// ... and how fast it grows from there, up to `tail.cache.bytes`.
pub const CACHE_GROWTH_BYTES_PER_SECOND: u64 = 32 * 1024 * 1024;
/// Growth that was not wanted is saved up for so long: batches leave the ring for the cache in bursts.
pub const CACHE_GROWTH_SAVED_MS_MAX: u64 = 16_000;
/// A Fetch answer may take a quarter of the memory that is left for answers (`fetch.memory.bytes`), but at least this much; with
/// less left it waits.
pub const FETCH_GRANT_BYTES_MIN: u64 = 1024 * 1024;
/// Unsent answers of a core, beyond `fetch.memory.bytes`, at which requests other than Produce and Fetch wait.
pub const ANSWERS_BESIDE_BYTES_MAX: u64 = 8 * 1024 * 1024;
/// Parts of clients' requests that one core may have under way on other cores, without those of waiting Fetches; beyond it further
/// requests wait where they are.
pub const FORWARDED_PARTS_MAX: usize = 64 * 1024;
/// Fetches of one core's clients that wait on several cores; beyond it the one that has waited longest is answered with what there is.
pub const WAITING_FETCHES_FORWARDED_MAX: usize = 32 * 1024;
/// Requests in a row, each about partitions of the same other core alone, after which a connection is handed over to that core.
pub const HAND_OVER_STREAK_MIN: u32 = 8;
/// A Fetch waits at most this long, whatever the client allows.
pub const FETCH_WAIT_MS_MAX: u64 = 15 * 60 * 1_000;
/// How often timeouts of parked Produce and DeleteRecords requests are looked for.
pub const TIMEOUT_SCAN_MS: u64 = 100;

/// Partitions that a core looks at in one turn of a retention check.
pub const RETENTION_PARTITIONS_PER_TURN_MAX: usize = 4_096;
/// The first retention check comes this long after the start at the latest (Kafka's number).
pub const RETENTION_FIRST_CHECK_MS: u64 = 30_000;
/// Pause of a retention check that found the journal full.
pub const RETENTION_RETRY_MS: u64 = 500;

const _: () = assert!(JOURNAL_WRITE_EAGER_BYTES <= JOURNAL_WRITE_BYTES_MAX);
const _: () = assert!(RING_MOVE_PERCENT < RING_APPEND_PERCENT_MAX);
const _: () = assert!(REAPPEND_TAIL_BYTES_MAX < CHUNK_BYTES_MAX as u64);
/// State blocks from the newest back to the last full one, at most: bounds the reads that open a partition.
pub const STATE_CHAIN_MAX: u32 = 32;
/// Segment indexes in memory per core beyond those of the newest segments.
pub const INDEXES_LOADED_MAX: usize = 256;
/// Bytes of one cold read.
pub const READ_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Memory kept alive by batches that are not in a segment yet, in rings: above it appends pause (S12).
pub const PINNED_RING_MULTIPLE_MAX: u64 = 2;
/// Milliseconds between two housekeeping rounds of a segment writer (files to remove, deleted topics to forget).
pub const HOUSEKEEPING_EVERY_MS: u64 = 500;
/// Decompressed bytes of one batch that a search by time looks at; beyond them it answers with the batch's first offset.
pub const SCAN_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Records of a refused batch that its answer names; the rest is refused with them unnamed.
pub const RECORD_ERRORS_MAX: usize = 1_000;
/// Decompressed bytes of one batch that is compressed anew: they are in memory at once, on one thread.
pub const RECOMPRESS_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Decompressed bytes of one snappy block, which has to be in memory whole.
pub const SNAPPY_BLOCK_BYTES_MAX: usize = 64 * 1024 * 1024;
/// Searches by time per core that read or decompress at once; more wait.
pub const SEARCHES_ACTIVE_MAX: usize = 4;
/// Incremental fetch sessions per core (Kafka's `max.incremental.fetch.session.cache.slots`).
pub const FETCH_SESSIONS_MAX: usize = 1_000;
/// Partitions of all fetch sessions of a core; a session that would exceed them is not made (about 100 bytes each).
pub const FETCH_SESSION_PARTITIONS_MAX: usize = 400_000;
/// A fetch session unused for this long gives way to any new one; one younger than this never gives way to another (Kafka's number).
pub const FETCH_SESSION_EVICTION_MS: u64 = 120_000;
/// Bytes of a text that a group's records or members carry: what the schemas have room for.
pub const GROUP_TEXT_BYTES_MAX: usize = 32_767;
/// Records of groups in one batch, beyond the first of them.
pub const GROUP_BATCH_BYTES_MAX: usize = 256 * 1024;
/// Records of one write of a group: Kafka's default bound for a batch.
pub const GROUP_RECORD_BYTES_MAX: usize = 1024 * 1024;
/// A coordinator's log is left to grow to this size, whatever it says.
pub const GROUP_LOG_BYTES_MIN: usize = 1024 * 1024;
/// Beyond it, to so many times of what it says.
pub const GROUP_LOG_LIVE_MULTIPLE: usize = 4;
/// A new member that waits for its first rebalance is given up after this time (Kafka's number).
pub const GROUP_NEW_MEMBER_WAIT_MS: u64 = 5 * 60 * 1_000;
/// What the members of all groups of a core's coordinators may take: ids, metadata, assignments. Beyond it joins and assignments are
/// refused.
pub const GROUP_MEMBER_BYTES_MAX: usize = 128 * 1024 * 1024;
/// What the committed offsets and stored groups of a core's coordinators may take; beyond it nothing more is committed.
pub const GROUP_STATE_BYTES_MAX: usize = 512 * 1024 * 1024;
