//! Bits that rot on the disk, and what the log may then do.

use crate::disk::{Disk, SECTOR, is_checkpoint, is_journal, is_metadata, is_segment};
use crate::trace;
use crate::world::World;
use bytes::Bytes;
use corelane::log::journal_frame::{Found, scan};

/// What rotted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RotKind {
    Journal,
    Segment,
    Checkpoint,
    Metadata,
}

/// The one rot of a seed.
#[derive(Clone, Debug)]
pub struct Rot {
    pub kind: RotKind,
    pub text: String,
    /// No check can tell it from a torn end: nothing durable says that the frame had been flushed.
    pub waived: bool,
}

impl World {
    /// Lets one sector of some file rot; the machine is down.
    pub fn rot_something(&mut self) {
        let kinds = [RotKind::Journal, RotKind::Segment, RotKind::Checkpoint, RotKind::Metadata];
        let kind = kinds[self.prng.below(4) as usize];
        self.rot_something_of(kind);
    }

    /// Lets one sector of some file of a kind rot.
    pub fn rot_something_of(&mut self, kind: RotKind) {
        let files = self.disk.files();
        let kind = match kind {
            RotKind::Journal => is_journal,
            RotKind::Segment => is_segment,
            RotKind::Checkpoint => is_checkpoint,
            RotKind::Metadata => is_metadata,
        };
        let files: Vec<&String> = files.iter().filter(|path| kind(path) && !path.ends_with(".tmp")).collect();
        if files.is_empty() {
            return;
        }
        let path = files[self.prng.below(files.len() as u64) as usize].clone();
        let content = self.disk.content(&path).expect("listed").to_vec();
        let filled: Vec<usize> = (0..content.len() / SECTOR)
            .filter(|sector| content[sector * SECTOR..(sector + 1) * SECTOR].iter().any(|byte| *byte != 0))
            .collect();
        if filled.is_empty() {
            return;
        }
        let sector = filled[self.prng.below(filled.len() as u64) as usize];
        let before = marks_and_frames(&self.disk, &path);
        self.disk.rot(&path, sector);
        let (rot_kind, category, waived) = if is_journal(&path) {
            (RotKind::Journal, "rot: journal", is_beyond_marks(&self.disk, &path, &before, self.quiet_of(&path)))
        } else if is_segment(&path) {
            (RotKind::Segment, "rot: segment", false)
        } else if is_checkpoint(&path) {
            (RotKind::Checkpoint, "rot: checkpoint", false)
        } else {
            (RotKind::Metadata, "rot: metadata", true)
        };
        self.coverage.hit(category);
        let text = format!("{path} sector {sector}");
        trace!("ROT {rot_kind:?} {text} waived {waived}");
        self.rot = Some(Rot { kind: rot_kind, text, waived });
    }

    /// What S4 promises to be below a mark in the journal of this file.
    fn quiet_of(&self, path: &str) -> u64 {
        let mut names = path.split('/').skip(1);
        let generation = names.next().and_then(|name| name.parse().ok()).unwrap_or(0);
        let core = names.next().and_then(|name| name.parse().ok()).unwrap_or(0);
        self.quiet.get(&(generation, core)).copied().unwrap_or(0)
    }
}

/// The frames of one journal file.
fn marks_and_frames(disk: &Disk, path: &str) -> Vec<Found> {
    match disk.content(path) {
        Some(content) if is_journal(path) => scan(&Bytes::copy_from_slice(content), None),
        _ => Vec::new(),
    }
}

/// True if a frame was lost that no mark in the rest of the ring covers.
fn is_beyond_marks(disk: &Disk, path: &str, before: &[Found], quiet: u64) -> bool {
    let dir = &path[..path.rfind('/').expect("journal files lie in a directory")];
    let mut mark = quiet;
    for other in disk.files().iter().filter(|other| other.starts_with(dir) && is_journal(other)) {
        for found in marks_and_frames(disk, other) {
            mark = mark.max(found.frame.place.durable_mark.0);
        }
    }
    let after: Vec<(usize, u64)> =
        marks_and_frames(disk, path).iter().map(|found| (found.position, found.frame.place.sequence.0)).collect();
    before.iter().any(|found| {
        let sequence = found.frame.place.sequence.0;
        !after.contains(&(found.position, sequence)) && sequence > mark
    })
}
