//! Reads records: a thread per leader fetches and decodes, the caller takes what they found, in the order of each partition.
//!
//! A partition whose leader moved comes back to the caller's side, which asks for the metadata anew and starts a thread at the
//! new leader. What is fetched and not yet taken is bounded by the queue, so a slow reader slows the threads down.

use crate::client::cluster::{Cluster, Topic, partition_words, topic_name};
use crate::client::connection::Connection;
use crate::client::failure::Failure;
use crate::wire::record_batch::{BatchError, BatchHeader, Batches, crc_matches};
use crate::wire::records::{Record, Records};
use bytes::Bytes;
use kafka_protocol::messages::fetch_request::{FetchPartition, FetchTopic};
use kafka_protocol::messages::fetch_response::AbortedTransaction;
use kafka_protocol::messages::{BrokerId, FetchRequest};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::{Duration, Instant};

/// What to read of a partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// Of the topic.
    pub partition: i32,
    /// The next offset to read.
    pub next: i64,
    /// Where to stop: the first offset that is not wanted; none to follow for ever.
    pub end: Option<i64>,
}

/// A record and where its batch comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Consumed {
    /// Of the topic.
    pub partition: i32,
    /// Epoch of the leader that appended it.
    pub leader_epoch: i32,
    /// Producer id; -1 for none.
    pub producer_id: i64,
    /// Producer epoch; -1 for none.
    pub producer_epoch: i16,
    /// The rest.
    pub record: Record,
}

/// What a thread tells.
enum News {
    Records(Vec<Consumed>),
    /// A span is served again: whatever it was lost for has passed.
    Served(i32),
    /// A span was read to its end.
    Ended,
    /// This span goes on elsewhere, perhaps: its leader does not serve it.
    Lost(Span, Failure),
}

/// See the module.
pub struct Consumer {
    cluster: Cluster,
    topic: Topic,
    /// Spans that no thread reads, and why.
    homeless: Vec<(Span, Option<Failure>)>,
    /// When each partition was lost first, since it was last served.
    lost_since: BTreeMap<i32, Instant>,
    /// Spans that are not read to their end yet.
    open: usize,
    news: Receiver<News>,
    sender: SyncSender<News>,
    ready: VecDeque<Consumed>,
    look_again: Instant,
    read_committed: bool,
}

/// Pieces that wait for the caller.
const QUEUE_MAX: usize = 16;
/// Records that are handed over at once.
const PIECE_RECORDS: usize = 4096;
/// Record bytes of one answer, and of one partition in it. A larger batch comes alone.
const ANSWER_BYTES_MAX: i32 = 8 * 1024 * 1024;
const PARTITION_BYTES_MAX: i32 = 1024 * 1024;
/// How long a broker holds a request that finds nothing.
const HELD: Duration = Duration::from_millis(500);
const PAUSE: Duration = Duration::from_millis(100);

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

impl Consumer {
    /// Begins to read. Empty spans are passed over. With `read_committed` so are records of transactions that were aborted, and
    /// those of open ones wait.
    pub fn start(cluster: Cluster, topic: Topic, spans: Vec<Span>, read_committed: bool) -> Consumer {
        let (sender, news) = sync_channel(QUEUE_MAX);
        let open = spans.into_iter().filter(|span| span.end.is_none_or(|end| span.next < end));
        let homeless: Vec<_> = open.map(|span| (span, None)).collect();
        Consumer {
            cluster,
            topic,
            open: homeless.len(),
            homeless,
            lost_since: BTreeMap::new(),
            news,
            sender,
            ready: VecDeque::new(),
            look_again: Instant::now(),
            read_committed,
        }
    }

    /// The next record. `Ok(None)` twice over: after `wait` with nothing new ([`Consumer::is_done`] is false), or at the end of
    /// all spans (it is true).
    pub fn next(&mut self, wait: Duration) -> Result<Option<Consumed>, Failure> {
        let until = Instant::now() + wait;
        loop {
            if let Some(record) = self.ready.pop_front() {
                return Ok(Some(record));
            }
            if self.is_done() {
                return Ok(None);
            }
            self.place()?;
            let now = Instant::now();
            let pause = if self.homeless.is_empty() { until } else { until.min(self.look_again) };
            match self.news.recv_timeout(pause.saturating_duration_since(now)) {
                Ok(News::Records(records)) => self.ready = records.into(),
                Ok(News::Served(partition)) => drop(self.lost_since.remove(&partition)),
                Ok(News::Ended) => self.open -= 1,
                Ok(News::Lost(span, failure)) => self.lose(span, failure)?,
                Err(RecvTimeoutError::Timeout) if Instant::now() >= until => return Ok(None),
                Err(_) => {}
            }
        }
    }

