//! Datagrams between S and the host.
//!
//! S is an AF_UNIX datagram socket. What a remote sent comes from a *sender*, a socket whose name spells the remote's
//! address; so the program's receiving is native where it does not ask for the address, and where it asks, the name
//! answers. A connected S is connected to one such socket, P, and then sending is native too.
//!
//! The kernel queues ten datagrams for an unconnected S and no more (net.unix.max_dgram_qlen). What waits longer waits
//! in the host's queue; a monitor connected to S tells when there is room.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use ieum_engine::Ready;
use ieum_socket::{Arrival, Host, SocketId};
use ieum_wire::Instant;
use rustix::io::Errno;
use rustix::net::{
    RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, connect_unspec, recv, send,
    sendto,
};

use super::stamps::{Came, Stamps, time_of_day};
use super::{has_waiting, joint, named};
use crate::bounds::{DATAGRAMS_PER_TURN_MAX, SENDERS_MAX};
use crate::name::{Bearer, Envelope, Names};

/// What carries the datagrams of one socket.
#[derive(Debug, Default)]
pub(crate) struct Datagram {
    peer: Option<Peer>,
    senders: BTreeMap<Envelope, OwnedFd>,
    /// Connected to S; writable when S has room.
    monitor: Option<OwnedFd>,
    /// S had no room; wait for the monitor or P.
    blocked: bool,
    /// Taken from the host or given back by who could not keep them, and not yet taken by S, in their order.
    parked: VecDeque<Parked>,
    /// When came what lies in S.
    stamps: Stamps,
    /// Makes names of senders that follow each other differ.
    serial: u64,
}

/// A datagram on its way to S.
#[derive(Debug)]
struct Parked {
    payload: Vec<u8>,
    envelope: Envelope,
    /// Where it came to, if it comes from the host now.
    destination: Option<SocketAddr>,
    /// When.
    came: Came,
}

impl Parked {
    fn of_host(payload: Vec<u8>, source: SocketAddr, arrival: Option<Arrival>, came_at: Instant) -> Parked {
        let envelope = match arrival {
            Some(Arrival { destination, ttl, tos, interface, segment_bytes }) => Envelope {
                remote: source,
                local: Some(destination.ip()),
                hops: ttl,
                tos,
                interface,
                segment_bytes: segment_bytes.unwrap_or(0),
            },
            None => Envelope::of(source),
        };
        let destination = arrival.map(|arrival| arrival.destination);
        Parked { payload, envelope, destination, came: Came::At(came_at) }
    }

    /// The first of several datagrams, and the others. A connected S has one sender, whose name cannot say that there are
    /// several.
    fn first(mut self) -> (Parked, Option<Parked>) {
        let size = usize::from(self.envelope.segment_bytes);
        if size == 0 || size >= self.payload.len() {
            return (self, None);
        }
        let payload = self.payload.split_off(size);
        let later = Parked { payload, ..self };
        (self, Some(later))
    }

    /// It is not gone yet, and what was behind it is behind it again.
    fn and(mut self, later: Option<Parked>) -> Parked {
        self.payload.extend(later.into_iter().flat_map(|later| later.payload));
        self
    }
}

/// P, to which a connected S is connected.
#[derive(Debug)]
struct Peer {
    own_end: OwnedFd,
    remote: SocketAddr,
    readable: bool,
}

/// How a turn of delivering ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Delivery {
    /// Nothing waits in the host.
    Idle,
    /// The turn's share is used up.
    More,
    /// S has no room: [`Datagram::room_source`] will tell.
    Blocked,
    /// S is closed, and a datagram came for it.
    Closed {
        /// From this remote.
        source: SocketAddr,
        /// To this address of ours.
        destination: Option<SocketAddr>,
    },
}

