//! Workloads of the OpenMessaging Benchmark by their names, read by their grammar instead of from a list:
//!
//! ```text
//! [max-rate-|backlog-] TOPICS-topic[s] [-PARTITIONS-partition[s]] [-SIZE] [-PRODUCERSp-CONSUMERSc] [-RATEk] [-backlog]
//! ```
//!
//! Rates there are records a second over all producers; producers and consumers are counted per topic. Their Kafka driver has a linger of
//! 1 ms and batches of 128 KiB at most; a producer's batch here holds what falls into that millisecond.

use crate::cli::bench::quantity::Throughput;
use crate::cli::table::Table;

/// A workload by its name.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Preset {
    pub(super) name: String,
    pub(super) topics: u32,
    /// Of each topic.
    pub(super) partitions: i32,
    pub(super) record_bytes: u64,
    /// Over all topics.
    pub(super) producers: u32,
    /// Over all topics.
    pub(super) consumers: u32,
    pub(super) throughput: Throughput,
    /// What lies there before anybody reads.
    pub(super) backlog_bytes: Option<u64>,
}

/// Of the benchmark's Kafka driver.
const LINGER_S: f64 = 0.001;
const BATCH_BYTES: u64 = 128 << 10;
/// Rate of names that have none.
const USUAL_RATE: f64 = 50_000.0;
/// Of the workloads whose names begin with backlog.
const BACKLOG: (f64, u64) = (100_000.0, 100 << 30);
/// Of those whose names end so.
const LATE_BACKLOG_BYTES: u64 = 512 << 30;

/// For `bench presets`: those of the benchmark, with what else the grammar allows.
const EXAMPLES: [&str; 16] = [
    "1-topic-1-partition-1kb",
    "1-topic-1-partition-100b",
    "1-topic-16-partitions-1kb",
    "1-topic-100-partitions-1kb-4p-4c-200k",
    "1-topic-100-partitions-1kb-4p-4c-500k",
    "1-topic-100-partitions-1kb-4p-4c-1000k",
    "1-topic-10000-partitions-1kb-4p-4c-200k",
    "100-topic-1kb-4p-4c-100k",
    "1k-topic-1kb-4p-4c-500k",
    "max-rate-1-topic-1-partition-1p-1c-1kb",
    "max-rate-1-topic-10-partitions-10p-10c-100b",
    "max-rate-1-topic-100-partitions-100p-100c-64kb",
    "max-rate-10-topics-1-partition-1kb",
    "backlog-1-topic-1-partition-1kb",
    "backlog-1-topic-16-partitions-1kb",
    "1-topic-100-partitions-1kb-4p-4c-200k-backlog",
];

impl Preset {
    /// By its name.
    pub(super) fn parse(name: &str) -> Result<Preset, String> {
        Preset::read(name)
            .ok_or_else(|| "no workload is called so; corelane bench presets shows their names".to_string())
    }

    fn read(name: &str) -> Option<Preset> {
        let (max_rate, rest) = name.strip_prefix("max-rate-").map_or((false, name), |rest| (true, rest));
        let (backlog, rest) = rest.strip_prefix("backlog-").map_or((false, rest), |rest| (true, rest));
        let mut words = rest.split('-').peekable();
        let topics = count(words.next()?)?;
        matches!(words.next()?, "topic" | "topics").then_some(())?;
        let mut partitions = 1;
        if let Some(number) = words.peek().and_then(|word| word.parse::<u64>().ok()) {
            words.next();
            matches!(words.next()?, "partition" | "partitions").then_some(())?;
            partitions = number;
        }
        let (mut record_bytes, mut producers, mut consumers, mut rate, mut late) = (1024, 1, 1, None, false);
        for word in words {
            match (word, word.char_indices().last()?) {
                ("backlog", _) => late = true,
                (_, (at, 'b')) => record_bytes = count_of_1024(&word[..at])?,
                (_, (at, 'p')) => producers = count(&word[..at])?,
                (_, (at, 'c')) => consumers = count(&word[..at])?,
                (_, (at, 'k')) => rate = Some(count(&word[..at])? as f64 * 1000.0),
                _ => return None,
            }
        }
        let usual = if backlog { BACKLOG.0 } else { USUAL_RATE };
        let throughput = if max_rate { Throughput::Max } else { Throughput::Records(rate.unwrap_or(usual)) };
        let backlog_bytes = if late { Some(LATE_BACKLOG_BYTES) } else { backlog.then_some(BACKLOG.1) };
        let number = |number: u64| u32::try_from(number).ok().filter(|number| *number > 0);
        let each = |clients: u64| number(clients.checked_mul(topics)?);
        Some(Preset {
            name: name.to_string(),
            topics: number(topics).filter(|topics| *topics <= 10_000)?,
            partitions: i32::try_from(partitions).ok().filter(|partitions| *partitions > 0)?,
            record_bytes,
            producers: each(producers)?,
            consumers: each(consumers)?,
            throughput,
            backlog_bytes,
        })
    }

