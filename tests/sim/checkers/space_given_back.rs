//! Deleted topics leave nothing behind and are forgotten in the end (S13); segments below the log start go.

use crate::must;
use crate::outcome::Run;
use crate::world::World;

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
