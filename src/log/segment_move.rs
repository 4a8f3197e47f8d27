//! Planning a move: a partition's flushed tail becomes extents and state blocks in segment files.
//!
//! Pure: [`plan`] looks at a `Log` and gives file operations and what will be true when they have succeeded; [`apply`] makes it
//! true. Between the two nothing of the plan is visible, so a failed write leaves no trace in memory.
//!
//! When retention has taken everything up to the log end, the last segments stand only for the state behind their records: a segment of
//! nothing but that state takes their place, on the same way (S7, S10).

use crate::base::gather::Gather;
use crate::base::limits::{CHUNK_BYTES_MAX, STATE_BLOCK_EVERY_BYTES, STATE_CHAIN_MAX};
use crate::base::offset::{LeaderEpoch, Offset};
use crate::base::storage::{BLOCK_BYTES, FileOp, block_ceil, filler};
use crate::log::log::Log;
use crate::log::offset_index::{self, RUN_BYTES, Run};
use crate::log::producer_state::{PRODUCER_BYTES_MAX, Producers};
use crate::log::segment::{self, BlockAt, EXTENT_HEADER_BYTES, ExtentHeader, Segment, StateBlockSource};
use crate::log::span::{self, Span};
use crate::log::tail::TailBatch;
use crate::wire::record_batch;
use bytes::Bytes;

/// What one extent adds to a segment.
#[derive(Debug)]
struct Growth {
    base: Offset,
    new_segment: bool,
    end: Offset,
    file_bytes: u64,
    block: BlockAt,
    runs: Vec<Run>,
    spans: Vec<Span>,
    full: bool,
    bytes: u64,
}

/// A planned move of one partition.
#[derive(Debug)]
pub struct Move {
    /// To be performed in order.
    pub ops: Vec<FileOp>,
    growths: Vec<Growth>,
    /// Segments that hold nothing that is still wanted: they go, and a growth takes their place.
    replaced: Vec<Offset>,
    producers: Producers,
    now_ms: u64,
}

impl Move {
    fn new(producers: Producers, context: MoveContext) -> Move {
        Move { ops: Vec::new(), growths: Vec::new(), replaced: Vec::new(), producers, now_ms: context.now_ms }
    }
}

/// Who moves, and when.
#[derive(Clone, Copy, Debug)]
pub struct MoveContext {
    /// This boot.
    pub boot: u32,
    /// Monotonic.
    pub now_ms: u64,
}

/// Segment being filled while a plan is made.
struct Target {
    base: Offset,
    new: bool,
    file_bytes: u64,
    block: Option<BlockAt>,
    deltas: u32,
    bytes_since_full: u64,
}

impl Target {
    fn fresh(base: Offset) -> Target {
        Target { base, new: true, file_bytes: 0, block: None, deltas: 0, bytes_since_full: 0 }
    }

    /// The log's newest segment if this boot began it and it is neither full nor too old; else a new one (S5).
    fn choose(log: &Log, base: Offset, now_ms: u64) -> Target {
        let usable = |segment: &&Segment| {
            let young = |begun: u64| now_ms.saturating_sub(begun) < log.settings.segment_ms;
            segment.begun_ms.is_some_and(young) && segment.file_bytes < log.settings.segment_bytes
        };
        log.segments.last().filter(usable).map_or(Target::fresh(base), |segment| Target {
            base: segment.base,
            new: false,
            file_bytes: segment.file_bytes,
            block: Some(segment.block),
            deltas: segment.deltas,
            bytes_since_full: segment.bytes_since_full,
        })
    }
}

