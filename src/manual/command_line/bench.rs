//! `corelane bench`: load on any broker that speaks Kafka's protocol, and what it costs.
//!
//! ```text
//! corelane bench produce -s 1024 -n 1000 --in-flight 4 --connections 4            # as fast as it goes, in 1 MiB requests
//! corelane bench produce -s 100 -n 1 --in-flight 1 --connections 32 -p 8          # one record a request
//! corelane bench produce -s 256 -n 4 --keys 100000 --partitions-per-request 4 --connections 50 -p 100
//! corelane bench end-to-end -R 10MB -n 4 --save run                               # 10 MB a second in 4 KiB requests
//! corelane bench consume --fill 4GB                                               # what is there, again and again
//! corelane bench consume --pattern backlog --fill 4GB -R 50MB                     # while producers go on
//! corelane bench produce --preset 1-topic-100-partitions-1kb-4p-4c-200k
//! corelane bench compare a1.json,a2.json b1.json,b2.json
//! ```
//!
//! # What a figure means
//!
//! With a rate (`-R`, in records or bytes a second) the loop is **open**: every request has its intended time, evenly spaced, whatever the
//! broker does. *Latency* counts from there. *Service time* counts from the moment at which the request began to be sent; the
//! rest of the latency is the wait before it, because `--in-flight` requests of its connection had no answer yet, or the generator
//! itself was late ("waited before it was sent"). A broker that stands still for a second at 1,000 requests a second has a
//! thousand late requests in the latency, and a few in the service time. Requests that were never sent before the end, or
//! never answered, count with the time that they had waited by then. Without a rate (`max`) the loop is **closed**: the intended
//! time is the time of sending.
//!
//! All records of a batch come at once, at the intended time of their request: there is no linger. `end-to-end` and `consume --pattern tail`
//! count until a consumer has the batch; producers and consumers share the process and its clock. Every acknowledged batch has to
//! arrive: those that do not are reported, and the exit code is 3.
//!
//! A round (`--duration`, `--rounds`) follows directly on the one before, after one `--warmup`. Times belong to the round in which a
//! request was meant to begin, amounts to the one in which they were completed. A GB is 10^9 bytes of keys and values that were
//! acknowledged, before compression; in `consume` of record batches received.
//!
//! # The broker's process
//!
//! If the broker runs on this machine and its process may be looked into (found by the ports of the brokers, or `--pid`), a
//! round has its processor time (user and system, all threads), the bytes that reached the block layer per byte acknowledged, and
//! its memory. The generator's own processor time stands beside it: over loopback the receiving of one side is charged to whoever happens to run,
//! so that the sum is the honest figure. `--syscalls` counts system calls with `perf stat` where that is installed and allowed;
//! else it says why not.
//!
//! # The generator
//!
//! Batches are encoded and compressed once; timestamps, producer, sequence and checksum of the header are patched for each sending. So a
//! value is one of a few megabytes of different ones, and compression costs the generator nothing (the broker sees what it
//! would see). Threads (`--threads`, half of the CPUs, 2 at least) keep many non-blocking connections each. Keys are of so many different ones
//! (`--keys`), but do not choose the partition: batches go to partitions in turn, as many per request as `--partitions-per-request` says.
//! With `--producers` a producer has a connection to every broker, with `--connections` so many are dealt to the brokers. Fetches
//! have no session; checksums of what is fetched are not verified (`corelane consume` does that).
//!
//! What it costs itself, on the machine of [the price page](crate::manual::price) while that was busy with builds, with one thread, three rounds
//! of 4 s each on a Corelane of two cores: 0.18-0.21 CPU-s/GB in 1 MiB requests, 0.32-0.38 in 16 KiB requests, 6.5-8.5 us per
//! one-record request over 32 connections, 53-60 us per request at 2,500 a second (sleeping in between). A raw client with a
//! blocking thread per connection, alternating with it, took 0.18-0.20, 0.48-0.57, 13-17 us and 35-40 us. Both saw the same broker:
//! 1.12-1.28 and 1.27-1.60 CPU-s/GB in 16 KiB requests, 14.4-18.7 and 14.0-19.7 us per one-record request. A thread that has to share a busy CPU
//! stands still now and then: one-record requests came at 20-27 thousand a second with one thread, 36-42 with two, 23-34 with four
//! (the other client, 32 threads: 41-42), at 7-8 us each with one and two. An open loop shows it as late: look at "waited before it was sent".
//!
//! Topics that the run makes are deleted at its end, unless `--keep`. A run as fast as it goes fills disks: `-c retention.bytes=...`.
//!
//! # Patterns of `consume`
//!
//! | | |
//! |---|---|
//! | `catch-up` | from the start of the partitions to where they ended when it began, then again (`--once`: ends). `--fill 4GB` writes what is missing before; `--drop-caches` (root) empties the kernel's caches. A broker's own cache is the broker's: restart it, or read more than it holds |
//! | `tail` | as `end-to-end` |
//! | `backlog` | from the start, while producers go on at `-R`. `caught_up_s` in the JSON is when everything there was had been read for the first time |
//!
//! # Results
//!
//! A table, or `-o json`. `--save PREFIX` writes `PREFIX.json`, `PREFIX.hgrm` (latency; `PREFIX-service.hgrm`) for HdrHistogram's
//! plotters, and `PREFIX.html`, one page with plots that needs nothing else. They are written too when the broker dies, an answer is an error
//! that does not pass, or Ctrl-C ends the run: with the rounds until then (the last one marked as cut), `"complete": false`, and why.
//! Exit code 3 then; 1 if nothing was measured.
//!
//! JSON is one object: `workload` has every setting, `rounds` a flat object per round with every figure, `summary` the median, smallest
//! and largest of each over the whole rounds, `series` the plots, `percentiles` the curves. Figures are called
//! `mb_per_s`, `records_per_s`, `latency_p99_us`, `service_p99_us`, `ack_p99_us`, `consumed_mb_per_s`, `broker_cpu_s_per_gb`,
//! `broker_cpu_us_per_request`, `broker_written_per_byte`, `broker_rss_mb`, `client_cpu_s_per_gb`, `both_cpu_s_per_gb`, ...
//!
//! `bench compare A.json B.json` (each may be several files with commas) says of every figure whether B is better or worse: only if
//! the medians are more than twice the spread apart, the spread being the distance between the smallest and the largest round on the side where it is
//! larger. Else it says "no difference", and of single rounds nothing. It names settings that differ; `--check` ends with 1 if anything is worse.
//! Rounds of one run differ less than runs do: alternate A and B, several times.
//!
//! # Names of others
//!
//! `--preset` takes the names of the OpenMessaging Benchmark's workloads (`bench presets`): topics, partitions, sizes, producers and consumers per
//! topic, rates; batches hold what falls into the 1 ms of linger of its Kafka driver. What is typed besides counts. Durations are ours.
//! Flags of Kafka's own tools work where they mean the same: `--num-records` (also `--messages`), `--record-size`, `--throughput` (-1: max),
//! `--producer-props acks=1 batch.size=65536 compression.type=lz4`, `--bootstrap-server`, `--producer-acks`, `--topic`.
