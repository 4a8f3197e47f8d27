//! `corelane produce`.

mod input;
mod json_line;

use crate::cli::codec::{Codec, acks};
use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::escape::delimiter;
use crate::cli::json::Json;
use crate::cli::progress::Progress;
use crate::cli::reach::{Form, Reach, print};
use crate::cli::table::Table;
use crate::client::cluster::topic_words;
use crate::client::failure::Failure;
use crate::client::producer::{Delivered, Producer, Settings};
use bytes::Bytes;
use clap::Args;
use input::{Cutting, Piece};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::{Duration, Instant};

/// Sends records to a topic: lines of standard input or of files
#[derive(Args, Debug)]
pub struct Produce {
    /// Name; created on first use if the broker does so
    topic: String,
    /// Files instead of standard input
    files: Vec<PathBuf>,
    /// To this partition [default: by key as Kafka's clients do; without a key in turn]
    #[arg(short, long, value_name = "N")]
    partition: Option<i32>,
    /// What divides key and value of a line; a line without it has no key
    #[arg(short = 'K', long, value_name = "TEXT", value_parser = delimiter)]
    key_delimiter: Option<DelimiterBytes>,
    /// The key of every record
    #[arg(short, long, value_name = "TEXT", conflicts_with = "key_delimiter")]
    key: Option<String>,
    /// What divides records
    #[arg(short = 'D', long, value_name = "TEXT", value_parser = delimiter, default_value = "\\n")]
    delimiter: DelimiterBytes,
    /// Each input is one record, whatever is in it
    #[arg(long, conflicts_with_all = ["key_delimiter", "delimiter"])]
    whole: bool,
    /// Each line is a JSON object as consume --json writes them; its topic, partition and offset are passed over
    #[arg(short = 'J', long, conflicts_with_all = ["key_delimiter", "key", "whole", "null_if_empty"])]
    json: bool,
    /// A header of every record; without = its value is null; may be repeated
    #[arg(short = 'H', long = "header", value_name = "NAME=VALUE")]
    headers: Vec<String>,
    /// Empty values and keys are null
    #[arg(short = 'Z', long)]
    null_if_empty: bool,
    /// Compresses batches
    #[arg(short = 'z', long, value_enum, value_name = "CODEC", default_value_t = Codec::None)]
    compression: Codec,
    /// Who has to have a record before it counts: 0 nobody, 1 the leader, all replicas in sync
    #[arg(short, long, value_name = "0|1|all", default_value = "all", value_parser = acks, allow_hyphen_values = true)]
    acks: i16,
    /// Fails if the topic does not exist, instead of asking the broker to create it
    #[arg(long)]
    no_create: bool,
    /// Says at the end what went where
    #[arg(short = 'o', long = "output", value_enum, value_name = "FORM")]
    form: Option<Form>,
    /// Shows no progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    reach: Reach,
}

/// A delimiter after its escapes were read.
type DelimiterBytes = Vec<u8>;

/// A round is sent when nothing more came for this long, so that a line that somebody types goes out at once.
const IDLE: Duration = Duration::from_millis(5);
/// And at this age, however fast more comes.
const AGE_MAX: Duration = Duration::from_millis(50);

/// What went to one partition: records, first and last offset.
type Sent = BTreeMap<i32, (u64, i64, i64)>;

impl Produce {
    /// Does it.
    pub fn run(self, environment: &[(String, String)]) -> Result<Ending, Trouble> {
        let settings = Settings {
            partition: self.partition,
            compression: self.compression.compression(),
            acks: self.acks,
            create: !self.no_create,
        };
        let cutting = self.cutting();
        input::check(&self.files)?;
        let cluster = self.reach.cluster(environment)?;
        let mut producer = Producer::open(cluster, &self.topic, settings)?;
        let pieces = input::start(self.files.clone(), cutting);
        let mut progress = Progress::new(self.quiet);
        let mut sent = Sent::new();
        let result = self.send_all(&mut producer, &pieces, &mut progress, &mut sent);
        progress.end();
        if let Some(form) = self.form {
            print(form, || vec![self.table(&sent)], || self.json(&sent))?;
        }
        match result {
            Ok(()) => Ok(Ending::Done),
            Err(failure) => {
                complain(failure.about(topic_words(&self.topic)));
                let done: u64 = sent.values().map(|(records, ..)| records).sum();
                if done > 0 {
                    complain(format_args!(
                        "{done} records were acknowledged before; the rest was not, or nobody knows"
                    ));
                }
                Ok(Ending::of(done as usize, 1))
            }
        }
    }

