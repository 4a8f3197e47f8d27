//! Bounded reading of Kafka's primitive types: nothing here panics or reserves more than the frame justifies.

use crate::base::limits::REQUEST_ELEMENTS_MAX;
use bytes::{Buf, BytesMut};
use kafka_protocol::protocol::StrBytes;
use std::fmt;

/// Why a frame is refused. The connection that sent it is closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// The frame ends before the message does.
    Truncated,
    /// A length or count that no message has (negative, or a number that does not end).
    BadLength,
    /// Null where the protocol has no null.
    Null,
    /// More array elements and tagged fields than [`REQUEST_ELEMENTS_MAX`].
    TooManyElements,
    /// A string that is not UTF-8.
    NotUtf8,
    /// No such API here.
    UnknownApi {
        /// The key in the header.
        key: i16,
    },
    /// The API is known, the version is not served.
    UnsupportedVersion {
        /// The key in the header.
        key: i16,
        /// The version in the header.
        version: i16,
        /// For the one API that answers this error.
        correlation_id: i32,
    },
    /// The generated decoder refused the body.
    Refused(String),
}

impl fmt::Display for DecodeError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DecodeError::Truncated => formatter.write_str("the frame ends before the message does"),
            DecodeError::BadLength => formatter.write_str("impossible length or count"),
            DecodeError::Null => formatter.write_str("null where a value is required"),
            DecodeError::TooManyElements => {
                write!(formatter, "more than {REQUEST_ELEMENTS_MAX} elements in one request")
            }
            DecodeError::NotUtf8 => formatter.write_str("a string is not UTF-8"),
            DecodeError::UnknownApi { key } => write!(formatter, "unknown API key {key}"),
            DecodeError::UnsupportedVersion { key, version, .. } => {
                write!(formatter, "version {version} of API key {key} is not served")
            }
            DecodeError::Refused(why) => write!(formatter, "undecodable body: {why}"),
        }
    }
}

impl std::error::Error for DecodeError {}

/// Kafka's primitive types on top of `take`. `flexible` picks the compact form of lengths.
pub trait Primitives {
    /// The next `count` bytes.
    fn take(&mut self, count: usize) -> Result<&[u8], DecodeError>;

    /// Bytes not yet read.
    fn left(&self) -> usize;

    /// Array elements and tagged fields that this request may still have.
    fn elements_left(&mut self) -> &mut usize;

    /// The next `N` bytes as an array.
    fn array<const N: usize>(&mut self) -> Result<[u8; N], DecodeError> {
        Ok(self.take(N)?.try_into().expect("N bytes taken"))
    }

    /// INT8.
    fn i8(&mut self) -> Result<i8, DecodeError> {
        Ok(i8::from_be_bytes(self.array()?))
    }

    /// INT16.
    fn i16(&mut self) -> Result<i16, DecodeError> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    /// INT32.
    fn i32(&mut self) -> Result<i32, DecodeError> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    /// INT64.
    fn i64(&mut self) -> Result<i64, DecodeError> {
        Ok(i64::from_be_bytes(self.array()?))
    }

    /// UNSIGNED_VARINT of at most 32 bits.
    fn unsigned_varint(&mut self) -> Result<u32, DecodeError> {
        let mut value = 0u32;
        for shift in [0, 7, 14, 21, 28] {
            let byte = self.array::<1>()?[0];
            if shift == 28 && byte > 0x0f {
                return Err(DecodeError::BadLength);
            }
            value |= u32::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(DecodeError::BadLength)
    }

    /// Length of a string; `None` is null.
    fn text_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let length = if flexible { compact(self.unsigned_varint()?) } else { plain(i32::from(self.i16()?))? };
        self.within(length)
    }

