//! The figures of a round: one table for the screen, the files and the comparison.

use crate::cli::bench::observed::Sample;
use crate::client::load::process::Usage;
use crate::client::load::tally::{Amount, Round, Times};

/// Which way is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Better {
    More,
    Less,
    /// Says something about the run, not about the broker.
    Neither,
}

/// A figure.
#[derive(Clone, Copy, Debug)]
pub(super) struct Kind {
    /// In JSON.
    pub(super) name: &'static str,
    /// For people.
    pub(super) words: &'static str,
    /// For people.
    pub(super) unit: &'static str,
    pub(super) better: Better,
}

const fn kind(name: &'static str, words: &'static str, unit: &'static str, better: Better) -> Kind {
    Kind { name, words, unit, better }
}

use Better::{Less, More, Neither};

/// All figures, in the order in which they are shown.
///
/// "Latency" is what the mode is about: `produce` from the intended time of a request to its acknowledgement, `end-to-end` and
/// `consume --pattern tail` from there to the arrival of its records, the other patterns of `consume` from a Fetch to its answer. A GB is
/// 10^9 bytes of keys and values that were acknowledged; in `consume` of record batches that were received.
pub(super) const KINDS: [Kind; 43] = [
    kind("mb_per_s", "acknowledged", "MB/s", More),
    kind("records_per_s", "acknowledged", "records/s", More),
    kind("requests_per_s", "acknowledged", "requests/s", More),
    kind("wire_mb_per_s", "acknowledged, as batches on the wire", "MB/s", More),
    kind("consumed_mb_per_s", "received", "MB/s", More),
    kind("consumed_records_per_s", "received", "records/s", More),
    kind("fetches_per_s", "answers to Fetch", "/s", Neither),
    kind("latency_mean_us", "latency, mean", "us", Less),
    kind("latency_p50_us", "latency, median", "us", Less),
    kind("latency_p90_us", "latency, 90 %", "us", Less),
    kind("latency_p99_us", "latency, 99 %", "us", Less),
    kind("latency_p999_us", "latency, 99.9 %", "us", Less),
    kind("latency_p9999_us", "latency, 99.99 %", "us", Less),
    kind("latency_max_us", "latency, longest", "us", Less),
    kind("ack_p50_us", "until acknowledged, median", "us", Less),
    kind("ack_p99_us", "until acknowledged, 99 %", "us", Less),
    kind("ack_p999_us", "until acknowledged, 99.9 %", "us", Less),
    kind("ack_max_us", "until acknowledged, longest", "us", Less),
    kind("service_p50_us", "service time, median", "us", Less),
    kind("service_p99_us", "service time, 99 %", "us", Less),
    kind("service_p999_us", "service time, 99.9 %", "us", Less),
    kind("service_max_us", "service time, longest", "us", Less),
    kind("send_delay_p50_us", "waited before it was sent, median", "us", Neither),
    kind("send_delay_p99_us", "waited before it was sent, 99 %", "us", Neither),
    kind("send_delay_max_us", "waited before it was sent, longest", "us", Neither),
    kind("errors", "partitions answered with an error", "", Less),
    kind("unsent", "requests that were never sent", "", Less),
    kind("unanswered", "requests without an answer at the end", "", Less),
    kind("broker_cpu_s", "broker: processor time", "s", Neither),
    kind("broker_cpus", "broker: processors used", "", Neither),
    kind("broker_cpu_s_per_gb", "broker: processor time", "s/GB", Less),
    kind("broker_cpu_us_per_request", "broker: processor time", "us/request", Less),
    kind("broker_written_per_byte", "broker: written to disks", "bytes per byte", Less),
    kind("broker_read_per_byte", "broker: read from disks", "bytes per byte", Less),
    kind("broker_rss_mb", "broker: resident memory", "MB", Less),
    kind("broker_peak_rss_mb", "broker: resident memory at most, ever", "MB", Less),
    kind("broker_syscalls_per_request", "broker: system calls", "per request", Less),
    kind("client_cpu_s", "generator: processor time", "s", Neither),
    kind("client_cpus", "generator: processors used", "", Neither),
    kind("client_cpu_s_per_gb", "generator: processor time", "s/GB", Neither),
    kind("client_cpu_us_per_request", "generator: processor time", "us/request", Neither),
    kind("both_cpu_s_per_gb", "broker and generator: processor time", "s/GB", Less),
    kind("steal_percent", "machine: taken by the host", "%", Neither),
];

/// What a mode measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Subject {
    /// Acknowledgements.
    Produce,
    /// Answers to Fetch.
    Fetch,
    /// Arrivals.
    Delivery,
}

impl Subject {
    /// The times that are this mode's latency.
    pub(super) fn latency(self, round: &Round) -> &Times {
        match self {
            Subject::Produce => &round.latency,
            Subject::Fetch => &round.fetch,
            Subject::Delivery => &round.delivery,
        }
    }

