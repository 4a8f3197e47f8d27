//! Clients that are too slow, say nothing, or vanish.

use crate::oracle::check_answer;
use crate::peer::{Got, Meter, Peer};
use crate::samples::{self, CORRELATION_ID};
use crate::support::Random;
use crate::witness::Findings;
use corelane::wire::api::ApiKey;
use kafka_protocol::messages::ApiVersionsRequest;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Sends one request byte by byte on each of several connections, slower than anything real, and takes the answers.
pub fn dribble(address: &str, meter: &Meter, findings: &Findings, stop: &AtomicBool) -> usize {
    let frame = samples::request(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default());
    let mut peers: Vec<Peer> = (0..20).map(|_| Peer::connect(address, meter)).collect();
    let mut answers = 0;
    while !stop.load(Ordering::Relaxed) {
        for byte in &frame {
            peers.iter_mut().for_each(|peer| {
                peer.send(std::slice::from_ref(byte));
            });
            std::thread::sleep(Duration::from_millis(20));
        }
        for peer in &mut peers {
            match peer.receive() {
                Got::Frame(answer) if check_answer(answer.clone(), ApiKey::ApiVersions, 0, CORRELATION_ID).is_ok() => {
                    answers += 1;
                }
                got => {
                    findings.add(format!("a dribbled request got {got:?}"));
                    return answers;
                }
            }
        }
    }
    answers
}

/// Connects, sends half of a frame (small or large), resets. Gives how often.
pub fn vanish(address: &str, meter: &Meter, stop: &AtomicBool) -> usize {
    let mut random = Random::new(11);
    let mut times = 0;
    while !stop.load(Ordering::Relaxed) {
        let declared = [30, 5_000, 60_000, 300_000, 3 << 20][random.below(5) as usize];
        let mut bytes = vec![0; 4 + random.below(declared.min(200_000)) as usize];
        bytes[..4].copy_from_slice(&(declared as i32).to_be_bytes());
        Peer::connect(address, meter).send(&bytes);
        times += 1;
        std::thread::sleep(Duration::from_millis(2));
    }
    times
}

/// Connections that are not used. They must be there at the end: idle is not hostile.
pub fn silent<'a>(address: &str, meter: &'a Meter, count: usize) -> Vec<Peer<'a>> {
    (0..count).map(|_| Peer::connect(address, meter)).collect()
}

/// After everything, each still gets an answer.
pub fn assert_served(peers: &mut [Peer], findings: &Findings) {
    let frame = samples::request(ApiKey::ApiVersions, 0, &ApiVersionsRequest::default());
    for peer in peers {
        peer.send(&frame);
        if !matches!(peer.receive(), Got::Frame(_)) {
            return findings.add("an idle connection was closed".to_string());
        }
    }
}