    /// A string; `None` is null. Copied out of the frame: what waits with a request (a parked Fetch, a name in the metadata) would
    /// otherwise pin the whole read buffer that the frame lies in.
    fn nullable_text(&mut self, flexible: bool) -> Result<Option<StrBytes>, DecodeError> {
        match self.text_length(flexible)? {
            None => Ok(None),
            Some(0) => Ok(Some(StrBytes::new())),
            Some(length) => {
                let text = std::str::from_utf8(self.take(length)?).map_err(|_| DecodeError::NotUtf8)?;
                Ok(Some(StrBytes::from_string(text.to_owned())))
            }
        }
    }

    /// A string that cannot be null.
    fn text(&mut self, flexible: bool) -> Result<StrBytes, DecodeError> {
        self.nullable_text(flexible)?.ok_or(DecodeError::Null)
    }

    /// Length of a byte string or of records; `None` is null.
    fn bytes_length(&mut self, flexible: bool) -> Result<Option<usize>, DecodeError> {
        let length = if flexible { compact(self.unsigned_varint()?) } else { plain(self.i32()?)? };
        self.within(length)
    }

    /// `length`, if that many bytes are left.
    fn within(&self, length: Option<usize>) -> Result<Option<usize>, DecodeError> {
        match length {
            Some(length) if length > self.left() => Err(DecodeError::Truncated),
            length => Ok(length),
        }
    }

    /// Count of an array whose elements take at least `element_bytes_min`; `None` is null. Draws from `elements_left`, so that
    /// whoever reserves room for the count reserves a bounded amount.
    fn count(&mut self, flexible: bool, element_bytes_min: usize) -> Result<Option<usize>, DecodeError> {
        let count = if flexible { compact(self.unsigned_varint()?) } else { plain(self.i32()?)? };
        if let Some(count) = count {
            if count > self.left() / element_bytes_min {
                return Err(DecodeError::Truncated);
            }
            self.charge(count)?;
        }
        Ok(count)
    }

    /// Count of an array that cannot be null.
    fn required_count(&mut self, flexible: bool, element_bytes_min: usize) -> Result<usize, DecodeError> {
        self.count(flexible, element_bytes_min)?.ok_or(DecodeError::Null)
    }

    /// Takes `count` from `elements_left`.
    fn charge(&mut self, count: usize) -> Result<(), DecodeError> {
        let left = self.elements_left();
        *left = left.checked_sub(count).ok_or(DecodeError::TooManyElements)?;
        Ok(())
    }

    /// Begins a tag section: how many tagged fields follow.
    fn tag_count(&mut self) -> Result<usize, DecodeError> {
        let count = self.unsigned_varint()? as usize;
        if count > self.left() / 2 {
            return Err(DecodeError::Truncated);
        }
        self.charge(count)?;
        Ok(count)
    }

    /// Number and size of the next tagged field; its bytes are there.
    fn tag(&mut self) -> Result<(u32, usize), DecodeError> {
        let tag = self.unsigned_varint()?;
        let size = self.unsigned_varint()? as usize;
        if size > self.left() {
            return Err(DecodeError::Truncated);
        }
        Ok((tag, size))
    }

    /// Passes over a tag section none of whose tags mean anything here.
    fn skip_tags(&mut self) -> Result<(), DecodeError> {
        for _ in 0..self.tag_count()? {
            let (_, size) = self.tag()?;
            self.take(size)?;
        }
        Ok(())
    }
}

/// Compact lengths are one more than the length; 0 is null.
fn compact(value: u32) -> Option<usize> {
    value.checked_sub(1).map(|length| length as usize)
}

/// -1 is null.
fn plain(value: i32) -> Result<Option<usize>, DecodeError> {
    match value {
        -1 => Ok(None),
        value => usize::try_from(value).map(Some).map_err(|_| DecodeError::BadLength),
    }
}

/// Reads a borrowed slice.
#[derive(Debug)]
pub struct SliceReader<'a> {
    bytes: &'a [u8],
    elements_left: usize,
}

