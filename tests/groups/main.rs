//! The group coordinator under a seeded simulator: clients that join, sync, beat, commit, leave, die and come back; a log whose
//! flushes are late, whose appends are refused, and which a crash cuts at its durable end; answers that arrive late, out of order
//! or never. Nothing of it takes time: a seed is a few hundred steps of a state machine.
//!
//! Checked after every step: the coordinator's own invariants; a request is answered once; generations do not fall while the
//! coordinator lives; no partition is given to two members of a generation; an acknowledged commit is never gone or behind; what
//! a replay of the durable log gives is what the coordinator has applied; offsets go only when nobody was in their group for as long
//! as they are kept, and with their topic, of which the next one of its name gets none. In the end faults stop, and within a few minutes of simulated time every client has its partitions, and the
//! log is no longer than a few times what it says. That each of these checks can fail is proved by a planted bug (`planted`).
//!
//! `SEEDS=n` runs more of them, `FIRST_SEED=n` begins elsewhere; a failure prints its seed.

mod client;
mod plant;
mod planted;
mod world;

use corelane::base::prng::Prng;
use plant::Plant;
use world::World;

/// Steps of a seed before faults stop.
const STEPS: u64 = 400;

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{name} is a number")))
}

fn run(seed: u64, plant: Plant) -> World {
    let mut world = World::new(seed, plant);
    for _ in 0..STEPS {
        world.step();
    }
    world.settle();
    world
}

#[test]
fn groups_hold_what_they_promise() {
    let first = number("FIRST_SEED", 1);
    // A seed here is some milliseconds, those of the simulated machines are a hundred times as much.
    let seeds = number("SEEDS", 200) * 10;
    let mut seen = world::Seen::default();
    for seed in first..first + seeds {
        let world = std::panic::catch_unwind(|| run(seed, Plant::None)).unwrap_or_else(|why| {
            eprintln!("seed {seed}: FIRST_SEED={seed} SEEDS=1 cargo test --release --test groups");
            std::panic::resume_unwind(why)
        });
        seen.add(&world.seen);
    }
    println!("{seen:?}");
    assert!(seen.is_everything(), "the schedules miss something: {seen:?}");
}

/// 100,000 members of 8 KiB each want to join one group: those that fit into the memory of their core are in, the others hear that
/// the group is full; promised ids count too.
#[test]
fn members_beyond_the_memory_are_refused() {
    const ROOM: usize = 16 << 20;
    let mut world = World::new(1, Plant::None);
    let mut codes = std::collections::BTreeMap::new();
    for number in 0..100_000u64 {
        let version = if number % 2 == 0 { 3 } else { 9 };
        for code in world.join_large(number, version, 8 << 10, ROOM) {
            *codes.entry(code).or_insert(0) += 1;
        }
    }
    let (members, _) = world.memory_bytes();
    assert!(members <= ROOM, "{members} bytes");
    assert!(codes[&81] > 80_000 && codes[&79] > 500, "{codes:?}");
}

#[test]
fn a_seed_repeats_itself() {
    let seed = Prng::new(number("FIRST_SEED", 7)).next_u64();
    assert_eq!(run(seed, Plant::None).trace, run(seed, Plant::None).trace);
}
