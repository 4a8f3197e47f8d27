//! `corelane bench` against the running binary: counts that the broker confirms, files, failures, and that an open loop forgets
//! no request that a broker kept waiting.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

mod support;

use serde_json::Value;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};
use support::Scratch;
use support::process::{Broker, Machine, binary, free_ports};

/// A broker, the bench pointed at it, and a place for its files.
struct Rig {
    broker: Option<Broker>,
    machine: Machine,
    scratch: Scratch,
}

impl Rig {
    fn start(name: &str, per_machine: bool) -> Rig {
        let scratch = Scratch::new(name);
        let mut machine = Machine::new(&scratch.path().join("data"), scratch.path(), 2);
        machine.advertise(per_machine);
        let broker = Some(machine.start());
        Rig { broker, machine, scratch }
    }

    fn broker(&self) -> &Broker {
        self.broker.as_ref().expect("it runs")
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(binary());
        command.args(line.split_whitespace()).env("CORELANE_BOOTSTRAP", self.broker().address());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn spawn(&self, line: &str) -> Child {
        self.command(line).spawn().expect("the binary starts")
    }

    /// Ends with this code.
    #[track_caller]
    fn run(&self, line: &str, code: i32) -> Output {
        ended(line, self.command(line).output().expect("the binary starts"), code)
    }

    /// Done, with its results.
    #[track_caller]
    fn json(&self, line: &str) -> Value {
        let line = format!("{line} -o json");
        let output = self.run(&line, 0);
        // On a machine that is busy otherwise a rate may not be reached.
        let said = text(&output.stderr);
        assert!(said.lines().all(|line| line.contains("the rate was not reached")), "{line}: {said}");
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{line}: {error}"))
    }

    /// Records in a topic, as the broker says by its offsets.
    fn records(&self, topic: &str) -> u64 {
        let line = format!("topic describe {topic} -o json");
        let output = self.command(&line).output().expect("the binary starts");
        let described: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        let Some(partitions) = described[0]["partitions"].as_array() else { return 0 };
        let count = |partition: &Value| {
            partition["end"].as_u64().expect("an end") - partition["start"].as_u64().expect("a start")
        };
        partitions.iter().map(count).sum()
    }

    /// Waits until a topic has so many records.
    #[track_caller]
    fn await_records(&self, topic: &str, records: u64) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while self.records(topic) < records {
            assert!(Instant::now() < deadline, "{topic} has {} records of {records}", self.records(topic));
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn saved(&self, name: &str) -> Value {
        let text = std::fs::read_to_string(self.path(&format!("{name}.json"))).expect("results were kept");
        serde_json::from_str(&text).expect("JSON")
    }

    fn stop(mut self) {
        self.broker.take().expect("it runs").stop();
        assert!(!self.machine.panicked(), "the broker panicked:\n{}", self.machine.log_end(20));
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).to_string()
}

#[track_caller]
fn ended(line: &str, output: Output, code: i32) -> Output {
    assert_eq!(output.status.code(), Some(code), "{line}:\n{}\n{}", text(&output.stdout), text(&output.stderr));
    output
}

#[track_caller]
fn number(value: &Value, name: &str) -> f64 {
    value[name].as_f64().unwrap_or_else(|| panic!("no {name} in {value}"))
}

/// Every codec, acks and form of request: the broker has exactly the records that were asked for, in both modes.
#[test]
fn the_broker_has_what_was_acknowledged() {
    for per_machine in [false, true] {
        let rig = Rig::start("bench-counts", per_machine);
        for (topic, flags, records) in [
            ("one", "--num-records 501 -n 1 -s 100 --connections 7 --in-flight 1", 501),
            ("batches", "--num-records 1600 -n 16 --producers 2 -z zstd", 1600),
            ("keyed", "--num-records 1200 -n 4 -s 50 --keys 20 --partitions-per-request 3 --in-flight 2", 1200),
            ("sure", "--num-records 900 -n 3 -s 10 --idempotent -z lz4 --threads 2", 900),
            ("hasty", "--num-records 640 -n 16 --acks 0", 640),
            ("large", "--num-records 3000 -n 1000 --throughput 20000", 3000),
            ("kafkas", "--messages 320 --message-size 100 --rate -1 --producer-props acks=1 batch.size=1600", 320),
        ] {
            rig.run(&format!("topic create {topic} -p 4"), 0);
            let result = rig.json(&format!("bench produce -T {topic} {flags}"));
            assert_eq!(result["complete"], true, "{topic}");
            let round = &result["rounds"][0];
            let counted = number(round, "records_per_s") * number(round, "seconds");
            assert!((counted / f64::from(records) - 1.0).abs() < 0.01, "{topic}: {counted}");
            // Nobody waits for records that want no acknowledgement.
            rig.await_records(topic, records as u64);
            assert_eq!(rig.records(topic), records as u64, "{topic}");
        }
        // Whole, and readable: a consumer decodes and checks every batch.
        let read = rig.run("consume keyed", 0);
        assert!(read.stdout.split(|byte| *byte == b'\n').count() >= 1200);
        rig.stop();
    }
}

/// Rounds, the files, what is seen of the broker's process; topics that the run made are gone.
#[test]
fn rounds_and_files_agree() {
    let rig = Rig::start("bench-files", false);
    let prefix = rig.path("run");
    let line = format!(
        "bench produce --warmup 0.1 --duration 0.6 --rounds 2 -R 2000 -n 2 --label <b> --save {}",
        prefix.display()
    );
    let shown = text(&rig.run(&line, 0).stdout);
    assert!(shown.contains("<b>: 2 rounds") && shown.contains("service time, median"), "{shown}");
    let result = rig.saved("run");
    assert_eq!((result["format"].as_str(), result["mode"].as_str()), (Some("corelane-bench/1"), Some("produce")));
    let rounds = result["rounds"].as_array().expect("rounds");
    assert_eq!(rounds.len(), 2);
    for round in rounds {
        let rate = number(round, "records_per_s");
        // A round is short, and the machine may be busy.
        assert!((600.0..6000.0).contains(&rate), "{rate} records a second were meant to be 2000");
        assert!(number(round, "latency_p50_us") <= number(round, "latency_p99_us"));
        assert!(number(round, "service_p50_us") <= number(round, "latency_p50_us") * 1.01);
        assert!(number(round, "broker_rss_mb") > 5.0);
        assert!(number(round, "client_cpu_s") >= 0.0);
    }
    assert_eq!(result["broker"]["processes"][0]["pid"].as_u64(), Some(u64::from(rig.broker().pid())));
    let median = number(&result["summary"]["records_per_s"], "median");
    assert!(number(&result["summary"]["records_per_s"], "min") <= median);
    assert!(result["percentiles"]["latency"].as_array().is_some_and(|points| points.len() > 10));
    let html = std::fs::read_to_string(prefix.with_extension("html")).expect("a page");
    assert!(html.contains("&lt;b&gt;") && html.matches("<svg").count() == 3 && html.ends_with("</html>\n"));
    assert!(!html.contains("http://") && !html.contains("https://") && !html.contains("NaN"), "nothing from elsewhere");
    let hgrm = std::fs::read_to_string(prefix.with_extension("hgrm")).expect("a histogram");
    assert!(hgrm.contains("Total count"), "{hgrm}");
    assert_eq!(text(&rig.run("topic list", 0).stdout), "TOPIC  PARTITIONS  REPLICAS\n");
    // The same twice is no difference; a higher rate is one, and --check says so.
    let compared = text(&rig.run(&format!("bench compare {0}.json {0}.json", prefix.display()), 0).stdout);
    assert!(compared.contains("no difference") && !compared.contains("worse"), "{compared}");
    let mut slower = result.clone();
    for round in slower["rounds"].as_array_mut().expect("rounds") {
        round["records_per_s"] = (number(round, "records_per_s") / 2.0).into();
        round["latency_p50_us"] = (number(round, "latency_p50_us") + 1e7).into();
    }
    std::fs::write(rig.path("slower.json"), slower.to_string()).expect("written");
    let line = format!("bench compare {0}/run.json {0}/slower.json --check", rig.scratch.path().display());
    let compared = text(&rig.run(&line, 1).stdout);
    assert!(compared.contains("B is worse") && compared.contains("-50.0 %"), "{compared}");
    rig.stop();
}

/// Without acknowledgements nothing holds a producer up but the kernel; it ends in time all the same, and so do many connections.
#[test]
fn it_ends_in_time() {
    let rig = Rig::start("bench-end", false);
    for flags in ["--acks 0 -n 1 -s 10 -p 2", "--connections 300 -n 1 -s 10 --in-flight 1 -p 50 -R 1000 --threads 2"] {
        let began = Instant::now();
        let result = rig.json(&format!("bench produce {flags} --warmup 0.1 --duration 0.3 --rounds 2"));
        assert!(began.elapsed() < Duration::from_secs(12), "{flags}: {:?}", began.elapsed());
        assert_eq!(result["rounds"].as_array().map(Vec::len), Some(2), "{flags}");
        assert_eq!(result["complete"], true, "{flags}");
    }
    rig.stop();
}

/// End to end: every acknowledged batch is received, whatever it is compressed with; the latency contains the acknowledgement's.
#[test]
fn end_to_end_misses_nothing() {
    for (per_machine, codec) in [(false, "none"), (true, "snappy")] {
        let rig = Rig::start("bench-end-to-end", per_machine);
        let line = format!(
            "bench end-to-end --num-records 2400 -R 4000 -n 4 -z {codec} --producers 2 --consumers 3 --threads 2"
        );
        let result = rig.json(&line);
        assert_eq!((result["complete"].as_bool(), result["missing_batches"].as_u64()), (Some(true), Some(0)));
        let round = &result["rounds"][0];
        let count = |name: &str| (number(round, name) * number(round, "seconds")).round();
        assert_eq!((count("records_per_s"), count("consumed_records_per_s")), (2400.0, 2400.0));
        assert!(number(round, "latency_p50_us") > 0.0 && number(round, "ack_p50_us") > 0.0, "{round}");
        let timed = rig.json("bench end-to-end --warmup 0.1 --duration 0.5 --rounds 2 -R 2000 -n 4");
        assert_eq!((timed["complete"].as_bool(), timed["missing_batches"].as_u64()), (Some(true), Some(0)));
        assert_eq!(timed["rounds"].as_array().map(Vec::len), Some(2));
        rig.stop();
    }
}

/// The three patterns of consume.
#[test]
fn consume_reads_what_is_there_and_what_comes() {
    let rig = Rig::start("bench-consume", false);
    rig.run("bench consume -T nothing --fill 0", 1);
    let filled =
        rig.json("bench consume -T there --keep --fill 4MB --warmup 0 --duration 5 --rounds 1 --once --consumers 2");
    let records = rig.records("there");
    assert!((3906..4000).contains(&records), "4 MB of 1 KiB are {records} records");
    let round = &filled["rounds"][0];
    let read = number(round, "consumed_records_per_s") * number(round, "seconds");
    assert!((read / records as f64 - 1.0).abs() < 0.01, "{read} of {records} records were read");
    assert!(number(round, "seconds") < 4.0, "once is enough");
    assert!(filled["caught_up_s"].as_f64().is_some());
    // What is there already is not written again; reading goes on at the start.
    let again = rig.json("bench consume -T there --fill 4MB --warmup 0 --duration 1 --rounds 2");
    assert_eq!(rig.records("there"), records);
    let many = number(&again["rounds"][1], "consumed_records_per_s") * number(&again["rounds"][1], "seconds");
    assert!(many > records as f64, "{many} records in a round");
    let some = rig.json("bench consume -T there --messages 1600");
    let round = &some["rounds"][0];
    let read = (number(round, "consumed_records_per_s") * number(round, "seconds")).round();
    assert!((1600.0..1680.0).contains(&read), "whole batches of 16: {read} records");
    let tail = rig.json("bench consume --pattern tail -R 2000 -n 2 --warmup 0.1 --duration 1 --rounds 1");
    assert!(number(&tail["rounds"][0], "latency_p99_us") > 0.0);
    let backlog =
        rig.json("bench consume --pattern backlog --fill 2MB -R 2000 -n 2 --warmup 0 --duration 2 --rounds 1");
    let caught_up = number(&backlog, "caught_up_s");
    assert!((0.0..2.0).contains(&caught_up), "{caught_up}");
    assert!(number(&backlog["rounds"][0], "ack_p99_us") > 0.0);
    rig.stop();
}

/// A broker that stands still for 300 ms at 1,000 requests a second: an open loop has some 300 requests whose time came meanwhile,
/// and each counts with its own wait. The requests that were really outstanding, and alone would count in a closed loop, are 20.
#[test]
fn latency_counts_from_the_intended_time() {
    let rig = Rig::start("bench-stall", false);
    let prefix = rig.path("stall");
    let line = format!(
        "bench produce -T t -n 1 -s 100 -R 1000 --connections 4 --in-flight 5 --warmup 0.2 --duration 2 --rounds 1 --save {}",
        prefix.display()
    );
    rig.run("topic create t -p 2", 0);
    let child = rig.spawn(&line);
    rig.await_records("t", 500);
    rig.broker().signal(libc::SIGSTOP);
    std::thread::sleep(Duration::from_millis(300));
    rig.broker().signal(libc::SIGCONT);
    ended(&line, child.wait_with_output().expect("it ends"), 0);
    let result = rig.saved("stall");
    let share_above = |curve: &str, us: f64| {
        let points = result["percentiles"][curve].as_array().expect("a curve");
        let below = points.iter().filter(|point| point[1].as_f64().expect("a time") <= us);
        1.0 - below.map(|point| point[0].as_f64().expect("a share")).fold(0.0, f64::max)
    };
    // 2,000 requests: 200 of them waited for more than 100 ms, 20 at most were on their way.
    let (late, slow) = (share_above("latency", 100_000.0), share_above("service", 100_000.0));
    assert!(late > 0.07, "{late} of the requests were late");
    assert!(slow < late / 2.0, "{slow} of the requests were slow, {late} late");
    assert!(number(&result["rounds"][0], "latency_max_us") > 250_000.0);
    rig.stop();
}

/// A broker that stands still and stays so: what it never answered, and what was never sent because of that, counts with the time that
/// it had waited, in both modes, or the worst of all would look like the best.
#[test]
fn requests_that_are_never_answered_count() {
    for mode in ["produce", "end-to-end"] {
        let rig = Rig::start("bench-silent", false);
        let prefix = rig.path("silent");
        let line = format!(
            "bench {mode} -T t -n 1 -s 100 -R 1000 --connections 2 --in-flight 5 --warmup 0 --duration 2 --rounds 1 --timeout 1.5 --save {}",
            prefix.display()
        );
        rig.run("topic create t -p 2", 0);
        let child = rig.spawn(&line);
        rig.await_records("t", 200);
        rig.broker().signal(libc::SIGSTOP);
        let output = ended(&line, child.wait_with_output().expect("it ends"), 3);
        rig.broker().signal(libc::SIGCONT);
        assert!(text(&output.stderr).contains("had no answer"), "{}", text(&output.stderr));
        let round = &rig.saved("silent")["rounds"][0];
        assert!(number(round, "unanswered") >= 1.0 && number(round, "unsent") >= 100.0, "{round}");
        assert!(number(round, "latency_max_us") > 1e6 && number(round, "latency_p90_us") > 1e6, "{round}");
        rig.stop();
    }
}

/// kill -9 in the middle: what was measured is in the files, the error names the broker, and the code says that some was done.
#[test]
fn a_broker_that_dies_leaves_the_results_so_far() {
    let mut rig = Rig::start("bench-kill", false);
    for (name, mode) in [("produce", "produce"), ("end", "end-to-end"), ("tail", "consume --pattern tail")] {
        let prefix = rig.path(name);
        let line = format!(
            "bench {mode} -T {name} -n 2 -R 2000 --warmup 0.1 --duration 0.5 --rounds 200 --save {}",
            prefix.display()
        );
        let child = rig.spawn(&line);
        // The topic is made by the run, and has more records than fit into its first round.
        std::thread::sleep(Duration::from_millis(800));
        rig.await_records(name, 2400);
        rig.broker.take().expect("it runs").kill();
        let output = ended(&line, child.wait_with_output().expect("it ends"), 3);
        let said = text(&output.stderr);
        assert!(said.contains("broker ") && said.contains("is the broker running"), "{said}");
        assert!(said.contains("kept in") && said.contains("could not be deleted"), "{said}");
        let result = rig.saved(name);
        assert_eq!(result["complete"], false);
        assert!(
            result["ended_early"].as_str().is_some_and(|why| why.contains("127.0.0.1")),
            "{}",
            result["ended_early"]
        );
        let rounds = result["rounds"].as_array().expect("rounds");
        assert!(rounds.len() >= 2 && rounds.len() < 200, "{} rounds", rounds.len());
        assert_eq!((&rounds[0]["complete"], &rounds[rounds.len() - 1]["complete"]), (&true.into(), &false.into()));
        assert!(rounds[0]["latency_p50_us"].as_f64().is_some(), "{}", rounds[0]);
        rig.broker = Some(rig.machine.start());
    }
    rig.stop();
}

/// What cannot be: a line that names it, and the code that all commands have.
#[test]
fn what_cannot_be_measured_says_why() {
    let rig = Rig::start("bench-errors", false);
    let complains = |line: &str, code: i32, words: &[&str]| {
        let said = text(&rig.run(line, code).stderr);
        for word in words {
            assert!(said.contains(word), "{line}: no {word} in {said}");
        }
    };
    complains("bench produce --throughput fast", 2, &["--throughput", "fast", "10MB"]);
    complains("bench produce --record-size 1GB", 2, &["--record-size", "256 MiB"]);
    complains("bench produce --idempotent --acks 1", 2, &["--idempotent", "--acks all"]);
    complains("bench produce --producer-props linger.ms=5", 2, &["linger.ms", "batch.size"]);
    complains("bench produce --preset 1-topic-x", 2, &["1-topic-x", "bench presets"]);
    complains("bench produce --duration 0.01", 2, &["--duration", "0.1"]);
    complains("bench end-to-end --acks 0", 2, &["--acks 0"]);
    complains("bench produce --pid 999999999", 2, &["--pid 999999999"]);
    complains("bench produce --save /nowhere/x", 1, &["/nowhere/x"]);
    complains("bench compare /nowhere/a.json /nowhere/b.json", 1, &["/nowhere/a.json"]);
    complains("bench consume --pattern backlog --num-records 5", 2, &["--num-records"]);
    complains("bench produce --producer-props bootstrap.servers=nowhere.invalid:1", 1, &["nowhere.invalid:1"]);
    complains(&format!("bench produce -b 127.0.0.1:{}", free_ports()), 1, &["127.0.0.1", "is the broker running"]);
    rig.run("topic create three -p 3", 0);
    complains("bench produce -T three -p 4", 1, &["topic three", "3 partitions"]);
    // Refused by the broker: the topic takes no batch of this size.
    rig.run("topic create small -c max.message.bytes=1000", 0);
    complains(
        "bench produce -T small --duration 1 --rounds 1",
        1,
        &["topic small", "MESSAGE_TOO_LARGE", "make the records smaller"],
    );
    let presets = text(&rig.run("bench presets", 0).stdout);
    assert!(presets.contains("1-topic-100-partitions-1kb-4p-4c-500k"), "{presets}");
    let result =
        rig.json("bench produce --preset 1-topic-16-partitions-1kb --warmup 0 --duration 0.2 --rounds 1 -R 2000");
    assert_eq!(
        (result["label"].as_str(), result["workload"]["partitions"].as_i64()),
        (Some("1-topic-16-partitions-1kb"), Some(16))
    );
    rig.stop();
}

/// Ctrl-C keeps what there is, and what was made goes.
#[test]
fn an_interrupted_run_keeps_its_results() {
    let rig = Rig::start("bench-interrupt", true);
    let prefix = rig.path("cut");
    let line = format!("bench produce -R 1000 -n 1 --warmup 0 --duration 0.2 --rounds 500 --save {}", prefix.display());
    let child = rig.spawn(&line);
    std::thread::sleep(Duration::from_millis(2000));
    // SAFETY: plain system call on our own child, which has not been waited for.
    assert_eq!(unsafe { libc::kill(child.id() as i32, libc::SIGINT) }, 0);
    let output = ended(&line, child.wait_with_output().expect("it ends"), 3);
    assert!(text(&output.stderr).contains("interrupted"), "{}", text(&output.stderr));
    assert!(rig.saved("cut")["rounds"].as_array().is_some_and(|rounds| rounds.len() >= 2));
    assert_eq!(text(&rig.run("topic list", 0).stdout), "TOPIC  PARTITIONS  REPLICAS\n");
    rig.stop();
}
