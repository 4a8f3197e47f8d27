//! What a gigabyte and a request cost, measured, and how to measure it again.
//!
//! One machine of 2 shared virtual CPUs (Xeon, 2.6 GHz class, virtio disk, Linux 6.18), November 2026. Client and broker
//! share both CPUs; the client is a raw one with batches built beforehand. Corelane acknowledges after the flush (`disk`);
//! Kafka 4.3.1 runs as shipped, so its acknowledged records are in the page cache only. Alternating rounds, 3 s each after 1 s of
//! warm-up, both brokers running on from round to round; median, and range in brackets. Short runs on a machine that is not ours
//! alone: what counts is the ratio.
//!
//! | load | | Corelane, `disk` | Kafka 4.3.1, not flushed |
//! |---|---|---|---|
//! | produce, 1 MiB requests, 5 rounds | broker CPU-s/GB | 0.60 (0.47-1.23) | 1.27 (0.97-2.09) |
//! | | MB/s | 1,191 (766-1,335) | 928 (691-1,236) |
//! | produce, 16 KiB requests, 2 rounds | broker CPU-s/GB | 1.10, 1.22 | 2.47, 2.56 |
//! | | MB/s | 712, 635 | 566, 588 |
//! | produce, one 100-byte record a request, 32 connections, 5 rounds | broker CPU us/request | 13.1 (11.9-16.2) | 23.0 (21.3-35.9) |
//! | | requests/s | 59,934 (49,069-62,598) | 59,740 (40,521-63,566) |
//! | fetch, 1 MiB a partition, from memory, 3 rounds | broker CPU-s/GB | 0.16 (0.14-0.19) | 0.25 (0.24-0.29) |
//! | | MB/s | 1,065 (889-1,420) | 1,040 (989-1,056) |
//!
//! These are rounds in which both had taken the memory that they use. On this machine, whose host hands out memory page by page, taking
//! a gigabyte for the first time costs 2 to 3 CPU-s, and both pay it: Kafka as its page cache grows (its first round: 16 KiB requests
//! 5.24 CPU-s/GB, in a run on a fresh machine 11.4, and 3.4 at 1 MiB), Corelane as its cache does (with the cache of gigabytes
//! freed and taken anew: 2.41 at 1 MiB, 2.67 at 16 KiB). Growth is spread out for that reason, see [`super::fetch_path`].
//! Earlier tables here, with Kafka at 1.83 and 4.59 CPU-s/GB, compared with a Kafka whose page cache was still growing.
//!
//! A fetch of what the tail no longer holds is read from the disk: 0.31 to 0.37 CPU-s/GB. The machine's speed changes from hour to hour.
//! Nine tenths of the CPU of a one-record request is spent inside the kernel, most of it in sending the answer and in the flush; the
//! core's own code takes about 2 us.
//!
//! System calls of the two cores per one-record request at 60 thousand a second (`perf stat -e 'syscalls:*'` on their
//! threads, 2 s): 1.00 recvmsg, 0.17 epoll_pwait2, 0.13 io_uring_enter. Futexes: 17 in 120,045 requests, all for jobs given to
//! the threads that move batches into segments; appends and fetches take none.
//!
//! 10 MB/s in 4 KiB requests, open loop, 2 runs each: with 1 partition 14-15 CPU-s/GB, p50 0.23-0.27 ms, p99 4.9-5.2 ms;
//! with 8 partitions 21-23, p50 0.30-0.38, p99 4.2-7.1; with 1,000 partitions 30-34, p50 0.31-0.32, p99 3.7-5.0. One
//! partition keeps one core awake instead of two; with 1,000 a fifth of the broker's CPU in such a short run is the making of a
//! thousand segment files, which happens once (26 against 29 CPU-s/GB with 8 and 1,000 partitions in an 8 s run).
//!
//! # Where the time of a request goes
//!
//! Each core counts five stages in histograms and logs them when it stops (`stages`): *socket*, first byte to last; *queue*,
//! the wake-up in which a request came to the end of the broker's part of that turn (*held*: those that had to wait for a
//! partition, the ring or memory); *journal*, appended to write begun; *flush*, write begun to flush ended; *reply*, answered to
//! taken by the socket. In a profile of one-record requests they take 0.14 % of the broker's CPU.
//!
//! # What did not help
//!
//! - Joining batches of up to 20 KiB when they leave the journal, as those of up to 4 KiB are: the cache holds all of its budget and
//!   a fetch of 1 MiB is 4 slices instead of 64 (0.30-0.43 instead of 0.40-0.48 CPU-s/GB), but producing in 16 KiB requests costs
//!   1.4-2.1 instead of 1.1-1.3 and twice the memory (3 alternating rounds, both filled first).
//! - `O_DSYNC` on the journal instead of a flush after several writes: a third less throughput with one-record requests.
//!
//! # Beside Kafka, whenever you like
//!
//! `scripts/bench-against-kafka` fetches Apache Kafka 4.3's server, starts both on this machine and runs a matrix of loads with
//! [`corelane bench`](super::command_line), in turns; `--quick` gives a look in under five minutes. Its columns are durability
//! classes. How it measures is at its head; each run is a file, so that a matrix that was broken off goes on where it stopped.
//!
//! The README shows its table of 3 rounds of 3 s on another machine of this kind (EPYC). With one-record requests it gives 11.3 us (10.5-11.7)
//! beside Kafka's 25.8 (21.0-26.3): its client takes half the CPU of the one above, and the machine is shared. The one above, both brokers
//! just started, two rounds in turns of 6 s after 4 s on that machine: one record 12.9, 12.9 us beside 64.9, 31.6; 16 KiB 1.41,
//! 1.27 CPU-s/GB beside 2.80, 3.38; 1 MiB 0.52, 0.67 beside 2.10, 1.34. Rows of the matrix that nobody has run yet on a quiet machine:
//! `keyed-4`, `fetch-cold`, 1,000 and 10,000 partitions, 5,000 connections, end to end at 1 and 100 MB/s.
//!
//! # Memory, start, size
//!
//! Two cores, resident: 22 MB idle, 60 MB with 10,000 idle partitions (created by one request in 116 ms), no more with
//! 5,000 idle connections beside them. Ready 24 ms after the start on an empty directory. Stripped binary 8.4 MB.
