//! The sockets of the program, by number, by inode and by the host's name for them.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;

use ieum_socket::{Errno, Kind, SocketId};
use rustix::net::{SocketAddrUnix, SocketType};

use crate::bounds::OVER_MAX;
use crate::carrier::datagram::Datagram;
use crate::carrier::joint::Fill;
use crate::carrier::stream::Stream;
use crate::tracee::Place;

/// One socket of the program.
#[derive(Debug)]
pub(crate) struct Socket {
    pub(crate) host: SocketId,
    /// AF_INET or AF_INET6.
    pub(crate) domain: i32,
    pub(crate) kind: Kind,
    /// S; `None` while it waits in an accept queue.
    pub(crate) inode: Option<u64>,
    /// The name S bears; a socket that was accepted has none of its own.
    pub(crate) name: Option<SocketAddrUnix>,
    /// Where a descriptor of it was last seen.
    pub(crate) place: Option<Place>,
    /// Who connected to us, of an accepted socket.
    pub(crate) accepted_from: Option<SocketAddr>,
    /// The listener in whose queue it was put, by number.
    pub(crate) listener: Option<u64>,
    pub(crate) carrier: Carrier,
    /// S was made to show an error; which one, the host or [`Socket::error`] says.
    pub(crate) shows_error: bool,
    /// S, without a connection, was shut down.
    pub(crate) shut_unconnected: bool,
    /// A datagram socket's error, taken from the host and not yet told.
    pub(crate) error: Option<Errno>,
    /// Bytes of a stream that an interrupted caller did not get and S's queue does not take any more.
    pub(crate) given_back: Vec<u8>,
}

/// What stands between S and the host.
#[derive(Debug)]
pub(crate) enum Carrier {
    /// S is unconnected.
    Fresh,
    /// The host connects.
    Connecting(Connecting),
    Stream(Stream),
    Listening(Listening),
    /// S showed a refusal and cannot be used again: another socket takes its place when it must.
    Spent,
    /// The connection is over; the program may still hold S. P, where there is one, tells when it is closed.
    Over(Option<OwnedFd>),
    Datagram(Datagram),
}

/// A connection in the making.
#[derive(Debug)]
pub(crate) enum Connecting {
    /// A caller waits; S is unconnected.
    Held,
    /// Nobody waits; S is connected to this end of ours and full.
    Filled { own_end: OwnedFd, fill: Fill },
}

/// A listening S.
#[derive(Debug, Default)]
pub(crate) struct Listening {
    /// Connections in the program's accept queue.
    pub(crate) waiting: u32,
}

/// All sockets of one run.
#[derive(Debug, Default)]
pub(crate) struct Sockets {
    by_number: BTreeMap<u64, Socket>,
    by_inode: HashMap<u64, u64>,
    by_host: HashMap<SocketId, u64>,
    /// Those that are over and whose closing nobody will tell.
    over: BTreeSet<u64>,
    /// How many of them there are when those are looked for that nobody holds, if that is more than [`OVER_MAX`].
    over_until_look: usize,
    last_number: u64,
}

impl Socket {
    /// The kind of AF_UNIX socket that stands for it.
    pub(crate) fn unix_kind(&self) -> SocketType {
        match self.kind {
            Kind::Stream => SocketType::STREAM,
            Kind::Datagram => SocketType::DGRAM,
        }
    }

    /// Whether the kernel tells when the program closes it; the others must be asked after by name.
    pub(crate) fn tells_close(&self) -> bool {
        match &self.carrier {
            Carrier::Stream(_) | Carrier::Connecting(Connecting::Filled { .. }) => true,
            Carrier::Fresh
            | Carrier::Connecting(Connecting::Held)
            | Carrier::Listening(_)
            | Carrier::Spent
            | Carrier::Over(_)
            | Carrier::Datagram(_) => false,
        }
    }
}

impl Sockets {
    /// The number the next socket will have: names are made of it before there is a socket.
    pub(crate) fn next_number(&self) -> u64 {
        self.last_number + 1
    }

    /// Returns the number of the socket, which is [`Sockets::next_number`].
    pub(crate) fn insert(&mut self, socket: Socket) -> u64 {
        self.last_number += 1;
        let number = self.last_number;
        self.by_host.insert(socket.host, number);
        if let Some(inode) = socket.inode {
            self.by_inode.insert(inode, number);
        }
        self.by_number.insert(number, socket);
        number
    }

    /// S is `inode` from now on.
    pub(crate) fn set_inode(&mut self, number: u64, inode: u64) {
        let Some(socket) = self.by_number.get_mut(&number) else { return };
        if let Some(before) = socket.inode.replace(inode) {
            self.by_inode.remove(&before);
        }
        self.by_inode.insert(inode, number);
    }

    pub(crate) fn remove(&mut self, number: u64) -> Option<Socket> {
        let socket = self.by_number.remove(&number)?;
        self.by_host.remove(&socket.host);
        self.over.remove(&number);
        if let Some(inode) = socket.inode {
            // The kernel may have given the number of a closed socket to a new one.
            if self.by_inode.get(&inode) == Some(&number) {
                self.by_inode.remove(&inode);
            }
        }
        Some(socket)
    }

    pub(crate) fn get(&self, number: u64) -> Option<&Socket> {
        self.by_number.get(&number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut Socket> {
        self.by_number.get_mut(&number)
    }

    pub(crate) fn by_inode(&self, inode: u64) -> Option<u64> {
        self.by_inode.get(&inode).copied()
    }

    pub(crate) fn by_host(&self, id: SocketId) -> Option<u64> {
        self.by_host.get(&id).copied()
    }

    pub(crate) fn numbers(&self) -> Vec<u64> {
        self.by_number.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u64, &Socket)> {
        self.by_number.iter().map(|(number, socket)| (*number, socket))
    }

    /// Socket `number` is over, and nobody will tell when it is closed. True when there are so many by now that those are to
    /// be looked for that nobody holds.
    pub(crate) fn over(&mut self, number: u64) -> bool {
        self.over.insert(number);
        self.over.len() >= OVER_MAX.max(self.over_until_look)
    }

    /// Those that are over and that nobody holds, by who holds what.
    pub(crate) fn over_unheld(&mut self, is_held: impl Fn(u64) -> bool) -> Vec<u64> {
        // Some have become like new.
        let is_over = |socket: &&Socket| matches!(socket.carrier, Carrier::Over(_));
        self.over.retain(|number| self.by_number.get(number).filter(is_over).is_some());
        let inode = |number: &u64| self.by_number.get(number).and_then(|socket| socket.inode);
        let unheld = self.over.iter().filter(|number| inode(number).is_some_and(|inode| !is_held(inode)));
        let unheld: Vec<u64> = unheld.copied().collect();
        // A look costs as much as there are descriptors: where programs hold many, it is taken the less often.
        self.over_until_look = 2 * (self.over.len() - unheld.len());
        unheld
    }
}

/// The kernel's error in the host's words.
pub(crate) fn host_errno(error: rustix::io::Errno) -> Errno {
    Errno(error.raw_os_error())
}
