//! A capture: what a link carried, as a pcapng file that Wireshark and tshark open.
//!
//! Each packet is recorded as it would be on a wire: super-segments are cut, checksums finished. Packets begin with
//! their IP header (LINKTYPE_RAW), or with an Ethernet header on links that have one (LINKTYPE_ETHERNET). Times are
//! nanoseconds since 1970: the wall clock at the start, then ieum's clock.
//!
//! Invariants:
//!
//! 1. Only whole blocks are handed to the file, so that one whose writer was killed still opens.
//! 2. After the first error nothing more is written: a file with a hole would lie. The error is told once.

use std::borrow::Cow;
use std::cell::RefCell;
use std::io::{self, Write};
use std::rc::Rc;
use std::time::Duration;

use ieum_wire::{Instant, Packet, segmentation};
use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::EnhancedPacketBlock;
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::{DataLink, Endianness, PcapError};

/// Blocks that wait for being written, in bytes: one write of the file for a few dozen packets.
const BUFFER_BYTES_MAX: usize = 64 * 1024;

/// Timestamps count units of 10⁻⁹ s (the option if_tsresol).
const NANOSECONDS: u8 = 9;

/// What one link carried, on its way to a capture file; several links may share one file.
pub struct Capture {
    writer: Rc<RefCell<Writer>>,
    /// The link's number in the file.
    interface_id: u32,
    /// Packets have an Ethernet header.
    ethernet: bool,
}

/// A capture file being written.
struct Writer {
    /// `None` after an error.
    file: Option<Box<dyn Write>>,
    /// Whole blocks on their way to the file.
    blocks: PcapNgWriter<Vec<u8>>,
    /// Time since 1970 when ieum's clock stood at zero.
    origin: Duration,
    /// Links described so far.
    interfaces: u32,
    error: Option<io::Error>,
}

impl Capture {
    /// Begins a capture of one link. `origin` is the time since 1970 at [`Instant::ZERO`].
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn new(file: impl Write + 'static, origin: Duration) -> io::Result<Capture> {
        Writer::begin(file, origin)?.capture("link", DataLink::RAW)
    }

    /// Begins a capture of one Ethernet link.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn of_ethernet(file: impl Write + 'static, origin: Duration) -> io::Result<Capture> {
        Writer::begin(file, origin)?.capture("link", DataLink::ETHERNET)
    }

    /// A capture of another link, without Ethernet, into the same file, where the link is called `name`.
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn another(&self, name: &str) -> io::Result<Capture> {
        let interface_id = self.writer.borrow_mut().describe(name, DataLink::RAW)?;
        Ok(Capture { writer: Rc::clone(&self.writer), interface_id, ethernet: false })
    }

    /// Records what `packet` would be on a wire.
    pub fn record(&mut self, now: Instant, packet: &Packet) {
        let mut writer = self.writer.borrow_mut();
        if writer.file.is_none() {
            return;
        }
        segmentation::cut(packet, |frame| match frame.ethernet.filter(|_| self.ethernet) {
            Some(header) => {
                writer.record(now, self.interface_id, &[&header.emit(), frame.bytes()].concat());
            }
            None => writer.record(now, self.interface_id, frame.bytes()),
        });
        if writer.blocks.get_ref().len() >= BUFFER_BYTES_MAX {
            writer.flush();
        }
    }

    /// Brings what was recorded to the file.
    pub fn flush(&mut self) {
        self.writer.borrow_mut().flush();
    }

    /// Why the capture ended before its time, told once.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.writer.borrow_mut().error.take()
    }
}

impl Writer {
    /// A file without links.
    fn begin(file: impl Write + 'static, origin: Duration) -> io::Result<Writer> {
        // One byte order everywhere: the same packets give the same file on every machine.
        let blocks = PcapNgWriter::with_endianness(Vec::new(), Endianness::Little).map_err(into_io_error)?;
        Ok(Writer { file: Some(Box::new(file)), blocks, origin, interfaces: 0, error: None })
    }

