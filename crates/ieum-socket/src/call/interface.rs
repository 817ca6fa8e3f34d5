//! ioctl(2) about interfaces (netdevice(7)): what they are called, their flags, sizes and addresses. They are asked on any
//! socket, and answered with the host's own interfaces. Nothing can be changed: EPERM, as for an unprivileged program; but flags
//! that are as they are asked to be are no change.

use std::net::{IpAddr, Ipv4Addr};
use std::ops::RangeInclusive;

use crate::host::Host;
use crate::interface::Interface;
use crate::{Errno, sockaddr};

/// SIOCADDRT and SIOCDELRT.
const ROUTES: RangeInclusive<u32> = 0x890b..=0x890c;
/// SIOCGIFNAME up to the last private request of a device; what is in between is all about devices, save [`OF_STREAMS`].
const DEVICES: RangeInclusive<u32> = 0x8910..=0x89ff;
/// SIOCOUTQNSD.
const OF_STREAMS: u32 = 0x894b;
/// Requests of wireless devices.
const WIRELESS: RangeInclusive<u32> = 0x8b00..=0x8bff;

/// The ranges of requests that are about interfaces, of which [`is_about_interfaces`] knows the one among them that is not.
pub const INTERFACE_REQUESTS: [RangeInclusive<u32>; 3] = [ROUTES, DEVICES, WIRELESS];

/// Whether a request of ioctl(2) is about interfaces.
pub fn is_about_interfaces(request: u32) -> bool {
    request != OF_STREAMS && INTERFACE_REQUESTS.iter().any(|range| range.contains(&request))
}

/// SIOCGIFCONF, which [`Host::interface_list`] answers.
pub const SIOCGIFCONF: u32 = 0x8912;

const NAME: u32 = 0x8910;
const FLAGS: u32 = 0x8913;
const SET_FLAGS: u32 = 0x8914;
const ADDRESS: u32 = 0x8915;
const DESTINATION: u32 = 0x8917;
const BROADCAST: u32 = 0x8919;
const NETMASK: u32 = 0x891b;
const METRIC: u32 = 0x891d;
const MTU: u32 = 0x8921;
const HARDWARE: u32 = 0x8927;
const SLAVE: u32 = 0x8929;
const INDEX: u32 = 0x8933;
const PRIVATE_FLAGS: u32 = 0x8935;
const QUEUE: u32 = 0x8942;
const MAP: u32 = 0x8970;
/// What is asked of a driver: bridges, ethtool, MII, stamps of hardware.
const OF_DRIVERS: [u32; 4] = [0x8940, 0x8946, 0x8947, 0x89b1];
/// What each kind of device has for itself.
const PRIVATE: RangeInclusive<u32> = 0x89f0..=0x89ff;
/// Requests that change something, as linux/sockios.h names them.
#[rustfmt::skip]
const CHANGES: [u32; 23] = [
    0x890b, // SIOCADDRT
    0x890c, // SIOCDELRT
    0x8911, // SIOCSIFLINK
    SET_FLAGS, // SIOCSIFFLAGS
    0x8916, // SIOCSIFADDR
    0x8918, // SIOCSIFDSTADDR
    0x891a, // SIOCSIFBRDADDR
    0x891c, // SIOCSIFNETMASK
    0x891e, // SIOCSIFMETRIC
    0x8922, // SIOCSIFMTU
    0x8923, // SIOCSIFNAME
    0x8924, // SIOCSIFHWADDR
    0x8930, // SIOCSIFSLAVE
    0x8931, // SIOCADDMULTI
    0x8932, // SIOCDELMULTI
    0x8934, // SIOCSIFPFLAGS
    0x8936, // SIOCDIFADDR
    0x8937, // SIOCSIFHWBROADCAST
    0x8943, // SIOCSIFTXQLEN
    0x8953, // SIOCDARP
    0x8955, // SIOCSARP
    0x8962, // SIOCSRARP
    0x8971, // SIOCSIFMAP
];

/// `struct ifreq`, in bytes: a name, and what it is about.
pub const INTERFACE_REQUEST_BYTES: usize = 40;
const NAME_BYTES: usize = 16;
/// Packets that wait for a device, as interfaces begin.
const QUEUE_PACKETS: i32 = 1000;

