//! Making an interface, or finding one, and giving the kernel's end its addresses.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, OwnedFd};

use ieum_wire::Cidr;
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use thiserror::Error;

use super::netlink::Netlink;
use super::{LinkHeader, Tun, TunKind, vnet};
use crate::sys::{self, number};

/// Where interfaces are made.
const DRIVER: &str = "/dev/net/tun";

/// Packets that wait for us in the kernel at most; what comes then is dropped, as on a wire. Two full windows of a
/// connection with a buffer of 1 MiB in packets of 1500 bytes: the kernel's sender does not know of this queue.
const QUEUE_PACKETS_MAX: u32 = 1500;

/// What the kernel is asked to leave undone in what it sends, the most first: who grants less grants a later line. UDP's
/// came with Linux 6.2.
const OFFLOADS: [u32; 5] = [
    number::TUN_F_CSUM
        | number::TUN_F_TSO4
        | number::TUN_F_TSO6
        | number::TUN_F_TSO_ECN
        | number::TUN_F_USO4
        | number::TUN_F_USO6,
    number::TUN_F_CSUM | number::TUN_F_TSO4 | number::TUN_F_TSO6 | number::TUN_F_TSO_ECN,
    number::TUN_F_CSUM | number::TUN_F_TSO4 | number::TUN_F_TSO6,
    number::TUN_F_CSUM,
    0,
];

/// Which interface.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TunConfig {
    /// Its name.
    pub name: String,
    /// What it carries.
    pub kind: TunKind,
    /// It is there already and stays: it is used as it is. Else it is made, and goes when ieum does.
    pub keep: bool,
    /// Super-segments and packets without a checksum may cross, where the kernel grants it.
    pub offload: bool,
}

/// Why there is no interface.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Not a name of an interface.
    #[error("`{0}` cannot be an interface's name: take 1 to 15 letters, digits, dots or dashes")]
    Name(String),
    /// No driver.
    #[error(
        "there is no {DRIVER} here: load the kernel's module (modprobe tun), or let the container have the device"
    )]
    NoDriver,
    /// No right.
    #[error(
        "no right to make the interface {name}: this needs CAP_NET_ADMIN (root); or let root make it once, \
         `ip tuntap add {name} mode {mode} user USER`, and give --{mode} {name},keep"
    )]
    NoRight {
        /// The interface.
        name: String,
        /// Its kind in ip-tuntap's word.
        mode: &'static str,
    },
    /// No right to the driver, which is needed for one that is there too.
    #[error(
        "no right to open {DRIVER}, which is needed to use the interface {0}: run ieum as root, or let root give it to \
         you (most systems let everybody open it, `chmod 666 {DRIVER}`)"
    )]
    NoDriverRight(String),
    /// No right to one that is there.
    #[error("no right to use the interface {0}: it belongs to another user (ip -details link show {0})")]
    NotOurs(String),
    /// It is there.
    #[error("there is an interface {name} already: give another name, or `{name},keep` to use it as it is")]
    Exists {
        /// The interface.
        name: String,
    },
    /// It is not there.
    #[error("there is no interface {name} to keep: `ip tuntap add {name} mode {mode}` makes one")]
    Missing {
        /// The interface.
        name: String,
        /// Its kind in ip-tuntap's word.
        mode: &'static str,
    },
    /// It is something else.
    #[error(
        "the interface {name} is no {mode} interface with one queue (ip -details link show {name} says what it is)"
    )]
    OtherKind {
        /// The interface.
        name: String,
        /// The kind that was wanted in ip-tuntap's word.
        mode: &'static str,
    },
    /// Somebody uses it.
    #[error("the interface {0} is in use by another process")]
    Busy(String),
    /// Anything else.
    #[error("the interface {0} cannot be opened: {1}")]
    Other(String, io::Error),
}

/// Why an interface could not be set up.
#[derive(Debug, Error)]
#[error("cannot set up the interface {name}: {what}: {error}")]
pub struct SetUpError {
    name: String,
    what: String,
    error: io::Error,
}

impl Tun {
    /// May this process open the driver? In a network namespace of its own it may then make interfaces.
    pub fn has_driver() -> bool {
        rustix::fs::open(DRIVER, OFlags::RDWR | OFlags::CLOEXEC, Mode::empty()).is_ok()
    }

