//! `epoll(7)`: waiting for any of very many sockets, of any hosts.
//!
//! A socket that may have something puts its number into the list of those to be looked at (`touched`); a call looks at
//! those and no others, so that it costs what is ready and not what is watched. The list is a queue: who is told by
//! level comes to its end and is looked at again when all others have been, so that nobody starves however few a call
//! asks for, as on Linux. Who is told by edges is put there by each change.
//!
//! Two locks, neither of which is held while a socket is asked: a socket's answer may wake other people's tasks.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Wake, Waker};
use std::time::Duration;

use ieum_engine::Clock;
use ieum_socket::UNASKED;
use ieum_socket::numbers::{EPOLL_CTL_ADD, EPOLL_CTL_DEL, EPOLLET};

use super::Socket;
use crate::network::until;
use crate::room::Way;
use crate::socket::new_key;

/// An epoll of ieum's sockets.
///
/// Sockets are known by numbers that their user chooses, as they are by their descriptors in C. A socket whose last
/// handle is dropped leaves by itself. One whose number is given to another socket is not watched any more from the
/// moment on that the other is added; Linux would go on telling of it under a number that nobody can name.
#[derive(Debug, Default)]
pub struct Epoll(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    watched: Mutex<Watched>,
    touched: Mutex<Touched>,
    came: Condvar,
}

/// What is watched, and how.
#[derive(Debug, Default)]
struct Watched {
    epoll: ieum_socket::Epoll,
    members: BTreeMap<i32, Member>,
}

/// Who is to be looked at.
#[derive(Debug, Default)]
struct Touched {
    queue: Queue,
    /// Rung for those who wait with the kernel's poll, once there is one.
    bell: Option<OwnedFd>,
}

/// Numbers in the order in which they are looked at, each once.
#[derive(Debug, Default)]
struct Queue {
    order: VecDeque<i32>,
    /// Those in the queue, and whether something changed there, which those who are told by edges hear.
    changed: BTreeMap<i32, bool>,
}

/// A socket that is watched.
#[derive(Clone, Debug)]
struct Member {
    socket: Weak<crate::socket::Socket>,
    key: u64,
}

/// A member is not watched any more.
#[derive(PartialEq, Eq, Debug)]
struct HasLeft;

/// What a socket wakes: its number is to be looked at.
struct Touch {
    shared: Weak<Shared>,
    number: i32,
}

impl Epoll {
    /// An epoll that watches nothing.
    pub fn new() -> Epoll {
        Epoll::default()
    }

    /// epoll_ctl(2): `event` has the events and the data that are told with them.
    ///
    /// # Errors
    ///
    /// EEXIST, ENOENT, EINVAL for an operation that is none, EFAULT without an event where one is needed.
    pub fn control(
        &self,
        operation: i32,
        number: i32,
        socket: &Socket,
        event: Option<(u32, u64)>,
    ) -> io::Result<()> {
        let mut watched = self.0.watched();
        let mut gone = watched.forget_closed(number);
        // Linux's key is the number and the file: what is open under the number now is not watched.
        let is_another = watched.is_another(number, socket);
        if is_another && operation == EPOLL_CTL_ADD && event.is_some() {
            gone = watched.forget(number);
        } else if is_another {
            return ieum_socket::Epoll::default()
                .control(operation, number, event)
                .map_err(crate::socket::error);
        }
        let done = watched.epoll.control(operation, number, event).map_err(crate::socket::error);
        let left = match (&done, operation) {
            (Err(_), _) => None,
            (Ok(()), EPOLL_CTL_DEL) => watched.members.remove(&number),
            (Ok(()), _) => {
                let key = watched.members.get(&number).map_or_else(new_key, |member| member.key);
                watched.members.insert(number, Member { socket: Arc::downgrade(&socket.0), key })
            }
        };
        drop(watched);
        gone.iter().for_each(Member::leave);
        if let (Some(member), EPOLL_CTL_DEL) = (left, operation) {
            member.leave();
        } else if done.is_ok() {
            self.0.touch(number);
        }
        done
    }

    /// epoll_wait(2): events and data of at most `most` sockets. Waits until there are some, or until the time is over
    /// (`None`: never). Of no sockets there is nothing to wait for.
    pub fn wait(&self, most: usize, timeout: Option<Duration>) -> Vec<(u32, u64)> {
        if most == 0 {
            return Vec::new();
        }
        let clock = Clock::start();
        let end = timeout.map(|timeout| clock.now() + timeout);
        loop {
            let found = self.look(most);
            let now = clock.now();
            if !found.is_empty() || end.is_some_and(|end| end <= now) {
                return found;
            }
            self.0.wait(end.map(|end| until(now, end)));
        }
    }

