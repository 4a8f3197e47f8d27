//! Sizes and rates as people write them.

/// `100`, `16KiB`, `1MB`, `64k`: bytes. A `k` or `K` alone, and what has an `i`, counts in 1024.
pub(super) fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.find(|letter: char| !letter.is_ascii_digit() && letter != '.').unwrap_or(text.len());
    let factor = match text[digits..].trim() {
        "" | "B" => 1,
        "k" | "K" | "KiB" | "kiB" => 1 << 10,
        "m" | "M" | "MiB" => 1 << 20,
        "g" | "G" | "GiB" => 1 << 30,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => 0,
    };
    match text[..digits].parse::<f64>() {
        Ok(number) if factor > 0 && number * (factor as f64) < 1e18 => Ok((number * factor as f64).round() as u64),
        _ => Err("expected bytes, such as 100, 16KiB, 1MB".to_string()),
    }
}

/// How fast to send.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Throughput {
    /// As answers come.
    Max,
    /// Per second.
    Records(f64),
    /// Per second, keys and values.
    Bytes(f64),
}

impl Throughput {
    /// Records per second of so many bytes each; none: no limit.
    pub(super) fn records_per_second(self, record_bytes: usize) -> Option<f64> {
        match self {
            Throughput::Max => None,
            Throughput::Records(records) => Some(records),
            Throughput::Bytes(bytes) => Some(bytes / record_bytes.max(1) as f64),
        }
    }
}

/// `max` or `-1`; `50000` records a second; `10MB` a second.
pub(super) fn throughput(text: &str) -> Result<Throughput, String> {
    let wrong = || "expected records a second (50000), bytes a second (10MB), or max".to_string();
    let bare = text.strip_suffix("/s").unwrap_or(text);
    if matches!(bare, "max" | "-1") {
        return Ok(Throughput::Max);
    }
    let found = match bare.parse::<f64>() {
        Ok(records) => Throughput::Records(records),
        Err(_) => Throughput::Bytes(bytes(bare).map_err(|_| wrong())? as f64),
    };
    match found {
        Throughput::Records(rate) | Throughput::Bytes(rate) if rate > 0.0 && rate < 1e15 => Ok(found),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes() {
        for (text, expected) in
            [("0", 0), ("100", 100), ("1k", 1024), ("1.5KiB", 1536), ("1kB", 1000), ("64MB", 64_000_000)]
        {
            assert_eq!(bytes(text), Ok(expected), "{text}");
        }
        for text in ["", "k", "-1", "1x", "1..2", "99999999999999999999", "1 k b"] {
            assert!(bytes(text).is_err(), "{text}");
        }
    }

    #[test]
    fn rates() {
        assert_eq!(throughput("max"), Ok(Throughput::Max));
        assert_eq!(throughput("-1"), Ok(Throughput::Max));
        assert_eq!(throughput("50000"), Ok(Throughput::Records(50_000.0)));
        assert_eq!(throughput("0.5"), Ok(Throughput::Records(0.5)));
        assert_eq!(throughput("10MB/s").map(|rate| rate.records_per_second(1000)), Ok(Some(10_000.0)));
        for text in ["", "0", "-2", "fast", "1e99", "nan"] {
            assert!(throughput(text).is_err(), "{text}");
        }
    }
}
