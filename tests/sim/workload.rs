//! What clients do, and what the machine does meanwhile: one event at a time.

use crate::batch::{Content, Seen, decode_all, encode};
use crate::checkers::{offsets_dense, one_value_for_ever, producer_window};
use crate::disk::Fault;
use crate::history::{Producer, Sent};
use crate::machine::{PendingControl, PendingRead};
use crate::outcome::{Halt, Run, violation};
use crate::plant::Plant;
use crate::world::World;
use crate::{must, trace};
use corelane::base::gather::Gather;
use corelane::base::ids::TopicPartition;
use corelane::base::offset::{Durability, LeaderEpoch, Offset};
use corelane::log::core_log::{Append, AppendError, Appendable, Appended, Read};
use corelane::log::effect::{ReadError, Ticket};
use corelane::wire::record_batch::parse_header;
use std::collections::BTreeSet;

const UNANSWERED_MAX: usize = 5;

impl World {
    /// One event of the running machine.
    pub fn step(&mut self) -> Run<()> {
        self.events += 1;
        let us = 1 + self.prng.below(self.regime.step_us_max);
        self.pass_time(us * 1000)?;
        if self.full_until > 0 && self.events >= self.full_until {
            self.full_until = 0;
            self.disk.capacity = u64::MAX;
            self.refused_until_ns = self.clock_ns + 100_000_000;
        }
        let idle = self.quiet_steps > 0;
        self.quiet_steps = self.quiet_steps.saturating_sub(1);
        if idle || self.prng.percent(self.regime.io_percent) {
            if self.prng.percent(10) && (self.deliver_image()? || self.step_metadata()?) {
                return Ok(());
            }
            let core = self.prng.below(self.cores.len() as u64) as usize;
            self.perform_io(core)?;
            return Ok(());
        }
        match self.prng.below(1000) {
            0..=719 => self.append_some(),
            720..=859 => self.read_some(),
            860..=899 => self.send_again(),
            900..=939 => self.delete_records(),
            940..=954 => self.truncate(),
            955..=962 => self.create_topic(),
            963..=966 => self.delete_topic(),
            967..=974 => self.idle(),
            975..=977 => self.pass_time(60_000_000_000),
            978..=982 => self.arm_fault(),
            983..=985 => self.fill_disk(),
            986..=992 => self.search_by_time(),
            993..=995 => self.change_retention(),
            _ => self.ask_for_epoch(),
        }
    }

    /// Some live partition; the first ones are busier.
    pub fn pick(&mut self) -> Option<TopicPartition> {
        let deleting = &self.history.deleting;
        let live = self.history.partitions.values().filter(|partition| !deleting.contains(&partition.id.topic));
        let live: Vec<TopicPartition> = live.map(|partition| partition.id).collect();
        let count = live.len() as u64;
        if count == 0 {
            return None;
        }
        let at = if self.prng.percent(40) { self.prng.below(count.min(2)) } else { self.prng.below(count) };
        Some(live[at as usize])
    }

    /// Some live partition that can be used now.
    pub fn pick_open(&mut self) -> Run<Option<TopicPartition>> {
        let Some(id) = self.pick() else { return Ok(None) };
        Ok(self.is_open(id)?.then_some(id))
    }

    fn append_some(&mut self) -> Run<()> {
        let times = 1 + self.prng.below(3);
        let mut last_core = None;
        for _ in 0..times {
            let Some(id) = self.pick_open()? else { continue };
            let core = self.core_of(id);
            if last_core.is_some_and(|last| last != core) {
                continue;
            }
            last_core = Some(core);
            if self.may_append(core)? {
                self.append_to(id)?;
            }
        }
        last_core.map_or(Ok(()), |core| self.end_turn(core))
    }

    fn may_append(&mut self, core: usize) -> Run<bool> {
        match self.cores[core].log.appendable() {
            Appendable::Yes => return Ok(true),
            Appendable::Paused => {
                self.coverage.hit("append paused by a full ring");
                self.cores[core].paused = true;
            }
            Appendable::DiskFull => {
                must!(
                    self.disk.capacity < u64::MAX || self.full_until > 0 || self.was_full_lately(),
                    "the disk is not full"
                );
                self.coverage.hit("append refused by a full disk");
            }
            Appendable::ReadOnly => {
                must!(self.cores[core].read_only || self.faulty(), "core {core} is read-only without notice")
            }
        }
        Ok(false)
    }

