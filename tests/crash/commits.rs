//! kill -9 while groups commit: what was acknowledged is there after each restart, nothing is there that was not sent, and no
//! offset goes back. The journal files are as small as a coordinator's largest batch: with room asked for the batch it would
//! like to append no commit was ever stored on such a machine. The coordinators say their logs anew meanwhile, cores and modes
//! change, and some kills hit the loading.

use crate::support::process::{Broker, Machine};
use crate::support::{self, Random, Scratch};
use corelane::client::address::Address;
use corelane::client::cluster::Cluster;
use corelane::client::connection::Patience;
use corelane::client::failure::Failure;
use corelane::client::groups;
use corelane::client::topics::{self, NewTopic};
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Duration;

const GROUPS: usize = 8;
const PARTITIONS: i32 = 20;
const TOPIC: &str = "read";

/// What a group has committed to each of the partitions.
#[derive(Default)]
struct Ledger {
    sent: AtomicI64,
    acknowledged: AtomicI64,
}

#[test]
fn no_acknowledged_commit_is_lost_by_kill_9() {
    let scratch = Scratch::new("crash-commits");
    let mut random = Random::new(support::seed());
    let mut machine = Machine::new(&scratch.path().join("data"), scratch.path(), 2)
        .with("journal.files", 4)
        .with("journal.file.bytes", 256 * 1024)
        .with("message.max.bytes", 65_536);
    let ledgers: Vec<Ledger> = (0..GROUPS).map(|_| Ledger { acknowledged: (-1).into(), ..Ledger::default() }).collect();
    let rounds = support::knob("ROUNDS", 10);
    let mut broker = machine.start();
    let new = NewTopic { name: TOPIC.to_string(), partitions: PARTITIONS, replicas: -1, configs: Vec::new() };
    let mut cluster = connect(broker.address(), Duration::from_secs(20)).expect("it runs");
    let made = topics::create(&mut cluster, &[new], false).expect("an answer");
    made[0].result.as_ref().expect("a topic");
    for round in 0..rounds {
        let before = total(&ledgers);
        commit_and_kill(broker, &ledgers, Duration::from_millis(300 + random.below(700)));
        assert!(total(&ledgers) > before, "round {round}: nothing was acknowledged");
        machine.cores = 1 + random.below(3) as usize;
        machine.advertise(random.one_in(3));
        if random.one_in(3) {
            let loading = machine.spawn();
            thread::sleep(Duration::from_millis(random.below(400)));
            loading.kill();
        }
        broker = machine.start();
        verify(broker.address(), &ledgers, round);
        assert!(!machine.panicked(), "round {round}: {}", machine.log_end(40));
    }
    broker.stop();
    let stopped = machine.start();
    verify(stopped.address(), &ledgers, rounds);
    stopped.stop();
    println!("{rounds} rounds, {} commits of {PARTITIONS} partitions acknowledged", total(&ledgers));
}

fn connect(address: &str, patience: Duration) -> Result<Cluster, Failure> {
    let addresses = Address::list(address).expect("an address");
    Cluster::connect(&addresses, Patience::of(patience))
}

fn name(group: usize) -> String {
    format!("readers-{group}")
}

fn total(ledgers: &[Ledger]) -> i64 {
    ledgers.iter().map(|ledger| ledger.acknowledged.load(Ordering::Relaxed) + 1).sum()
}

/// Every group commits one offset after the other to all partitions until the broker is gone.
fn commit_and_kill(broker: Broker, ledgers: &[Ledger], after: Duration) {
    let address = broker.address().to_string();
    thread::scope(|scope| {
        for (group, ledger) in ledgers.iter().enumerate() {
            let address = &address;
            scope.spawn(move || {
                let Ok(mut cluster) = connect(address, Duration::from_secs(1)) else { return };
                loop {
                    // The same again if it had no answer: whether it was stored is not known.
                    let next = ledger.acknowledged.load(Ordering::Relaxed) + 1;
                    ledger.sent.store(next, Ordering::Relaxed);
                    let offsets: Vec<_> = (0..PARTITIONS).map(|index| (TOPIC.to_string(), index, next)).collect();
                    match groups::commit(&mut cluster, &name(group), &offsets) {
                        Ok(results) if results.iter().all(Result::is_ok) => {
                            ledger.acknowledged.store(next, Ordering::Relaxed);
                        }
                        _ => return,
                    }
                }
            });
        }
        thread::sleep(after);
        broker.kill();
    });
}

fn verify(address: &str, ledgers: &[Ledger], round: u64) {
    let mut cluster = connect(address, Duration::from_secs(20)).expect("it runs");
    for (group, ledger) in ledgers.iter().enumerate() {
        let (sent, acknowledged) = (ledger.sent.load(Ordering::Relaxed), ledger.acknowledged.load(Ordering::Relaxed));
        let group = name(group);
        let stored = groups::committed(&mut cluster, &group).expect("offsets");
        for index in 0..PARTITIONS {
            let offset = stored.get(&(TOPIC.to_string(), index)).map_or(-1, |commit| commit.offset);
            assert!(
                (acknowledged..=sent).contains(&offset),
                "round {round}: {group}, partition {index} is at {offset}; acknowledged {acknowledged}, sent {sent}"
            );
        }
    }
}