    /// Records of a batch.
    pub(super) fn batch_records(&self) -> u32 {
        let most = (BATCH_BYTES / self.record_bytes.max(1)).max(1) as f64;
        match self.throughput {
            Throughput::Records(rate) => (rate * LINGER_S / f64::from(self.producers)).clamp(1.0, most) as u32,
            Throughput::Max | Throughput::Bytes(_) => most as u32,
        }
    }

    /// For `bench presets`.
    pub(super) fn table() -> Table {
        let mut table =
            Table::new(["preset", "topics", "partitions", "record", "producers", "consumers", "rate", "backlog"]);
        for name in EXAMPLES {
            let Some(preset) = Preset::read(name) else { continue };
            let rate = match preset.throughput {
                Throughput::Records(rate) => format!("{rate}/s"),
                Throughput::Max | Throughput::Bytes(_) => "max".to_string(),
            };
            let backlog = preset.backlog_bytes.map_or_else(String::new, |bytes| format!("{} GiB", bytes >> 30));
            table.row([
                preset.name,
                preset.topics.to_string(),
                preset.partitions.to_string(),
                preset.record_bytes.to_string(),
                preset.producers.to_string(),
                preset.consumers.to_string(),
                rate,
                backlog,
            ]);
        }
        table
    }
}

/// `100`, `1k`, `1m`.
fn count(text: &str) -> Option<u64> {
    let (digits, factor) = match text.char_indices().last()? {
        (at, 'k') => (&text[..at], 1_000),
        (at, 'm') => (&text[..at], 1_000_000),
        _ => (text, 1),
    };
    digits.parse::<u64>().ok()?.checked_mul(factor)
}

/// `100`, `1k`, `64k`, in sizes of 1024.
fn count_of_1024(text: &str) -> Option<u64> {
    match text.strip_suffix('k') {
        Some(digits) => digits.parse::<u64>().ok()?.checked_mul(1024).filter(|bytes| *bytes <= 64 << 20),
        None => text.parse().ok(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_mean_what_they_say() {
        let read = |name: &str| Preset::parse(name).unwrap_or_else(|why| panic!("{name}: {why}"));
        EXAMPLES.iter().for_each(|name| drop(read(name)));
        let preset = read("1-topic-100-partitions-1kb-4p-4c-500k");
        assert_eq!((preset.topics, preset.partitions, preset.record_bytes), (1, 100, 1024));
        assert_eq!((preset.producers, preset.consumers), (4, 4));
        assert_eq!((preset.throughput, preset.batch_records()), (Throughput::Records(500_000.0), 125));
        let preset = read("1k-topic-1kb-4p-4c-100k");
        assert_eq!((preset.topics, preset.partitions, preset.producers), (1000, 1, 4000));
        assert_eq!(preset.batch_records(), 1);
        let preset = read("max-rate-10-topics-1-partition-64kb");
        assert_eq!((preset.throughput, preset.record_bytes, preset.batch_records()), (Throughput::Max, 65_536, 2));
        assert_eq!(read("1-topic-1-partition-100b").batch_records(), 50);
        let preset = read("backlog-1-topic-16-partitions-1kb");
        assert_eq!((preset.throughput, preset.backlog_bytes), (Throughput::Records(1e5), Some(100 << 30)));
        assert_eq!(read("1-topic-100-partitions-1kb-4p-4c-200k-backlog").backlog_bytes, Some(512 << 30));
    }

    #[test]
    fn other_names_are_refused() {
        for name in
            ["", "1-topic-x", "0-topics-1-partition-1kb", "1m-topic-1kb", "1-topic-1-1kb", "topic", "1-topic--1kb"]
        {
            assert!(Preset::parse(name).is_err(), "{name}");
        }
    }
}
