//! Reading and writing, in all their forms.

pub mod sys;

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;

use ieum::sockets::Received;

use crate::table;

/// Bytes of a buffer that is read into by way of memory which the thread keeps for that: what C's buffer holds before
/// is not ours to look at, and sockets fill what holds something. As much as programs read at once; for more there is
/// memory of the call's own.
const READ_BYTES_MAX: usize = 262_144;

thread_local! {
    /// No longer than the largest buffer that was read into; taken while a call has it.
    static SCRATCH: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// What a call that reads has besides its buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) number: i32,
    pub(crate) flags: i32,
}

impl Asked {
    /// Into one buffer of at most [`READ_BYTES_MAX`]: `put` puts there what was read. How much, and where a datagram came from.
    fn read(
        self,
        len: usize,
        put: impl FnOnce(&[u8]) -> io::Result<()>,
    ) -> io::Result<(usize, Option<SocketAddr>)> {
        let open = table::get(self.number)?;
        let socket = open.socket()?;
        let mut bytes = SCRATCH.try_with(Cell::take).unwrap_or_default();
        bytes.resize(bytes.len().max(len), 0);
        let read = socket.read(bytes.get_mut(..len).unwrap_or_default(), self.flags & libc::MSG_PEEK != 0);
        let told = read.and_then(|(count, source)| {
            put(bytes.get(..count).unwrap_or_default())?;
            Ok((count, source))
        });
        // A thread that ends has no place for it any more.
        let _ = SCRATCH.try_with(|scratch| scratch.set(bytes));
        told
    }

    /// For so many bytes; `into`: there are buffers for them.
    fn receive(self, bytes: usize, into: bool) -> io::Result<(usize, Received)> {
        table::get(self.number)?.socket()?.recv_or_drop(bytes, self.flags, into)
    }
}

/// Bytes that are there, or why they are not; with control messages.
pub(crate) fn send(
    number: i32,
    bytes: io::Result<&[u8]>,
    flags: i32,
    to: Option<io::Result<&[u8]>>,
    control: &[u8],
) -> io::Result<usize> {
    let open = table::get(number)?;
    let socket = open.socket()?;
    let to = match to {
        Some(address) => socket.destination_named(address?, flags)?,
        None => None,
    };
    socket.send_with(bytes?, flags, to, control)
}

/// What reading nothing answers of a socket.
fn nothing_of(number: i32) -> io::Result<usize> {
    table::get(number)?.socket().map(|_| 0)
}
