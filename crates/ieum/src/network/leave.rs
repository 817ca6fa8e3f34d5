//! Leaving a network: what a host, its exit, an outlet or a link had is given back.
//!
//! A host keeps its place, which its handles name, and nothing in it. Places of others are taken again by who comes
//! next. So is the number at the poller of an exit or a device, but not before the network's thread has handed on what it
//! was told: that may be meant for the one who has left.
//!
//! A link is given back when nobody holds it and neither a host nor an outlet is on it; its device goes with it.

use std::sync::{MutexGuard, PoisonError};
use std::thread;

use ieum_engine::Notice;
use ieum_stack::LinkId;

use super::{Inhabitant, Inner, Network, turn_of};
use crate::bounds::SOURCES_MAX;

impl Network {
    /// A host leaves its links: what it has said until now has crossed them. Its exit goes with it.
    pub(crate) fn remove(&self, number: usize) {
        self.with(number, |now, room| room.leave(now));
        let mut inner = self.lock();
        inner.remove(number);
        self.0.0.settle(inner);
    }

    /// An outlet is gone: its link leads nowhere.
    pub(crate) fn remove_outlet(&self, number: usize) {
        let mut inner = self.lock();
        inner.cut(number);
        self.0.0.settle(inner);
    }

    /// Nobody holds a link any more: nobody else will come to it.
    pub(super) fn let_go(&self, segment: usize) {
        let mut inner = self.lock();
        inner.segments[segment].is_held = false;
        inner.give_back(segment);
        self.0.0.settle(inner);
    }

    /// The lock, for who needs a number at the poller: when the only free ones are of those who have just left, it
    /// waits until the thread has heard of that.
    pub(crate) fn lock_for_source(&self) -> MutexGuard<'_, Inner> {
        let mut inner = self.lock();
        while inner.needs_hearing() {
            if inner.thread == Some(thread::current().id()) {
                // In a waker, between handing on and sleeping: there is nothing that it was told and has not handed on.
                inner.recall_sources();
            } else {
                self.0.0.bell.ring();
                inner = self.0.0.heard.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
        }
        inner
    }
}

impl Inner {
    /// What a host had: its links, and its exit with the link between them.
    fn remove(&mut self, number: usize) {
        if let Some(exit) = self.dwellers[number].exit.take() {
            let exit = self.retire(exit);
            // Here and not without the lock: only closing its descriptors ends what is told of them.
            drop(exit);
        }
        for (link, segment) in std::mem::take(&mut self.dwellers[number].links) {
            self.segments[segment].remove((number, link));
            self.give_back(segment);
        }
        self.host(number).clear();
        self.touch(number);
    }

    /// Those on the links of an outlet hear that these are down, and it is gone.
    fn cut(&mut self, number: usize) {
        let now = self.clock.now();
        let links = self.dwellers[number].links.clone();
        let ends = links.iter().flat_map(|(link, segment)| self.segments[*segment].others((number, *link)));
        let others: Vec<(usize, LinkId)> = ends.collect();
        for (other, link) in others {
            let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, other);
            room.on_notice(&turn, Notice::LinkDown { link });
            self.touch(other);
        }
        let outlet = self.retire(number);
        self.left.push(outlet);
        for (_, segment) in links {
            self.give_back(segment);
        }
    }

    /// A link that has lost a handle, or somebody who was on it: when these were the last, its place is free, and its device
    /// is gone with it.
    fn give_back(&mut self, segment: usize) {
        let numbers: Vec<usize> = self.segments[segment].ends().map(|(number, _)| number).collect();
        let is_device = |number: &usize| matches!(self.dwellers[*number].room, Inhabitant::Device(_));
        if self.segments[segment].is_held || !numbers.iter().all(is_device) {
            return;
        }
        for number in numbers {
            let source = self.dwellers[number].source;
            let device = self.retire(number);
            if let Inhabitant::Device(device) = &device {
                device.leave(&self.poller.turn(self.clock.now(), source));
            }
            self.left.push(device);
        }
        self.spare_segments.push(segment);
    }

    /// A room leaves, and its place is free: nothing names it any more. What is returned is the room, to be dropped with
    /// its descriptors.
    pub(super) fn retire(&mut self, number: usize) -> Inhabitant {
        let dweller = &mut self.dwellers[number];
        let room = std::mem::replace(&mut dweller.room, Inhabitant::Nobody);
        dweller.is_busy = false;
        for (link, segment) in dweller.links.drain(..) {
            self.segments[segment].remove((number, link));
        }
        if let Some(deadline) = dweller.deadline.take() {
            self.deadlines.remove(&(deadline, number));
        }
        if let Some(place) = self.sources.get_mut(usize::from(dweller.source)) {
            *place = None;
            self.retired_sources.push(dweller.source);
        }
        self.busy.retain(|other| *other != number);
        self.spare_places.push(number);
        room
    }

    /// Would a number at the poller be free, had the thread handed on what it was told?
    fn needs_hearing(&self) -> bool {
        let none = self.spare_sources.is_empty() && self.sources.len() >= SOURCES_MAX;
        none && !self.retired_sources.is_empty() && !self.is_broken
    }

    /// The thread has handed on what it was told: nothing can be meant for who has left any more. True if somebody had.
    pub(super) fn recall_sources(&mut self) -> bool {
        let any = !self.retired_sources.is_empty();
        self.spare_sources.append(&mut self.retired_sources);
        any
    }
}

