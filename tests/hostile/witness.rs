//! What has to hold all the while: produce is answered in time, memory stays bounded, the log stays short.

use crate::lateness::Lateness;
use crate::peer::Meter;
use crate::support::client::{Connection, FetchFrom};
use crate::support::process::Machine;
use crate::support::{Random, batch, knob};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

pub const CALM: &str = "calm";
/// Memory beyond its start and the bytes received (compatibility.md, safety).
pub const MEMORY_BYTES_MAX: u64 = 64 << 20;
/// A broker that holds more is killed.
const MEMORY_BYTES_BEARABLE: u64 = 1 << 30;
/// Lines per second and core that clients may cause in the log.
const LINES_PER_SECOND_MAX: u64 = 10;
/// Lines that a run has anyway.
const LINES_BESIDE: u64 = 100;
/// Quicker answers need no excuse.
const LATENESS_LOOKED_AT: Duration = Duration::from_millis(100);
/// Of a produce request around its records.
const REQUEST_BYTES: usize = 120;

/// Violations, each with what went on at that time.
#[derive(Default)]
pub struct Findings {
    found: Mutex<Vec<String>>,
    phase: Mutex<String>,
}

impl Findings {
    pub fn phase(&self, name: &str) {
        println!("  phase: {name}");
        *self.phase.lock().expect("no panic under the lock") = name.to_string();
    }

    pub fn add(&self, what: String) {
        let phase = self.phase.lock().expect("no panic under the lock").clone();
        let mut found = self.found.lock().expect("no panic under the lock");
        if found.len() < 50 {
            println!("  VIOLATION in {phase}: {what}");
            found.push(format!("{phase}: {what}"));
        }
    }

    pub fn assert_none(&self, machine: &Machine) {
        let found = self.found.lock().expect("no panic under the lock");
        assert!(found.is_empty(), "{} violations: {found:#?}\n--- log:\n{}", found.len(), machine.log_end(20));
    }
}

/// How long an acknowledgement may take, lateness of the machine aside, and other things that a client waits for.
pub fn answer_limit() -> Duration {
    Duration::from_millis(knob("ASSERT_MS", 1_000))
}

/// Resident bytes of the process.
pub fn resident_bytes(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    let kilobytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
    kilobytes * 1024
}

