//! A datagram in pieces (send(2): MSG_MORE; udp(7): UDP_CORK): what is sent waits until the one that ends it is sent, or until
//! the option is taken away, and goes out as one.
//!
//! The first piece says where it goes; the addresses of the others are not looked at. A piece with which it would be
//! larger than a datagram can be is EMSGSIZE, and the others are lost with it. What is not whole when the socket is closed is
//! never sent.

use std::net::SocketAddr;

use ieum_wire::Instant;

use crate::bounds::MESSAGE_BYTES_MAX;
use crate::call::send::Ancillary;
use crate::host::Host;
use crate::{Errno, SocketId};

/// The pieces so far.
#[derive(Clone, Debug)]
pub(crate) struct Corked {
    bytes: Vec<u8>,
    address: Option<SocketAddr>,
    ancillary: Ancillary,
}

impl Host {
    /// Sends a datagram, or a piece of one. Tells how many of these bytes were taken: all of them.
    pub(super) fn send_piece(
        &mut self,
        now: Instant,
        id: SocketId,
        bytes: &[u8],
        address: Option<SocketAddr>,
        ancillary: Ancillary,
    ) -> Result<usize, Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let is_udp = description.make.is_udp();
        let more = is_udp && (ancillary.more || description.options.corks_datagrams());
        match description.corked.take() {
            None if !more => self.send_datagram(now, id, bytes, address, ancillary),
            None => {
                // What would refuse it, refuses its first piece.
                self.prepare_datagram(now, id, bytes, address, ancillary)?;
                self.cork(id, Corked { bytes: bytes.to_vec(), address, ancillary });
                Ok(bytes.len())
            }
            Some(before) => self.send_next_piece(now, id, *before, bytes, more),
        }
    }

    fn send_next_piece(
        &mut self,
        now: Instant,
        id: SocketId,
        mut corked: Corked,
        bytes: &[u8],
        more: bool,
    ) -> Result<usize, Errno> {
        let len_before = corked.bytes.len();
        if len_before + bytes.len() > MESSAGE_BYTES_MAX {
            return Err(Errno::EMSGSIZE);
        }
        corked.bytes.extend_from_slice(bytes);
        if !more {
            let sent = self.send_datagram(now, id, &corked.bytes, corked.address, corked.ancillary);
            if sent != Err(Errno::EAGAIN) {
                return sent.map(|_| bytes.len());
            }
            // There is no room: the last piece comes again.
            corked.bytes.truncate(len_before);
        }
        self.cork(id, corked);
        if more { Ok(bytes.len()) } else { Err(Errno::EAGAIN) }
    }

    fn cork(&mut self, id: SocketId, corked: Corked) {
        if let Some(description) = self.descriptions.get_mut(id) {
            description.corked = Some(Box::new(corked));
        }
    }

    /// UDP_CORK was set, or taken away: then what waits is whole. As on Linux nobody is told what becomes of it.
    pub(super) fn cork_changed(&mut self, now: Instant, id: SocketId) {
        let Some(description) = self.descriptions.get_mut(id) else { return };
        if description.options.corks_datagrams() {
            return;
        }
        if let Some(corked) = description.corked.take() {
            let _ = self.send_datagram(now, id, &corked.bytes, corked.address, corked.ancillary);
        }
    }
}
