//! The world of one seed: a disk, a machine that starts, runs and dies again and again, and the clients' memory of it.

use crate::catalog::Catalog;
use crate::checkers::{log_start, memory_bound, no_acked_loss, recovery_refuses_only_with_cause, retention};
use crate::coverage::Coverage;
use crate::disk::{Disk, is_checkpoint};
use crate::history::{History, Partition};
use crate::machine::{Core, PendingControl, now_at};
use crate::outcome::{Halt, Run, violation};
use crate::plant::Plant;
use crate::rot::Rot;
use crate::{must, trace};
use corelane::base::clock::Now;
use corelane::base::config::TopicDefaults;
use corelane::base::ids::{TopicId, TopicPartition};
use corelane::base::offset::Sequence;
use corelane::base::prng::Prng;
use corelane::log::checkpoint::Checkpoint;
use corelane::log::core_log::{LogSettings, Openness};
use corelane::log::effect::LogNotice;
use std::collections::{BTreeMap, BTreeSet};

/// How a run of the machine is shaped.
#[derive(Clone, Copy, Debug)]
pub struct Regime {
    /// Of 100 events, how many are completions.
    pub io_percent: u64,
    /// Largest step of the clock between two events.
    pub step_us_max: u64,
    /// No faults, no DeleteTopics: what is asked for must be done.
    pub calm: bool,
}

/// Silence after which a mark must be durable: 100 ms and some ticks.
const QUIET_AFTER_NS: u64 = 250_000_000;

/// See the module.
pub struct World {
    pub disk: Disk,
    pub prng: Prng,
    pub history: History,
    pub coverage: Coverage,
    pub cores: Vec<Core>,
    pub settings: LogSettings,
    pub regime: Regime,
    pub clock_ns: u64,
    pub boot: u32,
    pub generation: u32,
    pub cores_wanted: usize,
    /// Cores of the layout in force, 0 before the first start.
    pub cores_before: usize,
    pub catalog: Option<Catalog>,
    pub defaults: TopicDefaults,
    pub events: u64,
    pub rot: Option<Rot>,
    /// Faults that had struck before this run of the machine.
    pub faults_before: u64,
    pub full_until: u64,
    pub quiet_steps: u64,
    pub appended_bytes: u64,
    /// Appends may be refused by a full disk up to this moment.
    pub refused_until_ns: u64,
    /// By generation and core: highest sequence below which everything was flushed, and a mark says so (S4).
    pub quiet: BTreeMap<(u32, usize), u64>,
    /// The start has ended, the run goes on.
    pub started: bool,
}

impl World {
    pub fn now(&self) -> Now {
        now_at(self.clock_ns)
    }

    /// A failed operation struck in this run.
    pub fn faulty(&self) -> bool {
        self.faults() > self.faults_before
    }

    pub fn faults(&self) -> u64 {
        self.disk.counts.failed.values().sum()
    }

    /// May this partition be offline?
    pub fn offline_has_cause(&self) -> bool {
        self.faulty() || self.rot.is_some()
    }

    pub fn core_of(&mut self, id: TopicPartition) -> usize {
        self.history.partition(id).expect("a live partition").core
    }

    /// The partition, which must be alive.
    pub fn partition(&mut self, id: TopicPartition) -> &mut Partition {
        self.history.partition(id).expect("a live partition")
    }

    /// End of a turn of a core: effects, notices, checks.
    pub fn end_turn(&mut self, core: usize) -> Run<()> {
        let now = self.now();
        // Only while something is under way: its end is a turn of its own, in which the little may go.
        let gather = self.cores[core].busy() > 0 && self.prng.percent(25);
        self.cores[core].log.end_turn(now, gather);
        if self.cores[core].log.is_gathering() {
            self.coverage.hit("little waited for more");
        }
        self.cores[core].take_effects(&mut self.disk, &mut self.coverage, now)?;
        while let Some(notice) = self.cores[core].log.poll_notice() {
            self.on_notice(core, notice)?;
        }
        self.cores[core].check();
        memory_bound::of_core(&self.cores[core].log, &self.settings)
    }

