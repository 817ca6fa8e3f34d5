//! A socket of a host: calls on it, and waiting.
//!
//! A call is written once and does not block. Who may block asks, is told to wait, is remembered under the same lock, sleeps, and
//! asks again: a thread parks, a task returns `Pending`.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use ieum_socket::numbers::{SO_RCVTIMEO, SO_SNDTIMEO, SOL_SOCKET};
use ieum_socket::{Domain, Errno, Kind, Progress, SocketId, Wait};
use ieum_wire::Instant;

use crate::host::Host;
use crate::network::until;
use crate::room::{HostRoom, Way, Wish};

/// An open socket description. Closed with its last handle.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) host: Host,
    id: SocketId,
    /// Closing waits, where SO_LINGER says so.
    close_waits: AtomicBool,
    /// O_NONBLOCK, which std has for all handles of a description as Linux has.
    nonblocking: AtomicBool,
}

/// Who asks: a call that waits has one, and is forgotten with it.
#[derive(Debug)]
struct Asker<'a> {
    host: &'a Host,
    wish: Wish,
    key: u64,
}

/// The key of who polls for reading or for writing and is remembered one at a time: the last one.
const POLLS_READ: u64 = 0;
const POLLS_WRITE: u64 = 1;

/// The next key of an asker.
static NEXT_KEY: AtomicU64 = AtomicU64::new(2);

impl Socket {
    /// socket(2), for addresses of that family.
    pub(crate) fn new(host: &Host, address: SocketAddr, kind: Kind) -> io::Result<Socket> {
        let domain = if address.is_ipv4() { Domain::Ip4 } else { Domain::Ip6 };
        let kind = match kind {
            Kind::Stream => 1,
            Kind::Datagram => 2,
        };
        Socket::made(host, domain.number(), kind, 0)
    }

    /// socket(2), by its numbers.
    pub(crate) fn made(host: &Host, domain: i32, kind: i32, protocol: i32) -> io::Result<Socket> {
        let made = host.look(|_, room| room.host.socket(domain, kind, protocol));
        Ok(Socket::of(host, made.map_err(error)?))
    }

    /// The same with SOCK_RAW, of a protocol.
    pub(crate) fn raw(host: &Host, domain: Domain, protocol: u8) -> io::Result<Socket> {
        const SOCK_RAW: i32 = 3;
        let made = host.look(|_, room| room.host.socket(domain.number(), SOCK_RAW, protocol.into()));
        Ok(Socket::of(host, made.map_err(error)?))
    }

    pub(crate) fn of(host: &Host, id: SocketId) -> Socket {
        Socket {
            host: host.clone(),
            id,
            nonblocking: AtomicBool::new(false),
            close_waits: AtomicBool::new(true),
        }
    }

    /// A connection that this one, a listener, has accepted.
    pub(crate) fn accepted(&self, id: SocketId) -> Socket {
        let accepted = Socket::of(&self.host, id);
        accepted.set_close_waits(self.close_waits.load(Ordering::Relaxed));
        accepted
    }

    /// One call.
    pub(crate) fn call<T>(
        &self,
        call: impl FnOnce(Instant, &mut ieum_socket::Host, SocketId) -> Result<T, Errno>,
    ) -> io::Result<T> {
        self.host.with(|now, room| call(now, &mut room.host, self.id)).map_err(error)
    }

    /// One question, after which nothing follows.
    pub(crate) fn look<T>(
        &self,
        question: impl FnOnce(&mut ieum_socket::Host, SocketId) -> Result<T, Errno>,
    ) -> io::Result<T> {
        self.host.look(|_, room| question(&mut room.host, self.id)).map_err(error)
    }

    /// A call that may block, until it has an answer. `call` is told whether it may wait.
    pub(crate) fn block<T>(
        &self,
        way: Way,
        mut wait: Wait,
        mut call: impl FnMut(Instant, &mut ieum_socket::Host, SocketId, bool, &mut Wait) -> Progress<T>,
    ) -> io::Result<T> {
        let blocks = !self.is_nonblocking();
        block(&self.host, Wish::Of(self.id, way), |now, room| {
            let progress = call(now, &mut room.host, self.id, blocks, &mut wait);
            progress.ok_or_else(|| wait.until.map(|then| until(now, then)))
        })
    }

