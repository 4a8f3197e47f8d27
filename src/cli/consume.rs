//! `corelane consume`.

mod format;

use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::escape::delimiter;
use crate::cli::moment;
use crate::cli::place::{OutOfRange, Place, Range};
use crate::cli::progress::Progress;
use crate::cli::reach::Reach;
use crate::client::cluster::{Cluster, Topic, partition_words, topic_words};
use crate::client::consumer::{Consumed, Consumer, Span};
use crate::client::failure::Failure;
use crate::client::offsets::{self, Asked};
use clap::Args;
use format::{Format, json_line};
use std::io::{BufWriter, IsTerminal, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Reads records of a topic
#[derive(Args, Debug)]
pub struct Consume {
    /// Name
    topic: String,
    /// Where to begin: start, end, N, +N (from the start), -N (before the end), @TIME; FROM..TO ends before TO.
    /// The word json here is --json, as -o json is with every command
    #[arg(short, long = "offset", value_name = "PLACE", allow_hyphen_values = true)]
    offsets: Vec<String>,
    /// Stays at the end and waits for more, until it is interrupted
    #[arg(long)]
    follow: bool,
    /// Ends after so many records
    #[arg(short = 'n', long, value_name = "N")]
    count: Option<u64>,
    /// Only these partitions; may be repeated
    #[arg(short, long = "partition", value_name = "N,...", value_delimiter = ',')]
    partitions: Vec<i32>,
    /// How to write a record, as kcat and rpk do: '%t %p %o %k %v\n' [default: '%v\n']
    #[arg(short, long, value_name = "FORMAT", conflicts_with_all = ["json", "key_delimiter"], value_parser = Format::parse)]
    format: Option<Format>,
    /// Writes the key and this before each value
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = delimiter, conflicts_with = "json")]
    key_delimiter: Option<DelimiterBytes>,
    /// Writes a JSON object per line; bytes that are not UTF-8 as {"base64": "..."}
    #[arg(short = 'J', long)]
    json: bool,
    /// Leaves out records of transactions that were aborted, and ends before those that are open
    #[arg(long)]
    read_committed: bool,
    /// Shows no progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    reach: Reach,
}

/// A delimiter after its escapes were read.
type DelimiterBytes = Vec<u8>;

/// How long to wait for records before looking whether somebody interrupts.
const TICK: Duration = Duration::from_millis(100);

/// How records are written.
enum Style {
    Lines(Format),
    Json,
}

impl Consume {
    /// Does it.
    pub fn run(mut self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let json = self.json || self.offsets.iter().any(|offset| offset == "json");
        self.offsets.retain(|offset| offset != "json");
        if json && (self.format.is_some() || self.key_delimiter.is_some()) {
            return Err(Trouble::Usage("--json excludes --format and --key-delimiter".to_string()));
        }
        let range = match self.offsets.as_slice() {
            [] => Range { from: Place::FromStart(0), to: None },
            [one] => Range::parse(one, moment::now()).map_err(|why| Trouble::Usage(format!("--offset {why}")))?,
            [_, other, ..] => return Err(Trouble::Usage(format!("--offset {other}: one offset is enough"))),
        };
        let style = match (json, self.format.take()) {
            (true, _) => Style::Json,
            (false, Some(format)) => Style::Lines(format),
            (false, None) => Style::Lines(Format::plain(self.key_delimiter.take())),
        };
        let mut cluster = self.reach.cluster(environment)?;
        let topic = cluster.topic(&self.topic, false)?;
        let spans = self.spans(&mut cluster, &topic, range)?;
        self.read(Consumer::start(cluster, topic, spans, self.read_committed), &style)
    }

