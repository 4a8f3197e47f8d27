//! The client commands of the binary against a running broker: what they print, their exit codes, and what they say when
//! something is wrong. What strangers' clients make of their records is tested in `tests/clients/own_client.py`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

mod support;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::api_versions_response::ApiVersion;
use kafka_protocol::messages::fetch_response::{FetchableTopicResponse, PartitionData};
use kafka_protocol::messages::list_offsets_response::{ListOffsetsPartitionResponse, ListOffsetsTopicResponse};
use kafka_protocol::messages::metadata_response::{
    MetadataResponseBroker, MetadataResponsePartition, MetadataResponseTopic,
};
use kafka_protocol::messages::produce_response::{PartitionProduceResponse, TopicProduceResponse};
use kafka_protocol::messages::{
    ApiKey, ApiVersionsResponse, BrokerId, FetchResponse, InitProducerIdResponse, ListOffsetsRequest,
    ListOffsetsResponse, MetadataResponse, ProduceRequest, ProduceResponse, ProducerId, RequestHeader, ResponseHeader,
    TopicName,
};
use kafka_protocol::protocol::{Decodable, Encodable, StrBytes};
use serde_json::Value;
use std::collections::VecDeque;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Output, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use support::Scratch;
use support::process::{Broker, Machine, binary, free_ports};

/// A broker of two cores, and our own commands pointed at it.
struct Bench {
    broker: Option<Broker>,
    machine: Machine,
    scratch: Scratch,
}

impl Bench {
    fn start(name: &str) -> Bench {
        let scratch = Scratch::new(name);
        let machine =
            Machine::new(&scratch.path().join("data"), scratch.path(), 2).with("auto.create.topics.enable", true);
        let broker = Some(machine.start());
        Bench { broker, machine, scratch }
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(binary());
        // Words in single quotes stay together.
        for (number, part) in line.split('\'').enumerate() {
            match number % 2 {
                0 => drop(command.args(part.split_whitespace())),
                _ => drop(command.arg(part)),
            }
        }
        command.env("CORELANE_BOOTSTRAP", self.broker.as_ref().expect("it runs").address());
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn run_with(&self, line: &str, input: &[u8]) -> Said {
        let mut child = self.command(line).spawn().expect("the binary starts");
        let mut stdin = child.stdin.take().expect("piped");
        let input = input.to_vec();
        let feeder = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = child.wait_with_output().expect("it ends");
        feeder.join().expect("fed");
        Said { line: line.to_string(), output }
    }

    fn run(&self, line: &str) -> Said {
        self.run_with(line, b"")
    }

    fn stop(mut self) {
        self.broker.take().expect("it runs").stop();
        assert!(!self.machine.panicked(), "the broker panicked:\n{}", self.machine.log_end(20));
    }
}

/// How a command ended.
struct Said {
    line: String,
    output: Output,
}

impl Said {
    fn out(&self) -> String {
        String::from_utf8_lossy(&self.output.stdout).to_string()
    }

    fn err(&self) -> String {
        String::from_utf8_lossy(&self.output.stderr).to_string()
    }

    #[track_caller]
    fn ends(self, code: i32) -> Said {
        let found = self.output.status.code();
        assert_eq!(found, Some(code), "{}: {}\n{}\n{}", self.line, self.output.status, self.out(), self.err());
        self
    }

    /// Done, and nothing on standard error.
    #[track_caller]
    fn done(self) -> String {
        let said = self.ends(0);
        assert_eq!(said.err(), "", "{}", said.line);
        said.out()
    }

    /// Ended with this code, and one line on standard error that has all the words.
    #[track_caller]
    fn complains(self, code: i32, words: &[&str]) {
        let said = self.ends(code);
        assert_eq!(said.err().lines().count(), 1, "{}: {}", said.line, said.err());
        for word in words {
            assert!(said.err().contains(word), "{}: no {word} in {}", said.line, said.err());
        }
    }

    #[track_caller]
    fn json(self) -> Value {
        let text = self.done();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }
}

#[test]
fn topics_records_and_back() {
    let bench = Bench::start("cli-round");
    assert_eq!(bench.run("topic list").done(), "TOPIC  PARTITIONS  REPLICAS\n");
    bench.run("topic create orders -p 3 -c retention.ms=100000").done();
    bench
        .run("topic create orders")
        .complains(1, &["topic orders", "broker 0 at 127.0.0.1:", "TOPIC_ALREADY_EXISTS (36)"]);
    bench.run("topic create orders --if-not-exists").done();
    assert_eq!(bench.run("topic create orders more").ends(3).out().lines().count(), 3);
    assert_eq!(
        bench.run("topic list").done(),
        "TOPIC   PARTITIONS  REPLICAS\nmore    1           1\norders  3           1\n"
    );
    let listed = bench.run("topic list -o json").json();
    assert_eq!((listed[1]["topic"].as_str(), listed[1]["partitions"].as_i64()), (Some("orders"), Some(3)));
    let sent = bench.run_with("produce orders -K : -o json", b"21:a\nfoobar:b\nabc:c\n21:d\n").json();
    assert_eq!(
        sent.as_array().map_or(0, |sent| sent.iter().map(|sent| sent["records"].as_i64().expect("number")).sum()),
        4
    );
    // Where the Java client puts these keys: its hashes are -973932308, -790332482, 479470107.
    let mut lines: Vec<String> =
        bench.run("consume orders -f '%p %o %k=%v\\n'").done().lines().map(str::to_string).collect();
    lines.sort();
    let partition = |hash: i32| (hash & 0x7fff_ffff) % 3;
    let mut expect: Vec<String> = [
        ("21", "a", -973_932_308),
        ("foobar", "b", -790_332_482),
        ("abc", "c", 479_470_107),
        ("21", "d", -973_932_308),
    ]
    .map(|(key, value, hash)| format!("{} {key}={value}", partition(hash)))
    .to_vec();
    expect.sort();
    let without_offsets: Vec<String> = lines
        .iter()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            format!("{} {}", words[0], words[2])
        })
        .collect();
    let mut without_offsets = without_offsets;
    without_offsets.sort();
    assert_eq!(without_offsets, expect);
    bench.run("consume nope").complains(1, &["topic nope", "UNKNOWN_TOPIC_OR_PARTITION (3)", "corelane topic create"]);
    bench.stop();
}

