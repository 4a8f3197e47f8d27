//! The handbook. Read [`architecture`] first, then the path that interests you.
//!
//! It is kept as documentation modules so that a renamed item breaks the build of the documentation instead of the reader's
//! trust. What it says about bytes and steps is the code's; where the code taught better than the plan, it says why.

pub mod architecture;
pub mod behaviours;
pub mod clients;
pub mod command_line;
pub mod consumer_groups;
pub mod fetch_path;
pub mod glossary;
pub mod non_obvious;
pub mod on_disk_format;
pub mod one_broker;
pub mod price;
pub mod produce_path;
pub mod recovery;
pub mod testing;
