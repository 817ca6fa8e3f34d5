//! A script's packet as a packet: addresses and ports are still the script's, 0 where it says nothing.

use std::net::{IpAddr, SocketAddr};

use crate::packet::{self, Body, Datagram, Message, Packet, Segment};
use crate::script::{BodySpec, IcmpSpec, PacketSpec, Quoted, Tos};

/// The time to live that stands for "not said"; packets that come in have it too.
pub(super) const TTL_UNSAID: u8 = 255;

/// Builds a packet between two ends.
pub(super) fn packet(
    spec: &PacketSpec,
    source: SocketAddr,
    destination: SocketAddr,
) -> Result<Packet, String> {
    let tos = match spec.ip.tos {
        Some(Tos::Ecn(bits)) => bits,
        Some(Tos::Whole(tos)) => tos,
        Some(Tos::Ect01) | None => 0,
    };
    let body = match &spec.body {
        BodySpec::Tcp(tcp) => {
            let ports = tcp.ports.unwrap_or_default();
            Body::Tcp(Segment {
                source_port: or(ports.source, source.port()),
                destination_port: or(ports.destination, destination.port()),
                flags: tcp.flags,
                seq: tcp.seq,
                ack: tcp.ack,
                window: tcp.window.unwrap_or(0),
                urgent: tcp.urgent,
                options: tcp.options.clone().unwrap_or_default(),
                payload: vec![0; tcp.payload_bytes.into()],
            })
        }
        BodySpec::Udp { ports, payload_bytes } => {
            let ports = ports.unwrap_or_default();
            Body::Udp(Datagram {
                source_port: or(ports.source, source.port()),
                destination_port: or(ports.destination, destination.port()),
                payload: vec![0; (*payload_bytes).into()],
            })
        }
        BodySpec::Icmp(icmp) => Body::Icmp(message(icmp, source.is_ipv6())?),
    };
    Ok(Packet {
        source: source.ip(),
        destination: destination.ip(),
        tos,
        ttl: spec.ip.ttl.unwrap_or(TTL_UNSAID),
        flow_label: spec.ip.flow_label.unwrap_or(0),
        body,
    })
}

fn or(said: u16, own: u16) -> u16 {
    if said == 0 { own } else { said }
}

/// An ICMP message; the packet it quotes is put in by [`quote`].
fn message(spec: &IcmpSpec, is_ip6: bool) -> Result<Message, String> {
    let (kind, code) = packet::type_and_code(is_ip6, &spec.kind, spec.code.as_deref())?;
    let mut word = [0; 4];
    word[..2].copy_from_slice(&spec.id.to_be_bytes());
    if let Some(mtu) = spec.mtu {
        let wanted = if is_ip6 { (2, 0) } else { (3, 4) };
        if (kind, code) != wanted {
            let what = if is_ip6 { "packet_too_big" } else { "unreachable frag_needed" };
            return Err(format!("ICMP MTU is only valid for {what}"));
        }
        if !is_ip6 && mtu > u32::from(u16::MAX) {
            return Err("ICMPv4 MTU out of 16-bit range".to_owned());
        }
        word = mtu.to_be_bytes();
    }
    let rest = match spec.quoted {
        Quoted::Raw { bytes } if bytes < 8 => {
            return Err(format!("an ICMP message of {bytes} bytes is shorter than its header"));
        }
        Quoted::Raw { bytes } => vec![0; usize::from(bytes) - 8],
        Quoted::Tcp { .. } | Quoted::Udp { .. } => Vec::new(),
    };
    Ok(Message { kind, code, word, rest })
}

/// The beginning of the packet that an ICMP message is about: its IP header and eight bytes, sent from `local` to
/// `remote`. `seq` maps the script's sequence number to the host's.
pub(super) fn quote(
    quoted: Quoted,
    local: SocketAddr,
    remote: SocketAddr,
    seq: impl Fn(u32) -> u32,
) -> Vec<u8> {
    let (protocol, payload_bytes, last) = match quoted {
        Quoted::Tcp { seq: number, payload_bytes } => {
            (6, 20 + usize::from(payload_bytes), seq(number).to_be_bytes())
        }
        Quoted::Udp { payload_bytes } => (17, 8 + usize::from(payload_bytes), [0; 4]),
        Quoted::Raw { .. } => return Vec::new(),
    };
    let packet = Packet {
        source: local.ip(),
        destination: remote.ip(),
        tos: 0,
        ttl: TTL_UNSAID,
        flow_label: 0,
        body: Body::Other(protocol),
    };
    let mut bytes = packet::ip_header(&packet, protocol, payload_bytes);
    bytes.extend(local.port().to_be_bytes());
    bytes.extend(remote.port().to_be_bytes());
    bytes.extend(last);
    bytes
}

/// An end that nobody knows yet, in the family of `like`.
pub(super) fn nowhere(like: IpAddr) -> SocketAddr {
    let unspecified: IpAddr = match like {
        IpAddr::V4(_) => [0; 4].into(),
        IpAddr::V6(_) => [0; 16].into(),
    };
    SocketAddr::new(unspecified, 0)
}
