//! Words, each with one meaning. Kafka's public words are used as Kafka uses them; these are ours, or need care.
//!
//! | word | meaning |
//! |---|---|
//! | machine | one process: `node.id` |
//! | core | one pinned thread with its own loop, io_uring, listener and journal |
//! | broker | the Kafka broker that lives on a core, one to one; clients see brokers, operators see a machine with cores |
//! | turn | one round of a core: events in, decisions, effects out; all appends of a turn share writes and a flush |
//! | event, effect | the closed enums that are a broker's whole interface ([`Event`](crate::broker::event::Event), [`Effect`](crate::broker::event::Effect)) |
//! | mesh | the channels between cores: admin and metadata; parts of requests with `advertise=per-machine` |
//! | part | what of a request another core owns, handled there as a request of its own |
//! | asking core, owning core | the one that has the client's connection; the one that leads the partition |
//! | hand-over | a connection's move to the core that owns all it asks for |
//! | image | all metadata, immutable, replaced whole |
//! | record batch | Kafka's v2 batch: 61 bytes of header and records, possibly compressed; passes through undecoded |
//! | base offset, log start offset, log end offset | as in Kafka; ends are exclusive |
//! | high watermark | end of what consumers may see and producers are told; exclusive, never falls within a run |
//! | last stable offset | the high watermark, as long as there are no transactions |
//! | written end, flushed end | end of what the disk has taken; end of what a power cut cannot take back |
//! | durability | `disk`: answered when flushed; `device`: when written; `memory`: when appended |
//! | leader epoch | rises at each boot; stamped into every batch; says which offsets may have been used twice |
//! | boot | one start of the machine: a number in the metadata log, durable before anything is served |
//! | generation | one layout of cores; a change of their number begins the next (S19) |
//! | journal, ring | a core's append log: a fixed number of files of fixed size, used in turn |
//! | frame | one entry of the journal, with salt, sequence, mark and checksum |
//! | sequence | number of a frame in its core's journal, counted over all boots of a generation |
//! | salt | random number of one use of a journal file; frames of an earlier use do not carry it |
//! | mark | highest sequence known flushed; each frame carries one |
//! | tail | appended batches in memory: pinned until they are in a segment, then a cache |
//! | span | moved batches in one piece of memory: the small ones joined, a large one by itself |
//! | move | writing a tail's flushed part into its partition's segment |
//! | segment | a partition's file, named by its first offset |
//! | chunk | what one move wrote: extent header, batches, padding |
//! | delta block, state block | what a move added to the partition's state; all of that state |
//! | checkpoint | a core's two slots: segment ends, newest blocks, log starts, first live sequence |
//! | recycle | making a journal file free: moved, durable, checkpointed |
//! | re-append | writing a small tail to the journal's head again instead of moving it |
//! | offline | a partition that is not served until restart, because its files or its journal contradict |
//! | read-only | a core whose journal failed: it serves reads, refuses appends |
