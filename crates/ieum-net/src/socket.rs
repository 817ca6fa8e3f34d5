//! One end of a member's frame socket: AF_UNIX, SOCK_SEQPACKET, one message a frame.
//!
//! Nothing here waits. What the kernel has no room for waits in a queue of its own, within bounds; what falls over them
//! is dropped, as any link may, and counted by whoever sends.

use std::collections::VecDeque;
use std::io::IoSlice;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use ieum_wire::{ChecksumState, Packet};
use rustix::buffer::spare_capacity;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvFlags, SendAncillaryBuffer, SendFlags, SocketFlags, SocketType, recv, sendmsg,
    socketpair, sockopt,
};

use crate::bounds::{BYTES_WAITING_MAX, COPIED_BELOW_BYTES, FRAME_SOCKET_BYTES, FRAMES_WAITING_MAX};
use crate::frame::{FRAME_BYTES_MAX, Trailer};

/// An end of a frame socket, and what waits for room in it.
#[derive(Debug)]
pub(crate) struct FrameSocket {
    fd: OwnedFd,
    waiting: VecDeque<Waiting>,
    /// Bytes of the packets in `waiting`.
    waiting_bytes: usize,
}

/// A frame that the kernel had no room for.
#[derive(Debug)]
enum Waiting {
    Whole(Packet),
    /// A small one, in memory of its own size.
    Copied(Box<[u8]>, Trailer),
}

/// What became of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Sent {
    /// It is with the kernel.
    Now,
    /// It waits for room.
    Later,
    /// Too many wait: it was dropped.
    Dropped,
    /// Nobody holds the other end any more.
    Gone,
}

/// What was found in the socket.
#[derive(Debug)]
pub(crate) enum Received {
    /// A frame.
    Frame(Packet),
    /// Nothing more for now.
    Nothing,
    /// A message that is no frame.
    Garbage,
    /// Nobody holds the other end any more.
    Gone,
}

impl Waiting {
    fn of(packet: Packet) -> Waiting {
        if packet.len() < COPIED_BELOW_BYTES {
            Waiting::Copied(packet.bytes().into(), Trailer::of(&packet))
        } else {
            Waiting::Whole(packet)
        }
    }

    fn bytes(&self) -> &[u8] {
        match self {
            Waiting::Whole(packet) => packet.bytes(),
            Waiting::Copied(bytes, _) => bytes,
        }
    }

    fn trailer(&self) -> Trailer {
        match self {
            Waiting::Whole(packet) => Trailer::of(packet),
            Waiting::Copied(_, trailer) => *trailer,
        }
    }
}

impl FrameSocket {
    /// Takes over one end.
    pub(crate) fn new(fd: OwnedFd) -> FrameSocket {
        // As much as the kernel grants: with less, more waits here.
        let _ = sockopt::set_socket_send_buffer_size_force(&fd, FRAME_SOCKET_BYTES)
            .or_else(|_| sockopt::set_socket_send_buffer_size(&fd, FRAME_SOCKET_BYTES));
        FrameSocket { fd, waiting: VecDeque::new(), waiting_bytes: 0 }
    }

    /// Two ends, joined: the second is to be handed to somebody.
    ///
    /// # Errors
    ///
    /// Those of socketpair(2).
    pub(crate) fn pair() -> rustix::io::Result<(FrameSocket, OwnedFd)> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        Ok((FrameSocket::new(ours), theirs))
    }

    /// For watching.
    pub(crate) fn fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }

    /// Does a frame wait for room?
    pub(crate) fn wants_room(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// Sends a frame, or lets it wait behind those that do.
    pub(crate) fn send(&mut self, packet: Packet) -> Sent {
        if self.waiting.is_empty() {
            match self.give(packet.bytes(), Trailer::of(&packet)) {
                Ok(()) => return Sent::Now,
                Err(Errno::AGAIN) => {}
                Err(Errno::PIPE | Errno::CONNRESET) => return Sent::Gone,
                Err(_) => return Sent::Dropped,
            }
        }
        let bytes = self.waiting_bytes + packet.len();
        if self.waiting.len() >= FRAMES_WAITING_MAX || bytes > BYTES_WAITING_MAX {
            return Sent::Dropped;
        }
        self.waiting_bytes = bytes;
        self.waiting.push_back(Waiting::of(packet));
        Sent::Later
    }

    /// There may be room again. How many of those that waited were dropped: none, as long as the kernel is well.
    pub(crate) fn flush(&mut self) -> u64 {
        let mut dropped = 0;
        while let Some(frame) = self.waiting.front() {
            match self.give(frame.bytes(), frame.trailer()) {
                Ok(()) => {}
                Err(Errno::AGAIN) => break,
                Err(_) => dropped += 1,
            }
            self.waiting_bytes -= frame.bytes().len();
            self.waiting.pop_front();
        }
        dropped
    }

    /// The next frame.
    pub(crate) fn receive(&self) -> Received {
        let mut trailer = Trailer { gso: None, checksum: ChecksumState::Present };
        let received = Packet::written(|memory| {
            memory.reserve_exact(FRAME_BYTES_MAX);
            // A message that does not fit is cut by the kernel, and told with its whole length.
            let (_, length) = recv(&self.fd, spare_capacity(memory), RecvFlags::DONTWAIT | RecvFlags::TRUNC)
                .map_err(|error| if error == Errno::AGAIN { Received::Nothing } else { Received::Gone })?;
            if length == 0 {
                return Err(Received::Gone);
            }
            if length != memory.len() {
                return Err(Received::Garbage);
            }
            let (packet_bytes, decoded) = Trailer::decode(memory).map_err(|_| Received::Garbage)?;
            trailer = decoded;
            memory.truncate(packet_bytes);
            Ok(())
        });
        match received {
            Ok(mut packet) => {
                (packet.gso, packet.checksum) = (trailer.gso, trailer.checksum);
                Received::Frame(packet)
            }
            Err(other) => other,
        }
    }

    fn give(&self, packet: &[u8], trailer: Trailer) -> rustix::io::Result<()> {
        let trailer = trailer.encode();
        let pieces = [IoSlice::new(packet), IoSlice::new(&trailer)];
        let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
        // A message is sent whole or not at all.
        sendmsg(&self.fd, &pieces, &mut SendAncillaryBuffer::new(&mut []), flags).map(drop)
    }
}

