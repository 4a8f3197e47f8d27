use super::{Config, Inputs, Loaded};
use crate::base::ids::MachineId;
use crate::base::offset::Durability;

fn inputs(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Inputs {
    Inputs {
        file: Some(("server.properties".to_string(), file.to_string())),
        environment: environment.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect(),
        flags: flags.iter().map(|(key, value)| (format!("--set {key}"), key.to_string(), value.to_string())).collect(),
        dev: false,
    }
}

fn load(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)]) -> Result<Loaded, String> {
    Config::load(&inputs(file, environment, flags)).map_err(|error| error.to_string())
}

/// Refused, in one line that has all the words.
fn refused(file: &str, environment: &[(&str, &str)], flags: &[(&str, &str)], words: &[&str]) {
    let error = load(file, environment, flags).expect_err("is refused");
    assert!(!error.contains('\n'), "{error}");
    for word in words {
        assert!(error.contains(word), "no {word} in: {error}");
    }
}

#[test]
fn defaults_are_kafkas() {
    let loaded = load("log.dirs=/d", &[], &[]).unwrap();
    let config = loaded.config;
    assert_eq!(config.machine, MachineId(0));
    assert_eq!((config.cores, config.advertised.clone()), (None, None));
    assert_eq!(config.listener.to_string(), "127.0.0.1:9092");
    assert_eq!(config.topic_defaults.durability, Durability::Disk);
    assert_eq!((config.topic_defaults.partitions, config.topic_defaults.message_bytes_max), (1, 1_048_588));
    assert_eq!(config.topic_defaults.segment_ms, 604_800_000);
    assert!(config.auto_create_topics && config.journal_zeroed);
    assert_eq!(loaded.notices, Vec::<String>::new());
}

#[test]
fn precedence_is_flag_environment_file_default() {
    let environment = [("CORELANE_NUM_PARTITIONS", "3"), ("KAFKA_NUM_PARTITIONS", "4"), ("KAFKA_NODE_ID", "7")];
    let file = "log.dirs=/d\nnum.partitions=2\nnode.id=5\njournal.files=5";
    let config = load(file, &environment, &[("node.id", "9")]).unwrap().config;
    assert_eq!((config.topic_defaults.partitions, config.machine, config.journal_files), (3, MachineId(9), 5));
    let config = load(file, &environment[1..], &[]).unwrap().config;
    assert_eq!((config.topic_defaults.partitions, config.machine), (4, MachineId(7)));
}

#[test]
fn synonyms_follow_the_stronger_source_then_kafkas_rule() {
    let config =
        load("log.dirs=/file\nlog.dir=/other\nbroker.id=3\nlog.roll.hours=1\nlog.roll.ms=5", &[], &[]).unwrap().config;
    assert_eq!(
        (config.data_dir.as_str(), config.machine, config.topic_defaults.segment_ms),
        ("/file", MachineId(3), 5)
    );
    let config =
        load("log.dirs=/file\nlog.roll.ms=5", &[], &[("log.dir", "/flag"), ("log.roll.hours", "2")]).unwrap().config;
    assert_eq!((config.data_dir.as_str(), config.topic_defaults.segment_ms), ("/flag", 7_200_000));
}

#[test]
fn an_unknown_key_suggests_the_nearest_one() {
    refused(
        "num.partition=3",
        &[],
        &[],
        &["server.properties line 1", "num.partition", "did you mean num.partitions?"],
    );
    refused("", &[], &[("journal_files", "3")], &["--set journal_files", "did you mean journal.files?"]);
    let loaded =
        load("log.dirs=/d", &[("KAFKA_HEAP_OPTS", "-Xmx1g"), ("CORELANE_CORE", "2"), ("HOME", "/")], &[]).unwrap();
    assert_eq!(loaded.notices.len(), 2, "{:?}", loaded.notices);
}

