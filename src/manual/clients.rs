//! Clients that nobody here wrote, a page for each: what works, settings, what differs.
//!
//! Every library does one job in a small program of its own (`tests/clients/job.py` says which), with `scripts/test`: it
//! creates, grows and deletes topics; it produces every line of a text with a key, in every codec, and consumes it back by
//! naming partitions; it goes on while the broker is stopped, started, killed with `kill -9` and started. Then one checker
//! compares what was acknowledged with what was consumed, record by record: offsets without gaps, keys and values identical,
//! order kept, and nothing twice but what a producer without idempotence sent again.
//!
//! | client | version | codecs | idempotent | consumes | admin | restarts |
//! |---|---|---|---|---|---|---|
//! | [Java and Kafka's tools](java) | 3.9.1, 4.3.1 | all | yes | yes | yes | yes |
//! | [kcat] | Debian's | all | yes | yes | - | yes |
//! | [confluent-kafka](confluent_kafka) (librdkafka) | 2.16.1 | all | yes | yes | yes | yes |
//! | [kafka-python](kafka_python) | 3.0.12 | all | yes | yes | yes | yes |
//! | [aiokafka] | 0.14.0 | all | yes | yes | yes | yes |
//! | [franz-go](franz_go) | 1.22.2 | all | yes | yes | yes | yes |
//! | [sarama] | 1.61.1 | all | yes | yes | yes | yes |
//! | [segmentio kafka-go](kafka_go) | 0.4.51 | all | it has none | yes | yes | yes |
//! | [rskafka] | 0.6.0 | all | it has none | yes | create, delete | yes |
//! | [kafkajs] | 2.2.4 | all | yes | in groups only | yes | yes |
//!
//! All of it with `advertise=per-core` and `per-machine`: the restarts with one core per-core and with two cores per-machine,
//! codecs and admin calls with two cores in both modes. `CLIENT_MB=100 tests/clients/run BINARY NAME` does the same with 100 MB.
//!
//! # Consumer groups
//!
//! A second small program per library is a member of a group (`tests/clients/member.py` says what it does): it commits three times a
//! second and prints each record, each assignment and each commit before and after. Members join, leave, are killed with `kill -9`
//! and come back; the broker is stopped and killed under them; and one checker (`group_check.py`) reads what all of them printed: every
//! acknowledged record came to a member; a member gets the offsets of a partition one after the other, from the last acknowledged
//! commit on, or from one that was under way; the lag that another admin client sees ends at zero.
//!
//! | client | assignors tried | static members | together with others |
//! |---|---|---|---|
//! | Java 3.9.1, 4.3.1 | range, cooperative-sticky | yes | range, cooperative-sticky |
//! | confluent-kafka | range, cooperative-sticky | yes | range, cooperative-sticky |
//! | kafka-python | range, cooperative-sticky | yes | range, cooperative-sticky |
//! | aiokafka | range | yes | range |
//! | franz-go | range, cooperative-sticky | yes | range, cooperative-sticky |
//! | sarama | range, cooperative-sticky | yes | range, cooperative-sticky |
//! | segmentio kafka-go | range | it has none | no: see its page |
//! | kafkajs | its own round robin | it has none | no: nobody else knows that one |
//!
//! The short form is in the test command. `GROUP_MINUTES=10 tests/clients/run BINARY groups` adds the pairs that it leaves out, and
//! members of all of them, in a dozen groups of one broker, that come and go by the dice for ten minutes.
//!
//! Milliseconds from `subscribe` to the first record, and of these from the assignment on, of a member that is alone and joins a group that was
//! empty, as the member's own program saw it: medians of five (range), broker and client on two cores with little else, rounds with Corelane
//! and Kafka 4.3.1 alternating, `group.initial.rebalance.delay.ms=0`, six partitions. What Java takes is mostly its classes being loaded;
//! confluent-kafka and sarama wait for 100 ms of their own between the assignment and the first Fetch, with both brokers.
//! `tests/clients/first_record.py` holds the others to 100 ms and these two to 200.
//!
//! | | Corelane | Kafka 4.3.1 | from the assignment on: Corelane | Kafka 4.3.1 |
//! |---|---|---|---|---|
//! | Java 3.9.1 | 229 (216-318) | 304 (237-330) | 37 (33-43) | 72 (37-81) |
//! | Java 4.3.1 | 257 (222-295) | 314 (274-374) | 41 (32-45) | 68 (60-74) |
//! | confluent-kafka | 155 (154-156) | 169 (163-181) | 102 (101-102) | 106 (104-109) |
//! | kafka-python | 33 (25-35) | 31 (28-62) | 21 (13-22) | 19 (16-30) |
//! | aiokafka | 7 (6-11) | 20 (14-44) | 2 (2-3) | 7 (4-18) |
//! | kafkajs | 24 (20-33) | 45 (34-102) | 14 (11-18) | 24 (19-61) |
//! | franz-go | 4 (4-5) | 19 (11-22) | 1 (1-1) | 5 (3-6) |
//! | sarama | 104 (103-107) | 120 (114-130) | 101 (101-101) | 103 (102-103) |
//! | kafka-go | 4 (3-11) | 18 (15-37) | 2 (1-6) | 11 (8-22) |
//!
//! Kafka's console consumer 4.3.1 in a new group (`--from-beginning --max-messages 1`), ten runs alternating, from the start of its process: the
//! first record after 676 ms (605-828) with Corelane and 715 (653-855) with Kafka; its end after 1,211 (1,133-1,358) and 1,245 (1,174-1,400).
//! Half a second of that is its own: it asks for more before it prints, and its close waits until that Fetch is answered. While it
//! still holds records of a broker it does not ask that one again; so where there is more to read than one `poll` takes (500) it ends
//! half a second sooner, and sooner with one broker than with several.
//!
//! # What no client has yet
//!
//! - Transactions. An idempotent producer needs none.
//! - TLS and authentication.
//!
//! # What helps any client through a restart
//!
//! A start takes well under a second, clients need longer to notice it. Give a producer as much time as an operator may need
//! (`delivery.timeout.ms` and what stands for it elsewhere), let it be idempotent, or allow it one request in flight: else a
//! retry may change the order, as with any Kafka.

pub mod aiokafka;
pub mod confluent_kafka;
pub mod franz_go;
pub mod java;
pub mod kafka_go;
pub mod kafka_python;
pub mod kafkajs;
pub mod kcat;
pub mod rskafka;
pub mod sarama;
