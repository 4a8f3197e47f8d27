//! How late the machine is by itself: what other programs take from the broker is not the broker's fault.
//!
//! Two things are watched: how long each of the broker's threads was ready to run and did not get a CPU, and how long a flush
//! takes on the broker's disk for somebody else. An answer may be later by that much, no more.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const SAMPLE_EVERY: Duration = Duration::from_millis(20);
const FLUSH_EVERY: Duration = Duration::from_millis(50);

#[derive(Default)]
pub struct Lateness {
    samples: Mutex<Vec<Sample>>,
    flushes: Mutex<Vec<(Instant, Instant)>>,
    /// When the flush began that has not ended.
    flushing: Mutex<Option<Instant>>,
}

/// What each thread has waited for a CPU since it began.
struct Sample {
    at: Instant,
    waited: BTreeMap<u64, Duration>,
}

impl Lateness {
    /// Looks at the broker's threads until told to stop.
    pub fn watch_threads(&self, pid: u32, stop: &AtomicBool) {
        while !stop.load(Ordering::Relaxed) {
            let sample = Sample { at: Instant::now(), waited: waited(pid) };
            self.samples.lock().expect("no panic under the lock").push(sample);
            std::thread::sleep(SAMPLE_EVERY);
        }
    }

    /// Flushes a file of its own until told to stop.
    pub fn watch_disk(&self, directory: &Path, stop: &AtomicBool) {
        let file = File::create(directory.join("flushed")).expect("created");
        while !stop.load(Ordering::Relaxed) {
            let began = Instant::now();
            *self.flushing.lock().expect("no panic under the lock") = Some(began);
            file.write_all_at(&[0; 4096], 0).expect("written");
            file.sync_data().expect("flushed");
            self.flushes.lock().expect("no panic under the lock").push((began, Instant::now()));
            *self.flushing.lock().expect("no panic under the lock") = None;
            std::thread::sleep(FLUSH_EVERY);
        }
    }

    /// Waits until what happened until now is known here.
    pub fn settle() {
        std::thread::sleep(2 * SAMPLE_EVERY);
    }

    /// How much later than it should what one core does may be. The time is over, and [`Lateness::settle`] too.
    pub fn between(&self, from: Instant, to: Instant) -> Duration {
        self.waits(from, to).into_iter().max().unwrap_or_default() + self.flush(from, to)
    }

    /// The same of what goes through several cores and threads of the broker: each may have made it wait.
    pub fn between_all(&self, from: Instant, to: Instant) -> Duration {
        self.waits(from, to).into_iter().sum::<Duration>() + self.flush(from, to)
    }

    /// How long each thread waited for a CPU.
    fn waits(&self, from: Instant, to: Instant) -> Vec<Duration> {
        // The samples that hold the time between them.
        let samples = self.samples.lock().expect("no panic under the lock");
        let before = samples.iter().rev().find(|sample| sample.at <= from);
        let after = samples.iter().find(|sample| sample.at >= to).or(samples.last());
        let (Some(before), Some(after)) = (before, after) else { return Vec::new() };
        let grown = after
            .waited
            .iter()
            .map(|(thread, waited)| waited.saturating_sub(before.waited.get(thread).copied().unwrap_or_default()));
        grown.collect()
    }

    /// The longest flush of that time, one that has not ended included.
    fn flush(&self, from: Instant, to: Instant) -> Duration {
        let flushes = self.flushes.lock().expect("no panic under the lock");
        let overlapping = flushes.iter().filter(|(began, ended)| *ended >= from && *began <= to);
        let ended = overlapping.map(|(began, ended)| *ended - *began).max();
        let flushing = self.flushing.lock().expect("no panic under the lock").filter(|began| *began <= to);
        ended.max(flushing.map(|began| began.elapsed())).unwrap_or_default()
    }
}

/// Of each thread of a process: the time that it was ready to run and did not.
fn waited(pid: u32) -> BTreeMap<u64, Duration> {
    let threads = std::fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let of_thread = |thread: std::fs::DirEntry| {
        let statistics = std::fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let nanoseconds = statistics.split(' ').nth(1)?.parse().ok()?;
        Some((thread.file_name().to_str()?.parse().ok()?, Duration::from_nanos(nanoseconds)))
    };
    threads.filter_map(of_thread).collect()
}
