//! The kernel's list of sockets, as /proc/net/udp and its like write it.

use std::fs::File;
use std::io::{Read, Seek};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::order::Make;

/// One socket that has a port.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Listed {
    pub(crate) make: Make,
    pub(crate) inode: u64,
    pub(crate) local: SocketAddr,
    pub(crate) remote: Option<SocketAddr>,
    /// Bytes that wait to be received, and to be sent, as the kernel counts them.
    pub(crate) recv_queue: usize,
    pub(crate) send_queue: usize,
}

/// Everything that is in the list now; nothing where it cannot be read.
pub(super) fn read(make: Make, file: &mut File) -> Vec<Listed> {
    let mut text = String::new();
    if file.rewind().is_err() || file.read_to_string(&mut text).is_err() {
        return Vec::new();
    }
    text.lines().skip(1).filter_map(|line| listed(make, line)).collect()
}

/// `sl local remote state tx:rx timer retransmits uid timeout inode …`
fn listed(make: Make, line: &str) -> Option<Listed> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (sent, received) = words.get(4)?.split_once(':')?;
    let remote = endpoint(words.get(2)?)?;
    Some(Listed {
        make,
        inode: words.get(9)?.parse().ok()?,
        local: endpoint(words.get(1)?)?,
        remote: (remote.port() != 0 || !remote.ip().is_unspecified()).then_some(remote),
        recv_queue: usize::from_str_radix(received, 16).ok()?,
        send_queue: usize::from_str_radix(sent, 16).ok()?,
    })
}

/// `0100007F:0035`: words of four bytes in the machine's order, and the port.
fn endpoint(text: &str) -> Option<SocketAddr> {
    let (address, port) = text.split_once(':')?;
    let word =
        |at: usize| Some(u32::from_str_radix(address.get(at * 8..at * 8 + 8)?, 16).ok()?.to_ne_bytes());
    let ip = match address.len() {
        8 => IpAddr::from(Ipv4Addr::from(word(0)?)),
        32 => {
            let octets = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            IpAddr::from(Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?))
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_ends_queues_and_inode() {
        let line = "  1216: 0100007F:0035 00000000:0000 07 00000000:00000300 00:00000000 00000000  1000        0 \
                    12345 2 0000000000000000 0";
        let one = listed(Make::Udp4, line).unwrap();
        assert_eq!((one.local, one.remote), ("127.0.0.1:53".parse().unwrap(), None));
        assert_eq!((one.recv_queue, one.send_queue, one.inode), (768, 0, 12345));
    }

    #[test]
    fn addresses_of_ip6_are_four_words() {
        let text = "000077FD000000000000000002000000:1F90";
        assert_eq!(endpoint(text), Some("[fd77::2]:8080".parse().unwrap()));
        assert_eq!(endpoint("0100007F"), None);
        assert_eq!(endpoint("01:1"), None);
    }
}
