//! S7 to S12: the order of a move, re-appending, reads, states, offline partitions, bounds; retention.

use crate::plant::Plant;
use crate::planted::is_caught;

#[test]
fn planted_s07_lying_sync_all() {
    is_caught(Plant::S07LyingSyncAll, &["LOST", "offline without a cause", "CHANGED"]);
}

#[test]
fn planted_s07_checkpoint_not_flushed() {
    is_caught(Plant::S07CheckpointNotFlushed, &["LOST", "REFUSED"]);
}

#[test]
fn planted_s08_moves_never_end() {
    is_caught(Plant::S08MovesNeverEnd, &["LIVELOCK", "does not end"]);
}

#[test]
fn planted_s09_moved_bytes_lost() {
    is_caught(Plant::S09MovedBytesLost, &["offline without a cause"]);
}

#[test]
fn planted_s10_log_start_at_once() {
    is_caught(Plant::S10LogStartAtOnce, &["went back"]);
}

#[test]
fn planted_s11_held_forgotten() {
    is_caught(Plant::S11HeldForgotten, &["LOST", "offline without a cause"]);
}

#[test]
fn planted_s12_journal_files_stay() {
    is_caught(Plant::S12JournalFilesStay, &["S12:"]);
}

#[test]
fn planted_r2_kept_too_short() {
    is_caught(Plant::R2KeptTooShort, &["retention took"]);
}

#[test]
fn planted_r2_change_forgotten() {
    is_caught(Plant::R2ChangeForgotten, &["too old stay"]);
}
