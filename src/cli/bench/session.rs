//! From flags to a report: topics, the run with its progress, the files.

use crate::cli::bench::flags::{ResultFlags, TopicFlags, Workload};
use crate::cli::bench::json_report;
use crate::cli::bench::measures::{Subject, figures};
use crate::cli::bench::observed::{Observed, Sample};
use crate::cli::bench::report::{Report, RoundReport};
use crate::cli::consume::interruption;
use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::moment;
use crate::cli::progress::Progress;
use crate::cli::reach::{Form, print};
use crate::client::cluster::{Cluster, Topic, topic_words};
use crate::client::failure::Failure;
use crate::client::load::process::load_average;
use crate::client::load::run::{Moment, Outcome, Plan, run};
use crate::client::load::tally::Round;
use crate::client::topics::{self, NewTopic};
use std::path::Path;
use std::sync::atomic::Ordering;
use std::time::Instant;

/// Topics of a run, and which of them are to go at the end.
pub(super) struct Topics {
    pub(super) all: Vec<Topic>,
    made: Vec<String>,
    keep: bool,
}

/// Topics that are created by one request.
const TOPICS_AT_ONCE: usize = 200;

impl Topics {
    /// Finds those that exist, and creates the others.
    pub(super) fn prepare(
        cluster: &mut Cluster,
        flags: &TopicFlags,
        workload: &Workload,
        mode: &str,
    ) -> Result<Topics, Trouble> {
        let name =
            flags.topic.clone().unwrap_or_else(|| format!("bench-{mode}-{}-{}", moment::now(), std::process::id()));
        let names: Vec<String> = match workload.topics {
            1 => vec![name],
            many => (0..many).map(|number| format!("{name}-{number}")).collect(),
        };
        let mut made = Vec::new();
        for names in names.chunks(TOPICS_AT_ONCE) {
            let asked: Vec<&str> = names.iter().map(String::as_str).collect();
            let known = cluster.metadata(Some(&asked), false)?;
            let exists = |name: &str| known.iter().any(|topic| topic.name == name && topic.error == 0);
            let new = |name: &&String| NewTopic {
                name: name.to_string(),
                partitions: workload.partitions,
                replicas: flags.replicas,
                configs: flags.configs.clone(),
            };
            let missing: Vec<NewTopic> = names.iter().filter(|name| !exists(name)).map(|name| new(&name)).collect();
            if missing.is_empty() {
                continue;
            }
            for verdict in topics::create(cluster, &missing, false)? {
                verdict.result?;
                made.push(verdict.topic);
            }
        }
        let mut all = Vec::new();
        for name in &names {
            all.push(cluster.topic(name, false)?);
        }
        let typed = flags.partitions;
        let other =
            all.iter().find(|topic| typed.is_some_and(|typed| topic.partitions.len() as i64 != i64::from(typed)));
        if let Some(topic) = other {
            let why = format!(
                "it exists with {} partitions; leave --partitions out, or use another topic",
                topic.partitions.len()
            );
            return Err(Failure::here(why).about(topic_words(&topic.name)).into());
        }
        Ok(Topics { all, made, keep: flags.keep })
    }

    /// Deletes what was made, unless it is to stay. What cannot be deleted is said, and changes nothing else.
    pub(super) fn clear(&self, cluster: &mut Cluster) {
        if self.keep {
            return;
        }
        for names in self.made.chunks(TOPICS_AT_ONCE) {
            let result = topics::delete(cluster, names);
            let failure = match result {
                Ok(verdicts) => verdicts.into_iter().find_map(|verdict| verdict.result.err()),
                Err(failure) => Some(failure),
            };
            if let Some(failure) = failure {
                complain(format_args!("topics that the run made are still there: {failure}"));
                return;
            }
        }
    }
}

/// Everything that is about one run besides its plan.
pub(super) struct Session {
    pub(super) mode: &'static str,
    pub(super) subject: Subject,
    pub(super) workload: Workload,
    pub(super) results: ResultFlags,
    pub(super) form: Form,
    pub(super) label: String,
}

impl Session {
    /// Runs the plan, and says what came out.
    pub(super) fn run(self, cluster: &mut Cluster, topics: &Topics, plan: &Plan) -> Result<Ending, Trouble> {
        let observed = Observed::find(&self.results.pids, cluster)?;
        let started = moment::rfc3339(moment::now());
        let load_before = load_average();
        let (outcome, samples) = self.measure(cluster, plan, &observed)?;
        // The workload says what was there, not what would have been made.
        let mut workload = self.workload.clone();
        workload.partitions = topics.all.first().map_or(0, |topic| topic.partitions.len() as i32);
        let ended_early = match (&outcome.failure, outcome.stopped) {
            (Some(failure), _) => Some(failure.to_string()),
            (None, true) => Some("interrupted".to_string()),
            (None, false) => None,
        };
        let mut whole = Round::default();
        outcome.tally.rounds.iter().for_each(|round| whole.add(round));
        let mut report = Report {
            mode: self.mode,
            subject: self.subject,
            label: self.label.clone(),
            started,
            topics: topics.all.iter().map(|topic| topic.name.clone()).collect(),
            workload,
            brokers: cluster.brokers().map(|broker| broker.address.to_string()).collect(),
            cluster_id: cluster.id().map(str::to_string),
            observed,
            load_average: load_before,
            rounds: rounds(self.subject, &outcome, &samples, ended_early.is_none()),
            whole,
            interval: outcome.table.interval(),
            intervals: outcome.tally.intervals.clone(),
            codes: outcome.tally.codes.clone(),
            connections: outcome.connections,
            batch_bytes: outcome.batch_bytes,
            missing: outcome.missing,
            caught_up: outcome.caught_up,
            ended_early,
        };
        self.tell(&mut report)
    }

