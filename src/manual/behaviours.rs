//! What Kafka's clients depend on beyond the protocol's fields, by number; tests carry the numbers in their names (`c16_...`, `e2_...`).
//!
//! A line here without a test fails `tests/tidy`. Numbers are stable; those of APIs to come (transactions) are left out.
//!
//! # C: what clients depend on
//!
//! | | the right answer |
//! |---|---|
//! | C1 | answers leave in the order of the requests of their connection, behind a parked Fetch or Produce too |
//! | C2 | pipelined Produce requests are appended in the order of arrival |
//! | C3 | acks=0 gets no answer; an error closes the connection |
//! | C4 | ApiVersions in an unknown version: version 0 of the answer, error 35, the one key 18 with its versions |
//! | C5 | the header of an ApiVersions answer is version 0, whatever its body is |
//! | C6 | a software name or version of no legal form: 42 |
//! | C7 | any other unknown key or version, or a body that cannot be decoded: the connection closes, the broker lives |
//! | C8 | empty records in a Fetch answer have length 0, beside an error too; never null |
//! | C9 | a Fetch inside a batch gets the whole batch |
//! | C10 | the first partition with data gives one whole batch whatever the bounds; the others obey them; all are listed |
//! | C11 | a Fetch at the end waits for `min_bytes` up to `max_wait`; any partition's error is answered at once |
//! | C12 | below the log start or above the log end: 1 and nothing else about the partition; never clamped |
//! | C16 | current leader epoch: negative is not checked, older 74, newer 75; in Fetch, ListOffsets, OffsetForLeaderEpoch |
//! | C17 | every batch carries the epoch of its append; an epoch's end is where the next one began, unknown is -1/-1 |
//! | C18 | ListOffsets -1 high watermark (read_committed: last stable offset), -2 and -4 log start, -3 largest timestamp, -5 is -1; 35 below the version that brought them |
//! | C19 | by time: the first record that is not older, record-exact inside compressed batches; none is -1/-1 |
//! | C20 | Metadata: null is all, empty is none (version 0: all); unknown 3, illegal 17; made only if named, asked for and allowed |
//! | C21 | the controller is a listed broker that takes admin writes; one cluster id everywhere; brokers are never empty |
//! | C22 | a topic made again has another id; a Fetch by an unknown one gets 100 per partition |
//! | C23 | Produce: one batch of magic 2, base offset 0, count = last delta + 1 > 0, no control bit, a sequence with a producer id: else 87; bad checksum 2; zstd below version 7: 76 |
//! | C24 | a batch above `max.message.bytes`: 10 |
//! | C25 | no key on a compacted topic, inside compressed batches too: 87, the records named from version 8 on |
//! | C26 | the last five batches of a producer are known again with their offsets; gap or overlap 45, older epoch 47; unknown producers begin anywhere; sequences wrap |
//! | C27 | acks other than -1, 0, 1: 21 |
//! | C28 | LogAppendTime: told in the answer (else -1), attribute bit and checksum redone |
//! | C29 | the answer names every partition; base offset -1 with an error |
//! | C36 | FindCoordinator: from version 4 each key is answered once, before it the answer is its top; the wrong broker says 16 to everything |
//! | C37 | JoinGroup: 79 with an id for a new member from version 4 on, let in at once before; metadata for the leader alone; protocols by vote; 23 none in common, 26 session out of bounds, 81 full, 24 without a name |
//! | C38 | JoinGroup waits for all members up to the rebalance timeout; who is late is dropped; an empty group waits for the initial delay |
//! | C39 | SyncGroup: followers wait for the leader; 27, 22, 25; assignments byte for byte, none is length 0 |
//! | C40 | Heartbeat: 27 only while members join; JoinGroup, SyncGroup and OffsetCommit keep a session up too |
//! | C41 | a static member that comes back: a new id, no rebalance, the old id 82; it leaves by its instance id |
//! | C42 | OffsetCommit: without a group only while it is empty (25); 22, 27, unknown group 22 (69 from version 9 on); metadata and leader epoch as they were, 12 beyond 4096 bytes |
//! | C43 | OffsetFetch: what was not committed is -1, -1, no metadata, no error; null topics are all; each group is named from version 8 on |
//! | C44 | CreateTopics: -1 is the broker's default, 38 for too many replicas, 36 exists, 40 bad config; validation makes nothing; the topic works on every core when the answer comes; CreatePartitions answers each topic, 37 if it does not grow; past `timeout_ms` 7 while the work goes on, without any time 7 and nothing begun |
//! | C45 | DescribeConfigs: all keys with value, source, type and flags, of topics and brokers |
//! | C46 | DeleteRecords: -1 is the high watermark; older fetches get 1; a batch across the new start is served whole |
//! | C47 | an unknown group is Dead without an error; a group with members is not deleted (68), one that is not there neither (69); lists filtered by state and type |
//! | C48 | throttle times are 0 |
//!
//! # E: edge cases seen on the wire of Kafka 4.3
//!
//! | | Kafka | here |
//! |---|---|---|
//! | E1 | Produce 87, 2, 53, 21, 45 for what is wrong with a batch as a whole; versions 0-2 close the connection | the same |
//! | | 32 for timestamps hours ahead | the same if the batch's header says so; each record is looked at where the topic sets bounds of its own |
//! | | -1 for a codec bit on plain data, 87 for bytes behind the last record | taken: a batch is not decoded, but for keys on a compacted topic, timestamp bounds and `compression.type` of the topic's own; then 87 |
//! | E2 | odd deltas, timestamps, unused bits, producer id -2, incomplete bytes behind a batch are taken; a partition named twice is appended once, with what was named last | the same |
//! | E3 | Produce with null records is never answered | 42 |
//! | E4 | Fetch: an unknown isolation level and negative `partition_max_bytes` -1; offset -1 is 1; negative epochs are not checked. ListOffsets: -7 is 35, a partition named twice 42, a topic without partitions left out | 42 for the level, no error for the bytes; the rest the same |
//! | E5 | Metadata: neither id nor name -1; both are served; `a/b` 17; a new topic shows up late | 42 instead of -1, and a new topic is everywhere when its creation is answered |
//! | E7 | frames of no legal length, HTTP, truncated or huge arrays, unknown keys: the connection closes | the same, after the answers that are owed |
//!
//! # What is different on purpose
//!
//! - DescribeTopicPartitions: an empty name gets 17 beside the other topics' answers; Kafka answers -1 for all of them.
//! - DescribeProducers: a refusal says why in words for an unknown partition too (Kafka: null), and producers are not forgotten
//!   after `producer.id.expiration.ms`, but when a partition has too many. One answer holds 100,000 producers.
//! - DescribeLogDirs: a core whose journal failed tells KAFKA_STORAGE_ERROR *and* its sizes, since it still serves what it has.
//! - UNKNOWN_SERVER_ERROR (-1) is never sent where a client's own fault has a code.
//! - Records with timestamps out of bounds or without a key are named in the answer, the first thousand of a batch; Kafka names all.
//!   With Kafka's default bounds a batch is judged by the largest timestamp in its header, and looked into only if that is too late.
//! - `compression.type`: gzip has its levels; lz4 and zstd one, so `compression.lz4.level` and `compression.zstd.level` are kept without
//!   effect. A batch that decompresses to more than 64 MiB is not compressed anew: 10.
//! - Retention: a segment without any timestamp does not expire by time (Kafka takes the file's). When all of a partition has
//!   expired, a segment of a block or two takes the place of its last one: producers and leader epochs outlive the records.
//!   Records that are in no segment yet expire together.
//! - Topic configs: `durability` is one more. `internal.segment.bytes` beats `segment.bytes` and is not described, as in Kafka. Those of
//!   compaction, remote storage, flushing, indexes, replication throttles and unclean elections are checked, kept and described with
//!   Kafka's types, defaults and bounds, and have no effect; the operator is told once in a run when one is set.
//! - Broker configs: those that this machine acts on are described, about fifty of Kafka's 340, and its own (`cores`, `advertise`,
//!   `durability`, `journal.*`, `tail.cache.bytes`, `fetch.memory.bytes`, `cluster.id`). `listeners`, `listener.security.protocol.map` and
//!   `max.connections` do not change while it runs. Keys that are empty until set (`advertised.listeners`, `broker.id`, `log.dir`,
//!   `controller.listener.names`, `listener.security.protocol.map`) show no value where Kafka shows what it derived. `log.segment.bytes` may
//!   be 16 KiB in the file; altered live it has Kafka's bound, a mebibyte.
//! - Groups: a JoinGroup that names a protocol twice gets 23, where Kafka never answers. A static member is told of its new id when
//!   that is stored, and until then nothing has changed. What all members of a coordinator's groups keep in memory is bounded (81
//!   beyond it), what is committed too (28). A group exists when it has members or something stored; in Kafka a refused JoinGroup makes
//!   an empty one. `__consumer_offsets` does not grow (37): in Kafka its groups would be looked for elsewhere after the next start. `offsets.topic.segment.bytes` is 4 MiB by default.
//! - A Produce behind a parked Fetch of the same connection is appended at once, and may wake that Fetch; Kafka does not read it before.
//!   Answers keep their order in both.
//! - A refused partition has log start -1 in a Produce answer, and a duplicate no append time; Kafka tells both.
