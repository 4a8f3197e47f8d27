//! What clients know: every promise that was made to them, kept over crashes. The checkers compare it with what the log says.

use crate::batch::{Content, encode};
use bytes::BytesMut;
use corelane::base::ids::{TopicId, TopicPartition};
use corelane::base::offset::Durability;
use corelane::log::core_log::{PartitionSettings, Retention};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;

/// A batch that a client sent and has no answer for.
#[derive(Clone, Debug)]
pub struct Sent {
    pub content: Content,
    /// Where this run of the machine put it; nothing is known after a crash.
    pub at: Option<(i64, i64)>,
    /// It was sent before, in this run or an earlier one.
    pub sent_before: bool,
}

/// A batch whose value at its offset is promised.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Promised {
    pub end: i64,
    pub value: u64,
}

/// An idempotent producer of one partition.
#[derive(Debug)]
pub struct Producer {
    pub id: i64,
    pub next_sequence: i32,
    /// In order of sequence.
    pub unanswered: VecDeque<Sent>,
    /// The last answered batches with their base offsets, oldest first.
    pub answered: VecDeque<(Content, i64)>,
    /// Its last batches were lost, as class `device` or `memory` may: any answer is right (S20).
    pub half_lost: bool,
}

/// One partition's promises.
#[derive(Debug)]
pub struct Partition {
    pub id: TopicPartition,
    pub settings: PartitionSettings,
    /// Core of this run.
    pub core: usize,
    /// By base offset: answered to a producer or served to a reader.
    pub promised: BTreeMap<i64, Promised>,
    /// The same by value.
    pub places: BTreeMap<u64, i64>,
    /// Everything that was ever sent to this partition.
    pub contents: BTreeMap<u64, Content>,
    pub producers: Vec<Producer>,
    /// Without idempotence; each is sent once.
    pub plain: VecDeque<Sent>,
    /// Highest log start that was answered, and that was asked for.
    pub log_start_answered: i64,
    pub log_start_requested: i64,
    /// Every retention that was ever asked for.
    pub retentions: Vec<Retention>,
    /// Values whose truncation was answered: gone for ever.
    pub truncated: BTreeSet<u64>,
    /// Truncations asked for that may or may not have become durable.
    pub high_watermark: i64,
    /// It was opened in this run.
    pub opened: bool,
    /// Since it was last opened the machine crashed in a way that may cost this class data.
    pub may_have_lost: bool,
    pub offline: bool,
    /// End of the last read that was answered.
    pub read_end: i64,
}

impl Partition {
    pub fn new(id: TopicPartition, settings: PartitionSettings) -> Partition {
        Partition {
            id,
            settings,
            core: 0,
            promised: BTreeMap::new(),
            places: BTreeMap::new(),
            contents: BTreeMap::new(),
            producers: Vec::new(),
            plain: VecDeque::new(),
            log_start_answered: 0,
            log_start_requested: 0,
            retentions: vec![settings.retention],
            truncated: BTreeSet::new(),
            high_watermark: 0,
            opened: false,
            may_have_lost: false,
            offline: false,
            read_end: 0,
        }
    }

    /// End of everything promised.
    pub fn promised_end(&self) -> i64 {
        self.promised.last_key_value().map_or(0, |(_, promised)| promised.end)
    }

    /// Bytes of everything promised from an offset on.
    pub fn bytes_from(&self, offset: i64) -> u64 {
        self.promised.range(offset..).map(|(_, promised)| self.contents[&promised.value].bytes as u64).sum()
    }

    /// Bytes of everything that this run of the machine appended and has not answered.
    pub fn unanswered_bytes(&self) -> u64 {
        let sent = self.producers.iter().flat_map(|producer| producer.unanswered.iter()).chain(self.plain.iter());
        sent.filter(|sent| sent.at.is_some()).map(|sent| sent.content.bytes as u64).sum()
    }

    /// Promises a value, or finds that another one was promised there.
    pub fn promise(&mut self, base: i64, end: i64, value: u64) -> Result<(), String> {
        let new = Promised { end, value };
        match self.promised.insert(base, new) {
            Some(old) if old != new => return Err(format!("{} offset {base}: was {old:?}, is {new:?}", self.id)),
            Some(_) => return Ok(()),
            None => {}
        }
        if let Some((before, promised)) = self.promised.range(..base).next_back()
            && promised.end > base
        {
            return Err(format!("{} offset {base} {new:?} lies in {before} {promised:?}", self.id));
        }
        if let Some((after, promised)) = self.promised.range(base + 1..).next()
            && *after < end
        {
            return Err(format!("{} offset {base} {new:?} runs into {after} {promised:?}", self.id));
        }
        match self.places.insert(value, base) {
            Some(old) if old != base => Err(format!("{} value {value} stands at {old} and at {base}", self.id)),
            _ => Ok(()),
        }
    }

