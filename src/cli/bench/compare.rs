//! `corelane bench compare`: two runs, or two lists of runs, figure by figure.
//!
//! The spread of a figure is the distance between its smallest and largest round, on the side where that is larger. The medians of
//! both sides differ if they are more than twice the spread apart; else there is no difference that these rounds could show.

use crate::cli::bench::json_report::FORMAT;
use crate::cli::bench::measures::{Better, KINDS, Kind, Spread};
use crate::cli::bench::report::short;
use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::reach::Output;
use crate::cli::table::Table;
use crate::client::failure::Failure;
use clap::Args;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// Whether two runs differ by more than their rounds do
#[derive(Args, Debug)]
pub struct Compare {
    /// Results that --save wrote; several with commas are taken together
    #[arg(value_name = "A.json,...", value_delimiter = ',', required = true, num_args = 1)]
    a: Vec<PathBuf>,
    /// Those to compare with them
    #[arg(value_name = "B.json,...", value_delimiter = ',', required = true, num_args = 1)]
    b: Vec<PathBuf>,
    /// Ends with code 1 if any figure of B is worse
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    output: Output,
}

/// What can be said about a figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Verdict {
    Better,
    Worse,
    /// Apart, of a figure that has no better and worse.
    Differs,
    /// Not further apart than twice the spread.
    NoDifference,
    /// A single round on a side has no spread.
    Unknown,
}

impl Verdict {
    fn words(self) -> &'static str {
        match self {
            Verdict::Better => "B is better",
            Verdict::Worse => "B is worse",
            Verdict::Differs => "differs",
            Verdict::NoDifference => "no difference",
            Verdict::Unknown => "one round says nothing",
        }
    }
}

/// One side: its rounds.
struct Side {
    documents: Vec<Value>,
}

/// One figure of both sides.
struct Row {
    kind: &'static Kind,
    a: Spread,
    b: Spread,
    verdict: Verdict,
}

impl Compare {
    /// Does it.
    pub(super) fn run(self) -> Result<Ending, Trouble> {
        let (a, b) = (Side::read(&self.a)?, Side::read(&self.b)?);
        let modes: BTreeSet<String> = a.documents.iter().chain(&b.documents).map(|one| text(&one["mode"])).collect();
        if modes.len() > 1 {
            let modes = modes.into_iter().collect::<Vec<_>>().join(" and ");
            return Err(Trouble::Usage(format!("{modes} measure different things and cannot be compared")));
        }
        for (name, left, right) in differences(&a, &b) {
            complain(format_args!("the workloads differ in {name}: {left} and {right}"));
        }
        for (side, name) in [(&a, "A"), (&b, "B")] {
            if side.documents.iter().any(|document| document["complete"] != true) {
                complain(format_args!("{name} has a run that is not complete; only its whole rounds count"));
            }
        }
        let rows: Vec<Row> = KINDS.iter().filter_map(|kind| row(kind, &a, &b)).collect();
        if rows.is_empty() {
            return Err(Failure::here("the runs have no figure in common that a whole round has measured").into());
        }
        self.output.print(|| vec![table(&rows)], || json(&rows))?;
        let worse = rows.iter().any(|row| row.verdict == Verdict::Worse);
        Ok(if self.check && worse { Ending::Failed } else { Ending::Done })
    }
}

impl Side {
    fn read(paths: &[PathBuf]) -> Result<Side, Trouble> {
        let read = |path: &PathBuf| {
            let failed = |why: String| Failure::here(format!("{}: {why}", path.display()));
            let text = std::fs::read_to_string(path).map_err(|error| failed(error.to_string()))?;
            let document: Value = serde_json::from_str(&text).map_err(|error| failed(format!("no JSON: {error}")))?;
            if document["format"] != FORMAT {
                return Err(failed(format!("not what corelane bench --save writes ({FORMAT})")));
            }
            Ok(document)
        };
        Ok(Side { documents: paths.iter().map(read).collect::<Result<_, Failure>>()? })
    }

    /// The figure of every whole round.
    fn figures(&self, name: &str) -> Vec<f64> {
        let rounds = self.documents.iter().filter_map(|document| document["rounds"].as_array()).flatten();
        rounds.filter(|round| round["complete"] == true).filter_map(|round| round[name].as_f64()).collect()
    }
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_string)
}

/// Settings that are not the same everywhere. How long, and which topic, matters to nobody.
fn differences(a: &Side, b: &Side) -> Vec<(String, String, String)> {
    let settings = |side: &Side, name: &str| {
        let all: BTreeSet<String> = side.documents.iter().map(|document| text(&document["workload"][name])).collect();
        all.into_iter().collect::<Vec<_>>().join(", ")
    };
    let names: BTreeSet<String> = a.documents.iter().chain(&b.documents).flat_map(setting_names).collect();
    let named = names.into_iter().map(|name| (settings(a, &name), settings(b, &name), name));
    named.filter(|(left, right, _)| left != right).map(|(left, right, name)| (name, left, right)).collect()
}

fn setting_names(document: &Value) -> Vec<String> {
    const IRRELEVANT: [&str; 4] = ["topics", "rounds", "warmup_s", "duration_s"];
    let names = document["workload"].as_object().into_iter().flat_map(|settings| settings.keys().cloned());
    names.filter(|name| !IRRELEVANT.contains(&name.as_str())).collect()
}

