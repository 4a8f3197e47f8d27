//! Recovery of a core and the opening of its partitions, with one file of the data directory changed: it goes on without that
//! file's records or refuses with a reason, and never panics.

use crate::directory::Directory;
use crate::engine::{Target, magnitude, outcome};
use crate::frames::{mend_checkpoint, mend_journal};
use corelane::base::ids::CoreId;
use corelane::base::offset::Durability;
use corelane::log::core_log::{CoreIdentity, CoreLog, KnownTopics, LogSettings, PartitionSettings, Refusal, Retention};
use corelane::metadata::image::Image;
use corelane::metadata::log::frame;
use std::time::Duration;

const SETTINGS: LogSettings = LogSettings {
    journal_files: 4,
    journal_file_bytes: 16 * 1024,
    journal_zeroed: false,
    journal_accept_loss: false,
    tail_cache_bytes: 1 << 20,
    retention_check_ms: 1_000,
};

fn image(directory: &Directory) -> Image {
    let scanned = frame::scan(&directory.files["metadata/log"]).expect("legal");
    let image = Image::from_snapshot(&scanned.snapshot, scanned.snapshot_end_offset).expect("legal");
    image.apply(&scanned.records).expect("legal").0
}

fn known_topics(image: &Image, core: CoreId) -> KnownTopics {
    let settings = PartitionSettings {
        durability: Durability::Disk,
        segment_bytes: 1 << 20,
        segment_ms: 1 << 30,
        retention: Retention::default(),
    };
    let mut known = KnownTopics { deleted: image.deleted().clone(), ..KnownTopics::default() };
    for topic in image.topics().iter() {
        known.live.insert(topic.id);
        let here = topic.partition_ids().zip(&topic.partitions).filter(|(_, one)| one.core(image.cores()) == core);
        known.partitions.extend(here.map(|(id, _)| (id, settings)));
    }
    known
}

/// How many records each core has after a start, or why it does not start.
fn start(image: &Image, directory: &Directory, accept_loss: bool) -> Vec<Result<i64, String>> {
    let cores = (0..image.cores()).map(|core| {
        let topics = known_topics(image, CoreId(core));
        let identity =
            CoreIdentity { generation: image.generation(), core, boot: image.boot() + 1, seed: 5, accept_loss };
        let words = |refusal: Refusal| match refusal {
            Refusal::Corrupt(why) => why,
            Refusal::Storage(error) => format!("{error:?}"),
        };
        // A change of the number of cores reads everything, a start only what it has to.
        let drained = CoreLog::drain(&mut directory.clone(), identity.clone(), &topics, 1).map_err(words);
        if let Err(why) = &drained {
            assert!(!why.is_empty());
        }
        let core = CoreLog::recover(&mut directory.clone(), identity, SETTINGS, &topics, 1).map_err(words)?;
        core.check();
        let ends = topics.partitions.iter().filter_map(|(partition, _)| core.offsets(*partition));
        Ok(ends.map(|offsets| offsets.log_end.0).sum())
    });
    cores.collect()
}

#[test]
fn recovery() {
    let directory = Directory::of_corpus();
    let image = image(&directory);
    let untouched = start(&image, &directory, false);
    assert_eq!(untouched, [Ok(32), Ok(30)], "the directory of the corpus opens with all its records");
    let paths: Vec<String> = directory.files.keys().filter(|path| !path.starts_with("metadata/")).cloned().collect();
    let corpus = paths.iter().zip(0..).map(|(path, index)| [&[index as u8][..], &directory.files[path]].concat());
    Target {
        name: "recovery",
        rounds: 4_000,
        longest: Duration::from_secs(2),
        corpus: corpus.collect(),
        mend: &|input, prng| {
            let Some((index, file)) = input.split_first_mut() else { return };
            let path = &paths[usize::from(*index) % paths.len()];
            if prng.percent(80) && path.ends_with(".journal") {
                mend_journal(file);
            } else if prng.percent(90) && path.contains("checkpoint") {
                mend_checkpoint(file);
            }
        },
        judge: &|input| {
            let Some((index, file)) = input.split_first() else { return 0 };
            let path = &paths[usize::from(*index) % paths.len()];
            let mut changed = directory.clone();
            changed.files.insert(path.clone(), file.to_vec());
            let outcomes = [false, true].map(|accept_loss| {
                let started = start(&image, &changed, accept_loss);
                started.into_iter().map(|one| one.map_err(|why| magnitude(why.len()))).collect::<Vec<_>>()
            });
            outcome(outcomes)
        },
    }
    .run();
}
