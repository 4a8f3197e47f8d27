use super::*;
use crate::base::ids::TopicId;
use crate::base::offset::LeaderEpoch;
use crate::log::leader_epochs::LeaderEpochs;
use crate::log::offset_index;
use crate::log::producer_state::Producers;
use crate::log::segment::StateBlockSource;
use crate::wire::compression::Compression;
use crate::wire::record_batch::stamp;
use crate::wire::records::{BatchBuilder, Record, Sequence};

const PARTITION: TopicPartition = TopicPartition { topic: TopicId([4; 16]), partition: 2 };

fn batch(base: i64, records: i32) -> Bytes {
    let mut builder = BatchBuilder::default();
    for number in 0..records {
        let value = Some(Bytes::from(format!("record {base} {number}")));
        builder.push(&Record { timestamp: 1000 + base, value, ..Record::default() });
    }
    let mut batch = builder.finish(Compression { codec: 0, gzip_level: -1 }, Sequence::NONE).to_vec();
    stamp(&mut batch, base, 1);
    Bytes::from(batch)
}

/// A segment as a move writes it: three extents of four batches, the last block a delta.
fn segment() -> (Vec<u8>, CheckpointSegment) {
    let (mut file, mut all_runs, mut back) = (Vec::new(), Vec::new(), None);
    let mut next = 10;
    for extent in 0..3 {
        let base = next;
        let mut bytes = Vec::new();
        let mut runs = Vec::new();
        for number in 0..4 {
            let batch = batch(next, number + 1);
            let at = (file.len() + EXTENT_HEADER_BYTES + bytes.len()) as u32;
            offset_index::note(&mut runs, Offset(next), at, &batch, number == 0);
            bytes.extend_from_slice(&batch);
            next += i64::from(number) + 1;
        }
        let epochs = (LeaderEpoch(1), LeaderEpoch(1));
        let (base, end, length) = (Offset(base), Offset(next), bytes.len() as u64);
        let header = ExtentHeader { boot: 1, partition: PARTITION, base, end, epochs, filler: 0, bytes: length };
        file.extend_from_slice(&header.encode());
        file.extend_from_slice(&bytes);
        file.resize(file.len().next_multiple_of(8), 0);
        let full = extent < 2;
        all_runs.extend_from_slice(&runs);
        let source = StateBlockSource {
            full,
            partition: PARTITION,
            boot: 1,
            end,
            back: if full { None } else { back },
            runs: if full { &all_runs } else { &runs },
            epochs: &LeaderEpochs::default(),
            producers: &Producers::default(),
            producer_ids: Vec::new(),
        };
        let block = source.encode();
        back = Some(BlockAt { position: file.len() as u64, bytes: block.len() as u32 });
        file.extend_from_slice(&block);
        file.resize(file.len().next_multiple_of(4096), 0);
    }
    let block = back.expect("three extents");
    let (base, end, file_bytes) = (Offset(10), Offset(next), file.len() as u64);
    (file, CheckpointSegment { base, end, file_bytes, block, max_timestamp: 0 })
}

fn checked(file: &[u8], segment: &CheckpointSegment) -> (Checked, Vec<Rot>) {
    let mut read = |position: u64, bytes: usize| {
        let start = (position as usize).min(file.len());
        Ok(Bytes::copy_from_slice(&file[start..(start + bytes).min(file.len())]))
    };
    check(PARTITION, segment, &mut read)
}

#[test]
fn a_sound_segment_is_gone_over_whole() {
    let (file, segment) = segment();
    let (sums, rotten) = checked(&file, &segment);
    assert_eq!(rotten, []);
    assert_eq!((sums.extents, sums.batches, sums.records, sums.bytes), (3, 12, 30, file.len() as u64));
}

/// Every byte that means something, flipped in turn: found, at a place in the same extent.
#[test]
fn s18_every_flipped_byte_that_counts_is_found() {
    let (file, segment) = segment();
    let extent_bytes = file.len() / 3;
    let mut padding = 0;
    for at in 0..file.len() {
        let mut bad = file.clone();
        bad[at] ^= 0x04;
        let (_, rotten) = checked(&bad, &segment);
        if rotten.is_empty() {
            assert_eq!(file[at], 0, "byte {at} was changed unnoticed");
            padding += 1;
            continue;
        }
        let place = rotten[0].position as usize / extent_bytes;
        assert!(place <= at / extent_bytes, "byte {at} is reported at {}", rotten[0].position);
    }
    // Only what fills up to 8 bytes and to whole blocks of the disk means nothing.
    let mut read =
        |position: u64, bytes: usize| Ok(Bytes::copy_from_slice(&file[position as usize..position as usize + bytes]));
    let counts = |part: Part| match part {
        Part::Extent { header, .. } => EXTENT_HEADER_BYTES + header.bytes as usize,
        Part::State { at, .. } => at.bytes as usize,
    };
    let counting: usize = SegmentWalk::new(&mut read, file.len() as u64).map(|part| counts(part.expect("sound"))).sum();
    assert_eq!(file.len() - padding, counting);
}

#[test]
fn rot_in_one_extent_hides_no_other() {
    let (file, segment) = segment();
    let extent_bytes = file.len() / 3;
    let mut bad = file.clone();
    bad[20] ^= 1;
    bad[2 * extent_bytes + 100] ^= 1;
    let (sums, rotten) = checked(&bad, &segment);
    assert_eq!(sums.extents, 2);
    let whats: Vec<&str> = rotten.iter().map(|rot| rot.what.as_str()).collect();
    assert!(whats[0].contains("no valid extent header"), "{whats:?}");
    assert!(whats.iter().any(|what| what.contains("checksum of the record batch")), "{whats:?}");
}

#[test]
fn what_the_checkpoint_says_is_held_against_the_file() {
    let (file, segment) = segment();
    let later = CheckpointSegment { end: Offset(segment.end.0 + 1), ..segment };
    assert!(checked(&file, &later).1[0].what.contains("the checkpoint says"));
    let elsewhere = CheckpointSegment { block: BlockAt { position: 0, bytes: 8 }, ..segment };
    assert!(checked(&file, &elsewhere).1[0].what.contains("newest state block"));
    let cut = &file[..file.len() - 4096];
    assert!(!checked(cut, &segment).1.is_empty());
}
