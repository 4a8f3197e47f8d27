//! What each kind of file holds, a line per thing, read by the log's own decoders.

use crate::base::ids::TopicPartition;
use crate::base::offset::Sequence;
use crate::cli::codec;
use crate::cli::ending::Trouble;
use crate::cli::json::{self, Json};
use crate::cli::log::{read_whole, reader};
use crate::cli::moment;
use crate::client::failure::Failure;
use crate::log::checkpoint::Checkpoint;
use crate::log::journal_frame::{self, Found, FrameBody};
use crate::log::segment::StateBlock;
use crate::log::segment_walk::{Part, SegmentWalk};
use crate::metadata::log::frame::{ScanError, scan};
use crate::wire::record_batch::{Batches, crc_matches};
use crate::wire::records::{Records, Undecodable};
use bytes::Bytes;
use std::fs::File;
use std::path::Path;

/// One thing in a file.
pub(super) struct Line {
    /// Where it begins.
    pub(super) position: u64,
    /// What it is.
    pub(super) kind: &'static str,
    /// Its checksum and its fields are right.
    pub(super) sound: bool,
    /// Batches stand below their frame, records below their batch.
    pub(super) depth: usize,
    /// The rest.
    pub(super) fields: Vec<(&'static str, Json)>,
}

impl Line {
    /// For people.
    pub(super) fn text(&self) -> String {
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| match value {
                Json::Text(text) if !text.contains(char::is_whitespace) && !text.is_empty() => format!("{name}={text}"),
                value => format!("{name}={value}"),
            })
            .collect();
        let sound = if self.sound { "ok" } else { "ROTTEN" };
        format!(
            "{:indent$}{} {} {sound} {}",
            "",
            self.position,
            self.kind,
            fields.join(" "),
            indent = 2 + 2 * self.depth
        )
        .trim_end()
        .to_string()
    }
}

/// How deep to look.
pub(super) struct Look {
    /// Into frames and extents.
    pub(super) batches: bool,
    /// Into batches.
    pub(super) records: bool,
}

type Tell<'a> = dyn FnMut(Line) -> Result<(), Trouble> + 'a;

fn number(number: impl TryInto<i64>) -> Json {
    Json::Number(number.try_into().unwrap_or(i64::MAX))
}

fn line(position: u64, kind: &'static str, sound: bool, fields: Vec<(&'static str, Json)>) -> Line {
    Line { position, kind, sound, depth: 0, fields }
}

