//! The multicast groups of one socket (ip(7), ipv6(7)).

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use ieum_stack::{LinkId, MembershipId, SourceFilter};

use crate::Errno;
use crate::bounds::GROUP_SOURCES_MAX;

/// What it has joined, and by which link it speaks to groups.
#[derive(Default, Debug)]
pub(crate) struct Groups {
    pub(crate) joined: Vec<Joined>,
    /// IP_MULTICAST_IF: the link, and the address that chose it.
    pub(crate) link4: Option<(LinkId, Ipv4Addr)>,
    /// IPV6_MULTICAST_IF.
    pub(crate) link6: Option<LinkId>,
}

/// One group.
#[derive(Debug)]
pub(crate) struct Joined {
    pub(crate) id: MembershipId,
    pub(crate) group: IpAddr,
    pub(crate) link: LinkId,
    /// The interface as the program named it by an address.
    pub(crate) interface: Ipv4Addr,
    pub(crate) filter: SourceFilter,
}

/// What a program wants of one sender.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Wish {
    /// The list names who is heard, not who is not.
    pub(crate) include: bool,
    /// The sender goes onto the list, not off it.
    pub(crate) add: bool,
}

/// What became of the list.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Listed {
    /// It is another.
    Changed,
    /// The last sender that was heard is off it: the group is left.
    Empty,
}

impl Joined {
    /// Puts a sender on the list or takes it off, as Linux does: the kind of an empty list can be changed.
    pub(crate) fn list(&mut self, wish: Wish, source: IpAddr) -> Result<Listed, Errno> {
        let (include, sources) = match &mut self.filter {
            SourceFilter::Include(sources) => (true, sources),
            SourceFilter::Exclude(sources) => (false, sources),
        };
        if include != wish.include && !sources.is_empty() {
            return Err(Errno::EINVAL);
        }
        let mut sources = std::mem::take(sources);
        let listed = change(&mut sources, wish, source);
        self.filter =
            if wish.include { SourceFilter::Include(sources) } else { SourceFilter::Exclude(sources) };
        listed
    }
}

fn change(sources: &mut BTreeSet<IpAddr>, wish: Wish, source: IpAddr) -> Result<Listed, Errno> {
    if wish.add {
        if sources.len() >= GROUP_SOURCES_MAX {
            return Err(Errno::ENOBUFS);
        }
        return if sources.insert(source) { Ok(Listed::Changed) } else { Err(Errno::EADDRNOTAVAIL) };
    }
    if !sources.contains(&source) {
        return Err(Errno::EADDRNOTAVAIL);
    }
    if wish.include && sources.len() == 1 {
        return Ok(Listed::Empty);
    }
    sources.remove(&source);
    Ok(Listed::Changed)
}