#[test]
fn a_topic_is_described_altered_grown_trimmed_and_deleted() {
    let bench = Bench::start("cli-topic");
    bench.run("topic create a -p 2 -c retention.ms=100000 -c cleanup.policy=delete").done();
    bench.run_with("produce a -p 1", b"1\n2\n3\n4\n5\n").done();
    let shown = bench.run("topic describe a").done();
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["1", "1", "0", "1", "1", "0", "5", "5"])), "{shown}");
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["retention.ms", "100000", "topic"])), "{shown}");
    assert!(!shown.contains("segment.bytes"), "{shown}");
    bench.run("topic alter a --set segment.bytes=2097152 --delete retention.ms --append cleanup.policy=compact").done();
    let topic = bench.run("topic describe a -o json").json();
    let config = |name: &str| {
        let configs = topic[0]["configs"].as_array().expect("configs");
        let found = configs.iter().find(|config| config["name"] == name).expect(name);
        (found["value"].as_str().expect("value").to_string(), found["source"].as_str().expect("source").to_string())
    };
    assert_eq!(config("segment.bytes"), ("2097152".to_string(), "DYNAMIC_TOPIC_CONFIG".to_string()));
    assert_eq!(config("cleanup.policy").0, "delete,compact");
    assert_eq!(config("retention.ms"), ("604800000".to_string(), "DEFAULT_CONFIG".to_string()));
    assert_eq!(topic[0]["partitions"][1]["end"], 5);
    bench.run("topic alter a --subtract cleanup.policy=compact").done();
    bench
        .run("topic alter a --set retention.ms=soon")
        .complains(1, &["topic a", "INVALID_CONFIG (40)", "retention.ms"]);
    bench.run("topic alter a --set retention.ms=5 --dry-run").done();
    assert!(!bench.run("topic describe a").done().contains("retention.ms"));
    bench.run("topic alter a").complains(2, &["--set"]);
    bench.run("topic alter a --set retention.ms").complains(2, &["key=value"]);

    bench.run("topic add-partitions a -n 1").done();
    bench.run("topic add-partitions a --total 3").complains(1, &["INVALID_PARTITIONS (37)"]);
    assert!(
        bench.run("topic list a").done().lines().last().is_some_and(|line| line.split_whitespace().eq(["a", "3", "1"]))
    );

    let trimmed = bench.run("topic trim a --to 2 -p 1 -o json").json();
    assert_eq!((&trimmed[0]["start_before"], &trimmed[0]["start"]), (&Value::from(0), &Value::from(2)));
    bench.run("topic trim a --to 6 -p 1").complains(1, &["partition 1", "OFFSET_OUT_OF_RANGE (1)", "topic describe"]);
    bench.run("topic trim a --to -1").done();
    assert_eq!(bench.run("consume a").done(), "5\n");
    bench.run("topic trim a --to end").done();
    assert_eq!(bench.run("consume a").done(), "");
    bench.run("topic trim a --to 1..2").complains(2, &["range"]);
    bench.run("topic trim a --to end -p 9").complains(1, &["partition 9", "no such partition"]);

    bench.run("topic create b1 b2 c").done();
    bench.run("topic delete 'b*'").complains(2, &["--yes", "b1, b2"]);
    bench.run("topic delete 'b*' --yes").done();
    bench.run("topic delete 'x*' --yes").complains(1, &["topic x*", "no topic matches"]);
    assert!(bench.run("topic delete a zz").ends(3).err().contains("topic zz"));
    let listed = bench.run("topic list").done();
    assert_eq!(listed.lines().skip(1).collect::<Vec<_>>(), ["c      1           1"]);
    bench.stop();
}

