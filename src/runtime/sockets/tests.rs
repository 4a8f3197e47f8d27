//! Real sockets on a thread of their own, with an echo in the broker's place.

use super::{SocketSettings, Sockets};
use crate::base::clock::Now;
use crate::base::gather::Gather;
use crate::base::ids::ConnectionId;
use crate::broker::event::Event;
use crate::runtime::connection::OUTBOUND_BYTES_MAX;
use crate::runtime::inbox::Inbox;
use crate::runtime::listener::{Listener, bind, listen};
use crate::runtime::readiness::Readiness;
use bytes::Bytes;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

const REQUEST_BYTES_MAX: usize = 8 << 20;
const IDLE_MS_MAX: u64 = 600_000;

/// What a test tells the core.
enum Order {
    /// Nothing, once this many bytes were received by all connections.
    Await { received_bytes: u64 },
    /// Let this much time pass, then look for overdue connections.
    Pass { ms: u64 },
    /// Pause or resume every connection.
    Pause(bool),
    /// Close every connection after its answers.
    Close,
    /// Leave; connections now open are the answer.
    End,
}

fn at(ms: u64) -> Now {
    Now { monotonic_ns: ms * 1_000_000, wall_ms: 0 }
}

struct Core {
    address: SocketAddr,
    orders: Sender<Order>,
    obeyed: Receiver<()>,
    open: Receiver<usize>,
    thread: JoinHandle<()>,
}

impl Core {
    fn start(connections_max: usize) -> Core {
        let (socket, address) = bind("127.0.0.1:0".parse().expect("an address")).expect("bound");
        listen(&socket).expect("listens");
        let (orders, received) = channel();
        let (report, open) = channel();
        let (confirm, obeyed) = channel();
        let thread = std::thread::spawn(move || {
            let settings =
                SocketSettings { request_bytes_max: REQUEST_BYTES_MAX, idle_ms_max: IDLE_MS_MAX, connections_max };
            let inbox = Rc::<Inbox>::default();
            let sockets = Sockets::new(settings, inbox.clone(), at(1_000)).expect("a ring");
            serve(Listener::new(socket), &sockets, &inbox, (&received, &confirm));
            report.send(sockets.len()).expect("the test waits");
        });
        Core { address, orders, obeyed, open, thread }
    }

    fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(self.address).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
        stream
    }

    /// At return the order is obeyed. What was sent before need not have arrived by then.
    fn order(&self, order: Order) {
        self.orders.send(order).expect("the core lives");
        self.obeyed.recv_timeout(Duration::from_secs(20)).expect("obeyed");
    }

    fn end(self) -> usize {
        self.orders.send(Order::End).expect("the core lives");
        let open = self.open.recv().expect("reported");
        self.thread.join().expect("ends");
        open
    }
}

fn serve(mut listener: Listener, sockets: &Sockets, inbox: &Inbox, (orders, confirm): (&Receiver<Order>, &Sender<()>)) {
    const LISTENER: u64 = 0;
    let mut readiness = Readiness::new().expect("an epoll instance");
    readiness.watch(listener.descriptor(), LISTENER).expect("watched");
    let (mut edges, mut known, mut next) = (Vec::new(), Vec::new(), None);
    loop {
        let patience = if sockets.has_ready() || listener.is_due(0) { 0 } else { 5 };
        readiness.wait(Duration::from_millis(patience), &mut edges);
        for edge in edges.drain(..) {
            if edge.token == LISTENER { listener.note_edge() } else { sockets.note_edge(edge) }
        }
        if listener.is_due(0) {
            listener.accept(&readiness, sockets, 0);
        }
        sockets.read_ready();
        next = next.or_else(|| orders.try_recv().ok());
        match &next {
            None => {}
            Some(Order::End) => return,
            Some(Order::Await { received_bytes }) if sockets.counters.received_bytes.get() < *received_bytes => {}
            Some(order) => {
                obey(sockets, order);
                confirm.send(()).expect("the test waits");
                next = None;
            }
        }
        echo(sockets, inbox, &mut known);
    }
}