    /// True if records are at hand without waiting.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// True when all spans were read to their ends.
    pub fn is_done(&self) -> bool {
        self.open == 0 && self.ready.is_empty()
    }

    fn lose(&mut self, span: Span, failure: Failure) -> Result<(), Failure> {
        let passes = failure.may_pass() || failure.number() == Some(UNKNOWN_TOPIC_OR_PARTITION);
        let since = *self.lost_since.entry(span.partition).or_insert_with(Instant::now);
        if !passes || since.elapsed() > self.cluster.patience().answer {
            return Err(failure);
        }
        self.homeless.push((span, Some(failure)));
        self.look_again = Instant::now() + PAUSE;
        Ok(())
    }

    /// Gives homeless spans to threads at their leaders.
    fn place(&mut self) -> Result<(), Failure> {
        if self.homeless.is_empty() || Instant::now() < self.look_again {
            return Ok(());
        }
        if self.homeless.iter().any(|(_, failure)| failure.is_some()) {
            match self.cluster.topic(&self.topic.name, false) {
                Ok(topic) => self.topic = topic,
                Err(failure) => return self.lose_homeless(&failure),
            }
        }
        let mut by_leader: BTreeMap<i32, Vec<Span>> = BTreeMap::new();
        for (span, _) in self.homeless.drain(..) {
            let known = self.topic.partitions.iter().find(|known| known.index == span.partition);
            by_leader.entry(known.map_or(-1, |known| known.leader)).or_default().push(span);
        }
        for (leader, spans) in by_leader {
            match self.cluster.open(leader) {
                Ok(connection) => self.read_from(connection, spans),
                Err(failure) => {
                    for span in spans {
                        let words = partition_words(&self.topic.name, span.partition);
                        let failure =
                            if leader < 0 { Failure::code(LEADER_NOT_AVAILABLE, None) } else { failure.clone() };
                        self.lose(span, failure.about(words))?;
                    }
                }
            }
        }
        Ok(())
    }

    fn lose_homeless(&mut self, failure: &Failure) -> Result<(), Failure> {
        std::mem::take(&mut self.homeless).into_iter().try_for_each(|(span, _)| self.lose(span, failure.clone()))
    }

    fn read_from(&mut self, connection: Connection, spans: Vec<Span>) {
        let sender = self.sender.clone();
        let (topic, read_committed) = (self.topic.name.clone(), self.read_committed);
        let mut reader = Reader { connection, topic, spans, sender, turn: 0, read_committed, served: BTreeSet::new() };
        std::thread::spawn(move || reader.run());
    }
}

/// One thread: some partitions at one leader.
struct Reader {
    connection: Connection,
    topic: String,
    spans: Vec<Span>,
    sender: SyncSender<News>,
    /// Who comes first in the next request, so that one partition's large answers starve no other.
    turn: usize,
    read_committed: bool,
    /// Partitions of which an answer came without an error.
    served: BTreeSet<i32>,
}

/// Transactions that were aborted, as an answer names them: producer and first offset. Without read_committed none is named.
struct Aborted {
    /// By first offset, the last one first.
    later: Vec<AbortedTransaction>,
    /// Producers whose transaction at this place is one of them.
    here: BTreeSet<i64>,
}

impl Aborted {
    fn new(mut later: Vec<AbortedTransaction>) -> Aborted {
        later.sort_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
        Aborted { later, here: BTreeSet::new() }
    }

    /// True if the batch belongs to one of them. To be asked of every batch in order; the marker that ends a transaction is one.
    fn holds(&mut self, header: &BatchHeader, end: i64) -> bool {
        while let Some(begun) = self.later.pop_if(|transaction| transaction.first_offset < end) {
            self.here.insert(begun.producer_id.0);
        }
        if header.is_control() {
            return self.here.remove(&header.producer_id);
        }
        header.is_transactional() && self.here.contains(&header.producer_id)
    }
}

