//! A start of the machine that leaves no trace: the code of a real one, over an [`Overlay`].
//!
//! It finds what a start would refuse (metadata, checkpoints, journals: file, offset and remedy are in the refusal) and which
//! partitions would be offline.

use crate::base::config::{Config, Inputs};
use crate::base::ids::{CoreId, TopicPartition};
use crate::base::storage::{Storage, read_file};
use crate::broker::start::{begin, recover_core};
use crate::cli::log::overlay::Overlay;
use crate::metadata::image::Image;
use crate::metadata::log::frame::scan;
use crate::runtime::{clock, machine};
use std::path::Path;

/// What a rehearsal found.
pub(super) struct Rehearsed {
    /// The metadata, if it can be read.
    pub(super) image: Option<Image>,
    /// Why a start is refused, a text per cause.
    pub(super) refusals: Vec<String>,
    /// Partitions that would be offline, and why.
    pub(super) offline: Vec<(TopicPartition, String)>,
}

/// Rehearses. Nothing of it reaches the disk.
pub(super) fn rehearse(dir: &Path) -> Rehearsed {
    let mut overlay = Overlay::new(dir);
    let image = read_image(&mut overlay);
    let mut rehearsed = Rehearsed { image, refusals: Vec::new(), offline: Vec::new() };
    if let Err(refusal) = start(&mut overlay, dir, &mut rehearsed) {
        rehearsed.refusals.push(refusal);
    }
    rehearsed
}

/// As the disk has it now, before a start adds to it.
fn read_image(storage: &mut dyn Storage) -> Option<Image> {
    let scanned = scan(&read_file(storage, "metadata/log").ok()?).ok()?;
    let image = Image::from_snapshot(&scanned.snapshot, scanned.snapshot_end_offset).ok()?;
    Some(image.apply(&scanned.records).ok()?.0)
}

fn start(overlay: &mut Overlay, dir: &Path, rehearsed: &mut Rehearsed) -> Result<(), String> {
    let node = rehearsed.image.as_ref().and_then(Image::machine).map_or(0, |machine| machine.0);
    let cores = rehearsed.image.as_ref().map_or(1, Image::cores).max(1);
    let flag = |key: &str, value: String| (key.to_string(), key.to_string(), value);
    let flags = vec![
        flag("log.dirs", dir.display().to_string()),
        flag("node.id", node.to_string()),
        flag("cores", cores.to_string()),
    ];
    let loaded = Config::load(&Inputs { flags, ..Inputs::default() }).map_err(|error| error.0)?;
    let settings = machine::start_settings(&loaded.config, cores);
    let begun = begin(overlay, settings, clock::read(), &mut |_| {}).map_err(|refusal| refusal.to_string())?;
    for core in 0..cores {
        match recover_core(&begun, overlay, CoreId(core), clock::read()) {
            Ok(log) => {
                let offline = log.offline().map(|(partition, why)| (partition, why.to_string()));
                rehearsed.offline.extend(offline);
            }
            Err(refusal) => rehearsed.refusals.push(refusal.to_string()),
        }
    }
    Ok(())
}
