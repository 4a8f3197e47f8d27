//! Hostile input against the real binary, all of it at once: malformed frames of every API and version, slow and dead
//! peers, clients that never read.
//!
//! All the while a calm producer on every core is answered within a second (and what the machine itself is late by), memory stays below its start plus 64 MiB plus
//! the bytes received, and the log stays short; afterwards everything acknowledged is read back. Each malformed frame has
//! to get what the protocol has for it: an answer if it can be understood, else its own connection closed and nothing more.
//!
//! In both advertise modes. Beside it thousands of connections, idle and busy, and clients behind a proxy that dribbles,
//! delays and cuts.
//!
//! `HOSTILE=` seconds of the phase with all at once, `ASSERT_MS=` longest wait for an acknowledgement on a machine that is
//! busy with something else.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

#[path = "../support/mod.rs"]
mod support;

mod crowd;
mod greedy;
mod group_samples;
mod lateness;
mod malformed;
mod oracle;
mod peer;
mod proxied;
mod proxy;
mod samples;
mod sluggish;
mod witness;

use lateness::Lateness;
use malformed::{Acknowledged, Case, Driver};
use peer::Meter;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use support::client::{Connection, LATEST};
use support::process::{Broker, Machine};
use support::{Scratch, batch, knob};
use uuid::Uuid;
use witness::{CALM, Calm, Findings};

const BULK: &str = "bulk";
/// Data per core for large fetches: more than the journal and the cache keep in memory.
const BULK_MB: usize = 80;
/// A topic with so many partitions that asking for it costs far less than its answer.
const WIDE: &str = "wide";
const WIDE_PARTITIONS: i32 = 1_000;
/// Clients of each greedy kind, per core.
const GREEDY: usize = 100;
const REQUEST_BYTES_MAX: i32 = 104_857_600;
/// Threads that send malformed frames.
const DRIVERS: usize = 3;

/// One machine at a time: memory and answer times are measured.
static ALONE: Mutex<()> = Mutex::new(());

struct Stage {
    machine: Machine,
    /// Of the broker's process.
    pid: u32,
    /// Where clients reach each core, and the partition of [`CALM`] and [`BULK`] that it leads.
    cores: Vec<(String, i32)>,
    samples: Vec<samples::Sample>,
    /// Log ends of [`BULK`].
    bulk_end: i64,
    /// What others on this machine cost the broker.
    lateness: Lateness,
}

/// How clients see the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Advertise {
    PerCore,
    PerMachine,
}

fn prepare(scratch: &Scratch, cores: usize, advertise: Advertise, bulk_mb: usize) -> (Stage, Broker) {
    let mut machine = Machine::new(&scratch.path().join("data"), scratch.path(), cores)
        .with("journal.file.bytes", 16 << 20)
        .with("tail.cache.bytes", 4 << 20);
    machine.advertise(advertise == Advertise::PerMachine);
    let broker = machine.start();
    let listeners = &broker.ready().listeners;
    let addresses: Vec<String> = listeners.iter().cycle().take(cores).cloned().collect();
    let mut connection = Connection::open(&addresses[0]).expect("connects");
    for topic in [CALM, BULK, proxied::TOPIC] {
        connection.create_topic(topic, cores as i32, &[]).expect("topic");
    }
    connection.create_topic(samples::TOPIC, 2, &[]).expect("topic");
    connection.create_topic(WIDE, WIDE_PARTITIONS, &[]).expect("topic");
    let leaders = connection.leaders(&[CALM, BULK, samples::TOPIC]).expect("metadata");
    let (calm, bulk) = (leaders[0].as_ref().expect("calm"), leaders[1].as_ref().expect("bulk"));
    assert!(calm.addresses == addresses && bulk.addresses == addresses, "one partition per core: {leaders:?}");
    let topic_id = Uuid::from_bytes(leaders[2].as_ref().expect("target").id);
    for (address, partition) in addresses.iter().zip(0..) {
        let mut connection = Connection::open(address).expect("connects");
        for number in 0..bulk_mb {
            let bytes = batch::encode(None, &[vec![number as u8; (1 << 20) - 200]]);
            connection.produce(BULK, partition, bytes).expect("produced");
        }
    }
    let samples = samples::all(topic_id);
    let cores = addresses.into_iter().zip(0..).collect();
    let (pid, bulk_end) = (broker.pid(), bulk_mb as i64);
    (Stage { machine, pid, cores, samples, bulk_end, lateness: Lateness::default() }, broker)
}

fn run_cases(stage: &Stage, cases: &[Case], meter: &Meter, findings: &Findings, acknowledged: &Acknowledged) {
    let next = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for thread in 0..DRIVERS {
            let (address, _) = &stage.cores[thread % stage.cores.len()];
            let next = &next;
            scope.spawn(move || {
                let mut driver = Driver::new(address, meter, acknowledged);
                while let Some(case) = cases.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(problem) = driver.run(case) {
                        findings.add(problem);
                    }
                }
            });
        }
    });
}