    /// The log hears of free space with the next tick only.
    fn was_full_lately(&self) -> bool {
        self.clock_ns < self.refused_until_ns
    }

    fn append_to(&mut self, id: TopicPartition) -> Run<()> {
        if self.prng.percent(30) {
            let sent = Sent { content: self.new_content(id, None), at: None, sent_before: false };
            return self.send(id, None, sent);
        }
        let count = self.partition(id).producers.len();
        if count == 0 || (count < 3 && self.prng.percent(2)) {
            self.add_producer(id);
        }
        let count = self.partition(id).producers.len() as u64;
        if count == 0 {
            return Ok(());
        }
        let index = self.prng.below(count) as usize;
        let waiting = self.partition(id).producers[index].unanswered.iter().position(|sent| sent.at.is_none());
        let at = match waiting {
            Some(at) => at,
            None if self.partition(id).producers[index].unanswered.len() >= UNANSWERED_MAX => return Ok(()),
            None => {
                let content = self.new_content(id, Some(index));
                let producer = &mut self.partition(id).producers[index];
                producer.next_sequence += content.count;
                producer.unanswered.push_back(Sent { content, at: None, sent_before: false });
                producer.unanswered.len() - 1
            }
        };
        let sent = self.partition(id).producers[index].unanswered[at].clone();
        if sent.sent_before {
            self.coverage.hit("retry after a crash");
        }
        self.send(id, Some((index, at)), sent)
    }

    fn add_producer(&mut self, id: TopicPartition) {
        let Some(producer_id) = self.next_producer_id() else { return };
        self.partition(id).producers.push(Producer {
            id: producer_id,
            next_sequence: 0,
            unanswered: Default::default(),
            answered: Default::default(),
            half_lost: false,
        });
    }

    fn new_content(&mut self, id: TopicPartition, producer: Option<usize>) -> Content {
        let value = self.history.value();
        let bytes = 100 + if self.prng.percent(70) { self.prng.below(1500) } else { self.prng.below(5900) } as usize;
        let count = 1 + self.prng.below(4) as i32;
        let timestamp_ms = self.now().wall_ms;
        let partition = self.partition(id);
        let (producer_id, producer_epoch, sequence) = match producer {
            Some(index) => (partition.producers[index].id, 0, partition.producers[index].next_sequence),
            None => (-1, -1, -1),
        };
        let content = Content { value, count, bytes, producer_id, producer_epoch, sequence, timestamp_ms };
        partition.contents.insert(value, content);
        content
    }

    /// Hands a batch to the log; `slot` is its place among a producer's unanswered ones.
    fn send(&mut self, id: TopicPartition, slot: Option<(usize, usize)>, sent: Sent) -> Run<()> {
        let core = self.core_of(id);
        let batch = encode(&sent.content);
        let header = parse_header(&batch).expect("a valid batch");
        let buffer_bytes = batch.len() * (1 + self.prng.below(8) as usize);
        let end_before = self.cores[core].log.offsets(id).expect("it is open").log_end;
        let (epoch, now) = (self.epoch_of(id), self.now());
        let append = Append { batch, header, buffer_bytes };
        let result = self.cores[core].log.append(id, append, epoch, now);
        trace!("append {core} {id} {:?} -> {result:?}", sent.content);
        match result {
            Ok(appended) => self.on_appended(id, slot, sent, appended, end_before),
            Err(error) => self.on_refused_append(id, slot, &sent, error),
        }
    }

