//! Many datagrams in one call, and many at once to who asks for it (Linux's UDP_SEGMENT and UDP_GRO).
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;

use std::num::NonZeroU16;

use common::{End, NOW, address, dual_pair, settle};
use ieum_stack::{LinkConfig, SendFields, UdpId, UdpSendError};
use ieum_wire::segmentation;

fn send(end: &mut End, id: UdpId, to: &str, bytes: usize, size: u16) -> Result<(), UdpSendError> {
    let fields = SendFields { segment_bytes: NonZeroU16::new(size), ..SendFields::default() };
    let payload: Vec<u8> = (0..bytes).map(|at| u8::try_from(at / usize::from(size) % 256).unwrap()).collect();
    end.stack.udp_send_with(NOW, id, address(to), &payload, fields)
}

/// What waits: how long each is, and of datagrams of which size it is made.
fn received(end: &mut End, id: UdpId) -> Vec<(usize, Option<u16>)> {
    let all = std::iter::from_fn(|| end.stack.udp_recv(id));
    all.map(|datagram| (datagram.payload.len(), datagram.segment_bytes)).collect()
}

#[test]
fn one_call_sends_datagrams_of_one_size_and_a_last_one() {
    for link in [LinkConfig::in_process(), LinkConfig::wire(1500)] {
        let (mut host, mut peer) = dual_pair(link);
        let (client, server) = (host.bind("[::]:0"), peer.bind("[::]:53"));
        for to in ["10.77.0.1:53", "[fd77::1]:53"] {
            send(&mut host, client, to, 2500, 1000).unwrap();
            settle(&mut host, &mut peer);
            let parts: Vec<_> =
                std::iter::from_fn(|| peer.recv(server)).map(|(_, payload)| payload).collect();
            assert_eq!(parts, [vec![0; 1000], vec![1; 1000], vec![2; 500]]);
        }
    }
}

#[test]
fn a_link_that_cuts_gets_one_packet_and_others_the_datagrams() {
    for (link, packets) in [(LinkConfig::in_process(), 1), (LinkConfig::wire(1500), 3)] {
        let (mut host, _) = dual_pair(link);
        let client = host.bind("0.0.0.0:5000");
        send(&mut host, client, "10.77.0.1:53", 2500, 1000).unwrap();
        let out = host.poll();
        assert_eq!(out.len(), packets);
        let mut lengths = Vec::new();
        out.iter().for_each(|packet| segmentation::cut(packet, |part| lengths.push(part.len())));
        assert_eq!(lengths, [1028, 1028, 528], "each has headers of its own");
    }
}

#[test]
fn who_asks_for_it_gets_them_together() {
    for link in [LinkConfig::in_process(), LinkConfig::wire(1500)] {
        let (mut host, mut peer) = dual_pair(link);
        let (client, server) = (host.bind("0.0.0.0:0"), peer.bind("0.0.0.0:53"));
        peer.stack.udp_set_gro(server, true);
        send(&mut host, client, "10.77.0.1:53", 2500, 1000).unwrap();
        settle(&mut host, &mut peer);
        assert_eq!(received(&mut peer, server), [(2500, Some(1000))]);
        peer.stack.udp_set_gro(server, false);
        send(&mut host, client, "10.77.0.1:53", 2500, 1000).unwrap();
        settle(&mut host, &mut peer);
        assert_eq!(received(&mut peer, server), [(1000, None), (1000, None), (500, None)]);
    }
}

#[test]
fn datagrams_sent_one_by_one_are_joined_over_a_link_and_not_inside_a_host() {
    let (mut host, mut peer) = dual_pair(LinkConfig::in_process());
    let (client, server, own) = (host.bind("0.0.0.0:0"), peer.bind("0.0.0.0:53"), host.bind("0.0.0.0:53"));
    peer.stack.udp_set_gro(server, true);
    host.stack.udp_set_gro(own, true);
    for to in ["10.77.0.1:53", "10.77.0.2:53", "127.0.0.1:53"] {
        for bytes in [100, 100, 40, 100, 0] {
            host.send(client, to, &vec![7; bytes]);
        }
    }
    settle(&mut host, &mut peer);
    assert_eq!(received(&mut peer, server), [(240, Some(100)), (100, None), (0, None)]);
    assert_eq!(received(&mut host, own).len(), 10);
}

#[test]
fn too_many_and_too_large_ones_are_refused() {
    let (mut host, _) = dual_pair(LinkConfig::in_process());
    let client = host.bind("[::]:0");
    for (to, size_max) in [("10.77.0.1:53", 1472), ("[fd77::1]:53", 1452)] {
        assert_eq!(send(&mut host, client, to, 3000, size_max), Ok(()));
        assert_eq!(send(&mut host, client, to, 3000, size_max + 1), Err(UdpSendError::TooLarge));
        assert_eq!(send(&mut host, client, to, 1000, size_max + 1), Ok(()), "it is smaller than that");
        assert_eq!(send(&mut host, client, to, 1280, 10), Ok(()));
        assert_eq!(send(&mut host, client, to, 1281, 10), Err(UdpSendError::TooMany));
        assert_eq!(send(&mut host, client, to, 0, 10), Ok(()));
    }
}

#[test]
fn what_finds_no_room_is_lost_from_the_end() {
    let (mut host, mut peer) = dual_pair(LinkConfig::in_process());
    let (client, server) = (host.bind("0.0.0.0:0"), peer.bind("0.0.0.0:53"));
    for _ in 0..200 {
        send(&mut host, client, "10.77.0.1:53", 12_800, 100).unwrap();
        settle(&mut host, &mut peer);
    }
    let dropped = peer.stack.drops();
    assert_eq!(dropped.len(), 1, "{dropped:?}");
    assert_eq!(dropped[0].0, "udp queue full");
    assert!(received(&mut peer, server).iter().all(|one| *one == (100, None)));
}
