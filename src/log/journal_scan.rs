//! Reading a core's journal back: which frames count, where they end, and what must be refused.
//!
//! The rules (S1, S4, S14, S15): a frame belongs to its file if salt and first sequence match the file's boot frame; frames of a
//! boot end where the next boot began; counting starts at the checkpoint's first live sequence and ends before the first hole. A
//! hole at or below a durable mark found anywhere is corruption, above all marks it is a torn end.

use crate::base::offset::Sequence;
use crate::base::storage::{BLOCK_BYTES, FileOp, Storage, StorageError, block_ceil, read_file};
use crate::log::checkpoint::Checkpoint;
use crate::log::core_log::{CoreIdentity, Refusal};
use crate::log::journal::JournalFile;
use crate::log::journal_frame::{self, Found, Frame, FrameBody};
use bytes::Bytes;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A frame and where it stands.
#[derive(Debug)]
pub(super) struct Candidate {
    pub(super) frame: Frame,
    file: usize,
    position: u64,
    padded_bytes: u64,
}

/// A frame of a file whose boot frame cannot be read.
#[derive(Debug)]
struct Headless {
    file: usize,
    frame: Frame,
}

/// What the journal says.
#[derive(Debug)]
pub(super) struct JournalScan {
    paths: Vec<Arc<str>>,
    candidates: Vec<Candidate>,
    headless: Vec<Headless>,
    /// (boot, last sequence of the boots before it).
    cuts: BTreeMap<u32, Sequence>,
    /// Highest durable mark in the frames of each boot.
    marks: BTreeMap<u32, Sequence>,
    accept_loss: bool,
    /// Number that no file of this journal ever had.
    pub(super) next_number: u64,
}

/// The frames that count.
#[derive(Debug)]
pub(super) struct Accepted {
    /// Live frames by sequence, without holes from the first live sequence on.
    pub(super) live: BTreeMap<Sequence, Candidate>,
    /// Frames below it that offline partitions still need (S11).
    pub(super) held: Vec<Candidate>,
    /// Last sequence that counts.
    pub(super) end: Sequence,
    highest_mark: Sequence,
    paths: Vec<Arc<str>>,
}

impl JournalScan {
    /// Reads every file of the journal.
    pub(super) fn read(
        storage: &mut dyn Storage,
        dir: &str,
        identity: &CoreIdentity,
        checkpoint: &Checkpoint,
    ) -> Result<JournalScan, Refusal> {
        let mut scan = JournalScan {
            paths: Vec::new(),
            candidates: Vec::new(),
            headless: Vec::new(),
            cuts: BTreeMap::new(),
            marks: BTreeMap::new(),
            accept_loss: identity.accept_loss,
            next_number: 1,
        };
        for name in storage.list(dir).map_err(Refusal::Storage)? {
            let Some(number) = name.strip_suffix(".journal").and_then(|number| number.parse::<u64>().ok()) else {
                continue;
            };
            scan.next_number = scan.next_number.max(number + 1);
            let path = format!("{dir}/{name}");
            let bytes = read_file(storage, &path).map_err(Refusal::Storage)?;
            scan.note_file(&path, &bytes, identity, checkpoint)?;
        }
        Ok(scan)
    }

    fn note_file(
        &mut self,
        path: &str,
        bytes: &Bytes,
        identity: &CoreIdentity,
        checkpoint: &Checkpoint,
    ) -> Result<(), Refusal> {
        let file = self.paths.len();
        self.paths.push(Arc::from(path));
        let found = journal_frame::scan(bytes, Some(checkpoint.key));
        for one in &found {
            let place = &one.frame.place;
            if place.generation != identity.generation || place.boot >= identity.boot {
                return Err(Refusal::Corrupt(format!(
                    "{path}: the frame at byte {} is of generation {} and boot {}, but the metadata log knows only generation {} \
                     and boots below {}. The metadata directory is older than the journal: restore the one that belongs to it.",
                    one.position, place.generation, place.boot, identity.generation, identity.boot
                )));
            }
            let mark = self.marks.entry(place.boot).or_default();
            *mark = (*mark).max(place.durable_mark);
            self.cuts.insert(place.boot, place.boot_first.previous());
        }
        let Some(head) = found.first().filter(|one| is_head(one)).map(|one| one.frame.clone()) else {
            self.headless.extend(found.into_iter().map(|one| Headless { file, frame: one.frame }));
            return Ok(());
        };
        if let FrameBody::Boot { checkpoint: number, .. } = head.body
            && number > checkpoint.number
        {
            return Err(Refusal::Corrupt(format!(
                "{path}: checkpoint {number} allowed this file to be written, but the newest readable checkpoint is {}. \
                 Records would be lost: restore the newer checkpoint slot from a copy of the data directory.",
                checkpoint.number
            )));
        }
        for one in found {
            let place = &one.frame.place;
            if place.salt == head.place.salt && place.file_first == head.place.file_first {
                let wanted = place.sequence >= checkpoint.first_live || is_held(checkpoint, &one.frame);
                if wanted {
                    self.candidates.push(candidate(one, file));
                }
            }
        }
        Ok(())
    }

