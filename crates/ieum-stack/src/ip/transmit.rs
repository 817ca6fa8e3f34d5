//! The way down: the header of a packet about to be built, and fragments of what is too large.

use std::net::IpAddr;

use ieum_wire::{Gso, GsoKind, Packet, Protocol, ip4, ip6, segmentation};

use super::{Ip, Path};
use crate::bounds::UDP_WHOLE_BYTES_END;
use crate::link::LinkId;

/// What a transport says about a packet it begins.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Outgoing {
    /// Where it comes from, by name.
    pub(crate) source: IpAddr,
    /// Where it goes.
    pub(crate) destination: IpAddr,
    /// What it carries.
    pub(crate) protocol: Protocol,
    /// Hops it may take.
    pub(crate) ttl: u8,
    /// DSCP and ECN.
    pub(crate) tos: u8,
    /// Nobody may fragment it. (Routers never do in IPv6.)
    pub(crate) dont_fragment: bool,
}

impl Ip {
    /// A packet with its IP header written for `payload_bytes` of payload, which the caller adds, no more and no less.
    ///
    /// # Panics
    ///
    /// When the payload exceeds what a header can tell, or the families differ: [`Ip::path`] gives no such addresses.
    pub(crate) fn begin(&mut self, outgoing: &Outgoing, payload_bytes: usize) -> Packet {
        let mut packet = Packet::new();
        match (outgoing.source, outgoing.destination) {
            (IpAddr::V4(source), IpAddr::V4(destination)) => {
                let total_bytes = u16::try_from(ip4::HEADER_BYTES + payload_bytes)
                    .expect("a transport builds packets of at most 65,535 bytes");
                let [.., high, low] = self.identification(outgoing.dont_fragment).to_be_bytes();
                let header = ip4::Header {
                    source,
                    destination,
                    protocol: outgoing.protocol,
                    ttl: outgoing.ttl,
                    tos: outgoing.tos,
                    identification: u16::from_be_bytes([high, low]),
                    dont_fragment: outgoing.dont_fragment,
                    more_fragments: false,
                    fragment_offset_bytes: 0,
                };
                packet.extend(&header.emit(total_bytes));
            }
            (IpAddr::V6(source), IpAddr::V6(destination)) => {
                let header = ip6::Header {
                    source,
                    destination,
                    protocol: outgoing.protocol,
                    hop_limit: outgoing.ttl,
                    traffic_class: outgoing.tos,
                    fragment: None,
                };
                packet.extend(header.emit(payload_bytes).as_ref());
            }
            (IpAddr::V4(_), IpAddr::V6(_)) | (IpAddr::V6(_), IpAddr::V4(_)) => {
                unreachable!("no path leads from one family to the other")
            }
        }
        packet
    }

    /// RFC 6864 §4.1: the identification of a packet that is never fragmented has no meaning, so it is 0 and tells
    /// nothing. Others count on, so that two datagrams under way at once differ.
    fn identification(&mut self, dont_fragment: bool) -> u32 {
        if dont_fragment {
            return 0;
        }
        self.identification = self.identification.wrapping_add(1);
        self.identification
    }

    /// A finished packet takes its way: as it is, marked for a link that cuts, or cut here and now, into fragments or into
    /// the datagrams that it says it is. What is cut here comes out of [`Ip::transmit`], the first fragment at once.
    ///
    /// # Errors
    ///
    /// [`TooLarge`] when the link has no room for a fragment.
    pub(crate) fn fit(&mut self, path: &Path, mut packet: Packet) -> Result<(LinkId, Packet), TooLarge> {
        packet.by_loopback = path.by_loopback;
        if packet.gso.is_some() {
            return self.cut(path, packet);
        }
        if u32::try_from(packet.len()).is_ok_and(|bytes| bytes <= path.mtu_bytes) {
            return Ok((path.link, packet));
        }
        let headers_bytes = match path.source {
            IpAddr::V4(_) => ip4::HEADER_BYTES,
            IpAddr::V6(_) => ip6::HEADER_BYTES + ip6::FRAGMENT_HEADER_BYTES,
        };
        // Every fragment but the last carries a multiple of 8 bytes (RFC 791 §3.1, RFC 8200 §4.5).
        let mtu_bytes = usize::try_from(path.mtu_bytes).unwrap_or(usize::MAX);
        let size_bytes = u16::try_from(mtu_bytes.saturating_sub(headers_bytes) & !7).map_err(|_| TooLarge)?;
        if size_bytes == 0 {
            return Err(TooLarge);
        }
        let identification = self.identification(false);
        packet.gso = Some(Gso { kind: GsoKind::Fragments { identification }, size_bytes });
        self.cut(path, packet)
    }

    /// Cuts a packet that says how, unless the link does.
    fn cut(&mut self, path: &Path, packet: Packet) -> Result<(LinkId, Packet), TooLarge> {
        let is_datagrams = packet.gso.is_some_and(|gso| gso.kind == GsoKind::Datagrams);
        if path.segmentation_offload && !(is_datagrams && packet.len() >= UDP_WHOLE_BYTES_END) {
            return Ok((path.link, packet));
        }
        segmentation::cut(&packet, |fragment| self.fragments.push_back((path.link, fragment)));
        self.transmit().ok_or(TooLarge)
    }

    /// The next fragment of a packet that was cut here.
    pub(crate) fn transmit(&mut self) -> Option<(LinkId, Packet)> {
        self.fragments.pop_front()
    }
}

/// A link is too narrow even for a fragment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct TooLarge;
