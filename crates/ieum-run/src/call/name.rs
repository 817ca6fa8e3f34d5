//! getsockname(2) and getpeername(2).

use std::net::SocketAddr;

use ieum_engine::Turn;
use ieum_socket::Errno;

use crate::address;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::host_errno;

impl Runner {
    pub(crate) fn call_getsockname(&mut self, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (local, domain) = (self.host.local_address(socket.host)?, socket.domain);
        self.answer_address(call, local, domain)
    }

    pub(crate) fn call_getpeername(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        self.catch_up(turn, number);
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (remote, domain) = (self.host.remote_address(socket.host)?, socket.domain);
        self.answer_address(call, remote, domain)
    }

    fn answer_address(&self, call: &Call, address: SocketAddr, domain: i32) -> Served {
        let bytes = address::encode(address, domain);
        address::write(&self.memory(call), call.word(1), call.word(2), &bytes).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }
}
