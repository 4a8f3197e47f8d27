//! Executors beside a CPU hog: none may stand still. `LONG=<seconds>` runs that long, then shows that the
//! defect is real.

use super::{Guard, nudge};
use glommio::io::PollableFd;
use glommio::{ExecutorJoinHandle, LocalExecutorBuilder, Placement};
use std::io::{ErrorKind, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const EXECUTORS: usize = 2;
/// An executor that makes no progress for this long stands still: without the guard it would for ever.
const STILL: Duration = Duration::from_secs(8);

struct Load {
    progress: Vec<Arc<AtomicU64>>,
    stop: Arc<AtomicBool>,
    executors: Vec<ExecutorJoinHandle<()>>,
    hogs: Vec<std::thread::JoinHandle<()>>,
}

/// Executors whose tasks compute in slices and pass bytes through sockets, two hogs for each of them.
fn start(guard: Option<&Guard>) -> Load {
    let stop = Arc::new(AtomicBool::new(false));
    let mut load = Load { progress: Vec::new(), stop: stop.clone(), executors: Vec::new(), hogs: Vec::new() };
    for index in 0..EXECUTORS {
        let (progress, stop) = (Arc::new(AtomicU64::new(0)), stop.clone());
        load.progress.push(progress.clone());
        let watched = guard.map(|guard| guard.watched(index));
        let builder = LocalExecutorBuilder::new(Placement::Fixed(index)).preempt_timer(Duration::from_micros(500));
        let executor = builder.spawn(move || async move {
            if let Some(watched) = watched.clone() {
                glommio::spawn_local(watched.heartbeat()).detach();
            }
            for _ in 0..4 {
                let (near, far) = UnixStream::pair().expect("a pair");
                glommio::spawn_local(pass(far, None)).detach();
                glommio::spawn_local(pass(near, Some(progress.clone()))).detach();
            }
            while !stop.load(Ordering::Relaxed) {
                std::hint::black_box((0..20_000_u64).fold(0, |sum, value| sum ^ std::hint::black_box(value)));
                if let Some(watched) = &watched {
                    watched.note_turn();
                }
                glommio::executor().yield_now().await;
                glommio::timer::sleep(Duration::from_micros(200)).await;
            }
        });
        load.executors.push(executor.expect("an executor"));
    }
    for _ in 0..EXECUTORS * 2 {
        let stop = stop.clone();
        load.hogs.push(std::thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                std::hint::black_box((0..100_000_u64).fold(0, |sum, value| sum ^ std::hint::black_box(value)));
            }
        }));
    }
    load
}

/// An executor may park before its first task, or between that one and the guard's own.
#[test]
fn every_executor_begins_beside_hogs() {
    let guard = Guard::start(EXECUTORS);
    let stop = Arc::new(AtomicBool::new(false));
    let hog = |stop: Arc<AtomicBool>| {
        while !stop.load(Ordering::Relaxed) {
            std::hint::black_box((0..100_000_u64).fold(0, |sum, value| sum ^ std::hint::black_box(value)));
        }
    };
    let hogs: Vec<_> =
        (0..EXECUTORS * 2).map(|_| stop.clone()).map(|stop| std::thread::spawn(move || hog(stop))).collect();
    for round in 0..rounds() {
        let watched = guard.watched(round % EXECUTORS);
        let (sender, begun) = std::sync::mpsc::channel();
        let builder = LocalExecutorBuilder::new(Placement::Fixed(round % EXECUTORS)).name("core");
        let executor = builder.preempt_timer(Duration::from_micros(500)).spawn(move || async move {
            watched.watch_caller().await;
            let beside = glommio::spawn_local_into(async {}, glommio::executor().current_task_queue());
            sender.send(()).expect("waited for");
            beside.expect("the queue exists").await;
            sender.send(()).expect("waited for");
        });
        let begins = Instant::now();
        while begun.recv_timeout(Duration::from_millis(50)).is_err() {
            nudge();
            assert!(begins.elapsed() < STILL, "round {round}: the first task does not run");
        }
        begun.recv_timeout(STILL).unwrap_or_else(|_| panic!("round {round}: parked behind its first task"));
        executor.expect("an executor").join().expect("ends");
        // The waker of an executor that has ended is not to be woken again.
        std::mem::forget(guard.watched[round % EXECUTORS].waker.lock().expect("not poisoned").take());
    }
    stop.store(true, Ordering::Relaxed);
    hogs.into_iter().for_each(|hog| hog.join().expect("a hog does not panic"));
    guard.stop();
}

fn rounds() -> usize {
    std::env::var("STARTS").map_or(100, |starts| starts.parse().expect("STARTS is a number"))
}

/// Passes a byte back and forth for ever; the side that counts begins.
async fn pass(stream: UnixStream, counts: Option<Arc<AtomicU64>>) {
    stream.set_nonblocking(true).expect("non-blocking");
    let mut stream = PollableFd::new(stream).expect("registered");
    let mut byte = [0_u8; 1];
    if counts.is_some() {
        stream.get_mut().write_all(&byte).expect("room");
    }
    loop {
        match stream.get_mut().read(&mut byte) {
            Ok(1) => stream.get_mut().write_all(&byte).expect("room"),
            Err(error) if error.kind() == ErrorKind::WouldBlock => stream.readable().await.expect("watched"),
            _ => return,
        }
        if let Some(counts) = &counts {
            counts.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Watches for `time`; how often an executor stood still. Ends at the first when it cannot go on.
fn count_stalls(load: &Load, time: Duration) -> usize {
    let end = Instant::now() + time;
    let mut last: Vec<(u64, Instant)> = vec![(0, Instant::now()); EXECUTORS];
    let mut stalls = 0;
    while Instant::now() < end {
        std::thread::sleep(Duration::from_millis(50));
        for (progress, (seen, since)) in load.progress.iter().zip(&mut last) {
            let now = progress.load(Ordering::Relaxed);
            if now != *seen {
                (*seen, *since) = (now, Instant::now());
            } else if since.elapsed() > STILL {
                stalls += 1;
                *since = Instant::now();
            }
        }
    }
    stalls
}

#[test]
fn no_executor_stands_still_beside_a_hog() {
    let long = std::env::var("LONG").ok().map(|seconds| Duration::from_secs(seconds.parse().expect("LONG: seconds")));
    let guard = Guard::start(EXECUTORS);
    let load = start(Some(&guard));
    let stalls = count_stalls(&load, long.unwrap_or(Duration::from_secs(20)));
    load.stop.store(true, Ordering::Relaxed);
    load.hogs.into_iter().for_each(|hog| hog.join().expect("a hog does not panic"));
    load.executors.into_iter().for_each(|executor| executor.join().expect("ends"));
    guard.stop();
    assert_eq!(stalls, 0);
    if let Some(time) = long {
        let load = start(None);
        println!("without the guard: {} stalls in {time:?}", count_stalls(&load, time));
        load.stop.store(true, Ordering::Relaxed);
        // The executors may stand still for ever: they are left alone.
    }
}