fn obey(sockets: &Sockets, order: &Order) {
    let all: Vec<ConnectionId> = sockets.connections.borrow().keys().copied().collect();
    match order {
        Order::Pass { ms } => {
            sockets.set_now(at(sockets.now_ms() + ms));
            sockets.sweep();
        }
        Order::Pause(paused) => all.into_iter().for_each(|id| sockets.pause(id, *paused)),
        Order::Close => all.into_iter().for_each(|id| sockets.close(id, "told to")),
        Order::Await { .. } | Order::End => {}
    }
}

fn echo(sockets: &Sockets, inbox: &Inbox, known: &mut Vec<ConnectionId>) {
    let mut events = Vec::new();
    inbox.swap(&mut events);
    for event in events {
        match event {
            Event::Connected { connection, .. } => known.push(connection),
            Event::Disconnected { connection } => known.retain(|open| *open != connection),
            Event::Request { connection, frame, buffer_bytes } => {
                assert!(known.contains(&connection) && buffer_bytes >= frame.len());
                if frame.is_empty() {
                    sockets.close(connection, "no frame");
                    continue;
                }
                let mut answer = Gather::from(Bytes::copy_from_slice(&(frame.len() as i32).to_be_bytes()));
                answer.push(frame.freeze());
                sockets.reply(connection, answer);
            }
            Event::Unsent { .. } => {}
            other => panic!("unexpected {other:?}"),
        }
    }
    sockets.turn_handled();
    sockets.send_dirty();
}

fn frame(byte: u8, bytes: usize) -> Vec<u8> {
    let mut all = (bytes as i32).to_be_bytes().to_vec();
    all.resize(4 + bytes, byte);
    all
}

fn read_frame(stream: &mut TcpStream) -> Vec<u8> {
    let mut length = [0; 4];
    stream.read_exact(&mut length).expect("a length");
    let mut bytes = vec![0; i32::from_be_bytes(length) as usize];
    stream.read_exact(&mut bytes).expect("an answer");
    bytes
}

/// The connection is at its end: nothing more comes.
fn is_closed(stream: &mut TcpStream) -> bool {
    match stream.read(&mut [0; 1]) {
        Ok(bytes) => bytes == 0,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionReset,
    }
}

#[test]
fn requests_of_all_sizes_are_answered_in_order() {
    let core = Core::start(100);
    let mut threads = Vec::new();
    for client in 0..8_u8 {
        let mut stream = core.connect();
        threads.push(std::thread::spawn(move || {
            let sizes = [1, 100, 5_000, 60_000, 66_000, 1 << 20, (2 << 20) + 5, REQUEST_BYTES_MAX];
            let mut writer = stream.try_clone().expect("cloned");
            let sent = std::thread::spawn(move || {
                for round in 0..3 {
                    for size in sizes {
                        writer.write_all(&frame(client ^ round, size)).expect("sent");
                    }
                }
            });
            for round in 0..3 {
                for size in sizes {
                    let answer = read_frame(&mut stream);
                    assert!(answer.len() == size && answer.iter().all(|byte| *byte == client ^ round));
                }
            }
            sent.join().expect("sent");
        }));
    }
    threads.into_iter().for_each(|thread| thread.join().expect("answered"));
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(core.end(), 0);
}

#[test]
fn many_small_requests_in_one_write_and_bytes_one_by_one() {
    let core = Core::start(100);
    let mut stream = core.connect();
    let mut batch = Vec::new();
    (0..5_000_u32).for_each(|index| batch.extend(frame(index as u8, 7)));
    let mut writer = stream.try_clone().expect("cloned");
    let sent = std::thread::spawn(move || writer.write_all(&batch).expect("sent"));
    (0..5_000_u32).for_each(|index| assert_eq!(read_frame(&mut stream), vec![index as u8; 7]));
    sent.join().expect("sent");
    stream.set_nodelay(true).expect("set");
    for byte in frame(9, 20) {
        stream.write_all(&[byte]).expect("sent");
        std::thread::sleep(Duration::from_millis(2));
    }
    assert_eq!(read_frame(&mut stream), vec![9; 20]);
    core.end();
}

