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
//! | produce, 1 MiB requests | broker CPU-s/GB | 0.49 (0.46-0.55) | 3.12 (1.07-3.18) |
//! | | MB/s | 1,440 (1,354-1,487) | 515 (509-1,090) |
//! | produce, 16 KiB requests | broker CPU-s/GB | 1.02 (1.02-1.04) | 5.07 (2.37-6.05) |
//! | | MB/s | 881 (841-938) | 326 (273-592) |
//! | produce, one 100-byte record a request, 32 connections | broker CPU us/request | 15.0 (14.2-16.4) | 27.2 (21.8-34.4) |
//! | | requests/s | 69,046 (63,905-69,080) | 51,326 (43,243-63,963) |
//! | fetch, 1 MiB a partition | broker CPU-s/GB | 0.28 (0.28-0.28) | 0.27 (0.22-0.30) |
//! | | MB/s | 1,283 (1,221-1,320) | 1,114 (750-1,475) |
//!
//! Fetch is the row without a lead: Kafka hands pages of the cache to the socket, Corelane reads what the tail no longer
//! holds from the disk. Nine tenths of the CPU of a one-record request is spent inside the kernel, most of it
//! in sending the answer and in the flush; the core's own code takes about 2 us.
//!
//! System calls of the two cores per one-record request at 70 thousand a second (`perf stat -e 'syscalls:*'` on their
//! threads, 2 s): 1.54 in all, of which 1.00 recvmsg, 0.26 io_uring_enter, 0.26 epoll_pwait2, 0.02 sendmsg. Futexes: 29 in
//! 140,821 requests, all for jobs given to the threads that move batches into segments; appends and fetches take none.
//!
//! 10 MB/s in 4 KiB requests, open loop, 2 runs each: with 8 partitions 22 CPU-s/GB, p50 0.28-0.31 ms, p99 3.5-4.5 ms; with
//! 1,000 partitions 31-33 CPU-s/GB, p50 0.26-0.27 ms, p99 4.3-4.4 ms (where the difference goes has not been profiled).
//!
//! # Where the time of a request goes
//!
//! Each core counts five stages in histograms and logs them when it stops (`stages`): *socket*, first byte to last; *queue*,
//! the wake-up in which a request came to the end of the broker's part of that turn (*held*: those that had to wait for a
//! partition, the ring or memory); *journal*, appended to write begun; *flush*, write begun to flush ended; *reply*, answered to
//! taken by the socket.
//!
//! # Memory, start, size
//!
//! Two cores, resident: 21 MB idle, 55 MB with 10,000 idle partitions (created by one request in 158 ms), no more with
//! 5,000 idle connections beside them. Ready 48 ms after the start on an empty directory. Stripped binary 4.8 MB.
