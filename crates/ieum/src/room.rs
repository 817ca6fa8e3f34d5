//! A host as its network sees it, and who waits for its sockets.

use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::task::Waker;

use ieum_engine::{Notice, Ready, Room, Turn};
use ieum_socket::{Errno, Event, Host, Kind, Readiness, RequestId, SocketId};
use ieum_stack::{LinkId, StackConfig};
use ieum_wire::{Instant, Packet};
use slotmap::SecondaryMap;

use crate::bounds::LOOPBACK_ROUNDS_MAX;
use crate::flows::FlowTable;

/// The host, and who waits.
pub(crate) struct HostRoom {
    pub(crate) host: Host,
    /// Every destination is one of its own.
    pub(crate) takes_any: bool,
    /// Threads and tasks to be woken when a socket may have what they wait for.
    waiting: SecondaryMap<SocketId, Vec<Waiter>>,
    /// Flows to any address.
    pub(crate) flows: FlowTable,
    notices: VecDeque<Notice>,
    /// The machine's addresses and ports that lead here.
    pub(crate) published: Vec<SocketAddr>,
    /// The network's thread has ended: whoever waits would wait for ever.
    pub(crate) is_broken: bool,
    /// It has left its network: its sockets are closed, and it has no others.
    is_removed: bool,
    /// The host's sockets had more to say to each other than one turn could hear.
    is_restless: bool,
    /// To be called, and to be dropped, when the lock is free again.
    pub(crate) woken: Vec<Waker>,
    spent: Vec<Waker>,
}

/// What is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Wish {
    /// Something of a socket.
    Of(SocketId, Way),
    /// Somebody who wants a connection to any address.
    Flow,
    /// A datagram to any address.
    Datagram,
    /// The end of that flow's handshake.
    Opened(RequestId),
}

/// What of a socket is waited for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Way {
    /// Bytes, a datagram, a connection to accept; an end or an error.
    Read,
    /// Room, or the end of connecting; an error.
    Write,
    /// One of the two.
    Either,
    /// One of these events of poll(2), or what is told unasked.
    Events(u32),
    /// That anything changed.
    Change,
}

impl Way {
    /// Is it worth asking again? EAGAIN says no.
    pub(crate) fn is_there(self, ready: Readiness) -> Result<(), Errno> {
        // An urgent byte that nobody asks for is nothing to read.
        let read = ready.readable || ready.read_hangup;
        let is_there = ready.error
            || ready.hangup
            || match self {
                Way::Read => read,
                Way::Write => ready.writable,
                Way::Either => read || ready.writable,
                Way::Events(events) => ready.events() & events != 0,
                Way::Change => true,
            };
        is_there.then_some(()).ok_or(Errno::EAGAIN)
    }
}

/// Who waits.
pub(crate) struct Waiter {
    /// Whose it is: nobody waits twice.
    key: u64,
    pub(crate) wish: Wish,
    pub(crate) waker: Waker,
}

impl HostRoom {
    pub(crate) fn new(host: Host, takes_any: bool) -> HostRoom {
        HostRoom {
            host,
            takes_any,
            waiting: SecondaryMap::new(),
            flows: FlowTable::default(),
            notices: VecDeque::new(),
            published: Vec::new(),
            is_broken: false,
            is_removed: false,
            is_restless: false,
            woken: Vec::new(),
            spent: Vec::new(),
        }
    }

    /// Whoever has that key wants to ask again when its wish may have come true.
    pub(crate) fn wait(&mut self, wish: Wish, key: u64, waker: Waker) {
        let Some(waiters) = self.waiters(wish) else { return self.spent.push(waker) };
        let spent = match waiters.iter_mut().find(|waiter| waiter.key == key) {
            Some(waiter) => {
                waiter.wish = wish;
                Some(std::mem::replace(&mut waiter.waker, waker))
            }
            None => {
                waiters.push(Waiter { key, wish, waker });
                None
            }
        };
        self.spent.extend(spent);
    }

    /// It does not wait any more.
    pub(crate) fn cease(&mut self, wish: Wish, key: u64) {
        let Some(waiters) = self.waiters(wish) else { return };
        let at = waiters.iter().position(|waiter| waiter.key == key);
        let spent = at.map(|at| waiters.swap_remove(at).waker);
        self.spent.extend(spent);
    }

    /// Those who wait in the same place.
    fn waiters(&mut self, wish: Wish) -> Option<&mut Vec<Waiter>> {
        match wish {
            Wish::Of(id, _) => self.waiting.entry(id).map(|entry| entry.or_default()),
            Wish::Flow | Wish::Datagram | Wish::Opened(_) => Some(&mut self.flows.waiting),
        }
    }

    /// The socket is closed: who still waits for it is woken, and told so.
    pub(crate) fn close(&mut self, now: Instant, id: SocketId) {
        self.host.close(now, id);
        let waiters = self.waiting.remove(id).unwrap_or_default();
        self.woken.extend(waiters.into_iter().map(|waiter| waiter.waker));
    }

    /// The host leaves its network: its sockets are gone, and it has no others.
    pub(crate) fn leave(&mut self, now: Instant) {
        self.is_removed = true;
        self.host.abort_all(now);
        self.host.set_sockets_max(0);
        self.wake_all();
    }