    /// A call of a task that is remembered as the one who reads or writes: the last one is, as the traits of reading and writing
    /// have it.
    pub(crate) fn poll<T>(
        &self,
        cx: &Context<'_>,
        way: Way,
        mut call: impl FnMut(Instant, &mut ieum_socket::Host, SocketId) -> Result<T, Errno>,
    ) -> Poll<io::Result<T>> {
        let key = match way {
            Way::Read => POLLS_READ,
            Way::Write | Way::Either | Way::Events(_) | Way::Change => POLLS_WRITE,
        };
        poll(&self.host, Wish::Of(self.id, way), key, cx, |now, room| call(now, &mut room.host, self.id))
    }

    /// Is there what `way` waits for? For the task that is remembered for it.
    pub(crate) fn poll_ready(&self, cx: &Context<'_>, way: Way) -> Poll<io::Result<()>> {
        self.poll(cx, way, |_, host, id| way.is_there(host.readiness(id)))
    }

    /// The same for any number of tasks at once, each remembered until it has its answer or is dropped.
    pub(crate) async fn ready(&self, way: Way) -> io::Result<()> {
        self.answered(way, |_, host, id| way.is_there(host.readiness(id))).await
    }

    /// A call of any number of tasks at once, each remembered until it has its answer or is dropped.
    pub(crate) async fn answered<T>(
        &self,
        way: Way,
        mut call: impl FnMut(Instant, &mut ieum_socket::Host, SocketId) -> Result<T, Errno>,
    ) -> io::Result<T> {
        wait_for(&self.host, Wish::Of(self.id, way), |now, room| call(now, &mut room.host, self.id)).await
    }

    /// Makes a call when there is what `way` waits for, and, should it say WouldBlock, again when something has changed
    /// and it is there; for any number of tasks at once.
    pub(crate) async fn when<T>(&self, way: Way, mut call: impl FnMut() -> io::Result<T>) -> io::Result<T> {
        let wish = Wish::Of(self.id, Way::Change);
        let asker = Asker::new(&self.host, wish);
        std::future::poll_fn(|cx| {
            let waker = cx.waker().clone();
            // Remembered before the call is made: what changes after that is not missed.
            let (there, is_broken) = self.host.with(|_, room| {
                room.wait(wish, asker.key, waker);
                let there = room.check_present().and_then(|()| way.is_there(room.readiness(self.id)));
                (there, room.is_broken)
            });
            match there.map(|()| call()) {
                Err(Errno::EAGAIN) => Poll::Pending,
                Err(errno) => Poll::Ready(Err(error(errno))),
                Ok(Err(told)) if told.kind() == io::ErrorKind::WouldBlock && !is_broken => Poll::Pending,
                Ok(answer) => Poll::Ready(answer),
            }
        })
        .await
    }

    pub(crate) fn readiness(&self) -> ieum_socket::Readiness {
        self.host.look(|_, room| room.readiness(self.id))
    }

    /// What is ready of what `way` waits for, in the bits of poll(2); when nothing is, or what is waited for is a change, whoever
    /// has that key is woken by what comes.
    pub(crate) fn watch(&self, way: Way, key: u64, waker: Waker) -> u32 {
        let wish = Wish::Of(self.id, way);
        let (mut waker, mut events) = (Some(waker), 0);
        if way != Way::Change {
            let ready = self.readiness();
            if way.is_there(ready).is_ok() {
                return ready.events();
            }
        }
        self.host.with(|_, room| {
            let ready = room.readiness(self.id);
            events = ready.events();
            // What is not needed is dropped when the lock is free again.
            if (way == Way::Change || way.is_there(ready).is_err())
                && let Some(waker) = waker.take()
            {
                room.wait(wish, key, waker);
            }
        });
        events
    }

