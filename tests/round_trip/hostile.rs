//! Frames that no client would send. None may panic, and none may make a decoder hold more than the frame justifies.
//! Changed frames by the thousand are the fuzzer's (`tests/fuzz`).

use crate::client::{request, versions};
use crate::counting::measured;
use crate::received::{assert_agreement, corpus, receive};
use bytes::BytesMut;
use corelane::base::limits::REQUEST_ELEMENTS_MAX;
use corelane::wire::api::ApiKey;
use corelane::wire::fetch::FetchRequest;
use corelane::wire::messages::{self, *};
use corelane::wire::produce::ProduceRequest;
use corelane::wire::reader::DecodeError;
use corelane::wire::schema;

/// What a decoder may hold per byte of the frame, and beside.
const BYTES_PER_BYTE: usize = 128;
const BYTES_BESIDE: usize = 4096;

#[test]
fn every_sample_is_received_and_every_truncation_refused() {
    for frame in corpus() {
        assert_eq!(receive(frame.clone()), Ok(()));
        assert_agreement(&frame);
        for cut in 0..frame.len() {
            assert!(receive(BytesMut::from(&frame[..cut])).is_err(), "cut at {cut} of {frame:?}");
        }
    }
}

#[track_caller]
fn receive_bounded(frame: &[u8]) -> bool {
    let owned = BytesMut::from(frame);
    let (result, peak, _) = measured(|| receive(owned));
    let bound = BYTES_BESIDE + BYTES_PER_BYTE * frame.len();
    assert!(peak <= bound, "{peak} bytes held for {} bytes: {frame:?}", frame.len());
    result.is_ok()
}

#[test]
fn huge_counts_anywhere_commit_nothing() {
    let huge: [&[u8]; 6] = [
        &[0x7f, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xff],
        &[0xff, 0xff, 0xff, 0xfe],
        &[0x80, 0, 0, 0],
        &[0xff, 0xff, 0xff, 0xff, 0x0f],
        &[0xff, 0xff, 0xff, 0xff, 0x07],
    ];
    for frame in corpus() {
        for at in 8..frame.len() {
            for bytes in huge {
                let end = frame.len().min(at + bytes.len());
                let mut overwritten = frame.to_vec();
                overwritten[at..end].copy_from_slice(&bytes[..end - at]);
                receive_bounded(&overwritten);
                let mut inserted = frame.to_vec();
                inserted.splice(at..at + 1, bytes.iter().copied());
                receive_bounded(&inserted);
            }
        }
    }
}

/// The three frames that abort a process which gives them to the generated decoder unchecked.
#[test]
fn known_killers_are_refused() {
    let metadata = schema::check(ApiKey::Metadata, 1, &[0x7f, 0xff, 0xff, 0xff, 0, 0, 0]);
    assert_eq!(metadata, Err(DecodeError::Truncated));
    let produce = [0, 0, 1, 0, 0, 0, 1, 0xff, 0xff, 0xff, 0xff, 0x0f, 0];
    assert_eq!(ProduceRequest::decode(BytesMut::from(&produce[..]), 9).err(), Some(DecodeError::Truncated));
    let mut fetch = vec![0xff; 4];
    fetch.extend_from_slice(&[0; 21]);
    fetch.extend_from_slice(&[0xff, 0xff, 0xff, 0xff, 0x0f]);
    assert_eq!(FetchRequest::decode(BytesMut::from(&fetch[..]), 12).err(), Some(DecodeError::Truncated));
}

/// A frame may announce an element per byte; what is committed for them is bounded by the budget, not by the frame.
#[test]
fn a_large_frame_of_tiny_elements_is_refused() {
    const LENGTH: usize = 32 << 20;
    for (version, flexible) in [(0, false), (8, false), (9, true), (12, true)] {
        let mut body = Vec::new();
        if flexible {
            body.extend_from_slice(&[0xff, 0xff, 0xff, 0x07]);
        } else {
            body.extend_from_slice(&(LENGTH as i32 / 2).to_be_bytes());
        }
        body.resize(LENGTH, 0);
        let body = BytesMut::from(&body[..]);
        let (result, peak, _) = measured(|| messages::decode::<MetadataRequest>(body, version));
        assert_eq!(result.err(), Some(DecodeError::TooManyElements), "version {version}");
        assert!(peak < 1024);
    }
}

#[test]
fn the_largest_legal_count_is_received() {
    let topics = vec![MetadataRequestTopic::default().with_name(Some(TopicName::default())); REQUEST_ELEMENTS_MAX];
    for version in versions(ApiKey::Metadata) {
        let frame = request(ApiKey::Metadata, version, &MetadataRequest::default().with_topics(Some(topics.clone())));
        let (result, peak, _) = measured(|| receive(frame));
        assert_eq!(result, Ok(()));
        assert!(peak < 17 << 20, "{peak} bytes");
    }
}
