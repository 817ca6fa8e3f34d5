//! Ethernet links through the public doors: who is asked, what waits, who is believed.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forged;
mod net;

use std::net::{IpAddr, SocketAddr};

use ieum_stack::{Event, Failure, RouteTarget, State};
use ieum_wire::arp::{self, Operation};
use ieum_wire::ethernet::MacAddress;
use ieum_wire::{Cidr, Unreachable, ip};

use net::{Net, SECOND, START, Station, arp_frame, kind, mac};

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
        // The repeated SYNs wait with the first one.
        net.pass(SECOND);
        assert_eq!(net.kinds(), [question; 3]);
        assert_eq!(net.stations[0].failure(client), Some(Failure::Unreachable(Unreachable::Host)));
        assert_eq!(net.stations[0].stack.drops(), [("neighbor silent", 3)]);
        assert_eq!(net.stations[0].stack.poll_event(), Some(Event::Connection(client)));
    }
}

#[test]
fn what_waits_leaves_in_order_and_the_oldest_gives_way() {
    let mut host = Station::new(2);
    let now = START;
    let id = host.bind_udp("0.0.0.0");
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
    let now = START;
    let id = host.bind_udp("::");
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
fn both_ends_hear_of_a_connection_that_was_opened() {
    let mut net = Net::new(&[2, 1]);
    net.stations[1].listen();
    let now = net.now;
    let client = net.stations[0].connect(now, "[fd77::1]:80");
    net.settle();
    assert_eq!(net.stations[0].stack.tcp_status(client).unwrap().state, State::Established);
}

#[test]
fn sockets_without_a_connection_hear_of_an_unreachable_host_if_they_chose_it() {
    for (to, any) in [("10.77.0.9:7", "0.0.0.0:0"), ("[fd77::9]:7", "[::]:0")] {
        let mut net = Net::new(&[2]);
        let (now, to) = (net.now, to.parse::<SocketAddr>().unwrap());
        let stack = &mut net.stations[0].stack;
        let ping = stack.ping_bind(any.parse().unwrap(), false).unwrap();
        let request: [u8; 8] = [if to.is_ipv4() { 8 } else { 128 }, 0, 0, 0, 0, 0, 0, 1];
        stack.ping_send(ping, to.ip(), &request).unwrap();
        let udp = net.stations[0].bind_udp("::");
        let stack = &mut net.stations[0].stack;
        stack.udp_connect(udp, Some(to)).unwrap();
        stack.udp_send(now, udp, to, b"hello?").unwrap();
        net.pass(SECOND * 3);
        let stack = &mut net.stations[0].stack;
        assert_eq!(stack.udp_take_error(udp), Some(Unreachable::Host));
        assert_eq!(stack.ping_take_error(ping), Some(Unreachable::Host));
        assert_eq!(stack.drops(), [("neighbor silent", 2)]);
        assert_eq!(stack.deadline(), None);
    }
}

#[test]
fn an_open_connection_survives_a_neighbour_that_is_away_for_a_while() {
    for (to, ..) in FAMILIES {
        let mut net = Net::new(&[2, 1]);
        let listener = net.stations[1].listen();
        let now = net.now;
        let client = net.stations[0].connect(now, to);
        net.settle();
        let server = net.stations[1].stack.tcp_accept(listener).unwrap();
        net.pass(SECOND * 60);
        let away = net.stations.remove(1);
        let now = net.now;
        net.stations[0].stack.tcp_send(now, client, b"are you there?");
        net.pass(SECOND * 30);
        assert_eq!(net.stations[0].failure(client), None);
        assert!(net.stations[0].stack.drops().iter().any(|(reason, _)| *reason == "neighbor silent"));
        net.stations.push(away);
        net.pass(SECOND * 60);
        let mut bytes = [0; 100];
        let now = net.now;
        let count = net.stations[1].stack.tcp_recv(now, server, &mut bytes, false);
        assert_eq!(&bytes[..count], b"are you there?");
    }
}

#[test]
fn a_link_that_goes_down_takes_what_waits_for_neighbours_along() {
    let mut host = Station::new(2);
    let id = host.bind_udp("::");
    for to in ["10.77.0.1:9", "[fd77::1]:9"] {
        host.stack.udp_send(START, id, to.parse().unwrap(), b"hello?").unwrap();
    }
    assert_eq!(host.poll(START).len(), 2);
    host.stack.link_down(START, host.link);
    host.stack.check();
    assert_eq!(host.stack.drops(), [("neighbor forgotten", 2)]);
    assert_eq!((host.stack.deadline(), host.poll(START).len()), (None, 0));
}
