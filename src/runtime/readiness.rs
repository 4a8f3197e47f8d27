//! Waits for everything that can happen to a core: bytes on its sockets, connecting clients, letters of other threads, ends
//! of disk operations. One epoll instance per core; the core's loop is the only caller.
//!
//! R1: every descriptor is watched edge-triggered, once, for its whole life (or until it goes to another core); closing it ends that. Arrivals at a busy core
//!     therefore cost nothing but a mark, and no system call arms anything again.
//! R2: an edge says that something *may* have changed since the last one: whoever takes it goes on until the descriptor has
//!     nothing more, or remembers that it may have.

use std::io::Error;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// Edges taken by one system call.
const EDGES_MAX: usize = 256;

/// What may have happened to a descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// What the descriptor was watched as.
    pub token: u64,
    /// There may be input.
    pub input: bool,
    /// There may be room for output.
    pub output: bool,
    /// The peer sends no more, or the connection is broken: reading tells which.
    pub ending: bool,
}

/// See the module.
pub struct Readiness {
    epoll: OwnedFd,
    taken: Vec<libc::epoll_event>,
    /// Linux 5.11 and newer wait for less than a millisecond.
    waits_precisely: bool,
}

impl Readiness {
    /// Watches nothing yet.
    pub fn new() -> Result<Readiness, Error> {
        // SAFETY: no memory is passed.
        let epoll = unsafe { libc::epoll_create1(libc::EPOLL_CLOEXEC) };
        if epoll < 0 {
            return Err(Error::last_os_error());
        }
        // SAFETY: a descriptor that was made just now and belongs to nobody else.
        let epoll = unsafe { OwnedFd::from_raw_fd(epoll) };
        let taken = vec![libc::epoll_event { events: 0, u64: 0 }; EDGES_MAX];
        Ok(Readiness { epoll, taken, waits_precisely: true })
    }

    /// The descriptor's edges carry `token` from now on (R1). What is there already is the first edge.
    pub fn watch(&self, fd: RawFd, token: u64) -> Result<(), Error> {
        let events = (libc::EPOLLIN | libc::EPOLLOUT | libc::EPOLLRDHUP | libc::EPOLLET) as u32;
        let mut event = libc::epoll_event { events, u64: token };
        // SAFETY: `event` is a valid structure; the kernel copies it.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_ADD, fd, &mut event) };
        if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
    }

    /// The descriptor goes elsewhere, still open: no more edges of it.
    pub fn forget(&self, fd: RawFd) -> Result<(), Error> {
        // SAFETY: no memory is passed.
        let result = unsafe { libc::epoll_ctl(self.epoll.as_raw_fd(), libc::EPOLL_CTL_DEL, fd, std::ptr::null_mut()) };
        if result < 0 { Err(Error::last_os_error()) } else { Ok(()) }
    }

    /// Appends the edges since the last call to `edges`; waits for the first at most this long. A signal ends the wait.
    pub fn wait(&mut self, patience: Duration, edges: &mut Vec<Edge>) {
        let count = self.take(patience).unwrap_or_else(|error| {
            // Nothing else can be wrong with a valid descriptor and buffer.
            assert_eq!(error.raw_os_error(), Some(libc::EINTR), "epoll_pwait2: {error}");
            0
        });
        for event in &self.taken[..count] {
            let flags = event.events as i32;
            let ending = flags & (libc::EPOLLRDHUP | libc::EPOLLHUP | libc::EPOLLERR) != 0;
            let (input, output) = (flags & libc::EPOLLIN != 0, flags & libc::EPOLLOUT != 0);
            edges.push(Edge { token: event.u64, input: input || ending, output, ending });
        }
    }

    fn take(&mut self, patience: Duration) -> Result<usize, Error> {
        if self.waits_precisely {
            match self.take_precisely(patience) {
                Err(error) if error.raw_os_error() == Some(libc::ENOSYS) => self.waits_precisely = false,
                result => return result,
            }
        }
        let milliseconds = i32::try_from(patience.as_micros().div_ceil(1000)).unwrap_or(i32::MAX);
        let (place, room) = (self.taken.as_mut_ptr(), self.taken.len() as i32);
        // SAFETY: `place` has room for `room` events.
        let count = unsafe { libc::epoll_wait(self.epoll.as_raw_fd(), place, room, milliseconds) };
        if count < 0 { Err(Error::last_os_error()) } else { Ok(count as usize) }
    }

    fn take_precisely(&mut self, patience: Duration) -> Result<usize, Error> {
        let patience = libc::timespec {
            tv_sec: patience.as_secs() as libc::time_t,
            tv_nsec: libc::c_long::from(patience.subsec_nanos() as i32),
        };
        // SAFETY: the buffer has room for as many events as told, the time is valid, and no signal mask is given.
        let count = unsafe {
            libc::syscall(
                libc::SYS_epoll_pwait2,
                self.epoll.as_raw_fd(),
                self.taken.as_mut_ptr(),
                self.taken.len() as i32,
                &patience,
                std::ptr::null::<libc::sigset_t>(),
                size_of::<libc::sigset_t>(),
            )
        };
        if count < 0 { Err(Error::last_os_error()) } else { Ok(count as usize) }
    }
}

#[cfg(test)]
mod tests {
    use super::{Edge, Readiness};
    use std::io::{Read, Write};
    use std::os::fd::AsRawFd;
    use std::os::unix::net::UnixStream;
    use std::time::{Duration, Instant};

    fn edges(readiness: &mut Readiness) -> Vec<Edge> {
        let mut edges = Vec::new();
        readiness.wait(Duration::ZERO, &mut edges);
        edges
    }

    #[test]
    fn each_edge_is_told_once() {
        let mut readiness = Readiness::new().expect("an epoll instance");
        let (mut here, mut there) = UnixStream::pair().expect("sockets");
        there.write_all(b"before").expect("sent");
        readiness.watch(here.as_raw_fd(), 7).expect("watched");
        assert_eq!(edges(&mut readiness), [Edge { token: 7, input: true, output: true, ending: false }]);
        assert_eq!(edges(&mut readiness), [], "nothing is new");
        there.write_all(b"more").expect("sent");
        assert!(edges(&mut readiness)[0].input);
        here.read_exact(&mut [0; 10]).expect("all");
        drop(there);
        assert!(edges(&mut readiness)[0].ending);
        drop(here);
        assert_eq!(edges(&mut readiness), []);
    }

    #[test]
    fn waiting_ends_in_time() {
        let mut readiness = Readiness::new().expect("an epoll instance");
        let begun = Instant::now();
        readiness.wait(Duration::from_millis(20), &mut Vec::new());
        assert!(begun.elapsed() >= Duration::from_millis(20));
        readiness.waits_precisely = false;
        readiness.wait(Duration::from_micros(100), &mut Vec::new());
    }
}
