//! One connection of one consumer to one broker: some partitions, read one Fetch after the other.

use crate::client::cluster::partition_words;
use crate::client::failure::Failure;
use crate::client::load::pipe::Pipe;
use crate::client::load::produce_lane::{Production, STEPS_MAX, deliver};
use crate::client::load::requests::{self, Fetched, Portion, Wanted};
use crate::client::load::tally::{Amount, Tally};
use crate::wire::record_batch::{BatchError, Batches};
use std::sync::atomic::Ordering;
use std::time::Instant;

/// A partition as a lane reads it.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    /// In [`Production::topics`].
    pub topic: usize,
    /// Number.
    pub partition: i32,
    /// Among all partitions of the run.
    pub place: usize,
    /// The first offset to read.
    pub start: i64,
    /// Reading ends before it, or begins anew; none: whatever comes.
    pub end: Option<i64>,
    /// The next one.
    pub next: i64,
    /// When everything that was there had been read for the first time.
    pub caught_up: Option<Instant>,
}

/// See the module.
#[derive(Debug)]
pub struct FetchLane {
    pipe: Pipe,
    version: i16,
    portion: Portion,
    /// In order of topics and partitions.
    spans: Vec<Span>,
    /// At the end of a span reading begins anew, instead of ending.
    again: bool,
    turn: usize,
    correlation: i32,
    /// When the request was sent that has no answer yet.
    asked: Option<Instant>,
}

impl FetchLane {
    /// Over this connection.
    pub fn new(pipe: Pipe, version: i16, portion: Portion, spans: Vec<Span>, again: bool) -> FetchLane {
        FetchLane { pipe, version, portion, spans, again, turn: 0, correlation: 0, asked: None }
    }

    /// The connection.
    pub fn pipe(&mut self) -> &mut Pipe {
        &mut self.pipe
    }

    /// Everything was read that was to be read.
    pub fn is_done(&self) -> bool {
        self.asked.is_none() && self.spans.iter().all(is_read)
    }

    /// When the last partition was caught up with for the first time; none if one never was.
    pub fn caught_up(&self) -> Option<Instant> {
        self.spans.iter().map(|span| span.caught_up).collect::<Option<Vec<Instant>>>()?.into_iter().max()
    }

    /// Reads answers, sends the next request, writes. True if it could go on at once: then others come first.
    pub fn work(&mut self, shared: &Production, tally: &mut Tally, more: bool) -> Result<bool, Failure> {
        for _ in 0..STEPS_MAX {
            if more && self.asked.is_none() {
                self.ask(shared);
            }
            self.pipe.write()?;
            if !self.pipe.readable {
                return Ok(false);
            }
            self.pipe.read()?;
            if let Some(frame) = self.pipe.frame(0)? {
                let end = frame.end;
                self.take(frame, shared, tally)?;
                self.pipe.consume(end);
            }
        }
        Ok(true)
    }

    fn ask(&mut self, shared: &Production) {
        let count = self.spans.len();
        let rotated = (0..count).map(|step| &self.spans[(self.turn + step) % count]);
        let wanted = rotated.filter(|span| !is_read(span)).map(|span| Wanted {
            topic: &shared.topics[span.topic],
            partition: span.partition,
            offset: span.next,
        });
        let wanted: Vec<Wanted<'_>> = wanted.collect();
        if wanted.is_empty() {
            return;
        }
        requests::fetch(&mut self.pipe, self.version, self.correlation, self.portion, &wanted);
        // So that large answers of one partition starve no other.
        self.turn = (self.turn + 1) % count;
        self.asked = Some(Instant::now());
    }

