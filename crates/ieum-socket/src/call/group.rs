//! Options about multicast groups: joining and leaving, whom to hear there, and the link to speak by.
//!
//! Interfaces have numbers, as on Linux: 1 is the loopback link, then come the links in the order in which they were added.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ieum_stack::{LinkId, SourceFilter};
use ieum_wire::Instant;

use super::group_list::is_list;
use crate::bounds::GROUPS_MAX;
use crate::endpoint::Endpoint;
use crate::groups::{Groups, Joined, Listed, Wish};
use crate::host::Host;
use crate::make::Domain;
use crate::numbers::*;
use crate::{Errno, Kind, SocketId};

/// `struct ip_mreq`, `struct ip_mreqn`, `struct ip_mreq_source`, `struct ipv6_mreq`, `struct group_req`,
/// `struct group_source_req`: their sizes.
const REQUEST_BYTES: usize = 8;
const NUMBERED_REQUEST_BYTES: usize = 12;
const SOURCE_REQUEST_BYTES: usize = 12;
const REQUEST_6_BYTES: usize = 20;
const GROUP_REQUEST_BYTES: usize = 136;
const GROUP_SOURCE_REQUEST_BYTES: usize = 264;
/// Where the addresses lie in the last two.
const GROUP_AT: usize = 8;
const SOURCE_AT: usize = 136;

/// An interface as a program names it: by number, else by one of its addresses, else the one that the route says.
#[derive(Clone, Copy, Debug)]
pub(super) struct Interface {
    index: u32,
    address: Ipv4Addr,
}

impl Interface {
    pub(super) fn numbered(index: u32) -> Interface {
        Interface { index, address: Ipv4Addr::UNSPECIFIED }
    }

    pub(super) fn of(address: Ipv4Addr) -> Interface {
        Interface { index: 0, address }
    }
}

