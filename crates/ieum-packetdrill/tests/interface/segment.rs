//! The little of TCP/IP that a peer needs in tests.

pub(crate) const SYN: u8 = 0x02;
pub(crate) const ACK: u8 = 0x10;

/// A TCP segment in an IPv4 packet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Segment {
    pub(crate) flags: u8,
    pub(crate) seq: u32,
    pub(crate) ack: u32,
    pub(crate) payload: Vec<u8>,
}

impl Segment {
    /// From the peer's port 40000 to the host's port 8080.
    pub(crate) fn to_host(flags: u8, seq: u32, ack: u32) -> Segment {
        Segment { flags, seq, ack, payload: Vec::new() }
    }

    pub(crate) fn with(mut self, payload: &[u8]) -> Segment {
        self.payload = payload.to_vec();
        self
    }

    /// The packet, checksums included.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let total = u16::try_from(40 + self.payload.len()).unwrap();
        let mut ip = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, 64, 6, 0, 0];
        ip[2..4].copy_from_slice(&total.to_be_bytes());
        ip.extend([super::PEER, super::HOST].concat());
        let sum = checksum(&[&ip]);
        ip[10..12].copy_from_slice(&sum);
        let mut tcp = [40_000u16.to_be_bytes(), 8080u16.to_be_bytes()].concat();
        tcp.extend([self.seq.to_be_bytes(), self.ack.to_be_bytes()].concat());
        tcp.extend([0x50, self.flags, 0xff, 0xff, 0, 0, 0, 0]);
        tcp.extend(&self.payload);
        let length = (total - 20).to_be_bytes();
        let sum = checksum(&[&ip[12..20], &[0, 6], &length, &tcp]);
        tcp[16..18].copy_from_slice(&sum);
        [ip, tcp].concat()
    }

    pub(crate) fn parse(packet: &[u8]) -> Segment {
        let tcp = &packet[usize::from(packet[0] & 15) * 4..];
        let word = |at: usize| u32::from_be_bytes(tcp[at..at + 4].try_into().unwrap());
        let header = usize::from(tcp[12] >> 4) * 4;
        Segment { flags: tcp[13], seq: word(4), ack: word(8), payload: tcp[header..].to_vec() }
    }
}

/// RFC 1071.
fn checksum(parts: &[&[u8]]) -> [u8; 2] {
    let mut sum = 0u32;
    for pair in parts.concat().chunks(2) {
        sum += u32::from(u16::from_be_bytes([pair[0], *pair.get(1).unwrap_or(&0)]));
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    (!u16::try_from(sum).unwrap()).to_be_bytes()
}