    fn cutting(&self) -> Cutting {
        let header = |text: &String| {
            let bytes = |text: &str| Bytes::copy_from_slice(text.as_bytes());
            text.split_once('=').map_or_else(|| (bytes(text), None), |(name, value)| (bytes(name), Some(bytes(value))))
        };
        Cutting {
            delimiter: (!self.whole).then(|| self.delimiter.clone()),
            key_delimiter: self.key_delimiter.clone(),
            key: self.key.as_ref().map(|key| Bytes::copy_from_slice(key.as_bytes())),
            headers: self.headers.iter().map(header).collect(),
            null_if_empty: self.null_if_empty,
            json: self.json,
        }
    }

    fn send_all(
        &self,
        producer: &mut Producer,
        pieces: &Receiver<Piece>,
        progress: &mut Progress,
        sent: &mut Sent,
    ) -> Result<(), Failure> {
        let mut oldest: Option<Instant> = None;
        loop {
            let wait = if oldest.is_some() { IDLE } else { Duration::from_millis(500) };
            let (due, ended) = match pieces.recv_timeout(wait) {
                Ok(Piece::Records(records)) => {
                    oldest.get_or_insert_with(Instant::now);
                    for record in records {
                        let size = |bytes: &Option<Bytes>| bytes.as_ref().map_or(0, Bytes::len) as u64;
                        progress.add(0, size(&record.key) + size(&record.value));
                        producer.push(record)?;
                    }
                    (producer.is_full() || oldest.is_some_and(|oldest| oldest.elapsed() > AGE_MAX), false)
                }
                Ok(Piece::Failed(failure)) => {
                    producer.flush(&mut |delivered| note(sent, delivered))?;
                    return Err(failure);
                }
                Err(RecvTimeoutError::Timeout) => (oldest.is_some(), false),
                Err(RecvTimeoutError::Disconnected) => (true, true),
            };
            if due {
                producer.flush(&mut |delivered| {
                    progress.add(delivered.records as u64, 0);
                    note(sent, delivered);
                })?;
                oldest = None;
            }
            progress.show("sent");
            if ended {
                return producer.finish();
            }
        }
    }

    fn table(&self, sent: &Sent) -> Table {
        let mut table = Table::new(["topic", "partition", "records", "first", "last"]);
        for (partition, (records, first, last)) in sent {
            let offset = |offset: &i64| if *offset < 0 { "-".to_string() } else { offset.to_string() };
            table.row([self.topic.clone(), partition.to_string(), records.to_string(), offset(first), offset(last)]);
        }
        table
    }

    fn json(&self, sent: &Sent) -> Json {
        Json::list(sent.iter().map(|(partition, (records, first, last))| {
            let offset = |offset: &i64| if *offset < 0 { Json::Null } else { Json::Number(*offset) };
            Json::Fields(vec![
                ("topic", Json::text(&self.topic)),
                ("partition", Json::number(*partition)),
                ("records", Json::Number(*records as i64)),
                ("first", offset(first)),
                ("last", offset(last)),
            ])
        }))
    }
}

fn note(sent: &mut Sent, delivered: Delivered) {
    let records = delivered.records as i64;
    let last = if delivered.base_offset < 0 { -1 } else { delivered.base_offset + records - 1 };
    let entry = sent.entry(delivered.partition).or_insert((0, delivered.base_offset, last));
    entry.0 += delivered.records as u64;
    entry.2 = last;
}