    /// What to read of each partition.
    fn spans(&self, cluster: &mut Cluster, topic: &Topic, range: Range) -> Result<Vec<Span>, Trouble> {
        let known = |partition: &i32| topic.partitions.iter().any(|known| known.index == *partition);
        if let Some(unknown) = self.partitions.iter().find(|partition| !known(partition)) {
            let why = format!("there is no such partition; the topic has {}", topic.partitions.len());
            return Err(Failure::here(why).about(partition_words(&topic.name, *unknown)).into());
        }
        let wanted = |index: &i32| self.partitions.is_empty() || self.partitions.contains(index);
        let partitions: Vec<i32> = topic.partitions.iter().map(|partition| partition.index).filter(wanted).collect();
        let mut ask = |asked: Option<Asked>| match asked {
            Some(asked) => offsets::of_each(cluster, topic, &partitions, asked),
            None => Ok(vec![-1; partitions.len()]),
        };
        let (starts, ends) =
            (ask(Some(Asked::Start))?, ask(Some(if self.read_committed { Asked::StableEnd } else { Asked::End }))?);
        let (from_times, to_times) = (ask(range.from.asked())?, ask(range.to.and_then(Place::asked))?);
        let (mut spans, mut misplaced) = (Vec::new(), Vec::new());
        for (index, partition) in partitions.iter().enumerate() {
            let (start, end) = (starts[index], ends[index]);
            let next = range.from.offset(start, end, from_times[index]);
            let stop = match range.to {
                Some(Place::At(offset)) if self.follow => Some(offset),
                // What ends behind the end ends with the end.
                Some(Place::At(offset)) => Some(offset.min(end)),
                Some(place) => place.offset(start, end, to_times[index]).ok(),
                None => (!self.follow).then_some(end),
            };
            match next {
                Ok(next) => spans.push(Span { partition: *partition, next, end: stop }),
                Err(OutOfRange(offset)) => {
                    let why =
                        format!("offset {offset} is not there: the partition starts at {start} and ends at {end}");
                    misplaced.push(Failure::here(why).about(partition_words(&topic.name, *partition)));
                }
            }
        }
        match misplaced.first() {
            Some(first) if spans.is_empty() => Err(first.clone().into()),
            _ => {
                misplaced.iter().for_each(|failure| complain(format_args!("{failure}; it is left out")));
                Ok(spans)
            }
        }
    }

    fn read(&self, mut consumer: Consumer, style: &Style) -> Result<Ending, Trouble> {
        let interrupted = interruption()?;
        let stdout = std::io::stdout();
        let mut progress = Progress::new(self.quiet || self.follow || stdout.is_terminal());
        let mut out = BufWriter::with_capacity(64 * 1024, stdout.lock());
        let mut left = self.count.unwrap_or(u64::MAX);
        while left > 0 && !interrupted.load(Ordering::Relaxed) {
            // Who waits for records shall see those that came.
            if !consumer.has_ready() {
                out.flush()?;
                progress.show("read");
            }
            let consumed = match consumer.next(TICK) {
                Ok(Some(consumed)) => consumed,
                Ok(None) if consumer.is_done() => break,
                Ok(None) => continue,
                Err(failure) => {
                    out.flush()?;
                    progress.end();
                    complain(failure.about(topic_words(&self.topic)));
                    return Ok(Ending::of(progress.records() as usize, 1));
                }
            };
            write_record(&mut out, style, &self.topic, &consumed)?;
            let size = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len) as u64;
            progress.add(1, size(&consumed.record.key) + size(&consumed.record.value));
            left -= 1;
        }
        out.flush()?;
        let cut = !self.follow && left > 0 && interrupted.load(Ordering::Relaxed);
        Ok(if cut { Ending::Partly } else { Ending::Done })
    }
}

fn write_record(out: &mut dyn Write, style: &Style, topic: &str, consumed: &Consumed) -> std::io::Result<()> {
    match style {
        Style::Json => writeln!(out, "{}", json_line(topic, consumed)),
        Style::Lines(format) => format.write(out, topic, consumed),
    }
}

/// Becomes true at the first Ctrl-C or SIGTERM; a second one ends the process at once.
pub(crate) fn interruption() -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM] {
        let registered = signal_hook::flag::register_conditional_shutdown(signal, 130, Arc::clone(&flag))
            .and_then(|_| signal_hook::flag::register(signal, Arc::clone(&flag)));
        registered.map_err(|error| Failure::here(format!("cannot listen to signals: {error}")))?;
    }
    Ok(flag)
}