    /// A descriptor of the machine that is readable while this epoll may have something to tell: for a loop that waits
    /// for the machine's own descriptors as well. Then [`Epoll::wait`] without waiting says what there is.
    ///
    /// # Errors
    ///
    /// When the machine gives no descriptor.
    pub fn descriptor(&self) -> io::Result<OwnedFd> {
        let mut touched = self.0.touched();
        let bell = match touched.bell.take() {
            Some(bell) => bell,
            None => {
                let flags = rustix::event::EventfdFlags::CLOEXEC | rustix::event::EventfdFlags::NONBLOCK;
                rustix::event::eventfd(u32::from(!touched.queue.is_empty()), flags)?
            }
        };
        touched.bell.insert(bell).try_clone()
    }

    /// Looks at those who were touched.
    fn look(&self, most: usize) -> Vec<(u32, u64)> {
        let mut numbers = self.0.take_touched();
        let (mut found, mut again) = (Vec::new(), Vec::new());
        while found.len() < most
            && let Some((number, changed)) = numbers.pop()
        {
            let Some((events, member)) = self.0.watched().member(number) else { continue };
            let Some(socket) = member.socket.upgrade() else {
                self.0.watched().forget_closed(number);
                continue;
            };
            let by_edges = events & EPOLLET != 0;
            let way = if by_edges { Way::Change } else { Way::Events(events | UNASKED) };
            let touch = Arc::new(Touch { shared: Arc::downgrade(&self.0), number });
            let ready = socket.watch(way, member.key, Waker::from(touch));
            let Ok(told) = self.0.watched().told(number, &member, changed, ready) else {
                // It left while it was asked, perhaps before it began to wait.
                member.leave();
                continue;
            };
            if told.is_some() && !by_edges {
                again.push(number);
            }
            found.extend(told);
        }
        self.0.put_back(numbers, again);
        found
    }
}

impl Drop for Epoll {
    fn drop(&mut self) {
        let members = std::mem::take(&mut self.0.watched().members);
        members.values().for_each(Member::leave);
    }
}

impl Watched {
    fn member(&self, number: i32) -> Option<(u32, Member)> {
        Some((self.epoll.events(number)?, self.members.get(&number)?.clone()))
    }

    /// What there is to tell of a member, whose socket was asked without the lock.
    ///
    /// # Errors
    ///
    /// When it has left meanwhile, and the number is nobody's or another's: what it answered is not told of that one, which is
    /// looked at by itself.
    fn told(
        &mut self,
        number: i32,
        member: &Member,
        changed: bool,
        ready: u32,
    ) -> Result<Option<(u32, u64)>, HasLeft> {
        if self.members.get(&number).is_none_or(|known| known.key != member.key) {
            return Err(HasLeft);
        }
        if changed {
            self.epoll.changed(number);
        }
        Ok(self.epoll.ask(number, ready))
    }

    /// Who was closed is not watched any more. What is returned is dropped without the lock.
    fn forget_closed(&mut self, number: i32) -> Option<Member> {
        let closed = self.members.get(&number).is_some_and(|member| member.socket.strong_count() == 0);
        if closed { self.forget(number) } else { None }
    }

    /// Is the socket that is watched under this number another one?
    fn is_another(&self, number: i32, socket: &Socket) -> bool {
        let member = self.members.get(&number);
        member.is_some_and(|member| member.socket.as_ptr() != Arc::as_ptr(&socket.0))
    }

    /// It is not watched any more.
    fn forget(&mut self, number: i32) -> Option<Member> {
        // For a number that is watched it cannot fail.
        let _ = self.epoll.control(EPOLL_CTL_DEL, number, None);
        self.members.remove(&number)
    }
}

impl Queue {
    fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    /// Who is in the queue already keeps the place.
    fn push(&mut self, number: i32, changed: bool) {
        match self.changed.entry(number) {
            Entry::Occupied(mut known) => *known.get_mut() |= changed,
            Entry::Vacant(place) => {
                place.insert(changed);
                self.order.push_back(number);
            }
        }
    }

    fn pop(&mut self) -> Option<(i32, bool)> {
        let number = self.order.pop_front()?;
        Some((number, self.changed.remove(&number).unwrap_or_default()))
    }
}

impl Member {
    fn leave(&self) {
        if let Some(socket) = self.socket.upgrade() {
            socket.unwatch(self.key);
        }
    }
}

