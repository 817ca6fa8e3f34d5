//! The room: what becomes of the stack's events, of sources, deadlines and notices.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use ieum_engine::{Notice, Ready, Room, Turn};
use ieum_stack::{Event, LinkConfig, LinkId, ListenerId, Request, Stack, StackConfig, Status};
use ieum_wire::{Instant, Packet};

use crate::counts::Counts;
use crate::datagram::Datagrams;
use crate::key::Source;
use crate::name_service::{Conversations, NameService, Named};
use crate::published::{DatagramPort, Publish, PublishError, Published, StreamPort, Transport};
use crate::resolv::Resolvers;
use crate::stream::{Context, Streams, settings};
use crate::target::{Ends, Targets};

/// What makes an exit.
#[derive(Clone, Debug)]
pub struct ExitConfig {
    /// Seeds its stack.
    pub seed: [u8; 32],
    /// Offer and accept TCP timestamps on the link.
    pub tcp_timestamps: bool,
    /// The ends of the link in IPv4, where it has any.
    pub ip4: Option<Ends>,
    /// The ends of the link in IPv6, where it has any.
    pub ip6: Option<Ends>,
    /// The inside may reach the outside; else only published ports pass, and names are told.
    pub outbound: bool,
    /// The machine's resolvers. Their loopback endpoints mean the machine's when asked for from inside.
    pub resolvers: Resolvers,
    /// Names that the exit itself answers for.
    pub names: Vec<Named>,
    /// Ports to publish.
    pub publish: Vec<Publish>,
}

/// A published port of either protocol.
#[derive(Debug)]
enum Port {
    Stream(StreamPort),
    Datagram(DatagramPort),
}

/// The way to the machine's sockets.
pub struct Exit {
    stack: Stack,
    link: LinkId,
    targets: Targets,
    streams: Streams,
    datagrams: Datagrams,
    names: NameService,
    conversations: Conversations,
    ports: Vec<Port>,
    counts: Counts,
}

impl Exit {
    /// Makes the exit and reserves the ports it publishes.
    ///
    /// # Errors
    ///
    /// When a port cannot be had.
    pub fn new(config: ExitConfig) -> Result<Exit, PublishError> {
        let mut stack = Stack::new(StackConfig {
            tcp_timestamps: config.tcp_timestamps,
            accept_any_destination: true,
            ..StackConfig::new(config.seed)
        });
        let link = stack.add_link(LinkConfig::in_process());
        let ends: Vec<Ends> = config.ip4.into_iter().chain(config.ip6).collect();
        ends.iter().for_each(|ends| stack.add_address(link, ends.own));
        stack.tcp_listen_any(settings());
        let ports = config.publish.iter().enumerate().map(|(number, wish)| {
            if config.publish.iter().take(number).any(|earlier| earlier.excludes(wish)) {
                return Err(PublishError::Twice(wish.outside));
            }
            Port::reserve(wish, &ends)
        });
        Ok(Exit {
            stack,
            link,
            ports: ports.collect::<Result<_, _>>()?,
            targets: Targets {
                own: ends.iter().map(|ends| ends.own).collect(),
                resolvers: config.resolvers.endpoints().to_vec(),
                outbound: config.outbound,
            },
            streams: Streams::default(),
            datagrams: Datagrams::new(),
            names: NameService::new(&config.names, config.resolvers),
            conversations: Conversations::new(),
            counts: Counts::default(),
        })
    }

    /// Its end of the link.
    pub fn link(&self) -> LinkId {
        self.link
    }

    /// The ports that are published, as taken.
    pub fn published(&self) -> impl Iterator<Item = Published> {
        self.ports.iter().map(|port| match port {
            Port::Stream(port) => port.published(),
            Port::Datagram(port) => port.published(),
        })
    }

