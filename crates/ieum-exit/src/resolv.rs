//! The machine's resolvers, as its resolv.conf names them.
//!
//! A resolver on a loopback address (a stub, like 127.0.0.53) would not be found by a program whose loopback is its
//! own. Its endpoint is an exception: inside it leads over the link, and here to the machine's loopback.
//!
//! What is not read: addresses of resolvers with a scope (`fe80::1%eth0`), which mean nothing inside.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

/// The port of name servers (RFC 1035 §4.2).
pub(crate) const PORT: u16 = 53;

/// Where programs send their questions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Resolvers {
    endpoints: Vec<SocketAddr>,
    named: bool,
}

impl Resolvers {
    /// Those of `file` (/etc/resolv.conf). A file that cannot be read names none, as in glibc.
    pub fn read(file: impl AsRef<Path>) -> Resolvers {
        Resolvers::parse(&std::fs::read_to_string(file).unwrap_or_default())
    }

    /// resolv.conf(5): with no `nameserver` line the name server on the local machine is asked.
    fn parse(text: &str) -> Resolvers {
        Resolvers::of(text.lines().filter_map(nameserver))
    }

    /// Those at these addresses.
    pub fn of(addresses: impl IntoIterator<Item = IpAddr>) -> Resolvers {
        let mut endpoints: Vec<SocketAddr> = Vec::new();
        for server in addresses.into_iter().map(|address| SocketAddr::new(address, PORT)) {
            if !endpoints.contains(&server) {
                endpoints.push(server);
            }
        }
        let named = !endpoints.is_empty();
        if !named {
            endpoints.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT));
        }
        Resolvers { endpoints, named }
    }

    /// All of them, in their order.
    pub fn endpoints(&self) -> &[SocketAddr] {
        &self.endpoints
    }

    /// The file names them; else 127.0.0.1 is asked, where perhaps nobody is.
    pub(crate) fn are_named(&self) -> bool {
        self.named
    }
}

/// The keyword begins its line; what follows the address is ignored, and so is an address that is none.
fn nameserver(line: &str) -> Option<IpAddr> {
    let rest = line.strip_prefix("nameserver")?;
    rest.starts_with([' ', '\t']).then(|| rest.split_whitespace().next())??.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(text: &str) -> Vec<String> {
        Resolvers::parse(text).endpoints().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_stub_on_a_loopback_address_is_found() {
        let text = "# made by somebody\nsearch example.org\nnameserver 127.0.0.53\noptions edns0 trust-ad\n";
        assert_eq!(all(text), ["127.0.0.53:53"]);
        assert_eq!(all("nameserver\t127.0.0.1 # here\nnameserver 127.0.0.1\n"), ["127.0.0.1:53"]);
    }

    #[test]
    fn with_none_listed_the_local_machine_is_asked() {
        assert_eq!(all(""), ["127.0.0.1:53"]);
        assert!(!Resolvers::parse("").are_named());
        assert_eq!(
            all(" nameserver 192.0.2.1\nnameservers 192.0.2.1\nnameserver elsewhere\n"),
            ["127.0.0.1:53"]
        );
    }

    #[test]
    fn resolvers_of_both_families_are_known_in_their_order() {
        let text =
            "nameserver 192.0.2.53\nnameserver 2001:db8::53\nnameserver ::1\nnameserver fe80::1%eth0\n";
        assert_eq!(all(text), ["192.0.2.53:53", "[2001:db8::53]:53", "[::1]:53"]);
    }
}
