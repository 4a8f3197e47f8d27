//! The shape of the machine, and the invariants that it rests on.
//!
//! # Every core is a Kafka broker
//!
//! A machine is one process with `cores` pinned threads. Core c is advertised as broker `node.id * 1000 + c`
//! ([`BrokerId`](crate::base::ids::BrokerId)) on port + c. It leads the partitions placed on it, so a stock client connects
//! straight to the core that owns what it asks for: append and fetch take no lock and never cross cores. A misrouted
//! request gets Kafka's own answer, NOT_LEADER_OR_FOLLOWER, and the client looks the leader up again.
//!
//! Where only one port can be opened, clients see [one broker](super::one_broker) instead (`advertise=per-machine`): cores then
//! forward parts of requests to each other.
//!
//! Brokers share nothing. Metadata is an immutable image, replaced whole; a request reads one image from start to end.
//! Admin writes are accepted by every core and passed to core 0, where the controller lives: the only traffic between
//! cores, in [`Message`](crate::broker::message::Message).
//!
//! # Decide synchronously, move bytes asynchronously
//!
//! [`Broker`](crate::broker::broker::Broker) is a plain value: [`Event`](crate::broker::event::Event) in,
//! [`Effect`](crate::broker::event::Effect) out. No `async`, no clock, no socket, no file, no randomness but a seed. The
//! runtime floor turns completions into events and performs effects; `tests/sim` is a second, smaller runtime over the same
//! brokers, with disks that fail. What waits (a produce for its flush, a fetch for records) waits as explicit data.
//!
//! Floors import only downwards: base, wire, log and metadata (which never import each other), broker, runtime, command
//! line. `tests/tidy` checks it. io_uring is named in `runtime` only, `unsafe` in `runtime` and `base` only.
//!
//! # One journal per core, segments per partition
//!
//! Making the appends of 1,000 partitions durable costs 46-86 ms with a file each and 1-2 ms through one file: flushes of
//! different files are served one after the other. So all that a core appends in one turn goes into one ring of journal
//! files with one flush, and is moved into files per partition later, many at once. The bytes are in
//! [`on_disk_format`](super::on_disk_format), the order of steps in [`produce_path`](super::produce_path) and
//! [`recovery`](super::recovery).
//!
//! A partition has four ends: appended, written, flushed, and the high watermark, which follows one of the others as its
//! [`Durability`](crate::base::offset::Durability) says. The last stable offset equals the high watermark until there
//! are transactions.
//!
//! # Metadata is a log
//!
//! Topics, placements, producer-id blocks and boots are versioned records in a small log of its own with snapshots. The
//! controller is a function of (request, image, now) that gives (records, answer); the answer leaves when the records are
//! durable and every core has applied them. Names live at the edge: inside and on disk there are topic ids.
//!
//! # Failures
//!
//! A failed journal write or flush makes that core read-only until restart; a failed segment write takes that partition
//! offline. Neither is retried, since a flush that fails once may report success the next time for bytes that are lost. A
//! full disk refuses appends and serves reads. Rot below what was flushed refuses the start, or takes the partition offline
//! if it is in a segment; nothing is cut silently. A panic on one core stops the machine.
//!
//! # Invariants of storage
//!
//! Each is checked by the simulator, and a planted bug per rule proves that the check can fail.
//!
//! Append and acknowledge:
//! - S1 A frame's sequence is its predecessor's plus one, over file borders too. A journal file gets a fresh salt each time
//!   it is used; its first frame names the checkpoint that allowed its reuse and the accepted end of the boot before.
//! - S2 A flush acknowledges only the contiguous prefix of writes that had completed before it was issued, and covers every
//!   file of that prefix; a write that is flushed by itself (O_DSYNC) is issued when all before it is flushed. A new journal file's directory is synced before the first acknowledgement out of it.
//! - S3 The high watermark never falls within a run. Every answer that confirms records, a duplicate's too, waits for it.
//! - S4 Every frame carries the highest sequence known flushed. A hole or bad frame at or below the highest mark found is
//!   corruption; above it, a torn end.
//! - S5 A boot writes into no file of an earlier boot: late writes of a killed process may still land there. The exception
//!   is S17's rewrite of identical bytes. Nothing is appended before the boot's first frame, which denies late writes, is flushed.
//! - S6 `message.max.bytes` and a frame fit a journal file. Appends stop at 75 % of the ring; the rest is for control
//!   frames. What does not fit the disk is refused before the append, and reads go on.
//!
//! Move and recycle, each step complete before the next: chunk and delta written, of flushed bytes only; made durable;
//! re-appended frames flushed; checkpoint slot written and flushed; journal file reused; files named by neither slot removed:
//! - S7 A journal file is overwritten only after all that for everything it holds. A failed step releases nothing.
//! - S8 Small tails (under 16 KiB) may be appended to the journal again instead of moved: a batch once, an eighth of a
//!   file per recycle. So the ring always drains.
//! - S9 A read takes segment, then tail, by offset; a move never makes an offset unreadable between two turns.
//! - S10 A delta describes the state at its chunk's end, never the live state beyond it. A chain from a whole state block
//!   to the newest delta stays on disk while the checkpoint names its end.
//! - S11 An offline partition's journal files leave the ring, up to a limit; the checkpoint names them.
//! - S12 Memory is bounded: the tail budget counts whole buffers; producers per partition and files per round have limits.
//!
//! Recovery:
//! - S13 Metadata first. Deleted topic ids are remembered until nothing on disk names them; any other unknown id, and a boot
//!   or generation above the metadata log's, refuses the start.
//! - S14 The newer valid checkpoint slot counts, and must be as new as the frames say. Frames below its first live sequence
//!   are ignored.
//! - S15 A frame's validity never depends on its predecessor. Replay takes frames in sequence order and cuts each boot at
//!   the end that the next one accepted.
//! - S16 Replay fills a map by offset: a later frame replaces an earlier one, truncation removes, a log start hides. Then
//!   each partition is contiguous from its segment's end, or offline.
//! - S17 What recovery relies on is made durable before it acts on it: accepted frames above the highest mark are rewritten
//!   in place and flushed before this boot's first frame.
//! - S18 Before a partition's first move, segment files that the checkpoint does not name are removed and the directory
//!   synced; new files are created exclusively.
//! - S19 A change of the number of cores drains all old journals into segments without deleting, writes the new cores'
//!   checkpoints, flips by a metadata record, deletes the old generation.
//! - S20 What class `memory` loses in a crash is closed by the leader epoch: offsets above the recovered end may be used
//!   again. Class `device` loses nothing on kill -9.