    /// What was refused or dropped, by reason, only reasons that occurred.
    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        self.counts.list()
    }

    /// What its stack dropped, by reason.
    pub fn drops(&self) -> Vec<(&'static str, u64)> {
        self.stack.drops()
    }

    /// Everything the stack has to tell goes to whom it concerns.
    fn take_events(&mut self, turn: &Turn<'_>) {
        while let Some(event) = self.stack.poll_event() {
            let mut cx = Context { turn, stack: &mut self.stack, counts: &mut self.counts };
            match event {
                Event::Request(id) => {
                    let asks = |request: Request| self.names.hears(request.local, &self.targets);
                    if cx.stack.request(id).is_some_and(asks) {
                        // Questions are answered here, whether or not others can be asked.
                        cx.stack.tcp_accept_request(id);
                    } else {
                        self.streams.on_request(&mut cx, id, &self.targets);
                    }
                }
                Event::Acceptable(listener) => self.on_acceptable(turn, listener),
                Event::Connection(id) => {
                    self.streams.on_connection(id);
                    self.conversations.on_connection(id);
                }
                // The exit sends no echo requests by itself.
                Event::Ping(_) | Event::Raw(_) => {}
                Event::AnyDatagram => {
                    while let Some(datagram) = cx.stack.poll_any_datagram() {
                        self.datagrams.on_datagram(&mut cx, &datagram, &self.targets, &self.names);
                    }
                }
                Event::Udp(id) => {
                    let _taken = self.ports.iter_mut().any(|port| match port {
                        Port::Datagram(port) => port.on_endpoint(id),
                        Port::Stream(_) => false,
                    });
                }
            }
        }
    }

    /// Handshakes have ended: with the name service, or with a flow that waits for it.
    fn on_acceptable(&mut self, turn: &Turn<'_>, listener: ListenerId) {
        let mut cx = Context { turn, stack: &mut self.stack, counts: &mut self.counts };
        while let Some(connection) = cx.stack.tcp_accept(listener) {
            let Some(Status { local, remote, .. }) = cx.stack.tcp_status(connection) else { continue };
            if self.names.hears(local, &self.targets) {
                self.conversations.begin(&mut cx, connection, local);
            } else {
                self.streams.on_accepted(&mut cx, connection, (local, remote));
            }
        }
    }

    /// A host began or ceased to serve what `covers` says: published ports open or close.
    fn on_serving(
        &mut self,
        turn: &Turn<'_>,
        datagram: bool,
        serving: bool,
        covers: impl Fn(SocketAddr) -> bool,
    ) {
        let mut cx = Context { turn, stack: &mut self.stack, counts: &mut self.counts };
        for (index, port) in self.ports.iter_mut().enumerate() {
            match port {
                Port::Stream(port) if !datagram && covers(port.inside()) => {
                    port.on_serving(&mut cx, index, serving);
                }
                Port::Datagram(port) if datagram && covers(port.inside()) => {
                    port.on_serving(&mut cx, serving);
                }
                Port::Stream(_) | Port::Datagram(_) => {}
            }
        }
    }

    /// Somebody has more to do than one turn's share.
    fn has_work(&self) -> bool {
        self.streams.has_work() || self.datagrams.has_work() || self.ports.iter().any(Port::has_work)
    }
}

impl Port {
    /// Outside IPv6 leads to the host's IPv6 address, outside IPv4 to its IPv4 address.
    fn reserve(wish: &Publish, ends: &[Ends]) -> Result<Port, PublishError> {
        let ends = ends.iter().find(|ends| ends.host.is_ipv4() == wish.outside.is_ipv4());
        let ends = ends.ok_or(PublishError::NoFamily(wish.outside))?;
        match wish.transport {
            Transport::Tcp => StreamPort::reserve(wish, ends.host).map(Port::Stream),
            Transport::Udp => DatagramPort::reserve(wish, ends.host, ends.own.address()).map(Port::Datagram),
        }
    }

    fn has_work(&self) -> bool {
        match self {
            Port::Stream(port) => port.has_work(),
            Port::Datagram(port) => port.has_work(),
        }
    }

    fn deadline(&self) -> Option<Instant> {
        match self {
            Port::Stream(port) => port.deadline(),
            Port::Datagram(port) => port.deadline(),
        }
    }

    fn on_ready(&mut self) {
        match self {
            Port::Stream(port) => port.on_ready(),
            Port::Datagram(port) => port.on_ready(),
        }
    }
}