impl Host {
    /// Sets an option about groups; `None` when it is none of those.
    pub(crate) fn set_group_option(
        &mut self,
        now: Instant,
        id: SocketId,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Option<Result<(), Errno>> {
        let make = self.make(id)?;
        let level_is_there = level == IPPROTO_IP || (level == IPPROTO_IPV6 && make.domain == Domain::Ip6);
        // Streams are in groups only by what says nothing of its family, or names senders; what they hear it does not change.
        let of_datagrams = matches!(
            (level, name),
            (IPPROTO_IP, IP_MULTICAST_IF | IP_ADD_MEMBERSHIP | IP_DROP_MEMBERSHIP)
                | (IPPROTO_IPV6, IPV6_MULTICAST_IF | IPV6_ADD_MEMBERSHIP | IPV6_DROP_MEMBERSHIP)
        );
        if make.kind() == Kind::Stream && of_datagrams || !level_is_there {
            return None;
        }
        Some(match (level, name) {
            (IPPROTO_IP, IP_MULTICAST_IF) => self.speak_by4(id, value),
            (IPPROTO_IPV6, IPV6_MULTICAST_IF) => self.speak_by6(id, value),
            (IPPROTO_IP, IP_ADD_MEMBERSHIP) => request4(value).and_then(|(group, interface)| {
                self.join(now, id, group.into(), interface, SourceFilter::all())
            }),
            (IPPROTO_IP, IP_DROP_MEMBERSHIP) => {
                request4(value).and_then(|(group, interface)| self.leave(now, id, group.into(), interface))
            }
            (IPPROTO_IPV6, IPV6_ADD_MEMBERSHIP) => request6(value).and_then(|(group, interface)| {
                self.join(now, id, group.into(), interface, SourceFilter::all())
            }),
            (IPPROTO_IPV6, IPV6_DROP_MEMBERSHIP) => {
                request6(value).and_then(|(group, interface)| self.leave(now, id, group.into(), interface))
            }
            (
                IPPROTO_IP,
                IP_BLOCK_SOURCE | IP_UNBLOCK_SOURCE | IP_ADD_SOURCE_MEMBERSHIP | IP_DROP_SOURCE_MEMBERSHIP,
            ) => source_request4(value).and_then(|(group, interface, source)| {
                self.list(now, id, group.into(), interface, source.into(), wish(name))
            }),
            (_, MCAST_JOIN_GROUP) => group_request(level, value)
                .and_then(|(group, interface)| self.join(now, id, group, interface, SourceFilter::all())),
            (_, MCAST_LEAVE_GROUP) => group_request(level, value)
                .and_then(|(group, interface)| self.leave(now, id, group, interface)),
            (
                _,
                MCAST_BLOCK_SOURCE
                | MCAST_UNBLOCK_SOURCE
                | MCAST_JOIN_SOURCE_GROUP
                | MCAST_LEAVE_SOURCE_GROUP,
            ) => group_source_request(level, value).and_then(|(group, interface, source)| {
                self.list(now, id, group, interface, source, wish(name))
            }),
            _ if is_list(level, name) => self.set_group_list(now, id, (level, name), value),
            _ => return None,
        })
    }

    /// An option about groups that is asked with something given: which group's list of senders; `None` when it is none of
    /// those.
    pub(crate) fn read_group_option(
        &self,
        id: SocketId,
        level: i32,
        name: i32,
        given: &[u8],
    ) -> Option<Result<Vec<u8>, Errno>> {
        let domain = self.make(id)?.domain;
        let level_is_there = level == IPPROTO_IP || (level == IPPROTO_IPV6 && domain == Domain::Ip6);
        (level_is_there && is_list(level, name)).then(|| self.read_group_list(id, (level, name), given))
    }

    /// Whom the socket's endpoint hears from now on.
    pub(crate) fn tell_groups(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get(id) else { return };
        let Some(endpoint) = description.open().map(|open| open.endpoint) else { return };
        let joined = description.groups.iter().flat_map(|groups| &groups.joined);
        let ids = joined.map(|joined| joined.id).collect();
        let domain = description.make.domain;
        let all = description.options.hears_all_groups(domain);
        match endpoint {
            Endpoint::Udp(endpoint) => self.stack.udp_set_groups(endpoint, ids, all),
            Endpoint::Raw(endpoint) => {
                self.stack.raw_set_groups(endpoint, ids, all[usize::from(domain == Domain::Ip6)]);
            }
            // Echo requests to many are not answered.
            Endpoint::Ping(_) => {}
        }
    }

    /// The socket is gone, and so are its memberships.
    pub(crate) fn leave_all(&mut self, now: Instant, groups: &Groups) {
        for joined in &groups.joined {
            self.stack.group_leave(now, joined.id);
        }
    }

    /// Has the socket to do with groups: did it join one, or choose how it speaks to them?
    pub fn has_joined(&self, id: SocketId) -> bool {
        self.descriptions.get(id).is_some_and(|description| description.groups.is_some())
    }

    /// The link by which the socket speaks to that group, if it has chosen one.
    pub(crate) fn chosen_link(&self, id: SocketId, group: IpAddr) -> Option<LinkId> {
        let groups = self.descriptions.get(id)?.groups.as_ref()?;
        match group {
            IpAddr::V4(_) => groups.link4.map(|(link, _)| link),
            IpAddr::V6(_) => groups.link6,
        }
    }

    fn speak_by4(&mut self, id: SocketId, value: &[u8]) -> Result<(), Errno> {
        let interface = match value.len() {
            0..4 => return Err(Errno::EINVAL),
            4..REQUEST_BYTES => Interface::of(ip4_at(value, 0)?),
            REQUEST_BYTES..NUMBERED_REQUEST_BYTES => Interface::of(ip4_at(value, 4)?),
            _ => Interface { index: u32_at(value, 8)?, address: ip4_at(value, 4)? },
        };
        let chosen = match interface {
            Interface { index: 0, address } if address.is_unspecified() => None,
            Interface { index: 0, address } => {
                Some((self.stack.link_of(address.into()).ok_or(Errno::EADDRNOTAVAIL)?, address))
            }
            Interface { index, address } => {
                Some((self.stack.link_at(index).ok_or(Errno::EADDRNOTAVAIL)?, address))
            }
        };
        self.check_kept_link(id, chosen.map(|(link, _)| link))?;
        self.groups_mut(id)?.link4 = chosen;
        Ok(())
    }

    /// Who keeps to one link speaks to groups by no other.
    fn check_kept_link(&self, id: SocketId, chosen: Option<LinkId>) -> Result<(), Errno> {
        let kept = self.kept_link(id);
        if kept.is_some() && chosen.is_some() && kept != chosen { Err(Errno::EINVAL) } else { Ok(()) }
    }

    fn speak_by6(&mut self, id: SocketId, value: &[u8]) -> Result<(), Errno> {
        let chosen = match u32_at(value, 0)? {
            0 => None,
            index => Some(self.stack.link_at(index).ok_or(Errno::ENODEV)?),
        };
        self.check_kept_link(id, chosen)?;
        self.groups_mut(id)?.link6 = chosen;
        Ok(())
    }

    fn join(
        &mut self,
        now: Instant,
        id: SocketId,
        group: IpAddr,
        interface: Interface,
        filter: SourceFilter,
    ) -> Result<(), Errno> {
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        let link = self.link_meant(group, interface).ok_or(Errno::ENODEV)?;
        let groups = self.groups_mut(id)?;
        if groups.joined.iter().any(|joined| (joined.group, joined.link) == (group, link)) {
            return Err(Errno::EADDRINUSE);
        }
        if groups.joined.iter().filter(|joined| joined.group.is_ipv4() == group.is_ipv4()).count()
            >= GROUPS_MAX
        {
            return Err(Errno::ENOBUFS);
        }
        let membership = self.stack.group_join(now, link, group, filter.clone());
        let joined = Joined { id: membership, group, link, interface: interface.address, filter };
        self.groups_mut(id)?.joined.push(joined);
        self.tell_groups(id);
        Ok(())
    }

    pub(super) fn leave(
        &mut self,
        now: Instant,
        id: SocketId,
        group: IpAddr,
        interface: Interface,
    ) -> Result<(), Errno> {
        if group.is_ipv6() && !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        // Of IPv6 the first that was joined is meant where no interface is named; of IPv4 the one that the route says.
        let any = group.is_ipv6() && interface.index == 0;
        let link = self.link_meant(group, interface).filter(|_| !any);
        if link.is_none() && group.is_ipv4() && interface.index == 0 && interface.address.is_unspecified() {
            return Err(Errno::ENODEV);
        }
        let is_meant = |joined: &Joined| {
            let is_there = match link {
                Some(link) => joined.link == link,
                None => any || (interface.index == 0 && joined.interface == interface.address),
            };
            joined.group == group && is_there
        };
        let groups = self.groups_mut(id)?;
        let at = groups.joined.iter().position(is_meant).ok_or(Errno::EADDRNOTAVAIL)?;
        let joined = groups.joined.remove(at);
        self.stack.group_leave(now, joined.id);
        self.tell_groups(id);
        Ok(())
    }

    /// Puts a sender on the list of a group, or takes it off. Who asks for a sender joins by that.
    fn list(
        &mut self,
        now: Instant,
        id: SocketId,
        group: IpAddr,
        interface: Interface,
        source: IpAddr,
        wish: Wish,
    ) -> Result<(), Errno> {
        if wish.include && wish.add {
            let nobody = SourceFilter::Include(std::collections::BTreeSet::new());
            match self.join(now, id, group, interface, nobody) {
                Ok(()) | Err(Errno::EADDRINUSE) => {}
                Err(errno) => return Err(errno),
            }
        }
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        let link = self.link_meant(group, interface).ok_or(Errno::ENODEV)?;
        let groups = self.groups_mut(id)?;
        let joined = groups.joined.iter_mut().find(|joined| (joined.group, joined.link) == (group, link));
        let joined = joined.ok_or(Errno::EINVAL)?;
        let listed = joined.list(wish, source);
        let (membership, filter) = (joined.id, joined.filter.clone());
        match listed {
            Ok(Listed::Empty) => self.leave(now, id, group, interface),
            Ok(Listed::Changed) | Err(_) => {
                self.stack.group_listen(now, membership, filter);
                listed.map(|_| ())
            }
        }
    }

    pub(super) fn link_meant(&self, group: IpAddr, interface: Interface) -> Option<LinkId> {
        match interface {
            Interface { index: 0, address } if address.is_unspecified() => self.stack.link_towards(group),
            Interface { index: 0, address } => self.stack.link_of(address.into()),
            Interface { index, .. } => self.stack.link_at(index),
        }
    }

    pub(super) fn groups_mut(&mut self, id: SocketId) -> Result<&mut Groups, Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        Ok(description.groups.get_or_insert_default())
    }
}

