//! A report as one page that needs nothing else: no network, no script. The plots are SVG, drawn here.

use crate::cli::bench::json_report;
use crate::cli::bench::measures::{KINDS, Subject};
use crate::cli::bench::plot::{Axis, Line, escaped, svg};
use crate::cli::bench::report::{Report, short};
use crate::cli::json::Json;
use crate::client::load::tally::{Interval, Times};
use std::fmt::Write;

const STYLE: &str = include_str!("html_report.css");

/// The whole page.
pub(super) fn page(report: &Report) -> String {
    let title = escaped(&format!("{} ({})", report.label, report.mode));
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>{title}</title>\n<style>\n{STYLE}</style></head><body>\n\
         <h1>{title}</h1>\n<p>{}, {}</p>\n",
        escaped(&report.headline()),
        escaped(&report.started)
    );
    let remarks = report.remarks().into_iter().chain(report.ended_early.clone());
    for remark in remarks {
        let _ = writeln!(out, "<p class=\"remark\">{}</p>", escaped(&remark));
    }
    let _ = writeln!(out, "<h2>Throughput</h2>\n{}", throughput(report));
    let _ = writeln!(out, "<h2>Latency</h2>\n<p>{}</p>\n{}", meaning(report.subject), latency(report));
    let _ = writeln!(out, "<h2>Latency by percentile</h2>\n<p>All rounds together.</p>\n{}", percentiles(report));
    let _ = writeln!(out, "<h2>Figures</h2>\n{}", figures(report));
    let _ = writeln!(out, "<h2>Settings</h2>\n{}", settings(report));
    out.push_str("</body></html>\n");
    out
}

fn meaning(subject: Subject) -> &'static str {
    match subject {
        Subject::Produce => "From the intended time of a request to its acknowledgement. Shaded: the rounds.",
        Subject::Fetch => "From a Fetch to its answer with records. Shaded: the rounds.",
        Subject::Delivery => "From the intended time of a record's request until it was received. Shaded: the rounds.",
    }
}

/// Seconds from the start of the warm-up.
fn bands(report: &Report) -> Vec<(f64, f64)> {
    let mut at = report.workload.warmup.as_secs_f64();
    let mut bands = Vec::new();
    for round in &report.rounds {
        bands.push((at, at + round.seconds));
        at += round.seconds;
    }
    bands
}

fn over_time(report: &Report, name: &str, value: impl Fn(&Interval) -> Option<f64>) -> Line {
    let seconds = report.interval.as_secs_f64();
    let point =
        |(number, interval): (usize, &Interval)| ((number as f64 + 0.5) * seconds, value(interval).unwrap_or(f64::NAN));
    // The last interval may not be a whole one.
    let whole = report.intervals.len().saturating_sub(1).max(1);
    Line { name: name.to_string(), points: report.intervals.iter().take(whole).enumerate().map(point).collect() }
}

fn throughput(report: &Report) -> String {
    let seconds = report.interval.as_secs_f64();
    let mut lines = Vec::new();
    if report.whole.produced.requests > 0 {
        lines.push(over_time(report, "acknowledged", |one| Some(one.produced.bytes as f64 / 1e6 / seconds)));
    }
    if report.whole.consumed.requests > 0 {
        lines.push(over_time(report, "received", |one| Some(one.consumed.bytes as f64 / 1e6 / seconds)));
    }
    svg(&lines, &Axis::new("seconds", false), &Axis::new("MB/s", false), &bands(report))
}

fn latency(report: &Report) -> String {
    let lines = [
        over_time(report, "median", |one| one.times.at(0.5)),
        over_time(report, "99 %", |one| one.times.at(0.99)),
        over_time(report, "longest", |one| one.times.max()),
    ];
    svg(&lines, &Axis::new("seconds", false), &Axis::new("microseconds", true), &bands(report))
}

fn percentiles(report: &Report) -> String {
    let whole = &report.whole;
    let mut curves = vec![("latency", report.subject.latency(whole))];
    if report.subject != Subject::Produce {
        curves.push(("until acknowledged", &whole.latency));
    }
    curves.push(("service time", &whole.service));
    let line = |(name, times): (&str, &Times)| {
        let point = |step: hdrhistogram::iterators::IterationValue<u64>| {
            let share = step.quantile_iterated_to();
            (1.0 / (1.0 - share), step.value_iterated_to() as f64 / 1e3)
        };
        let points = times.histogram().iter_quantiles(5).map(point).filter(|point| point.0.is_finite()).collect();
        Line { name: name.to_string(), points }
    };
    let lines: Vec<Line> = curves.into_iter().filter(|(_, times)| times.count() > 0).map(line).collect();
    let deepest = lines.iter().flat_map(|line| &line.points).map(|point| point.0).fold(10.0, f64::max);
    let places = [
        (1.0, "0 %"),
        (2.0, "50 %"),
        (10.0, "90 %"),
        (100.0, "99 %"),
        (1e3, "99.9 %"),
        (1e4, "99.99 %"),
        (1e5, "99.999 %"),
    ];
    let shown = places.into_iter().filter(|(place, _)| *place <= deepest * 10.0);
    let across = Axis {
        name: "share of the requests".to_string(),
        logarithmic: true,
        ticks: shown.map(|(place, words)| (place, words.to_string())).collect(),
    };
    svg(&lines, &across, &Axis::new("microseconds", true), &[])
}

fn figures(report: &Report) -> String {
    let mut out = String::from("<table><tr><th>figure</th><th>unit</th><th>median</th><th>min</th><th>max</th>");
    for (number, round) in report.rounds.iter().enumerate() {
        let cut = if round.complete { "" } else { " (cut)" };
        let _ = write!(out, "<th>round {}{cut}</th>", number + 1);
    }
    out.push_str("</tr>\n");
    for (number, kind) in KINDS.iter().enumerate() {
        let Some(spread) = report.spread(number) else { continue };
        let _ = write!(out, "<tr><td>{}</td><td>{}</td>", escaped(kind.words), escaped(kind.unit));
        let rounds = report.rounds.iter().map(|round| round.figures[number]);
        let cells = [Some(spread.median), Some(spread.min), Some(spread.max)].into_iter().chain(rounds);
        for cell in cells {
            let _ = write!(out, "<td class=\"number\">{}</td>", cell.map_or_else(String::new, short));
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>");
    out
}

/// What JSON says besides the figures.
fn settings(report: &Report) -> String {
    let Json::Fields(fields) = json_report::json(report) else { return String::new() };
    let mut out = String::from("<table>");
    for (name, value) in fields {
        if let ("workload" | "broker" | "machine", Json::Fields(inner)) = (name, value) {
            for (setting, value) in inner {
                let _ =
                    writeln!(out, "<tr><td>{name}</td><td>{setting}</td><td>{}</td></tr>", escaped(&value.to_string()));
            }
        }
    }
    out.push_str("</table>");
    out
}
