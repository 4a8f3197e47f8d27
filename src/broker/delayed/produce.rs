//! Produce requests that wait for the high watermark to pass what they appended.
//!
//! While it waits, the parked answer of a partition is the pessimistic one (REQUEST_TIMED_OUT), and becomes a success when
//! the high watermark gets there; so a timeout has nothing to find out.
//!
//! Invariants: (I1) `waiting` is the number of this request's waiters; (I2) no waiter stays at or below its partition's high
//! watermark.

use crate::base::clock::Now;
use crate::base::error_code::ErrorCode;
use crate::base::ids::TopicPartition;
use crate::base::limits::PRODUCE_WAIT_MS_MIN;
use crate::base::map::Map;
use crate::base::offset::Offset;
use crate::broker::api::Context;
use crate::broker::forwarding::PartAnswer;
use crate::broker::session::{Answer, AnswerSlot};
use crate::wire::produce::ProduceResponse;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// One appended batch whose answer waits for the high watermark.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::broker) struct ProduceWait {
    pub(in crate::broker) partition: TopicPartition,
    /// The high watermark has to reach this.
    pub(in crate::broker) end_offset: Offset,
    /// Where in the answer the partition is.
    pub(in crate::broker) topic_at: u32,
    pub(in crate::broker) partition_at: u32,
}

/// An answer under way.
#[derive(Debug)]
pub(in crate::broker) struct ParkedProduce {
    pub(in crate::broker) response: ProduceResponse,
    pub(in crate::broker) context: Context,
    pub(in crate::broker) timeout_ms: i32,
}

#[derive(Debug)]
struct Waiting {
    parked: ParkedProduce,
    deadline_ns: u64,
    waiting: usize,
}

/// Ordered by end offset first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Waiter {
    end_offset: Offset,
    answer: AnswerSlot,
    topic_at: u32,
    partition_at: u32,
}

/// A request that need not wait any longer, with its answer.
pub(in crate::broker) type Released = (AnswerSlot, Answer);

/// See the module.
#[derive(Debug, Default)]
pub(in crate::broker) struct DelayedProduce {
    requests: Map<AnswerSlot, Waiting>,
    waiters: Map<TopicPartition, BinaryHeap<Reverse<Waiter>>>,
}

impl DelayedProduce {
    /// Parks an answer until all of `waits` are over.
    pub(in crate::broker) fn park(&mut self, mut parked: ParkedProduce, waits: &[ProduceWait], now: Now) {
        let answer = parked.context.answer;
        assert!(!waits.is_empty());
        for wait in waits {
            let partition = &mut parked.response.topics[wait.topic_at as usize].partitions[wait.partition_at as usize];
            assert_eq!(partition.error_code, ErrorCode::None);
            partition.error_code = ErrorCode::RequestTimedOut;
            let waiter = Waiter {
                end_offset: wait.end_offset,
                answer,
                topic_at: wait.topic_at,
                partition_at: wait.partition_at,
            };
            self.waiters.entry(wait.partition).or_default().push(Reverse(waiter));
        }
        let wait_ms = u64::try_from(parked.timeout_ms).unwrap_or(0).max(PRODUCE_WAIT_MS_MIN);
        let deadline_ns = now.monotonic_ns + wait_ms * 1_000_000;
        let replaced = self.requests.insert(answer, Waiting { parked, deadline_ns, waiting: waits.len() });
        assert!(replaced.is_none());
    }

    /// The high watermark of a partition rose.
    pub(in crate::broker) fn advance(
        &mut self,
        partition: TopicPartition,
        high_watermark: Offset,
        released: &mut Vec<Released>,
    ) {
        let Some(waiters) = self.waiters.get_mut(&partition) else {
            return;
        };
        while waiters.peek().is_some_and(|Reverse(waiter)| waiter.end_offset <= high_watermark) {
            let Reverse(waiter) = waiters.pop().expect("peeked");
            settle(&mut self.requests, waiter, ErrorCode::None, released);
        }
    }

    /// Nothing will be acknowledged on this partition any more: deleted or offline.
    pub(in crate::broker) fn fail(&mut self, partition: TopicPartition, code: ErrorCode, released: &mut Vec<Released>) {
        for Reverse(waiter) in self.waiters.remove(&partition).unwrap_or_default().into_sorted_vec() {
            settle(&mut self.requests, waiter, code, released);
        }
    }

    /// Nothing will be acknowledged on this core any more.
    pub(in crate::broker) fn fail_all(&mut self, code: ErrorCode, released: &mut Vec<Released>) {
        let mut partitions: Vec<_> = self.waiters.keys().copied().collect();
        partitions.sort_unstable();
        for partition in partitions {
            self.fail(partition, code, released);
        }
        assert!(self.requests.is_empty(), "I1");
    }

    /// Answers what waited too long; forgets partitions that nobody waits for.
    pub(in crate::broker) fn expire(&mut self, now: Now, released: &mut Vec<Released>) {
        let mut late: Vec<_> = self
            .requests
            .iter()
            .filter(|(_, waiting)| waiting.deadline_ns <= now.monotonic_ns)
            .map(|(answer, _)| *answer)
            .collect();
        late.sort_unstable();
        for answer in late {
            let waiting = self.requests.remove(&answer).expect("just seen");
            released.push((answer, waiting.parked.complete()));
        }
        self.waiters.retain(|_, waiters| !waiters.is_empty());
    }

    /// Requests that wait.
    pub(in crate::broker) fn len(&self) -> usize {
        self.requests.len()
    }

    /// True if nothing waits, so that `expire` has nothing to do.
    pub(in crate::broker) fn is_idle(&self) -> bool {
        self.requests.is_empty() && self.waiters.is_empty()
    }

    /// Asserts the invariants. `high_watermark` of a partition that is there.
    pub(in crate::broker) fn check(&self, high_watermark: impl Fn(TopicPartition) -> Option<Offset>) {
        let mut counts: Map<AnswerSlot, usize> = Map::default();
        for (partition, waiters) in &self.waiters {
            for Reverse(waiter) in waiters {
                assert!(high_watermark(*partition).is_none_or(|reached| waiter.end_offset > reached), "I2");
                *counts.entry(waiter.answer).or_default() += 1;
            }
        }
        for (answer, waiting) in &self.requests {
            assert_eq!(counts.get(answer).copied(), Some(waiting.waiting), "I1");
        }
    }
}

impl ParkedProduce {
    /// The answer; partitions with an error have no offset.
    fn complete(mut self) -> Answer {
        for partition in self.response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            if partition.error_code != ErrorCode::None {
                partition.base_offset = -1;
                partition.log_start_offset = -1;
                partition.log_append_time_ms = -1;
            }
        }
        self.context.complete(PartAnswer::Produce(self.response))
    }
}

/// One of a request's waits is over. The request may be gone: it was answered at its timeout.
fn settle(requests: &mut Map<AnswerSlot, Waiting>, waiter: Waiter, code: ErrorCode, released: &mut Vec<Released>) {
    let Some(waiting) = requests.get_mut(&waiter.answer) else {
        return;
    };
    let topic = &mut waiting.parked.response.topics[waiter.topic_at as usize];
    topic.partitions[waiter.partition_at as usize].error_code = code;
    waiting.waiting -= 1;
    if waiting.waiting == 0 {
        let waiting = requests.remove(&waiter.answer).expect("just seen");
        released.push((waiter.answer, waiting.parked.complete()));
    }
}
