//! The records of a batch, decompressed as a stream: as little as the reader asks for, never the whole.
//!
//! gzip, snappy (raw, or in the xerial framing that Java clients write: a header whose fields may be junk, then blocks of
//! length and raw snappy), lz4 frames, zstd. Every decoder here is safe code, since what it reads came from a client.
//! Memory: the decoder's window (32 KiB gzip, two blocks of at most 4 MiB lz4, 128 MiB zstd) or one snappy block.

use crate::base::limits::SNAPPY_BLOCK_BYTES_MAX;
use flate2::read::MultiGzDecoder;
use lz4_flex::frame::FrameDecoder;
use ruzstd::decoding::StreamingDecoder;
use std::io::{Error, ErrorKind, Read, Result};

const NONE: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;

/// A reader of what `records` (the bytes behind a batch's header) decompress to. `codec` as in the batch's attributes.
pub fn decompress<'a>(codec: i16, records: &'a [u8]) -> Result<Box<dyn Read + 'a>> {
    Ok(match codec {
        NONE => Box::new(records),
        GZIP => Box::new(MultiGzDecoder::new(records)),
        SNAPPY => Box::new(Snappy::new(records)),
        LZ4 => Box::new(FrameDecoder::new(records)),
        ZSTD => Box::new(StreamingDecoder::new(records).map_err(|error| Error::new(ErrorKind::InvalidData, error))?),
        _ => return Err(invalid("unknown codec")),
    })
}

/// Snappy in either form, block by block.
struct Snappy<'a> {
    /// Compressed blocks that are left.
    rest: &'a [u8],
    /// Whether each block has its length before it.
    xerial: bool,
    /// The block that is being read.
    block: Vec<u8>,
    at: usize,
}

/// Magic (8 bytes), then version and compatible version, which clients fill with whatever they like.
const XERIAL_MAGIC: &[u8] = b"\x82SNAPPY\0";
const XERIAL_HEADER_BYTES: usize = 16;
/// A snappy element of 3 bytes copies at most 64; what claims to grow more is not snappy.
const SNAPPY_GROWTH_MAX: usize = 32;

impl<'a> Snappy<'a> {
    fn new(records: &'a [u8]) -> Snappy<'a> {
        let xerial = records.starts_with(XERIAL_MAGIC) && records.len() >= XERIAL_HEADER_BYTES;
        let rest = if xerial { &records[XERIAL_HEADER_BYTES..] } else { records };
        Snappy { rest, xerial, block: Vec::new(), at: 0 }
    }

    fn next_block(&mut self) -> Result<()> {
        let compressed = if self.xerial {
            let (length, rest) = self.rest.split_first_chunk::<4>().ok_or_else(|| invalid("snappy block cut off"))?;
            let length = usize::try_from(i32::from_be_bytes(*length)).map_err(|_| invalid("negative snappy block"))?;
            let (block, rest) = rest.split_at_checked(length).ok_or_else(|| invalid("snappy block cut off"))?;
            self.rest = rest;
            block
        } else {
            std::mem::take(&mut self.rest)
        };
        let bytes = snap::raw::decompress_len(compressed).map_err(Error::other)?;
        if bytes > SNAPPY_BLOCK_BYTES_MAX || bytes > compressed.len() * SNAPPY_GROWTH_MAX {
            return Err(invalid("snappy block too large"));
        }
        self.block.clear();
        self.block.resize(bytes, 0);
        self.at = 0;
        snap::raw::Decoder::new().decompress(compressed, &mut self.block).map_err(Error::other)?;
        Ok(())
    }
}

impl Read for Snappy<'_> {
    fn read(&mut self, into: &mut [u8]) -> Result<usize> {
        while self.at == self.block.len() {
            if self.rest.is_empty() {
                return Ok(0);
            }
            self.next_block()?;
        }
        let bytes = into.len().min(self.block.len() - self.at);
        into[..bytes].copy_from_slice(&self.block[self.at..self.at + bytes]);
        self.at += bytes;
        Ok(bytes)
    }
}

fn invalid(why: &'static str) -> Error {
    Error::new(ErrorKind::InvalidData, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(codec: i16, records: &[u8]) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        decompress(codec, records)?.take(1 << 20).read_to_end(&mut all)?;
        Ok(all)
    }

    fn xerial(blocks: &[&[u8]]) -> Vec<u8> {
        let mut bytes = [XERIAL_MAGIC, b"junkjunk"].concat();
        for block in blocks {
            let compressed = snap::raw::Encoder::new().compress_vec(block).expect("compresses");
            bytes.extend_from_slice(&(compressed.len() as i32).to_be_bytes());
            bytes.extend_from_slice(&compressed);
        }
        bytes
    }

    #[test]
    fn snappy_in_both_forms() {
        let text = b"abcabcabcabcabcabcabc".repeat(1000);
        let raw = snap::raw::Encoder::new().compress_vec(&text).expect("compresses");
        assert_eq!(read(SNAPPY, &raw).expect("decompresses"), text);
        assert_eq!(read(SNAPPY, &xerial(&[&text[..500], &[], &text[500..]])).expect("decompresses"), text);
    }

    #[test]
    fn what_is_not_compressed_is_an_error_and_not_a_panic() {
        let text = b"0123456789".repeat(100);
        let bomb = [0xff, 0xff, 0xff, 0xff, 0x0f, 0, 0];
        for codec in [GZIP, SNAPPY, LZ4, ZSTD, 5, 7] {
            assert!(read(codec, &text).is_err(), "codec {codec}");
            assert!(read(codec, &bomb).is_err(), "codec {codec}");
        }
        assert!(read(SNAPPY, &[XERIAL_MAGIC, &[0; 8], &[0x7f, 0xff, 0xff, 0xff], b"x"].concat()).is_err());
        assert_eq!(read(NONE, &text).expect("plain"), text);
    }
}