/// Plans the move of everything that may be moved. The log is open and has something to move.
/// `doomed` names segment files of the partition that wait for their removal.
pub fn plan(log: &Log, context: MoveContext, doomed: &[String]) -> Move {
    let state = log.open_state().expect("opened before the move");
    let movable = log.movable_end();
    let batches = log.tail.pinned_until(movable);
    assert!(!batches.is_empty(), "only partitions with something to move are planned");
    let mut plan = Move::new(state.moved.clone(), context);
    if !log.cleaned {
        plan_clean(log, doomed, &mut plan.ops);
    }
    let mut target = Target::choose(log, batches[0].base, context.now_ms);
    let mut rest = &batches[..];
    while !rest.is_empty() {
        let count = fitting(rest, &target, log.settings.segment_bytes);
        if count == 0 {
            target = Target::fresh(rest[0].base);
            continue;
        }
        let (extent, later) = rest.split_at(count);
        let sealed = later.first().is_some_and(|next| is_full_after(&target, extent, next, log.settings.segment_bytes));
        plan_extent(log, context, &mut target, extent, sealed, &mut plan);
        rest = later;
    }
    plan
}

/// A segment file of one block is not worth replacing.
const SPENT_BYTES_MIN: u64 = 2 * BLOCK_BYTES;

/// True if the log start has passed all records, and segments could go but for the state that the newest one holds.
pub fn is_spent(log: &Log) -> bool {
    let end = log.log_end();
    let bytes: u64 = log.segments.iter().map(|segment| segment.file_bytes).sum();
    let replaceable = log.segments.last().is_some_and(|newest| newest.base < place_of_state(end).0);
    log.log_start == end && log.movable_end() == end && replaceable && bytes > SPENT_BYTES_MIN
}

/// What a segment of nothing but state claims to hold: the last offset before the end, which is below the log start. So its name is not
/// that of the segment that the next record begins (S5), and it holds something as every segment does.
fn place_of_state(end: Offset) -> (Offset, Offset) {
    (Offset(end.0 - 1), end)
}

/// Plans a segment that takes the place of all of a spent log: nothing but the partition's state, as of the log end. What was only in the
/// journal needs no place of its own any more.
pub fn plan_replacement(log: &Log, context: MoveContext, doomed: &[String]) -> Move {
    assert!(is_spent(log), "nothing of it is wanted");
    let state = log.open_state().expect("opened before");
    let mut plan = Move::new(state.moved.clone(), context);
    if !log.cleaned {
        plan_clean(log, doomed, &mut plan.ops);
    }
    let batches = log.tail.pinned_until(log.log_end());
    for batch in &batches {
        let header = record_batch::parse_header(&batch.bytes).expect("checked when it was appended");
        plan.producers.note(&header, batch.base);
    }
    let (base, end) = place_of_state(log.log_end());
    let epochs = (LeaderEpoch(-1), LeaderEpoch(-1));
    let header = ExtentHeader { boot: context.boot, partition: log.partition, base, end, epochs, filler: 0, bytes: 0 };
    let mut all = Gather::with_capacity(2);
    all.push(header.encode());
    let mut target = Target::fresh(base);
    let block = encode_block(log, context, &target, &plan, (end, &[], true, Vec::new()));
    target.block = Some(BlockAt { position: all.len() as u64, bytes: block.len() as u32 });
    all.push(block);
    plan.growths.push(Growth {
        base,
        new_segment: true,
        end,
        file_bytes: block_ceil(all.len() as u64),
        block: target.block.expect("just placed"),
        runs: Vec::new(),
        spans: span::join(&batches),
        full: true,
        bytes: 0,
    });
    plan.ops.push(FileOp::CreateNew(segment::path(log.partition, base), all));
    plan.replaced = log.segments.iter().map(|segment| segment.base).collect();
    plan
}

/// First move in this boot: directory, and files that no checkpoint names go away (S18).
fn plan_clean(log: &Log, doomed: &[String], ops: &mut Vec<FileOp>) {
    let dir = segment::dir(log.partition);
    let named = log.segments.iter().map(|segment| segment::name(segment.base));
    let keep = named.chain(doomed.iter().cloned()).collect();
    ops.push(FileOp::CreateDirs(dir.clone()));
    ops.push(FileOp::UnlinkExcept { dir: dir.clone(), suffix: ".segment", keep });
    ops.push(FileOp::SyncDir(dir));
}