#[cfg(test)]
mod tests {
    use ieum_wire::{Gso, GsoKind};

    use super::*;

    fn pair() -> (FrameSocket, FrameSocket) {
        let (one, other) = FrameSocket::pair().unwrap();
        (one, FrameSocket::new(other))
    }

    fn packet(bytes: usize, byte: u8) -> Packet {
        Packet::from_wire(&vec![byte; bytes])
    }

    fn frame(socket: &FrameSocket) -> Packet {
        match socket.receive() {
            Received::Frame(packet) => packet,
            other @ (Received::Nothing | Received::Garbage | Received::Gone) => {
                panic!("no frame but {other:?}")
            }
        }
    }

    #[test]
    fn the_largest_packet_crosses_with_its_words() {
        let (mut one, other) = pair();
        let mut sent = packet(65_575, 7);
        sent.gso = Some(Gso { kind: GsoKind::Fragments { identification: 9 }, size_bytes: 1448 });
        sent.checksum = ChecksumState::Deferred;
        assert_eq!(one.send(sent.clone()), Sent::Now);
        let received = frame(&other);
        assert_eq!(received.bytes(), sent.bytes());
        assert_eq!((received.gso, received.checksum), (sent.gso, sent.checksum));
        assert!(matches!(other.receive(), Received::Nothing));
    }

    #[test]
    fn what_the_kernel_has_no_room_for_waits_in_order_and_within_bounds() {
        for size in [100, 60_000] {
            let (mut one, other) = pair();
            let (mut accepted, mut waited) = (0u32, 0);
            let mut next = || {
                accepted += 1;
                let mut packet = packet(size, 0);
                packet.bytes_mut()[..4].copy_from_slice(&accepted.to_be_bytes());
                packet
            };
            loop {
                match one.send(next()) {
                    Sent::Now => assert!(!one.wants_room(), "nobody passes those that wait"),
                    Sent::Later => waited += 1,
                    Sent::Dropped => break,
                    Sent::Gone => panic!("the other end is there"),
                }
            }
            accepted -= 1;
            assert_eq!(waited, FRAMES_WAITING_MAX.min(BYTES_WAITING_MAX / size));
            for number in 1..=accepted {
                if number % 3 == 0 {
                    assert_eq!(one.flush(), 0);
                }
                let received = frame(&other);
                assert_eq!(received.bytes()[..4], number.to_be_bytes());
                assert_eq!(received.len(), size);
            }
            assert!(!one.wants_room() && one.waiting_bytes == 0);
        }
    }

    #[test]
    fn what_is_no_frame_is_told_apart_from_the_end() {
        let (one, other) = pair();
        for garbage in [&[1u8, 2, 3][..], &[0; 100], &[0xff; 70_000]] {
            rustix::net::send(one.fd(), garbage, SendFlags::empty()).unwrap();
            assert!(matches!(other.receive(), Received::Garbage), "{} bytes", garbage.len());
        }
        drop(one);
        assert!(matches!(other.receive(), Received::Gone));
    }

    #[test]
    fn who_sends_to_nobody_hears_of_it() {
        let (mut one, other) = pair();
        drop(other);
        assert_eq!(one.send(packet(100, 0)), Sent::Gone);
    }
}
