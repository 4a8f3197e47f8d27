//! kill -9 on the real binary, at random moments, a third of them inside recovery, with a ring so tiny that each round
//! crosses at least three recycles. What is checked: `support::history` H1-H5, and `crash::fates` for topics. In a third of
//! the rounds the machine is one broker to its clients (`advertise=per-machine`), and the next start may show it otherwise.
//!
//! `ROUNDS=10` by default; `SEED=` repeats the choices of a run (not its timing); `KEEP=1` keeps the directory.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

#[path = "crash/commits.rs"]
mod commits;
#[path = "crash/fates.rs"]
mod fates;
#[path = "crash/history_notices.rs"]
mod history_notices;
mod support;

use fates::Fates;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use support::batch;
use support::client::{Connection, Failure, LATEST};
use support::load::{Load, Running, TopicPlan};
use support::process::{Broker, Machine};
use support::{Random, Scratch};

const JOURNAL_FILES: u64 = 4;
const JOURNAL_FILE_BYTES: u64 = 256 * 1024;
/// Journal bytes per core and round: the ring once, and three files again.
const ROUND_BYTES: u64 = (JOURNAL_FILES + 3) * JOURNAL_FILE_BYTES;
/// The last one is slow: its tails are so small that they are re-appended instead of moved.
const TOPICS: [TopicPlan; 3] = [
    TopicPlan { name: "orders", partitions: 6, idempotent_producers: 1, plain_producers: 1, pace_ms: 0 },
    TopicPlan { name: "clicks", partitions: 3, idempotent_producers: 1, plain_producers: 1, pace_ms: 0 },
    TopicPlan { name: "trickle", partitions: 24, idempotent_producers: 1, plain_producers: 0, pace_ms: 7 },
];
/// Records before the last known end that are read again after each restart; everything every few rounds.
const READ_AGAIN: i64 = 2_000;

struct World {
    machine: Machine,
    load: Load,
    fates: Fates,
    random: Random,
    ready_ms: u64,
    kills: u64,
    kills_in_recovery: u64,
    changes_of_cores: u64,
    per_machine: u64,
    log_starts: AtomicU64,
}

#[test]
fn nothing_acknowledged_is_lost_by_kill_9() {
    let scratch = Scratch::new("crash");
    let rounds = support::knob("ROUNDS", 10);
    let mut world = World::new(&scratch, support::seed());
    let mut broker = world.machine.start();
    world.load.create(broker.address());
    for round in 0..rounds {
        let began = Instant::now();
        world.load_and_kill(broker);
        world.kill_in_recovery();
        world.change_cores();
        world.change_mode();
        broker = world.machine.start();
        world.ready_ms = broker.spawned().elapsed().as_millis() as u64;
        world.verify(broker.address(), round % 8 == 7, round);
        println!(
            "round {round}: {} cores behind {} listeners, ready in {} ms, {} records acknowledged so far, {} ms",
            world.machine.cores,
            broker.ready().listeners.len(),
            world.ready_ms,
            world.load.history.lock().unwrap().acknowledged(),
            began.elapsed().as_millis()
        );
    }
    broker.stop();
    let stopped = world.machine.start();
    world.verify(stopped.address(), true, rounds);
    stopped.stop();
    println!(
        "{rounds} rounds: {} kills under load, {} in recovery, {} changes of cores, {} as one broker, {} log starts moved, {} topics made, {} deleted",
        world.kills,
        world.kills_in_recovery,
        world.changes_of_cores,
        world.per_machine,
        world.log_starts.into_inner(),
        world.fates.created,
        world.fates.deleted
    );
}

/// Once all cores have forgotten a deleted topic, its directory is gone too: one that nobody knows refuses the next start.
#[test]
fn a_forgotten_topic_leaves_nothing_behind() {
    let scratch = Scratch::new("forgotten");
    let machine = World::new(&scratch, 1).machine;
    let broker = machine.start();
    let mut connection = Connection::open(broker.address()).unwrap();
    connection.create_topic("kept", 2, &[]).unwrap();
    let kept = connection.leaders(&["kept"]).unwrap().remove(0).unwrap();
    connection.create_topic("short", 2, &[]).unwrap();
    let short = connection.leaders(&["short"]).unwrap().remove(0).unwrap();
    let write = |topic: &str, addresses: &[String], batches: u64| {
        for (partition, address) in addresses.iter().enumerate() {
            let mut connection = Connection::open(address).unwrap();
            for _ in 0..batches {
                connection.produce(topic, partition as i32, batch::encode(None, &[vec![7; 30_000]])).unwrap();
            }
        }
    };
    write("short", &short.addresses, 40);
    connection.delete_topic("short").unwrap();
    let directory: String = short.id.iter().map(|byte| format!("{byte:02x}")).collect();
    let directory = machine.data.join("topics").join(directory);
    let deadline = Instant::now() + Duration::from_secs(20);
    while directory.exists() {
        assert!(Instant::now() < deadline, "{} stays", directory.display());
        write("kept", &kept.addresses, 10);
    }
    // The id is forgotten in the metadata log a moment after the directory.
    std::thread::sleep(Duration::from_millis(300));
    broker.kill();
    machine.start().stop();
}

