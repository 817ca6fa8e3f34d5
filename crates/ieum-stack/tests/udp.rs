//! UDP through the public doors.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::time::Duration;

use common::{End, NOW, address, dual_pair, pair, settle, wish};
use ieum_stack::{BindError, BindRequest, Event, LinkConfig, SendFields, UdpSendError};
use ieum_wire::{ChecksumState, GsoKind, Unreachable, ip, segmentation};

#[test]
fn a_datagram_arrives_with_its_addresses() {
    let (mut host, mut peer) = pair(false);
    let client = host.bind("0.0.0.0:5000");
    let server = peer.bind("0.0.0.0:53");
    host.send(client, "10.77.0.1:53", b"who?");
    settle(&mut host, &mut peer);
    assert_eq!(peer.stack.poll_event(), Some(Event::Udp(server)));
    let datagram = peer.stack.udp_recv(server).unwrap();
    assert_eq!(datagram.source, address("10.77.0.2:5000"));
    assert_eq!(datagram.destination, address("10.77.0.1:53"));
    assert_eq!(datagram.payload, b"who?");
    assert_eq!(peer.recv(server), None);
}

#[test]
fn a_datagram_says_when_it_came() {
    let (mut host, mut peer) = pair(false);
    let (client, server) = (host.bind("0.0.0.0:5000"), peer.bind("0.0.0.0:53"));
    for millis in [5, 9] {
        host.stack.udp_send(NOW, client, address("10.77.0.1:53"), b"who?").unwrap();
        let (_, packet) = host.stack.poll_frame(NOW).unwrap();
        peer.stack.on_frame(NOW + Duration::from_millis(millis), peer.link, packet);
    }
    let mut came_at = || peer.stack.udp_recv(server).unwrap().came_at;
    assert_eq!([came_at(), came_at()], [5, 9].map(|millis| NOW + Duration::from_millis(millis)));
}

#[test]
fn an_empty_datagram_is_a_datagram() {
    let (mut host, mut peer) = pair(false);
    let (client, server) = (host.bind("0.0.0.0:0"), peer.bind("0.0.0.0:53"));
    host.send(client, "10.77.0.1:53", b"");
    settle(&mut host, &mut peer);
    assert_eq!(peer.recv(server).map(|(_, payload)| payload), Some(Vec::new()));
}

#[test]
fn the_most_specific_endpoint_gets_the_datagram() {
    let (mut host, mut peer) = pair(false);
    let client = host.bind("0.0.0.0:5000");
    let other = host.bind("0.0.0.0:5001");
    let any = peer.bind("0.0.0.0:53");
    let own = peer.bind("127.0.0.1:54");
    let shared = BindRequest { reuse_address: true, ..wish("10.77.0.1:55") };
    let bound = peer.stack.udp_bind(shared).unwrap();
    let connected = peer.stack.udp_bind(shared).unwrap();
    peer.stack.udp_connect(connected, Some(address("10.77.0.2:5000"))).unwrap();
    for (from, to) in [
        (client, "10.77.0.1:53"),
        (client, "10.77.0.1:54"),
        (client, "10.77.0.1:55"),
        (other, "10.77.0.1:55"),
    ] {
        host.send(from, to, to.as_bytes());
    }
    settle(&mut host, &mut peer);
    assert_eq!(peer.recv(any).unwrap().1, b"10.77.0.1:53");
    assert_eq!(peer.recv(own), None);
    assert_eq!(peer.recv(connected).unwrap().0, "10.77.0.2:5000");
    assert_eq!(peer.recv(connected), None);
    assert_eq!(peer.recv(bound).unwrap().0, "10.77.0.2:5001");
    assert_eq!(peer.stack.drops(), [("udp port unknown", 1)]);
}

#[test]
fn of_two_that_share_an_address_the_last_bound_gets_everything() {
    let (mut host, mut peer) = pair(false);
    let client = host.bind("0.0.0.0:0");
    let shared = BindRequest { reuse_address: true, ..wish("0.0.0.0:53") };
    let first = peer.stack.udp_bind(shared).unwrap();
    let last = peer.stack.udp_bind(shared).unwrap();
    assert_eq!(peer.stack.udp_bind(wish("0.0.0.0:53")), Err(BindError::InUse));
    host.send(client, "10.77.0.1:53", b"1");
    settle(&mut host, &mut peer);
    assert!(peer.recv(first).is_none() && peer.recv(last).is_some());
    peer.stack.udp_close(last);
    host.send(client, "10.77.0.1:53", b"2");
    settle(&mut host, &mut peer);
    assert!(peer.recv(first).is_some());
}

