//! The room of a device: the other end of a host's link, where packets leave the process and come in.
//!
//! It knows nothing of protocols. What the host sends is written at once; what the device has is read when the host
//! asks, a share in each turn, so that the host acknowledges, its programs read and others are seen in between.
//!
//! A packet is written, or dropped and counted; there is no third. The kernel takes packets as fast as they are
//! written (it handles each before the call returns), so the queue for those it does not take is short.

use std::collections::VecDeque;
use std::io;
use std::os::fd::AsFd;

use ieum_device::Tun;
use ieum_device::faulty::{Faulty, Way};
use ieum_stack::LinkId;
use ieum_wire::{Instant, Packet, segmentation};
use rustix::io::Errno;

use crate::bounds::{DEVICE_QUEUE_PACKETS_MAX, DEVICE_SHARE_BYTES, DEVICE_SHARE_PACKETS};
use crate::poller::{Interest, Ready, Turn};
use crate::room::{Notice, Room};

/// The only source of this room.
const DEVICE: u64 = 0;

/// What is watched while nothing waits to be written.
const READING: Interest = Interest { read: true, write: false, edge: false };

/// What is watched while something does.
const READING_AND_WRITING: Interest = Interest { write: true, ..READING };

/// What became of packets that did not cross, by reason.
#[derive(Clone, Copy, Debug, Default)]
struct Dropped {
    queue_full: u64,
    interface_down: u64,
    refused: u64,
    gone: u64,
}

/// A device and what waits for it.
pub struct DeviceRoom {
    device: Tun,
    /// The host's name for the link whose other end this is.
    host_link: LinkId,
    /// Stands between host and device; for tests.
    faulty: Option<Faulty>,
    /// What the device would not take yet.
    outgoing: VecDeque<Packet>,
    /// What may still be read in this turn; nothing, once the device has said that it is empty.
    share_packets: usize,
    share_bytes: usize,
    dropped: Dropped,
    /// The interface has been deleted.
    gone: bool,
    /// What the others were not told yet.
    notice: Option<Notice>,
    /// Told once: the interface is gone.
    on_trouble: Box<dyn FnMut(&str) + Send>,
}

impl DeviceRoom {
    /// The room of `device`, at the other end of what the host calls `host_link`. `on_trouble` is told, in a sentence, when
    /// the interface goes.
    pub fn new(device: Tun, host_link: LinkId, on_trouble: impl FnMut(&str) + Send + 'static) -> DeviceRoom {
        DeviceRoom {
            device,
            host_link,
            faulty: None,
            outgoing: VecDeque::new(),
            share_packets: 0,
            share_bytes: 0,
            dropped: Dropped::default(),
            gone: false,
            notice: None,
            on_trouble: Box::new(on_trouble),
        }
    }

    /// Puts faults between the host and the device.
    #[must_use]
    pub fn with_faults(self, faulty: Faulty) -> DeviceRoom {
        DeviceRoom { faulty: Some(faulty), ..self }
    }

    /// The room's own name for its only link.
    pub fn link(&self) -> LinkId {
        LinkId::default()
    }

    /// Before it is dropped by who goes on without it: the device is not watched any more, although a duplicate of its
    /// descriptor may live on.
    pub fn leave(&self, turn: &Turn<'_>) {
        turn.unwatch(self.device.as_fd());
    }

    /// Packets that did not cross, by reason; only the reasons that occurred.
    pub fn drops(&self) -> Vec<(&'static str, u64)> {
        let Dropped { queue_full, interface_down, refused, gone } = self.dropped;
        let all = [
            ("more packets waited for the device than may", queue_full),
            ("the interface was down", interface_down),
            ("the kernel refused the packet", refused),
            ("the interface was gone", gone),
            ("the device gave something that is no packet", self.device.malformed()),
        ];
        all.into_iter().filter(|(_, count)| *count > 0).collect()
    }

    /// Brings a packet to the device, cut as the device needs it.
    fn send(&mut self, turn: &Turn<'_>, packet: Packet) {
        if self.device.takes(&packet) {
            return self.send_frame(turn, packet);
        }
        segmentation::cut(&packet, |frame| self.send_frame(turn, frame));
    }

    fn send_frame(&mut self, turn: &Turn<'_>, mut packet: Packet) {
        if self.outgoing.is_empty() && self.write(&mut packet) {
            return;
        }
        if self.outgoing.len() >= DEVICE_QUEUE_PACKETS_MAX {
            self.dropped.queue_full += 1;
            return;
        }
        if self.outgoing.is_empty() {
            self.watch_for(turn, READING_AND_WRITING);
        }
        self.outgoing.push_back(packet);
    }

