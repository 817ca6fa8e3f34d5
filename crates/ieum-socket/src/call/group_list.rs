//! Whole lists of senders at once (RFC 3678 §4.2 and §5.2): IP_MSFILTER, and MCAST_MSFILTER of both families.

use std::collections::BTreeSet;
use std::net::IpAddr;

use ieum_stack::SourceFilter;
use ieum_wire::Instant;

use super::group::{Interface, address_at, ip4_at, u32_at};
use crate::bounds::{GROUP_SOURCES_MAX, GROUP_SOURCES_MAX_IP6};
use crate::groups::Joined;
use crate::host::Host;
use crate::make::Domain;
use crate::numbers::{IP_MSFILTER, IPPROTO_IP, MCAST_MSFILTER};
use crate::{Errno, SocketId};

/// `struct ip_msfilter` and `struct group_filter` without their lists, and each sender in one: their sizes.
const LIST_4_BYTES: usize = 16;
const LIST_BYTES: usize = 144;
const SOURCE_4_BYTES: usize = 4;
const SOURCE_BYTES: usize = 128;
/// Where group, mode and count stand in the second.
const GROUP_AT: usize = 8;
const MODE_AT: usize = 136;
const COUNT_AT: usize = 140;
/// `MCAST_EXCLUDE` and `MCAST_INCLUDE`.
const EXCLUDE: u32 = 0;
const INCLUDE: u32 = 1;

/// A list as a program writes it.
struct List {
    group: IpAddr,
    interface: Interface,
    mode: u32,
    sources: BTreeSet<IpAddr>,
}

impl Host {
    /// Replaces the list of a group.
    pub(super) fn set_group_list(
        &mut self,
        now: Instant,
        id: SocketId,
        (level, name): (i32, i32),
        value: &[u8],
    ) -> Result<(), Errno> {
        let list = if name == IP_MSFILTER { list4(value)? } else { list_of(level, value)? };
        let List { group, interface, mode, sources } = list;
        if !group.is_multicast() || !matches!(mode, EXCLUDE | INCLUDE) {
            return Err(Errno::EINVAL);
        }
        let link = self.link_meant(group, interface).ok_or(Errno::ENODEV)?;
        if mode == INCLUDE && sources.is_empty() {
            return self.leave(now, id, group, interface);
        }
        let groups = self.groups_mut(id)?;
        let joined = groups.joined.iter_mut().find(|joined| (joined.group, joined.link) == (group, link));
        // RFC 3678 §4.2.1: the group must have been joined before.
        let joined = joined.ok_or(Errno::EINVAL)?;
        let filter =
            if mode == INCLUDE { SourceFilter::Include(sources) } else { SourceFilter::Exclude(sources) };
        joined.filter = filter.clone();
        let membership = joined.id;
        self.stack.group_listen(now, membership, filter);
        Ok(())
    }

    /// Tells the list of the group that the beginning of `given` names, as many senders of it as that has room for.
    pub(super) fn read_group_list(
        &self,
        id: SocketId,
        (level, name): (i32, i32),
        given: &[u8],
    ) -> Result<Vec<u8>, Errno> {
        if name == IP_MSFILTER {
            return self.read_list4(id, given);
        }
        let mut told = given.get(..LIST_BYTES).ok_or(Errno::EINVAL)?.to_vec();
        let foreign = if level == IPPROTO_IP { Errno::EINVAL } else { Errno::EADDRNOTAVAIL };
        let group = address_at(level, given, GROUP_AT).ok_or(foreign)?;
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        let link = self.stack.link_at(u32_at(given, 0)?);
        let joined = self.joined(id, |joined| joined.group == group && Some(joined.link) == link)?;
        let (mode, sources) = parts(&joined.filter);
        told[MODE_AT..COUNT_AT].copy_from_slice(&mode.to_ne_bytes());
        told[COUNT_AT..LIST_BYTES].copy_from_slice(&count(sources).to_ne_bytes());
        let room = usize::try_from(u32_at(given, COUNT_AT)?).unwrap_or(usize::MAX);
        for source in sources.iter().take(room) {
            told.extend(storage(*source));
        }
        Ok(told)
    }