impl Room for Exit {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        self.ports.iter().enumerate().try_for_each(|(index, port)| match port {
            // Watched while it listens.
            Port::Stream(_) => Ok(()),
            Port::Datagram(port) => port.start(turn, index),
        })
    }

    fn on_ready(&mut self, _turn: &Turn<'_>, key: u64, ready: Ready) {
        match Source::of(key) {
            Source::Stream(serial) => self.streams.on_ready(serial, ready),
            Source::Datagram(serial) => self.datagrams.on_ready(serial, ready),
            Source::Asker(serial) => self.conversations.on_ready(serial, ready),
            Source::Published(index) => self.ports.get_mut(index).map_or((), Port::on_ready),
        }
    }

    fn on_frame(&mut self, turn: &Turn<'_>, link: LinkId, frame: Packet) {
        self.stack.on_frame(turn.now, link, frame);
    }

    fn on_deadline(&mut self, turn: &Turn<'_>) {
        self.stack.on_deadline(turn.now);
        self.take_events(turn);
        self.datagrams.on_deadline(turn.now);
        let mut cx = Context { turn, stack: &mut self.stack, counts: &mut self.counts };
        self.streams.on_deadline(&mut cx);
        self.conversations.on_deadline(&mut cx);
        for port in &mut self.ports {
            match port {
                Port::Stream(port) => port.on_deadline(turn.now),
                Port::Datagram(port) => port.on_deadline(turn.now, &mut self.stack),
            }
        }
    }

    fn deadline(&self) -> Option<Instant> {
        if self.has_work() {
            return Some(Instant::ZERO);
        }
        let rooms = [self.streams.deadline(), self.datagrams.deadline(), self.conversations.deadline()];
        let own = self.stack.deadline().into_iter();
        own.map(Some).chain(rooms).chain(self.ports.iter().map(Port::deadline)).flatten().min()
    }

    fn settle(&mut self, turn: &Turn<'_>) {
        self.take_events(turn);
        let mut cx = Context { turn, stack: &mut self.stack, counts: &mut self.counts };
        for port in &mut self.ports {
            match port {
                Port::Stream(port) => port.settle(&mut cx, &mut self.streams),
                Port::Datagram(port) => port.settle(&mut cx),
            }
        }
        self.datagrams.settle(&mut cx);
        self.streams.settle(&mut cx);
        self.conversations.settle(&mut cx, &self.names, &self.targets);
        // What these calls themselves led to must not wait for the next packet to be noticed.
        self.take_events(turn);
    }

    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        self.stack.poll_frame(turn.now)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    /// What other rooms tell: who serves, and who has which name.
    fn on_notice(&mut self, turn: &Turn<'_>, notice: Notice) {
        match notice {
            Notice::Serving { datagram, address, v6_only, serving } => {
                self.on_serving(turn, datagram, serving, |inside| covers(address, v6_only, inside));
            }
            Notice::Name { name, addresses } => self.names.tell(&name, addresses),
            // Nobody inside will serve again: the ports are the machine's.
            Notice::HostEnded => self.ports.clear(),
            Notice::Neighbor { .. } | Notice::LinkDown { .. } => {}
        }
    }

    fn is_unfinished(&self) -> bool {
        self.streams.is_unfinished(&self.stack) || self.stack.tcp_unfinished() > 0
    }
}

/// Does a socket bound to `address` serve who comes to `inside`? One bound to `::` serves IPv4 too, unless it is for
/// IPv6 alone.
fn covers(address: SocketAddr, v6_only: bool, inside: SocketAddr) -> bool {
    let everybody = match address.ip() {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED) => inside.is_ipv4(),
        IpAddr::V6(Ipv6Addr::UNSPECIFIED) => inside.is_ipv6() || !v6_only,
        IpAddr::V4(_) | IpAddr::V6(_) => false,
    };
    address.port() == inside.port() && (everybody || address.ip() == inside.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_for_both_families_serves_the_published_ports_of_both() {
        let serves = |address: &str, v6_only, inside: &str| {
            covers(address.parse().unwrap(), v6_only, inside.parse().unwrap())
        };
        let (four, six) = ("10.77.0.2:80", "[fd77::2]:80");
        assert!(serves("[::]:80", false, four) && serves("[::]:80", false, six));
        assert!(!serves("[::]:80", true, four) && serves("[::]:80", true, six));
        assert!(serves("0.0.0.0:80", false, four) && !serves("0.0.0.0:80", false, six));
        assert!(serves(four, false, four) && !serves(four, false, six));
        assert!(!serves("[::]:81", false, four) && !serves("127.0.0.1:80", false, four));
    }
}
