//! Frames that are wrong in one place, each with the fate that it has to have.

use crate::oracle::{Fate, check_answer, fate};
use crate::peer::{Got, Meter, Peer};
use crate::samples::{self, CORRELATION_ID, Sample, with_length};
use crate::support::Random;
use bytes::Bytes;
use corelane::wire::api::ApiKey;
use kafka_protocol::messages::ProduceResponse;
use kafka_protocol::protocol::Decodable;
use std::collections::BTreeMap;
use std::net::Shutdown;
use std::sync::Mutex;

/// What overwrites bytes of a frame: lengths and counts of both signs, and the same as variable-length integers.
const HUGE: [&[u8]; 4] = [
    &[0x7f, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff],
    &[0xff, 0xff, 0xff, 0xff, 0x07],
    &[0xff, 0xff, 0xff, 0xff, 0x0f],
];
/// Correlation id of the request that shows that a silent connection lives.
const SIGN_OF_LIFE: i32 = 0x0a0b_0c0d;

/// Bytes for one connection.
pub struct Case {
    pub what: String,
    bytes: Vec<u8>,
    fate: Fate,
    /// The client says that nothing more comes.
    ends: bool,
}

fn case(what: String, bytes: Vec<u8>) -> Case {
    let fate = fate(&bytes[4..]);
    Case { what, bytes, fate, ends: false }
}

fn closed(what: &str, bytes: &[u8]) -> Case {
    Case { what: what.to_string(), bytes: bytes.to_vec(), fate: Fate::Closed, ends: false }
}

/// Every sample cut at every byte: once as a whole shorter frame, and at some places as a frame whose rest never comes.
pub fn truncations(samples: &[Sample]) -> Vec<Case> {
    let mut cases = Vec::new();
    for Sample { key, version, frame } in samples {
        for cut in 4..frame.len() {
            let what = format!("{key:?} {version} cut at {cut}");
            cases.push(closed(&what, &with_length(frame[..cut].to_vec())));
            if cut % 5 == 0 {
                cases.push(Case { ends: true, ..closed(&format!("{what}, the rest missing"), &frame[..cut]) });
            }
        }
    }
    cases
}

/// Every sample with a huge number at every place.
pub fn huge_numbers(samples: &[Sample]) -> Vec<Case> {
    let mut cases = Vec::new();
    for Sample { key, version, frame } in samples {
        for at in 4..frame.len() {
            for huge in HUGE {
                let mut bytes = frame.clone();
                let end = frame.len().min(at + huge.len());
                bytes[at..end].copy_from_slice(&huge[..end - at]);
                cases.push(case(format!("{key:?} {version} with {huge:02x?} at {at}"), bytes));
                if huge.len() == 5 {
                    let mut bytes = frame.clone();
                    bytes.splice(at..at + 1, huge.iter().copied());
                    cases.push(case(format!("{key:?} {version} with {huge:02x?} put in at {at}"), with_length(bytes)));
                }
            }
        }
    }
    cases
}