    fn read_list4(&self, id: SocketId, given: &[u8]) -> Result<Vec<u8>, Errno> {
        let mut told = given.get(..LIST_4_BYTES).ok_or(Errno::EINVAL)?.to_vec();
        let group = ip4_at(given, 0)?;
        if !group.is_multicast() {
            return Err(Errno::EINVAL);
        }
        let link = self.link_meant(group.into(), Interface::of(ip4_at(given, 4)?)).ok_or(Errno::ENODEV)?;
        let joined = self.joined(id, |joined| (joined.group, joined.link) == (IpAddr::V4(group), link))?;
        let (mode, sources) = parts(&joined.filter);
        told[8..12].copy_from_slice(&mode.to_ne_bytes());
        told[12..].copy_from_slice(&count(sources).to_ne_bytes());
        let room = usize::try_from(u32_at(given, 12)?).unwrap_or(usize::MAX);
        for source in sources.iter().take(room) {
            if let IpAddr::V4(source) = source {
                told.extend(source.octets());
            }
        }
        Ok(told)
    }

    fn joined(&self, id: SocketId, is_meant: impl Fn(&Joined) -> bool) -> Result<&Joined, Errno> {
        let groups = self.descriptions.get(id).ok_or(Errno::EBADF)?.groups.as_ref();
        let mut all = groups.into_iter().flat_map(|groups| &groups.joined);
        all.find(|joined| is_meant(joined)).ok_or(Errno::EADDRNOTAVAIL)
    }
}

/// Is it an option of this file?
pub(super) fn is_list(level: i32, name: i32) -> bool {
    name == MCAST_MSFILTER || (level, name) == (IPPROTO_IP, IP_MSFILTER)
}

/// The mode of a list as a number, and its senders.
fn parts(filter: &SourceFilter) -> (u32, &BTreeSet<IpAddr>) {
    match filter {
        SourceFilter::Include(sources) => (INCLUDE, sources),
        SourceFilter::Exclude(sources) => (EXCLUDE, sources),
    }
}

fn count(sources: &BTreeSet<IpAddr>) -> u32 {
    u32::try_from(sources.len()).unwrap_or(u32::MAX)
}

/// The list of a `struct ip_msfilter`.
fn list4(value: &[u8]) -> Result<List, Errno> {
    let rest = value.get(LIST_4_BYTES..).ok_or(Errno::EINVAL)?;
    let count = counted(u32_at(value, 12)?, GROUP_SOURCES_MAX, rest, SOURCE_4_BYTES)?;
    let sources = rest.as_chunks::<SOURCE_4_BYTES>().0.iter().take(count);
    Ok(List {
        group: ip4_at(value, 0)?.into(),
        interface: Interface::of(ip4_at(value, 4)?),
        mode: u32_at(value, 8)?,
        sources: sources.map(|source| IpAddr::from(*source)).collect(),
    })
}

/// The list of a `struct group_filter`. Of IPv6 Linux does not ask for the families of its addresses.
fn list_of(level: i32, value: &[u8]) -> Result<List, Errno> {
    let rest = value.get(LIST_BYTES..).ok_or(Errno::EINVAL)?;
    let sources_max = if level == IPPROTO_IP { GROUP_SOURCES_MAX } else { GROUP_SOURCES_MAX_IP6 };
    let count = counted(u32_at(value, COUNT_AT)?, sources_max, rest, SOURCE_BYTES)?;
    let address = |value: &[u8], at: usize| match level {
        IPPROTO_IP => address_at(level, value, at),
        _ => value.get(at + 8..).and_then(<[u8]>::first_chunk::<16>).map(|octets| IpAddr::from(*octets)),
    };
    let sources = rest.as_chunks::<SOURCE_BYTES>().0.iter().take(count).map(|source| address(source, 0));
    let group = address(value, GROUP_AT).ok_or(Errno::EADDRNOTAVAIL)?;
    Ok(List {
        group,
        interface: Interface::numbered(u32_at(value, 0)?),
        mode: u32_at(value, MODE_AT)?,
        sources: sources.collect::<Option<_>>().ok_or(Errno::EADDRNOTAVAIL)?,
    })
}

/// How many senders there are, if so many may be and are there.
fn counted(count: u32, count_max: usize, rest: &[u8], each_bytes: usize) -> Result<usize, Errno> {
    let count = usize::try_from(count).ok().filter(|count| *count <= count_max).ok_or(Errno::ENOBUFS)?;
    if count * each_bytes <= rest.len() { Ok(count) } else { Err(Errno::EINVAL) }
}

/// A `struct sockaddr_storage` with this address.
fn storage(address: IpAddr) -> Vec<u8> {
    let family = u16::try_from(Domain::of(address).number()).unwrap_or_default().to_ne_bytes();
    let mut bytes = match address {
        IpAddr::V4(four) => [&family[..], &[0; 2], &four.octets()].concat(),
        IpAddr::V6(six) => [&family[..], &[0; 6], &six.octets()].concat(),
    };
    bytes.resize(SOURCE_BYTES, 0);
    bytes
}