/// Every byte value in key, value and header; null and empty told apart; each codec; what JSON shows of it.
#[test]
fn bytes_come_back_as_they_went() {
    let bench = Bench::start("cli-bytes");
    let all: Vec<u8> = (0..=255).collect();
    for codec in ["none", "gzip", "snappy", "lz4", "zstd"] {
        let large = all.repeat(2000);
        bench.run_with(&format!("produce {codec} -p 0 --whole -z {codec} -k k -H h=v -H null"), &large).done();
        let back = bench.run(&format!("consume {codec} -f '%s'")).ends(0);
        assert!(back.output.stdout == large, "{codec}: {} bytes came back", back.output.stdout.len());
        let line = bench.run(&format!("consume {codec} -o json")).json();
        assert_eq!((&line["key"], &line["headers"][0]["value"]), (&Value::from("k"), &Value::from("v")));
        assert_eq!((&line["headers"][1]["key"], &line["headers"][1]["value"]), (&Value::from("null"), &Value::Null));
        let encoded = line["value"]["base64"].as_str().expect("marked as base64");
        assert_eq!(encoded.len(), large.len().div_ceil(3) * 4);
        assert!(encoded.starts_with("AAECAwQFBgcI"), "{}", &encoded[..20]);
    }
    bench.run_with("produce nulls -p 0 -K '\\t' -Z -D ';'", b"k\tv;k\t;\tv;plain;;").done();
    let shown = bench.run("consume nulls -f '%k{json} %v{json} %K %S|'").done();
    assert_eq!(shown, "\"k\" \"v\" 1 1|\"k\" null 1 -1|null \"v\" -1 1|null \"plain\" -1 5|null null -1 -1|");
    bench.run_with("produce empty -p 0 -K '\\t'", b"\t\nx\n").done();
    assert_eq!(bench.run("consume empty -f '%k{json} %v{json} %K %S|'").done(), "\"\" \"\" 0 0|null \"x\" -1 1|");
    bench.stop();
}

/// What `consume --json` writes, `produce --json` reads: a topic becomes another one, byte for byte.
#[test]
fn a_topic_is_copied_through_json() {
    let bench = Bench::start("cli-copy");
    let all: Vec<u8> = (0..=255).collect();
    bench.run_with("produce from --whole -k key -H n -H v=1", &all).done();
    bench.run_with("produce from -K : -Z", "schlüssel:größe\n:x\nk:\n".as_bytes()).done();
    let lines = bench.run("consume from -J").done();
    bench.run_with("produce to -J -z lz4", lines.as_bytes()).done();
    let copied = bench.run("consume to -J").done();
    assert_eq!(copied, lines.replace("\"topic\":\"from\"", "\"topic\":\"to\""));
    let said = bench.run_with("produce to -J", b"{\"value\":\"a\"}\n{\"value\":1}\n{\"value\":\"b\"}\n").ends(3);
    assert!(said.err().contains("standard input: line 2: value: neither a string"), "{}", said.err());
    assert_eq!(bench.run("consume to -o 4").done(), "a\n");
    bench.stop();
}

#[test]
fn places_counts_and_partitions() {
    let bench = Bench::start("cli-places");
    bench.run("topic create t -p 2").done();
    let lines = |from: usize, to: usize| (from..to).map(|number| format!("{number}\n")).collect::<String>();
    bench.run_with("produce t -p 0", lines(0, 100).as_bytes()).done();
    bench.run_with("produce t -p 1", lines(100, 103).as_bytes()).done();
    bench.run("topic trim t --to 10 -p 0").done();
    for (line, expect) in [
        ("-p 0", lines(10, 100)),
        ("-p 0 -o start -n 2", lines(10, 12)),
        ("-p 0 -o +5 -n 1", lines(15, 16)),
        ("-p 0 -o -3", lines(97, 100)),
        ("-p 0 -o 42..45", lines(42, 45)),
        ("-p 0 -o 98:end", lines(98, 100)),
        ("-p 0 -o 98..1000", lines(98, 100)),
        ("-p 0 -o end", String::new()),
        ("-p 0 -o @2001-01-01 -n 1", lines(10, 11)),
        ("-p 0 -o @-1h..@2001-01-01", String::new()),
        ("-p 0 -o @2100-01-01", String::new()),
        ("-p 1 -o -1", lines(102, 103)),
        ("-p 0,1 -o -0", String::new()),
    ] {
        assert_eq!(bench.run(&format!("consume t {line}")).done(), expect, "{line}");
    }
    assert_eq!(bench.run("consume t -n 7").done().lines().count(), 7);
    assert_eq!(bench.run("consume t").done().lines().count(), 93);
    bench.run("consume t -p 0 -o 5").complains(1, &["partition 0", "offset 5", "starts at 10", "ends at 100"]);
    let partly = bench.run("consume t -o 2").ends(0);
    assert_eq!((partly.out(), partly.err().lines().count()), ("102\n".to_string(), 1));
    bench.run("consume t -p 7").complains(1, &["partition 7", "no such partition"]);
    bench.run("consume t -o never").complains(2, &["--offset never", "start, end"]);
    bench.run("consume t -f %q").complains(2, &["%q", "%t topic"]);
    bench.run("consume t -J -f %s").complains(2, &["--json"]);
    bench.stop();
}