/// True if the segment has no room for `next` once the extent is in it.
fn is_full_after(target: &Target, extent: &[&TailBatch], next: &TailBatch, segment_bytes: u64) -> bool {
    let extent_bytes: usize = extent.iter().map(|batch| batch.bytes.len()).sum();
    target.file_bytes + (2 * EXTENT_HEADER_BYTES + extent_bytes + next.bytes.len()) as u64 > segment_bytes
}

/// How many batches make the next extent: as many as the segment and one chunk take. A new segment takes at least one.
fn fitting(batches: &[&TailBatch], target: &Target, segment_bytes: u64) -> usize {
    let mut bytes = target.file_bytes + EXTENT_HEADER_BYTES as u64;
    let mut count = 0;
    for batch in batches {
        bytes += batch.bytes.len() as u64;
        let segment_full = bytes > segment_bytes && !(target.new && count == 0);
        let chunk_full = bytes - target.file_bytes > CHUNK_BYTES_MAX as u64 && count > 0;
        if segment_full || chunk_full {
            break;
        }
        count += 1;
    }
    count
}

static ZEROS: Bytes = Bytes::from_static(&[0; BLOCK_BYTES as usize]);

fn plan_extent(
    log: &Log,
    context: MoveContext,
    target: &mut Target,
    batches: &[&TailBatch],
    sealed: bool,
    plan: &mut Move,
) {
    let (base, end) = (batches[0].base, batches[batches.len() - 1].end);
    let mut runs = Vec::new();
    let mut epochs = (LeaderEpoch(-1), LeaderEpoch(-1));
    let mut producer_ids = Vec::with_capacity(batches.len());
    let spans = span::join(batches);
    let filler = filler(&spans[0].bytes, target.file_bytes + EXTENT_HEADER_BYTES as u64);
    let first = target.file_bytes + (EXTENT_HEADER_BYTES + filler) as u64;
    let mut position = first;
    for (index, batch) in batches.iter().enumerate() {
        let header = record_batch::parse_header(&batch.bytes).expect("checked when it was appended");
        let at = u32::try_from(position).expect("segments are below 4 GiB");
        offset_index::note(&mut runs, batch.base, at, &batch.bytes, index == 0);
        plan.producers.note(&header, batch.base);
        producer_ids.push(header.producer_id);
        epochs =
            (if index == 0 { LeaderEpoch(header.leader_epoch) } else { epochs.0 }, LeaderEpoch(header.leader_epoch));
        position += batch.bytes.len() as u64;
    }
    let bytes = position - first;
    let (boot, partition, filler) = (context.boot, log.partition, filler as u32);
    let header = ExtentHeader { boot, partition, base, end, epochs, filler, bytes };
    let mut all = Gather::with_capacity(spans.len() + 4);
    all.push(header.encode());
    all.push(ZEROS.slice(..filler as usize));
    spans.iter().for_each(|span| all.push(span.bytes.clone()));
    all.push(ZEROS.slice(..all.len().next_multiple_of(8) - all.len()));
    let block_position = target.file_bytes + all.len() as u64;
    let full = target.new
        || sealed
        || target.deltas + 1 >= STATE_CHAIN_MAX
        || target.bytes_since_full + bytes >= STATE_BLOCK_EVERY_BYTES
        || full_block_bytes(log, target, plan, runs.len()) * CHEAP_BLOCK_DIVISOR <= bytes;
    let block = encode_block(log, context, target, plan, (end, &runs, full, producer_ids));
    let block_at = BlockAt { position: block_position, bytes: block.len() as u32 };
    all.push(block);
    let file_bytes = block_ceil(target.file_bytes + all.len() as u64);
    let path = segment::path(log.partition, target.base);
    plan.ops.push(match target.new {
        true => FileOp::CreateNew(path, all),
        false => FileOp::Write { path, offset: target.file_bytes, data: all },
    });
    let (base, new_segment) = (target.base, target.new);
    let growth = Growth { base, new_segment, end, file_bytes, block: block_at, runs, spans, full, bytes };
    target.new = false;
    target.file_bytes = file_bytes;
    target.block = Some(block_at);
    (target.deltas, target.bytes_since_full) =
        if full { (0, 0) } else { (target.deltas + 1, target.bytes_since_full + bytes) };
    plan.growths.push(growth);
}

