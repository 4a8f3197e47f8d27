//! The metadata log. SIGNATURES FIRST; bodies follow.

use crate::base::clock::Now;
use crate::base::ids::MachineId;
use crate::base::storage::{FileOp, FilesDone, Storage, StorageError};
use crate::metadata::delta::Delta;
use crate::metadata::image::Image;
use crate::metadata::record::Record;
use std::sync::Arc;

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
pub struct MetadataLog {}

#[allow(unused_variables)]
impl MetadataLog {
    /// Opens the log of a data directory, or formats an empty one. The image it gives has no layout yet after formatting:
    /// the start begins generation 1, formats the cores and appends the first Layout record.
    pub fn open_or_format(storage: &mut dyn Storage, parameters: &OpenParameters) -> Result<MetadataLog, Refusal> {
        unimplemented!()
    }
    /// Durable on return. For the start only (Boot, GenerationBegun, Layout, TopicForgotten), while nothing is in flight.
    pub fn append_sync(&mut self, storage: &mut dyn Storage, records: Vec<Record>) -> Result<(), Refusal> {
        unimplemented!()
    }
    /// The committed image.
    pub fn image(&self) -> &Arc<Image> {
        unimplemented!()
    }
    /// The image once everything appended is committed: what the controller decides on.
    pub fn proposed(&self) -> &Arc<Image> {
        unimplemented!()
    }
    /// False while a full disk leaves room for deletions only: refuse creations (KAFKA_STORAGE_ERROR).
    pub fn may_grow(&self) -> bool {
        unimplemented!()
    }
    /// Queues records. Gives the end offset (`Image::end_offset`) at which they are committed. Then call `poll_ops`.
    pub fn append(&mut self, records: Vec<Record>, now: Now) -> u64 {
        unimplemented!()
    }
    /// What to do on disk now, if anything: one list at a time, the next one only after `handle_done`. Call it after every
    /// `append` and `handle_done`, and at every tick (marks, S4).
    pub fn poll_ops(&mut self, now: Now) -> Option<Vec<FileOp>> {
        unimplemented!()
    }
    /// The list ended. `Committed` when records became durable; an error is fatal for the machine (never retried).
    pub fn handle_done(&mut self, done: &FilesDone) -> Result<Option<Committed>, String> {
        unimplemented!()
    }
    /// Graceful stop: no marks are delayed any more. The log is closed once `is_idle`.
    pub fn begin_stop(&mut self) {
        unimplemented!()
    }
    /// Nothing queued, nothing in flight, nothing left to mark.
    pub fn is_idle(&self) -> bool {
        unimplemented!()
    }
    /// Asserts the invariants (simulator).
    pub fn check(&self) {
        unimplemented!()
    }
}
