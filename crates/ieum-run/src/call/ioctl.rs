//! ioctl(2): SIOCOUTQ, which is how much of what was sent has not been acknowledged, SIOCOUTQNSD, of that what has
//! not been sent, and SIOCATMARK, which AF_UNIX would answer in its own way.

use ieum_engine::Turn;
use ieum_socket::{Errno, Kind};

use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, host_errno};
use crate::sys::number as n;

impl Runner {
    pub(crate) fn call_ioctl(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        self.catch_up(turn, number);
        let request = u64::from(call.int(1).cast_unsigned());
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        if request == n::SIOCATMARK {
            return match socket.kind {
                Kind::Datagram => Err(Errno::ENOTTY),
                // An urgent byte is one like others by the time it is here, so there is no mark.
                Kind::Stream => self.answer_int(call, 0),
            };
        }
        if request == n::SIOCOUTQNSD && socket.kind == Kind::Datagram {
            return Err(Errno::ENOTTY);
        }
        let carried = match &socket.carrier {
            Carrier::Stream(stream) => stream.unread_bytes(),
            Carrier::Listening(_) => return Err(Errno::EINVAL),
            Carrier::Fresh
            | Carrier::Connecting(_)
            | Carrier::Spent
            | Carrier::Over
            | Carrier::Datagram(_) => 0,
        };
        let sent = match self.host.status(socket.host) {
            Some(status) if request == n::SIOCOUTQNSD => status.unsent_bytes,
            Some(status) => status.unacknowledged_bytes,
            None => 0,
        };
        let count = i32::try_from(carried.saturating_add(sent)).unwrap_or(i32::MAX);
        self.answer_int(call, count)
    }

    fn answer_int(&self, call: &Call, value: i32) -> Served {
        self.memory(call).write_int(call.word(2), value).map_err(host_errno)?;
        Ok(Answer::Value(0))
    }
}
