//! Start of a machine, straight-line code over a [`Storage`]: metadata, Boot record, change of cores, recovery per core.
//!
//! ```text
//! lock (runtime) -> begin(storage) -> for each core, in parallel: recover_core(&begun, storage, core) -> into_brokers
//! ```

use crate::base::clock::Now;
use crate::base::ids::{CoreId, MachineId, TopicId};
use crate::base::prng::Prng;
use crate::base::storage::{FileOp, Storage, StorageError};
use crate::broker::broker::{Broker, BrokerParts};
use crate::broker::change_of_cores;
use crate::broker::controller_seat::ControllerSeat;
use crate::broker::settings::{Advertised, BrokerSettings};
use crate::broker::topic_cache::partition_settings;
use crate::log::core_log::{CoreIdentity, CoreLog, KnownTopics, LogSettings};
use crate::metadata::broker_wide::BrokerWide;
use crate::metadata::controller::ControllerSettings;
use crate::metadata::controller::machine::boot_records;
use crate::metadata::image::Image;
use crate::metadata::log::{MetadataLog, OpenParameters};
use crate::metadata::topic_config::TopicSettings;
use crate::{log, metadata};
use std::fmt;
use std::sync::Arc;

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

impl From<log::core_log::Refusal> for Refusal {
    fn from(refusal: log::core_log::Refusal) -> Refusal {
        match refusal {
            log::core_log::Refusal::Corrupt(text) => Refusal::Corrupt(text),
            log::core_log::Refusal::Storage(error) => Refusal::Storage(error),
        }
    }
}

