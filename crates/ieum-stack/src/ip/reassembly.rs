//! Fragments put together again (RFC 791 §3.2, RFC 815, RFC 8200 §4.5).
//!
//! A datagram being put together is the bytes that came, where they belong, and the list of what is there: RFC 815's
//! holes are what is missing from it. It is whole when the list is one piece that ends where the last fragment ended.
//!
//! Invariants:
//!
//! 1. The pieces of a datagram neither overlap nor touch: what touches is joined.
//! 2. A fragment that overlaps what is there, other than by lying wholly inside it, ends its datagram (RFC 5722 for
//!    IPv6, RFC 8200 §4.5; in IPv4 too, as Linux: no honest sender makes such). One that lies wholly inside is a copy and
//!    is passed over.
//! 3. All datagrams together charge no more than [`REASSEMBLY_BYTES_MAX`]: their bytes, holes among them, and headers.
//!    Who comes on top drives out the oldest.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;

use ieum_wire::ip::{Fragment, Parsed};
use ieum_wire::{ChecksumState, Instant, Packet, Protocol, ip4, ip6};

use crate::bounds::{FRAGMENT_OVERHEAD_BYTES, REASSEMBLY_BYTES_MAX, REASSEMBLY_PIECES_MAX, REASSEMBLY_TIME};
use crate::chance::{Chance, Keyed};
use crate::drops::Drop;

/// What names a datagram (RFC 791 §3.2; RFC 8200 §4.5 leaves the protocol out, since it may differ between fragments).
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
struct Key {
    source: IpAddr,
    destination: IpAddr,
    identification: u32,
    protocol: Option<u8>,
}

/// A datagram of which not all is there.
#[derive(Debug)]
struct Partial {
    /// Everything behind the IP header, where it belongs.
    bytes: Vec<u8>,
    /// Beginning and end of what is there.
    pieces: BTreeMap<usize, usize>,
    /// Where it ends; known from its last fragment.
    end: Option<usize>,
    /// The headers of its first fragment, and what it carries.
    head: Option<(Vec<u8>, Protocol)>,
    /// When it is given up.
    until: Instant,
    /// Its place in the order in which they began.
    serial: u64,
}

/// A datagram that was given up, to tell its sender (RFC 1122 §3.3.2, RFC 8200 §4.5).
#[derive(Debug)]
pub(crate) struct GivenUp {
    pub(crate) source: IpAddr,
    pub(crate) destination: IpAddr,
    /// The headers of its first fragment and the beginning of its payload; `None`: that one never came.
    pub(crate) original: Option<Vec<u8>>,
}

/// All datagrams being put together.
#[derive(Debug)]
pub(crate) struct Reassembly {
    partials: HashMap<Key, Partial, Keyed>,
    /// In the order in which they began.
    order: BTreeMap<u64, Key>,
    charged_bytes: usize,
    /// How many have begun.
    serial: u64,
    /// Driven out by newer ones and not yet counted.
    pub(crate) driven_out: u64,
}

impl Reassembly {
    /// Nothing begun.
    pub(crate) fn new(chance: &mut Chance) -> Reassembly {
        Reassembly {
            partials: HashMap::with_hasher(chance.keyed()),
            order: BTreeMap::new(),
            charged_bytes: 0,
            serial: 0,
            driven_out: 0,
        }
    }

