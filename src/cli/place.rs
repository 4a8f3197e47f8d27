//! `consume --offset`: where to begin, and perhaps where to end, in every partition.

use crate::cli::ending::Trouble;
use crate::cli::moment;
use crate::client::offsets::Asked;

/// One place in a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// So many behind the first that is kept.
    FromStart(i64),
    /// So many before the end.
    FromEnd(i64),
    /// This offset.
    At(i64),
    /// The first record of this time (milliseconds) or later.
    Time(i64),
}

/// Where to begin, and where to end if that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Range {
    /// The first record.
    pub(crate) from: Place,
    /// The first record that is not wanted.
    pub(crate) to: Option<Place>,
}

/// A place in a partition is not there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct OutOfRange(pub(crate) i64);

impl Place {
    fn parse(text: &str, now: i64) -> Option<Place> {
        let number = |text: &str| {
            let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
            digits.then(|| text.parse::<i64>().ok()).flatten()
        };
        Some(match text {
            "start" | "beginning" | "earliest" | "oldest" => Place::FromStart(0),
            "end" | "latest" | "newest" => Place::FromEnd(0),
            _ => match text.split_at_checked(1)? {
                ("+", rest) => Place::FromStart(number(rest)?),
                ("-", rest) => Place::FromEnd(number(rest)?),
                ("@", rest) => Place::Time(moment::parse(rest, now)?),
                _ => Place::At(number(text)?),
            },
        })
    }

    /// The value of `--to`, which has to be one place.
    pub(crate) fn of_to(text: &str) -> Result<Place, Trouble> {
        let range = Range::parse(text, moment::now()).map_err(|why| Trouble::Usage(format!("--to {why}")))?;
        match range.to {
            None => Ok(range.from),
            Some(_) => Err(Trouble::Usage(format!("--to {text}: expected one place, not a range"))),
        }
    }

    /// What has to be asked beyond start and end.
    pub(crate) fn asked(self) -> Option<Asked> {
        match self {
            Place::Time(time) => Some(Asked::Time(time)),
            _ => None,
        }
    }

    /// The offset in a partition that has `start` to `end`; `by_time` is what the broker says about the time, -1 for none that young.
    /// A number that was typed has to be there.
    pub(crate) fn offset(self, start: i64, end: i64, by_time: i64) -> Result<i64, OutOfRange> {
        match self {
            Place::FromStart(more) => Ok(start.saturating_add(more).min(end)),
            Place::FromEnd(less) => Ok(end.saturating_sub(less).max(start)),
            Place::At(offset) if (start..=end).contains(&offset) => Ok(offset),
            Place::At(offset) => Err(OutOfRange(offset)),
            Place::Time(_) => Ok(if by_time < 0 { end } else { by_time.clamp(start, end) }),
        }
    }
}

impl Range {
    /// Reads `start`, `end`, `47`, `+2`, `-3`, `@TIME`, or two of them with `..` or `:` between: from the first up to the second.
    /// A range may leave out either side.
    pub(crate) fn parse(text: &str, now: i64) -> Result<Range, String> {
        let whole = |from| Range { from, to: None };
        if let Some(place) = Place::parse(text, now) {
            return Ok(whole(place));
        }
        let separators = text.match_indices("..").chain(text.match_indices(':'));
        for (at, separator) in separators {
            let (left, right) = (&text[..at], &text[at + separator.len()..]);
            let from = if left.is_empty() { Some(Place::FromStart(0)) } else { Place::parse(left, now) };
            let to = if right.is_empty() { Some(None) } else { Place::parse(right, now).map(Some) };
            if let (Some(from), Some(to), false) = (from, to, left.is_empty() && right.is_empty()) {
                return Ok(Range { from, to });
            }
        }
        Err(format!(
            "{text}: expected start, end, N, +N (from the start), -N (before the end), @TIME (milliseconds, seconds, \
             2026-11-21, 2026-11-21T18:00:00Z, -90m), or a range FROM..TO"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: i64 = 1_700_000_000_000;

    #[test]
    fn places_and_ranges() {
        let (start, end) = (Place::FromStart(0), Place::FromEnd(0));
        for (text, from, to) in [
            ("start", start, None),
            ("beginning", start, None),
            ("end", end, None),
            ("47", Place::At(47), None),
            ("+2", Place::FromStart(2), None),
            ("-3", Place::FromEnd(3), None),
            ("@1700000000000", Place::Time(NOW), None),
            ("@-1s", Place::Time(NOW - 1000), None),
            ("@2023-11-14T22:13:20Z", Place::Time(NOW), None),
            ("3..7", Place::At(3), Some(Place::At(7))),
            ("3:7", Place::At(3), Some(Place::At(7))),
            ("..+5", start, Some(Place::FromStart(5))),
            ("-5..", Place::FromEnd(5), None),
            ("@2023-11-14T22:13:20Z..@2023-11-14T22:13:21Z", Place::Time(NOW), Some(Place::Time(NOW + 1000))),
            ("@2023-11-14T22:13:20Z:end", Place::Time(NOW), Some(end)),
        ] {
            assert_eq!(Range::parse(text, NOW), Ok(Range { from, to }), "{text}");
        }
        for text in ["", "..", ":", "x", "--3", "+", "-", "@", "@x", "1..x", "3.5", "99999999999999999999"] {
            assert!(Range::parse(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn offsets_stay_in_the_partition() {
        for (place, expect) in [
            (Place::FromStart(3), Ok(13)),
            (Place::FromStart(500), Ok(20)),
            (Place::FromEnd(3), Ok(17)),
            (Place::FromEnd(500), Ok(10)),
            (Place::At(10), Ok(10)),
            (Place::At(20), Ok(20)),
            (Place::At(9), Err(OutOfRange(9))),
            (Place::At(21), Err(OutOfRange(21))),
            (Place::Time(5), Ok(15)),
        ] {
            assert_eq!(place.offset(10, 20, 15), expect, "{place:?}");
        }
        assert_eq!(Place::Time(5).offset(10, 20, -1), Ok(20));
    }
}
