//! How this is tested, and how to run more of it.
//!
//! `scripts/test` is the one command: people, the README and CI run it. Its header lists the knobs. What stands behind it:
//!
//! | where | what it proves | a longer run |
//! |---|---|---|
//! | unit tests beside the code | encodings notice every flipped bit and cut, state machines keep their numbered invariants | |
//! | `tests/tidy` | floors, caps, names, fences; every invariant has a proof, every API a round trip, every [behaviour](super::behaviours) a test; each rule refuses a bad snippet | |
//! | `tests/round_trip` | every version of every API, against the encodings of another crate; hostile frames cost no memory | |
//! | `tests/fuzz` | every decoder of what clients send, of what brokers answer to our client, of what coordinators read back and of what lies on the disk, and the cutter of frames, against inputs changed at random: no panic, no memory and no time that the input does not justify, and what decodes comes out again as it went in | `FUZZ_SECONDS=3600` |
//! | `tests/api` | whole brokers over a disk in memory: stories of every API, storms of all of them with completions held back | `SEEDS=` |
//! | `tests/sim` | whole machines in one thread over disks that lose, tear and rot, from one seed; each rule S1 to S20 by planted bugs (`planted`) | `SEEDS=5000` |
//! | `tests/groups` | the group coordinator alone, with clients that die, a log that is late, refuses and is cut, answers late or lost: one generation at a time, one reader per partition, no acknowledged commit gone, a replay equals the run, a bounded log; each check by a planted bug (`planted`) | `SEEDS=5000` |
//! | `tests/crash` | kill -9 on the real binary under a checked load, a third of the kills inside recovery, in both advertise modes; and under groups that commit | `ROUNDS=50` |
//! | `tests/power_cut` | ext4 and xfs on a disk with a volatile cache that loses what was not flushed, in both advertise modes; a run without flushes must lose | `CUTS=20` |
//! | `tests/recovery_time` | time from restart to first answers on many partitions after kill -9 | `LOG_MB=5000` |
//! | `tests/command_line` | exit codes, ready line, refusals, hostile bytes on the wire | |
//! | `tests/command_line_clients` | our own commands against the binary: answers, exit codes, restarts, bad inputs, rot in every kind of file; starts in under 30 ms | |
//! | `tests/hostile` | malformed frames of every API and version, slow and dead peers, clients that ask and never read, requests that are begun and never ended, against the real binary in both advertise modes, with 10,000 connections, and behind a proxy that dribbles, delays and cuts; beside a producer that must not notice | `HOSTILE=60` |
//! | `tests/live_configs` | topic configs altered on the running binary: files on the disk, answers and error codes follow | |
//! | `tests/over_the_wire` | behaviours that only a socket shows: order, silence, closes, a new topic on all cores at once | |
//! | `tests/clients` | ten clients of six languages and Kafka's own tools, in both advertise modes, also through stops and kill -9; groups of eight libraries, whose members are killed and come back, record by record: what nobody here wrote, [page by page](crate::manual::clients); our own commands beside kcat and Java's producer, and on Kafka's own servers | `CLIENT_MB=100`, `GROUP_MINUTES=10` |
//! | `benches/paths` | instructions per request of the produce and fetch paths, beside the committed ones; the test command prints the difference and judges nothing | `cargo bench --bench paths` |
//! | `benches/wire` | that the micro benchmarks of codecs, checks and frame cutter run | `cargo bench --bench wire` |
//!
//! # The simulator
//!
//! Logs are values without clock, disk or network, so `tests/sim` holds the metadata log and the
//! [`CoreLog`](crate::log::core_log::CoreLog)s of a machine, a disk, a clock and clients that remember what they were
//! promised, and steps them by one generator: a failing seed repeats exactly (`SEED=17 TRACE=1` tells its story). It runs
//! the real start, recovery and change of cores, because those are code over
//! [`Storage`](crate::base::storage::Storage). Its disk keeps for every file what was written and what was
//! flushed, for every directory which entries are durable; a crash keeps all of the first (kill -9) or any subset of the
//! difference (power cut).
//!
//! A check that cannot fail proves nothing. So every rule has a planted bug: the same world with that rule broken must be
//! caught. A failing seed becomes a named test with its story.
//!
//! # Counting instructions
//!
//! Timers on shared machines differ by tens of percent from minute to minute, so none is part of the tests. `benches/paths` runs
//! a core's broker in process (no socket, no disk, a clock that it sets) through rounds of equal requests, under callgrind, and
//! divides what one function collected by the requests answered. `benches/instructions.tsv` holds the counts of the last change
//! that meant to move them; `scripts/test benches` prints the difference (without valgrind: one line that says so). A change that
//! moves a count on purpose, or for a reason that its message names, commits the new table:
//!
//! ```text
//! cargo bench --bench paths -- --write
//! callgrind_annotate target/release/callgrind/produce-one-record.out    # where they go
//! ```
//!
//! Counts repeat within a thousandth with the same compiler on the same machine. They say nothing about cache misses,
//! system calls and waiting, so a smaller count is a reason to measure, not yet a gain.
//!
//! # Which test when
//!
//! A change of bytes on disk: unit tests, then `scripts/test tests`, then `SEEDS=5000`. A change of the order of steps: the same
//! and power cuts, since only they tell `disk` from `device` (kill -9 loses nothing that O_DIRECT has written). A change of an
//! API: round trips and clients.
