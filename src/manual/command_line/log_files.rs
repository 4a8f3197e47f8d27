//! `corelane log inspect` and `corelane log verify`: what lies in a data directory, without a broker and without changing a byte.
//!
//! Both read with the decoders that the broker itself uses ([the format](crate::manual::on_disk_format)).
//!
//! # Verify
//!
//! `corelane log verify DIR` answers two questions about a data directory or a copy of it: would a broker start on it, and is every
//! record that counts still what was acknowledged?
//!
//! - It rehearses a start: metadata, checkpoints and journals go through the code of a real start, which writes into memory instead of
//!   onto the disk. What a start would refuse is said in its words, with file, offset and remedy; so is a partition that would be offline.
//! - It goes over every segment that a checkpoint names, from the first byte to the last that counts: headers, every record batch with
//!   Kafka's checksum, offsets without a gap, blocks of state, and the index's checksums over the bytes that Kafka's leave out.
//!
//! Exit code 1 if anything is rotten, a line for each; the counts of what was gone over stand on standard output. While a broker runs
//! on the directory it refuses: files change while they are read. While it runs no broker starts.
//!
//! What it does not say: a file that no checkpoint names is a move that did not end; it is passed over with a word, as a start does. The
//! torn end of a journal, above everything that was known to be flushed, is no rot either. The first refusal of a core hides what else
//! is wrong with that core's journal.
//!
//! # Inspect
//!
//! `corelane log inspect FILE|DIR` shows what is in journals, segments, checkpoint slots and the metadata log: a line for each frame, extent,
//! block of state, checkpoint entry or metadata record, with its byte position and the verdict on its checksum (`ok`, `ROTTEN`).
//!
//! ```text
//! $ corelane log inspect data/journal/1/0/00000001.journal --records
//! data/journal/1/0/00000001.journal
//!   0 boot ok sequence=1 boot=1 generation=1 bytes=88 durable_mark=0 checkpoint=1 accepted_end=0
//!   88 append ok sequence=2 boot=1 generation=1 bytes=184 durable_mark=0 topic_id=ed9a... partition=0 base=0 end=1 epoch=0 batch_bytes=74
//!     192 batch ok base=0 last=0 records=1 bytes=74 epoch=0 codec=none timestamp_max=2026-11-21T18:46:42.281Z producer_id=0 producer_epoch=0 base_sequence=0
//!       192 record ok offset=0 timestamp=1795286802281 key=null value="hello" headers=[]
//! ```
//!
//! `--batches` looks into frames and extents, `--records` into batches. With `-o json` each line is an object with `file`, `position`,
//! `kind`, `sound` and the same fields. A file is known by its first bytes, else by its name.
//!
//! A `gap` in a journal is a stretch without a valid frame that is not zero: never used, torn, or rotten. Which of them, the journal's other
//! files and the checkpoint decide, so `inspect` leaves it to `verify`. `earlier_use` marks frames that a recycled file still has from
//! before; they count no more. On the directory of a running broker it says so and goes on.
