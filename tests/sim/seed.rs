//! One seed from an empty disk to its last check.

use crate::checkers::{liveness, retention, space_given_back};
use crate::coverage::Coverage;
use crate::disk::{Disk, Fault};
use crate::history::History;
use crate::outcome::{Halt, Run};
use crate::plant::Plant;
use crate::rot::RotKind;
use crate::trace;
use crate::world::{Regime, World};
use corelane::base::config::TopicDefaults;
use corelane::base::offset::Durability;
use corelane::base::prng::Prng;
use corelane::log::core_log::LogSettings;
use std::panic::{AssertUnwindSafe, catch_unwind};

const EVENTS_MIN: u64 = 10_000;
const CRASHES_MIN: u64 = 3;

/// What became of a seed.
pub struct Outcome {
    pub result: Result<(), String>,
    pub coverage: Coverage,
    pub events: u64,
    pub crashes: u64,
    pub tail: String,
}

/// Runs one seed with a planted bug, or none.
pub fn run(seed: u64, plant: Plant, print: bool) -> Outcome {
    trace::begin(print);
    let mut world = new_world(seed, plant);
    let result = catch_unwind(AssertUnwindSafe(|| live(&mut world)));
    let result = match result {
        Ok(Ok(())) => Ok(()),
        Ok(Err(Halt::Ended(_))) => Ok(()),
        Ok(Err(Halt::Crashed)) => Err("a crash was not handled".to_string()),
        Ok(Err(Halt::Violation(text))) if world.rot.as_ref().is_some_and(|rot| rot.waived) => {
            trace!("waived: {text}");
            Ok(())
        }
        Ok(Err(Halt::Violation(text))) => Err(text),
        Err(_) => Err(trace::last_panic()),
    };
    count_disk(&mut world);
    let crashes = world.coverage.of("crash: kill -9") + world.coverage.of("crash: power cut");
    Outcome { result, coverage: world.coverage, events: world.events, crashes, tail: trace::tail() }
}

fn new_world(seed: u64, plant: Plant) -> World {
    let mut prng = Prng::new(seed.wrapping_mul(0x5851_F42D_4C95_7F2D) + 1);
    let mut disk = Disk::new(prng.next_u64());
    disk.plant = plant;
    disk.trace = trace::prints();
    let settings = LogSettings {
        journal_files: 4 + prng.below(2) as usize,
        journal_file_bytes: [64, 64, 128, 256][prng.below(4) as usize] * 1024,
        journal_zeroed: prng.percent(50),
        journal_accept_loss: false,
        tail_cache_bytes: [0, 32 * 1024, 256 * 1024][prng.below(3) as usize],
        retention_check_ms: [50, 500, 5_000][prng.below(3) as usize],
    };
    World {
        disk,
        history: History::default(),
        coverage: Coverage::default(),
        cores: Vec::new(),
        settings,
        regime: Regime { io_percent: 50, step_us_max: 1000, calm: false },
        clock_ns: 1_000_000_000,
        boot: 0,
        generation: 1,
        cores_wanted: 1 + prng.below(2) as usize,
        cores_before: 0,
        catalog: None,
        defaults: TopicDefaults {
            partitions: 1,
            replication_factor: 1,
            min_insync_replicas: 1,
            message_bytes_max: 16 * 1024,
            durability: Durability::Disk,
            log_append_time: false,
            segment_bytes: 64 * 1024,
            segment_ms: 30_000,
            retention_ms: -1,
            retention_bytes: -1,
        },
        events: 0,
        rot: None,
        faults_before: 0,
        full_until: 0,
        quiet_steps: 0,
        appended_bytes: 0,
        refused_until_ns: 0,
        quiet: Default::default(),
        started: false,
        prng,
    }
}

/// The whole life: runs and crashes, then calm and liveness, then rot.
fn live(world: &mut World) -> Run<()> {
    let crashes_wanted = CRASHES_MIN + world.prng.below(8);
    let mut crashes = 0;
    while crashes < crashes_wanted || world.events < EVENTS_MIN {
        crashes += 1;
        world.disk.crash_in = match world.prng.below(100) {
            0..=34 => 1 + world.prng.below(150),
            _ => 500 + world.prng.below(12_000),
        };
        let ended = run_once(world);
        go_down(world, ended)?;
    }
    world.disk.crash_in = 0;
    let ended = close(world);
    go_down(world, ended)?;
    rot_phase(world)
}

