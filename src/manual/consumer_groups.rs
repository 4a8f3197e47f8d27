//! # Consumer groups
//!
//! A group is coordinated by the core that leads its partition of `__consumer_offsets`: Java's hash of the group's name, modulo the
//! number of partitions (`offsets.topic.num.partitions`, 50). With a broker per core FindCoordinator names that core's broker, and another
//! one answers NOT_COORDINATOR; with one broker for all the core that was asked forwards the request and merges the answers.
//! The topic is made when somebody first looks for a coordinator.
//!
//! ```text
//! broker/api/join_group.rs ...   one file per API: decode, hand over
//! broker/forwarding/groups.rs    to the coordinating core
//! broker/coordinators.rs         a coordinator per partition led here: load, append, answer, time
//! coordinator/                   the state machine: no I/O, time is an argument
//! wire/group_records.rs          Kafka's records: OffsetCommitKey/Value, GroupMetadataKey/Value
//! ```
//!
//! ## What is stored
//! Kafka's own records in the versions that Kafka 4.3 writes (offset key 1 and value 4, group key 2 and value 3), so that its formatters,
//! those of 3.9 too, read the topic. A group is written when its leader's assignments are given out, when it becomes empty, when a static member
//! returns, and when it is gone; an offset at each commit. Everything else (who waits, whose session ends when) is memory only: after
//! a restart the members of a stable group have a whole session to be heard of, and go on in their generation.
//!
//! An offset says which incarnation of its topic it is of. So a topic that is made after another of the same name was deleted begins
//! without offsets, also when a crash came between the deletion and the tombstones of what was committed: the load drops what is of a
//! topic that is not there, and OffsetFetch never tells it. (Kafka 4.3 writes the id as well.) Only commits with a lifetime of their
//! own (`OffsetCommit` up to version 4) have no room for it; they go by the name.
//!
//! `__consumer_offsets` may be deleted, as in Kafka 4.3.1: groups, members and offsets are gone, who waits is told to look for the coordinator
//! (16), and the next who looks makes the topic anew. Consumers that run join again by themselves: librdkafka's first commit after it is
//! refused with 69 within the second and the next one is stored, with both brokers.
//!
//! ## From a request to an answer
//! A request that changes something stored gives records and an answer. All records of a turn become one batch; the answer waits until
//! the high watermark has passed it, and only then the records are applied to the state, by the same function that replays the log at
//! start. So what is in memory is what the log says at every moment, a commit is told only when no crash can take it back, and a failed
//! write leaves nothing behind: who waited gets COORDINATOR_NOT_AVAILABLE and looks for the coordinator again. These records are on disk
//! before the answer whatever `durability` says.
//!
//! ## A bounded log
//! When the log of a coordinator has grown to a mebibyte and to four times of what it says, it says everything anew: nothing else is
//! appended meanwhile (a few milliseconds), and when that is durable the log start moves there. Segments before it go as usual.
//! No compaction is needed, and a start reads little whatever was committed.
//!
//! ## What it costs
//! Measured on a machine of two cores, shared with the client and with compilers at work: 1,000 groups of 10 members each, 10 connections
//! per core, a heartbeat every 3 s: 3,300 heartbeats a second take 5 % of one core (a heartbeat changes no timer: the one in place is
//! set anew when it fires). After kill -9 all 10,000 members are answered within 0.35 s of the start, in their generation. After 200,000
//! commits of 10 partitions each (2,000,000 offsets of 200 groups) the start takes 0.4 to 0.8 s until the last group is answered, with a dozen
//! compilers on the two cores; 0.2 to 0.5 s of it before the port is open. The load itself applies a record in 0.2 µs (200,000 offsets
//! in 40 ms), and reads no more than a mebibyte per coordinator or four times what it says: a year of commits loads as an hour of them.
//!
//! Beside Kafka 4.3.1, the same 10,000 members and 3,330 heartbeats a second (`tests/clients/go/many`): Corelane takes 5.3 % of one core with
//! a broker per core, 6.5 % with one for all, 44 MB resident; Kafka 13.8 %, 592 MB (heap of 512 MB). A stop and a kill -9 take nobody's
//! membership in either of them: no heartbeat is answered with a rebalance or an unknown member.
//!
//! ## Lag
//! `broker::group_lag`: each core gives, out of memory, what the groups that it coordinates have committed and the high watermarks of the
//! partitions that it leads; whoever has both joins them. No log is read and no core asks another one, so the cost is the number of
//! committed offsets: 0.8 to 0.9 ms for 1,000 groups in 10 partitions each (`lag_is_known_without_reading`), 83 ns for each.
//! `corelane group describe` asks as any client does, and so works with any broker.
//!
//! ## Settings
//! | key | default | |
//! |---|---|---|
//! | `group.initial.rebalance.delay.ms` | 3000; `corelane dev` 0 | the first members of an empty group wait for others |
//! | `group.min.session.timeout.ms`, `group.max.session.timeout.ms` | 6000, 1800000 | else INVALID_SESSION_TIMEOUT |
//! | `group.max.size` | unbounded | members of a group; their memory is bounded anyway, 64 MiB per coordinator |
//! | `offset.metadata.max.bytes` | 4096 | |
//! | `offsets.retention.minutes`, `offsets.retention.check.interval.ms` | 10080, 600000 | offsets of groups without members go |
//! | `offsets.topic.num.partitions`, `offsets.topic.segment.bytes` | 50, 4 MiB | when the topic is made |