    /// One completion on a core, if it has something under way.
    pub fn perform_io(&mut self, core: usize) -> Run<bool> {
        if self.cores[core].busy() == 0 {
            return Ok(false);
        }
        let input = self.cores[core].perform_one(&mut self.disk, &mut self.prng)?;
        if let Some(input) = input {
            let now = self.now();
            self.cores[core].log.handle(input, now);
            self.end_turn(core)?;
        }
        Ok(true)
    }

    pub fn free_bytes(&self) -> u64 {
        self.disk.capacity.saturating_sub(self.disk.used()).min(1 << 40)
    }

    /// Lets the clock go on and ticks the cores that are due.
    pub fn pass_time(&mut self, ns: u64) -> Run<()> {
        self.clock_ns += ns;
        let now = self.now();
        let left = self.free_bytes();
        let mut free = left;
        if self.disk.plant == Plant::S06DiskNeverFull {
            free = 1 << 40;
        }
        for core in 0..self.cores.len() {
            if now.monotonic_ms() >= self.cores[core].next_tick_ms {
                self.cores[core].next_tick_ms = now.monotonic_ms() + 10 + self.prng.below(40);
                self.cores[core].free_at_tick = left;
                self.cores[core].log.handle_tick(now, free);
                self.end_turn(core)?;
            }
        }
        self.note_quiet();
        Ok(())
    }

    /// S4 promises a flushed mark about 100 ms after the last append.
    fn note_quiet(&mut self) {
        for (index, core) in self.cores.iter().enumerate() {
            let since = self.clock_ns.saturating_sub(core.frames.content_at_ns);
            if core.busy() == 0 && !core.read_only && since > QUIET_AFTER_NS {
                self.quiet.insert((self.generation, index), core.frames.last);
            }
        }
    }

    fn on_notice(&mut self, core: usize, notice: LogNotice) -> Run<()> {
        if !matches!(notice, LogNotice::HighWatermark { .. } | LogNotice::ReadDone { .. }) {
            trace!("  notice {core} {notice:?}");
        }
        match notice {
            LogNotice::HighWatermark { partition, high_watermark } => {
                self.on_high_watermark(core, partition, high_watermark.0)
            }
            LogNotice::Opened { partition } => self.on_opened(partition),
            LogNotice::Offline { partition, why } => self.on_offline(partition, &why),
            LogNotice::Flushed { sequence } => {
                let rest = self.cores[core].controls.split_off(&sequence.next());
                let done = std::mem::replace(&mut self.cores[core].controls, rest);
                for control in done.into_values().flatten() {
                    self.on_control(control);
                }
                Ok(())
            }
            LogNotice::Retained { partition, log_start, sequence } => {
                self.on_retained(core, partition, log_start.0, sequence)
            }
            LogNotice::ReadDone { ticket, data } => self.on_read_done(core, ticket, data),
            LogNotice::SearchDone { ticket, found } => self.on_search_done(core, ticket, found),
            LogNotice::Writable => {
                self.cores[core].paused = false;
                Ok(())
            }
            LogNotice::ReadOnly { why } => {
                must!(self.faulty(), "core {core} is read-only without a fault: {why}");
                self.coverage.hit("core became read-only");
                self.cores[core].read_only = true;
                Ok(())
            }
            LogNotice::Forgotten { topic } => {
                self.cores[core].forgotten.insert(topic);
                if self.cores.iter().all(|core| core.forgotten.contains(&topic)) {
                    self.cores[0].log.remove_topic_directory(topic);
                    self.end_turn(0)?;
                }
                Ok(())
            }
            LogNotice::DirectoryGone { topic } => self.forget_topic(topic),
        }
    }

