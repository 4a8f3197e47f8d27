//! What others script against: exit codes, one-line errors, the ready line, refusals to start, clean stops; and that
//! hostile bytes close their own connection only.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

mod support;

use std::fs::File;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::client::Connection;
use support::process::{Broker, Machine, binary, free_ports};
use support::{Random, Scratch, batch};

fn corelane(arguments: &[&str]) -> Output {
    Command::new(binary()).args(arguments).stdin(Stdio::null()).output().expect("the binary starts")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_string()
}

#[test]
fn version_is_printed() {
    let output = corelane(&["version"]);
    assert!(output.status.success());
    assert_eq!(text(&output.stdout), format!("corelane {}\n", env!("CARGO_PKG_VERSION")));
    assert!(output.stderr.is_empty());
}

#[test]
fn what_is_typed_wrong_ends_with_2_and_one_line_that_names_it() {
    let scratch = Scratch::new("typed-wrong");
    let file = |name: &str, content: &str| {
        let path = scratch.path().join(name);
        std::fs::write(&path, content).expect("file");
        path.to_str().expect("utf-8").to_string()
    };
    let unknown = file("unknown.properties", "num.partitons=3\n");
    let bad = file("bad.properties", "cores=many\n");
    let good = file("good.properties", "cores=1\n");
    let missing = scratch.path().join("missing.properties");
    let missing = missing.to_str().expect("utf-8");
    let cases: [(&[&str], &[&str]); 9] = [
        (&[], &["dev", "start"]),
        (&["begin"], &["begin"]),
        (&["dev", "--prot", "9092"], &["--prot"]),
        (&["start", "--config", missing], &[missing]),
        (&["start", "--config", &unknown], &["num.partitons", "num.partitions"]),
        (&["start", "--config", &bad], &["cores", "many"]),
        (&["start", "--config", &good, "--set", "journal.fils=4"], &["journal.fils", "journal.files"]),
        (&["start", "--config", &good, "--set", "durability=hope"], &["durability", "hope"]),
        (&["dev", "--port", "99999"], &["99999"]),
    ];
    for (arguments, named) in cases {
        let output = corelane(arguments);
        let said = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{arguments:?} said {said}");
        assert!(output.stdout.is_empty(), "{arguments:?} wrote to standard output: {}", text(&output.stdout));
        assert_eq!(said.trim_end().lines().count(), 1, "{arguments:?} said more than one line: {said}");
        for word in named {
            assert!(said.contains(word), "{arguments:?} must name {word}: {said}");
        }
    }
}

/// Starts what must be refused; gives what was said on standard error.
fn refusal(machine: &Machine) -> String {
    let mut broker = machine.spawn();
    let status = broker.wait_end(Duration::from_secs(20)).expect("a refused start ends");
    assert!(!status.success() && status.code().is_some(), "a refusal is an exit code, not {status}");
    assert!(broker.output().is_empty(), "nothing on standard output");
    let said = machine.log_end(60);
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[test]
fn a_taken_port_is_refused_and_named() {
    let scratch = Scratch::new("taken-port");
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), 2);
    // The second core's port.
    let _taken = TcpListener::bind(("127.0.0.1", machine.port + 1)).expect("free a moment ago");
    let said = refusal(&machine);
    assert!(said.contains(&(machine.port + 1).to_string()), "{said}");
}

#[test]
fn a_data_directory_belongs_to_one_process() {
    let scratch = Scratch::new("locked");
    let data = scratch.path().join("data");
    let machine = Machine::new(&data, scratch.path(), 1);
    let broker = machine.start();
    let second_work = scratch.path().join("second");
    std::fs::create_dir_all(&second_work).expect("directory");
    let second = Machine::new(&data, &second_work, 1);
    let said = refusal(&second);
    assert!(said.contains(data.to_str().expect("utf-8")), "{said}");
    assert!(said.contains(&broker.pid().to_string()), "the owner is named: {said}");
    // The first one never noticed.
    Connection::open(broker.address()).expect("connects").create_topic("t", 1, &[]).expect("topic");
    broker.kill();
    machine.start().stop();
}

#[test]
fn memory_is_no_data_directory() {
    let shared = Path::new("/dev/shm");
    let mounts = std::fs::read_to_string("/proc/mounts").unwrap_or_default();
    if !mounts.lines().any(|line| line.contains(" /dev/shm tmpfs ")) {
        return println!("skipped: /dev/shm is no tmpfs here");
    }
    let scratch = Scratch::new("in-memory");
    let data = shared.join(format!("corelane-test-{}", std::process::id()));
    let said = refusal(&Machine::new(&data, scratch.path(), 1));
    let _ = std::fs::remove_dir_all(&data);
    assert!(said.contains("tmpfs") && said.contains("log.dirs"), "{said}");
}