impl World {
    fn new(scratch: &Scratch, seed: u64) -> World {
        let data = scratch.path().join("data");
        let machine = Machine::new(&data, scratch.path(), 2)
            .with("journal.files", JOURNAL_FILES)
            .with("journal.file.bytes", JOURNAL_FILE_BYTES)
            .with("message.max.bytes", support::history::MESSAGE_BYTES_MAX)
            .with("log.segment.bytes", 1_048_576)
            .with("tail.cache.bytes", 262_144)
            .with("auto.create.topics.enable", false);
        World {
            machine,
            load: Load::new(&TOPICS),
            fates: Fates::default(),
            random: Random::new(seed),
            ready_ms: 500,
            kills: 0,
            kills_in_recovery: 0,
            changes_of_cores: 0,
            per_machine: 0,
            log_starts: AtomicU64::new(0),
        }
    }

    fn load_and_kill(&mut self, broker: Broker) {
        let addresses = broker.ready().listeners.clone();
        let delay = Duration::from_millis(self.random.below(200));
        let (load_seed, operator_seed) = (self.random.next(), self.random.next());
        let (fates, log_starts) = (&mut self.fates, &self.log_starts);
        let operator = |running: &Running| administrate(running, fates, log_starts, operator_seed);
        // The bytes are counted per listener.
        let wanted = ROUND_BYTES * (self.machine.cores / addresses.len()) as u64;
        self.load.run(&addresses, load_seed, operator, |running| {
            running.wait_for_bytes(wanted, Duration::from_secs(60));
            std::thread::sleep(delay);
            running.doom();
            broker.kill();
        });
        self.kills += 1;
    }

    /// None, one or several kills before the broker is ready; a third of all kills on average.
    fn kill_in_recovery(&mut self) {
        let kills = match self.random.below(8) {
            0..5 => 0,
            5..7 => 1,
            _ => 2 + self.random.below(3),
        };
        for _ in 0..kills {
            let broker = self.machine.spawn();
            let moment = self.random.below(self.ready_ms * 1_100 + 1);
            std::thread::sleep(Duration::from_micros(moment));
            broker.kill();
            self.kills_in_recovery += 1;
        }
    }

    fn change_cores(&mut self) {
        if self.random.one_in(3) {
            let cores = 1 + self.random.below(3) as usize;
            self.changes_of_cores += u64::from(cores != self.machine.cores);
            self.machine.cores = cores;
            // And a crash inside the change, sometimes.
            if self.random.one_in(3) {
                self.kill_in_recovery();
            }
        }
    }

    fn change_mode(&mut self) {
        let per_machine = self.random.one_in(3);
        self.per_machine += u64::from(per_machine);
        self.machine.advertise(per_machine);
    }

    /// After a restart: what was promised is there, then what had no answer is sent again.
    fn verify(&mut self, address: &str, everything: bool, round: u64) {
        let result = self.try_verify(address, everything);
        assert!(!self.machine.panicked(), "round {round}: {}", self.machine.log_end(40));
        if let Some(violations) = self.load.violations() {
            panic!("round {round}: {violations}\n{}", self.machine.log_end(20));
        }
        result.unwrap_or_else(|failure| panic!("round {round}: {failure:?}\n{}", self.machine.log_end(20)));
    }

    fn try_verify(&mut self, address: &str, everything: bool) -> Result<(), Failure> {
        self.fates.verify(&mut Connection::open(address)?, &self.load.history)?;
        self.load.verify(address, (!everything).then_some(READ_AGAIN))?;
        self.load.retry(address)?;
        if self.random.one_in(3) {
            self.load.renew_a_producer(address, &mut self.random);
        }
        Ok(())
    }
}

/// The operator of a round: moves log starts, makes and deletes topics, until the broker is killed.
fn administrate(running: &Running, fates: &mut Fates, log_starts: &AtomicU64, seed: u64) {
    let mut random = Random::new(seed);
    let mut work = || -> Result<(), String> {
        let mut connection = Connection::open(running.address).map_err(|error| error.to_string())?;
        while !running.is_doomed() {
            std::thread::sleep(Duration::from_millis(random.below(60)));
            if random.one_in(3) {
                let step = fates.step(&mut connection, running.history, &mut random);
                step.map_err(|failure| format!("topics: {failure:?}"))?;
            } else {
                move_a_log_start(running, &mut random).map_err(|failure| format!("DeleteRecords: {failure:?}"))?;
                log_starts.fetch_add(1, Ordering::Relaxed);
            }
        }
        Ok(())
    };
    if let Err(failure) = work()
        && !running.is_doomed()
    {
        running.history.lock().unwrap().violate(format!("the operator failed: {failure}"));
    }
}

fn move_a_log_start(running: &Running, random: &mut Random) -> Result<(), Failure> {
    let chosen = random.below(running.leaders.len() as u64) as usize;
    let ((topic, partition), leader) = running.leaders.iter().nth(chosen).expect("within bounds");
    let mut connection = Connection::open(leader)?;
    let end = connection.list_offset(topic, *partition, LATEST)?;
    let log_start = running.history.lock().unwrap().log_start(topic, *partition);
    // Small steps: most records stay to be checked.
    let to = (log_start + random.below(200) as i64).min(end);
    running.history.lock().unwrap().ask_log_start(topic, *partition, to);
    let served = connection.delete_records(topic, *partition, to)?;
    running.history.lock().unwrap().confirm_log_start(topic, *partition, served);
    Ok(())
}
