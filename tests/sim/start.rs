//! Start of the simulated machine.

use crate::machine::{Core, frame_text};
use crate::outcome::{Halt, Run};
use crate::trace;
use bytes::Bytes;
use crate::world::World;
use corelane::base::ids::TopicPartition;
use corelane::base::storage::{FileOp, Storage, StorageError};
use corelane::log::checkpoint::Checkpoint;
use corelane::log::journal_frame::scan;
use corelane::log::core_log::{CoreIdentity, CoreLog, KnownTopics, Refusal};

impl World {
    /// Starts the machine: false if a fault of the disk prevented it (the operator tries again).
    pub fn start(&mut self) -> Run<bool> {
        self.coverage.hit("start");
        self.cores.clear();
        self.faults_before = self.faults();
        self.boot += 1;
        trace!("==== START boot {} cores {}", self.boot, self.cores_wanted);
        if trace::prints() {
            self.trace_disk();
        }
        match self.remove_deleted() {
            Ok(()) => {}
            Err(StorageError::Crashed) => return Err(Halt::Crashed),
            Err(error) => return Err(Halt::Violation(format!("start failed: {error:?}"))),
        }
        for core in 0..self.cores_wanted {
            match self.recover(core) {
                Ok(log) => self.cores.push(Core::new(log)),
                Err(Refusal::Storage(StorageError::Crashed)) => return Err(Halt::Crashed),
                Err(Refusal::Storage(error)) => {
                    if self.faulty() {
                        return Ok(false);
                    }
                    return Err(Halt::Violation(format!("start failed without a fault: {error:?}")));
                }
                Err(Refusal::Corrupt(_)) if self.disk.crashed => return Err(Halt::Crashed),
                Err(Refusal::Corrupt(text)) => return Err(self.on_refused(&text)),
            }
        }
        self.formatted = true;
        for core in 0..self.cores.len() {
            self.end_turn(core)?;
        }
        Ok(true)
    }

    /// Prints what recovery will find.
    fn trace_disk(&self) {
        for path in self.disk.files() {
            let content = self.disk.content(&path).expect("listed");
            if path.contains("/checkpoint.") {
                trace!("  on disk {path}: {:?}", Checkpoint::decode(content));
            } else if path.ends_with(".journal") {
                trace!("  on disk {path}:");
                for found in scan(&Bytes::copy_from_slice(content), None) {
                    trace!("    {:6} boot {} {}", found.position, found.frame.place.boot, frame_text(&found.frame));
                }
            } else {
                trace!("  on disk {path} {} bytes", content.len());
            }
        }
    }

    /// Directories of deleted topics that were left over.
    fn remove_deleted(&mut self) -> Result<(), StorageError> {
        for topic in self.history.deleted.clone() {
            self.disk.perform(&FileOp::RemoveDirAll(format!("topics/{topic}")))?;
            self.disk.perform(&FileOp::SyncDir("topics".to_string()))?;
        }
        Ok(())
    }

    fn recover(&mut self, core: usize) -> Result<CoreLog, Refusal> {
        if !self.formatted {
            CoreLog::format(&mut self.disk, self.generation, core as u16, self.boot, self.prng.next_u64(), Vec::new())?;
        }
        let mut partitions = Vec::new();
        let cores = self.cores_wanted;
        for partition in self.history.partitions.values_mut() {
            partition.core = partition.placement as usize % cores;
            if partition.core == core {
                partitions.push((partition.id, partition.settings));
            }
        }
        let topics = KnownTopics { partitions, live: self.history.topics(), deleted: self.history.deleted.clone() };
        let identity =
            CoreIdentity { generation: self.generation, core: core as u16, boot: self.boot, seed: self.prng.next_u64() };
        let now_ms = self.now().monotonic_ms();
        CoreLog::recover(&mut self.disk, identity, self.settings.clone(), &topics, now_ms)
    }

    /// Gives a new topic's partitions to their cores.
    pub fn place_partition(&mut self, id: TopicPartition) {
        let cores = self.cores.len();
        let partition = self.partition(id);
        partition.core = partition.placement as usize % cores;
        let (core, settings) = (partition.core, partition.settings);
        self.cores[core].log.create_partition(id, settings);
    }
}