#[test]
fn foreign_content_is_not_taken_for_a_data_directory() {
    let scratch = Scratch::new("foreign");
    let data = scratch.path().join("data");
    std::fs::create_dir_all(data.join("photographs")).expect("directory");
    let said = refusal(&Machine::new(&data, scratch.path(), 1));
    assert!(said.contains("photographs"), "{said}");
    assert_eq!(
        std::fs::read_dir(&data)
            .expect("still there")
            .filter_map(Result::ok)
            .filter(|entry| entry.file_name() == "photographs")
            .count(),
        1
    );
}

#[test]
fn every_core_is_a_broker_on_its_own_port() {
    let scratch = Scratch::new("ports");
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), 3);
    let broker = machine.start();
    let expected: Vec<String> = (0..3).map(|core| format!("127.0.0.1:{}", machine.port + core)).collect();
    assert_eq!((broker.ready().node, broker.ready().cores), (0, 3));
    assert_eq!(broker.ready().listeners, expected);
    let mut connection = Connection::open(&expected[2]).expect("connects");
    connection.create_topic("spread", 6, &[]).expect("any core takes it");
    let mut addresses = connection.leaders(&["spread"]).expect("metadata").remove(0).expect("there").addresses;
    addresses.sort_unstable();
    let twice: Vec<String> = expected.iter().flat_map(|address| [address.clone(), address.clone()]).collect();
    assert_eq!(addresses, twice, "leaders are spread evenly over the cores");
    drop(connection);
    broker.stop();
    let log = std::fs::read_to_string(machine.log_path()).expect("log");
    assert!(
        !log.is_empty() && log.lines().all(|line| line.starts_with('{') && line.ends_with('}')),
        "JSON lines: {log}"
    );
}

#[test]
fn port_zero_takes_free_ports() {
    let scratch = Scratch::new("port-zero");
    let machine = Machine { port: 0, ..Machine::new(&scratch.path().join("data"), scratch.path(), 2) };
    let broker = machine.start();
    let listeners = broker.ready().listeners.clone();
    for address in &listeners {
        assert!(!address.ends_with(":0"), "{address}");
        Connection::open(address).expect("connects").leaders(&[]).expect("metadata");
    }
    assert_ne!(listeners[0], listeners[1]);
    broker.stop();
}

#[test]
fn both_signals_stop_cleanly_and_keep_the_data() {
    let scratch = Scratch::new("signals");
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), 2);
    let broker = machine.start();
    Connection::open(broker.address()).expect("connects").create_topic("kept", 1, &[]).expect("topic");
    broker.stop();
    for signal in [libc::SIGINT, libc::SIGTERM] {
        let mut broker = machine.start();
        // An idle connection must not hold up the stop.
        let mut connection = Connection::open(broker.address()).expect("connects");
        assert!(connection.leaders(&["kept"]).expect("metadata")[0].is_some());
        let asked = Instant::now();
        broker.signal(signal);
        let status = broker.wait_end(Duration::from_secs(20)).expect("ends");
        assert!(status.success(), "signal {signal} ended with {status}");
        println!("signal {signal}: stopped after {} ms", asked.elapsed().as_millis());
    }
}

#[test]
fn dev_prints_lines_to_copy_and_leaves_nothing() {
    let scratch = Scratch::new("dev");
    let port = free_ports();
    let log_path = scratch.path().join("dev.log");
    let mut command = Command::new(binary());
    command.args(["dev", "--cores", "1", "--port", &port.to_string()]);
    let mut broker = Broker::from_command(command, File::create(&log_path).expect("log"));
    let ready = broker.wait_ready(Duration::from_secs(60)).expect("ready");
    assert_eq!(ready.listeners, [format!("127.0.0.1:{port}")]);
    let said = std::fs::read_to_string(&log_path).expect("log");
    let pasted: Vec<&str> = said.lines().map(str::trim).filter(|line| line.contains("kcat -")).collect();
    assert!(pasted.len() == 2 && pasted.iter().all(|line| line.contains(&format!("127.0.0.1:{port}"))), "{said}");
    assert!(said.contains("--bootstrap-server"), "Kafka's tools are missing in:\n{said}");
    let run = |line: &str| Command::new("sh").args(["-c", line]).output().expect("sh");
    if run("command -v kcat").status.success() {
        assert!(run(pasted[0]).status.success(), "{}", pasted[0]);
        assert_eq!(text(&run(pasted[1]).stdout), "hello\n", "{}", pasted[1]);
    } else {
        println!("skipped: the lines were not pasted, kcat is not installed");
    }
    let kept = said.lines().find_map(|line| line.trim().strip_prefix("data ")).expect("names the directory");
    let kept = kept.split_whitespace().next().expect("a path").to_string();
    assert!(Path::new(&kept).is_dir(), "{kept}");
    broker.stop();
    assert!(!Path::new(&kept).exists(), "the temporary directory {kept} is removed");
}

