//! Path MTU discovery by ICMP (RFC 1191, RFC 8201) and by probing (RFC 4821), through the public doors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod tcp_pair;

use std::cell::RefCell;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Duration;

use ieum_stack::{Belief, BindRequest, ConnectionId, LinkConfig, MtuProbing, SendFields, TcpSettings};
use ieum_wire::{Packet, Protocol, Unreachable, icmp4, icmp6, ip, ip4, ip6};
use tcp_pair::{Crossed, Pair, pattern, segment};

/// The last packet of 1500 bytes that left the first end.
fn last_full(pair: &Pair) -> Packet {
    let full = |(_, from, packet): &&Crossed| *from == 0 && packet.len() == 1500;
    pair.crossed.iter().rfind(full).unwrap().2.clone()
}

/// What [`too_big_for`] says, of a link with an MTU of 1400.
fn too_big(dropped: &Packet) -> Packet {
    too_big_for(1400, dropped)
}

/// Router 192.0.2.1 (or 2001:db8::1) to the first end: "my next link takes so many bytes, and this was larger".
fn too_big_for(mtu_bytes: u32, dropped: &Packet) -> Packet {
    let reason = Unreachable::FragmentationNeeded { mtu_bytes };
    let original = &dropped.bytes()[..dropped.len().min(500)];
    let parsed = ip::parse(dropped.bytes()).unwrap();
    let mut packet = Packet::new();
    match parsed.header.source {
        IpAddr::V4(destination) => {
            let message = icmp4::Message::Unreachable { reason, original }.emit();
            let header = ip4::Header {
                source: [192, 0, 2, 1].into(),
                destination,
                protocol: Protocol::Icmp4,
                ttl: 64,
                tos: 0,
                identification: 0,
                dont_fragment: false,
                more_fragments: false,
                fragment_offset_bytes: 0,
            };
            packet.extend(&header.emit(u16::try_from(20 + message.len()).unwrap()));
            packet.extend(&message);
        }
        IpAddr::V6(destination) => {
            let source = "2001:db8::1".parse().unwrap();
            let message = icmp6::Message::Unreachable { reason, original }.emit(source, destination);
            let header = ip6::Header {
                source,
                destination,
                protocol: Protocol::Icmp6,
                hop_limit: 64,
                traffic_class: 0,
                fragment: None,
            };
            packet.extend(header.emit(message.len()).as_ref());
            packet.extend(&message);
        }
    }
    packet
}

#[test]
fn behind_a_narrower_link_segments_become_smaller_and_everything_arrives() {
    for mut pair in [Pair::new(true), Pair::new(false), Pair::of_ip6(LinkConfig::wire(1500))] {
        let (client, server) = pair.established();
        let dropped: Rc<RefCell<Vec<Packet>>> = Rc::default();
        let router = Rc::clone(&dropped);
        pair.lose = Box::new(move |from, packet| {
            let (_, payload_bytes) = segment(packet);
            let part_bytes = packet.gso.map_or(payload_bytes, |gso| gso.size_bytes.into());
            let too_big = from == 0 && packet.len() - payload_bytes + part_bytes > 1400;
            if too_big {
                router.borrow_mut().push(packet.clone());
            }
            too_big
        });
        let data = pattern(200_000);
        let (mut sent, mut received) = (0, Vec::new());
        for _ in 0..2000 {
            sent += pair.send(0, client, &data[sent..]);
            pair.run(Duration::from_millis(3));
            for packet in dropped.take() {
                pair.inject(0, too_big(&packet));
            }
            received.extend(pair.recv(1, server));
        }
        assert!(received == data, "{} bytes came", received.len());
    }
}

#[test]
fn a_narrower_link_is_believed_only_of_what_is_under_way_and_never_below_the_least_mtu() {
    let mut pair = Pair::of_ip6(LinkConfig::wire(1500));
    let (client, _) = pair.established();
    pair.send(0, client, &pattern(3000));
    pair.run(Duration::from_millis(10));
    let error = too_big(&last_full(&pair));
    pair.inject(0, error);
    assert_eq!(pair.ends[0].stack.drops(), [("tcp icmp ignored", 1)]);
    pair.send(0, client, &pattern(3000));
    pair.run(Duration::ZERO);
    let under_way = last_full(&pair);
    pair.inject(0, too_big_for(1279, &under_way));
    assert_eq!(pair.ends[0].stack.drops(), [("tcp icmp ignored", 2)]);
}

/// Sizes of segments with data that the first end sent, options not counted, in their order.
fn sizes(pair: &Pair) -> Vec<usize> {
    let sizes = pair.segments(0).into_iter().map(|(_, bytes)| bytes);
    sizes.filter(|bytes| *bytes > 0).collect()
}

/// Two over frames of 1500 bytes, the first of which searches for the size of segments from 512 bytes on.
fn searching() -> (Pair, ConnectionId, ConnectionId) {
    let mut pair = Pair::of_ip6(LinkConfig::wire(1500));
    let listener = pair.listen(1, 80, 5, false);
    let settings = TcpSettings { mtu_probing: MtuProbing::Always, base_mss: 512, ..TcpSettings::default() };
    let remote = SocketAddr::new(pair.ends[1].address, 80);
    let client = pair.ends[0].stack.tcp_connect(pair.now, None, remote, settings).unwrap();
    pair.run(Duration::from_millis(10));
    let server = pair.ends[1].stack.tcp_accept(listener).unwrap();
    (pair, client, server)
}