/// At most about `count` of the cases, evenly.
fn sampled(cases: Vec<Case>, count: usize) -> Vec<Case> {
    let stride = cases.len().div_ceil(count.max(1));
    cases.into_iter().step_by(stride).collect()
}

/// Does `harm` to a broker while calm producers are watched; then all that was promised is checked.
fn survives(
    cores: usize,
    advertise: Advertise,
    bulk_mb: usize,
    harm: impl Fn(&Stage, &Meter, &Findings, &Acknowledged),
) {
    let _alone = ALONE.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let scratch = Scratch::new("hostile");
    let (stage, mut broker) = prepare(&scratch, cores, advertise, bulk_mb);
    assert!(stage.samples.iter().all(|sample| oracle::is_answered(&sample.frame[4..])));
    // The data that was moved out of the journal is let go.
    std::thread::sleep(Duration::from_millis(500));
    let (meter, findings, acknowledged) = (Meter::default(), Findings::default(), Acknowledged::default());
    let stop = AtomicBool::new(false);
    let began = Instant::now();
    let (meter, findings, stop) = (&meter, &findings, &stop);
    let lateness = &stage.lateness;
    let produced: Vec<u64> = std::thread::scope(|scope| {
        scope.spawn(|| lateness.watch_threads(stage.pid, stop));
        scope.spawn(|| lateness.watch_disk(scratch.path(), stop));
        let memory = scope.spawn(|| witness::watch_memory(stage.pid, meter, findings, stop));
        let mut calm = Vec::new();
        for (address, partition) in &stage.cores {
            calm.push(
                scope.spawn(move || witness::produce_calmly(address, *partition, (meter, findings, lateness), stop)),
            );
        }
        harm(&stage, meter, findings, &acknowledged);
        stop.store(true, Ordering::Relaxed);
        println!("  memory beyond start and received: at most {} MiB", memory.join().expect("watched") >> 20);
        let ended = calm.into_iter().map(|thread| thread.join().expect("produced"));
        ended
            .map(|calm| {
                let Calm { records, slowest, slowest_own } = calm;
                println!("  {records} calm records, the slowest took {slowest:?}, {slowest_own:?} of it the broker");
                records
            })
            .collect()
    });
    let ran = began.elapsed();
    let late = lateness.between(began, Instant::now()).min(ran);
    let wanted = (100.0 * (ran - late).as_secs_f64() / ran.as_secs_f64()) as u64;
    for ((address, partition), count) in stage.cores.iter().zip(produced) {
        assert!(count > wanted, "the calm producer of core {partition} sent {count} records only, {wanted} expected");
        witness::read_back(address, *partition, count, findings);
    }
    check_acknowledged(&stage, &acknowledged, findings);
    let machine = &stage.machine;
    assert!(broker.is_running(), "{}", machine.log_end(30));
    findings.assert_none(machine);
    witness::assert_log_is_short(machine, ran);
    broker.stop();
    println!("{cores} cores {advertise:?}: {} MiB sent in {ran:?}", meter.bytes() >> 20);
}

/// Every kind of harm by itself, then all of it together.
fn all_kinds(stage: &Stage, meter: &Meter, findings: &Findings, acknowledged: &Acknowledged) {
    let mut idle: Vec<_> = stage.cores.iter().flat_map(|(address, _)| sluggish::silent(address, meter, 100)).collect();
    greedy_clients(stage, meter, findings);
    malformed_frames(stage, meter, findings, acknowledged);
    everything_at_once(stage, meter, findings, acknowledged);
    findings.phase("afterwards");
    sluggish::assert_served(&mut idle, findings);
}

/// Thousands of connections, and clients whose network is bad.
fn a_crowd(stage: &Stage, meter: &Meter, findings: &Findings, acknowledged: &Acknowledged) {
    let members = crowd::members();
    findings.phase("thousands connect");
    let began = Instant::now();
    let each = |count: usize| count / stage.cores.len();
    let connect =
        |count: usize| stage.cores.iter().map(move |(address, _)| sluggish::silent(address, meter, each(count)));
    let mut idle: Vec<_> = connect(members.idle).flatten().collect();
    let busy: Vec<_> = connect(members.busy).collect();
    println!(
        "  {} idle and {} busy connections in {:?}",
        idle.len(),
        busy.iter().map(Vec::len).sum::<usize>(),
        began.elapsed()
    );
    let until = Instant::now() + Duration::from_secs(knob("HOSTILE", 5));
    let stop = &AtomicBool::new(false);
    findings.phase("thousands are busy, others behind a bad network");
    std::thread::scope(|scope| {
        for peers in busy {
            scope.spawn(move || crowd::keep_busy(peers, &stage.samples, (findings, &stage.lateness), stop));
        }
        for (address, partition) in &stage.cores {
            scope.spawn(move || proxied::exactly_once(address, *partition, meter, findings, stop));
        }
        let cases = sampled(malformed::huge_numbers(&stage.samples), 500);
        while Instant::now() < until {
            run_cases(stage, &cases, meter, findings, acknowledged);
        }
        stop.store(true, Ordering::Relaxed);
    });
    findings.phase("afterwards");
    sluggish::assert_served(&mut idle, findings);
}