    /// Applies the rules.
    pub(super) fn accept(mut self, checkpoint: &Checkpoint) -> Result<Accepted, Refusal> {
        let cuts = self.cuts;
        let is_cut = |frame: &Frame| {
            let later = cuts.range(frame.place.boot + 1..);
            later.into_iter().any(|(_, end)| frame.place.sequence > *end)
        };
        self.candidates.sort_by_key(|one| one.frame.place.boot);
        let mut live = BTreeMap::new();
        let mut held = Vec::new();
        for one in self.candidates.into_iter().filter(|one| !is_cut(&one.frame)) {
            match one.frame.place.sequence {
                sequence if sequence >= checkpoint.first_live => drop(live.insert(sequence, one)),
                _ => held.push(one),
            }
        }
        let mut end = checkpoint.first_live.previous();
        while live.contains_key(&end.next()) {
            end = end.next();
        }
        // A mark counts up to where a later boot began: what an operator gave up then is given up for good.
        let cut_of = |boot: u32| cuts.range(boot + 1..).map(|(_, cut)| *cut).min();
        let counted = self.marks.iter().map(|(boot, mark)| cut_of(*boot).map_or(*mark, |cut| cut.min(*mark)));
        let mut highest_mark = counted.max().unwrap_or_default();
        if self.accept_loss {
            highest_mark = highest_mark.min(end);
            self.headless.clear();
        }
        if highest_mark > end {
            return Err(corrupt_hole(&live, &self.paths, end, highest_mark));
        }
        for Headless { file, frame } in &self.headless {
            let place = &frame.place;
            if place.sequence > end && place.durable_mark >= place.file_first && !is_cut(frame) {
                return Err(Refusal::Corrupt(format!(
                    "{}: the boot frame at byte 0 is damaged, yet frame {} says that it had been flushed. Acknowledged records \
                     may be lost: restore the file from a copy, or give up what is behind it with --set journal.accept.loss=true.",
                    self.paths[*file], place.sequence
                )));
            }
        }
        live.split_off(&end.next());
        held.sort_by_key(|one| one.frame.place.sequence);
        Ok(Accepted { live, held, end, highest_mark, paths: self.paths })
    }
}

fn is_head(found: &Found) -> bool {
    let place = &found.frame.place;
    found.position == 0 && matches!(found.frame.body, FrameBody::Boot { .. }) && place.sequence == place.file_first
}

fn is_held(checkpoint: &Checkpoint, frame: &Frame) -> bool {
    // Not appends alone: without a truncation in the range, what it cut would come back.
    let (FrameBody::Append { partition, .. }
    | FrameBody::Truncate { partition, .. }
    | FrameBody::LogStart { partition, .. }) = &frame.body
    else {
        return false;
    };
    let sequence = frame.place.sequence;
    let held = checkpoint.partitions.iter().filter(|one| one.partition == *partition).find_map(|one| one.held);
    held.is_some_and(|(first, last)| first <= sequence && sequence <= last)
}

/// Copies the batch out of the file's bytes, so that a few live frames do not keep a whole file in memory.
fn candidate(found: Found, file: usize) -> Candidate {
    let mut frame = found.frame;
    if let FrameBody::Append { batch, .. } = &mut frame.body {
        *batch = Bytes::copy_from_slice(batch);
    }
    Candidate { frame, file, position: found.position as u64, padded_bytes: found.padded_bytes as u64 }
}

fn corrupt_hole(live: &BTreeMap<Sequence, Candidate>, paths: &[Arc<str>], end: Sequence, mark: Sequence) -> Refusal {
    let place = live.get(&end).map_or_else(
        || "no frame before it is left".to_string(),
        |last| {
            format!(
                "the last good frame before it ends at byte {} of {}",
                last.position + last.padded_bytes,
                paths[last.file]
            )
        },
    );
    Refusal::Corrupt(format!(
        "journal frame {} is missing or damaged although frames up to {mark} had been flushed ({place}). Acknowledged records are at \
         stake: restore the journal directory from a copy, or give up everything from that frame on with --set journal.accept.loss=true.",
        end.next()
    ))
}

impl Accepted {
    /// S17: what was accepted above the highest mark is written again in place and flushed with all files that count, before this
    /// boot writes or serves anything: after a failed flush a later one can report success for lost pages.
    pub(super) fn make_durable(&self, storage: &mut dyn Storage, dir: &str) -> Result<(), StorageError> {
        let mut ranges: BTreeMap<usize, (u64, u64)> = BTreeMap::new();
        for (sequence, one) in &self.live {
            let range = ranges.entry(one.file).or_insert((u64::MAX, 0));
            if *sequence > self.highest_mark {
                let start = one.position / BLOCK_BYTES * BLOCK_BYTES;
                *range = (range.0.min(start), range.1.max(block_ceil(one.position + one.padded_bytes)));
            }
        }
        for (file, (start, end)) in ranges {
            let path = self.paths[file].to_string();
            if start < end {
                let read = FileOp::Read { path: path.clone(), offset: start, bytes: end - start };
                let data = storage.perform(&read)?.expect("a read gives bytes");
                storage.perform(&FileOp::Write { path: path.clone(), offset: start, data: data.into() })?;
            }
            storage.perform(&FileOp::Flush(path))?;
        }
        storage.perform(&FileOp::SyncDir(dir.to_string()))?;
        Ok(())
    }

    /// Files with frames that count, oldest first, and those without.
    pub(super) fn files(&self) -> (Vec<JournalFile>, Vec<Arc<str>>) {
        let mut needed: BTreeMap<usize, (u32, Sequence, Sequence)> = BTreeMap::new();
        for one in self.held.iter().chain(self.live.values()) {
            let place = &one.frame.place;
            let range = needed.entry(one.file).or_insert((place.boot, place.sequence, place.sequence));
            (range.1, range.2) = (range.1.min(place.sequence), range.2.max(place.sequence));
        }
        let unneeded =
            (0..self.paths.len()).filter(|file| !needed.contains_key(file)).map(|file| self.paths[file].clone());
        let unneeded = unneeded.collect();
        let dead = |(file, (boot, first, last)): (usize, (u32, Sequence, Sequence))| {
            JournalFile::dead(self.paths[file].clone(), boot, first, last)
        };
        let mut files: Vec<JournalFile> = needed.into_iter().map(dead).collect();
        files.sort_by_key(|file| file.first);
        (files, unneeded)
    }
}
