//! `shutdown(2)`.

use ieum_wire::Instant;

use crate::description::{Datagram, Description, Phase, Shut, Stream};
use crate::host::Host;
use crate::{Errno, SocketId};

/// Which direction.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum How {
    /// SHUT_RD: nothing more will be read. What comes all the same is still taken, as in Linux.
    Read,
    /// SHUT_WR: nothing more will be written; a stream sends its FIN after what is queued.
    Write,
    /// SHUT_RDWR.
    Both,
}

impl How {
    fn read(self) -> bool {
        matches!(self, How::Read | How::Both)
    }

    fn write(self) -> bool {
        matches!(self, How::Write | How::Both)
    }
}

impl Host {
    /// Ends one direction or both. A listening socket shut for reading stops to listen, a connecting one gives up;
    /// both are then like new.
    ///
    /// # Errors
    ///
    /// ENOTCONN when there is no connection any more or yet. As in Linux the directions are marked nevertheless, so
    /// that whoever waits on them wakes.
    pub fn shutdown(&mut self, now: Instant, id: SocketId, how: How) -> Result<(), Errno> {
        self.now = now;
        let connection = match self.descriptions.get(id).ok_or(Errno::EBADF)?.phase {
            Phase::Stream(Stream::Unbound | Stream::Bound(_)) | Phase::Datagram(Datagram::Unbound) => None,
            Phase::Stream(Stream::Listening(_)) => {
                if how.read() {
                    self.disconnect(now, id);
                }
                return Ok(());
            }
            Phase::Stream(Stream::Active(active)) => {
                let view = self.settled_view(id).ok_or(Errno::EBADF)?;
                if view.connecting {
                    self.disconnect(now, id);
                    return Ok(());
                }
                self.answer_attempt(id, view.closed);
                Some(active.connection).filter(|_| !view.closed)
            }
            Phase::Datagram(Datagram::Open(open)) => {
                let connected = self.endpoint_remote(open.endpoint).is_some();
                self.mark(id, how);
                return if connected { Ok(()) } else { Err(Errno::ENOTCONN) };
            }
        };
        self.mark(id, how);
        let connection = connection.ok_or(Errno::ENOTCONN)?;
        if how.read() {
            self.stack.tcp_stop_reading(connection);
        }
        if how.write() {
            self.stack.tcp_finish(now, connection);
        }
        Ok(())
    }

    /// Whoever asks connect about the attempt now is not told of it any more: the connection stands, or, where it has `failed`,
    /// connect makes no sense until the socket is disconnected. A shutdown does so, and who does it without [`Host::shutdown`]
    /// says it hereby.
    pub fn answer_attempt(&mut self, id: SocketId, failed: bool) {
        if let Some(active) = self.descriptions.get_mut(id).and_then(Description::active_mut) {
            active.disconnecting |= failed && !active.answered;
            active.answered |= !failed;
        }
    }

    /// Is sending over for good? So it can be on an established connection as well, of a socket that was shut down before
    /// it had one.
    pub fn is_write_shut(&self, id: SocketId) -> bool {
        let Some(description) = self.descriptions.get(id) else { return true };
        description.shut.write || self.view(description).is_some_and(|view| view.shut.write)
    }

    /// The directions that the program has shut down, with a connection or without: reading, writing.
    pub fn shut_down(&self, id: SocketId) -> (bool, bool) {
        self.descriptions
            .get(id)
            .map_or((false, false), |description| (description.shut.read, description.shut.write))
    }

    fn mark(&mut self, id: SocketId, how: How) {
        if let Some(description) = self.descriptions.get_mut(id) {
            let Shut { read, write } = description.shut;
            description.shut = Shut { read: read || how.read(), write: write || how.write() };
        }
        self.tell(Some(id));
    }
}
