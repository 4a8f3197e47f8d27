//! Load on any Kafka-protocol broker, and how long it takes: the generator behind `corelane bench`.
//!
//! The generator must not be what is measured. Batches are encoded once ([`payload`]); a request is a few patched fields and slices
//! ([`requests`]); a few threads ([`driver`]) keep many non-blocking connections ([`pipe`]) each. Threads share nothing but counters
//! for the progress line and, end to end, the times of batches on their way ([`deliveries`]).
//!
//! Open loop: with a rate every request has its intended time, whatever the broker does ([`timetable`]). Latency counts from there,
//! service time from the moment the request began to be sent; the difference is the delay that it waited here.
//!
//! Sockets are waited for with `rustix`'s epoll: it is the only well-kept safe interface with timeouts below a millisecond (mio's
//! has none, polling's costs two more system calls a wait), and a schedule of a few hundred microseconds needs them.

pub mod deliveries;
pub mod driver;
pub mod fetch_lane;
pub mod payload;
pub mod pipe;
pub mod process;
pub mod produce_lane;
pub mod requests;
pub mod run;
pub mod tally;
pub mod timetable;