impl Datagram {
    /// Connects S, which is not connected, to a socket that stands for `remote`.
    pub(crate) fn connect(
        &mut self,
        program_end: BorrowedFd<'_>,
        name: &SocketAddrUnix,
        names: &Names,
        number: u64,
        remote: SocketAddr,
    ) -> Result<BorrowedFd<'_>, Errno> {
        self.serial += 1;
        let own_name = names.name(Bearer::Remote(number, self.serial, Envelope::of(remote)))?;
        let own_end = named(SocketType::DGRAM, SocketFlags::NONBLOCK, &own_name)?;
        connect(&own_end, name)?;
        // From now on S alone can send there. What strangers did before would pass for the program's own.
        while recv(&own_end, &mut [0u8; 1][..], RecvFlags::DONTWAIT).is_ok() {}
        connect(program_end, &own_name)?;
        self.senders.clear();
        self.monitor = None;
        self.blocked = false;
        Ok(self.peer.insert(Peer { own_end, remote, readable: true }).own_end.as_fd())
    }

    /// Dissolves the association. S loses what is in its queue.
    pub(crate) fn disconnect(&mut self, program_end: BorrowedFd<'_>) -> Result<(), Errno> {
        connect_unspec(program_end)?;
        self.peer = None;
        self.blocked = false;
        Ok(())
    }

    /// All that was in S's queue, and nothing came since: it goes there again, before what comes later.
    pub(crate) fn give_back(
        &mut self,
        taken: impl DoubleEndedIterator<Item = (Vec<u8>, Envelope, Option<Duration>)>,
    ) {
        for (payload, envelope, came) in taken.rev() {
            self.parked.push_front(Parked { payload, envelope, destination: None, came: Came::On(came) });
        }
        self.blocked = false;
    }

    /// Whether the program wants to know when datagrams came, which S says from now on.
    pub(crate) fn set_stamped(&mut self, wanted: bool) {
        self.stamps.set_wanted(wanted);
    }

    /// At which time of day that came which S got at the one that the kernel says.
    pub(crate) fn came(&mut self, stamp: Duration, read_since: Duration) -> Duration {
        self.stamps.came(stamp, read_since)
    }

    /// P or the monitor changed.
    pub(crate) fn on_ready(&mut self, ready: Ready) {
        if let Some(peer) = &mut self.peer {
            peer.readable |= ready.read || ready.error;
        }
        if ready.write || ready.error || ready.hangup {
            self.blocked = false;
        }
    }

    /// What the program wrote may not have been told of.
    pub(crate) fn look_again(&mut self) {
        if let Some(peer) = &mut self.peer {
            peer.readable = true;
        }
    }

    /// What tells that S has room again; to be watched anew after each [`Delivery::Blocked`].
    pub(crate) fn room_source(&self) -> Option<BorrowedFd<'_>> {
        match &self.peer {
            Some(peer) => Some(peer.own_end.as_fd()),
            None => self.monitor.as_ref().map(OwnedFd::as_fd),
        }
    }

    /// Whether the room source is P, which is watched already.
    pub(crate) fn is_connected(&self) -> bool {
        self.peer.is_some()
    }

    /// Sends what a connected program wrote. True: more waits than one turn's share.
    pub(crate) fn outward(&mut self, now: Instant, host: &mut Host, id: SocketId) -> bool {
        let Some(peer) = &mut self.peer else { return false };
        let mut buffer = vec![0u8; usize::from(u16::MAX)];
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            if !peer.readable {
                return false;
            }
            if host.error(id).is_some() {
                // A send would be told what was said of an earlier one, and nobody would tell the program: first it is shown.
                return true;
            }
            match recv(&peer.own_end, &mut buffer[..], RecvFlags::DONTWAIT) {
                // A refusal (no route, no room) is a datagram lost: the program's call has long returned.
                Ok((count, _)) => drop(host.send_to(now, id, &buffer[..count], None)),
                Err(Errno::INTR) => {}
                Err(_) => peer.readable = false,
            }
        }
        peer.readable
    }

    /// Gives the program what came for it.
    pub(crate) fn inward(
        &mut self,
        now: Instant,
        host: &mut Host,
        id: SocketId,
        name: &SocketAddrUnix,
        names: &Names,
        number: u64,
    ) -> Delivery {
        for _ in 0..DATAGRAMS_PER_TURN_MAX {
            if self.blocked {
                return Delivery::Blocked;
            }
            let (arrival, came_at) = (host.next_arrival(id), host.next_came_at(id).unwrap_or(now));
            let next = match self.parked.pop_front() {
                Some(parked) => parked,
                None => match host.recv_from(now, id, false) {
                    Ok((payload, source)) => Parked::of_host(payload, source, arrival, came_at),
                    Err(_) => return Delivery::Idle,
                },
            };
            let (source, destination) = (next.envelope.remote, next.destination);
            let (next, later) = if self.is_connected() { next.first() } else { (next, None) };
            let begun = self.stamps.are_wanted().then(time_of_day);
            match self.deliver(&next.payload, next.envelope, name, names, number) {
                Ok(_) => {
                    if let Some(begun) = begun {
                        self.stamps.delivered((begun, time_of_day()), now, next.came);
                    }
                    self.parked_first(later);
                }
                Err(Errno::AGAIN) => {
                    self.parked.push_front(next.and(later));
                    return self.block(name, source, destination);
                }
                Err(Errno::INTR) => self.parked.push_front(next.and(later)),
                Err(Errno::CONNREFUSED) => return Delivery::Closed { source, destination },
                // EMSGSIZE, ENOBUFS, or S connected in between: a datagram lost.
                Err(_) => self.parked_first(later),
            }
        }
        Delivery::More
    }

    fn parked_first(&mut self, later: Option<Parked>) {
        if let Some(later) = later {
            self.parked.push_front(later);
        }
    }

    /// Puts one datagram into S's queue.
    fn deliver(
        &mut self,
        payload: &[u8],
        envelope: Envelope,
        name: &SocketAddrUnix,
        names: &Names,
        number: u64,
    ) -> Result<usize, Errno> {
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        if let Some(peer) = &self.peer {
            // The host filters by the remote. What others sent before the connect, and S's queue had no room for, is
            // lost: there is one name for all that comes.
            return if peer.remote == envelope.remote { send(&peer.own_end, payload, flags) } else { Ok(0) };
        }
        if self.senders.len() >= SENDERS_MAX && !self.senders.contains_key(&envelope) {
            self.senders.clear();
        }
        let sender = match self.senders.entry(envelope) {
            std::collections::btree_map::Entry::Occupied(known) => known.into_mut(),
            std::collections::btree_map::Entry::Vacant(new) => {
                self.serial += 1;
                let own_name = names.name(Bearer::Remote(number, self.serial, envelope))?;
                new.insert(named(SocketType::DGRAM, SocketFlags::NONBLOCK, &own_name)?)
            }
        };
        sendto(&*sender, payload, flags, name)
    }

    fn block(
        &mut self,
        name: &SocketAddrUnix,
        source: SocketAddr,
        destination: Option<SocketAddr>,
    ) -> Delivery {
        self.blocked = true;
        if self.peer.is_none() && self.monitor.is_none() {
            match monitor(name) {
                Ok(monitor) => self.monitor = Some(monitor),
                Err(Errno::CONNREFUSED) => return Delivery::Closed { source, destination },
                Err(_) => self.blocked = false,
            }
        }
        Delivery::Blocked
    }

    /// Makes S show an error: it polls ERR, and a native recv gives ECONNRESET. False: it cannot be shown now.
    ///
    /// A connected end that turns away with something unread resets the other. An unconnected S is connected for that moment;
    /// as it is let go it loses what is in its queue, so that one with a queue shows nothing: it polls IN as it is.
    pub(crate) fn show_error(
        &mut self,
        program_end: BorrowedFd<'_>,
        name: &SocketAddrUnix,
        names: &Names,
        number: u64,
    ) -> bool {
        if let Some(peer) = &self.peer {
            let shown = joint::leave_sentinel(program_end);
            if shown {
                let _ = connect_unspec(&peer.own_end);
                let _ = connect(&peer.own_end, name);
            }
            return shown;
        }
        if self.blocked || has_waiting(program_end) {
            return false;
        }
        self.serial += 1;
        let nobody = Envelope::of(SocketAddr::from(([0, 0, 0, 0], 0)));
        let Ok(own_name) = names.name(Bearer::Remote(number, self.serial, nobody)) else { return false };
        let Ok(end) = named(SocketType::DGRAM, SocketFlags::NONBLOCK, &own_name) else { return false };
        let shown = connect(program_end, &own_name).is_ok()
            && connect(&end, name).is_ok()
            && joint::leave_sentinel(program_end)
            && connect_unspec(&end).is_ok();
        let _ = connect_unspec(program_end);
        shown
    }
}

fn monitor(name: &SocketAddrUnix) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let monitor = rustix::net::socket_with(rustix::net::AddressFamily::UNIX, SocketType::DGRAM, flags, None)?;
    connect(&monitor, name)?;
    Ok(monitor)
}
