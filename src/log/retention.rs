//! Retention: moving log starts past segments that are too old or too many (Kafka's `retention.ms` and `retention.bytes`).
//!
//! A core looks through its partitions once per `log.retention.check.interval.ms`, a bounded number per turn, and sleeps in
//! between: an idle partition costs no timer. A log start moves as DeleteRecords moves it: a frame in the journal, then files go
//! once no checkpoint names them (S10).
//!
//! - R1: only by whole segments. What is not in a segment yet counts as one more, the newest: an idle topic's last records expire
//!   too. The log start never passes the high watermark or what is flushed.
//! - R2: by time from the oldest segment on, while its largest timestamp is too old; by size while the rest still has
//!   `retention.bytes`. The newest segment goes by time only: its file holds the partition's state (S10), so when everything up to
//!   the log end is gone a segment of nothing but that state takes its place (`segment_move`).
//! - R3: a segment without any timestamp is not too old: nothing says when it was written.

use crate::base::clock::Now;
use crate::base::ids::TopicPartition;
use crate::base::limits::{RETENTION_FIRST_CHECK_MS, RETENTION_PARTITIONS_PER_TURN_MAX, RETENTION_RETRY_MS};
use crate::base::offset::Offset;
use crate::log::contract::Retention;
use crate::log::core_log::CoreLog;
use crate::log::effect::LogNotice;
use crate::log::log::Log;
use crate::log::segment_move::is_spent;

/// How far the check of a core's partitions got.
#[derive(Debug, Default)]
pub(super) struct RetentionCheck {
    /// When the next step is due, monotonic milliseconds; `None` before the first tick.
    due_ms: Option<u64>,
    /// When the check under way began.
    begun_ms: u64,
    /// Partitions that the check under way has still to look at.
    rest: Vec<TopicPartition>,
}

impl RetentionCheck {
    /// When the next step is due.
    pub(super) fn due_ms(&self) -> Option<u64> {
        self.due_ms
    }
}

impl CoreLog {
    /// Takes the next step of the check, if it is due.
    pub(super) fn check_retention(&mut self, now: Now) {
        let (now_ms, interval) = (now.monotonic_ms(), self.settings.retention_check_ms);
        let due = *self.retention.due_ms.get_or_insert(now_ms.saturating_add(interval.min(RETENTION_FIRST_CHECK_MS)));
        if due > now_ms || self.is_stopping() || self.journal.failure().is_some() {
            return;
        }
        if self.retention.rest.is_empty() {
            self.retention.begun_ms = now_ms;
            let kept = |log: &&Log| {
                let has_something = log.log_start < log.log_end() || is_spent(log);
                has_something && log.settings.retention != Retention::default()
            };
            self.retention.rest = self.logs.values().filter(kept).map(|log| log.partition).collect();
        }
        for _ in 0..RETENTION_PARTITIONS_PER_TURN_MAX {
            let Some(partition) = self.retention.rest.pop() else { break };
            if !self.retain(partition, now) {
                // Frames of clients come first: the check goes on when the ring has drained.
                self.retention.rest.push(partition);
                self.retention.due_ms = Some(now_ms + RETENTION_RETRY_MS);
                return;
            }
        }
        self.retention.due_ms = Some(match self.retention.rest.is_empty() {
            true => self.retention.begun_ms.saturating_add(interval).max(now_ms + 1),
            false => now_ms,
        });
    }

    /// Moves one partition's log start, if it is due. False if the journal has no room for that now.
    fn retain(&mut self, partition: TopicPartition, now: Now) -> bool {
        let Some(log) = self.logs.get(&partition).filter(|log| !log.is_offline()) else { return true };
        let to = retained_from(log, now.wall_ms);
        if to <= log.log_start {
            if is_spent(log) {
                self.writer.note_spent(partition, now.monotonic_ms());
            }
            return true;
        }
        if !self.journal.has_room_for_append(0) {
            return false;
        }
        let Ok(sequence) = self.delete_records(partition, to, now) else { return false };
        if self.logs.get(&partition).is_some_and(is_spent) {
            self.writer.note_spent(partition, now.monotonic_ms());
        }
        self.notices.push_back(LogNotice::Retained { partition, log_start: to, sequence });
        true
    }
}

