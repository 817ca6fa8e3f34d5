//! Ethernet links through the public doors: who is asked, what waits, who is believed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ieum_stack::{
    BindRequest, ConnectionId, Event, Failure, LinkConfig, LinkId, ListenerId, Medium, RouteTarget, Stack,
    StackConfig, State, TcpSettings,
};
use ieum_wire::arp::{self, Operation};
use ieum_wire::ethernet::{EtherType, Header, MacAddress};
use ieum_wire::{Cidr, Instant, Packet, Unreachable, ip, ip6, ndp};
use proptest::prelude::*;

const SECOND: Duration = Duration::from_secs(1);

fn mac(number: u8) -> MacAddress {
    MacAddress([2, 0, 0, 0, 0, number])
}

/// A host 10.77.0.N, fd77::N with the interface 02:00:00:00:00:N.
struct Station {
    stack: Stack,
    link: LinkId,
    mac: MacAddress,
}

impl Station {
    fn new(number: u8) -> Station {
        Station::with_mac(number, mac(number))
    }

    fn with_mac(number: u8, mac: MacAddress) -> Station {
        let mut stack = Stack::new(StackConfig::new([number; 32]));
        let link = stack.add_link(LinkConfig { medium: Medium::Ethernet(mac), ..LinkConfig::wire(1500) });
        stack.add_address(link, format!("10.77.0.{number}/24").parse().unwrap());
        stack.add_address(link, format!("fd77::{number}/64").parse().unwrap());
        Station { stack, link, mac }
    }

    fn listen(&mut self) -> ListenerId {
        let address = "::".parse().unwrap();
        let request =
            BindRequest { address, port: 80, reuse_address: false, reuse_port: false, v6_only: false };
        let binding = self.stack.tcp_bind(request).unwrap();
        self.stack.tcp_listen(binding, 5, false, TcpSettings::default()).unwrap()
    }

    fn connect(&mut self, now: Instant, to: &str) -> ConnectionId {
        self.stack.tcp_connect(now, None, to.parse().unwrap(), TcpSettings::default()).unwrap()
    }

    fn poll(&mut self, now: Instant) -> Vec<Packet> {
        std::iter::from_fn(|| self.stack.poll_frame(now)).map(|(_, frame)| frame).collect()
    }

    fn give(&mut self, now: Instant, frame: Packet) {
        self.stack.on_frame(now, self.link, frame);
        self.stack.check();
    }

    fn failure(&self, id: ConnectionId) -> Option<Failure> {
        self.stack.tcp_status(id).unwrap().failure
    }
}

/// Stations on one Ethernet without delay, and all frames that crossed it.
struct Net {
    now: Instant,
    stations: Vec<Station>,
    crossed: Vec<Packet>,
}

impl Net {
    fn new(numbers: &[u8]) -> Net {
        let stations = numbers.iter().map(|number| Station::new(*number)).collect();
        Net { now: Instant::from_micros(1_000_000), stations, crossed: Vec::new() }
    }

