//! Deleted topics leave nothing behind and are forgotten in the end (S13); segments below the log start go.

use crate::disk::is_journal;
use crate::must;
use crate::outcome::Run;
use crate::world::World;
use corelane::base::limits::OFFLINE_JOURNAL_FILES_MAX;

const STEPS: u64 = 6000;

/// The machine is healthy: goes on until every deleted topic is forgotten.
pub fn deleted_topics_are_forgotten(world: &mut World) -> Run<()> {
    for _ in 0..STEPS {
        if world.history.deleted.is_empty() {
            break;
        }
        world.step()?;
    }
    must!(
        world.history.deleted.is_empty(),
        "deleted topics are never forgotten: {:?}, forgotten by core: {:?}",
        world.history.deleted,
        world.cores.iter().map(|core| core.forgotten.clone()).collect::<Vec<_>>()
    );
    for topic in world.history.forgotten.clone() {
        let dir = format!("topics/{topic}");
        must!(!world.disk.names_anything(&dir), "{topic} is forgotten, {dir} is there");
    }
    Ok(())
}

/// The machine is healthy: goes on until no segment lies wholly below its partition's log start (but the newest).
pub fn deleted_records_are_given_back(world: &mut World) -> Run<()> {
    let mut left = Vec::new();
    for _ in 0..STEPS {
        left = segments_below_log_start(world);
        if left.is_empty() {
            return Ok(());
        }
        for _ in 0..50 {
            world.step()?;
        }
    }
    must!(left.is_empty(), "segments below the log start stay: {left:?}");
    Ok(())
}

fn segments_below_log_start(world: &World) -> Vec<String> {
    let files = world.disk.files();
    let mut left = Vec::new();
    for partition in world.history.partitions.values().filter(|partition| !partition.offline) {
        let dir = format!("topics/{}/{}/", partition.id.topic, partition.id.partition);
        let here: Vec<&String> = files.iter().filter(|path| path.starts_with(&dir)).collect();
        for pair in here.windows(2) {
            // A segment ends where the next one begins.
            let end: i64 = pair[1][dir.len()..].trim_end_matches(".segment").parse().expect("named by its base offset");
            if end <= partition.log_start_answered {
                left.push(pair[0].clone());
            }
        }
    }
    left
}

/// However many crashes there were: a core's journal has a bounded number of files (S12), those of offline partitions aside.
pub fn journal_is_bounded(world: &mut World) -> Run<()> {
    let held = if world.offline_has_cause() || world.history.offline_seen { OFFLINE_JOURNAL_FILES_MAX } else { 0 };
    let max = 2 * world.settings.journal_files + 2 + held;
    for core in 0..world.cores.len() {
        let dir = format!("journal/{}/{core}/", world.generation);
        let files = world.disk.files().iter().filter(|path| path.starts_with(&dir) && is_journal(path)).count();
        must!(files <= max, "S12: {dir} has {files} journal files, at most {max} are right");
    }
    Ok(())
}
