//! Reading and writing, in all their forms.

pub mod sys;

use std::io;
use std::net::SocketAddr;

use ieum::sockets::Received;

use crate::table;

/// What a call that reads has besides its buffers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asked {
    pub(crate) number: i32,
    pub(crate) flags: i32,
}

impl Asked {
    /// Into one buffer, without a copy between; where a datagram came from.
    fn read(self, into: &mut [u8]) -> io::Result<(usize, Option<SocketAddr>)> {
        table::get(self.number)?.socket()?.read(into, self.flags & libc::MSG_PEEK != 0)
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