    fn on_appended(
        &mut self,
        id: TopicPartition,
        slot: Option<(usize, usize)>,
        mut sent: Sent,
        appended: Appended,
        end_before: Offset,
    ) -> Run<()> {
        let core = self.core_of(id);
        let offsets = self.cores[core].log.offsets(id).expect("it is open");
        offsets_dense::of_offsets(id, &offsets)?;
        let partition = self.partition(id);
        let known = sent.at.map(|(base, _)| base).or_else(|| partition.places.get(&sent.content.value).copied());
        producer_window::of_append(id, &sent, known, &appended)?;
        let (base, end) = (appended.base_offset.0, appended.end_offset.0);
        if appended.duplicate {
            must!(offsets.log_end == end_before, "{id}: a duplicate moved the end");
        } else {
            must!(base == end_before.0, "{id}: appended at {base}, the end was {end_before}");
            must!(end == base + i64::from(sent.content.count) && offsets.log_end.0 == end, "{id}: {appended:?}");
        }
        sent.at = Some((base, end));
        sent.sent_before = true;
        let durability = partition.settings.durability;
        match slot {
            Some((index, at)) => partition.producers[index].unanswered[at] = sent.clone(),
            None => partition.plain.push_back(sent.clone()),
        }
        self.coverage.hit(match durability {
            Durability::Disk => "append to a disk topic",
            Durability::Device => "append to a device topic",
            Durability::Memory => "append to a memory topic",
        });
        if appended.duplicate {
            self.coverage.hit("duplicate answered");
            if self.disk.plant == Plant::S03DuplicateAtOnce {
                self.partition(id).promise(base, end, sent.content.value).map_err(Halt::Violation)?;
            }
            // Confirmed data waits for the high watermark (S3); it may have passed already.
            let high_watermark = self.partition(id).high_watermark;
            let answered = self.partition(id).answer_below(high_watermark).map_err(Halt::Violation)?;
            self.history.answered += answered;
        } else {
            // The log hears of the free space with its ticks; others use it up between them.
            let left = self.cores[core].free_at_tick;
            must!(
                left > sent.content.bytes as u64,
                "S6: {id}: {:?} was taken, {left} bytes were left on the disk at the last tick",
                sent.content
            );
            self.appended_bytes += sent.content.bytes as u64;
        }
        Ok(())
    }

    fn on_refused_append(
        &mut self,
        id: TopicPartition,
        slot: Option<(usize, usize)>,
        sent: &Sent,
        error: AppendError,
    ) -> Run<()> {
        match error {
            AppendError::NotAppendable(_) => Ok(()),
            AppendError::Offline if self.offline_has_cause() => Ok(()),
            AppendError::OutOfOrderSequence => {
                let partition = self.partition(id);
                let class = partition.settings.durability;
                let (index, _) = slot.expect("a plain producer has no sequence");
                let half_lost = partition.producers[index].half_lost || class != Durability::Disk;
                let waived = self.rot.as_ref().is_some_and(|rot| rot.waived);
                must!(half_lost || waived, "{id}: OUT_OF_ORDER_SEQUENCE_NUMBER for {:?}", sent.content);
                // The client begins anew with another producer id.
                self.partition(id).producers.remove(index);
                Ok(())
            }
            other => violation(format!("{id}: append of {:?} gave {other:?}", sent.content)),
        }
    }

    /// A client repeats a batch that was answered, or one whose answer it did not wait for.
    fn send_again(&mut self) -> Run<()> {
        let Some(id) = self.pick_open()? else { return Ok(()) };
        let core = self.core_of(id);
        let count = self.partition(id).producers.len() as u64;
        if count == 0 || !self.may_append(core)? {
            return Ok(());
        }
        let index = self.prng.below(count) as usize;
        let producer = &self.partition(id).producers[index];
        let sent_now =
            producer.unanswered.iter().position(|sent| sent.at.is_none()).unwrap_or(producer.unanswered.len());
        let remembered = producer_window::remembered(producer);
        if sent_now > 0 && self.prng.percent(40) {
            let at = self.prng.below(sent_now as u64) as usize;
            let sent = self.partition(id).producers[index].unanswered[at].clone();
            self.send(id, Some((index, at)), sent)?;
        } else if remembered > 0 {
            let back = 1 + self.prng.below(remembered as u64) as usize;
            let producer = &self.partition(id).producers[index];
            let (content, base) = producer.answered[producer.answered.len() - back];
            self.probe(id, content, base)?;
        }
        self.end_turn(core)
    }

    /// Every batch that must be remembered is answered as a duplicate, at its place.
    fn probe_all(&mut self, id: TopicPartition) -> Run<()> {
        let core = self.core_of(id);
        for index in 0..self.partition(id).producers.len() {
            let producer = &self.partition(id).producers[index];
            let remembered = producer_window::remembered(producer);
            let newest = producer.answered.iter().rev().take(remembered).copied();
            for (content, base) in newest.collect::<Vec<_>>() {
                self.probe(id, content, base)?;
            }
        }
        self.end_turn(core)
    }

