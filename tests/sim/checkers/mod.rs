//! One property per file.

pub mod liveness;
pub mod log_start;
pub mod memory_bound;
pub mod no_acked_loss;
pub mod offsets_dense;
pub mod one_value_for_ever;
pub mod producer_window;
pub mod recovery_refuses_only_with_cause;
pub mod retention;
pub mod space_given_back;
