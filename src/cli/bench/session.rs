//! One run of the command: cluster and topics, the load with its progress, the report, the topics again.

use crate::cli::bench::files;
use crate::cli::bench::flags::{Flags, ResultFlags, Workload};
use crate::cli::bench::json_report;
use crate::cli::bench::measures::{Subject, figures};
use crate::cli::bench::observed::{Observed, Sample};
use crate::cli::bench::report::{Report, RoundReport};
use crate::cli::bench::run_topics::RunTopics;
use crate::cli::bench::system_calls::SystemCalls;
use crate::cli::consume::interruption;
use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::moment;
use crate::cli::progress::Progress;
use crate::cli::reach::{Form, print};
use crate::client::cluster::{Cluster, Topic};
use crate::client::failure::Failure;
use crate::client::load::process::load_average;
use crate::client::load::run::{Moment, Outcome, Plan, Reading, Writing, run};
use crate::client::load::tally::{Live, Round};
use crate::client::load::timetable::Timetable;
use crate::client::offsets::{self, Asked};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// See the module.
pub(super) struct Session {
    mode: &'static str,
    subject: Subject,
    pub(super) workload: Workload,
    results: ResultFlags,
    label: String,
    cluster: Cluster,
    observed: Observed,
    topics: RunTopics,
    grace: Duration,
    interrupted: Arc<AtomicBool>,
}

impl Session {
    /// Finds the cluster, and finds or makes the topics.
    pub(super) fn open(
        flags: Flags,
        environment: &[(String, String)],
        workload: Workload,
        mode: &'static str,
        subject: Subject,
    ) -> Result<Session, Trouble> {
        files::check(flags.results.save.as_deref())?;
        let interrupted = interruption()?;
        let mut cluster = flags.reach.cluster(environment)?;
        let (label, grace) = (flags.label(mode), flags.reach.timeout());
        let observed = Observed::find(&flags.results.pids, &mut cluster)?;
        let topics = RunTopics::prepare(&mut cluster, flags.topics, &workload, mode)?;
        let mut workload = workload;
        // The workload says what is there, not what would have been made.
        workload.partitions = topics.all[0].partitions.len() as i32;
        Ok(Session {
            mode,
            subject,
            workload,
            results: flags.results,
            label,
            cluster,
            observed,
            topics,
            grace,
            interrupted,
        })
    }

    /// The topics.
    pub(super) fn topics(&self) -> &[Topic] {
        &self.topics.all
    }

    /// All topics were made for this run.
    pub(super) fn is_new(&self) -> bool {
        self.topics.is_new()
    }

