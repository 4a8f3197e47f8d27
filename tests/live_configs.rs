//! Topic configs altered over the wire on the running binary: each takes effect on the next record, the next file, the next
//! look for what need not be kept. The rules in all their cases are in `tests/api`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

mod support;

use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use kafka_protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use kafka_protocol::messages::{BrokerId, FetchRequest, IncrementalAlterConfigsRequest, ProduceRequest, TopicName};
use kafka_protocol::protocol::StrBytes;
use std::path::PathBuf;
use std::time::{Duration, Instant};
use support::client::{Connection, EARLIEST, FetchFrom, LATEST};
use support::process::{Broker, Machine};
use support::{Scratch, batch};

const TOPIC: &str = "altered";
const BATCH_BYTES: usize = 30_000;
const RETENTION_CHECK_MS: u64 = 100;
/// How long an effect may take to show.
const SOON: Duration = Duration::from_secs(20);

struct Running {
    machine: Machine,
    broker: Broker,
    connection: Connection,
}

fn text(text: &str) -> StrBytes {
    StrBytes::from_string(text.to_string())
}

fn running(scratch: &Scratch) -> Running {
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), 1)
        .with("journal.file.bytes", 1 << 20)
        .with("message.max.bytes", 65_536)
        .with("log.retention.check.interval.ms", RETENTION_CHECK_MS);
    let broker = machine.start();
    let mut connection = Connection::open(broker.address()).expect("connects");
    connection.create_topic(TOPIC, 1, &[]).expect("created");
    Running { machine, broker, connection }
}

impl Running {
    /// The error code of the answer.
    fn try_alter(&mut self, topic: &str, key: &str, value: &str) -> i16 {
        let config = AlterableConfig::default().with_name(text(key)).with_config_operation(0);
        let resource = AlterConfigsResource::default()
            .with_resource_type(2)
            .with_resource_name(text(topic))
            .with_configs(vec![config.with_value(Some(text(value)))]);
        let request = IncrementalAlterConfigsRequest::default().with_resources(vec![resource]);
        self.connection.call(1, &request).expect("answered").responses[0].error_code
    }

    #[track_caller]
    fn alter(&mut self, key: &str, value: &str) {
        assert_eq!(self.try_alter(TOPIC, key, value), 0, "{key}={value}");
    }

    fn produce(&mut self, batches: usize) {
        for _ in 0..batches {
            let bytes = batch::encode(None, &[vec![7; BATCH_BYTES]]);
            self.connection.produce(TOPIC, 0, bytes).expect("appended");
        }
    }

    /// Produces one record; the log append time of the answer.
    fn append_time(&mut self) -> i64 {
        let bytes = batch::encode(None, &[vec![1; 10]]);
        let partition = PartitionProduceData::default().with_records(Some(bytes.into()));
        let topic = TopicProduceData::default().with_name(TopicName(text(TOPIC))).with_partition_data(vec![partition]);
        let request = ProduceRequest::default()
            .with_transactional_id(None)
            .with_acks(-1)
            .with_timeout_ms(5_000)
            .with_topic_data(vec![topic]);
        let answer = self.connection.call(9, &request).expect("answered");
        let answer = &answer.responses[0].partition_responses[0];
        assert_eq!(answer.error_code, 0);
        answer.log_append_time_ms
    }

    /// Error code and codec of what is served at an offset.
    fn fetched_codec(&mut self, version: i16, offset: i64) -> (i16, u8) {
        let partition = FetchPartition::default().with_fetch_offset(offset).with_partition_max_bytes(1 << 20);
        let topic = FetchTopic::default().with_topic(TopicName(text(TOPIC))).with_partitions(vec![partition]);
        let mut request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(0)
            .with_max_bytes(1 << 20)
            .with_topics(vec![topic]);
        if version >= 7 {
            request.session_epoch = -1;
        }
        let answer = self.connection.call(version, &request).expect("answered");
        let partition = &answer.responses[0].partitions[0];
        let records = partition.records.as_ref().expect("records");
        (partition.error_code, records[22] & 7)
    }

    fn offset(&mut self, which: i64) -> i64 {
        self.connection.list_offset(TOPIC, 0, which).expect("answered")
    }

    /// Segment files of the topic: names and sizes.
    fn segments(&self) -> Vec<(PathBuf, u64)> {
        let entries = |path: PathBuf| std::fs::read_dir(path).into_iter().flatten().flatten().map(|entry| entry.path());
        let partitions = entries(self.machine.data.join("topics")).flat_map(entries);
        let files = partitions.flat_map(entries).filter(|path| path.extension().is_some_and(|end| end == "segment"));
        let mut files: Vec<_> =
            files.filter_map(|path| Some((path.clone(), std::fs::metadata(path).ok()?.len()))).collect();
        files.sort();
        files
    }

