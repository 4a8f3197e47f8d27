//! What happens between a crash and the ready line, and why each step may rely on the one before.
//!
//! The code is straight-line over [`Storage`](crate::base::storage::Storage), so the simulator runs the same lines over disks that
//! lose, tear and rot. It reads metadata, then each core's journal once; what it costs is bounded by the ring, not by the data.
//!
//! # Steps
//!
//! 1. **Lock.** One process per directory. The lock is tried for two seconds: the kernel may hold a killed process's files a
//!    moment longer.
//! 2. **Metadata** ([`MetadataLog`](crate::metadata::log::MetadataLog)). Frames up to a torn end are accepted, a bad frame below any
//!    mark refuses the start. What was accepted is copied into a fresh file, flushed and renamed before anything acts on it (S17):
//!    a late write of the killed process then lands in a file without a name (S5).
//! 3. **Boot record.** Durable first. It numbers this start and raises every leader epoch.
//! 4. **Content.** Topic ids without a directory are fine (partitions open lazily). A directory with an unknown id refuses the
//!    start; one whose topic is being deleted is removed (S13).
//! 5. **Change of cores**, if their number differs from the layout's (S19): generation g+1 is begun by a record, the old journals are
//!    drained into segments, the new checkpoints written, the layout flipped by a record, the old generation deleted.
//! 6. **Each core in parallel** ([`CoreLog::recover`](crate::log::core_log::CoreLog::recover)):
//!    - the newer valid checkpoint slot is taken (S14) and made durable in a fresh file;
//!    - every journal file is scanned at every aligned position; a frame counts if salt and first sequence match its file's boot
//!      frame, if no later boot cut it off, and if no hole lies before it (S15);
//!    - a hole at or below the highest mark found anywhere is corruption and refuses the start, above it is a torn end (S4);
//!    - accepted frames above the mark are rewritten in place with the same bytes and flushed (S17);
//!    - frames fill a map by offset per partition, in sequence order (S16); a partition with a hole goes offline and its frames
//!      are held (S11);
//!    - files without live frames are unlinked; if crash loops have used up the ring, tails are drained into segments first (S12);
//!    - this boot's first journal file is made, and its boot frame names the accepted end.
//! 7. **Ready.** Partitions are closed. The first request that needs one loads it: the newest state block and those it points
//!    back to, up to a full one, then the tail's batches from memory. No data is walked.
//!
//! # What a crash finds
//!
//! | it fell | what recovery sees | why nothing acknowledged is lost |
//! |---|---|---|
//! | before a journal write completed | a torn end above every mark | nobody was answered: class `disk` waits for the flush, `device` for the write |
//! | after the flush, before the answer | frames without an acknowledgement | they stay: a producer that asks again is told "duplicate" |
//! | while chunks were written to a segment | bytes that no checkpoint names | the journal still has the records; S18 removes such files before they could mislead |
//! | after `syncfs`, before the checkpoint | the same | the same |
//! | while a slot was written | one bad slot | the other one still allows replay: its journal files are not reused yet |
//! | after the checkpoint, before the file was reused | frames below the first live sequence | ignored (S14) |
//! | inside recovery | the same as before, perhaps some files fewer | every step made durable what the next relied on |
//! | inside a change of cores | a begun generation without a layout | the old one is drained again; after the flip it is never replayed |
//!
//! # Refusals
//!
//! A refused start removes nothing and says file, offset, what is at stake and the remedy. Exit code 1.