#[test]
fn a_narrower_link_that_says_nothing_is_found_and_its_losses_are_no_congestion() {
    let (mut pair, client, server) = searching();
    // Segments of 1340 bytes pass, with 60 of headers.
    pair.lose = Box::new(|from, packet| from == 0 && packet.len() > 1400 + 12);
    let data = pattern(1_500_000);
    let (mut sent, mut received, mut window, mut lost) = (0, Vec::new(), 0, 0);
    while received.len() < data.len() {
        sent += pair.send(0, client, &data[sent..]);
        pair.run(Duration::from_micros(100));
        received.extend(pair.recv(1, server));
        let info = pair.info(0, client);
        lost = lost.max(info.flight.lost);
        if info.flight.out == 0 || info.flight.lost == 0 {
            assert!(info.cwnd >= window, "the window sank from {window} to {}", info.cwnd);
            window = info.cwnd;
        }
    }
    assert!(received == data && lost > 0, "{lost} lost");
    let found = pair.status(0, client).mss_bytes;
    assert!((1330..=1340).contains(&found), "{found} bytes were found to pass");
}

#[test]
fn a_probe_needs_enough_behind_it_and_nothing_amiss() {
    let (mut pair, client, server) = searching();
    let first = sizes(&pair).len();
    // Three segments at a time would not tell by their successors that a probe was lost.
    for _ in 0..100 {
        pair.send(0, client, &pattern(1500));
        pair.run(Duration::from_millis(50));
        pair.recv(1, server);
    }
    assert!(sizes(&pair)[first..].iter().all(|bytes| *bytes <= 500), "{:?}", sizes(&pair));
    // While something is missing none goes out either.
    let mut count = 0;
    pair.lose = Box::new(move |from, packet| {
        count += usize::from(from == 0 && packet.len() > 500);
        from == 0 && count % 20 == 19
    });
    let data = pattern(300_000);
    let (mut sent, mut received, mut amiss, mut probes) = (0, 0, 0, 0);
    while received < data.len() {
        sent += pair.send(0, client, &data[sent..]);
        let (before, mss) = (sizes(&pair).len(), usize::try_from(pair.status(0, client).mss_bytes).unwrap());
        let was_well = pair.info(0, client).belief == Belief::Open;
        pair.run(Duration::from_micros(100));
        let now_well = pair.info(0, client).belief == Belief::Open;
        let larger = sizes(&pair)[before..].iter().filter(|bytes| **bytes > mss).count();
        if was_well || now_well {
            probes += larger;
        } else {
            amiss += 1;
            assert_eq!(larger, 0, "a probe while something is missing");
        }
        received += pair.recv(1, server).len();
    }
    assert!(amiss > 10 && probes > 1, "{amiss} looks at trouble, {probes} probes");
}

#[test]
fn a_router_is_believed_of_a_datagram_when_it_quotes_a_connected_endpoint() {
    let mut pair = Pair::of_ip6(LinkConfig::wire(1500));
    let address = "::".parse().unwrap();
    let wish = |port| BindRequest::new(address, port);
    let remote = SocketAddr::new(pair.ends[1].address, 53);
    let [connected, bare] = [5000, 5001].map(|port| pair.ends[0].stack.udp_bind(wish(port)).unwrap());
    pair.ends[0].stack.udp_connect(connected, Some(remote)).unwrap();
    let packets_of = |pair: &mut Pair, id| {
        let before = pair.crossed.len();
        pair.ends[0].stack.udp_send(pair.now, id, remote, &[7; 1452]).unwrap();
        pair.run(Duration::ZERO);
        let from_here = pair.crossed[before..].iter().filter(|it| it.1 == 0);
        from_here.map(|it| it.2.clone()).collect::<Vec<_>>()
    };
    // Whoever is not connected may have sent anything to anybody: a quotation of it proves nothing.
    let whole = packets_of(&mut pair, bare);
    assert_eq!(whole.len(), 1);
    pair.inject(0, too_big(&whole[0]));
    let whole = packets_of(&mut pair, connected);
    assert_eq!(whole.len(), 1, "it was not believed");
    pair.inject(0, too_big(&whole[0]));
    let fragments = packets_of(&mut pair, connected);
    assert!(fragments.len() == 2 && fragments.iter().all(|packet| packet.len() <= 1400));
    // Who looks for the way's MTU himself sends what its first link takes.
    let before = pair.crossed.len();
    let fields = SendFields { heeds_path_mtu: false, ..SendFields::default() };
    pair.ends[0].stack.udp_send_with(pair.now, connected, remote, &[7; 1452], fields).unwrap();
    pair.run(Duration::ZERO);
    let sizes: Vec<_> = pair.crossed[before..].iter().filter(|it| it.1 == 0).map(|it| it.2.len()).collect();
    assert_eq!(sizes, [1500]);
}
