//! A hostile client's socket: bytes out are counted, what comes back is told apart.

use bytes::Bytes;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Longer than any answer may take here; a test that waits for it has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(20);

/// Bytes sent to the broker by everybody.
#[derive(Default)]
pub struct Meter(AtomicU64);

impl Meter {
    pub fn add(&self, bytes: usize) {
        self.0.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    pub fn bytes(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What came back.
#[derive(Debug, PartialEq, Eq)]
pub enum Got {
    /// A whole frame, without its length.
    Frame(Bytes),
    /// The end of the connection, orderly or reset.
    Closed,
    /// Nothing for [`ANSWER_LIMIT`].
    Nothing,
    /// Something that is no frame.
    Garbage(String),
}

/// See the module.
pub struct Peer<'a> {
    stream: TcpStream,
    meter: &'a Meter,
}

impl<'a> Peer<'a> {
    pub fn connect(address: &str, meter: &'a Meter) -> Peer<'a> {
        Peer::connect_with(address, meter, None)
    }

    /// `receive_bytes`: the size of the kernel's receive buffer, for clients that do not read.
    pub fn connect_with(address: &str, meter: &'a Meter, receive_bytes: Option<usize>) -> Peer<'a> {
        let address: SocketAddr = address.parse().expect("an address");
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None).expect("a socket");
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes).expect("set");
        }
        socket.connect(&address.into()).expect("the broker accepts");
        // Closed by reset: thousands of connections must not leave thousands of ports behind.
        socket.set_linger(Some(Duration::ZERO)).expect("set");
        socket.set_tcp_nodelay(true).expect("set");
        let stream = TcpStream::from(socket);
        stream.set_read_timeout(Some(ANSWER_LIMIT)).expect("set");
        stream.set_write_timeout(Some(ANSWER_LIMIT)).expect("set");
        Peer { stream, meter }
    }

    pub fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Sends as much as the broker takes; false if it closed the connection meanwhile.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.meter.add(bytes.len());
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends what the socket takes at once; the number of bytes.
    pub fn send_some(&mut self, bytes: &[u8]) -> usize {
        self.stream.set_nonblocking(true).expect("set");
        let sent = self.stream.write(bytes).unwrap_or(0);
        self.stream.set_nonblocking(false).expect("set");
        self.meter.add(sent);
        sent
    }

    pub fn receive(&mut self) -> Got {
        let mut length = [0; 4];
        match self.read_whole(&mut length) {
            Ok(()) => {}
            Err(got) => return got,
        }
        let length = i32::from_be_bytes(length);
        if !(0..=1 << 28).contains(&length) {
            return Got::Garbage(format!("a length of {length}"));
        }
        let mut frame = vec![0; length as usize];
        match self.read_whole(&mut frame) {
            Ok(()) => Got::Frame(Bytes::from(frame)),
            Err(Got::Closed) => Got::Garbage("an answer cut off".to_string()),
            Err(got) => got,
        }
    }

    fn read_whole(&mut self, mut place: &mut [u8]) -> Result<(), Got> {
        let asked = place.len();
        while !place.is_empty() {
            match self.stream.read(place) {
                Ok(0) if place.len() == asked => return Err(Got::Closed),
                Ok(0) => return Err(Got::Garbage("an answer cut off".to_string())),
                Ok(bytes) => place = &mut place[bytes..],
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                    return Err(Got::Nothing);
                }
                Err(_) => return Err(Got::Closed),
            }
        }
        Ok(())
    }

    /// True if the broker has ended the connection, as far as shows without reading.
    pub fn has_failed(&self) -> bool {
        let mut waiting = libc::pollfd { fd: self.stream.as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
        // SAFETY: one descriptor of our own, no wait.
        let changed = unsafe { libc::poll(&mut waiting, 1, 0) };
        changed == 1 && waiting.revents & (libc::POLLRDHUP | libc::POLLHUP | libc::POLLERR) != 0
    }
}