impl Shared {
    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn touched(&self) -> MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something changed there.
    fn touch(&self, number: i32) {
        let mut touched = self.touched();
        touched.queue.push(number, true);
        self.announce(touched);
    }

    /// Who was not looked at goes before all who were touched meanwhile, and who is to be looked at `again` behind them.
    fn put_back(&self, mut left: Queue, again: Vec<i32>) {
        let mut touched = self.touched();
        let mut meanwhile = std::mem::take(&mut touched.queue);
        while let Some((number, changed)) = meanwhile.pop() {
            left.push(number, changed);
        }
        again.into_iter().for_each(|number| left.push(number, false));
        touched.queue = left;
        if !touched.queue.is_empty() {
            self.announce(touched);
        }
    }

    /// There is somebody to be looked at.
    fn announce(&self, touched: MutexGuard<'_, Touched>) {
        if let Some(bell) = &touched.bell {
            // It fails only when it has been rung 2⁶⁴ − 2 times and not heard once: then it rings already.
            let _ = rustix::io::write(bell, &1_u64.to_ne_bytes());
        }
        drop(touched);
        self.came.notify_all();
    }

    fn take_touched(&self) -> Queue {
        let mut touched = self.touched();
        if let Some(bell) = &touched.bell {
            // EAGAIN: it did not ring.
            let _ = rustix::io::read(bell, &mut [0_u8; 8]);
        }
        std::mem::take(&mut touched.queue)
    }

    /// Waits until somebody is to be looked at.
    fn wait(&self, longest: Option<Duration>) {
        let touched = self.touched();
        let nobody = |touched: &mut Touched| touched.queue.is_empty();
        let guard = match longest {
            None => self.came.wait_while(touched, nobody).unwrap_or_else(PoisonError::into_inner),
            Some(longest) => {
                let waited = self.came.wait_timeout_while(touched, longest, nobody);
                waited.unwrap_or_else(PoisonError::into_inner).0
            }
        };
        drop(guard);
    }
}

impl Wake for Touch {
    fn wake(self: Arc<Self>) {
        if let Some(shared) = self.shared.upgrade() {
            shared.touch(self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::thread;

    use ieum_socket::numbers::POLLIN;

    use super::*;
    use crate::Network;

    #[test]
    fn a_thread_that_waits_is_woken_by_any_of_the_sockets() {
        let host = Network::new().unwrap().host().build().unwrap();
        let sockets = [1, 2].map(|port| Socket::from(host.udp(("127.0.0.1", port)).unwrap()));
        let epoll = Epoll::new();
        for (number, socket) in (1..).zip(&sockets) {
            epoll.control(EPOLL_CTL_ADD, number, socket, Some((POLLIN, 7))).unwrap();
        }
        thread::scope(|scope| {
            let waiting = scope.spawn(|| epoll.wait(9, None));
            host.until_waiters(2);
            sockets[0].send(b"x", 0, Some("127.0.0.1:2".parse().unwrap())).unwrap();
            assert_eq!(waiting.join().unwrap(), [(POLLIN, 7)]);
        });
    }

    #[test]
    fn what_a_socket_answers_is_not_told_of_the_one_that_has_its_number_since() {
        let host = Network::new().unwrap().host().build().unwrap();
        let to: SocketAddr = "127.0.0.1:1".parse().unwrap();
        let [one, other] = [1, 2].map(|port| Socket::from(host.udp(SocketAddr::new(to.ip(), port)).unwrap()));
        one.send(b"x", 0, Some(to)).unwrap();
        let epoll = Epoll::new();
        let add = |socket, data| epoll.control(EPOLL_CTL_ADD, 7, socket, Some((POLLIN, data))).unwrap();
        add(&one, 1);
        let (_, member) = epoll.0.watched().member(7).unwrap();
        let answered = one.readiness().events();
        assert_eq!(answered & POLLIN, POLLIN);
        epoll.control(EPOLL_CTL_DEL, 7, &one, None).unwrap();
        assert_eq!(epoll.0.watched().told(7, &member, false, answered), Err(HasLeft));
        add(&other, 2);
        assert_eq!(epoll.0.watched().told(7, &member, false, answered), Err(HasLeft));
        assert_eq!(epoll.wait(1, Some(Duration::ZERO)), []);
        // Nor is the same socket the same member.
        epoll.control(EPOLL_CTL_DEL, 7, &other, None).unwrap();
        add(&one, 3);
        assert_eq!(epoll.0.watched().told(7, &member, false, answered), Err(HasLeft));
        assert_eq!(epoll.wait(1, Some(Duration::ZERO)), [(POLLIN, 3)]);
    }
}
