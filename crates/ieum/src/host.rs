//! Hosts: making them, and their sockets' beginnings.

use std::collections::BTreeSet;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::ops::RangeInclusive;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use ieum_exit::{Ends, Exit, ExitConfig, Publish, Resolvers};
use ieum_socket::{Domain, Interface};
use ieum_stack::{CongestionName, LinkId, Route, RouteTarget, StackConfig, TcpRules, TcpSettings};
use ieum_wire::{Cidr, Instant};

use crate::any_datagrams::AnyDatagrams;
use crate::flows::Flows;
use crate::net::{RawSocket, TcpListener, TcpStream, UdpSocket};
use crate::network::{Inner, Link, Network};
use crate::room::HostRoom;
use crate::socket::invalid;

/// The ends of the link between a host and its exit, as `ieum run` has them: the exit's own, with the network's prefix,
/// and the host's.
const EXIT_LINK: [(&str, &str); 2] = [("10.77.0.1/24", "10.77.0.2"), ("fd77::1/64", "fd77::2")];

/// One IP stack with its sockets: addresses, routes, ports and limits of its own.
///
/// A handle: clones are the same host. Made by [`Network::host`]. It stays in its network, with its addresses, for as
/// long as that lasts, whether a handle is left or not, unless it is [removed](Host::remove).
#[derive(Clone, Debug)]
pub struct Host {
    network: Network,
    number: usize,
}

/// The process's own host, once there is one.
static OF_PROCESS: Mutex<Option<Host>> = Mutex::new(None);

impl Host {
    /// The process's own host: what `bind` and `connect` of [`crate::net`] use. Unless one
    /// [was chosen](Host::make_default) before, it is made when it is first asked for: alone in a network, with an
    /// [exit](HostBuilder::exit), so that it reaches what the machine reaches.
    ///
    /// # Errors
    ///
    /// When the machine gives no descriptors, no thread or no random bytes.
    pub fn of_process() -> io::Result<Host> {
        let mut place = OF_PROCESS.lock().unwrap_or_else(PoisonError::into_inner);
        match &*place {
            Some(host) => Ok(host.clone()),
            None => {
                let host = Network::new()?.host().exit().build()?;
                Ok(place.insert(host).clone())
            }
        }
    }

    /// Makes it the process's own host from now on; sockets that were made on another stay there.
    pub fn make_default(&self) {
        let before = OF_PROCESS.lock().unwrap_or_else(PoisonError::into_inner).replace(self.clone());
        // Not under the lock: it may be the last handle of a network.
        drop(before);
    }

    /// Listens for connections: socket(2), SO_REUSEADDR, bind(2) and listen(2), as [`std::net::TcpListener::bind`]. What port 0
    /// and the backlog mean [`TcpListener::bind`] says.
    ///
    /// # Errors
    ///
    /// Those of bind(2) and listen(2); of several addresses the last one's.
    pub fn listen(&self, address: impl ToSocketAddrs) -> io::Result<TcpListener> {
        each(address, |address| TcpListener::on(self, address))
    }

    /// Connects, as [`std::net::TcpStream::connect`]. Names are asked of the machine.
    ///
    /// # Errors
    ///
    /// Those of connect(2); of several addresses the last one's.
    pub fn connect(&self, address: impl ToSocketAddrs) -> io::Result<TcpStream> {
        each(address, |address| TcpStream::on(self, address, None))
    }

    /// Connects within a time, as [`std::net::TcpStream::connect_timeout`].
    ///
    /// # Errors
    ///
    /// TimedOut, InvalidInput for no time at all, and those of connect(2).
    pub fn connect_timeout(&self, address: &SocketAddr, timeout: Duration) -> io::Result<TcpStream> {
        if timeout.is_zero() {
            return Err(invalid("cannot set a 0 duration timeout"));
        }
        TcpStream::on(self, *address, Some(timeout))
    }

    /// A UDP socket, bound as by [`std::net::UdpSocket::bind`].
    ///
    /// # Errors
    ///
    /// Those of bind(2); of several addresses the last one's.
    pub fn udp(&self, address: impl ToSocketAddrs) -> io::Result<UdpSocket> {
        each(address, |address| UdpSocket::on(self, address))
    }

    /// Its links as interfaces, by number, with their names, flags and addresses: what getifaddrs(3) and netdevice(7)
    /// tell. The first is the loopback.
    ///
    /// ```
    /// let network = ieum::Network::new()?;
    /// let host = network.host().address(&network.link(), "10.1.0.1/24").build()?;
    /// let names: Vec<String> = host.interfaces().into_iter().map(|interface| interface.name).collect();
    /// assert_eq!(names, ["lo", "eth0"]);
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn interfaces(&self) -> Vec<Interface> {
        self.with(|_, room| room.host.interfaces())
    }