fn wish(name: i32) -> Wish {
    let include = matches!(
        name,
        IP_ADD_SOURCE_MEMBERSHIP
            | IP_DROP_SOURCE_MEMBERSHIP
            | MCAST_JOIN_SOURCE_GROUP
            | MCAST_LEAVE_SOURCE_GROUP
    );
    let add = matches!(
        name,
        IP_ADD_SOURCE_MEMBERSHIP | IP_BLOCK_SOURCE | MCAST_JOIN_SOURCE_GROUP | MCAST_BLOCK_SOURCE
    );
    Wish { include, add }
}

fn request4(value: &[u8]) -> Result<(Ipv4Addr, Interface), Errno> {
    let index = if value.len() >= NUMBERED_REQUEST_BYTES { u32_at(value, 8)? } else { 0 };
    Ok((ip4_at(value, 0)?, Interface { index, address: ip4_at(value, 4)? }))
}

fn source_request4(value: &[u8]) -> Result<(Ipv4Addr, Interface, Ipv4Addr), Errno> {
    if value.len() != SOURCE_REQUEST_BYTES {
        return Err(Errno::EINVAL);
    }
    Ok((ip4_at(value, 0)?, Interface::of(ip4_at(value, 4)?), ip4_at(value, 8)?))
}

fn request6(value: &[u8]) -> Result<(Ipv6Addr, Interface), Errno> {
    if value.len() < REQUEST_6_BYTES {
        return Err(Errno::EINVAL);
    }
    let group: [u8; 16] = *value.first_chunk().ok_or(Errno::EINVAL)?;
    Ok((group.into(), Interface::numbered(u32_at(value, 16)?)))
}