impl Host {
    /// Answers an ioctl(2) about interfaces, other than SIOCGIFCONF: `asked` is its `struct ifreq`, into which the answer goes.
    /// `on_ip4`: it is asked on a socket of IPv4, where alone addresses are told.
    ///
    /// # Errors
    ///
    /// ENODEV for an unknown interface, EADDRNOTAVAIL where it has no address of IPv4, EPERM for what would change something, and
    /// ENOTTY, EINVAL or EOPNOTSUPP for what cannot be asked.
    pub fn ask_interface(
        &self,
        request: u32,
        on_ip4: bool,
        asked: &mut [u8; INTERFACE_REQUEST_BYTES],
    ) -> Result<(), Errno> {
        let (name, value) = asked.split_at_mut(NAME_BYTES);
        let interfaces = self.interfaces();
        if request == NAME {
            let index = value.first_chunk().map_or(0, |index| u32::from_ne_bytes(*index));
            let found = interfaces.iter().find(|one| one.index == index).ok_or(Errno::ENODEV)?;
            name.copy_from_slice(&name_field(&found.name));
            return Ok(());
        }
        let wanted = name.split(|byte| *byte == 0).next().unwrap_or_default();
        if CHANGES.contains(&request) {
            let flags = value.first_chunk().map_or(0, |flags| u32::from(u16::from_ne_bytes(*flags)));
            let found = interfaces.iter().find(|one| one.name.as_bytes() == wanted);
            let changes_nothing = request == SET_FLAGS && found.is_some_and(|one| one.is_already(flags));
            return if changes_nothing { Ok(()) } else { Err(Errno::EPERM) };
        }
        // `eth0:1` is another address of eth0.
        let wanted = wanted.split(|byte| *byte == b':').next().unwrap_or_default();
        let found = interfaces.iter().find(|one| one.name.as_bytes() == wanted).ok_or(Errno::ENODEV)?;
        let told = fact(found, request, on_ip4)?;
        value.get_mut(..told.len()).ok_or(Errno::EINVAL)?.copy_from_slice(&told);
        Ok(())
    }

    /// SIOCGIFCONF: every IPv4 address, each as a `struct ifreq` with the name of its interface; as many as there is room for, in
    /// bytes. `None`: all of them, for who asks how much room they want.
    pub fn interface_list(&self, room_bytes: Option<i32>) -> Vec<u8> {
        let mut all = Vec::new();
        for one in self.interfaces() {
            for own in one.addresses.iter().filter_map(|own| ip4(own.address())) {
                all.extend(name_field(&one.name));
                all.extend(socket_address(own));
                all.resize(all.len().next_multiple_of(INTERFACE_REQUEST_BYTES), 0);
            }
        }
        if let Some(room) = room_bytes {
            let room = usize::try_from(room).unwrap_or(0);
            all.truncate(room - room % INTERFACE_REQUEST_BYTES);
        }
        all
    }
}

/// What is asked of an interface, as the second half of a `struct ifreq`.
fn fact(one: &Interface, request: u32, on_ip4: bool) -> Result<Vec<u8>, Errno> {
    let number = |number: i32| Ok(number.to_ne_bytes().to_vec());
    let own = || {
        if !on_ip4 {
            return Err(Errno::ENOTTY);
        }
        let mut four = one.addresses.iter().filter(|own| own.address().is_ipv4());
        four.next().copied().ok_or(Errno::EADDRNOTAVAIL)
    };
    let address = |address: Option<Ipv4Addr>| Ok(socket_address(address.unwrap_or(Ipv4Addr::UNSPECIFIED)));
    match request {
        // Two bytes, in which the flags of old have their place.
        FLAGS => Ok(one.flags().to_ne_bytes()[..2].to_vec()),
        ADDRESS | DESTINATION => address(ip4(own()?.address())),
        BROADCAST => address(own()?.broadcast().filter(|_| !one.is_loopback)),
        NETMASK => address(own()?.mask()),
        METRIC => number(0),
        MTU => number(i32::try_from(one.mtu_bytes).unwrap_or(i32::MAX)),
        INDEX => number(i32::try_from(one.index).unwrap_or(i32::MAX)),
        QUEUE => number(QUEUE_PACKETS),
        HARDWARE => Ok(hardware(one)),
        MAP => Ok(vec![0; INTERFACE_REQUEST_BYTES - NAME_BYTES]),
        // Names without a meaning, kept by Linux for those who know them.
        SLAVE | PRIVATE_FLAGS => Err(Errno::EINVAL),
        _ if OF_DRIVERS.contains(&request) || PRIVATE.contains(&request) || WIRELESS.contains(&request) => {
            Err(Errno::EOPNOTSUPP)
        }
        _ => Err(Errno::ENOTTY),
    }
}

fn hardware(one: &Interface) -> Vec<u8> {
    let mut bytes = one.hardware_kind().to_ne_bytes().to_vec();
    bytes.extend(one.hardware.map_or([0; 6], |address| address.0));
    bytes.resize(16, 0);
    bytes
}

fn name_field(name: &str) -> [u8; NAME_BYTES] {
    let mut field = [0; NAME_BYTES];
    // The last byte stays 0.
    field.iter_mut().zip(name.bytes().take(NAME_BYTES - 1)).for_each(|(place, byte)| *place = byte);
    field
}

fn ip4(address: IpAddr) -> Option<Ipv4Addr> {
    match address {
        IpAddr::V4(address) => Some(address),
        IpAddr::V6(_) => None,
    }
}

fn socket_address(address: Ipv4Addr) -> Vec<u8> {
    sockaddr::encode((address, 0).into())
}