    /// Takes a fragment. `Ok(Some)`: its datagram is whole now.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        packet: &Packet,
        parsed: &Parsed,
        fragment: Fragment,
    ) -> Result<Option<Packet>, Drop> {
        let header = &parsed.header;
        let part = packet.bytes().get(parsed.header_bytes..parsed.total_bytes).unwrap_or_default();
        let begin = usize::from(fragment.offset_bytes);
        let end = begin + part.len();
        // RFC 8200 §4.5: all but the last carry a multiple of 8 bytes, and no datagram is larger than its length tells.
        let v4 = header.source.is_ipv4();
        let end_max = usize::from(u16::MAX) - if v4 { ip4::HEADER_BYTES } else { 0 };
        let misfits = fragment.more && !part.len().is_multiple_of(8);
        if misfits || part.is_empty() || end > end_max {
            return Err(Drop::FragmentMisfits);
        }
        let key = Key {
            source: header.source,
            destination: header.destination,
            identification: fragment.identification,
            protocol: v4.then(|| header.protocol.number()),
        };
        self.make_room(parsed.header_bytes, end);
        self.begin(now, key);
        let partial = self.partials.get_mut(&key).ok_or(Drop::FragmentMisfits)?;
        let before = partial.charge();
        let placed = partial.place(begin, part, !fragment.more);
        if begin == 0 && placed == Ok(Placed::New) {
            let headers = packet.bytes().get(..parsed.header_bytes).unwrap_or_default();
            partial.head = Some((headers.to_vec(), header.protocol));
        }
        self.charged_bytes = self.charged_bytes - before + partial.charge();
        match placed {
            Err(reason) => {
                self.forget(&key);
                Err(reason)
            }
            Ok(Placed::Copy) => Err(Drop::FragmentCopy),
            Ok(Placed::New) if !partial.is_whole() => Ok(None),
            Ok(Placed::New) => Ok(self.forget(&key).and_then(|partial| partial.whole(v4))),
        }
    }

    /// When the next datagram is given up: all wait equally long, so it is the oldest.
    pub(crate) fn deadline(&self) -> Option<Instant> {
        let (_, key) = self.order.first_key_value()?;
        self.partials.get(key).map(|partial| partial.until)
    }

    /// Gives up one datagram whose time is over.
    pub(crate) fn expire(&mut self, now: Instant) -> Option<GivenUp> {
        if self.deadline()? > now {
            return None;
        }
        let key = *self.order.first_key_value()?.1;
        let partial = self.forget(&key)?;
        let end = partial.pieces.get(&0).copied().unwrap_or(0);
        let original = partial.head.map(|(mut headers, _)| {
            headers.extend_from_slice(&partial.bytes[..end]);
            headers
        });
        Some(GivenUp { source: key.source, destination: key.destination, original })
    }

    fn begin(&mut self, now: Instant, key: Key) {
        if self.partials.contains_key(&key) {
            return;
        }
        self.serial += 1;
        let partial = Partial {
            bytes: Vec::new(),
            pieces: BTreeMap::new(),
            end: None,
            head: None,
            until: now + REASSEMBLY_TIME,
            serial: self.serial,
        };
        self.charged_bytes += partial.charge();
        self.partials.insert(key, partial);
        self.order.insert(self.serial, key);
    }

    /// The oldest give way until a fragment with so many bytes of headers, whose part ends at `end`, can be charged
    /// whatever is there of its datagram.
    fn make_room(&mut self, header_bytes: usize, end: usize) {
        // A buffer that grows doubles, or takes what it needs: less than twice the end either way.
        let bytes = header_bytes + 2 * end + 2 * FRAGMENT_OVERHEAD_BYTES;
        while self.charged_bytes + bytes > REASSEMBLY_BYTES_MAX {
            let Some(key) = self.order.first_key_value().map(|(_, key)| *key) else { return };
            self.forget(&key);
            self.driven_out += 1;
        }
    }

    fn forget(&mut self, key: &Key) -> Option<Partial> {
        let partial = self.partials.remove(key)?;
        self.charged_bytes -= partial.charge();
        self.order.remove(&partial.serial);
        Some(partial)
    }
}

/// What became of a fragment's bytes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Placed {
    New,
    /// They were all there already.
    Copy,
}

impl Partial {
    /// What it costs: its bytes, with the holes, its headers, and what keeps them.
    fn charge(&self) -> usize {
        let header_bytes = self.head.as_ref().map_or(0, |(headers, _)| headers.capacity());
        self.bytes.capacity() + header_bytes + FRAGMENT_OVERHEAD_BYTES * (1 + self.pieces.len())
    }