/// About how large a full block would be. Where that is little beside the extent it is written every time, so that opening the
/// partition takes one read.
fn full_block_bytes(log: &Log, target: &Target, plan: &Move, new_runs: usize) -> u64 {
    let known = log.segments.iter().rev().find(|segment| segment.base == target.base);
    let known = known.and_then(|segment| segment.runs.as_ref()).map_or(0, Vec::len);
    let planned = plan.growths.iter().filter(|growth| growth.base == target.base);
    let runs = known + new_runs + planned.map(|growth| growth.runs.len()).sum::<usize>();
    (runs * RUN_BYTES + plan.producers.len() * PRODUCER_BYTES_MAX) as u64
}

/// A full block is cheap up to this share of its extent.
const CHEAP_BLOCK_DIVISOR: u64 = 16;

/// The state at the extent's end (S10). A full block repeats the index of the whole segment.
fn encode_block(
    log: &Log,
    context: MoveContext,
    target: &Target,
    plan: &Move,
    extent: (Offset, &[Run], bool, Vec<i64>),
) -> Bytes {
    let (end, runs, full, producer_ids) = extent;
    let mut all_runs: Vec<Run> = Vec::new();
    if full {
        let known = log.segments.iter().find(|segment| segment.base == target.base);
        all_runs.extend(known.iter().flat_map(|segment| segment.runs.iter().flatten()));
        let planned = plan.growths.iter().filter(|growth| growth.base == target.base);
        all_runs.extend(planned.flat_map(|growth| growth.runs.iter()));
    }
    all_runs.extend_from_slice(runs);
    let epochs = log.open_state().expect("open").epochs.below(end);
    let source = StateBlockSource {
        full,
        partition: log.partition,
        boot: context.boot,
        end,
        back: if full { None } else { target.block },
        runs: &all_runs,
        epochs: &epochs,
        producers: &plan.producers,
        producer_ids: if full { plan.producers.ids() } else { producer_ids },
    };
    source.encode()
}

/// The plan's writes have completed: the segments exist, the moved batches are a cache from now on. Calls `moved` with end and
/// cost of each span; gives the segments that are gone.
pub fn apply(log: &mut Log, plan: Move, mut moved: impl FnMut(Offset, usize)) -> Vec<Offset> {
    log.segments.retain(|segment| !plan.replaced.contains(&segment.base));
    for growth in plan.growths {
        if growth.new_segment {
            log.segments.push(Segment {
                base: growth.base,
                end: growth.base,
                file_bytes: 0,
                block: growth.block,
                max_timestamp: i64::MIN,
                runs: Some(Vec::new()),
                deltas: 0,
                bytes_since_full: 0,
                begun_ms: Some(plan.now_ms),
            });
        }
        let segment = log.segments.last_mut().expect("the segment being filled");
        assert_eq!(segment.base, growth.base);
        segment.end = growth.end;
        segment.file_bytes = growth.file_bytes;
        segment.block = growth.block;
        let newest = growth.runs.iter().map(|run| run.max_timestamp).max();
        segment.max_timestamp = newest.map_or(segment.max_timestamp, |newest| segment.max_timestamp.max(newest));
        segment.runs.as_mut().expect("segments of this boot keep their index").extend(growth.runs);
        (segment.deltas, segment.bytes_since_full) =
            if growth.full { (0, 0) } else { (segment.deltas + 1, segment.bytes_since_full + growth.bytes) };
        log.tail.unpin(growth.spans, &mut moved);
    }
    log.cleaned = true;
    log.open_state_mut().expect("open").moved = plan.producers;
    plan.replaced
}
