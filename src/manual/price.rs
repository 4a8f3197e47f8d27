//! What a gigabyte and a request cost, measured, and how to measure it again.
//!
//! The table beside Apache Kafka is in the README; `scripts/bench-against-kafka` makes it anew. All figures here are of machines of 2
//! shared virtual CPUs on which client and brokers run together; what counts is the ratio.
//!
//! # Goals, and what stands before them
//!
//! Class `disk`, medians of the README's table (AMD EPYC, November 2026). "Must" is what a change may not lose.
//!
//! | load | goal (must) | now | |
//! |---|---|---|---|
//! | produce, 1 MiB requests, CPU-s/GB | 0.35 (0.55) | 0.32 | reached, with memory that was used before |
//! | produce, 16 KiB requests, CPU-s/GB | 0.7 (1.0) | 0.92 | missed, see below |
//! | one 100-byte record a request, us | 8 (15) | 9.0 | missed, see below |
//! | fetch from memory, CPU-s/GB | 0.3 (0.33) | 0.09 | reached |
//! | p99 at 10 MB/s, ms | 1.3: flush p99 + 1 | 0.69 with 8 partitions, 1.33 with one, 1.59 end to end | reached, missed, missed |
//! | CPU from 8 to 1,000 partitions | +10 % (20 %) | +23 % (from one partition +17 %) | missed |
//! | CPU from 8 to 10,000 partitions | +30 % | +113 % | missed |
//! | CPU from 8 to 5,000 connections | | +3 % | |
//! | CPU per request from 4 to 50 keyed producers | (+50 %) | -25 % | reached |
//! | bytes written per byte, 1 MiB | 2.15 | 2.05 | reached |
//! | cold catch-up | 80 % of the disk | 2.5 GB/s; four `dd iflag=direct` in 4 MiB pieces: 1.5 | reached |
//! | producers' p99 beside it | twice as long (2) | 5.0 ms; alone 1.1-3.1 | 1.6 to 4.4 times |
//!
//! **One record a request.** Of the broker's CPU (`perf`, 66 thousand a second) 50 % is sending: on loopback a send also runs the
//! receiver's half of TCP and wakes the client. Waiting and waking 15 %, the core's own code 13 % (1.5 us), journal write and flush 8 %, receiving 6 %,
//! page faults 2 %. Without the sends' 4.5 us and the waits there is nothing to win that leads to 8 us but fewer, larger turns, which
//! `broker/returning` already makes.
//!
//! **16 KiB requests.** Own code 16 %, waiting and waking 15 % (and 6 % in the kernel's pool threads that flush), copies 12 % (the journal's buffer 4.5, segments
//! 7.5), sending 12 %, receiving 11 %, writes and flushes 20 % over all threads, checksum 1.6 %. 42 thousand requests a second meet about the
//! same cost each as one-record requests do, and 16 KiB beside it. The copies stay because a filler before each batch would be an eighth of what is written.
//! Class `memory`, without the waits for flushes, takes 0.63.
//!
//! **p99 at a rate.** On this machine a write of 8 KiB with its flush takes 0.12-0.19 ms (p50) and 0.26-0.37 ms (p99) at 1,250 a second on each of two threads,
//! an echo over loopback 0.08 and 0.14 ms. What is above their sum came from page faults: all four threads of client and broker stood
//! for 2 to 4 ms about seven times a second while the broker took memory for the first time at 10 MB/s; p99 is 0.94 instead of 3.1 ms where it
//! takes none (8 partitions). So freed memory is kept; a broker just started still pays until its cache has its size.
//!
//! **Many partitions.** With one partition one core sleeps; 8 keep both awake at the same price. From 8 to 1,000 a tenth of the CPU of the broker is the threads that
//! move tails into segments (9 % in a profile of five seconds, 1 % with 8 partitions): a thousand files take what eight took. With 10,000 on a broker
//! just started (two minutes of warm-up; 19.5 CPU-s/GB with 8 partitions, 41 with 10,000) they take 34 %: each turn of the ring
//! writes some 10 KiB into each of 10,000 files, which are opened, extended and synced for it, and 5.1 bytes are written per byte. That is the price
//! of segments of one partition each; a larger ring makes the turns rarer and what each file gets larger: with `journal.file.bytes` of 256 MiB instead of 64 the first 70 seconds, nearly
//! without moves, take 14.7 CPU-s/GB and write 2.0 bytes per byte, which is what 10,000 partitions cost before their files. Recovery reads four times as much then. The cores' own part is
//! 27 against 19: every log that a request touches is cold.
//!
//! **Cold catch-up beside producers.** 12 GB in segments, caches dropped, drained while others produce 10 MB/s in 4 KiB requests (`corelane bench consume
//! --pattern backlog`, 2 runs of 4 s): 2,509 and 2,540 MB/s at 0.24 and 0.23 CPU-s/GB. Kafka: 704 and 878 MB/s at 1.13 and 0.61. The producers wait for
//! a disk that is read at its full speed: until acknowledged 1.6 ms (p50) and 5.0 (p99); Kafka, which does not flush, 0.5-0.6 and 3.6-219. A
//! catch-up that leaves the disk some room is not built.
//!
//! **1 MiB requests.** With memory that was never used before 0.42: a third of it is page faults. The rest is receiving 22 %, the writer of
//! segments 12 %, checksum 7 %. Two writes of everything bound the throughput: the ring fills to its 75 %, and requests wait for the segments
//! (two threads that do nothing but write 1 MiB pieces with `dd oflag=direct` reach 1.9 GB/s here; the row writes 2.4).
//! The bypass, by which bulk would be written once, is not built: it needs two flushes and a second kind of recovery, and what it would
//! save of the CPU is the second write, a tenth (0.03 CPU-s/GB); it would help where the disk is the bound.
//!
//! # First touch
//!
//! A host that hands out memory page by page makes taking a gigabyte for the first time cost 2 to 3 CPU-s. Both brokers pay it: Kafka as its page cache
//! grows (its first round: 16 KiB requests 5.24 CPU-s/GB, in a run on a fresh machine 11.4), Corelane as its cache does. Growth is
//! spread out for that reason, see [`super::fetch_path`], and freed memory is kept for ten minutes. Between rounds both run on, so the table
//! shows brokers that have the memory that they use.
//!
//! System calls of the two cores per one-record request at 60 thousand a second (`perf stat -e 'syscalls:*'` on their
//! threads, 2 s): 1.00 recvmsg, 0.17 epoll_pwait2, 0.13 io_uring_enter. Futexes: 17 in 120,045 requests, all for jobs given to
//! the threads that move batches into segments; appends and fetches take none.
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
//! - Huge pages turned off for the process: exact memory, but a 1 MiB request costs a seventh to a quarter more.
//! - `O_DSYNC` on the journal instead of a flush after several writes: a third less throughput with one-record requests.
//!
//! # Beside Kafka, whenever you like
//!
//! `scripts/bench-against-kafka` fetches Apache Kafka 4.3's server, starts both on this machine and runs a matrix of loads with
//! [`corelane bench`](super::command_line), in turns; `--quick` gives a look in under five minutes. Its columns are durability
//! classes. How it measures is at its head; each run is a file, so that a matrix that was broken off goes on where it stopped.
//!
//! # Memory, start, size
//!
//! Two cores, resident: 22 MB idle, 60 MB with 10,000 idle partitions (created by one request in 116 ms), no more with
//! 5,000 idle connections beside them. Ready 24 ms after the start on an empty directory. Stripped binary 8.4 MB.
