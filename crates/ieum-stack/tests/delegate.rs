//! A host whose datagrams another stack has: what goes there, what comes from there, and what stays.
#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod common;

use common::{End, NOW, address, wish};
use ieum_stack::{LinkConfig, LinkId, RouteTarget, SendFields, SourceFilter};
use ieum_wire::{Cidr, Packet, Unreachable, ip};

/// A host, the stack that has its datagrams, and a neighbour.
struct Three {
    host: End,
    shadow: LinkId,
    other: End,
    far: End,
}

impl Three {
    fn new() -> Three {
        let link = LinkConfig::in_process();
        let mut host = End::dual("10.77.0.2/24", "fd77::2/64", link);
        let shadow = host.stack.delegate_datagrams(host.link);
        let other = End::dual("10.77.0.2/24", "fd77::2/64", link);
        let far = End::dual("10.77.0.1/24", "fd77::1/64", link);
        Three { host, shadow, other, far }
    }

    /// Carries packets until nobody has any; how many crossed the link to the neighbour.
    fn settle(&mut self) -> usize {
        let mut crossed = 0;
        for _ in 0..1000 {
            let (theirs, far) = (self.other.poll(), self.far.poll());
            let ours: Vec<(LinkId, Packet)> =
                std::iter::from_fn(|| self.host.stack.poll_frame(NOW)).collect();
            if theirs.is_empty() && far.is_empty() && ours.is_empty() {
                [&self.host, &self.other, &self.far].into_iter().for_each(|end| end.stack.check());
                return crossed;
            }
            theirs.into_iter().for_each(|packet| self.host.stack.on_frame(NOW, self.shadow, packet));
            far.into_iter().for_each(|packet| self.host.give(packet));
            for (link, packet) in ours {
                let to_far = link == self.host.link;
                crossed += usize::from(to_far);
                if to_far { self.far.give(packet) } else { self.other.give(packet) }
            }
        }
        panic!("they never fall silent");
    }
}

#[test]
fn datagrams_cross_to_the_other_stack_and_back() {
    for (own, far) in [("10.77.0.2:53", "10.77.0.1:4000"), ("[fd77::2]:53", "[fd77::1]:4000")] {
        let mut three = Three::new();
        let (server, client) = (three.other.bind(own), three.far.bind(far));
        three.far.send(client, own, b"question");
        three.settle();
        assert_eq!(three.other.recv(server), Some((far.to_owned(), b"question".to_vec())));
        three.other.send(server, far, b"answer");
        three.settle();
        assert_eq!(three.far.recv(client), Some((own.to_owned(), b"answer".to_vec())));
    }
}

#[test]
fn the_hops_of_a_datagram_are_not_counted() {
    let mut three = Three::new();
    let (server, client) = (three.other.bind("10.77.0.2:53"), three.far.bind("10.77.0.1:4000"));
    let fields = SendFields { ttl: 1, tos: 0x28, ..SendFields::default() };
    let sent = three.other.stack.udp_send_with(NOW, server, address("10.77.0.1:4000"), b"near", fields);
    sent.unwrap();
    three.settle();
    let came = three.far.stack.udp_recv(client).unwrap();
    assert_eq!((came.ttl, came.tos, came.payload), (1, 0x28, b"near".to_vec()));
}

#[test]
fn large_datagrams_cross_both_ways() {
    let mut three = Three::new();
    let (server, client) = (three.other.bind("10.77.0.2:53"), three.far.bind("10.77.0.1:4000"));
    let large = vec![7; 9000];
    three.far.send(client, "10.77.0.2:53", &large);
    three.other.send(server, "10.77.0.1:4000", &large);
    three.settle();
    assert_eq!(three.other.recv(server), Some(("10.77.0.1:4000".to_owned(), large.clone())));
    assert_eq!(three.far.recv(client), Some(("10.77.0.2:53".to_owned(), large)));
}

#[test]
fn fragments_cross_as_they_are() {
    let mut three = Three::new();
    // A neighbour and another stack on wires that do not cut for them.
    three.far = End::new("10.77.0.1/24", LinkConfig::wire(600), false);
    three.other = End::new("10.77.0.2/24", LinkConfig::wire(600), false);
    let (server, client) = (three.other.bind("10.77.0.2:53"), three.far.bind("10.77.0.1:4000"));
    let large = vec![7; 2000];
    three.far.send(client, "10.77.0.2:53", &large);
    three.other.send(server, "10.77.0.1:4000", &large);
    assert_eq!(three.settle(), 4, "2008 bytes in pieces of at most 576");
    assert_eq!(three.other.recv(server), Some(("10.77.0.1:4000".to_owned(), large.clone())));
    assert_eq!(three.far.recv(client), Some(("10.77.0.2:53".to_owned(), large)));
}

#[test]
fn refusals_are_the_other_stack_s_and_are_heard_there() {
    let mut three = Three::new();
    let client = three.far.stack.udp_bind(wish("10.77.0.1:4000")).unwrap();
    three.far.stack.udp_connect(client, Some(address("10.77.0.2:9"))).unwrap();
    three.far.send(client, "10.77.0.2:9", b"anybody?");
    three.settle();
    assert_eq!(three.far.stack.udp_take_error(client), Some(Unreachable::Port));

    let own = three.other.stack.udp_bind(wish("10.77.0.2:5000")).unwrap();
    three.other.stack.udp_connect(own, Some(address("10.77.0.1:9"))).unwrap();
    three.other.send(own, "10.77.0.1:9", b"anybody?");
    three.settle();
    assert_eq!(three.other.stack.udp_take_error(own), Some(Unreachable::Port));
}

