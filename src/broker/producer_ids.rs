//! Producer ids of one core: a block from the controller, handed out one by one.

use std::collections::VecDeque;
use std::ops::Range;

use crate::broker::api::Context;

/// Ids in hand, and requests that wait for the next block. Lives on its core.
#[derive(Debug, Default)]
pub(super) struct ProducerIds {
    block: Range<i64>,
    waiting: VecDeque<Context>,
    asked: bool,
}

impl ProducerIds {
    /// The next id, if one is in hand.
    pub(super) fn next(&mut self) -> Option<i64> {
        self.block.next()
    }

    /// Waits for a block. True if the controller is to be asked for one.
    pub(super) fn wait(&mut self, context: Context) -> bool {
        assert!(self.block.is_empty());
        self.waiting.push_back(context);
        !std::mem::replace(&mut self.asked, true)
    }

    /// The controller's answer: a block, or none. Gives the requests that waited; those beyond the block wait again.
    pub(super) fn answered(&mut self, block: Option<Range<i64>>) -> VecDeque<Context> {
        self.asked = false;
        if let Some(block) = block {
            assert!(self.block.is_empty());
            self.block = block;
        }
        std::mem::take(&mut self.waiting)
    }
}
