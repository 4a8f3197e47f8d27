//! Requests: header, body, and the record batches of a Produce.

use crate::engine::{Target, bounded, outcome};
use crate::received::{assert_agreement, corpus, receive};
use bytes::BytesMut;
use std::time::Duration;

/// What a decoder may hold per byte of the frame, and beside.
const BYTES_PER_BYTE: usize = 128;
const BYTES_BESIDE: usize = 4096;

#[test]
fn requests() {
    Target {
        name: "requests",
        rounds: 1_000_000,
        longest: Duration::from_millis(200),
        corpus: corpus().iter().map(|frame| frame.to_vec()).collect(),
        // Keys and versions that are not served are soon refused: most inputs keep theirs.
        mend: &|frame, prng| {
            let corpus_key = prng.below(100) as i16;
            if frame.len() > 4 && corpus_key < 95 && i16::from_be_bytes([frame[0], frame[1]]) > 100 {
                frame[0] = 0;
                frame[2] = 0;
            }
        },
        judge: &|frame| {
            let owned = BytesMut::from(frame);
            let result = bounded(frame.len(), BYTES_PER_BYTE, BYTES_BESIDE, || receive(owned));
            if result.is_ok() {
                assert_agreement(frame);
            }
            let head = frame.get(..4).unwrap_or_default();
            outcome((head, result.map_err(|error| std::mem::discriminant(&error))))
        },
    }
    .run();
}
