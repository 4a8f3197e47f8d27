//! Start of a machine, straight-line code over a [`Storage`]: metadata, Boot record, change of cores, recovery per core.
//!
//! ```text
//! lock (runtime) -> begin(storage) -> for each core, in parallel: recover_core(&begun, storage, core) -> into_brokers
//! ```

use crate::base::clock::Now;
use crate::base::ids::{CoreId, MachineId};
use crate::base::storage::{Storage, StorageError};
use crate::broker::broker::Broker;
use crate::broker::settings::{Advertised, BrokerSettings};
use crate::log::core_log::{CoreLog, LogSettings};
use std::fmt;

/// What a start is told.
#[derive(Clone, Debug)]
pub struct StartSettings {
    /// `node.id`.
    pub machine: MachineId,
    /// `cluster.id` for the first start; `None`: made up. A later start with another one is refused.
    pub cluster_id: Option<String>,
    /// Cores of this run; may differ from the last run's (S19).
    pub cores: u16,
    /// Random per process: seeds salts, topic ids, incarnation, producer sampling.
    pub seed: u64,
    /// For each core's log.
    pub log: LogSettings,
    /// For each broker.
    pub broker: BrokerSettings,
}

/// Why a machine does not start. The text is for the operator: what, where, what is at stake, remedy.
#[derive(Debug)]
pub enum Refusal {
    /// What lies on the disk contradicts itself.
    Corrupt(String),
    /// The directory or the settings do not fit: foreign content, another machine's data, offline partitions at a change of cores.
    Unfit(String),
    /// The disk failed.
    Storage(StorageError),
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Corrupt(text) | Refusal::Unfit(text) => formatter.write_str(text),
            Refusal::Storage(error) => write!(formatter, "the data directory failed: {error:?}"),
        }
    }
}

impl From<StorageError> for Refusal {
    fn from(error: StorageError) -> Refusal {
        Refusal::Storage(error)
    }
}

/// A machine whose metadata is open and whose Boot record is durable. Shared by the threads that recover the cores.
pub struct Begun {
    settings: StartSettings,
}

impl Begun {
    /// Kafka's cluster id.
    pub fn cluster_id(&self) -> &str {
        ""
    }

    /// Number of this start.
    pub fn boot(&self) -> u32 {
        0
    }

    /// The brokers, in core order. `logs` come from [`recover_core`], one per core; `advertised` likewise.
    pub fn into_brokers(self, logs: Vec<CoreLog>, advertised: Vec<Advertised>, now: Now) -> Vec<Broker> {
        let _ = now;
        assert_eq!(logs.len(), usize::from(self.settings.cores));
        assert_eq!(advertised.len(), usize::from(self.settings.cores));
        (0..self.settings.cores).map(|core| Broker::new(CoreId(core))).collect()
    }
}

/// Opens or formats the directory, makes the Boot record durable, changes the number of cores if it differs. The caller
/// holds the directory's lock (its file `lock` is ignored here). `progress` is told what takes long.
pub fn begin(storage: &mut dyn Storage, settings: StartSettings, now: Now, progress: &mut dyn FnMut(&str)) -> Result<Begun, Refusal> {
    let _ = (storage, now, progress);
    Ok(Begun { settings })
}

/// Recovers one core's log; the cores may run in parallel, each with a storage handle of its own on the same directory.
pub fn recover_core(begun: &Begun, storage: &mut dyn Storage, core: CoreId, now: Now) -> Result<CoreLog, Refusal> {
    let _ = (begun, storage, core, now);
    Err(Refusal::Unfit("recovery is being written".to_string()))
}