#[test]
fn what_goes_wrong_is_said_in_one_line() {
    let bench = Bench::start("cli-wrong");
    let nobody = free_ports();
    bench
        .run(&format!("topic list -b 127.0.0.1:{nobody}"))
        .complains(1, &[&format!("127.0.0.1:{nobody}"), "refused", "--bootstrap"]);
    let address = bench.broker.as_ref().expect("it runs").address().to_string();
    bench.run(&format!("topic list -b 127.0.0.1:{nobody},{address}")).done();
    bench.run("topic list -b nowhere.invalid:1").complains(1, &["nowhere.invalid:1"]);
    bench.run("topic list -b :1").complains(2, &["--bootstrap", "host"]);
    bench.run("topic create t --config nonsense").complains(2, &["key=value"]);
    bench.run("topic create t -c retention.ms=soon").complains(1, &["topic t", "INVALID_CONFIG (40)"]);
    bench.run("topic create t -c no.such.key=1").complains(1, &["INVALID_CONFIG (40)", "no.such.key"]);
    bench.run("topic create 'a b'").complains(1, &["topic a b", "INVALID_TOPIC_EXCEPTION (17)", "letters"]);
    bench.run("topic create t -r 3").complains(1, &["INVALID_REPLICATION_FACTOR (38)"]);
    bench.run("topic create t -p 0").complains(1, &["INVALID_PARTITIONS (37)"]);
    bench.run("topic create t -p many").complains(2, &["many", "--partitions"]);
    bench.run("topic describe nope").complains(1, &["topic nope", "UNKNOWN_TOPIC_OR_PARTITION (3)"]);
    bench
        .run("produce nope --no-create")
        .complains(1, &["topic nope", "UNKNOWN_TOPIC_OR_PARTITION (3)", "topic create"]);
    bench.run("produce t /does/not/exist").complains(1, &["/does/not/exist"]);
    bench.run("produce t -p 5").complains(1, &["partition 5", "no such partition"]);
    bench.run("produce t -z brotli").complains(2, &["brotli", "zstd"]);
    bench.run("produce t --acks 2").complains(2, &["--acks", "0, 1 or all"]);
    let refused = bench.run_with("produce t --whole", &vec![b'x'; 3 << 20]);
    refused.complains(1, &["topic t, partition 0", "MESSAGE_TOO_LARGE (10)", "max.message.bytes"]);
    // The first two are taken, then comes one that is not: some of it was done.
    let input = [b"1\n2\n".to_vec(), vec![b'x'; 3 << 20]].concat();
    let partly = bench.run_with("produce t", &input).ends(3);
    assert!(partly.err().contains("2 records were acknowledged"), "{}", partly.err());
    bench.run("topic alter t -s max.message.bytes=10000").done();
    // Batches of half a mebibyte are cut until they fit; the order stays.
    let many: String = (0..5000).map(|number| format!("{number:0100}\n")).collect();
    bench.run_with("produce t", many.as_bytes()).done();
    assert_eq!(bench.run("consume t -o 2").done(), many);
    bench.stop();
}

/// What an [`Actor`] plays.
#[derive(Default)]
struct Play {
    /// Error codes of the next answers to Produce and Fetch; without one left they succeed.
    codes: VecDeque<i16>,
    /// Base sequences of the batches that came.
    sequences: Vec<i32>,
    /// How often the metadata was asked for.
    metadata: usize,
}

/// A broker of one topic and one partition that refuses as it is told.
struct Actor {
    address: String,
    play: Arc<Mutex<Play>>,
}

