//! Producers at acks=all on a broker whose power is cut: what was acknowledged survives. After a third of the cuts the machine
//! comes back as one broker to its clients (`advertise=per-machine`), after the others with a broker per core.

use super::rig::{FileSystem, Rig};
use super::support::load::{Load, TopicPlan};
use super::support::process::{Broker, Machine, READY_LIMIT};
use super::support::{Random, knob, seed};
use std::time::Duration;

const TOPICS: [TopicPlan; 2] = [
    TopicPlan { name: "ledger", partitions: 6, idempotent_producers: 1, plain_producers: 1, pace_ms: 0 },
    TopicPlan { name: "trickle", partitions: 12, idempotent_producers: 1, plain_producers: 0, pace_ms: 7 },
];
const JOURNAL_FILE_BYTES: u64 = 256 * 1024;

/// How a run goes against the rules.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Flush {
    Honest,
    /// The broker acknowledges before the flush (`durability=device`).
    LeftOutByBroker,
    /// The disk acknowledges flushes and ignores them.
    LeftOutByDisk,
}

struct Run {
    rig: Rig,
    machine: Machine,
    load: Load,
    random: Random,
    flush: Flush,
}

/// Cuts the power that many times; gives the violations, or `None` when no power can be cut here.
pub fn cut_repeatedly(file_system: FileSystem, cuts: u64, flush: Flush) -> Option<Vec<String>> {
    let rig = match Rig::new(file_system) {
        Ok(rig) => rig,
        Err(obstacle) => {
            println!("skipped: {obstacle}");
            return None;
        }
    };
    let random = Random::new(seed());
    let durability = if flush == Flush::LeftOutByBroker { "device" } else { "disk" };
    let machine = Machine::new(&rig.mount_point().join("data"), rig.work(), 2)
        .with("journal.files", 4)
        .with("journal.file.bytes", JOURNAL_FILE_BYTES)
        .with("message.max.bytes", crate::support::history::MESSAGE_BYTES_MAX)
        .with("log.segment.bytes", 1_048_576)
        .with("tail.cache.bytes", 262_144)
        .with("durability", durability);
    let mut run = Run { rig, machine, load: Load::new(&TOPICS), random, flush };
    let per_machine = run.random.one_in(3);
    run.machine.advertise(per_machine);
    let broker = run.machine.start();
    run.load.create(broker.address());
    let mut broker = Some(broker);
    for number in 0..cuts {
        let started = broker.take().unwrap_or_else(|| run.machine.start());
        broker = run.cut(started, number);
        if !run.load.history.lock().expect("history").violations.is_empty() {
            break;
        }
    }
    drop(broker);
    Some(std::mem::take(&mut run.load.history.lock().expect("history").violations))
}

impl Run {
    /// One cut under load, sometimes another inside the recovery from it; then all that was promised is checked. Gives the
    /// broker that runs again.
    fn cut(&mut self, mut broker: Broker, number: u64) -> Option<Broker> {
        // With the flush left out nothing more is kept, so that the file system itself comes up.
        let keep = match self.flush {
            Flush::Honest => [0, 20, 50, 80, 100][self.random.below(5) as usize],
            _ => 0,
        };
        let (cut_seed, load_seed) = (self.random.next(), self.random.next());
        let moment = Duration::from_millis(100 + self.random.below(900));
        let addresses = broker.ready().listeners.clone();
        let (rig, flush) = (&mut self.rig, self.flush);
        self.load.run(
            &addresses,
            load_seed,
            |_| {},
            |running| {
                std::thread::sleep(moment);
                if flush == Flush::LeftOutByDisk {
                    rig.lie();
                    std::thread::sleep(moment);
                }
                running.wait_for_bytes(100_000, Duration::from_secs(60));
                running.doom();
                let counted = rig.cut(cut_seed, keep);
                println!("cut {number} on {}: {counted}", rig.file_system.name());
                // A dead disk ends no process: it makes cores read-only.
                std::thread::sleep(Duration::from_millis(30));
                if !broker.is_running() {
                    running.history.lock().expect("history").violate("the dead disk ended the broker".to_string());
                }
                broker.kill();
            },
        );
        self.rig.power_on().unwrap_or_else(|problem| panic!("cut {number}: {problem}"));
        if self.flush == Flush::Honest && self.random.one_in(4) {
            self.cut_in_recovery(number);
        }
        self.machine.advertise(self.random.one_in(3));
        let mut broker = self.machine.spawn();
        if let Err(problem) = broker.wait_ready(READY_LIMIT) {
            let text = format!("cut {number}: {problem}; {}", self.machine.log_end(5));
            self.load.history.lock().expect("history").violate(text);
            return None;
        }
        let checked = self.load.verify(broker.address(), None).and_then(|()| self.load.retry(broker.address()));
        if let Err(failure) = checked {
            let text = format!("cut {number}: {failure:?}; {}", self.machine.log_end(5));
            self.load.history.lock().expect("history").violate(text);
        }
        Some(broker)
    }

    fn cut_in_recovery(&mut self, number: u64) {
        let broker = self.machine.spawn();
        std::thread::sleep(Duration::from_millis(self.random.below(400)));
        let (seed, keep) = (self.random.next(), self.random.below(101));
        println!("cut {number}, again inside recovery: {}", self.rig.cut(seed, keep));
        broker.kill();
        self.rig.power_on().unwrap_or_else(|problem| panic!("cut {number} in recovery: {problem}"));
    }
}

/// The number of cuts per file system.
pub fn cuts() -> u64 {
    knob("CUTS", 2)
}
