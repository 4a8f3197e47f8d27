//! The guard against parked executors. One ordinary thread per process.
//!
//! glommio takes "preempted before the first task queue ran" for "nothing to run" and parks with runnable tasks; nothing but
//! an event from outside wakes it again, so under load on a contended CPU a core stops for ever. A wake-up through a foreign
//! waker is such an event. Hence each executor keeps one task that does nothing, and this thread wakes it every few
//! milliseconds; a heartbeat on the executor itself would be parked together with the rest.
//!
//! G1: every executor of the process is watched from its first task on until after its last. Its first task is watched itself,
//!     until the one that does nothing has run; an executor that parks even before its first task has no waker, so whoever
//!     waits for it to begin has to [`nudge`] it.
//! G2: a stall lasts at most one period: [`BUSY_PERIOD`] if the core did anything within the last [`BUSY_PERIODS`] periods,
//!     else [`IDLE_PERIOD`] (an idle core then costs next to nothing).

use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Poll, Waker};
use std::thread::JoinHandle;
use std::time::Duration;

/// Between two wake-ups of a core that works.
pub const BUSY_PERIOD: Duration = Duration::from_millis(3);
/// Between two wake-ups of a core that does nothing.
pub const IDLE_PERIOD: Duration = Duration::from_millis(24);
/// A core without an event for this many periods is idle.
const BUSY_PERIODS: u32 = 100;
/// Idle wake-ups happen every so many periods.
const IDLE_EVERY: u32 = (IDLE_PERIOD.as_millis() / BUSY_PERIOD.as_millis()) as u32;

/// Signal of a nudge; its default action is none.
const NUDGE: i32 = signal_hook::consts::SIGURG;

/// What guard and executor share.
#[derive(Default)]
pub struct Watched {
    waker: Mutex<Option<Waker>>,
    turns: AtomicU64,
    wakes: AtomicU64,
}

impl Watched {
    /// The core does something (ticks aside): the guard keeps close.
    pub fn note_turn(&self) {
        // The owning core is the only writer, so a plain load and store are enough.
        self.turns.store(self.turns.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
    }

    /// How often the guard's task ran.
    pub fn wakes(&self) -> u64 {
        self.wakes.load(Ordering::Relaxed)
    }

    /// Has the guard wake the calling task until [`Watched::heartbeat`] runs: the first thing that an executor's first task does.
    pub async fn watch_caller(&self) {
        poll_fn(|context| {
            self.wake_by(context.waker());
            Poll::Ready(())
        })
        .await;
    }

    fn wake_by(&self, waker: &Waker) {
        let mut known = self.waker.lock().expect("no panic under the lock");
        if !known.as_ref().is_some_and(|known| known.will_wake(waker)) {
            *known = Some(waker.clone());
        }
    }

    /// The task that the guard wakes; never ends. Spawn it as the executor's first.
    pub async fn heartbeat(self: Arc<Watched>) {
        poll_fn::<(), _>(|context| {
            self.wake_by(context.waker());
            self.wakes.store(self.wakes.load(Ordering::Relaxed) + 1, Ordering::Relaxed);
            Poll::Pending
        })
        .await;
    }
}

/// See the module.
pub struct Guard {
    watched: Vec<Arc<Watched>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Guard {
    /// Starts the thread for `executors` executors.
    pub fn start(executors: usize) -> Guard {
        let watched: Vec<Arc<Watched>> = (0..executors).map(|_| Arc::default()).collect();
        // Without a handler the signal of a nudge would be ignored and interrupt nothing.
        signal_hook::flag::register(NUDGE, Arc::default()).expect("not a reserved signal");
        let stop = Arc::new(AtomicBool::new(false));
        let (for_thread, stopped) = (watched.clone(), stop.clone());
        let thread = std::thread::Builder::new()
            .name("guard".to_string())
            .spawn(move || watch(&for_thread, &stopped))
            .expect("a thread can be started");
        Guard { watched, stop, thread: Some(thread) }
    }

    /// The share of one executor.
    pub fn watched(&self, executor: usize) -> Arc<Watched> {
        self.watched[executor].clone()
    }

    /// Ends the thread. Only after all executors have ended (G1).
    pub fn stop(mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let thread = self.thread.take().expect("stopped once");
        thread.join().expect("the guard does not panic");
        // A waker must not be dropped after its executor: its task's memory is the executor's affair. A few bytes, once.
        std::mem::forget(std::mem::take(&mut self.watched));
    }
}

/// Interrupts the sleep of all executors' threads (named `core-...`), also of those that parked before their first task.
pub fn nudge() {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return };
    for thread in threads.flatten() {
        let is_core = std::fs::read(thread.path().join("comm")).is_ok_and(|name| name.starts_with(b"core-"));
        let id = thread.file_name().to_str().and_then(|id| id.parse::<libc::pid_t>().ok());
        if let Some(id) = id.filter(|_| is_core) {
            let process = std::process::id() as libc::pid_t;
            // SAFETY: no memory is passed; a thread that ended meanwhile gives an error, and the signal has a handler.
            unsafe { libc::syscall(libc::SYS_tgkill, process, id, NUDGE) };
        }
    }
}

fn watch(watched: &[Arc<Watched>], stop: &AtomicBool) {
    let mut seen: Vec<(u64, u32)> = vec![(0, 0); watched.len()];
    while !stop.load(Ordering::Relaxed) {
        std::thread::sleep(BUSY_PERIOD);
        for (core, (turns, quiet)) in watched.iter().zip(&mut seen) {
            let now = core.turns.load(Ordering::Relaxed);
            *quiet = if now == *turns { quiet.saturating_add(1) } else { 0 };
            *turns = now;
            if *quiet < BUSY_PERIODS || *quiet % IDLE_EVERY == 0 {
                let waker = core.waker.lock().expect("no panic under the lock").clone();
                if let Some(waker) = waker {
                    waker.wake();
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
