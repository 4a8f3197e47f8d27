//! `corelane produce` and `corelane consume`: records in and out, in the manner of kcat and rpk.
//!
//! # Produce
//!
//! ```text
//! seq 3 | corelane produce demo
//! corelane produce demo access.log errors.log -z zstd
//! printf 'k1:v1\nk2:v2\n' | corelane produce demo -K :
//! corelane produce images logo.png -k logo --whole -H type=image/png
//! corelane consume demo -J | corelane produce copy -J
//! ```
//!
//! | option | |
//! |---|---|
//! | `-K TEXT` | what divides key and value of a line; a line without it has no key |
//! | `-k TEXT` | the key of every record |
//! | `-D TEXT` | what divides records; else a line break. `\n \t \r \0 \\ \xHH` stand for bytes here and in `-K` |
//! | `--whole` | an input is one record, whatever is in it |
//! | `-J` | each line is a JSON object as `consume -J` writes them |
//! | `-H NAME=VALUE` | a header of every record, may be repeated; without `=` its value is null |
//! | `-Z` | empty values and keys are null (a null value is a tombstone) |
//! | `-p N` | the one partition |
//! | `-z CODEC` | none, gzip, snappy, lz4, zstd |
//! | `--acks 0\|1\|all` | who has to have a record; `all` by default |
//! | `--no-create` | fails if the topic does not exist, instead of asking the broker to create it as Kafka's producers do |
//! | `-o table\|json` | says at the end which offsets went where |
//!
//! A record with a key goes where Kafka's Java client puts it (murmur2 of the key, modulo the number of partitions); records without
//! one go to one partition after the other, a batch each. What was read goes out when nothing more comes for 5 ms, or at 50 ms, or at
//! 4 MiB, so a line that somebody types is sent at once. Batches are cut when the topic takes only smaller ones.
//!
//! With `--acks all` the producer is idempotent where the broker gives producer ids: what is sent again because a leader moved or a
//! connection broke is there once, in order. With 0 and 1 it may be there twice. After a failure that does not pass within
//! `--timeout` the command ends; it says how many records had been acknowledged (exit code 3, or 1 if there were none).
//!
//! # Consume
//!
//! ```text
//! corelane consume demo                                   # values, a line each, from the start to the end
//! corelane consume demo -o end --follow                   # what comes from now on, until Ctrl-C
//! corelane consume demo -o -10 -f '%p %o %T{iso} %k=%v\n'
//! corelane consume demo -o @-1h..@-30m -J | jq .value
//! ```
//!
//! It ends where the partitions ended when it began, or after `-n N` records, or never with `--follow`. Records of a partition come in
//! order; which partition comes first is anybody's guess. It asks for no group and commits nothing. Records of transactions that are
//! open or aborted are shown too, as Kafka's console consumer does by default; `--read-committed` leaves out the aborted ones and ends before
//! the first open one. What does not match its checksum is refused.
//!
//! # Places
//!
//! `-o PLACE` of `consume`, `--to PLACE` of `topic trim`:
//!
//! | | |
//! |---|---|
//! | `start`, `end` | the first record that is kept; behind the last one (also `beginning`, `earliest`, `oldest`, `latest`, `newest`) |
//! | `47` | this offset. It has to be in the partition; partitions where it is not are left out, and said so |
//! | `+2`, `-3` | the third record; the third from the end. More than there are is all there are |
//! | `@TIME` | the first record of this time or later: milliseconds, seconds (up to ten digits), `2026-11-21`, `2026-11-21T18:00:00Z`, or so long ago: `-90m` (d, h, m, s, ms). UTC |
//! | `FROM..TO` | `consume` only: ends before `TO`; either side may be missing. `FROM:TO` means the same |
//!
//! `-o json` is `-J`, as with every command: no place is called so.
//!
//! # Formats
//!
//! `-f FORMAT` writes each record so; nothing is added, not even a line break. Directives have kcat's meaning, or rpk's where kcat has none:
//!
//! | | |
//! |---|---|
//! | `%t`, `%p`, `%o` | topic, partition, offset |
//! | `%k`, `%v` or `%s` | key, value, as they are; null is nothing. `{json}`: quoted, null as `null`, bytes that are no UTF-8 as in JSON below; `{hex}`, `{base64}` |
//! | `%K`, `%V` or `%S`, `%R` | length of key and value in bytes, -1 for null; the value's as 4 bytes, big-endian |
//! | `%T` or `%d` | timestamp in milliseconds; `{iso}`: RFC 3339 |
//! | `%h` | headers, `name=value,name=value`, a null value as `NULL`; `{json}`; `{FORMAT}`: each in this format, in which `%k` and `%v` are the header's |
//! | `%H` | number of headers |
//! | `%e`, `%x`, `%y` | leader epoch, producer id, producer epoch; -1 for none |
//! | `%%`, `%{`, `%}` | these letters; `\n \t \r \0 \\ \xHH` are bytes |
//!
//! Without `-f` it is `%v\n`, with `-K TEXT` it is `%k`, the text, `%v\n`.
//!
//! # JSON
//!
//! ```text
//! {"topic":"demo","partition":0,"offset":7,"timestamp":1700000000000,"key":null,"value":"text","headers":[{"key":"h","value":{"base64":"/wA="}}]}
//! ```
//!
//! Keys, values and headers that are UTF-8 are strings; others are an object whose one field `base64` holds the bytes; null is null. So
//! no byte is lost, and a string is never mistaken for bytes. `produce -J` reads the same: `key`, `value`, `headers` and `timestamp` count,
//! each may be missing; topic, partition and offset are passed over.
