//! kcat, from Debian (librdkafka 2.0.2: old on purpose).
//!
//! # What works
//!
//! Producing and consuming, byte for byte, in every codec; keys, headers, idempotence; offsets by time and from the end;
//! through a stop and kill -9 as well; `-Q` for offsets, `-L` and `-L -J` for metadata; `-G` in a group.
//!
//! ```sh
//! kcat -b 127.0.0.1:9092 -P -t demo -z lz4 -l FILE
//! kcat -b 127.0.0.1:9092 -C -t demo -o beginning -e -q
//! kcat -b 127.0.0.1:9092 -C -t demo -p 0 -o s@1700000000000 -c 10
//! kcat -b 127.0.0.1:9092 -Q -t demo:0:-1
//! kcat -b 127.0.0.1:9092 -G readers -e -q -X auto.offset.reset=earliest demo
//! ```
//!
//! # Settings
//!
//! `-E` keeps it alive while the broker is away, else it ends; `-X enable.idempotence=true` keeps order and drops repeats then.
//!
//! # What differs
//!
//! - librdkafka sends a batch uncompressed, without a word, to a broker that it takes for too old: `-d msg` would print "not
//!   compressing". Corelane lists Produce from version 0 for that reason alone, and a test per codec looks for those words.
