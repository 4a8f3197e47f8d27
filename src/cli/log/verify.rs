//! `corelane log verify`.

use crate::base::ids::TopicPartition;
use crate::base::storage::Storage;
use crate::cli::ending::{Ending, Trouble, complain};
use crate::cli::json::Json;
use crate::cli::log::overlay::Overlay;
use crate::cli::log::rehearsal::rehearse;
use crate::cli::log::{Holder, holder, reader};
use crate::cli::progress::Progress;
use crate::cli::reach::Output;
use crate::cli::table::Table;
use crate::client::failure::Failure;
use crate::log::checkpoint::{Checkpoint, CheckpointSegment};
use crate::log::core_log::journal_dir;
use crate::log::segment;
use crate::log::segment_walk::{Checked, check};
use crate::metadata::image::Image;
use clap::Args;
use std::fs::File;
use std::path::{Path, PathBuf};

/// Checks every byte that counts; exit code 1 if something is rotten.
#[derive(Args, Debug)]
pub struct Verify {
    /// The data directory (log.dirs), or a copy of it
    dir: PathBuf,
    /// Shows no progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    output: Output,
}

/// Something rotten.
struct Finding {
    file: String,
    position: Option<u64>,
    what: String,
    remedy: String,
}

/// What was gone over.
#[derive(Default)]
struct Sums {
    cores: u64,
    partitions: u64,
    segments: u64,
    checked: Checked,
}

const SEGMENT_REMEDY: &str =
    "the partition goes offline when it is read: restore the file from a copy, or delete the topic";

impl Verify {
    pub(super) fn run(self) -> Result<Ending, Trouble> {
        let shown = self.dir.display();
        if !self.dir.join("metadata").is_dir() {
            let why = format!(
                "{shown}: no data directory of Corelane: it has no metadata/ (log inspect looks at single files)"
            );
            return Err(Failure::here(why).into());
        }
        let lock = match holder(&self.dir)? {
            Holder::Nobody(lock) => lock,
            Holder::Broker(owner) => {
                let why =
                    format!("{shown}: {owner} runs on it, files change while they are read; stop it, or verify a copy");
                return Err(Failure::here(why).into());
            }
        };
        let rehearsed = rehearse(&self.dir);
        let mut findings: Vec<Finding> = Vec::new();
        for what in rehearsed.refusals {
            // The text of a refused start: it has file, offset and remedy in it.
            findings.push(Finding { file: String::new(), position: None, what, remedy: String::new() });
        }
        let mut sums = Sums::default();
        let mut progress = Progress::new(self.quiet);
        if let Some(image) = &rehearsed.image {
            for (partition, why) in rehearsed.offline {
                let file = words(image, partition);
                let remedy =
                    "the partition would be offline: restore its files from a copy, or delete the topic".to_string();
                findings.push(Finding { file, position: None, what: why, remedy });
            }
            self.segments(image, &mut findings, &mut sums, &mut progress)?;
        }
        progress.end();
        drop(lock);
        self.output.print(|| tables(&sums, &findings), || json(&sums, &findings))?;
        findings.iter().for_each(|finding| complain(finding.line()));
        Ok(if findings.is_empty() { Ending::Done } else { Ending::Failed })
    }

    /// Every segment that the checkpoints of the generation in force name.
    fn segments(
        &self,
        image: &Image,
        findings: &mut Vec<Finding>,
        sums: &mut Sums,
        progress: &mut Progress,
    ) -> Result<(), Trouble> {
        let mut overlay = Overlay::new(&self.dir);
        for core in 0..image.cores() {
            sums.cores += 1;
            // What cannot be read of it, the rehearsal has found.
            let Ok(Some(checkpoint)) = Checkpoint::load(&mut overlay, &journal_dir(image.generation(), core)) else {
                continue;
            };
            for one in checkpoint.partitions.iter().filter(|one| image.topic(one.partition.topic).is_some()) {
                sums.partitions += 1;
                self.leftovers(one.partition, &one.segments, &mut overlay, findings);
                for segment in &one.segments {
                    sums.segments += 1;
                    let path = segment::path(one.partition, segment.base);
                    let found = check_file(&self.dir.join(&path), one.partition, segment);
                    let (checked, rotten) = found.unwrap_or_else(|why| (Checked::default(), vec![(None, why)]));
                    add(&mut sums.checked, checked);
                    progress.add(checked.records, checked.bytes);
                    progress.show("checked");
                    findings.extend(rotten.into_iter().map(|(position, what)| Finding {
                        file: format!("{} ({})", self.dir.join(&path).display(), words(image, one.partition)),
                        position,
                        what,
                        remedy: SEGMENT_REMEDY.to_string(),
                    }));
                }
            }
        }
        Ok(())
    }