    /// It does not wait any more.
    pub(crate) fn unwatch(&self, key: u64) {
        self.host.with(|_, room| room.cease(Wish::Of(self.id, Way::Change), key));
    }

    pub(crate) fn set_nonblocking(&self, nonblocking: bool) {
        self.nonblocking.store(nonblocking, Ordering::Relaxed);
    }

    pub(crate) fn set_close_waits(&self, waits: bool) {
        self.close_waits.store(waits, Ordering::Relaxed);
    }

    pub(crate) fn is_nonblocking(&self) -> bool {
        self.nonblocking.load(Ordering::Relaxed)
    }

    // What both kinds can be asked.

    pub(crate) fn domain(&self) -> io::Result<Domain> {
        self.look(|host, id| host.domain(id).ok_or(Errno::EBADF))
    }

    pub(crate) fn local_addr(&self) -> io::Result<SocketAddr> {
        self.look(|host, id| host.local_address(id))
    }

    pub(crate) fn peer_addr(&self) -> io::Result<SocketAddr> {
        self.look(|host, id| host.remote_address(id))
    }

    pub(crate) fn bind(&self, address: SocketAddr) -> io::Result<()> {
        self.call(|_, host, id| host.bind(id, address))
    }

    pub(crate) fn take_error(&self) -> io::Result<Option<io::Error>> {
        self.look(|host, id| Ok(host.take_error(id).map(error)))
    }

    /// SO_RCVTIMEO or SO_SNDTIMEO; `None`: for ever.
    pub(crate) fn timeout(&self, way: Way) -> io::Result<Option<Duration>> {
        let bytes = self.look(|host, id| host.option(id, SOL_SOCKET, timeout_option(way)))?;
        let [seconds, us] = [0, 8].map(|at| {
            let word = bytes.get(at..).and_then(|rest| rest.first_chunk());
            u64::try_from(word.map_or(0, |word| i64::from_ne_bytes(*word))).unwrap_or(0)
        });
        let timeout = Duration::from_secs(seconds) + Duration::from_micros(us);
        Ok(Some(timeout).filter(|timeout| !timeout.is_zero()))
    }

    pub(crate) fn set_timeout(&self, way: Way, timeout: Option<Duration>) -> io::Result<()> {
        if timeout.is_some_and(|timeout| timeout.is_zero()) {
            return Err(invalid("cannot set a 0 duration timeout"));
        }
        // Less than a microsecond is one, as std has it: 0 would be for ever.
        let timeout = timeout.map_or(Duration::ZERO, |timeout| timeout.max(Duration::from_micros(1)));
        let seconds = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
        let value = [seconds, timeout.subsec_micros().into()].map(i64::to_ne_bytes).concat();
        self.call(|now, host, id| host.set_option(now, id, SOL_SOCKET, timeout_option(way), &value))
    }

    /// An option that is a number, of four bytes or of one.
    pub(crate) fn option(&self, level: i32, name: i32) -> io::Result<i32> {
        self.look(|host, id| {
            let bytes = host.option(id, level, name)?;
            Ok(match *bytes {
                [byte] => i32::from(byte),
                _ => bytes.first_chunk().map_or(0, |bytes| i32::from_ne_bytes(*bytes)),
            })
        })
    }

    pub(crate) fn set_option(&self, level: i32, name: i32, value: i32) -> io::Result<()> {
        self.call(|now, host, id| host.set_option(now, id, level, name, &value.to_ne_bytes()))
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        let close_waits = self.close_waits.load(Ordering::Relaxed);
        let lingers = self.host.with(|now, room| {
            let lingers = close_waits && room.host.lingers(self.id);
            if !lingers {
                room.close(now, self.id);
            }
            lingers
        });
        if !lingers {
            return;
        }
        if !self.host.may_wait() {
            return self.host.with(|now, room| room.close(now, self.id));
        }
        let mut wait = Wait::default();
        let waited = block(&self.host, Wish::Of(self.id, Way::Change), |now, room| {
            match room.host.linger_waiting(now, self.id, &mut wait) {
                true => Ok(Ok(())),
                false => Err(wait.until.map(|then| until(now, then))),
            }
        });
        // It fails where the network is gone, and nothing is to be waited for.
        drop(waited);
        self.host.with(|now, room| room.close(now, self.id));
    }
}