#[test]
fn those_that_share_a_port_divide_the_peers_among_them() {
    let (mut host, mut peer) = pair(false);
    let shared = BindRequest { reuse_port: true, ..wish("0.0.0.0:53") };
    let servers = [peer.stack.udp_bind(shared).unwrap(), peer.stack.udp_bind(shared).unwrap()];
    let clients: Vec<_> = (0..32).map(|_| host.bind("0.0.0.0:0")).collect();
    for client in clients.iter().chain(&clients) {
        host.send(*client, "10.77.0.1:53", b"");
    }
    settle(&mut host, &mut peer);
    let sources = servers
        .map(|server| std::iter::from_fn(|| peer.recv(server)).map(|(source, _)| source).collect::<Vec<_>>());
    assert_eq!(sources[0].len() + sources[1].len(), 64);
    assert!(!sources[0].is_empty() && !sources[1].is_empty());
    assert!(sources[0].iter().all(|source| !sources[1].contains(source)));
}

#[test]
fn a_connected_endpoint_shows_its_address_and_hears_its_peer_alone() {
    let (mut host, mut peer) = pair(false);
    let client = host.bind("0.0.0.0:5000");
    let (server, stranger) = (peer.bind("0.0.0.0:53"), peer.bind("0.0.0.0:54"));
    host.stack.udp_connect(client, Some(address("10.77.0.1:53"))).unwrap();
    assert_eq!(host.stack.udp_address(client), Some(address("10.77.0.2:5000")));
    assert_eq!(host.stack.udp_remote(client), Some(address("10.77.0.1:53")));
    peer.send(stranger, "10.77.0.2:5000", b"spoofed");
    peer.send(server, "10.77.0.2:5000", b"true");
    settle(&mut host, &mut peer);
    assert_eq!(host.recv(client), Some(("10.77.0.1:53".into(), b"true".to_vec())));
    assert_eq!(host.recv(client), None);
    host.stack.udp_connect(client, None).unwrap();
    assert_eq!(host.stack.udp_address(client), Some(address("0.0.0.0:5000")));
    peer.send(stranger, "10.77.0.2:5000", b"welcome");
    settle(&mut host, &mut peer);
    assert_eq!(host.recv(client).unwrap().1, b"welcome");
}

#[test]
fn a_closed_port_is_told_to_the_connected_alone() {
    let (mut host, mut peer) = pair(false);
    let (connected, unconnected) = (host.bind("0.0.0.0:0"), host.bind("0.0.0.0:0"));
    host.stack.udp_connect(connected, Some(address("10.77.0.1:9"))).unwrap();
    host.send(connected, "10.77.0.1:9", b"?");
    host.send(unconnected, "10.77.0.1:9", b"?");
    settle(&mut host, &mut peer);
    assert_eq!(host.stack.poll_event(), Some(Event::Udp(connected)));
    assert_eq!(host.stack.poll_event(), None);
    assert_eq!(host.stack.udp_take_error(connected), Some(Unreachable::Port));
    assert_eq!(host.stack.udp_take_error(connected), None);
    assert_eq!(host.stack.udp_take_error(unconnected), None);
    assert_eq!(peer.stack.drops(), [("udp port unknown", 2)]);
}

#[test]
fn the_largest_datagram_goes_as_one_packet_and_one_byte_more_is_refused() {
    let (mut host, mut peer) = pair(false);
    let (client, server) = (host.bind("0.0.0.0:0"), peer.bind("0.0.0.0:53"));
    let payload: Vec<u8> = (0..65_507u32).map(|at| (at % 251) as u8).collect();
    host.send(client, "10.77.0.1:53", &payload);
    let packets = host.poll();
    let [packet] = packets.as_slice() else { panic!("one packet") };
    assert!(
        packet.gso.is_some_and(|gso| matches!(gso.kind, GsoKind::Fragments { .. }) && gso.size_bytes == 1480)
    );
    assert_eq!(packet.checksum, ChecksumState::Deferred);
    peer.give(packet.clone());
    assert_eq!(peer.recv(server).unwrap().1, payload);
    let too_large = host.stack.udp_send(NOW, client, address("10.77.0.1:53"), &vec![0; 65_508]);
    assert_eq!(too_large, Err(UdpSendError::TooLarge));
}