    fn on_high_watermark(&mut self, core: usize, id: TopicPartition, high_watermark: i64) -> Run<()> {
        trace!("  notice {core} high watermark {id} {high_watermark}");
        let Some(partition) = self.history.partition(id) else { return Ok(()) };
        must!(high_watermark >= partition.high_watermark, "S3: {id} high watermark {high_watermark} fell");
        partition.high_watermark = high_watermark;
        let answered = partition.answer_below(high_watermark).map_err(Halt::Violation)?;
        self.history.answered += answered;
        self.coverage.add("append acknowledged", answered);
        Ok(())
    }

    pub fn on_opened(&mut self, id: TopicPartition) -> Run<()> {
        let core = match self.history.partition(id) {
            Some(partition) if !partition.opened => partition.core,
            _ => return Ok(()),
        };
        let Some(offsets) = self.cores[core].log.offsets(id) else {
            return violation(format!("{id} is open and has no offsets"));
        };
        trace!("  opened {id} {offsets:?}");
        let waived = self.rot.as_ref().is_some_and(|rot| rot.waived);
        let partition = self.history.partition(id).expect("looked at");
        partition.opened = true;
        let lost = no_acked_loss::after_start(partition, &offsets, waived)?;
        match partition.settings.durability {
            corelane::base::offset::Durability::Memory if lost > 0 => self.coverage.hit("data lost by class memory"),
            corelane::base::offset::Durability::Device if lost > 0 => self.coverage.hit("data lost by class device"),
            _ => {}
        }
        let partition = self.history.partition(id).expect("looked at");
        log_start::after_start(partition, &offsets, waived)?;
        partition.high_watermark = offsets.high_watermark.0;
        Ok(())
    }

    pub fn on_offline(&mut self, id: TopicPartition, why: &str) -> Run<()> {
        must!(self.offline_has_cause(), "{id} is offline without a cause: {why}");
        if let Some(partition) = self.history.partition(id)
            && !partition.offline
        {
            partition.offline = true;
            self.coverage.hit("partition went offline");
            if self.rot.is_some() {
                self.coverage.hit("partition offline because of rot");
            }
        }
        Ok(())
    }

    /// Not answered to anybody, but never to be taken back once it is flushed.
    fn on_retained(&mut self, core: usize, id: TopicPartition, to: i64, sequence: Sequence) -> Run<()> {
        retention::of_move(self, core, id, to)?;
        let Some(partition) = self.history.partition(id) else { return Ok(()) };
        partition.log_start_requested = partition.log_start_requested.max(to);
        let control =
            PendingControl { partition: id, log_start: Some(to), by_retention: true, truncated: BTreeSet::new() };
        self.cores[core].controls.entry(sequence).or_default().push(control);
        Ok(())
    }

    fn on_control(&mut self, control: crate::machine::PendingControl) {
        let Some(partition) = self.history.partition(control.partition) else { return };
        if let Some(log_start) = control.log_start {
            partition.log_start_answered = partition.log_start_answered.max(log_start);
            let by = if control.by_retention { "log start moved by retention" } else { "DeleteRecords answered" };
            self.coverage.hit(by);
        }
        let Some(partition) = self.history.partition(control.partition) else { return };
        partition.truncated.extend(control.truncated);
    }

    /// True if the partition may be used now; starts its opening otherwise.
    pub fn is_open(&mut self, id: TopicPartition) -> Run<bool> {
        let core = self.core_of(id);
        match self.cores[core].log.open(id) {
            Openness::Open => self.on_opened(id).map(|()| true),
            Openness::Opening => {
                self.coverage.hit("partition opened lazily");
                self.end_turn(core).map(|()| false)
            }
            Openness::Offline => self.on_offline(id, "open says so").map(|()| false),
            Openness::Unknown => violation(format!("{id} is unknown to core {core}")),
        }
    }

