//! Loading the index of a segment that is not the newest: its chain of state blocks, newest first, back to a full one.

use crate::base::gather::Gather;
use crate::base::ids::TopicPartition;
use crate::base::storage::{BLOCK_BYTES, FileOp, block_ceil};
use crate::log::offset_index::{Run, RunRead};
use crate::log::opening::{decode_block, read_op};
use crate::log::segment::{BlockAt, StateBlock};
use bytes::Bytes;

/// Blocks so far, newest first, and the one that is being read.
#[derive(Debug)]
pub(super) struct IndexLoad {
    chain: Vec<StateBlock>,
    at: BlockAt,
}

impl IndexLoad {
    /// Begins with the segment's newest block.
    pub(super) fn new(newest: BlockAt) -> IndexLoad {
        IndexLoad { chain: Vec::new(), at: newest }
    }

    /// The next read.
    pub(super) fn op(&self, path: String) -> FileOp {
        read_op(path, self.at)
    }

    /// Takes what was read: the whole index, or `None` while another block is to be read.
    pub(super) fn take(&mut self, data: &[u8], partition: TopicPartition) -> Result<Option<Vec<Run>>, String> {
        let block = decode_block(data, self.at, partition);
        let block = block.ok_or_else(|| format!("rotten state block at {}", self.at.position))?;
        let (full, back) = (block.full, block.back);
        self.chain.push(block);
        if let (false, Some(back)) = (full, back) {
            self.at = back;
            return Ok(None);
        }
        Ok(Some(self.chain.iter().rev().flat_map(|block| block.runs.iter().copied()).collect()))
    }
}

/// Reads the blocks around some runs.
pub(super) fn runs_op(path: String, runs: &RunRead) -> FileOp {
    let (position, bytes) = runs.range();
    let offset = position / BLOCK_BYTES * BLOCK_BYTES;
    FileOp::Read { path, offset, bytes: block_ceil(position + bytes) - offset }
}

/// Cuts the wanted batches of some runs out of what was read, checked.
pub(super) fn cut_runs(runs: &RunRead, data: &Bytes) -> Result<Gather, String> {
    let (position, bytes) = runs.range();
    let start = (position % BLOCK_BYTES) as usize;
    let rotten = || format!("rotten batches in [{position}, {})", position + bytes);
    data.get(start..start + bytes as usize).ok_or_else(rotten)?;
    runs.finish(&data.slice(start..start + bytes as usize)).map_err(|_| rotten())
}