#[test]
fn a_wire_gets_checksums_and_nothing_larger_than_its_mtu() {
    let (mut host, _) = dual_pair(LinkConfig::wire(1500));
    let client = host.bind("[::]:0");
    for (to, fits, headers) in [("10.77.0.1:53", 1472, 20), ("[fd77::1]:53", 1452, 40)] {
        host.send(client, to, &vec![1; fits]);
        let packets = host.poll();
        let [packet] = packets.as_slice() else { panic!("one packet") };
        assert_eq!((packet.len(), packet.checksum), (1500, ChecksumState::Present));
        let parsed = ip::parse(packet.bytes()).unwrap();
        assert_eq!(parsed.header_bytes, headers);
        assert!(segmentation::checksum_is_valid(packet, &parsed));
        host.send(client, to, &vec![1; fits + 1]);
        let packets = host.poll();
        assert_eq!(packets.len(), 2);
        for packet in packets {
            assert!(packet.len() <= 1500 && packet.gso.is_none());
            assert!(ip::parse(packet.bytes()).unwrap().header.fragment.is_some());
        }
    }
}

#[test]
fn a_datagram_asks_not_to_be_cut_unless_its_sender_wants_that() {
    let (mut host, _) = dual_pair(LinkConfig::wire(1500));
    let client = host.bind("0.0.0.0:0");
    for dont_fragment in [true, false] {
        let fields = SendFields { dont_fragment, ..SendFields::default() };
        host.stack.udp_send_with(NOW, client, address("10.77.0.1:53"), b"who?", fields).unwrap();
        let packets = host.poll();
        let [packet] = packets.as_slice() else { panic!("one packet") };
        let flags = packet.bytes()[6];
        assert_eq!(flags & 0x40 != 0, dont_fragment, "RFC 791 §3.1: DF is bit 1 of the flags");
    }
}

#[test]
fn fragments_arrive_as_the_datagram_they_were_in_any_order() {
    for (to, largest) in [("10.77.0.1:53", 65_507), ("[fd77::1]:53", 65_527)] {
        for link in [LinkConfig::wire(1500), LinkConfig::wire(1280)] {
            let (mut host, mut peer) = dual_pair(link);
            let (client, server) = (host.bind("[::]:0"), peer.bind("[::]:53"));
            let payload: Vec<u8> = (0..largest).map(|at: u32| (at % 251) as u8).collect();
            host.send(client, to, &payload);
            let mut fragments = host.poll();
            let count = fragments.len();
            assert!(count > 40, "{count} fragments");
            // Every second one first, the last one before the first.
            fragments.reverse();
            let (odd, even): (Vec<_>, Vec<_>) =
                fragments.into_iter().enumerate().partition(|(at, _)| at % 2 == 1);
            for (_, fragment) in odd.into_iter().chain(even) {
                assert!(peer.recv(server).is_none());
                peer.give(fragment);
            }
            assert!(peer.recv(server).is_some_and(|(_, received)| received == payload));
            assert_eq!(peer.stack.drops(), []);
            assert_eq!(peer.stack.deadline(), None);
            peer.stack.check();
        }
    }
}

#[test]
fn a_fragment_that_never_comes_is_waited_for_a_minute_and_its_sender_told() {
    for to in ["10.77.0.1:53", "[fd77::1]:53"] {
        for missing in [0, 2] {
            let (mut host, mut peer) = dual_pair(LinkConfig::wire(1500));
            let (client, server) = (host.bind("[::]:0"), peer.bind("[::]:53"));
            host.stack.udp_connect(client, Some(address(to))).unwrap();
            host.send(client, to, &[1; 4000]);
            let mut fragments = host.poll();
            fragments.remove(missing);
            fragments.into_iter().for_each(|fragment| peer.give(fragment));
            let late = peer.stack.deadline().unwrap();
            assert_eq!(late, NOW + Duration::from_secs(60));
            peer.stack.on_deadline(late);
            assert_eq!(peer.stack.drops(), [("fragments late", 1)]);
            assert_eq!((peer.recv(server), peer.stack.deadline()), (None, None));
            // Without the first fragment nobody could know what is meant.
            let told = if missing == 0 { None } else { Some(Unreachable::Host) };
            settle(&mut host, &mut peer);
            assert_eq!(host.stack.udp_take_error(client), told);
            peer.stack.check();
        }
    }
}

