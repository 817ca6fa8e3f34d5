//! The room: what becomes of the stack's events, of sources, deadlines and notices.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ieum_engine::{Notice, Ready, Room, Turn};
use ieum_stack::{Event, LinkConfig, LinkId, Stack, StackConfig};
use ieum_wire::{Cidr, Instant, Packet};

use crate::counts::Counts;
use crate::datagram::Datagrams;
use crate::key::Source;
use crate::published::{DatagramPort, Publish, PublishError, Published, StreamPort, Transport};
use crate::stream::{Context, Streams, settings};
use crate::target::Targets;

/// What makes an exit.
#[derive(Clone, Debug)]
pub struct ExitConfig {
    /// Seeds its stack.
    pub seed: [u8; 32],
    /// Offer and accept TCP timestamps on the link.
    pub tcp_timestamps: bool,
    /// The exit's own address, and the network of the link.
    pub address: Cidr,
    /// The host inside, to which published ports lead.
    pub host: IpAddr,
    /// The inside may reach the outside; else only published ports pass.
    pub outbound: bool,
    /// Endpoints in 127/8 that mean the machine's when asked for from inside: its resolvers.
    pub loopback_exceptions: Vec<SocketAddr>,
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
        stack.add_address(link, config.address);
        stack.tcp_listen_any(settings());
        let own = config.address.address();
        let ports = config.publish.iter().map(|wish| Port::reserve(wish, config.host, own));
        Ok(Exit {
            stack,
            link,
            ports: ports.collect::<Result<_, _>>()?,
            targets: Targets {
                own: config.address,
                loopback_exceptions: config.loopback_exceptions,
                outbound: config.outbound,
            },
            streams: Streams::default(),
            datagrams: Datagrams::new(),
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
                Event::Request(id) => self.streams.on_request(&mut cx, id, &self.targets),
                Event::Acceptable(listener) => self.streams.on_acceptable(&mut cx, listener),
                Event::Connection(id) => self.streams.on_connection(id),
                Event::AnyDatagram => {
                    while let Some(datagram) = cx.stack.poll_any_datagram() {
                        self.datagrams.on_datagram(&mut cx, &datagram, &self.targets);
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

    /// Somebody has more to do than one turn's share.
    fn has_work(&self) -> bool {
        self.streams.has_work() || self.datagrams.has_work() || self.ports.iter().any(Port::has_work)
    }
}

impl Port {
    fn reserve(wish: &Publish, host: IpAddr, own: IpAddr) -> Result<Port, PublishError> {
        match wish.transport {
            Transport::Tcp => StreamPort::reserve(wish, host).map(Port::Stream),
            Transport::Udp => DatagramPort::reserve(wish, host, own).map(Port::Datagram),
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
        let own = [self.stack.deadline(), self.streams.deadline(), self.datagrams.deadline()];
        own.into_iter().chain(self.ports.iter().map(Port::deadline)).flatten().min()
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
        // What these calls themselves led to must not wait for the next packet to be noticed.
        self.take_events(turn);
    }

    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        self.stack.poll_frame(turn.now)
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        None
    }

    /// A host began or ceased to serve: published ports open or close.
    fn on_notice(&mut self, turn: &Turn<'_>, notice: Notice) {
        let Notice::Serving { datagram, address, serving } = notice else { return };
        let mut cx = Context { turn, stack: &mut self.stack, counts: &mut self.counts };
        for (index, port) in self.ports.iter_mut().enumerate() {
            match port {
                Port::Stream(port) if !datagram && covers(address, port.inside()) => {
                    port.on_serving(&mut cx, index, serving);
                }
                Port::Datagram(port) if datagram && covers(address, port.inside()) => {
                    port.on_serving(&mut cx, serving);
                }
                Port::Stream(_) | Port::Datagram(_) => {}
            }
        }
    }

    fn is_unfinished(&self) -> bool {
        self.streams.is_unfinished(&self.stack) || self.stack.tcp_unfinished() > 0
    }
}

/// Does a socket bound to `address` serve who comes to `inside`?
fn covers(address: SocketAddr, inside: SocketAddr) -> bool {
    address.port() == inside.port() && (address.ip() == inside.ip() || address.ip().is_unspecified())
}