fn of_partition(partition: TopicPartition) -> [(&'static str, Json); 2] {
    [("topic_id", Json::text(partition.topic.to_string())), ("partition", number(partition.partition))]
}

impl Look {
    /// Tells all that is in a file, whose kind its first bytes say, or else its name.
    pub(super) fn file(&self, path: &Path, tell: &mut Tell<'_>) -> Result<(), Trouble> {
        let opened = File::open(path).map_err(|error| Failure::here(format!("{}: {error}", path.display())))?;
        let magic = reader(&opened)(0, 4).map_err(|why| Failure::here(format!("{}: {why}", path.display())))?;
        let name = path.file_name().map(|name| name.to_string_lossy().to_string()).unwrap_or_default();
        match (&magic[..], name.as_str()) {
            (b"CLJF", _) => self.journal(path, tell),
            (b"CLSX", _) => self.segment(&opened, tell),
            (b"CLCK", _) => checkpoint(path, tell),
            (b"CLmd", _) => metadata(path, tell),
            (_, name) if name.ends_with(".journal") => self.journal(path, tell),
            (_, name) if name.ends_with(".segment") => self.segment(&opened, tell),
            (_, name) if name.starts_with("checkpoint.") => checkpoint(path, tell),
            (_, "log") => metadata(path, tell),
            _ => {
                Err(Failure::here(format!("{}: no journal, segment, checkpoint or metadata log", path.display()))
                    .into())
            }
        }
    }

    /// Frames by position. Where a frame is expected and none is valid, the bytes are unused, torn or rotten: which of them, only the
    /// other files of the core can say (`log verify`), so they are shown and not judged.
    fn journal(&self, path: &Path, tell: &mut Tell<'_>) -> Result<(), Trouble> {
        let bytes = read_whole(path)?;
        // With the core's key nothing inside a batch passes for a frame.
        let key = path.parent().and_then(newest_checkpoint).map(|checkpoint| checkpoint.key);
        let found = journal_frame::scan(&bytes, key);
        let use_of = |one: &Found| (one.frame.place.salt, one.frame.place.file_first);
        let newest = found.first().map(use_of);
        let mut end = 0;
        for one in &found {
            gap(&bytes, end, one.position, tell)?;
            end = one.position + one.padded_bytes;
            let mut fields = vec![
                ("sequence", number(one.frame.place.sequence.0)),
                ("boot", number(one.frame.place.boot)),
                ("generation", number(one.frame.place.generation)),
                ("bytes", number(one.padded_bytes)),
                ("durable_mark", number(one.frame.place.durable_mark.0)),
            ];
            if Some(use_of(one)) != newest {
                fields.push(("earlier_use", Json::Bool(true)));
            }
            let (kind, body) = frame_body(&one.frame.body);
            fields.extend(body);
            tell(line(one.position as u64, kind, true, fields))?;
            if let FrameBody::Append { batch, .. } = &one.frame.body {
                let first = one.position + journal_frame::HEADER_BYTES + journal_frame::APPEND_PREFIX_BYTES;
                self.batches(batch, first as u64, tell)?;
            }
        }
        gap(&bytes, end, bytes.len(), tell)
    }

    fn segment(&self, file: &File, tell: &mut Tell<'_>) -> Result<(), Trouble> {
        let end = file.metadata().map_err(|error| Failure::here(error.to_string()))?.len();
        let mut read = reader(file);
        for part in SegmentWalk::new(&mut read, end) {
            match part {
                Err(rot) => tell(line(rot.position, "unreadable", false, vec![("what", Json::text(rot.what))]))?,
                Ok(Part::Extent { position, header, batches }) => {
                    let mut fields = of_partition(header.partition).to_vec();
                    fields.extend([
                        ("base", number(header.base.0)),
                        ("end", number(header.end.0)),
                        ("boot", number(header.boot)),
                        ("first_epoch", number(header.epochs.0.0)),
                        ("last_epoch", number(header.epochs.1.0)),
                        ("bytes", number(header.bytes)),
                    ]);
                    tell(line(position, "extent", true, fields))?;
                    self.batches(&batches, position + header.first_batch(), tell)?;
                }
                Ok(Part::State { at, block }) => {
                    tell(line(at.position, "state", true, state_fields(at.bytes, &block)))?
                }
            }
        }
        Ok(())
    }

    /// Batches side by side, each with the verdict of Kafka's checksum.
    fn batches(&self, bytes: &Bytes, first: u64, tell: &mut Tell<'_>) -> Result<(), Trouble> {
        if !self.batches {
            return Ok(());
        }
        for batch in Batches::new(bytes) {
            let (range, header) = match batch {
                Ok(batch) => batch,
                Err(error) => {
                    let fields = vec![("what", Json::text(format!("no record batch: {error:?}")))];
                    return tell(Line { depth: 1, ..line(first, "batch", false, fields) });
                }
            };
            let position = first + range.start as u64;
            let batch = bytes.slice(range);
            let codec = codec::name(header.codec()).unwrap_or("unknown");
            let fields = vec![
                ("base", number(header.base_offset)),
                ("last", number(header.base_offset + i64::from(header.last_offset_delta))),
                ("records", number(header.record_count)),
                ("bytes", number(header.total_bytes)),
                ("epoch", number(header.leader_epoch)),
                ("codec", Json::text(codec)),
                ("timestamp_max", Json::text(moment::rfc3339(header.max_timestamp))),
                ("producer_id", number(header.producer_id)),
                ("producer_epoch", number(header.producer_epoch)),
                ("base_sequence", number(header.base_sequence)),
            ];
            tell(Line { depth: 1, ..line(position, "batch", crc_matches(&batch, &header), fields) })?;
            if self.records {
                self.records_of(&batch, &header, position, tell)?;
            }
        }
        Ok(())
    }

    fn records_of(
        &self,
        batch: &Bytes,
        header: &crate::wire::record_batch::BatchHeader,
        position: u64,
        tell: &mut Tell<'_>,
    ) -> Result<(), Trouble> {
        let unreadable =
            |why: Undecodable| Line { depth: 2, ..line(position, "record", false, vec![("what", Json::text(why.0))]) };
        let records = match Records::new(batch, header) {
            Ok(records) => records,
            Err(why) => return tell(unreadable(why)),
        };
        for record in records {
            let record = match record {
                Ok(record) => record,
                Err(why) => return tell(unreadable(why)),
            };
            let headers = record
                .headers
                .iter()
                .map(|(name, value)| Json::list([json::of_bytes(Some(name)), json::of_bytes(value.as_deref())]));
            let fields = vec![
                ("offset", number(record.offset)),
                ("timestamp", number(record.timestamp)),
                ("key", json::of_bytes(record.key.as_deref())),
                ("value", json::of_bytes(record.value.as_deref())),
                ("headers", Json::list(headers)),
            ];
            tell(Line { depth: 2, ..line(position, "record", true, fields) })?;
        }
        Ok(())
    }
}

/// The newer readable slot beside a journal file.
fn newest_checkpoint(dir: &Path) -> Option<Checkpoint> {
    let slot = |number: u32| Checkpoint::decode(&std::fs::read(dir.join(format!("checkpoint.{number}"))).ok()?);
    [slot(0), slot(1)].into_iter().flatten().max_by_key(|checkpoint| checkpoint.number)
}

/// Bytes between two frames, if there is anything but zeros.
fn gap(bytes: &Bytes, from: usize, to: usize, tell: &mut Tell<'_>) -> Result<(), Trouble> {
    let Some(first) = bytes[from..to].iter().position(|byte| *byte != 0) else { return Ok(()) };
    let fields =
        vec![("bytes", number(to - from - first)), ("what", Json::text("no valid frame: unused, torn or rotten"))];
    tell(line((from + first) as u64, "gap", true, fields))
}

fn frame_body(body: &FrameBody) -> (&'static str, Vec<(&'static str, Json)>) {
    let with = |partition: TopicPartition, more: Vec<(&'static str, Json)>| {
        of_partition(partition).into_iter().chain(more).collect()
    };
    match body {
        FrameBody::Append { partition, leader_epoch, base, end, batch, again } => {
            let more = vec![
                ("base", number(base.0)),
                ("end", number(end.0)),
                ("epoch", number(leader_epoch.0)),
                ("batch_bytes", number(batch.len())),
            ];
            (if *again { "re-append" } else { "append" }, with(*partition, more))
        }
        FrameBody::Truncate { partition, end } => ("truncate", with(*partition, vec![("end", number(end.0))])),
        FrameBody::LogStart { partition, start } => ("log-start", with(*partition, vec![("start", number(start.0))])),
        FrameBody::Mark => ("mark", Vec::new()),
        FrameBody::Boot { checkpoint, accepted_end } => {
            let end = accepted_end.map_or(Json::Null, |Sequence(end)| number(end));
            ("boot", vec![("checkpoint", number(*checkpoint)), ("accepted_end", end)])
        }
    }
}

