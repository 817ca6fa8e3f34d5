//! The interfaces of a host by name, by number and with their addresses: if_nametoindex(3) and its like, getifaddrs(3).

pub mod sys;

use std::io;
use std::net::{IpAddr, Ipv6Addr};

use ieum::Host;
use ieum::sockets::Interface;
use ieum::sockets::sockaddr::encode;
use ieum::wire::Cidr;

use crate::answer::error;

/// One entry of getifaddrs(3): an interface, or an address of one.
#[derive(Debug)]
struct Entry {
    name: String,
    flags: u32,
    /// A `struct sockaddr`, and so the others.
    address: Vec<u8>,
    mask: Option<Vec<u8>>,
    broadcast: Option<Vec<u8>>,
}

fn interfaces(host: &Host) -> Vec<Interface> {
    host.inspect(ieum::sockets::Host::interfaces)
}

/// The number of the interface of that name.
fn index_of(host: &Host, name: &str) -> io::Result<u32> {
    let found = interfaces(host).into_iter().find(|one| one.name == name);
    found.map(|one| one.index).ok_or_else(|| error(libc::ENODEV))
}

/// The name of the interface with that number.
fn name_of(host: &Host, index: u32) -> io::Result<String> {
    let found = interfaces(host).into_iter().find(|one| one.index == index);
    found.map(|one| one.name).ok_or_else(|| error(libc::ENXIO))
}

/// First the interfaces themselves, then their addresses, as glibc has them.
fn entries(host: &Host) -> Vec<Entry> {
    let all = interfaces(host);
    let links = all.iter().map(|one| Entry {
        name: one.name.clone(),
        flags: one.flags(),
        address: link_address(one, one.hardware.map_or([0; 6], |own| own.0)),
        mask: None,
        broadcast: has_link_addresses(one)
            .then(|| link_address(one, if one.hardware.is_some() { [0xff; 6] } else { [0; 6] })),
    });
    let addresses = all.iter().flat_map(|one| {
        one.addresses.iter().map(|own| Entry {
            name: one.name.clone(),
            flags: one.flags(),
            address: encode((own.address(), 0).into()),
            mask: Some(encode((mask_of(*own), 0).into())),
            broadcast: own
                .broadcast()
                .filter(|_| !one.is_loopback)
                .map(|address| encode((address, 0).into())),
        })
    });
    links.chain(addresses).collect()
}

fn mask_of(own: Cidr) -> IpAddr {
    match own.mask() {
        Some(mask) => mask.into(),
        None => {
            let host_bits = u128::BITS.saturating_sub(own.prefix_bits().into());
            Ipv6Addr::from_bits(u128::MAX.checked_shl(host_bits).unwrap_or(0)).into()
        }
    }
}

/// Frames that are packets have no addresses.
fn has_link_addresses(one: &Interface) -> bool {
    one.is_loopback || one.hardware.is_some()
}

/// A `struct sockaddr_ll` (packet(7)).
fn link_address(one: &Interface, address: [u8; 6]) -> Vec<u8> {
    let family = u16::try_from(libc::AF_PACKET).unwrap_or_default().to_ne_bytes();
    let length = if has_link_addresses(one) { 6 } else { 0 };
    let kind = one.hardware_kind().to_ne_bytes();
    // No protocol, and no kind of packet.
    [&family[..], &[0; 2], &one.index.to_ne_bytes(), &kind, &[0, length], &address, &[0; 2]].concat()
}