    fn take(&mut self, frame: std::ops::Range<usize>, shared: &Production, tally: &mut Tally) -> Result<(), Failure> {
        let now = Instant::now();
        let Some(asked) = self.asked.take() else {
            return Err(Failure::protocol(self.pipe.name(), "an answer without a request"));
        };
        let mut taker = Taker {
            spans: &mut self.spans,
            shared,
            tally,
            now,
            again: self.again,
            amount: Amount { requests: 1, ..Amount::default() },
            refused: None,
        };
        let read = requests::read_fetched(self.pipe.bytes(frame), self.version, |fetched| taker.take(&fetched));
        let (amount, refused) = (taker.amount, taker.refused);
        let name = self.pipe.name();
        match read {
            Ok((correlation, _)) if correlation != self.correlation => {
                return Err(Failure::protocol(name, "an answer belongs to another request"));
            }
            Ok((_, code)) if code != 0 => return Err(Failure::code(code, None).about("Fetch").from_broker(name)),
            Ok(_) => self.correlation = self.correlation.wrapping_add(1),
            Err(why) => return Err(Failure::protocol(name, format!("an answer cannot be read: {why}"))),
        }
        if let Some(failure) = refused {
            return Err(failure.from_broker(name));
        }
        count(amount, now, asked, shared, tally);
        Ok(())
    }
}

fn is_read(span: &Span) -> bool {
    span.end.is_some_and(|end| span.next >= end)
}

fn count(amount: Amount, now: Instant, asked: Instant, shared: &Production, tally: &mut Tally) {
    shared.live.consumed_records.fetch_add(amount.records, Ordering::Relaxed);
    shared.live.consumed_bytes.fetch_add(amount.bytes, Ordering::Relaxed);
    let time = now.saturating_duration_since(asked);
    if let Some(round) = tally.round(&shared.table, now) {
        round.consumed.add(amount);
        if amount.records > 0 {
            round.fetch.record(time, 1);
        }
    }
    if let Some(interval) = tally.interval(&shared.table, now) {
        interval.consumed.add(amount);
        if shared.deliveries.is_none() && amount.records > 0 {
            interval.times.record(time, 1);
        }
    }
}

/// Goes through the partitions of an answer.
struct Taker<'a> {
    spans: &'a mut [Span],
    shared: &'a Production,
    tally: &'a mut Tally,
    now: Instant,
    again: bool,
    amount: Amount,
    refused: Option<Failure>,
}

impl Taker<'_> {
    fn take(&mut self, fetched: &Fetched<'_>) {
        let about = || partition_words(fetched.topic, fetched.partition);
        if fetched.code != 0 {
            *self.tally.codes.entry(fetched.code).or_default() += 1;
            self.shared.live.errors.fetch_add(1, Ordering::Relaxed);
            if let Some(round) = self.tally.round(&self.shared.table, self.now) {
                round.errors += 1;
            }
            let failure = Failure::code(fetched.code, None).about(about());
            if !failure.may_pass() {
                self.refused = Some(failure);
            }
            return;
        }
        let Some(topic) = self.shared.topics.iter().position(|topic| topic == fetched.topic) else { return };
        let wanted = (topic, fetched.partition);
        let Ok(at) = self.spans.binary_search_by_key(&wanted, |span| (span.topic, span.partition)) else { return };
        let span = &mut self.spans[at];
        for batch in Batches::new(fetched.records) {
            let header = match batch {
                Ok((_, header)) => header,
                // The last batch of an answer may be cut off.
                Err(BatchError::Incomplete) => break,
                Err(why) => {
                    let why = format!("offset {}: no record batch of format 2: {why:?}", span.next);
                    self.refused = Some(Failure::protocol("", why).about(about()));
                    return;
                }
            };
            // An answer goes on behind the end of what was wanted.
            if is_read(span) {
                break;
            }
            let end = header.end_offset();
            if end <= span.next {
                continue;
            }
            span.next = end;
            self.amount.records += header.record_count.max(0) as u64;
            self.amount.bytes += header.total_bytes as u64;
            self.amount.wire_bytes += header.total_bytes as u64;
            if let Some(deliveries) = &self.shared.deliveries
                && let Some(delivery) = deliveries.arrive(span.place, header.base_offset, self.now)
            {
                deliver(delivery, self.shared, self.tally);
            }
        }
        if span.next >= fetched.high_watermark {
            span.caught_up.get_or_insert(self.now);
        }
        if is_read(span) {
            span.caught_up.get_or_insert(self.now);
            if self.again {
                span.next = span.start;
            }
        }
    }
}
