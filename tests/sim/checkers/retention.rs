//! Retention takes what is too old or too much, by whole segments, and nothing else; what is due goes.

use crate::history::Partition;
use crate::must;
use crate::outcome::Run;
use crate::world::World;
use corelane::base::ids::TopicPartition;
use corelane::log::core_log::Retention;

const STEPS: u64 = 400;

/// Judges a move of the log start from `before` to `to`: legal by some retention that was ever asked for.
pub fn of_move(world: &mut World, core: usize, id: TopicPartition, to: i64) -> Run<()> {
    let Some(offsets) = world.cores[core].log.offsets(id) else { return Ok(()) };
    must!(to <= offsets.high_watermark.0, "R1: {id}: retention moved the log start to {to}: {offsets:?}");
    let kept: u64 = segments(world, id).iter().filter(|(base, _)| *base >= to).map(|(_, bytes)| bytes).sum();
    let wall_ms = world.now().wall_ms;
    let Some(partition) = world.history.partition(id) else { return Ok(()) };
    // After a crash it may do again what was lost.
    let before = partition.log_start_requested.min(to);
    let gone = || partition.promised.range(before..to).map(|(_, promised)| partition.contents[&promised.value]);
    let kept = kept + partition.bytes_from(to) + partition.unanswered_bytes();
    let legal = |retention: &Retention| {
        let old = retention.ms.is_some_and(|ms| gone().all(|one| wall_ms - one.timestamp_ms > ms as i64));
        old || retention.bytes.is_some_and(|bytes| kept >= bytes)
    };
    must!(
        partition.retentions.iter().any(legal),
        "R2: {id}: retention took [{before}, {to}) of {offsets:?}, {kept} bytes are left: {:?}",
        partition.retentions
    );
    Ok(())
}

/// The machine is healthy: goes on until nothing is left that its topic does not keep so long.
pub fn old_segments_go(world: &mut World) -> Run<()> {
    let mut left = Vec::new();
    for _ in 0..STEPS {
        left = old_segments(world);
        if left.is_empty() {
            return Ok(());
        }
        world.pass_time(50_000_000)?;
        for _ in 0..20 {
            world.step()?;
        }
    }
    must!(left.is_empty(), "R2: segments that are too old stay: {left:?}");
    Ok(())
}

fn old_segments(world: &mut World) -> Vec<String> {
    let image = world.catalog().log.image().clone();
    let ids: Vec<TopicPartition> = world.history.partitions.values().map(|partition| partition.id).collect();
    let mut left = Vec::new();
    for id in ids {
        let Some(topic) = image.topic(id.topic) else { continue };
        let Some(ms) = world.catalog().retention(topic).ms else { continue };
        let limit = world.now().wall_ms - ms as i64;
        let segments = segments(world, id);
        let core = world.core_of(id);
        let Some(offsets) = world.cores[core].log.offsets(id) else { continue };
        let partition: &Partition = world.partition(id);
        if partition.offline {
            continue;
        }
        let mut from = offsets.log_start.0;
        let ends = segments.iter().map(|(base, _)| *base).filter(|base| *base > from).collect::<Vec<_>>();
        let all = partition.promised_end() == offsets.log_end.0 && offsets.high_watermark == offsets.log_end;
        for end in ends.into_iter().chain(all.then_some(offsets.log_end.0)) {
            let mut inside = partition.promised.range(from..end).peekable();
            let known = inside.peek().is_some();
            if !known || inside.any(|(_, one)| partition.contents[&one.value].timestamp_ms >= limit) {
                break;
            }
            left.push(format!("{id}: [{from}, {end})"));
            from = end;
        }
    }
    left
}

/// Base offset and bytes of a partition's segment files.
fn segments(world: &World, id: TopicPartition) -> Vec<(i64, u64)> {
    let dir = format!("topics/{}/{}/", id.topic, id.partition);
    let files = world.disk.files().into_iter().filter(|path| path.starts_with(&dir));
    let segment = |path: String| {
        let base = path[dir.len()..].trim_end_matches(".segment").parse().expect("named by its base offset");
        (base, world.disk.content(&path).map_or(0, |content| content.len() as u64))
    };
    files.map(segment).collect()
}
