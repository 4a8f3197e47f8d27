//! Threads for everything that blocks: file operations of all cores, and looks inside compressed batches. One pool per process.
//!
//! Four lanes, so that what is short never waits behind what is long: reads, other operations, zeroing (the next
//! journal file must not hold up a move, nor a move the next journal file), and computing. One job is performed by one thread, in order, up
//! to its first failure. A panic in a job ends the process (the panic hook aborts).

use crate::base::storage::{FileOp, FilesDone, Storage};
use crate::runtime::file_storage::FileStorage;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};

/// Threads for jobs that only read.
const READ_THREADS: usize = 2;
/// Threads for other jobs: at least this, at most [`WORK_THREADS_MAX`], else one per core.
const WORK_THREADS_MIN: usize = 2;
/// See [`WORK_THREADS_MIN`].
const WORK_THREADS_MAX: usize = 4;
/// Priority below the cores', so that they win on a contended CPU ("nice" value).
const NICE_WORK: i32 = 5;
/// Threads for jobs that compute.
const COMPUTE_THREADS: usize = 1;
/// Zeroing can wait longest.
const NICE_ZERO: i32 = 10;

/// Called on a pool thread with what a job gave.
pub type Reply = Box<dyn FnOnce(FilesDone) + Send>;
/// Called on a pool thread.
pub type Computation = Box<dyn FnOnce() + Send>;

/// See the module.
#[derive(Clone)]
pub struct Blocking {
    reads: Arc<Lane>,
    work: Arc<Lane>,
    zeroing: Arc<Lane>,
    computing: Arc<Lane>,
}

enum Job {
    Files { ops: Vec<FileOp>, reply: Reply },
    Compute(Computation),
}

#[derive(Default)]
struct Lane {
    jobs: Mutex<VecDeque<Job>>,
    more: Condvar,
}

impl Blocking {
    /// Starts the threads. They live as long as the process.
    pub fn start(storage: &FileStorage, cores: usize) -> Blocking {
        let blocking = Blocking {
            reads: Arc::default(),
            work: Arc::default(),
            zeroing: Arc::default(),
            computing: Arc::default(),
        };
        let work_threads = cores.clamp(WORK_THREADS_MIN, WORK_THREADS_MAX);
        for (lane, name, threads, nice) in [
            (&blocking.reads, "files-read", READ_THREADS, 0),
            (&blocking.work, "files-work", work_threads, NICE_WORK),
            (&blocking.zeroing, "files-zero", 1, NICE_ZERO),
            (&blocking.computing, "compute", COMPUTE_THREADS, NICE_WORK),
        ] {
            for _ in 0..threads {
                let (lane, storage) = (lane.clone(), storage.clone());
                let thread = std::thread::Builder::new().name(name.to_string());
                thread.spawn(move || lane.run(storage, nice)).expect("a thread can be started");
            }
        }
        blocking
    }

    /// Queues a job. `reply` is called exactly once.
    pub fn submit(&self, ops: Vec<FileOp>, reply: Reply) {
        let zeroes = ops.iter().any(|op| matches!(op, FileOp::CreateSized { zeroed: true, .. }));
        let only_reads = ops.iter().all(|op| matches!(op, FileOp::Read { .. }));
        let lane = match (zeroes, only_reads) {
            (true, _) => &self.zeroing,
            (_, true) => &self.reads,
            _ => &self.work,
        };
        lane.push(Job::Files { ops, reply });
    }

    /// Queues a computation.
    pub fn compute(&self, computation: Computation) {
        self.computing.push(Job::Compute(computation));
    }
}

impl Lane {
    fn push(&self, job: Job) {
        self.jobs.lock().expect("no panic under the lock").push_back(job);
        self.more.notify_one();
    }

    fn run(&self, mut storage: FileStorage, nice: i32) {
        // SAFETY: plain system call about this thread (0: on Linux the calling thread alone); failure changes nothing that matters.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, nice) };
        loop {
            let mut jobs = self.jobs.lock().expect("no panic under the lock");
            let job = loop {
                match jobs.pop_front() {
                    Some(job) => break job,
                    None => jobs = self.more.wait(jobs).expect("no panic under the lock"),
                }
            };
            drop(jobs);
            match job {
                Job::Files { ops, reply } => reply(perform(&mut storage, &ops)),
                Job::Compute(computation) => computation(),
            }
        }
    }
}

/// Performs operations in order up to the first failure, which is then the last result.
pub fn perform(storage: &mut dyn Storage, ops: &[FileOp]) -> FilesDone {
    let mut results = Vec::with_capacity(ops.len());
    for op in ops {
        let result = storage.perform(op);
        let failed = result.is_err();
        results.push(result);
        if failed {
            break;
        }
    }
    FilesDone { results }
}

#[cfg(test)]
mod tests {
    use super::Blocking;
    use crate::base::gather::Gather;
    use crate::base::storage::{FileOp, StorageError};
    use crate::runtime::file_storage::FileStorage;
    use bytes::Bytes;
    use std::sync::mpsc;

    #[test]
    fn a_job_stops_at_its_first_failure() {
        let dir = tempfile::tempdir_in(concat!(env!("CARGO_MANIFEST_DIR"), "/target")).expect("a directory");
        let blocking = Blocking::start(&FileStorage::open(dir.path()).expect("opens"), 2);
        let (sender, receiver) = mpsc::channel();
        let data = Gather::from(Bytes::from_static(b"x"));
        let ops = vec![
            FileOp::CreateNew("a".into(), data.clone()),
            FileOp::Flush("missing".into()),
            FileOp::CreateNew("b".into(), data),
        ];
        blocking.submit(ops, Box::new(move |done| sender.send(done).expect("received")));
        let done = receiver.recv().expect("answered");
        assert_eq!(done.results.len(), 2);
        assert_eq!(done.failure(), Some(&StorageError::NotFound));
        assert!(dir.path().join("a").exists() && !dir.path().join("b").exists());
    }
}
