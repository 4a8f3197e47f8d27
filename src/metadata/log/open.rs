//! Opening the metadata log at a start, or formatting an empty directory. Straight-line code over a [`Storage`].

use crate::base::prng::Prng;
use crate::base::storage::{FileOp, Storage, StorageError, perform_all, read_file, replace_file_ops};
use crate::metadata::image::Image;
use crate::metadata::log::frame::{ScanError, scan};
use crate::metadata::log::identity::{IDENTITY_NAME, check_identity, encode_identity, new_identity};
use crate::metadata::log::*;
use crate::metadata::record::{FeatureLevelRecord, FormatRecord, Record};

/// Feature whose level says what a release has to understand to open a directory.
const FEATURE: &str = "corelane.metadata.version";
/// The level of this release.
const FEATURE_LEVEL: i16 = 1;

/// Names in an unformatted data directory that do not speak against formatting it: the lock, what an interrupted formatting
/// left, and what a fresh file system holds.
const NAMES_ALLOWED: [&str; 3] = ["lock", METADATA_DIR, "lost+found"];

const REMEDY: &str = "Topics, configs and the layout of all data are at stake, so nothing was changed. Check the disk, then \
    restore the whole data directory from a copy; metadata/log alone from an older copy does not fit newer journals.";

impl MetadataLog {
    /// Opens the log of a data directory, or formats an empty one. Nothing is changed when it refuses. After formatting the
    /// image has no layout yet: the start begins generation 1, formats the cores and appends the first Layout record.
    pub fn open_or_format(storage: &mut dyn Storage, parameters: &OpenParameters) -> Result<MetadataLog, Refusal> {
        let mut entropy = Prng::new(parameters.seed);
        let (image, new_identity) = match read_file(storage, LOG_PATH) {
            Ok(bytes) => (open(storage, &bytes, parameters)?, None),
            Err(StorageError::NotFound) => {
                check_empty(storage)?;
                let (image, identity) = format(parameters, &mut entropy);
                (image, Some(identity))
            }
            Err(error) => return Err(Refusal::Storage(error)),
        };
        // M2: from here on the disk is changed, and what was accepted is durable before the caller sees it.
        storage.perform(&FileOp::CreateDirs(METADATA_DIR.to_string()))?;
        storage.perform(&FileOp::SyncDir(String::new()))?;
        if let Some(identity) = new_identity {
            perform_all(storage, &replace_file_ops(METADATA_DIR, IDENTITY_NAME, encode_identity(&identity)))?;
        }
        let (file, space) = rewrite(storage, &image, &mut entropy)?;
        let ballast_bytes = keep_ballast(storage, file.ballast_bytes())?;
        let image = Arc::new(image);
        Ok(MetadataLog {
            file,
            ballast_bytes,
            marked: image.end_offset(),
            committed: image.clone(),
            proposed: image,
            queue: VecDeque::new(),
            in_flight: None,
            appended_ms: 0,
            disk_full: space == Space::Ballast,
            retry_ms: 0,
            stopping: false,
            failed: false,
            entropy,
        })
    }
}

fn open(storage: &mut dyn Storage, bytes: &[u8], parameters: &OpenParameters) -> Result<Image, Refusal> {
    let scanned = scan(bytes).map_err(|error| match error {
        ScanError::Corrupt(at, why) => Refusal::Corrupt(format!("{LOG_PATH} is damaged at byte {at}: {why}. {REMEDY}")),
        ScanError::Later(at, what) => Refusal::Unfit(format!(
            "{LOG_PATH} holds {what} at byte {at}: a later release wrote it. Start with that release or a later one."
        )),
    })?;
    let contradiction = |record: u64, why: String| {
        Refusal::Corrupt(format!("{LOG_PATH}: record {record} contradicts those before it: {why}. {REMEDY}"))
    };
    let image = Image::from_snapshot(&scanned.snapshot, scanned.snapshot_end_offset)
        .map_err(|error| contradiction(error.index as u64, format!("in the snapshot, {}", error.why)))?;
    let (image, _) = image
        .apply(&scanned.records)
        .map_err(|error| contradiction(scanned.snapshot_end_offset + error.index as u64, error.why))?;
    check_fits(storage, &image, parameters)?;
    Ok(image)
}

