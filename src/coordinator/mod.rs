//! Floor 2: consumer groups, as a state machine without I/O. Siblings (`log`, `metadata`) are not imported.
//!
//! One [`Groups`](groups::Groups) holds all groups of one partition of `__consumer_offsets`; the broker of the core that leads that
//! partition owns it, feeds it requests, time and the fate of its records, and takes answers and records out of it. What is
//! known of a group beyond its live members is in that partition and nowhere else.

pub mod answers;
mod describe;
mod expiry;
pub mod group;
pub mod groups;
mod join;
mod leave;
mod member;
mod offsets;
mod outbox;
mod replay;
mod snapshot;
mod sync;
mod timers;