    /// Makes an interface, or attaches to one that is there.
    ///
    /// # Errors
    ///
    /// Each says what to do.
    pub fn open(config: &TunConfig) -> Result<Tun, OpenError> {
        let other = |error: io::Error| OpenError::Other(config.name.clone(), error);
        if !is_name(&config.name) {
            return Err(OpenError::Name(config.name.clone()));
        }
        let netlink = Netlink::open().map_err(other)?;
        if config.keep && netlink.index(&config.name).is_none() {
            return Err(OpenError::Missing { name: config.name.clone(), mode: config.kind.word() });
        }
        let flags = OFlags::RDWR | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let file =
            rustix::fs::open(DRIVER, flags, Mode::empty()).map_err(|error| of_driver(config, error))?;
        attach(&file, config).map_err(|error| of_attaching(config, error))?;
        if config.offload {
            let bytes = vnet::HEADER_BYTES.try_into().unwrap_or(i32::MAX);
            sys::set_header_bytes(file.as_fd(), bytes).map_err(|error| other(error.into()))?;
        }
        grant(&file, config.offload);
        Ok(Tun {
            mtu_bytes: netlink.mtu(&config.name).map_err(other)?,
            name: config.name.clone(),
            link_header: match config.kind {
                TunKind::Tun => LinkHeader::None,
                TunKind::Tap => LinkHeader::Beside,
            },
            vnet: config.offload,
            waiting: VecDeque::new(),
            malformed: 0,
            file,
        })
    }

    /// A descriptor that somebody else has opened and set up: a VPN service's, or any that gives and takes one IP
    /// packet at a time (a pair of AF_UNIX sockets of the kind SOCK_SEQPACKET or SOCK_DGRAM). Of a TUN or TAP of the
    /// kernel it is found out whether packets carry a header that says what was left undone; `mtu_bytes` is the largest
    /// packet. It blocks no more from now on.
    ///
    /// # Errors
    ///
    /// InvalidInput for a TUN whose packets begin with the kernel's own header (no IFF_NO_PI), and those of fcntl(2).
    pub fn of_descriptor(file: OwnedFd, mtu_bytes: u32) -> io::Result<Tun> {
        let flags = rustix::fs::fcntl_getfl(&file)?;
        rustix::fs::fcntl_setfl(&file, flags | OFlags::NONBLOCK)?;
        // Whatever else it is, the kernel has no word for its kind.
        let (name, flags) = sys::interface(file.as_fd())
            .unwrap_or_else(|_| (String::new(), number::IFF_TUN | number::IFF_NO_PI));
        if flags & number::IFF_NO_PI == 0 {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "the TUN was made without IFF_NO_PI"));
        }
        let vnet = flags & number::IFF_VNET_HDR != 0;
        if vnet {
            let bytes = vnet::HEADER_BYTES.try_into().unwrap_or(i32::MAX);
            sys::set_header_bytes(file.as_fd(), bytes)?;
        }
        let link_header = if flags & number::IFF_TAP != 0 { LinkHeader::Beside } else { LinkHeader::None };
        Ok(Tun { file, name, link_header, mtu_bytes, vnet, waiting: VecDeque::new(), malformed: 0 })
    }

    /// Gives an interface that was made here, or the far end of a veth pair, its MTU, the kernel's end of the link its
    /// addresses, and brings it up. Answers the addresses of a family that the machine does not have.
    ///
    /// # Errors
    ///
    /// Those of the kernel, with what was asked of it.
    pub fn set_up(&mut self, mtu_bytes: u32, addresses: &[Cidr]) -> Result<Vec<Cidr>, SetUpError> {
        let fail = |what: &str, error| SetUpError { name: self.name.clone(), what: what.to_owned(), error };
        let netlink = Netlink::open().map_err(|error| fail("netlink", error))?;
        let index = netlink.index(&self.name).ok_or_else(|| fail("it", io::ErrorKind::NotFound.into()))?;
        let sized = netlink.set_sizes(index, mtu_bytes, QUEUE_PACKETS_MAX);
        sized.map_err(|error| fail(&format!("an MTU of {mtu_bytes} bytes"), error))?;
        let mut absent = Vec::new();
        for address in addresses {
            match netlink.add_address(index, *address) {
                Ok(()) => {}
                // What the kernel answers where IPv6 is switched off, or not built in.
                Err(error) if address.address().is_ipv6() && is_without_family(&error) => {
                    absent.push(*address);
                }
                Err(error) => return Err(fail(&format!("the address {address}"), error)),
            }
        }
        netlink.bring_up(index).map_err(|error| fail("bringing it up", error))?;
        self.mtu_bytes = mtu_bytes;
        Ok(absent)
    }
}