/// Asks until there is an answer, and waits in between, as long as each time is said (`None`: until the wish may have come true).
pub(crate) fn block<T>(
    host: &Host,
    wish: Wish,
    mut ask: impl FnMut(Instant, &mut HostRoom) -> Result<Result<T, Errno>, Option<Duration>>,
) -> io::Result<T> {
    let (asker, parker) = (Asker::new(host, wish), Parking::begin());
    loop {
        let asked = host.with(|now, room| {
            if let Err(errno) = room.check_present() {
                return Ok(Err(errno));
            }
            let asked = ask(now, room);
            if room.is_broken && matches!(asked, Err(_) | Ok(Err(Errno::EAGAIN))) {
                // What is not there now will never come.
                return Ok(Err(Errno::ENOTRECOVERABLE));
            }
            if asked.is_err() {
                // This waker is our own: nobody else's code runs under the lock.
                room.wait(wish, asker.key, Waker::from(Arc::clone(&parker.0)));
            }
            asked
        });
        match asked {
            Ok(answer) => return answer.map_err(error),
            Err(longest) => parker.0.park(longest),
        }
    }
}

/// Asks for a task; EAGAIN: it is remembered under `key` until its wish may have come true.
pub(crate) fn poll<T>(
    host: &Host,
    wish: Wish,
    key: u64,
    cx: &Context<'_>,
    mut ask: impl FnMut(Instant, &mut HostRoom) -> Result<T, Errno>,
) -> Poll<io::Result<T>> {
    let mut ask = |now, room: &mut HostRoom| room.check_present().and_then(|()| ask(now, room));
    let answer = match host.with(&mut ask) {
        Err(Errno::EAGAIN) => {
            // Cloned without the lock: it is somebody else's code. So we ask a second time.
            let waker = cx.waker().clone();
            host.with(|now, room| {
                let answer = ask(now, room);
                if room.is_broken && matches!(answer, Err(Errno::EAGAIN)) {
                    return Err(Errno::ENOTRECOVERABLE);
                }
                if matches!(answer, Err(Errno::EAGAIN)) {
                    room.wait(wish, key, waker);
                }
                answer
            })
        }
        answer => answer,
    };
    match answer {
        Ok(value) => Poll::Ready(Ok(value)),
        Err(Errno::EAGAIN) => Poll::Pending,
        Err(errno) => Poll::Ready(Err(error(errno))),
    }
}

/// Asks for a task that is one of any number.
pub(crate) async fn wait_for<T>(
    host: &Host,
    wish: Wish,
    mut ask: impl FnMut(Instant, &mut HostRoom) -> Result<T, Errno>,
) -> io::Result<T> {
    let asker = Asker::new(host, wish);
    std::future::poll_fn(|cx| poll(host, wish, asker.key, cx, &mut ask)).await
}

impl<'a> Asker<'a> {
    fn new(host: &'a Host, wish: Wish) -> Asker<'a> {
        Asker { host, wish, key: new_key() }
    }
}

/// A key that nobody else has.
pub(crate) fn new_key() -> u64 {
    NEXT_KEY.fetch_add(1, Ordering::Relaxed)
}

impl Drop for Asker<'_> {
    /// Whoever asked has its answer, or does not want it any more: a socket on which nothing happens remembers nobody.
    fn drop(&mut self) {
        self.host.with(|_, room| room.cease(self.wish, self.key));
    }
}

fn timeout_option(way: Way) -> i32 {
    match way {
        Way::Read => SO_RCVTIMEO,
        Way::Write | Way::Either | Way::Events(_) | Way::Change => SO_SNDTIMEO,
    }
}