#[test]
fn an_endpoint_of_both_families_hears_both_and_one_of_ip6_alone_does_not() {
    let (mut host, mut peer) = dual_pair(LinkConfig::in_process());
    let both = peer.bind("[::]:53");
    let alone = peer.stack.udp_bind(BindRequest { v6_only: true, ..wish("[::]:54") }).unwrap();
    let (four, six) = (host.bind("10.77.0.2:4"), host.bind("[fd77::2]:6"));
    for port in [53, 54] {
        host.send(four, &format!("10.77.0.1:{port}"), b"four");
        host.send(six, &format!("[fd77::1]:{port}"), b"six");
    }
    settle(&mut host, &mut peer);
    assert_eq!(peer.recv(both), Some(("10.77.0.2:4".into(), b"four".to_vec())));
    assert_eq!(peer.recv(both), Some(("[fd77::2]:6".into(), b"six".to_vec())));
    assert_eq!(peer.recv(alone), Some(("[fd77::2]:6".into(), b"six".to_vec())));
    assert_eq!(peer.recv(alone), None);
    peer.send(both, "10.77.0.2:4", b"back");
    peer.send(both, "[fd77::2]:6", b"back");
    let refused = peer.stack.udp_send(NOW, alone, address("10.77.0.2:4"), b"no");
    assert_eq!(refused, Err(UdpSendError::Unreachable(Unreachable::Network)));
    settle(&mut host, &mut peer);
    assert_eq!(host.recv(four), Some(("10.77.0.1:53".into(), b"back".to_vec())));
    assert_eq!(host.recv(six), Some(("[fd77::1]:53".into(), b"back".to_vec())));
    peer.stack.udp_close(both);
    peer.stack.check();
    assert!(peer.stack.udp_bind(wish("0.0.0.0:53")).is_ok());
}

#[test]
fn a_connected_endpoint_of_both_families_goes_back_to_both() {
    let (mut host, mut peer) = dual_pair(LinkConfig::in_process());
    let (both, server) = (host.bind("[::]:9"), peer.bind("[::]:53"));
    host.stack.udp_connect(both, Some(address("10.77.0.1:53"))).unwrap();
    assert_eq!(host.stack.udp_address(both), Some(address("10.77.0.2:9")));
    host.stack.check();
    peer.send(server, "[fd77::2]:9", b"other family");
    settle(&mut host, &mut peer);
    assert_eq!(host.recv(both), None);
    host.stack.udp_connect(both, None).unwrap();
    assert_eq!(host.stack.udp_address(both), Some(address("[::]:9")));
    peer.send(server, "[fd77::2]:9", b"again");
    settle(&mut host, &mut peer);
    assert_eq!(host.recv(both), Some(("[fd77::1]:53".into(), b"again".to_vec())));
}

#[test]
fn a_full_queue_drops_what_comes_and_counts_it() {
    let (mut host, mut peer) = pair(false);
    let (client, server) = (host.bind("0.0.0.0:0"), peer.bind("0.0.0.0:53"));
    for _ in 0..4 {
        host.send(client, "10.77.0.1:53", &[1; 60_000]);
        settle(&mut host, &mut peer);
    }
    assert_eq!(peer.stack.drops(), [("udp queue full", 1)]);
    assert_eq!(std::iter::from_fn(|| peer.recv(server)).count(), 3);
    let tally = peer.stack.tally();
    assert_eq!((tally.received, tally.accepted, tally.dropped), (4, 3, 1));
}

#[test]
fn a_sender_without_room_is_told_when_there_is_some() {
    let (mut host, _) = pair(false);
    let client = host.bind("0.0.0.0:0");
    let to = address("10.77.0.1:53");
    while host.stack.udp_send(NOW, client, to, &[0; 10_000]).is_ok() {}
    assert_eq!(host.stack.udp_send(NOW, client, to, &[0; 10_000]), Err(UdpSendError::QueueFull));
    assert_eq!(host.stack.poll_event(), None);
    assert_eq!(host.poll().len(), 21);
    assert_eq!(host.stack.poll_event(), Some(Event::Udp(client)));
    assert_eq!(host.stack.poll_event(), None);
    assert!(host.stack.udp_send(NOW, client, to, &[0; 10_000]).is_ok());
}