#[test]
fn connections_stay_with_the_host() {
    let mut three = Three::new();
    let binding = three.host.stack.tcp_bind(wish("10.77.0.2:80")).unwrap();
    let listener = three.host.stack.tcp_listen(binding, 1, false, Default::default()).unwrap();
    let remote = address("10.77.0.2:80");
    three.far.stack.tcp_connect(NOW, None, remote, Default::default()).unwrap();
    three.settle();
    assert!(three.host.stack.tcp_accept(listener).is_some());
}

#[test]
fn what_has_no_way_is_answered_by_the_host_itself() {
    let mut three = Three::new();
    let nowhere: Cidr = "192.0.2.0/24".parse().unwrap();
    three.host.stack.add_route(nowhere, RouteTarget::Unreachable(Unreachable::Host), None);
    let own = three.other.stack.udp_bind(wish("10.77.0.2:5000")).unwrap();
    three.other.stack.udp_connect(own, Some(address("192.0.2.1:9"))).unwrap();
    three.other.send(own, "192.0.2.1:9", b"anybody?");
    let asked = three.other.poll().remove(0);
    three.host.stack.on_frame(NOW, three.shadow, asked);
    let (link, told) = three.host.stack.poll_frame(NOW).unwrap();
    let parsed = ip::parse(told.bytes()).unwrap();
    let ends = [parsed.header.source, parsed.header.destination].map(|end| end.to_string());
    assert_eq!((link, ends), (three.shadow, ["10.77.0.2"; 2].map(str::to_owned)), "the host tells itself");
    assert_eq!(told.bytes()[parsed.header_bytes..][..2], [3, 1], "host unreachable");
    assert!(three.host.stack.poll_frame(NOW).is_none());
    assert_eq!(three.host.stack.drops(), [("delegate no route", 1)]);
}

#[test]
fn the_other_stack_speaks_in_this_host_s_name_alone() {
    let mut three = Three::new();
    three.other = End::new("10.77.0.3/24", LinkConfig::in_process(), false);
    let stranger = three.other.bind("10.77.0.3:5000");
    three.other.send(stranger, "10.77.0.1:9", b"forged");
    assert_eq!(three.settle(), 0);
    assert_eq!(three.host.stack.drops(), [("martian source", 1)]);
}

#[test]
fn nothing_but_datagrams_comes_from_the_other_stack() {
    let mut three = Three::new();
    let remote = address("10.77.0.1:80");
    three.other.stack.tcp_connect(NOW, None, remote, Default::default()).unwrap();
    assert_eq!(three.settle(), 0);
    assert_eq!(three.host.stack.drops(), [("protocol unknown", 1)]);
}

#[test]
fn groups_are_the_other_stack_s() {
    let mut three = Three::new();
    let group = "224.5.6.7".parse().unwrap();
    let member = three.other.bind("0.0.0.0:7000");
    let membership = three.other.stack.group_join(NOW, three.other.link, group, SourceFilter::all());
    three.other.stack.udp_set_groups(member, vec![membership], [true, true]);
    assert!(three.settle() > 0, "its report leaves");
    let sender = three.far.bind("10.77.0.1:4000");
    three.far.send(sender, "224.5.6.7:7000", b"to all");
    three.settle();
    assert_eq!(three.other.recv(member), Some(("10.77.0.1:4000".to_owned(), b"to all".to_vec())));
}

#[test]
fn a_resolver_at_a_loopback_address_is_reached_over_its_link() {
    let mut three = Three::new();
    let resolver = address("127.0.0.53:53");
    three.host.stack.add_loopback_exception(resolver, three.host.link);
    three.other.stack.add_loopback_exception(resolver, three.other.link);
    three.far = End::new("10.77.0.1/24", LinkConfig::in_process(), true);
    let client = three.other.bind("10.77.0.2:5000");
    three.other.send(client, "127.0.0.53:53", b"who?");
    three.settle();
    let asked = three.far.stack.poll_any_datagram().unwrap();
    assert_eq!((asked.destination, asked.payload), (resolver, b"who?".to_vec()));
    three.far.stack.udp_send_from(NOW, resolver, asked.source, b"you").unwrap();
    three.settle();
    assert_eq!(three.other.recv(client), Some(("127.0.0.53:53".to_owned(), b"you".to_vec())));
    three.other.send(client, "127.0.0.53:54", b"nobody");
    assert_eq!(three.settle(), 0);
}

#[test]
fn replies_to_the_other_stack_s_pings_reach_it() {
    let mut three = Three::new();
    let ping = three.other.stack.ping_bind(address("0.0.0.0:7"), false).unwrap();
    three.other.stack.ping_send(ping, address("10.77.0.1:0").ip(), &[8, 0, 0, 0, 0, 7, 0, 1]).unwrap();
    three.settle();
    let reply = three.other.stack.ping_recv(ping).unwrap();
    assert_eq!((reply.source.ip().to_string(), reply.payload[0]), ("10.77.0.1".to_owned(), 0));
}

#[test]
fn a_shadow_is_no_interface() {
    let three = Three::new();
    let links: Vec<LinkId> = three.host.stack.links().map(|(link, _)| link).collect();
    assert_eq!(links.len(), 2);
    assert_eq!(three.host.stack.index_of(three.host.link), Some(2));
    assert_eq!((three.host.stack.link_at(3), three.host.stack.index_of(three.shadow)), (None, None));
}
