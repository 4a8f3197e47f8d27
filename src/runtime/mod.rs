//! Floor 4: everything that touches the machine. The only place that names glommio, and with `base` the only one with `unsafe`.
//!
//! ```text
//! machine ── probe, listeners, start of the brokers, one pinned executor per core, stop
//!   core_loop    the turn: events -> Broker -> effects. The only place with that order
//!     inbox        what happened on this core since the last turn
//!     mailbox      what other threads tell this core: file completions, mesh, stop
//!     listener, sockets, connection, frame_cutter, read_budget    clients of this core
//!     disk         journal writes and flushes through io_uring
//!     timer        ticks
//!   blocking     threads for file operations, over file_storage
//!   mesh         core to core
//!   guard        keeps the executors of glommio from sleeping on runnable tasks
//! ```

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "the floor of clocks, threads and what they share"
)]
#![allow(unsafe_code, reason = "system calls without a safe wrapper; each block carries its proof")]

pub mod aligned;
pub mod blocking;
pub mod clock;
pub mod connection;
pub mod core_loop;
pub mod disk;
pub mod file_storage;
pub mod frame_cutter;
pub mod guard;
pub mod inbox;
pub mod listener;
pub mod log_limiter;
pub mod machine;
pub mod mailbox;
pub mod mesh;
pub mod probe;
pub mod read_budget;
pub mod sockets;
pub mod timer;
