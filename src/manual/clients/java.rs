//! Kafka's Java client and tools, 3.9 and 4.3, unchanged.
//!
//! # What works
//!
//! Producers with their defaults (idempotent, `acks=all`), every codec, `max.message.bytes` answered so that they split their
//! batches; consumers with `assign`, `seek`, `offsetsForTimes`, `endOffsets`; fetch sessions; the admin client on topics,
//! partitions, records, configs, log directories, producers, offsets, the cluster. In `tests/clients`:
//!
//! | tool | what is looked at |
//! |---|---|
//! | `TopicCommand` | create, list, describe by name and id, alter, delete; 3,000 partitions page by page; refusals |
//! | `ConfigCommand` | topics, one broker, all brokers: describe, add, delete; refusals |
//! | `GetOffsetShell` | ends, starts, by time, largest timestamp |
//! | `DeleteRecordsCommand` | to an offset, to the end, beyond it |
//! | `LogDirsCommand` | each partition once, at its leader, with the size of its records |
//! | `TransactionsCommand describe-producers` | sequence numbers beside the offsets |
//! | `ReassignPartitionsCommand --list` | nothing is on the move |
//! | `ConsumerGroupCommand` | list with states, describe offsets, members and state, reset, delete offsets, delete |
//! | `ConsoleConsumer` with the formatters of `__consumer_offsets` | the records of groups and of offsets |
//! | `BrokerApiVersionsCommand`, `ClusterTool` | versions as listed; one cluster id |
//! | `ConsoleProducer`, `ConsoleConsumer` by partition and in a group, `ProducerPerformance` | between releases, and through a stop and kill -9 |
//! | `ClientCompatibilityTest` | succeeds; told that ACLs work or configs do not, it fails, so it can |
//!
//! # Groups
//!
//! `subscribe` with any assignor, static members (`group.instance.id`), `commitSync`, `ConsoleConsumer --group`; `VerifiableConsumer` and
//! `VerifiableProducer` through restarts; `ConsumerGroupCommand` as above. The group protocol is the classic one, which is the default;
//! `group.protocol=consumer` fails: the newer protocol is not there yet.
//!
//! # Settings
//!
//! None are needed. `session.timeout.ms` (45 s by default) is how long the partitions of a killed member stand still; a broker allows
//! 6 s to 30 min.
//!
//! # What differs
//!
//! - `LogDirsCommand` shows one directory per broker, the same for all of a machine: the cores share it, and each tells what
//!   its own partitions take. The size is that of segment files and of what only the journal has; Kafka's is that of its segments.
//! - `TransactionsCommand list` says that LIST_TRANSACTIONS is not supported.
//! - `ClientCompatibilityTest` wants as many `--num-cluster-nodes` as clients see brokers: one per core, or one with
//!   `advertise=per-machine`.
