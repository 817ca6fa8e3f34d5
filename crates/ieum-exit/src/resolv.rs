//! The machine's resolvers, as its resolv.conf names them.
//!
//! A resolver on a loopback address (a stub, like 127.0.0.53) would not be found by a program whose loopback is its
//! own. Its endpoint becomes an exception: inside it leads over the link, and here to the machine's loopback.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The port of name servers (RFC 1035 §4.2).
const PORT: u16 = 53;

/// The endpoints in 127/8 at which the resolvers of `file` (/etc/resolv.conf) listen. A file that cannot be read
/// names none, as in glibc.
pub fn loopback_resolvers(file: impl AsRef<Path>) -> Vec<SocketAddr> {
    parse(&std::fs::read_to_string(file).unwrap_or_default())
}

/// resolv.conf(5): with no `nameserver` line the name server on the local machine is used.
fn parse(text: &str) -> Vec<SocketAddr> {
    let mut servers = text.lines().filter_map(nameserver).peekable();
    if servers.peek().is_none() {
        return vec![SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT)];
    }
    let loopback = servers.filter(|address| address.is_ipv4() && address.is_loopback());
    let mut endpoints: Vec<_> = loopback.map(|address| SocketAddr::new(address, PORT)).collect();
    endpoints.sort_unstable();
    endpoints.dedup();
    endpoints
}

/// The keyword begins its line; what follows the address is ignored, and so is an address that is none.
fn nameserver(line: &str) -> Option<IpAddr> {
    let rest = line.strip_prefix("nameserver")?;
    rest.starts_with([' ', '\t']).then(|| rest.split_whitespace().next())??.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoints(text: &str) -> Vec<String> {
        parse(text).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_stub_on_a_loopback_address_is_found() {
        let text = "# made by somebody\nsearch example.org\nnameserver 127.0.0.53\noptions edns0 trust-ad\n";
        assert_eq!(endpoints(text), ["127.0.0.53:53"]);
        assert_eq!(endpoints("nameserver\t127.0.0.1 # here\nnameserver 127.0.0.1\n"), ["127.0.0.1:53"]);
    }

    #[test]
    fn with_none_listed_the_local_machine_is_asked() {
        assert_eq!(endpoints(""), ["127.0.0.1:53"]);
        assert_eq!(
            endpoints(" nameserver 192.0.2.1\nnameservers 192.0.2.1\nnameserver elsewhere\n"),
            ["127.0.0.1:53"]
        );
    }

    #[test]
    fn a_resolver_elsewhere_needs_no_exception() {
        assert_eq!(endpoints("nameserver 192.0.2.53\nnameserver ::1\n"), [""; 0]);
    }
}