    /// Runs I/O and time, nothing else, until `done` or the steps are used up.
    pub fn settle(&mut self, steps: u64, mut done: impl FnMut(&mut World) -> Run<bool>) -> Run<bool> {
        for _ in 0..steps {
            if done(self)? {
                return Ok(true);
            }
            for core in 0..self.cores.len() {
                self.perform_io(core)?;
            }
            self.step_metadata()?;
            self.deliver_image()?;
            let ns = 100_000 + self.prng.below(1_000_000);
            self.pass_time(ns)?;
        }
        done(self)
    }

    /// The process dies or the power goes; everybody remembers what they were told.
    pub fn crash(&mut self, power_cut: bool) {
        trace!("==== {}", if power_cut { "POWER CUT" } else { "KILL -9" });
        self.coverage.hit(if power_cut { "crash: power cut" } else { "crash: kill -9" });
        self.cores.clear();
        self.catalog = None;
        if power_cut {
            self.disk.power_cut();
        } else {
            self.disk.kill();
        }
        self.history.offline_seen |= self.history.partitions.values().any(|partition| partition.offline);
        for partition in self.history.partitions.values_mut() {
            partition.crash(power_cut);
        }
        if self.disk.plant == Plant::S14OlderSlot {
            self.plant_older_slot();
        }
        self.disk.capacity = u64::MAX;
        self.full_until = 0;
        self.quiet_steps = 0;
    }

    /// Stops in good order; nothing may be lost, whatever the class and whatever follows.
    pub fn stop(&mut self) -> Run<()> {
        trace!("graceful stop");
        for core in 0..self.cores.len() {
            let now = self.now();
            self.cores[core].log.begin_stop(now);
            self.end_turn(core)?;
        }
        let stopped = self.settle(20_000, |world| Ok(world.cores.iter().all(|core| core.log.is_stopped())))?;
        must!(stopped || self.faulty(), "a graceful stop does not end");
        if stopped && !self.faulty() {
            for partition in self.history.partitions.values_mut() {
                must!(
                    partition.offline
                        || partition.producers.iter().all(|p| p.unanswered.iter().all(|sent| sent.at.is_none())),
                    "{} has unanswered batches after a graceful stop",
                    partition.id
                );
            }
        }
        self.close_metadata(stopped && !self.faulty())?;
        self.coverage.hit("graceful stop");
        let clean = stopped && !self.faulty();
        for core in 0..if clean { self.cores.len() } else { 0 } {
            self.quiet.insert((self.generation, core), self.cores[core].frames.last);
        }
        let lost_before: BTreeSet<(TopicId, i32)> = self
            .history
            .partitions
            .iter()
            .filter(|(_, partition)| partition.may_have_lost)
            .map(|(key, _)| *key)
            .collect();
        let power_cut = self.prng.percent(50);
        if power_cut {
            self.coverage.hit("graceful stop, then power cut");
        }
        self.crash(power_cut);
        if clean {
            for (key, partition) in &mut self.history.partitions {
                partition.may_have_lost = lost_before.contains(key);
            }
        }
        Ok(())
    }

    /// A start was refused: right if there is rot that it may be about.
    pub fn on_refused(&mut self, text: &str) -> Halt {
        trace!("REFUSED {text}");
        recovery_refuses_only_with_cause::judge(self, text)
    }

    fn plant_older_slot(&mut self) {
        let slots = self.disk.files().into_iter().filter(|path| is_checkpoint(path));
        let number = |path: &String| Checkpoint::decode(self.disk.content(path)?).map(|one| (one.number, path.clone()));
        let mut found: Vec<(u64, String)> = slots.filter_map(|path| number(&path)).collect();
        found.sort();
        // Only where an older slot is left.
        let dir = |path: &str| path[..path.rfind('/').expect("slots lie in a directory")].to_string();
        let newest =
            found.iter().rev().find(|(_, path)| found.iter().filter(|(_, other)| dir(other) == dir(path)).count() == 2);
        if let Some((_, path)) = newest {
            self.disk.plant_lose_newest_slot(path);
        }
    }
}