    fn place(&mut self, begin: usize, part: &[u8], last: bool) -> Result<Placed, Drop> {
        let end = begin + part.len();
        let before = self.pieces.range(..=begin).next_back().map(|(begin, end)| (*begin, *end));
        if before.is_some_and(|(_, covered)| end <= covered) {
            return Ok(Placed::Copy);
        }
        let after = self.pieces.range(begin..).next().map(|(begin, end)| (*begin, *end));
        let overlaps = before.is_some_and(|(_, covered)| begin < covered)
            || after.is_some_and(|(following, _)| following < end);
        // Where it ends is said once, and nothing lies behind it.
        let ends_elsewhere = self.end.is_some_and(|known| end > known || (last && end != known))
            || (last && self.pieces.last_key_value().is_some_and(|(_, covered)| *covered > end));
        if overlaps || ends_elsewhere {
            return Err(Drop::FragmentOverlap);
        }
        if self.pieces.len() == REASSEMBLY_PIECES_MAX {
            return Err(Drop::FragmentPieces);
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes[begin..end].copy_from_slice(part);
        if last {
            self.end = Some(end);
        }
        let joined_begin = before.filter(|(_, covered)| *covered == begin).map_or(begin, |(begin, _)| begin);
        let joined_end = match after {
            Some((following, covered)) if following == end => {
                self.pieces.remove(&following);
                covered
            }
            Some(_) | None => end,
        };
        self.pieces.insert(joined_begin, joined_end);
        Ok(Placed::New)
    }

    fn is_whole(&self) -> bool {
        self.end.is_some() && self.pieces.len() == 1 && self.pieces.get(&0).copied() == self.end
    }

    /// The datagram as one packet, under the header of its first fragment.
    fn whole(self, v4: bool) -> Option<Packet> {
        let (headers, protocol) = self.head?;
        let mut packet = Packet::new();
        if v4 {
            let parsed = ip4::Header::parse_alone(&headers)?;
            let header = ip4::Header { more_fragments: false, fragment_offset_bytes: 0, ..parsed };
            packet.extend(&header.emit(u16::try_from(ip4::HEADER_BYTES + self.bytes.len()).ok()?));
        } else {
            let header = ip6::Header { protocol, fragment: None, ..ip6::Header::parse_alone(&headers)? };
            packet.extend(header.emit(self.bytes.len()).as_ref());
        }
        packet.extend(&self.bytes);
        packet.checksum = ChecksumState::Present;
        Some(packet)
    }
}

#[cfg(test)]
mod tests {
    use ieum_wire::ip;

    use super::*;

    const NOW: Instant = Instant::from_micros(1_000_000);

    fn fragment(identification: u16, offset_bytes: u16, more: bool, part: &[u8]) -> Packet {
        let header = ip4::Header {
            source: [10, 0, 0, 1].into(),
            destination: [10, 0, 0, 2].into(),
            protocol: Protocol::Udp,
            ttl: 64,
            tos: 0,
            identification,
            dont_fragment: false,
            more_fragments: more,
            fragment_offset_bytes: offset_bytes,
        };
        let mut packet = Packet::new();
        packet.extend(&header.emit(u16::try_from(20 + part.len()).unwrap()));
        packet.extend(part);
        packet
    }

    fn give(reassembly: &mut Reassembly, packet: &Packet) -> Result<Option<Vec<u8>>, Drop> {
        let parsed = ip::parse(packet.bytes()).unwrap();
        let whole = reassembly.receive(NOW, packet, &parsed, parsed.header.fragment.unwrap())?;
        Ok(whole.map(|whole| {
            let parsed = ip::parse(whole.bytes()).unwrap();
            assert_eq!(parsed.header.fragment, None);
            whole.bytes()[20..].to_vec()
        }))
    }

    fn reassembly() -> Reassembly {
        Reassembly::new(&mut Chance::new([1; 32]))
    }

    #[test]
    fn any_order_makes_the_same_whole() {
        let data: Vec<u8> = (0..100).collect();
        let parts = [(0, 40), (40, 48), (48, 88), (88, 100)];
        for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
            let mut reassembly = reassembly();
            let mut last = Ok(None);
            for (count, index) in order.into_iter().enumerate() {
                assert_eq!(last, Ok(None), "not whole after {count}");
                let (begin, end) = parts[index];
                let offset = u16::try_from(begin).unwrap();
                last = give(&mut reassembly, &fragment(7, offset, end != 100, &data[begin..end]));
            }
            assert_eq!(last, Ok(Some(data.clone())));
            assert_eq!(
                (reassembly.charged_bytes, reassembly.partials.len(), reassembly.order.len()),
                (0, 0, 0)
            );
        }
    }

    #[test]
    fn a_copy_is_passed_over_and_an_overlap_ends_the_datagram() {
        let mut reassembly = reassembly();
        assert_eq!(give(&mut reassembly, &fragment(7, 0, true, &[1; 40])), Ok(None));
        assert_eq!(give(&mut reassembly, &fragment(7, 8, true, &[2; 16])), Err(Drop::FragmentCopy));
        assert_eq!(give(&mut reassembly, &fragment(7, 32, false, &[2; 16])), Err(Drop::FragmentOverlap));
        assert_eq!(reassembly.charged_bytes, 0);
        // What comes later cannot complete what was ended.
        assert_eq!(give(&mut reassembly, &fragment(7, 40, false, &[3; 8])), Ok(None));
    }