    fn capture(mut self, name: &str, link_type: DataLink) -> io::Result<Capture> {
        let interface_id = self.describe(name, link_type)?;
        let ethernet = link_type == DataLink::ETHERNET;
        Ok(Capture { writer: Rc::new(RefCell::new(self)), interface_id, ethernet })
    }

    /// Says that there is one more link; its number.
    fn describe(&mut self, name: &str, link_type: DataLink) -> io::Result<u32> {
        let mut link = InterfaceDescriptionBlock::new(link_type, 0);
        link.options.push(InterfaceDescriptionOption::IfName(Cow::Owned(name.to_owned())));
        link.options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
        self.blocks.write_pcapng_block(link).map_err(into_io_error)?;
        self.flush();
        let number = self.interfaces;
        self.interfaces += 1;
        self.error.take().map_or(Ok(number), Err)
    }

    fn record(&mut self, now: Instant, interface_id: u32, frame: &[u8]) {
        if self.file.is_none() {
            return;
        }
        let block = EnhancedPacketBlock {
            interface_id,
            timestamp: self.origin + now.since(Instant::ZERO),
            original_len: u32::try_from(frame.len()).unwrap_or(u32::MAX),
            data: Cow::Borrowed(frame),
            options: Vec::new(),
        };
        if let Err(error) = self.blocks.write_pcapng_block(block) {
            self.fail(into_io_error(error));
        }
    }

    fn flush(&mut self) {
        let Some(file) = &mut self.file else { return };
        let blocks = self.blocks.get_mut();
        if blocks.is_empty() {
            return;
        }
        let written = file.write_all(blocks).and_then(|()| file.flush());
        blocks.clear();
        if let Err(error) = written {
            self.fail(error);
        }
    }

    fn fail(&mut self, error: io::Error) {
        self.file = None;
        self.error = Some(error);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.flush();
    }
}

