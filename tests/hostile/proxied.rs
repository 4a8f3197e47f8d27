//! Producers and consumers behind the [`Proxy`]: what they are promised holds whatever the network does.

use crate::peer::Meter;
use crate::proxy::Proxy;
use crate::support::client::{Connection, Failure, FetchFrom, ProducerIdentity};
use crate::support::{Random, batch};
use crate::witness::Findings;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// One partition per core, written by one producer.
pub const TOPIC: &str = "proxied";
/// A producer gives an answer up after this long: shorter than what the proxy delays some connections by.
const PATIENCE: Duration = Duration::from_millis(150);
/// And after this long if it was too short several times.
const PATIENCE_MAX: Duration = Duration::from_secs(2);
/// How much longer than the crowd it may take to have seen enough.
const LONGER: Duration = Duration::from_secs(30);
/// Connections of the producer, used in no order.
const CONNECTIONS: usize = 4;
const REQUEST_BYTES: usize = 200;

fn value(number: i64) -> Vec<u8> {
    let mut value = number.to_be_bytes().to_vec();
    value.resize(8 + number as usize % 90, 0x5a);
    value
}

/// How far those behind one proxy are.
#[derive(Default)]
struct Progress {
    /// Records that were acknowledged.
    written: AtomicI64,
    /// Requests that were sent again.
    again: AtomicI64,
    /// Records that were consumed.
    read: AtomicI64,
    /// Connections that the network cut.
    cut: AtomicI64,
}

impl Progress {
    fn is_enough(&self) -> bool {
        let at_least = |count: &AtomicI64, least: i64| count.load(Ordering::Relaxed) >= least;
        at_least(&self.written, 20) && at_least(&self.again, 3) && at_least(&self.read, 10) && at_least(&self.cut, 1)
    }
}

impl std::fmt::Display for Progress {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = |count: &AtomicI64| count.load(Ordering::Relaxed);
        let (written, again, read, cut) =
            (count(&self.written), count(&self.again), count(&self.read), count(&self.cut));
        write!(
            formatter,
            "{written} records in order, {again} requests sent again, {read} records read, {cut} connections cut"
        )
    }
}

/// An idempotent producer that sends again whatever had no answer, on another connection: each record is there once, at the
/// offset of its number. A consumer reads them behind the same network. Both go on until they have seen enough of it.
pub fn exactly_once(address: &str, partition: i32, meter: &Meter, findings: &Findings, stop: &AtomicBool) {
    let proxy = &Proxy::new(address);
    let proxied = &proxy.address();
    let (progress, done) = (&Progress::default(), &AtomicBool::new(false));
    std::thread::scope(|scope| {
        scope.spawn(|| proxy.run(7 + partition as u64, &progress.cut, done));
        scope.spawn(|| consume(proxied, partition, progress, meter, findings, done));
        scope.spawn(|| {
            let identity = Connection::open(address).expect("connects").init_producer_id().expect("a producer id");
            produce(proxied, partition, identity, progress, meter, findings, done);
        });
        while !stop.load(Ordering::Relaxed) {
            std::thread::sleep(Duration::from_millis(10));
        }
        let deadline = Instant::now() + LONGER;
        while !progress.is_enough() && Instant::now() < deadline {
            std::thread::sleep(Duration::from_millis(10));
        }
        done.store(true, Ordering::Relaxed);
    });
    println!("  {TOPIC}-{partition}: {progress}");
    if !progress.is_enough() {
        findings.add(format!("behind the proxy: {progress}"));
    }
    if let Err(why) = read_all(address, partition, progress.written.load(Ordering::Relaxed)) {
        findings.add(why);
    }
}

fn produce(
    proxied: &str,
    partition: i32,
    identity: ProducerIdentity,
    progress: &Progress,
    meter: &Meter,
    findings: &Findings,
    done: &AtomicBool,
) {
    let mut random = Random::new(11);
    let mut connections: [Option<Connection>; CONNECTIONS] = [const { None }; CONNECTIONS];
    let mut patience = PATIENCE;
    while !done.load(Ordering::Relaxed) {
        let number = progress.written.load(Ordering::Relaxed);
        let bytes = batch::encode(Some((identity, number as i32)), &[value(number)]);
        let chosen = &mut connections[random.below(CONNECTIONS as u64) as usize];
        let connection = chosen.get_or_insert_with(|| Connection::open(proxied).expect("the proxy accepts"));
        connection.stream().set_read_timeout(Some(patience)).expect("set");
        meter.add(bytes.len() + REQUEST_BYTES);
        match connection.produce(TOPIC, partition, bytes) {
            Ok(offset) if offset == number => {
                progress.written.store(number + 1, Ordering::Relaxed);
                patience = PATIENCE;
            }
            Err(Failure::Connection(_)) => {
                *chosen = None;
                progress.again.fetch_add(1, Ordering::Relaxed);
                // The broker itself may be slower than that in the crowd.
                patience = (2 * patience).min(PATIENCE_MAX);
            }
            other => return findings.add(format!("record {number} of {TOPIC}-{partition}: {other:?}")),
        }
    }
}

/// Reads behind the proxy from the start on.
fn consume(proxied: &str, partition: i32, progress: &Progress, meter: &Meter, findings: &Findings, done: &AtomicBool) {
    let mut next = 0;
    while !done.load(Ordering::Relaxed) {
        let Ok(mut connection) = Connection::open(proxied) else { continue };
        connection.stream().set_read_timeout(Some(PATIENCE_MAX)).expect("set");
        while !done.load(Ordering::Relaxed) {
            meter.add(REQUEST_BYTES);
            let from = FetchFrom { topic: TOPIC.to_string(), partition, offset: next };
            let fetched = match connection.fetch(&[from], 50).map(|mut answers| answers.remove(0)) {
                Ok(fetched) => fetched,
                Err(Failure::Connection(_)) => break,
                Err(failure) => return findings.add(format!("fetch of {TOPIC}-{partition} at {next}: {failure:?}")),
            };
            for record in fetched.records {
                // What has no answer yet may be read already.
                let is_sent = next <= progress.written.load(Ordering::Relaxed);
                if record.offset != next || record.value != value(next) || !is_sent {
                    let found = (record.offset, record.value.len());
                    return findings.add(format!("{TOPIC}-{partition}: record {next} reads as {found:?}"));
                }
                next += 1;
                progress.read.store(next, Ordering::Relaxed);
            }
        }
    }
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
