//! What can be typed, in groups that the modes share, and what it comes to.

use crate::cli::bench::preset::Preset;
use crate::cli::bench::quantity::{Throughput, bytes, throughput};
use crate::cli::codec::{Codec, acks};
use crate::cli::ending::Trouble;
use crate::cli::reach::{Form, Reach};
use crate::cli::topic::pair;
use crate::client::load::payload::Records;
use crate::client::load::requests::Portion;
use crate::client::load::run::{Crowd, Reading, Writing};
use clap::{Args, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// What every mode has.
#[derive(Args, Debug)]
pub(super) struct Flags {
    /// Settings of a workload of the OpenMessaging Benchmark by its name; what is typed besides counts (see corelane bench presets)
    #[arg(long, value_name = "NAME", value_parser = Preset::parse)]
    preset: Option<Preset>,
    #[command(flatten)]
    pub(super) topics: TopicFlags,
    #[command(flatten)]
    records: RecordFlags,
    #[command(flatten)]
    writes: WriteFlags,
    #[command(flatten)]
    times: TimeFlags,
    #[command(flatten)]
    pub(super) results: ResultFlags,
    #[command(flatten)]
    pub(super) reach: Reach,
}

/// Where records go.
#[derive(Args, Debug)]
pub(super) struct TopicFlags {
    /// Topic to use; one that does not exist is created and deleted at the end [default: a new name]
    #[arg(short = 'T', long)]
    pub(super) topic: Option<String>,
    /// So many topics, whose names end in -0, -1, ... [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) topics: Option<u32>,
    /// Partitions of a topic that is created [default: 4]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(i32).range(1..=1_000_000))]
    pub(super) partitions: Option<i32>,
    /// Replicas of a topic that is created; -1 for the broker's default
    #[arg(short, long, value_name = "N", default_value_t = -1, allow_hyphen_values = true)]
    pub(super) replicas: i16,
    /// Sets a config of a topic that is created; may be repeated
    #[arg(short, long = "config", value_name = "KEY=VALUE", value_parser = pair)]
    pub(super) configs: Vec<(String, String)>,
    /// Leaves the topic there at the end
    #[arg(long)]
    pub(super) keep: bool,
}

/// What records and batches look like.
#[derive(Args, Debug)]
pub(super) struct RecordFlags {
    /// Bytes of a value [default: 1024]
    #[arg(short = 's', long, value_name = "BYTES", alias = "message-size", value_parser = bytes)]
    pub(super) record_size: Option<u64>,
    /// Bytes of keys and values of a batch, about [default: 16KiB]
    #[arg(long, value_name = "BYTES", value_parser = bytes, conflicts_with = "batch_records")]
    pub(super) batch_size: Option<u64>,
    /// Records of a batch
    #[arg(short = 'n', long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub(super) batch_records: Option<u32>,
    /// Gives records keys, of so many different ones
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) keys: Option<u64>,
    /// Bytes of a key [default: 8 with --keys]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    pub(super) key_size: Option<u64>,
    /// Share of a value that is random, 0 to 1; the rest is zeros [default: 0.5]
    #[arg(long, value_name = "SHARE")]
    pub(super) random_ratio: Option<f64>,
    /// Compresses batches, once for all
    #[arg(short = 'z', long, alias = "compression-codec", value_enum, value_name = "CODEC", default_value_t = Codec::None)]
    pub(super) compression: Codec,
}

