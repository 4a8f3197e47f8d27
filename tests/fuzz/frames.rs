//! What lies on the disk: journal frames, segments, checkpoints, the metadata log. Checksums are mended after most changes: a
//! decoder must hold behind a good checksum too, for the mistakes of another release.

use crate::directory::Directory;
use crate::engine::{Target, bounded, magnitude, outcome};
use bytes::{Bytes, BytesMut};
use corelane::base::decode::Decoder;
use corelane::base::ids::MachineId;
use corelane::base::offset::Offset;
use corelane::base::prng::Prng;
use corelane::log::checkpoint::Checkpoint;
use corelane::log::journal_frame::{self, ALIGN, FrameBody};
use corelane::log::leader_epochs::LeaderEpochs;
use corelane::log::offset_index::{self, RunRead};
use corelane::log::producer_state::Producers;
use corelane::log::segment::{EXTENT_HEADER_BYTES, ExtentHeader, StateBlock, StateBlockSource};
use corelane::metadata::image::Image;
use corelane::metadata::log::frame::{self, FRAME_HEADER_BYTES, FrameHead, FrameKind, encode_frame};
use corelane::metadata::log::identity::{check_identity, encode_identity};
use corelane::metadata::record::{FormatRecord, Record};
use corelane::metadata::record_codec;
use std::time::Duration;

const LONGEST: Duration = Duration::from_millis(500);

fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(bytes[at..at + 4].try_into().expect("4 bytes"))
}

/// Gives every frame of a journal file a right checksum, as far as its length lies in the file.
pub fn mend_journal(file: &mut [u8]) {
    let mut at = 0;
    while at + journal_frame::HEADER_BYTES <= file.len() {
        let length = u32_at(file, at + 8) as usize;
        let is_frame =
            &file[at..at + 4] == b"CLJF" && length >= journal_frame::HEADER_BYTES && at + length <= file.len();
        if !is_frame {
            at += ALIGN;
            continue;
        }
        let sum = crc32c::crc32c_append(crc32c::crc32c(&file[at..at + 12]), &file[at + 16..at + length]);
        file[at + 12..at + 16].copy_from_slice(&sum.to_be_bytes());
        at += length.next_multiple_of(ALIGN);
    }
}

/// The salt key of the directory's cores.
fn keys(directory: &Directory) -> Vec<u64> {
    let slots = directory.paths("journal/", "checkpoint.0");
    slots.iter().map(|path| Checkpoint::decode(&directory.files[path]).expect("legal").key).collect()
}

#[test]
fn journal() {
    let directory = Directory::of_corpus();
    let keys = keys(&directory);
    Target {
        name: "journal",
        rounds: 150_000,
        longest: LONGEST,
        corpus: directory.paths("journal/", ".journal").iter().map(|path| directory.files[path].clone()).collect(),
        mend: &|file, prng| {
            if prng.percent(80) {
                mend_journal(file);
            }
        },
        judge: &|file| {
            let bytes = Bytes::copy_from_slice(file);
            let per_byte = 8;
            let all = bounded(file.len(), per_byte, 1 << 12, || journal_frame::scan(&bytes, None));
            let salted: usize = keys.iter().map(|key| journal_frame::scan(&bytes, Some(*key)).len()).sum();
            let mut end = 0;
            for found in &all {
                assert!(found.position >= end && found.position % ALIGN == 0);
                end = found.position + found.padded_bytes;
                check_frame(found);
            }
            let kinds: u32 =
                all.iter().map(|found| 1 << (found.frame.body.sizes().0 % 32)).fold(0, |kinds, kind| kinds | kind);
            outcome((magnitude(all.len()), magnitude(salted), kinds))
        },
    }
    .run();
}

/// Encoded again, the frame says the same.
fn check_frame(found: &journal_frame::Found) {
    let mut again = BytesMut::new();
    journal_frame::encode_prefix(&found.frame.place, &found.frame.body, &mut again);
    if let FrameBody::Append { batch, .. } = &found.frame.body {
        again.extend_from_slice(batch);
    }
    let (frame, _) = journal_frame::decode(&again.freeze(), 0, None).expect("what was encoded here is legal");
    assert_eq!(frame, found.frame);
}