    fn probe(&mut self, id: TopicPartition, content: Content, base: i64) -> Run<()> {
        let core = self.core_of(id);
        let batch = encode(&content);
        let header = parse_header(&batch).expect("a valid batch");
        let (epoch, now) = (self.epoch_of(id), self.now());
        let append = Append { buffer_bytes: batch.len(), batch, header };
        let result = self.cores[core].log.append(id, append, epoch, now);
        trace!("probe {core} {id} {content:?} at {base} -> {result:?}");
        match result {
            Ok(appended) if appended.duplicate && appended.base_offset.0 == base => {
                self.coverage.hit("duplicate answered");
                Ok(())
            }
            Err(AppendError::NotAppendable(_)) => Ok(()),
            other => violation(format!("PRODUCER forgot: {id} {content:?} stands at {base}, a retry gave {other:?}")),
        }
    }

    fn read_some(&mut self) -> Run<()> {
        let Some(id) = self.pick_open()? else { return Ok(()) };
        let core = self.core_of(id);
        let offsets = self.cores[core].log.offsets(id).expect("it is open");
        let (start, end) = (offsets.log_start.0, offsets.high_watermark.0);
        if start >= end {
            return Ok(());
        }
        let span = (end - start) as u64;
        let from = if self.prng.percent(40) {
            end - 1 - self.prng.below(span.min(20)) as i64
        } else {
            start + self.prng.below(span) as i64
        };
        let bytes_max = 1 + self.prng.below(20_000) as usize;
        let at_least_one = self.prng.percent(80);
        self.read(id, from, end, bytes_max, at_least_one)?;
        self.end_turn(core)
    }

    /// Reads from one offset on; the answer is judged now or when it comes.
    pub fn read(&mut self, id: TopicPartition, from: i64, until: i64, bytes_max: usize, at_least_one: bool) -> Run<()> {
        let core = self.core_of(id);
        let log = &mut self.cores[core].log;
        let available = log.available_bytes(id, Offset(from), Offset(until), 1 << 20);
        must!(available > 0, "{id}: nothing is available in [{from}, {until})");
        let answer = log.read(id, Offset(from), Offset(until), bytes_max, at_least_one);
        if self.cores[core].moves() {
            self.coverage.hit("read while a move ran");
        }
        match answer {
            Read::Ready(data) => {
                self.coverage.hit("read from memory");
                self.judge_read(&PendingRead { partition: id, from, until, bytes_max, at_least_one }, &data)
            }
            Read::Pending(ticket) => {
                self.coverage.hit("read from disk");
                let pending = PendingRead { partition: id, from, until, bytes_max, at_least_one };
                self.cores[core].reads.insert(ticket, pending);
                Ok(())
            }
            Read::Offline => self.on_offline(id, "a read says so"),
        }
    }

    fn judge_read(&mut self, read: &PendingRead, data: &Gather) -> Run<()> {
        let PendingRead { partition: id, from, until, bytes_max, at_least_one } = *read;
        let seen = decode_all(&data.to_vec())
            .map_err(|text| Halt::Violation(format!("{id}: a read from {from} gave {text}")))?;
        must!(!seen.is_empty() || !at_least_one, "{id}: a read of [{from}, {until}) gave nothing");
        must!(
            data.len() <= bytes_max || (at_least_one && seen.len() == 1),
            "{id}: a read of at most {bytes_max} bytes gave {} in {} batches",
            data.len(),
            seen.len()
        );
        let Some(last) = seen.last().copied() else { return Ok(()) };
        trace!("read {id} {from}..{until} gave {}..{}", seen[0].base, last.end);
        offsets_dense::of_read(id, from, until, &seen)?;
        if self.history.partition(id).is_none() {
            return Ok(());
        }
        let epoch = self.epoch_of(id);
        let partition = self.partition(id);
        partition.read_end = last.end;
        one_value_for_ever::of_read(partition, epoch.0, &seen)?;
        self.judge_epoch(id, &last)
    }

    /// The epoch cache knows every epoch that a batch in the log carries.
    fn judge_epoch(&mut self, id: TopicPartition, seen: &Seen) -> Run<()> {
        let (core, current) = (self.core_of(id), self.epoch_of(id));
        let log = &self.cores[core].log;
        let Some(offsets) = log.offsets(id).filter(|offsets| offsets.log_start.0 <= seen.base) else { return Ok(()) };
        if self.partition(id).offline {
            return Ok(());
        }
        let answer = self.cores[core].log.end_offset_for_epoch(id, LeaderEpoch(seen.epoch), current);
        let right =
            answer.is_some_and(|(epoch, end)| epoch.0 == seen.epoch && end.0 >= seen.end && end <= offsets.log_end);
        must!(right, "{id}: {seen:?} is in the log, its epoch ends at {answer:?}, {offsets:?}");
        self.coverage.hit("epoch looked up");
        Ok(())
    }