    #[test]
    fn a_datagram_ends_in_one_place() {
        let mut reassembly = reassembly();
        assert_eq!(give(&mut reassembly, &fragment(7, 80, false, &[1; 5])), Ok(None));
        assert_eq!(give(&mut reassembly, &fragment(7, 88, false, &[1; 5])), Err(Drop::FragmentOverlap));
        assert_eq!(give(&mut reassembly, &fragment(8, 88, true, &[1; 8])), Ok(None));
        assert_eq!(give(&mut reassembly, &fragment(8, 80, false, &[1; 8])), Err(Drop::FragmentOverlap));
        assert_eq!(give(&mut reassembly, &fragment(9, 65_528, false, &[1; 8])), Err(Drop::FragmentMisfits));
        assert_eq!(give(&mut reassembly, &fragment(9, 0, true, &[1; 9])), Err(Drop::FragmentMisfits));
    }

    #[test]
    fn the_oldest_gives_way_and_the_rest_is_given_up_in_time() {
        let mut reassembly = reassembly();
        for number in 0..10_000 {
            assert_eq!(give(&mut reassembly, &fragment(number, 0, true, &[1; 1480])), Ok(None));
            assert!(reassembly.charged_bytes <= REASSEMBLY_BYTES_MAX);
        }
        assert!(reassembly.driven_out > 0);
        let left = reassembly.partials.len();
        assert_eq!(reassembly.driven_out, 10_000 - u64::try_from(left).unwrap());
        assert_eq!(reassembly.deadline(), Some(NOW + REASSEMBLY_TIME));
        assert!(reassembly.expire(NOW).is_none());
        let mut given_up = 0;
        while let Some(old) = reassembly.expire(NOW + REASSEMBLY_TIME) {
            assert_eq!(old.original.map(|bytes| bytes.len()), Some(1500));
            given_up += 1;
        }
        assert_eq!(given_up, left);
        assert_eq!((reassembly.deadline(), reassembly.charged_bytes), (None, 0));
    }

    #[test]
    fn who_comes_to_an_end_leaves_nothing_behind_while_an_older_one_waits() {
        let mut reassembly = reassembly();
        assert_eq!(give(&mut reassembly, &fragment(0, 0, true, &[1; 8])), Ok(None));
        for number in 1..1000 {
            assert_eq!(give(&mut reassembly, &fragment(number, 0, true, &[1; 8])), Ok(None));
            assert!(give(&mut reassembly, &fragment(number, 8, false, &[1; 8])).unwrap().is_some());
        }
        assert_eq!((reassembly.partials.len(), reassembly.order.len()), (1, 1));
    }

    #[test]
    fn holes_and_headers_are_charged_like_bytes() {
        // The last piece of a large datagram takes room for all of it.
        let mut holes = reassembly();
        for number in 0..200 {
            assert_eq!(give(&mut holes, &fragment(number, 65_000, true, &[1; 8])), Ok(None));
            assert!(holes.charged_bytes <= REASSEMBLY_BYTES_MAX, "{} bytes", holes.charged_bytes);
        }
        // Seven headers of options, the largest there are, before that of a fragment of 8 bytes.
        let mut bytes = vec![0x60, 0, 0, 0, 0, 0, 60, 64];
        bytes.extend([0xfd; 32]);
        for header in 0..7 {
            bytes.extend([if header == 6 { 44 } else { 60 }, 255]);
            bytes.extend([0; 2046]);
        }
        let fragment_at = bytes.len();
        bytes.extend([17, 0, 0, 1, 0, 0, 0, 0]);
        bytes.extend([7; 8]);
        let length = u16::try_from(bytes.len() - 40).unwrap();
        bytes[4..6].copy_from_slice(&length.to_be_bytes());
        let mut headers = reassembly();
        for number in 0..1000u32 {
            bytes[fragment_at + 4..fragment_at + 8].copy_from_slice(&number.to_be_bytes());
            let packet = Packet::from_wire(&bytes);
            let parsed = ip::parse(packet.bytes()).unwrap();
            let fragment = parsed.header.fragment.unwrap();
            assert!(headers.receive(NOW, &packet, &parsed, fragment).unwrap().is_none());
            assert!(headers.charged_bytes <= REASSEMBLY_BYTES_MAX);
        }
        let kept = |partial: &Partial| partial.head.as_ref().map_or(0, |(headers, _)| headers.len());
        let kept: usize = headers.partials.values().map(kept).sum();
        assert!(kept <= REASSEMBLY_BYTES_MAX, "{kept} bytes of headers");
    }
}