/// The state blocks in a segment file.
fn state_blocks(file: &[u8]) -> Vec<Vec<u8>> {
    let starts = (0..file.len().saturating_sub(64)).step_by(8).filter(|at| &file[*at..*at + 4] == b"CLST");
    starts.map(|at| file[at..at + u32_at(file, at + 8) as usize].to_vec()).collect()
}

#[test]
fn state_block() {
    let directory = Directory::of_corpus();
    let segments = directory.paths("topics/", ".segment");
    let mut corpus: Vec<Vec<u8>> = segments.iter().flat_map(|path| state_blocks(&directory.files[path])).collect();
    corpus.extend(segments.iter().map(|path| directory.files[path][..EXTENT_HEADER_BYTES].to_vec()));
    assert!(corpus.len() > 4);
    Target {
        name: "state_block",
        rounds: 600_000,
        longest: LONGEST,
        corpus,
        mend: &|bytes, prng| {
            if bytes.len() < EXTENT_HEADER_BYTES || prng.percent(10) {
                return;
            }
            let (sum_at, covered) =
                if bytes.starts_with(b"CLSX") { (8, EXTENT_HEADER_BYTES) } else { (12, bytes.len()) };
            if sum_at == 12 {
                let length = (bytes.len() as u32).to_be_bytes();
                bytes[8..12].copy_from_slice(&length);
            }
            let sum = crc32c::crc32c_append(crc32c::crc32c(&bytes[..sum_at]), &bytes[sum_at + 4..covered]);
            bytes[sum_at..sum_at + 4].copy_from_slice(&sum.to_be_bytes());
        },
        judge: &|bytes| {
            if let Some(header) = ExtentHeader::decode(bytes) {
                assert_eq!(ExtentHeader::decode(&header.encode()), Some(header));
                return outcome(magnitude(header.bytes as usize));
            }
            // The largest element for its bytes is a producer without batches: 19 bytes, and a few words.
            let Some(block) = bounded(bytes.len(), 16, 1 << 12, || StateBlock::decode(bytes)) else { return 0 };
            check_block(&block);
            read_runs(&block, bytes);
            let counts = (magnitude(block.runs.len()), magnitude(block.producers.len()));
            outcome((block.full, block.back.is_some(), counts))
        },
    }
    .run();
}

fn check_block(block: &StateBlock) {
    let mut producers = Producers::default();
    for (id, producer) in &block.producers {
        producers.insert(*id, producer.clone());
    }
    let distinct = producers.len() == block.producers.len() && block.producers.is_sorted_by(|one, next| one.0 < next.0);
    let source = StateBlockSource {
        full: block.full,
        partition: block.partition,
        boot: 1,
        end: block.end,
        back: block.back,
        runs: &block.runs,
        epochs: &block.epochs,
        producer_ids: producers.ids(),
        producers: &producers,
    };
    let again = StateBlock::decode(&source.encode()).expect("what was encoded here is legal");
    if distinct {
        assert_eq!(again, *block);
    }
    assert_eq!((again.runs, again.epochs), (block.runs.clone(), block.epochs.clone()));
}

/// Reads along the index of a block from bytes that are not what it says: refused, never a panic, never beyond the bytes.
fn read_runs(block: &StateBlock, bytes: &[u8]) {
    for from in [0, block.end.0 / 2, block.end.0, i64::MAX] {
        let Some(read) = RunRead::plan(&block.runs, Offset(from), block.end, 10_000, true) else { continue };
        let (_, length) = read.range();
        let data = Bytes::copy_from_slice(&bytes[..bytes.len().min(length as usize)]);
        let _ = bounded(bytes.len(), 1, 1 << 10, || read.finish(&data));
    }
}

