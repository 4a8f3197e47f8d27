//! What producers were told and what consumers saw, and the checks on both.
//!
//! H1 One value per offset, for ever: over acknowledgements and all reads, before and after a crash.
//! H2 Every acknowledged record is served at its offset; so is every record that a consumer ever saw.
//! H3 Offsets are contiguous from the log start to the end.
//! H4 Per producer and partition numbers rise with the offsets; of idempotent producers without gap and without repetition.
//! H5 The log start never falls, and is one that an answered or an unanswered DeleteRecords asked for.

use super::batch::Record;
use std::collections::BTreeMap;

/// Identity of a record: the producer and its count within the partition. Both are the record's first eight bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Identity {
    pub producer: u32,
    pub number: u32,
}

/// Large values among the others, one in a batch at most: large enough for a batch that is written without a copy.
const LARGE_BYTES: usize = 66_000;
const LARGE_EVERY: u32 = 300;
/// What `message.max.bytes` has to be for batches of up to 50 of these values.
pub const MESSAGE_BYTES_MAX: usize = 131_072;

/// The value of a record: identity, then bytes that follow from it, so that any mixture is noticed.
pub fn value_of(identity: Identity, partition: i32) -> Vec<u8> {
    let mut random = super::Random::new(
        (u64::from(identity.producer) << 40) ^ u64::from(identity.number) ^ ((partition as u64) << 20),
    );
    // A large one makes a batch that is written from where it was received.
    let large = (identity.number + identity.producer + partition as u32).is_multiple_of(LARGE_EVERY);
    let length = if large { LARGE_BYTES } else { 24 } + random.below(1_000) as usize;
    let mut value = Vec::with_capacity(length + 8);
    value.extend_from_slice(&identity.producer.to_be_bytes());
    value.extend_from_slice(&identity.number.to_be_bytes());
    while value.len() < length {
        value.extend_from_slice(&random.next().to_be_bytes());
    }
    value
}

/// Reads the identity and checks the rest of the value against it.
pub fn identity_of(value: &[u8], partition: i32) -> Option<Identity> {
    let producer = u32::from_be_bytes(value.get(0..4)?.try_into().ok()?);
    let number = u32::from_be_bytes(value.get(4..8)?.try_into().ok()?);
    let identity = Identity { producer, number };
    (value == value_of(identity, partition)).then_some(identity)
}

#[derive(Default)]
pub struct PartitionHistory {
    /// By offset: what is known to be there.
    values: Vec<Option<Identity>>,
    /// Exclusive end of what was acknowledged or seen: it has to be served after any crash.
    promised_end: i64,
    /// Highest log start that was confirmed (answered, or served once).
    log_start: i64,
    /// A DeleteRecords without an answer: it may have happened.
    log_start_asked: Option<i64>,
    acknowledged: u64,
}

/// Of all partitions; key is (topic, partition).
#[derive(Default)]
pub struct History {
    partitions: BTreeMap<(String, i32), PartitionHistory>,
    /// By producer: true for idempotent ones.
    idempotent: BTreeMap<u32, bool>,
    /// What must not be; a test fails if there is any (or, with the flush left out, if there is none).
    pub violations: Vec<String>,
}

impl History {
    pub fn add_producer(&mut self, producer: u32, idempotent: bool) {
        self.idempotent.insert(producer, idempotent);
    }

    pub fn partition(&mut self, topic: &str, partition: i32) -> &mut PartitionHistory {
        self.partitions.entry((topic.to_string(), partition)).or_default()
    }

    pub fn partitions(&self) -> Vec<(String, i32)> {
        self.partitions.keys().cloned().collect()
    }

    pub fn acknowledged(&self) -> u64 {
        self.partitions.values().map(|partition| partition.acknowledged).sum()
    }

    pub fn violate(&mut self, text: String) {
        if self.violations.len() < 200 {
            self.violations.push(text);
        }
    }