    /// Of every partition, in the order of the topics.
    pub(super) fn offsets(&mut self, asked: Asked) -> Result<Vec<i64>, Trouble> {
        let mut all = Vec::new();
        for topic in &self.topics.all {
            let partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).collect();
            all.extend(offsets::of_each(&mut self.cluster, topic, &partitions, asked)?);
        }
        Ok(all)
    }

    /// What the workload asks for.
    pub(super) fn plan(&self, writing: Option<Writing>, reading: Option<Reading>) -> Plan {
        Plan {
            topics: self.topics.all.clone(),
            records: self.workload.records,
            writing,
            reading,
            end_to_end: false,
            threads: self.workload.threads,
            warmup: self.workload.warmup,
            round: self.workload.duration,
            rounds: self.workload.rounds,
            grace: self.grace,
        }
    }

    /// Ends without a run.
    pub(super) fn give_up(mut self, trouble: Trouble) -> Result<Ending, Trouble> {
        self.topics.clear(&mut self.cluster);
        Err(trouble)
    }

    /// Writes what is to be read.
    pub(super) fn fill(&mut self, plan: &Plan) -> Result<(), Trouble> {
        let mut progress = Progress::new(self.results.quiet);
        let interrupted = Arc::clone(&self.interrupted);
        let outcome = run(&mut self.cluster, plan, |moment| {
            if let Moment::Tick(live, _) = moment {
                let bytes = live.produced_bytes.load(Ordering::Relaxed);
                progress.show_line(|| format!("filling the topic: {:.1} MB", bytes as f64 / 1e6));
            }
            !interrupted.load(Ordering::Relaxed)
        })?;
        progress.end();
        match outcome.failure {
            Some(failure) => Err(failure.into()),
            None if outcome.stopped => Err(Failure::here("interrupted while the topic was being filled").into()),
            None => Ok(()),
        }
    }

    /// Runs the plan, and says what came out.
    pub(super) fn run(mut self, plan: &Plan) -> Result<Ending, Trouble> {
        let result = self.measured(plan).and_then(|report| self.tell(&report));
        self.topics.clear(&mut self.cluster);
        result
    }

    fn measured(&mut self, plan: &Plan) -> Result<Report, Trouble> {
        let observed = self.observed.clone();
        let started = moment::rfc3339(moment::now());
        let load_average = load_average();
        let mut calls = self.results.syscalls.then(|| SystemCalls::new(&observed.processes));
        let (outcome, samples) = self.measure(plan, &observed, calls.as_mut())?;
        let counted: Vec<Option<f64>> = calls.as_mut().map_or_else(Vec::new, SystemCalls::counts);
        let mut whole = Round::default();
        outcome.tally.rounds.iter().for_each(|round| whole.add(round));
        let ended_early = match (&outcome.failure, outcome.stopped) {
            (Some(failure), _) => Some(failure.to_string()),
            (None, true) => Some("interrupted".to_string()),
            (None, false) => None,
        };
        let cluster = &self.cluster;
        Ok(Report {
            mode: self.mode,
            subject: self.subject,
            label: self.label.clone(),
            started,
            topics: self.topics.all.iter().map(|topic| topic.name.clone()).collect(),
            workload: self.workload.clone(),
            brokers: cluster.brokers().map(|broker| broker.address.to_string()).collect(),
            cluster_id: cluster.id().map(str::to_string),
            observed,
            uncounted_calls: calls.and_then(|calls| calls.why_not),
            load_average,
            rounds: rounds(self.subject, plan, &outcome, &samples, &counted),
            whole,
            interval: outcome.table.interval(),
            intervals: outcome.tally.intervals,
            codes: outcome.tally.codes,
            connections: outcome.connections,
            batch_bytes: outcome.batch_bytes,
            missing: outcome.missing,
            caught_up: outcome.caught_up,
            ended_early,
        })
    }

    fn measure(
        &mut self,
        plan: &Plan,
        observed: &Observed,
        mut calls: Option<&mut SystemCalls>,
    ) -> Result<(Outcome, Vec<Sample>), Trouble> {
        let mut progress = Progress::new(self.results.quiet);
        let mut samples = Vec::new();
        let mut speed = Speed { at: Instant::now(), records: 0, bytes: 0, reads: plan.writing.is_none() };
        let interrupted = Arc::clone(&self.interrupted);
        let outcome = run(&mut self.cluster, plan, |moment| {
            match moment {
                Moment::Border(number, at) => {
                    samples.push(observed.sample(at));
                    if let Some(calls) = calls.as_mut().filter(|_| number < plan.rounds) {
                        calls.begin(plan.round);
                    }
                }
                Moment::Tick(live, table) => progress.show_line(|| speed.line(live, table)),
            }
            !interrupted.load(Ordering::Relaxed)
        });
        progress.end();
        let outcome = outcome?;
        samples.push(observed.sample(outcome.ended));
        Ok((outcome, samples))
    }

    /// Files first: what was measured is kept, whatever happens to the screen.
    fn tell(&self, report: &Report) -> Result<Ending, Trouble> {
        if let Some(prefix) = &self.results.save {
            files::save(prefix, report)?;
        }
        if report.has_figures() {
            if self.results.form == Form::Table {
                writeln!(std::io::stdout(), "{}", report.headline())?;
            }
            print(self.results.form, || report.tables(), || json_report::json(report))?;
        }
        report.remarks().iter().for_each(complain);
        if let Some(why) = &report.ended_early {
            complain(why);
        }
        if report.ended_early.is_some() && report.has_figures() {
            let rounds = report.rounds.iter().filter(|round| round.complete).count();
            let kept =
                self.results.save.as_ref().map(|prefix| format!("; kept in {}", files::json_path(prefix).display()));
            complain(format_args!(
                "it ended before its time: the figures are those of {rounds} of {} rounds{}{}",
                report.workload.rounds,
                if rounds == 0 { ", the first one cut" } else { "" },
                kept.unwrap_or_default()
            ));
        }
        Ok(match (report.is_complete(), report.has_figures()) {
            (true, _) => Ending::Done,
            (false, true) => Ending::Partly,
            (false, false) => Ending::Failed,
        })
    }
}

/// For the progress line: since the last one.
struct Speed {
    at: Instant,
    records: u64,
    bytes: u64,
    reads: bool,
}

impl Speed {
    fn line(&mut self, live: &Live, table: &Timetable) -> String {
        let (records, bytes) = match self.reads {
            true => (&live.consumed_records, &live.consumed_bytes),
            false => (&live.produced_records, &live.produced_bytes),
        };
        let (records, bytes) = (records.load(Ordering::Relaxed), bytes.load(Ordering::Relaxed));
        let now = Instant::now();
        let seconds = now.saturating_duration_since(self.at).as_secs_f64().max(1e-3);
        let rate = (records - self.records) as f64 / seconds;
        let megabytes = (bytes - self.bytes) as f64 / 1e6 / seconds;
        (self.at, self.records, self.bytes) = (now, records, bytes);
        let place = match table.round_of(now) {
            Some(round) => format!("round {} of {}", round + 1, table.rounds()),
            None if now < table.end() => "warm-up".to_string(),
            None => "waiting for the last answers".to_string(),
        };
        let errors = live.errors.load(Ordering::Relaxed);
        format!("{place}: {rate:.0} records/s, {megabytes:.1} MB/s; {records} records so far, {errors} errors")
    }
}

/// A round counts if it began. The last one may have been cut; one that ended because all was done counts unless it was short.
fn rounds(
    subject: Subject,
    plan: &Plan,
    outcome: &Outcome,
    samples: &[Sample],
    calls: &[Option<f64>],
) -> Vec<RoundReport> {
    let as_meant = outcome.failure.is_none() && !outcome.stopped;
    let mut reports: Vec<RoundReport> = Vec::new();
    for (number, pair) in samples.windows(2).enumerate().take(outcome.tally.rounds.len()) {
        let time = pair[1].at.saturating_duration_since(pair[0].at);
        let complete = number + 2 < samples.len() || (as_meant && (number == 0 || time * 2 > plan.round));
        let calls = calls.get(number).copied().flatten();
        let figures = figures(subject, &outcome.tally.rounds[number], &pair[0], &pair[1], calls);
        reports.push(RoundReport { seconds: time.as_secs_f64(), complete, figures });
    }
    reports
}