#[cfg(test)]
mod tests {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use ieum_device::Tun;
    use ieum_engine::{Ready, Sleeper};
    use ieum_socket::numbers::{EPOLL_CTL_ADD, POLLERR, POLLIN};
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SendFlags, SocketFlags, SocketType, send, socketpair};

    use super::*;
    use crate::net::{Epoll, Socket, poll};
    use crate::network::Link;
    use crate::{Host, Outlet};

    /// A link that leads to a descriptor, and the other end of that.
    fn tun_link(network: &Network) -> (Link, OwnedFd) {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (here, there) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
        (network.tun_link(Tun::of_descriptor(here, 1500).unwrap()).unwrap(), there)
    }

    /// The other end of the descriptor is closed.
    fn is_closed(there: &OwnedFd) -> bool {
        match send(there, b"no packet", SendFlags::NOSIGNAL) {
            Ok(_) => false,
            // The second is said when what was sent before was not read.
            Err(Errno::PIPE | Errno::CONNRESET) => true,
            Err(other) => panic!("{other}"),
        }
    }

    fn host_on(network: &Network, link: &Link) -> Host {
        network.host().address(link, "10.1.0.1/24").build().unwrap()
    }

    #[test]
    fn who_leaves_gives_back_what_it_had() {
        let network = Network::new().unwrap();
        let link = network.link();
        let stays = network.host().address(&link, "10.1.0.1/24").build().unwrap();
        for _ in 0..2 * SOURCES_MAX {
            let host = network.host().address(&link, "10.1.0.2/24").exit().build().unwrap();
            let listener = host.listen("10.1.0.2:80").unwrap();
            let client = stays.connect("10.1.0.2:80").unwrap();
            host.remove();
            assert!(client.peek(&mut [0]).is_err() && listener.local_addr().is_err());
            assert_eq!(host.inspect(|host| host.sockets().len()), 0);
        }
        let inner = network.lock();
        // Of each host its place is left, and of all their exits one.
        assert_eq!((inner.dwellers.len(), inner.segments.len()), (2 * SOURCES_MAX + 2, 2));
        assert!(inner.deadlines.len() < inner.dwellers.len() && inner.sources.len() <= SOURCES_MAX);
    }

    #[test]
    fn threads_that_wait_at_a_host_that_is_removed_are_woken_and_told_so() {
        let network = Network::new().unwrap();
        let host = network.host().address(&network.link(), "10.1.0.1/24").any_destination().build().unwrap();
        let (flows, datagrams) = (host.listen_any().unwrap(), host.datagrams_any().unwrap());
        let listener = host.listen("10.1.0.1:80").unwrap();
        let socket = Socket::from(host.udp("10.1.0.1:9").unwrap());
        let epoll = Epoll::new();
        epoll.control(EPOLL_CTL_ADD, 1, &socket, Some((POLLIN, 7))).unwrap();
        let polled = socket.clone();
        thread::scope(|scope| {
            let accepting = scope.spawn(|| listener.accept().map(drop));
            let taking = scope.spawn(|| flows.accept().map(drop));
            let receiving = scope.spawn(|| datagrams.recv().map(drop));
            let reading = scope.spawn(|| socket.read(&mut [0], false).map(drop));
            let polling = scope.spawn(|| poll(&[(&polled, POLLIN)], None));
            let waiting = scope.spawn(|| epoll.wait(1, None));
            host.until_waiters(6);
            host.remove();
            for told in [accepting, taking, receiving, reading] {
                assert_eq!(
                    told.join().unwrap().unwrap_err().raw_os_error(),
                    Some(ieum_socket::Errno::EBADF.0)
                );
            }
            assert_eq!(
                (polling.join().unwrap(), waiting.join().unwrap()),
                (vec![POLLERR], vec![(POLLERR, 7)])
            );
        });
    }

    #[test]
    fn the_place_of_an_outlet_that_is_gone_is_taken_by_the_next() {
        let network = Network::new().unwrap();
        for _ in 0..9 {
            let (link, out) = network.outlet_link(1500).unwrap();
            let host = network.host().address(&link, "10.1.0.1/24").build().unwrap();
            drop(out);
            let lost = host.udp("10.1.0.1:0").unwrap().send_to(b"x", "10.1.0.9:9");
            assert!(lost.is_err(), "the link is down");
        }
        assert_eq!(network.lock().dwellers.len(), 9 + 1);
    }

    #[test]
    fn a_link_that_nobody_holds_and_no_host_is_on_gives_back_what_it_had() {
        let network = Network::new().unwrap();
        for _ in 0..2 * SOURCES_MAX {
            let (link, there) = tun_link(&network);
            let clone = link.clone();
            drop(link);
            assert!(!is_closed(&there), "one handle is left");
            drop(clone);
            assert!(is_closed(&there));
        }
        for _ in 0..SOURCES_MAX {
            let (link, there) = tun_link(&network);
            let host = host_on(&network, &link);
            drop(link);
            assert!(!is_closed(&there), "the host is on it");
            host.remove();
            assert!(is_closed(&there));
            let (link, there) = tun_link(&network);
            host_on(&network, &link).remove();
            assert!(!is_closed(&there), "another host may come");
            drop(link);
            assert!(is_closed(&there));
            drop(network.host().address(&network.link(), "10.1.0.1/24"));
            host_on(&network, &network.link()).remove();
        }
        let inner = network.lock();
        assert_eq!((inner.segments.len(), inner.spare_segments.len()), (1, 1));
        // Of each host its place is left, and of the devices none but free ones.
        assert_eq!(inner.dwellers.len() - inner.spare_places.len(), 3 * SOURCES_MAX);
        assert!(inner.spare_places.len() <= 1);
        assert!(inner.sources.len() <= SOURCES_MAX);
    }

    #[test]
    fn a_link_is_its_outlets_as_well() {
        let network = Network::new().unwrap();
        let ends = |link: Link, outlet: Outlet, link_first: bool| {
            host_on(&network, &link).remove();
            let number = link.number();
            if link_first {
                drop(link);
                assert!(network.lock().spare_segments.is_empty());
                drop(outlet);
            } else {
                drop(outlet);
                assert!(network.lock().spare_segments.is_empty());
                drop(link);
            }
            assert_eq!(network.lock().spare_segments, [number]);
        };
        for link_first in [true, false] {
            let (link, outlet) = network.outlet_link(1500).unwrap();
            ends(link, outlet, link_first);
        }
        assert_eq!(network.lock().segments.len(), 1);
    }

    #[test]
    fn what_is_told_of_a_device_that_has_left_is_nobodys() {
        let network = Network::new().unwrap();
        let (link, _there) = tun_link(&network);
        drop(link);
        let mut inner = network.lock();
        let source = u8::try_from(inner.sources.len() - 1).unwrap();
        inner.hand_on(&network.0.0.bell, &[(source, 0, Ready { read: true, ..Ready::default() })]);
        assert!(inner.busy.is_empty());
    }

    #[test]
    fn a_device_that_has_left_is_not_watched_although_its_descriptor_lives_on() {
        let network = Network::new().unwrap();
        let kind = SocketType::SEQPACKET;
        let (here, there) = socketpair(AddressFamily::UNIX, kind, SocketFlags::CLOEXEC, None).unwrap();
        let lives_on = here.try_clone().unwrap();
        drop(network.tun_link(Tun::of_descriptor(here, 1500).unwrap()).unwrap());
        assert_eq!(send(&there, b"x", SendFlags::NOSIGNAL), Ok(1));
        let mut told = Vec::new();
        Sleeper::new(&network.lock().poller).wait(Some(Duration::ZERO), &mut told).unwrap();
        assert!(told.iter().all(|(source, ..)| *source == 0), "{told:?}");
        drop(lives_on);
    }
}
