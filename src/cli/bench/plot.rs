//! Line plots as SVG: axes with round numbers, one of them or both by powers of ten.

use std::fmt::Write;

/// A line, in the colour of its number.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) name: String,
    pub(super) points: Vec<(f64, f64)>,
}

/// An axis.
#[derive(Clone, Debug)]
pub(super) struct Axis {
    pub(super) name: String,
    /// Powers of ten at even distances.
    pub(super) logarithmic: bool,
    /// Places with their words; made from the values if there are none.
    pub(super) ticks: Vec<(f64, String)>,
}

impl Axis {
    /// At even distances, or by powers of ten.
    pub(super) fn new(name: &str, logarithmic: bool) -> Axis {
        Axis { name: name.to_string(), logarithmic, ticks: Vec::new() }
    }

    fn scale(&self, value: f64) -> f64 {
        match self.logarithmic {
            true if value > 0.0 => value.log10(),
            // There is no place for it.
            true => f64::NAN,
            false => value,
        }
    }

    /// From where to where, scaled, and the ticks.
    fn fit(&self, values: impl Iterator<Item = f64>) -> (f64, f64, Vec<(f64, String)>) {
        let finite = values.filter(|value| value.is_finite() && (!self.logarithmic || *value > 0.0));
        let (mut low, mut high) =
            finite.fold((f64::MAX, f64::MIN), |(low, high), value| (low.min(value), high.max(value)));
        if low > high {
            (low, high) = (1.0, 10.0);
        }
        if self.logarithmic {
            let (low, high) = (low.log10().floor(), (high.log10().ceil()).max(low.log10().floor() + 1.0));
            let ticks = (low as i32..=high as i32).map(|power| (f64::from(power), words(10f64.powi(power)))).collect();
            return (low, high, if self.ticks.is_empty() { ticks } else { self.own_ticks() });
        }
        let step = step(high.max(1e-9));
        let high = (high / step).ceil().max(1.0) * step;
        let count = (high / step).round() as u32;
        let ticks = (0..=count).map(|number| (f64::from(number) * step, words(f64::from(number) * step))).collect();
        (0.0, high, if self.ticks.is_empty() { ticks } else { self.own_ticks() })
    }

    fn own_ticks(&self) -> Vec<(f64, String)> {
        self.ticks.iter().map(|(value, words)| (self.scale(*value), words.clone())).collect()
    }
}

/// About five steps up to here, of 1, 2 or 5 times a power of ten.
fn step(high: f64) -> f64 {
    let power = 10f64.powf((high / 5.0).log10().floor());
    let times = high / 5.0 / power;
    power
        * if times <= 1.0 {
            1.0
        } else if times <= 2.0 {
            2.0
        } else if times <= 5.0 {
            5.0
        } else {
            10.0
        }
}