    /// It has left, and gives back what it holds: its handles name a host with nothing in it.
    pub(crate) fn clear(&mut self) {
        self.host = Host::with_stack(StackConfig::new([0; 32]), false);
        self.host.set_sockets_max(0);
        self.notices.clear();
        self.published.clear();
        self.is_restless = false;
    }

    /// The network's thread has ended: who waits is told so.
    pub(crate) fn break_down(&mut self) {
        self.is_broken = true;
        self.wake_all();
    }

    /// What poll(2) shows of a socket; an error, where nothing will ever come.
    pub(crate) fn readiness(&self, id: SocketId) -> Readiness {
        let ready = self.host.readiness(id);
        Readiness { error: ready.error || self.is_broken || self.is_removed, ..ready }
    }

    /// EBADF on a host that has left its network: nothing of it is open.
    pub(crate) fn check_present(&self) -> Result<(), Errno> {
        if self.is_removed { Err(Errno::EBADF) } else { Ok(()) }
    }

    /// How many wait, for whatever.
    #[cfg(test)]
    pub(crate) fn waiters_now(&self) -> usize {
        self.waiting.values().map(Vec::len).sum::<usize>() + self.flows.waiting.len()
    }

    /// Whoever waits asks again.
    fn wake_all(&mut self) {
        let sockets = self.waiting.drain().flat_map(|(_, waiters)| waiters);
        self.woken.extend(sockets.chain(self.flows.waiting.drain(..)).map(|waiter| waiter.waker));
    }

    /// Wakers go where they may be used.
    pub(crate) fn hand_over(&mut self, woken: &mut Vec<Waker>, spent: &mut Vec<Waker>) {
        woken.append(&mut self.woken);
        spent.append(&mut self.spent);
    }

    /// Something about a socket has changed.
    fn wake(&mut self, id: SocketId) {
        let Some(waiters) = self.waiting.get_mut(id) else { return };
        let ready = self.host.readiness(id);
        let woken = waiters.extract_if(.., |waiter| concerns(waiter.wish, ready));
        self.woken.extend(woken.map(|waiter| waiter.waker));
    }

    /// Hears what the host has to say. True if there was something.
    fn hear(&mut self, now: Instant) -> bool {
        let mut heard = false;
        while let Some(event) = self.host.poll_event() {
            heard = true;
            match event {
                Event::Readiness(id) => self.wake(id),
                Event::Serving { kind, address, v6_only, serving } => {
                    let datagram = kind == Kind::Datagram;
                    self.notices.push_back(Notice::Serving { datagram, address, v6_only, serving });
                }
                // Nobody here holds requests.
                Event::Request(_, request) => self.host.accept_request(request),
            }
        }
        while let Some(event) = self.host.poll_flow() {
            heard = true;
            self.hear_flow(now, event);
        }
        if self.host.poll_any() {
            self.wake_flows(|wish| wish == Wish::Datagram);
        }
        heard
    }
}

/// Is that something for who has this wish?
fn concerns(wish: Wish, ready: Readiness) -> bool {
    match wish {
        Wish::Of(_, way) => way.is_there(ready).is_ok(),
        Wish::Flow | Wish::Datagram | Wish::Opened(_) => false,
    }
}

impl Room for HostRoom {
    fn start(&mut self, _turn: &Turn<'_>) -> io::Result<()> {
        Ok(())
    }

    fn on_ready(&mut self, _turn: &Turn<'_>, _key: u64, _ready: Ready) {}

    fn on_frame(&mut self, turn: &Turn<'_>, link: LinkId, frame: Packet) {
        self.host.on_frame(turn.now, link, frame);
    }

    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.is_restless = false;
        if self.host.deadline().is_some_and(|at| at <= turn.now) {
            self.host.on_deadline(turn.now);
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.is_restless { Some(Instant::ZERO) } else { self.host.deadline() }
    }

    fn settle(&mut self, turn: &Turn<'_>) {
        self.hear(turn.now);
        self.forget_vanished();
    }

    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        for _ in 0..LOOPBACK_ROUNDS_MAX {
            if let Some(frame) = self.host.poll_frame(turn.now) {
                return Some(frame);
            }
            // What sockets of this host say to each other moves while frames are asked for, and no frame tells of it.
            if !self.hear(turn.now) {
                return None;
            }
        }
        self.is_restless = true;
        None
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notices.pop_front()
    }

    fn on_notice(&mut self, turn: &Turn<'_>, notice: Notice) {
        match notice {
            Notice::LinkDown { link } => self.host.stack_mut().link_down(turn.now, link),
            // Of others' ports, names and programs a host knows nothing.
            Notice::Neighbor { .. } | Notice::Serving { .. } | Notice::Name { .. } | Notice::HostEnded => {}
        }
    }

    fn is_unfinished(&self) -> bool {
        self.host.unfinished() > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_urgent_byte_is_nothing_to_read() {
        let ready = Readiness { urgent: true, ..Readiness::default() };
        assert_eq!(Way::Read.is_there(ready), Err(Errno::EAGAIN));
        assert_eq!(Way::Read.is_there(Readiness { readable: true, ..ready }), Ok(()));
    }
}