fn frame(body: &[u8]) -> Vec<u8> {
    let mut frame = (body.len() as i32).to_be_bytes().to_vec();
    frame.extend_from_slice(body);
    frame
}

/// Bytes that no client sends, each with a name.
fn hostile() -> Vec<(&'static str, Vec<u8>)> {
    let mut random = Random::new(7);
    let noise: Vec<u8> = (0..5_000).map(|_| random.next() as u8).collect();
    let header = |key: i16, version: i16| {
        let mut bytes = key.to_be_bytes().to_vec();
        bytes.extend_from_slice(&version.to_be_bytes());
        bytes.extend_from_slice(&[0, 0, 0, 1, 0, 1, b'x']);
        bytes
    };
    let with = |key: i16, version: i16, body: &[u8]| frame(&[&header(key, version)[..], body].concat());
    vec![
        ("noise", noise.clone()),
        ("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec()),
        ("TLS hello", vec![0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03]),
        ("length of 2 GiB", vec![0x7F, 0xFF, 0xFF, 0xFF, 0, 0]),
        ("negative length", vec![0xFF, 0xFF, 0xFF, 0xF0, 0, 0]),
        ("length 0", vec![0; 64]),
        ("half a frame", frame(&noise)[..1_000].to_vec()),
        ("unknown API", with(999, 0, &[])),
        ("unknown version of Metadata", with(3, 99, &noise[..50])),
        ("unknown version of ApiVersions", with(18, 99, &[])),
        ("Metadata with noise", with(3, 9, &noise[..200])),
        ("Metadata of 2 billion topics", with(3, 1, &[0x7F, 0xFF, 0xFF, 0xFF])),
        ("Produce with noise", with(0, 9, &noise[..300])),
        ("Produce of 2 billion topics", with(0, 3, &[0xFF, 0xFF, 0xFF, 0xFF, 0, 0, 0, 1, 0x7F, 0xFF, 0xFF, 0xFF])),
        ("Fetch with noise", with(1, 12, &noise[..300])),
        ("CreateTopics with noise", with(19, 6, &noise[..300])),
        ("a varint without end", with(0, 9, &[0xFF; 40])),
        ("client id longer than the frame", frame(&[0, 3, 0, 1, 0, 0, 0, 1, 0x7F, 0xFF])),
    ]
}

#[test]
fn hostile_bytes_close_their_own_connection_only() {
    let scratch = Scratch::new("hostile");
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), 1);
    let mut broker = machine.start();
    let mut healthy = Connection::open(broker.address()).expect("connects");
    healthy.create_topic("calm", 1, &[]).expect("topic");
    for (number, (what, bytes)) in hostile().into_iter().enumerate() {
        let mut hostile = TcpStream::connect(broker.address()).expect("connects");
        hostile.set_read_timeout(Some(Duration::from_secs(5))).expect("timeout");
        let _ = hostile.write_all(&bytes);
        let _ = hostile.shutdown(Shutdown::Write);
        let mut answered = Vec::new();
        let closed = hostile.read_to_end(&mut answered);
        assert!(!matches!(&closed, Err(error) if error.kind() == std::io::ErrorKind::WouldBlock), "{what}: still open");
        assert!(broker.is_running(), "{what} ended the broker:\n{}", machine.log_end(20));
        let offset = healthy.produce("calm", 0, batch::encode(None, &[vec![1; 10]]));
        assert_eq!(offset.unwrap_or_else(|failure| panic!("after {what}: {failure:?}")), number as i64);
    }
    broker.stop();
}

/// A batch whose checksum or counts are wrong is refused with an error code and leaves nothing behind.
#[test]
fn a_damaged_batch_is_refused() {
    let scratch = Scratch::new("damaged");
    let machine = Machine::new(&scratch.path().join("data"), scratch.path(), 1);
    let broker = machine.start();
    let mut connection = Connection::open(broker.address()).expect("connects");
    connection.create_topic("calm", 1, &[]).expect("topic");
    let good = batch::encode(None, &[vec![1; 100], vec![2; 100]]);
    for at in [8, 16, 17, 21, 23, 57, 80, good.len() - 1] {
        let mut bad = good.clone();
        bad[at] ^= 0x41;
        let mut own = Connection::open(broker.address()).expect("connects");
        // An error code, or a closed connection when the length no longer fits: never success.
        own.produce("calm", 0, bad).expect_err("a damaged batch is refused");
    }
    assert_eq!(connection.produce("calm", 0, good).expect("a good one is taken"), 0);
    broker.stop();
}