fn words(value: f64) -> String {
    let (number, unit) = match value.abs() {
        large if large >= 1e9 => (value / 1e9, "G"),
        large if large >= 1e6 => (value / 1e6, "M"),
        large if large >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let text = format!("{number:.3}");
    format!("{}{unit}", text.trim_end_matches('0').trim_end_matches('.'))
}

const WIDTH: f64 = 860.0;
const HEIGHT: f64 = 300.0;
const LEFT: f64 = 70.0;
const RIGHT: f64 = 30.0;
const TOP: f64 = 30.0;
const BOTTOM: f64 = 45.0;

/// The whole picture. `bands` are shaded along the horizontal axis: the rounds.
pub(super) fn svg(lines: &[Line], across: &Axis, up: &Axis, bands: &[(f64, f64)]) -> String {
    let points = || lines.iter().flat_map(|line| &line.points);
    let ends = bands.iter().flat_map(|(from, to)| [*from, *to]);
    let (x_low, x_high, x_ticks) = across.fit(points().map(|point| point.0).chain(ends));
    let (y_low, y_high, y_ticks) = up.fit(points().map(|point| point.1));
    let x = |value: f64| LEFT + (value - x_low) / (x_high - x_low) * (WIDTH - LEFT - RIGHT);
    let y = |value: f64| HEIGHT - BOTTOM - (value - y_low) / (y_high - y_low) * (HEIGHT - TOP - BOTTOM);
    let mut out = format!("<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\">");
    for (from, to) in bands {
        let (left, right) = (x(across.scale(*from)), x(across.scale(*to)));
        let height = HEIGHT - TOP - BOTTOM;
        let _ = write!(
            out,
            "<rect class=\"band\" x=\"{left:.1}\" y=\"{TOP}\" width=\"{:.1}\" height=\"{height}\"/>",
            (right - left - 1.0).max(1.0)
        );
    }
    for (value, words) in &x_ticks {
        let (x, bottom) = (x(*value), HEIGHT - BOTTOM);
        let _ = write!(out, "<line class=\"grid\" x1=\"{x:.1}\" y1=\"{TOP}\" x2=\"{x:.1}\" y2=\"{bottom}\"/>");
        let _ = write!(out, "<text x=\"{x:.1}\" y=\"{}\" text-anchor=\"middle\">{words}</text>", bottom + 15.0);
    }
    for (value, words) in &y_ticks {
        let (y, right) = (y(*value), WIDTH - RIGHT);
        let _ = write!(out, "<line class=\"grid\" x1=\"{LEFT}\" y1=\"{y:.1}\" x2=\"{right}\" y2=\"{y:.1}\"/>");
        let _ = write!(out, "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{words}</text>", LEFT - 6.0, y + 4.0);
    }
    let (middle, below) = ((LEFT + WIDTH - RIGHT) / 2.0, HEIGHT - 8.0);
    let _ = write!(out, "<text x=\"{middle}\" y=\"{below}\" text-anchor=\"middle\">{}</text>", escaped(&across.name));
    let _ = write!(out, "<text x=\"{LEFT}\" y=\"14\" text-anchor=\"start\">{}</text>", escaped(&up.name));
    for (number, line) in lines.iter().enumerate() {
        let at = |point: &(f64, f64)| (x(across.scale(point.0)), y(up.scale(point.1)));
        out.push_str(&path(line.points.iter().map(at), number));
        let right = WIDTH - RIGHT - 140.0 * (lines.len() - 1 - number) as f64;
        let name = escaped(&line.name);
        let _ =
            write!(out, "<text class=\"name line{number}\" x=\"{right}\" y=\"14\" text-anchor=\"end\">{name}</text>");
    }
    out.push_str("</svg>");
    out
}

/// A gap where a value is missing.
fn path(points: impl Iterator<Item = (f64, f64)>, number: usize) -> String {
    let mut out = format!("<path class=\"line line{number}\" d=\"");
    let mut pen_is_up = true;
    for (x, y) in points {
        if !x.is_finite() || !y.is_finite() {
            pen_is_up = true;
            continue;
        }
        let _ = write!(out, "{}{x:.1} {y:.1}", if pen_is_up { "M" } else { "L" });
        pen_is_up = false;
    }
    out.push_str("\"/>");
    out
}

/// For text between tags and in quotes.
pub(super) fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_round() {
        for (high, expected) in [(10.0, 2.0), (100.0, 20.0), (97.0, 20.0), (1.0, 0.2), (33.0, 10.0), (4000.0, 1000.0)] {
            assert!((step(high) - expected).abs() < 1e-9, "{high}: {}", step(high));
        }
        assert_eq!([0.0, 0.25, 950.0, 12_000.0, 3e6].map(words), ["0", "0.25", "950", "12k", "3M"]);
    }

    #[test]
    fn every_point_is_inside() {
        let lines = [
            Line { name: "a<b".to_string(), points: vec![(0.0, 10.0), (1.0, f64::NAN), (2.0, 10_000.0)] },
            Line { name: "empty".to_string(), points: Vec::new() },
        ];
        for (across, up) in [(false, false), (false, true), (true, true)] {
            let picture = svg(&lines, &Axis::new("s", across), &Axis::new("us", up), &[(0.5, 1.5)]);
            assert!(picture.contains("a&lt;b") && !picture.contains("NaN") && !picture.contains("inf"), "{picture}");
            let (_, rest) = picture.split_once("class=\"line line0\" d=\"").expect("a path");
            let (path, _) = rest.split_once('"').expect("it ends");
            for number in path.split(|letter: char| !letter.is_ascii_digit() && letter != '.' && letter != '-') {
                let number: f64 = if number.is_empty() { continue } else { number.parse().expect("a number") };
                assert!((0.0..=WIDTH).contains(&number), "{path}");
            }
        }
    }

    #[test]
    fn nothing_is_a_picture_too() {
        assert!(svg(&[], &Axis::new("s", true), &Axis::new("us", true), &[]).ends_with("</svg>"));
    }
}