    pub fn on_read_done(&mut self, core: usize, ticket: Ticket, data: Result<Gather, ReadError>) -> Run<()> {
        let Some(read) = self.cores[core].reads.remove(&ticket) else {
            return violation(format!("{ticket:?} is no read of core {core}"));
        };
        let id = read.partition;
        let alive = self.history.partition(id).is_some();
        match data {
            Ok(data) => self.judge_read(&read, &data),
            Err(ReadError::Gone) => {
                // Unless DeleteRecords has passed it meanwhile.
                let passed = alive && self.partition(id).log_start_requested > read.from;
                must!(!alive || passed, "{id}: a read from {} found the partition gone", read.from);
                Ok(())
            }
            Err(ReadError::Offline) => self.on_offline(id, "a read ended so"),
            #[allow(unreachable_patterns, reason = "reasons may be added")]
            Err(_) => Ok(()),
        }
    }

    fn delete_records(&mut self) -> Run<()> {
        let Some(id) = self.pick_open()? else { return Ok(()) };
        let core = self.core_of(id);
        let offsets = self.cores[core].log.offsets(id).expect("it is open");
        let (start, end) = (offsets.log_start.0, offsets.high_watermark.0);
        if end <= start || self.cores[core].read_only {
            return Ok(());
        }
        let to = match self.prng.below(10) {
            0..=1 => end,
            2..=6 => start + 1 + self.prng.below((end - start) as u64) as i64,
            _ => start + 1 + self.prng.below(((end - start) as u64).min(5)) as i64,
        };
        let now = self.now();
        let result = self.cores[core].log.delete_records(id, Offset(to), now);
        trace!("delete records {core} {id} up to {to} of {start}..{end}: {result:?}");
        match result {
            Ok(sequence) => {
                let at_once = self.disk.plant == Plant::S10LogStartAtOnce;
                let partition = self.partition(id);
                partition.log_start_requested = partition.log_start_requested.max(to);
                if at_once {
                    partition.log_start_answered = partition.log_start_requested;
                }
                let control = PendingControl {
                    partition: id,
                    log_start: Some(to),
                    by_retention: false,
                    truncated: BTreeSet::new(),
                };
                self.cores[core].controls.entry(sequence).or_default().push(control);
            }
            Err(AppendError::NotAppendable(_)) => {}
            Err(other) => return violation(format!("{id}: DeleteRecords gave {other:?}")),
        }
        self.end_turn(core)
    }

    fn truncate(&mut self) -> Run<()> {
        let Some(id) = self.pick_open()? else { return Ok(()) };
        let core = self.core_of(id);
        let offsets = self.cores[core].log.offsets(id).expect("it is open");
        if self.partition(id).settings.durability != Durability::Disk {
            // A lost truncation of a weaker class would bring back what it cut in place of what was answered later.
            return Ok(());
        }
        if offsets.high_watermark == offsets.log_end || self.cores[core].read_only {
            return Ok(());
        }
        let partition = self.partition(id);
        let unanswered =
            partition.producers.iter().flat_map(|producer| producer.unanswered.iter()).chain(partition.plain.iter());
        let bases: Vec<i64> = unanswered
            .filter_map(|sent| sent.at)
            .map(|(base, _)| base)
            .filter(|base| *base >= offsets.high_watermark.0)
            .collect();
        if bases.is_empty() {
            return Ok(());
        }
        let to = bases[self.prng.below(bases.len() as u64) as usize];
        let now = self.now();
        let result = self.cores[core].log.truncate(id, Offset(to), now);
        trace!("truncate {core} {id} to {to} of {offsets:?}: {result:?}");
        match result {
            Ok(sequence) => {
                let truncated = self.partition(id).truncate(to);
                let control = PendingControl { partition: id, log_start: None, by_retention: false, truncated };
                self.cores[core].controls.entry(sequence).or_default().push(control);
                self.coverage.hit("truncation");
            }
            Err(AppendError::NotAppendable(_)) => {}
            Err(other) => return violation(format!("{id}: truncation gave {other:?}")),
        }
        self.end_turn(core)
    }

