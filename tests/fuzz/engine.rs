//! The fuzzer: inputs of a corpus, changed by a seeded generator, given to a judge.
//!
//! A judge decodes, asserts what has to hold, and tells by a number what came out (which error, how many elements). An input
//! with an outcome never seen before joins the corpus of the run: so the changes pile up on what gets further, which is most
//! of what coverage is good for, at no cost.

use crate::counting::measured;
use corelane::base::prng::Prng;
use std::collections::BTreeSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::time::Duration;

/// Inputs kept because of their outcome, at most.
const KEPT_MAX: usize = 4_000;
/// Inputs do not grow beyond this by being changed.
const INPUT_BYTES_MAX: usize = 256 * 1024;

/// One decoder under test.
pub struct Target<'a> {
    pub name: &'static str,
    /// Inputs of the test command; `FUZZ_SECONDS=` asks for a time instead.
    pub rounds: u64,
    /// Processor time for one input, at most.
    pub longest: Duration,
    /// Legal inputs. Each must give its judge no reason to complain, unchanged.
    pub corpus: Vec<Vec<u8>>,
    /// Makes a changed input legal in some respect again (checksums, lengths) that chance would never hit.
    pub mend: &'a dyn Fn(&mut Vec<u8>, &mut Prng),
    /// Decodes and asserts; gives the outcome.
    pub judge: &'a dyn Fn(&[u8]) -> u64,
}

impl Target<'_> {
    /// Runs all rounds. The first input that a judge complains about is written to a file and the panic goes on.
    pub fn run(self) {
        if let Some(path) = std::env::var_os("FUZZ_INPUT") {
            println!("{}: {}", self.name, path.display());
            (self.judge)(&std::fs::read(path).expect("FUZZ_INPUT names a file"));
            return;
        }
        let seed = knob("SEED").unwrap_or(1);
        let seconds = knob("FUZZ_SECONDS").map(Duration::from_secs);
        let began = thread_time();
        let mut prng = Prng::new(seed);
        let mut corpus = self.corpus.clone();
        let mut outcomes = BTreeSet::new();
        for input in &self.corpus {
            outcomes.insert(self.judged(input, seed, 0));
        }
        let mut round = 0;
        while seconds.map_or(round < self.rounds, |limit| thread_time() - began < limit) {
            round += 1;
            let mut input = corpus[prng.below(corpus.len() as u64) as usize].clone();
            change(&mut input, &mut prng, &corpus);
            (self.mend)(&mut input, &mut prng);
            if outcomes.insert(self.judged(&input, seed, round)) && corpus.len() < self.corpus.len() + KEPT_MAX {
                corpus.push(input);
            }
        }
        println!(
            "{}: SEED={seed}, {round} inputs, {} outcomes, {:?}",
            self.name,
            outcomes.len(),
            thread_time() - began
        );
        assert!(outcomes.len() > 2, "{}: every input has the same outcome", self.name);
    }

    fn judged(&self, input: &[u8], seed: u64, round: u64) -> u64 {
        let culprit = Culprit { name: self.name, input, seed, round };
        let began = thread_time();
        let outcome = (self.judge)(input);
        let took = thread_time() - began;
        assert!(took <= self.longest, "{}: {took:?} for {} bytes", self.name, input.len());
        std::mem::forget(culprit);
        outcome
    }
}

/// Names the input if the judge panics.
struct Culprit<'a> {
    name: &'static str,
    input: &'a [u8],
    seed: u64,
    round: u64,
}

impl Drop for Culprit<'_> {
    fn drop(&mut self) {
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("fuzz-{}-{}", self.name, self.round));
        let written = std::fs::write(&path, self.input);
        eprintln!(
            "{}: SEED={} round {}, {} bytes. Again, with this input alone: FUZZ_INPUT={} cargo test --release --test fuzz {}\n({written:?}) {:02x?}",
            self.name,
            self.seed,
            self.round,
            self.input.len(),
            path.display(),
            self.name,
            &self.input[..self.input.len().min(400)]
        );
    }
}

/// What `work` gives; it may hold so many bytes per byte of input, and so many beside.
#[track_caller]
pub fn bounded<T>(input_bytes: usize, per_byte: usize, beside: usize, work: impl FnOnce() -> T) -> T {
    let (value, peak, _) = measured(work);
    let bound = beside + per_byte * input_bytes;
    assert!(peak <= bound, "{peak} bytes held for {input_bytes} bytes of input, at most {bound} justified");
    value
}