/// As the kernel's errors come to std: by their numbers.
pub(crate) fn error(errno: Errno) -> io::Error {
    io::Error::from_raw_os_error(errno.0)
}

/// What is wrong with what was asked for, in words.
pub(crate) fn invalid(sentence: impl Into<String>) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, sentence.into())
}

/// A thread that waits. Not by [`std::thread::park`], whose token may be meant for the thread's own affairs.
#[derive(Default)]
pub(crate) struct Parker {
    is_woken: Mutex<bool>,
    condvar: Condvar,
}

/// A call that may wait. It has the thread's parker for itself: a waker of somebody else may wait in the middle of another
/// call, and must not be given what wakes that.
pub(crate) struct Parking(pub(crate) Arc<Parker>);

thread_local! {
    /// Kept from one call to the next.
    static PARKER: Cell<Option<Arc<Parker>>> = const { Cell::new(None) };
}

impl Parking {
    pub(crate) fn begin() -> Parking {
        // A thread that ends has none any more, and may still wait in its last destructors.
        Parking(PARKER.try_with(Cell::take).ok().flatten().unwrap_or_default())
    }
}

impl Drop for Parking {
    fn drop(&mut self) {
        let _gone = PARKER.try_with(|kept| kept.set(Some(Arc::clone(&self.0))));
    }
}

impl Parker {
    /// Waits to be woken, `longest` at most.
    pub(crate) fn park(&self, longest: Option<Duration>) {
        let guard = self.is_woken.lock().unwrap_or_else(PoisonError::into_inner);
        let mut guard = match longest {
            None => self.condvar.wait_while(guard, |woken| !*woken).unwrap_or_else(PoisonError::into_inner),
            Some(longest) => {
                let waited = self.condvar.wait_timeout_while(guard, longest, |woken| !*woken);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        *guard = false;
    }
}

impl Wake for Parker {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.is_woken.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.condvar.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::Shutdown;
    use std::thread;

    use crate::Network;

    #[test]
    fn a_thread_that_waits_is_woken_by_what_others_do() {
        let network = Network::new().unwrap();
        let link = network.link();
        let host = |address| network.host().address(&link, address).build().unwrap();
        let (one, other) = (host("10.1.0.1/24"), host("10.1.0.2/24"));
        let listener = other.listen("10.1.0.2:80").unwrap();
        thread::scope(|scope| {
            let accepting = scope.spawn(|| listener.accept().unwrap().0);
            other.until_waiters(1);
            let mut stream = one.connect("10.1.0.2:80").unwrap();
            let accepted = accepting.join().unwrap();
            let read = || {
                let mut reader = accepted.try_clone().unwrap();
                scope.spawn(move || reader.read(&mut [0; 8]).unwrap())
            };
            let reading = read();
            other.until_waiters(1);
            stream.write_all(b"bytes").unwrap();
            assert_eq!(reading.join().unwrap(), 5);
            // Shut down from beside it, a read that waits ends.
            let reading = read();
            other.until_waiters(1);
            accepted.shutdown(Shutdown::Read).unwrap();
            assert_eq!(reading.join().unwrap(), 0);
        });
    }

    #[test]
    fn a_thread_that_waits_for_room_is_woken_by_who_makes_it() {
        // More than buffers of both ends grow to: whoever writes it waits until somebody reads.
        const BYTES: usize = 32 << 20;
        let host = Network::new().unwrap().host().build().unwrap();
        let listener = host.listen("127.0.0.1:80").unwrap();
        let mut stream = host.connect("127.0.0.1:80").unwrap();
        let (mut accepted, _) = listener.accept().unwrap();
        thread::scope(|scope| {
            let writing = scope.spawn(move || stream.write_all(&vec![7; BYTES]).unwrap());
            host.until_waiters(1);
            accepted.read_exact(&mut vec![0; BYTES]).unwrap();
            writing.join().unwrap();
        });
    }
}