fn group_request(level: i32, value: &[u8]) -> Result<(IpAddr, Interface), Errno> {
    if value.len() < GROUP_REQUEST_BYTES {
        return Err(Errno::EINVAL);
    }
    let foreign = if level == IPPROTO_IP { Errno::EINVAL } else { Errno::EADDRNOTAVAIL };
    let group = address_at(level, value, GROUP_AT).ok_or(foreign)?;
    Ok((group, Interface::numbered(u32_at(value, 0)?)))
}

fn group_source_request(level: i32, value: &[u8]) -> Result<(IpAddr, Interface, IpAddr), Errno> {
    if value.len() < GROUP_SOURCE_REQUEST_BYTES {
        return Err(Errno::EINVAL);
    }
    let addresses = address_at(level, value, GROUP_AT).zip(address_at(level, value, SOURCE_AT));
    let (group, source) = addresses.ok_or(Errno::EADDRNOTAVAIL)?;
    Ok((group, Interface::numbered(u32_at(value, 0)?), source))
}

/// The address in a socket address of the level's family.
pub(super) fn address_at(level: i32, value: &[u8], at: usize) -> Option<IpAddr> {
    let value = value.get(at..)?;
    let (family, rest) = value.split_first_chunk()?;
    let family = i32::from(u16::from_ne_bytes(*family));
    match level {
        IPPROTO_IP if family == Domain::Ip4.number() => {
            Some(IpAddr::from(*rest.get(2..)?.first_chunk::<4>()?))
        }
        IPPROTO_IPV6 if family == Domain::Ip6.number() => {
            Some(IpAddr::from(*rest.get(6..)?.first_chunk::<16>()?))
        }
        _ => None,
    }
}

pub(super) fn ip4_at(value: &[u8], at: usize) -> Result<Ipv4Addr, Errno> {
    let bytes: [u8; 4] = *value.get(at..).and_then(<[u8]>::first_chunk).ok_or(Errno::EINVAL)?;
    Ok(bytes.into())
}

pub(super) fn u32_at(value: &[u8], at: usize) -> Result<u32, Errno> {
    let bytes = value.get(at..).and_then(<[u8]>::first_chunk).ok_or(Errno::EINVAL)?;
    Ok(u32::from_ne_bytes(*bytes))
}