    /// Carries frames until nobody has any: everybody hears what is for a group, one hears what is for him.
    fn settle(&mut self) {
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
    fn pass(&mut self, time: Duration) {
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
    fn kinds(&mut self) -> Vec<&'static str> {
        std::mem::take(&mut self.crossed).iter().map(kind).collect()
    }
}

fn kind(frame: &Packet) -> &'static str {
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

const FAMILIES: [(&str, &str, &str, &str); 2] = [
    ("10.77.0.1:80", "arp to all", "arp reply", "arp to one"),
    ("[fd77::1]:80", "ns to group", "na", "ns to one"),
];

#[test]
fn a_neighbour_is_asked_for_once_and_bytes_cross() {
    for (to, question, answer, _) in FAMILIES {
        let mut net = Net::new(&[2, 1, 3]);
        let listener = net.stations[1].listen();
        let now = net.now;
        let client = net.stations[0].connect(now, to);
        net.settle();
        let server = net.stations[1].stack.tcp_accept(listener).unwrap();
        assert_eq!(net.kinds()[..3], [question, answer, "packet"]);
        let data = vec![7; 200_000];
        let mut received: Vec<u8> = Vec::new();
        let mut sent = 0;
        while received.len() < data.len() {
            sent += net.stations[0].stack.tcp_send(now, client, &data[sent..]);
            net.settle();
            let mut bytes = vec![0; 100_000];
            let count = net.stations[1].stack.tcp_recv(now, server, &mut bytes, false);
            received.extend(&bytes[..count]);
        }
        assert!(received == data);
        // Who was asked knows the asker by the question: nobody asks again.
        assert!(net.kinds().iter().all(|kind| *kind == "packet"));
        assert_eq!(net.stations[2].stack.tally().accepted, 0, "the third hears nothing that is for him");
    }
}

#[test]
fn nobody_there_is_an_unreachable_host_after_three_questions() {
    for (to, question) in [("10.77.0.9:80", "arp to all"), ("[fd77::9]:80", "ns to group")] {
        let mut net = Net::new(&[2]);
        let began = net.now;
        let client = net.stations[0].connect(began, to);
        net.settle();
        net.pass(SECOND * 2);
        assert_eq!(net.stations[0].failure(client), None);
        // The repeated SYN waits with the first one.
        net.pass(SECOND);
        assert_eq!(net.kinds(), [question; 3]);
        assert_eq!(net.stations[0].failure(client), Some(Failure::Unreachable(Unreachable::Host)));
        assert_eq!(net.stations[0].stack.drops(), [("neighbor silent", 2)]);
        assert_eq!(net.stations[0].stack.poll_event(), Some(Event::Connection(client)));
    }
}

#[test]
fn what_waits_leaves_in_order_and_the_oldest_gives_way() {
    let mut host = Station::new(2);
    let now = Instant::from_micros(1_000_000);
    let request = BindRequest {
        address: "0.0.0.0".parse().unwrap(),
        port: 9,
        reuse_address: false,
        reuse_port: false,
        v6_only: false,
    };
    let id = host.stack.udp_bind(request).unwrap();
    let to: SocketAddr = "10.77.0.1:9".parse().unwrap();
    for number in 0..150u8 {
        host.stack.udp_send(now, id, to, &[number]).unwrap();
    }
    assert_eq!(host.poll(now).len(), 1, "one question");
    let reply = arp::Message {
        operation: Operation::Reply,
        sender_mac: mac(1),
        sender_ip: [10, 77, 0, 1].into(),
        target_mac: mac(2),
        target_ip: [10, 77, 0, 2].into(),
    };
    host.give(now, arp_frame(&reply, mac(2)));
    let numbers: Vec<u8> = host.poll(now).iter().map(|frame| frame.bytes()[28]).collect();
    assert_eq!(numbers, (49..150).collect::<Vec<u8>>());
    host.stack.on_deadline(now);
    assert_eq!(host.stack.drops(), [("neighbor parked", 49)]);
}

#[test]
fn a_stale_neighbour_is_used_and_then_asked_whether_it_is_there() {
    for (to, _, answer, question) in FAMILIES {
        let mut net = Net::new(&[2, 1]);
        let listener = net.stations[1].listen();
        let now = net.now;
        let client = net.stations[0].connect(now, to);
        net.settle();
        let server = net.stations[1].stack.tcp_accept(listener).unwrap();
        net.pass(SECOND * 60);
        net.kinds();
        let now = net.now;
        net.stations[0].stack.tcp_send(now, client, b"still there?");
        net.settle();
        assert!(net.kinds().iter().all(|kind| *kind == "packet"));
        net.pass(SECOND * 6);
        assert!(net.kinds().windows(2).any(|two| two == [question, answer]), "{to}");
        // The neighbour goes away without a word, and another interface has its address from now on.
        let old = net.stations.remove(1);
        let mut new = Station::with_mac(1, mac(77));
        new.listen();
        net.stations.push(new);
        net.pass(SECOND * 60);
        let now = net.now;
        net.stations[0].stack.tcp_send(now, client, b"hello?");
        net.pass(SECOND * 60);
        let reset = net.stations[0].failure(client);
        assert_eq!(reset, Some(Failure::Reset), "the new one was found, and knows nothing of the connection");
        assert!(old.stack.tcp_status(server).is_some());
    }
}

#[test]
fn a_neighbour_that_says_it_has_moved_is_followed() {
    let mut net = Net::new(&[2, 1]);
    let now = net.now;
    net.stations[1].listen();
    net.stations[0].connect(now, "10.77.0.1:80");
    net.settle();
    let gratuitous = arp::Message {
        operation: Operation::Request,
        sender_mac: mac(88),
        sender_ip: [10, 77, 0, 1].into(),
        target_mac: MacAddress([0; 6]),
        target_ip: [10, 77, 0, 1].into(),
    };
    net.stations[0].give(now, arp_frame(&gratuitous, MacAddress::BROADCAST));
    net.stations[0].connect(now, "10.77.0.1:80");
    let frames = net.stations[0].poll(now);
    assert_eq!(frames[0].ethernet.unwrap().destination, mac(88));
}

#[test]
fn packets_for_elsewhere_go_to_the_gateway() {
    let mut net = Net::new(&[2, 1]);
    let (now, host) = (net.now, &mut net.stations[0]);
    let gateways: [IpAddr; 2] = ["10.77.0.1".parse().unwrap(), "fd77::1".parse().unwrap()];
    for (all, gateway) in [Cidr::ALL_IP4, Cidr::ALL_IP6].into_iter().zip(gateways) {
        host.stack.add_route(all, RouteTarget::Gateway(host.link, gateway), None);
    }
    host.connect(now, "192.0.2.1:80");
    host.connect(now, "[2001:db8::1]:80");
    net.settle();
    let packets: Vec<_> = net.crossed.iter().filter(|frame| kind(frame) == "packet").collect();
    let destinations: Vec<String> = packets
        .iter()
        .map(|frame| ip::parse(frame.bytes()).unwrap().header.destination.to_string())
        .collect();
    assert_eq!(destinations, ["192.0.2.1", "2001:db8::1"]);
    assert!(packets.iter().all(|frame| frame.ethernet.unwrap().destination == mac(1)));
    assert_eq!(net.stations[1].stack.drops(), [("not for us", 2)]);
}

#[test]
fn groups_have_addresses_of_their_own() {
    let mut host = Station::new(2);
    let now = Instant::from_micros(1_000_000);
    let request = BindRequest {
        address: "::".parse().unwrap(),
        port: 9,
        reuse_address: false,
        reuse_port: false,
        v6_only: false,
    };
    let id = host.stack.udp_bind(request).unwrap();
    host.stack.add_route(Cidr::ALL_IP4, RouteTarget::Link(host.link), None);
    host.stack.add_route(Cidr::ALL_IP6, RouteTarget::Link(host.link), None);
    for to in ["10.77.0.255:9", "224.0.0.251:9", "[ff02::fb]:9"] {
        host.stack.udp_send(now, id, to.parse().unwrap(), b"all").unwrap();
    }
    let macs: Vec<String> =
        host.poll(now).iter().map(|frame| frame.ethernet.unwrap().destination.to_string()).collect();
    assert_eq!(macs, ["ff:ff:ff:ff:ff:ff", "01:00:5e:00:00:fb", "33:33:00:00:00:fb"]);
}

#[test]
fn a_flood_of_strangers_is_bounded_and_makes_no_entry_of_gossip() {
    let mut host = Station::new(2);
    let now = Instant::from_micros(1_000_000);
    let message = |number: u16, target: [u8; 4]| {
        let [high, low] = number.to_be_bytes();
        arp::Message {
            operation: Operation::Request,
            sender_mac: MacAddress([2, 1, 1, 1, high, low]),
            sender_ip: [10, 77, high, low].into(),
            target_mac: MacAddress([0; 6]),
            target_ip: target.into(),
        }
    };
    for number in 1000..11_000 {
        host.give(now, arp_frame(&message(number, [10, 77, 0, 99]), MacAddress::BROADCAST));
        host.give(now, arp_frame(&message(number, [10, 77, 0, 2]), MacAddress::BROADCAST));
    }
    let drops = host.stack.drops();
    assert!(drops.contains(&("arp not for us", 10_000)));
    assert!(drops.contains(&("neighbor answers", 10_000 - 256)));
    assert_eq!(host.poll(now).len(), 256);
}

#[test]
fn frames_that_cannot_be_are_dropped_for_one_reason_each() {
    let mut host = Station::new(2);
    let now = Instant::from_micros(1_000_000);
    let header = |destination, ethertype| Some(Header { destination, source: mac(1), ethertype });
    let mut frame = |bytes: &[u8], ethernet| {
        let mut frame = Packet::from_wire(bytes);
        frame.ethernet = ethernet;
        host.give(now, frame);
    };
    frame(&[0x45; 20], None);
    frame(&[0x45; 20], header(mac(9), EtherType::Ip4));
    frame(&[0x45; 20], header(mac(2), EtherType::Ip6));
    frame(&[0x45; 20], header(mac(2), EtherType::Other(0x88cc)));
    frame(&[0; 28], header(mac(2), EtherType::Arp));
    let solicitation = |hop_limit| {
        let body = ndp::Solicitation { target: "fd77::2".parse().unwrap(), source_mac: Some(mac(1)) }.emit();
        let (source, destination) = ("fd77::1".parse().unwrap(), "fd77::2".parse().unwrap());
        let message = ieum_wire::icmp6::Message::Neighbor { kind: ndp::SOLICITATION, body: &body };
        let bytes = message.emit(source, destination);
        let header = ip6::Header {
            source,
            destination,
            protocol: ieum_wire::Protocol::Icmp6,
            hop_limit,
            traffic_class: 0,
            fragment: None,
        };
        [header.emit(bytes.len()).as_ref(), &bytes].concat()
    };
    frame(&solicitation(64), header(mac(2), EtherType::Ip6));
    frame(&solicitation(255), header(mac(2), EtherType::Ip6));
    let expected = [
        ("frame medium", 1),
        ("frame not ours", 1),
        ("frame type", 2),
        ("arp malformed", 1),
        ("ndp malformed", 1),
    ];
    assert_eq!(host.stack.drops(), expected);
    assert_eq!(host.poll(now).iter().map(kind).collect::<Vec<_>>(), ["na"]);
}

#[test]
fn both_ends_hear_of_a_connection_that_was_opened() {
    let mut net = Net::new(&[2, 1]);
    net.stations[1].listen();
    let now = net.now;
    let client = net.stations[0].connect(now, "[fd77::1]:80");
    net.settle();
    assert_eq!(net.stations[0].stack.tcp_status(client).unwrap().state, State::Established);
}

fn arp_frame(message: &arp::Message, destination: MacAddress) -> Packet {
    let mut frame = Packet::from_wire(&message.emit());
    frame.ethernet = Some(Header { destination, source: message.sender_mac, ethertype: EtherType::Arp });
    frame
}

proptest! {
    #[test]
    fn no_bytes_break_a_station(frames in prop::collection::vec((0u16..4, prop::collection::vec(any::<u8>(), 0..120)), 1..20)) {
        let mut host = Station::new(2);
        let now = Instant::from_micros(1_000_000);
        for (kind, bytes) in frames {
            let ethertype = [0x0806, 0x86dd, 0x0800, 0x1234][usize::from(kind)].into();
            let mut bytes = bytes;
            if kind == 0 {
                // Of the right shape, so that what is inside is looked at.
                bytes.splice(..bytes.len().min(6), [0, 1, 8, 0, 6, 4]);
            }
            let mut frame = Packet::from_wire(&bytes);
            frame.ethernet = Some(Header { destination: mac(2), source: mac(1), ethertype });
            host.give(now, frame);
            host.poll(now);
        }
    }
}