/// The caller is gone: nobody wants more.
struct NobodyListens;

/// Why a partition is read no further.
enum Stop {
    NobodyListens,
    Unreadable(Failure),
}

impl From<NobodyListens> for Stop {
    fn from(_: NobodyListens) -> Stop {
        Stop::NobodyListens
    }
}

impl Reader {
    fn run(&mut self) {
        let _ = self.connection.wait_longer(HELD);
        while !self.spans.is_empty() {
            if self.round().is_err() {
                return;
            }
        }
    }

    fn round(&mut self) -> Result<(), NobodyListens> {
        let request = self.connection.version::<FetchRequest>().map(|version| self.request(version));
        let answer = match request.and_then(|request| self.connection.call(|_| request)) {
            Ok(answer) if answer.error_code == 0 => answer,
            Ok(answer) => return self.lose_all(&Failure::code(answer.error_code, None)),
            Err(failure) => return self.lose_all(&failure),
        };
        for data in answer.responses.into_iter().flat_map(|topic| topic.partitions) {
            let Some(at) = self.spans.iter().position(|span| span.partition == data.partition_index) else { continue };
            if data.error_code != 0 {
                let span = self.spans.remove(at);
                let failure = self.told(span.partition, Failure::code(data.error_code, None), span.next);
                self.tell(News::Lost(span, failure))?;
                continue;
            }
            if self.served.insert(data.partition_index) {
                self.tell(News::Served(data.partition_index))?;
            }
            let aborted = Aborted::new(data.aborted_transactions.unwrap_or_default());
            match self.decode(at, data.records.unwrap_or_default(), aborted) {
                Ok(()) => {}
                Err(Stop::NobodyListens) => return Err(NobodyListens),
                Err(Stop::Unreadable(failure)) => {
                    let span = self.spans.remove(at);
                    self.tell(News::Lost(span, failure))?;
                }
            }
        }
        let before = self.spans.len();
        self.spans.retain(|span| span.end.is_none_or(|end| span.next < end));
        (self.spans.len()..before).try_for_each(|_| self.tell(News::Ended))
    }

    fn request(&self, version: i16) -> FetchRequest {
        let count = self.spans.len();
        let partitions = (0..count).map(|step| {
            let span = &self.spans[(self.turn + step) % count];
            let partition = FetchPartition::default()
                .with_partition(span.partition)
                .with_fetch_offset(span.next)
                .with_partition_max_bytes(PARTITION_BYTES_MAX);
            let partition = if version >= 9 { partition.with_current_leader_epoch(-1) } else { partition };
            let partition = if version >= 12 { partition.with_last_fetched_epoch(-1) } else { partition };
            if version >= 5 { partition.with_log_start_offset(-1) } else { partition }
        });
        let topic = FetchTopic::default().with_topic(topic_name(&self.topic)).with_partitions(partitions.collect());
        let request = FetchRequest::default()
            .with_replica_id(BrokerId(-1))
            .with_max_wait_ms(HELD.as_millis() as i32)
            .with_min_bytes(1)
            .with_max_bytes(ANSWER_BYTES_MAX)
            .with_isolation_level(i8::from(self.read_committed))
            .with_topics(vec![topic]);
        if version >= 7 { request.with_session_epoch(-1) } else { request }
    }

    /// Tells the records of an answer from the span's next offset on, and moves the span behind them.
    fn decode(&mut self, at: usize, bytes: Bytes, mut aborted: Aborted) -> Result<(), Stop> {
        self.turn = self.turn.wrapping_add(1) % self.spans.len();
        for batch in Batches::new(&bytes) {
            let span = self.spans[at];
            let (range, header) = match batch {
                Ok(batch) => batch,
                // The last batch of an answer may be cut off; the next answer brings it whole.
                Err(BatchError::Incomplete) => break,
                Err(error) => return Err(self.unreadable(&span, &format!("no record batch of format 2: {error:?}"))),
            };
            let batch = bytes.slice(range);
            if !crc_matches(&batch, &header) {
                return Err(self.unreadable(&span, "the checksum of the record batch does not match"));
            }
            let end = header.end_offset();
            let is_aborted = aborted.holds(&header, end);
            if end <= span.next {
                continue;
            }
            if !header.is_control() && !is_aborted {
                self.tell_batch(at, &batch, &header)?;
            }
            self.spans[at].next = end;
        }
        Ok(())
    }

