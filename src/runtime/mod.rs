//! Floor 4: everything that touches the machine. With `base` the only place with `unsafe`.
//!
//! ```text
//! machine ── probe, listeners, start of the brokers, one pinned thread per core, stop
//!   core_loop    the turn: events -> Broker -> effects. The only place with that order
//!     readiness    the one place where a core waits
//!     inbox        what happened on this core since the last turn
//!     mailbox      what other threads tell this core: file completions, mesh, stop
//!     listener, sockets, connection, frame_cutter, read_budget, slack, taking    clients of this core
//!     send_batch   one system call for the answers to many of them
//!     disk         over journal_ring (writes and flushes through io_uring) and blocking
//!     timer        ticks
//!   blocking     threads for file operations, over file_storage
//!   mesh         core to core
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the floor of clocks, threads and what they share"
)]
#![allow(unsafe_code, reason = "system calls without a safe wrapper; each block carries its proof")]

pub mod aligned;
pub mod allocator;
pub mod block_write;
pub mod blocking;
pub mod clock;
pub mod connection;
pub mod core_loop;
pub mod disk;
pub mod file_storage;
pub mod frame_cutter;
pub mod inbox;
pub mod journal_ring;
pub mod listener;
pub mod log_limiter;
pub mod machine;
pub mod mailbox;
pub mod memory_limit;
pub mod mesh;
pub mod probe;
pub mod read_budget;
pub mod readiness;
pub mod send_batch;
pub mod slack;
pub mod sockets;
pub mod taking;
pub mod timer;
