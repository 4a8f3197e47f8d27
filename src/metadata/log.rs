//! The metadata log: records in a durable file, one batch at a time. Lives on core 0; the start opens it before anything else.
//!
//! **One file**, `metadata/log`, begins with a snapshot and goes on with the records since (bytes: [`frame`]). A new file is
//! written beside it as `metadata/log.tmp`, flushed, renamed over it, and the directory synced; that one rename switches
//! snapshot and log together, so whatever the crash, there is the old pair or the new one. It happens at every start and,
//! while running, when the file is nearly full.
//!
//! ```text
//! idle -- append --> writing (one frame: write, flush) -- done --> idle      (records committed)
//! idle -- nearly full --> rewriting (new file, rename, sync) -- done --> reserving (ballast file) -- done --> idle
//! idle -- quiet for a while --> marking (one empty frame) -- done --> idle
//! any -- a failure other than a full disk while making a file --> failed: the machine stops, nothing is retried
//! ```
//!
//! Invariants:
//! - M1 (S13) Records are committed when their frame is flushed; every later frame's mark covers them; about 100 ms after the last
//!   append, and at a clean stop, an empty frame does. A start refuses a bad frame below any mark, and cuts a torn one above.
//! - M2 (S5, S17) A start copies what it accepted into a fresh file and makes it durable before it acts on any of it; late
//!   writes of a killed process land in a file without a name.
//! - M3 Only one list of operations is in flight, so a frame is never written before its predecessor is flushed.
//! - M4 The file's space is written beforehand. On a full disk the last 256 KiB are kept for records that
//!   make room ([`MetadataLog::may_grow`]), and `metadata/ballast` is given up so that a start or a rewrite still succeeds.

pub mod frame;
pub mod identity;
mod open;

use crate::base::clock::Now;
use crate::base::gather::Gather;
use crate::base::ids::MachineId;
use crate::base::limits;
use crate::base::prng::Prng;
use crate::base::storage::{BLOCK_BYTES, FileOp, FilesDone, Storage, StorageError, block_ceil};
use crate::metadata::delta::Delta;
use crate::metadata::image::Image;
use crate::metadata::log::frame::{FRAME_HEADER_BYTES, FrameHead, FrameKind, encode_frame, encode_snapshot};
use crate::metadata::record::Record;
use crate::metadata::record_codec;
use bytes::Bytes;
use std::collections::VecDeque;
use std::sync::Arc;

/// The log's directory.
pub const METADATA_DIR: &str = "metadata";

const LOG_PATH: &str = "metadata/log";
const NEW_LOG_PATH: &str = "metadata/log.tmp";
const BALLAST_PATH: &str = "metadata/ballast";
const NEW_BALLAST_PATH: &str = "metadata/ballast.tmp";

/// Room for frames in a new file, at least; twice the snapshot if that is more.
const ROOM_BYTES_MIN: u64 = 1024 * 1024;
/// Below this much room a new file is wanted.
const ROOM_FOR_DELETIONS_BYTES: u64 = 256 * 1024;
/// Appended records are committed together up to this many bytes.
const COMMIT_BYTES: usize = 1024 * 1024;
/// Pause after the disk was too full for a new file.
const FULL_RETRY_MS: u64 = 1000;

const _: () =
    assert!(ROOM_FOR_DELETIONS_BYTES < ROOM_BYTES_MIN && ROOM_FOR_DELETIONS_BYTES.is_multiple_of(BLOCK_BYTES));

/// What the log has to know to be opened.
#[derive(Clone, Debug)]
pub struct OpenParameters {
    /// `node.id`: must be the machine that the directory was formatted for.
    pub machine: MachineId,
    /// `cluster.id`: for formatting (`None`: made up); later another one is refused.
    pub cluster_id: Option<String>,
    /// Entropy: salt of the file, cluster id and directory id when formatting.
    pub seed: u64,
}

/// Why a start is refused. The texts name file, offset, what is at stake and the remedy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// What lies on the disk is damaged or contradicts itself.
    Corrupt(String),
    /// The directory does not fit: foreign content, another machine's or another cluster's data, written by a later release.
    Unfit(String),
    /// The disk failed.
    Storage(StorageError),
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Refusal {
        Refusal::Storage(error)
    }
}

/// Records became durable: replaces the image everywhere.
#[derive(Clone, Debug)]
pub struct Committed {
    /// The image with them.
    pub image: Arc<Image>,
    /// What they changed.
    pub delta: Delta,
}

