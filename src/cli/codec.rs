//! What is typed about how records are produced: `--compression` and `--acks`.

use crate::wire::compression::Compression;
use clap::ValueEnum;

/// `--compression`; the number of each is that in a batch's attributes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    /// Kafka's word.
    pub(crate) fn name(self) -> &'static str {
        name(self as i16).expect("it has one")
    }

    /// With its usual level.
    pub(crate) fn compression(self) -> Compression {
        Compression { codec: self as i16, gzip_level: -1 }
    }
}

/// Kafka's word for a codec by its number in a batch.
pub(crate) fn name(codec: i16) -> Option<&'static str> {
    ["none", "gzip", "snappy", "lz4", "zstd"].get(usize::try_from(codec).ok()?).copied()
}

/// The value of `--acks`.
pub(crate) fn acks(text: &str) -> Result<i16, String> {
    match text {
        "0" => Ok(0),
        "1" => Ok(1),
        "all" | "-1" => Ok(-1),
        _ => Err("expected 0, 1 or all".to_string()),
    }
}