#[test]
fn port_zero_has_no_listener_and_other_families_are_no_destination() {
    let (mut host, mut peer) = pair(false);
    let client = host.bind("0.0.0.0:0");
    host.stack.udp_connect(client, Some(address("10.77.0.1:0"))).unwrap();
    let to = |host: &mut End, text: &str| host.stack.udp_send(NOW, client, address(text), b"");
    assert_eq!(to(&mut host, "10.77.0.1:0"), Ok(()));
    settle(&mut host, &mut peer);
    assert_eq!(host.stack.udp_take_error(client), Some(Unreachable::Port), "the far end says so");
    assert_eq!(to(&mut host, "[fd77::1]:1"), Err(UdpSendError::Unreachable(Unreachable::Network)));
    host.stack.udp_close(client);
    assert_eq!(to(&mut host, "10.77.0.1:1"), Err(UdpSendError::NoFreePort));
}

#[test]
fn what_was_sent_before_closing_still_leaves_and_the_port_is_free() {
    let (mut host, mut peer) = pair(false);
    let (client, server) = (host.bind("0.0.0.0:5000"), peer.bind("0.0.0.0:53"));
    host.send(client, "10.77.0.1:53", b"farewell");
    host.stack.udp_close(client);
    let again = host.bind("0.0.0.0:5000");
    settle(&mut host, &mut peer);
    assert_eq!(peer.recv(server).unwrap().1, b"farewell");
    assert_ne!(client, again);
}

#[test]
fn sockets_of_one_host_meet_over_loopback() {
    let (mut host, _) = pair(false);
    let (client, server) = (host.bind("0.0.0.0:5000"), host.bind("0.0.0.0:53"));
    for (to, source) in [("127.0.0.1:53", "127.0.0.1:5000"), ("10.77.0.2:53", "10.77.0.2:5000")] {
        host.send(client, to, &[9; 60_000]);
        assert!(host.poll().is_empty());
        assert_eq!(host.recv(server), Some((source.into(), vec![9; 60_000])));
    }
    host.stack.udp_connect(client, Some(address("127.0.0.1:9"))).unwrap();
    host.send(client, "127.0.0.1:9", b"");
    assert!(host.poll().is_empty());
    assert_eq!(host.stack.udp_take_error(client), Some(Unreachable::Port));
}

#[test]
fn what_a_host_refuses_itself_is_told_at_any_rate() {
    let (mut host, _) = pair(false);
    for to in ["127.0.0.1:9", "10.77.0.2:9"] {
        let client = host.bind("0.0.0.0:0");
        host.stack.udp_connect(client, Some(address(to))).unwrap();
        for _ in 0..200 {
            host.send(client, to, b"?");
            assert!(host.poll().is_empty());
            assert_eq!(host.stack.udp_take_error(client), Some(Unreachable::Port), "{to}");
        }
    }
}

#[test]
fn a_datagram_to_everybody_reaches_everyone_bound_to_the_port() {
    let (mut host, mut peer) = pair(false);
    let client = host.bind("0.0.0.0:0");
    let shared = |text| BindRequest { reuse_address: true, ..wish(text) };
    let servers = ["0.0.0.0:67", "0.0.0.0:67", "10.77.0.255:67", "10.77.0.1:67"]
        .map(|text| peer.stack.udp_bind(shared(text)).unwrap());
    host.send(client, "10.77.0.255:67", b"all");
    host.send(client, "10.77.0.255:68", b"none");
    settle(&mut host, &mut peer);
    assert_eq!(servers.map(|server| peer.recv(server).is_some()), [true, true, true, false]);
    // Nobody answers a broadcast with an error.
    assert_eq!(peer.stack.drops(), [("udp port unknown", 1)]);
    assert_eq!(host.stack.drops(), [("udp port unknown", 2)], "it heard its own, and nothing else");
}