    fn measure(
        &self,
        cluster: &mut Cluster,
        plan: &Plan,
        observed: &Observed,
    ) -> Result<(Outcome, Vec<Sample>), Trouble> {
        let interrupted = interruption()?;
        let mut progress = Progress::new(self.results.quiet);
        let mut samples = Vec::new();
        let mut last = (Instant::now(), 0, 0);
        let outcome = run(cluster, plan, |moment| {
            match moment {
                Moment::Border(_) => samples.push(observed.sample()),
                Moment::Tick(live, table) => progress.show_line(|| {
                    let load = |number: &std::sync::atomic::AtomicU64| number.load(Ordering::Relaxed);
                    let reads = plan.writing.is_none();
                    let (records, bytes) = match reads {
                        true => (load(&live.consumed_records), load(&live.consumed_bytes)),
                        false => (load(&live.produced_records), load(&live.produced_bytes)),
                    };
                    let now = Instant::now();
                    let seconds = now.saturating_duration_since(last.0).as_secs_f64().max(1e-3);
                    let rate = (records - last.1) as f64 / seconds;
                    let megabytes = (bytes - last.2) as f64 / 1e6 / seconds;
                    last = (now, records, bytes);
                    let place = match table.round_of(now) {
                        Some(round) => format!("round {} of {}", round + 1, table.rounds()),
                        None if now < table.end() => "warm-up".to_string(),
                        None => "waiting for the last answers".to_string(),
                    };
                    let errors = load(&live.errors);
                    format!("{place}: {rate:.0} records/s, {megabytes:.1} MB/s now, {records} records, {errors} errors")
                }),
            }
            !interrupted.load(Ordering::Relaxed)
        });
        progress.end();
        let outcome = outcome?;
        samples.push(observed.sample());
        Ok((outcome, samples))
    }

    /// Files first: what was measured is kept, whatever happens to the screen.
    fn tell(&self, report: &mut Report) -> Result<Ending, Trouble> {
        let json = json_report::json(report);
        if let Some(prefix) = &self.results.save {
            write(&with_ending(prefix, "json"), &(json.pretty() + "\n"))?;
        }
        if report.has_figures() {
            if self.form == Form::Table {
                use std::io::Write;
                writeln!(std::io::stdout(), "{}", report.headline())?;
            }
            print(self.form, || report.tables(), || json)?;
        }
        report.remarks().iter().for_each(complain);
        if let Some(why) = &report.ended_early {
            complain(why);
            let rounds = report.rounds.iter().filter(|round| round.complete).count();
            let of = report.workload.rounds;
            let kept = self.results.save.as_ref().map_or_else(String::new, |prefix| {
                format!("; they are kept in {}", with_ending(prefix, "json").display())
            });
            if report.has_figures() {
                complain(format_args!(
                    "the figures are those of {rounds} whole rounds of {of}, and of what came after them{kept}"
                ));
            }
        }
        Ok(match (report.is_complete(), report.has_figures()) {
            (true, _) => Ending::Done,
            (false, true) => Ending::Partly,
            (false, false) => Ending::Failed,
        })
    }
}

fn with_ending(prefix: &Path, ending: &str) -> std::path::PathBuf {
    let mut name = prefix.as_os_str().to_os_string();
    name.push(".");
    name.push(ending);
    name.into()
}

fn write(path: &Path, text: &str) -> Result<(), Trouble> {
    std::fs::write(path, text).map_err(|error| Failure::here(format!("--save: {}: {error}", path.display())).into())
}

/// A round counts if it began; the last one may have been cut.
fn rounds(subject: Subject, outcome: &Outcome, samples: &[Sample], as_meant: bool) -> Vec<RoundReport> {
    let mut reports = Vec::new();
    for (number, pair) in samples.windows(2).enumerate().take(outcome.tally.rounds.len()) {
        let round = &outcome.tally.rounds[number];
        let complete = number + 2 < samples.len() || as_meant;
        let seconds = pair[1].at.saturating_duration_since(pair[0].at).as_secs_f64();
        reports.push(RoundReport { seconds, complete, figures: figures(subject, round, &pair[0], &pair[1], None) });
    }
    reports
}
