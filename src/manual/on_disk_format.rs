//! Every byte that lies below the data directory, format version 1.
//!
//! ```text
//! lock                                            held by the running process
//! metadata/meta.properties                        whose data this is, for people
//! metadata/log                                    snapshot and records since
//! metadata/ballast                                preallocated space, given up when the disk is full
//! journal/<generation>/<core>/<n>.journal         the core's ring; n has 8 digits and is never used twice
//! journal/<generation>/<core>/checkpoint.0, .1    two slots, the number's parity chooses
//! topics/<topic id>/<partition>/<base>.segment    topic id: 32 hexadecimal digits; base: 20 decimal digits
//! ```
//!
//! Writes are aligned to 4096 bytes ([`BLOCK_BYTES`](crate::base::storage::BLOCK_BYTES)) and padded with zeros: a block with
//! acknowledged bytes is never written again. Checksums are CRC32C and skip themselves. Integers are big-endian.
//! Record batches are Kafka's v2 batches, byte-identical to what the
//! producer sent but for base offset and leader epoch.
//!
//! # Journal frame
//!
//! [`journal_frame`](crate::log::journal_frame). A frame starts at a multiple of 8, a write at a multiple of 4096. A frame's validity depends
//! on nothing but itself (S15): place, salt and sequence are in it and under its checksum.
//!
//! ```text
//!   0 ┌───────────────┬───┬───┬───────┐ magic "CLJF" u32, version u8 (1), kind u8, bytes of filler u16
//!   8 ├───────────────┼───┴───┴───────┤ length u32 (header and body), checksum u32
//!  16 ├───────────────┼───────────────┤ generation u32, boot u32
//!  24 ├───────────────┴───────────────┤ first sequence of the boot u64
//!  32 ├───────────────────────────────┤ salt of this use of the file u64
//!  40 ├───────────────────────────────┤ sequence of the file's first frame u64
//!  48 ├───────────────────────────────┤ sequence u64
//!  56 ├───────────────────────────────┤ durable mark u64: highest sequence known flushed
//!  64 └───────────────────────────────┘ body
//! ```
//!
//! | kind | body |
//! |---|---|
//! | 1 append, 2 re-append | topic id 16, partition i32, leader epoch i32, base offset i64, end offset i64, filler, record batch |
//! | 3 truncate | topic id 16, partition i32, end offset i64 |
//! | 4 log start | topic id 16, partition i32, log start offset i64 |
//! | 5 extent | reserved: bulk that goes straight into a segment |
//! | 6 mark | nothing; carries the durable mark |
//! | 7 boot, first frame of each file | number of the checkpoint that allowed the reuse u64, first file of a boot u8, end that this boot accepted of those before u64 |
//!
//! The filler before a batch of 64 KiB or more is zeros, less than 4096 of them: as many as it takes for the batch to stand as far behind
//! a multiple of 4096 in the file as it did in memory. Direct I/O can write it from there without a copy then. Readers pass over it.
//!
//! # Segment
//!
//! [`segment`](crate::log::segment). A move appends an extent and a state block, as one aligned write. An extent of no bytes stands for
//! offsets that the log start has passed: it begins a segment that was written for its state alone.
//!
//! ```text
//! extent header, at a multiple of 4096
//!   0 ┌───────────────┬───┬───────────┐ magic "CLSX" u32, version u8 (1), zero 3
//!   8 ├───────────────┼───┴───────────┤ checksum u32 of this header, boot u32
//!  16 ├───────────────┴───────────────┤ topic id 16
//!  32 ├───────────────┬───────────────┤ partition i32, base offset i64 ...
//!  40 ├───────────────┼───────────────┤ ... , end offset i64 (from 44) ...
//!  48 ├───────────────┼───────────────┤ ... , first leader epoch i32 (52)
//!  56 ├───────────────┼───────────────┤ last leader epoch i32, bytes of filler u32 (as in the journal)
//!  64 ├───────────────┴───────────────┤ bytes of the record batches u64
//!  72 ├───────────────────────────────┤ zero u64
//!  80 └───────────────────────────────┘ filler, record batches, padded to 8
//!
//! state block, behind them
//!   0 ┌───────────────┬───┬───┬───────┐ magic "CLST" u32, version u8 (1), kind u8 (1 full, 2 delta), zero u16
//!   8 ├───────────────┼───┴───┴───────┤ length u32, checksum u32
//!  16 ├───────────────┼───────────────┤ boot u32, topic id 16 (20 to 35)
//!  36 ├───────────────┼───────────────┤ partition i32, end offset i64 (40 to 47): the state is as of this offset
//!  48 ├───────────────┴───────────────┤ position of the block before u64 (all ones: none)
//!  56 ├───────────────┐               │ its length u32
//!  60 ├───────────────┘               │ index runs: count u32, then each 28: base i64, position u32, bytes u32, checksum u32,
//!     │                               │   max timestamp i64
//!     │                               │ leader epochs: count u32, then each 12: epoch i32, start offset i64
//!     │                               │ producers: count u32, then id i64, epoch i16, newest timestamp i64, batch count u8, and per batch 24:
//!     │                               │   first sequence i32, last sequence i32, base offset i64, end offset i64
//!     └───────────────────────────────┘ aborted transactions: count u32 (0); padding to 8, then to 4096
//! ```
//!
//! A delta holds what its extent added, a full block all of the segment's index and all producers; leader epochs are always
//! complete. The first block of a segment is full, as is one every 16 MiB
//! ([`STATE_BLOCK_EVERY_BYTES`](crate::base::limits::STATE_BLOCK_EVERY_BYTES)), so a chain never leaves its file. An index run
//! ([`Run`](crate::log::offset_index::Run)) is a stretch of batches side by side, about 32 KiB; its checksum covers the first 21
//! bytes of each batch, the ones that Kafka's own CRC leaves out. A segment's end is what the checkpoint says, never the file's.
//!
//! # Checkpoint slot
//!
//! [`checkpoint`](crate::log::checkpoint). The first write of a boot replaces the slot's file, later ones go in place; number n goes
//! into slot n mod 2, so the newest durable one is never overwritten.
//!
//! ```text
//!   0 ┌───────────────┬───┬───────────┐ magic "CLCK" u32, version u8 (1), zero 3
//!   8 ├───────────────┼───┴───────────┤ length u32, checksum u32
//!  16 ├───────────────┴───────────────┤ number u64
//!  24 ├───────────────┬───────┬───────┤ generation u32, core u16, zero u16
//!  32 ├───────────────┼───────┴───────┤ boot u32, first live sequence u64 (36 to 43)
//!  44 ├───────────────────────────────┤ key u64: the salts of this core's journal files follow from it
//!  52 ├───────────────┐               │ partitions: count u32, then each:
//!     │                               │   topic id 16, partition i32, log start i64,
//!     │                               │   held first sequence u64, held last sequence u64 (0, 0: not offline),
//!     │                               │   segments: count u32, then each 44: base i64, end i64, file bytes u64,
//!     └───────────────────────────────┘     newest state block: position u64, length u32, max timestamp i64
//! ```
//!
//! # Metadata log
//!
//! [`metadata::log::frame`](crate::metadata::log::frame). One file: a snapshot, the records since, marks, zeros. A new file replaces it
//! by one rename at every start and when it is nearly full, so snapshot and log switch together.
//!
//! ```text
//!   0 ┌───────────────┬───┬───┬───────┐ magic "CLmd", version u8 (1), kind u8, zero u16
//!   8 ├───────────────┴───┴───┴───────┤ salt of the file u64
//!  16 ├───────────────────────────────┤ position of this frame in the file u64
//!  24 ├───────────────────────────────┤ term u64: 0, the cluster's raft term later
//!  32 ├───────────────────────────────┤ offset u64: records of the log before this frame
//!  40 ├───────────────────────────────┤ durable mark u64: records known flushed
//!  48 ├───────────────┬───────────────┤ records u32, payload bytes u32
//!  56 ├───────────────┼───────────────┤ size of the file in blocks u32, checksum u32
//!  64 └───────────────┴───────────────┘ payload: records; zeros to the block
//! ```
//!
//! Kinds: 1 snapshot, more follows; 2 end of the snapshot; 3 records, committed together; 4 mark. A record is
//! ([`record_codec`](crate::metadata::record_codec)) `kind, version 0, fields, tags`; numbers are LEB128 (signed ones zigzag), text is
//! length and UTF-8, ids are 16 bytes, a list is count and elements, an optional is 0 or 1 and the value. A later release may add
//! tags (number, length, value), never fields; an unknown kind or version refuses the start.
//!
//! | kind | fields |
//! |---|---|
//! | 1 format | cluster id text, machine, directory id |
//! | 2 feature level | name text, level |
//! | 3 boot | machine, boot number, wall clock ms |
//! | 4 clean shutdown | machine, boot number |
//! | 5 register machine | machine, incarnation id, broker epoch |
//! | 6 generation begun | generation |
//! | 7 layout | generation, cores |
//! | 8 topic | name text, topic id |
//! | 9 partition | topic id, partition, replicas list of machines, in-sync list of machines, leader machine, leader epoch, partition epoch, placement |
//! | 10 remove topic | topic id |
//! | 11 topic forgotten | topic id |
//! | 12 config | resource type (2 topic, 4 broker), resource name text, key text, optional value text |
//! | 13 producer ids | next id |
//!
//! The tags of a partition: 0 eligible leader replicas, 1 the last known ones (lists of machines), 2 recovery state (1: recovering),
//! 3 directories (list of ids). A leader epoch is stored as of the boot in force where the record stands; each later boot adds one.
//!
//! Placement is an index; core = placement mod cores, which is why the number of cores may change without a record per partition.
