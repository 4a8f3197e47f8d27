//! S13 to S19: what a start believes, accepts, makes durable and removes.

use crate::plant::Plant;
use crate::planted::is_caught;

#[test]
fn planted_s13_forgotten_early() {
    is_caught(Plant::S13ForgottenEarly, &["REFUSED"]);
}

#[test]
fn planted_s14_older_slot() {
    is_caught(Plant::S14OlderSlot, &["REFUSED"]);
}

#[test]
fn planted_s15_scan_stops() {
    is_caught(Plant::S15ScanStops, &["LOST", "REFUSED", "PRODUCER"]);
}

#[test]
fn planted_s16_truncation_forgotten() {
    is_caught(Plant::S16TruncationForgotten, &["truncated", "offline without a cause", "CHANGED"]);
}

#[test]
fn planted_s17_accepted_not_durable() {
    is_caught(Plant::S17AcceptedNotDurable, &["LOST", "REFUSED", "CHANGED"]);
}

#[test]
fn planted_s18_unnamed_stay() {
    is_caught(Plant::S18UnnamedStay, &["offline without a cause"]);
}

#[test]
fn planted_s19_old_generation_first() {
    is_caught(Plant::S19OldGenerationFirst, &["LOST", "REFUSED"]);
}