    /// Its routing table, the most specific networks first: what rtnetlink(7) tells by RTM_GETROUTE. A network may be
    /// named by any address in it. What the host reaches in itself is not among them.
    pub fn routes(&self) -> Vec<Route> {
        self.with(|_, room| room.host.stack().routes().to_vec())
    }

    /// The addresses and ports of the machine that lead to its own, in the order in which they were
    /// [published](HostBuilder::publish), as taken: of one that was asked for as 0 the port that the machine chose.
    ///
    /// ```
    /// let host = ieum::Network::new()?.host().publish("127.0.0.1:0:80").build()?;
    /// let listener = host.listen("0.0.0.0:80")?;
    /// let outside = std::net::TcpStream::connect(host.published()[0])?;
    /// let (inside, _) = listener.accept()?;
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn published(&self) -> Vec<SocketAddr> {
        self.look(|_, room| room.published.clone())
    }

    /// A raw socket of IPv4: it hears every packet of that protocol. The host [has such](HostBuilder::raw_sockets).
    ///
    /// # Errors
    ///
    /// PermissionDenied on a host that has none; InvalidInput and others, as socket(2), for a protocol that is none.
    pub fn raw_v4(&self, protocol: u8) -> io::Result<RawSocket> {
        RawSocket::on(self, Domain::Ip4, protocol)
    }

    /// The same of IPv6.
    ///
    /// # Errors
    ///
    /// As [`Host::raw_v4`].
    pub fn raw_v6(&self, protocol: u8) -> io::Result<RawSocket> {
        RawSocket::on(self, Domain::Ip6, protocol)
    }

    /// Takes connections to every address and port that no other socket of the host listens on: each waits, unanswered,
    /// until it is accepted or refused. The host is [made so](HostBuilder::any_destination).
    ///
    /// # Errors
    ///
    /// AddrInUse when it does already, InvalidInput when it takes only its own addresses, EBADF when it is removed.
    pub fn listen_any(&self) -> io::Result<Flows> {
        Flows::on(self)
    }

    /// Takes datagrams to every address and port that no socket of the host is bound to; answers leave from the address
    /// that was meant. The host is [made so](HostBuilder::any_destination).
    ///
    /// # Errors
    ///
    /// InvalidInput when it takes only its own addresses, EBADF when it is removed.
    pub fn datagrams_any(&self) -> io::Result<AnyDatagrams> {
        AnyDatagrams::on(self)
    }

    /// Takes the host out of its network: its connections are reset, its sockets are closed (EBADF), it has no others
    /// (ENFILE), and its addresses are free for another host. Its exit goes with it, and the machine's ports that led
    /// to it are free. What its other handles name is this, a host without links or sockets.
    pub fn remove(&self) {
        self.network.remove(self.number);
    }

    /// Asks the host as data, without waiting and under the lock: all of [`crate::sockets`]'s questions about states, counters,
    /// drops and [tables of sockets](crate::sockets::Host::sockets). Do no work in it, and make no call of this crate: the lock
    /// is held.
    pub fn inspect<T>(&self, question: impl FnOnce(&ieum_socket::Host) -> T) -> T {
        self.look(|_, room| question(&room.host))
    }

    /// Returns when so many wait at the host. They are remembered under the lock: what happens then wakes them, asleep already
    /// or about to be.
    #[cfg(test)]
    pub(crate) fn until_waiters(&self, waiters: usize) {
        while self.look(|_, room| room.waiters_now()) != waiters {
            std::thread::yield_now();
        }
    }

    /// May this thread wait for what the network brings? Its own may not.
    pub(crate) fn may_wait(&self) -> bool {
        !self.network.is_own_thread()
    }

    pub(crate) fn with<T>(&self, call: impl FnOnce(Instant, &mut HostRoom) -> T) -> T {
        self.network.with(self.number, call)
    }

    pub(crate) fn look<T>(&self, question: impl FnOnce(Instant, &mut HostRoom) -> T) -> T {
        self.network.look(self.number, question)
    }
}