/// First of all, while little was received: memory has to stay near its start.
fn greedy_clients(stage: &Stage, meter: &Meter, findings: &Findings) {
    let end = stage.bulk_end;
    for (phase, reads) in [("half-received frames", true), ("clients that never read", false)] {
        let (stop, received) = (&AtomicBool::new(false), meter.bytes());
        findings.phase(phase);
        std::thread::scope(|scope| {
            for (address, partition) in &stage.cores {
                scope.spawn(move || {
                    let closed = match reads {
                        true => greedy::never_end(address, 4 * GREEDY, meter, stop),
                        false => greedy::never_read(address, (BULK, *partition, end), GREEDY, meter, stop),
                    };
                    println!("  {closed} of them were closed");
                });
            }
            std::thread::sleep(Duration::from_secs(knob("HOSTILE", 5)));
            stop.store(true, Ordering::Relaxed);
        });
        println!("  {} MiB sent", (meter.bytes() - received) >> 20);
    }
}

fn malformed_frames(stage: &Stage, meter: &Meter, findings: &Findings, acknowledged: &Acknowledged) {
    for (phase, cases) in [
        ("strangers", malformed::strangers(REQUEST_BYTES_MAX)),
        ("truncated frames", malformed::truncations(&stage.samples)),
        ("huge numbers", malformed::huge_numbers(&stage.samples)),
    ] {
        let began = Instant::now();
        findings.phase(phase);
        run_cases(stage, &cases, meter, findings, acknowledged);
        println!("  {} {phase} in {:?}", cases.len(), began.elapsed());
    }
}

/// Slow, dead, greedy and malformed ones together.
fn everything_at_once(stage: &Stage, meter: &Meter, findings: &Findings, acknowledged: &Acknowledged) {
    let (end, stop) = (stage.bulk_end, &AtomicBool::new(false));
    let until = Instant::now() + Duration::from_secs(knob("HOSTILE", 5));
    findings.phase("all at once");
    std::thread::scope(|scope| {
        for (address, partition) in &stage.cores {
            let partition = *partition;
            scope.spawn(move || println!("  {} dribbled requests", sluggish::dribble(address, meter, findings, stop)));
            scope.spawn(move || println!("  vanished {} times", sluggish::vanish(address, meter, stop)));
            scope.spawn(move || {
                let closed = greedy::never_read(address, (BULK, partition, end), GREEDY, meter, stop);
                println!("  {closed} that never read were closed");
            });
            scope.spawn(move || {
                println!("  {} that never end were closed", greedy::never_end(address, 4 * GREEDY, meter, stop));
            });
            scope.spawn(move || {
                witness::consume(address, (BULK, partition, end), (meter, findings, &stage.lateness), stop);
            });
        }
        let cases = sampled(malformed::huge_numbers(&stage.samples), 2_000);
        while Instant::now() < until {
            run_cases(stage, &cases, meter, findings, acknowledged);
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// What hostile producers were told is true as well.
fn check_acknowledged(stage: &Stage, acknowledged: &Acknowledged, findings: &Findings) {
    let acknowledged = acknowledged.lock().expect("no panic under the lock");
    assert!(!acknowledged.is_empty(), "no sample of a Produce was taken");
    let mut connection = Connection::open(&stage.cores[0].0).expect("connects");
    let leaders = connection.leaders(&[samples::TOPIC]).expect("metadata").remove(0).expect("target").addresses;
    for (partition, offset) in acknowledged.iter() {
        let mut connection = Connection::open(&leaders[*partition as usize]).expect("connects");
        match connection.list_offset(samples::TOPIC, *partition, LATEST) {
            Ok(end) if end > *offset => {}
            other => findings.add(format!("{}-{partition}: {offset} acknowledged, end {other:?}", samples::TOPIC)),
        }
    }
}

#[test]
fn one_core_survives() {
    survives(1, Advertise::PerCore, BULK_MB, all_kinds);
}

#[test]
fn two_cores_survive() {
    survives(2, Advertise::PerCore, BULK_MB, all_kinds);
}

#[test]
fn two_cores_survive_as_one_broker() {
    survives(2, Advertise::PerMachine, BULK_MB, all_kinds);
}

#[test]
fn a_crowd_is_served() {
    survives(2, Advertise::PerCore, 1, a_crowd);
}

#[test]
fn a_crowd_is_served_by_one_broker() {
    survives(2, Advertise::PerMachine, 1, a_crowd);
}
