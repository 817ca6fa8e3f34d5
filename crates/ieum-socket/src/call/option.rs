//! `getsockopt(2)` and `setsockopt(2)`, and SO_ERROR by its own doors.

use ieum_wire::Instant;

use crate::description::{Phase, Stream};
use crate::host::Host;
use crate::numbers::{SO_REUSEADDR, SO_REUSEPORT, SOL_SOCKET};
use crate::{Errno, SocketId};

impl Host {
    /// Takes the pending error, as SO_ERROR does: it is told once.
    pub fn take_error(&mut self, id: SocketId) -> Option<Errno> {
        self.settled_view(id);
        self.descriptions.get_mut(id)?.error.take()
    }

    /// The pending error, left in place.
    pub fn error(&self, id: SocketId) -> Option<Errno> {
        let description = self.descriptions.get(id)?;
        self.view(description).map_or(description.error, |view| view.error)
    }

    /// An option's value, the bytes as getsockopt(2) would write them; cutting them to the program's length is the
    /// caller's affair.
    ///
    /// # Errors
    ///
    /// ENOPROTOOPT for what is unknown, EOPNOTSUPP for a level the socket does not have, and what an option itself
    /// says: ENOTCONN, ENODATA.
    pub fn option(&mut self, id: SocketId, level: i32, name: i32) -> Result<Vec<u8>, Errno> {
        self.read_option(id, level, name)
    }

    /// Sets an option from the bytes given to setsockopt(2).
    ///
    /// # Errors
    ///
    /// EINVAL for a bad length or value, ENOPROTOOPT for what is unknown or cannot be set, EPERM for what is not
    /// given to unprivileged programs, and what an option itself says: EDOM, ENODEV, ENOENT …
    pub fn set_option(
        &mut self,
        now: Instant,
        id: SocketId,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Result<(), Errno> {
        self.now = now;
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        let kind = description.kind();
        let before = description.options.tcp_settings();
        description.options.set(kind, level, name, value)?;
        let bound = match &description.phase {
            Phase::Stream(Stream::Bound(bound)) => Some(bound),
            Phase::Stream(Stream::Listening(listening)) => Some(&listening.bound),
            Phase::Stream(Stream::Active(active)) => active.bound.as_ref(),
            Phase::Stream(Stream::Unbound) | Phase::Datagram(_) => None,
        };
        if let Some(bound) = bound
            && level == SOL_SOCKET
            && matches!(name, SO_REUSEADDR | SO_REUSEPORT)
        {
            // Who shares a port may say so after it was bound.
            let options = &description.options;
            self.stack.binding_set_reuse(bound.binding, options.reuse_address(), options.reuse_port());
        }
        let after = description.options.tcp_settings();
        if before != after {
            match &mut description.phase {
                Phase::Stream(Stream::Active(active)) => {
                    self.stack.tcp_configure(now, active.connection, after);
                }
                Phase::Stream(Stream::Listening(listening)) => listening.reconfigured = true,
                Phase::Stream(Stream::Unbound | Stream::Bound(_)) | Phase::Datagram(_) => {}
            }
        }
        Ok(())
    }
}