/// Chooses what a host is to be: see [`Network::host`].
///
/// Addresses are written as `10.1.0.1/24` or `fd01::1/64`, with the length of their network's prefix, without which they have no
/// neighbours; what is none is told by [`HostBuilder::build`].
#[derive(Debug)]
#[must_use = "`build` makes the host"]
pub struct HostBuilder {
    network: Network,
    stack: StackConfig,
    is_seeded: bool,
    tcp: TcpSettings,
    congestion: Option<CongestionName>,
    rules: Option<TcpRules>,
    sockets_max: Option<usize>,
    has_raw_sockets: bool,
    addresses: Vec<(Link, String)>,
    routes: Vec<(String, String)>,
    exit: Option<Vec<String>>,
}

impl HostBuilder {
    pub(crate) fn of(network: Network) -> HostBuilder {
        HostBuilder {
            network,
            stack: StackConfig::new([0; 32]),
            is_seeded: false,
            tcp: TcpSettings::default(),
            congestion: None,
            rules: None,
            sockets_max: None,
            has_raw_sockets: false,
            addresses: Vec::new(),
            routes: Vec::new(),
            exit: None,
        }
    }

    /// Puts the host on a link, under an address there with the length of its network's prefix, as `10.1.0.1/24` or `fd00::1/64`.
    /// That network is reached over that link from then on; without a prefix the address has no neighbours. A second address on
    /// the same link is another call, and so is another link.
    pub fn address(mut self, link: &Link, address: &str) -> HostBuilder {
        self.addresses.push((link.clone(), address.to_owned()));
        self
    }

    /// Networks beyond the links, as `0.0.0.0/0`, are reached over the link of the neighbour with that address. Who hears of them
    /// there is the one host of that link that stands for [any destination](HostBuilder::any_destination): no host forwards.
    pub fn route(mut self, network: &str, gateway: &str) -> HostBuilder {
        self.routes.push((network.to_owned(), gateway.to_owned()));
        self
    }

    /// Whatever is none of its own is reached through the sockets of the machine, without privileges. Its addresses are 10.77.0.2
    /// and fd77::2 then, besides others, and 10.77.0.1 and fd77::1 are the machine's loopback.
    pub fn exit(mut self) -> HostBuilder {
        self.exit.get_or_insert_default();
        self
    }

    /// A port of the machine leads to one of the host's, as long as somebody listens there: `[ADDRESS:]PORT:PORT[/udp]`, as
    /// `127.0.0.1:8080:80`. Of the machine's, 0 is one that is free: [`Host::published`] tells which. Has an
    /// [exit](HostBuilder::exit) with it.
    pub fn publish(mut self, ports: &str) -> HostBuilder {
        self.exit.get_or_insert_default().push(ports.to_owned());
        self
    }

    /// The algorithm of congestion control of sockets that choose none (TCP_CONGESTION); CUBIC.
    pub fn congestion(mut self, congestion: CongestionName) -> HostBuilder {
        self.congestion = Some(congestion);
        self
    }

    /// What connections are made with, where no option of their socket says something else: sizes of buffers, retries, timers.
    /// [`HostBuilder::congestion`] goes before what is said of it here.
    pub fn tcp(mut self, settings: TcpSettings) -> HostBuilder {
        self.tcp = settings;
        self
    }

    /// What holds for all connections together: queues, cookies, TIME-WAIT.
    pub fn tcp_rules(mut self, rules: TcpRules) -> HostBuilder {
        self.rules = Some(rules);
        self
    }

    /// What TCP offers, and the range of ephemeral ports; its seed is not looked at.
    pub fn stack(mut self, config: StackConfig) -> HostBuilder {
        let accept_any_destination = self.stack.accept_any_destination || config.accept_any_destination;
        self.stack = StackConfig { seed: self.stack.seed, accept_any_destination, ..config };
        self
    }

    /// The ports that are given to who names none; 32768 to 60999.
    pub fn ephemeral_ports(mut self, ports: RangeInclusive<u16>) -> HostBuilder {
        self.stack.ephemeral_ports = ports;
        self
    }

    /// Sockets beyond so many are refused with ENFILE; 1,048,576.
    pub fn sockets_max(mut self, sockets: usize) -> HostBuilder {
        self.sockets_max = Some(sockets);
        self
    }

    /// Lets it have raw sockets ([`Host::raw_v4`]).
    pub fn raw_sockets(mut self) -> HostBuilder {
        self.has_raw_sockets = true;
        self
    }

    /// Keys all that is random or hashed. Without it nobody can guess it.
    pub fn seed(mut self, seed: [u8; 32]) -> HostBuilder {
        (self.stack.seed, self.is_seeded) = (seed, true);
        self
    }