    fn idle(&mut self) -> Run<()> {
        trace!("idle");
        self.coverage.hit("idle period");
        self.quiet_steps = 20 + self.prng.below(200);
        self.pass_time(150_000_000)
    }

    fn arm_fault(&mut self) -> Run<()> {
        // One fault a run: what follows is judged by what it may cause.
        if self.regime.calm || self.faulty() || !self.disk.armed.is_empty() || self.prng.percent(60) {
            return Ok(());
        }
        let faults = [
            Fault::JournalWrite,
            Fault::JournalFlush,
            Fault::SegmentWrite,
            Fault::SegmentRead,
            Fault::CheckpointWrite,
            Fault::SyncAll,
            Fault::MetadataWrite,
            Fault::MetadataFlush,
        ];
        let fault = faults[self.prng.below(faults.len() as u64) as usize];
        trace!("next {fault:?} fails");
        self.disk.armed.insert(fault);
        Ok(())
    }

    fn fill_disk(&mut self) -> Run<()> {
        if self.regime.calm || self.full_until > 0 {
            return Ok(());
        }
        let free = self.prng.below(150_000);
        trace!("disk has {free} bytes left");
        self.coverage.hit("fault: full disk");
        self.disk.capacity = self.disk.used() + free;
        self.full_until = self.events + 100 + self.prng.below(600);
        Ok(())
    }

    fn ask_for_epoch(&mut self) -> Run<()> {
        let Some(id) = self.pick_open()? else { return Ok(()) };
        let core = self.core_of(id);
        let newest = self.epoch_of(id).0;
        let epoch = self.prng.below(newest as u64 + 1) as i32;
        let answer = self.cores[core].log.end_offset_for_epoch(id, LeaderEpoch(epoch), LeaderEpoch(newest));
        let offsets = self.cores[core].log.offsets(id).expect("it is open");
        if let Some((found, end)) = answer {
            must!(
                found.0 <= epoch && end <= offsets.log_end,
                "{id}: end of epoch {epoch} is {answer:?}, log {offsets:?}"
            );
        }
        Ok(())
    }

    /// Opens and reads every partition from its log start to its high watermark.
    pub fn verify(&mut self, percent: u64) -> Run<()> {
        let ids: Vec<TopicPartition> = self.history.partitions.values().map(|partition| partition.id).collect();
        for id in ids {
            if !self.prng.percent(percent) {
                continue;
            }
            let ready = self.settle(20_000, |world| Ok(world.is_open(id)? || world.partition(id).offline))?;
            must!(ready, "{id} does not open");
            if !self.partition(id).offline {
                self.read_whole(id)?;
            }
        }
        Ok(())
    }

    fn read_whole(&mut self, id: TopicPartition) -> Run<()> {
        let core = self.core_of(id);
        let idle = self.settle(20_000, |world| Ok(world.cores[core].reads.is_empty()))?;
        must!(idle, "a read does not end");
        let offsets = self.cores[core].log.offsets(id).expect("it is open");
        let mut at = offsets.log_start.0;
        while at < offsets.high_watermark.0 {
            let bytes_max = 4096 + self.prng.below(30_000) as usize;
            self.read(id, at, offsets.high_watermark.0, bytes_max, true)?;
            self.end_turn(core)?;
            let ended = self.settle(20_000, |world| Ok(world.cores[core].reads.is_empty()))?;
            must!(ended, "{id}: a read from {at} does not end");
            if self.partition(id).offline {
                return Ok(());
            }
            // Retention may have passed it meanwhile: seed 91857 went on reading below the log start, which no Fetch does.
            let log_start = self.cores[core].log.offsets(id).expect("it is open").log_start.0;
            let read_end = self.partition(id).read_end.max(log_start);
            must!(read_end > at, "{id}: a read from {at} led to {read_end}");
            at = read_end;
        }
        self.coverage.hit("read of a whole partition");
        self.probe_all(id)?;
        let partition = self.partition(id);
        must!(
            partition.promised_end() <= offsets.log_end.0 || partition.promised_end() <= offsets.log_start.0,
            "{id}: LOST its end"
        );
        Ok(())
    }
}
