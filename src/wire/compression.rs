//! The records of a batch, decompressed as a stream: as little as the reader asks for, never the whole.
//!
//! gzip, snappy (raw, or in the xerial framing that Java clients write: a header whose fields may be junk, then blocks of
//! length and raw snappy), lz4 frames, zstd. Every decoder here is safe code, since what it reads came from a client.
//! Memory: the decoder's window (32 KiB gzip, two blocks of at most 4 MiB lz4, 128 MiB zstd) or one snappy block.

//! The other way, for topics whose `compression.type` is not `producer`: what the decoders of all clients take (xerial snappy,
//! lz4 frames of independent blocks of 64 KiB). Levels count for gzip; lz4 and zstd have one, the fast one.

use crate::base::limits::SNAPPY_BLOCK_BYTES_MAX;
use flate2::Compression as GzipLevel;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;
use lz4_flex::frame::{BlockMode, BlockSize, FrameDecoder, FrameEncoder, FrameInfo};
use ruzstd::decoding::StreamingDecoder;
use ruzstd::encoding::{CompressionLevel, compress_to_vec};
use std::io::{Error, ErrorKind, Read, Result, Write};

const NONE: i16 = 0;
const GZIP: i16 = 1;
const SNAPPY: i16 = 2;
const LZ4: i16 = 3;
const ZSTD: i16 = 4;

/// What records are compressed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Compression {
    /// As in the attributes of a batch; 0: not at all.
    pub codec: i16,
    /// 1 to 9 for gzip, or -1 for its usual one.
    pub gzip_level: i32,
}

impl Compression {
    /// By Kafka's name of a codec; `None` for `producer`, and for what is no codec.
    pub fn named(name: &str, gzip_level: i32) -> Option<Compression> {
        let codec = match name {
            "uncompressed" => NONE,
            "gzip" => GZIP,
            "snappy" => SNAPPY,
            "lz4" => LZ4,
            "zstd" => ZSTD,
            _ => return None,
        };
        Some(Compression { codec, gzip_level })
    }

    /// Compresses the records of a batch.
    pub fn compress(&self, records: Vec<u8>) -> Vec<u8> {
        const WRITES: &str = "memory takes everything";
        match self.codec {
            GZIP => {
                let level = u32::try_from(self.gzip_level).map_or(GzipLevel::default(), GzipLevel::new);
                let mut encoder = GzEncoder::new(Vec::new(), level);
                encoder.write_all(&records).expect(WRITES);
                encoder.finish().expect(WRITES)
            }
            SNAPPY => xerial(&records),
            LZ4 => {
                let info = FrameInfo::new().block_mode(BlockMode::Independent).block_size(BlockSize::Max64KB);
                let mut encoder = FrameEncoder::with_frame_info(info, Vec::new());
                encoder.write_all(&records).expect(WRITES);
                encoder.finish().expect(WRITES)
            }
            ZSTD => compress_to_vec(&records[..], CompressionLevel::Fastest),
            _ => records,
        }
    }
}

/// Blocks of 32 KiB behind a header, as Java clients write them.
fn xerial(records: &[u8]) -> Vec<u8> {
    let mut out = XERIAL_MAGIC.to_vec();
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 1]);
    let mut encoder = snap::raw::Encoder::new();
    for block in records.chunks(XERIAL_BLOCK_BYTES) {
        let compressed = encoder.compress_vec(block).expect("a block of legal size");
        out.extend_from_slice(&(compressed.len() as i32).to_be_bytes());
        out.extend_from_slice(&compressed);
    }
    out
}

const XERIAL_BLOCK_BYTES: usize = 32 * 1024;

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
    use crate::base::prng::Prng;

    fn read(codec: i16, records: &[u8]) -> Result<Vec<u8>> {
        let mut all = Vec::new();
        decompress(codec, records)?.take(1 << 20).read_to_end(&mut all)?;
        Ok(all)
    }

    fn xerial_of(blocks: &[&[u8]]) -> Vec<u8> {
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
        assert_eq!(read(SNAPPY, &xerial_of(&[&text[..500], &[], &text[500..]])).expect("decompresses"), text);
    }

    /// Random bytes, text that repeats and runs, of sizes around every block border: all of it comes back.
    #[test]
    fn what_is_compressed_here_is_read_here() {
        let mut prng = Prng::new(7);
        for round in 0..400 {
            let bytes = [0, 1, 100, 32 * 1024, 64 * 1024, 128 * 1024, 300_000][prng.below(7) as usize] + prng.below(50);
            let alphabet = [1, 2, 30, 256][prng.below(4) as usize];
            let repeats = 1 + prng.below(20);
            let mut records = Vec::new();
            while (records.len() as u64) < bytes {
                let from = prng.below(records.len() as u64 + 1) as usize;
                match prng.below(repeats) {
                    0 => records.extend((0..prng.below(200)).map(|_| prng.below(alphabet) as u8)),
                    _ => records.extend_from_within(from..(from + 300).min(records.len())),
                }
            }
            for codec in [NONE, GZIP, SNAPPY, LZ4, ZSTD] {
                let compression = Compression { codec, gzip_level: [-1, 1, 9][prng.below(3) as usize] };
                let compressed = compression.compress(records.clone());
                assert!(read(codec, &compressed).expect("decompresses") == records, "codec {codec}, round {round}");
            }
        }
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
