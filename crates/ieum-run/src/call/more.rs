//! Sends on streams that say more is to follow (send(2): MSG_MORE). AF_UNIX could not tell us so: the host takes the bytes at
//! once, and what is smaller than a segment waits there for what follows.

use ieum_engine::Turn;
use ieum_socket::SocketId;
use ieum_stack::WriteEnd;

use super::message::Header;
use crate::bounds::STREAM_BYTES_MAX;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::{Carrier, host_errno};
use crate::sys::{Reply, number as n};
use crate::tree::Told;

impl Runner {
    /// Leaves a call that names no address to the kernel, save where it says that more is to follow. Where the host has no room for all
    /// of it, it waits for what follows anyway.
    pub(super) fn send_natively(
        &mut self,
        turn: &Turn<'_>,
        call: &Call,
        number: u64,
        header: &Header,
        flags: i32,
    ) -> Served {
        let len = header.room();
        let is_ours = flags & (n::MSG_MORE | n::MSG_OOB) == n::MSG_MORE && !header.has_control();
        if !is_ours || len == 0 || len > STREAM_BYTES_MAX {
            return Ok(Answer::Continue);
        }
        self.catch_up(turn, number);
        let Some(id) = self.has_room_for_all(number, len) else { return Ok(Answer::Continue) };
        let bytes = header.gather(&self.memory(call), len).map_err(host_errno)?;
        // What was promised goes out; what was not heard was not sent.
        let told = self.trees.tell(call, Reply::of_count(bytes.len()));
        if told == Told::Heard {
            self.host.send_ending(turn.now, id, &bytes, None, WriteEnd::More)?;
        }
        Ok(told.answer(number))
    }

    /// The host's socket, if it has no error to tell first, nothing stands before these bytes, and all of them have room.
    fn has_room_for_all(&mut self, number: u64, len: usize) -> Option<SocketId> {
        let socket = self.sockets.get(number).filter(|socket| !socket.shows_error)?;
        let Carrier::Stream(stream) = &socket.carrier else { return None };
        stream.is_empty_handed(&mut self.host, socket.host, len).then_some(socket.host)
    }
}
