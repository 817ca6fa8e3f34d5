//! Sockets of NETLINK_ROUTE: how programs ask for interfaces, addresses and routes (rtnetlink(7)); getifaddrs(3),
//! if_nameindex(3) and ip(8) do it this way. They are told of the host's own, not of the machine's.
//!
//! S is one end of a pair of AF_UNIX sockets, we hold the other one, P. A request that the program writes natively comes
//! out of P; one with an address comes as a call. Either way its answers are in S's queue when we are done, as the kernel's
//! are when `send` returns, and reading is native where no address is asked for. The pair is of SOCK_SEQPACKET, which keeps
//! messages apart like datagrams and lets P see that S was closed.
//!
//! What it does not do: interfaces, addresses and routes cannot be changed (EPERM, as an unprivileged program is told), and
//! since they do not change, groups that are joined are told of nothing. Requests that ieum has nothing for (neighbours,
//! queues) find nothing when they ask for all, and are EOPNOTSUPP when they ask for one. Other protocols of netlink
//! are refused or the kernel's (`program/filter`).
//!
//! Files: this one has the sockets; [`request`] reads what is asked; [`answer`] writes what is said; `call/route` has the
//! calls of programs.

pub(crate) mod answer;
pub(crate) mod request;

use std::collections::{BTreeMap, HashMap};
use std::os::fd::{AsFd, OwnedFd};

use crate::carrier;
use crate::tracee::Place;

/// One such socket.
#[derive(Debug)]
pub(crate) struct RouteSocket {
    /// P.
    pub(crate) own_end: OwnedFd,
    pub(crate) inode: u64,
    /// Where a descriptor of S was last seen.
    pub(crate) place: Place,
    /// SOCK_RAW or SOCK_DGRAM: the same thing, and it is told which was asked for.
    pub(crate) kind: i32,
    /// Its address; 0 until it is bound, by its first request at the latest.
    pub(crate) port: u32,
    /// Groups it was bound to.
    pub(crate) groups: u32,
    /// Options of SOL_NETLINK that were switched on, by number.
    pub(crate) options: BTreeMap<i32, i32>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct RouteSockets {
    by_number: BTreeMap<u64, RouteSocket>,
    by_inode: HashMap<u64, u64>,
    last_number: u64,
}

/// Where the numbers of these sockets begin, so that a held call's number says what kind of socket it waits for: far
/// beyond what one run makes of the others.
const FIRST_NUMBER: u64 = 1 << 48;

impl RouteSockets {
    pub(crate) fn is_empty(&self) -> bool {
        self.by_number.is_empty()
    }

    pub(crate) fn insert(&mut self, socket: RouteSocket) -> u64 {
        self.last_number += 1;
        let number = FIRST_NUMBER + self.last_number;
        self.by_inode.insert(socket.inode, number);
        self.by_number.insert(number, socket);
        number
    }

    pub(crate) fn by_inode(&self, inode: u64) -> Option<u64> {
        self.by_inode.get(&inode).copied()
    }

    pub(crate) fn get(&self, number: u64) -> Option<&RouteSocket> {
        self.by_number.get(&number)
    }

    pub(crate) fn get_mut(&mut self, number: u64) -> Option<&mut RouteSocket> {
        self.by_number.get_mut(&number)
    }

    pub(crate) fn remove(&mut self, number: u64) {
        if let Some(socket) = self.by_number.remove(&number)
            && self.by_inode.get(&socket.inode) == Some(&number)
        {
            self.by_inode.remove(&socket.inode);
        }
    }

    /// Does somebody bear this address, whose descriptors are not all closed? We are told of that a moment after it happens.
    pub(crate) fn is_port_taken(&self, port: u32) -> bool {
        let bears =
            |socket: &RouteSocket| socket.port == port && !carrier::has_hung_up(socket.own_end.as_fd());
        self.by_number.values().any(bears)
    }

    /// An address for a socket of process `leader` that did not choose one: its number, as long as no other has it, and
    /// then one of those that no process has (netlink_autobind).
    pub(crate) fn free_port(&self, leader: u32) -> u32 {
        let others = (0..=u32::MAX / 2).map(|step| (u32::MAX - 4096).wrapping_sub(step));
        std::iter::once(leader).chain(others).find(|port| !self.is_port_taken(*port)).unwrap_or(leader)
    }
}
