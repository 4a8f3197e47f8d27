//! Frames that nobody should send: the connection closes, the broker lives.

use crate::client::*;
use crate::world::World;
use bytes::BytesMut;
use corelane::base::prng::Prng;
use corelane::wire::api::APIS;
use kafka_protocol::messages::*;
use kafka_protocol::protocol::{Request, encode_request_header_into_buffer};

fn encoded<R: Request>(version: i16, body: &R) -> Vec<u8> {
    let header = RequestHeader::default().with_request_api_key(R::KEY).with_request_api_version(version);
    let mut frame = BytesMut::new();
    encode_request_header_into_buffer(&mut frame, &header).expect("encodes");
    body.encode(&mut frame, version).expect("encodes");
    frame.to_vec()
}

/// One good frame of every API, in an old and a new version.
fn good_frames() -> Vec<Vec<u8>> {
    let named =
        ApiVersionsRequest::default().with_client_software_name(text("x")).with_client_software_version(text("1"));
    let batch = Batch::of(2).encode();
    let mut frames = vec![encoded(0, &ApiVersionsRequest::default()), encoded(4, &named)];
    for version in [3, 8, 11] {
        frames.push(encoded(version, &produce_request(-1, &[("t", 0, batch.clone()), ("t", 1, batch.clone())])));
    }
    for version in [4, 11, 12] {
        frames.push(encoded(version, &fetch_request(1, 0, &[("t", 0, 0), ("t", 1, 0)])));
    }
    for version in [1, 9, 12] {
        frames.push(encoded(version, &metadata_request(&["t"])));
    }
    for version in [2, 7] {
        frames.push(encoded(version, &create_request("new", 1, &[("segment.bytes", "1100000")])));
    }
    frames.push(encoded(6, &delete_request("no-such-topic")));
    for version in [0, 2] {
        frames.push(encoded(version, &delete_records_request("t", 0, 0)));
    }
    for version in [0, 5] {
        frames.push(encoded(version, &crate::produce::init_request()));
    }
    frames
}

#[test]
fn c7_e7_unknown_keys_and_versions_close_the_connection() {
    let mut world = World::new(1, &[]);
    for key in [-1i16, 4, 8, 99, i16::MAX] {
        closes(&mut world, [&key.to_be_bytes()[..], &[0; 12]].concat());
    }
    for api in APIS.iter().filter(|api| api.key.number() != 18) {
        for version in [-1, api.min - 1, api.max + 1, i16::MAX] {
            if version < 0 || !api.serves(version) {
                closes(&mut world, [&api.key.number().to_be_bytes()[..], &version.to_be_bytes(), &[0; 12]].concat());
            }
        }
    }
    for frame in [&b""[..], b"\x00", b"\x00\x12\x00", b"GET / HTTP/1.1\r\n\r\n"] {
        closes(&mut world, frame.to_vec());
    }
    let client = world.connect(0);
    assert!(!world.call(client, 9, &metadata_request(&[])).brokers.is_empty(), "alive");
}

#[track_caller]
fn closes(world: &mut World, bytes: Vec<u8>) {
    let client = world.connect(0);
    world.post_frame(client, frame(&bytes));
    world.run();
    assert!(world.closed(client).is_some(), "{bytes:x?} is not refused");
    assert!(world.raw_answer(client).is_none());
    assert!(world.brokers[0].counters().request_errors > 0);
}

#[test]
fn c7_e7_cut_frames_close_the_connection() {
    let mut world = World::new(1, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 2, &[]);
    for whole in good_frames() {
        for length in 8..whole.len() {
            let client = world.connect(0);
            world.post_frame(client, frame(&whole[..length]));
            world.run();
            let answered = world.raw_answer(client).is_some();
            // A body cut inside its last array may be a shorter legal body only for versions without a count: none is.
            assert!(world.closed(client).is_some() || answered, "neither closed nor answered");
        }
    }
    assert!(!world.call(admin, 9, &metadata_request(&[])).brokers.is_empty(), "alive");
}

#[test]
fn mangled_frames_do_no_harm() {
    let seeds = std::env::var("SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(3_000u64);
    let frames = good_frames();
    let mut world = World::new(2, &[]);
    let admin = world.connect(0);
    world.create_topic(admin, "t", 2, &[]);
    for seed in 0..seeds {
        let mut random = Prng::new(seed);
        let mut bytes = frames[random.below(frames.len() as u64) as usize].clone();
        for _ in 0..=random.below(4) {
            let at = random.below(bytes.len() as u64) as usize;
            match random.below(4) {
                0 => bytes[at] = random.next_u64() as u8,
                1 => bytes[at] = [0, 0x7F, 0x80, 0xFF][random.below(4) as usize],
                2 => drop(bytes.splice(at..at, [0xFF; 4])),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let client = world.connect((seed % 2) as usize);
        world.post_frame(client, frame(&bytes));
        world.run();
        world.disconnect(client);
        if seed % 500 == 0 {
            world.advance(100);
        }
    }
    assert!(!world.call(admin, 9, &metadata_request(&[])).brokers.is_empty(), "alive");
}
