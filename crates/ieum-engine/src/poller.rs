//! Waiting for descriptors: epoll(7).

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::sync::Arc;
use std::time::Duration;

use ieum_wire::Instant;
use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};

use crate::bounds::EVENTS_MAX;

/// Which readiness a source waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Interest {
    /// There is something to read, or the other end has finished.
    pub read: bool,
    /// There is room to write.
    pub write: bool,
    /// Told of each change once (EPOLLET), not for as long as it lasts.
    pub edge: bool,
}

/// What a source is ready for.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Ready {
    /// There is something to read (EPOLLIN).
    pub read: bool,
    /// There is room to write (EPOLLOUT).
    pub write: bool,
    /// The other end will not write any more (EPOLLRDHUP).
    pub read_hangup: bool,
    /// Both directions are over (EPOLLHUP).
    pub hangup: bool,
    /// An error is pending (EPOLLERR).
    pub error: bool,
}

/// How many bits of epoll's word are the room's own; the rest name the room.
const KEY_BITS: u32 = 56;

/// Handed to a room in its turn: the time, and the door to register what it waits for.
///
/// A `key` is the room's own word for a source, below 2⁵⁶; it comes back in [`crate::Room::on_ready`].
#[derive(Debug)]
pub struct Turn<'a> {
    /// The time.
    pub now: Instant,
    epoll: &'a OwnedFd,
    room: u8,
}

impl Turn<'_> {
    /// Begins to watch a descriptor.
    ///
    /// # Errors
    ///
    /// Those of epoll_ctl(2): too many watches, or a descriptor that cannot be watched.
    pub fn watch(&self, fd: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        epoll::add(self.epoll, fd, self.word(key), flags(interest)).map_err(io::Error::from)
    }

    /// Watches a descriptor for something else; what is ready now is told anew.
    ///
    /// # Errors
    ///
    /// Those of epoll_ctl(2).
    pub fn rewatch(&self, fd: BorrowedFd<'_>, key: u64, interest: Interest) -> io::Result<()> {
        epoll::modify(self.epoll, fd, self.word(key), flags(interest)).map_err(io::Error::from)
    }

    /// Ceases to watch a descriptor. Needed only where a duplicate of it lives on: closing the last one does the same.
    pub fn unwatch(&self, fd: BorrowedFd<'_>) {
        // It fails only for a descriptor that is not watched, and then there is nothing to do.
        let _ = epoll::delete(self.epoll, fd);
    }

    fn word(&self, key: u64) -> EventData {
        assert!(key >> KEY_BITS == 0, "a key has 56 bits");
        EventData::new_u64(key | u64::from(self.room) << KEY_BITS)
    }
}

fn flags(interest: Interest) -> EventFlags {
    let mut flags = EventFlags::empty();
    flags.set(EventFlags::IN | EventFlags::RDHUP, interest.read);
    flags.set(EventFlags::OUT, interest.write);
    flags.set(EventFlags::ET, interest.edge);
    flags
}

/// One readiness: which room, its key, and what for.
pub type Told = (u8, u64, Ready);

/// The list of what rooms wait for. A handle: clones are the same list.
#[derive(Clone, Debug)]
pub struct Poller {
    epoll: Arc<OwnedFd>,
}

impl Poller {
    /// One that waits for nothing yet.
    ///
    /// # Errors
    ///
    /// Those of epoll_create1(2).
    pub fn new() -> io::Result<Poller> {
        Ok(Poller { epoll: Arc::new(epoll::create(CreateFlags::CLOEXEC)?) })
    }

    /// The turn at `now` of the room that `room` names: what it watches is told of under that name.
    pub fn turn(&self, now: Instant, room: u8) -> Turn<'_> {
        Turn { now, epoll: &self.epoll, room }
    }
}

/// The one place where is waited: by [`crate::Engine`], or by who gives rooms their turns in a way of its own.
pub struct Sleeper {
    epoll: Arc<OwnedFd>,
    events: Vec<epoll::Event>,
}

impl Sleeper {
    /// Waits for what `poller` lists, and will list.
    pub fn new(poller: &Poller) -> Sleeper {
        Sleeper { epoll: Arc::clone(&poller.epoll), events: Vec::with_capacity(EVENTS_MAX) }
    }

    /// Waits until something is ready, `longest` at most (`None`: for as long as it takes), and puts what is into
    /// `told`, whose memory serves turn after turn. A signal ends the waiting with nothing.
    ///
    /// # Errors
    ///
    /// Those of epoll_wait(2).
    pub fn wait(&mut self, longest: Option<Duration>, told: &mut Vec<Told>) -> io::Result<()> {
        // Rounded up to a whole millisecond, which kernels before 5.11 (no epoll_pwait2) can only wait: waking early
        // would mean to turn in vain until the deadline.
        let timeout = longest.map(|longest| {
            let milliseconds = u64::try_from(longest.as_micros().div_ceil(1000)).unwrap_or(u64::MAX);
            let rounded = Duration::from_millis(milliseconds.min(u64::from(u32::MAX)));
            Timespec::try_from(rounded).unwrap_or_default()
        });
        told.clear();
        self.events.clear();
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.events), timeout.as_ref()) {
            Ok(_) => {
                told.extend(self.events.iter().map(read));
                Ok(())
            }
            Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn read(event: &epoll::Event) -> Told {
    let (word, flags) = (event.data.u64(), event.flags);
    let ready = Ready {
        read: flags.contains(EventFlags::IN),
        write: flags.contains(EventFlags::OUT),
        read_hangup: flags.contains(EventFlags::RDHUP),
        hangup: flags.contains(EventFlags::HUP),
        error: flags.contains(EventFlags::ERR),
    };
    let room = u8::try_from(word >> KEY_BITS).expect("8 bits are left");
    (room, word & ((1 << KEY_BITS) - 1), ready)
}
