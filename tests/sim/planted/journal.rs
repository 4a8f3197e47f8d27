//! S1 to S6: frames, flushes, marks, reuse, bounds of the ring.

use crate::plant::Plant;
use crate::planted::is_caught;

#[test]
fn planted_s01_sequence_gap() {
    is_caught(Plant::S01SequenceGap, &["LOST", "REFUSED"]);
}

#[test]
fn planted_s02_lying_flush() {
    is_caught(Plant::S02LyingFlush, &["LOST", "CHANGED"]);
}

#[test]
fn planted_s02_early_completion() {
    is_caught(Plant::S02EarlyCompletion, &["LOST", "REFUSED", "CHANGED"]);
}

#[test]
fn planted_s02_no_sync_dir() {
    is_caught(Plant::S02NoSyncDir, &["LOST", "REFUSED"]);
}

#[test]
fn planted_s03_duplicate_at_once() {
    is_caught(Plant::S03DuplicateAtOnce, &["LOST", "CHANGED"]);
}

#[test]
fn planted_s04_no_marks() {
    is_caught(Plant::S04NoMarks, &["LOST", "is offline", "PRODUCER"]);
}

#[test]
fn planted_s05_late_writes_follow() {
    is_caught(Plant::S05LateWritesFollow, &["LOST", "REFUSED"]);
}

#[test]
fn planted_s06_disk_never_full() {
    is_caught(Plant::S06DiskNeverFull, &["S6:"]);
}