    /// Piece by piece: what is small on the wire may be millions of records.
    fn tell_batch(&mut self, at: usize, batch: &Bytes, header: &BatchHeader) -> Result<(), Stop> {
        let span = self.spans[at];
        let records = Records::new(batch, header).map_err(|why| self.unreadable(&span, why.0))?;
        let mut piece = Vec::new();
        for record in records {
            let record = record.map_err(|why| self.unreadable(&span, why.0))?;
            if record.offset < span.next || span.end.is_some_and(|end| record.offset >= end) {
                continue;
            }
            piece.push(Consumed {
                partition: span.partition,
                leader_epoch: header.leader_epoch,
                producer_id: header.producer_id,
                producer_epoch: header.producer_epoch,
                record,
            });
            if piece.len() == PIECE_RECORDS {
                self.spans[at].next = piece.last().map_or(span.next, |last| last.record.offset + 1);
                self.tell(News::Records(std::mem::take(&mut piece)))?;
            }
        }
        if !piece.is_empty() {
            self.tell(News::Records(piece))?;
        }
        Ok(())
    }

    fn unreadable(&self, span: &Span, why: &str) -> Stop {
        let failure = Failure::protocol("", format!("{why}; start behind it with --offset"));
        Stop::Unreadable(self.told(span.partition, failure, span.next))
    }

    fn told(&self, partition: i32, failure: Failure, offset: i64) -> Failure {
        let words = format!("{}, offset {offset}", partition_words(&self.topic, partition));
        failure.from_broker(self.connection.name()).about(words)
    }

    fn lose_all(&mut self, failure: &Failure) -> Result<(), NobodyListens> {
        for span in std::mem::take(&mut self.spans) {
            let failure = self.told(span.partition, failure.clone(), span.next);
            self.tell(News::Lost(span, failure))?;
        }
        Ok(())
    }

    fn tell(&self, news: News) -> Result<(), NobodyListens> {
        self.sender.send(news).map_err(|_| NobodyListens)
    }
}

const LEADER_NOT_AVAILABLE: i16 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::record_batch::parse_header;
    use crate::wire::records::{BatchBuilder, Sequence};
    use kafka_protocol::messages::ProducerId;

    const TRANSACTIONAL: u8 = 0x10;
    const CONTROL: u8 = 0x20;

    fn header(producer_id: i64, bits: u8) -> BatchHeader {
        let mut builder = BatchBuilder::default();
        builder.push(&Record::default());
        let sequence = Sequence { producer_id, epoch: 0, first: 0 };
        let none = crate::wire::compression::Compression { codec: 0, gzip_level: -1 };
        let mut batch = builder.finish(none, sequence).to_vec();
        batch[22] |= bits;
        parse_header(&batch).expect("whole")
    }

    /// Producer 1 aborts offsets 0 to 2, commits from 5 on; producer 2 aborts 3 to 6; producer 3 takes no part.
    #[test]
    fn aborted_transactions_end_at_their_markers() {
        let aborted = |producer_id, first_offset| {
            AbortedTransaction::default().with_producer_id(ProducerId(producer_id)).with_first_offset(first_offset)
        };
        let mut transactions = Aborted::new(vec![aborted(2, 3), aborted(1, 0)]);
        let steps = [
            (1, TRANSACTIONAL, true),
            (3, 0, false),
            (1, TRANSACTIONAL | CONTROL, true),
            (2, TRANSACTIONAL, true),
            (3, 0, false),
            (1, TRANSACTIONAL, false),
            (2, TRANSACTIONAL | CONTROL, true),
            (2, TRANSACTIONAL, false),
            (1, TRANSACTIONAL | CONTROL, false),
        ];
        for (offset, (producer, bits, expect)) in (0..).zip(steps) {
            assert_eq!(transactions.holds(&header(producer, bits), offset + 1), expect, "offset {offset}");
        }
    }
}
