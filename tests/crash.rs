//! kill -9 on the real binary.
mod support;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use support::client::{Connection, EARLIEST, LATEST};
use support::history::History;
use support::workload::{self, Round, Stream};

#[test]
fn every_call_of_the_raw_client() {
    let Ok(address) = std::env::var("BROKER") else { return };
    let mut connection = Connection::open(&address).unwrap();
    let _ = connection.delete_topic("t1");
    std::thread::sleep(std::time::Duration::from_secs(1));
    connection.create_topic("t1", 3, &[]).unwrap();
    let leaders = connection.leaders(&["t1", "nope"]).unwrap();
    println!("{leaders:?}");
    assert!(leaders[1].is_none());
    let identity = connection.init_producer_id().unwrap();
    let history = Mutex::new(History::default());
    history.lock().unwrap().add_producer(1, true);
    history.lock().unwrap().add_producer(2, false);
    let (stopping, bytes, batches) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
    let round = Round { history: &history, stopping: &stopping, bytes: &bytes, batches: &batches };
    let mut first: Vec<Stream> = (0..3).map(|p| Stream::new("t1", p, 1, Some(identity))).collect();
    let mut second: Vec<Stream> = (0..3).map(|p| Stream::new("t1", p, 2, None)).collect();
    let partitions: Vec<(String, i32)> = (0..3).map(|p| ("t1".to_string(), p)).collect();
    std::thread::scope(|scope| {
        scope.spawn(|| assert!(workload::produce(&round, &address, &mut first, 5).is_none()));
        scope.spawn(|| assert!(workload::produce(&round, &address, &mut second, 6).is_none()));
        scope.spawn(|| assert!(workload::consume(&round, &address, &partitions).is_none()));
        std::thread::sleep(std::time::Duration::from_secs(2));
        stopping.store(true, Ordering::Relaxed);
    });
    println!("{} bytes {} batches {} acked", bytes.into_inner(), batches.into_inner(), history.lock().unwrap().acknowledged());
    for p in 0..3 {
        println!("end {}", workload::read_to_end(&mut connection, &history, "t1", p, 0).unwrap());
    }
    history.lock().unwrap().ask_log_start("t1", 1, 100);
    assert_eq!(connection.delete_records("t1", 1, 100).unwrap(), 100);
    assert_eq!(connection.list_offset("t1", 1, EARLIEST).unwrap(), 100);
    println!("{}", connection.list_offset("t1", 1, LATEST).unwrap());
    workload::read_to_end(&mut connection, &history, "t1", 1, 0).unwrap();
    let mut history = history.lock().unwrap();
    history.check_order();
    println!("{:?}", history.violations);
    assert!(history.violations.is_empty());
    let _: BTreeMap<i32, i32> = BTreeMap::new();
}