/// Who writes, and how.
#[derive(Args, Debug)]
pub(super) struct WriteFlags {
    /// Producers, each with a connection to every broker [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) producers: Option<u32>,
    /// Instead of --producers: so many connections, dealt to the brokers in turn, each a producer of its own
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "producers")]
    pub(super) connections: Option<u32>,
    /// Who has to have a record before it counts: 0 nobody, 1 the leader, all replicas in sync [default: all]
    #[arg(short, long, alias = "producer-acks", value_name = "0|1|all", value_parser = acks, allow_hyphen_values = true)]
    pub(super) acks: Option<i16>,
    /// With producer ids and sequences, as Kafka's producers do by default; at most 5 in flight
    #[arg(long)]
    pub(super) idempotent: bool,
    /// Requests without an answer, per connection
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) in_flight: u32,
    /// Partitions in a request, with a batch each [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub(super) partitions_per_request: Option<u32>,
    /// Records a second (50000), bytes a second (10MB), or max (also -1), over all producers
    #[arg(short = 'R', long, alias = "rate", value_name = "RATE", value_parser = throughput, allow_hyphen_values = true)]
    pub(super) throughput: Option<Throughput>,
    /// Ends after so many records, without warm-up and rounds unless they are given
    #[arg(long, aliases = ["messages", "num-messages"], value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(super) num_records: Option<u64>,
    /// Settings of Kafka's producer: acks, batch.size, compression.type, enable.idempotence,
    /// max.in.flight.requests.per.connection, bootstrap.servers; may be repeated
    #[arg(long, value_name = "KEY=VALUE", num_args = 1.., value_parser = pair, aliases = ["producer-prop", "command-property"])]
    pub(super) producer_props: Vec<(String, String)>,
}

/// Who reads, and how.
#[derive(Args, Debug)]
pub(super) struct ReadFlags {
    /// Consumers, each with a connection to every broker; partitions are dealt to them [default: 1]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    consumers: Option<u32>,
    /// Instead of --consumers: so many connections, dealt to the brokers in turn
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000), conflicts_with = "consumers")]
    consumer_connections: Option<u32>,
    /// Bytes of a partition in an answer at most
    #[arg(long, value_name = "BYTES", default_value = "1MiB", value_parser = bytes)]
    fetch_size: u64,
    /// Bytes that a broker waits for before it answers
    #[arg(long, value_name = "BYTES", default_value = "1", value_parser = bytes)]
    fetch_min_bytes: u64,
    /// Milliseconds that it waits for them
    #[arg(long, value_name = "MS", default_value_t = 500, value_parser = clap::value_parser!(i32).range(0..=60_000))]
    fetch_wait_ms: i32,
}

impl ReadFlags {
    /// What the generator is to read; spans in the order of the topics.
    pub(super) fn reading(&self, workload: &Workload, spans: Vec<(i64, Option<i64>)>, again: bool) -> Reading {
        let size = |bytes: u64| i32::try_from(bytes).unwrap_or(i32::MAX);
        let portion = Portion {
            min_bytes: size(self.fetch_min_bytes),
            wait_ms: self.fetch_wait_ms,
            partition_bytes: size(self.fetch_size),
        };
        let crowd = match self.consumer_connections {
            Some(connections) => Crowd::Connections(connections as usize),
            None => Crowd::Clients(self.consumers.map_or(workload.consumers, |consumers| consumers as usize)),
        };
        Reading { crowd, portion, again, spans }
    }
}

/// How long.
#[derive(Args, Debug)]
pub(super) struct TimeFlags {
    /// Seconds before the first round [default: 3]
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) warmup: Option<Duration>,
    /// Seconds of a round [default: 10]
    #[arg(short, long, value_name = "SECONDS", value_parser = seconds)]
    pub(super) duration: Option<Duration>,
    /// Rounds, directly one after the other [default: 3]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(super) rounds: Option<u32>,
    /// Threads of the load generator [default: half of the CPUs, 2 at least]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub(super) threads: Option<u32>,
}

/// What else to look at, and where the results go.
#[derive(Args, Debug)]
pub(super) struct ResultFlags {
    /// The broker's process on this machine [default: whoever listens on the ports of the brokers]
    #[arg(long = "pid", value_name = "PID", value_delimiter = ',')]
    pub(super) pids: Vec<u32>,
    /// Name of the run in the results [default: the mode, or the preset]
    #[arg(long, value_name = "TEXT")]
    pub(super) label: Option<String>,
    /// Writes PREFIX.json, PREFIX.hgrm and PREFIX.html, also when the run ends before its time
    #[arg(long, value_name = "PREFIX")]
    pub(super) save: Option<PathBuf>,
    /// Counts the broker's system calls too, where `perf` may: that costs the broker a little
    #[arg(long)]
    pub(super) syscalls: bool,
    /// Form of the results on standard output
    #[arg(short = 'o', long = "output", value_enum, value_name = "FORM", default_value_t = Form::Table)]
    pub(super) form: Form,
    /// Shows no progress
    #[arg(short, long)]
    pub(super) quiet: bool,
}

