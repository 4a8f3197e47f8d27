//! Disks that fail without dying: what the broker refuses then, and what it goes on to serve.

use super::rig::{FileSystem, Rig};
use super::support::batch;
use super::support::client::{Connection, Failure, FetchFrom, KAFKA_STORAGE_ERROR};
use super::support::process::Machine;
use std::time::{Duration, Instant};

const TOPIC: &str = "ward";

fn machine(rig: &Rig) -> Machine {
    Machine::new(&rig.mount_point().join("data"), rig.work(), 1)
        .with("journal.file.bytes", 1 << 20)
        .with("message.max.bytes", 262_144)
        .with("log.segment.bytes", 4 << 20)
        .with("tail.cache.bytes", 1 << 20)
}

fn produce(connection: &mut Connection, bytes: usize) -> Result<i64, Failure> {
    connection.produce(TOPIC, 0, batch::encode(None, &[vec![7; bytes]]))
}

fn records(connection: &mut Connection, offset: i64) -> usize {
    let from = FetchFrom { topic: TOPIC.to_string(), partition: 0, offset };
    let fetched = connection.fetch(&[from], 500).expect("reads go on").remove(0);
    assert_eq!(fetched.error, 0, "reads go on");
    fetched.records.len()
}

/// D3: a failed journal flush makes the core read-only until restart; it is not tried again.
#[test]
fn a_failed_flush_makes_the_core_read_only() {
    let mut rig = match Rig::new(FileSystem::Ext4) {
        Ok(rig) => rig,
        Err(obstacle) => return println!("skipped: {obstacle}"),
    };
    let machine = machine(&rig);
    let mut broker = machine.start();
    let mut connection = Connection::open(broker.address()).expect("connects");
    connection.create_topic(TOPIC, 1, &[]).expect("topic");
    for offset in 0..20 {
        assert_eq!(produce(&mut connection, 1_000).expect("a healthy disk"), offset);
    }
    rig.fail_flushes();
    assert_eq!(produce(&mut connection, 1_000).expect_err("not flushed").code(), Some(KAFKA_STORAGE_ERROR));
    rig.heal();
    // The disk is well again, but what the failed flush left behind is unknown.
    assert_eq!(produce(&mut connection, 1_000).expect_err("read-only").code(), Some(KAFKA_STORAGE_ERROR));
    assert_eq!(records(&mut connection, 0), 20, "what was acknowledged is read, and no more");
    assert!(broker.is_running());
    rig.cut(1, 0);
    broker.kill();
    rig.power_on().expect("power returns");
    let broker = machine.start();
    let mut connection = Connection::open(broker.address()).expect("connects");
    assert!(records(&mut connection, 0) >= 20);
    produce(&mut connection, 1_000).expect("writable after the restart");
    broker.stop();
}

/// A full disk refuses Produce before the append, keeps reading, and is well again once there is space.
#[test]
fn a_full_disk_refuses_writes_and_keeps_reading() {
    let rig = match Rig::new(FileSystem::Ext4) {
        Ok(rig) => rig,
        Err(obstacle) => return println!("skipped: {obstacle}"),
    };
    let machine = machine(&rig);
    let mut broker = machine.start();
    let mut connection = Connection::open(broker.address()).expect("connects");
    connection.create_topic(TOPIC, 1, &[]).expect("topic");
    let filler = rig.mount_point().join("filler");
    rig.fill(&filler, 24 << 20);
    let mut taken = 0;
    let refused = loop {
        match produce(&mut connection, 200_000) {
            Ok(offset) => taken = offset + 1,
            Err(failure) => break failure,
        }
        assert!(taken < 10_000, "a full disk takes no more");
    };
    assert_eq!(refused.code(), Some(KAFKA_STORAGE_ERROR));
    assert!(taken > 0, "there was some space");
    let mut read = 0;
    while read < taken {
        let found = records(&mut connection, read) as i64;
        assert!(found > 0, "all {taken} records are read, not only {read}");
        read += found;
    }
    connection.create_topic("other", 1, &[]).expect("metadata has space of its own");
    connection.delete_topic("other").expect("topics can be deleted");
    assert!(broker.is_running());
    std::fs::remove_file(&filler).expect("space again");
    let deadline = Instant::now() + Duration::from_secs(10);
    while let Err(failure) = produce(&mut connection, 200_000) {
        assert!(Instant::now() < deadline, "writable again, not {failure:?}");
        std::thread::sleep(Duration::from_millis(100));
    }
    broker.stop();
}