/// The pieces of a state block by themselves, from any bytes: no checksum stands before them here.
#[test]
fn state_pieces() {
    let directory = Directory::of_corpus();
    let mut corpus = Vec::new();
    for path in directory.paths("topics/", ".segment") {
        for block in state_blocks(&directory.files[&path]) {
            let read = StateBlock::decode(&block).expect("legal");
            let mut producers = Producers::default();
            read.producers.iter().for_each(|(id, producer)| producers.insert(*id, producer.clone()));
            let (mut runs, mut epochs, mut state) = (BytesMut::new(), BytesMut::new(), BytesMut::new());
            offset_index::encode(&read.runs, &mut runs);
            read.epochs.encode(&mut epochs);
            producers.encode(producers.ids(), &mut state);
            corpus.extend([runs.to_vec(), epochs.to_vec(), state.to_vec()]);
        }
    }
    Target {
        name: "state_pieces",
        rounds: 600_000,
        longest: LONGEST,
        corpus,
        mend: &|_, _| {},
        judge: &|bytes| {
            let limits = |work: &dyn Fn() -> Option<usize>| bounded(bytes.len(), 16, 1 << 10, work);
            let runs = limits(&|| offset_index::decode(&mut Decoder::new(bytes)).map(|runs| runs.len()));
            let producers = limits(&|| Producers::decode(&mut Decoder::new(bytes)).map(|producers| producers.len()));
            let epochs = limits(&|| {
                LeaderEpochs::decode(&mut Decoder::new(bytes)).map(|epochs| usize::from(epochs.latest().is_some()))
            });
            if let Some(epochs) = LeaderEpochs::decode(&mut Decoder::new(bytes)) {
                let mut again = BytesMut::new();
                epochs.encode(&mut again);
                assert_eq!(bytes[..again.len()], again[..]);
            }
            if let Some(runs) = offset_index::decode(&mut Decoder::new(bytes)) {
                let mut again = BytesMut::new();
                offset_index::encode(&runs, &mut again);
                assert_eq!(bytes[..again.len()], again[..]);
            }
            outcome((runs.map(magnitude), producers.map(magnitude), epochs))
        },
    }
    .run();
}

/// Length and checksum of a slot as they should be.
pub fn mend_checkpoint(slot: &mut [u8]) {
    let length = match slot.get(8..12) {
        Some(length) => u32::from_be_bytes(length.try_into().expect("4 bytes")) as usize,
        None => return,
    };
    if (16..=slot.len()).contains(&length) {
        let sum = crc32c::crc32c_append(crc32c::crc32c(&slot[..12]), &slot[16..length]);
        slot[12..16].copy_from_slice(&sum.to_be_bytes());
    }
}

#[test]
fn checkpoint() {
    let directory = Directory::of_corpus();
    Target {
        name: "checkpoint",
        rounds: 500_000,
        longest: LONGEST,
        corpus: directory.paths("journal/", "checkpoint.0").iter().map(|path| directory.files[path].clone()).collect(),
        mend: &|slot, prng| {
            if prng.percent(90) {
                mend_checkpoint(slot);
            }
        },
        judge: &|slot| {
            let Some(read) = bounded(slot.len(), 8, 1 << 12, || Checkpoint::decode(slot)) else { return 0 };
            let mut again = Checkpoint::decode(&read.encode()).expect("what was encoded here is legal");
            for (again, read) in again.partitions.iter_mut().zip(&read.partitions) {
                again.held = again.held.or(read.held.filter(|held| *held == Default::default()));
            }
            assert_eq!(again, read);
            let segments: usize = read.partitions.iter().map(|one| one.segments.len()).sum();
            outcome((
                magnitude(read.partitions.len()),
                magnitude(segments),
                read.partitions.iter().any(|one| one.held.is_some()),
            ))
        },
    }
    .run();
}

/// Every record of the corpus' metadata log.
fn metadata_records() -> Vec<Record> {
    let directory = Directory::of_corpus();
    let scanned = frame::scan(&directory.files["metadata/log"]).expect("legal");
    scanned.snapshot.into_iter().chain(scanned.records).collect()
}

fn encoded(record: &Record) -> Vec<u8> {
    let mut bytes = Vec::new();
    record_codec::encode(record, &mut bytes);
    bytes
}

