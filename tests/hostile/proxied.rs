//! Producers and consumers behind the [`Proxy`]: what they are promised holds whatever the network does.

use crate::peer::Meter;
use crate::proxy::Proxy;
use crate::support::client::{Connection, Failure, FetchFrom, ProducerIdentity};
use crate::support::{Random, batch};
use crate::witness::Findings;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

/// One partition per core, written by one producer.
pub const TOPIC: &str = "proxied";
/// A producer gives an answer up after this long: shorter than what the proxy delays some connections by.
const PATIENCE: Duration = Duration::from_millis(150);
/// Connections of the producer, used in no order.
const CONNECTIONS: usize = 4;
const REQUEST_BYTES: usize = 200;

fn value(number: i64) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(8 + number as usize % 90, 0x5a);
    value
}

/// An idempotent producer that sends again whatever had no answer, on another connection: each record is there once, at the
/// offset of its number. A consumer reads them behind the same network.
pub fn exactly_once(address: &str, partition: i32, meter: &Meter, findings: &Findings, stop: &AtomicBool) {
    let proxy = &Proxy::new(address);
    let proxied = &proxy.address();
    let written = &AtomicI64::new(0);
    std::thread::scope(|scope| {
        let network = scope.spawn(|| proxy.run(7 + partition as u64, stop));
        let consumer = scope.spawn(move || consume(proxied, partition, written, meter, findings, stop));
        let identity = Connection::open(address).expect("connects").init_producer_id().expect("a producer id");
        let again = produce(proxied, partition, identity, written, meter, findings, stop);
        let read = consumer.join().expect("consumed");
        let (connections, cut) = network.join().expect("passed on");
        let written = written.load(Ordering::Relaxed);
        println!(
            "  {TOPIC}-{partition}: {written} records in order, {again} sent again, {read} read, {connections} connections, {cut} cut"
        );
        if written < 5 || read == 0 || again == 0 || cut == 0 {
            findings.add(format!("behind the proxy {written} records, {again} sent again, {read} read, {cut} cut"));
        }
    });
    let records = read_all(address, partition, written.load(Ordering::Relaxed));
    if let Err(why) = records {
        findings.add(why);
    }
}

/// Gives how often something was sent again.
fn produce(
    proxied: &str,
    partition: i32,
    identity: ProducerIdentity,
    written: &AtomicI64,
    meter: &Meter,
    findings: &Findings,
    stop: &AtomicBool,
) -> usize {
    let mut random = Random::new(11);
    let mut connections: [Option<Connection>; CONNECTIONS] = [const { None }; CONNECTIONS];
    let mut again = 0;
    while !stop.load(Ordering::Relaxed) {
        let number = written.load(Ordering::Relaxed);
        let bytes = batch::encode(Some((identity, number as i32)), &[value(number)]);
        let chosen = &mut connections[random.below(CONNECTIONS as u64) as usize];
        let connection = chosen.get_or_insert_with(|| {
            let connection = Connection::open(proxied).expect("the proxy accepts");
            connection.stream().set_read_timeout(Some(PATIENCE)).expect("set");
            connection
        });
        meter.add(bytes.len() + REQUEST_BYTES);
        match connection.produce(TOPIC, partition, bytes) {
            Ok(offset) if offset == number => written.store(number + 1, Ordering::Relaxed),
            Err(Failure::Connection(_)) => {
                *chosen = None;
                again += 1;
            }
            other => {
                findings.add(format!("record {number} of {TOPIC}-{partition}: {other:?}"));
                return again;
            }
        }
    }
    again
}

/// Reads behind the proxy from the start on; gives how many records.
fn consume(
    proxied: &str,
    partition: i32,
    written: &AtomicI64,
    meter: &Meter,
    findings: &Findings,
    stop: &AtomicBool,
) -> i64 {
    let mut next = 0;
    while !stop.load(Ordering::Relaxed) {
        let Ok(mut connection) = Connection::open(proxied) else { continue };
        connection.stream().set_read_timeout(Some(Duration::from_secs(1))).expect("set");
        while !stop.load(Ordering::Relaxed) {
            meter.add(REQUEST_BYTES);
            let from = FetchFrom { topic: TOPIC.to_string(), partition, offset: next };
            let fetched = match connection.fetch(&[from], 50).map(|mut answers| answers.remove(0)) {
                Ok(fetched) => fetched,
                Err(Failure::Connection(_)) => break,
                Err(failure) => {
                    findings.add(format!("fetch of {TOPIC}-{partition} at {next}: {failure:?}"));
                    return next;
                }
            };
            for record in fetched.records {
                // What has no answer yet may be read already.
                if record.offset != next || record.value != value(next) || next > written.load(Ordering::Relaxed) {
                    findings.add(format!(
                        "{TOPIC}-{partition}: record {next} reads as {} at {}",
                        record.value.len(),
                        record.offset
                    ));
                    return next;
                }
                next += 1;
            }
        }
    }
    next
}

/// The whole partition, straight from the broker.
fn read_all(address: &str, partition: i32, written: i64) -> Result<(), String> {
    let mut connection = Connection::open(address).map_err(|error| error.to_string())?;
    let mut next = 0;
    while next < written {
        let from = FetchFrom { topic: TOPIC.to_string(), partition, offset: next };
        let fetched = connection.fetch(&[from], 100).map_err(|failure| format!("{failure:?}"))?.remove(0);
        if fetched.error != 0 || fetched.records.is_empty() {
            return Err(format!("{TOPIC}-{partition} at {next}: {fetched:?}"));
        }
        for record in fetched.records {
            if record.offset != next || record.value != value(next) {
                return Err(format!("{TOPIC}-{partition}: record {next} is another, at {}", record.offset));
            }
            next += 1;
        }
    }
    Ok(())
}