/// See the module.
#[derive(Debug)]
pub struct MetadataLog {
    file: LogFile,
    ballast_bytes: u64,
    committed: Arc<Image>,
    proposed: Arc<Image>,
    queue: VecDeque<Proposal>,
    in_flight: Option<InFlight>,
    /// Records that some flushed frame's mark covers.
    marked: u64,
    appended_ms: u64,
    /// The disk had no room for a new file when last asked.
    disk_full: bool,
    /// No new file before then.
    retry_ms: u64,
    stopping: bool,
    failed: bool,
    entropy: Prng,
}

/// The file that `metadata/log` names.
#[derive(Clone, Debug, PartialEq, Eq)]
struct LogFile {
    salt: u64,
    bytes: u64,
    /// Where the next frame goes.
    position: u64,
}

/// Records that wait for the disk, and what they will make of the image.
#[derive(Debug)]
struct Proposal {
    records: u32,
    payload: Vec<u8>,
    image: Arc<Image>,
    delta: Delta,
}

#[derive(Debug)]
enum InFlight {
    Frame { end_position: u64, marked: u64, committed: Option<Committed> },
    Rewrite { file: LogFile, space: Space, began_ms: u64 },
    Ballast { bytes: u64, began_ms: u64 },
}

/// Where the space of a new log file comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Space {
    /// The free disk; ample.
    Free,
    /// The ballast, which is given up; just enough.
    Ballast,
}

impl LogFile {
    fn room(&self) -> u64 {
        self.bytes - self.position
    }

    /// Enough for a just sufficient new file, even if all room of this one becomes part of its snapshot.
    fn ballast_bytes(&self) -> u64 {
        self.bytes + 2 * ROOM_FOR_DELETIONS_BYTES
    }
}

impl MetadataLog {
    /// The committed image.
    pub fn image(&self) -> &Arc<Image> {
        &self.committed
    }

    /// The image once everything appended is committed: what the controller decides on.
    pub fn proposed(&self) -> &Arc<Image> {
        &self.proposed
    }

    /// False while a full disk leaves room for deletions only: refuse creations (KAFKA_STORAGE_ERROR), and poll again at
    /// least every second.
    pub fn may_grow(&self) -> bool {
        !self.disk_full || (self.next_fits() && self.file.room() > ROOM_FOR_DELETIONS_BYTES)
    }

    /// Queues records. Gives the end offset (`Image::end_offset`) at which they are committed. Then call `poll_ops`.
    /// Panics on records that contradict the proposed image: the controller made them.
    pub fn append(&mut self, records: Vec<Record>, now: Now) -> u64 {
        assert!(!self.stopping, "an append after the stop began");
        self.appended_ms = now.monotonic_ms();
        self.propose(&records)
    }

    fn propose(&mut self, records: &[Record]) -> u64 {
        if !records.is_empty() {
            let (image, delta) = self.proposed.apply(records).expect("records that fit the proposed image");
            let mut payload = Vec::new();
            records.iter().for_each(|record| record_codec::encode(record, &mut payload));
            self.proposed = Arc::new(image);
            let image = self.proposed.clone();
            self.queue.push_back(Proposal { records: records.len() as u32, payload, image, delta });
        }
        self.proposed.end_offset()
    }

    /// Durable on return. For the start only (Boot, GenerationBegun, Layout, TopicForgotten), before anything is in flight.
    pub fn append_sync(&mut self, storage: &mut dyn Storage, records: Vec<Record>) -> Result<(), Refusal> {
        assert!(self.in_flight.is_none() && self.queue.is_empty(), "a synchronous append while running");
        let end_offset = self.propose(&records);
        while self.committed.end_offset() < end_offset {
            let Some(ops) = self.next_ops(0) else {
                return Err(Refusal::Storage(StorageError::Full));
            };
            let mut results = Vec::new();
            for op in &ops {
                results.push(storage.perform(op));
                if results.last().is_some_and(Result::is_err) {
                    break;
                }
            }
            let done = FilesDone { results };
            if self.handle_done(&done).is_err() {
                return Err(Refusal::Storage(done.failure().expect("the reason").clone()));
            }
        }
        Ok(())
    }

    /// What to do on disk now, if anything: one list at a time, the next one only after `handle_done`. Call it after every
    /// `append` and `handle_done`, and at every tick (marks, S4).
    pub fn poll_ops(&mut self, now: Now) -> Option<Vec<FileOp>> {
        self.next_ops(now.monotonic_ms())
    }

