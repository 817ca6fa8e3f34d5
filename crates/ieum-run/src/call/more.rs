//! Sends on streams that say more is to follow (send(2): MSG_MORE). AF_UNIX could not tell us so: the host takes the bytes at
//! once, and what is smaller than a segment waits there for what follows.

use ieum_engine::Turn;
use ieum_stack::WriteEnd;

use super::message::Header;
use crate::bounds::STREAM_BYTES_MAX;
use crate::notification::Call;
use crate::runner::Runner;
use crate::serve::{Answer, Served};
use crate::socket::host_errno;
use crate::sys::number as n;

impl Runner {
    /// Leaves a call that names no address to the kernel, save where it says that more is to follow. Where the host has
    /// no room for all of it, it waits for what follows anyway.
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
        let Some(id) = self.takes_at_once(number, len) else { return Ok(Answer::Continue) };
        let bytes = header.gather(&self.memory(call), len).map_err(host_errno)?;
        self.send_promised(turn, call, number, id, &bytes, WriteEnd::More)
    }
}
