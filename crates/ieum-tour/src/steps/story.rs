//! The hosts of the first half: a server and three clients, and the descriptors that their programs have got so far.

use std::net::SocketAddr;
use std::time::Duration;

use ieum_socket::Kind;
use serde::Serialize;

use crate::event::{Event, frames};
use crate::stage::{Stage, Who};
use crate::surprise::Surprise;
use crate::table::{Row, Table};

/// The server's port, that of the web.
pub(crate) const PORT: u16 = 80;

/// Longer than any acknowledgement waits: what a step began is over.
pub(crate) const CALM: Duration = Duration::from_millis(200);

pub(crate) struct Story {
    pub(crate) stage: Stage,
    pub(crate) server: Who,
    pub(crate) clients: [Who; 3],
    /// The server's listening socket.
    pub(crate) listener: usize,
    /// The client's ends of connections, in the order of the clients.
    pub(crate) theirs: Vec<usize>,
    /// The server's ends, in the same order.
    pub(crate) ours: Vec<usize>,
    /// Packets of all steps so far.
    pub(crate) frames: usize,
}

impl Story {
    pub(crate) fn new(seed: u64) -> Story {
        let mut stage = Stage::new(seed);
        let server = stage.host("server");
        let clients = ["client-a", "client-b", "client-c"].map(|name| stage.host(name));
        Story { stage, server, clients, listener: 0, theirs: Vec::new(), ours: Vec::new(), frames: 0 }
    }

    /// Where the server listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.stage.at(self.server, PORT)
    }

    /// What happened in a step, once all that it began is over.
    pub(crate) fn events(&mut self) -> Vec<Event> {
        self.stage.rest(CALM);
        let events = self.stage.take_events();
        self.frames += frames(&events).count();
        events
    }
}

/// Bytes as a text.
pub(crate) fn shown(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// So many bytes of which each knows its place, as far as a byte can.
pub(crate) fn pattern(bytes: usize) -> Vec<u8> {
    (0..=250).cycle().take(bytes).collect()
}

/// The state of a program's socket.
pub(crate) fn state_of(stage: &Stage, who: Who, fd: usize) -> Result<&'static str, Surprise> {
    stage.table(who).row(fd).map(|row| row.state).ok_or(Surprise::Missing("socket"))
}

/// The error of a call that is to be refused.
pub(crate) fn refusal<T>(outcome: Result<T, Surprise>) -> Result<String, Surprise> {
    match outcome {
        Err(Surprise::Refused { errno, .. }) => Ok(errno.to_string()),
        Err(other) => Err(other),
        Ok(_) => Err(Surprise::Missing("refusal")),
    }
}

/// A socket that listens there.
pub(crate) fn listening(stage: &mut Stage, who: Who, port: u16, backlog: i32) -> Result<usize, Surprise> {
    let address = stage.at(who, port);
    let fd = stage.socket(who, Kind::Stream)?;
    stage.bind(who, fd, address)?;
    stage.listen(who, fd, backlog)?;
    Ok(fd)
}

/// A connection as a program knows it: its descriptor; and as the protocol does: its 5-tuple.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Connection {
    pub(crate) fd: usize,
    pub(crate) protocol: &'static str,
    pub(crate) state: &'static str,
    pub(crate) local: String,
    pub(crate) remote: String,
}

impl Connection {
    /// The connections of a program, from its descriptors.
    pub(crate) fn all(table: &Table) -> Vec<Connection> {
        let connection = |row: &Row| {
            Some(Connection {
                fd: row.fd?,
                protocol: row.kind,
                state: row.state,
                local: row.local.clone()?,
                remote: row.remote.clone()?,
            })
        };
        table.rows.iter().filter_map(connection).collect()
    }
}
