//! ioctl(2): SIOCOUTQ, which is how much of what was sent has not been acknowledged.

use ieum_socket::Errno;

use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, host_errno};

impl Runner {
    pub(crate) fn call_ioctl(&mut self, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let carried = match &socket.carrier {
            Carrier::Stream(stream) => stream.unread_bytes(),
            Carrier::Listening(_) => return Err(Errno::EINVAL),
            Carrier::Fresh
            | Carrier::Connecting(_)
            | Carrier::Spent
            | Carrier::Over
            | Carrier::Datagram(_) => 0,
        };
        let sent = self.host.status(socket.host).map_or(0, |status| status.unacknowledged_bytes);
        let count = i32::try_from(carried.saturating_add(sent)).unwrap_or(i32::MAX);
        self.memory(call).write_int(call.word(2), count).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }
}