/// The MTU of an interface of this thread's network namespace.
pub(super) fn current_mtu_bytes(name: &str) -> io::Result<u32> {
    Netlink::open()?.mtu(name)
}

/// Whether an interface of this thread's network namespace is up.
pub(super) fn is_up(name: &str) -> io::Result<bool> {
    Netlink::open()?.is_up(name)
}

/// What dev_valid_name of the kernel allows, without the `%` of patterns and the comma of `NAME,keep`.
fn is_name(name: &str) -> bool {
    let odd = |byte: u8| !byte.is_ascii_graphic() || matches!(byte, b'/' | b':' | b'%' | b',');
    !name.is_empty() && name.len() < sys::NAME_BYTES && !name.bytes().any(odd) && name != "." && name != ".."
}

/// TUNSETIFF with what the configuration says.
fn attach(file: &OwnedFd, config: &TunConfig) -> rustix::io::Result<()> {
    let kind = match config.kind {
        TunKind::Tun => number::IFF_TUN,
        TunKind::Tap => number::IFF_TAP,
    };
    let vnet = if config.offload { number::IFF_VNET_HDR } else { 0 };
    let new = if config.keep { 0 } else { number::IFF_TUN_EXCL };
    sys::set_interface(file.as_fd(), &config.name, kind | vnet | new | number::IFF_NO_PI)
}

/// Asks for offloads, the most that is granted. None is asked for explicitly too: whoever used the interface before may
/// have left some behind.
fn grant(file: &OwnedFd, offload: bool) {
    let wanted = if offload { &OFFLOADS[..] } else { &[0] };
    let _granted = wanted.iter().find(|offloads| sys::set_offloads(file.as_fd(), **offloads).is_ok());
}

/// Why the driver's file cannot be opened.
fn of_driver(config: &TunConfig, error: Errno) -> OpenError {
    match error {
        Errno::NOENT | Errno::NODEV | Errno::NXIO => OpenError::NoDriver,
        Errno::ACCESS | Errno::PERM if config.keep => OpenError::NoDriverRight(config.name.clone()),
        Errno::ACCESS | Errno::PERM => {
            OpenError::NoRight { name: config.name.clone(), mode: config.kind.word() }
        }
        error => OpenError::Other(config.name.clone(), error.into()),
    }
}

/// Why the interface cannot be had.
fn of_attaching(config: &TunConfig, error: Errno) -> OpenError {
    let (name, mode) = (config.name.clone(), config.kind.word());
    match error {
        Errno::PERM if config.keep => OpenError::NotOurs(name),
        Errno::PERM | Errno::ACCESS => OpenError::NoRight { name, mode },
        Errno::BUSY if config.keep => OpenError::Busy(name),
        Errno::BUSY | Errno::EXIST => OpenError::Exists { name },
        Errno::INVAL if config.keep => OpenError::OtherKind { name, mode },
        error => OpenError::Other(name, error.into()),
    }
}

fn is_without_family(error: &io::Error) -> bool {
    let without = [Errno::ACCESS, Errno::OPNOTSUPP, Errno::AFNOSUPPORT];
    Errno::from_io_error(error).is_some_and(|error| without.contains(&error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_that_the_kernel_would_take() {
        for name in ["tun0", "ieum.1", "a-b_c", "abcdefghijklmno"] {
            assert!(is_name(name), "{name}");
        }
        for name in ["", ".", "..", "a b", "a/b", "tun%d", "a,keep", "abcdefghijklmnop", "é"] {
            assert!(!is_name(name), "{name}");
        }
    }
}