impl Actor {
    fn start(codes: &[i16]) -> Actor {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("bound").port();
        let play = Arc::new(Mutex::new(Play { codes: codes.iter().copied().collect(), ..Play::default() }));
        let shared = Arc::clone(&play);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || while Actor::answer(&stream, port, &shared).is_some() {});
            }
        });
        Actor { address: format!("127.0.0.1:{port}"), play }
    }

    /// One request; none when the connection ends.
    fn answer(mut stream: &TcpStream, port: u16, play: &Mutex<Play>) -> Option<()> {
        let mut length = [0; 4];
        stream.read_exact(&mut length).ok()?;
        let mut frame = vec![0; i32::from_be_bytes(length) as usize];
        stream.read_exact(&mut frame).ok()?;
        let mut frame = Bytes::from(frame);
        let (key, version) = (i16::from_be_bytes([frame[0], frame[1]]), i16::from_be_bytes([frame[2], frame[3]]));
        let key = ApiKey::try_from(key).expect("a known key");
        let header = RequestHeader::decode(&mut frame, key.request_header_version(version)).expect("a header");
        let mut out = BytesMut::zeroed(4);
        let answer = ResponseHeader::default().with_correlation_id(header.correlation_id);
        answer.encode(&mut out, key.response_header_version(version)).expect("encodes");
        Actor::body(key, version, frame, port, &mut play.lock().expect("no panic"), &mut out);
        let length = out.len() as i32 - 4;
        out[..4].copy_from_slice(&length.to_be_bytes());
        stream.write_all(&out).ok()
    }

    fn body(key: ApiKey, version: i16, mut frame: Bytes, port: u16, play: &mut Play, out: &mut BytesMut) {
        let topic = || TopicName(StrBytes::from_static_str("t"));
        let encoded = match key {
            ApiKey::ApiVersions => {
                let spoken = [(0, 3, 8), (1, 4, 11), (2, 1, 5), (3, 1, 9), (18, 0, 3), (22, 0, 1)];
                let api = |(key, min, max)| {
                    ApiVersion::default().with_api_key(key).with_min_version(min).with_max_version(max)
                };
                ApiVersionsResponse::default().with_api_keys(spoken.map(api).to_vec()).encode(out, version)
            }
            ApiKey::Metadata => {
                play.metadata += 1;
                let host = StrBytes::from_static_str("127.0.0.1");
                let broker = MetadataResponseBroker::default()
                    .with_node_id(BrokerId(7))
                    .with_host(host)
                    .with_port(i32::from(port));
                let partition = MetadataResponsePartition::default().with_leader_id(BrokerId(7)).with_leader_epoch(1);
                let topic = MetadataResponseTopic::default().with_name(Some(topic())).with_partitions(vec![partition]);
                MetadataResponse::default().with_brokers(vec![broker]).with_topics(vec![topic]).encode(out, version)
            }
            ApiKey::InitProducerId => InitProducerIdResponse::default()
                .with_producer_id(ProducerId(5))
                .with_producer_epoch(0)
                .encode(out, version),
            ApiKey::Produce => {
                let asked = ProduceRequest::decode(&mut frame, version).expect("a request");
                let batch = asked.topic_data[0].partition_data[0].records.clone().expect("records");
                play.sequences.push(i32::from_be_bytes(batch[53..57].try_into().expect("4 bytes")));
                let code = play.codes.pop_front().unwrap_or(0);
                let partition = PartitionProduceResponse::default().with_error_code(code).with_base_offset(9);
                let topic =
                    TopicProduceResponse::default().with_name(topic()).with_partition_responses(vec![partition]);
                ProduceResponse::default().with_responses(vec![topic]).encode(out, version)
            }
            ApiKey::ListOffsets => {
                let asked = ListOffsetsRequest::decode(&mut frame, version).expect("a request");
                let end = asked.topics[0].partitions[0].timestamp == -1;
                let partition = ListOffsetsPartitionResponse::default().with_offset(i64::from(end) * 2);
                let topic = ListOffsetsTopicResponse::default().with_name(topic()).with_partitions(vec![partition]);
                ListOffsetsResponse::default().with_topics(vec![topic]).encode(out, version)
            }
            ApiKey::Fetch => {
                let code = play.codes.pop_front().unwrap_or(0);
                let records = support::batch::encode(None, &[b"one".to_vec(), b"two".to_vec()]);
                let partition = PartitionData::default().with_error_code(code).with_high_watermark(2);
                let partition = partition.with_records((code == 0).then(|| Bytes::from(records)));
                let topic = FetchableTopicResponse::default().with_topic(topic()).with_partitions(vec![partition]);
                FetchResponse::default().with_responses(vec![topic]).encode(out, version)
            }
            other => panic!("{other:?} is not asked"),
        };
        encoded.expect("encodes");
    }

    fn run(&self, line: &str, input: &[u8]) -> Said {
        let mut command = Command::new(binary());
        command.args(line.split_whitespace()).args(["-b", &self.address]);
        let mut child =
            command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it starts");
        child.stdin.take().expect("piped").write_all(input).expect("fed");
        Said { line: line.to_string(), output: child.wait_with_output().expect("it ends") }
    }
}

const NOT_LEADER_OR_FOLLOWER: i16 = 6;
const MESSAGE_TOO_LARGE: i16 = 10;
const TOPIC_AUTHORIZATION_FAILED: i16 = 29;
const DUPLICATE_SEQUENCE_NUMBER: i16 = 46;

/// A leader that is none any more is looked for again, with the same sequence, so that nothing is doubled; within the patience, and
/// no longer. What does not pass is not tried again.
#[test]
fn refusals_that_pass_are_tried_again_within_a_bound() {
    let actor = Actor::start(&[NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER]);
    let sent = actor.run("produce t -o json", b"one\ntwo\n").json();
    assert_eq!((&sent[0]["records"], &sent[0]["first"]), (&Value::from(2), &Value::from(9)));
    {
        let play = actor.play.lock().expect("no panic");
        assert_eq!(play.sequences, [0, 0, 0]);
        assert!(play.metadata >= 4, "asked {} times", play.metadata);
    }
    let actor = Actor::start(&[DUPLICATE_SEQUENCE_NUMBER]);
    actor.run("produce t", b"one\n").done();
    let actor = Actor::start(&[MESSAGE_TOO_LARGE, 0, 0]);
    actor.run("produce t", b"one\ntwo\nthree\n").done();
    assert_eq!(actor.play.lock().expect("no panic").sequences, [0, 0, 1]);
    let actor = Actor::start(&[TOPIC_AUTHORIZATION_FAILED]);
    actor
        .run("produce t", b"one\n")
        .complains(1, &["partition 0", "broker 7", "TOPIC_AUTHORIZATION_FAILED (29)", "authenticate"]);
    let actor = Actor::start(&[NOT_LEADER_OR_FOLLOWER; 1000]);
    let began = Instant::now();
    let words = ["topic t, partition 0", "broker 7 at 127.0.0.1", "NOT_LEADER_OR_FOLLOWER (6)"];
    actor.run("produce t --timeout 1", b"one\n").complains(1, &words);
    assert!((Duration::from_millis(700)..Duration::from_secs(10)).contains(&began.elapsed()), "{:?}", began.elapsed());
    actor.run("consume t --timeout 1", b"").complains(1, &words);
    let actor = Actor::start(&[NOT_LEADER_OR_FOLLOWER, NOT_LEADER_OR_FOLLOWER]);
    assert_eq!(actor.run("consume t", b"").done(), "one\ntwo\n");
}

