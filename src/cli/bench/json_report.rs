//! A report as JSON, one object, stable for scripts:
//!
//! ```text
//! format            "corelane-bench/1"
//! mode, label       "produce", ...; what the caller called it
//! started           RFC 3339
//! complete          false: it ended before its time, or had errors, or lost something
//! ended_early       null, or why
//! workload          all settings, as they were typed, preset or by default
//! broker            brokers, cluster_id, processes [{pid, name}], seen (how they were found, or why not),
//!                   system_calls_not_counted (null, or why)
//! machine           cpus, processor, memory_bytes, kernel, load_average (before the run)
//! rounds            [{round, seconds, complete, FIGURE...}]: each figure a number, or null
//! summary           {FIGURE: {median, min, max}} over the complete rounds; figures that no round has are left out
//! percentiles       {latency, service, send_delay, ack, ...: [[share, microseconds], ...]} over all rounds
//! series            {interval_s, mb_per_s, records_per_s, p50_us, p99_us, max_us}: from the start of the warm-up on
//! errors            [{code, name, count}]
//! missing_batches   acknowledged, never received (end to end)
//! caught_up_s       seconds from the start of the warm-up until the readers had read all there was, or null
//! connections, batch_wire_bytes
//! ```
//!
//! FIGURE is every name of [`KINDS`], flat, so that a row of a table is one object: `mb_per_s`, `records_per_s`, `requests_per_s`,
//! `latency_p50_us`, `latency_p99_us`, `latency_p999_us`, `service_p50_us`, `broker_cpu_s_per_gb`, `broker_cpu_us_per_request`,
//! `broker_written_per_byte`, `broker_rss_mb`, `client_cpu_s_per_gb`, `both_cpu_s_per_gb`, ...

use crate::cli::bench::flags::Workload;
use crate::cli::bench::measures::{KINDS, Kind};
use crate::cli::bench::quantity::Throughput;
use crate::cli::bench::report::{Report, RoundReport};
use crate::cli::json::Json;
use crate::client::failure::name_of;
use crate::client::load::process;
use crate::client::load::run::Crowd;
use crate::client::load::tally::{Interval, Times};

/// Of a run's files; compare refuses others.
pub(super) const FORMAT: &str = "corelane-bench/1";

/// See the module.
pub(super) fn json(report: &Report) -> Json {
    let errors = report.codes.iter().map(|(code, count)| {
        Json::Fields(vec![
            ("code", Json::number(*code)),
            ("name", Json::text(name_of(*code))),
            ("count", Json::Number(*count as i64)),
        ])
    });
    Json::Fields(vec![
        ("format", Json::text(FORMAT)),
        ("mode", Json::text(report.mode)),
        ("label", Json::text(&report.label)),
        ("started", Json::text(&report.started)),
        ("complete", Json::Bool(report.is_complete())),
        ("ended_early", Json::optional(report.ended_early.as_ref())),
        ("workload", workload(&report.workload, &report.topics)),
        ("broker", broker(report)),
        ("machine", machine(report)),
        ("rounds", Json::list(report.rounds.iter().enumerate().map(|(number, one)| round(number, one)))),
        ("summary", summary(report)),
        ("percentiles", percentiles(report)),
        ("series", series(report)),
        ("errors", Json::list(errors)),
        ("missing_batches", Json::Number(report.missing as i64)),
        ("caught_up_s", decimal(report.caught_up.map(|time| time.as_secs_f64()))),
        ("connections", Json::Number(report.connections as i64)),
        ("batch_wire_bytes", Json::Number(report.batch_bytes as i64)),
    ])
}

fn decimal(number: Option<f64>) -> Json {
    number.map_or(Json::Null, Json::Decimal)
}

fn workload(workload: &Workload, topics: &[String]) -> Json {
    let number = |number: usize| Json::Number(number as i64);
    let records = &workload.records;
    let (crowd, clients) = match workload.crowd {
        Crowd::Clients(clients) => ("producers", clients),
        Crowd::Connections(connections) => ("connections", connections),
    };
    let (rate, unit) = match workload.throughput {
        Throughput::Max => (Json::Null, "max"),
        Throughput::Records(rate) => (Json::Decimal(rate), "records/s"),
        Throughput::Bytes(rate) => (Json::Decimal(rate), "bytes/s"),
    };
    Json::Fields(vec![
        ("topics", Json::list(topics.iter().map(Json::text))),
        ("partitions", Json::number(workload.partitions)),
        ("record_bytes", number(records.record_bytes)),
        ("key_bytes", number(records.key_bytes)),
        ("keys", if records.key_bytes > 0 { Json::Number(records.keys as i64) } else { Json::Null }),
        ("batch_records", number(records.batch_records)),
        ("partitions_per_request", number(workload.partitions_per_request)),
        ("random_ratio", Json::Decimal(records.random_ratio)),
        ("compression", Json::text(workload.codec)),
        (crowd, number(clients)),
        ("consumers", number(workload.consumers)),
        ("in_flight", number(workload.in_flight)),
        ("acks", Json::number(workload.acks)),
        ("idempotent", Json::Bool(workload.idempotent)),
        ("throughput", rate),
        ("throughput_unit", Json::text(unit)),
        ("num_records", workload.num_records.map_or(Json::Null, |records| Json::Number(records as i64))),
        ("warmup_s", Json::Decimal(workload.warmup.as_secs_f64())),
        ("duration_s", Json::Decimal(workload.duration.as_secs_f64())),
        ("rounds", number(workload.rounds)),
        ("threads", number(workload.threads)),
    ])
}

