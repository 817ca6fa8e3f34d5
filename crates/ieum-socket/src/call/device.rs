//! Options that keep a socket to one link (socket(7): SO_BINDTODEVICE; SO_BINDTOIFINDEX): it speaks and hears over that
//! link alone, and its port is busy there alone.

use ieum_stack::LinkId;

use crate::description::{Phase, Stream};
use crate::endpoint::Endpoint;
use crate::host::Host;
use crate::numbers::{SO_BINDTODEVICE, SO_BINDTOIFINDEX, SOL_SOCKET};
use crate::options::INTERFACE_NAME_BYTES;
use crate::{Errno, SocketId};

/// An interface's name without its zero, in bytes: what stands behind it is not looked at.
const NAME_BYTES_MAX: usize = INTERFACE_NAME_BYTES - 1;

impl Host {
    /// Sets such an option; `None` when it is none.
    pub(crate) fn set_device_option(
        &mut self,
        id: SocketId,
        level: i32,
        name: i32,
        value: &[u8],
    ) -> Option<Result<(), Errno>> {
        let link = match (level, name) {
            (SOL_SOCKET, SO_BINDTODEVICE) => self.link_by_name(value),
            (SOL_SOCKET, SO_BINDTOIFINDEX) => self.link_by_number(value),
            _ => return None,
        };
        Some(link.and_then(|link| self.keep_to_link(id, link)))
    }

    /// The link that a socket keeps to.
    pub(crate) fn check_sticky_interface(&self, id: SocketId, value: &[u8]) -> Result<(), Errno> {
        let Some(kept) = self.kept_link(id) else { return Ok(()) };
        let index =
            value.get(16..).and_then(|rest| rest.first_chunk()).map(|bytes| u32::from_ne_bytes(*bytes));
        if index == self.stack.index_of(kept) { Ok(()) } else { Err(Errno::EINVAL) }
    }

    pub(crate) fn kept_link(&self, id: SocketId) -> Option<LinkId> {
        self.descriptions.get(id)?.options.link
    }

    fn link_by_name(&self, value: &[u8]) -> Result<Option<LinkId>, Errno> {
        let value = value.get(..NAME_BYTES_MAX).unwrap_or(value);
        match value.split(|byte| *byte == 0).next().unwrap_or_default() {
            [] => Ok(None),
            name => self.link_named(name).map(Some).ok_or(Errno::ENODEV),
        }
    }

    fn link_by_number(&self, value: &[u8]) -> Result<Option<LinkId>, Errno> {
        let number = value.first_chunk().map(|bytes| i32::from_ne_bytes(*bytes)).ok_or(Errno::EINVAL)?;
        match u32::try_from(number).map_err(|_| Errno::EINVAL)? {
            0 => Ok(None),
            index => self.stack.link_at(index).map(Some).ok_or(Errno::ENODEV),
        }
    }

    /// Once kept to a link, a socket stays there, unless its program may have raw sockets (Linux asks for the same CAP_NET_RAW).
    fn keep_to_link(&mut self, id: SocketId, link: Option<LinkId>) -> Result<(), Errno> {
        let description = self.descriptions.get_mut(id).ok_or(Errno::EBADF)?;
        if description.options.link.is_some() && !self.has_raw_sockets {
            return Err(Errno::EPERM);
        }
        let before = description.tcp_settings(&self.tcp_defaults);
        description.options.link = link;
        match &description.phase {
            Phase::Stream(stream) => {
                let bound = match stream {
                    Stream::Unbound => None,
                    Stream::Bound(bound) => Some(bound),
                    Stream::Listening(listening) => Some(&listening.bound),
                    Stream::Active(active) => active.bound.as_ref(),
                };
                if let Some(bound) = bound {
                    self.stack.binding_set_link(bound.binding, link);
                }
                self.reconfigure(id, &before);
            }
            Phase::Datagram(_) => self.tell_link(id),
        }
        Ok(())
    }

    /// The endpoint of a datagram socket keeps to its socket's link.
    pub(crate) fn tell_link(&mut self, id: SocketId) {
        let Some(description) = self.descriptions.get(id) else { return };
        let link = description.options.link;
        match description.open().map(|open| open.endpoint) {
            Some(Endpoint::Udp(endpoint)) => self.stack.udp_set_link(endpoint, link),
            Some(Endpoint::Ping(endpoint)) => self.stack.ping_set_link(endpoint, link),
            Some(Endpoint::Raw(endpoint)) => self.stack.raw_set_link(endpoint, link),
            None => {}
        }
    }
}
