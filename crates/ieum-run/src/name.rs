//! Names of the AF_UNIX sockets that stand between a program and its host.
//!
//! All names are abstract and begin with 128 random bits of this run, so that no other program meets them by chance.
//! A name says what bears it: the program's end of a socket, our end, or the sender that stands for a remote.

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use rustix::net::SocketAddrUnix;

/// The names of one run.
#[derive(Debug)]
pub(crate) struct Names {
    prefix: [u8; PREFIX_BYTES],
}

const PREFIX_BYTES: usize = 16;
const ENVELOPE_BYTES: usize = 17 + 2 + 17 + 1 + 1 + 4 + 2;

/// What stands around a datagram on its way to S.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Envelope {
    /// Who sent it, as the socket names it.
    pub(crate) remote: SocketAddr,
    /// The address of ours it came to, as the stack names it; `None` where that is not known.
    pub(crate) local: Option<IpAddr>,
    /// How many hops it still had.
    pub(crate) hops: u8,
    /// Type of service, traffic class.
    pub(crate) tos: u8,
    /// The number of the interface it came by; 0 where that is not known.
    pub(crate) interface: u32,
    /// These are several datagrams of so many bytes each; 0: it is one.
    pub(crate) segment_bytes: u16,
}

impl Envelope {
    /// Of datagrams of which only the sender is known.
    pub(crate) fn of(remote: SocketAddr) -> Envelope {
        Envelope { remote, local: None, hops: 0, tos: 0, interface: 0, segment_bytes: 0 }
    }
}

/// Who bears a name.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Bearer {
    /// The program's end of socket `0`; made anew (`1`) when another takes its place.
    Program(u64, u64),
    /// Our end of socket `0`; made anew (`1`) when a connection goes back into the accept queue.
    Carrier(u64, u64),
    /// Our internal listener.
    Listener,
    /// What stands for a remote towards socket `0`; made anew (`1`) for each association.
    Remote(u64, u64, Envelope),
}

impl Names {
    /// Names that nobody else has.
    pub(crate) fn new() -> std::io::Result<Names> {
        let mut prefix = [0; PREFIX_BYTES];
        getrandom::fill(&mut prefix).map_err(|error| std::io::Error::other(error.to_string()))?;
        Ok(Names { prefix })
    }

    /// The name of `bearer`.
    pub(crate) fn name(&self, bearer: Bearer) -> rustix::io::Result<SocketAddrUnix> {
        let mut bytes = self.prefix.to_vec();
        match bearer {
            Bearer::Program(number, serial) => {
                push(&mut bytes, b's', number);
                bytes.extend_from_slice(&serial.to_be_bytes());
            }
            Bearer::Carrier(number, serial) => {
                push(&mut bytes, b'p', number);
                bytes.extend_from_slice(&serial.to_be_bytes());
            }
            Bearer::Listener => push(&mut bytes, b'l', 0),
            Bearer::Remote(number, serial, envelope) => {
                push(&mut bytes, b'r', number);
                bytes.extend_from_slice(&serial.to_be_bytes());
                push_ip(&mut bytes, Some(envelope.remote.ip()));
                bytes.extend_from_slice(&envelope.remote.port().to_be_bytes());
                push_ip(&mut bytes, envelope.local);
                bytes.extend([envelope.hops, envelope.tos]);
                bytes.extend_from_slice(&envelope.interface.to_be_bytes());
                bytes.extend_from_slice(&envelope.segment_bytes.to_be_bytes());
            }
        }
        SocketAddrUnix::new_abstract_name(&bytes)
    }

    /// The number of the socket whose carrier bears `name`.
    pub(crate) fn carrier(&self, name: &SocketAddrUnix) -> Option<u64> {
        let rest = name.abstract_name()?.strip_prefix(&self.prefix)?.strip_prefix(b"p")?;
        Some(u64::from_be_bytes(*rest.first_chunk()?))
    }

    /// What the bearer of `name` stands for.
    pub(crate) fn envelope(&self, name: &SocketAddrUnix) -> Option<Envelope> {
        let rest = name.abstract_name()?.strip_prefix(&self.prefix)?.strip_prefix(b"r")?;
        let rest: &[u8; ENVELOPE_BYTES] = rest.get(16..)?.try_into().ok()?;
        let port = u16::from_be_bytes(rest.get(17..19)?.try_into().ok()?);
        let remote = SocketAddr::new(ip_of(rest.get(..17)?)?, port);
        Some(Envelope {
            remote,
            local: ip_of(rest.get(19..36)?),
            hops: rest[36],
            tos: rest[37],
            interface: u32::from_be_bytes(rest.get(38..42)?.try_into().ok()?),
            segment_bytes: u16::from_be_bytes(rest.get(42..44)?.try_into().ok()?),
        })
    }
}

fn push_ip(bytes: &mut Vec<u8>, ip: Option<IpAddr>) {
    let (family, ip) = match ip {
        None => (0, Ipv6Addr::UNSPECIFIED),
        Some(IpAddr::V4(ip)) => (4, ip.to_ipv6_mapped()),
        Some(IpAddr::V6(ip)) => (6, ip),
    };
    bytes.push(family);
    bytes.extend_from_slice(&ip.octets());
}

fn ip_of(bytes: &[u8]) -> Option<IpAddr> {
    let (family, octets) = bytes.split_first()?;
    let octets: [u8; 16] = octets.try_into().ok()?;
    let ip = Ipv6Addr::from(octets);
    match family {
        4 => ip.to_ipv4_mapped().map(IpAddr::V4),
        6 => Some(IpAddr::V6(ip)),
        _ => None,
    }
}

fn push(bytes: &mut Vec<u8>, kind: u8, number: u64) {
    bytes.push(kind);
    bytes.extend_from_slice(&number.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_tells_the_remote_it_stands_for() {
        let names = Names::new().unwrap();
        for remote in ["10.77.0.1:53", "[2001:db8::1]:443"] {
            let remote: SocketAddr = remote.parse().unwrap();
            for local in [None, Some("10.77.0.2".parse().unwrap()), Some("::1".parse().unwrap())] {
                let envelope =
                    Envelope { remote, local, hops: 63, tos: 0xb8, interface: 70_000, segment_bytes: 1200 };
                let name = names.name(Bearer::Remote(7, 9, envelope)).unwrap();
                assert_eq!(names.envelope(&name), Some(envelope));
            }
            let name = names.name(Bearer::Remote(7, 9, Envelope::of(remote))).unwrap();
            assert_eq!(names.carrier(&name), None);
        }
    }

    #[test]
    fn names_of_another_run_mean_nothing() {
        let name = Names::new().unwrap().name(Bearer::Carrier(3, 0)).unwrap();
        assert_eq!(Names::new().unwrap().carrier(&name), None);
    }

    #[test]
    fn a_carrier_is_known_by_its_name() {
        let names = Names::new().unwrap();
        let name = names.name(Bearer::Carrier(u64::MAX, 1)).unwrap();
        assert_eq!(names.carrier(&name), Some(u64::MAX));
    }
}