fn row(kind: &'static Kind, a: &Side, b: &Side) -> Option<Row> {
    let (a, b) = (a.figures(kind.name), b.figures(kind.name));
    let verdict = verdict(kind.better, &a, &b);
    let (a, b) = (Spread::of(a)?, Spread::of(b)?);
    let nothing = a.max == 0.0 && b.max == 0.0;
    (!nothing).then_some(Row { kind, a, b, verdict })
}

/// See the module.
fn verdict(better: Better, a: &[f64], b: &[f64]) -> Verdict {
    let (Some(left), Some(right)) = (Spread::of(a.iter().copied()), Spread::of(b.iter().copied())) else {
        return Verdict::Unknown;
    };
    if a.len() < 2 || b.len() < 2 {
        return Verdict::Unknown;
    }
    let spread = (left.max - left.min).max(right.max - right.min);
    let difference = right.median - left.median;
    if difference == 0.0 || difference.abs() <= 2.0 * spread {
        return Verdict::NoDifference;
    }
    match (better, difference > 0.0) {
        (Better::Neither, _) => Verdict::Differs,
        (Better::More, true) | (Better::Less, false) => Verdict::Better,
        (Better::More, false) | (Better::Less, true) => Verdict::Worse,
    }
}

fn percent(row: &Row) -> Option<f64> {
    (row.a.median != 0.0).then(|| (row.b.median / row.a.median - 1.0) * 100.0)
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new(["figure", "unit", "a", "(min-max)", "b", "(min-max)", "b to a", "verdict"]);
    for row in rows {
        let range = |spread: &Spread| format!("({}-{})", short(spread.min), short(spread.max));
        table.row([
            row.kind.words.to_string(),
            row.kind.unit.to_string(),
            short(row.a.median),
            range(&row.a),
            short(row.b.median),
            range(&row.b),
            percent(row).map_or_else(String::new, |percent| format!("{percent:+.1} %")),
            row.verdict.words().to_string(),
        ]);
    }
    table
}

fn json(rows: &[Row]) -> Json {
    let spread = |spread: &Spread| {
        let fields = [("median", spread.median), ("min", spread.min), ("max", spread.max)];
        Json::Fields(fields.map(|(name, value)| (name, Json::Decimal(value))).to_vec())
    };
    let verdict = |verdict: Verdict| match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::Differs => "differs",
        Verdict::NoDifference => "no difference",
        Verdict::Unknown => "unknown",
    };
    Json::list(rows.iter().map(|row| {
        Json::Fields(vec![
            ("figure", Json::text(row.kind.name)),
            ("a", spread(&row.a)),
            ("b", spread(&row.b)),
            ("percent", percent(row).map_or(Json::Null, Json::Decimal)),
            ("verdict", Json::text(verdict(row.verdict))),
        ])
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_is_more_than_twice_the_spread() {
        let a = [100.0, 104.0, 98.0];
        assert_eq!(verdict(Better::More, &a, &[101.0, 103.0, 100.0]), Verdict::NoDifference);
        // The spread of A is 6: up to 12 apart nothing can be said.
        assert_eq!(verdict(Better::More, &a, &[112.0, 112.0, 112.0]), Verdict::NoDifference);
        assert_eq!(verdict(Better::More, &a, &[112.1, 112.1, 112.1]), Verdict::Better);
        assert_eq!(verdict(Better::Less, &a, &[112.1, 112.1, 112.1]), Verdict::Worse);
        assert_eq!(verdict(Better::Neither, &a, &[112.1, 112.1, 112.1]), Verdict::Differs);
        assert_eq!(verdict(Better::Less, &a, &[80.0, 81.0, 82.0]), Verdict::Better);
        // The side that scatters more counts.
        assert_eq!(verdict(Better::Less, &a, &[60.0, 81.0, 82.0]), Verdict::NoDifference);
    }

    #[test]
    fn one_round_and_none_say_nothing() {
        assert_eq!(verdict(Better::More, &[1.0], &[2.0, 2.0]), Verdict::Unknown);
        assert_eq!(verdict(Better::More, &[], &[2.0, 2.0]), Verdict::Unknown);
        assert_eq!(verdict(Better::More, &[2.0, 2.0], &[2.0, 2.0]), Verdict::NoDifference);
    }

    fn document(rate: i64, figures: &[(f64, bool)]) -> Value {
        let rounds: Vec<Value> = figures
            .iter()
            .map(|(figure, complete)| serde_json::json!({"mb_per_s": figure, "complete": complete, "errors": 0}))
            .collect();
        serde_json::json!({"workload": {"throughput": rate, "topics": [rate]}, "rounds": rounds})
    }

    #[test]
    fn whole_rounds_of_all_files_count() {
        let side = |documents: Vec<Value>| Side { documents };
        let a = side(vec![document(1, &[(10.0, true), (99.0, false)]), document(1, &[(12.0, true)])]);
        let b = side(vec![document(2, &[(30.0, true), (31.0, true)])]);
        assert_eq!(a.figures("mb_per_s"), [10.0, 12.0]);
        assert_eq!(differences(&a, &b), [("throughput".to_string(), "1".to_string(), "2".to_string())]);
        let rows: Vec<Row> = KINDS.iter().filter_map(|kind| row(kind, &a, &b)).collect();
        assert_eq!(rows.len(), 1, "figures that are nothing on both sides are left out");
        assert_eq!((rows[0].a.median, rows[0].b.median, rows[0].verdict), (11.0, 30.5, Verdict::Better));
    }
}