/// The offset from which on a partition's records are kept (R1 to R3); at or below the log start if all are.
pub fn retained_from(log: &Log, wall_ms: i64) -> Offset {
    let Retention { ms, bytes } = log.settings.retention;
    let segments = || log.segments.iter().filter(|segment| segment.end > log.log_start);
    let mut from = log.log_start;
    if let Some(ms) = ms {
        let ms = i64::try_from(ms).unwrap_or(i64::MAX);
        let old = |timestamp: i64| timestamp >= 0 && wall_ms.saturating_sub(timestamp) > ms;
        from = segments().take_while(|segment| old(segment.max_timestamp)).last().map_or(from, |segment| segment.end);
        let all = from == log.segment_end().max(log.log_start) && log.movable_end() == log.log_end();
        if all && log.tail.pinned().rev().all(|batch| old(batch.max_timestamp)) {
            from = log.log_end();
        }
    }
    if let Some(bytes) = bytes {
        let all: u64 = segments().map(|segment| segment.file_bytes).sum::<u64>() + log.tail.pinned_bytes();
        let mut excess = all.saturating_sub(bytes);
        let newest = log.segments.last().map(|segment| segment.base);
        for segment in segments().filter(|segment| Some(segment.base) != newest) {
            if segment.file_bytes > excess {
                break;
            }
            excess -= segment.file_bytes;
            from = from.max(segment.end);
        }
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::ids::TopicId;
    use crate::base::offset::{Durability, Sequence};
    use crate::log::contract::PartitionSettings;
    use crate::log::segment::{BlockAt, Segment};
    use crate::log::tail::TailBatch;

    /// Segments of ten offsets each: (largest timestamp, bytes).
    fn log(segments: &[(i64, u64)], retention: Retention) -> Log {
        let settings = PartitionSettings { durability: Durability::Disk, segment_bytes: 1, segment_ms: 1, retention };
        let partition = TopicPartition { topic: TopicId([1; 16]), partition: 0 };
        let segment = |(index, (max_timestamp, file_bytes)): (usize, &(i64, u64))| Segment {
            base: Offset(index as i64 * 10),
            end: Offset(index as i64 * 10 + 10),
            file_bytes: *file_bytes,
            block: BlockAt { position: 0, bytes: 0 },
            max_timestamp: *max_timestamp,
            runs: None,
            deltas: 0,
            bytes_since_full: 0,
            begun_ms: None,
        };
        let segments = segments.iter().enumerate().map(segment).collect();
        Log::recovered(partition, settings, Offset::ZERO, segments, Vec::new())
    }

    fn by_time(timestamps: &[i64], ms: u64, wall_ms: i64) -> i64 {
        let segments: Vec<_> = timestamps.iter().map(|timestamp| (*timestamp, 100)).collect();
        retained_from(&log(&segments, Retention { ms: Some(ms), bytes: None }), wall_ms).0
    }

    fn by_size(sizes: &[u64], bytes: u64) -> i64 {
        let segments: Vec<_> = sizes.iter().map(|bytes| (5, *bytes)).collect();
        retained_from(&log(&segments, Retention { ms: None, bytes: Some(bytes) }), 1_000_000).0
    }

    #[test]
    fn by_time_whole_segments_go_from_the_oldest_on() {
        assert_eq!(by_time(&[100, 200, 300], 50, 150), 0, "exactly as old as is kept");
        assert_eq!(by_time(&[100, 200, 300], 50, 151), 10);
        assert_eq!(by_time(&[100, 200, 300], 50, 1000), 30, "the newest too");
        assert_eq!(by_time(&[100, 900, 300], 50, 400), 10, "a later record keeps what stands behind it");
        assert_eq!(by_time(&[-1, 200], 50, 1000), 0, "nothing says how old");
        assert_eq!(by_time(&[i64::MAX, 200], 50, 1000), 0);
        assert_eq!(by_time(&[100, 200], u64::MAX, i64::MAX), 0);
        assert_eq!(by_time(&[100, 200], 0, 201), 20);
        assert_eq!(by_time(&[100, 200], 0, 50), 0, "the clock went back");
    }

    #[test]
    fn by_time_what_is_in_no_segment_yet_goes_last_and_together() {
        let tail = |timestamps: &[i64], wall_ms| {
            let mut log = log(&[(100, 100)], Retention { ms: Some(50), bytes: None });
            let batch = |(index, max_timestamp): (i64, &i64)| TailBatch {
                base: Offset(10 + index),
                end: Offset(11 + index),
                sequence: Sequence(1 + index as u64),
                again: false,
                bytes: bytes::Bytes::from_static(b"batch"),
                cost: 5,
                max_timestamp: *max_timestamp,
            };
            let batches = (0..).zip(timestamps).map(batch).collect();
            log = Log::recovered(log.partition, log.settings, log.log_start, log.segments, batches);
            retained_from(&log, wall_ms).0
        };
        assert_eq!(tail(&[200, 300], 151), 10);
        assert_eq!(tail(&[200, 300], 350), 10, "one of them is young enough");
        assert_eq!(tail(&[300, 200], 350), 10);
        assert_eq!(tail(&[200, 300], 351), 12);
        assert_eq!(tail(&[200, -1], 351), 10, "nothing says how old");
        assert_eq!(tail(&[], 351), 10);
    }

    #[test]
    fn by_size_what_is_left_has_as_many_bytes_as_are_kept() {
        assert_eq!(by_size(&[100, 100, 100], 300), 0);
        assert_eq!(by_size(&[100, 100, 100], 201), 0);
        assert_eq!(by_size(&[100, 100, 100], 200), 10);
        assert_eq!(by_size(&[100, 100, 100], 101), 10);
        assert_eq!(by_size(&[100, 100, 100], 1), 20);
        assert_eq!(by_size(&[100, 100, 100], 0), 20, "the newest stays");
        assert_eq!(by_size(&[500, 100, 100], 300), 0, "the oldest is more than what is too much");
    }

    #[test]
    fn what_the_log_start_has_passed_does_not_count() {
        let mut log = log(&[(5, 100); 4], Retention { ms: None, bytes: Some(200) });
        log.log_start = Offset(25);
        assert_eq!(retained_from(&log, 1_000), Offset(25));
        log.settings.retention.bytes = Some(100);
        assert_eq!(retained_from(&log, 1_000), Offset(30));
        log.settings.retention = Retention::default();
        assert_eq!(retained_from(&log, i64::MAX), Offset(25), "kept for ever");
    }
}