#[test]
fn a_bad_value_names_source_key_value_and_what_is_expected() {
    refused(
        "\nnum.partitions=many",
        &[],
        &[],
        &["server.properties line 2", "num.partitions=many", "whole number from 1"],
    );
    refused("", &[("KAFKA_DURABILITY", "ram")], &[], &["KAFKA_DURABILITY=ram", "disk, device, memory"]);
    refused("", &[], &[("cores", "0")], &["--set cores=0", "or auto"]);
    refused("log.dirs=/a,/b", &[], &[], &["line 1: log.dirs=/a,/b", "more than one"]);
    refused("node.id=1", &[], &[], &["log.dirs", "not set"]);
    refused("log.dirs=/d\nadvertise=per-rack", &[], &[], &["advertise=per-rack", "per-core, per-machine"]);
    refused("log.dirs=/d\nlisteners=SSL://:9092", &[], &[], &["SSL", "not in this release"]);
    refused("log.dirs=/d\nauthorizer.class.name=X", &[], &[], &["authorizer.class.name=X", "not in this release"]);
    refused("log.dirs=/d\ndefault.replication.factor=3", &[], &[], &["must be 1"]);
    refused("log.dirs=/d\nlisteners=PLAINTEXT://h:65535\ncores=2", &[], &[], &["65535"]);
    refused("log.dirs=/d\nadvertised.listeners=PLAINTEXT://0.0.0.0:9092", &[], &[], &["wildcard"]);
    refused("bad=\\u1", &[], &[], &["server.properties line 1"]);
}

#[test]
fn a_batch_fits_a_journal_file() {
    refused(
        "log.dirs=/d\njournal.file.bytes=65536",
        &[],
        &[],
        &["message.max.bytes=1048588", "journal.file.bytes=65536"],
    );
    refused("log.dirs=/d\njournal.file.bytes=65537", &[], &[], &["multiple of 4096"]);
    let config = load("log.dirs=/d\njournal.file.bytes=65536\nmessage.max.bytes=32768", &[], &[]).unwrap().config;
    assert_eq!(config.journal_file_bytes, 65536);
}

#[test]
fn kafkas_own_file_starts() {
    let file = "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.bootstrap.servers=localhost:9093\n\
        listeners=PLAINTEXT://:9092,CONTROLLER://:9093\ninter.broker.listener.name=PLAINTEXT\n\
        advertised.listeners=PLAINTEXT://localhost:9092,CONTROLLER://localhost:9093\ncontroller.listener.names=CONTROLLER\n\
        listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT,SASL_SSL:SASL_SSL\n\
        num.network.threads=3\nnum.io.threads=8\nsocket.send.buffer.bytes=102400\nsocket.receive.buffer.bytes=102400\n\
        socket.request.max.bytes=104857600\nlog.dirs=/tmp/kraft-combined-logs\nnum.partitions=1\n\
        num.recovery.threads.per.data.dir=1\noffsets.topic.replication.factor=1\nlog.retention.hours=168\n\
        log.segment.bytes=1073741824\nlog.retention.check.interval.ms=300000\n";
    let loaded = load(file, &[], &[]).unwrap();
    assert_eq!(loaded.config.listener.to_string(), "0.0.0.0:9092");
    assert_eq!(loaded.config.advertised.unwrap().to_string(), "localhost:9092");
    let [ignored, exposed] = &loaded.notices[..] else { panic!("{:?}", loaded.notices) };
    assert!(ignored.contains("num.network.threads") && exposed.contains("not loopback"));
    let later = load("log.dirs=/d\nlog.cleanup.policy=compact\n", &[], &[]).unwrap();
    assert!(
        later.notices.iter().any(|notice| notice.contains("not enforced") && notice.contains("log.cleanup.policy"))
    );
}

#[test]
fn of_the_three_retention_times_the_finest_counts() {
    let retention = |file: &str, flags: &[(&str, &str)]| {
        let file = format!("log.dirs=/d\n{file}");
        let defaults = Config::load(&inputs(&file, &[], flags)).expect("valid").config.topic_defaults;
        (defaults.retention_ms, defaults.retention_bytes)
    };
    assert_eq!(retention("", &[]), (604_800_000, -1));
    assert_eq!(retention("log.retention.hours=2\nlog.retention.bytes=7", &[]), (7_200_000, 7));
    assert_eq!(retention("log.retention.hours=2\nlog.retention.minutes=3", &[]), (180_000, -1));
    assert_eq!(retention("log.retention.ms=5\nlog.retention.minutes=3\nlog.retention.hours=1", &[]), (5, -1));
    assert_eq!(
        retention("log.retention.ms=5", &[("log.retention.hours", "1")]),
        (3_600_000, -1),
        "a flag beats the file"
    );
    assert_eq!(retention("log.retention.hours=-1", &[]), (-1, -1));
    assert_eq!(retention("log.retention.ms=-1", &[]), (-1, -1));
}

#[test]
fn dev_has_its_own_defaults() {
    let config = Config::for_tests("/d", &[("cores", "2")]);
    assert_eq!((config.journal_file_bytes, config.cores), (16 << 20, Some(2)));
}
