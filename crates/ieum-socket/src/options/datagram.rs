//! What the options of a datagram socket mean to what it sends and hears.

use std::net::IpAddr;

use ieum_stack::{Coverage, SendFields};

use super::numbers::{IP_PMTUDISC_DO, IP_PMTUDISC_INTERFACE, IP_PMTUDISC_PROBE, IP_PMTUDISC_WANT};
use super::{Options, known};
use crate::make::Domain;

impl Options {
    /// SO_BROADCAST.
    pub(crate) fn broadcast(&self) -> bool {
        self.flag(known::BROADCAST)
    }

    /// IP_RECVERR or IPV6_RECVERR: passing trouble is an error too.
    pub(crate) fn receives_errors(&self, domain: Domain) -> bool {
        self.flag(match domain {
            Domain::Ip4 => known::RECV_ERRORS,
            Domain::Ip6 => known::RECV_ERRORS6,
        })
    }

    /// What the options of a datagram socket put into the header of what goes there.
    pub(crate) fn send_fields(&self, to: IpAddr) -> SendFields {
        let (tos, ttl) = match (Domain::of(to), to.is_multicast()) {
            (Domain::Ip4, false) => (known::TOS, known::TTL),
            (Domain::Ip4, true) => (known::TOS, known::MULTICAST_TTL),
            (Domain::Ip6, false) => (known::TRAFFIC_CLASS, known::HOPS),
            (Domain::Ip6, true) => (known::TRAFFIC_CLASS, known::MULTICAST_HOPS),
        };
        let loops = match Domain::of(to) {
            Domain::Ip4 => known::MULTICAST_LOOP,
            Domain::Ip6 => known::MULTICAST_LOOP6,
        };
        let how = self.path_mtu_discovery(Domain::of(to));
        SendFields {
            ttl: self.byte(ttl),
            tos: self.byte(tos),
            loops: self.flag(loops),
            heeds_path_mtu: how < IP_PMTUDISC_PROBE,
            dont_fragment: (IP_PMTUDISC_WANT..=IP_PMTUDISC_PROBE).contains(&how),
            ..SendFields::default()
        }
    }

    /// Whether the socket hears groups that others of its host have joined (IP_MULTICAST_ALL, IPV6_MULTICAST_ALL). Sockets of
    /// IPv6 begin without those of IPv4.
    pub(crate) fn hears_all_groups(&self, domain: Domain) -> [bool; 2] {
        let four = if self.is_set(known::MULTICAST_ALL) || domain == Domain::Ip4 {
            self.flag(known::MULTICAST_ALL)
        } else {
            false
        };
        [four, self.flag(known::MULTICAST_ALL6)]
    }

    /// UDP_SEGMENT: what is sent is cut into datagrams of so many bytes; 0: it is one.
    pub(crate) fn segment_bytes(&self) -> u16 {
        u16::try_from(self.value(known::SEGMENT)).unwrap_or_default()
    }

    /// UDP_GRO: datagrams of one size and flow may come together.
    pub(crate) fn joins_datagrams(&self) -> bool {
        self.flag(known::JOINS)
    }

    /// SO_NO_CHECK, which means IPv4 alone. Checksums are computed all the same: nobody has to trust a datagram without one.
    pub(crate) fn forgoes_checksums(&self) -> bool {
        self.flag(known::NO_CHECKSUM)
    }

    /// UDPLITE_SEND_CSCOV and UDPLITE_RECV_CSCOV.
    pub(crate) fn coverage(&self) -> Coverage {
        let bytes = |option| u16::try_from(self.value(option)).unwrap_or(0);
        Coverage {
            sent_bytes: bytes(known::COVERAGE_SENT),
            received_bytes: self.is_set(known::COVERAGE_RECEIVED).then(|| bytes(known::COVERAGE_RECEIVED)),
        }
    }

    /// Datagrams that the way does not take whole are refused, and not cut.
    pub(crate) fn forbids_fragments(&self, domain: Domain) -> bool {
        let how = self.path_mtu_discovery(domain);
        (IP_PMTUDISC_DO..=IP_PMTUDISC_INTERFACE).contains(&how)
            || domain == Domain::Ip6 && self.flag(known::DONT_FRAGMENT6)
    }

    /// IP_MTU_DISCOVER and IPV6_MTU_DISCOVER, whose values are the same.
    fn path_mtu_discovery(&self, domain: Domain) -> i32 {
        self.value(match domain {
            Domain::Ip4 => known::MTU_DISCOVER,
            Domain::Ip6 => known::MTU_DISCOVER6,
        })
    }
}
