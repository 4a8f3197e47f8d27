//! The byte stream of a connection, cut into frames: in any pieces, with any lengths, the same frames come out as from the whole.

use crate::engine::{Target, bounded, magnitude, outcome};
use crate::received::corpus;
use bytes::BytesMut;
use corelane::runtime::frame_cutter::{BadLength, Frame, FrameCutter};
use corelane::runtime::slack::{GROWTH_BYTES, SLACK_BYTES_MAX, Slack};
use corelane::runtime::sockets::SHARED_BUFFER_BYTES;
use std::rc::Rc;
use std::time::Duration;

/// Largest frame that is accepted here.
const FRAME_BYTES_MAX: usize = 1 << 20;
/// Bytes before the stream that say how it is cut.
const HEAD_BYTES: usize = 4;

/// How a stream arrives.
struct Arrival {
    /// Bytes of a piece, at most.
    piece: usize,
    /// Frames that may be handed over at once.
    frames_max: usize,
    /// Others have all that is given ahead.
    no_slack: bool,
    /// What was given ahead goes back between two pieces.
    shrinks: bool,
}

impl Arrival {
    fn of(head: &[u8]) -> Arrival {
        let piece = [1, 2, 5, 64, 1_000, 9_000, 70_000, usize::MAX][usize::from(head[0] % 8)];
        let frames_max = 1 + usize::from(head[1] % 7);
        Arrival { piece, frames_max, no_slack: head[2].is_multiple_of(2), shrinks: head[3].is_multiple_of(2) }
    }
}

/// What the protocol says: a length and so many bytes, again and again.
fn expected(mut stream: &[u8]) -> (Vec<&[u8]>, Option<BadLength>) {
    let mut frames = Vec::new();
    while let Some((prefix, rest)) = stream.split_first_chunk() {
        let length = i32::from_be_bytes(*prefix);
        match usize::try_from(length) {
            Ok(length) if length > 0 && length <= FRAME_BYTES_MAX => {
                let Some((frame, rest)) = rest.split_at_checked(length) else { break };
                frames.push(frame);
                stream = rest;
            }
            _ => return (frames, Some(BadLength(length))),
        }
    }
    (frames, None)
}

/// Receives some bytes as a connection does: into the room of the unfinished frame first, the rest into the shared buffer.
fn receive(
    cutter: &mut FrameCutter,
    stream: &mut &[u8],
    arrival: &Arrival,
    frames: &mut Vec<Frame>,
) -> Result<(), BadLength> {
    if cutter.has_backlog() {
        return cutter.cut(BytesMut::new(), FRAME_BYTES_MAX, arrival.frames_max, frames);
    }
    if let Some(declared) = cutter.unreserved() {
        assert!((1..=FRAME_BYTES_MAX).contains(&declared));
        cutter.note_reserved();
    }
    let piece = &stream[..stream.len().min(arrival.piece)];
    let (room, is_rest) = cutter.spare(|| piece.len());
    let into_own = room.len().min(piece.len());
    assert!(into_own > 0 || is_rest, "no room for the rest of a frame");
    for (place, byte) in room.iter_mut().zip(piece) {
        place.write(*byte);
    }
    // SAFETY: so many bytes were written just now.
    unsafe { cutter.advance(into_own) };
    frames.extend(cutter.finished());
    let into_shared = if is_rest { (piece.len() - into_own).min(SHARED_BUFFER_BYTES) } else { 0 };
    let input = BytesMut::from(&piece[into_own..into_own + into_shared]);
    *stream = &stream[into_own + into_shared..];
    if into_shared > 0 { cutter.cut(input, FRAME_BYTES_MAX, arrival.frames_max, frames) } else { Ok(()) }
}

/// All frames of a stream, and what ended it.
fn cut(mut stream: &[u8], arrival: &Arrival, slack: &Rc<Slack>) -> (Vec<Frame>, Option<BadLength>) {
    let (mut cutter, mut frames) = (FrameCutter::new(slack.clone()), Vec::new());
    while !stream.is_empty() || cutter.has_backlog() {
        let (before, begun) = (frames.len(), frames.len() + arrival.frames_max);
        if let Err(bad) = receive(&mut cutter, &mut stream, arrival, &mut frames) {
            return (frames, Some(bad));
        }
        // The one that was received into its own buffer is beside the others.
        assert!(frames.len() <= begun + 1, "{} frames at once", frames.len() - before);
        if arrival.shrinks {
            cutter.shrink();
        }
    }
    // Moved to another core, a connection goes on with what was not cut.
    let uncut = cutter.uncut().len();
    assert_eq!(cutter.is_inside_frame(), uncut > 0);
    (frames, None)
}

#[test]
fn streams() {
    let frames = corpus();
    let stream = |frames: &[BytesMut], head: [u8; HEAD_BYTES]| {
        let mut bytes = head.to_vec();
        for frame in frames {
            bytes.extend_from_slice(&(frame.len() as i32).to_be_bytes());
            bytes.extend_from_slice(frame);
        }
        bytes
    };
    let mut corpus: Vec<Vec<u8>> =
        frames.chunks(9).zip(0..).map(|(some, at)| stream(some, [at, at / 2, at % 3, at % 5])).collect();
    for bytes in [70_000, 200_000] {
        let large = [frames[0].clone(), BytesMut::zeroed(bytes), frames[1].clone()];
        corpus.extend((0..16).map(|at| stream(&large, [at % 8, at, at / 8, at])));
    }
    Target {
        name: "streams",
        rounds: 60_000,
        longest: Duration::from_secs(1),
        corpus,
        mend: &|_, _| {},
        judge: &|input| {
            let Some((head, stream)) = input.split_at_checked(HEAD_BYTES) else { return 0 };
            let arrival = Arrival::of(head);
            let slack = Rc::new(Slack::default());
            let others: Vec<_> =
                (0..if arrival.no_slack { 100 } else { 0 }).map(|_| slack.grant(GROWTH_BYTES, 0, || 1)).collect();
            // Frames in the shared buffer are copied here, which is not the cutter's doing.
            let beside = GROWTH_BYTES + FRAME_BYTES_MAX + 2 * SHARED_BUFFER_BYTES;
            let (frames, bad) = bounded(stream.len(), 128, beside, || cut(stream, &arrival, &slack));
            let (wanted, expected_bad) = expected(stream);
            let same = frames.iter().map(|frame| &frame.bytes[..]).eq(wanted.iter().copied());
            assert!(same, "{} frames, expected {}", frames.len(), wanted.len());
            assert_eq!(bad, expected_bad);
            drop(others);
            assert_eq!(slack.left(), SLACK_BYTES_MAX, "what was given ahead came back");
            let largest = frames.iter().map(|frame| frame.bytes.len()).max().unwrap_or(0);
            outcome((magnitude(frames.len()), magnitude(largest), bad.is_some(), head))
        },
    }
    .run();
}