fn seconds(text: &str) -> Result<Duration, String> {
    match text.strip_suffix('s').unwrap_or(text).parse::<f64>() {
        Ok(seconds) if (0.0..=604_800.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
        _ => Err("expected seconds, 0 to 604800".to_string()),
    }
}

/// All that was typed, or left to a preset, or to the defaults.
#[derive(Clone, Debug)]
pub(super) struct Workload {
    pub(super) topics: u32,
    pub(super) partitions: i32,
    pub(super) records: Records,
    pub(super) codec: &'static str,
    pub(super) crowd: Crowd,
    pub(super) consumers: usize,
    pub(super) backlog_bytes: Option<u64>,
    pub(super) acks: i16,
    pub(super) idempotent: bool,
    pub(super) in_flight: usize,
    pub(super) partitions_per_request: usize,
    pub(super) throughput: Throughput,
    pub(super) num_records: Option<u64>,
    pub(super) warmup: Duration,
    pub(super) duration: Duration,
    pub(super) rounds: usize,
    pub(super) threads: usize,
}

/// A run that ends by itself never gets there.
const NO_END: Duration = Duration::from_secs(604_800);
/// Kafka's default of `batch.size`.
const BATCH_BYTES: u64 = 16 << 10;
/// Bytes of a batch at most, compressed or not.
const BATCH_BYTES_MAX: u64 = 256 << 20;

fn usage(why: impl Into<String>) -> Trouble {
    Trouble::Usage(why.into())
}

/// Takes what `--producer-props` says for what has a flag of its own; the flag counts.
fn apply_props(records: &mut RecordFlags, writes: &mut WriteFlags, reach: &mut Reach) -> Result<(), Trouble> {
    for (key, value) in std::mem::take(&mut writes.producer_props) {
        let wrong = |expected: &str| usage(format!("--producer-props {key}={value}: expected {expected}"));
        match key.as_str() {
            "acks" => writes.acks = writes.acks.or(Some(acks(&value).map_err(|why| wrong(&why))?)),
            "batch.size" => {
                let size = value.parse().map_err(|_| wrong("bytes"))?;
                records.batch_size = records.batch_size.or(Some(size).filter(|_| records.batch_records.is_none()));
            }
            "compression.type" => {
                records.compression =
                    Codec::from_str(&value, false).map_err(|_| wrong("none, gzip, snappy, lz4 or zstd"))?;
            }
            "enable.idempotence" => writes.idempotent = value.parse().map_err(|_| wrong("true or false"))?,
            "max.in.flight.requests.per.connection" => {
                writes.in_flight =
                    value.parse().ok().filter(|number| *number > 0).ok_or_else(|| wrong("a number from 1"))?;
            }
            "bootstrap.servers" => reach.or_bootstrap(value),
            _ => {
                let known = "acks, batch.size, compression.type, enable.idempotence, \
                             max.in.flight.requests.per.connection, bootstrap.servers";
                return Err(usage(format!("--producer-props {key}: unknown here; known are {known}")));
            }
        }
    }
    Ok(())
}

impl Flags {
    /// Checks what belongs together. `throughput` is the mode's when nothing is typed.
    pub(super) fn workload(&mut self, throughput: Throughput) -> Result<Workload, Trouble> {
        apply_props(&mut self.records, &mut self.writes, &mut self.reach)?;
        let (writes, times, preset) = (&self.writes, &self.times, self.preset.as_ref());
        let shape = shape(&self.records, preset)?;
        let acks = writes.acks.unwrap_or(-1);
        if writes.idempotent && acks != -1 {
            return Err(usage(format!("--idempotent needs --acks all, not {acks}")));
        }
        if writes.idempotent && writes.in_flight > 5 {
            return Err(usage(format!("--in-flight {}: --idempotent allows 5 at most", writes.in_flight)));
        }
        let ends_by_itself = writes.num_records.is_some();
        let pick = |typed: Option<Duration>, usual: u64, alone: Duration| {
            typed.unwrap_or(if ends_by_itself { alone } else { Duration::from_secs(usual) })
        };
        let duration = pick(times.duration, 10, NO_END);
        if duration < SHORTEST_ROUND {
            return Err(usage(format!("--duration {}: a round has 0.1 seconds at least", duration.as_secs_f64())));
        }
        let cpus = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let producers = writes.producers.or(preset.map(|preset| preset.producers)).unwrap_or(1);
        Ok(Workload {
            topics: self.topics.topics.or(preset.map(|preset| preset.topics)).unwrap_or(1),
            partitions: self.topics.partitions.or(preset.map(|preset| preset.partitions)).unwrap_or(4),
            records: shape,
            codec: self.records.compression.name(),
            crowd: match writes.connections {
                Some(connections) => Crowd::Connections(connections as usize),
                None => Crowd::Clients(producers as usize),
            },
            consumers: preset.map_or(1, |preset| preset.consumers as usize),
            backlog_bytes: preset.and_then(|preset| preset.backlog_bytes),
            acks,
            idempotent: writes.idempotent,
            in_flight: writes.in_flight as usize,
            partitions_per_request: writes.partitions_per_request.unwrap_or(1) as usize,
            throughput: writes.throughput.or(preset.map(|preset| preset.throughput)).unwrap_or(throughput),
            num_records: writes.num_records,
            warmup: pick(times.warmup, 3, Duration::ZERO),
            duration,
            rounds: times.rounds.unwrap_or(if ends_by_itself { 1 } else { 3 }) as usize,
            threads: times.threads.map_or((cpus / 2).max(2), |threads| threads as usize),
        })
    }

    /// What the run is called.
    pub(super) fn label(&self, mode: &str) -> String {
        let preset = self.preset.as_ref().map(|preset| preset.name.clone());
        self.results.label.clone().or(preset).unwrap_or_else(|| mode.to_string())
    }

    /// A rate was typed.
    pub(super) fn has_throughput(&self) -> bool {
        self.writes.throughput.is_some()
    }
}

impl Workload {
    /// What the generator is to write.
    pub(super) fn writing(&self) -> Writing {
        let rate = self.throughput.records_per_second(self.records.record_bytes + self.records.key_bytes);
        Writing {
            crowd: self.crowd,
            acks: self.acks,
            idempotent: self.idempotent,
            in_flight: self.in_flight,
            partitions_per_request: self.partitions_per_request,
            records_per_second: rate,
            records_max: self.num_records,
        }
    }
}

/// A round has to have some ticks of the kernel's clocks.
const SHORTEST_ROUND: Duration = Duration::from_millis(100);

fn shape(records: &RecordFlags, preset: Option<&Preset>) -> Result<Records, Trouble> {
    let record_bytes = records.record_size.or(preset.map(|preset| preset.record_bytes)).unwrap_or(1024);
    let key_bytes = records.key_size.unwrap_or(if records.keys.is_some() { 8 } else { 0 });
    let each = record_bytes + key_bytes;
    let of_size = |size: u64| (size / each.max(1)).clamp(1, 1_000_000);
    let batch_records = match (records.batch_records, records.batch_size, preset.map(Preset::batch_records)) {
        (Some(count), ..) => u64::from(count),
        (None, Some(size), _) => of_size(size),
        (None, None, Some(count)) => u64::from(count),
        (None, None, None) => of_size(BATCH_BYTES),
    };
    if each.saturating_mul(batch_records) > BATCH_BYTES_MAX {
        let why = format!("{batch_records} records of {each} bytes are a batch of more than 256 MiB; make it smaller");
        return Err(usage(format!("--record-size {record_bytes}: {why}")));
    }
    let random_ratio = records.random_ratio.unwrap_or(0.5);
    if !(0.0..=1.0).contains(&random_ratio) {
        return Err(usage(format!("--random-ratio {random_ratio}: expected 0 to 1")));
    }
    Ok(Records {
        record_bytes: record_bytes as usize,
        key_bytes: key_bytes as usize,
        keys: records.keys.unwrap_or(1_000_000),
        batch_records: batch_records as usize,
        random_ratio,
        compression: records.compression.compression(),
    })
}
