//! ioctl(2) about interfaces (netdevice(7)): what they are called, their flags, sizes and addresses. They are asked on any
//! socket, the kernel's included, and answered with the host's own interfaces. Nothing can be changed: EPERM, as for an
//! unprivileged program; but flags that are as they are asked to be are no change.

use std::net::{IpAddr, Ipv4Addr};

use ieum_socket::{Errno, Interface};

use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::host_errno;
use crate::sys::number as n;
use crate::{address, tracee};

/// SIOCADDRT and SIOCDELRT.
const ROUTES: std::ops::RangeInclusive<u32> = 0x890b..=0x890c;
/// SIOCGIFNAME up to the last private request of a device; what is in between is all about devices, save [`OF_STREAMS`].
const DEVICES: std::ops::RangeInclusive<u32> = 0x8910..=0x89ff;
/// SIOCOUTQNSD.
const OF_STREAMS: u32 = 0x894b;
/// Requests of wireless devices.
const WIRELESS: std::ops::RangeInclusive<u32> = 0x8b00..=0x8bff;

/// The ranges of requests that are about interfaces, and the one among them that is not.
pub(crate) const INTERFACE_REQUESTS: [std::ops::RangeInclusive<u32>; 3] = [ROUTES, DEVICES, WIRELESS];

/// Whether a request is about interfaces.
pub(crate) fn is_about_interfaces(request: u32) -> bool {
    request != OF_STREAMS && INTERFACE_REQUESTS.iter().any(|range| range.contains(&request))
}

const NAME: u32 = 0x8910;
const LIST: u32 = 0x8912;
const FLAGS: u32 = 0x8913;
const SET_FLAGS: u32 = 0x8914;
const ADDRESS: u32 = 0x8915;
const DESTINATION: u32 = 0x8917;
const BROADCAST: u32 = 0x8919;
const NETMASK: u32 = 0x891b;
const METRIC: u32 = 0x891d;
const MTU: u32 = 0x8921;
const HARDWARE: u32 = 0x8927;
const INDEX: u32 = 0x8933;
const QUEUE: u32 = 0x8942;
const DRIVER: u32 = 0x8946;
const MAP: u32 = 0x8970;
/// Requests that change something.
const CHANGES: [u32; 25] = [
    0x890b, 0x890c, 0x8911, 0x8914, 0x8916, 0x8918, 0x891a, 0x891c, 0x891e, 0x8922, 0x8923, 0x8924, 0x8925,
    0x8926, 0x8930, 0x8931, 0x8932, 0x8934, 0x8936, 0x8937, 0x8943, 0x8953, 0x8955, 0x8962, 0x8971,
];

/// struct ifreq: a name, and what it is about.
const REQUEST_BYTES: usize = 40;
const NAME_BYTES: usize = 16;
/// Packets that wait for a device, as interfaces begin.
const QUEUE_PACKETS: i32 = 1000;
const ARPHRD_ETHER: u16 = 1;
const ARPHRD_LOOPBACK: u16 = 772;
const ARPHRD_NONE: u16 = 0xfffe;

impl Runner {
    /// `domain`: of the socket, where it is one of ours.
    pub(super) fn call_interface(&self, call: &Call, request: u32, domain: Option<i32>) -> Served {
        if tracee::socket_inode(call.place(call.int(0))).is_none() {
            // Its number means something else to whatever this is.
            return Ok(Answer::Continue);
        }
        if CHANGES.contains(&request) {
            let asked = self.memory(call).read_array(call.word(2)).map_err(host_errno)?;
            let changes_nothing = request == SET_FLAGS && self.has_such_flags(&asked);
            let refusal = Errno(rustix::io::Errno::PERM.raw_os_error());
            return if changes_nothing { Ok(Answer::Value(0)) } else { Err(refusal) };
        }
        if request == LIST {
            return self.list_interfaces(call);
        }
        let memory = self.memory(call);
        let mut asked: [u8; REQUEST_BYTES] = memory.read_array(call.word(2)).map_err(host_errno)?;
        let (name, value) = asked.split_at_mut(NAME_BYTES);
        let interfaces = self.host.interfaces();
        if request == NAME {
            let index = value.first_chunk().map_or(0, |index| u32::from_ne_bytes(*index));
            let found = interfaces.iter().find(|one| one.index == index).ok_or(NO_DEVICE)?;
            name.copy_from_slice(&name_field(&found.name));
        } else {
            let wanted = name.split(|byte| *byte == 0).next().unwrap_or_default();
            // `eth0:1` is another address of eth0.
            let wanted = wanted.split(|byte| *byte == b':').next().unwrap_or_default();
            let found = interfaces.iter().find(|one| one.name.as_bytes() == wanted).ok_or(NO_DEVICE)?;
            let told = fact(found, request, domain)?;
            value.get_mut(..told.len()).ok_or(Errno::EINVAL)?.copy_from_slice(&told);
        }
        memory.write(call.word(2), &asked).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }

    /// SIOCSIFFLAGS: is the interface as it is to be?
    fn has_such_flags(&self, asked: &[u8; REQUEST_BYTES]) -> bool {
        let (name, value) = asked.split_at(NAME_BYTES);
        let wanted = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let flags = value.first_chunk().map_or(0, |flags| u32::from(u16::from_ne_bytes(*flags)));
        let interfaces = self.host.interfaces();
        let found = interfaces.iter().find(|one| one.name.as_bytes() == wanted);
        found.is_some_and(|one| one.is_already(flags))
    }

    /// SIOCGIFCONF: every IPv4 address, each with the name of its interface.
    fn list_interfaces(&self, call: &Call) -> Served {
        let memory = self.memory(call);
        let asked: [u8; 16] = memory.read_array(call.word(2)).map_err(host_errno)?;
        let [l0, l1, l2, l3, _, _, _, _, pointer @ ..] = asked;
        let (room, pointer) = (i32::from_ne_bytes([l0, l1, l2, l3]), u64::from_ne_bytes(pointer));
        let room = usize::try_from(room).map_err(|_| Errno::EINVAL)?;
        let mut all = Vec::new();
        for one in self.host.interfaces() {
            for own in one.addresses.iter().filter_map(|own| ip4(own.address())) {
                all.extend(name_field(&one.name));
                all.extend(socket_address(own));
                all.resize(all.len().next_multiple_of(REQUEST_BYTES), 0);
            }
        }
        // Without a place for them, how much room they want.
        let told = if pointer == 0 { all.len() } else { all.len().min(room - room % REQUEST_BYTES) };
        if pointer != 0 {
            memory.write(pointer, all.get(..told).unwrap_or_default()).map_err(host_errno)?;
        }
        memory.write_int(call.word(2), i32::try_from(told).unwrap_or(i32::MAX)).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }
}

const NO_DEVICE: Errno = Errno(rustix::io::Errno::NODEV.raw_os_error());
const NO_ADDRESS: Errno = Errno::EADDRNOTAVAIL;

/// What is asked of an interface, as the second half of a struct ifreq.
fn fact(one: &Interface, request: u32, domain: Option<i32>) -> Result<Vec<u8>, Errno> {
    let number = |number: i32| Ok(number.to_ne_bytes().to_vec());
    // Addresses are asked for on sockets of IPv4 alone.
    let own = || match domain {
        Some(n::AF_INET) => {
            let mut four = one.addresses.iter().filter(|own| own.address().is_ipv4());
            four.next().copied().ok_or(NO_ADDRESS)
        }
        _ => Err(Errno::ENOTTY),
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
        MAP => Ok(vec![0; REQUEST_BYTES - NAME_BYTES]),
        DRIVER => Err(Errno::EOPNOTSUPP),
        _ if WIRELESS.contains(&request) => Err(Errno::EOPNOTSUPP),
        _ => Err(Errno::ENOTTY),
    }
}

fn hardware(one: &Interface) -> Vec<u8> {
    let kind = match (one.is_loopback, one.hardware) {
        (true, _) => ARPHRD_LOOPBACK,
        (false, Some(_)) => ARPHRD_ETHER,
        (false, None) => ARPHRD_NONE,
    };
    let mut bytes = kind.to_ne_bytes().to_vec();
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
    address::encode((address, 0).into(), n::AF_INET)
}
