//! The simulated disk itself: what survives what.

use crate::disk::{Disk, Fault, SECTOR};
use bytes::Bytes;
use corelane::base::gather::Gather;
use corelane::base::storage::{FileOp, Storage, StorageError, read_file};

fn block(byte: u8) -> Gather {
    Gather::from(Bytes::from(vec![byte; 4096]))
}

fn disk_with_file() -> Disk {
    let mut disk = Disk::new(1);
    disk.perform(&FileOp::CreateDirs("a/b".to_string())).unwrap();
    disk.perform(&FileOp::CreateNew("a/b/f".to_string(), block(1))).unwrap();
    disk
}

#[test]
fn disk_entries_need_every_directory_synced() {
    for sync_parents in [false, true] {
        let mut lost = 0;
        for seed in 0..40 {
            let mut disk = disk_with_file();
            disk.prng_for_tests(seed);
            disk.perform(&FileOp::Flush("a/b/f".to_string())).unwrap();
            disk.perform(&FileOp::SyncDir("a/b".to_string())).unwrap();
            if sync_parents {
                disk.perform(&FileOp::SyncDir("a".to_string())).unwrap();
                disk.perform(&FileOp::SyncDir(String::new())).unwrap();
            }
            disk.power_cut();
            lost += u32::from(disk.size("a/b/f").is_err());
        }
        assert_eq!(lost == 0, sync_parents, "{lost} lost");
    }
}

#[test]
fn disk_flush_covers_only_what_completed_before_it_began() {
    let mut disk = disk_with_file();
    disk.perform(&FileOp::SyncAll).unwrap();
    let inode = disk.open("a/b/f").unwrap();
    let first = disk.submit(inode, 0, vec![2; 4096]).unwrap();
    disk.complete(first, None).unwrap();
    let second = disk.submit(inode, 4096, vec![3; 4096]).unwrap();
    let horizon = disk.horizon();
    disk.complete(second, None).unwrap();
    disk.flush(inode, horizon, Fault::JournalFlush).unwrap();
    let mut seconds = 0;
    for seed in 0..40 {
        let mut copy = disk_with_file();
        std::mem::swap(&mut copy, &mut disk);
        disk = copy.duplicate_for_tests();
        copy.prng_for_tests(seed);
        copy.power_cut();
        let data = read_file(&mut copy, "a/b/f").unwrap();
        assert_eq!(data[0], 2);
        seconds += u32::from(data.len() == 8192 && data[4096] == 3);
    }
    assert!(seconds > 0 && seconds < 40, "{seconds}");
}

#[test]
fn disk_kill_keeps_completed_writes_and_lets_others_land_late() {
    let (mut late, mut never) = (0, 0);
    for seed in 0..60 {
        let mut disk = disk_with_file();
        disk.prng_for_tests(seed);
        let inode = disk.open("a/b/f").unwrap();
        disk.submit(inode, 0, vec![9; 4096]).unwrap();
        disk.kill();
        let before = read_file(&mut disk, "a/b/f").unwrap()[0];
        for _ in 0..disk.late_operations_max + 10 {
            disk.list("a").unwrap();
        }
        let after = read_file(&mut disk, "a/b/f").unwrap();
        late += u32::from(before == 1 && after.contains(&9));
        never += u32::from(!after.contains(&9));
    }
    assert!(late > 3 && never > 3, "{late} {never}");
}

#[test]
fn disk_a_flush_after_a_failed_one_succeeds_and_proves_nothing() {
    let mut lost = 0;
    for seed in 0..20 {
        let mut disk = disk_with_file();
        disk.prng_for_tests(seed);
        disk.perform(&FileOp::SyncAll).unwrap();
        disk.perform(&FileOp::Write { path: "a/b/f".to_string(), offset: 0, data: block(7) }).unwrap();
        disk.armed.insert(Fault::JournalFlush);
        assert!(disk.perform(&FileOp::Flush("a/b/f".to_string())).is_err());
        disk.perform(&FileOp::Flush("a/b/f".to_string())).unwrap();
        disk.power_cut();
        lost += u32::from(read_file(&mut disk, "a/b/f").unwrap()[0] == 1);
    }
    assert!(lost > 0);
}

#[test]
fn disk_crashes_at_the_named_operation_and_stays_dead() {
    let mut disk = disk_with_file();
    disk.crash_in = 2;
    disk.perform(&FileOp::SyncAll).unwrap_err();
    assert_eq!(disk.list("a"), Err(StorageError::Crashed));
    disk.kill();
    assert_eq!(disk.list("a").unwrap(), ["b"]);
    assert_eq!(disk.list("").unwrap(), ["a"]);
}

#[test]
fn disk_full_and_rot() {
    let mut disk = disk_with_file();
    disk.capacity = disk.used() + 4096;
    disk.perform(&FileOp::Write { path: "a/b/f".to_string(), offset: 4096, data: block(1) }).unwrap();
    let more = FileOp::CreateSized { path: "a/g".to_string(), bytes: 4096, zeroed: true };
    assert_eq!(disk.perform(&more), Err(StorageError::Full));
    disk.rot("a/b/f", 1);
    let data = read_file(&mut disk, "a/b/f").unwrap();
    let bad: Vec<usize> = (0..data.len()).filter(|at| data[*at] != 1).collect();
    assert!(!bad.is_empty() && bad.iter().all(|at| at / SECTOR == 1));
}
