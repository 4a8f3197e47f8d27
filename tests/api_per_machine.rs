//! The tests of `tests/api` once more, on machines that clients see as one broker (`advertise=per-machine`): whichever core is
//! asked answers for all. `world::per_machine` tells the two apart. And what only such machines do.

include!("api/main.rs");

#[path = "api/forwarding.rs"]
mod forwarding;