impl From<metadata::log::Refusal> for Refusal {
    fn from(refusal: metadata::log::Refusal) -> Refusal {
        match refusal {
            metadata::log::Refusal::Corrupt(text) => Refusal::Corrupt(text),
            metadata::log::Refusal::Unfit(text) => Refusal::Unfit(text),
            metadata::log::Refusal::Storage(error) => Refusal::Storage(error),
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
    metadata: MetadataLog,
    broker_wide: BrokerWide,
}

impl Begun {
    /// Kafka's cluster id.
    pub fn cluster_id(&self) -> &str {
        self.metadata.image().cluster_id()
    }

    /// Number of this start.
    pub fn boot(&self) -> u32 {
        self.metadata.image().boot()
    }

    /// The metadata log, for a host that drives the logs without brokers (the simulator).
    pub fn into_metadata(self) -> MetadataLog {
        self.metadata
    }

    /// The brokers, in core order. `logs` come from [`recover_core`], one per core; `advertised`: one per broker that clients see.
    pub fn into_brokers(self, logs: Vec<CoreLog>, advertised: Vec<Advertised>, now: Now) -> Vec<Broker> {
        let Begun { settings, metadata, .. } = self;
        assert_eq!(logs.len(), usize::from(settings.cores));
        let image = metadata.image().clone();
        let controller = ControllerSettings::new(&settings.broker.topic_defaults, &image);
        // Another stream than that of the ids that a new directory got: they would be the first topic's over again.
        let mut seat = Some(ControllerSeat::new(metadata, controller, settings.seed ^ 0x70_91C5_1D5A));
        let first_seed = settings.seed ^ 0x5E55_1075;
        let shared = Arc::new(settings.broker);
        let advertised: Arc<[Advertised]> = advertised.into();
        let broker = |(log, core): (CoreLog, u16)| {
            let (settings, advertised, image) = (shared.clone(), advertised.clone(), image.clone());
            let (core, seat, seed) = (CoreId(core), seat.take(), Prng::new(first_seed ^ u64::from(core)).next_u64());
            Broker::new(BrokerParts { core, settings, advertised, image, log, seat, seed }, now)
        };
        logs.into_iter().zip(0..).map(broker).collect()
    }
}

/// Opens or formats the directory, makes the Boot record durable, changes the number of cores if it differs. The caller
/// holds the directory's lock (its file `lock` is ignored here). `progress` is told what takes long.
///
/// Order (S13, S19): metadata -> Boot record -> what lies there is known -> old generations and deleted directories go -> cores.
pub fn begin(
    storage: &mut dyn Storage,
    settings: StartSettings,
    now: Now,
    progress: &mut dyn FnMut(&str),
) -> Result<Begun, Refusal> {
    refuse_foreign_content(storage)?;
    let parameters =
        OpenParameters { machine: settings.machine, cluster_id: settings.cluster_id.clone(), seed: settings.seed };
    let mut metadata = MetadataLog::open_or_format(storage, &parameters)?;
    let incarnation_id = incarnation_id(settings.seed);
    let records = boot_records(metadata.image(), incarnation_id, now.wall_ms);
    metadata.append_sync(storage, records)?;
    storage.perform(&FileOp::CreateDirs("topics".to_string()))?;
    storage.perform(&FileOp::CreateDirs("journal".to_string()))?;
    storage.perform(&FileOp::SyncDir(".".to_string()))?;
    remove_old_generations(storage, metadata.image())?;
    remove_deleted_topics(storage, metadata.image())?;
    let broker_wide = BrokerWide::new(&settings.broker.topic_defaults).of_image(metadata.image());
    if metadata.image().cores() != settings.cores {
        change_of_cores::perform(storage, &mut metadata, &settings, &broker_wide, now, progress)?;
        remove_old_generations(storage, metadata.image())?;
    }
    Ok(Begun { settings, metadata, broker_wide })
}

/// Recovers one core's log; the cores may run in parallel, each with a storage handle of its own on the same directory.
pub fn recover_core(begun: &Begun, storage: &mut dyn Storage, core: CoreId, now: Now) -> Result<CoreLog, Refusal> {
    let image = begun.metadata.image();
    let identity = identity(image, core, &begun.settings);
    let topics = known_topics(image, core, image.cores(), &begun.broker_wide);
    Ok(CoreLog::recover(storage, identity, begun.settings.log.clone(), &topics, now.monotonic_ms())?)
}

/// This process among all that ever ran on the directory.
fn incarnation_id(seed: u64) -> [u8; 16] {
    let mut entropy = Prng::new(seed ^ 0x1A5C_A7E0);
    let mut id = [0; 16];
    id[..8].copy_from_slice(&entropy.next_u64().to_be_bytes());
    id[8..].copy_from_slice(&entropy.next_u64().to_be_bytes());
    id
}

/// Who a core's log is in the generation in force.
pub(super) fn identity(image: &Image, core: CoreId, settings: &StartSettings) -> CoreIdentity {
    // Salts have to differ between cores and boots; the seed is random per process.
    let seed = settings.seed ^ (u64::from(core.0) << 48) ^ (u64::from(image.boot()) << 16);
    CoreIdentity {
        generation: image.generation(),
        core: core.0,
        boot: image.boot(),
        seed,
        accept_loss: settings.log.journal_accept_loss,
    }
}

/// What recovery of `core` has to know of the image, when the layout has `cores` cores.
pub(super) fn known_topics(image: &Image, core: CoreId, cores: u16, broker_wide: &BrokerWide) -> KnownTopics {
    let mut known = KnownTopics { deleted: image.deleted().clone(), ..KnownTopics::default() };
    for topic in image.topics().iter() {
        known.live.insert(topic.id);
        let settings = partition_settings(topic, TopicSettings::of(topic, broker_wide));
        let here = topic.partition_ids().zip(&topic.partitions).filter(|(_, partition)| partition.core(cores) == core);
        known.partitions.extend(here.map(|(id, _)| (id, settings)));
    }
    known
}

/// Names that may lie in a data directory.
const OWN_NAMES: [&str; 5] = ["journal", "lock", "lost+found", "metadata", "topics"];

fn refuse_foreign_content(storage: &mut dyn Storage) -> Result<(), Refusal> {
    let names = storage.list(".")?;
    if let Some(foreign) = names.iter().find(|name| !OWN_NAMES.contains(&name.as_str())) {
        return Err(Refusal::Unfit(format!(
            "the data directory holds {foreign:?}, which is not Corelane's. Nothing was touched: give an empty directory, or move that away."
        )));
    }
    let has = |name: &str| names.iter().any(|one| one == name);
    if (has("journal") || has("topics")) && !has("metadata") {
        return Err(Refusal::Corrupt(
            "the data directory has journals or topics but no metadata directory: without it no record can be placed. Restore \
             `metadata` from a copy; nothing was touched."
                .to_string(),
        ));
    }
    Ok(())
}

/// Journals of generations that are no longer in force (a change of cores left them, or did not finish) go; one that metadata
/// does not know refuses the start (S13).
fn remove_old_generations(storage: &mut dyn Storage, image: &Image) -> Result<(), Refusal> {
    let mut removed = false;
    for name in storage.list("journal")? {
        let generation = name.parse::<u32>().ok().filter(|generation| *generation <= image.generation_begun());
        let Some(generation) = generation else {
            return Err(Refusal::Corrupt(format!(
                "journal/{name} is of a generation that the metadata log does not know (it knows up to {}): the metadata directory \
                 is older than the data. Restore the one that belongs to it. Nothing was removed.",
                image.generation_begun()
            )));
        };
        if generation != image.generation() {
            storage.perform(&FileOp::RemoveDirAll(format!("journal/{name}")))?;
            removed = true;
        }
    }
    if removed {
        storage.perform(&FileOp::SyncDir("journal".to_string()))?;
    }
    Ok(())
}

/// Directories of deleted topics that were left over go; one that metadata does not know refuses the start (S13).
fn remove_deleted_topics(storage: &mut dyn Storage, image: &Image) -> Result<(), Refusal> {
    let names = storage.list("topics")?;
    let id = |name: &String| TopicId::from_hex(name);
    let known = |name: &&String| id(name).is_some_and(|id| image.topic(id).is_some() || image.deleted().contains(&id));
    if let Some(unknown) = names.iter().find(|name| !known(name)) {
        return Err(Refusal::Corrupt(format!(
            "topics/{unknown} belongs to no topic that the metadata log knows: the metadata directory is older than the data. \
             Restore the one that belongs to it. Nothing was removed."
        )));
    }
    let mut removed = false;
    for name in names.iter().filter(|name| id(name).is_some_and(|id| image.deleted().contains(&id))) {
        storage.perform(&FileOp::RemoveDirAll(format!("topics/{name}")))?;
        removed = true;
    }
    if removed {
        storage.perform(&FileOp::SyncDir("topics".to_string()))?;
    }
    Ok(())
}