    /// False when the device cannot take the packet now.
    fn write(&mut self, packet: &mut Packet) -> bool {
        if self.gone {
            self.dropped.gone += 1;
            return true;
        }
        match self.device.write(packet) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
            Err(error) if Errno::from_io_error(&error) == Some(Errno::IO) => self.dropped.interface_down += 1,
            Err(_) => self.dropped.refused += 1,
        }
        true
    }

    /// The device has room again.
    fn send_waiting(&mut self, turn: &Turn<'_>) {
        while let Some(mut packet) = self.outgoing.pop_front() {
            if !self.write(&mut packet) {
                return self.outgoing.push_front(packet);
            }
        }
        self.watch_for(turn, READING);
    }

    fn watch_for(&self, turn: &Turn<'_>, interest: Interest) {
        // It fails only for a device that is gone, and then nothing waits any more.
        let _ = turn.rewatch(self.device.as_fd(), DEVICE, interest);
    }

    /// The next packet of this turn's share.
    fn read(&mut self, turn: &Turn<'_>) -> Option<Packet> {
        // What came as one is read to its end, or it would lie until the kernel has something else to say.
        let may_read = (self.share_packets > 0 && self.share_bytes > 0) || self.device.has_waiting();
        if !may_read || self.gone {
            return None;
        }
        match self.device.read() {
            Ok(Some(packet)) => {
                self.share_packets = self.share_packets.saturating_sub(1);
                self.share_bytes = self.share_bytes.saturating_sub(packet.len());
                Some(packet)
            }
            Ok(None) => {
                self.share_packets = 0;
                None
            }
            Err(error) => {
                self.lose(turn, &error);
                None
            }
        }
    }

    /// The interface has been deleted: the link leads nowhere from now on.
    fn lose(&mut self, turn: &Turn<'_>, error: &io::Error) {
        turn.unwatch(self.device.as_fd());
        self.gone = true;
        self.dropped.gone += u64::try_from(self.outgoing.len()).unwrap_or(u64::MAX);
        self.outgoing.clear();
        self.notice = Some(Notice::LinkDown { link: self.host_link });
        let name = self.device.name();
        (self.on_trouble)(&format!(
            "the interface {name} is gone, and its host has no link any more: {error}"
        ));
    }
}

impl Room for DeviceRoom {
    fn start(&mut self, turn: &Turn<'_>) -> io::Result<()> {
        turn.watch(self.device.as_fd(), DEVICE, READING)
    }

    fn on_ready(&mut self, turn: &Turn<'_>, _key: u64, ready: Ready) {
        if ready.write {
            self.send_waiting(turn);
        }
        // An error shows when the device is read.
        if ready.read || ready.error || ready.hangup {
            self.share_packets = DEVICE_SHARE_PACKETS;
            self.share_bytes = DEVICE_SHARE_BYTES;
        }
    }

    fn on_frame(&mut self, turn: &Turn<'_>, _link: LinkId, frame: Packet) {
        match &mut self.faulty {
            Some(faulty) => faulty.send(turn.now, Way::Out, &frame),
            None => self.send(turn, frame),
        }
    }

    fn on_deadline(&mut self, _turn: &Turn<'_>) {
        // What has arrived behind the faults is found when frames are asked for.
    }

    fn deadline(&self) -> Option<Instant> {
        self.faulty.as_ref().and_then(Faulty::deadline)
    }

    fn settle(&mut self, turn: &Turn<'_>) {
        if self.faulty.is_none() {
            return;
        }
        while let Some(packet) = self.read(turn) {
            if let Some(faulty) = &mut self.faulty {
                faulty.send(turn.now, Way::In, &packet);
            }
        }
    }

    fn poll_frame(&mut self, turn: &Turn<'_>) -> Option<(LinkId, Packet)> {
        if self.faulty.is_none() {
            return Some((self.link(), self.read(turn)?));
        }
        while let Some((way, frame)) = self.faulty.as_mut().and_then(|faulty| faulty.arrived(turn.now)) {
            match way {
                Way::Out => self.send(turn, frame),
                Way::In => return Some((self.link(), frame)),
            }
        }
        None
    }

    fn poll_notice(&mut self) -> Option<Notice> {
        self.notice.take()
    }

    fn on_notice(&mut self, _turn: &Turn<'_>, _notice: Notice) {}

    /// What the host sent last still waits here.
    fn is_unfinished(&self) -> bool {
        let on_the_way = self.faulty.as_ref().is_some_and(|faulty| faulty.is_under_way(Way::Out));
        !self.gone && (on_the_way || !self.outgoing.is_empty())
    }
}