    /// Every unicast address is taken for one of its own, and what nobody else on its links has comes to it: for
    /// [`Host::listen_any`] and [`Host::datagrams_any`].
    pub fn any_destination(mut self) -> HostBuilder {
        self.stack.accept_any_destination = true;
        self
    }

    /// Makes it.
    ///
    /// # Errors
    ///
    /// InvalidInput with a sentence for an address, network or port that is none, a gateway that is no neighbour, a
    /// link of another network, an address that another host on the link has or that is named twice there, a range of
    /// ephemeral ports that is empty or has 0 in it; and when the machine gives no random bytes, descriptors or ports
    /// to publish.
    pub fn build(mut self) -> io::Result<Host> {
        if !self.is_seeded {
            getrandom::fill(&mut self.stack.seed).map_err(|error| io::Error::other(error.to_string()))?;
        }
        if self.stack.ephemeral_ports.is_empty() {
            return Err(invalid("the range of ephemeral ports is empty"));
        }
        if self.stack.ephemeral_ports.contains(&0) {
            return Err(invalid("0 is no ephemeral port: who names it names none"));
        }
        let (addresses, routes) = (self.parsed_addresses()?, self.parsed_routes()?);
        // Made before anything is changed: it may fail.
        let exit = self.exit.as_deref().map(|publish| made_exit(self.stack.seed, publish)).transpose()?;
        let published = exit.iter().flat_map(Exit::published).map(|published| published.outside).collect();

        let mut host = ieum_socket::Host::with_stack(self.stack.clone(), false);
        let congestion = self.congestion.unwrap_or(self.tcp.congestion);
        host.set_tcp_defaults(TcpSettings { congestion, ..self.tcp });
        host.allow_raw_sockets(self.has_raw_sockets);
        self.sockets_max.into_iter().for_each(|sockets| host.set_sockets_max(sockets));
        self.rules.into_iter().for_each(|rules| host.stack_mut().tcp_set_rules(rules));
        let mut inner = if exit.is_some() { self.network.lock_for_source() } else { self.network.lock() };
        inner.check_plan(&addresses, &routes)?;
        let exit = match exit {
            Some(exit) => Some((exit.link(), inner.add_exit(Box::new(exit))?)),
            None => None,
        };
        let mut room = HostRoom::new(host, self.stack.accept_any_destination);
        room.published = published;
        let number = inner.add_host(room);
        if let Some((link, exit)) = exit {
            inner.join_exit(number, exit, link);
        }
        inner.settle_in(number, &addresses, &routes, self.stack.accept_any_destination);
        drop(inner);
        Ok(Host { network: self.network, number })
    }

    fn parsed_addresses(&self) -> io::Result<Vec<(usize, Cidr)>> {
        let parsed = self.addresses.iter().map(|(link, text)| {
            if !link.is_of(&self.network) {
                return Err(invalid(format!("{text}: the link is of another network")));
            }
            Ok((link.number(), cidr(text)?))
        });
        parsed.collect()
    }

    fn parsed_routes(&self) -> io::Result<Vec<(Cidr, IpAddr)>> {
        let parsed = self.routes.iter().map(|(network, gateway)| {
            let address = gateway.parse().map_err(|_| invalid(format!("{gateway}: not an address")))?;
            Ok((cidr(network)?, address))
        });
        parsed.collect()
    }
}

impl Inner {
    /// Could a host come with these addresses, on these links, and these gateways?
    fn check_plan(&self, addresses: &[(usize, Cidr)], routes: &[(Cidr, IpAddr)]) -> io::Result<()> {
        if let Some((own, why)) = addresses.iter().find_map(|(_, own)| Some((own, why_no_hosts(*own)?))) {
            return Err(invalid(format!("{own}: {why}")));
        }
        let taken = addresses.iter().find(|(link, own)| self.segments[*link].has(own.address()));
        if let Some((_, own)) = taken {
            return Err(invalid(format!("{}: another host on the link has it", own.address())));
        }
        if let Some(own) = named_twice(addresses) {
            return Err(invalid(format!("{own}: named twice on the same link")));
        }
        match routes.iter().find(|(_, gateway)| neighbor_of(addresses, *gateway).is_none()) {
            Some((_, gateway)) => Err(invalid(format!("{gateway}: no link leads to this gateway"))),
            None => Ok(()),
        }
    }