fn broker(report: &Report) -> Json {
    let processes = report
        .observed
        .processes
        .iter()
        .map(|process| Json::Fields(vec![("pid", Json::number(process.pid)), ("name", Json::text(&process.name))]));
    Json::Fields(vec![
        ("brokers", Json::list(report.brokers.iter().map(Json::text))),
        ("cluster_id", Json::optional(report.cluster_id.as_ref())),
        ("processes", Json::list(processes)),
        ("seen", Json::text(&report.observed.how)),
        ("system_calls_not_counted", Json::optional(report.uncounted_calls.as_ref())),
    ])
}

fn machine(report: &Report) -> Json {
    let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Json::Fields(vec![
        ("cpus", Json::Number(cpus as i64)),
        ("processor", Json::optional(process::processor())),
        ("memory_bytes", process::memory_bytes().map_or(Json::Null, |bytes| Json::Number(bytes as i64))),
        ("kernel", Json::optional(process::kernel())),
        ("load_average", decimal(report.load_average)),
    ])
}

fn round(number: usize, round: &RoundReport) -> Json {
    let mut fields = vec![
        ("round", Json::Number(number as i64 + 1)),
        ("seconds", Json::Decimal(round.seconds)),
        ("complete", Json::Bool(round.complete)),
    ];
    fields.extend(KINDS.iter().zip(&round.figures).map(|(kind, figure)| (kind.name, decimal(*figure))));
    Json::Fields(fields)
}

fn summary(report: &Report) -> Json {
    let spread = |(number, kind): (usize, &Kind)| {
        let spread = report.spread(number)?;
        let fields = [("median", spread.median), ("min", spread.min), ("max", spread.max)];
        Some((kind.name, Json::Fields(fields.map(|(name, value)| (name, Json::Decimal(value))).to_vec())))
    };
    Json::Fields(KINDS.iter().enumerate().filter_map(spread).collect())
}

/// Steps of a percentile curve, finer towards its end.
fn curve(times: &Times) -> Json {
    let points = times.histogram().iter_quantiles(5).map(|step| {
        let (share, us) = (step.quantile_iterated_to(), step.value_iterated_to() as f64 / 1e3);
        Json::list([Json::Decimal(share), Json::Decimal(us)])
    });
    Json::list(points)
}

fn percentiles(report: &Report) -> Json {
    let whole = &report.whole;
    let all = [
        ("latency", report.subject.latency(whole)),
        ("ack", &whole.latency),
        ("service", &whole.service),
        ("send_delay", &whole.delay),
        ("fetch", &whole.fetch),
    ];
    Json::Fields(
        all.into_iter().filter(|(_, times)| times.count() > 0).map(|(name, times)| (name, curve(times))).collect(),
    )
}

fn series(report: &Report) -> Json {
    let seconds = report.interval.as_secs_f64();
    let consumes = report.whole.produced.requests == 0;
    let amount = |interval: &Interval| if consumes { interval.consumed } else { interval.produced };
    let list =
        |value: &dyn Fn(&Interval) -> Option<f64>| Json::list(report.intervals.iter().map(|one| decimal(value(one))));
    Json::Fields(vec![
        ("interval_s", Json::Decimal(seconds)),
        ("mb_per_s", list(&|one| Some(amount(one).bytes as f64 / 1e6 / seconds))),
        ("records_per_s", list(&|one| Some(amount(one).records as f64 / seconds))),
        ("consumed_mb_per_s", list(&|one| Some(one.consumed.bytes as f64 / 1e6 / seconds))),
        ("p50_us", list(&|one| one.times.at(0.5))),
        ("p99_us", list(&|one| one.times.at(0.99))),
        ("max_us", list(&|one| one.times.max())),
    ])
}
