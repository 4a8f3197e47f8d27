//! What cores of one machine say to each other. Admin and metadata only: produce and fetch never send one.

/// See the module. (Designed together with the controller.)
#[derive(Debug)]
pub enum Message {}
