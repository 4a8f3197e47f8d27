//! From a Produce request's bytes to its answer.
//!
//! # Down, within one turn
//!
//! 1. `runtime`: the connection's bytes are cut into frames; each becomes [`Event::Request`](crate::broker::event::Event::Request).
//! 2. [`Broker::handle`](crate::broker::broker::Broker::handle): header, API and version from the table
//!    ([`APIS`](crate::wire::api::APIS)), order of answers per connection.
//! 3. `broker/api/produce`: partitions led elsewhere are answered NOT_LEADER_OR_FOLLOWER. Each batch is validated without
//!    decoding it: the 61-byte header, the CRC32C once ([`record_batch`](crate::wire::record_batch)).
//!    A topic that is compacted, bounds timestamps or sets `compression.type` has its batches looked into
//!    ([`inspection`](crate::wire::inspection)): uncompressed ones at once; else the batch goes to the thread that computes, the request
//!    is held, and later ones of its connection behind it. With Kafka's defaults no batch takes that way.
//! 4. [`CoreLog::append`](crate::log::core_log::CoreLog::append): is the partition open, is there room in ring, memory and disk? The
//!    producer's sequence is checked (a duplicate gets the offsets of its first arrival), base offset and leader epoch are
//!    stamped (both lie outside Kafka's CRC), the batch becomes a journal frame and an entry of the tail. A batch that is a small
//!    part of the buffer it arrived in is copied out, so that 100 bytes never pin 512 KiB.
//! 5. acks=1 and acks=all park the answer until the high watermark passes the batch's end; acks=0 has none.
//!
//! # At the end of the turn
//!
//! [`CoreLog::end_turn`](crate::log::core_log::CoreLog::end_turn) cuts the turn's frames into aligned writes of at most 512 KiB, four in
//! flight, and issues one flush for all writes that have completed. While a write is in flight the next waits until 128 KiB are
//! there. Less than that, with nothing unflushed before it, is written and flushed by one operation (O_DSYNC), which wakes the core
//! once. The runtime gathers header bytes and batch slices into an aligned buffer: the one copy on this path. A batch of
//! 64 KiB or more is spared it: a filler in its frame puts it as far from a block border in the file as it lies in memory, and direct
//! I/O takes its whole blocks from where they were received ([`block_write`](crate::runtime::block_write)). So it is with segments, later.
//!
//! The disk's own latency is the batching; there is no linger, with one exception. After a flush a little waits for those
//! clients that the flush answered and that come back at once each time (`broker/returning`), for at most about the time that
//! two flushes take, and half a millisecond. Without that, such clients fall into two halves that take turns, and every
//! flush serves half of them.
//!
//! # Back up
//!
//! 1. The write completed: the written end moves over the contiguous prefix of completed writes. Class `device` is answered now.
//! 2. The flush completed: the flushed end moves to what had been written when it was *issued* (S2). Class `disk` is answered now.
//! 3. Each partition's high watermark follows ([`LogNotice::HighWatermark`](crate::log::effect::LogNotice::HighWatermark)) and never
//!    falls; parked produces and waiting fetches are looked at again. A duplicate waits for the same watermark (S3).
//! 4. The runtime writes each socket once per turn.
//!
//! # Later
//!
//! When half of the ring is used, the segment writer begins a round, each step complete before the next (S7):
//!
//! ```text
//! open the chosen partitions -> write extents and state blocks, of flushed bytes only -> one syncfs
//!   -> re-appended frames flushed -> checkpoint slot written and flushed -> journal files reused -> unnamed files unlinked
//! ```
//!
//! The largest tails are moved; tails under 16 KiB are appended to the journal's head again instead, each batch once (S8). At 75 %
//! of the ring appends pause: the connection is not read any more, and goes on when files are free.
//!
//! # When something fails
//!
//! | what | answer |
//! |---|---|
//! | the disk is full | KAFKA_STORAGE_ERROR before the append; reads go on; topics can still be deleted |
//! | a journal write or flush failed | KAFKA_STORAGE_ERROR on this core until restart; nothing is retried |
//! | a segment write failed | the partition is offline until restart; its frames stay in the journal |
//! | the answer is not there in time | REQUEST_TIMED_OUT; the records may still become durable |
