//! Opening a partition: reading the chain of state blocks of its newest segment, newest first, back to the last full one.

use crate::base::ids::TopicPartition;
use crate::base::storage::{BLOCK_BYTES, FileOp, FilesDone, Storage, block_ceil};
use crate::log::core_log::{CoreLog, Openness, Purpose};
use crate::log::effect::{LogEffect, LogNotice};
use crate::log::log::{Log, LogState};
use crate::log::segment::{self, BlockAt, StateBlock};

/// Reads whole blocks around a state block.
pub(super) fn read_op(path: String, at: BlockAt) -> FileOp {
    let offset = at.position / BLOCK_BYTES * BLOCK_BYTES;
    FileOp::Read { path, offset, bytes: block_ceil(at.position + u64::from(at.bytes)) - offset }
}

/// Cuts the state block out of what was read; `None` is rot.
pub(super) fn decode_block(data: &[u8], at: BlockAt, partition: TopicPartition) -> Option<StateBlock> {
    let start = (at.position % BLOCK_BYTES) as usize;
    let block = StateBlock::decode(data.get(start..start + at.bytes as usize)?)?;
    (block.partition == partition && block.back.is_none_or(|back| back.position < at.position)).then_some(block)
}

/// Loads a partition's state with blocking reads (draining at start). `Err` says what is rotten.
pub(super) fn open_blocking(storage: &mut dyn Storage, log: &mut Log) -> Result<(), String> {
    let mut chain: Vec<StateBlock> = Vec::new();
    let newest = log.segments.last().map(|segment| (segment::path(log.partition, segment.base), segment.block));
    if let Some((path, block)) = newest {
        let mut next = Some(block);
        while let Some(at) = next {
            let data = storage.perform(&read_op(path.clone(), at)).map_err(|error| format!("{path}: {error:?}"))?;
            let data = data.expect("a read gives bytes");
            let block = decode_block(&data, at, log.partition)
                .ok_or_else(|| format!("{path}: rotten state block at {}", at.position))?;
            next = if block.full { None } else { block.back };
            chain.push(block);
        }
        if !chain.last().is_some_and(|block| block.full) {
            return Err(format!("{path}: no full state block in the chain"));
        }
    }
    log.finish_opening(chain);
    Ok(())
}

impl CoreLog {
    /// Asks for the partition's state; starts loading when it is not in memory.
    pub fn open(&mut self, partition: TopicPartition) -> Openness {
        let Some(log) = self.logs.get_mut(&partition) else { return Openness::Unknown };
        match &log.state {
            LogState::Open(_) => Openness::Open,
            LogState::Opening(_) => Openness::Opening,
            LogState::Offline { .. } => Openness::Offline,
            LogState::Closed => {
                let Some(block) = log.segments.last().map(|segment| segment.block) else {
                    log.finish_opening(Vec::new());
                    return Openness::Open;
                };
                log.state = LogState::Opening(Vec::new());
                self.read_state(partition, block);
                Openness::Opening
            }
        }
    }

    /// Partitions that are offline, and why.
    pub fn offline(&self) -> impl Iterator<Item = (TopicPartition, &str)> {
        self.logs.iter().filter_map(|(partition, log)| match &log.state {
            LogState::Offline { why, .. } => Some((*partition, why.as_str())),
            _ => None,
        })
    }

    fn read_state(&mut self, partition: TopicPartition, at: BlockAt) {
        let base = self.logs[&partition].segments.last().expect("it has a block").base;
        let ops = vec![read_op(segment::path(partition, base), at)];
        let ticket = self.effects.ticket();
        self.purposes.insert(ticket, Purpose::Open(partition));
        self.effects.push(LogEffect::Files { ticket, ops });
    }

    /// One block of the chain was read.
    pub(super) fn handle_state_read(&mut self, partition: TopicPartition, done: FilesDone) {
        let Some(log) = self.logs.get_mut(&partition) else { return };
        let LogState::Opening(chain) = &mut log.state else { return };
        let newest = log.segments.last().expect("it has a block");
        let at = chain.last().map_or(Some(newest.block), |block| block.back).expect("a read was asked for");
        let data = match done.results.into_iter().next() {
            Some(Ok(Some(data))) => data,
            other => {
                return self.take_offline(partition, format!("reading the state block at {}: {other:?}", at.position));
            }
        };
        let path = segment::path(partition, newest.base);
        match decode_block(&data, at, partition) {
            None => self.take_offline(partition, format!("{path}: rotten state block at {}", at.position)),
            Some(block) if block.full => {
                let mut chain = std::mem::take(chain);
                chain.push(block);
                log.finish_opening(chain);
                self.notices.push_back(LogNotice::Opened { partition });
            }
            Some(block) => match block.back {
                Some(back) => {
                    chain.push(block);
                    self.read_state(partition, back);
                }
                None => self.take_offline(partition, format!("{path}: no full state block before {}", at.position)),
            },
        }
    }

    /// The partition is unusable until restart (S7, S18).
    pub(super) fn take_offline(&mut self, partition: TopicPartition, why: String) {
        let Some(mut log) = self.logs.remove(&partition) else { return };
        if !log.is_offline() {
            self.forget_memory(&log);
            log.take_offline(why.clone());
            self.notices.push_back(LogNotice::Offline { partition, why });
        }
        self.logs.insert(partition, log);
    }
}
