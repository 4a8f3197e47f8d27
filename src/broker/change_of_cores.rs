//! Change of cores (S19): a new generation of journals, filled by draining the old one into segments.
//!
//! ```text
//! GenerationBegun{g+1} durable -> every old core drained into segments (nothing deleted) -> new checkpoints durable
//! -> Layout{g+1, cores} durable: the flip -> old generation removed
//! ```
//! A crash before the flip starts again from the old generation, under a number never used before; after it the old journals are
//! never replayed. The first start of a directory is the same without anything to drain.

use crate::base::clock::Now;
use crate::base::ids::CoreId;
use crate::base::storage::Storage;
use crate::broker::start::{Refusal, StartSettings, identity, known_topics};
use crate::log::checkpoint::CheckpointPartition;
use crate::log::core_log::CoreLog;
use crate::metadata::broker_wide::BrokerWide;
use crate::metadata::controller::machine::{generation_records, layout_records};
use crate::metadata::log::MetadataLog;

/// Performs the change to `settings.cores`. On return the new layout is durable.
pub(super) fn perform(
    storage: &mut dyn Storage,
    metadata: &mut MetadataLog,
    settings: &StartSettings,
    broker_wide: &BrokerWide,
    now: Now,
    progress: &mut dyn FnMut(&str),
) -> Result<(), Refusal> {
    let (old_cores, cores) = (metadata.image().cores(), settings.cores);
    let (generation, records) = generation_records(metadata.image());
    metadata.append_sync(storage, records)?;
    let mut partitions: Vec<CheckpointPartition> = Vec::new();
    for core in (0..old_cores).map(CoreId) {
        progress(&format!("moving the journal of core {} of {old_cores} into segments, for {cores} cores", core.0));
        let image = metadata.image();
        let topics = known_topics(image, core, old_cores, broker_wide);
        partitions.extend(CoreLog::drain(storage, identity(image, core, settings), &topics, now.monotonic_ms())?);
    }
    let image = metadata.image().clone();
    let mut by_core: Vec<Vec<CheckpointPartition>> = vec![Vec::new(); usize::from(cores)];
    for one in partitions {
        let partition = image.partition(one.partition).expect("a drain gives known partitions only");
        by_core[usize::from(partition.core(cores).0)].push(one);
    }
    for (core, partitions) in by_core.into_iter().enumerate() {
        let seed = identity(&image, CoreId(core as u16), settings).seed;
        CoreLog::format(storage, generation, core as u16, image.boot(), seed, partitions)?;
    }
    let records = layout_records(metadata.image(), cores);
    metadata.append_sync(storage, records)?;
    Ok(())
}