    /// A new host gets its links, addresses and routes.
    fn settle_in(
        &mut self,
        number: usize,
        addresses: &[(usize, Cidr)],
        routes: &[(Cidr, IpAddr)],
        any: bool,
    ) {
        let mut links: Vec<(usize, LinkId)> = Vec::new();
        for (segment, own) in addresses {
            let known = links.iter().find(|(other, _)| other == segment).map(|(_, link)| *link);
            let link = known.unwrap_or_else(|| {
                let link = self.new_link(number, *segment);
                links.push((*segment, link));
                link
            });
            self.host(number).host.stack_mut().add_address(link, *own);
            self.segments[*segment].add_address((number, link), *own);
        }
        for (segment, link) in links.iter().filter(|_| any) {
            self.segments[*segment].add_gateway((number, *link));
        }
        for (network, gateway) in routes {
            let Some(segment) = neighbor_of(addresses, *gateway) else { continue };
            let Some((_, link)) = links.iter().find(|(other, _)| *other == segment) else { continue };
            let target = RouteTarget::Gateway(*link, *gateway);
            self.host(number).host.stack_mut().add_route(*network, target, None);
        }
    }

    /// An exit at the other end of a link that only it and the host are on.
    fn join_exit(&mut self, number: usize, exit: usize, exit_link: LinkId) {
        let segment = self.exit_segment(number, exit);
        let link = self.new_link(number, segment);
        let exit_end = self.plug(exit, exit_link, segment);
        self.segments[segment].add_gateway(exit_end);
        for (ends, all) in exit_ends().into_iter().zip([Cidr::ALL_IP4, Cidr::ALL_IP6]) {
            let own = Cidr::new(ends.host, ends.own.prefix_bits()).unwrap_or_else(|| Cidr::host(ends.host));
            let stack = self.host(number).host.stack_mut();
            stack.add_address(link, own);
            stack.add_route(all, RouteTarget::Gateway(link, ends.own.address()), None);
            self.segments[segment].add_address((number, link), own);
        }
    }

    fn new_link(&mut self, number: usize, segment: usize) -> LinkId {
        let config = self.segments[segment].config;
        let link = self.host(number).host.stack_mut().add_link(config);
        self.plug(number, link, segment);
        link
    }
}

/// Why an address cannot be a host's (RFC 1122 §3.2.1.3), if it cannot.
fn why_no_hosts(own: Cidr) -> Option<&'static str> {
    let address = own.address();
    if address.is_unspecified() || address.is_loopback() || address.is_multicast() {
        return Some("no host has this address on a link: take one like 10.1.0.1/24");
    }
    let last = own.broadcast().map(IpAddr::V4)?;
    (address == last || address == own.first())
        .then_some("it stands for all hosts of its network: take another one of it")
}

/// An address that stands twice on the same link.
fn named_twice(addresses: &[(usize, Cidr)]) -> Option<IpAddr> {
    let mut known = BTreeSet::new();
    let mut named = addresses.iter().map(|(link, own)| (*link, own.address()));
    named.find(|address| !known.insert(*address)).map(|(_, address)| address)
}

/// The link on which a host with these addresses has that neighbour.
fn neighbor_of(addresses: &[(usize, Cidr)], gateway: IpAddr) -> Option<usize> {
    addresses.iter().find(|(_, own)| own.contains(gateway)).map(|(segment, _)| *segment)
}

fn exit_ends() -> [Ends; 2] {
    EXIT_LINK.map(|(own, host)| Ends {
        own: own.parse().expect("the constant is an address with a prefix"),
        host: host.parse().expect("the constant is an address"),
    })
}

fn made_exit(mut seed: [u8; 32], publish: &[String]) -> io::Result<Exit> {
    // Two stacks that talk must not draw the same numbers.
    seed[0] ^= 1;
    let publish =
        publish.iter().map(|text| text.parse::<Publish>().map_err(|error| invalid(error.to_string())));
    let [ip4, ip6] = exit_ends();
    let config = ExitConfig {
        seed,
        tcp_timestamps: true,
        ip4: Some(ip4),
        ip6: Some(ip6),
        outbound: true,
        resolvers: Resolvers::of([]),
        names: Vec::new(),
        publish: publish.collect::<io::Result<_>>()?,
    };
    Exit::new(config).map_err(io::Error::other)
}

fn cidr(text: &str) -> io::Result<Cidr> {
    text.parse()
        .map_err(|_| invalid(format!("{text}: not an address with the length of its prefix, as 10.1.0.1/24")))
}

/// Tries each of what a name or several mean; the last one's error.
pub(crate) fn each<T>(
    address: impl ToSocketAddrs,
    mut attempt: impl FnMut(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = None;
    for address in address.to_socket_addrs()? {
        match attempt(address) {
            Ok(made) => return Ok(made),
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| invalid("could not resolve to any addresses")))
}
