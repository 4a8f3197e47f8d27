//! Thousands of connections at once: most say nothing, the others ask without a pause.

use crate::lateness::Lateness;
use crate::oracle::check_answer;
use crate::peer::Peer;
use crate::samples::{CORRELATION_ID, Sample};
use crate::witness::{Findings, answer_limit};
use bytes::{Buf, Bytes, BytesMut};
use std::io::{ErrorKind, Read};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How many of each kind.
pub struct Members {
    pub idle: usize,
    pub busy: usize,
}

const IDLE: usize = 8_000;
const BUSY: usize = 2_000;
/// Descriptors for everything else in this process.
const DESCRIPTORS_BESIDE: u64 = 1_000;

/// As many as the limit of open files lets this process hold; the broker, which is another, raises its own.
pub fn members() -> Members {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: one structure of our own, read and written.
    let raised = unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 && {
            limit.rlim_cur = limit.rlim_max;
            libc::setrlimit(libc::RLIMIT_NOFILE, &limit) == 0
        }
    };
    assert!(raised, "the limit of open files cannot be raised to its own maximum");
    let room = limit.rlim_max.saturating_sub(DESCRIPTORS_BESIDE) as usize;
    if room >= IDLE + BUSY {
        return Members { idle: IDLE, busy: BUSY };
    }
    println!("  no more than {} open files here: a smaller crowd", limit.rlim_max);
    Members { idle: room * 4 / 5, busy: room / 5 }
}

/// A connection with a request under way.
struct Member<'a> {
    peer: Peer<'a>,
    /// Which sample was asked.
    asked: usize,
    since: Instant,
    answer: BytesMut,
}

/// Every connection asks one sample after the other, the next when the answer is there.
pub fn keep_busy(
    peers: Vec<Peer>,
    samples: &[Sample],
    (findings, lateness): (&Findings, &Lateness),
    stop: &AtomicBool,
) {
    let mut members: Vec<Member> = peers
        .into_iter()
        .enumerate()
        .map(|(number, peer)| Member {
            peer,
            asked: number % samples.len(),
            since: Instant::now(),
            answer: BytesMut::new(),
        })
        .collect();
    for member in &mut members {
        member.peer.send(&samples[member.asked].frame);
        member.peer.stream().set_nonblocking(true).expect("set");
    }
    let (mut answers, mut slowest, mut late) = (0u64, Duration::ZERO, Vec::new());
    while !stop.load(Ordering::Relaxed) {
        for index in readable(&members) {
            let member = &mut members[index];
            match member.receive() {
                Ok(false) => {}
                Ok(true) => {
                    let ended = Instant::now();
                    slowest = slowest.max(ended - member.since);
                    if ended - member.since > answer_limit() {
                        late.push((member.since, ended));
                    }
                    answers += 1;
                    if let Err(why) = member.check(samples) {
                        return findings.add(why);
                    }
                    member.asked = (member.asked + 1) % samples.len();
                    member.since = Instant::now();
                    // A request is far smaller than the socket's buffer, which is empty.
                    member.peer.send(&samples[member.asked].frame);
                }
                Err(why) => {
                    let Sample { key, version, .. } = samples[member.asked];
                    return findings.add(format!("a busy connection, asking {key:?} {version}: {why}"));
                }
            }
        }
    }
    Lateness::settle();
    let own = |(from, to): &(Instant, Instant)| (*to - *from).saturating_sub(lateness.between_all(*from, *to));
    let slowest_own = late.iter().map(own).max().unwrap_or_default();
    let what = format!(
        "{answers} answers to {} busy connections, {} of them late, the slowest took {slowest:?}, {slowest_own:?} of it the broker",
        members.len(),
        late.len()
    );
    println!("  {what}");
    if answers < members.len() as u64 || slowest_own > 2 * answer_limit() {
        findings.add(what);
    }
}

fn readable(members: &[Member]) -> Vec<usize> {
    let mut watched: Vec<libc::pollfd> = members
        .iter()
        .map(|member| libc::pollfd { fd: member.peer.stream().as_raw_fd(), events: libc::POLLIN, revents: 0 })
        .collect();
    // SAFETY: as many entries as are said, all of descriptors of our own.
    unsafe { libc::poll(watched.as_mut_ptr(), watched.len() as libc::nfds_t, 20) };
    watched.iter().enumerate().filter(|(_, watched)| watched.revents != 0).map(|(index, _)| index).collect()
}

impl Member<'_> {
    /// Reads what is there; true if the answer is whole.
    fn receive(&mut self) -> Result<bool, String> {
        let mut piece = [0; 16 << 10];
        loop {
            match self.peer.stream().read(&mut piece) {
                Ok(0) => return Err("closed".to_string()),
                Ok(bytes) => self.answer.extend_from_slice(&piece[..bytes]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        let Some(length) = self.answer.first_chunk::<4>() else { return Ok(false) };
        Ok(self.answer.len() >= 4 + i32::from_be_bytes(*length) as usize)
    }

    fn check(&mut self, samples: &[Sample]) -> Result<(), String> {
        let Sample { key, version, .. } = samples[self.asked];
        let mut frame: Bytes = std::mem::take(&mut self.answer).freeze();
        frame.advance(4);
        check_answer(frame, key, version, CORRELATION_ID)
            .map_err(|why| format!("a busy connection, {key:?} {version}: {why}"))
    }
}