    fn next_ops(&mut self, now_ms: u64) -> Option<Vec<FileOp>> {
        if self.in_flight.is_some() || self.failed {
            return None;
        }
        let fits = self.next_fits();
        let wanted = !fits || self.file.room() < ROOM_FOR_DELETIONS_BYTES;
        if wanted && now_ms >= self.retry_ms {
            return Some(self.begin_rewrite(Space::Free, now_ms));
        }
        if !fits && self.ballast_bytes > 0 {
            return Some(self.begin_rewrite(Space::Ballast, now_ms));
        }
        if !self.queue.is_empty() {
            return fits.then(|| self.begin_commit());
        }
        if self.ballast_bytes < self.file.ballast_bytes() && now_ms >= self.retry_ms {
            return Some(self.begin_ballast(now_ms));
        }
        let quiet = self.stopping || now_ms >= self.appended_ms + limits::MARK_AFTER_MS;
        let unmarked = self.marked < self.committed.end_offset() && self.file.room() >= BLOCK_BYTES;
        (quiet && unmarked).then(|| self.begin_mark())
    }

    /// What waits fits the file, with a mark after it.
    fn next_fits(&self) -> bool {
        self.commit_bytes() + BLOCK_BYTES <= self.file.room()
    }

    /// Proposals that go into the next frame.
    fn commit_count(&self) -> usize {
        let mut bytes = 0;
        let fits = |proposal: &&Proposal| {
            bytes += proposal.payload.len();
            bytes <= COMMIT_BYTES
        };
        self.queue.iter().take_while(fits).count().max(usize::from(!self.queue.is_empty()))
    }

    /// Bytes of the next frame in the file, 0 without one.
    fn commit_bytes(&self) -> u64 {
        if self.queue.is_empty() {
            return 0;
        }
        let payload: usize = self.queue.iter().take(self.commit_count()).map(|proposal| proposal.payload.len()).sum();
        block_ceil((FRAME_HEADER_BYTES + payload) as u64)
    }

    fn begin_commit(&mut self) -> Vec<FileOp> {
        let proposals: Vec<Proposal> = self.queue.drain(..self.commit_count()).collect();
        let records = proposals.iter().map(|proposal| proposal.records).sum();
        let payload: Vec<u8> = proposals.iter().flat_map(|proposal| &proposal.payload).copied().collect();
        let image = proposals.last().expect("a proposal").image.clone();
        let delta = Delta::merge(proposals.into_iter().map(|proposal| proposal.delta));
        let committed = Committed { image, delta };
        self.begin_frame(FrameKind::Records, records, &payload, Some(committed))
    }

    fn begin_mark(&mut self) -> Vec<FileOp> {
        self.begin_frame(FrameKind::Mark, 0, &[], None)
    }

    fn begin_frame(
        &mut self,
        kind: FrameKind,
        records: u32,
        payload: &[u8],
        committed: Option<Committed>,
    ) -> Vec<FileOp> {
        let offset = self.committed.end_offset();
        let LogFile { salt, bytes, position } = self.file;
        let head = FrameHead { kind, salt, position, offset, mark: offset, file_bytes: bytes };
        let mut frame = Vec::new();
        encode_frame(&head, records, payload, &mut frame);
        let end_position = position + frame.len() as u64;
        assert!(end_position <= bytes, "M4: a frame beyond the file's space");
        self.in_flight = Some(InFlight::Frame { end_position, marked: offset, committed });
        vec![
            FileOp::Write { path: LOG_PATH.to_string(), offset: position, data: Gather::from(Bytes::from(frame)) },
            FileOp::Flush(LOG_PATH.to_string()),
        ]
    }

    fn begin_rewrite(&mut self, space: Space, began_ms: u64) -> Vec<FileOp> {
        let (file, ops) = rewrite_ops(&self.committed, self.commit_bytes(), space, self.entropy.next_u64());
        self.in_flight = Some(InFlight::Rewrite { file, space, began_ms });
        ops
    }

    fn begin_ballast(&mut self, began_ms: u64) -> Vec<FileOp> {
        let bytes = self.file.ballast_bytes();
        self.in_flight = Some(InFlight::Ballast { bytes, began_ms });
        ballast_ops(bytes)
    }

