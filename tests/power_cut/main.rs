//! Power cuts: the real binary on a disk that forgets what was not flushed.
//!
//! Needs root, FUSE and loop devices; where one is missing each test prints `skipped: <why>` and passes. `CUTS=20` sets the
//! number of cuts per file system, `SEED=` repeats a run.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program of its own, above the runtime: clock, threads and locks are its own"
)]

#[path = "../support/mod.rs"]
mod support;

mod acknowledged;
mod rig;
mod sick_disk;
mod volatile_disk;

use acknowledged::{Flush, cut_repeatedly, cuts};
use rig::{FileSystem, Rig};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use support::Random;

/// Not a test by itself: this is what the rig re-executes to have the disk in a process of its own.
#[test]
fn volatile_disk_process() {
    let Ok(variable) = std::env::var(rig::DISK_VARIABLE) else { return };
    let parts: Vec<&str> = variable.split(',').collect();
    let number = |index: usize| parts[index].parse().expect("a number");
    volatile_disk::run(parts[0], parts[1], number(2), number(3));
}

/// Memory for O_DIRECT.
#[repr(align(4096))]
struct Block([u8; 4096]);

fn block(number: u64) -> Block {
    let mut block = Block([0; 4096]);
    for (index, bytes) in block.0.chunks_mut(8).enumerate() {
        bytes.copy_from_slice(&(number * 1_000 + index as u64).to_be_bytes());
    }
    block
}

fn direct(path: &Path) -> std::fs::File {
    let mut options = std::fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false).custom_flags(libc::O_DIRECT).open(path).expect("opens")
}

/// Writes blocks, cuts the power, counts the "acknowledged" blocks that are gone.
fn lost_blocks(rig: &mut Rig, flushing: bool, keep_percent: u64, seed: u64) -> usize {
    let path = rig.mount_point().join(format!("blocks-{seed}"));
    let file = direct(&path);
    let mut random = Random::new(seed);
    let written = 100 + random.below(50);
    for number in 0..written {
        file.write_all_at(&block(number).0, number * 4096).expect("write");
        if flushing {
            file.sync_data().expect("flush");
        }
    }
    println!("{}: {}", rig.file_system.name(), rig.cut(seed, keep_percent));
    drop(file);
    rig.power_on().expect("power returns");
    let Ok(file) = std::fs::File::open(&path) else { return written as usize };
    let whole = |number: &u64| {
        let mut read = Block([0; 4096]);
        file.read_exact_at(&mut read.0, number * 4096).is_ok() && read.0 == block(*number).0
    };
    (0..written).filter(|number| !whole(number)).count()
}

/// The rig against itself: a flushed write survives, an unflushed one does not.
fn check_rig(file_system: FileSystem) {
    let mut rig = match Rig::new(file_system) {
        Ok(rig) => rig,
        Err(obstacle) => return println!("skipped: {obstacle}"),
    };
    let seed = support::seed();
    assert_eq!(lost_blocks(&mut rig, true, 50, seed), 0, "flushed blocks survive");
    assert!(lost_blocks(&mut rig, false, 50, seed + 1) > 0, "unflushed blocks are lost");
    // Nothing is kept: a file system on such a disk may otherwise be beyond repair.
    rig.lie();
    assert!(lost_blocks(&mut rig, true, 0, seed + 2) > 0, "a disk that lies about flushes loses blocks");
}

#[test]
fn the_rig_keeps_what_was_flushed_on_ext4() {
    check_rig(FileSystem::Ext4);
}

#[test]
fn the_rig_keeps_what_was_flushed_on_xfs() {
    check_rig(FileSystem::Xfs);
}

#[test]
fn nothing_acknowledged_is_lost_on_ext4() {
    let violations = cut_repeatedly(FileSystem::Ext4, cuts(), Flush::Honest).unwrap_or_default();
    assert!(violations.is_empty(), "{violations:#?}");
}

#[test]
fn nothing_acknowledged_is_lost_on_xfs() {
    let violations = cut_repeatedly(FileSystem::Xfs, cuts(), Flush::Honest).unwrap_or_default();
    assert!(violations.is_empty(), "{violations:#?}");
}

/// The rig is seen to work: the same run loses data when the broker does not wait for the flush.
#[test]
fn without_the_brokers_flush_data_is_lost() {
    let Some(violations) = cut_repeatedly(FileSystem::Ext4, 5, Flush::LeftOutByBroker) else { return };
    println!("lost, as it must be: {}", violations.first().expect("a cut without flushes loses data"));
}

/// And when the disk lies.
#[test]
fn on_a_lying_disk_data_is_lost() {
    let Some(violations) = cut_repeatedly(FileSystem::Ext4, 1, Flush::LeftOutByDisk) else { return };
    println!("lost, as it must be: {}", violations.first().expect("a lying disk loses data"));
}
