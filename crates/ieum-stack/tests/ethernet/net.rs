//! Hosts on one Ethernet, in virtual time.

use std::time::Duration;

use ieum_stack::{
    BindRequest, ConnectionId, Failure, LinkConfig, LinkId, ListenerId, Medium, Stack, StackConfig,
    TcpSettings, UdpId,
};
use ieum_wire::arp::{self, Operation};
use ieum_wire::ethernet::{EtherType, Header, MacAddress};
use ieum_wire::{Instant, Packet, Protocol, icmp6, ip6, ndp};

/// When tests begin.
pub(crate) const START: Instant = Instant::from_micros(1_000_000);

pub(crate) const SECOND: Duration = Duration::from_secs(1);

pub(crate) fn mac(number: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number])
}

/// A host 10.77.0.N, fd77::N with the interface 02:00:00:00:00:N.
pub(crate) struct Station {
    pub(crate) stack: Stack,
    pub(crate) link: LinkId,
    pub(crate) mac: MacAddress,
}

impl Station {
    pub(crate) fn new(number: u8) -> Station {
        Station::with_mac(number, mac(number))
    }

    pub(crate) fn with_mac(number: u8, mac: MacAddress) -> Station {
        let mut stack = Stack::new(StackConfig::new([number; 32]));
        let link = stack.add_link(LinkConfig { medium: Medium::Ethernet(mac), ..LinkConfig::wire(1500) });
        stack.add_address(link, format!("10.77.0.{number}/24").parse().unwrap());
        stack.add_address(link, format!("fd77::{number}/64").parse().unwrap());
        Station { stack, link, mac }
    }

    pub(crate) fn listen(&mut self) -> ListenerId {
        let address = "::".parse().unwrap();
        let request = BindRequest::new(address, 80);
        let binding = self.stack.tcp_bind(request).unwrap();
        self.stack.tcp_listen(binding, 5, false, TcpSettings::default()).unwrap()
    }

    pub(crate) fn bind_udp(&mut self, address: &str) -> UdpId {
        let address = address.parse().unwrap();
        let request = BindRequest::new(address, 9);
        self.stack.udp_bind(request).unwrap()
    }

    pub(crate) fn connect(&mut self, now: Instant, to: &str) -> ConnectionId {
        self.stack.tcp_connect(now, None, to.parse().unwrap(), TcpSettings::default()).unwrap()
    }

    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Packet> {
        std::iter::from_fn(|| self.stack.poll_frame(now)).map(|(_, frame)| frame).collect()
    }

    pub(crate) fn give(&mut self, now: Instant, frame: Packet) {
        self.stack.on_frame(now, self.link, frame);
        self.stack.check();
    }

    pub(crate) fn failure(&self, id: ConnectionId) -> Option<Failure> {
        self.stack.tcp_status(id).unwrap().failure
    }
}

/// Stations on one Ethernet without delay, and all frames that crossed it.
pub(crate) struct Net {
    pub(crate) now: Instant,
    pub(crate) stations: Vec<Station>,
    pub(crate) crossed: Vec<Packet>,
}

impl Net {
    pub(crate) fn new(numbers: &[u8]) -> Net {
        let stations = numbers.iter().map(|number| Station::new(*number)).collect();
        Net { now: Instant::from_micros(1_000_000), stations, crossed: Vec::new() }
    }

    /// Carries frames until nobody has any: everybody hears what is for a group, one hears what is for him.
    pub(crate) fn settle(&mut self) {
        for _ in 0..1000 {
            let mut silent = true;
            for from in 0..self.stations.len() {
                for frame in self.stations[from].poll(self.now) {
                    silent = false;
                    let to = frame.ethernet.expect("a frame of Ethernet has its header").destination;
                    for (at, station) in self.stations.iter_mut().enumerate() {
                        if at != from && (to.is_group() || to == station.mac) {
                            station.give(self.now, frame.clone());
                        }
                    }
                    self.crossed.push(frame);
                }
            }
            if silent {
                return;
            }
        }
        panic!("the net never falls silent");
    }

    /// Lets time pass, each deadline at its time.
    pub(crate) fn pass(&mut self, time: Duration) {
        let end = self.now + time;
        loop {
            self.settle();
            let deadlines = self.stations.iter().filter_map(|station| station.stack.deadline());
            let next = deadlines.min().filter(|next| *next <= end);
            self.now = next.unwrap_or(end).max(self.now);
            for station in &mut self.stations {
                station.stack.on_deadline(self.now);
            }
            if next.is_none() {
                return self.settle();
            }
        }
    }

    /// What kinds of frames crossed since the last look.
    pub(crate) fn kinds(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.crossed).iter().map(kind).collect()
    }
}

/// What a frame is.
pub(crate) fn kind(frame: &Packet) -> &'static str {
    match frame.ethernet.unwrap().ethertype {
        EtherType::Arp => match arp::Message::parse(frame.bytes()).unwrap().operation {
            Operation::Request if frame.ethernet.unwrap().destination.is_group() => "arp to all",
            Operation::Request => "arp to one",
            Operation::Reply => "arp reply",
        },
        EtherType::Ip6 if frame.bytes()[6] == 58 => match frame.bytes()[40] {
            ndp::SOLICITATION if frame.ethernet.unwrap().destination.is_group() => "ns to group",
            ndp::SOLICITATION => "ns to one",
            ndp::ADVERTISEMENT => "na",
            _ => "icmp6",
        },
        EtherType::Ip4 | EtherType::Ip6 | EtherType::Other(_) => "packet",
    }
}

/// The message in a frame.
pub(crate) fn arp_frame(message: &arp::Message, destination: MacAddress) -> Packet {
    let mut frame = Packet::from_wire(&message.emit());
    frame.ethernet = Some(Header { destination, source: message.sender_mac, ethertype: EtherType::Arp });
    frame
}

/// A message of neighbour discovery in a frame, as a neighbour sends it: its type, and what follows the checksum.
pub(crate) fn ndp_frame(
    (source, destination): (&str, &str),
    (kind, body): (u8, &[u8]),
    hop_limit: u8,
) -> Packet {
    let (source, destination) = (source.parse().unwrap(), destination.parse().unwrap());
    let bytes = icmp6::Message::Neighbor { kind, body }.emit(source, destination);
    let protocol = Protocol::Icmp6;
    let header = ip6::Header { source, destination, protocol, hop_limit, traffic_class: 0, fragment: None };
    let mut frame = Packet::from_wire(&[header.emit(bytes.len()).as_ref(), &bytes].concat());
    frame.ethernet = Some(Header { destination: mac(2), source: mac(1), ethertype: EtherType::Ip6 });
    frame
}
