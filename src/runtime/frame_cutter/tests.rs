use super::{BadLength, Frame, FrameCutter};
use crate::base::prng::Prng;
use crate::runtime::slack::{GROWTH_BYTES, SLACK_BYTES_MAX, Slack};
use crate::runtime::sockets::SHARED_BUFFER_BYTES;
use bytes::BytesMut;
use std::rc::Rc;

fn wire(frames: &[Vec<u8>]) -> Vec<u8> {
    let mut all = Vec::new();
    for frame in frames {
        all.extend_from_slice(&(frame.len() as i32).to_be_bytes());
        all.extend_from_slice(frame);
    }
    all
}

/// Receives as the connection does: into the spare of the unfinished frame first, the rest into the shared buffer.
fn receive(
    cutter: &mut FrameCutter,
    mut bytes: &[u8],
    frames_max: usize,
    frames: &mut Vec<Frame>,
) -> Result<(), BadLength> {
    while !bytes.is_empty() || cutter.has_backlog() {
        if cutter.has_backlog() {
            cutter.cut(BytesMut::new(), 1 << 30, frames_max, frames)?;
            continue;
        }
        if cutter.unreserved().is_some() {
            cutter.note_reserved();
        }
        let (spare, is_rest) = cutter.spare(|| bytes.len());
        let taken = spare.len().min(bytes.len());
        for (place, byte) in spare.iter_mut().zip(bytes) {
            place.write(*byte);
        }
        bytes = &bytes[taken..];
        // SAFETY: `taken` bytes were written just now.
        unsafe { cutter.advance(taken) };
        frames.extend(cutter.finished());
        if is_rest {
            let shared = bytes.len().min(SHARED_BUFFER_BYTES);
            cutter.cut(BytesMut::from(&bytes[..shared]), 1 << 30, frames_max, frames)?;
            bytes = &bytes[shared..];
        }
    }
    Ok(())
}

#[test]
fn any_pieces_give_the_same_frames() {
    let mut prng = Prng::new(7);
    for round in 0..200 {
        let sizes = [1, 2, 100, 5_000, 70_000, GROWTH_BYTES + 1, 5 * GROWTH_BYTES];
        let kinds = if round % 20 == 0 { sizes.len() } else { 5 };
        let mut sent: Vec<Vec<u8>> = Vec::new();
        for _ in 0..1 + prng.below(6) {
            let size_max = sizes[prng.below(kinds as u64) as usize] as u64;
            sent.push(vec![prng.next_u64() as u8; 1 + prng.below(size_max) as usize]);
        }
        let bytes = wire(&sent);
        let slack = Rc::new(Slack::default());
        // Now and then others have all the slack.
        let others: Vec<_> = (0..round % 2 * 100).map(|_| slack.grant(GROWTH_BYTES, 0, || 1)).collect();
        let (mut cutter, mut frames, mut at) = (FrameCutter::new(slack.clone()), Vec::new(), 0);
        while at < bytes.len() {
            let piece = 1 + prng.below([3, 1_000, 200_000][round % 3]) as usize;
            let end = bytes.len().min(at + piece);
            receive(&mut cutter, &bytes[at..end], 1 + round % 4, &mut frames).expect("good lengths");
            at = end;
            if round % 3 == 2 {
                cutter.shrink();
            }
        }
        drop(others);
        assert!(!cutter.is_inside_frame() && slack.left() == SLACK_BYTES_MAX);
        assert_eq!(frames.len(), sent.len());
        for (frame, sent) in frames.iter().zip(&sent) {
            assert_eq!(frame.bytes, sent[..]);
            assert!(frame.buffer_bytes >= frame.bytes.len());
            assert_eq!(frame.reserved > 0, sent.len() > 64 * 1024 && frame.buffer_bytes != SHARED_BUFFER_BYTES);
        }
    }
}

#[test]
fn impossible_lengths_are_refused() {
    for length in [0, -1, i32::MIN, 101] {
        let mut cutter = FrameCutter::default();
        let result = cutter.cut(BytesMut::from(&length.to_be_bytes()[..]), 100, 9, &mut Vec::new());
        assert_eq!(result, Err(BadLength(length)));
    }
    let mut cutter = FrameCutter::default();
    cutter.cut(BytesMut::from(&100_i32.to_be_bytes()[..]), 100, 9, &mut Vec::new()).expect("the largest");
}

#[test]
fn a_declared_length_commits_no_memory() {
    let mut cutter = FrameCutter::default();
    let declared = 1_i32 << 29;
    cutter.cut(BytesMut::from(&declared.to_be_bytes()[..]), 1 << 30, 9, &mut Vec::new()).expect("allowed");
    assert_eq!(cutter.unreserved(), Some(declared as usize));
    cutter.note_reserved();
    assert!(cutter.spare(|| 0).0.len() <= GROWTH_BYTES);
    assert_eq!(cutter.take_reserved(), declared as usize);
    assert!(cutter.is_inside_frame());
}

#[test]
fn many_unfinished_frames_commit_what_arrived_and_little_more() {
    let slack = Rc::new(Slack::default());
    let mut cutters: Vec<_> = (0..600).map(|_| FrameCutter::new(slack.clone())).collect();
    let committed = |cutters: &[FrameCutter]| -> usize {
        let unfinished = cutters.iter().filter_map(|cutter| cutter.unfinished.as_ref());
        unfinished.map(|unfinished| unfinished.bytes.capacity()).sum()
    };
    for cutter in &mut cutters {
        let begin = [&(1_i32 << 20).to_be_bytes()[..], &[7; 1_000]].concat();
        cutter.cut(BytesMut::from(&begin[..]), 1 << 30, 9, &mut Vec::new()).expect("allowed");
    }
    assert!((600 * 1_000..600 * 1_000 + SLACK_BYTES_MAX + 600 * 1_000 / 8).contains(&committed(&cutters)));
    for cutter in &mut cutters {
        cutter.note_reserved();
        let (spare, _) = cutter.spare(|| 50_000);
        let taken = spare.len().min(50_000);
        spare[..taken].iter_mut().for_each(|place| _ = place.write(7));
        // SAFETY: `taken` bytes were written just now.
        unsafe { cutter.advance(taken) };
    }
    assert!(committed(&cutters) <= 600 * 51_000 + SLACK_BYTES_MAX);
    // Those that were given more ahead and do not use it give it back.
    cutters.iter_mut().for_each(FrameCutter::shrink);
    assert_eq!(slack.left(), SLACK_BYTES_MAX);
    assert!(committed(&cutters) <= 600 * 51_000);
}
