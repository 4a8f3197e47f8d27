//! The client commands of the binary against a running broker: what they print, their exit codes, and what they say when
//! something is wrong. What strangers' clients make of their records is tested in `tests/clients/own_client.py`.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

mod support;

use serde_json::Value;
use std::io::Write;
use std::process::{Command, Output, Stdio};
use support::Scratch;
use support::process::{Broker, Machine, binary};

/// A broker of two cores, and our own commands pointed at it.
struct Bench {
    broker: Option<Broker>,
    machine: Machine,
    _scratch: Scratch,
}

impl Bench {
    fn start(name: &str) -> Bench {
        let scratch = Scratch::new(name);
        let machine =
            Machine::new(&scratch.path().join("data"), scratch.path(), 2).with("auto.create.topics.enable", true);
        let broker = Some(machine.start());
        Bench { broker, machine, _scratch: scratch }
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
