//! `ioctl(2)`: lengths of queues, and the urgent mark (tcp(7), udp(7)).

use ieum_stack::State;

use crate::description::Phase;
use crate::host::Host;
use crate::{Errno, SocketId};

/// Bytes that can be read (FIONREAD too); of datagrams those of the next one.
const SIOCINQ: u64 = 0x541b;
/// Bytes that were not acknowledged; the end is a position like others.
const SIOCOUTQ: u64 = 0x5411;
/// Bytes that were not sent.
const SIOCOUTQNSD: u64 = 0x894b;
/// Does the next read begin at the urgent byte?
const SIOCATMARK: u64 = 0x8905;

impl Host {
    /// What the request asks of a socket, as a number.
    ///
    /// # Errors
    ///
    /// EINVAL of a socket that listens, ENOTTY for any other request.
    pub fn ioctl(&self, id: SocketId, request: u64) -> Result<i32, Errno> {
        let description = self.descriptions.get(id).ok_or(Errno::EBADF)?;
        let bytes = match (&description.phase, request) {
            (Phase::Stream(_), SIOCATMARK) => usize::from(self.is_at_mark(id)),
            (Phase::Stream(_), SIOCINQ | SIOCOUTQ | SIOCOUTQNSD) if self.is_listening(id) => {
                return Err(Errno::EINVAL);
            }
            (Phase::Stream(_), SIOCINQ | SIOCOUTQ | SIOCOUTQNSD) => self.stream_queue(id, request),
            (Phase::Datagram(_), SIOCINQ) => {
                let next = description.open().and_then(|open| self.endpoint_peek(open.endpoint));
                next.map_or(0, |datagram| datagram.payload.len())
            }
            // What was sent is on the link.
            (Phase::Datagram(_), SIOCOUTQ) => 0,
            (_, _) => return Err(Errno::ENOTTY),
        };
        Ok(i32::try_from(bytes).unwrap_or(i32::MAX))
    }

    fn stream_queue(&self, id: SocketId, request: u64) -> usize {
        let Some(status) = self.status(id) else { return 0 };
        match request {
            SIOCOUTQ => {
                let end = usize::from(status.finished && !status.finish_acknowledged);
                status.unacknowledged_bytes + end
            }
            SIOCOUTQNSD => status.unsent_bytes,
            _ if status.state == State::SynSent => 0,
            _ => status.readable_bytes,
        }
    }
}
