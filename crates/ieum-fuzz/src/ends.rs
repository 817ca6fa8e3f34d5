//! The two ends of the entries' scenes, and packets as one would send them to the other.

use std::net::IpAddr;

use ieum_socket::{Host, HostConfig, SocketId};
use ieum_stack::{LinkConfig, LinkId, RouteTarget};
use ieum_wire::{ChecksumState, Cidr, Instant, Packet, Protocol, ip4, ip6, segmentation};

pub(crate) const PEER_4: [u8; 4] = [10, 77, 0, 1];
pub(crate) const VICTIM_4: [u8; 4] = [10, 77, 0, 2];
pub(crate) const PEER_6: [u16; 8] = [0xfd77, 0, 0, 0, 0, 0, 0, 1];
pub(crate) const VICTIM_6: [u16; 8] = [0xfd77, 0, 0, 0, 0, 0, 0, 2];

pub(crate) const STREAM: i32 = 1;
pub(crate) const DATAGRAM: i32 = 2;

/// A host with one link.
pub(crate) struct End {
    pub(crate) host: Host,
    pub(crate) link: LinkId,
    pub(crate) sockets: Vec<SocketId>,
    /// What it sent last, for those who quote or change it.
    pub(crate) last: Option<Packet>,
}

impl End {
    pub(crate) fn new(seed: u8, four: [u8; 4], six: [u16; 8]) -> End {
        let mut host = Host::new(HostConfig { seed: [seed; 32], tcp_timestamps: true, hold_requests: false });
        let stack = host.stack_mut();
        let link = stack.add_link(LinkConfig::in_process());
        for (address, bits) in [(IpAddr::from(four), 24), (IpAddr::from(six), 64)] {
            stack
                .add_address(link, Cidr::new(address, bits).expect("the prefix is shorter than the address"));
        }
        for everybody in [Cidr::ALL_IP4, Cidr::ALL_IP6] {
            stack.add_route(everybody, RouteTarget::Link(link), None);
        }
        End { host, link, sockets: Vec::new(), last: None }
    }

    pub(crate) fn open(&mut self, six: bool, kind: i32) -> SocketId {
        const FAMILIES: [i32; 2] = [2, 10];
        self.host.socket(FAMILIES[usize::from(six)], kind, 0).expect("there is room for a socket")
    }

    pub(crate) fn poll(&mut self, now: Instant) -> Vec<Packet> {
        let frames: Vec<Packet> =
            std::iter::from_fn(|| self.host.poll_frame(now)).map(|(_, frame)| frame).collect();
        if let Some(last) = frames.last() {
            self.last = Some(last.clone());
        }
        while self.host.poll_event().is_some() {}
        frames
    }
}

/// A packet from the peer to the victim, or a fragment (name, offset, more) of one; the checksum of its transport is
/// right where it is whole.
pub(crate) fn packet(
    six: bool,
    protocol: Protocol,
    payload: &[u8],
    fragment: Option<(u32, u16, bool)>,
) -> Packet {
    let mut packet = Packet::new();
    if six {
        let header = ip6::Header {
            source: PEER_6.into(),
            destination: VICTIM_6.into(),
            protocol,
            hop_limit: 64,
            traffic_class: 0,
            fragment: fragment.map(|(identification, offset_bytes, more)| ip6::Fragment {
                identification,
                offset_bytes,
                more,
            }),
        };
        packet.extend(header.emit(payload.len()).as_ref());
    } else {
        let (identification, offset_bytes, more) = fragment.unwrap_or_default();
        let header = ip4::Header {
            source: PEER_4.into(),
            destination: VICTIM_4.into(),
            protocol,
            ttl: 64,
            tos: 0,
            identification: u16::try_from(identification).unwrap_or(0),
            dont_fragment: false,
            more_fragments: more,
            fragment_offset_bytes: offset_bytes,
        };
        let total = u16::try_from(ip4::HEADER_BYTES + payload.len()).expect("it is shorter than 65,535");
        packet.extend(&header.emit(total));
    }
    packet.extend(payload);
    if fragment.is_none() {
        packet.checksum = ChecksumState::Deferred;
        segmentation::finish_checksum(&mut packet);
    }
    packet
}
