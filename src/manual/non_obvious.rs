//! What is easy to get wrong here, because it once was, or because it looks superfluous.
//!
//! # Disk
//!
//! - **A flush covers what had been written when it was issued**, not when it ended. Acknowledging up to the written end at
//!   completion loses records that were written meanwhile.
//! - **After a failed fdatasync the next one may report success** for pages that are lost. So nothing is retried, and recovery
//!   rewrites what it accepted above the mark before it believes in it (S17).
//! - **A killed process's writes may still land** after the next one has started. So a boot never writes into an earlier
//!   boot's files, and metadata and checkpoint are copied to fresh ones first (S5).
//! - **O_DIRECT alone survives kill -9, not a power cut**: in a file that was only allocated, the conversion of its extents sits
//!   in the file system's journal. Files filled with zeros beforehand flush in 0.6 of the time for the same reason.
//! - **A new file needs its directory flushed** before the first acknowledgement out of it; the file's own flush is not enough.
//! - **One `syncfs` for many files** takes 2-21 ms where a flush each takes 92-732 ms for 1,000 files. It flushes everything on the
//!   file system, so it runs off the core's thread and never on the way of an acknowledgement.
//! - **A block with acknowledged bytes is never written again**, not even with more bytes behind them: a torn rewrite would take
//!   them. Hence the padding to 4096 after each write and each move.
//!
//! # Journal
//!
//! - **Record batches are clients' bytes, and a recycled file shows them in the middle of a scan.** CRC32C is no secret, so a
//!   producer could put made-up frames into a batch. Salts follow from a key that only the core's checkpoint holds; whatever does
//!   not carry the salt of its place is payload, and that is looked at before the checksum.
//! - **A recycled file is full of frames that look valid.** They are: their salt is the one of an earlier use. Salt, sequence
//!   of the file's first frame and boot are compared with the file's own boot frame.
//! - **A hole above every mark is normal**: four writes are in flight and complete in any order. Below a mark it means that an
//!   acknowledged record is gone. The empty mark frame that follows 100 ms after the last append keeps that window small.
//! - **Frames of a boot end where the next boot began**, although bytes behind may be intact: the next boot did not accept them,
//!   and their offsets may have been given to other records.
//! - **Truncations are replayed for offline partitions too**: without them what they cut would come back.
//! - **A log start hides records but does not remove them from replay**: producers are rebuilt from hidden batches too, else a
//!   producer that retries after DeleteRecords would be told that its sequence is out of order.
//! - **A delta must not describe the live state.** Between the chunk's end and the delta's writing the producers go on; a state
//!   beyond the chunk would make a crash forget a duplicate (S10).
//!
//! - **Retention deletes what is in no segment too**, but only all of it at once: else the records of a topic that went idle would
//!   outlive their time in the journal for ever. The newest segment's records go with it; as its file holds the partition's producers and
//!   epochs, it goes only when a segment of nothing but that state is durable and in a checkpoint. That one claims the offset before the
//!   log end: by the log end it would have the name of the segment that the next boot begins ([`retention`](crate::log::retention)).
//!
//! # Answers
//!
//! - **A duplicate's answer waits as well** (S3). The first arrival may not be flushed yet, and "duplicate" confirms it.
//! - **No answer to Produce is UNKNOWN_SERVER_ERROR**: clients treat it in ways that lose or double records.
//! - **Only the header of a batch is checked** (and its CRC). What only decoding would find, such as a record count that lies
//!   inside a compressed batch, is accepted, as the bytes will be handed out as they came.
//! - **librdkafka sends lz4 only to a broker that lists FindCoordinator**, and gzip and snappy only to one that lists Produce 0: it
//!   takes others for old releases and drops the codec without a word. Hence a listing of Produce 0 to 2 that serves nothing.
//! - **A request that waits holds up the later ones of its connection**, never those of others: answers leave in order.
//! - **Replication factor above the number of machines is refused** although Metadata shows a broker per core: the brokers of
//!   one machine share its power plug.
//!
//! # Runtime
//!
//! - **A core's loop is its own: epoll to wait, io_uring for the disk and for many sends at once.** A general executor
//!   (glommio) entered the kernel about eight times per wake-up, to arm timers and polls that a core does not need, and let
//!   the clients take the CPU after every single send. Same machine, client and broker sharing two CPUs, `disk`: one-record
//!   requests 23 to 15 us of broker CPU each, 50 to 69 thousand a second; 16 KiB requests 1.57 to 1.03 CPU-s/GB; 1 MiB
//!   requests 0.53 to 0.44; 10 MB/s in 4 KiB requests 47 to 27. A thread that kept parked executors awake went with it.
//! - **Sends leave together** ([`send_batch`](crate::runtime::send_batch)): one call for all sockets that a flush answers, so
//!   that their clients ask again before the core runs, not between two sends.
//! - **A little is written with O_DSYNC, much with writes and a flush.** A flush of its own takes a thread of the kernel's
//!   pool and wakes the core twice; one operation for both takes neither. For much it is the other way round: four writes side by
//!   side share a flush. 10 MB/s in 4 KiB requests: 22 to 15 CPU-s/GB, of which kernel threads that no process is charged
//!   for took over 2.6; with one-record requests those threads have less to do as well.
//! - **A little waits for clients that come back at once** (`broker/returning`): 7 to 10 requests a flush became 15, of 16
//!   connections a core, and one-record requests 17 to 13 us beside builds on the same machine.
//! - **A socket is watched once, for edges** ([`readiness`](crate::runtime::readiness)): a short read means that it is empty,
//!   except when the peer has said goodbye: that is not told twice.
//! - **Large batches are written from where they were received** ([`block_write`](crate::runtime::block_write)): what direct I/O asks
//!   is not that memory be aligned to the start of a batch, but that memory and file agree. Up to a block of filler before the batch
//!   makes them agree. 1 MiB requests 0.50, 0.41 to 0.33, 0.32 CPU-s/GB (alternating, both filled first).
//! - **Freed memory stays for ten minutes.** What the cache of a deleted topic gives back is faulted in again by the next topic, and where a
//!   host hands out memory page by page, a huge page takes 2 to 4 ms during which the core stands: p99 at a steady rate was that.
//! - **A buffer is resident before its bytes arrive.** The allocator asks for huge pages, so 600 frames of 1 MiB that stopped after
//!   their first KiB held 650 MiB. Without huge pages it is exact, but a 1 MiB request costs a seventh more CPU (0.56 to 0.65
//!   CPU-s/GB, medians of four runs). So what is allocated ahead is bounded ([`slack`](crate::runtime::slack)).
//! - **A huge declared length must not stand before an ordinary request**: each has a pool of the read budget. While somebody
//!   waits, frames that would not be whole within 2 seconds at their pace are given up.
//! - **A panic on a thread aborts the process.** The others would go on with a core missing.
//! - **Buffers of disk writes are not zeroed.** Padding is written explicitly, else old records leak to disk.
//!
//! # Cores
//!
//! - **A partition is placed by index, not by core**: core = placement mod cores. So the number of cores may change without
//!   rewriting a record, and broker ids exist only at the edge.
//! - **Old journals are drained before the flip, deleted after it.** A crash before starts over with the old layout, a crash
//!   after never replays them (S19).