/// An HTTP server, a listener that says nothing, and one that closes: a reason each, and in time.
#[test]
fn strangers_at_the_other_end_are_recognised() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("bound").to_string();
    let answers: [&[u8]; 3] = [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"\x15\x03\x01\x00\x02\x02\x0a", b""];
    let server = std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a client");
            let mut some = [0; 4096];
            let _ = stream.read(&mut some);
            let _ = stream.write_all(answer);
        }
        // And one that is never answered.
        let silent = listener.accept();
        std::thread::sleep(Duration::from_secs(3));
        drop(silent);
    });
    let ask = |timeout: &str| {
        let line = ["topic", "list", "-b", &address, "--timeout", timeout];
        let output = Command::new(binary()).args(line).output().expect("the binary starts");
        Said { line: line.join(" "), output }
    };
    ask("5").complains(1, &[&address, "HTTP"]);
    ask("5").complains(1, &[&address, "TLS"]);
    ask("5").complains(1, &[&address, "closed"]);
    let began = Instant::now();
    ask("0.5").complains(1, &[&address, "in time", "--timeout"]);
    assert!(began.elapsed() < Duration::from_millis(2500), "{:?}", began.elapsed());
    server.join().expect("served");
}

fn lines_of(child: &mut Child) -> std::sync::mpsc::Receiver<String> {
    let stdout = child.stdout.take().expect("piped");
    let (sender, lines) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stdout).lines().map_while(Result::ok) {
            if sender.send(line).is_err() {
                break;
            }
        }
    });
    lines
}

const SOON: Duration = Duration::from_secs(20);

/// A reader follows while another command types lines, through a kill of the broker and a start; Ctrl-C ends it with 0.
#[test]
fn following_goes_on_through_a_restart_and_ends_cleanly() {
    let mut bench = Bench::start("cli-follow");
    bench.run("topic create t -p 3").done();
    let mut reader = bench.command("consume t --follow --timeout 20").spawn().expect("the binary starts");
    let lines = lines_of(&mut reader);
    let mut writer = bench.command("produce t --timeout 20 -K :").spawn().expect("the binary starts");
    let mut typed = writer.stdin.take().expect("piped");
    for number in 0..3 {
        // A line that somebody types is there at once, not when the input ends.
        writeln!(typed, "key{number}:line {number}").expect("typed");
        assert_eq!(lines.recv_timeout(SOON).expect("read"), format!("line {number}"));
    }
    bench.broker.take().expect("it runs").kill();
    writeln!(typed, "key:while it is down").expect("typed");
    std::thread::sleep(Duration::from_millis(300));
    // With one core instead of two every partition of core 1 has another leader, at another port.
    bench.machine.cores = 1;
    bench.broker = Some(bench.machine.start());
    assert_eq!(lines.recv_timeout(SOON).expect("read"), "while it is down");
    drop(typed);
    let ended = writer.wait_with_output().expect("ends");
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    // SAFETY: plain system call on our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(reader.id() as i32, libc::SIGINT) }, 0);
    let ended = reader.wait_with_output().expect("ends");
    assert_eq!((ended.status.code(), ended.stderr.len()), (Some(0), 0), "{}", String::from_utf8_lossy(&ended.stderr));
    assert_eq!(lines.try_iter().count(), 0, "nothing twice");
    bench.stop();
}

/// A topic on which nothing happens, and a broker that is away now and then, each time shorter than the patience: the patience is
/// for each time, not for all of them together. The second absence used to end the reader.
#[test]
fn following_a_quiet_topic_outlives_every_short_absence() {
    let mut bench = Bench::start("cli-quiet");
    bench.run("topic create t").done();
    let mut reader = bench.command("consume t --follow --timeout 3").spawn().expect("the binary starts");
    let lines = lines_of(&mut reader);
    bench.run_with("produce t", b"first\n").done();
    assert_eq!(lines.recv_timeout(SOON).expect("read"), "first");
    for pause in [3500, 500] {
        bench.broker.take().expect("it runs").kill();
        std::thread::sleep(Duration::from_millis(300));
        bench.broker = Some(bench.machine.start());
        std::thread::sleep(Duration::from_millis(pause));
    }
    bench.run_with("produce t", b"last\n").done();
    assert_eq!(lines.recv_timeout(SOON).expect("still following"), "last");
    let _ = reader.kill();
    let _ = reader.wait();
    bench.stop();
}

