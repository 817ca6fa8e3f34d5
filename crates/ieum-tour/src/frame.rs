//! A packet as it crossed the link, read from its bytes.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use ieum_wire::{Protocol, SeqNumber, ip, tcp, udp};
use serde::Serialize;

/// What a packet said.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Frame {
    /// The host that sent it.
    pub(crate) from: &'static str,
    /// The host it was for; `None`: a group, all on the link get it.
    pub(crate) to: Option<&'static str>,
    /// Its source, with the port where it has one.
    pub(crate) source: String,
    /// Its destination.
    pub(crate) destination: String,
    /// Bytes of the application that it carried.
    pub(crate) bytes: usize,
    /// These bytes, where they are a short text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) text: Option<String>,
    /// It reached nobody.
    pub(crate) lost: bool,
    #[serde(flatten)]
    pub(crate) carries: Carries,
}

/// What belongs to its protocol alone.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "protocol", rename_all = "lowercase")]
pub(crate) enum Carries {
    /// A segment.
    Tcp(Segment),
    /// A datagram.
    Udp,
    /// Word of a host that it wants a group, or no longer.
    Igmp,
}

/// The fields of a TCP header (RFC 9293 §3.1).
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Segment {
    /// As `SYN ACK`.
    pub(crate) flags: String,
    pub(crate) seq: u32,
    /// Zero without ACK.
    pub(crate) ack: u32,
    /// The same counted from the first one of that direction, as analysers do.
    pub(crate) relative_seq: u32,
    pub(crate) relative_ack: u32,
    /// As it stands in the header.
    pub(crate) window: u16,
    /// As `mss=1460`.
    pub(crate) options: Vec<String>,
    /// Blocks that arrived behind a hole (RFC 2018), counted like `relative_ack`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) sack: Vec<[u32; 2]>,
    /// It carries what had been sent before.
    pub(crate) again: bool,
}

impl Frame {
    /// The segment, of a frame that carries one.
    pub(crate) fn segment(&self) -> Option<&Segment> {
        match &self.carries {
            Carries::Tcp(segment) => Some(segment),
            Carries::Udp | Carries::Igmp => None,
        }
    }
}

/// One direction of a connection: source and destination.
type Direction = (SocketAddr, SocketAddr);

/// Reads packets; remembers of each direction where it began to count and how far it came.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    first: BTreeMap<Direction, SeqNumber>,
    next: BTreeMap<Direction, SeqNumber>,
}

impl Reader {
    /// What the packet said; `None` for what no host of the tour sends. `names` knows hosts by their addresses.
    pub(crate) fn read(
        &mut self,
        bytes: &[u8],
        lost: bool,
        names: impl Fn(std::net::IpAddr) -> Option<&'static str>,
    ) -> Option<Frame> {
        let parsed = ip::parse(bytes).ok()?;
        let (source, destination) = (parsed.header.source, parsed.header.destination);
        let inside = bytes.get(parsed.header_bytes..parsed.total_bytes)?;
        let payload = payload(bytes);
        let (ports, carries) = match parsed.header.protocol {
            Protocol::Tcp => {
                let (header, _) = tcp::Header::parse(inside).ok()?;
                let ports = (header.source_port, header.destination_port);
                let way = (SocketAddr::new(source, ports.0), SocketAddr::new(destination, ports.1));
                (Some(ports), Carries::Tcp(self.segment(way, &header, payload.len())))
            }
            Protocol::Udp => {
                let header = udp::Header::parse(inside).ok()?.header;
                (Some((header.source_port, header.destination_port)), Carries::Udp)
            }
            Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Other(_) => (None, Carries::Igmp),
        };
        let place = |address, port: Option<u16>| match port {
            Some(port) => SocketAddr::new(address, port).to_string(),
            None => address.to_string(),
        };
        Some(Frame {
            from: names(source)?,
            to: names(destination),
            source: place(source, ports.map(|ports| ports.0)),
            destination: place(destination, ports.map(|ports| ports.1)),
            bytes: payload.len(),
            text: text(payload),
            lost,
            carries,
        })
    }

    fn segment(&mut self, way: Direction, header: &tcp::Header, bytes: usize) -> Segment {
        let tcp::Header { seq, ack, flags, window, options, .. } = *header;
        let back = (way.1, way.0);
        // Another first number is another connection.
        if flags.syn && self.first.insert(way, seq) != Some(seq) {
            self.next.remove(&way);
        }
        let relative = |first: Option<&SeqNumber>, number: SeqNumber| {
            number.value().wrapping_sub(first.map_or(0, |first| first.value()))
        };
        let length = tcp::sequence_length(flags, bytes);
        let end = seq + length;
        let again = length > 0 && self.next.get(&way).is_some_and(|next| seq.before(*next));
        let next = self.next.get(&way).map_or(end, |next| next.max(end));
        self.next.insert(way, next);
        let theirs = self.first.get(&back);
        let sack = options.sack.as_slice().iter();
        Segment {
            flags: names_of(flags),
            seq: seq.value(),
            ack: ack.value(),
            relative_seq: relative(self.first.get(&way), seq),
            relative_ack: if flags.ack { relative(theirs, ack) } else { 0 },
            window,
            options: told(&options),
            sack: sack.map(|block| [block.begin, block.end].map(|edge| relative(theirs, edge))).collect(),
            again,
        }
    }
}

/// The application's bytes in a packet; none when it carries neither TCP nor UDP.
pub(crate) fn payload(bytes: &[u8]) -> &[u8] {
    let payload = || {
        let parsed = ip::parse(bytes).ok()?;
        let inside = bytes.get(parsed.header_bytes..parsed.total_bytes)?;
        match parsed.header.protocol {
            Protocol::Tcp => inside.get(tcp::Header::parse(inside).ok()?.1),
            Protocol::Udp => inside.get(udp::HEADER_BYTES..udp::Header::parse(inside).ok()?.length_bytes),
            Protocol::Icmp4 | Protocol::Icmp6 | Protocol::Other(_) => None,
        }
    };
    payload().unwrap_or_default()
}

/// Bytes as a text, if they are one that fits into a line.
pub(crate) fn text(bytes: &[u8]) -> Option<String> {
    /// The longest that is shown, in bytes: half a line.
    const TEXT_BYTES_MAX: usize = 32;
    let is_short = (1..=TEXT_BYTES_MAX).contains(&bytes.len());
    let is_plain = bytes.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
    (is_short && is_plain).then(|| String::from_utf8_lossy(bytes).into_owned())
}

fn names_of(flags: tcp::Flags) -> String {
    let all = [
        (flags.syn, "SYN"),
        (flags.fin, "FIN"),
        (flags.rst, "RST"),
        (flags.psh, "PSH"),
        (flags.ack, "ACK"),
        (flags.ece, "ECE"),
        (flags.cwr, "CWR"),
    ];
    all.into_iter().filter(|(set, _)| *set).map(|(_, name)| name).collect::<Vec<_>>().join(" ")
}

fn told(options: &tcp::Options) -> Vec<String> {
    let mss = options.mss.map(|mss| format!("mss={mss}"));
    let sack = options.sack_permitted.then(|| "sackOK".to_owned());
    let scale = options.window_scale.map(|scale| format!("wscale={}", scale.shift()));
    let stamps = options.timestamps.map(|stamps| format!("ts={}", stamps.value));
    [mss, sack, scale, stamps].into_iter().flatten().collect()
}
