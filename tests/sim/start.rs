//! Start of the simulated machine.

use crate::catalog::Catalog;
use crate::checkers::space_given_back;
use crate::disk::Fault;
use crate::machine::{Core, frame_text};
use crate::outcome::{Halt, Run};
use crate::trace;
use crate::world::World;
use bytes::Bytes;
use corelane::base::config::{Advertise, GroupSettings};
use corelane::base::ids::{CoreId, MachineId};
use corelane::base::storage::StorageError;
use corelane::broker::settings::BrokerSettings;
use corelane::broker::start::{Refusal, StartSettings, begin, recover_core};
use corelane::log::checkpoint::Checkpoint;
use corelane::log::core_log::CoreLog;
use corelane::log::journal_frame::scan;
use corelane::metadata::log::MetadataLog;

impl World {
    /// Starts the machine: false if a fault of the disk prevented it (the operator tries again).
    pub fn start(&mut self) -> Run<bool> {
        self.coverage.hit("start");
        self.cores.clear();
        self.catalog = None;
        self.faults_before = self.faults();
        trace!("==== START cores {} before {}", self.cores_wanted, self.cores_before);
        if trace::prints() {
            self.trace_disk();
        }
        let seed = self.prng.next_u64();
        let settings = StartSettings {
            machine: MachineId(0),
            cluster_id: None,
            cores: self.cores_wanted as u16,
            seed,
            log: self.settings.clone(),
            broker: BrokerSettings {
                topic_defaults: self.defaults,
                auto_create_topics: false,
                log_dir: "data".to_string(),
                fetch_bytes_max: 1 << 20,
                tail_cache_bytes_auto: 0,
                fetch_memory_bytes: 1 << 24,
                advertise: Advertise::PerCore,
                groups: GroupSettings::default(),
                values: Vec::new(),
            },
        };
        self.disk.starting = true;
        let started = self.run_start(settings);
        self.disk.starting = false;
        let (metadata, logs) = match started {
            Ok(started) => started,
            Err(_) if self.disk.crashed => return Err(Halt::Crashed),
            Err(Refusal::Storage(StorageError::Full)) if self.disk.capacity < u64::MAX => {
                trace!("start failed: the disk is full");
                return Ok(false);
            }
            Err(Refusal::Storage(error)) if self.faulty() => {
                trace!("start failed: {error:?}");
                return Ok(false);
            }
            Err(Refusal::Storage(error)) => {
                return Err(Halt::Violation(format!("start failed without a fault: {error:?}")));
            }
            Err(Refusal::Corrupt(text)) if self.faulty() && self.cores_before != self.cores_wanted => {
                // A change of cores that cannot read a segment is refused; the operator tries again.
                trace!("change of cores failed: {text}");
                return Ok(false);
            }
            Err(refusal) => return Err(self.on_refused(&refusal.to_string())),
        };
        if self.cores_before != self.cores_wanted && self.cores_before > 0 {
            self.coverage.hit("change of cores");
        }
        self.cores_before = self.cores_wanted;
        (self.boot, self.generation) = (metadata.image().boot(), metadata.image().generation());
        trace!("started boot {} generation {}", self.boot, self.generation);
        self.cores = logs.into_iter().map(Core::new).collect();
        self.catalog = Some(Catalog::new(metadata, &self.defaults, seed));
        self.reconcile()?;
        space_given_back::journal_is_bounded(self)?;
        for core in 0..self.cores.len() {
            self.end_turn(core)?;
        }
        Ok(true)
    }

    /// Some starts meet a failing or a full disk.
    pub fn trouble_at_start(&mut self) {
        if self.disk.crash_in == 0 {
            return;
        }
        match self.prng.below(100) {
            0..=5 => {
                let faults = [
                    Fault::MetadataWrite,
                    Fault::MetadataFlush,
                    Fault::CheckpointWrite,
                    Fault::JournalFlush,
                    Fault::SyncAll,
                    Fault::SegmentWrite,
                    Fault::SegmentRead,
                ];
                let fault = faults[self.prng.below(faults.len() as u64) as usize];
                trace!("next {fault:?} fails");
                self.disk.armed.insert(fault);
            }
            6..=9 => {
                let free = self.prng.below(4 << 20);
                trace!("disk has {free} bytes left");
                self.coverage.hit("fault: full disk at start");
                self.disk.capacity = self.disk.used() + free;
                self.full_until = self.events + 100 + self.prng.below(600);
            }
            _ => {}
        }
    }

    /// The product's start, core after core.
    fn run_start(&mut self, settings: StartSettings) -> Result<(MetadataLog, Vec<CoreLog>), Refusal> {
        let now = self.now();
        let cores = settings.cores;
        let begun = begin(&mut self.disk, settings, now, &mut |_| {})?;
        let mut logs = Vec::new();
        for core in 0..cores {
            logs.push(recover_core(&begun, &mut self.disk, CoreId(core), now)?);
        }
        Ok((begun.into_metadata(), logs))
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
}