#[test]
fn a_datagram_to_everybody_reaches_those_on_its_senders_host_too() {
    let (mut host, mut peer) = pair(false);
    let (near, far) = (host.bind("0.0.0.0:67"), peer.bind("0.0.0.0:67"));
    let own = host.bind("10.77.0.2:68");
    let sender = host.bind("10.77.0.2:5000");
    for everybody in ["10.77.0.255", "255.255.255.255"] {
        host.send(sender, &format!("{everybody}:67"), b"x");
        host.send(sender, &format!("{everybody}:68"), b"x");
        settle(&mut host, &mut peer);
        assert_eq!(host.recv(near), Some(("10.77.0.2:5000".into(), b"x".to_vec())), "{everybody}");
        assert!(peer.recv(far).is_some(), "{everybody}");
        assert_eq!(host.recv(own), None, "it is bound to another address");
    }
}

#[test]
fn everybody_on_the_loopback_link_is_everybody_on_the_host() {
    let (mut host, mut peer) = pair(false);
    let shared = BindRequest { reuse_address: true, ..wish("0.0.0.0:67") };
    let both = [host.stack.udp_bind(shared).unwrap(), host.stack.udp_bind(shared).unwrap()];
    let far = peer.bind("0.0.0.0:67");
    let sender = host.bind("127.0.0.1:5000");
    for everybody in ["127.255.255.255:67", "255.255.255.255:67"] {
        host.send(sender, everybody, b"x");
        settle(&mut host, &mut peer);
        assert!(both.iter().all(|one| host.recv(*one).is_some()), "{everybody}");
        assert_eq!(peer.recv(far), None, "{everybody}");
    }
}

#[test]
fn who_stands_for_any_destination_gets_what_nobody_is_bound_for() {
    let (mut host, mut exit) = pair(true);
    let client = host.bind("0.0.0.0:5000");
    let own = exit.bind("10.77.0.1:53");
    for to in ["192.0.2.7:123", "10.77.0.1:9", "10.77.0.1:53"] {
        host.send(client, to, to.as_bytes());
    }
    settle(&mut host, &mut exit);
    assert_eq!(exit.stack.poll_event(), Some(Event::AnyDatagram));
    assert_eq!(exit.stack.poll_event(), Some(Event::Udp(own)));
    assert_eq!(exit.stack.poll_event(), None);
    let datagram = exit.stack.poll_any_datagram().unwrap();
    assert_eq!(
        (datagram.source, datagram.destination),
        (address("10.77.0.2:5000"), address("192.0.2.7:123"))
    );
    assert_eq!(exit.stack.poll_any_datagram().unwrap().destination, address("10.77.0.1:9"));
    assert_eq!(exit.stack.poll_any_datagram(), None);
    host.send(client, "192.0.2.7:123", b"again");
    settle(&mut host, &mut exit);
    assert_eq!(exit.stack.poll_event(), Some(Event::AnyDatagram));
    // It answers as whom it stands for.
    let answer = exit.stack.udp_send_from(NOW, address("192.0.2.7:123"), address("10.77.0.2:5000"), b"12:00");
    assert_eq!(answer, Ok(()));
    settle(&mut host, &mut exit);
    assert_eq!(host.recv(client), Some(("192.0.2.7:123".into(), b"12:00".to_vec())));
}

#[test]
fn who_stands_for_a_destination_can_refuse_in_its_name() {
    let (mut host, mut exit) = pair(true);
    let client = host.bind("0.0.0.0:5000");
    host.stack.udp_connect(client, Some(address("192.0.2.7:123"))).unwrap();
    for reason in [Unreachable::Port, Unreachable::Network, Unreachable::Prohibited] {
        exit.stack.udp_refuse(address("10.77.0.2:5000"), address("192.0.2.7:123"), reason);
        settle(&mut host, &mut exit);
        assert_eq!(host.stack.udp_take_error(client), Some(reason));
    }
}

#[test]
fn what_nobody_asks_about_is_told_once() {
    let (mut host, mut peer) = pair(false);
    let (client, server) = (host.bind("0.0.0.0:0"), peer.bind("0.0.0.0:9"));
    for _ in 0..100 {
        host.send(client, "10.77.0.1:9", b"?");
        settle(&mut host, &mut peer);
    }
    let told: Vec<_> = std::iter::from_fn(|| peer.stack.poll_event()).collect();
    assert_eq!(told, [Event::Udp(server)]);
    host.send(client, "10.77.0.1:9", b"?");
    settle(&mut host, &mut peer);
    assert_eq!(peer.stack.poll_event(), Some(Event::Udp(server)), "what comes later is news again");
}
