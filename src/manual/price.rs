//! What a gigabyte and a request cost, measured, and how to measure it again.
//!
//! One machine of 2 shared virtual CPUs (Xeon, 2.6 GHz class, virtio disk, Linux 6.18), November 2026. Client and broker
//! share both CPUs; the client is a raw one with batches built beforehand. Corelane acknowledges after the flush (`disk`);
//! Kafka 4.3.1 runs as shipped, so its acknowledged records are in the page cache only. Three rounds, alternating, 4 s
//! each after 2 s of warm-up; median, and range in brackets. Short runs on a machine that is not ours alone: what counts
//! is the ratio.
//!
//! | load | | Corelane, `disk` | Kafka 4.3.1, not flushed |
//! |---|---|---|---|
//! | produce, 1 MiB requests | broker CPU-s/GB | 0.61 (0.59-0.73) | 1.83 (1.29-2.97) |
//! | | MB/s | 1,191 (956-1,231) | 726 (533-852) |
//! | produce, 16 KiB requests | broker CPU-s/GB | 1.15 (1.09-1.30) | 4.59 (2.61-7.25) |
//! | | MB/s | 697 (681-801) | 346 (233-544) |
//! | produce, one 100-byte record a request, 32 connections | broker CPU us/request | 13.2 (11.1-14.4) | 28.0 (21.9-41.3) |
//! | | requests/s | 51,091 (46,156-64,494) | 49,536 (36,217-62,860) |
//! | fetch, 1 MiB a partition | broker CPU-s/GB | 0.35 (0.27-0.37) | 0.33 (0.32-0.36) |
//! | | MB/s | 953 (916-971) | 936 (765-1,148) |
//!
//! The machine's speed changes from hour to hour: in other hours the same loads took Corelane 0.49, 1.02 and 11.3 to 12.9, and 0.28
//! for fetch. Fetch is the row without a lead: Kafka hands pages of the cache to the socket, Corelane reads what the tail no
//! longer holds from the disk. Nine tenths of the CPU of a one-record request is spent inside the kernel, most of it
//! in sending the answer and in the flush; the core's own code takes about 2 us.
//!
//! System calls of the two cores per one-record request at 60 thousand a second (`perf stat -e 'syscalls:*'` on their
//! threads, 2 s): 1.00 recvmsg, 0.17 epoll_pwait2, 0.13 io_uring_enter. Futexes: 17 in 120,045 requests, all for jobs given to
//! the threads that move batches into segments; appends and fetches take none.
//!
//! 10 MB/s in 4 KiB requests, open loop, 2 runs each: with 1 partition 14-15 CPU-s/GB, p50 0.23-0.27 ms, p99 4.9-5.2 ms;
//! with 8 partitions 21-23, p50 0.30-0.38, p99 4.2-7.1; with 1,000 partitions 30-34, p50 0.31-0.32, p99 3.7-5.0. One
//! partition keeps one core awake instead of two; where the rest of the difference goes has not been profiled.
//!
//! # Where the time of a request goes
//!
//! Each core counts five stages in histograms and logs them when it stops (`stages`): *socket*, first byte to last; *queue*,
//! the wake-up in which a request came to the end of the broker's part of that turn (*held*: those that had to wait for a
//! partition, the ring or memory); *journal*, appended to write begun; *flush*, write begun to flush ended; *reply*, answered to
//! taken by the socket. In a profile of one-record requests they take 0.14 % of the broker's CPU.
//!
//! # Memory, start, size
//!
//! Two cores, resident: 22 MB idle, 60 MB with 10,000 idle partitions (created by one request in 116 ms), no more with
//! 5,000 idle connections beside them. Ready 24 ms after the start on an empty directory. Stripped binary 5.9 MB.
