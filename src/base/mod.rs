//! Floor 0: ids, offsets, limits, error codes, configuration keys, the seam to storage. Knows no state.

pub mod checksum;
pub mod clock;
pub mod config;
pub mod decode;
pub mod error_code;
pub mod gather;
pub mod ids;
pub mod latency;
pub mod limits;
pub mod map;
pub mod offset;
pub mod prng;
pub mod storage;
