//! Ports by the names of services (services(5)).

use super::Transport;

/// Where this machine names them.
pub(super) const FILE: &str = "/etc/services";

/// The port of a service by its name or one of its aliases, in the text of such a file.
pub(super) fn port(services: &str, name: &str, transport: Transport) -> Option<u16> {
    let protocol = match transport {
        Transport::Tcp => "tcp",
        Transport::Udp => "udp",
    };
    services.lines().find_map(|line| {
        let line = line.split('#').next().unwrap_or_default();
        let mut words = line.split_whitespace();
        let (first, place) = (words.next()?, words.next()?);
        let (port, of) = place.split_once('/')?;
        let is_it = of == protocol && (first == name || words.any(|alias| alias == name));
        is_it.then(|| port.parse().ok()).flatten()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SERVICES: &str = "# Network services\n\nssh\t\t22/tcp\t\t\t# SSH\ndomain 53/tcp\ndomain 53/udp\n\
        http 80/tcp www # World Wide Web HTTP\nsyslog 514/udp\nbroken 70000/tcp\nonly-a-name\n";

    #[test]
    fn names_and_aliases_are_those_of_their_protocol() {
        assert_eq!(port(SERVICES, "http", Transport::Tcp), Some(80));
        assert_eq!(port(SERVICES, "www", Transport::Tcp), Some(80));
        assert_eq!(port(SERVICES, "domain", Transport::Udp), Some(53));
        assert_eq!(port(SERVICES, "http", Transport::Udp), None);
        assert_eq!(port(SERVICES, "syslog", Transport::Tcp), None);
    }

    #[test]
    fn what_is_no_service_has_no_port() {
        for name in ["SSH", "World", "22/tcp", "broken", "only-a-name", ""] {
            assert_eq!(port(SERVICES, name, Transport::Tcp), None, "{name}");
        }
    }
}