/// The number of an outcome.
pub fn outcome(of: impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    of.hash(&mut hasher);
    hasher.finish()
}

/// Size class of a count: outcomes differ by orders of magnitude, not by ones.
pub fn magnitude(count: usize) -> u32 {
    usize::BITS - count.leading_zeros()
}

fn knob(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name}={text} is not a number")))
}

/// Processor time of this thread: other programs cost none of it.
fn thread_time() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the call writes one timespec.
    assert_eq!(unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) }, 0);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// One to five changes.
fn change(input: &mut Vec<u8>, prng: &mut Prng, corpus: &[Vec<u8>]) {
    for _ in 0..=prng.below(5) {
        change_once(input, prng, corpus);
    }
    input.truncate(INPUT_BYTES_MAX);
}

fn change_once(input: &mut Vec<u8>, prng: &mut Prng, corpus: &[Vec<u8>]) {
    let at = prng.below(input.len() as u64 + 1) as usize;
    let end = input.len().min(at + 1 + prng.below(40) as usize);
    match prng.below(14) {
        0 if at < input.len() => input[at] ^= 1 << prng.below(8),
        1 if at < input.len() => input[at] = prng.next_u64() as u8,
        2 if at < input.len() => input[at] = [0, 1, 0x7f, 0x80, 0xfe, 0xff][prng.below(6) as usize],
        3 => input.truncate(at),
        4 => drop(input.drain(at..end)),
        5 => {
            let again = input[at..end].to_vec();
            input.splice(at..at, again);
        }
        6 => {
            let other = &corpus[prng.below(corpus.len() as u64) as usize];
            let from = prng.below(other.len() as u64 + 1) as usize;
            let until = other.len().min(from + 1 + prng.below(200) as usize);
            let replaced = if prng.percent(50) { end } else { at };
            input.splice(at..replaced, other[from..until].iter().copied());
        }
        7 => {
            let count = prng.below(9) as usize;
            input.splice(at..at, prng.next_u64().to_le_bytes().into_iter().take(count));
        }
        8 => {
            let varint: &[u8] = [
                &[0xff, 0xff, 0xff, 0xff, 0x0f][..],
                &[0xff, 0xff, 0xff, 0xff, 0x07],
                &[0x80, 0x80, 0x80, 0x80, 0x80, 0x01],
                &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
                &[0x80, 0x00],
                &[0x7f],
            ][prng.below(6) as usize];
            let replaced = if prng.percent(50) { input.len().min(at + varint.len()) } else { at };
            input.splice(at..replaced, varint.iter().copied());
        }
        9 => drop(input.splice(at..at, std::iter::repeat_n(0, 1 + prng.below(64) as usize))),
        10 => add_to_number(input, at, prng),
        _ => overwrite_number(input, at, prng),
    }
}

/// Overwrites one, two, four or eight bytes with a number that hurts.
fn overwrite_number(input: &mut [u8], at: usize, prng: &mut Prng) {
    let width = 1 << prng.below(4);
    let left = input.len().saturating_sub(at + width) as i64;
    let length = input.len() as i64;
    let hurting =
        [0, 1, -1, -2, i64::MAX, i64::MIN, 1 << 31, (1 << 31) - 1, 1 << 32, left, left + 1, length, length + 1];
    let number = hurting[prng.below(hurting.len() as u64) as usize];
    // The extremes of the width, not the low half of an extreme.
    let bytes = match number {
        i64::MAX | i64::MIN => (number >> (64 - 8 * width as u32)).to_be_bytes(),
        _ => number.to_be_bytes(),
    };
    if let Some(place) = input.get_mut(at..at + width) {
        place.copy_from_slice(&bytes[8 - width..]);
    }
}

fn add_to_number(input: &mut [u8], at: usize, prng: &mut Prng) {
    let change = prng.below(33) as i64 - 16;
    if let Some(place) = input.get_mut(at..at + 4) {
        let number = i32::from_be_bytes(place.try_into().expect("4 bytes"));
        place.copy_from_slice(&number.wrapping_add(change as i32).to_be_bytes());
    }
}