/// The directory is this machine's, of this cluster, and of a release that this one understands.
fn check_fits(storage: &mut dyn Storage, image: &Image, parameters: &OpenParameters) -> Result<(), Refusal> {
    let (Some(machine), Some(directory_id)) = (image.machine(), image.directory_id()) else {
        return Err(Refusal::Corrupt(format!("{LOG_PATH} does not begin with a Format record. {REMEDY}")));
    };
    if machine != parameters.machine {
        return Err(Refusal::Unfit(format!(
            "the data directory belongs to node.id={}, but node.id={} is configured: use the directory of this node, or set \
             node.id={}",
            machine.0, parameters.machine.0, machine.0
        )));
    }
    let cluster_id = image.cluster_id().to_string();
    if let Some(other) = parameters.cluster_id.as_ref().filter(|given| **given != cluster_id) {
        return Err(Refusal::Unfit(format!(
            "the data directory belongs to cluster.id={cluster_id}, but cluster.id={other} is configured: leave the key out, \
             or use the directory of that cluster"
        )));
    }
    let level = image.features().get(FEATURE).copied().unwrap_or(0);
    if level > FEATURE_LEVEL {
        return Err(Refusal::Unfit(format!(
            "the data directory is at {FEATURE}={level}, this release understands {FEATURE_LEVEL}: start a later release"
        )));
    }
    let identity = FormatRecord { cluster_id, machine, directory_id };
    let path = format!("{METADATA_DIR}/{IDENTITY_NAME}");
    match read_file(storage, &path) {
        Ok(bytes) => check_identity(&bytes, &identity).map_err(|why| {
            Refusal::Corrupt(format!(
                "{path} and {LOG_PATH} are not of the same directory: {why}. If directories were mixed up, put them back; if \
                 only {path} is damaged, restore it from a copy."
            ))
        }),
        Err(StorageError::NotFound) => Err(Refusal::Corrupt(format!(
            "{path} is missing beside {LOG_PATH}: files of the data directory were removed. Restore it from a copy."
        ))),
        Err(error) => Err(Refusal::Storage(error)),
    }
}

fn check_empty(storage: &mut dyn Storage) -> Result<(), Refusal> {
    let names = storage.list("")?;
    if let Some(data) = names.iter().find(|name| matches!(name.as_str(), "journal" | "topics")) {
        return Err(Refusal::Corrupt(format!(
            "{LOG_PATH} is missing, but there is {data}/: all topics are at stake, so the directory is not formatted. Restore \
             metadata/ from a copy, or use an empty directory."
        )));
    }
    if let Some(foreign) = names.iter().find(|name| !NAMES_ALLOWED.contains(&name.as_str())) {
        return Err(Refusal::Unfit(format!(
            "the data directory holds something that is not Corelane's ({foreign}): it is not formatted. Use an empty \
             directory, or one that Corelane made."
        )));
    }
    Ok(())
}

fn format(parameters: &OpenParameters, entropy: &mut Prng) -> (Image, FormatRecord) {
    let identity = new_identity(parameters.machine, parameters.cluster_id.as_deref(), entropy);
    let level = FeatureLevelRecord { name: FEATURE.to_string(), level: FEATURE_LEVEL };
    let records = [Record::Format(identity.clone()), Record::FeatureLevel(level)];
    let (image, _) = Image::new().apply(&records).expect("the first records of a log");
    (image, identity)
}

/// M2, M4: the fresh file of this boot.
fn rewrite(storage: &mut dyn Storage, image: &Image, entropy: &mut Prng) -> Result<(LogFile, Space), Refusal> {
    for space in [Space::Free, Space::Ballast] {
        let (file, ops) = rewrite_ops(image, 0, space, entropy.next_u64());
        let (create, then) = ops.split_at(CREATE_OP + 1);
        match perform_all(storage, create) {
            Ok(()) => {
                perform_all(storage, then)?;
                return Ok((file, space));
            }
            Err(StorageError::Full) if space == Space::Free => {}
            Err(error) => return Err(Refusal::Storage(error)),
        }
    }
    unreachable!("the second attempt ends either way")
}

/// Makes or enlarges the ballast; gives its bytes. A full disk leaves the one that is there.
fn keep_ballast(storage: &mut dyn Storage, bytes: u64) -> Result<u64, Refusal> {
    let found = match storage.size(BALLAST_PATH) {
        Ok(found) if found >= bytes => return Ok(found),
        Ok(found) => found,
        Err(StorageError::NotFound) => 0,
        Err(error) => return Err(Refusal::Storage(error)),
    };
    match perform_all(storage, &ballast_ops(bytes)) {
        Ok(()) => Ok(bytes),
        Err(StorageError::Full) => Ok(found),
        Err(error) => Err(Refusal::Storage(error)),
    }
}
