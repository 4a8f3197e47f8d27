//! `--save PREFIX`: PREFIX.json, PREFIX.hgrm (and PREFIX-service.hgrm), PREFIX.html.

use crate::cli::bench::html_report;
use crate::cli::bench::json_report;
use crate::cli::bench::report::Report;
use crate::cli::ending::Trouble;
use crate::client::failure::Failure;
use crate::client::load::tally::Times;
use std::fmt::Write;
use std::path::{Path, PathBuf};

fn with_ending(prefix: &Path, ending: &str) -> PathBuf {
    let mut name = prefix.as_os_str().to_os_string();
    name.push(ending);
    name.into()
}

/// Where the JSON goes.
pub(super) fn json_path(prefix: &Path) -> PathBuf {
    with_ending(prefix, ".json")
}

fn failed(path: &Path, error: &std::io::Error) -> Trouble {
    Failure::here(format!("--save {}: {error}; choose a place that can be written to", path.display())).into()
}

/// Refuses a place that cannot be written to before anything is measured.
pub(super) fn check(prefix: Option<&Path>) -> Result<(), Trouble> {
    let Some(prefix) = prefix else { return Ok(()) };
    let path = json_path(prefix);
    let existed = path.exists();
    std::fs::OpenOptions::new().create(true).append(true).open(&path).map_err(|error| failed(&path, &error))?;
    if existed { Ok(()) } else { std::fs::remove_file(&path).map_err(|error| failed(&path, &error)) }
}

/// Writes all of them.
pub(super) fn save(prefix: &Path, report: &Report) -> Result<(), Trouble> {
    let write = |ending: &str, text: &str| {
        let path = with_ending(prefix, ending);
        std::fs::write(&path, text).map_err(|error| failed(&path, &error))
    };
    write(".json", &(json_report::json(report).pretty() + "\n"))?;
    write(".hgrm", &hgrm(report.subject.latency(&report.whole)))?;
    if report.whole.service.count() > 0 {
        write("-service.hgrm", &hgrm(&report.whole.service))?;
    }
    write(".html", &html_report::page(report))
}

/// The form that HdrHistogram's plotters read, in milliseconds.
fn hgrm(times: &Times) -> String {
    let histogram = times.histogram();
    let mut out = String::from("       Value     Percentile TotalCount 1/(1-Percentile)\n\n");
    let mut total = 0;
    for step in histogram.iter_quantiles(5).filter(|_| times.count() > 0) {
        total += step.count_since_last_iteration();
        let (value, share) = (step.value_iterated_to() as f64 / 1e6, step.quantile_iterated_to());
        // Writing into a String cannot fail.
        let _ = if share < 1.0 {
            writeln!(out, "{value:12.3} {share:.12} {total:10} {:14.2}", 1.0 / (1.0 - share))
        } else {
            writeln!(out, "{value:12.3} {share:.12} {total:10}")
        };
    }
    let (mean, deviation) = (histogram.mean() / 1e6, histogram.stdev() / 1e6);
    let _ = writeln!(out, "#[Mean    = {mean:12.3}, StdDeviation   = {deviation:12.3}]");
    let _ = writeln!(out, "#[Max     = {:12.3}, Total count    = {:12}]", histogram.max() as f64 / 1e6, times.count());
    let _ = writeln!(out, "#[Buckets = {:12}, SubBuckets     = {:12}]", histogram.buckets(), 2048);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn histograms_as_text() {
        let mut times = Times::default();
        times.record(Duration::from_millis(1), 99);
        times.record(Duration::from_millis(50), 1);
        let text = hgrm(&times);
        let rows: Vec<Vec<f64>> = text
            .lines()
            .skip(2)
            .filter(|line| !line.starts_with('#'))
            .map(|line| line.split_whitespace().map(|word| word.parse().expect("a number")).collect())
            .collect();
        assert!(rows.windows(2).all(|pair| pair[0][0] <= pair[1][0] && pair[0][2] <= pair[1][2]), "{text}");
        let (first, last) = (&rows[0], &rows[rows.len() - 1]);
        assert!((first[0] - 1.0).abs() < 0.01 && (last[0] - 50.0).abs() < 0.1, "{text}");
        assert_eq!((last[1], last[2]), (1.0, 100.0), "{text}");
        assert!(text.contains("Total count    =          100]"), "{text}");
        assert!(hgrm(&Times::default()).contains("Total count    =            0]"));
    }

    #[test]
    fn an_impossible_place_is_refused_at_once() {
        assert!(check(None).is_ok());
        assert!(check(Some(Path::new("/nowhere/at/all/x"))).is_err());
    }
}
