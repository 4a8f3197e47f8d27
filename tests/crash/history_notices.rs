//! The checker itself: each kind of loss, planted, is noticed.

use super::support::batch::Record;
use super::support::history::{History, Identity, value_of};

const TOPIC: &str = "t";

fn identity(number: u32) -> Identity {
    Identity { producer: 1, number }
}

fn record(offset: i64, number: u32) -> Record {
    Record { offset, value: value_of(identity(number), 0) }
}

/// Five acknowledged records of an idempotent producer at offsets 0 to 4.
fn five() -> History {
    let mut history = History::default();
    history.add_producer(1, true);
    history.acknowledge(TOPIC, 0, 0, &[0, 1, 2, 3, 4].map(identity));
    history
}

fn read(history: &mut History, end: i64, records: &[Record]) -> Vec<String> {
    history.observe(TOPIC, 0, records);
    let offsets: Vec<i64> = records.iter().map(|record| record.offset).collect();
    history.check_read(TOPIC, 0, 0, end, &offsets);
    history.check_order();
    std::mem::take(&mut history.violations)
}

fn all() -> Vec<Record> {
    (0..5).map(|number| record(i64::from(number), number)).collect()
}

#[test]
fn what_was_promised_is_fine() {
    assert_eq!(read(&mut five(), 5, &all()), Vec::<String>::new());
}

#[test]
fn a_lost_end_is_noticed() {
    assert!(read(&mut five(), 4, &all()[..4])[0].starts_with("H2"));
}

#[test]
fn a_hole_is_noticed() {
    let mut records = all();
    records.remove(2);
    assert!(read(&mut five(), 5, &records)[0].starts_with("H3"));
}

#[test]
fn another_value_at_an_offset_is_noticed() {
    let mut records = all();
    records[4] = record(4, 5);
    assert!(read(&mut five(), 5, &records)[0].starts_with("H1"));
}

#[test]
fn a_duplicate_is_noticed() {
    let mut records = all();
    records.push(record(5, 4));
    assert!(read(&mut five(), 6, &records)[0].starts_with("H4"));
}

#[test]
fn a_gap_of_an_idempotent_producer_is_noticed() {
    let mut records = all();
    records.push(record(5, 6));
    assert!(read(&mut five(), 6, &records)[0].starts_with("H4"));
}

#[test]
fn a_torn_value_is_noticed() {
    let mut records = all();
    *records[1].value.last_mut().expect("not empty") ^= 1;
    assert!(read(&mut five(), 5, &records)[0].contains("nobody wrote"));
}

#[test]
fn a_log_start_that_falls_back_is_noticed() {
    let mut history = five();
    history.ask_log_start(TOPIC, 0, 3);
    history.confirm_log_start(TOPIC, 0, 3);
    assert!(history.violations.is_empty());
    history.confirm_log_start(TOPIC, 0, 0);
    assert!(history.violations[0].starts_with("H5"));
}

#[test]
fn an_unanswered_log_start_may_have_happened_or_not() {
    for served in [0, 3] {
        let mut history = five();
        history.ask_log_start(TOPIC, 0, 3);
        history.confirm_log_start(TOPIC, 0, served);
        assert!(history.violations.is_empty());
    }
}
