//! A capture: what a link carried, as a pcapng file that Wireshark and tshark open.
//!
//! Each packet is recorded as it would be on a wire: super-segments are cut, checksums finished. Packets begin with
//! their IP header (LINKTYPE_RAW). Times are nanoseconds since 1970: the wall clock at the start, then ieum's clock.
//!
//! Invariants:
//!
//! 1. Only whole blocks are handed to the file, so that one whose writer was killed still opens.
//! 2. After the first error nothing more is written: a file with a hole would lie. The error is told once.

use std::borrow::Cow;
use std::io::{self, Write};
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

/// A capture file being written.
pub struct Capture {
    /// `None` after an error.
    file: Option<Box<dyn Write>>,
    /// Whole blocks on their way to the file.
    blocks: PcapNgWriter<Vec<u8>>,
    /// Time since 1970 when ieum's clock stood at zero.
    origin: Duration,
    error: Option<io::Error>,
}

impl Capture {
    /// Begins a capture of one link. `origin` is the time since 1970 at [`Instant::ZERO`].
    ///
    /// # Errors
    ///
    /// When the file cannot be written.
    pub fn new(file: impl Write + 'static, origin: Duration) -> io::Result<Capture> {
        // One byte order everywhere: the same packets give the same file on every machine.
        let mut blocks =
            PcapNgWriter::with_endianness(Vec::new(), Endianness::Little).map_err(into_io_error)?;
        let mut link = InterfaceDescriptionBlock::new(DataLink::RAW, 0);
        link.options.push(InterfaceDescriptionOption::IfName(Cow::Borrowed("link")));
        link.options.push(InterfaceDescriptionOption::IfTsResol(NANOSECONDS));
        blocks.write_pcapng_block(link).map_err(into_io_error)?;
        let mut capture = Capture { file: Some(Box::new(file)), blocks, origin, error: None };
        capture.flush();
        capture.take_error().map_or(Ok(capture), Err)
    }

    /// Records what `packet` would be on a wire.
    pub fn record(&mut self, now: Instant, packet: &Packet) {
        if self.file.is_none() {
            return;
        }
        let timestamp = self.origin + now.since(Instant::ZERO);
        let mut written = Ok(());
        segmentation::cut(packet, |frame| {
            if written.is_ok() {
                written = self.write(timestamp, frame.bytes());
            }
        });
        if let Err(error) = written {
            self.fail(error);
        }
        if self.blocks.get_ref().len() >= BUFFER_BYTES_MAX {
            self.flush();
        }
    }

    /// Brings what was recorded to the file.
    pub fn flush(&mut self) {
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

    /// Why the capture ended before its time, told once.
    pub fn take_error(&mut self) -> Option<io::Error> {
        self.error.take()
    }

    fn write(&mut self, timestamp: Duration, frame: &[u8]) -> io::Result<()> {
        let original_len = u32::try_from(frame.len()).unwrap_or(u32::MAX);
        let block = EnhancedPacketBlock {
            interface_id: 0,
            timestamp,
            original_len,
            data: Cow::Borrowed(frame),
            options: Vec::new(),
        };
        self.blocks.write_pcapng_block(block).map(drop).map_err(into_io_error)
    }

    fn fail(&mut self, error: io::Error) {
        self.file = None;
        self.error = Some(error);
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.flush();
    }
}

fn into_io_error(error: PcapError) -> io::Error {
    if let PcapError::IoError(error) = error { error } else { io::Error::other(error) }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::net::Ipv4Addr;
    use std::rc::Rc;

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
