//! The links of a host as interfaces: each with a number, a name, flags and addresses, as netdevice(7) and rtnetlink(7)
//! tell of them.
//!
//! Numbers are those of the stack: 1 is the loopback link, then the order in which links were added. Names are made of
//! them: `lo`, `eth0`, `eth1` and so on.

use ieum_stack::{LinkId, Medium, RouteTarget};
use ieum_wire::Cidr;
use ieum_wire::ethernet::MacAddress;

use crate::Host;

/// One interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Interface {
    /// Its number, from 1 on.
    pub index: u32,
    /// `lo` or `eth0` and so on.
    pub name: String,
    /// The link of the stack it is.
    pub link: LinkId,
    /// The host's way to itself.
    pub is_loopback: bool,
    /// The largest IP packet of a frame, in bytes.
    pub mtu_bytes: u32,
    /// Its address on an Ethernet; `None`: its frames are packets, or it is the loopback link.
    pub hardware: Option<MacAddress>,
    /// Its own addresses, each in its network.
    pub addresses: Vec<Cidr>,
}

impl Interface {
    /// IFF_UP and what else netdevice(7) names of it: every link here is up, takes groups, and is a net of many unless it is
    /// the loopback link.
    pub fn flags(&self) -> u32 {
        let of_kind = match (self.is_loopback, self.hardware) {
            (true, _) => LOOPBACK,
            (false, Some(_)) => BROADCAST | MULTICAST,
            // Nobody is asked for a hardware address where there is none.
            (false, None) => BROADCAST | MULTICAST | NOARP,
        };
        UP | RUNNING | LOWER_UP | of_kind
    }

    /// What kind of hardware it is: ARPHRD_LOOPBACK, ARPHRD_ETHER, or ARPHRD_NONE where its frames are packets.
    pub fn hardware_kind(&self) -> u16 {
        match (self.is_loopback, self.hardware) {
            (true, _) => ARPHRD_LOOPBACK,
            (false, Some(_)) => ARPHRD_ETHER,
            (false, None) => ARPHRD_NONE,
        }
    }

    /// Would an interface with these flags be this one? Of those that can be changed at all.
    pub fn is_already(&self, flags: u32) -> bool {
        (self.flags() ^ flags) & CHANGEABLE == 0
    }
}

impl Host {
    /// All interfaces, by number.
    pub fn interfaces(&self) -> Vec<Interface> {
        let stack = self.stack();
        let links = stack.links().zip(1..);
        links
            .map(|((link, config), index)| Interface {
                index,
                name: name_of(index),
                link,
                is_loopback: index == LOOPBACK_INDEX,
                mtu_bytes: config.mtu_bytes,
                hardware: match config.medium {
                    Medium::Ethernet(address) => Some(address),
                    Medium::Ip => None,
                },
                addresses: stack.addresses_of(link).collect(),
            })
            .collect()
    }

    /// The link of that name.
    pub fn link_named(&self, name: &[u8]) -> Option<LinkId> {
        let mut links = self.stack().links().zip(1..);
        links.find(|(_, index)| name_of(*index).as_bytes() == name).map(|((link, _), _)| link)
    }

    /// The name of that link.
    pub fn name_of_link(&self, link: LinkId) -> Option<String> {
        self.stack().index_of(link).map(name_of)
    }

    /// The number of the interface over which a route leads; 0 for none.
    pub fn interface_of(&self, target: RouteTarget) -> u32 {
        target.link().and_then(|link| self.stack().index_of(link)).unwrap_or(0)
    }
}

fn name_of(index: u32) -> String {
    match index.checked_sub(LOOPBACK_INDEX + 1) {
        None => "lo".to_owned(),
        Some(number) => format!("eth{number}"),
    }
}

const LOOPBACK_INDEX: u32 = 1;

// linux/if_arp.h.
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_NONE: u16 = 0xfffe;

// netdevice(7).
const UP: u32 = 1;
const BROADCAST: u32 = 1 << 1;
const LOOPBACK: u32 = 1 << 3;
const RUNNING: u32 = 1 << 6;
const NOARP: u32 = 1 << 7;
const MULTICAST: u32 = 1 << 12;
const LOWER_UP: u32 = 1 << 16;
const DEBUG: u32 = 1 << 2;
const PROMISC: u32 = 1 << 8;
const ALLMULTI: u32 = 1 << 9;
/// Flags that can be set and taken away; the others say how things stand.
const CHANGEABLE: u32 = UP | DEBUG | NOARP | PROMISC | ALLMULTI | MULTICAST;