impl<'a> SliceReader<'a> {
    /// A reader of all of `bytes`.
    pub fn new(bytes: &'a [u8]) -> SliceReader<'a> {
        SliceReader { bytes, elements_left: REQUEST_ELEMENTS_MAX }
    }

    /// The same without a bound for elements, for who compares each count with the least that its elements take.
    pub fn unlimited(bytes: &'a [u8]) -> SliceReader<'a> {
        SliceReader { bytes, elements_left: usize::MAX }
    }
}

impl Primitives for SliceReader<'_> {
    fn take(&mut self, count: usize) -> Result<&[u8], DecodeError> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or(DecodeError::Truncated)?;
        self.bytes = rest;
        Ok(taken)
    }

    fn left(&self) -> usize {
        self.bytes.len()
    }

    fn elements_left(&mut self) -> &mut usize {
        &mut self.elements_left
    }
}

/// Reads an owned frame and cuts records out of it in O(1), without a copy.
#[derive(Debug)]
pub struct FrameReader {
    frame: BytesMut,
    /// Bytes at the front of `frame` that were read but not yet cut off: cutting costs more than counting.
    at: usize,
    elements_left: usize,
}

impl FrameReader {
    /// A reader of all of `frame`.
    pub fn new(frame: BytesMut) -> FrameReader {
        FrameReader { frame, at: 0, elements_left: REQUEST_ELEMENTS_MAX }
    }

    /// The next `count` bytes, owned. Pieces of one frame are disjoint, so each may be written to.
    pub fn piece(&mut self, count: usize) -> Result<BytesMut, DecodeError> {
        if count > self.left() {
            return Err(DecodeError::Truncated);
        }
        if count == 0 {
            return Ok(BytesMut::new());
        }
        self.frame.advance(self.at);
        self.at = 0;
        Ok(self.frame.split_to(count))
    }

    /// What was not read.
    pub fn into_rest(mut self) -> BytesMut {
        self.frame.advance(self.at);
        self.frame
    }
}

impl Primitives for FrameReader {
    fn take(&mut self, count: usize) -> Result<&[u8], DecodeError> {
        if count > self.left() {
            return Err(DecodeError::Truncated);
        }
        let from = self.at;
        self.at += count;
        Ok(&self.frame[from..self.at])
    }

    fn left(&self) -> usize {
        self.frame.len() - self.at
    }

    fn elements_left(&mut self) -> &mut usize {
        &mut self.elements_left
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn varints_end() {
        let read = |bytes: &[u8]| SliceReader::new(bytes).unsigned_varint();
        assert_eq!(read(&[0]), Ok(0));
        assert_eq!(read(&[0xac, 0x02]), Ok(300));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x0f]), Ok(u32::MAX));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0x1f]), Err(DecodeError::BadLength));
        assert_eq!(read(&[0xff, 0xff, 0xff, 0xff, 0xff, 0x01]), Err(DecodeError::BadLength));
        assert_eq!(read(&[0x80]), Err(DecodeError::Truncated));
    }

    #[test]
    fn counts_draw_from_one_budget() {
        let mut bytes = vec![0u8; REQUEST_ELEMENTS_MAX + 16];
        bytes[..4].copy_from_slice(&(REQUEST_ELEMENTS_MAX as i32).to_be_bytes());
        bytes[4..8].copy_from_slice(&1i32.to_be_bytes());
        let mut reader = SliceReader::new(&bytes);
        assert_eq!(reader.count(false, 1), Ok(Some(REQUEST_ELEMENTS_MAX)));
        assert_eq!(reader.count(false, 1), Err(DecodeError::TooManyElements));
    }

    #[test]
    fn pieces_share_the_frame() {
        let mut reader = FrameReader::new(BytesMut::from(&b"\x00\x02abrest"[..]));
        assert_eq!(reader.text(false).as_deref(), Ok("ab"));
        let mut piece = reader.piece(2).expect("there");
        piece[0] = b'R';
        assert_eq!(&piece[..], b"Re");
        assert_eq!(&reader.into_rest()[..], b"st");
    }
}
