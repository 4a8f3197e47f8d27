//! One non-blocking connection: bytes to be written, large ones by reference; answers cut out of what was read.

use crate::client::connection::Connection;
use crate::client::failure::Failure;
use bytes::{Buf, Bytes, BytesMut};
use std::collections::VecDeque;
use std::io::{ErrorKind, IoSlice, Read, Write};
use std::net::TcpStream;
use std::ops::Range;

/// From here on bytes are sent from where they lie instead of being copied.
const SHARED_BYTES_MIN: usize = 4 << 10;
/// Slices of one system call.
const SLICES_MAX: usize = 64;
/// Room for answers that a connection begins with.
const ROOM_BYTES: usize = 4 << 10;
/// Beyond it the other side speaks another protocol.
const ANSWER_BYTES_MAX: usize = 1 << 30;

/// See the module.
#[derive(Debug)]
pub struct Pipe {
    stream: TcpStream,
    name: String,
    queue: VecDeque<Bytes>,
    /// What comes after the queue.
    staged: BytesMut,
    buffer: Vec<u8>,
    filled: usize,
    /// There may be something to read; set by an edge.
    pub readable: bool,
    /// There may be room to write; set by an edge.
    pub writable: bool,
}

impl Pipe {
    /// Takes over a connection that has settled its versions.
    pub fn new(connection: Connection) -> Result<Pipe, Failure> {
        let (stream, name) = connection.into_stream();
        stream.set_nonblocking(true).map_err(|error| Failure::io(&name, &error))?;
        let (queue, staged, buffer) = (VecDeque::new(), BytesMut::new(), vec![0; ROOM_BYTES]);
        Ok(Pipe { stream, name, queue, staged, buffer, filled: 0, readable: false, writable: true })
    }

    /// To be waited for.
    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// For failures.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Everything was handed to the kernel.
    pub fn is_written(&self) -> bool {
        self.staged.is_empty() && self.queue.is_empty()
    }

    /// Bytes that wait for the kernel.
    pub fn unwritten_bytes(&self) -> usize {
        self.queue.iter().map(Bytes::len).sum::<usize>() + self.staged.len()
    }

    /// Small things of the next request.
    pub fn staged(&mut self) -> &mut BytesMut {
        &mut self.staged
    }

    /// Puts bytes behind what is staged.
    pub fn share(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_BYTES_MIN {
            return self.staged.extend_from_slice(bytes);
        }
        if !self.staged.is_empty() {
            self.queue.push_back(self.staged.split().freeze());
        }
        self.queue.push_back(bytes.clone());
    }

    /// Writes as much as the kernel takes.
    pub fn write(&mut self) -> Result<(), Failure> {
        while self.writable && !self.is_written() {
            let written = if self.queue.is_empty() {
                (&self.stream).write(&self.staged)
            } else {
                let mut slices = [IoSlice::new(&[]); SLICES_MAX];
                let pieces = self.queue.iter().map(|bytes| &bytes[..]).chain(std::iter::once(&self.staged[..]));
                let count = slices.iter_mut().zip(pieces).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
                (&self.stream).write_vectored(&slices[..count])
            };
            match written {
                Ok(bytes) => self.advance(bytes),
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.writable = false,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(Failure::io(&self.name, &error)),
            }
        }
        Ok(())
    }

    fn advance(&mut self, mut bytes: usize) {
        while let Some(front) = self.queue.front_mut() {
            if bytes < front.len() {
                return front.advance(bytes);
            }
            bytes -= front.len();
            self.queue.pop_front();
        }
        if bytes == self.staged.len() {
            self.staged.clear();
        } else {
            self.staged.advance(bytes);
        }
    }

    /// Reads once. Afterwards [`Pipe::frame`] may have more.
    pub fn read(&mut self) -> Result<(), Failure> {
        let wanted = self.wanted()?;
        if self.buffer.len() < wanted {
            self.buffer.resize(wanted, 0);
        }
        match (&self.stream).read(&mut self.buffer[self.filled..]) {
            Ok(0) => Err(Failure::io(&self.name, &ErrorKind::UnexpectedEof.into())),
            Ok(bytes) => {
                self.filled += bytes;
                // Less than there is room for: there was no more, and what comes is a new edge.
                self.readable = self.filled == self.buffer.len();
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = false;
                Ok(())
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(()),
            Err(error) => Err(Failure::io(&self.name, &error)),
        }
    }

    /// Room for the frame that has begun, or for a little more.
    fn wanted(&self) -> Result<usize, Failure> {
        let whole = if self.filled < 4 { 0 } else { self.length_at(0)? };
        Ok(whole.max(self.filled + 1).max(ROOM_BYTES))
    }

    /// Bytes of the frame at `at`, its length prefix included.
    fn length_at(&self, at: usize) -> Result<usize, Failure> {
        let length = i32::from_be_bytes(self.buffer[at..at + 4].try_into().expect("four bytes"));
        match usize::try_from(length) {
            Ok(length) if length <= ANSWER_BYTES_MAX => Ok(length + 4),
            _ => Err(Failure::protocol(&self.name, format!("an answer of {length} bytes cannot be"))),
        }
    }

    /// The whole frame that begins at `at`, without its length prefix.
    pub fn frame(&self, at: usize) -> Result<Option<Range<usize>>, Failure> {
        if self.filled < at + 4 {
            return Ok(None);
        }
        let end = at + self.length_at(at)?;
        Ok((end <= self.filled).then_some(at + 4..end))
    }

    /// Bytes of a frame.
    pub fn bytes(&self, frame: Range<usize>) -> &[u8] {
        &self.buffer[frame]
    }

    /// Forgets what was read up to here.
    pub fn consume(&mut self, bytes: usize) {
        self.buffer.copy_within(bytes..self.filled, 0);
        self.filled -= bytes;
    }
}
