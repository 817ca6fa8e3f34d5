//! Leaving a network: what a host, its exit or an outlet had is given back.
//!
//! A host keeps its place, which its handles name, and nothing in it. Places of others are taken again by who comes
//! next. So is an exit's number at the poller, but not before the network's thread has handed on what it was told: that
//! may be meant for the one who has left.

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
        let is_to_be_heard = !inner.retired_sources.is_empty();
        self.0.0.settle(inner);
        if is_to_be_heard {
            self.0.0.bell.ring();
        }
    }

    /// An outlet is gone: its link leads nowhere.
    pub(crate) fn remove_outlet(&self, number: usize) {
        let mut inner = self.lock();
        inner.cut(number);
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
                inner = self.0.0.heard.wait(inner).unwrap_or_else(PoisonError::into_inner);
            }
        }
        inner
    }
}

impl Inner {
    /// What a host had: its links, and its exit with the link between them.
    fn remove(&mut self, number: usize) {
        for (link, segment) in std::mem::take(&mut self.dwellers[number].links) {
            self.segments[segment].remove((number, link));
        }
        if let Some((exit, segment)) = self.dwellers[number].exit.take() {
            self.retire(exit);
            self.spare_segments.push(segment);
        }
        self.host(number).clear();
        self.touch(number);
    }

    /// Those on the links of a room hear that these are down, and the room is gone.
    fn cut(&mut self, number: usize) {
        let now = self.clock.now();
        let links = self.dwellers[number].links.iter();
        let others: Vec<(usize, LinkId)> =
            links.flat_map(|(link, segment)| self.segments[*segment].others((number, *link))).collect();
        for (other, link) in others {
            let (room, turn) = turn_of(&mut self.dwellers, &self.poller, now, other);
            room.on_notice(&turn, Notice::LinkDown { link });
            self.touch(other);
        }
        self.retire(number);
    }

    /// A room is dropped with its descriptors, and its place is free: nothing names it any more.
    fn retire(&mut self, number: usize) {
        let dweller = &mut self.dwellers[number];
        dweller.room = Inhabitant::Nobody;
        dweller.is_busy = false;
        for (link, segment) in dweller.links.drain(..) {
            self.segments[segment].remove((number, link));
        }
        if let Some(deadline) = dweller.deadline.take() {
            self.deadlines.remove(&(deadline, number));
        }
        if let Some(place) = self.sources.get_mut(usize::from(dweller.source)) {
            *place = usize::MAX;
            self.retired_sources.push(dweller.source);
        }
        self.busy.retain(|other| *other != number);
        self.spare_places.push(number);
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
    use super::*;

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
}