#[test]
fn metadata_record() {
    Target {
        name: "metadata_record",
        rounds: 1_000_000,
        longest: LONGEST,
        corpus: metadata_records().iter().map(encoded).collect(),
        // Any kind, now and then.
        mend: &|bytes, prng| {
            if !bytes.is_empty() && prng.percent(10) {
                bytes[0] = prng.below(16) as u8;
            }
        },
        judge: &|bytes| {
            let mut rest = bytes;
            let result = bounded(bytes.len(), 32, 1 << 10, || record_codec::decode(&mut rest));
            if let Ok(record) = &result {
                let again = encoded(record);
                assert_eq!(record_codec::decode(&mut &again[..]).as_ref(), Ok(record));
            }
            let error = result.as_ref().err().map(std::mem::discriminant);
            outcome((result.as_ref().ok().map(std::mem::discriminant), error, rest.is_empty()))
        },
    }
    .run();
}

/// A metadata log without the room behind its records, which would only make a round slow.
fn metadata_log() -> Vec<u8> {
    let records = metadata_records();
    let split = records.len() / 2;
    let (mut file, _) = frame::encode_snapshot(&records[..split], split as u64, 99, |_| 16 * 4096);
    for (index, record) in records[split..].iter().enumerate() {
        let offset = (split + index) as u64;
        let head = FrameHead {
            kind: FrameKind::Records,
            salt: 99,
            position: file.len() as u64,
            offset,
            mark: offset,
            file_bytes: 16 * 4096,
        };
        if file.len() < 14 * 4096 {
            encode_frame(&head, 1, &encoded(record), &mut file);
        }
    }
    file.resize(16 * 4096, 0);
    file
}

/// Checksums, and where a frame is.
fn mend_metadata(file: &mut [u8], prng: &mut Prng) {
    for at in (0..file.len()).step_by(4096) {
        let rest = &mut file[at..];
        if rest.len() < FRAME_HEADER_BYTES || &rest[..4] != b"CLmd" || prng.percent(5) {
            continue;
        }
        rest[16..24].copy_from_slice(&(at as u64).to_be_bytes());
        let end = FRAME_HEADER_BYTES + u32_at(rest, 52) as usize;
        if end <= rest.len() {
            rest[60..64].fill(0);
            let sum = crc32c::crc32c(&rest[..end]);
            rest[60..64].copy_from_slice(&sum.to_be_bytes());
        }
    }
}

#[test]
fn metadata_file() {
    Target {
        name: "metadata_file",
        rounds: 60_000,
        longest: LONGEST,
        corpus: vec![metadata_log()],
        mend: &|file, prng| {
            // The length is the first thing that is looked at.
            if prng.percent(90) {
                file.resize(16 * 4096, 0);
            }
            mend_metadata(file, prng);
        },
        judge: &|file| {
            let scanned = bounded(file.len(), 16, 1 << 16, || frame::scan(file));
            let scanned = match scanned {
                Ok(scanned) => scanned,
                Err(error) => return outcome(std::mem::discriminant(&error)),
            };
            let image = Image::from_snapshot(&scanned.snapshot, scanned.snapshot_end_offset);
            let image = image.and_then(|image| image.apply(&scanned.records).map(|(image, _)| image));
            let Ok(image) = image else { return 1 };
            image.check();
            let again = Image::from_snapshot(&image.to_records(), image.end_offset());
            assert_eq!(again.as_ref(), Ok(&image), "a snapshot makes another image");
            outcome((magnitude(scanned.records.len()), scanned.torn_at.is_some(), image.topics().len()))
        },
    }
    .run();
}

#[test]
fn identity() {
    let identity =
        FormatRecord { cluster_id: "MkU3OEVBNTcwNTJENDM2Qg".into(), machine: MachineId(0), directory_id: [9; 16] };
    let file = encode_identity(&identity).to_vec();
    let meaning = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end_matches(['\n', '\0']).to_string();
    let expected = meaning(&file);
    Target {
        name: "identity",
        rounds: 20_000,
        longest: LONGEST,
        corpus: vec![file, Directory::of_corpus().files["metadata/meta.properties"].clone(), Vec::new()],
        mend: &|_, _| {},
        judge: &|bytes| {
            let result = bounded(bytes.len(), 64, 1 << 16, || check_identity(bytes, &identity));
            assert_eq!(result.is_ok(), meaning(bytes) == expected);
            outcome(result.map_err(|why| magnitude(why.len())))
        },
    }
    .run();
}
