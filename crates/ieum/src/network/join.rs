//! Joining a network: a host, the end of a link, or an exit gets a place, and links to be on.

use std::io;
use std::time::Duration;

use ieum_engine::{DeviceRoom, Room};
use ieum_stack::{LinkConfig, LinkId};

use super::{Dweller, Inhabitant, Inner, turn_of};
use crate::bounds::SOURCES_MAX;
use crate::outlet::OutletRoom;
use crate::room::HostRoom;
use crate::segment::{End, Segment};

impl Inner {
    /// Another host.
    pub(crate) fn add_host(&mut self, mut host: HostRoom) -> usize {
        host.is_broken = self.is_broken;
        host.host
            .set_time_of_day(time_of_day().saturating_sub(Duration::from_micros(self.clock.now().micros())));
        // Hosts wait for no descriptor, and are never told of one.
        self.add(Inhabitant::Host(Box::new(host)), u8::MAX)
    }

    /// The end of a link.
    pub(crate) fn add_outlet(&mut self, mut outlet: OutletRoom) -> usize {
        if self.is_broken {
            outlet.break_down();
        }
        self.add(Inhabitant::Outlet(Box::new(outlet)), u8::MAX)
    }

    /// A device at the end of a link.
    ///
    /// # Errors
    ///
    /// As [`Inner::add_exit`].
    pub(crate) fn add_device(&mut self, device: DeviceRoom) -> io::Result<usize> {
        self.add_room(Inhabitant::Device(Box::new(device)))
    }

    /// An exit, or whoever else waits for descriptors of his own.
    ///
    /// # Errors
    ///
    /// When it cannot begin, or there are too many of its like.
    pub(crate) fn add_exit(&mut self, exit: Box<dyn Room + Send>) -> io::Result<usize> {
        self.add_room(Inhabitant::Other(exit))
    }

    fn add_room(&mut self, room: Inhabitant) -> io::Result<usize> {
        let many = || io::Error::other("a network has no more than 254 exits and devices");
        let source = self.new_source().ok_or_else(many)?;
        let number = self.add(room, source);
        let (room, turn) = turn_of(&mut self.dwellers, &self.poller, self.clock.now(), number);
        if let Err(error) = room.start(&turn) {
            let room = self.retire(number);
            drop(room);
            return Err(error);
        }
        self.sources[usize::from(source)] = Some(number);
        Ok(number)
    }

    fn add(&mut self, room: Inhabitant, source: u8) -> usize {
        let dweller = Dweller { room, source, links: Vec::new(), exit: None, is_busy: false, deadline: None };
        let number = if let Some(spare) = self.spare_places.pop() {
            self.dwellers[spare] = dweller;
            spare
        } else {
            self.dwellers.push(dweller);
            self.dwellers.len() - 1
        };
        self.touch(number);
        number
    }

    /// Another link; one that is held is there until it is [let go](Network::let_go).
    pub(super) fn new_segment(&mut self, config: LinkConfig, is_held: bool) -> usize {
        let segment = Segment::new(config, is_held);
        if let Some(spare) = self.spare_segments.pop() {
            self.segments[spare] = segment;
            return spare;
        }
        self.segments.push(segment);
        self.segments.len() - 1
    }

    /// A link for a host and its exit, which goes with it.
    pub(crate) fn exit_segment(&mut self, host: usize, exit: usize) -> usize {
        self.dwellers[host].exit = Some(exit);
        self.new_segment(LinkConfig::in_process(), false)
    }

    /// A room comes to a link, which it calls `link`.
    pub(crate) fn plug(&mut self, number: usize, link: LinkId, segment: usize) -> End {
        self.dwellers[number].links.push((link, segment));
        self.segments[segment].add((number, link));
        (number, link)
    }

    /// A number at the poller.
    fn new_source(&mut self) -> Option<u8> {
        if let Some(spare) = self.spare_sources.pop() {
            return Some(spare);
        }
        let source = u8::try_from(self.sources.len()).ok().filter(|_| self.sources.len() < SOURCES_MAX)?;
        self.sources.push(None);
        Some(source)
    }
}

/// What the machine's clock says, which somebody may set at any time: hosts keep what it said when they were made.
fn time_of_day() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::Realtime);
    let seconds = Duration::from_secs(u64::try_from(now.tv_sec).unwrap_or(0));
    seconds + Duration::from_nanos(u64::try_from(now.tv_nsec).unwrap_or(0))
}
