//! After the faults stop, appends go on and the ring always drains (S8).

use crate::must;
use crate::outcome::Run;
use crate::world::{Regime, World};

const STEPS: u64 = 20_000;

/// Runs the healthy machine for a while; every core must take at least two rings of appends.
pub fn appends_go_on(world: &mut World) -> Run<()> {
    world.regime = Regime { io_percent: 70, step_us_max: 2000, calm: true };
    if world.history.partitions.is_empty() {
        return Ok(());
    }
    let before = world.appended_bytes;
    let ring = world.settings.journal_files as u64 * world.settings.journal_file_bytes;
    let mut steps = 0;
    while world.appended_bytes - before <= 2 * ring {
        world.step()?;
        steps += 1;
        let grown = world.appended_bytes - before;
        must!(steps < STEPS, "LIVELOCK: only {grown} bytes were appended in {STEPS} events, the ring has {ring}");
    }
    let quiet = world.settle(20_000, |world| {
        Ok(world.history.partitions.values().all(|partition| {
            partition.plain.is_empty()
                && partition.producers.iter().all(|p| p.unanswered.iter().all(|sent| sent.at.is_none()))
        }))
    })?;
    must!(quiet, "appended batches are never answered");
    Ok(())
}