    /// An answer said that these records are at `base_offset` and following.
    pub fn acknowledge(&mut self, topic: &str, partition: i32, base_offset: i64, records: &[Identity]) {
        for (index, identity) in records.iter().enumerate() {
            self.note(topic, partition, base_offset + index as i64, *identity, "acknowledged");
        }
        self.partition(topic, partition).acknowledged += records.len() as u64;
    }

    /// A consumer got these records.
    pub fn observe(&mut self, topic: &str, partition: i32, records: &[Record]) {
        for record in records {
            match identity_of(&record.value, partition) {
                Some(identity) => self.note(topic, partition, record.offset, identity, "read"),
                None => self.violate(format!("{topic}-{partition}@{}: a value that nobody wrote", record.offset)),
            }
        }
    }

    fn note(&mut self, topic: &str, partition: i32, offset: i64, identity: Identity, how: &str) {
        let history = self.partition(topic, partition);
        let at = offset as usize;
        if history.values.len() <= at {
            history.values.resize(at + 1, None);
        }
        history.promised_end = history.promised_end.max(offset + 1);
        match history.values[at] {
            Some(known) if known != identity => {
                self.violate(format!("H1 {topic}-{partition}@{offset}: {identity:?} {how}, but it was {known:?}"));
            }
            _ => history.values[at] = Some(identity),
        }
    }

    pub fn ask_log_start(&mut self, topic: &str, partition: i32, offset: i64) {
        self.partition(topic, partition).log_start_asked = Some(offset);
    }

    /// The log start was answered by DeleteRecords, or is being served.
    pub fn confirm_log_start(&mut self, topic: &str, partition: i32, served: i64) {
        let history = self.partition(topic, partition);
        let (known, asked) = (history.log_start, history.log_start_asked.take());
        if served < known || (served > known && asked != Some(served)) {
            self.violate(format!(
                "H5 {topic}-{partition}: log start {served}, but {known} was served, asked for {asked:?}"
            ));
        }
        let history = self.partition(topic, partition);
        history.log_start = history.log_start.max(served);
    }

    pub fn log_start(&mut self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition).log_start
    }

    /// What every restart has to serve: the exclusive end of all that was acknowledged or seen.
    pub fn promised_end(&mut self, topic: &str, partition: i32) -> i64 {
        self.partition(topic, partition).promised_end
    }

    /// A topic is gone, with all that was promised.
    pub fn forget_topic(&mut self, topic: &str) {
        self.partitions.retain(|(name, _), _| name != topic);
    }

    /// H2 and H3 for one partition that was read from `from` to its end; `read` are the offsets in the order they came.
    pub fn check_read(&mut self, topic: &str, partition: i32, from: i64, end: i64, read: &[i64]) {
        let promised = self.promised_end(topic, partition);
        if end < promised {
            self.violate(format!("H2 {topic}-{partition}: ends at {end}, promised up to {promised}"));
        }
        let mut expected = from;
        for offset in read.iter().filter(|offset| **offset >= from) {
            if *offset != expected {
                self.violate(format!("H3 {topic}-{partition}: offset {offset} where {expected} should be"));
                return;
            }
            expected += 1;
        }
        if expected != end {
            self.violate(format!("H3 {topic}-{partition}: records end at {expected}, high watermark is {end}"));
        }
    }

    /// H4 over all that is known.
    pub fn check_order(&mut self) {
        let mut found = Vec::new();
        for ((topic, partition), history) in &self.partitions {
            let mut last: BTreeMap<u32, u32> = BTreeMap::new();
            for (offset, identity) in history.values.iter().enumerate() {
                // A hole is a record below the log start that nobody ever saw: what follows is compared anew.
                let Some(Identity { producer, number }) = *identity else {
                    last.clear();
                    continue;
                };
                let exact = self.idempotent.get(&producer).copied().unwrap_or(false);
                if let Some(before) = last.insert(producer, number)
                    && (number <= before || (exact && number != before + 1))
                {
                    found.push(format!(
                        "H4 {topic}-{partition}@{offset}: producer {producer} has {number} after {before}"
                    ));
                }
            }
        }
        found.into_iter().for_each(|text| self.violate(text));
    }
}
