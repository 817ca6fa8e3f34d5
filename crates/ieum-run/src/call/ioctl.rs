//! ioctl(2): SIOCOUTQ, which is how much of what was sent has not been acknowledged, SIOCOUTQNSD, of that what has
//! not been sent, and SIOCATMARK, which AF_UNIX would answer in its own way. What is asked of interfaces is in `interface`.

use ieum_engine::Turn;
use ieum_socket::{Errno, Kind, is_about_interfaces};

use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, host_errno};
use crate::sys::number as n;

impl Runner {
    pub(crate) fn call_ioctl(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let number = self.identify(call);
        let request = call.int(1).cast_unsigned();
        if is_about_interfaces(request) {
            let domain = number.and_then(|number| self.sockets.get(number)).map(|socket| socket.domain);
            return self.call_interface(call, request, domain);
        }
        let Some(number) = number else { return Ok(Answer::Continue) };
        self.catch_up(turn, number);
        let request = u64::from(request);
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        if request == n::SIOCATMARK {
            return match socket.kind {
                Kind::Datagram => Err(Errno::ENOTTY),
                // S has what has come, and knows its mark.
                Kind::Stream if self.is_carried(number) => Ok(Answer::Continue),
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
            | Carrier::Over(_)
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
