//! listen(2).

use ieum_engine::Turn;
use ieum_socket::{Errno, How, Kind};

use crate::bounds::BACKLOG_MAX;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, Listening, host_errno};

impl Runner {
    pub(crate) fn call_listen(&mut self, turn: &Turn<'_>, call: &Call) -> Served {
        let Some(number) = self.identify(call) else { return Ok(Answer::Continue) };
        let socket = self.sockets.get(number).ok_or(Errno::EBADF)?;
        let (id, kind) = (socket.host, socket.kind);
        let is_spent = kind == Kind::Stream && self.is_spent(number);
        let backlog = call.int(1);
        let listening = match self.host.listen(id, backlog) {
            Err(Errno::EADDRINUSE) if self.sweep(turn) => self.host.listen(id, backlog),
            other => other,
        };
        listening?;
        if kind != Kind::Stream {
            return Ok(Answer::Value(0));
        }
        // As Linux: a negative backlog is a large one.
        let backlog = if backlog < 0 { BACKLOG_MAX } else { backlog.min(BACKLOG_MAX) };
        if let Err(errno) = self.listen_with_s(call, number, backlog, is_spent) {
            if !self.is_listening(number) {
                // Nobody could accept what came.
                self.host.shutdown(turn.now, id, How::Read)?;
            }
            return Err(errno);
        }
        Ok(Answer::Value(0))
    }

    fn is_listening(&self, number: u64) -> bool {
        self.sockets.get(number).is_some_and(|socket| matches!(socket.carrier, Carrier::Listening(_)))
    }

    /// S listens, where the host does. It is not made anew before, since an S that stays what it was shows that.
    fn listen_with_s(&mut self, call: &Call, number: u64, backlog: i32, is_spent: bool) -> Result<(), Errno> {
        if is_spent {
            self.renew(call, number)?;
        }
        let copy = self.copy(number)?;
        rustix::net::listen(&copy, backlog).map_err(host_errno)?;
        let socket = self.sockets.get_mut(number).ok_or(Errno::EBADF)?;
        if !matches!(socket.carrier, Carrier::Listening(_)) {
            socket.carrier = Carrier::Listening(Listening::default());
        }
        Ok(())
    }
}
