//! What the interfaces of the namespace are: TUNs, or veth pairs where /dev/net/tun cannot be opened.
//!
//! The near ends of pairs lie in a second namespace, in which nobody has an address: what is sent there is for the host alone.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};

use ieum_device::Tun;
use ieum_device::tun::{TunConfig, TunKind, veth};
use netlink_packet_core::{NLM_F_CREATE, NLM_F_EXCL};
use netlink_packet_route::RouteNetlinkMessage;
use netlink_packet_route::link::{
    InfoData, InfoKind, InfoVeth, LinkAttribute, LinkFlags, LinkInfo, LinkMessage,
};
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::netlink::Netlink;
use super::plan::Planned;
use super::setup::{bring_up, has_ip6, set};
use super::sys;

/// This thread's network namespace.
const OWN_NAMESPACE: &str = "/proc/self/ns/net";

/// Since this version of Linux packet sockets hand over datagrams of UDP_SEGMENT as one (VIRTIO_NET_HDR_GSO_UDP_L4).
const DATAGRAMS_AS_ONE_SINCE: (u32, u32) = (6, 2);

/// How the interfaces of the namespace are made.
pub(super) enum Wires {
    Tuns,
    Veths(Beyond),
}

/// The namespace of the near ends.
pub(super) struct Beyond {
    netlink: Netlink,
    near: File,
    /// The namespace that is set up.
    own: File,
}

impl Wires {
    /// Makes an interface of the namespace, and opens what leads to it.
    pub(super) fn interface(&self, netlink: &Netlink, planned: &Planned) -> Result<Tun, String> {
        match self {
            Wires::Tuns => {
                let (name, kind) = (planned.name.clone(), TunKind::Tun);
                let config = TunConfig { name, kind, keep: false, offload: true };
                Tun::open(&config).map_err(|error| error.to_string())
            }
            Wires::Veths(beyond) => beyond.pair(netlink, planned),
        }
    }
}

impl Beyond {
    /// This process goes on in another namespace, and the one it was in is that of the near ends.
    pub(super) fn step_out() -> Result<Beyond, String> {
        let failed = |error: std::io::Error| format!("there is no second network namespace: {error}");
        if has_ip6() {
            set("ipv6/conf/default/disable_ipv6", "1")?;
        }
        let near = File::open(OWN_NAMESPACE).map_err(failed)?;
        let netlink = Netlink::open()?;
        sys::enter_new_network_namespace().map_err(|error| failed(error.into()))?;
        Ok(Beyond { netlink, near, own: File::open(OWN_NAMESPACE).map_err(failed)? })
    }

    fn pair(&self, own: &Netlink, planned: &Planned) -> Result<Tun, String> {
        let what = "a veth pair (there is no right to /dev/net/tun, or no such device)";
        let pair = RouteNetlinkMessage::NewLink(self.request(planned));
        own.ask(what, pair, NLM_F_CREATE | NLM_F_EXCL)?;
        self.netlink.ask("bringing the near end up", bring_up(planned.index), 0)?;
        enter(&self.near)?;
        let opened = Tun::at_near_end(planned.index, &planned.name, planned.mtu_bytes);
        enter(&self.own)?;
        opened.map_err(|error| format!("the near end of a veth pair cannot be opened: {error}"))
    }

    /// That for a new pair, whose ends have the same number and name.
    fn request(&self, planned: &Planned) -> LinkMessage {
        let end = |address: [u8; 6]| {
            let mut end = LinkMessage::default();
            end.header.index = planned.index;
            end.attributes = vec![
                LinkAttribute::IfName(planned.name.clone()),
                LinkAttribute::Mtu(planned.mtu_bytes),
                LinkAttribute::Address(address.to_vec()),
            ];
            end
        };
        let mut near = end(veth::NEAR.0);
        near.attributes.push(LinkAttribute::NetNsFd(self.near.as_raw_fd()));
        let mut far = end(veth::FAR.0);
        (far.header.flags, far.header.change_mask) = (LinkFlags::Noarp, LinkFlags::Noarp);
        if !hands_over_datagrams_as_one() {
            // So that the kernel cuts them.
            far.attributes.push(LinkAttribute::GsoMaxSegs(1));
        }
        let peer = LinkInfo::Data(InfoData::Veth(InfoVeth::Peer(near)));
        far.attributes.push(LinkAttribute::LinkInfo(vec![LinkInfo::Kind(InfoKind::Veth), peer]));
        far
    }
}

fn enter(namespace: &File) -> Result<(), String> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))
        .map_err(|error| format!("a network namespace cannot be entered again: {error}"))
}

fn hands_over_datagrams_as_one() -> bool {
    version(&rustix::system::uname().release().to_string_lossy())
        .is_some_and(|version| version >= DATAGRAMS_AS_ONE_SINCE)
}

/// The first two numbers of a release of Linux (uname(2)).
fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_compared_by_their_numbers() {
        assert_eq!(version("6.1.0-18-amd64"), Some((6, 1)));
        assert_eq!(version("5.15.153.1-microsoft-standard-WSL2"), Some((5, 15)));
        assert_eq!(version("6"), None);
        let old = ["5.15.0", "6.1.99"].map(|release| version(release) >= Some(DATAGRAMS_AS_ONE_SINCE));
        let new =
            ["6.2.0", "6.18.44-fc", "7.0"].map(|release| version(release) >= Some(DATAGRAMS_AS_ONE_SINCE));
        assert_eq!((old, new), ([false; 2], [true; 3]));
    }
}