#[test]
fn a_client_that_takes_no_answers_is_not_read_and_then_closed() {
    let core = Core::start(100);
    let mut stream = core.connect();
    stream.set_write_timeout(Some(Duration::from_millis(500))).expect("set");
    let mut sent = 0;
    while stream.write_all(&frame(1, 256 << 10)).is_ok() {
        sent += 256 << 10;
        assert!(sent < OUTBOUND_BYTES_MAX + (64 << 20), "the broker buffers without bound");
    }
    core.order(Order::Pass { ms: 1 });
    core.order(Order::Pass { ms: 29_000 });
    let mut other = core.connect();
    other.write_all(&frame(2, 3)).expect("sent");
    assert_eq!(read_frame(&mut other), [2, 2, 2], "the others are served");
    core.order(Order::Pass { ms: 2_000 });
    assert_eq!(core.end(), 1);
}

#[test]
fn half_a_request_and_idleness_have_an_end() {
    let core = Core::start(100);
    let (mut half, mut idle) = (core.connect(), core.connect());
    half.write_all(&frame(1, 100)[..50]).expect("sent");
    core.order(Order::Await { received_bytes: 50 });
    core.order(Order::Pass { ms: 29_000 });
    idle.write_all(&frame(1, 1)).expect("sent");
    read_frame(&mut idle);
    core.order(Order::Pass { ms: 2_000 });
    assert!(is_closed(&mut half));
    idle.write_all(&frame(1, 1)).expect("sent");
    read_frame(&mut idle);
    core.order(Order::Pass { ms: IDLE_MS_MAX + 1 });
    assert!(is_closed(&mut idle));
    assert_eq!(core.end(), 0);
}

#[test]
fn pausing_holds_requests_back() {
    let core = Core::start(100);
    let mut stream = core.connect();
    stream.write_all(&frame(1, 1)).expect("sent");
    read_frame(&mut stream);
    core.order(Order::Pause(true));
    stream.write_all(&frame(2, 2)).expect("sent");
    stream.set_read_timeout(Some(Duration::from_millis(200))).expect("set");
    assert!(stream.read(&mut [0; 1]).is_err(), "no answer while paused");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    core.order(Order::Pause(false));
    assert_eq!(read_frame(&mut stream), [2, 2]);
    core.end();
}

#[test]
fn closing_sends_what_was_answered() {
    let core = Core::start(100);
    let mut stream = core.connect();
    for _ in 0..4 {
        stream.write_all(&frame(3, 1 << 20)).expect("sent");
    }
    std::thread::sleep(Duration::from_millis(300));
    core.order(Order::Close);
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("no reset");
    assert!(all.len() >= (1 << 20) + 4 && all.len().is_multiple_of((1 << 20) + 4), "{} bytes", all.len());
    drop(stream);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(core.end(), 0);
}

#[test]
fn connections_and_lengths_are_bounded() {
    let core = Core::start(2);
    let (mut first, _second) = (core.connect(), core.connect());
    first.write_all(&frame(1, 1)).expect("sent");
    read_frame(&mut first);
    assert!(is_closed(&mut core.connect()));
    let refused = (REQUEST_BYTES_MAX as i32 + 1).to_be_bytes();
    first.write_all(&[frame(2, 1), refused.to_vec(), frame(3, 1)].concat()).expect("sent");
    assert_eq!(read_frame(&mut first).len(), 1, "what came before is answered");
    assert!(is_closed(&mut first));
    drop(first);
    std::thread::sleep(Duration::from_millis(50));
    let mut third = core.connect();
    third.write_all(&frame(1, 1)).expect("sent");
    read_frame(&mut third);
    core.end();
}