/// After a run: crashes unless it was stopped already; other outcomes end the seed.
fn go_down(world: &mut World, ended: Run<()>) -> Run<()> {
    match ended {
        Ok(()) => {}
        Err(Halt::Crashed) => {
            if !world.started {
                world.coverage.hit("crash inside start or recovery");
                if world.cores_before != world.cores_wanted && world.cores_before > 0 {
                    world.coverage.hit("crash inside a change of cores");
                }
            }
        }
        Err(other) => return Err(other),
    }
    if world.cores.is_empty() && world.started && ended.is_ok() {
        return Ok(()); // stopped in good order
    }
    let power_cut = world.prng.percent(50);
    world.crash(power_cut);
    Ok(())
}

/// One run of the machine up to its end, whatever that is.
fn run_once(world: &mut World) -> Run<()> {
    begin_run(world)?;
    if !world.started {
        return Ok(());
    }
    match world.prng.below(10) {
        0..=2 => world.verify(100)?,
        3..=5 => world.verify(40)?,
        _ => {}
    }
    let steps = 200 + world.prng.below(4000);
    for _ in 0..steps {
        world.step()?;
    }
    if world.prng.percent(30) {
        world.stop()?;
    }
    Ok(())
}

fn begin_run(world: &mut World) -> Run<()> {
    world.started = false;
    world.regime = Regime {
        io_percent: [25, 45, 60, 75][world.prng.below(4) as usize],
        step_us_max: [50, 1000, 5000][world.prng.below(3) as usize],
        calm: false,
    };
    if world.prng.percent(20) {
        world.cores_wanted = 1 + world.prng.below(3) as usize;
    }
    world.trouble_at_start();
    world.started = world.start()?;
    if world.started && world.history.partitions.is_empty() {
        world.create_topic()?;
        world.settle(2000, |world| Ok(!world.history.partitions.is_empty()))?;
    }
    Ok(())
}

/// The faults stop: everything is there, and everything goes on.
fn close(world: &mut World) -> Run<()> {
    begin_run(world)?;
    world.regime.calm = true;
    world.verify(100)?;
    liveness::appends_go_on(world)?;
    space_given_back::deleted_topics_are_forgotten(world)?;
    space_given_back::deleted_records_are_given_back(world)?;
    retention::old_segments_go(world)?;
    world.verify(100)
}

/// One sector rots while the machine is down.
fn rot_phase(world: &mut World) -> Run<()> {
    if world.prng.percent(50) {
        // After a stop in good order every frame is below a mark: rot is always found (S4).
        let ended = run_and_stop(world);
        go_down(world, ended)?;
    }
    if world.prng.percent(80) {
        world.rot_something();
    }
    let ended = run_on_rot(world);
    go_down(world, ended)
}

fn run_and_stop(world: &mut World) -> Run<()> {
    begin_run(world)?;
    if world.started {
        for _ in 0..300 {
            world.step()?;
        }
        world.stop()?;
    }
    Ok(())
}

fn run_on_rot(world: &mut World) -> Run<()> {
    begin_run(world)?;
    if !world.started {
        return Ok(());
    }
    world.regime.calm = true;
    world.verify(100)?;
    for _ in 0..1000 {
        world.step()?;
    }
    if world.rot.is_none() {
        world.rot_something_of(RotKind::Segment);
    }
    for _ in 0..1000 {
        world.step()?;
    }
    world.verify(100)
}

fn count_disk(world: &mut World) {
    let counts = world.disk.counts.clone();
    let coverage = &mut world.coverage;
    coverage.add("fault: late write landed", counts.late_writes);
    coverage.add("fault: torn write", counts.torn_writes);
    coverage.add("fault: unflushed sectors lost", counts.lost_sectors);
    coverage.add("fault: directory entries lost", counts.lost_entries);
    coverage.add("fault: pages lost by a failed flush", counts.phantom_flushes);
    for (fault, times) in counts.failed {
        let what = match fault {
            Fault::JournalWrite => "fault: journal write failed",
            Fault::JournalFlush => "fault: journal flush failed",
            Fault::SegmentWrite => "fault: segment write failed",
            Fault::SegmentFlush => "fault: segment write failed",
            Fault::SegmentRead => "fault: segment read failed",
            Fault::CheckpointWrite => "fault: checkpoint write failed",
            Fault::SyncAll => "fault: syncfs failed",
            Fault::MetadataWrite | Fault::MetadataFlush => "fault: metadata write failed",
        };
        coverage.add(what, times);
    }
}