/// Bytes that are no request at all, keys and versions that nobody knows, and lengths that no frame has.
pub fn strangers(request_bytes_max: i32) -> Vec<Case> {
    let mut random = Random::new(7);
    let noise: Vec<u8> = (0..5_000).map(|_| random.next() as u8 | 0x80).collect();
    let length = |length: i32| [&length.to_be_bytes()[..], &noise[..40]].concat();
    let mut cases = vec![
        closed("HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
        closed("HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        closed(
            "TLS hello",
            &[&[0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xFC, 0x03, 0x03][..], &noise].concat(),
        ),
        closed("SSH", b"SSH-2.0-OpenSSH_9.6\r\n"),
        closed("noise", &noise),
        closed("length 0", &length(0)),
        closed("length -1", &length(-1)),
        closed("the least length", &length(i32::MIN)),
        closed("a length over the limit", &length(request_bytes_max + 1)),
        closed("the largest length", &length(i32::MAX)),
    ];
    for bytes in 1..=8 {
        cases.push(closed(&format!("a frame of {bytes} bytes"), &with_length(vec![0; 4 + bytes])));
        let early =
            Case { ends: true, ..closed(&format!("the end after {bytes} bytes"), &with_length(vec![0; 40])[..bytes]) };
        cases.push(early);
    }
    let keys = [-32768, -1, 500, 32767].into_iter().chain(0..=92);
    for key in keys.filter(|key| corelane::wire::api::find(*key).is_none()) {
        let frame = samples::frame(18, 0, CORRELATION_ID, |_| {});
        let mut frame = frame;
        frame[4..6].copy_from_slice(&i16::to_be_bytes(key));
        cases.push(closed(&format!("API key {key}"), &frame));
    }
    for api in &corelane::wire::api::APIS {
        // Those that are listed and refused, too.
        for version in [-32768, -1, api.max + 1, 99, 32767].into_iter().chain(0..api.min) {
            let mut frame = samples::frame(18, 0, CORRELATION_ID, |_| {});
            frame[4..6].copy_from_slice(&api.key.number().to_be_bytes());
            frame[6..8].copy_from_slice(&version.to_be_bytes());
            let what = format!("{} version {version}", api.name);
            // One API says what it can, the others cannot.
            cases.push(if api.key == ApiKey::ApiVersions { case(what, frame) } else { closed(&what, &frame) });
        }
    }
    cases
}

/// Offsets that were acknowledged to hostile producers: the largest per partition.
pub type Acknowledged = Mutex<BTreeMap<i32, i64>>;

/// Sends cases one after the other, over one connection as long as the broker keeps it open.
pub struct Driver<'a> {
    address: &'a str,
    meter: &'a Meter,
    acknowledged: &'a Acknowledged,
    peer: Option<Peer<'a>>,
}

impl<'a> Driver<'a> {
    pub fn new(address: &'a str, meter: &'a Meter, acknowledged: &'a Acknowledged) -> Driver<'a> {
        Driver { address, meter, acknowledged, peer: None }
    }

    /// What is wrong with what the case got.
    pub fn run(&mut self, case: &Case) -> Result<(), String> {
        let (address, meter) = (self.address, self.meter);
        let mut peer = self.peer.take().unwrap_or_else(|| Peer::connect(address, meter));
        peer.send(&case.bytes);
        if case.ends {
            let _ = peer.stream().shutdown(Shutdown::Write);
        }
        let wrong = |got: Got| Err(format!("{}: has to be {:?}, got {got:?}", case.what, case.fate));
        match case.fate {
            // It gives its place up without a word.
            Fate::Waiting => Ok(()),
            Fate::Closed => match peer.receive() {
                Got::Closed => Ok(()),
                got => wrong(got),
            },
            Fate::SilentOrClosed => {
                peer.send(&samples::frame(18, 0, SIGN_OF_LIFE, |_| {}));
                match peer.receive() {
                    Got::Closed => Ok(()),
                    Got::Frame(frame) if frame[..4] == SIGN_OF_LIFE.to_be_bytes() => {
                        self.peer = Some(peer);
                        Ok(())
                    }
                    got => wrong(got),
                }
            }
            Fate::Answered { key, version, correlation_id } => match peer.receive() {
                Got::Frame(frame) => {
                    if key == ApiKey::Produce {
                        self.note(&frame, version);
                    }
                    check_answer(frame, key, version, correlation_id).map_err(|why| format!("{}: {why}", case.what))?;
                    self.peer = Some(peer);
                    Ok(())
                }
                got => wrong(got),
            },
        }
    }

    fn note(&self, frame: &Bytes, version: i16) {
        let mut body = frame.slice(if version >= 9 { 5 } else { 4 }..);
        let Ok(response) = ProduceResponse::decode(&mut body, version) else { return };
        let mut acknowledged = self.acknowledged.lock().expect("no panic under the lock");
        for answer in response.responses.iter().flat_map(|topic| &topic.partition_responses) {
            if answer.error_code == 0 {
                let newest = acknowledged.entry(answer.index).or_insert(answer.base_offset);
                *newest = (*newest).max(answer.base_offset);
            }
        }
    }
}
