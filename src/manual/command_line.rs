//! The commands of `corelane` that run no broker: topics, records, the cluster, and the files of a data directory.
//!
//! They talk to any Kafka broker (tested with every build: ours in both advertise modes, Kafka 3.9 and 4.3), with the highest
//! version of each request that both sides know, and start in milliseconds. [`crate::client`] is the client behind them: ordinary
//! blocking sockets, nothing of the broker.
//!
//! | command | does |
//! |---|---|
//! | `topic create NAME...` | `-p` partitions, `-r` replicas (both: the broker's default), `-c KEY=VALUE`, `--if-not-exists`, `--dry-run` |
//! | `topic list [NAME...]` | `-i`: Kafka's own topics too |
//! | `topic describe NAME...` | partitions with leaders, replicas, start and end; configs set on the topic, `-a`: all, with their source |
//! | `topic alter NAME...` | `--set KEY=VALUE`, `--delete KEY`, `--append` and `--subtract KEY=ENTRY` for lists; configs that are not named stay |
//! | `topic add-partitions NAME...` | `-n` so many more, or `--total` so many in all |
//! | `topic trim NAME --to PLACE` | removes the records before a [place](produce_and_consume#places), in all partitions or in `-p` |
//! | `topic delete NAME...` | |
//! | `produce NAME [FILE...]` | [lines, files or JSON become records](produce_and_consume) |
//! | `consume NAME` | [records become lines, any format, JSON](produce_and_consume) |
//! | `cluster info` | id, controller, brokers; `-a`: the APIs of each broker with their versions |
//! | `group list [NAME...]` | `--state Empty,Stable,...` |
//! | `group describe NAME...` | state, members with what is assigned to them, committed offsets beside the ends, lag |
//! | `group seek NAME --to PLACE` | moves the offsets of a group without members to a [place](produce_and_consume#places): in the topics it has committed to, or in `-T`, where it may be new; `-p` partitions, `--dry-run` |
//! | `group delete NAME...` | groups without members, with their offsets |
//! | `log inspect`, `log verify` | [files of a data directory](log_files), offline |
//! | `bench produce`, `consume`, `end-to-end`, `compare`, `presets` | [load on a broker, and what it costs](mod@bench) |
//! | `completions SHELL` | for bash, zsh, fish, elvish, powershell: `source <(corelane completions bash)` |
//! | `man` | the manual page; `--dir DIR` writes one per command |
//!
//! Where a command takes several topics, a name with `*` or `?` is a pattern over all topics but Kafka's own. Before `delete` does what a
//! pattern says it asks; where nobody can be asked it wants `--yes`.
//!
//! # Which cluster, how long
//!
//! `-b HOST:PORT,...` names brokers to begin with, else the environment variable `CORELANE_BOOTSTRAP` does, else it is
//! `127.0.0.1:9092`. One that answers is enough; the others are found through it. A host without a port means 9092, an IPv6 address
//! stands in brackets. There is no TLS and no authentication.
//!
//! `--timeout SECONDS` (10) bounds how long an answer may take and how long a command tries again: leaders that moved are looked for
//! anew, connections that broke are made anew. A broker that refuses every connection at the start fails at once.
//!
//! # Answers
//!
//! Answers go to standard output: tables for people, one JSON value with `-o json` (`consume` and `log inspect`: an object per line).
//! Everything else goes to standard error: what failed, with the topic, the broker, Kafka's code by name and number, and what to do;
//! and progress, after a second on a terminal, every 30 s elsewhere, never with `--quiet`.
//!
//! | exit code | |
//! |---|---|
//! | 0 | all of it was done; also when whoever reads standard output closes it (`\| head`), and when `--follow` is interrupted |
//! | 1 | nothing was done: refused, not there, not reachable, too late; `log verify`: something is rotten |
//! | 2 | what was typed makes no sense; nothing was tried |
//! | 3 | some of it was done: some topics or partitions of several, records acknowledged before a failure, a `consume` that was interrupted |
//!
//! An error in JSON has the fields `code` and `name` (null if no broker gave one), `message`, `broker` and `remedy`.

pub mod bench;
pub mod log_files;
pub mod produce_and_consume;