fn into_io_error(error: PcapError) -> io::Error {
    if let PcapError::IoError(error) = error { error } else { io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use ieum_wire::{ChecksumState, Gso, GsoKind, Protocol, SeqNumber, ip4, tcp};
    use pcap_file::pcapng::{Block, PcapNgReader};

    use super::*;

    /// A file that others can look into, with room for so many bytes.
    #[derive(Clone)]
    struct Shared(Rc<RefCell<Vec<u8>>>, usize);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let mut file = self.0.borrow_mut();
            if file.len() + bytes.len() > self.1 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            file.extend(bytes);
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn super_segment(payload_bytes: usize) -> Packet {
        let header = tcp::Header {
            source_port: 40_000,
            destination_port: 80,
            seq: SeqNumber::new(7),
            ack: SeqNumber::new(9),
            flags: tcp::Flags::ACK,
            window: 1000,
            urgent: 0,
            options: tcp::Options::default(),
        };
        let mut tcp_header = [0; tcp::HEADER_BYTES_MAX];
        let header_bytes = header.emit(&mut tcp_header);
        let ip = ip4::Header {
            source: Ipv4Addr::new(10, 77, 0, 2),
            destination: Ipv4Addr::new(10, 77, 0, 1),
            protocol: Protocol::Tcp,
            ttl: 64,
            tos: 0,
            identification: 1,
            dont_fragment: true,
            more_fragments: false,
            fragment_offset_bytes: 0,
        };
        let total = ip4::HEADER_BYTES + header_bytes + payload_bytes;
        let mut packet = Packet::new();
        packet.extend(&ip.emit(u16::try_from(total).unwrap()));
        packet.extend(&tcp_header[..header_bytes]);
        packet.extend(&vec![b'x'; payload_bytes]);
        packet.gso = Some(Gso { kind: GsoKind::Tcp, size_bytes: 1460 });
        packet.checksum = ChecksumState::Deferred;
        packet
    }

    fn packets(file: &[u8]) -> Vec<(Duration, usize)> {
        let mut reader = PcapNgReader::new(file).unwrap();
        let mut found = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap() {
                found.push((packet.timestamp, packet.data.len()));
            }
        }
        found
    }

    #[test]
    fn a_super_segment_is_recorded_as_a_wire_would_carry_it() {
        let file = Shared(Rc::default(), usize::MAX);
        let origin = Duration::from_secs(1_700_000_000);
        let mut capture = Capture::new(file.clone(), origin).unwrap();
        capture.record(Instant::from_micros(1_500_000), &super_segment(5000));
        capture.flush();
        let at = origin + Duration::from_millis(1500);
        let sizes = [1500, 1500, 1500, 660];
        assert_eq!(packets(&file.0.borrow()), sizes.map(|size| (at, size)));
    }

    #[test]
    fn on_an_ethernet_link_the_frames_header_stands_first() {
        let file = Shared(Rc::default(), usize::MAX);
        let mut capture = Capture::of_ethernet(file.clone(), Duration::ZERO).unwrap();
        let mut packet = super_segment(100);
        packet.ethernet = Some(ieum_wire::ethernet::Header {
            destination: ieum_wire::ethernet::MacAddress::BROADCAST,
            source: ieum_wire::ethernet::MacAddress([2, 0, 0, 0, 0, 1]),
            ethertype: ieum_wire::ethernet::EtherType::Ip4,
        });
        capture.record(Instant::ZERO, &packet);
        capture.flush();
        assert_eq!(packets(&file.0.borrow()), [(Duration::ZERO, 14 + 140)]);
    }

    #[test]
    fn two_links_share_a_file_and_each_packet_says_where_it_was() {
        let file = Shared(Rc::default(), usize::MAX);
        let mut one = Capture::new(file.clone(), Duration::ZERO).unwrap();
        let mut two = one.another("net").unwrap();
        two.record(Instant::ZERO, &super_segment(1000));
        one.record(Instant::ZERO, &super_segment(2000));
        one.flush();
        let bytes = file.0.borrow();
        let mut reader = PcapNgReader::new(&bytes[..]).unwrap();
        let mut seen = Vec::new();
        while let Some(block) = reader.next_block() {
            if let Block::EnhancedPacket(packet) = block.unwrap() {
                seen.push((packet.interface_id, packet.data.len()));
            }
        }
        assert_eq!(seen, [(1, 1040), (0, 1500), (0, 580)]);
        assert_eq!(reader.interfaces().len(), 2);
    }

    #[test]
    fn the_file_opens_at_any_moment_of_writing() {
        let file = Shared(Rc::default(), usize::MAX);
        let mut capture = Capture::new(file.clone(), Duration::ZERO).unwrap();
        let mut seen = 0;
        for _ in 0..100 {
            capture.record(Instant::ZERO, &super_segment(5000));
            let now_seen = packets(&file.0.borrow()).len();
            assert!(now_seen >= seen, "a file only grows");
            seen = now_seen;
        }
        assert!(seen > 0, "much is written without being asked to");
        drop(capture);
        assert_eq!(packets(&file.0.borrow()).len(), 400);
    }

    #[test]
    fn an_error_is_told_once_and_nothing_is_written_after_it() {
        let file = Shared(Rc::default(), 200_000);
        let mut capture = Capture::new(file.clone(), Duration::ZERO).unwrap();
        for _ in 0..100 {
            capture.record(Instant::ZERO, &super_segment(5000));
        }
        assert_eq!(capture.take_error().map(|error| error.kind()), Some(io::ErrorKind::StorageFull));
        let length = file.0.borrow().len();
        capture.record(Instant::ZERO, &super_segment(1));
        capture.flush();
        assert!(capture.take_error().is_none());
        assert_eq!(file.0.borrow().len(), length);
    }
}