    /// Segments must follow each other without a gap; files that no checkpoint names are a move that did not end, and go at the next one.
    fn leftovers(
        &self,
        partition: TopicPartition,
        segments: &[CheckpointSegment],
        storage: &mut dyn Storage,
        findings: &mut Vec<Finding>,
    ) {
        for pair in segments.windows(2).filter(|pair| pair[0].end != pair[1].base) {
            findings.push(Finding {
                file: segment::path(partition, pair[1].base),
                position: None,
                what: format!("the segment before it ends at offset {}", pair[0].end),
                remedy: SEGMENT_REMEDY.to_string(),
            });
        }
        let names = storage.list(&segment::dir(partition)).unwrap_or_default();
        let named = |name: &String| segments.iter().any(|segment| segment::name(segment.base) == *name);
        for name in names.iter().filter(|name| !named(name)) {
            let path = self.dir.join(segment::dir(partition)).join(name);
            complain(format_args!("{}: no checkpoint names it; it is passed over, as a start does", path.display()));
        }
    }
}

type Rotten = Vec<(Option<u64>, String)>;

fn check_file(
    path: &Path,
    partition: TopicPartition,
    segment: &CheckpointSegment,
) -> Result<(Checked, Rotten), String> {
    let file = File::open(path).map_err(|error| error.to_string())?;
    let bytes = file.metadata().map_err(|error| error.to_string())?.len();
    if bytes < segment.file_bytes {
        return Err(format!("the file has {bytes} bytes, the checkpoint counts {}", segment.file_bytes));
    }
    let (checked, rotten) = check(partition, segment, &mut reader(&file));
    Ok((checked, rotten.into_iter().map(|rot| (Some(rot.position), rot.what)).collect()))
}

fn add(sum: &mut Checked, more: Checked) {
    sum.extents += more.extents;
    sum.batches += more.batches;
    sum.records += more.records;
    sum.bytes += more.bytes;
}

/// A partition by its topic's name.
fn words(image: &Image, partition: TopicPartition) -> String {
    let name = image.topic(partition.topic).map_or_else(|| partition.topic.to_string(), |topic| topic.name.to_string());
    format!("topic {name}, partition {}", partition.partition)
}

impl Finding {
    fn line(&self) -> String {
        let position = self.position.map_or_else(String::new, |position| format!(" at byte {position}"));
        match (self.file.is_empty(), self.remedy.is_empty()) {
            (true, _) => self.what.clone(),
            (false, _) => format!("{}{position}: {}; {}", self.file, self.what, self.remedy),
        }
    }
}

fn tables(sums: &Sums, findings: &[Finding]) -> Vec<Table> {
    let mut table = Table::new(["cores", "partitions", "segments", "extents", "batches", "records", "bytes", "rotten"]);
    let Checked { extents, batches, records, bytes } = sums.checked;
    let numbers = [sums.cores, sums.partitions, sums.segments, extents, batches, records, bytes, findings.len() as u64];
    table.row(numbers.map(|number| number.to_string()));
    vec![table]
}

fn json(sums: &Sums, findings: &[Finding]) -> Json {
    let number = |number: u64| Json::Number(number as i64);
    let finding = |finding: &Finding| {
        Json::Fields(vec![
            ("file", Json::optional(Some(&finding.file).filter(|file| !file.is_empty()))),
            ("position", finding.position.map_or(Json::Null, number)),
            ("what", Json::text(&finding.what)),
            ("remedy", Json::optional(Some(&finding.remedy).filter(|remedy| !remedy.is_empty()))),
        ])
    };
    Json::Fields(vec![
        ("cores", number(sums.cores)),
        ("partitions_in_segments", number(sums.partitions)),
        ("segments", number(sums.segments)),
        ("extents", number(sums.checked.extents)),
        ("batches", number(sums.checked.batches)),
        ("records", number(sums.checked.records)),
        ("bytes", number(sums.checked.bytes)),
        ("rotten", Json::list(findings.iter().map(finding))),
    ])
}