    /// The list ended. `Committed` when records became durable; an error is fatal for the machine (never retried).
    pub fn handle_done(&mut self, done: &FilesDone) -> Result<Option<Committed>, String> {
        let failure = done.failure().cloned();
        match (self.in_flight.take().expect("something in flight"), failure) {
            (InFlight::Frame { end_position, marked, committed }, None) => {
                self.file.position = end_position;
                self.marked = marked;
                if let Some(committed) = &committed {
                    self.committed = committed.image.clone();
                }
                Ok(committed)
            }
            (InFlight::Rewrite { file, space, .. }, None) => {
                self.file = file;
                self.marked = self.committed.end_offset();
                self.disk_full = space == Space::Ballast;
                if space == Space::Ballast {
                    self.ballast_bytes = 0;
                    self.retry_ms = 0;
                }
                Ok(None)
            }
            (InFlight::Rewrite { space, began_ms, .. }, Some(StorageError::Full))
                if done.results.len() == CREATE_OP + 1 =>
            {
                // The old file is untouched; the last room in it is for deletions.
                if space == Space::Ballast {
                    self.ballast_bytes = 0;
                }
                self.handle_full(began_ms);
                Ok(None)
            }
            (InFlight::Ballast { bytes, .. }, None) => {
                self.ballast_bytes = bytes;
                self.disk_full = false;
                Ok(None)
            }
            (InFlight::Ballast { began_ms, .. }, Some(StorageError::Full)) => {
                self.handle_full(began_ms);
                Ok(None)
            }
            (_, Some(failure)) => {
                self.failed = true;
                Err(format!(
                    "the metadata log failed ({failure:?} at {LOG_PATH}, records from {} on): the machine stops, since a write \
                     that failed once proves nothing when repeated. Check the disk, then start again: what was \
                     acknowledged is there.",
                    self.committed.end_offset()
                ))
            }
        }
    }

    fn handle_full(&mut self, began_ms: u64) {
        self.disk_full = true;
        self.retry_ms = began_ms + FULL_RETRY_MS;
    }

    /// Graceful stop: the mark is not delayed any more. The log is closed once `is_idle`.
    pub fn begin_stop(&mut self) {
        self.stopping = true;
    }

    /// Nothing queued, nothing in flight, nothing left to mark (unless there is no room for it).
    pub fn is_idle(&self) -> bool {
        let marked = self.marked == self.committed.end_offset() || self.file.room() < BLOCK_BYTES;
        self.queue.is_empty() && self.in_flight.is_none() && marked
    }

    /// Asserts the invariants (simulator, tests).
    pub fn check(&self) {
        assert!(
            self.marked <= self.committed.end_offset() && self.committed.end_offset() <= self.proposed.end_offset()
        );
        assert!(self.file.position <= self.file.bytes && self.file.position.is_multiple_of(BLOCK_BYTES));
        let waiting: u64 = self.queue.iter().map(|proposal| u64::from(proposal.records)).sum();
        let in_flight = match &self.in_flight {
            Some(InFlight::Frame { committed: Some(committed), .. }) => {
                committed.image.end_offset() - self.committed.end_offset()
            }
            _ => 0,
        };
        assert_eq!(self.committed.end_offset() + in_flight + waiting, self.proposed.end_offset(), "M3");
        self.committed.check();
        self.proposed.check();
    }
}

/// Operations that replace the log by a snapshot of `image` and room for more, `needed` bytes of it at once; the file that
/// they make.
fn rewrite_ops(image: &Image, needed: u64, space: Space, salt: u64) -> (LogFile, Vec<FileOp>) {
    let room = |snapshot: u64| match space {
        Space::Free => (2 * needed).max(2 * snapshot).max(ROOM_BYTES_MIN),
        Space::Ballast => needed.max(ROOM_FOR_DELETIONS_BYTES) + BLOCK_BYTES,
    };
    let size = |snapshot: u64| snapshot + room(snapshot);
    let (snapshot, bytes) = encode_snapshot(&image.to_records(), image.end_offset(), salt, size);
    let file = LogFile { salt, bytes, position: snapshot.len() as u64 };
    let freed = if space == Space::Ballast { BALLAST_PATH } else { NEW_LOG_PATH };
    let ops = vec![
        FileOp::Unlink(NEW_LOG_PATH.to_string()),
        FileOp::Unlink(freed.to_string()),
        FileOp::CreateSized { path: NEW_LOG_PATH.to_string(), bytes, zeroed: true },
        FileOp::Write { path: NEW_LOG_PATH.to_string(), offset: 0, data: Gather::from(Bytes::from(snapshot)) },
        FileOp::Flush(NEW_LOG_PATH.to_string()),
        FileOp::Rename(NEW_LOG_PATH.to_string(), LOG_PATH.to_string()),
        FileOp::SyncDir(METADATA_DIR.to_string()),
    ];
    (file, ops)
}

/// Index of the only operation of `rewrite_ops` that a full disk may fail.
const CREATE_OP: usize = 2;

/// Space held back, as a file of nothing; a larger one replaces a smaller one.
fn ballast_ops(bytes: u64) -> Vec<FileOp> {
    vec![
        FileOp::Unlink(NEW_BALLAST_PATH.to_string()),
        FileOp::CreateSized { path: NEW_BALLAST_PATH.to_string(), bytes, zeroed: false },
        FileOp::Rename(NEW_BALLAST_PATH.to_string(), BALLAST_PATH.to_string()),
    ]
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
mod test_disk;
#[cfg(test)]
mod tests;
