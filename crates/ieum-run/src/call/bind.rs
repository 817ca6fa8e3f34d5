//! bind(2).

use ieum_engine::Turn;
use ieum_socket::{Errno, SocketId};

use crate::address::{self, Address, Use};
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::host_errno;
use crate::sys::number as n;

impl Runner {
    pub(crate) fn call_bind(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        self.catch_up(turn, number);
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (id, domain) = (socket.host, socket.domain);
        if self.is_raw(number) && domain == n::AF_INET6 && self.names_ip4(call, call.word(1)) {
            return Err(Errno::EINVAL);
        }
        let address = address::read(&self.memory(call), call.word(1), call.int(2), domain, Use::Bind);
        let address = match address.map_err(host_errno)? {
            Address::Internet(address) => address,
            Address::Unspecified => address::wildcard(domain),
        };
        let bound = match self.host.bind(id, address) {
            // Whoever had it may have been closed without a sign.
            Err(Errno::EADDRINUSE) if self.sweep(turn) => self.host.bind(id, address),
            other => other,
        };
        bound.map(|()| Answer::Value(0))
    }

    /// Gives a datagram socket a port that has none, as whatever names a destination does.
    pub(super) fn bind_as_needed(&mut self, turn: &Turn<'_>, id: SocketId) -> Result<(), Errno> {
        match self.host.bind_as_needed(id) {
            // Whoever has the ports to choose from may have been closed without a sign.
            Err(Errno::EAGAIN) if self.sweep(turn) => self.host.bind_as_needed(id),
            bound => bound,
        }
    }
}