    #[track_caller]
    fn wait(&mut self, what: &str, is: impl Fn(&mut Running) -> bool) {
        let deadline = Instant::now() + SOON;
        while !is(self) {
            assert!(Instant::now() < deadline, "{what}: {:?}\n{}", self.segments(), self.machine.log_end(10));
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

#[test]
fn segments_and_retention_follow_on_the_disk() {
    let scratch = Scratch::new("live-segments");
    let mut running = running(&scratch);
    running.produce(200);
    running.wait("a gigabyte and seven days: one segment", |running| running.segments().len() == 1);
    running.alter("segment.bytes", "1048576");
    running.produce(300);
    running.wait("segments of a mebibyte", |running| running.segments().len() >= 5);
    let whole: Vec<_> = running.segments().into_iter().skip(1).collect();
    assert!(whole.iter().all(|(_, bytes)| *bytes <= 2 << 20), "{whole:?}");
    // By age: every move to segments begins a file, whatever its size.
    running.alter("segment.bytes", "1073741824");
    running.produce(200);
    let before = running.segments().len();
    running.alter("segment.ms", "1");
    running.produce(300);
    running.wait("segments by age", |running| running.segments().len() >= before + 2);
    // By size: the oldest files go, and fetches below the new log start are out of range.
    assert_eq!(running.offset(EARLIEST), 0);
    let first = running.segments().remove(0).0;
    running.alter("retention.bytes", "3000000");
    running.wait("the oldest go by size", |running| !first.exists() && running.offset(EARLIEST) > 0);
    let from = FetchFrom { topic: TOPIC.to_string(), partition: 0, offset: 0 };
    assert_eq!(running.connection.fetch(&[from], 10).expect("answered")[0].error, 1);
    // What is in no segment yet counts as well.
    let kept = (running.offset(LATEST) - running.offset(EARLIEST)) as usize * BATCH_BYTES;
    assert!((3_000_000..9_000_000).contains(&kept), "{kept} bytes are kept");
    // By time: everything is older than a millisecond.
    running.alter("retention.bytes", "-1");
    let end = running.offset(LATEST);
    running.alter("retention.ms", "1");
    running.wait("all records go by time", |running| running.offset(EARLIEST) == end);
    running.alter("retention.ms", "-1");
    running.produce(5);
    std::thread::sleep(Duration::from_millis(5 * RETENTION_CHECK_MS));
    assert_eq!(running.offset(EARLIEST), end, "without bound nothing goes");
    running.broker.stop();
}

#[test]
fn answers_and_batches_follow() {
    let scratch = Scratch::new("live-answers");
    let mut running = running(&scratch);
    assert_eq!(running.append_time(), -1);
    running.alter("message.timestamp.type", "LogAppendTime");
    assert!(running.append_time() > 1_600_000_000_000);
    running.alter("message.timestamp.type", "CreateTime");
    assert_eq!(running.append_time(), -1);
    for (value, codec) in [("gzip", 1), ("snappy", 2), ("lz4", 3), ("zstd", 4), ("uncompressed", 0), ("producer", 0)] {
        running.alter("compression.type", value);
        let offset = running.offset(LATEST);
        running.produce(1);
        // Kafka 4.3 serves zstd to every version of Fetch; those before 10 are for clients that do not ask for it.
        for version in [4, 9, 11] {
            assert_eq!(running.fetched_codec(version, offset), (0, codec), "{value}, Fetch {version}");
        }
    }
    // One machine has one replica, and no more can be asked of it.
    for value in ["2", "1"] {
        running.alter("min.insync.replicas", value);
        running.produce(1);
    }
    running.alter("max.message.bytes", "1000");
    let large = batch::encode(None, &[vec![7; BATCH_BYTES]]);
    let refused = running.connection.produce(TOPIC, 0, large.clone()).expect_err("too large");
    assert_eq!(refused.code(), Some(10));
    running.alter("max.message.bytes", "65536");
    running.connection.produce(TOPIC, 0, large).expect("appended");
    assert_eq!(running.try_alter(TOPIC, "retention.ms", "soon"), 40);
    assert_eq!(running.try_alter(TOPIC, "no.such.key", "1"), 40);
    assert_eq!(running.try_alter("absent", "retention.ms", "1"), 3);
    running.broker.stop();
}

/// What consumers were shown is not taken back, whichever class the topic changes to under a load.
#[test]
fn the_high_watermark_never_falls_when_durability_changes() {
    let scratch = Scratch::new("live-durability");
    let mut running = running(&scratch);
    let mut shown = 0;
    for round in 0..60 {
        running.alter("durability", ["memory", "disk", "device", "disk"][round % 4]);
        let small = vec![3; 100];
        for _ in 0..5 {
            let batches = [(TOPIC.to_string(), 0, batch::encode(None, std::slice::from_ref(&small)).into())];
            running.connection.send_produce(1, &batches).expect("sent");
        }
        for answered in 0..5 {
            let produced = running.connection.receive_produced().expect("answered");
            assert_eq!((produced[0].error, produced[0].base_offset), (0, (round * 5 + answered) as i64));
        }
        let from = FetchFrom { topic: TOPIC.to_string(), partition: 0, offset: shown };
        let fetched = running.connection.fetch(&[from], 0).expect("answered").remove(0);
        assert!(fetched.error == 0 && fetched.high_watermark >= shown, "{shown} was shown: {fetched:?}");
        shown = fetched.high_watermark;
        assert_eq!(shown, (round as i64 + 1) * 5, "what is acknowledged is readable");
    }
    running.broker.stop();
}
