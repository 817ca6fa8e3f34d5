//! What a program asks: the headers of rtnetlink(7), and the few attributes that choose.

use std::net::IpAddr;

use netlink_packet_core::{
    NLA_TYPE_MASK, NLM_F_ACK, NLM_F_DUMP, NLM_F_EXCL, NLM_F_REPLACE, NLM_F_REQUEST, NlasIterator,
};

use crate::sys::number as n;

/// sizeof struct nlmsghdr.
pub(super) const HEADER_BYTES: usize = 16;
/// Messages below this are of netlink itself.
const FIRST_TYPE: u16 = 16;
/// Nothing is beyond this (RTM_MAX).
const LAST_TYPE: u16 = 123;
/// IFLA_IFNAME and IFLA_ALT_IFNAME.
const INTERFACE_NAMES: [u16; 2] = [3, 53];
/// RTA_DST.
const DESTINATION: u16 = 1;
/// struct ifinfomsg and rtmsg in bytes: behind them come attributes.
const LINK_BYTES: usize = 16;
const ROUTE_BYTES: usize = 12;

/// One message of a program.
#[derive(Clone, Copy, Debug)]
pub(super) struct Request<'a> {
    /// The whole message, which errors repeat.
    pub(super) bytes: &'a [u8],
    pub(super) kind: u16,
    flags: u16,
    pub(super) sequence: u32,
}

/// What a message wants.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    /// RTM_NEW…, RTM_DEL…, RTM_SET…
    Change,
    /// RTM_GET….
    Get,
    /// A request of a kind that there is not.
    Unknown,
    /// No request, or none of rtnetlink's.
    Nothing,
}

impl<'a> Request<'a> {
    /// The messages of one write, each with its padding.
    pub(super) fn all(mut bytes: &'a [u8]) -> impl Iterator<Item = Request<'a>> {
        std::iter::from_fn(move || {
            let len = usize::try_from(word(bytes, 0)?).ok()?;
            let message = bytes.get(..len).filter(|message| message.len() >= HEADER_BYTES)?;
            bytes = bytes.get(len.next_multiple_of(4)..).unwrap_or_default();
            Some(Request {
                bytes: message,
                kind: half(message, 4)?,
                flags: half(message, 6)?,
                sequence: word(message, 8)?,
            })
        })
    }

    pub(super) fn verb(&self) -> Verb {
        // The kinds come in fours: NEW, DEL, GET, SET.
        match self.kind % 4 {
            _ if self.flags & NLM_F_REQUEST == 0 || self.kind < FIRST_TYPE => Verb::Nothing,
            _ if self.kind > LAST_TYPE => Verb::Unknown,
            2 => Verb::Get,
            _ => Verb::Change,
        }
    }

    pub(super) fn wants_all(&self) -> bool {
        self.flags & NLM_F_DUMP != 0
    }

    pub(super) fn wants_acknowledgement(&self) -> bool {
        self.flags & NLM_F_ACK != 0
    }

    fn body(&self) -> &'a [u8] {
        self.bytes.get(HEADER_BYTES..).unwrap_or_default()
    }

    /// The family it asks for: the first byte of every body.
    pub(super) fn family(&self) -> i32 {
        i32::from(self.body().first().copied().unwrap_or_default())
    }

    /// The interface it names by number; of links and addresses.
    pub(super) fn index(&self) -> Option<u32> {
        word(self.body(), 4).filter(|index| *index != 0)
    }

    /// The interface it names by name.
    pub(super) fn interface_name(&self) -> Option<&'a [u8]> {
        let name = INTERFACE_NAMES.iter().find_map(|kind| self.attribute(LINK_BYTES, *kind))?;
        name.split(|byte| *byte == 0).next()
    }

    /// The flags that a link which has those `before` is to have.
    pub(super) fn flags_wanted(&self, before: u32) -> Option<u32> {
        let (flags, changed) = (word(self.body(), 8)?, word(self.body(), 12)?);
        // A mask of old programs, which meant all of them.
        Some(if changed == 0 && flags != 0 { flags } else { flags & changed | before & !changed })
    }

    /// Does a link's message say nothing but which one it is about, and its flags?
    pub(super) fn is_of_flags_alone(&self) -> bool {
        let is_new = self.flags & (NLM_F_EXCL | NLM_F_REPLACE) == 0;
        let attributes = self.body().get(LINK_BYTES..).map(NlasIterator::new);
        is_new
            && attributes.is_some_and(|mut all| {
                all.all(|one| one.is_ok_and(|one| INTERFACE_NAMES.contains(&(one.kind() & NLA_TYPE_MASK))))
            })
    }

    /// Does an address belong to the family that is asked for?
    pub(super) fn chooses(&self, address: IpAddr) -> bool {
        match self.family() {
            n::AF_INET => address.is_ipv4(),
            n::AF_INET6 => address.is_ipv6(),
            family => family == n::AF_UNSPEC,
        }
    }

    /// The destination whose route is asked for.
    pub(super) fn destination(&self) -> Option<IpAddr> {
        let bytes = self.attribute(ROUTE_BYTES, DESTINATION)?;
        match self.family() {
            n::AF_INET => <[u8; 4]>::try_from(bytes).ok().map(IpAddr::from),
            n::AF_INET6 => <[u8; 16]>::try_from(bytes).ok().map(IpAddr::from),
            _ => None,
        }
    }

    fn attribute(&self, header_bytes: usize, kind: u16) -> Option<&'a [u8]> {
        let attributes = NlasIterator::new(self.body().get(header_bytes..)?);
        attributes.map_while(Result::ok).find_map(|one| {
            let value = one.into_inner().get(4..usize::from(one.length()))?;
            (one.kind() & NLA_TYPE_MASK == kind).then_some(value)
        })
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..at + 4)?.try_into().ok().map(u32::from_ne_bytes)
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..at + 2)?.try_into().ok().map(u16::from_ne_bytes)
}