/// Looks at the memory until told to stop; the largest growth beyond what was received.
pub fn watch_memory(pid: u32, meter: &Meter, findings: &Findings, stop: &AtomicBool) -> u64 {
    let (start, received_before) = (resident_bytes(pid), meter.bytes());
    let (mut worst, mut told) = (0, 0);
    while !stop.load(Ordering::Relaxed) {
        let resident = resident_bytes(pid);
        let received = meter.bytes() - received_before;
        let beyond = resident.saturating_sub(start + received);
        worst = worst.max(beyond);
        if beyond > MEMORY_BYTES_MAX && beyond > told + told / 4 {
            told = beyond;
            let mib = |bytes: u64| bytes >> 20;
            findings.add(format!(
                "{} MiB resident, {} at the start, {} received: {} beyond",
                mib(resident),
                mib(start),
                mib(received),
                mib(beyond)
            ));
        }
        if beyond > MEMORY_BYTES_BEARABLE {
            // The machine that tests must not go down with the broker.
            // SAFETY: plain system call on the broker that this test started.
            unsafe { libc::kill(pid as i32, libc::SIGKILL) };
            findings.add("the broker was killed for the sake of the others".to_string());
            break;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    worst
}

/// The record that a calm producer sends as its `number`th.
fn record(partition: i32, number: u64) -> Vec<u8> {
    // Now and then a request that needs a reservation of the read budget.
    let bytes = if number % 8 == 7 { 200 << 10 } else { 100 + (number % 5) as usize * 300 };
    let mut value = vec![partition as u8 ^ number as u8; bytes];
    value[..8].copy_from_slice(&number.to_be_bytes());
    value
}

/// What a calm producer saw.
#[derive(Default)]
pub struct Calm {
    pub records: u64,
    /// The slowest answer, whoever was to blame.
    pub slowest: Duration,
    /// The slowest answer without what the machine was late by.
    pub slowest_own: Duration,
}

/// Produces one record after the other at acks=all.
pub fn produce_calmly(
    address: &str,
    partition: i32,
    (meter, findings, lateness): (&Meter, &Findings, &Lateness),
    stop: &AtomicBool,
) -> Calm {
    let mut connection = Connection::open(address).expect("connects");
    let mut calm = Calm::default();
    while !stop.load(Ordering::Relaxed) {
        let number = calm.records;
        let bytes = batch::encode(None, &[record(partition, number)]);
        meter.add(bytes.len() + REQUEST_BYTES);
        let began = Instant::now();
        match connection.produce(CALM, partition, bytes) {
            Ok(offset) if offset == number as i64 => {}
            other => {
                findings.add(format!("record {number} of {CALM}-{partition}: {other:?}"));
                return calm;
            }
        }
        let ended = Instant::now();
        let took = ended - began;
        calm.slowest = calm.slowest.max(took);
        if took > calm.slowest_own.max(LATENESS_LOOKED_AT) {
            Lateness::settle();
            let own = took.saturating_sub(lateness.between(began, ended));
            calm.slowest_own = calm.slowest_own.max(own);
            if own > answer_limit() {
                findings.add(format!("record {number} of {CALM}-{partition} took {took:?}, {own:?} of it the broker"));
            }
        }
        calm.records += 1;
        std::thread::sleep(Duration::from_millis(3));
    }
    calm
}

/// Every record that was acknowledged is there, as it was sent.
pub fn read_back(address: &str, partition: i32, count: u64, findings: &Findings) {
    let mut connection = Connection::open(address).expect("connects");
    let mut next = 0;
    while next < count {
        let from = FetchFrom { topic: CALM.to_string(), partition, offset: next as i64 };
        let fetched = connection.fetch(&[from], 100).map(|mut answers| answers.remove(0));
        let records = match fetched {
            Ok(fetched) if fetched.error == 0 && !fetched.records.is_empty() => fetched.records,
            other => return findings.add(format!("fetch of {CALM}-{partition} at {next}: {other:?}")),
        };
        let first = next as i64;
        for found in records.iter().filter(|found| found.offset >= first) {
            if found.offset != next as i64 || found.value != record(partition, next) {
                return findings.add(format!("{CALM}-{partition}: record {next} reads as offset {}", found.offset));
            }
            next += 1;
        }
    }
}

/// Fetches from random places of a topic as a consumer would, and is not kept waiting by those who take nothing.
pub fn consume(
    address: &str,
    (topic, partition, end): (&str, i32, i64),
    (meter, findings, lateness): (&Meter, &Findings, &Lateness),
    stop: &AtomicBool,
) {
    let mut random = Random::new(3);
    let mut connection = Connection::open(address).expect("connects");
    let (mut answers, mut slowest, mut slowest_own) = (0, Duration::ZERO, Duration::ZERO);
    while !stop.load(Ordering::Relaxed) {
        let offset = random.below(end as u64) as i64;
        meter.add(REQUEST_BYTES);
        let began = Instant::now();
        let fetched = connection.fetch(&[FetchFrom { topic: topic.to_string(), partition, offset }], 500);
        let ended = Instant::now();
        match fetched.as_ref().map(|answers| &answers[0]) {
            Ok(fetched) if fetched.error == 0 && !fetched.records.is_empty() => {}
            other => return findings.add(format!("fetch of {topic}-{partition} at {offset}: {other:?}")),
        }
        let took = ended - began;

        slowest = slowest.max(took);
        if took > slowest_own.max(LATENESS_LOOKED_AT) {
            Lateness::settle();
            slowest_own = slowest_own.max(took.saturating_sub(lateness.between_all(began, ended)));
        }
        answers += 1;
        std::thread::sleep(Duration::from_millis(20));
    }
    println!("  {answers} fetches of a consumer, the slowest took {slowest:?}, {slowest_own:?} of it the broker");
    if slowest_own > 2 * answer_limit() || answers == 0 {
        findings.add(format!(
            "a consumer got {answers} answers, the slowest took {slowest:?}, {slowest_own:?} of it the broker"
        ));
    }
}

/// The log has not grown beyond what the limiter lets through.
pub fn assert_log_is_short(machine: &Machine, ran: Duration) {
    let text = std::fs::read_to_string(machine.log_path()).expect("log");
    let lines = text.lines().count() as u64;
    let limit = LINES_BESIDE + LINES_PER_SECOND_MAX * machine.cores as u64 * (ran.as_secs() + 2);
    assert!(lines <= limit, "{lines} lines in {ran:?}, at most {limit}:\n{}", machine.log_end(30));
    assert!(text.contains("suppressed"), "the broker said nothing about what it closed");
    assert!(!machine.panicked(), "{}", machine.log_end(30));
}
