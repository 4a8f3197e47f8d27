//! Kafka's primitive types, appended to one buffer that becomes a response frame.

use crate::base::gather::Gather;
use crate::base::ids::TopicId;
use bytes::Bytes;

/// A response frame under construction: length prefix, header, body.
#[derive(Debug)]
pub struct Writer {
    bytes: Vec<u8>,
    flexible: bool,
}

impl Writer {
    /// A frame with an open length prefix. `flexible` picks the compact form of lengths.
    pub(crate) fn frame(capacity: usize, flexible: bool) -> Writer {
        let mut bytes = Vec::with_capacity(capacity + 16);
        bytes.extend_from_slice(&[0; 4]);
        Writer { bytes, flexible }
    }

    /// A part of a frame, to be measured before it is put in (tagged fields).
    pub(crate) fn part(flexible: bool) -> Writer {
        Writer { bytes: Vec::new(), flexible }
    }

    pub(crate) fn buffer(&mut self) -> &mut Vec<u8> {
        &mut self.bytes
    }

    /// Bytes so far.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    pub(crate) fn i16(&mut self, value: i16) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i32(&mut self, value: i32) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.bytes.extend_from_slice(&value.to_be_bytes());
    }

    pub(crate) fn topic_id(&mut self, id: TopicId) {
        self.bytes.extend_from_slice(&id.0);
    }

    pub(crate) fn unsigned_varint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.bytes.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.bytes.push(value as u8);
    }

    pub(crate) fn text(&mut self, text: &str) {
        if self.flexible {
            self.unsigned_varint(length(text.len()) + 1);
        } else {
            self.i16(i16::try_from(text.len()).expect("a string of the protocol"));
        }
        self.bytes.extend_from_slice(text.as_bytes());
    }

    pub(crate) fn nullable_text(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.text(text),
            None if self.flexible => self.unsigned_varint(0),
            None => self.i16(-1),
        }
    }

    /// Length of records, which follow as slices; never null.
    pub(crate) fn bytes_length(&mut self, bytes: usize) {
        self.count(bytes);
    }

    /// Count of an array.
    pub(crate) fn count(&mut self, count: usize) {
        if self.flexible {
            self.unsigned_varint(length(count) + 1);
        } else {
            self.i32(i32::try_from(count).expect("a count of the protocol"));
        }
    }

    /// Count of an array that is null.
    pub(crate) fn null_count(&mut self) {
        if self.flexible {
            self.unsigned_varint(0);
        } else {
            self.i32(-1);
        }
    }

    /// An empty tag section, in flexible versions.
    pub(crate) fn no_tags(&mut self) {
        if self.flexible {
            self.bytes.push(0);
        }
    }

    /// A tagged field; the count of the section was written before.
    pub(crate) fn tag(&mut self, tag: u32, content: &[u8]) {
        assert!(self.flexible, "tags exist in flexible versions only");
        self.unsigned_varint(tag);
        self.unsigned_varint(length(content.len()));
        self.bytes.extend_from_slice(content);
    }

    pub(crate) fn into_part(self) -> Vec<u8> {
        self.bytes
    }

    /// Closes the length prefix.
    pub(crate) fn finish(self) -> Gather {
        self.finish_with(Vec::new())
    }

    /// Closes the length prefix and puts each slice where it belongs: `(position in this buffer, slice)`, ascending.
    pub(crate) fn finish_with(mut self, slices: Vec<(usize, Bytes)>) -> Gather {
        let total = self.bytes.len() + slices.iter().map(|(_, slice)| slice.len()).sum::<usize>();
        let prefix = i32::try_from(total - 4).expect("a response is below 2 GiB");
        self.bytes[..4].copy_from_slice(&prefix.to_be_bytes());
        let all = Bytes::from(self.bytes);
        let mut gather = Gather::with_capacity(2 * slices.len() + 1);
        let mut from = 0;
        for (position, slice) in slices {
            gather.push(all.slice(from..position));
            gather.push(slice);
            from = position;
        }
        gather.push(all.slice(from..));
        assert_eq!(gather.len(), total, "every byte of a response is in its frame");
        gather
    }
}

fn length(value: usize) -> u32 {
    u32::try_from(value).ok().filter(|value| *value < i32::MAX as u32).expect("a length of the protocol")
}