/// `| head` closes the pipe in the middle of the output: no panic, no complaint, exit code 0.
#[test]
fn a_reader_that_has_had_enough_is_no_failure() {
    let bench = Bench::start("cli-pipe");
    let many: String = (0..100_000).map(|number| format!("{number:050}\n")).collect();
    bench.run_with("produce t", many.as_bytes()).done();
    for line in ["consume t", "consume t -J", "man", "topic --help"] {
        let mut child = bench.command(line).spawn().expect("the binary starts");
        let mut first = [0; 10];
        child.stdout.take().expect("piped").read_exact(&mut first).expect("some output");
        let ended = child.wait_with_output().expect("ends");
        assert_eq!(
            (ended.status.code(), ended.stderr.len()),
            (Some(0), 0),
            "{line}: {}",
            String::from_utf8_lossy(&ended.stderr)
        );
    }
    bench.stop();
}

#[test]
fn groups_are_listed_shown_moved_and_deleted() {
    let bench = Bench::start("cli-group");
    bench.run("topic create a -p 2").done();
    bench.run_with("produce a -p 0", b"1\n2\n3\n4\n5\n").done();
    assert_eq!(bench.run("group list").done(), "GROUP  STATE  TYPE  COORDINATOR\n");
    bench.run("group describe g").complains(1, &["group g", "GROUP_ID_NOT_FOUND (69)", "group list"]);
    bench.run("group seek g --to start").complains(1, &["group g", "--topic"]);
    bench.run("group seek g --to start..end -T a").complains(2, &["range"]);
    bench.run("group seek g --to 6 -T a -p 0").complains(1, &["topic a, partition 0", "offset 6", "end 5"]);
    bench.run("group seek g --to start -T nowhere").complains(1, &["topic nowhere", "(3)"]);

    let moved = bench.run("group seek g --to +2 -T a -o json").json();
    assert_eq!((&moved[0]["before"], &moved[0]["committed"]), (&Value::Null, &Value::from(2)));
    let whole = bench.run("group describe g -o json").json();
    let first = &whole[0]["partitions"][0];
    assert_eq!(
        (&first["committed"], &first["end"], &first["lag"]),
        (&Value::from(2), &Value::from(5), &Value::from(3))
    );
    assert_eq!((&whole[0]["state"], &whole[0]["lag"]), (&Value::from("Empty"), &Value::from(3)));
    let shown = bench.run("group describe g").done();
    assert!(shown.lines().any(|line| line.split_whitespace().eq(["a", "0", "2", "5", "3", "-"])), "{shown}");

    // Without --topic: what the group has committed to, and only the partitions that are named.
    bench.run("group seek g --to -1 -p 0 --dry-run").done();
    assert_eq!(bench.run("group describe g -o json").json()[0]["lag"], 3);
    bench.run("group seek g --to -1 -p 0").done();
    assert_eq!(bench.run("group describe g -o json").json()[0]["lag"], 1);
    bench.run("group seek g --to @2000-01-01").done();
    assert_eq!(bench.run("group describe g -o json").json()[0]["lag"], 5);
    bench.run("group seek g --to start -p 7").complains(1, &["group g", "no such partition"]);

    bench.run("group seek other --to end -T a").done();
    let names = |line: &str| {
        let listed = bench.run(line).json();
        let groups = listed.as_array().expect("a list").iter();
        groups.map(|group| group["group"].as_str().expect("a name").to_string()).collect::<Vec<_>>()
    };
    assert_eq!(names("group list -o json"), ["g", "other"]);
    assert_eq!(names("group list 'o*' --state empty -o json"), ["other"]);
    assert!(names("group list --state stable -o json").is_empty());
    assert!(bench.run("group delete other nobody").ends(3).err().contains("group nobody"));
    // A topic that is gone takes what was committed to it along, and an empty group without commits is nothing.
    bench.run("topic delete a").done();
    // The core that coordinates the group hears of it after the one that answered.
    let gone = |_| {
        std::thread::sleep(Duration::from_millis(20));
        names("group list -o json").is_empty()
    };
    assert!((0..250).any(gone), "the groups stay: {:?}", names("group list -o json"));
    bench.stop();
}

#[test]
fn the_cluster_shows_itself() {
    let bench = Bench::start("cli-cluster");
    bench.run("topic create t -p 4").done();
    let shown = bench.run("cluster info -o json --api-versions").json();
    assert_eq!((&shown["controller"], &shown["partitions"]), (&Value::from(0), &Value::from(4)));
    assert_eq!(shown["cluster"].as_str().map(str::len), Some(22));
    let brokers = shown["brokers"].as_array().expect("brokers");
    assert_eq!((brokers.len(), &brokers[1]["leads"]), (2, &Value::from(2)));
    let apis = brokers[1]["api_versions"].as_array().expect("listed");
    assert!(apis.iter().any(|api| api["api"] == "Fetch" && api["key"] == 1 && api["max"] == 17), "{apis:?}");
    let table = bench.run("cluster info").done();
    assert!(table.starts_with("CLUSTER ") && table.contains("BROKER  HOST"), "{table}");
    bench.stop();
}

#[test]
fn shells_and_manuals_know_the_commands() {
    let bench = Bench::start("cli-pages");
    for shell in ["bash", "zsh", "fish"] {
        let script = bench.run(&format!("completions {shell}")).done();
        assert!(script.contains("add-partitions") && script.contains("compression"), "{shell}");
    }
    bench.run("completions tcsh").complains(2, &["tcsh", "bash"]);
    assert!(bench.run("man").done().contains(".TH corelane 1"));
    let dir = bench.scratch.path().join("man");
    bench.run(&format!("man --dir {}", dir.display())).done();
    let page = std::fs::read_to_string(dir.join("corelane-topic-create.1")).expect("a page per command");
    assert!(page.contains("partitions"), "{page}");
    bench.stop();
}

