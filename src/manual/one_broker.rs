//! One broker and one port for all cores: `advertise=per-machine`.
//!
//! Where a port per core cannot be opened (containers with one published port, a load balancer, a firewall), clients see one
//! broker with the id `node.id * 1000`, which leads everything. All cores accept from one listening socket: whichever is awake
//! takes the next client. Whichever core a client reached answers for all.
//!
//! # What clients are told
//!
//! | `advertised.listeners` | host and port in Metadata |
//! |---|---|
//! | set | as set, whatever the port is mapped to; it must lead to the listener from where the clients are |
//! | empty, listener on an address | that address and its port |
//! | empty, listener on a wildcard | the address at which this client's connection arrived, and the listener's port |
//!
//! Behind a port mapping the last row names the inside of the mapping: right for neighbours in the same network, wrong for those
//! outside, hence `advertised.listeners` in the image. One listener name is possible, so inside and outside cannot be told
//! different names yet.
//!
//! # A request in parts
//!
//! ```text
//! asking core    decode, cut by owner ──── a part to each owner, in order ────────> merge, encode, send
//! owning core                              the API's own handler ── answer as it is ──^
//! ```
//!
//! - Produce, Fetch, ListOffsets, DeleteRecords, OffsetForLeaderEpoch and DescribeProducers are cut by the owner of each partition,
//!   DescribeLogDirs goes to every core. A part is a request of its own; answers come back not encoded, and are put together in
//!   the order of the request (`broker::forwarding::cut`).
//! - An owner keeps a session for each connection of another core that it works for. So a part that has to wait, for a partition to be
//!   loaded or for room in the ring, holds up the later parts of its connection as it would hold up the connection itself:
//!   batches of one producer keep their order per partition, whatever waits where.
//! - What lives on the asking core alone is handled at once, unless a part of the same connection is under way: it could be one that
//!   waits for the same partition.
//! - acks=0: owners tell the asking core when they are done; an error there closes the connection.
//! - An owner's answers leave as they are known, not in the order of the parts: the asking core puts them in order. So a watch that waits
//!   holds up no later part, and no memory that was set aside for what that part brings.
//! - Record batches cross cores as counted slices, not as copies. An architecture of nothing shared would copy them at the border.
//!   Measured on this machine, warm memory, best of 5, two runs: a copy takes 0.05 to 0.08 CPU-s/GB in pieces of 16 KiB or 1 MiB, and
//!   2 to 3 where it touches memory for the first time ([`super::price`]); counting up and down takes 10 ns, which for two slices a
//!   request is 0.0012 CPU-s/GB at 16 KiB and 0.00002 at 1 MiB, and stays below 0.02 and 0.0003 were the counter's line to travel between
//!   the cores each time. So the slices stay counted.
//!
//! # A Fetch over several cores
//!
//! Every owner is asked for what it has now. If that is too little, each owner gets a watch with a threshold: what it had, and its
//! share of what is missing. The first watch that ends (bytes, an error, the time) ends the others, and everybody is asked again. When
//! enough bytes are there in all, one owner has its share: so none is overlooked, and `min_bytes` holds exactly. Each owner fills
//! its share of `max_bytes`; of what exceeds it all the same, the later partitions wait for the next Fetch. The fetch session
//! belongs to the asking core; parts have none. Watches are parked requests of the owner, one per Fetch and owner; while they last no
//! memory is set aside.
//!
//! # A connection goes home
//!
//! After [`HAND_OVER_STREAK_MIN`](crate::base::limits::HAND_OVER_STREAK_MIN) requests in a row about one and the same other core, and
//! as soon as nothing of it is owed, a connection is handed over: its socket, and what was received and not cut into requests yet.
//! There it is served as in per-core mode. A producer with requests always under way is not read for that moment; a consumer is
//! never held up, since its Fetch may wait for what it sends next. The fetch session ends with the move, which clients hear as
//! FETCH_SESSION_ID_NOT_FOUND and begin a new one. A connection that asks for several cores stays where it is.
//!
//! # Bounds
//!
//! A core has at most [`FORWARDED_PARTS_MAX`](crate::base::limits::FORWARDED_PARTS_MAX) parts under way; beyond it its clients'
//! requests wait. Watches do not count there, so that idle consumers stand in nobody's way: they have a bound of their own,
//! [`WAITING_FETCHES_FORWARDED_MAX`](crate::base::limits::WAITING_FETCHES_FORWARDED_MAX) Fetches, and beyond it the one that has waited
//! longest is answered with what there is. Forwarded requests count as kept by their connection, whose reading pauses at the same limits as ever, and by
//! its core. Memory for the answers of a split Fetch is set aside of the asking core's `fetch.memory.bytes` before the owners are
//! asked; owners do not wait for memory of their own, else two cores that ask each other could wait for ever. A client that leaves takes its parts with it: owners forget its session.
//!
//! # What it costs
//!
//! Per-core mode pays one comparison per request. Here a part costs two messages between cores, and a core that sleeps has to be
//! woken. Connections that went home cost what they cost in per-core mode.
//!
//! Both modes side by side on a machine of 2 shared virtual CPUs, client and broker on both, `disk`, November 2026: raw client
//! with five requests in flight per connection (one for one-record requests), 4 s after 2 s of warm-up, three rounds in turn;
//! median and range. The machine was busy with builds all the while, so look at the ratios.
//!
//! | load | | per-core | per-machine |
//! |---|---|---|---|
//! | produce 16 KiB, 4 connections, each to all of 4 partitions that its broker leads, in turn | CPU-s/GB | 1.61 (1.54-2.11) | 2.13 (1.97-2.76) |
//! | | p99 ms | 8.4 (7.7-11.8) | 11.8 (10.1-13.5) |
//! | produce 16 KiB, 2 connections, one partition: they went home | CPU-s/GB | 1.48 (1.38-1.78) | 1.61 (1.52-1.62) |
//! | | p99 ms | 9.9 (9.6-12.3) | 8.3 (7.8-16.0) |
//! | one 100-byte record a request, 32 connections, likewise | us/request | 15.0 (14.7-19.6) | 21.4 (19.2-24.0) |
//! | | p99 ms | 8.7 (7.1-10.1) | 7.5 (7.5-10.1) |
//! | 10 MB/s in 4 KiB requests, open loop, 8 connections, 8 partitions, likewise | CPU-s/GB | 20.4 (19.9-22.0) | 24.3 (22.9-27.0) |
//! | | p99 ms | 23.6 (15.0-25.6) | 22.2 (19.3-36.3) |
//!
//! And with nothing else running, two rounds in turn, 3 s after 2 s, connections and partitions as in [`super::price`]: one-record
//! requests 11.6 and 12.4 against 23.0 and 15.3 us, p99 1.0 and 0.9 against 1.9 and 1.1 ms; 16 KiB requests 1.17 and 1.21 against 1.74
//! and 1.49 CPU-s/GB, p99 3.0 and 3.3 against 3.5 and 3.9 ms; 10 MB/s 19.5 and 19.8 against 22.7 and 26.2 CPU-s/GB, p99 3.5 and 4.1 against
//! 5.2 and 4.9 ms.
