//! A network that is bad in every way that TCP allows: a connection is slow, comes in single bytes, or ends in the middle of a
//! frame. What it has taken is still delivered after the client has given the connection up, so requests of several
//! connections of one client arrive in another order than they were sent.

use crate::support::Random;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::{Duration, Instant};

/// What one connection suffers.
#[derive(Clone, Copy, Debug)]
struct Temper {
    /// From a byte's arrival to its departure to the broker.
    delay: Duration,
    /// Bytes that go to the broker at once, at most.
    piece: usize,
    /// The connection is reset after so many bytes to the broker, or so many to the client.
    cut_after: [usize; 2],
}

impl Temper {
    fn new(random: &mut Random) -> Temper {
        let delay = match random.below(4) {
            0 => 200 + random.below(250),
            1 => random.below(40),
            _ => 0,
        };
        let piece = [1, 7, 60, 1 << 16, 1 << 16, 1 << 16][random.below(6) as usize];
        let cut = |random: &mut Random, one_in: u64| match random.one_in(one_in) {
            true => 10 + random.below(600) as usize,
            false => usize::MAX,
        };
        Temper { delay: Duration::from_millis(delay), piece, cut_after: [cut(random, 3), cut(random, 3)] }
    }
}

pub struct Proxy {
    listener: TcpListener,
    target: String,
}

impl Proxy {
    pub fn new(target: &str) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("set");
        Proxy { listener, target: target.to_string() }
    }

    pub fn address(&self) -> String {
        self.listener.local_addr().expect("bound").to_string()
    }

    /// Passes connections on until told to stop, and counts those that were cut.
    pub fn run(&self, seed: u64, cut: &AtomicI64, stop: &AtomicBool) {
        let mut random = Random::new(seed);
        std::thread::scope(|scope| {
            while !stop.load(Ordering::Relaxed) {
                match self.listener.accept() {
                    Ok((client, _)) => {
                        let temper = Temper::new(&mut random);
                        let broker = TcpStream::connect(&self.target).expect("the broker accepts");
                        scope.spawn(move || {
                            cut.fetch_add(pass_on(client, broker, temper, stop).into(), Ordering::Relaxed)
                        });
                    }
                    Err(_) => std::thread::sleep(Duration::from_millis(1)),
                }
            }
        });
    }
}

/// Bytes on their way to the broker, with the time of their arrival.
type Held = std::collections::VecDeque<(Instant, Vec<u8>)>;

/// True if the connection was cut.
fn pass_on(mut client: TcpStream, mut broker: TcpStream, temper: Temper, stop: &AtomicBool) -> bool {
    for stream in [&client, &broker] {
        stream.set_nonblocking(true).expect("set");
        stream.set_nodelay(true).expect("set");
    }
    let mut held = Held::new();
    let (mut passed, mut client_ended) = ([0usize; 2], false);
    while !stop.load(Ordering::Relaxed) {
        let mut moved = false;
        if !client_ended {
            match read(&mut client) {
                Some(bytes) if bytes.is_empty() => {}
                Some(bytes) => {
                    held.push_back((Instant::now(), bytes));
                    moved = true;
                }
                // The network still has what the client sent.
                None => client_ended = true,
            }
        }
        if let Some((since, bytes)) = held.front_mut()
            && since.elapsed() >= temper.delay
        {
            let piece = temper.piece.min(bytes.len()).min(temper.cut_after[0] - passed[0]);
            match broker.write(&bytes[..piece]) {
                Ok(written) => {
                    passed[0] += written;
                    bytes.drain(..written);
                    moved = true;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_) => return false,
            }
            if bytes.is_empty() {
                held.pop_front();
            }
        }
        match read(&mut broker) {
            Some(bytes) if bytes.is_empty() => {}
            Some(mut bytes) => {
                bytes.truncate(temper.cut_after[1] - passed[1]);
                passed[1] += bytes.len();
                client.set_nonblocking(false).expect("set");
                // A client that is gone does not keep its requests from the broker.
                client_ended |= client.write_all(&bytes).is_err();
                client.set_nonblocking(true).expect("set");
                moved = true;
            }
            None => return false,
        }
        if passed.iter().zip(temper.cut_after).any(|(passed, cut_after)| *passed >= cut_after) {
            reset(&broker);
            reset(&client);
            return true;
        }
        if client_ended && held.is_empty() {
            return false;
        }
        if !moved || temper.piece < 10 {
            std::thread::sleep(Duration::from_micros(300));
        }
    }
    let _ = client.shutdown(Shutdown::Both);
    false
}

/// What is there, empty if nothing is; `None` at the end.
fn read(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut piece = vec![0; 16 << 10];
    match stream.read(&mut piece) {
        Ok(0) => None,
        Ok(bytes) => {
            piece.truncate(bytes);
            Some(piece)
        }
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => Some(Vec::new()),
        Err(_) => None,
    }
}

fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("set");
}