fn state_fields(bytes: u32, block: &StateBlock) -> Vec<(&'static str, Json)> {
    let mut fields = vec![("form", Json::text(if block.full { "full" } else { "delta" }))];
    fields.extend(of_partition(block.partition));
    fields.extend([
        ("end", number(block.end.0)),
        ("bytes", number(bytes)),
        ("back", block.back.map_or(Json::Null, |back| number(back.position))),
        ("index_runs", number(block.runs.len())),
        ("producers", number(block.producers.len())),
    ]);
    fields
}

fn checkpoint(path: &Path, tell: &mut Tell<'_>) -> Result<(), Trouble> {
    let bytes = read_whole(path)?;
    let Some(checkpoint) = Checkpoint::decode(&bytes) else {
        let what = "no valid checkpoint: torn or rotten; the other slot counts if it is valid";
        return tell(line(0, "checkpoint", false, vec![("what", Json::text(what))]));
    };
    let fields = vec![
        ("number", number(checkpoint.number)),
        ("generation", number(checkpoint.generation)),
        ("core", number(checkpoint.core)),
        ("boot", number(checkpoint.boot)),
        ("first_live", number(checkpoint.first_live.0)),
        ("partitions", number(checkpoint.partitions.len())),
    ];
    tell(line(0, "checkpoint", true, fields))?;
    for one in &checkpoint.partitions {
        let mut fields = of_partition(one.partition).to_vec();
        fields.push(("log_start", number(one.log_start.0)));
        let held = one.held.map_or(Json::Null, |(first, last)| Json::list([number(first.0), number(last.0)]));
        fields.extend([("held", held), ("segments", number(one.segments.len()))]);
        tell(Line { depth: 1, ..line(0, "partition", true, fields) })?;
        for segment in &one.segments {
            let fields = vec![
                ("base", number(segment.base.0)),
                ("end", number(segment.end.0)),
                ("bytes", number(segment.file_bytes)),
                ("state_at", number(segment.block.position)),
                ("state_bytes", number(segment.block.bytes)),
                ("timestamp_max", Json::text(moment::rfc3339(segment.max_timestamp))),
            ];
            tell(Line { depth: 2, ..line(0, "segment", true, fields) })?;
        }
    }
    Ok(())
}

fn metadata(path: &Path, tell: &mut Tell<'_>) -> Result<(), Trouble> {
    let bytes = read_whole(path)?;
    let scanned = match scan(&bytes) {
        Ok(scanned) => scanned,
        Err(ScanError::Corrupt(position, what) | ScanError::Later(position, what)) => {
            return tell(line(position, "metadata", false, vec![("what", Json::text(what))]));
        }
    };
    let fields = vec![
        ("snapshot_records", number(scanned.snapshot.len())),
        ("snapshot_end", number(scanned.snapshot_end_offset)),
        ("records", number(scanned.records.len())),
        ("torn_at", scanned.torn_at.map_or(Json::Null, number)),
    ];
    tell(line(0, "metadata", true, fields))?;
    for record in &scanned.snapshot {
        tell(Line {
            depth: 1,
            ..line(0, "snapshot-record", true, vec![("record", Json::text(format!("{record:?}")))])
        })?;
    }
    for (record, offset) in scanned.records.iter().zip(scanned.snapshot_end_offset..) {
        let fields = vec![("offset", number(offset)), ("record", Json::text(format!("{record:?}")))];
        tell(Line { depth: 1, ..line(0, "record", true, fields) })?;
    }
    Ok(())
}