/// A directory with segments, journals and two cores: sound, then a byte of each kind of file flipped.
#[test]
fn rot_is_found_where_it_is() {
    let scratch = Scratch::new("cli-rot");
    let data = scratch.path().join("data");
    let keys = [("journal.file.bytes", "2097152"), ("log.segment.bytes", "1048576")];
    let machine =
        keys.iter().fold(Machine::new(&data, scratch.path(), 2), |machine, (key, value)| machine.with(key, value));
    let broker = Some(machine.start());
    let bench = Bench { broker, machine, scratch };
    bench.run("topic create t -p 2").done();
    let many: String = (0..200_000).map(|number| format!("{number:060}\n")).collect();
    bench.run_with("produce t -p 0", many.as_bytes()).done();
    let verify = format!("log verify {}", data.display());
    bench.run(&verify).complains(1, &["process", "stop it, or verify a copy"]);
    let seen = bench.run(&format!("log inspect {}", data.display())).ends(0);
    assert!(seen.err().contains("runs on it"), "{}", seen.err());
    let Bench { broker, scratch, .. } = bench;
    broker.expect("it runs").stop();
    let alone = |line: String| {
        let output = Command::new(binary()).args(line.split(' ')).output().expect("the binary starts");
        Said { line, output }
    };
    let sound = alone(format!("{verify} -o json")).json();
    assert!(sound["segments"].as_u64() > Some(3) && sound["records"].as_u64() > Some(50_000), "{sound}");
    let inspected = alone(format!("log inspect {} --records -o json", data.display())).ends(0).out();
    let offsets =
        inspected.lines().filter(|line| line.contains("\"kind\":\"record\",\"sound\":true,\"offset\"")).count();
    assert!(offsets >= 200_000, "{offsets} records are shown");
    for kind in ["boot", "append", "extent", "state", "checkpoint", "metadata", "batch"] {
        assert!(inspected.contains(&format!("\"kind\":\"{kind}\"")), "no {kind}");
    }
    let find = |suffix: &str| {
        let line = inspected.lines().find(|line| line.contains(suffix)).expect(suffix);
        serde_json::from_str::<Value>(line).expect("JSON")["file"].as_str().expect("file").to_string()
    };
    let flip = |path: &str, at: u64| {
        let mut bytes = std::fs::read(path).expect("there");
        bytes[at as usize] ^= 0x20;
        std::fs::write(path, bytes).expect("written");
    };
    let before = snapshot(&data);
    let segment = find(".segment");
    // Behind the filler of its extent.
    let batch = inspected.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON"));
    let mut batch = batch.filter(|line| line["kind"] == "batch" && line["file"] == segment.as_str());
    let batch = batch.next().and_then(|line| line["position"].as_u64()).expect("the segment has batches");
    let (head, records) = (batch + 20, batch + 420);
    for (at, words) in [(0, "no valid extent header"), (records, "checksum of the record batch"), (head, "says offset")]
    {
        flip(&segment, at);
        let said = alone(verify.clone()).ends(1);
        let err = said.err();
        assert!(err.contains(&segment) && err.contains("topic t, partition 0") && err.contains("restore"), "{err}");
        if at != head {
            assert!(err.contains(words), "{words}: {err}");
        }
        flip(&segment, at);
    }
    let metadata = data.join("metadata/log").display().to_string();
    flip(&metadata, 80);
    assert!(alone(verify.clone()).ends(1).err().contains("metadata/log is damaged at byte 0"));
    flip(&metadata, 80);
    let shown = alone(format!("log inspect {segment} --batches")).ends(0).out();
    flip(&segment, records);
    let rotten = alone(format!("log inspect {segment} --batches")).ends(1).out();
    assert!(rotten.contains("ROTTEN") && !shown.contains("ROTTEN"), "{rotten}");
    flip(&segment, records);
    alone(verify.clone()).done();
    assert_eq!(snapshot(&data), before, "nothing was changed by looking");
    let missing = format!("log verify {}", scratch.path().join("man").display());
    alone(missing).complains(1, &["no data directory"]);
}

/// Paths and contents of all files below.
fn snapshot(dir: &std::path::Path) -> Vec<(std::path::PathBuf, u32)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(dir).expect("readable") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            found.extend(snapshot(&path));
        } else {
            let sum = crc32c::crc32c(&std::fs::read(&path).expect("readable"));
            found.push((path, sum));
        }
    }
    found.sort();
    found
}

/// Commands start fast. A busy machine makes any one run late, so some run of many has to be in time.
#[test]
fn commands_start_in_under_thirty_milliseconds() {
    let bench = Bench::start("cli-fast");
    for line in ["topic list", "--help", "consume nope"] {
        let once = || {
            let began = Instant::now();
            bench.run(line);
            began.elapsed()
        };
        let in_time = (0..200).any(|_| once() < Duration::from_millis(30));
        assert!(in_time, "{line}: none of 200 runs took less than 30 ms");
    }
    bench.stop();
}