    /// Class `device` or `memory` lost everything from `end` on.
    pub fn forget_from(&mut self, end: i64) -> usize {
        let lost = self.promised.split_off(&end);
        for promised in lost.values() {
            self.places.remove(&promised.value);
        }
        for producer in &mut self.producers {
            let before = producer.answered.len();
            producer.answered.retain(|(_, base)| *base < end);
            producer.half_lost |= before != producer.answered.len();
        }
        lost.len()
    }

    /// The machine crashed: no answer will come, nothing is known about what was sent.
    pub fn crash(&mut self, power_cut: bool) {
        for producer in &mut self.producers {
            for sent in &mut producer.unanswered {
                sent.at = None;
            }
        }
        self.plain.clear();
        self.opened = false;
        self.offline = false;
        self.high_watermark = 0;
        self.may_have_lost |= match self.settings.durability {
            Durability::Disk => false,
            Durability::Device => power_cut,
            Durability::Memory => true,
        };
    }

    /// The high watermark passed: what lies below is answered, in order.
    pub fn answer_below(&mut self, high_watermark: i64) -> Result<u64, String> {
        let mut answered = Vec::new();
        for producer in &mut self.producers {
            while let Some((base, end)) = producer.unanswered.front().and_then(|sent| sent.at)
                && end <= high_watermark
            {
                let sent = producer.unanswered.pop_front().expect("looked at");
                answered.push((base, end, sent.content.value));
                producer.answered.push_back((sent.content, base));
                if producer.answered.len() > 5 {
                    producer.answered.pop_front();
                }
            }
        }
        while let Some((base, end)) = self.plain.front().and_then(|sent| sent.at)
            && end <= high_watermark
        {
            let sent = self.plain.pop_front().expect("looked at");
            answered.push((base, end, sent.content.value));
        }
        for (base, end, value) in &answered {
            self.promise(*base, *end, *value)?;
        }
        Ok(answered.len() as u64)
    }

    /// The log was cut at `end` (not below the high watermark): what was sent there has to be sent again.
    pub fn truncate(&mut self, end: i64) -> BTreeSet<u64> {
        for producer in &mut self.producers {
            for sent in &mut producer.unanswered {
                if sent.at.is_some_and(|(base, _)| base >= end) {
                    sent.at = None;
                }
            }
        }
        let cut = |sent: &Sent| sent.at.is_some_and(|(base, _)| base >= end);
        let gone = self.plain.iter().filter(|sent| cut(sent)).map(|sent| sent.content.value).collect();
        self.plain.retain(|sent| !cut(sent));
        gone
    }

    /// The batch as its client sends it.
    pub fn bytes_of(&self, content: &Content) -> BytesMut {
        encode(content)
    }
}

/// A topic that a client asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Creation {
    pub name: String,
    pub partitions: i32,
    pub durability: Durability,
}

/// All that the metadata log has to hold, and the promises.
#[derive(Debug, Default)]
pub struct History {
    pub partitions: BTreeMap<(TopicId, i32), Partition>,
    /// Asked for, not yet answered.
    pub creating: BTreeMap<TopicId, Creation>,
    pub deleting: BTreeSet<TopicId>,
    pub forgetting: BTreeSet<TopicId>,
    /// Deleted, and not yet forgotten by every core.
    pub deleted: BTreeSet<TopicId>,
    /// Deleted and forgotten: no file may name them.
    pub forgotten: BTreeSet<TopicId>,
    pub next_value: u64,
    /// Producer ids that were allocated durably and not yet given away, and the end of all that ever were.
    pub producer_ids: Range<i64>,
    pub producer_ids_end: i64,
    pub answered: u64,
    /// Some partition was offline in the run before: its frames may still be held.
    pub offline_seen: bool,
}

impl History {
    pub fn topics(&self) -> BTreeSet<TopicId> {
        self.partitions.keys().map(|(topic, _)| *topic).collect()
    }

    /// The deletion is durable: no promise is left.
    pub fn delete(&mut self, topic: TopicId) {
        self.partitions.retain(|(other, _), _| *other != topic);
        self.creating.remove(&topic);
        self.deleting.remove(&topic);
        self.deleted.insert(topic);
    }

    /// Its id may be unknown from now on.
    pub fn forget(&mut self, topic: TopicId) {
        self.forgetting.remove(&topic);
        self.deleted.remove(&topic);
        self.forgotten.insert(topic);
    }

    pub fn partition(&mut self, id: TopicPartition) -> Option<&mut Partition> {
        self.partitions.get_mut(&(id.topic, id.partition))
    }

    pub fn value(&mut self) -> u64 {
        self.next_value += 1;
        self.next_value
    }
}