    /// What a GB and a request are.
    fn amount(self, round: &Round) -> Amount {
        if self == Subject::Fetch { round.consumed } else { round.produced }
    }
}

/// The figures of a round, in the order of [`KINDS`]; what could not be measured or makes no sense is absent.
pub(super) fn figures(
    subject: Subject,
    round: &Round,
    from: &Sample,
    to: &Sample,
    calls: Option<f64>,
) -> Vec<Option<f64>> {
    let seconds = to.at.saturating_duration_since(from.at).as_secs_f64();
    let amount = subject.amount(round);
    let (gigabytes, requests) = (amount.bytes as f64 / 1e9, amount.requests as f64);
    let (writes, reads) = (round.produced.requests > 0, round.consumed.requests > 0);
    let rate = |there: bool, number: f64| there.then(|| number / seconds);
    let per = |number: Option<f64>, unit: f64| number.filter(|_| unit > 0.0).map(|number| number / unit);
    let latency = subject.latency(round);
    let acks = (subject != Subject::Produce).then_some(&round.latency);
    let ack = |quantile: f64| acks.and_then(|acks| acks.at(quantile));
    let broker_cpu = cpu(from.broker.as_ref(), to.broker.as_ref());
    let client_cpu = cpu(Some(&from.client), Some(&to.client));
    let megabytes = |field: fn(&Usage) -> Option<u64>| Some(to.broker.as_ref().and_then(field)? as f64 / 1e6);
    let values = [
        rate(writes, round.produced.bytes as f64 / 1e6),
        rate(writes, round.produced.records as f64),
        rate(writes, round.produced.requests as f64),
        rate(writes, round.produced.wire_bytes as f64 / 1e6),
        rate(reads, round.consumed.bytes as f64 / 1e6),
        rate(reads, round.consumed.records as f64),
        rate(reads, round.consumed.requests as f64),
        latency.mean(),
        latency.at(0.5),
        latency.at(0.9),
        latency.at(0.99),
        latency.at(0.999),
        latency.at(0.9999),
        latency.max(),
        ack(0.5),
        ack(0.99),
        ack(0.999),
        acks.and_then(Times::max),
        round.service.at(0.5),
        round.service.at(0.99),
        round.service.at(0.999),
        round.service.max(),
        round.delay.at(0.5),
        round.delay.at(0.99),
        round.delay.max(),
        Some(round.errors as f64),
        Some(round.unsent as f64),
        Some(round.unanswered as f64),
        broker_cpu,
        per(broker_cpu, seconds),
        per(broker_cpu, gigabytes),
        per(broker_cpu.map(|cpu| cpu * 1e6), requests),
        per(moved(from, to, |usage| usage.written_bytes), amount.bytes as f64),
        per(moved(from, to, |usage| usage.read_bytes), amount.bytes as f64),
        megabytes(|usage| usage.resident_bytes),
        megabytes(|usage| usage.resident_bytes_max),
        per(calls, requests),
        client_cpu,
        per(client_cpu, seconds),
        per(client_cpu, gigabytes),
        per(client_cpu.map(|cpu| cpu * 1e6), requests),
        per(broker_cpu.zip(client_cpu).map(|(broker, client)| broker + client), gigabytes),
        steal_percent(from, to),
    ];
    assert_eq!(values.len(), KINDS.len());
    values.to_vec()
}

fn moved(from: &Sample, to: &Sample, field: fn(&Usage) -> Option<u64>) -> Option<f64> {
    let (from, to) = (from.broker.as_ref().and_then(field)?, to.broker.as_ref().and_then(field)?);
    Some(to.saturating_sub(from) as f64)
}

fn steal_percent(from: &Sample, to: &Sample) -> Option<f64> {
    let ticks = to.machine.ticks.saturating_sub(from.machine.ticks) as f64;
    let stolen = to.machine.stolen_ticks.saturating_sub(from.machine.stolen_ticks) as f64;
    (ticks > 0.0).then(|| stolen * 100.0 / ticks)
}

fn cpu(from: Option<&Usage>, to: Option<&Usage>) -> Option<f64> {
    Some((to?.cpu_seconds? - from?.cpu_seconds?).max(0.0))
}

/// Median, smallest and largest of the rounds that have a figure.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
}

impl Spread {
    /// None of nothing.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let (min, max) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median =
            if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
        Some(Spread { median, min, max })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(Spread::of([]), None);
        assert_eq!(Spread::of([3.0]), Some(Spread { median: 3.0, min: 3.0, max: 3.0 }));
        assert_eq!(Spread::of([5.0, 1.0, 2.0]), Some(Spread { median: 2.0, min: 1.0, max: 5.0 }));
        assert_eq!(Spread::of([5.0, 1.0, 2.0, 4.0]).map(|spread| spread.median), Some(3.0));
    }

    #[test]
    fn names_are_told_apart() {
        let mut names: Vec<&str> = KINDS.iter().map(|kind| kind.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KINDS.len());
    }
}
